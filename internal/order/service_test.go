package order_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// noPush makes WeChat forget its pushes.
func (s *shop) noPush(o wechatsim.OrderFaults) {
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, Orders: o})
}

// Of many workers that are told of one due order, exactly one calls WeChat. Its call does not return before all
// others have given up, so they really meet.
func TestOneWorkerOfManyCallsOut(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.noPush(wechatsim.OrderFaults{})
	s.pay("pay")
	s.stack.Clock.Advance(time.Minute)
	const workers = 16
	var queries atomic.Int32
	var others sync.WaitGroup
	others.Add(workers - 1)
	s.onCall = func(path string) {
		if path == "query_order" && queries.Add(1) == 1 {
			others.Wait()
		}
	}
	var all sync.WaitGroup
	for i := range workers {
		worker := *s.stack.Orders // another process on the same store
		all.Go(func() {
			if err := worker.Advance(context.Background(), order.DocID(s.id)); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
			defer func() { _ = recover() }() // the winner is one too many
			others.Done()
		})
	}
	all.Wait()
	if o := s.order(); o.State != order.Delivered || o.Lease.Token != 1 {
		t.Errorf("the order is %s after %d claims", o.State, o.Lease.Token)
	}
	if v := s.wechat(); queries.Load() != 2 || v.Calls.NotifyProvideGoods != 1 { // the look, and the one after the notice
		t.Errorf("%d queries and %d delivery notices", queries.Load(), v.Calls.NotifyProvideGoods)
	}
}

// While one worker asks WeChat, nobody else does: a poll shows what is stored, a signature has to wait.
func TestNobodyAsksBesideTheHolderOfTheClaim(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.stack.Clock.Advance(time.Minute)
	ctx, calls := t.Context(), 0
	s.onCall = func(path string) {
		if path != "query_order" {
			return
		}
		if calls++; calls > 1 {
			t.Error("somebody asks beside the holder of the claim")
			return
		}
		if o, err := s.stack.Orders.Poll(ctx, user, s.id); err != nil || o.State != order.Created {
			t.Errorf("poll: %s, %v", o.State, err)
		}
		if _, p, err := s.stack.Orders.Attempt(ctx, user, s.id, s.session, nil); p != nil || problem.CodeOf(err) != problem.Unavailable {
			t.Errorf("attempt: %v, %v", p, err)
		}
		if err := s.stack.Orders.Advance(ctx, order.DocID(s.id)); err != nil {
			t.Error(err)
		}
	}
	if err := s.stack.Orders.Advance(ctx, order.DocID(s.id)); err != nil {
		t.Fatal(err)
	}
}

func TestManyPhonesWithOneKeyMakeOneOrder(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	var created atomic.Int32
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			o, _, fresh, err := s.stack.Orders.Create(context.Background(), order.CreateRequest{OpenID: user, SessionKey: s.session, Key: createKey, ProductID: "vip_month", Quantity: 1})
			if err != nil && problem.CodeOf(err) != problem.Unavailable {
				t.Error(err)
			}
			if fresh {
				created.Add(1)
			}
			if err == nil && len(o.Attempts) != 1 {
				t.Errorf("%d numbers were handed out", len(o.Attempts))
			}
		})
	}
	all.Wait()
	if created.Load() != 1 {
		t.Errorf("%d orders were created", created.Load())
	}
}

