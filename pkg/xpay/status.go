package xpay

import "fmt"

// Status is order.status of spec 5.1. It means one thing in payment orders and another in refund orders.
type Status int

const (
	StatusInit           Status = 0  // initialised, can not be paid
	StatusCreated        Status = 1  // created, not paid
	StatusPaid           Status = 2  // paid, waiting for delivery
	StatusDelivering     Status = 3  // paid, being delivered
	StatusDelivered      Status = 4  // paid and delivered
	StatusRefunded       Status = 5  // refunded; on a payment order also passes by during any refund: proves nothing
	StatusClosed         Status = 6  // dead
	StatusRefundFailed   Status = 7  // refund orders: failed
	StatusRefundDone     Status = 8  // refund orders: the user has the money
	StatusAdvertReturned Status = 9  // refund orders: done, and advert funds recovered
	StatusSharesReturned Status = 10 // refund orders: done, and profit sharing returned
)

// Paid tells whether a payment order was paid: 2, 3, 4.
func (s Status) Paid() bool { return s >= StatusPaid && s <= StatusDelivered }

// RefundDone tells whether the user of a refund order has the money: 8, 9, 10.
func (s Status) RefundDone() bool { return s >= StatusRefundDone && s <= StatusSharesReturned }

// RefundFailed tells whether a refund order failed: 7.
func (s Status) RefundFailed() bool { return s == StatusRefundFailed }

func (s Status) String() string {
	names := [...]string{"init", "created", "paid", "delivering", "delivered", "refunded", "closed",
		"refund failed", "refund done", "advert funds returned", "shares returned"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("status(%d)", int(s))
	}
	return names[s]
}
