package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const currency = "CNY"

// orderView is an order as its user sees it. Amounts are fen; a time that has not come is null.
type orderView struct {
	ID             string      `json:"id"`
	State          order.State `json:"state"`
	ProductID      string      `json:"productId"`
	Quantity       int         `json:"quantity"`
	Price          order.Fen   `json:"price"`
	Amount         order.Fen   `json:"amount"`
	Currency       string      `json:"currency"`
	Attach         string      `json:"attach"`
	Owned          bool        `json:"owned"` // delivered and not fully refunded
	CreatedAt      time.Time   `json:"createdAt"`
	ExpiresAt      time.Time   `json:"expiresAt"`
	PaidAt         *time.Time  `json:"paidAt"`
	DeliveredAt    *time.Time  `json:"deliveredAt"`
	ClosedAt       *time.Time  `json:"closedAt"`
	ConsumedAt     *time.Time  `json:"consumedAt"`
	RefundedAmount order.Fen   `json:"refundedAmount"`
	TransactionID  *string     `json:"transactionId"`
	ChannelOrderID *string     `json:"channelOrderId"`
}

func viewOrder(o order.Order) orderView {
	v := orderView{
		ID: o.ID, State: o.State, ProductID: o.ProductID, Quantity: o.Quantity, Price: o.Price, Amount: o.Amount,
		Currency: currency, Attach: o.Attach, Owned: o.Owned(), CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
		PaidAt: some(o.PaidAt), DeliveredAt: some(o.DeliveredAt), ClosedAt: some(o.ClosedAt), ConsumedAt: some(o.ConsumedAt),
		RefundedAmount: o.Ledger().Refunded,
	}
	if _, p := o.MainPayment(); p != nil {
		v.TransactionID, v.ChannelOrderID = text(p.TransactionID), text(p.ChannelOrderID)
	}
	return v
}

func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

type orderReply struct {
	Order   orderView     `json:"order"`
	Payment *xpay.Payment `json:"payment,omitempty"`
}

// createOrder: POST /orders.
func (a *API) createOrder(c call) (reply, error) {
	var in struct {
		ProductID string `json:"productId"`
		Quantity  int    `json:"quantity"`
		Attach    string `json:"attach"`
		Code      string `json:"code"`
	}
	if err := c.decode(&in, false); err != nil {
		return reply{}, err
	}
	key, err := c.sessionKey(a, in.Code)
	if err != nil {
		return reply{}, err
	}
	o, payment, created, err := a.Orders.Create(c.Context(), order.CreateRequest{
		OpenID: c.openID, SessionKey: key.text, Key: c.Header.Get("Idempotency-Key"),
		ProductID: in.ProductID, Quantity: in.Quantity, Attach: in.Attach,
	})
	if err != nil {
		return reply{}, key.missed(err)
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return reply{status: status, body: orderReply{viewOrder(o), payment}}, nil
}

// sessionKey is the caller's session_key; text is "" when there is none, or it cannot be opened just now, for which notNow is the reason.
type sessionKey struct {
	text   string
	notNow error
}

// missed is why a request failed. Who needs a key that cannot be opened just now is not sent to log in; who has paid needs none.
func (k sessionKey) missed(err error) error {
	if k.notNow != nil && errors.Is(err, problem.Unauthorized) {
		return k.notNow
	}
	return err
}

// sessionKey reads the caller's session_key, renewed by a fresh code if one came.
func (c call) sessionKey(a *API, code string) (sessionKey, error) {
	u, err := a.Sessions.User(c.Context(), c.openID)
	if (err == nil || errors.Is(err, session.ErrNotNow)) && code != "" {
		u, err = a.Sessions.Renew(c.Context(), u, code)
	}
	if errors.Is(err, session.ErrNotNow) {
		return sessionKey{notNow: err}, nil
	}
	return sessionKey{text: u.SessionKey}, err
}

// attempt: POST /orders/{id}/attempts.
func (a *API) attempt(c call) (reply, error) {
	var in struct {
		ErrCode *int   `json:"errCode"`
		Code    string `json:"code"`
	}
	if err := c.decode(&in, true); err != nil {
		return reply{}, err
	}
	key, err := c.sessionKey(a, in.Code)
	if err != nil {
		return reply{}, err
	}
	o, payment, err := a.Orders.Attempt(c.Context(), c.openID, c.PathValue("id"), key.text, in.ErrCode)
	if err != nil {
		return reply{}, key.missed(err)
	}
	return ok(orderReply{viewOrder(o), payment})
}

// pollOrder: GET /orders/{id}; repairs on read.
func (a *API) pollOrder(c call) (reply, error) {
	o, err := a.Orders.Poll(c.Context(), c.openID, c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return ok(orderReply{Order: viewOrder(o)})
}

// listOrders: GET /orders?state=&limit=&cursor=.
func (a *API) listOrders(c call) (reply, error) {
	state, page, err := c.listing()
	if err != nil {
		return reply{}, err
	}
	orders, next, err := a.Orders.List(c.Context(), c.openID, state, page)
	if err != nil {
		return reply{}, err
	}
	views := []orderView{}
	for _, o := range orders {
		views = append(views, viewOrder(o))
	}
	return ok(listReply[orderView]{views, next})
}

// listReply is a part of a list. The cursor is "" at the end.
type listReply[T any] struct {
	Orders []T    `json:"orders"`
	Cursor string `json:"cursor"`
}

// listing reads ?state=&limit=&cursor=.
func (c call) listing() (order.State, store.Page, error) {
	q := c.URL.Query()
	page := store.Page{After: q.Get("cursor"), Limit: store.PageDefault}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > store.PageMax {
			return "", page, problem.New(problem.Invalid, "limit must be 1 to %d", store.PageMax)
		}
		page.Limit = n
	}
	state := order.State(q.Get("state"))
	if state == "" {
		return state, page, nil
	}
	for _, known := range order.States() {
		if state == known {
			return state, page, nil
		}
	}
	return "", page, problem.New(problem.Invalid, "state must be one of %v", order.States())
}

// consume: POST /orders/{id}/consume.
func (a *API) consume(c call) (reply, error) {
	var in struct{}
	if err := c.decode(&in, true); err != nil {
		return reply{}, err
	}
	o, err := a.Orders.Consume(c.Context(), c.openID, c.PathValue("id"), c.Header.Get("Idempotency-Key"))
	if err != nil {
		return reply{}, err
	}
	return ok(orderReply{Order: viewOrder(o)})
}
