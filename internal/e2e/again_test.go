package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func (p *phone) again(key, product string, quantity int) orderReply {
	p.w.t.Helper()
	var reply orderReply
	p.post("/orders", key, wanted(product, quantity)).into(p.w.t, 200, &reply)
	return reply
}

// signedNumber is the outTradeNo inside a payment.
func (pay paymentJSON) number(t testing.TB) string {
	t.Helper()
	var d struct {
		OutTradeNo, ProductID, CurrencyType string
		BuyQuantity, GoodsPrice, Env        int64
	}
	if err := json.Unmarshal([]byte(pay.SignData), &d); err != nil {
		t.Fatal(err)
	}
	return d.OutTradeNo
}

func TestTheSameKeyAndBodyAgainIsTheSameOrderSignedAgain(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	first, _ := p.create("key-of-alice", "gem_60", 3)
	w.stack.Clock.Advance(90 * time.Second)
	again := p.again("key-of-alice", "gem_60", 3)
	if again.Order.ID != first.ID || again.Payment == nil {
		t.Fatalf("again: %+v", again)
	}
	if got := again.Payment.number(t); got != first.ID {
		t.Errorf("the number is %s, want %s: WeChat never saw it", got, first.ID)
	}
	p.pay(*again.Payment) // the simulator checks both signatures over these bytes
	w.settle()
	if o := w.is(first.ID, "delivered", true); o.Ledger.Paid != 1800 {
		t.Errorf("paid %d, want 1800", o.Ledger.Paid)
	}
}

func TestAPaidOrderIsNeverSignedAgain(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	id := p.buy("key-of-alice", "vip_month", 1)
	w.settle()
	a := p.post("/orders", "key-of-alice", wanted("vip_month", 1))
	if a.status != 200 || strings.Contains(string(a.body), `"payment"`) {
		t.Errorf("again: %s", a)
	}
	if got := p.attempt(id, "{}"); got.Payment != nil || got.Order.State != "delivered" {
		t.Errorf("attempt: %+v", got)
	}
}

func TestAnOrderThatWasPaidWithoutAPushIsNotSignedAgainButDelivered(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	w.faults(losePushes())
	id := p.buy("key-of-alice", "vip_month", 1)
	w.settle()
	again := p.again("key-of-alice", "vip_month", 1)
	if again.Payment != nil || again.Order.State != "delivered" || !again.Order.Owned {
		t.Errorf("again: %+v", again)
	}
	w.is(id, "delivered", true)
}

func TestTheSameKeyWithAnotherBodyIsAConflict(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	p.create("key-of-alice", "gem_60", 1)
	for _, body := range []string{
		wanted("gem_60", 2), wanted("vip_month", 1), `{"productId":"gem_60","quantity":1,"attach":"other"}`,
		wanted("gem_60", 99), wanted("secret_1", 1), // not even one that could not be ordered itself
	} {
		p.post("/orders", "key-of-alice", body).refused(t, 409, "conflict")
	}
	w.phone(bob).create("key-of-alice", "vip_month", 1) // another user's key is another key
}

func TestTheCodeIsNoPartOfTheBody(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, _ := p.create("key-of-alice", "vip_month", 1)
	var reply orderReply
	p.post("/orders", "key-of-alice", `{"quantity":1,"code":"`+w.stack.Sim.Login(alice)+`","productId":"vip_month"}`).into(t, 200, &reply)
	if reply.Order.ID != o.ID {
		t.Error("another order")
	}
	p.pay(*reply.Payment) // signed with the key behind the fresh code
}

