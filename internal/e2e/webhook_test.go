package e2e_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

const (
	hookURL = "https://shop.example/hook"
	hookKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the specification's example
	newKey  = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// hookData is the wire as it is promised, written down here once more.
type hookData struct {
	EventID, OrderID, ProductID, State, Attach, OpenID string
	Seq, Quantity, Env                                 int
	Amount, Fee, Paid, Refunded                        int64
	Owned                                              bool
	At                                                 time.Time
}

// merchantServer is the merchant's server: it verifies, hands goods out once for each order, and can be in many moods.
type merchantServer struct {
	t     *testing.T
	key   string
	now   func() time.Time
	mood  func(try int) (status int, then error) // nil: 204
	tries []string                               // webhook-id, type and fee of every try that reached it
	goods map[string]int                         // by order: what the user has there
	done  map[string]bool                        // webhook-ids that were handled
	hosts []string
}

func withWebhook(b *merchantServer) func(*setup) {
	b.goods, b.done, b.key = map[string]int{}, map[string]bool{}, hookKey
	return func(s *setup) {
		b.now = s.Clock.Now
		s.deliver = webhookTo(hookURL, hookKey)
		s.WrapTarget = func(http.RoundTripper) http.RoundTripper { return b }
	}
}

func webhookTo(url, key string) string {
	return fmt.Sprintf(`{"target":"webhook","url":%q,"keys":[%q]}`, url, key)
}

// RoundTrip is the network and the server. What its mood says happens after the server has the event.
func (b *merchantServer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Error(err)
	}
	if !b.signed(r.Header, body) {
		b.t.Errorf("the signature %q does not fit %s", r.Header.Get("webhook-signature"), body)
	}
	status, then := http.StatusNoContent, error(nil)
	if b.mood != nil {
		status, then = b.mood(len(b.tries))
	}
	b.hosts = append(b.hosts, r.URL.Host)
	b.take(r.Header.Get("webhook-id"), body, status < 300)
	if then != nil {
		return nil, then
	}
	header := http.Header{"Location": {"https://elsewhere.example/"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("no")), Request: r}, nil
}

