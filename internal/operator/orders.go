package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Order is as much of an order as is shown to a person. Raw is all of it.
type Order struct {
	ID          string
	OpenID      string
	Env         int
	ProductID   string
	Quantity    int
	Amount      int64
	State       string
	Owned       bool
	CreatedAt   time.Time
	PaidAt      *time.Time
	DeliveredAt *time.Time
	ConsumedAt  *time.Time
	DueAt       *time.Time
	Tries       int
	// RefundAttempt is whose money goes back where a refund names none; 0: no payment is known.
	RefundAttempt int
	Ledger        struct{ Paid, Surplus, Held, Refunded, Reserved int64 }
	Attempts      []Attempt
	Refunds       []Refund
	Attention     []Attention
	History       []struct {
		At                      time.Time
		Event, From, To, Source string
		Attempt, Repeats        int
		Fee                     int64
		Detail                  string
	}

	Raw json.RawMessage `json:"-"`
}

// Attention is a question about an order.
type Attention struct {
	Code, Reason string
	Attempt      int
	At           time.Time
}

// Attempt is one number that the phone was given.
type Attempt struct {
	Attempt    int
	OutTradeNo string
	LookedAt   *time.Time
	Seen       string
	Refundable int64
	Payments   []Payment
}

// Payment is money that arrived.
type Payment struct {
	TransactionID, Channel string
	Fee                    int64
	At                     time.Time
	Surplus                bool   // the order was paid already
	Mismatch               string // why it is not believed
	Accepted               bool   // a person accepted it all the same
}

// Pays reports whether the payment pays for the order.
func (p Payment) Pays() bool { return !p.Surplus && (p.Mismatch == "" || p.Accepted) }

// AttemptOf is the attempt whose number that is, 0 for none.
func (o Order) AttemptOf(number string) int {
	for _, a := range o.Attempts {
		if a.OutTradeNo == number {
			return a.Attempt
		}
	}
	return 0
}

// Asks reports whether a question of that code is open.
func (o Order) Asks(code string) bool {
	return slices.ContainsFunc(o.Attention, func(q Attention) bool { return q.Code == code })
}

// Refund is one refund of an order.
type Refund struct {
	ID      string
	Attempt int
	State   string
	Foreign bool
	Amount  int64
	Reason  string
	Failure string
	AskedAt time.Time
	DoneAt  *time.Time

	Raw json.RawMessage `json:"-"`
}

// Question is something that waits for a person.
type Question struct {
	Number, Evidence, Code, Reason string
	At                             time.Time
	Order                          *Order
}

// Paid is an order that was paid.
type Paid struct {
	ID     string    `json:"id"`
	PaidAt time.Time `json:"paidAt"`
}

// UnmarshalJSON keeps what came.
func (o *Order) UnmarshalJSON(raw []byte) error {
	type plain Order
	o.Raw = append(json.RawMessage{}, raw...)
	return json.Unmarshal(raw, (*plain)(o))
}

// UnmarshalJSON keeps what came.
func (r *Refund) UnmarshalJSON(raw []byte) error {
	type plain Refund
	r.Raw = append(json.RawMessage{}, raw...)
	return json.Unmarshal(raw, (*plain)(r))
}

func decode[T any](raw json.RawMessage, err error) (reply T, _ error) {
	if err != nil {
		return reply, err
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		return reply, errForm
	}
	return reply, nil
}

// errForm: somebody answers 200 who is not this API.
var errForm = &Problem{Status: 200, Message: "the answer has another form than this program knows; is it the address of the API, and of the same release?"}

type orderReply struct{ Order Order }

// decodeOrder reads an answer that must hold an order.
func decodeOrder(raw json.RawMessage, err error) (Order, error) {
	r, err := decode[orderReply](raw, err)
	if err == nil && r.Order.ID == "" {
		err = errForm
	}
	return r.Order, err
}

func orderPath(id, rest string) string { return "/merchant/orders/" + url.PathEscape(id) + rest }

// Order reads one order.
func (c *Client) Order(ctx context.Context, id string) (Order, error) {
	return decodeOrder(c.call(ctx, "GET", orderPath(id, ""), nil, nil, ""))
}

// Do does something to an order that needs no further words: accept, advance, recheck, delivery.
func (c *Client) Do(ctx context.Context, id, verb string) (Order, error) {
	return decodeOrder(c.call(ctx, "POST", orderPath(id, "/"+verb), nil, struct{}{}, ""))
}

