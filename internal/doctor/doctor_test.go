package doctor

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/goodsplan"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Secrets of the patient. None is part of another text that is told.
const (
	secret     = "app-secret-of-the-patient"
	production = "production-key-of-the-patient"
	sandbox    = "sandbox-key-of-the-patient"
	token      = "push_token_of_the_patient"
	aesKey     = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

// weChat answers what a test tells it to; at first as a healthy one.
type weChat struct {
	token, query string // answers in place of the usual ones
	noDate       bool
}

func (c *weChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if c.noDate {
		w.Header()["Date"] = nil
	}
	answer := c.token
	if strings.HasPrefix(r.URL.Path, "/xpay/") {
		answer = c.query
		if answer == "" {
			answer = signed(r, body)
		}
	}
	io.WriteString(w, answer)
}

// signed is what WeChat says to a query for an order that nobody has.
func signed(r *http.Request, body []byte) string {
	key := production
	if bytes.Contains(body, []byte(`"env":1`)) {
		key = sandbox
	}
	mac := hmac.New(sha256.New, []byte(key))
	io.WriteString(mac, "/xpay/query_order&"+string(body))
	if hex.EncodeToString(mac.Sum(nil)) != r.URL.Query().Get("pay_sig") {
		return `{"errcode":268490003,"errmsg":"签名错误"}`
	}
	return `{"errcode":268490002,"errmsg":"数据不存在"}`
}

// receiver is a message-push URL. It verifies with its own token and key; answer, if set, comes in place of success, and
// refuse in place of 401.
type receiver struct {
	token, aesKey, answer, echo string
	status, refuse              int
	jsonOnly                    bool
	ahead                       time.Duration // of its clock
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := func() time.Time { return time.Now().Add(c.ahead) }
	w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
	push, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: "wx1234567890abcdef", Tokens: []string{c.token}, AESKeys: []string{c.aesKey}, Now: now})
	if err != nil {
		panic(err)
	}
	if r.Method == http.MethodGet {
		echo, err := push.Echo(r.URL.Query())
		c.reply(w, err, strings.Replace(c.echo, "%s", echo, 1))
		return
	}
	body, _ := io.ReadAll(r.Body)
	_, err = push.Open(r.URL.Query(), body)
	if c.jsonOnly && bytes.HasPrefix(body, []byte("<")) {
		err = miniprogram.ErrMalformed
	}
	if err == nil && c.status != 0 {
		w.WriteHeader(c.status)
	}
	c.reply(w, err, c.answer)
}

func (c *receiver) reply(w http.ResponseWriter, err error, text string) {
	if err != nil {
		w.WriteHeader(c.refuse)
	}
	io.WriteString(w, text)
}

// world is what a case changes: at first everything is well.
type world struct {
	patient  Patient
	weChat   *weChat
	receiver *receiver
	goods    goods
}

// goods is what goods.yaml sells and what the receipt of it says; a price of 0 is none.
type goods struct{ price, told xpay.Fen }

// examined runs the doctor and gives every finding by its check; of two of one name the one to fix.
func examined(t *testing.T, change func(*world)) map[string]Check {
	t.Helper()
	w := &world{
		weChat:   &weChat{token: `{"access_token":"TOKEN","expires_in":7200}`},
		receiver: &receiver{token: token, aesKey: aesKey, answer: "success", echo: "%s", refuse: http.StatusUnauthorized},
		patient:  Patient{Now: time.Now, HTTP: &http.Client{Timeout: 10 * time.Second}},
	}
	far, near := httptest.NewServer(w.weChat), httptest.NewServer(w.receiver)
	t.Cleanup(far.Close)
	t.Cleanup(near.Close)
	cfg := backend.Config{AppID: "wx1234567890abcdef", OfferID: "1450000001", WeChatURL: far.URL}
	cfg.Merchant.AppSecret, cfg.Merchant.AppKeys.Production, cfg.Merchant.AppKeys.Sandbox = secret, production, sandbox
	cfg.Push = backend.PushSecrets{Tokens: []string{token}, AESKeys: []string{aesKey}}
	w.patient.Config, w.patient.PushURL = cfg, near.URL+"/wechat/push"
	change(w)
	w.shelve(t)
	found, fixes := map[string]Check{}, false
	healthy := Examine(t.Context(), w.patient, func(c Check) {
		fixes = fixes || c.Status == Fix
		if was, twice := found[c.Name]; !twice || was.Status != Fix {
			found[c.Name] = c
		}
		complete(t, c)
	})
	if healthy == fixes {
		t.Errorf("healthy is %t with %+v", healthy, found)
	}
	return found
}

