package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestOneRefundKeyIsOneRefundWhicheverWayTheAttemptIsNamed(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	first := w.refunding(id, "refund-key-1", 600)
	w.pass(2 * time.Minute)
	var again refundReply
	w.refund(id, "refund-key-1", 600, `,"attempt":1`).into(t, 200, &again)
	if again.Refund.ID != first.ID {
		t.Errorf("the same key means %s and %s", first.ID, again.Refund.ID)
	}
	w.refund(id, "refund-key-1", 600, `,"attempt":2`).refused(t, 409, "conflict")
	w.refund(id, "refund-key-1", 700, "").refused(t, 409, "conflict")
	w.pass(2 * time.Minute)
	if back, n := moneyBack(w.truth(id)); back != 600 || n != 1 {
		t.Errorf("%d fen went back in %d refunds", back, n)
	}
}

func TestAConsoleRefundThatFailsTakesNothingFromTheUser(t *testing.T) {
	t.Parallel()
	for _, heard := range []bool{true, false} {
		w := begin(t)
		f := losePushes()
		f.Orders = wechatsim.OrderFaults{RefundFails: 1}
		w.faults(f)
		p := w.phone(alice)
		id := p.buy("key-of-alice", "vip_month", 1)
		w.pass(5 * time.Second)
		if err := w.stack.Sim.ConsoleRefund(id, 1800); err != nil {
			t.Fatal(err)
		}
		p.poll(id) // sees that nothing is left while the refund runs
		w.is(id, "paid", false)
		if heard {
			w.faults(wechatsim.Faults{})
		}
		w.leap(24 * time.Hour)
		w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
	}
}

func TestStatus5WithoutLeftFeeProvesNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.faults(losePushes())
	p := w.phone(alice)
	id := p.buy("key-of-alice", "vip_month", 1)
	f := losePushes()
	f.Orders.OmitFields = []string{"left_fee"}
	w.faults(f)
	if err := w.stack.Sim.ConsoleRefund(id, 1800); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Minute)
	w.is(id, "created", false)
	w.faults(wechatsim.Faults{})
	w.leap(24 * time.Hour)
	w.is(id, "delivered", false).ledger(t, 1800, 0, 0, 1800, 0) // the push came first, then the refund's
}

func TestAppleIsNotToldThatAnOrderDoesNotExistWhenTheStoreIsDown(t *testing.T) {
	t.Parallel()
	down := false
	w := begin(t, inProduction, wrapped(func(s store.Store) store.Store {
		return &store.Faulty{Store: s, Plan: func(store.Call) store.Fault {
			if down {
				return store.Lost
			}
			return store.None
		}}
	}))
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	w.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: alice, Mode: pay.Mode, SignData: pay.SignData, PaySig: pay.PaySig, Signature: pay.Signature, Channel: "apple",
	})
	w.settle()
	down = true
	if err := w.stack.Sim.AskAppleRefund(o.ID, "UNINTENDED_PURCHASE"); err != nil {
		t.Fatal(err)
	}
	w.stack.Sim.DeliverDue(t.Context())
	pushes := w.truth(o.ID).Pushes
	if last := pushes[len(pushes)-1]; last.Answered || strings.Contains(last.LastAnswer, "未找到") {
		t.Errorf("Apple is told %+v", last)
	}
}

func TestARefundOfAnOrderWhosePushWasLostAsksWeChatFirst(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.faults(losePushes())
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.refunding(id, "refund-key-1", 600)
	w.pass(time.Minute)
	if back, n := moneyBack(w.truth(id)); back != 600 || n != 1 {
		t.Errorf("%d fen went back in %d refunds", back, n)
	}
}

func TestAHintDoesNotWaitBehindAnOldBackOff(t *testing.T) {
	t.Parallel()
	w := begin(t)
	f := wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": {CutBeforeEffect: 1000}}}
	w.faults(f)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "gem_60", 3)
	w.pass(40 * time.Minute)
	w.faults(wechatsim.Faults{})
	p.pay(pay)
	w.pass(5 * time.Second)
	w.is(o.ID, "delivered", true)
}

func TestARefundThatNobodyCanTellIsSettledByAPerson(t *testing.T) {
	t.Parallel()
	for _, happened := range []bool{true, false} {
		w := begin(t)
		id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
		w.settle()
		f := wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}}
		if happened {
			f.Orders = wechatsim.OrderFaults{RefundQueryLag: 10000}
		} else {
			f.API = map[string]wechatsim.APIFault{"/xpay/refund_order": {CutBeforeEffect: 10000}}
		}
		w.faults(f)
		r := w.refunding(id, "refund-key-1", 300)
		say := func(happened bool) answer {
			return w.call("POST", "/merchant/orders/"+id+"/refunds/"+r.ID, fmt.Sprintf(`{"happened":%t}`, happened))
		}
		settle := func() answer { return say(happened) }
		settle().refused(t, 422, "rejected") // WeChat has not been asked enough
		w.leap(50 * time.Hour)
		if held := w.held(); len(held) == 0 {
			t.Fatal("nobody is asked")
		}
		say(!happened).refused(t, 422, "rejected") // left_fee says otherwise
		var reply refundReply
		settle().into(t, 200, &reply)
		if want := map[bool]string{true: "done", false: "failed"}[happened]; reply.Refund.State != want {
			t.Errorf("settled as %s, want %s", reply.Refund.State, want)
		}
		settle().into(t, 200, &reply)        // twice is harmless
		w.refunding(id, "refund-key-2", 100) // and the way is free
		w.call("POST", "/merchant/orders/"+id+"/refunds/rnothing", `{"happened":true}`).refused(t, 404, "not_found")
		w.call("POST", "/merchant/orders/"+id+"/refunds/"+r.ID, `{}`).refused(t, 400, "invalid")
	}
}

func TestAttachWithControlCharactersIsRefused(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.phone(alice).post("/orders", "key-of-alice", `{"productId":"vip_month","quantity":1,"attach":"a\u0000b"}`).refused(t, 400, "invalid")
}
