package wechatsim_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	testKey  = "prod-key"
	sandKey  = "sand-key"
	testUser = "oUser1"
	// The key of vectors C6 to C11 (xpay spec 3.9).
	testAES = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) Advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// receiver takes pushes; answer decides what comes back (default: 200 and an empty body).
type receiver struct {
	mu     sync.Mutex
	got    []gotPush
	answer func(n int, r *http.Request, body []byte) (int, string)
}

type gotPush struct {
	query url.Values
	body  string
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	r.mu.Lock()
	r.got = append(r.got, gotPush{req.URL.Query(), string(body)})
	n := len(r.got)
	r.mu.Unlock()
	status, text := 200, ""
	if r.answer != nil {
		status, text = r.answer(n, req, body)
	}
	if status == 0 {
		return nil, fmt.Errorf("connection refused")
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Request: req}, nil
}

func (r *receiver) bodies() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.got {
		all = append(all, g.body)
	}
	return all
}

// world is one simulator with everything around it.
type world struct {
	t     testing.TB
	sim   *wechatsim.Sim
	clock *clock
	recv  *receiver
	cfg   wechatsim.Config
	token string
}

func newWorld(t testing.TB, change ...func(*wechatsim.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Unix(1785600000, 0)}, recv: &receiver{}}
	w.cfg = wechatsim.Config{
		AppID: "wx1234567890abcdef", AppSecret: "app-secret", OfferID: "1450000001",
		AppKeys: map[int]string{0: testKey, 1: sandKey},
		Goods:   []wechatsim.Goods{{ID: "vip_month", Price: 1800}, {ID: "song", Price: 10}},
		Push:    wechatsim.Push{URL: "http://shop.test/wechat/push", Token: "vp_token_1", EncodingAESKey: testAES, Format: "json", Mode: "plain"},
		Now:     w.clock.Now, Advance: w.clock.Advance, Transport: w.recv, Seed: 7,
	}
	for _, c := range change {
		c(&w.cfg)
	}
	sim, err := wechatsim.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.sim = sim
	return w
}

func hmacHex(key, msg string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(msg))
	return hex.EncodeToString(m.Sum(nil))
}

// do sends one request and gives status and body.
func (w *world) do(method, target, body string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	rec := httptest.NewRecorder()
	w.sim.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

func (w *world) object(method, target, body string) map[string]any {
	w.t.Helper()
	status, text := w.do(method, target, body)
	if status != 200 {
		w.t.Fatalf("%s %s: HTTP %d %s", method, target, status, text)
	}
	return decode(w.t, text)
}

func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	m := map[string]any{}
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return m
}

// login makes a session and gives its session_key.
func (w *world) login(openid string) string {
	w.t.Helper()
	code := w.sim.Login(openid)
	a := w.object("GET", w.sessionURL(code), "")
	if a["openid"] != openid {
		w.t.Fatalf("jscode2session answered %v", a)
	}
	return a["session_key"].(string)
}

func (w *world) sessionURL(code string) string {
	return "/sns/jscode2session?grant_type=authorization_code&appid=" + w.cfg.AppID + "&secret=" + w.cfg.AppSecret + "&js_code=" + url.QueryEscape(code)
}

func (w *world) accessToken(force bool) map[string]any {
	w.t.Helper()
	return w.object("POST", "/cgi-bin/stable_token", fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%t}`, w.cfg.AppID, w.cfg.AppSecret, force))
}

func signData(no string, quantity int, price int) string {
	return fmt.Sprintf(`{"offerId":"1450000001","buyQuantity":%d,"env":0,"currencyType":"CNY","productId":"vip_month","goodsPrice":%d,"outTradeNo":%q,"attach":"v1.tag"}`, quantity, price, no)
}

// payment signs data as a correct backend would.
func payment(session, data string) wechatsim.PaymentRequest {
	return wechatsim.PaymentRequest{
		OpenID: testUser, Mode: "short_series_goods", SignData: data,
		PaySig: hmacHex(testKey, "requestVirtualPayment&"+data), Signature: hmacHex(session, data),
	}
}

// buy pays one order of vip_month through a fresh login.
func (w *world) buy(no string) { w.t.Helper(); w.buyWith(no, "pay", "") }

func (w *world) buyWith(no, action, channel string) {
	w.t.Helper()
	r := payment(w.login(testUser), signData(no, 1, 1800))
	r.Action, r.Channel = action, channel
	want := 0
	if action == "cancel" {
		want = -2
	}
	if got := w.sim.RequestVirtualPayment(r); got.ErrCode != want {
		w.t.Fatalf("payment of %s: %+v", no, got)
	}
}

// xpay calls an /xpay API with a correct token and pay_sig of env 0.
func (w *world) xpay(path, body string) map[string]any {
	w.t.Helper()
	return w.object("POST", w.xpayURL(path, testKey, body), body)
}

func (w *world) xpayURL(path, key, body string) string {
	w.t.Helper()
	if w.token == "" {
		w.token = w.accessToken(false)["access_token"].(string)
	}
	return path + "?access_token=" + w.token + "&pay_sig=" + hmacHex(key, path+"&"+body)
}

func (w *world) query(no string) map[string]any {
	w.t.Helper()
	return w.xpay("/xpay/query_order", fmt.Sprintf(`{"openid":%q,"env":0,"order_id":%q}`, testUser, no))
}

// show is the order of a query that must succeed.
func (w *world) show(no string) map[string]any {
	w.t.Helper()
	a := w.query(no)
	o, ok := a["order"].(map[string]any)
	if !ok {
		w.t.Fatalf("query of %s: %v", no, a)
	}
	return o
}

func refundBody(no, id string, left, fee int) string {
	return fmt.Sprintf(`{"openid":%q,"order_id":%q,"refund_order_id":%q,"left_fee":%d,"refund_fee":%d,"biz_meta":"m","refund_reason":"3","req_from":"2","env":0}`, testUser, no, id, left, fee)
}

func (w *world) refund(no, id string, left, fee int) map[string]any {
	w.t.Helper()
	return w.xpay("/xpay/refund_order", refundBody(no, id, left, fee))
}

func (w *world) order(no string) wechatsim.OrderView {
	w.t.Helper()
	v, ok := w.sim.Order(no)
	if !ok {
		w.t.Fatalf("order %s is unknown", no)
	}
	return v
}

func (w *world) deliver() int { w.t.Helper(); return w.sim.DeliverDue(w.t.Context()) }

func (w *world) faults(body string) {
	w.t.Helper()
	if status, text := w.do("POST", "/sim/faults", body); status != 200 {
		w.t.Fatalf("faults: %d %s", status, text)
	}
}

func (w *world) wantCode(a map[string]any, code int) {
	w.t.Helper()
	if got := fmt.Sprint(a["errcode"]); got != fmt.Sprint(code) {
		w.t.Errorf("answer %v, want errcode %d", a, code)
	}
}

func wantField(t testing.TB, m map[string]any, name string, want any) {
	t.Helper()
	if got := fmt.Sprint(m[name]); got != fmt.Sprint(want) {
		t.Errorf("%s = %s, want %v", name, got, want)
	}
}
