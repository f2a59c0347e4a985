package miniprogram

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	zeroKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	testKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

func newPush(t *testing.T, c PushConfig) *Push {
	t.Helper()
	p, err := NewPush(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func official(t *testing.T, appID string) *Push {
	return newPush(t, PushConfig{AppID: appID, Tokens: []string{"AAAAA"}, AESKeys: []string{zeroKey}, MaxAge: -1})
}

func computed() PushConfig {
	return PushConfig{AppID: "wx1234567890abcdef", Tokens: []string{"vp_token_1"}, AESKeys: []string{testKey}, MaxAge: -1}
}

func sealedQuery(timestamp, nonce, msgSignature string) url.Values {
	return url.Values{"timestamp": {timestamp}, "nonce": {nonce}, "msg_signature": {msgSignature},
		"signature": {"not looked at"}, "encrypt_type": {"aes"}, "openid": {"oUserOpenId"}}
}

func TestEchoAnswersTheOfficialURLCheckV5(t *testing.T) {
	t.Parallel()
	q := url.Values{"signature": {"f464b24fc39322e44b38aa78f5edd27bd1441696"}, "timestamp": {"1714036504"},
		"nonce": {"1514711492"}, "echostr": {"4375120948345356249"}}
	p := official(t, "wxba5fad812f8e6fb9")
	if got, err := p.Echo(q); got != "4375120948345356249" || err != nil {
		t.Fatalf("Echo = %q, %v", got, err)
	}
	for name, change := range map[string]url.Values{
		"another nonce":       {"nonce": {"1514711493"}},
		"another timestamp":   {"timestamp": {"1714036505"}},
		"no signature":        {"signature": nil},
		"an empty signature":  {"signature": {""}},
		"signature twice":     {"signature": {"f464b24fc39322e44b38aa78f5edd27bd1441696", "x"}},
		"no echostr":          {"echostr": nil},
		"timestamp as a text": {"timestamp": {"yesterday"}},
		"digits moved between timestamp and nonce": {"timestamp": {"036504"}, "nonce": {"15147114921714"}},
		"a huge echostr": {"echostr": {strings.Repeat("1", 2000)}},
	} {
		bad := url.Values{}
		for k, v := range q {
			bad[k] = v
		}
		for k, v := range change {
			bad[k] = v
		}
		got, err := p.Echo(bad)
		if got != "" || !errors.Is(err, ErrSignature) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Echo = %q, %v", name, got, err)
		}
	}
}

func TestPlainPushSignatures(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ name, token, timestamp, nonce, signature string }{
		{"V6 official", "AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{"V12", "token", "1700000000", "nonce", "bf37e74fc61ce5974ce58c68e55130b79b2578b9"},
		{"C6 to C11", "vp_token_1", "1785600000", "1234567890", "03c8d7cba68ef772d1370d5e36fb48821a7b63ec"},
	} {
		p := newPush(t, PushConfig{AppID: "wx1", Tokens: []string{"newer", v.token}, MaxAge: -1})
		q := url.Values{"signature": {v.signature}, "timestamp": {v.timestamp}, "nonce": {v.nonce}, "openid": {"o1"}}
		m, err := p.Open(q, []byte(v7Message))
		if err != nil || m.Encrypted || m.Event != "debug_demo" || m.Format != JSON || string(m.Body) != v7Message ||
			m.AppID != "wx1" || m.OpenID != "o1" || fmt.Sprint(m.Time.Unix()) != v.timestamp {
			t.Errorf("%s: %+v, %v", v.name, m, err)
		}
		q.Set("signature", strings.ToUpper(v.signature))
		if _, err := p.Open(q, []byte(v7Message)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: an upper-case signature gave %v", v.name, err)
		}
	}
}

func TestSecurePushesOpen(t *testing.T) {
	t.Parallel()
	c := computed()
	computedPush := newPush(t, c)
	for _, v := range []struct {
		name                                        string
		push                                        *Push
		timestamp, nonce, msgSignature, encrypt     string
		wantAppID, wantEvent, wantMessage, envelope string
		format                                      Format
	}{
		{"V7 official JSON", official(t, "wxba5fad812f8e6fb9"), "1714112445", "415670741", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3", v7Encrypt,
			"wxba5fad812f8e6fb9", "debug_demo", v7Message, `{"ToUserName":"gh_97417a04a28d","Encrypt":"%s"}`, JSON},
		{"V9 official XML of a third-party platform", official(t, "wx134c8103faa5a59e"), "1715943329", "1590219412", "6c12a4205838198b8fa631b3220723bb07f1015c", v9Encrypt,
			"wx134c8103faa5a59e", "debug_demo", v9Message, "<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName><Encrypt><![CDATA[%s]]></Encrypt></xml>", XML},
		{"C6 JSON", computedPush, "1785600000", "1234567890", "f4ba18f3ad1293b137d57257810b0a6fbfa26027", c6Encrypt,
			c.AppID, "xpay_goods_deliver_notify", c6Message, `{"Encrypt":"%s"}`, JSON},
		{"C7 XML", computedPush, "1785600000", "1234567890", "9a0973f1bee17a3411f05c811c2bfae6ac4c27f0", c7Encrypt,
			c.AppID, "xpay_goods_deliver_notify", c7Message, "\n<xml>\n<Encrypt>%s</Encrypt>\n</xml>\n", XML},
		{"C11 padding above 16", computedPush, "1785600000", "1234567890", "9870b88298e2dcf285f3f7c68e3aa04a2cd6c68e", c11Encrypt,
			c.AppID, "", `{"a":1}`, `{"Encrypt":"%s"}`, JSON},
		{"C6 in compatibility mode believes the encrypted copy", computedPush, "1785600000", "1234567890", "f4ba18f3ad1293b137d57257810b0a6fbfa26027", c6Encrypt,
			c.AppID, "xpay_goods_deliver_notify", c6Message, `{"Event":"forged","OutTradeNo":"other","Encrypt":"%s"}`, JSON},
	} {
		q := sealedQuery(v.timestamp, v.nonce, v.msgSignature)
		m, err := v.push.Open(q, fmt.Appendf(nil, v.envelope, v.encrypt))
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if string(m.Body) != v.wantMessage || m.AppID != v.wantAppID || m.Event != v.wantEvent || !m.Encrypted || m.Format != v.format {
			t.Errorf("%s: %v body %s", v.name, m, cmp.Diff(v.wantMessage, string(m.Body)))
		}
		q.Set("msg_signature", strings.Repeat("0", 40))
		if _, err := v.push.Open(q, fmt.Appendf(nil, v.envelope, v.encrypt)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: a wrong msg_signature gave %v", v.name, err)
		}
	}
}

func TestFullBlockOfPaddingC10(t *testing.T) {
	t.Parallel()
	e, err := newEnvelope(testKey)
	if err != nil {
		t.Fatal(err)
	}
	random := [16]byte([]byte("0011223344556677"))
	if got := e.seal([]byte(strings.Repeat("x", 26)), "wx1234567890abcdef", random); got != c10Encrypt {
		t.Fatalf("sealed %s", got)
	}
	q := sealedQuery("1785600000", "1234567890", "ccb34d76b20056f3d1e304ab1a82e9e4f85ac468")
	if _, err := newPush(t, computed()).Open(q, []byte(`{"Encrypt":"`+c10Encrypt+`"}`)); !errors.Is(err, ErrMalformed) || errors.Is(err, ErrSignature) {
		t.Fatalf("26 x are no event, yet %v", err)
	}
}

func TestForgeMakesThePublishedBytes(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name, event, signature, msgSignature, encrypt string
		f                                             Forgery
	}{
		{"V7", v7Message, "6c5c811b55cc85e0e1b54100749188c20beb3f5d", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3", v7Encrypt,
			Forgery{AppID: "wxba5fad812f8e6fb9", Token: "AAAAA", AESKey: zeroKey, Time: time.Unix(1714112445, 0), Nonce: "415670741", Random: [16]byte([]byte("a8eedb185eb2fecf"))}},
		{"V9", v9Message, "cc0c594499c1634947d5b502f158ee518947db27", "6c12a4205838198b8fa631b3220723bb07f1015c", v9Encrypt,
			Forgery{AppID: "wx134c8103faa5a59e", Token: "AAAAA", AESKey: zeroKey, Time: time.Unix(1715943329, 0), Nonce: "1590219412", Random: [16]byte([]byte("1205899eaf019bbd"))}},
		{"C6", c6Message, "03c8d7cba68ef772d1370d5e36fb48821a7b63ec", "f4ba18f3ad1293b137d57257810b0a6fbfa26027", c6Encrypt, vectorForgery("0011223344556677")},
		{"C7", c7Message, "03c8d7cba68ef772d1370d5e36fb48821a7b63ec", "9a0973f1bee17a3411f05c811c2bfae6ac4c27f0", c7Encrypt, vectorForgery("8899aabbccddeeff")},
		{"C11", `{"a":1}`, "03c8d7cba68ef772d1370d5e36fb48821a7b63ec", "9870b88298e2dcf285f3f7c68e3aa04a2cd6c68e", c11Encrypt, vectorForgery("0011223344556677")},
	} {
		q, body, err := Forge(v.f, []byte(v.event))
		if err != nil {
			t.Fatal(err)
		}
		if q.Get("signature") != v.signature || q.Get("msg_signature") != v.msgSignature || !strings.Contains(string(body), v.encrypt) {
			t.Errorf("%s: %v\n%s", v.name, q, body)
		}
	}
}

