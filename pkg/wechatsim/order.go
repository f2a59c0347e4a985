package wechatsim

import (
	"fmt"
	"slices"
	"time"
)

// Statuses of orders and refunds as query_order numbers them, spec 5.1.
const (
	statusCreated       = 1 // the cashier opened
	statusPaid          = 2 // paid, waiting for delivery
	statusDelivered     = 4 // the push was acknowledged, or notify_provide_goods came
	statusRefunded      = 5 // a refund that runs; a payment order that is refunded, or flaps
	statusClosed        = 6 // dead without payment
	statusRefundFailed  = 7
	statusRefundArrived = 8
)

const (
	modeGoods     = "short_series_goods"
	modeCoin      = "short_series_coin"
	channelWeChat = "wechat"
	channelApple  = "apple"
)

// order is one outTradeNo. It exists from the moment the cashier opens. It holds the whole truth about its payments
// and refunds, so one journal line restores it.
type order struct {
	No       string    `json:"no"`
	OpenID   string    `json:"openid"`
	Env      int       `json:"env,omitempty"`
	Mode     string    `json:"mode"`
	Channel  string    `json:"channel"`
	Product  string    `json:"product,omitempty"`
	Quantity int64     `json:"quantity"`
	Price    int64     `json:"price"`  // fen per unit, as published
	Actual   int64     `json:"actual"` // fen per unit, after activitySellingPrice
	Attach   string    `json:"attach"`
	WxID     string    `json:"wx"` // of the order and of its first payment
	MchNo    string    `json:"mch,omitempty"`
	Token    string    `json:"token"` // Midas token
	Created  instant   `json:"created"`
	Updated  instant   `json:"updated"`
	Closed   bool      `json:"closed,omitempty"`
	Lagged   int       `json:"lagged,omitempty"` // queries answered by OrderQueryLag
	Payments []payment `json:"payments,omitempty"`
	Refunds  []refund  `json:"refunds,omitempty"`
	Calls    Calls     `json:"calls"`
	Contract string    `json:"contract,omitempty"` // of the subscription it is charged for
	Charge   *charge   `json:"charge,omitempty"`   // by the server: not the user's to pay

	pushes []*push // journaled on their own
}

// payment is money that arrived for an order: normally one, two with the fault payTwice.
type payment struct {
	WxID     string  `json:"wx"`
	MchNo    string  `json:"mch,omitempty"`
	Txn      string  `json:"txn"`
	Fee      int64   `json:"fee"`
	Left     int64   `json:"left"` // refundable rest; a running refund is already taken off
	At       instant `json:"at"`
	Provided instant `json:"provided,omitempty"`
	Flap     instant `json:"flap,omitempty"` // until then the order shows status 5
}