// Adopt brings an order up to the kept pushes about its payments, and rebuilds one that is not there. product and quantity are an
// operator's word for what was bought, where only plain pushes speak of it; usually both are empty. left names the evidence that the
// order does not bear out.
func (c *Client) Adopt(ctx context.Context, id, product string, quantity int) (got Order, left []string, err error) {
	body := struct {
		ProductID string `json:"productId,omitempty"`
		Quantity  int    `json:"quantity,omitempty"`
	}{product, quantity}
	r, err := decode[struct {
		Order        Order
		EvidenceLeft []string
	}](c.call(ctx, "POST", orderPath(id, "/adopt"), nil, body, ""))
	if err == nil && r.Order.ID == "" {
		err = errForm
	}
	return r.Order, r.EvidenceLeft, err
}

// Refund asks for a refund. The same key always means the same refund.
func (c *Client) Refund(ctx context.Context, id, key string, fen int64, reason string, attempt int) (Refund, Order, error) {
	body := struct {
		Amount  int64  `json:"amount"`
		Reason  string `json:"reason"`
		Attempt int    `json:"attempt,omitempty"`
	}{fen, reason, attempt}
	return decodeRefund(c.call(ctx, "POST", orderPath(id, "/refunds"), nil, body, key))
}

// Settle ends a refund of which WeChat cannot tell, as a person has seen it in WeChat's console.
func (c *Client) Settle(ctx context.Context, id, refund string, happened bool) (Refund, Order, error) {
	body := struct {
		Happened bool `json:"happened"`
	}{happened}
	return decodeRefund(c.call(ctx, "POST", orderPath(id, "/refunds/"+url.PathEscape(refund)), nil, body, ""))
}

// decodeRefund reads an answer that must hold a refund.
func decodeRefund(raw json.RawMessage, err error) (Refund, Order, error) {
	r, err := decode[struct {
		Refund Refund
		Order  Order
	}](raw, err)
	if err == nil && r.Refund.ID == "" {
		err = errForm
	}
	return r.Refund, r.Order, err
}

// Page asks for a part of a list.
type Page struct {
	Limit  int // 0: as many as the API gives
	Cursor string
}

func (p Page) query() url.Values {
	q := url.Values{}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor)
	}
	return q
}

// OfUser lists a user's orders, newest first, and the cursor of the next part.
func (c *Client) OfUser(ctx context.Context, openID, state string, page Page) ([]Order, string, error) {
	q := page.query()
	if state != "" {
		q.Set("state", state)
	}
	r, err := decode[struct {
		Orders []Order
		Cursor string
	}](c.call(ctx, "GET", "/merchant/users/"+url.PathEscape(openID)+"/orders", q, nil, ""))
	if err == nil && r.Orders == nil {
		err = errForm
	}
	return r.Orders, r.Cursor, err
}

// PaidList is a part of the orders that were paid in a window.
type PaidList struct {
	Orders []Paid
	Cursor string    // of the next part
	To     time.Time // where the window ends
	Now    time.Time // what time it is at the API
}

// PaidBetween lists the orders paid from one time to another; with a zero to until the API's now, of which one list spans at
// most 31 days.
func (c *Client) PaidBetween(ctx context.Context, from, to time.Time, page Page) (PaidList, error) {
	q := page.query()
	q.Set("from", from.UTC().Format(time.RFC3339Nano))
	if !to.IsZero() {
		q.Set("to", to.UTC().Format(time.RFC3339Nano))
	}
	list, err := decode[PaidList](c.call(ctx, "GET", "/merchant/paid", q, nil, ""))
	if err == nil && (list.Orders == nil || to.IsZero() && (list.To.IsZero() || list.Now.Before(list.To))) {
		err = errForm
	}
	return list, err
}

// Held lists what waits for a person, and the cursor of the next part.
func (c *Client) Held(ctx context.Context, page Page) (raw []json.RawMessage, questions []Question, next string, err error) {
	r, err := decode[struct {
		Held   []json.RawMessage
		Cursor string
	}](c.call(ctx, "GET", "/merchant/held", page.query(), nil, ""))
	if err == nil && r.Held == nil {
		err = errForm
	}
	if err != nil {
		return nil, nil, "", err
	}
	for _, each := range r.Held {
		q, err := decode[Question](each, nil)
		if err != nil {
			return nil, nil, "", fmt.Errorf("the list of what waits: %w", err)
		}
		questions = append(questions, q)
	}
	return r.Held, questions, r.Cursor, nil
}

// Dismiss takes evidence off the list of what waits, and returns how many pieces are off it.
func (c *Client) Dismiss(ctx context.Context, name string) (int, error) {
	r, err := decode[struct{ Dismissed int }](c.call(ctx, "POST", "/merchant/held/"+url.PathEscape(name)+"/dismiss", nil, struct{}{}, ""))
	if err == nil && r.Dismissed == 0 {
		err = errForm
	}
	return r.Dismissed, err
}