func vectorForgery(random string) Forgery {
	return Forgery{AppID: "wx1234567890abcdef", Token: "vp_token_1", AESKey: testKey, OpenID: "oUserOpenId",
		ToUserName: "gh_0123456789ab", Time: time.Unix(1785600000, 0), Nonce: "1234567890", Random: [16]byte([]byte(random))}
}

func TestAnswersAreTheirPublishedBytes(t *testing.T) {
	t.Parallel()
	v8 := official(t, "wxba5fad812f8e6fb9")
	want := `{"Encrypt":"` + v8Encrypt + `","MsgSignature":"1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1","TimeStamp":1713424427,"Nonce":"415670741"}`
	got := v8.sealWith(Message{Format: JSON}, []byte(`{"demo_resp":"good luck"}`), [16]byte([]byte("707722b803182950")), "415670741", 1713424427)
	if string(got) != want {
		t.Errorf("V8: %s", got)
	}
	v9 := official(t, "wx134c8103faa5a59e")
	want = "<xml><Encrypt><![CDATA[" + v9ReplyEncrypt + "]]></Encrypt><MsgSignature><![CDATA[03e0812039325c2712ef5f0f980fd14c70d6e307]]></MsgSignature><TimeStamp>1713424427</TimeStamp><Nonce><![CDATA[415670741]]></Nonce></xml>"
	got = v9.sealWith(Message{Format: XML}, []byte("<xml><demo_resp>[CDATA[good luck]]</demo_resp></xml>"), [16]byte([]byte("999951349e8ee746")), "415670741", 1713424427)
	if string(got) != want {
		t.Errorf("V9: %s", got)
	}
	p := newPush(t, computed())
	random := [16]byte([]byte("ffeeddccbbaa9988"))
	got = p.sealWith(Message{Format: JSON}, []byte(`{"ErrCode":0,"ErrMsg":"success"}`), random, "1234567890", 1785600000)
	if s := string(got); !strings.Contains(s, c8Encrypt) || !strings.Contains(s, "7ec2f8c4f87caceb1fe8d6651f0696a21018e200") {
		t.Errorf("C8: %s", got)
	}
	got = p.sealWith(Message{Format: XML}, []byte("<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>"), random, "1234567890", 1785600000)
	if s := string(got); !strings.Contains(s, c9Encrypt) || !strings.Contains(s, "b2b9038bbe74aa2cf3c5171f562831edcce66a07") {
		t.Errorf("C9: %s", got)
	}
}

