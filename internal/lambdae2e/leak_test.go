package lambdae2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// unspeakable is what no function of a cloud may log: whatever is secret or a user's in what goes through its gateway, to WeChat
// and to the delivery target, both ways.
type unspeakable struct {
	mu    sync.Mutex
	kinds map[string]string   // of each value
	heads map[string][]string // values by their first bytes
}

const (
	headBytes       = 4
	valueBytesMin   = 8 // of what is collected by its name: what is shorter stands in a line by chance
	encodedBytesMin = 12
)

// openIDs and secretNames are the names, in lower case, under which JSON and query strings carry what is collected.
var (
	openIDs     = []string{"openid", "fromusername", "unionid"}
	secretNames = []string{"token", "access_token", "session_key", "secret", "js_code", "paysig", "pay_sig", "signature", "msg_signature",
		"signdata", "nonce", "echostr", "encrypt", "attach"}
)

// add is for what a test knows to be secret; a value that is too short to be found is the test's mistake.
func (u *unspeakable) add(kind string, values ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.kinds == nil {
		u.kinds, u.heads = map[string]string{}, map[string][]string{}
	}
	for _, v := range values {
		if len(v) < headBytes {
			panic(fmt.Sprintf("the %s %q is too short to be looked for", kind, v))
		}
		for _, form := range []string{v, url.QueryEscape(v), hex.EncodeToString([]byte(v))} {
			form = strings.ToLower(form)
			if _, known := u.kinds[form]; !known {
				u.kinds[form] = kind
				u.heads[form[:headBytes]] = append(u.heads[form[:headBytes]], form)
			}
		}
	}
}

// hear passes requests on and collects from them, and from their answers.
func (u *unspeakable) hear(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender died while it sent
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		u.query(r.URL)
		u.headers(r.Header)
		u.long("body", string(body))
		u.json(body)
		answer := &eavesdropper{ResponseWriter: w}
		defer func() { u.json(answer.heard.Bytes()) }() // also of one that is cut off
		next.ServeHTTP(answer, r)
	})
}

// eavesdropper keeps what is answered.
type eavesdropper struct {
	http.ResponseWriter
	heard bytes.Buffer
}

func (e *eavesdropper) Write(p []byte) (int, error) {
	e.heard.Write(p)
	return e.ResponseWriter.Write(p)
}

func (u *unspeakable) query(url *url.URL) {
	u.long("query string", url.RawQuery)
	for name, values := range url.Query() {
		for _, v := range values {
			u.named(name, v)
		}
	}
}

func (u *unspeakable) headers(h http.Header) {
	for _, name := range []string{"Authorization", "X-Xpay-Token", "Idempotency-Key", "Webhook-Signature"} {
		for part := range strings.FieldsSeq(h.Get(name)) {
			_, signature, _ := strings.Cut(part, "Signature=") // of SigV4
			u.long(name, signature)
			if !strings.ContainsAny(part, "=;") || name == "Webhook-Signature" { // the rest of a SigV4 header names the caller
				u.long(name, part)
			}
		}
	}
}

// json collects from a body, or from nothing if it is none.
func (u *unspeakable) json(body []byte) {
	var v any
	if json.Unmarshal(body, &v) == nil {
		each("", v, u.named)
	}
}

func (u *unspeakable) named(name, value string) {
	switch name = strings.ToLower(name); {
	case slices.Contains(openIDs, name) && len(value) >= headBytes:
		u.add("openid", value)
	case slices.Contains(secretNames, name):
		u.long(name, value)
	}
}

func (u *unspeakable) long(kind, value string) {
	if len(value) >= valueBytesMin {
		u.add(kind, value)
	}
}

// each visits every string and number in JSON with the name that it has or that its list has.
func each(name string, v any, visit func(name, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			visit("", name)
			each(name, inner, visit)
		}
	case []any:
		for _, inner := range v {
			each(name, inner, visit)
		}
	case string:
		visit(name, v)
	case json.Number:
		visit(name, v.String())
	}
}

