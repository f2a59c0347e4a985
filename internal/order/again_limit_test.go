package order_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// asksAgain is the phone asking for another payment of its order.
func (s *shop) asksAgain() error {
	s.t.Helper()
	_, p, err := s.stack.Orders.Attempt(s.t.Context(), user, s.id, s.session, nil)
	if p != nil {
		s.payment = p
	}
	return err
}

// A user can ask without end; WeChat is not asked for it any more often than for a poll.
func TestAnOrderIsNotHandedOutWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		times    int
		numbers  int
		between  func(*shop)
		lastUsed bool // the last payment was opened, too
	}{
		"a number that is never used": {times: order.SigningsMax, numbers: 1, between: func(*shop) {}},
		"numbers that are all used":   {times: order.AttemptsMax, numbers: order.AttemptsMax, between: func(s *shop) { s.pay("cancel") }, lastUsed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			s.create()
			for n := 2; n <= c.times; n++ {
				c.between(s)
				if err := s.asksAgain(); err != nil {
					t.Fatalf("time %d: %v", n, err)
				}
			}
			if o := s.order(); len(o.Attempts) != c.numbers {
				t.Fatalf("%d numbers", len(o.Attempts))
			}
			c.between(s)
			if c.lastUsed {
				if err := s.asksAgain(); !errors.Is(err, problem.Limited) {
					t.Fatalf("beyond the last number: %v", err)
				}
			}
			looks := 0
			s.onCall = func(path string) { looks++ }
			for range 100 {
				if err := s.asksAgain(); !errors.Is(err, problem.Unavailable) {
					t.Fatalf("asked at once: %v", err)
				}
			}
			if looks != 0 {
				t.Errorf("WeChat was asked %d times within three seconds", looks)
			}
			s.stack.Clock.Advance(4 * time.Second)
			if err := s.asksAgain(); !errors.Is(err, problem.Limited) || !strings.Contains(err.Error(), "请重新下单") || looks != c.numbers {
				t.Errorf("asked later, after %d looks: %v", looks, err)
			}
		})
	}
}

// Only WeChat's "no" lets the user start another order.
func TestAnOrderThatIsHandedOutNoMoreMayHaveBeenPaid(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	for range order.SigningsMax - 1 {
		if err := s.asksAgain(); err != nil {
			t.Fatal(err)
		}
	}
	s.noPush(wechatsim.OrderFaults{})
	s.pay("pay")
	s.stack.Clock.Advance(4 * time.Second)
	if err := s.asksAgain(); err != nil || s.order().State != order.Delivered {
		t.Errorf("%v, it is %s", err, s.order().State)
	}
}
