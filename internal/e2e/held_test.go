package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// mismatches is every way in which a payment may not be the order's. Less than the amount is none of them: it may be a
// coupon, so the query decides (docs/decisions/0014).
func mismatches() map[string]func(*paid) {
	return map[string]func(*paid){
		"a fen too much":    func(p *paid) { p.actual = 1801 },
		"nothing":           func(p *paid) { p.actual = 0 },
		"a negative amount": func(p *paid) { p.actual = -1800 },
		"another payer":     func(p *paid) { p.openID = bob },
		"another env":       func(p *paid) { p.env = 0 },
		"another product":   func(p *paid) { p.product = "gem_60" },
		"another quantity":  func(p *paid) { p.quantity = 2 },
	}
}

// heldOrder is an order that was really paid, and whose push says something else.
func heldOrder(t *testing.T, change func(*paid)) (w *world, id string, lie paid) {
	w = begin(t)
	w.faults(losePushes())
	id = w.phone(alice).buy("key-of-alice", "vip_month", 1)
	lie = goodPush(id, w.truth(id).Payments[0].TransactionID)
	change(&lie)
	return w, id, lie
}

func TestMoneyThatIsNotTheOrdersIsHeld(t *testing.T) {
	t.Parallel()
	for name, change := range mismatches() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id, lie := heldOrder(t, change)
			for i := range 3 {
				status, body := w.push(forged{nonce: fmt.Sprint(i)}, lie.json())
				if !again(status, body) {
					t.Fatalf("answered %d %s", status, body)
				}
			}
			m := w.is(id, "held", false)
			if m.Ledger.Held != max(0, lie.actual) || m.Ledger.Paid != 0 {
				t.Errorf("ledger %+v, want %d held", m.Ledger, max(0, lie.actual))
			}
			held := w.held()
			if len(held) != 1 || held[0].Number != id || held[0].Code != "mismatch" || held[0].Order == nil || held[0].Reason == "" {
				t.Errorf("held: %+v", held)
			}
			if w.alarms.about("mismatch") != 1 || len(w.alarms.all) != 1 {
				t.Errorf("alarms: %+v", w.alarms.all)
			}
			if got := w.phone(alice).poll(id); got.State != "held" || got.Owned {
				t.Errorf("the phone sees %+v", got)
			}
			w.leap(8 * 24 * time.Hour) // nobody lets it go by itself
			w.is(id, "held", false)
			if w.truth(id).Status == 4 {
				t.Error("WeChat was told that it is delivered")
			}
		})
	}
}

func TestAcceptLeadsOutOfHeld(t *testing.T) {
	t.Parallel()
	for name, change := range mismatches() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id, lie := heldOrder(t, change)
			w.push(forged{}, lie.json())
			w.call("POST", "/merchant/orders/"+id+"/accept", "").into(t, 200, new(struct{}))
			w.pass(2 * time.Minute)
			w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0) // the query told what was really paid
			if len(w.held()) != 0 {
				t.Errorf("held: %+v", w.held())
			}
			if got := w.truth(id).Status; got != 4 {
				t.Errorf("WeChat shows %d", got)
			}
			w.call("POST", "/merchant/orders/"+id+"/accept", "").into(t, 200, new(struct{})) // twice is harmless
			w.is(id, "delivered", true)
		})
	}
}

func TestARefundLeadsOutOfHeld(t *testing.T) {
	t.Parallel()
	for name, change := range mismatches() {
		if name == "nothing" || name == "a negative amount" {
			continue // see the test below
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id, lie := heldOrder(t, change)
			w.push(forged{}, lie.json())
			w.refunding(id, "refund-key-1", 1800)
			w.pass(time.Minute)
			w.is(id, "closed", false).ledger(t, 0, 0, 1800, 1800, 0)
			if back, n := moneyBack(w.truth(id)); back != 1800 || n != 1 {
				t.Errorf("%d fen went back in %d refunds", back, n)
			}
			if len(w.held()) != 0 {
				t.Errorf("held: %+v", w.held())
			}
		})
	}
}

// A push that says less than was paid must not be the last word on what can go back: WeChat's left_fee is.
func TestHeldMoneyGoesBackWholeAlthoughThePushSaidLess(t *testing.T) {
	t.Parallel()
	for _, said := range []int64{0, -1800} {
		t.Run(fmt.Sprintf("the push said %d", said), func(t *testing.T) {
			t.Parallel()
			w, id, lie := heldOrder(t, func(p *paid) { p.actual = said })
			w.push(forged{}, lie.json())
			for i, amount := range []int64{1800, max(said, 1), 1800 - max(said, 0), 1799} { // whoever tries long enough
				w.refund(id, fmt.Sprintf("refund-key-%d", i), amount, "")
				w.pass(time.Minute)
			}
			if back, _ := moneyBack(w.truth(id)); back != 1800 {
				t.Errorf("%d fen went back, want all 1800 that were paid: %+v", back, w.merchant(id).Ledger)
			}
			w.is(id, "closed", false)
		})
	}
}