// signed verifies as the specification asks: any of the signatures, and not older than five minutes.
func (b *merchantServer) signed(h http.Header, body []byte) bool {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(b.key, "whsec_"))
	if err != nil {
		b.t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	var sent int64
	fmt.Sscan(h.Get("webhook-timestamp"), &sent)
	age := b.now().Sub(time.Unix(sent, 0))
	return age >= 0 && age < 5*time.Minute &&
		slices.Contains(strings.Fields(h.Get("webhook-signature")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// take hands out or takes back, once for each event.
func (b *merchantServer) take(id string, body []byte, takes bool) {
	var m struct {
		Type string
		Data hookData
	}
	if err := json.Unmarshal(body, &m); err != nil {
		b.t.Errorf("%v: %s", err, body)
	}
	d := m.Data
	b.tries = append(b.tries, fmt.Sprintf("%d %s %d", d.Seq, m.Type, d.Fee))
	if id != d.EventID || !strings.HasPrefix(id, d.OrderID+".") {
		b.t.Errorf("webhook-id is %q, the event is %d of order %s", id, d.Seq, d.OrderID)
	}
	if !takes || b.done[id] {
		return
	}
	b.done[id] = true
	switch m.Type {
	case "order.paid", "order.refunded":
		b.goods[d.OrderID] = map[bool]int{true: d.Quantity}[d.Owned]
	default:
		b.t.Errorf("an event of the type %q", m.Type)
	}
	if d.Owned == (d.Refunded == d.Paid) {
		b.t.Errorf("owned is %t, %d of %d fen went back", d.Owned, d.Refunded, d.Paid)
	}
}

// heard is what came, repeats left out.
func (b *merchantServer) heard(want ...string) {
	b.t.Helper()
	if got := slices.Compact(slices.Clone(b.tries)); !slices.Equal(got, want) {
		b.t.Errorf("the merchant heard %q, want %q", got, want)
	}
}

// confirm is the merchant's word that events arrived.
func (w *world) confirm(id, body string) answer {
	w.t.Helper()
	return w.call("POST", "/merchant/orders/"+id+"/delivery", body)
}

func TestAWebhookThatAcceptsIsTheDelivery(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t}
	w := begin(t, withWebhook(b))
	p := w.phone(alice)
	var made orderReply
	p.post("/orders", "key-of-alice", `{"productId":"gem_60","quantity":3,"attach":"room=7"}`).into(t, 201, &made)
	p.pay(*made.Payment)
	w.stack.Sim.DeliverDue(t.Context()) // the callback answers at once: the merchant's server is not its to call
	if v := w.truth(made.Order.ID); len(b.tries) != 0 || v.Pushes[0].Answered {
		t.Errorf("the callback tells the target: %q, %+v", b.tries, v.Pushes[0])
	}
	w.pass(time.Minute)
	o := w.is(made.Order.ID, "delivered", true)
	if e := o.Delivery.Events; o.Delivery.Target != "webhook" || len(e) != 1 || e[0].SentAt == nil || e[0].Type != "order.paid" || e[0].Fee != 1800 {
		t.Errorf("the merchant sees %+v", o.Delivery)
	}
	v := w.truth(o.ID)
	if !v.Pushes[0].Answered || v.Pushes[0].Attempts < 2 || v.Status != 4 || v.Calls.NotifyProvideGoods != 0 {
		t.Errorf("WeChat: %+v, status %d, told %d times", v.Pushes[0], v.Status, v.Calls.NotifyProvideGoods)
	}
	w.pass(24 * time.Hour)
	if b.heard("1 order.paid 1800"); len(b.tries) != 1 || b.goods[o.ID] != 3 {
		t.Errorf("%d tries, the user has %d", len(b.tries), b.goods[o.ID])
	}
}

// Whatever the merchant's server does, it hands out once, and WeChat hears of the delivery only after a 2xx.
func TestATargetInEveryMoodHearsOfAPurchaseAndHandsOutOnce(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]func(try int) (int, error){
		"it is at once there":              nil,
		"it fails three times":             until(3, 500, nil),
		"it refuses the signature, first":  until(2, 401, nil),
		"it redirects":                     until(4, 301, nil),
		"it redirects with the body":       until(4, 308, nil),
		"it is gone for an hour":           until(12, 410, nil),
		"it takes it and the line is cut":  until(1, 204, io.ErrUnexpectedEOF),
		"it takes it and answers too late": until(3, 204, context.DeadlineExceeded),
		"it takes it and says that it failed": func(try int) (int, error) {
			if try == 0 {
				return 204, io.ErrUnexpectedEOF
			}
			return map[bool]int{true: 503, false: 200}[try < 4], nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &merchantServer{t: t, mood: mood}
			w := begin(t, withWebhook(b))
			id := w.phone(alice).buy("key-of-alice", "gem_60", 2)
			w.pass(3 * time.Second)
			if v := w.truth(id); mood != nil && (v.Status == 4 || v.Pushes[0].Answered) {
				t.Errorf("WeChat is told before the target accepted: status %d, %+v", v.Status, v.Pushes[0])
			}
			w.pass(3 * time.Hour)
			w.is(id, "delivered", true)
			if v := w.truth(id); v.Status != 4 || !v.Pushes[0].Answered {
				t.Errorf("WeChat shows %d, %+v", v.Status, v.Pushes[0])
			}
			if b.heard("1 order.paid 1200"); b.goods[id] != 2 || w.alarms.about("undelivered") != 0 {
				t.Errorf("the user has %d, a person was called %d times", b.goods[id], w.alarms.about("undelivered"))
			}
		})
	}
}

// until is a mood for the first tries; then the server is well.
func until(n, status int, then error) func(int) (int, error) {
	return func(try int) (int, error) {
		if try < n {
			return status, then
		}
		return 200, nil
	}
}