func TestACancelledNumberIsFollowedByTheNextOne(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	for n := 2; n <= 9; n++ {
		p.cancel(pay)
		next := p.attempt(o.ID, `{"errCode":-2}`)
		if next.Payment == nil {
			t.Fatalf("attempt %d: no payment", n)
		}
		pay = *next.Payment
		if got, want := pay.number(t), fmt.Sprintf("%s-%d", o.ID, n); got != want {
			t.Fatalf("number %s, want %s", got, want)
		}
	}
	p.cancel(pay)
	p.post("/orders/"+o.ID+"/attempts", "", "{}").refused(t, 429, "limited")
	if err := w.stack.Sim.Pay(o.ID + "-9"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.is(o.ID, "delivered", true)
}

func TestThePhoneAloneCannotUseUpANumber(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, _ := p.create("key-of-alice", "vip_month", 1)
	if got := p.attempt(o.ID, `{"errCode":-15002}`).Payment.number(t); got != o.ID {
		t.Errorf("after one report the number is %s", got)
	}
	if got := p.attempt(o.ID, `{"errCode":-15002}`).Payment.number(t); got != o.ID+"-2" {
		t.Errorf("after two reports the number is %s: a phone that is told -15002 could never pay", got)
	}
	w.is(o.ID, "created", false)
}

func TestAttempt1PaidAfterAttempt2WasSignedWithItsPushLostIsFound(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	p.cancel(pay)
	if next := p.attempt(o.ID, `{"errCode":-2}`); next.Payment.number(t) != o.ID+"-2" {
		t.Fatal("no second attempt")
	}
	w.faults(losePushes())
	if err := w.stack.Sim.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	w.pass(4 * time.Second)
	if got := p.poll(o.ID); got.State != "delivered" || !got.Owned {
		t.Errorf("the phone sees %s, owned %t", got.State, got.Owned)
	}
	w.is(o.ID, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
	w.settle()
	if got := w.truth(o.ID).Status; got != 4 {
		t.Errorf("WeChat shows status %d, want 4", got)
	}
}

func TestAttempt1PaidAfterAttempt2WasSignedIsNotSignedAThirdTime(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	p.cancel(pay)
	p.attempt(o.ID, "{}")
	w.faults(losePushes())
	if err := w.stack.Sim.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	if third := p.attempt(o.ID, "{}"); third.Payment != nil || third.Order.State != "delivered" {
		t.Errorf("third: %+v", third)
	}
}

func TestBothAttemptsPaidIsSurplusThatAPersonGivesBack(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "gem_60", 1)
	p.cancel(pay)
	next := p.attempt(o.ID, "{}")
	p.pay(*next.Payment)
	w.settle()
	if err := w.stack.Sim.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	w.settle()
	m := w.is(o.ID, "delivered", true)
	m.ledger(t, 600, 600, 0, 0, 0)
	if w.alarms.about("surplus") != 1 || len(w.held()) != 1 || w.held()[0].Code != "surplus" {
		t.Errorf("alarms %+v, held %+v", w.alarms.all, w.held())
	}
	if push := w.truth(o.ID).Pushes[0]; push.Answered {
		t.Errorf("the push of the surplus was acknowledged as delivered: %+v", push)
	}
	var reply refundReply
	w.refund(o.ID, "refund-key-1", 600, `,"attempt":1`).into(t, 202, &reply)
	w.pass(time.Minute)
	w.is(o.ID, "delivered", true).ledger(t, 600, 600, 0, 600, 0)
	if back, n := moneyBack(w.truth(o.ID)); back != 600 || n != 1 {
		t.Errorf("%d fen went back in %d refunds", back, n)
	}
	if back, _ := moneyBack(w.truth(o.ID + "-2")); back != 0 {
		t.Error("the payment that pays for the order went back")
	}
	if len(w.held()) != 0 {
		t.Errorf("still asked: %+v", w.held())
	}
	w.pass(20 * time.Hour)
	if push := w.truth(o.ID).Pushes[0]; !push.Answered {
		t.Errorf("the push of what went back is never acknowledged: %+v", push)
	}
}

func TestOneNumberPaidTwiceIsDeliveredOnceAndCountedTwice(t *testing.T) {
	t.Parallel()
	for _, showsFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("the query shows the first: %t", showsFirst), func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			p := w.phone(alice)
			w.faults(wechatsim.Faults{Orders: wechatsim.OrderFaults{PayTwice: 1, PayTwiceShowsFirst: showsFirst}})
			id := p.buy("key-of-alice", "gem_60", 1)
			w.settle()
			m := w.is(id, "delivered", true)
			m.ledger(t, 600, 600, 0, 0, 0)
			if len(m.Attempts[0].Payments) != 2 || w.alarms.about("surplus") != 1 {
				t.Errorf("payments %+v, alarms %+v", m.Attempts[0].Payments, w.alarms.all)
			}
			w.refunding(id, "refund-key-1", 600)
			w.pass(time.Minute)
			w.is(id, "delivered", true).ledger(t, 600, 600, 0, 600, 0)
			if back, n := moneyBack(w.truth(id)); back != 600 || n != 1 {
				t.Errorf("%d fen went back in %d refunds", back, n)
			}
		})
	}
}

