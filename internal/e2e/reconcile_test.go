package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestALostPushIsFoundByTheLadderAndWeChatIsToldOfTheDelivery(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.faults(losePushes())
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.pass(59 * time.Second)
	w.is(id, "created", false)
	w.pass(2 * time.Minute) // the first rung is a minute after the signing
	m := w.is(id, "delivered", true)
	m.ledger(t, 1800, 0, 0, 0, 0)
	v := w.truth(id)
	if v.Status != 4 || v.Calls.NotifyProvideGoods != 1 || m.Attempts[0].ToldAt == nil {
		t.Errorf("WeChat shows %d after %d notices", v.Status, v.Calls.NotifyProvideGoods)
	}
	w.faults(wechatsim.Faults{})
	w.pass(19 * time.Hour) // late repeats change nothing
	w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
	if got := w.truth(id); got.Calls.NotifyProvideGoods != 1 || !got.Pushes[0].Answered {
		t.Errorf("after the repeats: %+v", got)
	}
}

func TestMoneyIsFoundAtEveryRungOfTheLadder(t *testing.T) {
	t.Parallel()
	// Paid a minute before the rung, with no push ever.
	for _, rung := range []time.Duration{3 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
		t.Run(rung.String(), func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			w.faults(losePushes())
			p := w.phone(alice)
			o, pay := p.create("key-of-alice", "vip_month", 1)
			p.cancel(pay)
			w.leapTo(start.Add(rung - time.Minute))
			if err := w.stack.Sim.Pay(o.ID); err != nil {
				t.Fatal(err)
			}
			w.pass(2 * time.Minute)
			w.is(o.ID, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
			if got := w.truth(o.ID).Status; got != 4 {
				t.Errorf("WeChat shows %d", got)
			}
		})
	}
}

// leapTo goes to a time in steps no longer than half an hour, the last ones in minutes.
func (w *world) leapTo(at time.Time) {
	w.t.Helper()
	if d := at.Sub(w.now()) - time.Hour; d > 0 {
		w.leap(d)
	}
	w.pass(at.Sub(w.now()))
}

func TestAnOrderThatNobodyPaysIsClosedAfterADay(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	never, _ := p.create("key-of-never", "vip_month", 1)
	left, pay := p.create("key-of-left-", "vip_month", 1)
	p.cancel(pay)
	w.leapTo(start.Add(24*time.Hour - time.Minute))
	w.is(never.ID, "created", false)
	w.is(left.ID, "created", false)
	w.pass(2 * time.Minute)
	for _, id := range []string{never.ID, left.ID} {
		w.is(id, "closed", false)
		p.post("/orders/"+id+"/attempts", "", "{}").refused(t, 409, "conflict")
	}
	if got := p.poll(never.ID); got.ClosedAt == nil {
		t.Error("no closedAt")
	}
}