// refund is one refund of one payment.
type refund struct {
	ID      string  `json:"id"` // the merchant's number, or the console's
	WxID    string  `json:"wx"`
	Txn     string  `json:"txn"`
	Payment int     `json:"payment,omitempty"`
	Fee     int64   `json:"fee"`
	Left    int64   `json:"left"` // left_fee of the request
	Meta    string  `json:"meta,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	From    string  `json:"from,omitempty"`
	Status  int     `json:"status"`
	Console bool    `json:"console,omitempty"`
	Fails   bool    `json:"fails,omitempty"`
	Start   instant `json:"start"`
	Due     instant `json:"due"` // when it ends by itself
	Done    instant `json:"done,omitempty"`
	Lagged  int     `json:"lagged,omitempty"`  // queries answered by RefundQueryLag
	Running int     `json:"running,omitempty"` // queries answered by RefundRunningQueries
}

// Calls counts what had an effect on an order. Repeats answered idempotently are not counted.
type Calls struct {
	RefundOrder        int `json:"refundOrder"`
	NotifyProvideGoods int `json:"notifyProvideGoods"`
}

func (o *order) paid() bool { return len(o.Payments) > 0 }

func (o *order) fee() int64 { return o.Actual * o.Quantity }

// status is what query_order shows for payment i, or for the unpaid order with i < 0.
func (o *order) status(i int, now instant, f OrderFaults) int {
	switch {
	case i < 0 && o.Closed:
		return statusClosed
	case i < 0:
		return statusCreated
	}
	p := o.Payments[i]
	switch {
	case now < p.Flap:
		return statusRefunded
	case p.Left == 0 && !o.running(i) && !f.FullRefundKeepsStatus:
		return statusRefunded
	case p.Provided != 0:
		return statusDelivered
	}
	return statusPaid
}

// running reports whether a refund of payment i is under way.
func (o *order) running(i int) bool {
	for _, r := range o.Refunds {
		if r.Payment == i && r.Status == statusRefunded {
			return true
		}
	}
	return false
}

// shown is the payment that stands for the order's number, -1 while unpaid.
func (o *order) shown(f OrderFaults) int {
	if f.PayTwiceShowsFirst {
		return min(0, len(o.Payments)-1)
	}
	return len(o.Payments) - 1
}

// Pay completes an order whose cashier is still open: status 1 becomes 2 and the push is queued. WeChat has no close
// call and signData no expiry, so this works however old the order is. It fails with ErrUnknown, or with ErrState on
// an order that is paid or closed.
func (s *Sim) Pay(outTradeNo string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.openOrder(outTradeNo)
	if err != nil {
		return err
	}
	_, now := s.clock()
	s.pay(o, now)
	return s.journalErr
}

// Close moves an unpaid order from 1 to 6, as time does at WeChat's side. It fails like Pay.
func (s *Sim) Close(outTradeNo string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.openOrder(outTradeNo)
	if err != nil {
		return err
	}
	o.Closed = true
	s.touch(o)
	return s.journalErr
}

func (s *Sim) openOrder(no string) (*order, error) {
	o := s.orders[no]
	switch {
	case o == nil:
		return nil, fmt.Errorf("order %q: %w", no, ErrUnknown)
	case o.paid():
		return nil, fmt.Errorf("order %q is paid: %w", no, ErrState)
	case o.Closed:
		return nil, fmt.Errorf("order %q is closed: %w", no, ErrState)
	case o.Charge != nil:
		return nil, fmt.Errorf("order %q is a charge, which no user pays: %w", no, ErrState)
	}
	return o, nil
}

// pay books one payment at that time, or two by the fault payTwice, and queues a push for each.
func (s *Sim) pay(o *order, when instant) {
	s.addPayment(o, o.WxID, o.MchNo, when)
	if s.takeFault(&s.faults.Orders.PayTwice) {
		now, _ := s.clock()
		mch := ""
		if o.Channel == channelWeChat {
			mch = s.chance.mchOrderNo(now)
		}
		s.addPayment(o, s.chance.wxOrderID(now), mch, when)
	}
	s.touch(o)
	s.creditCoins(o)
	s.tellPayments(o)
}

// tellPayments queues the push of every payment that has none yet. The order is written down first, so a crash in
// between leaves a payment without push, which Restore repairs by calling this.
func (s *Sim) tellPayments(o *order) {
	event := eventGoods
	if o.Mode == modeCoin {
		event = eventCoin
	}
	for i := range o.Payments {
		if !o.told(event, i) {
			due := o.Payments[i].At.add(time.Duration(s.faults.Push.Delay))
			s.enqueue(o, &push{Event: event, Index: i, Due: due})
		}
	}
}

// told reports whether a push of that event about payment or refund i exists.
func (o *order) told(event string, i int) bool {
	return slices.ContainsFunc(o.pushes, func(p *push) bool { return p.Event == event && p.Index == i })
}

func (s *Sim) addPayment(o *order, wxID, mchNo string, when instant) {
	now, _ := s.clock()
	fee := max(1, o.fee()-s.faults.Orders.Coupon)
	p := payment{WxID: wxID, MchNo: mchNo, Txn: s.transaction(o.Channel, now), Fee: fee, Left: fee, At: when}
	o.Payments = append(o.Payments, p)
	s.byWx[wxID] = place{order: o, index: len(o.Payments) - 1}
}

func (s *Sim) transaction(channel string, now time.Time) string {
	if channel == channelApple {
		return s.chance.appleTransactionID()
	}
	return s.chance.transactionID(now)
}

// touch marks o changed and writes it down.
func (s *Sim) touch(o *order) {
	_, o.Updated = s.clock()
	s.record(kindOrder, o)
}
