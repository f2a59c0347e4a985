package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// V1 of the spec, official.
const (
	v1URI     = "/xpay/query_user_balance"
	v1Key     = "12345"
	v1Session = "9hAb/NEYUlkaMBEsmFgzig=="
	v1Body    = `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`
)

func ask(t *testing.T, q Question) Answer {
	t.Helper()
	a, err := Explain(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func ids(c Cause) []string {
	var all []string
	for _, m := range c.Mistakes {
		all = append(all, m.ID)
	}
	return all
}

// TestThePublishedWrongValuesAreExplained has the values of spec 3.9, typed from there.
func TestThePublishedWrongValuesAreExplained(t *testing.T) {
	t.Parallel()
	v1 := Question{URI: v1URI, AppKey: v1Key, SessionKey: v1Session, Body: []byte(v1Body)}
	d2 := Question{
		URI: "requestVirtualPayment", AppKey: "test_app_key_1234567890",
		Body: []byte(`{"offerId":"1234567890","buyQuantity":1,"env":0,"currencyType":"CNY","platform":"ios","productId":"a<b>&c","goodsPrice":100,"outTradeNo":"ORDER20260101002","attach":"x&y"}`),
	}
	d1 := Question{
		URI: "requestVirtualPayment", AppKey: "app_key_123", SessionKey: "session_key_123",
		Body: []byte(`{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach中文"}`),
	}
	c3 := Question{
		URI: "requestVirtualPayment", AppKey: "67890", OtherAppKey: "12345", SessionKey: v1Session,
		Body: []byte(`{"offerId":"123","buyQuantity":10,"env":1,"currencyType":"CNY","outTradeNo":"COIN20260801001","attach":"testdata"}`),
	}
	for _, c := range []struct {
		name, got, of, want string
		q                   Question
	}{
		{"V1-a", "8e3b0b28b12177813cd7d2e063c7f8b65e520553fd7f6adcf39423b6859300c5", "pay_sig", "no-slash", v1},
		{"V1-b", "cf53c4ac903ee4fe48773b4ae7c7d8972dff018630e85eadfce4aee9fbc0eb09", "pay_sig", "query-in-uri", v1},
		{"V1-c pay_sig", "bf7d8464010d1f3766c937d75ba269e79365001595eb35291d8e45b60c50c2c1", "pay_sig", "re-serialized", v1},
		{"V1-c signature", "0752c249c2ebd270340899457a403941e1513800e29eb78afa67bd367ca273b1", "signature", "re-serialized", v1},
		{"V1-d", "d54d8b90dc3287658edc2b9f6392c168d7fb649d5783be31d111c00260ad851b", "signature", "decoded-key", v1},
		{"V1-e", "8b6281d9b9809a0e0b1f767579e9fd447e4200711d99dee3aeeb7a6a982fdeb1", "pay_sig", "newline", v1},
		{"C1", "1f7605aea24c0785899e51bc4c483167a20ea7b0f5f36cfd398e89cb21c91e9c", "signature", "empty-body", v1},
		{"C3", "79e59552f180f49b14b4991746f91410462b4d3e1747db4944369fe757005ec1", "pay_sig", "other-env-key", c3},
		{"D2", "9e5bc8602188cd5ff0657af644bdb1730e851707fb4ed5d71c69023da5ec3259", "pay_sig", "html-escapes", d2},
		{"D1 pay_sig", "db98dfcac8f401a75ef57275b76b2ea8bf70a5bfe4cf0bfc2440bfabfdb40dce", "pay_sig", "unicode-escapes", d1},
		{"D1 signature", "db4051165677a8e6e5f87fc9665506b9ae6e956a3c0f411b90cb6794be837b30", "signature", "unicode-escapes", d1},
	} {
		q := c.q
		q.Got = c.got
		a := ask(t, q)
		if a.Right != "" || len(a.Causes) == 0 || a.Causes[0].Of != c.of || !slices.Equal(ids(a.Causes[0]), []string{c.want}) {
			t.Errorf("%s: %+v, expected %s of %s", c.name, a, c.want, c.of)
		}
	}
}

func TestTheRightValuesAreRight(t *testing.T) {
	t.Parallel()
	q := Question{URI: v1URI, AppKey: v1Key, SessionKey: v1Session, Body: []byte(v1Body)}
	for got, want := range map[string]string{
		"c37809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5": "pay_sig",
		"089d9e8dc5d308977360c4b79ec600a93d736802802a807d634192328032f6c7": "signature",
	} {
		q.Got = got
		a := ask(t, q)
		if a.Right != want || a.Causes != nil || len(a.Notes) != 2 || !strings.Contains(a.Notes[0].What, "12345") || !strings.Contains(a.Notes[1].What, "env is 0") {
			t.Errorf("%s: %+v", want, a)
		}
	}
}

// TestEveryWrongValueMadeByPythonIsExplained reads testdata/values.json, which testdata/values.py made.
func TestEveryWrongValueMadeByPythonIsExplained(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/values.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, Of, URI, AppKey, OtherAppKey, SessionKey, AccessToken, Body, Got string
		Want                                                                   []string
	}
	if err := json.Unmarshal(raw, &rows); err != nil || len(rows) < 90 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		a := ask(t, Question{URI: r.URI, AppKey: r.AppKey, OtherAppKey: r.OtherAppKey, SessionKey: r.SessionKey, AccessToken: r.AccessToken, Body: []byte(r.Body), Got: r.Got})
		if !slices.ContainsFunc(a.Causes, func(c Cause) bool { return c.Of == r.Of && slices.Equal(ids(c), r.Want) }) {
			t.Errorf("%s: expected %v of %s, got %+v", r.Name, r.Want, r.Of, a.Causes)
		}
		for _, id := range r.Want {
			seen[id] = true
		}
	}
	for _, id := range IDs() {
		if !seen[id] && id != "leading-nul" {
			t.Errorf("no row of values.json shows %s", id)
		}
	}
}

