package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// The mini-program of these tests. Every secret is a word that can be searched for.
const (
	appID      = "wxe2e0000000000001"
	appSecret  = "e2e-app-secret-4f1d9c"
	keyProd    = "e2e-appkey-production-77aa"
	keySandbox = "e2e-appkey-sandbox-31bc"
	pushToken  = "e2epushtoken5d2c"
	aesKey     = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	sealKey    = "ZTJlLXNlYWwta2V5LW9mLWV4YWN0bHktMzItYnl0ZXM=" // e2e-seal-key-of-exactly-32-bytes
	alice      = "oAlice-e2e-0001"
	bob        = "oBob-e2e-0002"
)

const goods = `products:
  - {id: vip_month, name: 月度会员, price: 1800, kind: durable}
  - {id: gem_60, name: 60 颗宝石, price: 600, kind: consumable, maxQuantity: 10}
  - {id: secret_1, name: 未上架, price: 500, kind: durable, hidden: true}
`

// start is when every world begins: Sunday, 10:00 in China.
var start = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// world is the product with its WeChat, and the hands that touch both from outside.
type world struct {
	t      testing.TB
	dir    string
	opt    localenv.Options
	stack  *localenv.Stack
	log    *buffer
	alarms *alarms
	seen   []answer // every answer of the API, for the leak test
}

// setup is what a test may change before its world begins.
type setup struct {
	localenv.Options
	env     int
	forward string
	goods   string
	deliver string // the "delivery" of config.json; "": none
}

func inProduction(s *setup) { s.env = 0 }
func forwardTo(s *setup)    { s.forward = "http://receiver.local/hook?who=xpay" }
func wrapped(f func(store.Store) store.Store) func(*setup) {
	return func(s *setup) { s.WrapStore = f }
}
func transport(f func(http.RoundTripper) http.RoundTripper) func(*setup) {
	return func(s *setup) { s.WrapTransport = f }
}

// begin makes a world on a new folder.
func begin(t testing.TB, changes ...func(*setup)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), log: &buffer{}, alarms: &alarms{}}
	s := setup{env: 1, goods: goods, Options: localenv.Options{
		Data: w.dir, Clock: localenv.Virtual(start), Seed: 7, Synchronous: "NORMAL", Alarm: w.alarms.add,
		Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
	for _, change := range changes {
		change(&s)
	}
	onDynamoDB(t, &s)
	if s.deliver == "" {
		s.deliver = "{}"
	}
	config := fmt.Sprintf(`{"appId":%q,"offerId":"1450009999","env":%d,
	"merchant":{"appSecret":%q,"appKeys":{"production":%q,"sandbox":%q}},
	"push":{"tokens":[%q],"aesKeys":[%q]},"seal":{"keys":[%q]},"forwardUrl":%q,"delivery":%s}`,
		appID, s.env, appSecret, keyProd, keySandbox, pushToken, aesKey, sealKey, s.forward, s.deliver)
	w.write("config.json", config)
	w.write("goods.yaml", s.goods)
	w.opt = s.Options
	w.open()
	t.Cleanup(func() { w.stack.Close() })
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	stack, err := localenv.Open(context.Background(), w.opt)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	w.stack = stack
}

// restart ends the process and begins another one on the same folder, at the same virtual time.
func (w *world) restart() {
	w.t.Helper()
	w.opt.Clock = localenv.Virtual(w.now())
	if err := w.stack.Close(); err != nil {
		w.t.Fatalf("close: %v", err)
	}
	w.open()
}

func (w *world) now() time.Time { return w.stack.Clock.Now() }

// settle does everything that is due now.
func (w *world) settle() { w.pass(0) }

// pass lets virtual time go by.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	if err := w.stack.Pass(context.Background(), d); err != nil {
		w.t.Fatalf("pass %s: %v", d, err)
	}
}

// leap lets a long time go by in which nothing is watched closely: it wakes the sweep every half hour only.
func (w *world) leap(d time.Duration) {
	w.t.Helper()
	const step = 30 * time.Minute
	for ; d > 0; d -= step {
		w.stack.Clock.Advance(min(d, step))
		if _, err := w.stack.Sweep.Tick(context.Background()); err != nil {
			w.t.Fatal(err)
		}
		if err := w.stack.Now(context.Background()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) faults(f wechatsim.Faults) { w.stack.Sim.SetFaults(f) }

func losePushes() wechatsim.Faults {
	return wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}}
}

func atAPI(path string, f wechatsim.APIFault) wechatsim.Faults {
	return wechatsim.Faults{API: map[string]wechatsim.APIFault{path: f}}
}

// answer is what came back through the door.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// call sends one request from this machine. Headers come in pairs; a body is JSON unless they say otherwise.
func (w *world) call(method, target, body string, headers ...string) answer {
	w.t.Helper()
	return w.callFrom("127.0.0.1:50001", "127.0.0.1:8080", method, target, body, headers...)
}