// A refund by number gives back the payment that the query shows; the other one goes back in the console
// (docs/decisions/0016).
func TestOneNumberPaidTwiceGoesBackWholeWithTheHelpOfTheConsole(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	w.faults(wechatsim.Faults{Orders: wechatsim.OrderFaults{PayTwice: 1}})
	id := p.buy("key-of-alice", "gem_60", 1)
	w.settle()
	w.refunding(id, "refund-key-1", 600)
	w.pass(2 * time.Minute)
	var reply refundReply
	w.refund(id, "refund-key-2", 600, "").into(t, 200, &reply)
	if reply.Refund.State != "failed" || reply.Refund.Failure == "" {
		t.Errorf("second refund: %+v", reply.Refund)
	}
	w.merchant(id).ledger(t, 600, 600, 0, 600, 0)
	w.faults(wechatsim.Faults{Orders: wechatsim.OrderFaults{PayTwiceShowsFirst: true}}) // the person chooses the other payment
	if err := w.stack.Sim.ConsoleRefund(id, 600); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Minute)
	w.is(id, "delivered", false).ledger(t, 600, 600, 0, 1200, 0)
	if back, n := moneyBack(w.truth(id)); back != 1200 || n != 2 {
		t.Errorf("%d fen went back in %d refunds, want 1200 in 2", back, n)
	}
}

func TestAPriceThatChangedBetweenTwoSigningsClosesTheOrderAndMoneyReopensIt(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	p.cancel(pay) // the cashier is open at the old price
	w.write("goods.yaml", strings.Replace(goods, "price: 1800", "price: 2500", 1))
	w.restart()
	p.post("/orders/"+o.ID+"/attempts", "", "{}").refused(t, 409, "price_changed")
	w.is(o.ID, "closed", false)
	p.post("/orders/"+o.ID+"/attempts", "", "{}").refused(t, 409, "conflict")
	if again := p.again("key-of-alice", "vip_month", 1); again.Payment != nil || again.Order.State != "closed" {
		t.Errorf("again: %+v", again)
	}
	if fresh, _ := p.create("key-of-fresh", "vip_month", 1); fresh.Amount != 2500 {
		t.Errorf("a new order costs %d", fresh.Amount)
	}
	if err := w.stack.Sim.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	w.settle()
	m := w.is(o.ID, "delivered", true)
	m.ledger(t, 1800, 0, 0, 0, 0)
	if !w.truth(o.ID).Pushes[0].Answered {
		t.Error("the push was not acknowledged")
	}
}

func TestAPriceThatChangedIsSaidToTheSameCreateAgain(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, _ := p.create("key-of-alice", "vip_month", 1)
	w.write("goods.yaml", strings.Replace(goods, "price: 1800", "price: 2500", 1))
	w.restart()
	p.post("/orders", "key-of-alice", wanted("vip_month", 1)).refused(t, 409, "price_changed")
	w.is(o.ID, "closed", false)
}

func TestAnOrderPaidBeforeItsPriceChangedIsDeliveredAtTheOldPrice(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	w.faults(losePushes())
	id := p.buy("key-of-alice", "vip_month", 1)
	w.write("goods.yaml", strings.Replace(goods, "price: 1800", "price: 2500", 1))
	w.restart()
	if again := p.again("key-of-alice", "vip_month", 1); again.Payment != nil || again.Order.State != "delivered" {
		t.Errorf("again: %+v", again)
	}
	w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
}

func TestAClosedCashierLeadsToTheNextNumber(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	p.cancel(pay)
	if err := w.stack.Sim.Close(o.ID); err != nil {
		t.Fatal(err)
	}
	next := p.attempt(o.ID, "{}")
	if got := next.Payment.number(t); got != o.ID+"-2" {
		t.Errorf("number %s", got)
	}
	p.pay(*next.Payment)
	w.settle()
	w.is(o.ID, "delivered", true)
}
