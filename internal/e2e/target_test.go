package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// shop is a delivery target that may be down.
type shop struct {
	mu   sync.Mutex
	down bool
	got  []string
}

func (s *shop) deliver(_ context.Context, d order.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, fmt.Sprintf("%d %s %d", d.Event.Seq, d.Event.Type, d.Event.Fee))
	if s.down {
		return errors.New("no route to host")
	}
	return nil
}

func (s *shop) cut(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// heard is what the shop was told, repeats left out.
func (s *shop) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Compact(slices.Clone(s.got))
}

func withShop(s *shop) func(*setup) {
	return func(o *setup) { o.Deliver = s.deliver }
}

func TestAPushIsAcknowledgedOnlyAfterTheTargetHasTheGoods(t *testing.T) {
	t.Parallel()
	s := &shop{down: true}
	w := begin(t, withShop(s))
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.pass(20 * time.Minute)
	w.is(id, "delivering", false)
	if v := w.truth(id); v.Pushes[0].Answered || v.Status == 4 {
		t.Errorf("WeChat thinks that it is delivered: %+v", v.Pushes[0])
	}
	s.cut(false)
	w.pass(time.Hour)
	w.is(id, "delivered", true)
	if v := w.truth(id); !v.Pushes[0].Answered || v.Status != 4 {
		t.Errorf("WeChat shows %d: %+v", v.Status, v.Pushes[0])
	}
	if got := s.heard(); !slices.Equal(got, []string{"1 order.paid 1800"}) {
		t.Errorf("the shop heard %q", got)
	}
}

func TestATargetHearsOfRefundsInOrder(t *testing.T) {
	t.Parallel()
	s := &shop{}
	w := begin(t, withShop(s))
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.pass(10 * time.Second)
	w.is(id, "delivered", true)
	s.cut(true)
	w.refunding(id, "refund-key-1", 300)
	w.pass(time.Minute)
	w.refunding(id, "refund-key-2", 1500)
	w.pass(time.Minute)
	s.cut(false)
	w.pass(time.Hour)
	if got, want := s.heard(), []string{"1 order.paid 1800", "2 order.refunded 300", "3 order.refunded 1500"}; !slices.Equal(got, want) {
		t.Errorf("the shop heard %q, want %q", got, want)
	}
	w.back(id, 1800, 2)
}

func TestAFullRefundBeforeTheDeliveryCancelsIt(t *testing.T) {
	t.Parallel()
	s := &shop{}
	w := begin(t, withShop(s))
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.stack.Sim.DeliverDue(t.Context()) // paid; nobody has told the shop yet
	w.is(id, "paid", false)
	w.refunding(id, "refund-key-1", 1800)
	w.pass(time.Hour)
	w.is(id, "paid", false).ledger(t, 1800, 0, 0, 1800, 0)
	if got := s.heard(); len(got) != 0 {
		t.Errorf("the shop heard %q", got)
	}
	w.pass(20 * time.Hour)
	if push := w.truth(id).Pushes[0]; !push.Answered {
		t.Errorf("the push of what went back is never acknowledged: %+v", push)
	}
}