func TestMoneyAfterTheCloseReopensTheOrder(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{25 * time.Hour, 6 * 24 * time.Hour, 30 * 24 * time.Hour} {
		for _, pushes := range []bool{true, false} {
			if !pushes && after > 7*24*time.Hour {
				continue // beyond the ladder nobody looks; see the poll below
			}
			t.Run(fmt.Sprintf("%s, push %t", after, pushes), func(t *testing.T) {
				t.Parallel()
				w := begin(t)
				p := w.phone(alice)
				o, pay := p.create("key-of-alice", "vip_month", 1)
				p.cancel(pay)
				w.leapTo(start.Add(after))
				w.is(o.ID, "closed", false)
				if !pushes {
					w.faults(losePushes())
				}
				if err := w.stack.Sim.Pay(o.ID); err != nil {
					t.Fatal(err)
				}
				w.settle()
				if !pushes {
					w.is(o.ID, "closed", false)
					w.leapTo(start.Add(7*24*time.Hour + time.Minute))
				}
				w.is(o.ID, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
				if got := w.truth(o.ID).Status; got != 4 {
					t.Errorf("WeChat shows %d", got)
				}
			})
		}
	}
}

func TestAPollFindsMoneyThatCameLongAfterTheLadder(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	p.cancel(pay)
	w.leap(20 * 24 * time.Hour)
	w.faults(losePushes())
	if err := w.stack.Sim.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	p = w.phone(alice)
	if got := p.poll(o.ID); got.State != "delivered" || !got.Owned {
		t.Errorf("the phone sees %+v", got)
	}
}

func TestAPollRepairsAfterThreeSeconds(t *testing.T) {
	t.Parallel()
	l := &wire{}
	w := begin(t, transport(l.wrap))
	w.faults(losePushes())
	p := w.phone(alice)
	id := p.buy("key-of-alice", "vip_month", 1)
	w.stack.Clock.Advance(3 * time.Second)
	if got := p.poll(id); got.State != "created" || l.count("/xpay/query_order") != 0 {
		t.Errorf("after 3 s: %s with %d queries", got.State, l.count("/xpay/query_order"))
	}
	w.stack.Clock.Advance(time.Millisecond)
	if got := p.poll(id); got.State != "delivered" || !got.Owned || got.TransactionID == nil {
		t.Errorf("later: %+v", got)
	}
	if n := l.count("/xpay/query_order"); n != 1 {
		t.Errorf("%d queries", n)
	}
}

func TestAPollOfAnUnpaidOrderAsksWeChatAtMostEveryThreeSeconds(t *testing.T) {
	t.Parallel()
	l := &wire{}
	w := begin(t, transport(l.wrap))
	p := w.phone(alice)
	o, _ := p.create("key-of-alice", "vip_month", 1)
	for range 30 {
		w.stack.Clock.Advance(time.Second)
		p.poll(o.ID)
	}
	if n := l.count("/xpay/query_order"); n < 5 || n > 8 {
		t.Errorf("%d queries in 30 polls, a second apart", n)
	}
}

func TestAQueryThatLagsBehindThePaymentIsAskedAgain(t *testing.T) {
	t.Parallel()
	for _, absent := range []bool{false, true} {
		t.Run(fmt.Sprintf("absent %t", absent), func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			f := losePushes()
			f.Orders.OrderQueryLag, f.Orders.Absent = 3, absent
			w.faults(f)
			id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
			w.pass(31 * time.Minute)
			w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
		})
	}
}

func TestNothingIsLostWhileWeChatIsDownForAnHour(t *testing.T) {
	t.Parallel()
	l := &wire{}
	w := begin(t, transport(l.wrap))
	p := w.phone(alice)
	w.faults(losePushes())
	paidID := p.buy("key-of-paid-", "vip_month", 1)
	open, pay := p.create("key-of-open-", "vip_month", 1)
	p.cancel(pay)
	l.cut(true)
	for range 12 {
		w.pass(5 * time.Minute)
		if got := p.poll(paidID); got.State != "created" { // the truth as far as we know it
			t.Errorf("the phone sees %s", got.State)
		}
		for _, id := range []string{paidID, open.ID} {
			p.post("/orders/"+id+"/attempts", "", "{}").refused(t, 503, "unavailable")
		}
		p.post("/orders", "key-of-paid-", wanted("vip_month", 1)).refused(t, 503, "unavailable")
	}
	fresh, _ := p.create("key-of-fresh", "vip_month", 1) // a first signing needs no WeChat
	l.cut(false)
	w.pass(15 * time.Minute)
	w.is(paidID, "delivered", true)
	w.is(open.ID, "created", false)
	w.is(fresh.ID, "created", false)
	if next := p.attempt(open.ID, "{}"); next.Payment == nil || next.Payment.number(t) != open.ID+"-2" {
		t.Errorf("attempt: %+v", next)
	}
	if len(w.alarms.all) != 0 {
		t.Errorf("alarms: %+v", w.alarms.all)
	}
}

func TestPushesDeliverWhileOurWayToWeChatIsDown(t *testing.T) {
	t.Parallel()
	l := &wire{}
	w := begin(t, transport(l.wrap))
	p := w.phone(alice)
	o, pay := p.create("key-of-alice", "vip_month", 1)
	l.cut(true)
	p.pay(pay)
	w.settle()
	w.is(o.ID, "delivered", true)
}

