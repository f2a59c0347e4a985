package xpay_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// pushVector is a row of push.json: what a receiver of pushes meets.
type pushVector struct {
	ID, Kind, AppID, Token, EncodingAESKey, Timestamp, Nonce string
	Echostr, Signature, MsgSignature                         string
	Random, Format, Message, Encrypt                         string
}

func pushVectors(t testing.TB) []pushVector {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors/push.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []pushVector
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func (v pushVector) receiver(t testing.TB) *miniprogram.Push {
	t.Helper()
	config := miniprogram.PushConfig{AppID: "wx1", Tokens: []string{v.Token}, MaxAge: -1}
	if v.EncodingAESKey != "" {
		config.AppID, config.AESKeys = v.AppID, []string{v.EncodingAESKey}
	}
	p, err := miniprogram.NewPush(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (v pushVector) forgery(t testing.TB) miniprogram.Forgery {
	t.Helper()
	seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return miniprogram.Forgery{AppID: v.AppID, Token: v.Token, AESKey: v.EncodingAESKey, Time: time.Unix(seconds, 0), Nonce: v.Nonce,
		Random: [16]byte([]byte(v.Random))}
}

func (v pushVector) envelope() []byte {
	if v.Format == "xml" {
		return []byte("<xml><Encrypt><![CDATA[" + v.Encrypt + "]]></Encrypt></xml>")
	}
	return []byte(`{"Encrypt":"` + v.Encrypt + `"}`)
}

// From the bytes of a request to the typed event, over all push vectors.
func TestThePushVectorsOpenAndParse(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, v := range pushVectors(t) {
		counts[v.Kind]++
		q := url.Values{"timestamp": {v.Timestamp}, "nonce": {v.Nonce}, "signature": {v.Signature}}
		switch v.Kind {
		case "url check":
			q.Set("echostr", v.Echostr)
			if got, err := v.receiver(t).Echo(q); err != nil || got != v.Echostr {
				t.Errorf("%s: %q %v", v.ID, got, err)
			}
		case "plain signature":
			m, err := v.receiver(t).Open(q, []byte(`{"Event":"debug_demo"}`))
			if err != nil || m.Encrypted || m.Event != "debug_demo" {
				t.Errorf("%s: %v %v", v.ID, m, err)
			}
		case "push", "envelope", "reply":
			v.opens(t, q)
			v.isForged(t)
		default:
			t.Errorf("%s: what is a %q?", v.ID, v.Kind)
		}
	}
	if counts["url check"] != 1 || counts["plain signature"] != 2 || counts["push"] != 5 || counts["reply"] != 4 || counts["envelope"] != 1 {
		t.Errorf("vectors by kind: %v", counts)
	}
}

func (v pushVector) opens(t *testing.T, q url.Values) {
	t.Helper()
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", v.MsgSignature)
	m, err := v.receiver(t).Open(q, v.envelope())
	if v.Kind == "envelope" { // its padding is right, its content no event
		if !errors.Is(err, miniprogram.ErrMalformed) {
			t.Errorf("%s: %v", v.ID, err)
		}
		return
	}
	if err != nil || string(m.Body) != v.Message || !m.Encrypted || string(m.Format) != v.Format {
		t.Errorf("%s: %v %v", v.ID, m, err)
	}
	event, err := xpay.ParseEvent(m.Body)
	if named := m.Event != ""; named != (err == nil) || event.Name != m.Event {
		t.Errorf("%s: event %q: %v", v.ID, event.Name, err)
	}
	if paid := strings.Contains(v.Message, "ORDER20260801001"); paid != (event.Goods != nil) || paid && *event.Goods.ActualPrice != 100 {
		t.Errorf("%s: %+v", v.ID, event.Goods)
	}
}

// isForged holds Forge, the signing side, to the same bytes.
func (v pushVector) isForged(t *testing.T) {
	t.Helper()
	q, body, err := miniprogram.Forge(v.forgery(t), []byte(v.Message))
	if v.Kind == "envelope" {
		return
	}
	if err != nil || q.Get("msg_signature") != v.MsgSignature || !strings.Contains(string(body), v.Encrypt) {
		t.Errorf("%s: forged %v %s: %v", v.ID, q, body, err)
	}
}

// The replies C8 and C9 are what ReplyFor says to the pushes C6 and C7.
func TestTheReplyVectorsAnswerThePushVectors(t *testing.T) {
	t.Parallel()
	messages := map[string]string{}
	for _, v := range pushVectors(t) {
		messages[v.ID] = v.Message
	}
	for push, reply := range map[string]string{"C6": "C8", "C7": "C9"} {
		event, err := xpay.ParseEvent([]byte(messages[push]))
		if err != nil {
			t.Fatal(err)
		}
		got, err := xpay.ReplyFor(event, true, xpay.Verdict{})
		if err != nil || string(got.Body) != messages[reply] || !got.Encrypt {
			t.Errorf("%s is answered %s: %v", push, got.Body, err)
		}
	}
}

// Whatever is opened is parsed and answered: nothing that a stranger sends may end in a panic.
func FuzzOpenAndParse(f *testing.F) {
	for _, v := range pushVectors(f) {
		q := url.Values{"timestamp": {v.Timestamp}, "nonce": {v.Nonce}, "signature": {v.Signature}}
		if v.Encrypt != "" {
			q.Set("encrypt_type", "aes")
			q.Set("msg_signature", v.MsgSignature)
			f.Add(q.Encode(), v.envelope())
		}
		f.Add(q.Encode(), []byte(v.Message))
	}
	p, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: "wx1234567890abcdef", Tokens: []string{"vp_token_1", "AAAAA", "token"},
		AESKeys: []string{"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", strings.Repeat("A", 43)}, MaxAge: -1})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		m, err := p.Open(q, body)
		if err != nil {
			return
		}
		event, err := xpay.ParseEvent(m.Body)
		if err != nil {
			return
		}
		if event.Name != m.Event {
			t.Fatalf("opened %q, parsed %q", m.Event, event.Name)
		}
		reply, err := xpay.ReplyFor(event, m.Encrypted, xpay.Verdict{Evidence: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Seal(m, reply.Body); err != nil {
			t.Fatal(err)
		}
	})
}