// Pushes, polls, refunds and workers at once: the order is delivered once and given back once.
func TestEverybodyAtOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	id, ctx := s.id, context.Background()
	all := func(calls ...func()) {
		var wg sync.WaitGroup
		for _, call := range slices.Concat(calls, calls, calls) {
			wg.Go(call)
		}
		wg.Wait()
	}
	push := func() { s.stack.Sim.DeliverDue(ctx) }
	poll := func() { _, _ = s.stack.Orders.Poll(ctx, user, id) }
	advance := func() { _ = s.stack.Orders.Advance(ctx, order.DocID(id)) }
	refund := func() {
		_, _, err := s.stack.Orders.Refund(ctx, order.RefundRequest{OrderID: id, Key: "refund-key-1", Amount: vipPrice})
		if code := problem.CodeOf(err); err != nil && code != problem.Rejected && code != problem.Unavailable {
			t.Errorf("refund: %v", err)
		}
	}
	s.stack.Clock.Advance(time.Minute)
	all(push, poll, advance)
	all(push, poll, advance, refund)
	s.pass(9 * 24 * time.Hour)
	s.refund("refund-key-1", vipPrice)
	s.pass(time.Hour)
	o, v := s.order(), s.wechat()
	if sum, n := back(v); sum != vipPrice || n != 1 {
		t.Errorf("WeChat gave back %d fen in %d refunds", sum, n)
	}
	if got, want := o.Ledger(), (order.Ledger{Paid: vipPrice, Refunded: vipPrice}); got != want || o.State != order.Delivered || len(o.Attention) > 0 {
		t.Errorf("%s, %+v, %+v", o.State, got, o.Attention)
	}
}

// A worker that was away for longer than its lease comes back: whoever took over has sent the same bytes.
func TestALateWorkerRefundsNothingTwice(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]wechatsim.OrderFaults{
		"WeChat knows finished numbers": {}, "WeChat forgets finished numbers": {RefundNotDeduplicated: true},
		"WeChat's queries lag": {RefundQueryLag: 2}, "a repeat of a running one is refused": {RefundRepeatInProgress: true, RefundRunningQueries: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			s.create()
			s.pay("pay")
			s.pass(time.Minute)
			s.noPush(faults)
			away := false
			s.onCall = func(path string) {
				if path != "refund_order" || away {
					return
				}
				away = true // the first send is held up, and others work on
				for range 5 {
					s.stack.Clock.Advance(time.Minute)
					if err := s.stack.Orders.Advance(context.Background(), order.DocID(s.id)); err != nil {
						t.Error(err)
					}
				}
			}
			s.refund("refund-key-1", 600)
			s.pass(2 * 24 * time.Hour)
			o, v := s.order(), s.wechat()
			if sum, n := back(v); sum != 600 || n != 1 {
				t.Errorf("WeChat gave back %d fen in %d refunds", sum, n)
			}
			if got, want := o.Ledger(), (order.Ledger{Paid: vipPrice, Refunded: 600}); got != want {
				t.Errorf("ledger %+v, want %+v", got, want)
			}
		})
	}
}

// Whatever WeChat answers to a send but a documented "no" leaves open whether it happened.
func TestAnAnswerThatIsNoNoEndsNoRefund(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wechatsim.APIFault{
		"our signature":        {Code: wechatsim.CodeFault{ErrCode: 268490003, Times: 1}}, // the AppKey is being changed
		"an undocumented code": {Code: wechatsim.CodeFault{ErrCode: 268499999, Times: 1}},
		"system error":         {Code: wechatsim.CodeFault{ErrCode: -1, Times: 1}},
		"frequency limit":      {Code: wechatsim.CodeFault{ErrCode: 268490015, Times: 1}},
		"500 before":           {ErrorBeforeEffect: 1},
		"500 after":            {ErrorAfterEffect: 1},
		"cut before":           {CutBeforeEffect: 1},
		"cut after":            {CutAfterEffect: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			s.create()
			s.pay("pay")
			s.pass(time.Minute)
			s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, API: map[string]wechatsim.APIFault{"/xpay/refund_order": fault}})
			s.refund("refund-key-1", 600)
			if o := s.order(); o.Refunds[0].State == order.RefundFailed {
				t.Errorf("the refund is given up: %+v", o.Refunds[0])
			}
			s.pass(time.Hour)
			sum, n := back(s.wechat())
			if o := s.order(); sum != 600 || n != 1 || o.Ledger().Refunded != 600 || !o.DueAt().IsZero() {
				t.Errorf("WeChat gave back %d fen in %d refunds, ledger %+v", sum, n, o.Ledger())
			}
		})
	}
}

