package e2e_test

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

var capture = flag.Bool("capture", false, "write the requests of a run to testdata/captured.json, the seeds of the fuzzers")

// captured is one push as the simulator posted it.
type captured struct{ Query, Body string }

const capturedFile = "testdata/captured.json"

// TestTheSeedsOfTheFuzzersAreOfARun: pushes of every kind, format and mode, as they came over a socket.
func TestTheSeedsOfTheFuzzersAreOfARun(t *testing.T) {
	t.Parallel()
	var run []captured
	for _, format := range []string{"json", "xml"} {
		for _, mode := range []string{"aes", "plain"} {
			run = append(run, record(t, format, mode)...)
		}
	}
	if *capture {
		raw, err := json.MarshalIndent(run, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(capturedFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(capturedFile, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept := seeds(t); len(kept) != len(run) {
		t.Errorf("%d pushes are kept, a run has %d: go test ./internal/e2e -run OfARun -capture", len(kept), len(run))
	}
}

func seeds(t testing.TB) (kept []captured) {
	t.Helper()
	raw, err := os.ReadFile(capturedFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &kept); err != nil {
		t.Fatal(err)
	}
	return kept
}

// record captures what WeChat posts in the life of three orders.
func record(t *testing.T, format, mode string) []captured {
	t.Helper()
	var all []captured
	var w *world
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		all = append(all, captured{req.URL.RawQuery, string(body)})
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		w.stack.Handler.ServeHTTP(rw, req)
	}))
	defer srv.Close()
	w = begin(t, inProduction, func(s *setup) { s.PushFormat, s.PushMode, s.APIURL = format, mode, srv.URL })
	p := w.phone(alice)
	id := p.buy("key-number-1", "vip_month", 1)
	w.settle()
	apple, pay := p.create("key-number-2", "gem_60", 3)
	w.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: alice, Mode: pay.Mode, SignData: pay.SignData, PaySig: pay.PaySig, Signature: pay.Signature, Channel: "apple",
	})
	w.pass(10 * time.Second)
	for _, err := range []error{
		w.stack.Sim.ConsoleRefund(id, 100), w.stack.Sim.AskAppleRefund(apple.ID, ""), w.stack.Sim.ConsoleRefund(apple.ID, 600),
		second(w.stack.Sim.Complain(id, "nothing came & <never>")),
		second(w.stack.Sim.SendPush(t.Context(), "subscribe", json.RawMessage(`{"EventKey":""}`))),
		second(w.stack.Sim.SendPush(t.Context(), "xpay_coin_pay_notify", json.RawMessage(`{"OpenId":"`+alice+`","OutTradeNo":"`+id+`","Env":0,"CoinInfo":{"Quantity":1,"OrigPrice":10,"ActualPrice":10,"Attach":"x"}}`))),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.pass(10 * time.Second)
	if !w.stack.Sim.CheckURL(t.Context()).OK {
		t.Fatal("the URL does not pass WeChat's check")
	}
	return all
}

func second[T any](_ T, err error) error { return err }

// signedRight reports whether a request carries a signature of WeChat, by this test's own arithmetic.
func signedRight(q url.Values, body string) bool {
	var envelope struct{ Encrypt string }
	_ = json.Unmarshal([]byte(body), &envelope)
	ts, nonce := q.Get("timestamp"), q.Get("nonce")
	if q.Get("signature") == sha1Of(pushToken, ts, nonce) {
		return true
	}
	if envelope.Encrypt == "" { // XML: take what stands between the marks
		_, after, _ := strings.Cut(body, "<Encrypt>")
		text, _, _ := strings.Cut(after, "</Encrypt>")
		envelope.Encrypt = strings.TrimSuffix(strings.TrimPrefix(text, "<![CDATA["), "]]>")
	}
	return envelope.Encrypt != "" && q.Get("msg_signature") == sha1Of(pushToken, ts, nonce, envelope.Encrypt)
}