// shelve gives the patient goods.yaml and a receipt that is an hour old.
func (w *world) shelve(t *testing.T) {
	if w.goods.price == 0 {
		return
	}
	var err error
	if w.patient.Catalog, err = catalog.Parse(strings.NewReader(fmt.Sprintf("products:\n  - {id: vip, name: vip, price: %d}\n", w.goods.price))); err != nil {
		t.Fatal(err)
	}
	if w.patient.Book, err = goodsplan.Open(filepath.Join(t.TempDir(), "receipts.json")); err != nil {
		t.Fatal(err)
	}
	if before := time.Now().Add(-time.Hour); w.goods.told > 0 {
		shop := w.patient.Book.Shop(w.patient.Config.OfferID, w.patient.Config.Env)
		shop.Goods["vip"] = goodsplan.Receipt{Name: "vip", Remark: "vip", Price: w.goods.told, Uploaded: before, Published: before}
	}
}

var han = regexp.MustCompile(`\p{Han}`)

// complete: every finding is in both languages, has a fix exactly if there is something to fix, and tells no secret.
func complete(t *testing.T, c Check) {
	t.Helper()
	if c.What == "" || !han.MatchString(c.WhatZH) || (c.Status == Fix) != (c.Fix != "") || (c.Status == Fix) != han.MatchString(c.FixZH) {
		t.Errorf("not complete: %+v", c)
	}
	for _, s := range []string{secret, production, sandbox, token, aesKey} {
		if strings.Contains(fmt.Sprintf("%+v", c), s) {
			t.Errorf("%s is told: %+v", s, c)
		}
	}
}

// gateway is an API whose gateway answers in place of the backend.
func gateway(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/wechat/push"
}