// The send was not answered, WeChat does not know the number, and left_fee fell by as much as it would have taken: it
// cannot be told who took the money. Nothing is sent again, and a person is asked.
func TestADoubtfulRefundIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	sends := 0
	s.onCall = func(path string) {
		if path == "refund_order" {
			sends++
		}
	}
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, API: map[string]wechatsim.APIFault{"/xpay/refund_order": {CutBeforeEffect: 1}}})
	s.refund("refund-key-1", 600)
	if err := s.stack.Sim.ConsoleRefund(s.id, 700); err != nil {
		t.Fatal(err)
	}
	s.pass(3 * 24 * time.Hour)
	o := s.order()
	if sum, n := back(s.wechat()); sum != 700 || n != 1 || sends != 2 { // the one that was cut, and the same bytes refused by left_fee
		t.Errorf("WeChat gave back %d fen in %d refunds after %d sends", sum, n, sends)
	}
	if o.Refunds[0].State != order.RefundReady || len(o.Attention) == 0 || len(s.alarms) == 0 {
		t.Errorf("the refund is %s, questions %+v, %d alarms", o.Refunds[0].State, o.Attention, len(s.alarms))
	}
	if o.Ledger().Reserved != 600 {
		t.Errorf("ledger %+v", o.Ledger())
	}
	var told []order.Fen
	operator := *s.stack.Orders
	operator.Saw = func(_ context.Context, c order.Change) { told = append(told, c.Refunded()...) }
	was := s.point().Version
	for range 2 { // the second time nothing is written
		if _, r, err := operator.SettleRefund(t.Context(), s.id, o.Refunds[0].ID, true, alice); err != nil || r.State != order.RefundDone {
			t.Errorf("settled by a person it is %s, %v", r.State, err)
		}
	}
	if now := s.point().Version; !slices.Equal(told, []order.Fen{600}) || now != was+2 { // the licence, and the outcome
		t.Errorf("what a person settled is counted as %v, in %d writes", told, now-was)
	}
}

// A delivery target that is down for hours keeps no refund waiting, and hears everything in order afterwards.
func TestATargetThatIsDownKeepsNoRefundWaiting(t *testing.T) {
	t.Parallel()
	s := openShop(t, withTarget)
	s.down = true
	s.create()
	s.pay("pay")
	s.pass(time.Hour)
	s.refund("refund-key-1", 600)
	s.pass(time.Hour)
	if sum, _ := back(s.wechat()); sum != 600 {
		t.Errorf("an hour later WeChat has given back %d fen", sum)
	}
	if o := s.order(); o.Ledger().Refunded != 600 || o.State != order.Delivering {
		t.Errorf("the order is %s, ledger %+v", o.State, o.Ledger())
	}
	s.down = false
	s.pass(time.Hour)
	if o := s.order(); o.State != order.Delivered || len(s.heard) != 2 || s.heard[0].Event.Type != "order.paid" || s.heard[1].Event.Type != "order.refunded" {
		t.Errorf("the order is %s, the target heard %d events", o.State, len(s.heard))
	}
	if s.wechat().DeliveredAt.IsZero() {
		t.Error("WeChat was not told")
	}
}

// WeChat that does not answer keeps no delivery waiting.
func TestAWeChatThatIsDownKeepsNoDeliveryWaiting(t *testing.T) {
	t.Parallel()
	s := openShop(t, withTarget)
	s.create()
	s.pay("cancel") // the number is used
	s.pass(time.Second)
	_, p, err := s.stack.Orders.Attempt(t.Context(), user, s.id, s.session, nil)
	if err != nil || p == nil {
		t.Fatalf("next attempt: %v", err)
	}
	s.payment = p
	s.down = true
	s.pay("pay")
	s.pass(time.Second) // the push is recorded, the target is down
	s.down = false
	s.stack.Sim.SetFaults(wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1 << 30}}, Push: wechatsim.PushFaults{DropAll: true}})
	s.stack.Clock.Advance(3 * time.Minute) // the first number is due, too
	for range 20 {
		s.stack.Clock.Advance(10 * time.Minute)
		if err := s.stack.Orders.Advance(t.Context(), order.DocID(s.id)); err != nil {
			t.Fatal(err)
		}
	}
	if o := s.order(); o.State != order.Delivered {
		t.Errorf("three hours later the order is %s", o.State)
	}
}