func TestSealEncryptsOnlyWhatMustBe(t *testing.T) {
	t.Parallel()
	p := newPush(t, computed())
	reply := []byte(`{"ErrCode":0}`)
	for _, c := range []struct {
		name        string
		m           Message
		reply       []byte
		want        string // "": something encrypted
		contentType string
	}{
		{"nothing to say", Message{Encrypted: true, Format: XML}, nil, "success", typeText},
		{"success to an encrypted push", Message{Encrypted: true, Format: XML}, []byte("success"), "success", typeText},
		{"an answer to a plain push", Message{Format: JSON}, reply, `{"ErrCode":0}`, typeJSON},
		{"an answer to an encrypted push", Message{Encrypted: true, Format: JSON}, reply, "", typeJSON},
		{"an answer to an encrypted XML push", Message{Encrypted: true, Format: XML}, []byte("<xml></xml>"), "", typeXML},
	} {
		body, contentType, err := p.Seal(c.m, c.reply)
		if err != nil || contentType != c.contentType {
			t.Errorf("%s: %q %v", c.name, contentType, err)
		}
		if c.want != "" && string(body) != c.want || c.want == "" && (strings.Contains(string(body), "ErrCode") || !strings.Contains(string(body), "MsgSignature")) {
			t.Errorf("%s: %s", c.name, body)
		}
	}
	if _, _, err := p.Seal(Message{Encrypted: true, key: 3}, reply); err == nil {
		t.Error("a message of another configuration was sealed")
	}
}