// FuzzPushDoor: whatever is posted to the push URL, nothing panics; what WeChat did not sign is never acknowledged; and
// what only carries its plain signature, over any body, never pays for an order that nobody paid.
func FuzzPushDoor(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed.Query, []byte(seed.Body))
		q, err := url.ParseQuery(seed.Query)
		if err != nil {
			f.Fatal(err)
		}
		q.Set("signature", strings.Repeat("0", 40))
		q.Set("msg_signature", strings.Repeat("0", 40))
		f.Add(q.Encode(), []byte(seed.Body))
		f.Add("", []byte(seed.Body))
	}
	w, m := fuzzed(f, inProduction)
	p := w.phone(alice)
	p.create("key-number-1", "vip_month", 1)         // the seeds speak of it, and the secure ones may pay for it
	o, _ := p.create("key-number-9", "vip_month", 1) // nobody ever pays it
	plain := func(event string) {
		q, raw := forged{at: start, plain: true}.make(event)
		f.Add(q.Encode(), raw)
	}
	good := goodPush(o.ID, "4500000138202603010000000001")
	good.env = 0
	plain(good.json())
	plain(refundPush(alice, o.ID, "VPR260301100000000000001", "MP1", 1800))
	reset := m.keep()
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		w.t, w.seen = t, nil
		reset()
		req := httptest.NewRequest("POST", "/wechat/push", strings.NewReader(string(body)))
		req.URL.RawQuery = query
		rec := httptest.NewRecorder()
		w.stack.Handler.ServeHTTP(rec, req)
		q := req.URL.Query()
		switch {
		case rec.Code >= 500:
			t.Fatalf("answered %d %s", rec.Code, rec.Body)
		case !signedRight(q, string(body)) && rec.Code == 200:
			t.Fatalf("not signed and answered %d %s", rec.Code, rec.Body)
		case rec.Code == 200 && q.Get("encrypt_type") == "" && !again(rec.Code, rec.Body.String()) &&
			strings.Contains(string(body), `"Event":"xpay_goods_deliver_notify"`) && strings.Contains(string(body), `"OutTradeNo":"`+o.ID+`"`) &&
			json.Valid(body) && strings.Contains(string(body), `"Env":0`):
			t.Fatalf("a payment that nobody made is acknowledged: %s", rec.Body)
		}
		if m := w.merchant(o.ID); m.State != "created" || m.Ledger.Paid+m.Ledger.Held+m.Ledger.Refunded != 0 {
			t.Fatalf("an order that nobody paid is %s: %+v", m.State, m.Ledger)
		}
	})
}

// FuzzCreateBody: whatever is posted to /orders, nothing panics, and what is sold is sold at the server's price.
func FuzzCreateBody(f *testing.F) {
	f.Add([]byte(wanted("vip_month", 1)))
	f.Add([]byte(`{"productId":"gem_60","quantity":10,"attach":"room 7 & <8>","code":"e2e"}`))
	f.Add([]byte(`{"productId":"gem_60","quantity":1,"attach":"\u0000\ud800\u2028"}`))
	f.Add([]byte(`{"quantity":1e0,"PRODUCTID":"vip_month"}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"productId":"vip_month","productId":"gem_60","quantity":2}`))
	w, m := fuzzed(f)
	p := w.phone(alice)
	prices := map[string]int64{"vip_month": 1800, "gem_60": 600}
	reset := m.keep()
	f.Fuzz(func(t *testing.T, body []byte) {
		w.t, w.seen = t, nil
		reset()
		var reply orderReply
		a := p.post("/orders", "key-of-fuzz-", string(body))
		switch a.status {
		case 201:
			a.into(t, 201, &reply)
		case 400, 404, 413, 415:
			return
		case 401: // a code that WeChat does not know
			if strings.Contains(strings.ToLower(string(body)), "code") || strings.Contains(string(body), `\u`) {
				return
			}
			fallthrough
		default:
			t.Fatalf("answered %s", a)
		}
		var d struct {
			ProductID, OutTradeNo   string
			BuyQuantity, GoodsPrice int64
		}
		if err := json.Unmarshal([]byte(reply.Payment.SignData), &d); err != nil {
			t.Fatal(err)
		}
		price := prices[d.ProductID]
		if price == 0 || d.GoodsPrice != price || reply.Order.Price != price || d.BuyQuantity < 1 || d.BuyQuantity > 10 ||
			reply.Order.Amount != price*d.BuyQuantity || d.OutTradeNo != reply.Order.ID {
			t.Fatalf("signed %s for %+v", reply.Payment.SignData, reply.Order)
		}
		if got := p.open(*reply.Payment, "cancel"); got.ErrCode != -2 && got.ErrCode != -15002 { // the same number every time
			t.Fatalf("WeChat refuses what we signed, %+v: %s", got, reply.Payment.SignData)
		}
	})
}

// fuzzed is a world whose store is in memory and whose log is silent.
func fuzzed(f *testing.F, changes ...func(*setup)) (*world, *memory) {
	m := &memory{}
	changes = append(changes, wrapped(m.wrap), func(s *setup) { s.Log = nil })
	return begin(f, changes...), m
}