func (w *world) callFrom(peer, host, method, target, body string, headers ...string) answer {
	w.t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.RemoteAddr, req.Host = peer, host
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	return w.serve(req)
}

func (w *world) serve(req *http.Request) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.stack.Handler.ServeHTTP(rec, req)
	a := answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	if got := a.header.Get("Content-Length"); got != strconv.Itoa(len(a.body)) {
		w.t.Errorf("%s %s: Content-Length is %q, the body has %d bytes", req.Method, req.URL.Path, got, len(a.body))
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		w.t.Errorf("%s %s: Cache-Control is %q", req.Method, req.URL.Path, got)
	}
	w.seen = append(w.seen, a)
	return a
}

// into reads a reply that must have a status.
func (a answer) into(t testing.TB, status int, v any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("reply is not the expected JSON: %v: %s", err, a.body)
	}
}

// refused checks a problem: its status and its word.
func (a answer) refused(t testing.TB, status int, code string) {
	t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(a.body, &e); err != nil || a.status != status || e.Error.Code != code || e.Error.Message == "" {
		t.Errorf("got %s, want %d %s with a message", a, status, code)
	}
}

// The wire as it is promised, written down here once more.
type (
	orderJSON struct {
		ID, State, ProductID, Currency, Attach    string
		Quantity                                  int
		Price, Amount, RefundedAmount             int64
		Owned                                     bool
		CreatedAt, ExpiresAt                      time.Time
		PaidAt, DeliveredAt, ClosedAt, ConsumedAt *time.Time
		TransactionID, ChannelOrderID             *string
	}
	paymentJSON struct{ Mode, SignData, PaySig, Signature string }
	orderReply  struct {
		Order   orderJSON
		Payment *paymentJSON
	}
	merchantJSON struct {
		orderJSON
		OpenID    string
		Env       int
		Ledger    struct{ Paid, Surplus, Held, Refunded, Reserved int64 }
		Attempts  []attemptJSON
		Refunds   []refundJSON
		Attention []struct {
			Code, Reason string
			Attempt      int
		}
		Delivery struct {
			Target string
			Events []struct {
				EventID string
				Seq     int
				Type    string
				Fee     int64
				SentAt  *time.Time
			}
		}
		History []struct {
			Event, From, To, Source, Detail string
			Repeats                         int
		}
	}
	attemptJSON struct {
		Attempt    int
		OutTradeNo string
		Seen       string
		ToldAt     *time.Time
		Refundable int64
		Payments   []struct{ TransactionID, Mismatch string }
	}
	refundJSON struct {
		ID, WxRefundID, State, Reason, Failure string
		Attempt                                int
		Foreign                                bool
		Amount                                 int64
	}
	refundReply struct {
		Refund refundJSON
		Order  merchantJSON
	}
	questionJSON struct {
		Number, Code, Reason string
		Order                *merchantJSON
	}
)

// phone is a user who has logged in.
type phone struct {
	w             *world
	openID, token string
}

// phone logs a user in.
func (w *world) phone(openID string) *phone {
	w.t.Helper()
	var reply struct {
		Token     string
		ExpiresAt time.Time
	}
	w.call("POST", "/login", `{"code":"`+w.stack.Sim.Login(openID)+`"}`).into(w.t, 200, &reply)
	return &phone{w: w, openID: openID, token: reply.Token}
}

func (p *phone) post(path, key, body string, headers ...string) answer {
	p.w.t.Helper()
	headers = append([]string{"Authorization", "Bearer " + p.token, "Idempotency-Key", key}, headers...)
	return p.w.call("POST", path, body, headers...)
}

func (p *phone) get(path string) answer {
	p.w.t.Helper()
	return p.w.call("GET", path, "", "Authorization", "Bearer "+p.token)
}

func wanted(product string, quantity int) string {
	return fmt.Sprintf(`{"productId":%q,"quantity":%d}`, product, quantity)
}

// create makes a new order.
func (p *phone) create(key, product string, quantity int) (orderJSON, paymentJSON) {
	p.w.t.Helper()
	var reply orderReply
	p.post("/orders", key, wanted(product, quantity)).into(p.w.t, 201, &reply)
	if reply.Payment == nil {
		p.w.t.Fatal("a new order has no payment")
	}
	return reply.Order, *reply.Payment
}

// open shows a payment to WeChat's cashier and does there what the user does: "pay" or "cancel".
func (p *phone) open(pay paymentJSON, action string) wechatsim.PaymentResult {
	return p.w.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: p.openID, Mode: pay.Mode, SignData: pay.SignData, PaySig: pay.PaySig, Signature: pay.Signature, Action: action,
	})
}

// pay pays; WeChat must take the payment as it was signed.
func (p *phone) pay(pay paymentJSON) {
	p.w.t.Helper()
	if got := p.open(pay, "pay"); got.ErrCode != 0 {
		p.w.t.Fatalf("WeChat refuses the payment: %+v", got)
	}
}

