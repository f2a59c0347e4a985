package wechatsim

import "time"

// OrderView is one order as an auditor sees it: what WeChat knows to be true, untouched by query lags.
type OrderView struct {
	OutTradeNo string `json:"outTradeNo"`
	OpenID     string `json:"openid"`
	Env        int    `json:"env"`
	Mode       string `json:"mode"`
	Channel    string `json:"channel"`
	ProductID  string `json:"productId,omitempty"`
	Quantity   int64  `json:"quantity"`
	Attach     string `json:"attach"`
	Status     int    `json:"status"` // as query_order numbers it, spec 5.1
	OrderFee   int64  `json:"orderFee"`
	PaidFee    int64  `json:"paidFee"` // over all payments
	LeftFee    int64  `json:"leftFee"` // over all payments; running refunds are taken off

	CreatedAt   time.Time `json:"createdAt"`
	DeliveredAt time.Time `json:"deliveredAt,omitzero"` // of the payment shown; survives a refund

	Payments []PaymentView `json:"payments"`
	Refunds  []RefundView  `json:"refunds"`
	Calls    Calls         `json:"calls"`
	Pushes   []PushView    `json:"pushes"`
}

// PaymentView is money that arrived. Fee and LeftFee are fen.
type PaymentView struct {
	TransactionID string    `json:"transactionId"`
	WxOrderID     string    `json:"wxOrderId"`
	MchOrderNo    string    `json:"mchOrderNo"`
	Fee           int64     `json:"fee"`
	LeftFee       int64     `json:"leftFee"`
	At            time.Time `json:"at"`
}

// RefundView is money that goes back, if Status is 8; 5 runs, 7 failed. Console marks refunds that no refund_order
// call started.
type RefundView struct {
	RefundID   string    `json:"refundId"`
	WxRefundID string    `json:"wxRefundId"`
	WxOrderID  string    `json:"wxOrderId"` // the payment it takes from
	Fee        int64     `json:"fee"`
	Status     int       `json:"status"`
	Console    bool      `json:"console"`
	At         time.Time `json:"at"`
}

// PushView is one event and its tries so far. NextAt is zero when no try follows.
type PushView struct {
	Event      string    `json:"event"`
	Attempts   int       `json:"attempts"`
	Answered   bool      `json:"answered"`
	NextAt     time.Time `json:"nextAt,omitzero"`
	LastAnswer string    `json:"lastAnswer"`
}

// Order answers one order by its outTradeNo.
func (s *Sim) Order(outTradeNo string) (OrderView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[outTradeNo]
	if o == nil {
		return OrderView{}, false
	}
	return s.view(o), true
}

// Orders answers every order in order of creation.
func (s *Sim) Orders() []OrderView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]OrderView, len(s.created))
	for i, o := range s.created {
		views[i] = s.view(o)
	}
	return views
}

// newest answers the numbers of the last orders, newest first.
func (s *Sim) newest(limit int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := []string{}
	for i := len(s.created) - 1; i >= 0 && len(numbers) < limit; i-- {
		numbers = append(numbers, s.created[i].No)
	}
	return numbers
}

func (s *Sim) view(o *order) OrderView {
	s.settle(o)
	_, now := s.clock()
	shown := o.shown(s.faults.Orders)
	v := OrderView{
		OutTradeNo: o.No, OpenID: o.OpenID, Env: o.Env, Mode: o.Mode, Channel: o.Channel, ProductID: o.Product,
		Quantity: o.Quantity, Attach: o.Attach, Status: o.status(shown, now, s.faults.Orders), OrderFee: o.fee(),
		CreatedAt: o.Created.time(), Calls: o.Calls,
		Payments: make([]PaymentView, len(o.Payments)), Refunds: make([]RefundView, len(o.Refunds)), Pushes: make([]PushView, len(o.pushes)),
	}
	if shown >= 0 {
		v.DeliveredAt = o.Payments[shown].Provided.time()
	}
	for i, p := range o.Payments {
		v.PaidFee += p.Fee
		v.LeftFee += p.Left
		v.Payments[i] = PaymentView{TransactionID: p.Txn, WxOrderID: p.WxID, MchOrderNo: p.MchNo, Fee: p.Fee, LeftFee: p.Left, At: p.At.time()}
	}
	for i, r := range o.Refunds {
		v.Refunds[i] = RefundView{RefundID: r.ID, WxRefundID: r.WxID, WxOrderID: o.Payments[r.Payment].WxID, Fee: r.Fee, Status: r.Status, Console: r.Console, At: r.Start.time()}
	}
	for i, p := range o.pushes {
		v.Pushes[i] = p.view()
	}
	return v
}

func (p *push) view() PushView {
	v := PushView{Event: p.Event, Attempts: p.Attempts, Answered: p.Answered, LastAnswer: p.Last}
	if !p.Done {
		v.NextAt = p.Due.time()
	}
	return v
}