func TestATargetThatRefusesForeverCallsAPersonOnceAndIsTriedOn(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t, mood: until(1<<30, 500, nil)}
	w := begin(t, withWebhook(b))
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.pass(5*time.Hour + 50*time.Minute)
	if n := w.alarms.about("undelivered"); n != 0 {
		t.Errorf("before six hours a person was called %d times", n)
	}
	w.pass(40 * time.Minute)
	tries := len(b.tries)
	w.pass(48 * time.Hour)
	if q := w.held(); w.alarms.about("undelivered") != 1 || len(q) != 1 || q[0].Code != "undelivered" || !strings.Contains(q[0].Reason, "order.paid") {
		t.Errorf("a person was called %d times, %+v is asked", w.alarms.about("undelivered"), q)
	}
	if more := len(b.tries) - tries; more < 48*5 || more > 48*7 {
		t.Errorf("%d tries in two days, want about one in ten minutes", more)
	}
	w.is(id, "delivering", false)
	if v := w.truth(id); v.Status == 4 || v.Pushes[0].Answered || v.Calls.NotifyProvideGoods != 0 {
		t.Errorf("WeChat was told: %d, %+v", v.Status, v.Pushes[0])
	}
	b.mood = nil
	w.pass(time.Hour)
	w.is(id, "delivered", true)
	if v := w.truth(id); v.Status != 4 || v.Calls.NotifyProvideGoods == 0 { // the repeats ran out: nobody else tells it
		t.Errorf("WeChat shows %d, after %d calls", v.Status, v.Calls.NotifyProvideGoods)
	}
	if q := w.held(); len(q) != 0 {
		t.Errorf("the question stays: %+v", q)
	}
}

func TestARefundDuringTheDeliveryIsToldAfterIt(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t, mood: until(1<<30, 503, nil)}
	w := begin(t, withWebhook(b))
	id := w.phone(alice).buy("key-of-alice", "gem_60", 2)
	w.pass(10 * time.Second)
	w.is(id, "delivering", false)
	w.refunding(id, "refund-key-1", 200)
	w.refunds(id, 200)
	w.refunding(id, "refund-key-2", 1000)
	w.refunds(id, 1200)
	b.heard("1 order.paid 1200")
	b.mood = until(len(b.tries)+2, 500, nil)
	w.pass(time.Hour)
	b.heard("1 order.paid 1200", "2 order.refunded 200", "3 order.refunded 1000")
	if w.is(id, "delivered", false); b.goods[id] != 0 {
		t.Errorf("the user keeps %d", b.goods[id])
	}
}

func TestASecondPaymentThatWentBackTakesNothingFromTheUser(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t}
	w := begin(t, withWebhook(b))
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "gem_60", 2)
	p.cancel(pay)
	p.pay(*p.attempt(o.ID, "{}").Payment)
	w.settle()
	if err := w.stack.Sim.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.refund(o.ID, "refund-key-1", 1200, `,"attempt":1`)
	w.refunds(o.ID, 1200)
	w.pass(time.Minute)
	if w.is(o.ID, "delivered", true).ledger(t, 1200, 1200, 0, 1200, 0); b.goods[o.ID] != 2 {
		t.Errorf("the user has %d", b.goods[o.ID])
	}
	w.refund(o.ID, "refund-key-2", 1200, `,"attempt":2`)
	w.refunds(o.ID, 2400)
	w.pass(time.Minute)
	if b.heard("1 order.paid 1200", "2 order.refunded 1200", "3 order.refunded 1200"); b.goods[o.ID] != 0 {
		t.Errorf("after both went back the user has %d", b.goods[o.ID])
	}
}

// refunds waits until so much went back.
func (w *world) refunds(id string, fen int64) {
	w.t.Helper()
	for range 60 {
		if w.merchant(id).Ledger.Refunded == fen {
			return
		}
		w.pass(time.Minute)
	}
	w.t.Fatalf("after an hour %+v went back, want %d", w.merchant(id).Ledger, fen)
}

