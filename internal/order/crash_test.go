package order_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// story is a whole life under one trouble: create, pay with the push lost, reconcile, refund a part, refund the rest.
func (s *shop) story(side string, n int, fault store.Fault) {
	s.t.Helper()
	s.trouble.side, s.trouble.n, s.trouble.fault, s.trouble.armed = side, n, fault, true
	s.create()
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	s.pay("pay")
	s.pass(5 * time.Minute)
	s.stack.Sim.SetFaults(wechatsim.Faults{})
	if o := s.order(); o.State != order.Delivered {
		s.t.Fatalf("five minutes after the payment the order is %s", o.State)
	}
	s.refund("refund-key-1", 600)
	s.pass(5 * time.Minute)
	s.refund("refund-key-2", 1200)
	s.pass(9 * 24 * time.Hour)
	s.refund("refund-key-1", 600) // a client that never saw the answer
}

// audit compares WeChat's books, the target's and ours.
func (s *shop) audit() {
	s.t.Helper()
	o, v := s.order(), s.wechat()
	if sum, n := back(v); sum != vipPrice || n != 2 {
		s.t.Errorf("WeChat gave back %d fen in %d refunds: %+v", sum, n, v.Refunds)
	}
	if len(v.Payments) != 1 || v.DeliveredAt.IsZero() {
		s.t.Errorf("at WeChat: %d payments, delivered at %v", len(v.Payments), v.DeliveredAt)
	}
	if got, want := o.Ledger(), (order.Ledger{Paid: vipPrice, Refunded: vipPrice}); got != want {
		s.t.Errorf("our ledger is %+v, want %+v", got, want)
	}
	deliveries := 0
	for _, e := range o.History {
		if e.To == order.Delivered {
			deliveries++
		}
	}
	if o.State != order.Delivered || o.Owned() || deliveries != 1 {
		s.t.Errorf("the order is %s, owned %v, delivered %d times", o.State, o.Owned(), deliveries)
	}
	if due := o.DueAt(); !due.IsZero() {
		s.t.Errorf("it is due at %v, for ever", due)
	}
	if len(o.Attention) > 0 {
		s.t.Errorf("a person is asked: %+v", o.Attention)
	}
	s.auditTarget(o)
}

// auditTarget: every event came at least once, in order, and always the same.
func (s *shop) auditTarget(o order.Order) {
	s.t.Helper()
	if o.Target == "" {
		return
	}
	want := []string{"1 order.paid 1800", "2 order.refunded 600", "3 order.refunded 1200"}
	var got []string
	for _, d := range s.heard {
		text := fmt.Sprintf("%d %s %d", d.Event.Seq, d.Event.Type, d.Event.Fee)
		if len(got) == 0 || got[len(got)-1] != text {
			got = append(got, text)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("the target heard %q, want %q", got, want)
	}
}

// TestACrashOrALostAnswerAtEveryStep strikes every call to the store and to the outside, one after the other, in
// every way, and looks what became of the money.
func TestACrashOrALostAnswerAtEveryStep(t *testing.T) {
	t.Parallel()
	faults := map[string]store.Fault{"lost": store.Lost, "happened": store.Happened, "crash before": store.CrashBefore, "crash after": store.CrashAfter}
	for name, changes := range map[string][]func(*localenv.Options){"own target": nil, "target": {withTarget}} {
		calm := openShop(t, changes...)
		calm.story("", 0, store.None)
		calm.audit()
		step := 1
		if testing.Short() || order.RaceEnabled {
			step = 5
		}
		offset := 0
		for side, calls := range calm.trouble.calls {
			if calls < 8 {
				t.Errorf("%s: only %d calls to the %s: the story is too short", name, calls, side)
			}
			for fault, f := range faults {
				offset++
				for n := 1 + offset%step; n <= calls; n += step {
					t.Run(fmt.Sprintf("%s/%s call %d/%s", name, side, n, fault), func(t *testing.T) {
						t.Parallel()
						s := openShop(t, changes...)
						s.story(side, n, f)
						s.audit()
					})
				}
			}
		}
	}
}
