package order_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// Why WeChat cannot tell of a refund.
var (
	happenedUnseen = wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, Orders: wechatsim.OrderFaults{RefundQueryLag: 10000}}
	neverArrives   = wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, API: map[string]wechatsim.APIFault{"/xpay/refund_order": {CutBeforeEffect: 10000}}}
)

// openDoubtful is a shop whose refund of 500 fen is in question.
func openDoubtful(t testing.TB, why wechatsim.Faults) (s *shop, refundID string) {
	t.Helper()
	s = openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	s.stack.Sim.SetFaults(why)
	s.refund("refund-key-1", 500)
	s.pass(33 * time.Hour)
	o := s.order()
	if len(o.Attention) == 0 || o.Attention[0].Code != order.AttentionRefund {
		t.Fatalf("nobody is asked: %+v", o.Attention)
	}
	return s, o.Refunds[0].ID
}

func (s *shop) settle(refundID string, happened bool) (order.Refund, error) {
	_, r, err := s.stack.Orders.SettleRefund(s.t.Context(), s.id, refundID, happened, alice)
	return r, err
}

// settled wants WeChat's books and ours to be the same, and the refund to have ended.
func (s *shop) settled(want order.RefundState, gone order.Fen) {
	s.t.Helper()
	o := s.order()
	if sum, _ := back(s.wechat()); order.Fen(sum) != gone || o.Ledger().Refunded != gone || o.Ledger().Reserved != 0 {
		s.t.Errorf("WeChat gave back %d fen, ours is %+v, want %d", sum, o.Ledger(), gone)
	}
	if o.Refunds[0].State != want || len(o.Attention) > 0 {
		s.t.Errorf("the refund is %s, want %s; questions %+v", o.Refunds[0].State, want, o.Attention)
	}
}

func TestARefundWhoseMoneyIsMissingIsNotSettledAsNotHappened(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, happenedUnseen)
	for range 2 { // a second try changes nothing
		_, err := s.settle(id, false)
		if problem.CodeOf(err) != problem.Rejected || !strings.Contains(err.Error(), "500 fen less") || !strings.Contains(err.Error(), "已发生") {
			t.Errorf("settled as not happened: %v", err)
		}
	}
	if _, _, err := s.stack.Orders.Refund(t.Context(), order.RefundRequest{OrderID: s.id, Key: "refund-key-2", Amount: 500}); problem.CodeOf(err) != problem.Conflict {
		t.Errorf("another refund beside it: %v", err)
	}
	for range 2 {
		if r, err := s.settle(id, true); err != nil || r.State != order.RefundDone {
			t.Errorf("settled as happened it is %s, %v", r.State, err)
		}
	}
	if r, err := s.settle(id, false); err != nil || r.State != order.RefundDone {
		t.Errorf("settled the other way afterwards it is %s, %v", r.State, err)
	}
	s.settled(order.RefundDone, 500)
}

func TestARefundOfWhichNothingIsMissingIsNotSettledAsHappened(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, neverArrives)
	if _, err := s.settle(id, true); problem.CodeOf(err) != problem.Rejected || !strings.Contains(err.Error(), "0 fen less") || !strings.Contains(err.Error(), "未见发生") {
		t.Errorf("settled as happened: %v", err)
	}
	if o := s.order(); o.Refunds[0].State != order.RefundReady || o.Ledger().Refunded != 0 {
		t.Errorf("then it is %s, ledger %+v", o.Refunds[0].State, o.Ledger())
	}
	r, err := s.settle(id, false)
	if err != nil || r.State != order.RefundFailed || r.Failure != "an operator settled it as not happened" {
		t.Errorf("settled as not happened it is %s, %q, %v", r.State, r.Failure, err)
	}
	o := s.order()
	if last := o.History[len(o.History)-1]; last.Source != order.SourceOperator || last.Detail != "settled by "+alice {
		t.Errorf("the history says %+v", last)
	}
	s.settled(order.RefundFailed, 0)
	s.stack.Sim.SetFaults(wechatsim.Faults{})
	s.refund("refund-key-2", 500)
	s.pass(time.Minute)
	if sum, n := back(s.wechat()); sum != 500 || n != 1 {
		t.Errorf("WeChat gave back %d fen in %d refunds", sum, n)
	}
}