// Whoever waits for an answer of ours must not wait for the merchant's server.
func TestOnlyTheWorkerCallsTheTarget(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t}
	w := begin(t, withWebhook(b))
	w.faults(losePushes())
	p := w.phone(alice)
	id := p.buy("key-of-alice", "gem_60", 2)
	w.stack.Clock.Advance(5 * time.Second)
	if o := p.poll(id); o.State != "paid" || len(b.tries) != 0 { // the poll repairs the order and leaves the delivery
		t.Errorf("polled it is %s, the target heard %q", o.State, b.tries)
	}
	w.refund(id, "refund-key-1", 200, "")
	if v := w.truth(id); len(v.Refunds) != 1 || len(b.tries) != 0 {
		t.Errorf("WeChat gives back %+v, the target heard %q", v.Refunds, b.tries)
	}
	if err := w.stack.API.Orders.Advance(t.Context(), order.DocID(id)); err != nil || len(b.tries) != 0 {
		t.Errorf("%v, the target heard %q", err, b.tries)
	}
	w.settle() // the queue was told: no sweep is needed
	if w.merchant(id).State != "delivered" {
		t.Errorf("the order is %s, the target heard %q", w.merchant(id).State, b.tries)
	}
}

func TestAMerchantConfirmsWhatItsServerNeverAccepted(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t, mood: until(1<<30, 500, nil)}
	w := begin(t, withWebhook(b))
	id := w.phone(alice).buy("key-of-alice", "gem_60", 2)
	w.pass(8 * time.Hour)
	w.refunding(id, "refund-key-1", 200)
	w.refunds(id, 200)
	tries := len(b.tries)
	var reply struct{ Order merchantJSON }
	w.confirm(id, `{"seq":1}`).into(t, 200, &reply)
	if e := reply.Order.Delivery.Events; reply.Order.State != "delivered" || !reply.Order.Owned || e[0].SentAt == nil || e[1].SentAt != nil {
		t.Errorf("it is %s, %+v", reply.Order.State, e)
	}
	w.confirm(id, `{"seq":1}`).into(t, 200, &reply)
	w.pass(time.Hour)
	if v := w.truth(id); v.Status != 4 && v.DeliveredAt.IsZero() {
		t.Errorf("WeChat was not told: %d", v.Status)
	}
	if got := slices.Compact(slices.Clone(b.tries[tries:])); !slices.Equal(got, []string{"2 order.refunded 200"}) {
		t.Errorf("after that the merchant heard %q", got)
	}
	second := reply.Order.Delivery.Events[1].EventID
	for _, body := range []string{`{"eventId":"` + second + `"}`, "", `{}`, `{"seq":2}`} {
		w.confirm(id, body).into(t, 200, &reply)
		if reply.Order.Delivery.Events[1].SentAt == nil {
			t.Errorf("after %q the second event waits", body)
		}
	}
	tries = len(b.tries)
	if w.pass(24 * time.Hour); len(b.tries) != tries || len(w.held()) != 0 {
		t.Errorf("%d more tries, %+v is asked", len(b.tries)-tries, w.held())
	}
	delivered := 0
	for _, h := range reply.Order.History {
		if h.To == "delivered" {
			delivered++
			if h.Source != "operator" {
				t.Errorf("the history says %+v", h)
			}
		}
	}
	if delivered != 1 || w.alarms.about("impossible") != 0 {
		t.Errorf("delivered %d times, %d contradictions", delivered, w.alarms.about("impossible"))
	}
}

func TestAConfirmationThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t, mood: until(1<<30, 500, nil)}
	w := begin(t, withWebhook(b))
	unpaid, _ := w.phone(alice).create("key-unpaid", "vip_month", 1)
	paid := w.phone(bob).buy("key-paid", "vip_month", 1)
	back := w.phone(bob).buy("key-back", "gem_60", 1)
	w.stack.Sim.DeliverDue(t.Context())
	w.refunding(back, "refund-key-1", 600)
	for _, c := range []struct {
		id, body string
		status   int
		code     string
	}{
		{unpaid.ID, ``, 422, "rejected"},
		{back, ``, 422, "rejected"},
		{strings.Repeat("a", 26), ``, 404, "not_found"},
		{"nonsense", ``, 404, "not_found"},
		{paid, `{"seq":2}`, 400, "invalid"},
		{paid, `{"eventId":"` + paid + `.1"}`, 400, "invalid"}, // the id of another time
		{paid, `{"eventId":"` + w.merchant(paid).Delivery.Events[0].EventID + `","seq":1}`, 400, "invalid"},
		{paid, `{"seq":0}`, 400, "invalid"},
		{paid, `{"seq":-1}`, 400, "invalid"},
		{paid, `{"seq":"1"}`, 400, "invalid"},
		{paid, `{"sequence":1}`, 400, "invalid"},
		{paid, `[]`, 400, "invalid"},
	} {
		w.confirm(c.id, c.body).refused(t, c.status, c.code)
	}
	w.is(paid, "paid", false)
	w.callFrom("203.0.113.9:1234", "127.0.0.1:8080", "POST", "/merchant/orders/"+paid+"/delivery", "").refused(t, 401, "unauthorized")
}

// An order keeps that somebody must accept it; who that is, the deployment says.
func TestAnOrderIsDeliveredToTheTargetThatThereIsNow(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t, mood: until(1<<30, 500, nil)}
	w := begin(t, withWebhook(b))
	id := w.phone(alice).buy("key-of-alice", "gem_60", 2)
	w.pass(time.Minute)

	w.deliverTo("{}") // the target is taken away: nobody accepts the order
	w.pass(time.Hour)
	if w.is(id, "delivering", false); w.alarms.about("undelivered") != 1 || w.truth(id).Status == 4 {
		t.Errorf("a person was called %d times, WeChat shows %d", w.alarms.about("undelivered"), w.truth(id).Status)
	}
	own := w.phone(bob).buy("key-of-bob", "gem_60", 1)
	w.pass(time.Minute)
	w.is(own, "delivered", true)

	b.mood, b.key, b.now = nil, newKey, w.now
	w.deliverTo(webhookTo("https://elsewhere.example/hook", newKey))
	w.pass(time.Hour)
	if w.is(id, "delivered", true); b.hosts[len(b.hosts)-1] != "elsewhere.example" || w.truth(id).Status != 4 || len(w.held()) != 0 {
		t.Errorf("it went to %s, WeChat shows %d, %+v is asked", b.hosts[len(b.hosts)-1], w.truth(id).Status, w.held())
	}

	s := &shop{}
	w.opt.Deliver = s.deliver // a target of another kind
	w.restart()
	w.refunding(id, "refund-key-1", 1200)
	w.refunds(id, 1200)
	w.pass(time.Hour)
	if got := s.heard(); !slices.Equal(got, []string{"2 order.refunded 1200"}) {
		t.Errorf("the other target heard %q", got)
	}
	b.heard("1 order.paid 1200")
}

// deliverTo gives the deployment another target.
func (w *world) deliverTo(delivery string) {
	w.t.Helper()
	config := w.stack.Config
	raw, err := json.Marshal(config)
	var fields map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(raw, &fields)
	}
	fields["delivery"] = json.RawMessage(delivery)
	if raw, err2 := json.Marshal(fields); err != nil || err2 != nil {
		w.t.Fatal(err, err2)
	} else {
		w.write("config.json", string(raw))
	}
	w.restart()
}

func TestAConfirmationWhileTheTargetAnswersContradictsNothing(t *testing.T) {
	t.Parallel()
	b := &merchantServer{t: t}
	var w *world
	b.mood = func(try int) (int, error) {
		if try == 0 {
			w.confirm(w.stack.Sim.Orders()[0].OutTradeNo, "").into(t, 200, new(struct{ Order merchantJSON }))
		}
		return 200, nil
	}
	w = begin(t, withWebhook(b))
	id := w.phone(alice).buy("key-of-alice", "gem_60", 2)
	w.pass(time.Hour)
	w.is(id, "delivered", true)
	if len(b.tries) != 1 || w.alarms.about("impossible") != 0 {
		t.Errorf("%d tries, %d contradictions", len(b.tries), w.alarms.about("impossible"))
	}
}