func TestRotatedTokensAndKeysAreAllTried(t *testing.T) {
	t.Parallel()
	c := computed()
	c.Tokens = append([]string{"new_token"}, c.Tokens...)
	c.AESKeys = append([]string{zeroKey}, c.AESKeys...)
	p := newPush(t, c)
	q, body, err := Forge(vectorForgery("0011223344556677"), []byte(c6Message))
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Open(q, body)
	if err != nil || m.token != 1 || m.key != 1 {
		t.Fatalf("%v token %d key %d: %v", m, m.token, m.key, err)
	}
	answer, _, err := p.Seal(m, []byte(`{"ErrCode":0}`))
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := find(answer, "Encrypt")
	if err != nil {
		t.Fatal(err)
	}
	old := newPush(t, computed())
	reopened := Message{}
	if err := old.decrypt(&reopened, sealed); err != nil || string(reopened.Body) != `{"ErrCode":0}` {
		t.Fatalf("the old key does not open the answer: %v %s", err, reopened.Body)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	aes := func() (url.Values, []byte) {
		q, body, err := Forge(vectorForgery("0011223344556677"), []byte(c6Message))
		if err != nil {
			t.Fatal(err)
		}
		return q, body
	}
	for _, c := range []struct {
		name   string
		change func(q url.Values, body []byte, c *PushConfig) []byte
		want   error
	}{
		{"a clear body under encrypt_type=aes with a good plain signature", func(q url.Values, _ []byte, _ *PushConfig) []byte { return []byte(c6Message) }, ErrMalformed},
		{"an empty Encrypt under encrypt_type=aes", func(q url.Values, _ []byte, _ *PushConfig) []byte { return []byte(`{"Encrypt":""}`) }, ErrMalformed},
		{"an Encrypt field verified by the plain signature only", func(q url.Values, b []byte, _ *PushConfig) []byte {
			q.Del("encrypt_type")
			q.Del("msg_signature")
			return b
		}, ErrMalformed},
		{"the plain signature in place of msg_signature", func(q url.Values, b []byte, _ *PushConfig) []byte {
			q.Set("msg_signature", q.Get("signature"))
			return b
		}, ErrSignature},
		{"an unknown encrypt_type", func(q url.Values, b []byte, _ *PushConfig) []byte { q.Set("encrypt_type", "rsa"); return b }, ErrMalformed},
		{"encrypt_type twice", func(q url.Values, b []byte, _ *PushConfig) []byte { q.Add("encrypt_type", "raw"); return b }, ErrMalformed},
		{"another token", func(q url.Values, b []byte, c *PushConfig) []byte { c.Tokens = []string{"other"}; return b }, ErrSignature},
		{"another key", func(q url.Values, b []byte, c *PushConfig) []byte { c.AESKeys = []string{zeroKey}; return b }, ErrSignature},
		{"no key at all", func(q url.Values, b []byte, c *PushConfig) []byte { c.AESKeys = nil; return b }, ErrSignature},
		{"a push of the day before yesterday", func(q url.Values, b []byte, c *PushConfig) []byte { return window(c, 24*time.Hour+time.Second, b) }, ErrTooOld},
		{"a push from the future", func(q url.Values, b []byte, c *PushConfig) []byte { return window(c, -11*time.Minute, b) }, ErrTooNew},
		{"a body above the cap", func(q url.Values, b []byte, _ *PushConfig) []byte { return make([]byte, pushBytesMax+1) }, ErrMalformed},
		{"an empty body", func(q url.Values, b []byte, _ *PushConfig) []byte { return nil }, ErrMalformed},
		{"a DOCTYPE", func(q url.Values, b []byte, _ *PushConfig) []byte {
			return []byte(`<!DOCTYPE x><xml><Encrypt>A</Encrypt></xml>`)
		}, ErrMalformed},
		{"another AppID", func(q url.Values, b []byte, c *PushConfig) []byte { c.AppID = "wxother"; return b }, ErrAppID},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, body := aes()
			config := computed()
			body = c.change(q, body, &config)
			m, err := newPush(t, config).Open(q, body)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if filled := len(m.Body) > 0; filled != (c.want == ErrAppID) {
				t.Fatalf("message is %v", m)
			}
		})
	}
}

