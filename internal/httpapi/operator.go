package httpapi

import (
	"context"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

// operatorIs names who calls a merchant route, for the history; "" where nobody knows.
func (a *API) operatorIs(c call) string {
	if a.Caller == nil {
		return ""
	}
	return a.Caller(c.Request)
}

// merchantAdvance: POST /merchant/orders/{id}/advance does now what is due for the order.
func (a *API) merchantAdvance(c call) (reply, error) {
	return a.onOrder(c, func(ctx context.Context, id string) (order.Order, error) {
		o, err := a.Orders.Get(ctx, id)
		if err != nil {
			return order.Order{}, err
		}
		if err := a.Orders.Advance(ctx, order.DocID(o.ID)); err != nil {
			return order.Order{}, err
		}
		return a.Orders.Get(ctx, id)
	})
}

// merchantRecheck: POST /merchant/orders/{id}/recheck asks WeChat about every number of the order, due or not.
func (a *API) merchantRecheck(c call) (reply, error) { return a.onOrder(c, a.Orders.Recheck) }

// merchantAdopt: POST /merchant/orders/{id}/adopt brings an order up to the kept pushes about its payments, and rebuilds one that
// is not there.
func (a *API) merchantAdopt(c call) (reply, error) {
	var in struct {
		ProductID string `json:"productId"`
		Quantity  int    `json:"quantity"`
	}
	if err := c.decode(&in, true); err != nil {
		return reply{}, err
	}
	adopted, err := a.Orders.Adopt(c.Context(), order.AdoptRequest{
		Number: c.PathValue("id"), By: a.operatorIs(c), ProductID: in.ProductID, Quantity: in.Quantity,
	})
	if err != nil {
		return reply{}, err
	}
	return ok(struct {
		merchantReply
		Left []string `json:"evidenceLeft,omitempty"` // names for the dismissal
	}{merchantReply{viewMerchant(adopted.Order)}, adopted.Left})
}

// onOrder does something to the order of the path that needs no further words, and answers the order.
func (a *API) onOrder(c call, do func(ctx context.Context, id string) (order.Order, error)) (reply, error) {
	var in struct{}
	if err := c.decode(&in, true); err != nil {
		return reply{}, err
	}
	o, err := do(c.Context(), c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return ok(merchantReply{viewMerchant(o)})
}

// merchantDismiss: POST /merchant/held/{number}/dismiss takes evidence that a person has looked at off the list.
func (a *API) merchantDismiss(c call) (reply, error) {
	var in struct{}
	if err := c.decode(&in, true); err != nil {
		return reply{}, err
	}
	n, err := a.Orders.Dismiss(c.Context(), c.PathValue("number"), a.operatorIs(c))
	if err != nil {
		return reply{}, err
	}
	return ok(struct {
		Dismissed int `json:"dismissed"`
	}{n})
}

type paidView struct {
	ID     string    `json:"id"`
	PaidAt time.Time `json:"paidAt"`
}

// paidReply says where the list ends, too, and what time it is here: a caller's clock may differ.
type paidReply struct {
	listReply[paidView]
	To  time.Time `json:"to"`
	Now time.Time `json:"now"`
}

// merchantPaid: GET /merchant/paid?from=&to=&limit=&cursor= lists the orders paid from one time to another; without to until now,
// of which one list spans at most 31 days.
func (a *API) merchantPaid(c call) (reply, error) {
	_, page, err := c.listing()
	if err != nil {
		return reply{}, err
	}
	from, err := c.time("from")
	if err != nil {
		return reply{}, err
	}
	w, now := a.Orders.PaidSince(from)
	if c.URL.Query().Has("to") {
		if w.To, err = c.time("to"); err != nil {
			return reply{}, err
		}
	}
	orders, next, err := a.Orders.Paid(c.Context(), w, page)
	if err != nil {
		return reply{}, err
	}
	views := []paidView{}
	for _, o := range orders {
		views = append(views, paidView{o.ID, o.PaidAt})
	}
	return ok(paidReply{listReply[paidView]{views, next}, w.To, now})
}

// time reads a time of the query.
func (c call) time(name string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, c.URL.Query().Get(name))
	if err != nil {
		return at, problem.New(problem.Invalid, "%s must be a time as 2026-11-21T08:00:00Z or 2026-11-21T16:00:00%%2B08:00 (RFC 3339)", name)
	}
	return at, nil
}