func TestTheRightPushAfterAWrongOneDoesNotLetHeldMoneyGo(t *testing.T) {
	t.Parallel()
	w, id, lie := heldOrder(t, func(p *paid) { p.quantity = 7 })
	w.push(forged{}, lie.json())
	right := goodPush(id, lie.txn)
	if status, body := w.push(forged{}, right.json()); !again(status, body) {
		t.Errorf("answered %d %s", status, body)
	}
	w.is(id, "held", false)
}

func TestAPushThatSaysLessThanTheAmountIsAHintAndTheQueryDecides(t *testing.T) {
	t.Parallel()
	for _, said := range []int64{1, 1799} {
		w, id, lie := heldOrder(t, func(p *paid) { p.actual = said })
		if status, body := w.push(forged{}, lie.json()); !again(status, body) {
			t.Errorf("answered %d %s", status, body)
		}
		w.is(id, "created", false)
		w.settle()
		w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0) // what the query told
	}
	w := begin(t)
	o, _ := w.phone(alice).create("key-of-alice", "vip_month", 1)
	lie := goodPush(o.ID, "4500000138202603010000000001")
	lie.actual = 1 // and WeChat knows of no payment
	w.push(forged{}, lie.json())
	w.pass(time.Hour)
	w.is(o.ID, "created", false).ledger(t, 0, 0, 0, 0, 0)
}

func TestAWrongPushAfterDeliveryCallsAPersonAndTakesNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	lie := goodPush(id, "4500000138202603019999999999")
	lie.openID = bob
	if status, body := w.push(forged{}, lie.json()); !again(status, body) {
		t.Errorf("answered %d %s", status, body)
	}
	w.is(id, "delivered", true)
	if len(w.held()) != 1 || len(w.alarms.all) != 1 {
		t.Errorf("held %+v, alarms %+v", w.held(), w.alarms.all)
	}
	w.call("POST", "/merchant/orders/"+id+"/accept", "").into(t, 200, new(struct{}))
	if len(w.held()) != 0 {
		t.Error("a person has seen it, and it is asked again")
	}
}

// A user may pay less than the price with a coupon of WeChat's: order_fee stays, paid_fee is less (spec 4.6 knows a
// coupon_fee). Whether the push or the query comes first must not decide whether the order is held.
func TestACouponOfWeChatGivesTheSameEndByPushAndByQuery(t *testing.T) {
	t.Parallel()
	states := map[string]string{}
	for _, by := range []string{"push", "query"} {
		w := begin(t)
		p := w.phone(alice)
		f := wechatsim.Faults{Orders: wechatsim.OrderFaults{Coupon: 100}}
		f.Push.DropAll = by == "query"
		w.faults(f)
		id := p.buy("key-of-alice", "vip_month", 1)
		w.pass(5 * time.Minute)
		states[by] = w.merchant(id).State
	}
	if states["push"] != states["query"] {
		t.Errorf("the same payment is %s by push and %s by query", states["push"], states["query"])
	}
}

// The request names no attempt, so which one it means is decided once, when the key is first used.
func TestTheSameRefundKeyMeansTheSameRefundWhateverWasPaidSince(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	p.cancel(pay)
	next := p.attempt(o.ID, "{}")
	w.faults(losePushes())
	p.pay(*next.Payment)
	second := o.ID + "-2"
	lie := goodPush(second, w.truth(second).Payments[0].TransactionID)
	lie.quantity = 7
	w.push(forged{}, lie.json())
	w.is(o.ID, "held", false)
	first := w.refunding(o.ID, "refund-key-1", 1800)
	if first.Attempt != 2 {
		t.Fatalf("the refund is of attempt %d", first.Attempt)
	}
	if err := w.stack.Sim.Pay(o.ID); err != nil { // the cashier of attempt 1 was still open
		t.Fatal(err)
	}
	w.push(forged{}, goodPush(o.ID, w.truth(o.ID).Payments[0].TransactionID).json())
	var reply refundReply // the merchant never saw the first answer and asks again
	a := w.refund(o.ID, "refund-key-1", 1800, "")
	if a.status != 200 && a.status != 202 {
		t.Fatal(a)
	}
	a.into(t, a.status, &reply)
	if reply.Refund.ID != first.ID {
		t.Errorf("the same key started another refund, of attempt %d", reply.Refund.Attempt)
	}
	w.pass(time.Minute)
	one, _ := moneyBack(w.truth(o.ID))
	two, _ := moneyBack(w.truth(second))
	if one+two != 1800 {
		t.Errorf("%d fen went back for one request of 1800", one+two)
	}
}