// What others gave back and told us of explains what is missing.
func TestAConsoleRefundThatIsKnownIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, neverArrives)
	f := neverArrives
	f.Push.DropAll = false
	s.stack.Sim.SetFaults(f)
	if err := s.stack.Sim.ConsoleRefund(s.id, 500); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Minute)
	if _, err := s.settle(id, true); problem.CodeOf(err) != problem.Rejected {
		t.Errorf("settled as happened: %v", err)
	}
	if r, err := s.settle(id, false); err != nil || r.State != order.RefundFailed {
		t.Errorf("settled as not happened it is %s, %v", r.State, err)
	}
	s.settled(order.RefundFailed, 500)
}

// No answer is neither yes nor no, and WeChat's own word about the number counts before a person's.
func TestWeChatIsAskedBeforeARefundIsSettled(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]wechatsim.Faults{
		"nothing is answered": {API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1 << 30}}},
		"left_fee is missing": {Orders: wechatsim.OrderFaults{OmitFields: []string{"left_fee"}, RefundQueryLag: 1 << 30}},
		"no payment is shown": {Orders: wechatsim.OrderFaults{OrderQueryLag: 1 << 30, RefundQueryLag: 1 << 30}},
	} {
		for why, faults := range map[string]wechatsim.Faults{"happened": happenedUnseen, "never arrived": neverArrives} {
			t.Run(name+"/"+why, func(t *testing.T) {
				t.Parallel()
				s, id := openDoubtful(t, faults)
				s.stack.Sim.SetFaults(path)
				for _, happened := range []bool{true, false} {
					if _, err := s.settle(id, happened); problem.CodeOf(err) != problem.Unavailable {
						t.Errorf("settled as %t: %v", happened, err)
					}
				}
				if o := s.order(); o.Ledger().Reserved != 500 || len(o.Attention) == 0 {
					t.Errorf("ledger %+v, questions %+v", o.Ledger(), o.Attention)
				}
			})
		}
	}
	s, id := openDoubtful(t, happenedUnseen)
	s.stack.Sim.SetFaults(wechatsim.Faults{}) // now the query knows the number
	if r, err := s.settle(id, false); err != nil || r.State != order.RefundDone || r.WxRefundID == "" {
		t.Errorf("it is %s of %q, %v", r.State, r.WxRefundID, err)
	}
	s.settled(order.RefundDone, 500)
}

func TestARefundThatRunsIsNotSettledAsNotHappened(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, Orders: wechatsim.OrderFaults{RefundRunningQueries: 10000}})
	if _, err := s.settle(id, false); problem.CodeOf(err) != problem.Rejected {
		t.Errorf("settled as not happened: %v", err)
	}
	if o := s.order(); o.Refunds[0].State != order.RefundRunning {
		t.Errorf("then it is %s", o.Refunds[0].State)
	}
}

// Two people who say the opposite at once: the money decides, and it is booked once.
func TestARefundIsSettledOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, happenedUnseen)
	var mu sync.Mutex
	var told []order.Fen
	operator := *s.stack.Orders
	operator.Saw = func(_ context.Context, c order.Change) { mu.Lock(); told = append(told, c.Refunded()...); mu.Unlock() }
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, r, err := operator.SettleRefund(t.Context(), s.id, id, i%2 == 0, alice)
			if err == nil && r.State != order.RefundDone || err != nil && !errors.Is(err, problem.Unavailable) && !errors.Is(err, problem.Rejected) {
				t.Errorf("it is %s, %v", r.State, err)
			}
		})
	}
	all.Wait()
	if r, err := s.settle(id, true); err != nil || r.State != order.RefundDone {
		t.Errorf("in the end it is %s, %v", r.State, err)
	}
	s.settled(order.RefundDone, 500)
	if len(told) > 1 {
		t.Errorf("it was counted as %v", told)
	}
}

// A crash or a lost answer at any call leaves a refund that can be settled again, and never a wrong one.
func TestSettlingSurvivesEveryCrashAndLostAnswer(t *testing.T) {
	t.Parallel()
	faults := map[string]store.Fault{"lost": store.Lost, "happened": store.Happened, "crash before": store.CrashBefore, "crash after": store.CrashAfter}
	for side, calls := range map[string]int{"store": 3, "outside": 2} { // read, claim, outcome; the number, the payment
		for fault, f := range faults {
			for n := 1; n <= calls; n++ {
				t.Run(fmt.Sprintf("%s call %d/%s", side, n, fault), func(t *testing.T) {
					t.Parallel()
					s, id := openDoubtful(t, happenedUnseen)
					s.trouble.side, s.trouble.n, s.trouble.fault, s.trouble.armed = side, n, f, true
					err := s.try(func() error { _, err := s.settle(id, false); return err })
					if err == nil {
						t.Error("it was settled as not happened")
					}
					s.trouble.armed = false
					s.insist("settle", func(context.Context) error { _, err := s.settle(id, true); return err })
					s.settled(order.RefundDone, 500)
				})
			}
		}
	}
}