// Status 5 on a payment order proves nothing: not that it was delivered either.
func TestAFlappingStatusIsNoDelivery(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.noPush(wechatsim.OrderFaults{StatusFlap: wechatsim.Duration(30 * time.Minute)})
	s.pay("pay")
	if err := s.stack.Sim.ConsoleRefund(s.id, 600); err != nil {
		t.Fatal(err)
	}
	s.pass(2 * time.Hour)
	o, v := s.order(), s.wechat()
	if o.State != order.Delivered || v.DeliveredAt.IsZero() {
		t.Errorf("the order is %s, at WeChat delivered at %v", o.State, v.DeliveredAt)
	}
}

// A refund that names no attempt means one attempt for ever, also when money comes in between.
func TestOneKeyMeansOneRefund(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	for range 3 {
		s.refund("refund-key-1", 600)
		s.pass(time.Minute)
	}
	if sum, n := back(s.wechat()); sum != 600 || n != 1 {
		t.Errorf("WeChat gave back %d fen in %d refunds", sum, n)
	}
	_, _, err := s.stack.Orders.Refund(t.Context(), order.RefundRequest{OrderID: s.id, Key: "refund-key-1", Amount: 601})
	if problem.CodeOf(err) != problem.Conflict {
		t.Errorf("the same key for another amount: %v", err)
	}
}

