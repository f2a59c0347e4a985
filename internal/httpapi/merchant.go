package httpapi

import (
	"net/http"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// merchantView is an order as the merchant's backend sees it.
type merchantView struct {
	orderView
	OpenID    string            `json:"openId"`
	Env       xpay.Env          `json:"env"`
	Ledger    order.Ledger      `json:"ledger"`
	Attempts  []attemptView     `json:"attempts"`
	Refunds   []refundView      `json:"refunds"`
	Attention []order.Attention `json:"attention"`
	Delivery  deliveryView      `json:"delivery"`
	History   []order.Entry     `json:"history"`
	DueAt     *time.Time        `json:"dueAt"`
	Tries     int               `json:"tries"` // calls in a row that WeChat or the delivery target did not answer

	RefundAttempt int `json:"refundAttempt"` // whose money goes back where a refund names none; 0: no payment is known
}

type attemptView struct {
	Attempt    int             `json:"attempt"`
	OutTradeNo string          `json:"outTradeNo"`
	SignedAt   time.Time       `json:"signedAt"`
	LookedAt   *time.Time      `json:"lookedAt"`
	Seen       order.Seen      `json:"seen"`
	ToldAt     *time.Time      `json:"toldAt"` // WeChat knows of the delivery
	Refundable order.Fen       `json:"refundable"`
	Payments   []order.Payment `json:"payments"`
}

// deliveryView is what the delivery target was told, and what waits.
type deliveryView struct {
	Target string      `json:"target"` // "": the order was its own when it was made
	Events []eventView `json:"events"`
}

type eventView struct {
	EventID string     `json:"eventId"`
	Seq     int        `json:"seq"`
	Type    string     `json:"type"` // order.paid, order.refunded
	Fee     order.Fen  `json:"fee"`
	At      time.Time  `json:"at"`
	SentAt  *time.Time `json:"sentAt"` // accepted by the target, or confirmed
}

func viewDelivery(o order.Order) deliveryView {
	v := deliveryView{Target: o.Target, Events: []eventView{}}
	for _, e := range o.Outbox {
		v.Events = append(v.Events, eventView{e.ID(o.ID), e.Seq, e.Type, e.Fee, e.At, some(e.SentAt)})
	}
	return v
}

type refundView struct {
	ID         string            `json:"id"`
	WxRefundID string            `json:"wxRefundId"`
	Attempt    int               `json:"attempt"`
	State      order.RefundState `json:"state"`
	Foreign    bool              `json:"foreign"` // started by somebody else: console, complaint, Apple
	Amount     order.Fen         `json:"amount"`
	Reason     string            `json:"reason"`
	Failure    string            `json:"failure"`
	ErrCode    int               `json:"errCode"` // WeChat's last refusal
	AskedAt    time.Time         `json:"askedAt"`
	DoneAt     *time.Time        `json:"doneAt"`
}

func viewRefund(r order.Refund) refundView {
	reason := r.Note
	if reason == "" {
		reason = string(r.Reason)
	}
	return refundView{
		ID: r.ID, WxRefundID: r.WxRefundID, Attempt: r.Attempt, State: r.State, Foreign: r.Foreign, Amount: r.Fee,
		Reason: reason, Failure: r.Failure, ErrCode: r.Refused, AskedAt: r.AskedAt, DoneAt: some(r.DoneAt),
	}
}

func viewMerchant(o order.Order) merchantView {
	v := merchantView{
		orderView: viewOrder(o), OpenID: o.OpenID, Env: o.Env, Ledger: o.Ledger(), DueAt: some(o.DueAt()),
		Attempts: []attemptView{}, Refunds: []refundView{}, Attention: []order.Attention{}, Delivery: viewDelivery(o), History: o.History,
		Tries: o.Tries, RefundAttempt: o.RefundAttempt(),
	}
	for _, a := range o.Attempts {
		v.Attempts = append(v.Attempts, attemptView{
			Attempt: a.N, OutTradeNo: order.OutTradeNo(o.ID, a.N), SignedAt: a.SignedAt, LookedAt: some(a.LookedAt),
			Seen: a.Seen, ToldAt: some(a.ToldAt), Refundable: o.Refundable(a.N), Payments: append([]order.Payment{}, a.Payments...),
		})
	}
	for _, r := range o.Refunds {
		v.Refunds = append(v.Refunds, viewRefund(r))
	}
	v.Attention = append(v.Attention, o.Attention...)
	return v
}

type merchantReply struct {
	Order merchantView `json:"order"`
}

// merchantOrder: GET /merchant/orders/{id}.
func (a *API) merchantOrder(c call) (reply, error) {
	o, err := a.Orders.Get(c.Context(), c.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return ok(merchantReply{viewMerchant(o)})
}

// merchantUserOrders: GET /merchant/users/{openid}/orders?state=&limit=&cursor=.
func (a *API) merchantUserOrders(c call) (reply, error) {
	state, page, err := c.listing()
	if err != nil {
		return reply{}, err
	}
	orders, next, err := a.Orders.List(c.Context(), c.PathValue("openid"), state, page)
	if err != nil {
		return reply{}, err
	}
	views := []merchantView{}
	for _, o := range orders {
		views = append(views, viewMerchant(o))
	}
	return ok(listReply[merchantView]{views, next})
}

// merchantRefund: POST /merchant/orders/{id}/refunds {"amount","reason","attempt"?}. 202 while it is under way.
func (a *API) merchantRefund(c call) (reply, error) {
	var in struct {
		Amount  order.Fen `json:"amount"`
		Reason  string    `json:"reason"`
		Attempt int       `json:"attempt"`
	}
	if err := c.decode(&in, false); err != nil {
		return reply{}, err
	}
	o, r, err := a.Orders.Refund(c.Context(), order.RefundRequest{
		OrderID: c.PathValue("id"), Key: c.Header.Get("Idempotency-Key"), Amount: in.Amount, Reason: in.Reason, Attempt: in.Attempt, By: a.operatorIs(c),
	})
	if err != nil {
		return reply{}, err
	}
	status := http.StatusAccepted
	if r.State == order.RefundDone || r.State == order.RefundFailed {
		status = http.StatusOK
	}
	return reply{status: status, body: refundReply{viewRefund(r), viewMerchant(o)}}, nil
}

type refundReply struct {
	Refund refundView   `json:"refund"`
	Order  merchantView `json:"order"`
}

// merchantSettle: POST /merchant/orders/{id}/refunds/{refund} {"happened"} ends a refund that WeChat cannot tell of.
func (a *API) merchantSettle(c call) (reply, error) {
	var in struct {
		Happened *bool `json:"happened"`
	}
	if err := c.decode(&in, false); err != nil {
		return reply{}, err
	}
	if in.Happened == nil {
		return reply{}, problem.New(problem.Invalid, "happened must be true or false: what WeChat's console shows")
	}
	o, r, err := a.Orders.SettleRefund(c.Context(), c.PathValue("id"), c.PathValue("refund"), *in.Happened, a.operatorIs(c))
	if err != nil {
		return reply{}, err
	}
	return ok(refundReply{viewRefund(r), viewMerchant(o)})
}

// merchantAccept: POST /merchant/orders/{id}/accept lets a held order go.
func (a *API) merchantAccept(c call) (reply, error) {
	var in struct{}
	if err := c.decode(&in, true); err != nil {
		return reply{}, err
	}
	o, err := a.Orders.Accept(c.Context(), c.PathValue("id"), a.operatorIs(c))
	if err != nil {
		return reply{}, err
	}
	return ok(merchantReply{viewMerchant(o)})
}

// merchantDelivery: POST /merchant/orders/{id}/delivery {"eventId"?,"seq"?} confirms that the events up to this one, or all, arrived.
func (a *API) merchantDelivery(c call) (reply, error) {
	var in struct {
		EventID string `json:"eventId"`
		Seq     *int   `json:"seq"`
	}
	if err := c.decode(&in, true); err != nil {
		return reply{}, err
	}
	seq := 0
	if in.Seq != nil {
		if seq = *in.Seq; seq < 1 {
			return reply{}, problem.New(problem.Invalid, "seq must be the number of an event, from 1; without it all are meant")
		}
	}
	o, err := a.Orders.ConfirmDelivery(c.Context(), c.PathValue("id"), in.EventID, seq)
	if err != nil {
		return reply{}, err
	}
	return ok(merchantReply{viewMerchant(o)})
}

type questionView struct {
	Number   string        `json:"number"`
	Evidence string        `json:"evidence"` // the name of the kept push, "" for an order's own question
	Code     string        `json:"code"`
	Reason   string        `json:"reason"`
	At       time.Time     `json:"at"`
	Order    *merchantView `json:"order"` // null for a push about no order of ours
}

// merchantHeld: GET /merchant/held?limit=&cursor= lists what waits for a person.
func (a *API) merchantHeld(c call) (reply, error) {
	_, page, err := c.listing()
	if err != nil {
		return reply{}, err
	}
	questions, next, err := a.Orders.Held(c.Context(), page)
	if err != nil {
		return reply{}, err
	}
	views := []questionView{}
	for _, q := range questions {
		v := questionView{Number: q.Number, Evidence: q.Evidence, Code: q.Code, Reason: q.Reason, At: q.At}
		if q.Order != nil {
			v.Order = new(viewMerchant(*q.Order))
		}
		views = append(views, v)
	}
	return ok(struct {
		Held   []questionView `json:"held"`
		Cursor string         `json:"cursor"`
	}{views, next})
}