func TestNotifyProvideGoodsIsRepeatedUntilWeChatShowsIt(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wechatsim.Faults{
		"cut before":     atAPI("/xpay/notify_provide_goods", wechatsim.APIFault{CutBeforeEffect: 3}),
		"cut after":      atAPI("/xpay/notify_provide_goods", wechatsim.APIFault{CutAfterEffect: 1}),
		"not repeatable": {Orders: wechatsim.OrderFaults{NotifyNotRepeatable: true}, API: map[string]wechatsim.APIFault{"/xpay/notify_provide_goods": {ErrorAfterEffect: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			fault.Push.DropAll = true
			w.faults(fault)
			id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
			w.pass(30 * time.Minute)
			m := w.is(id, "delivered", true)
			if v := w.truth(id); v.Status != 4 || v.Calls.NotifyProvideGoods != 1 || m.Attempts[0].ToldAt == nil {
				t.Errorf("WeChat shows %d after %d notices, we think told: %v", v.Status, v.Calls.NotifyProvideGoods, m.Attempts[0].ToldAt)
			}
			if len(w.held()) != 0 {
				t.Errorf("held: %+v", w.held())
			}
		})
	}
}

func TestAConflictInTheStoreIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := &shaky{}
	w := begin(t, wrapped(s.wrap))
	p := w.phone(alice)
	id := p.buy("key-of-alice", "gem_60", 1)
	s.fail(0, 5, false, store.ErrConflict)
	w.stack.Sim.DeliverDue(t.Context())
	w.is(id, "delivered", true).ledger(t, 600, 0, 0, 0, 0)
	s.fail(0, 5, false, store.ErrConflict)
	p.post("/orders/"+id+"/consume", "use-key-1", "").into(t, 200, new(orderReply))
}

func TestAStoreThatNeverStopsConflictingIsUnavailableAndLosesNothing(t *testing.T) {
	t.Parallel()
	s := &shaky{}
	w := begin(t, wrapped(s.wrap))
	p := w.phone(alice)
	id := p.buy("key-of-alice", "gem_60", 1)
	s.fail(0, 1000, false, store.ErrConflict)
	w.stack.Sim.DeliverDue(t.Context())
	if push := w.truth(id).Pushes[0]; push.Answered || !strings.Contains(push.LastAnswer, "ErrCode 1") {
		t.Errorf("push: %+v", push)
	}
	w.refund(id, "refund-key-1", 1, "").refused(t, 503, "unavailable") // "not paid" must be WeChat's word
	s.fail(0, 0, false, nil)
	w.pass(2 * time.Second)
	w.is(id, "delivered", true)
	s.fail(0, 1000, false, store.ErrConflict)
	p.post("/orders/"+id+"/consume", "use-key-1", "").refused(t, 503, "unavailable")
	w.refund(id, "refund-key-1", 100, "").refused(t, 503, "unavailable")
	s.fail(0, 0, false, nil)
	p.post("/orders/"+id+"/consume", "use-key-1", "").into(t, 200, new(orderReply))
}

func TestAPushSurvivesALostAnswerOfTheStore(t *testing.T) {
	t.Parallel()
	for _, happened := range []bool{false, true} {
		t.Run(fmt.Sprintf("happened %t", happened), func(t *testing.T) {
			t.Parallel()
			s := &shaky{}
			w := begin(t, wrapped(s.wrap))
			id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
			s.fail(0, 1, happened, errors.New("i/o timeout"))
			w.stack.Sim.DeliverDue(t.Context())
			if w.truth(id).Pushes[0].Answered {
				t.Error("a push was acknowledged that may not be stored")
			}
			w.pass(10 * time.Second)
			w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
			if got := w.truth(id).Status; got != 4 {
				t.Errorf("WeChat shows %d", got)
			}
		})
	}
}

func TestACreateWhoseAnswerWasLostIsFoundByItsKey(t *testing.T) {
	t.Parallel()
	for _, happened := range []bool{false, true} {
		t.Run(fmt.Sprintf("happened %t", happened), func(t *testing.T) {
			t.Parallel()
			f := &store.Faulty{}
			failed := false
			f.Plan = func(c store.Call) store.Fault {
				if c.Op != "Create" || !strings.HasPrefix(c.ID, "order/") || failed {
					return store.None
				}
				failed = true
				if happened {
					return store.Happened
				}
				return store.Lost
			}
			w := begin(t, wrapped(func(s store.Store) store.Store { f.Store = s; return f }))
			p := w.phone(alice)
			p.post("/orders", "key-of-alice", wanted("vip_month", 1)).refused(t, 503, "unavailable")
			var reply orderReply
			want := 201
			if happened {
				want = 200
			}
			p.post("/orders", "key-of-alice", wanted("vip_month", 1)).into(t, want, &reply)
			p.pay(*reply.Payment)
			w.settle()
			w.is(reply.Order.ID, "delivered", true)
			var list struct{ Orders []orderJSON }
			if p.get("/orders").into(t, 200, &list); len(list.Orders) != 1 {
				t.Errorf("%d orders", len(list.Orders))
			}
		})
	}
}
