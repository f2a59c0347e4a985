package order_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// remembering keeps every version of every order, as point-in-time recovery does.
type remembering struct {
	store.Store
	mu       sync.Mutex
	versions []store.Doc
}

func (r *remembering) Create(ctx context.Context, d store.Doc) (store.Doc, error) {
	kept, err := r.Store.Create(ctx, d)
	return r.note(kept, err)
}

func (r *remembering) Update(ctx context.Context, d store.Doc) (store.Doc, error) {
	kept, err := r.Store.Update(ctx, d)
	return r.note(kept, err)
}

func (r *remembering) note(kept store.Doc, err error) (store.Doc, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && kept.Kind() == order.KindOrder {
		r.versions = append(r.versions, kept)
	}
	return kept, err
}

// rewindable is a shop whose order can be put back to what it was.
type rewindable struct {
	*shop
	past *remembering
}

func openRewindable(t testing.TB, changes ...func(*localenv.Options)) rewindable {
	t.Helper()
	past := &remembering{}
	s := openShop(t, append(slices.Clone(changes), func(o *localenv.Options) {
		under := o.WrapStore
		o.WrapStore = func(to store.Store) store.Store { past.Store = to; return under(past) }
	})...)
	return rewindable{s, past}
}

// point is the order's document as it is now.
func (s *shop) point() store.Doc {
	s.t.Helper()
	doc, err := s.raw.Get(context.Background(), order.DocID(s.id))
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

// putBack is the restore: the store knows nothing that came after the point.
func (s *shop) putBack(point store.Doc) {
	s.t.Helper()
	point.Version, point.Stamp = s.point().Version, store.NewStamp()
	if _, err := s.raw.Update(context.Background(), point); err != nil {
		s.t.Fatal(err)
	}
}

// recheckNow is the operator after a restore.
func (s *shop) recheckNow() {
	s.t.Helper()
	s.insist("recheck", func(ctx context.Context) error {
		_, err := s.stack.Orders.Recheck(ctx, s.id)
		return err
	})
}

// world is one way for an order to be created, paid and given back.
type world struct {
	changes []func(*localenv.Options)
	held    bool        // the push names other goods: a person must accept the money
	back    []order.Fen // the refunds, one after the other
}

var worlds = map[string]world{
	"own target, a part goes back": {back: []order.Fen{600}},
	"own target, all goes back":    {back: []order.Fen{600, vipPrice - 600}},
	"target, a part goes back":     {back: []order.Fen{600}, changes: []func(*localenv.Options){withTarget}},
	"target, all goes back":        {back: []order.Fen{600, vipPrice - 600}, changes: []func(*localenv.Options){withTarget}},
	"held at first":                {back: []order.Fen{600}, changes: []func(*localenv.Options){withTarget}, held: true},
}

// live lets the order go to its end.
func (w world) live(s *shop) {
	s.create()
	if w.held {
		s.payUnbelieved()
	} else {
		s.pay("pay")
	}
	s.pass(10 * time.Minute)
	s.accept()
	s.pass(10 * time.Minute)
	w.refund(s)
}

// payUnbelieved pays, and WeChat's push says that it was for something else.
func (s *shop) payUnbelieved() {
	s.t.Helper()
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	s.pay("pay")
	q, err := s.stack.Orders.WeChat.QueryOrder(s.t.Context(), user, xpay.ByOrderID(s.id))
	if err != nil {
		s.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"MsgType":"event","Event":"xpay_goods_deliver_notify","OpenId":"oUser-1","OutTradeNo":"%s",`+
		`"WeChatPayInfo":{"TransactionId":"%s"},"GoodsInfo":{"ProductId":"chapter_1","Quantity":1,"ActualPrice":1800}}`, s.id, q.WxpayOrderID)
	event, err := xpay.ParseEvent([]byte(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, _, err := s.stack.Orders.Record(s.t.Context(), order.Push{Event: event, Encrypted: true, Raw: []byte(body)}); err != nil {
		s.t.Fatal(err)
	}
	s.stack.Sim.SetFaults(wechatsim.Faults{})
}

// accept is the person who lets held money go.
func (s *shop) accept() {
	s.t.Helper()
	if s.order().State != order.Held {
		return
	}
	s.insist("accept", func(ctx context.Context) error {
		_, err := s.stack.Orders.Accept(ctx, s.id, alice)
		return err
	})
	if h := s.order().History; !slices.ContainsFunc(h, func(e order.Entry) bool { return e.Event == order.EventAccepted && e.Detail == "by "+alice }) {
		s.t.Errorf("nobody knows who accepted the money: %+v", h)
	}
}

// refund gives the money back; done again, it is the merchant repeating its calls.
func (w world) refund(s *shop) {
	for i, fee := range w.back {
		s.refund(fmt.Sprintf("refund-key-%d", i+1), fee)
		s.pass(10 * time.Minute)
	}
	s.pass(3 * 24 * time.Hour)
}

// names tells the events that the target heard by what they are, with their ids.
func names(heard []order.Delivery) map[string]string {
	ids := map[string]string{}
	for _, d := range heard {
		ids[fmt.Sprintf("%s %d", d.Event.Type, d.Event.Fee)] = d.Event.ID(d.Order.ID)
	}
	return ids
}

// stands says where an order stood at a point.
func stands(t testing.TB, point store.Doc) string {
	t.Helper()
	var o order.Order
	if err := json.Unmarshal(point.Body, &o); err != nil {
		t.Fatal(err)
	}
	text := string(o.State)
	for _, r := range o.Refunds {
		text += " " + string(r.State)
	}
	return text
}

// TestAnOrderWhoseStateWentBackComesToTheSameEnd puts back every version of the order that was ever stored, one after the other,
// after the world has gone on to its end, and lets operator, merchant and workers do what they do after a restore.
func TestAnOrderWhoseStateWentBackComesToTheSameEnd(t *testing.T) {
	t.Parallel()
	for name, w := range worlds {
		for _, deduplicated := range []bool{true, false} {
			for _, recheckedFirst := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, numbers deduplicated %t, rechecked first %t", name, deduplicated, recheckedFirst), func(t *testing.T) {
					t.Parallel()
					s := openRewindable(t, w.changes...)
					w.live(s.shop)
					w.same(s.shop, "before any restore", nil)
					s.stack.Sim.SetFaults(wechatsim.Faults{Orders: wechatsim.OrderFaults{RefundNotDeduplicated: !deduplicated}})
					w.rewind(s, recheckedFirst)
				})
			}
		}
	}
}

// rewind puts the order back to each of its versions, until one comes to another end.
func (w world) rewind(s rewindable, recheckedFirst bool) {
	ids, points := names(s.heard), slices.Clone(s.past.versions)
	var states []string
	for i, point := range points {
		at := stands(s.t, point)
		states = append(states, strings.Fields(at)...)
		s.heard = nil
		s.putBack(point)
		w.afterRestore(s.shop, recheckedFirst)
		if w.same(s.shop, fmt.Sprintf("put back to version %d (%s)", i+1, at), ids); s.t.Failed() {
			return
		}
	}
	w.passed(s.t, states)
}

// afterRestore is what is done when the table is back: the merchant repeats what it asked for, before the recheck of the runbook or
// after it, and a person accepts held money again.
func (w world) afterRestore(s *shop, recheckedFirst bool) {
	if recheckedFirst {
		s.recheckNow()
	}
	s.accept()
	s.pass(10 * time.Minute)
	w.refund(s)
	s.recheckNow()
	s.pass(3 * 24 * time.Hour)
}

// same compares WeChat's books, the target's and ours. ids are the events that the target heard before the restore.
func (w world) same(s *shop, when string, ids map[string]string) {
	s.t.Helper()
	var want order.Fen
	for _, fee := range w.back {
		want += fee
	}
	o := s.order()
	if sum, n := back(s.wechat()); sum != int64(want) || n != len(w.back) {
		s.t.Errorf("%s: WeChat gave back %d fen in %d refunds", when, sum, n)
	}
	if got, want := o.Ledger(), (order.Ledger{Paid: vipPrice, Refunded: want}); got != want {
		s.t.Errorf("%s: the ledger is %+v, want %+v", when, got, want)
	}
	undelivered := ids != nil && want == vipPrice && o.State == order.Paid // all was back before it was known to be paid
	asks := len(o.Attention) > 0
	if undelivered {
		asks = len(o.Attention) != 1 || o.Attention[0].Code != order.AttentionReturned || len(s.heard) > 0
	}
	if o.State != order.Delivered && !undelivered || o.Owned() != (want < vipPrice) || !o.DueAt().IsZero() || asks {
		s.t.Errorf("%s: it is %s, owned %t, due at %v, and asks %+v", when, o.State, o.Owned(), o.DueAt(), o.Attention)
	}
	for _, r := range o.Refunds {
		if r.State != order.RefundDone {
			s.t.Errorf("%s: refund of %d fen is %s %s", when, r.Fee, r.State, r.Failure)
		}
	}
	for event, id := range names(s.heard) {
		if ids != nil && ids[event] != id {
			s.t.Errorf("%s: the target heard %s with the id %s, before the restore it was %q", when, event, id, ids[event])
		}
	}
}

// passed wants the order to have been put back to every state there is on its way.
func (w world) passed(t testing.TB, states []string) {
	t.Helper()
	want := []string{"created", "delivered", "reserved", "ready", "running", "done"}
	if w.changes != nil {
		want = append(want, "paid", "delivering")
	}
	if w.held {
		want = append(want, "held")
	}
	for _, state := range want {
		if !slices.Contains(states, state) {
			t.Errorf("it was never put back to %s, only to %q", state, slices.Compact(states))
		}
	}
}

// The push of the payment was acknowledged before the restore, and the ladder of looks has ended: nothing leads to the order by itself.
func TestAnOldOrderThatWasPaidLateIsFoundByItsRecheckAfterARestore(t *testing.T) {
	t.Parallel()
	s := openShop(t, withTarget)
	s.create()
	s.pass(8 * 24 * time.Hour)
	point := s.point()
	if o := s.order(); o.State != order.Closed || !s.due().IsZero() {
		t.Fatalf("after eight days it is %s and due at %v", o.State, s.due())
	}
	s.pay("pay")
	s.pass(time.Hour)
	if o := s.order(); !o.Owned() || len(s.heard) != 1 {
		t.Fatalf("paid late it is %s, the target heard %d events", o.State, len(s.heard))
	}
	ids := names(s.heard)
	s.putBack(point)
	s.pass(30 * 24 * time.Hour)
	if o := s.order(); o.State != order.Closed {
		t.Fatalf("somebody found it: %s", o.State)
	}
	s.heard = nil
	s.recheckNow()
	s.pass(time.Hour)
	o := s.order()
	if got, want := o.Ledger(), (order.Ledger{Paid: vipPrice}); !o.Owned() || got != want || len(s.heard) != 1 || !maps.Equal(names(s.heard), ids) {
		t.Errorf("rechecked it is %s, %+v, and the target heard %v", o.State, got, names(s.heard))
	}
}

// No answer to the look at the refund's own number is no "no".
func TestARefundIsNotSentBeforeWeChatSaysThatItDoesNotKnowIt(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	s.stack.Sim.SetFaults(wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1}}})
	s.refund("refund-key-1", 600)
	if o := s.order(); o.Refunds[0].State != order.RefundReserved || s.wechat().Calls.RefundOrder != 0 {
		t.Errorf("the refund is %s after %d sends", o.Refunds[0].State, s.wechat().Calls.RefundOrder)
	}
	s.pass(time.Hour)
	if sum, n := back(s.wechat()); sum != 600 || n != 1 {
		t.Errorf("WeChat gave back %d fen in %d refunds", sum, n)
	}
}

// left_fee shows that everything went back, and the order does not know how: whether by this refund, only WeChat can tell.
func TestAForgottenRefundIsNotRefusedWhileWeChatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(10 * time.Minute)
	point := s.point()
	s.refund("refund-key-1", vipPrice)
	s.pass(time.Hour)
	s.putBack(point)
	s.recheckNow()
	again := func(key string) (order.Refund, error) {
		_, refund, err := s.stack.Orders.Refund(t.Context(), order.RefundRequest{OrderID: s.id, Key: key, Amount: vipPrice})
		return refund, err
	}
	if _, err := again("refund-key-2"); !errors.Is(err, problem.Rejected) {
		t.Errorf("another key: %v", err)
	}
	s.stack.Sim.SetFaults(wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1}}})
	if _, err := again("refund-key-1"); !errors.Is(err, problem.Unavailable) {
		t.Errorf("WeChat does not answer: %v", err)
	}
	for range 2 {
		if refund, err := again("refund-key-1"); err != nil || refund.State != order.RefundDone || refund.Fee != vipPrice {
			t.Errorf("the same key: %v, %+v", err, refund)
		}
	}
	if _, _, err := s.stack.Orders.Refund(t.Context(), order.RefundRequest{OrderID: s.id, Key: "refund-key-1", Amount: 700}); !errors.Is(err, problem.Conflict) {
		t.Errorf("the same key for another amount: %v", err)
	}
	if sum, n := back(s.wechat()); sum != vipPrice || n != 1 {
		t.Errorf("WeChat gave back %d fen in %d refunds", sum, n)
	}
}

// The table was put back to a time before the payment, and all of the money has gone back since. Nobody knows here what was delivered.
func TestNothingIsDeliveredForMoneyThatIsAllBackAndAPersonHearsOfIt(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string][]func(*localenv.Options){"own target": nil, "target": {withTarget}} {
		for _, age := range []time.Duration{0, 8 * 24 * time.Hour} { // still open, or closed
			s := openShop(t, changes...)
			s.create()
			s.pass(age)
			point, was := s.point(), s.order().State
			s.pay("pay")
			s.pass(10 * time.Minute)
			s.refund("refund-key-1", vipPrice)
			s.pass(time.Hour)
			if o := s.order(); o.State != order.Delivered || o.Owned() || len(s.alarms) != 0 {
				t.Fatalf("before the restore it is %s, owned %t", o.State, o.Owned())
			}
			s.putBack(point)
			s.heard = nil
			for range 2 {
				s.recheckNow()
				s.pass(30 * 24 * time.Hour)
			}
			o := s.order()
			if o.State != order.Paid || o.Owned() || len(s.heard) != 0 || o.Ledger() != (order.Ledger{Paid: vipPrice, Refunded: vipPrice}) {
				t.Errorf("%s, put back to %s: it is %s, owned %t, %+v, and the target heard %d events", name, was, o.State, o.Owned(), o.Ledger(), len(s.heard))
			}
			if len(o.Attention) != 1 || called(s.alarms, order.AttentionReturned) != 1 {
				t.Errorf("%s, put back to %s: it asks %+v, and a person was called %d times", name, was, o.Attention, len(s.alarms))
			}
			if _, err := s.stack.Orders.Accept(t.Context(), s.id, alice); err != nil {
				t.Fatal(err)
			}
			s.recheckNow()
			if o := s.order(); o.State != order.Paid || len(o.Attention) != 0 || len(s.heard) != 0 {
				t.Errorf("%s: seen by a person it is %s, asks %+v, and the target heard %d events", name, o.State, o.Attention, len(s.heard))
			}
		}
	}
}
