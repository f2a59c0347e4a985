package order_test

import (
	"errors"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

func TestMoneyThatIsHeldIsNotConfirmedAsDelivered(t *testing.T) {
	t.Parallel()
	s := openShop(t, withTarget)
	s.create()
	s.payUnbelieved()
	if o := s.order(); o.State != order.Held {
		t.Fatalf("it is %s", o.State)
	}
	if _, err := s.stack.Orders.ConfirmDelivery(t.Context(), s.id, "", 0); !errors.Is(err, problem.Rejected) {
		t.Errorf("confirmed with %v", err)
	}
	if o := s.order(); o.State != order.Held || o.Owned() || len(s.heard) != 0 {
		t.Errorf("it is %s, owned %t, the target heard %d events", o.State, o.Owned(), len(s.heard))
	}
}