func TestWhatARefundMayBe(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	ask := func(r order.RefundRequest) problem.Code {
		r.OrderID = s.id
		_, _, err := s.stack.Orders.Refund(t.Context(), r)
		return problem.CodeOf(err)
	}
	if got := ask(order.RefundRequest{Key: "refund-key-1", Amount: 1}); got != problem.Rejected {
		t.Errorf("a refund of an unpaid order is %s", got)
	}
	s.pay("pay")
	s.pass(time.Minute)
	for name, c := range map[string]struct {
		r    order.RefundRequest
		want problem.Code
	}{
		"nothing":              {order.RefundRequest{Key: "refund-key-1"}, problem.Invalid},
		"less than nothing":    {order.RefundRequest{Key: "refund-key-1", Amount: -1}, problem.Invalid},
		"more than was paid":   {order.RefundRequest{Key: "refund-key-1", Amount: vipPrice + 1}, problem.Rejected},
		"another attempt":      {order.RefundRequest{Key: "refund-key-1", Amount: 1, Attempt: 2}, problem.Invalid},
		"a short key":          {order.RefundRequest{Key: "k", Amount: 1}, problem.Invalid},
		"a long reason":        {order.RefundRequest{Key: "refund-key-1", Amount: 1, Reason: strings.Repeat("x", 301)}, problem.Invalid},
		"a reason of controls": {order.RefundRequest{Key: "refund-key-1", Amount: 1, Reason: strings.Repeat("\x01", 10)}, problem.Invalid},
		"a broken reason":      {order.RefundRequest{Key: "refund-key-1", Amount: 1, Reason: "\xff"}, problem.Invalid},
	} {
		if got := ask(c.r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	s.stack.Clock.Advance(366 * 24 * time.Hour)
	if got := ask(order.RefundRequest{Key: "refund-key-1", Amount: 1}); got != problem.Rejected {
		t.Errorf("a refund after a year is %s", got)
	}
	if len(s.order().Refunds) > 0 {
		t.Error("a refused refund was stored")
	}
}

func TestConsumeOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	ctx := t.Context()
	o, p, _, err := s.stack.Orders.Create(ctx, order.CreateRequest{OpenID: user, SessionKey: s.session, Key: "create-key-2", ProductID: "gem_60", Quantity: 2})
	if err != nil {
		t.Fatal(err)
	}
	s.id, s.payment = o.ID, p
	use := func(who, key string) problem.Code {
		if _, err := s.stack.Orders.Consume(ctx, who, s.id, key); err != nil {
			return problem.CodeOf(err)
		}
		return "ok"
	}
	steps := []struct {
		name, who, key string
		want           problem.Code
	}{
		{"unpaid", user, "use-key-0001", problem.Rejected},
		{"by another user", "oUser-2", "use-key-0001", problem.NotFound},
		{"with a key that bloats the order", user, strings.Repeat("k", 30_000), problem.Invalid},
		{"paid", user, "use-key-0001", "ok"},
		{"repeated", user, "use-key-0001", "ok"},
		{"by another call", user, "use-key-0002", problem.Conflict},
		{"without a key", user, "", problem.Conflict},
	}
	for _, c := range steps {
		if c.name == "paid" {
			s.pay("pay")
			s.pass(time.Minute)
		}
		if got := use(c.who, c.key); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Two pieces: whether ActualPrice is one piece or the total, the query decides and the push is answered in the end.
func TestBothReadingsOfThePrice(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{"unit", "total"} {
		for _, mode := range []string{"plain", "aes"} {
			t.Run(reading+" "+mode, func(t *testing.T) {
				t.Parallel()
				s := openShop(t, func(o *localenv.Options) { o.PushMode = mode })
				s.stack.Sim.SetFaults(wechatsim.Faults{Orders: wechatsim.OrderFaults{ActualPrice: reading, Coupon: 50}})
				o, p, _, err := s.stack.Orders.Create(t.Context(), order.CreateRequest{OpenID: user, SessionKey: s.session, Key: "create-key-2", ProductID: "gem_60", Quantity: 2})
				if err != nil {
					t.Fatal(err)
				}
				s.id, s.payment = o.ID, p
				s.pay("pay")
				s.pass(10 * time.Second)
				o = s.order()
				if o.State != order.Delivered || o.Ledger() != (order.Ledger{Paid: 1150}) {
					t.Errorf("the order is %s, ledger %+v", o.State, o.Ledger())
				}
				if pushes := s.wechat().Pushes; len(pushes) != 1 || !pushes[0].Answered || pushes[0].Attempts > 2 {
					t.Errorf("pushes %+v", pushes)
				}
			})
		}
	}
}

func TestAnOrderIsFoundByTheNumberOfAnyAttempt(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	for _, number := range []string{s.id, s.id + "-2", s.id + "-9"} {
		o, err := s.stack.Orders.Get(t.Context(), number)
		if err != nil || o.ID != s.id {
			t.Errorf("%s: %v, %q", number, err, o.ID)
		}
		if o, err = s.stack.Orders.Accept(t.Context(), number, alice); err != nil || o.ID != s.id {
			t.Errorf("accept %s: %v, %q", number, err, o.ID)
		}
	}
	for _, number := range []string{s.id + "-1", s.id + "-10", "r" + s.id, s.id + "-", ""} {
		if _, err := s.stack.Orders.Get(t.Context(), number); !errors.Is(err, problem.NotFound) {
			t.Errorf("%q: %v", number, err)
		}
	}
}

// The target is down for longer than its shortest back-off, and WeChat is asked in between.
func TestWhatWeChatAnswersDoesNotBringTheNextTryOfADownTargetForward(t *testing.T) {
	t.Parallel()
	s := openShop(t, withTarget)
	s.create()
	s.down = true
	s.pay("pay")
	s.pass(10 * time.Minute)
	o := s.order()
	next, tries := o.Outbox[0].RetryAt, o.Outbox[0].Tries
	for range 3 {
		if _, err := s.stack.Orders.Recheck(t.Context(), s.id); err != nil {
			t.Fatal(err)
		}
	}
	s.now()
	if o = s.order(); tries < 5 || !o.Outbox[0].RetryAt.Equal(next) || o.Outbox[0].Tries != tries {
		t.Errorf("%d tries, the next at %v; then %+v", tries, next, o.Outbox[0])
	}
	s.down = false
	s.pass(10 * time.Minute)
	if o = s.order(); o.State != order.Delivered || len(s.heard) != 1 {
		t.Errorf("%s, heard %d times", o.State, len(s.heard))
	}
}