// The number was paid twice, so left_fee is of one of the payments: what fell since the refund began counts.
func TestOfANumberPaidTwiceWhatFellSinceCounts(t *testing.T) {
	t.Parallel()
	for happened, f := range map[bool]wechatsim.Faults{true: happenedUnseen, false: neverArrives} {
		s := openShop(t)
		s.create()
		s.stack.Sim.SetFaults(wechatsim.Faults{Orders: wechatsim.OrderFaults{PayTwice: 1, PayTwiceShowsFirst: true}})
		s.pay("pay")
		s.pass(time.Minute)
		if o := s.order(); len(o.Attempts[0].Payments) != 2 {
			t.Fatalf("there are %d payments", len(o.Attempts[0].Payments))
		}
		f.Orders.PayTwiceShowsFirst = true
		s.stack.Sim.SetFaults(f)
		s.refund("refund-key-1", 500)
		s.pass(33 * time.Hour)
		id := s.order().Refunds[0].ID
		if _, err := s.settle(id, !happened); problem.CodeOf(err) != problem.Rejected {
			t.Errorf("happened %t, settled as %t: %v", happened, !happened, err)
		}
		if r, err := s.settle(id, happened); err != nil || (r.State == order.RefundDone) != happened {
			t.Errorf("happened %t: settled as such it is %s, %v", happened, r.State, err)
		}
	}
}

// The bytes of a refund are on their way: whether it happens is not decided yet.
func TestARefundIsNotSettledWhileItIsSent(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, neverArrives)
	sends := 0
	s.onCall = func(path string) {
		if path != "refund_order" {
			return
		}
		sends++
		if _, err := s.settle(id, false); problem.CodeOf(err) != problem.Unavailable {
			t.Errorf("settled while it was sent: %v", err)
		}
	}
	s.pass(24 * time.Hour)
	if sends == 0 {
		t.Error("nothing was sent")
	}
}

func TestTheHistorySaysWhoAskedForARefund(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	for by, want := range map[string]string{alice: "by " + alice, "": "by operator"} {
		r := order.RefundRequest{OrderID: s.id, Key: "refund-key-" + strconv.Itoa(len(by)), Amount: 100, By: by}
		if _, _, err := s.stack.Orders.Refund(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Hour)
		h := s.order().History
		if !slices.ContainsFunc(h, func(e order.Entry) bool { return e.Event == order.EventReserved && e.Detail == want }) {
			t.Errorf("%q asked: %+v", by, h)
		}
	}
}

// undecided wants neither word to be taken, and nothing to be booked by the attempt.
func (s *shop) undecided(refundID, why string) {
	s.t.Helper()
	was := s.order()
	before := was.Ledger()
	for _, happened := range []bool{true, false} {
		if r, err := s.settle(refundID, happened); problem.CodeOf(err) != problem.Rejected || !strings.Contains(err.Error(), why) {
			s.t.Errorf("happened %t: %s, %v", happened, r.State, err)
		}
	}
	if o := s.order(); o.Ledger() != before || !o.Lease.Until.IsZero() {
		s.t.Errorf("it was %+v, now %+v; lease %+v", before, o.Ledger(), o.Lease)
	}
}

// paidTwice is a shop whose number was paid twice; WeChat shows the first payment.
func paidTwice(t *testing.T) *shop {
	t.Helper()
	s := openShop(t)
	s.create()
	s.stack.Sim.SetFaults(wechatsim.Faults{Orders: wechatsim.OrderFaults{PayTwice: 1, PayTwiceShowsFirst: true}})
	s.pay("pay")
	s.pass(time.Minute)
	return s
}