func TestEachCheckSaysWhatItFound(t *testing.T) {
	t.Parallel()
	code := func(n int) func(*world) {
		return func(w *world) { w.weChat.token = fmt.Sprintf(`{"errcode":%d,"errmsg":"no"}`, n) }
	}
	query := func(answer string) func(*world) { return func(w *world) { w.weChat.query = answer } }
	well := func(*world) {}
	for _, c := range []struct {
		check, name string
		change      func(*world)
		want        Status
		says        string
	}{
		{"config", "complete", well, OK, "complete"},
		{"config", "no AppID", func(w *world) { w.patient.Config.AppID = "" }, Fix, "appId is missing"},

		{"push-url", "AuthMode iam, or no ICP filing", func(w *world) {
			w.patient.PushURL = gateway(t, `{"message":"Forbidden"}`)
		}, Fix, "AuthMode=iam"},
		{"push-url", "somebody else's 403", func(w *world) { w.patient.PushURL = gateway(t, `{"message":"Forbidden","by":"us"}`) }, Fix, "Token"},
		{"secret-push", "found before", func(w *world) {
			w.patient.Found = []Check{{"secret-push", Fix, "it is empty", "密钥为空", "put it", "写入密钥"}}
		}, Fix, "put it"},

		{"appid-secret", "right", well, OK, "AppSecret"},
		{"appid-secret", "another AppID", code(40013), Fix, "copy the AppID again"},
		{"appid-secret", "another secret", code(40125), Fix, "copy the AppSecret again"},
		{"appid-secret", "a frozen secret", code(40243), Fix, "unfreeze"},
		{"appid-secret", "a code nobody knows", code(49999), Fix, "49999"},
		{"appid-secret", "a page of a proxy", func(w *world) { w.weChat.token = "<html>" }, Fix, "does not answer"},
		{"appid-secret", "a secret in the answer", func(w *world) { w.weChat.token = `{"errcode":40125,"errmsg":"` + secret + `"}` }, Fix, "redacted"},
		{"appid-secret", "the address comes first", code(40164), Unknown, "address"},
		{"appid-secret", "no secret", func(w *world) { w.patient.Config.Merchant.AppSecret = "" }, NotTested, "without"},

		{"ip-allow-list", "allowed", well, OK, "accepts the address"},
		{"ip-allow-list", "not allowed", code(40164), Fix, "IP 白名单"},
		{"ip-allow-list", "another AppID", code(40013), Unknown, "before"},
		{"ip-allow-list", "no AppID", func(w *world) { w.patient.Config.AppID = "" }, NotTested, "without"},

		{"app-key-production", "right", well, OK, "fits"},
		{"app-key-production", "that of the sandbox", func(w *world) { w.patient.Config.Merchant.AppKeys.Production = sandbox }, Fix, "现网 AppKey"},
		{"app-key-production", "missing", func(w *world) { w.patient.Config.Merchant.AppKeys.Production = "" }, Fix, "missing"},
		{"app-key-production", "onboarding is not finished", query(`{"errcode":-1,"errmsg":"系统错误"}`), Fix, "onboarding"},
		{"app-key-production", "virtual payment is not open", query(`{"errcode":48001,"errmsg":"api unauthorized"}`), Fix, "open 虚拟支付"},
		{"app-key-production", "another refusal", query(`{"errcode":45009,"errmsg":"limit"}`), Fix, "45009"},
		{"app-key-production", "a page of a proxy", query("<html>"), Fix, "no usable answer"},
		{"app-key-production", "nobody looks at signatures", query(`{"errcode":268490002,"errmsg":"数据不存在"}`), Unknown, "did not look"},
		{"app-key-production", "no token", code(40125), NotTested, "before WeChat gives a token"},
		{"app-key-sandbox", "right", well, OK, "fits"},
		{"app-key-sandbox", "not needed", func(w *world) { w.patient.Config.Merchant.AppKeys.Sandbox = "" }, NotTested, "not needed"},

		{"offer-id", "digits", well, NotTested, "-15001"},
		{"offer-id", "letters", func(w *world) { w.patient.Config.OfferID = "wx1234567890abcdef" }, Fix, "digits"},

		{"push-url", "right", well, OK, "fit"},
		{"push-url", "none", func(w *world) { w.patient.PushURL = "" }, NotTested, "--push-url"},
		{"push-url", "no token", func(w *world) { w.patient.Config.Push.Tokens = nil }, NotTested, "Token"},
		{"push-url", "no address", func(w *world) { w.patient.PushURL = "shop.example.com" }, Fix, "https://host"},
		{"push-url", "nobody there", func(w *world) { w.patient.PushURL = "http://127.0.0.1:1/" }, Fix, "start the backend"},
		{"push-url", "another token", func(w *world) { w.receiver.token = "another" }, Fix, "Token"},
		{"push-url", "another time", func(w *world) { w.receiver.ahead = 48 * time.Hour }, Fix, "clock and this machine's are 48h"},
		{"push-url", "another path", func(w *world) { w.receiver.token, w.receiver.refuse = "another", 404 }, Fix, "/wechat/push"},
		{"push-url", "it fails", func(w *world) { w.receiver.token, w.receiver.refuse = "another", 503 }, Fix, "Paused"},
		{"push-url", "an echo in quotes", func(w *world) { w.receiver.echo = `"%s"` }, Fix, "no quotes"},
		{"push-url", "a port that WeChat does not use", elsewhere("http://shop.example.com:8443/"), Fix, "443"},

		{"push-event-json", "acknowledged", well, OK, "encrypted"},
		{"push-event-json", "another key", func(w *world) { w.receiver.aesKey = strings.Repeat("A", 43) }, Fix, "EncodingAESKey"},
		{"push-event-json", "an error page", func(w *world) { w.receiver.status = 500 }, Fix, "HTTP 500"},
		{"push-event-json", "not acknowledged", func(w *world) { w.receiver.answer = "ok" }, Fix, "success to unknown events"},
		{"push-event-json", "errcode", inPlain("json", `{"errcode":0}`), Fix, "no ErrCode"},
		{"push-event-json", "ErrCode", inPlain("json", `{"ErrCode":0}`), OK, "plain"},
		{"push-event-json", "an answer for Apple", inPlain("json", `{"result_code":0,"evidence":"x"}`), Fix, "no ErrCode"},
		{"push-event-json", "ErrCode in the clear", func(w *world) { w.receiver.answer = `{"ErrCode":0}` }, Fix, "encrypted"},
		{"push-event-xml", "JSON", inPlain("xml", `{"ErrCode":0}`), Fix, "format"},
		{"push-event-xml", "Errcode", inPlain("xml", "<xml><Errcode>0</Errcode></xml>"), Fix, "no ErrCode"},
		{"push-event-xml", "ErrCode", inPlain("xml", "<xml><ErrCode>0</ErrCode></xml>"), OK, "plain"},
		{"push-event-xml", "acknowledged", well, OK, "XML"},
		{"push-event-xml", "not read, and not needed", func(w *world) { w.receiver.jsonOnly = true }, Unknown, "does not take XML"},
		{"push-event-xml", "not read, and needed", func(w *world) { w.receiver.jsonOnly, w.patient.Format = true, "xml" }, Fix, "EncodingAESKey"},

		{"push-forged", "refused", well, OK, "refuses"},
		{"push-forged", "believed", func(w *world) { w.receiver.refuse = 200 }, Fix, "verify msg_signature"},
		{"push-forged", "answered as wrongly as a genuine one", func(w *world) { w.receiver.refuse, w.receiver.answer = 200, `{"errcode":0}` }, Unknown, "genuine"},
		{"push-forged", "it fails", func(w *world) { w.receiver.refuse = 500 }, Unknown, "failed"},

		{"push-mode", "sealed", well, NotTested, "发货推送"},
		{"push-mode", "plain", func(w *world) { w.patient.Plain = true }, Fix, "安全模式"},
		{"push-mode", "no key", func(w *world) { w.patient.Config.Push.AESKeys = nil }, Fix, "43"},

		{"clock", "right", well, OK, "WeChat's"},
		{"clock", "an hour ahead", func(w *world) { w.patient.Now = func() time.Time { return time.Now().Add(time.Hour) } }, Fix, "are 1h0m"},
		{"clock", "only the receiver told the time", func(w *world) { w.weChat.noDate = true }, NotTested, "WeChat"},
		{"clock", "nobody was asked", func(w *world) { w.patient.Config.AppID, w.patient.PushURL = "", "" }, NotTested, "WeChat"},

		{"address", "of this machine", func(w *world) { w.patient.Deployed = true }, OK, "backend runs"},
		{"address", "of others", well, NotTested, "--deployed"},
		{"address", "WeChat took no call", func(w *world) { w.patient.Deployed = true; code(40164)(w) }, NotTested, "no address was tested"},

		{"goods", "no file", well, NotTested, "--goods"},
		{"goods", "no receipt", func(w *world) { w.goods = goods{price: 1800} }, Unknown, "no receipt"},
		{"goods", "as told", func(w *world) { w.goods = goods{price: 1800, told: 1800} }, OK, "by our own receipts 1 of 1"},
		{"goods", "another price", func(w *world) { w.goods = goods{price: 1700, told: 1800} }, Fix, "goods apply"},
		{"goods", "a price in yuan", func(w *world) { w.goods = goods{price: 18, told: 1800} }, Fix, "it is in fen"},
	} {
		t.Run(c.check+", "+c.name, func(t *testing.T) {
			t.Parallel()
			got := examined(t, c.change)[c.check]
			if got.Status != c.want || !strings.Contains(got.What+got.Fix+got.FixZH, c.says) {
				t.Errorf("%+v, expected %s with %q", got, c.want, c.says)
			}
		})
	}
}

// inPlain is a receiver in plain mode with an answer of its own.
func inPlain(format, answer string) func(*world) {
	return func(w *world) { w.patient.Plain, w.patient.Format, w.receiver.answer = true, format, answer }
}

// elsewhere reaches the receiver under another address.
func elsewhere(address string) func(*world) {
	return func(w *world) {
		near := strings.TrimSuffix(strings.TrimPrefix(w.patient.PushURL, "http://"), "/wechat/push")
		w.patient.PushURL = address
		w.patient.HTTP = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if strings.HasPrefix(to, "shop.example.com") {
				to = near
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		}}}
	}
}