func window(c *PushConfig, age time.Duration, body []byte) []byte {
	c.MaxAge = 0
	c.Now = func() time.Time { return time.Unix(1785600000, 0).Add(age) }
	return body
}

func TestTheWindowIncludesItsEdges(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{24 * time.Hour, 0, -10 * time.Minute} {
		c := computed()
		window(&c, age, nil)
		q, body, err := Forge(vectorForgery("0011223344556677"), []byte(c7Message))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := newPush(t, c).Open(q, body); err != nil || !m.Time.Equal(time.Unix(1785600000, 0)) {
			t.Errorf("%v: %v", age, err)
		}
	}
}

func TestAPushForAnotherAppIDIsOpenedAllTheSame(t *testing.T) {
	t.Parallel()
	c := computed()
	c.AppID = "wxother"
	q, body, err := Forge(vectorForgery("0011223344556677"), []byte(c6Message))
	if err != nil {
		t.Fatal(err)
	}
	m, err := newPush(t, c).Open(q, body)
	if !errors.Is(err, ErrAppID) || m.AppID != "wx1234567890abcdef" || string(m.Body) != c6Message || m.Event != "xpay_goods_deliver_notify" {
		t.Fatalf("%v, %v", m, err)
	}
}

func TestTheLastKeyCharacterMayHaveUnusedBits(t *testing.T) {
	t.Parallel()
	c := computed()
	c.AESKeys = []string{testKey[:42] + "Z"} // Y and Z differ in an unused bit
	q, body, err := Forge(vectorForgery("0011223344556677"), []byte(c6Message))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newPush(t, c).Open(q, body); err != nil {
		t.Fatal(err)
	}
}

func TestNewPushNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := NewPush(PushConfig{AESKeys: []string{testKey, "short-secret", strings.Repeat("!", 43)}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"AppID", "Tokens", "AESKeys[1]", "AESKeys[2]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "AESKeys[0]") || strings.Contains(err.Error(), "short-secret") {
		t.Errorf("too much: %v", err)
	}
}