// TestWhatWasKnownWhenLeftFeeWasReadIsNotCountedAgain: a refund in the console, between the question and the first answer to it.
func TestWhatWasKnownWhenLeftFeeWasReadIsNotCountedAgain(t *testing.T) {
	t.Parallel()
	s := paidTwice(t)
	silent := wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1 << 30}}}
	silent.Orders.PayTwiceShowsFirst = true
	s.stack.Sim.SetFaults(silent)
	s.refund("refund-key-1", 500)
	s.pass(2 * time.Second)
	if err := s.stack.Sim.ConsoleRefund(s.id, 200); err != nil {
		t.Fatal(err)
	}
	s.pass(3 * time.Second)
	unseen := happenedUnseen
	unseen.Orders.PayTwiceShowsFirst = true
	s.stack.Sim.SetFaults(unseen)
	s.pass(33 * time.Hour)
	id := s.order().Refunds[0].ID
	if r, err := s.settle(id, false); problem.CodeOf(err) != problem.Rejected {
		t.Errorf("settled as not happened it is %s, %v", r.State, err)
	}
	if r, err := s.settle(id, true); err != nil || r.State != order.RefundDone {
		t.Errorf("settled as happened it is %s, %v", r.State, err)
	}
	o := s.order()
	if sum, n := back(s.wechat()); sum != 700 || n != 2 || o.Ledger().Refunded != 700 {
		t.Errorf("WeChat gave back %d in %d, ours is %+v", sum, n, o.Ledger())
	}
}

func TestTheLeftFeeOfAnotherPaymentDecidesNothing(t *testing.T) {
	t.Parallel()
	for _, f := range []wechatsim.Faults{happenedUnseen, neverArrives} {
		s := paidTwice(t)
		f.Orders.PayTwiceShowsFirst = true
		s.stack.Sim.SetFaults(f)
		s.refund("refund-key-1", 500)
		s.pass(33 * time.Hour)
		f.Orders.PayTwiceShowsFirst = false
		s.stack.Sim.SetFaults(f)
		s.undecided(s.order().Refunds[0].ID, "can tell neither")
	}
}

// TestARefundOfWhichNothingWasSentIsNotSettled: its sending goes on as soon as WeChat answers.
func TestARefundOfWhichNothingWasSentIsNotSettled(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, Orders: wechatsim.OrderFaults{OrderQueryLag: 1 << 30}})
	s.refund("refund-key-1", 500)
	s.pass(33 * time.Hour)
	o := s.order()
	if o.Refunds[0].State != order.RefundReserved || len(o.Attention) == 0 {
		t.Fatalf("it is %s, questions %+v", o.Refunds[0].State, o.Attention)
	}
	if err := s.stack.Sim.ConsoleRefund(s.id, 500); err != nil {
		t.Fatal(err)
	}
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	s.undecided(o.Refunds[0].ID, "under way")
}

// TestARefundThatRunsIsNotSettled: it may end without moving money, and left_fee comes back.
func TestARefundThatRunsIsNotSettled(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, Orders: wechatsim.OrderFaults{RefundRunningQueries: 1 << 30}})
	s.undecided(id, "running")
}

// TestBooksWithARefundTwiceSettleNothing: a person took a refund in the console for ours, and its notice came late.
func TestBooksWithARefundTwiceSettleNothing(t *testing.T) {
	t.Parallel()
	s, id := openDoubtful(t, neverArrives)
	f := neverArrives
	f.Push.DropAll, f.Push.Delay = false, wechatsim.Duration(2*time.Hour)
	s.stack.Sim.SetFaults(f)
	if err := s.stack.Sim.ConsoleRefund(s.id, 500); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Minute)
	if _, err := s.settle(id, false); problem.CodeOf(err) != problem.Rejected || !strings.Contains(err.Error(), "or another of which we were not told") {
		t.Errorf("%v", err)
	}
	if _, err := s.settle(id, true); err != nil {
		t.Fatal(err)
	}
	s.stack.Sim.SetFaults(wechatsim.Faults{})
	s.pass(5 * time.Hour)
	s.stack.Sim.SetFaults(happenedUnseen)
	s.refund("refund-key-2", 500)
	s.pass(33 * time.Hour)
	o := s.order()
	for _, r := range o.Refunds {
		if !r.Foreign && r.ID != id {
			s.undecided(r.ID, "can tell neither")
		}
	}
	if sum, n := back(s.wechat()); sum != 1000 || n != 2 {
		t.Errorf("WeChat gave back %d in %d", sum, n)
	}
}
