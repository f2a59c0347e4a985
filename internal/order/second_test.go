package order_test

import (
	"context"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// paySecond pays for the order under its second number, after the first was given up, and no push tells of it.
func (s *shop) paySecond() {
	s.t.Helper()
	s.create()
	s.pay("cancel")
	s.insist("attempt", func(ctx context.Context) (err error) {
		_, s.payment, err = s.stack.Orders.Attempt(ctx, user, s.id, s.session, nil)
		return err
	})
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	s.pay("pay")
}

// paidSecond wants the money to be the second number's.
func paidSecond(t *testing.T, o order.Order, err error) {
	t.Helper()
	a, _ := o.MainPayment()
	if err != nil || o.State != order.Delivered || o.Ledger() != (order.Ledger{Paid: vipPrice}) || a == nil || a.N != 2 {
		t.Errorf("%v, it is %s, %+v, paid under %+v", err, o.State, o.Ledger(), a)
	}
}

func TestARecheckFindsWhatWasPaidUnderTheSecondNumber(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.paySecond()
	if o := s.order(); o.State != order.Created || len(o.Attempts) != 2 {
		t.Fatalf("it is %s with %d attempts before anybody looks", o.State, len(o.Attempts))
	}
	o, err := s.stack.Orders.Recheck(t.Context(), s.id)
	paidSecond(t, o, err)
}

func TestAnAdoptionFindsWhatWasPaidUnderTheSecondNumber(t *testing.T) {
	t.Parallel()
	for name, encrypted := range map[string]bool{"in secure mode": true, "in plain mode": false} {
		for _, phoneFirst := range []bool{false, true} {
			s := openShop(t)
			s.paySecond()
			r := lose(t, s, s.id+"-2")
			r.pushed(r.goods(`"OutTradeNo":"`+s.id, `"OutTradeNo":"`+s.id+`-2`), encrypted)
			if phoneFirst { // repeats its own request, so that the order is there, with one number
				r.again()
			}
			a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice, ProductID: "vip_month", Quantity: 1})
			t.Log(name, "phone first:", phoneFirst)
			paidSecond(t, a.Order, err)
			if r.waiting() != 0 || len(a.Left) != 0 {
				t.Errorf("%d wait, %v is left", r.waiting(), a.Left)
			}
		}
	}
}