// in returns the kinds of what a line of log says and may not, each once. It reads the strings of JSON as they were before they
// were written, and what stands in base64, as bytes in JSON do.
func (u *unspeakable) in(line string) (kinds []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var parsed any
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if decoder.Decode(&parsed) != nil {
		return u.within(line)
	}
	each("", parsed, func(name, value string) {
		if lower := strings.ToLower(name); lower == "time" || lower == "timestamp" {
			return // its digits are a nonce by chance
		}
		kinds = append(kinds, u.within(value)...)
	})
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

var encoded = regexp.MustCompile(fmt.Sprintf(`[A-Za-z0-9+/]{%d,}`, encodedBytesMin))

func (u *unspeakable) within(text string) []string {
	kinds := u.find(text)
	for _, run := range encoded.FindAllString(text, -1) {
		for begin := range 4 { // other letters may stand before it
			part := run[begin:]
			if plain, err := base64.StdEncoding.DecodeString(part[:len(part)/4*4]); err == nil {
				kinds = append(kinds, u.find(string(plain))...)
			}
		}
	}
	return kinds
}

func (u *unspeakable) find(text string) (kinds []string) {
	text = strings.ToLower(text)
	for i := 0; i+headBytes <= len(text); i++ {
		for _, v := range u.heads[text[i:i+headBytes]] {
			if strings.HasPrefix(text[i:], v) && !partOfANumber(text, i, v) {
				kinds = append(kinds, u.kinds[v])
			}
		}
	}
	return kinds
}

// partOfANumber reports whether a value of digits alone stands at i as a part of more digits.
func partOfANumber(text string, i int, v string) bool {
	digit := func(i int) bool { return i >= 0 && i < len(text) && '0' <= text[i] && text[i] <= '9' }
	return strings.Trim(v, "0123456789") == "" && (digit(i-1) || digit(i+len(v)))
}

// noSecretInTheLogs looks at everything that the functions printed, those that were stopped since included.
func (c *cloud) noSecretInTheLogs() {
	for _, f := range c.started {
		for _, line := range f.Logs() {
			if kinds := c.unsaid.in(line); len(kinds) > 0 {
				c.Errorf("%q is logged: %s", kinds, line)
			}
		}
	}
}

func TestWhatIsSecretIsFoundInALineHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	const body = `{"OpenId":"oAlice", "GoodsInfo":{"Attach":"a mark of hers"}}`
	var u unspeakable
	gateway := u.hear(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, _ := io.ReadAll(r.Body); string(got) != body {
			t.Errorf("the handler reads %s", got)
		}
		fmt.Fprint(w, `{"token":"a-token-of-hers","payment":{"paySig":"0123456789abcdef"},"error":{"code":"unauthorized"}}`)
	}))
	r := httptest.NewRequest("POST", "/wechat/push?nonce=123456789&signature=feedfeed", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer the-bearer-token")
	gateway.ServeHTTP(httptest.NewRecorder(), r)
	u.add("mark", "hunter2", "a token of hers/+")
	line := func(v any) string {
		raw, _ := json.Marshal(map[string]any{"time": "2026-11-21T08:00:00.123456789Z", "message": "request", "at": v})
		return string(raw)
	}
	for name, s := range map[string]struct {
		line string
		want []string
	}{
		"nothing":                      {line("unauthorized"), nil},
		"a mark":                       {line("xhunter2x"), []string{"mark"}},
		"a line that is not JSON":      {`panic: hunter2`, []string{"mark"}},
		"an openid":                    {line("pay for oAlice"), []string{"openid"}},
		"a token that was given out":   {line("a-token-of-hers"), []string{"token"}},
		"a token that was shown":       {line("the-bearer-token"), []string{"Authorization"}},
		"a signature of ours":          {line("0123456789abcdef"), []string{"paysig"}},
		"a signature of WeChat's":      {line(map[string]any{"of": []string{"feedfeed"}}), []string{"signature"}},
		"a piece of a body":            {line("a mark of hers"), []string{"attach"}},
		"a body":                       {line(body), []string{"attach", "body", "openid"}},
		"a body in bytes":              {line([]byte(body)), []string{"attach", "body", "openid"}},
		"a query string":               {line("/wechat/push?nonce=123456789&signature=feedfeed"), []string{"nonce", "query string", "signature"}},
		"a nonce as a number":          {line(123456789), []string{"nonce"}},
		"the digits in another number": {line(1234567890), nil},
		"an openid as a key":           {line(map[string]int{"oAlice": 1}), []string{"openid"}},
		"a token in capitals":          {line("A-TOKEN-OF-HERS"), []string{"token"}},
		"a token in hexadecimal":       {line(hex.EncodeToString([]byte("a-token-of-hers"))), []string{"token"}},
		"a token in base64 of a URL":   {line(base64.RawURLEncoding.EncodeToString([]byte("???>>>a-token-of-hers"))), []string{"token"}},
		"a token behind two bytes":     {line("xx" + base64.StdEncoding.EncodeToString([]byte("a-token-of-hers"))), []string{"token"}},
		"a token in a query string":    {line("?t=" + url.QueryEscape("a token of hers/+")), []string{"mark"}},
	} {
		if got := u.in(s.line); !slices.Equal(got, s.want) {
			t.Errorf("%s: %q, want %q: %s", name, got, s.want, s.line)
		}
	}
}
