package order_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// paidUnseen is a shop with a delivery target whose order is paid, is due, and nobody has looked.
func paidUnseen(t *testing.T) *shop {
	t.Helper()
	s := openShop(t, withTarget)
	s.create()
	s.noPush(wechatsim.OrderFaults{})
	s.pay("pay")
	s.stack.Clock.Advance(time.Minute)
	return s
}

// worker is another process, which delivers in its own way.
func (s *shop) worker(deliver func()) *order.Service {
	w := *s.stack.Orders
	w.Deliver = func(context.Context, order.Delivery) error { deliver(); return nil }
	return &w
}

func (s *shop) advance(w *order.Service) {
	if err := w.Advance(context.Background(), order.DocID(s.id)); err != nil {
		s.t.Error(err)
	}
}

// The target takes longer than the lease runs, and another worker takes the order over meanwhile.
func TestWhoLosesTheLeaseDuringADeliveryRecordsItAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	s := paidUnseen(t)
	begun, leave, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var theirs order.Lease
	later := s.worker(func() { close(begun); <-leave })
	s.advance(s.worker(func() {
		s.stack.Clock.Advance(31 * time.Second)
		go func() { defer close(left); s.advance(later) }()
		<-begun
		theirs = s.order().Lease
		s.stack.Clock.Advance(time.Second)
	}))
	o := s.order()
	if o.State != order.Delivered || o.Lease.Token != 2 || o.Lease != theirs {
		t.Errorf("it is %s, and the lease is %+v, it was %+v", o.State, o.Lease, theirs)
	}
	if n := s.wechat().Calls.NotifyProvideGoods; n != 0 {
		t.Errorf("WeChat was told %d times by a worker without a lease", n)
	}
	close(leave)
	<-left
	s.now()
	if o := s.order(); o.State != order.Delivered || !o.DueAt().IsZero() || s.wechat().Calls.NotifyProvideGoods != 1 {
		t.Errorf("at the end it is %s, due at %v, and WeChat was told %d times", o.State, o.DueAt(), s.wechat().Calls.NotifyProvideGoods)
	}
}

// The intent to deliver is late: another worker has had the order meanwhile, and its target was down.
func TestWhoLosesTheLeaseBeforeADeliveryDoesNotDeliver(t *testing.T) {
	t.Parallel()
	s := paidUnseen(t)
	tries, late, writes := 0, 0, 0
	other := *s.stack.Orders
	other.Deliver = func(context.Context, order.Delivery) error { tries++; return errors.New("the target is down") }
	w := s.worker(func() { late++ })
	w.Store = &store.Faulty{Store: s.raw, Plan: func(c store.Call) store.Fault {
		if c.Op == "Update" {
			if writes++; writes == 3 { // the claim, the payment, the intent
				s.stack.Clock.Advance(31 * time.Second)
				s.advance(&other)
			}
		}
		return store.None
	}}
	s.advance(w)
	if o := s.order(); o.State != order.Delivering || tries != 1 || late != 0 {
		t.Errorf("it is %s, delivered %d times in time and %d times late", o.State, tries, late)
	}
}

// The claim and what came of it.
func TestALookThatFindsNothingTakesTwoWrites(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.stack.Clock.Advance(time.Minute)
	was := s.point().Version
	s.advance(s.stack.Orders)
	if now := s.point().Version; now != was+2 {
		t.Errorf("%d writes", now-was)
	}
}