// cancel opens the cashier and leaves it: the number is used and can still be paid.
func (p *phone) cancel(pay paymentJSON) {
	p.w.t.Helper()
	if got := p.open(pay, "cancel"); got.ErrCode != -2 {
		p.w.t.Fatalf("WeChat refuses the payment: %+v", got)
	}
}

// buy creates and pays; the push is not delivered yet.
func (p *phone) buy(key, product string, quantity int) string {
	p.w.t.Helper()
	o, pay := p.create(key, product, quantity)
	p.pay(pay)
	return o.ID
}

// poll is what the phone sees.
func (p *phone) poll(id string) orderJSON {
	p.w.t.Helper()
	var reply orderReply
	p.get("/orders/"+id).into(p.w.t, 200, &reply)
	return reply.Order
}

// attempt asks for a payment again.
func (p *phone) attempt(id, body string) orderReply {
	p.w.t.Helper()
	var reply orderReply
	p.post("/orders/"+id+"/attempts", "", body).into(p.w.t, 200, &reply)
	return reply
}

// is checks the state that the merchant sees.
func (w *world) is(id, state string, owned bool) merchantJSON {
	w.t.Helper()
	o := w.merchant(id)
	if o.State != state || o.Owned != owned {
		w.t.Errorf("the order is %s, owned %t; want %s, %t. History: %+v", o.State, o.Owned, state, owned, o.History)
	}
	return o
}

// merchant is an order as the merchant sees it.
func (w *world) merchant(id string) merchantJSON {
	w.t.Helper()
	var reply struct{ Order merchantJSON }
	w.call("GET", "/merchant/orders/"+id, "").into(w.t, 200, &reply)
	return reply.Order
}

func (w *world) refund(id, key string, amount int64, more string) answer {
	w.t.Helper()
	body := fmt.Sprintf(`{"amount":%d%s}`, amount, more)
	return w.call("POST", "/merchant/orders/"+id+"/refunds", body, "Idempotency-Key", key)
}

// refunding asks for a refund that must be taken.
func (w *world) refunding(id, key string, amount int64) refundJSON {
	w.t.Helper()
	var reply refundReply
	w.refund(id, key, amount, "").into(w.t, 202, &reply)
	return reply.Refund
}

func (w *world) held() []questionJSON {
	w.t.Helper()
	var reply struct{ Held []questionJSON }
	w.call("GET", "/merchant/held", "").into(w.t, 200, &reply)
	return reply.Held
}

// truth is what WeChat knows about a number.
func (w *world) truth(outTradeNo string) wechatsim.OrderView {
	w.t.Helper()
	v, ok := w.stack.Sim.Order(outTradeNo)
	if !ok {
		w.t.Fatalf("WeChat does not know %s", outTradeNo)
	}
	return v
}

// moneyBack is what went back at WeChat, and in how many refunds that count.
func moneyBack(v wechatsim.OrderView) (fen int64, refunds int) {
	for _, r := range v.Refunds {
		if r.Status != 7 {
			fen += r.Fee
			refunds++
		}
	}
	return fen, refunds
}

// ledger checks paid, surplus, held, refunded, reserved.
func (o merchantJSON) ledger(t testing.TB, paid, surplus, held, refunded, reserved int64) {
	t.Helper()
	l := o.Ledger
	if l.Paid != paid || l.Surplus != surplus || l.Held != held || l.Refunded != refunded || l.Reserved != reserved {
		t.Errorf("ledger is %+v, want paid %d surplus %d held %d refunded %d reserved %d", l, paid, surplus, held, refunded, reserved)
	}
}

// alarms counts who was called, and why.
type alarms struct {
	mu  sync.Mutex
	all []order.Alarm
}

func (a *alarms) add(_ context.Context, one order.Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, one)
}

// about counts the alarms with a code.
func (a *alarms) about(code string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, one := range a.all {
		if one.Code == code {
			n++
		}
	}
	return n
}

// buffer is a log that many may write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// wire is the way to WeChat, which can be cut, and that lets other hosts be reached too.
type wire struct {
	next  http.RoundTripper
	hosts localenv.Inproc
	mu    sync.Mutex
	down  bool
	calls []string
}

func (l *wire) wrap(next http.RoundTripper) http.RoundTripper { l.next = next; return l }

func (l *wire) cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	down := l.down
	l.calls = append(l.calls, req.URL.Path)
	l.mu.Unlock()
	if down {
		return nil, errors.New("no route to host")
	}
	if _, ok := l.hosts[req.URL.Host]; ok {
		return l.hosts.RoundTrip(req)
	}
	return l.next.RoundTrip(req)
}

// count is how often a path was called.
func (l *wire) count(path string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(l.calls), func(p string) bool { return p != path }))
}