func TestAValueThatLostItsLeadingZeroIsExplained(t *testing.T) {
	t.Parallel()
	// printf '/a&{"n":1}' | openssl dgst -sha256 -hmac k: 01f3f9a26ef314075a0eed5af4669f83fd764c464ee41d4f6010d6b9f8d0f711
	q := Question{URI: "/a", AppKey: "k", Body: []byte(`{"n":1}`), Got: "1f3f9a26ef314075a0eed5af4669f83fd764c464ee41d4f6010d6b9f8d0f711"}
	if a := ask(t, q); len(a.Causes) == 0 || a.Causes[0].Mistakes[0].ID != "leading-nul" {
		t.Errorf("%+v", a)
	}
}

func TestWhatNoKnownMistakeProducesIsNotExplained(t *testing.T) {
	t.Parallel()
	for _, got := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", "zz", "aa", "d0b8bbcc", "f749f67b751fa80f27ddc0b7c8d2821aeda162ea22b323cd64a2c8056c2736f0",
	} {
		began := time.Now()
		a := ask(t, Question{URI: v1URI, AppKey: v1Key, OtherAppKey: "other", SessionKey: v1Session, Body: []byte(v1Body), Got: got})
		if a.Known() {
			t.Errorf("%s was explained: %+v", got, a)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	}
}

func TestTheCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	for _, id := range IDs() {
		m, ok := Find(id)
		if !ok || m.ID != id || m.What == "" || m.WhatZH == "" || m.Fix == "" || m.FixZH == "" || len(m.Traps) == 0 {
			t.Errorf("%s is not complete: %+v", id, m)
		}
	}
	// Row 7, a stale session key, is the one of spec 9.1 that no bytes can show.
	var rows []int
	for _, m := range mistakes {
		rows = append(rows, m.Traps...)
	}
	for row := 1; row <= 14; row++ {
		if row != 7 && !slices.Contains(rows, row) {
			t.Errorf("no mistake is of row %d", row)
		}
	}
}

func TestTheQuestionItselfIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q    Question
		want string
	}{
		"a uri with a query":  {Question{URI: v1URI + "?access_token=x", AppKey: "k", Body: []byte(v1Body)}, `"/xpay/query_user_balance"`},
		"an address":          {Question{URI: "https://api.weixin.qq.com/xpay/query_order", AppKey: "k", Body: []byte(v1Body)}, `"/xpay/query_order"`},
		"a name alone":        {Question{URI: "query_order", AppKey: "k", Body: []byte(v1Body)}, `"/xpay/query_order"`},
		"a path on the phone": {Question{URI: "/xpay/requestVirtualPayment", AppKey: "k", Body: []byte(v1Body)}, `"requestVirtualPayment"`},
		"a newline":           {Question{URI: v1URI, AppKey: "k", Body: []byte(v1Body + "\n")}, "newline"},
		"a byte order mark":   {Question{URI: v1URI, AppKey: "k", Body: []byte("\ufeff" + v1Body)}, "byte order mark"},
		"no JSON":             {Question{URI: v1URI, AppKey: "k", Body: []byte("env=0")}, "not a JSON object"},
		"no env":              {Question{URI: v1URI, AppKey: "k", Body: []byte(`{}`)}, "env is missing"},
		"the sandbox":         {Question{URI: v1URI, AppKey: "k", Body: []byte(`{"env":1}`)}, "沙箱"},
		"env as text":         {Question{URI: v1URI, AppKey: "k", Body: []byte(`{"env":"0"}`)}, "env is a text"},
		"platform":            {Question{URI: "requestVirtualPayment", AppKey: "k", Body: []byte(`{"env":0,"platform":"android"}`)}, "platform"},
		"pay_sig in the body": {Question{URI: v1URI, AppKey: "k", Body: []byte(`{"env":0,"pay_sig":"x"}`)}, "query of the URL"},
		"a key with a space":  {Question{URI: v1URI, AppKey: "k ", Body: []byte(v1Body)}, "spaces around"},
	} {
		c.q.Got = "zz"
		var all []string
		for _, n := range ask(t, c.q).Notes {
			all = append(all, n.What)
		}
		if !strings.Contains(strings.Join(all, "\n"), c.want) {
			t.Errorf("%s: %q does not say %q", name, all, c.want)
		}
	}
}

func TestAQuestionThatLacksSomethingIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q    Question
		want string
	}{
		"no key":       {Question{URI: v1URI, Got: "x"}, "no key"},
		"no uri":       {Question{AppKey: "k", Got: "x"}, "URI is empty"},
		"a large body": {Question{URI: v1URI, AppKey: "k", Body: make([]byte, 1<<20+1)}, "larger than 1 MiB"},
		"a large got":  {Question{URI: v1URI, AppKey: "k", Got: strings.Repeat("a", 4097)}, "longer than"},
	} {
		if _, err := Explain(c.q); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoKeyIsPrinted(t *testing.T) {
	t.Parallel()
	q := Question{
		URI: "/xpay/query_order?access_token=the-token", AppKey: "the-app-key", OtherAppKey: "the-other-key", SessionKey: "the-session-key",
		AccessToken: "the-token", Body: []byte(`{"env":0,"note":"the-app-key"}`),
		// printf '%s' '/xpay/query_order?access_token=the-token&{"env":0,"note":"the-app-key"}' | openssl dgst -sha256 -hmac the-app-key
		Got: "608f880350a3b114ec0b43a5cd8cc966c7bba8f2c5dc14a6d43e457fee356cd3",
	}
	a := ask(t, q)
	raw, err := json.Marshal(a)
	if err != nil || len(a.Causes) == 0 {
		t.Fatalf("%v %s", err, raw)
	}
	for _, secret := range []string{"the-app-key", "the-other-key", "the-session-key", "the-token"} {
		if strings.Contains(strings.ReplaceAll(string(raw), "\\u0026", "&"), secret) {
			t.Errorf("%s is printed: %s", secret, raw)
		}
	}
}

// TestNoValueOfTheQueryIsPrinted: somebody gives the whole address that was called, in whatever form.
func TestNoValueOfTheQueryIsPrinted(t *testing.T) {
	t.Parallel()
	const token, sig = "88_TOKEN-of+a/week==", "5f3c0000000000000000000000000000000000000000000000000000000000aa"
	for _, c := range []struct{ uri, got, want string }{
		// printf '%s' "$URI"'&{"env":0}' | openssl dgst -sha256 -hmac the-app-key, with the uri of the same line
		{"/xpay/query_order?access_token=" + token, "58748706d036f08a69966b5db61a74f8247f73aa82d8792b6303fa6321361a7d", "query-in-uri"},
		{"/xpay/query_order?access_token=" + token + "&pay_sig=" + sig, "190bd8908bad62de0ee6af77444962d2b78dd1b0d5a9c341246d13a6a459fa9c", "query-in-uri"},
		{"/xpay/query_order&access_token=" + token, "ea60e9d672ff95ec08d802cc260fa8044db11368e90d670eae369563e56f5f6c", "other-uri"},
		{"https://api.weixin.qq.com/xpay/query_order?access_token=" + token, "cabfa793eae284b8c0b2f633c4e99ec1fe32c0796589aa4736f29857070bf353", "query-in-uri"},
		{"/xpay/query_order?" + token, "a7ccd498cac06cae67cf3f48cb8888a759cdcb2cf2d17309e5452fe09e7afe0e", "query-in-uri"},
		{"/xpay/query_order%3Faccess_token%3D88_TOKEN-of%2Ba%2Fweek%3D%3D", "3f56b246d5b1a349e6667499660b228dd206fad37fe4c6bc58aec77048bbe872", "other-uri"},
		{"/xpay/query_order?access_token=88_TOKEN%zz", "f537e6a2966ea7051513128d797a696d8c629151c2e576fa7385bda59c6dd577", "query-in-uri"},
		{"/xpay/query_order?access_token=88_TOKEN-of%2ba", "2590ce0f7f80b701c34edfd8517a00aea323d6bdde1298cd1184d174e355dbc1", "query-in-uri"},
		{"/xpay/query_order?my_own_password=" + token, "846b0d950d74515ce5fec44d9c150e5bc89484f9c107f5193cc4e34c66677299", "query-in-uri"},
		{"https://somebody:88_TOKEN@api.weixin.qq.com/xpay/query_order", "65d3f0c2235c303b359aec78fee02e92fe9b9d3f8703ee7b90e85aa044f8a47f", "host-in-uri"},
	} {
		a := ask(t, Question{URI: c.uri, AppKey: "the-app-key", Body: []byte(`{"env":0}`), Got: c.got})
		var raw bytes.Buffer
		enc := json.NewEncoder(&raw)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(a); err != nil {
			t.Fatal(err)
		}
		if len(a.Causes) == 0 || !slices.Equal(ids(a.Causes[0]), []string{c.want}) {
			t.Errorf("%s: expected %s, got %s", c.uri, c.want, raw.String())
		}
		for _, secret := range []string{"88_TOKEN", "of+a/week", "of%2Ba", "5f3c", "88_token"} {
			if strings.Contains(raw.String(), secret) || strings.Contains(fmt.Sprintf("%+v", a), secret) {
				t.Errorf("%s: %s is printed: %s", c.uri, secret, raw.String())
			}
		}
	}
}

func FuzzExplainNeverPanics(f *testing.F) {
	f.Add(v1URI, "12345", v1Session, []byte(v1Body), "c37809")
	f.Add("", "", "k", []byte(`{"a":[{"b":null}]}`), "AAAA")
	f.Fuzz(func(t *testing.T, uri, key, session string, body []byte, got string) {
		if len(body) > 200 || len(got) > 200 {
			return
		}
		_, _ = Explain(Question{URI: uri, AppKey: key, SessionKey: session, Body: body, Got: got})
	})
}
