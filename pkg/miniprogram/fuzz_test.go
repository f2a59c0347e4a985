package miniprogram

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"
)

func FuzzOpen(f *testing.F) {
	for _, body := range []string{
		`{"Encrypt":"` + c6Encrypt + `"}`, "<xml><Encrypt><![CDATA[" + c7Encrypt + "]]></Encrypt></xml>",
		`{"Encrypt":"` + c10Encrypt + `"}`, `{"Encrypt":"` + c11Encrypt + `"}`, c6Message, c7Message,
		"<xml><a><Encrypt/></a></xml>", `{"Encrypt":null}`, "",
	} {
		f.Add("timestamp=1785600000&nonce=1234567890&encrypt_type=aes&msg_signature=f4ba18f3ad1293b137d57257810b0a6fbfa26027", []byte(body))
		f.Add("timestamp=1785600000&nonce=1234567890&signature=03c8d7cba68ef772d1370d5e36fb48821a7b63ec", []byte(body))
	}
	p, err := NewPush(computed())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		m, err := p.Open(q, body)
		if err != nil && len(m.Body) > 0 && !errors.Is(err, ErrAppID) {
			t.Fatalf("a refused push was filled: %v", err)
		}
		if err == nil && (q.Get("encrypt_type") == "aes") && !m.Encrypted {
			t.Fatal("encrypt_type=aes fell back to plain")
		}
		if err == nil {
			if _, _, err := p.Seal(m, []byte(`{"ErrCode":0}`)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzForgeryOpens(f *testing.F) {
	f.Add([]byte(c6Message), true, []byte("0011223344556677"))
	f.Add([]byte(c7Message), true, []byte("8899aabbccddeeff"))
	f.Add([]byte(v7Message), false, []byte("a8eedb185eb2fecf"))
	f.Fuzz(func(t *testing.T, event []byte, encrypted bool, random []byte) {
		forgery := vectorForgery("0011223344556677")
		copy(forgery.Random[:], random)
		if !encrypted {
			forgery.AESKey = ""
		}
		q, body, err := Forge(forgery, event)
		if err != nil {
			return
		}
		p, err := NewPush(computed())
		if err != nil {
			t.Fatal(err)
		}
		m, err := p.Open(q, body)
		if errors.Is(err, ErrMalformed) {
			return // the event is
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Encrypted == encrypted && !bytes.Equal(m.Body, event) {
			t.Fatalf("%q became %q", event, m.Body)
		}
	})
}

func FuzzEcho(f *testing.F) {
	f.Add("f464b24fc39322e44b38aa78f5edd27bd1441696", "1714036504", "1514711492", "4375120948345356249")
	f.Add("899cf89e464efb63f54ddac96b0a0a235f53aa78", "1714037059", "486452656", "1")
	p, err := NewPush(PushConfig{AppID: "wx1", Tokens: []string{"AAAAA"}, Now: func() time.Time { return time.Unix(1714036504, 0) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, signature, timestamp, nonce, echo string) {
		q := url.Values{"signature": {signature}, "timestamp": {timestamp}, "nonce": {nonce}, "echostr": {echo}}
		got, err := p.Echo(q)
		parts := []string{"AAAAA", timestamp, nonce}
		sort.Strings(parts)
		want := fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(parts, ""))))
		if err == nil && (got != echo || signature != want) || err != nil && got != "" {
			t.Fatalf("Echo = %q, %v", got, err)
		}
	})
}
