// Package deliver tells a merchant's backend what happened to an order: by a webhook after the Standard Webhooks
// specification (https://www.standardwebhooks.com), or, in package eventbus, on an Amazon EventBridge bus.
//
// Both say the same. An event may come more than once: its id is the same each time, and so is orderId as the key of the
// purchase. The events of one order come in the order of their seq; the next one is not sent before the last was accepted.
package deliver

import (
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// Data is what an event says of its order. Amounts are fen. State, owned, paid and refunded are the order's at the moment of
// sending, so a later try of the same event may know more; fee belongs to the event.
//
// Paid and refunded speak of the payment that pays for the order: what was paid twice and went back is told by an event whose fee
// it is, and changes neither. They hold what is certain, so that a refund which WeChat may still undo takes nothing from a user.
type Data struct {
	EventID   string      `json:"eventId"` // the same for every try
	OrderID   string      `json:"orderId"`
	Seq       int         `json:"seq"` // numbers the events of the order from 1
	ProductID string      `json:"productId"`
	Quantity  int         `json:"quantity"`
	Amount    order.Fen   `json:"amount"` // what the order cost
	Fee       order.Fen   `json:"fee"`    // what was paid (order.paid) or went back (order.refunded) with this event
	State     order.State `json:"state"`
	Owned     bool        `json:"owned"`  // the user keeps what was bought: hand out while true, take back when false
	Attach    string      `json:"attach"` // what the phone gave with the order
	OpenID    string      `json:"openId"`
	Env       int         `json:"env"` // 0 production, 1 sandbox
	Paid      order.Fen   `json:"paid"`
	Refunded  order.Fen   `json:"refunded"` // of paid
	At        time.Time   `json:"at"`       // when we learned of it
}

// DataOf is what one event says.
func DataOf(d order.Delivery) Data {
	o := d.Order
	return Data{
		EventID: d.Event.ID(o.ID), OrderID: o.ID, Seq: d.Event.Seq, ProductID: o.ProductID, Quantity: o.Quantity, Amount: o.Amount, Fee: d.Event.Fee,
		State: o.State, Owned: o.Kept(), Attach: o.Attach, OpenID: o.OpenID, Env: int(o.Env), Paid: o.Ledger().Paid, Refunded: o.BackOfPaid(),
		At: d.Event.At.UTC(),
	}
}
