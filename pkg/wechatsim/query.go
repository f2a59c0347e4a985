package wechatsim

import (
	"encoding/json"
	"reflect"
	"strings"
)

// orderBody is order in the answer of query_order: the names and types of a real answer, spec 4.6.
type orderBody struct {
	Ext            struct{} `json:"ext"`
	ProvideTime    int64    `json:"provide_time"`
	CreateTime     int64    `json:"create_time"`
	PaidTime       int64    `json:"paid_time"`
	BizType        int      `json:"biz_type"`
	PaidFee        int64    `json:"paid_fee"`
	ChannelOrderID string   `json:"channel_order_id"`
	BizMeta        string   `json:"biz_meta"`
	Token          string   `json:"token"`
	SettTime       int64    `json:"sett_time"`
	UpdateTime     int64    `json:"update_time"`
	WxpayOrderID   string   `json:"wxpay_order_id"`
	OrderFee       int64    `json:"order_fee"`
	WxOrderID      string   `json:"wx_order_id"`
	SettState      int      `json:"sett_state"`
	OrderID        string   `json:"order_id"`
	OrderType      int      `json:"order_type"`
	EnvType        int      `json:"env_type"`
	Status         int      `json:"status"`
	LeftFee        *int64   `json:"left_fee,omitempty"`         // payment orders only
	RefundFee      *int64   `json:"refund_fee,omitempty"`       // refund orders only
	PlatformFeeFen *int64   `json:"platform_fee_fen,omitempty"` // settled orders only
	CpsFeeFen      *int64   `json:"cps_fee_fen,omitempty"`      // settled orders only
}

type queryAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	Order   any    `json:"order"`
}

// queryOrder answers POST /xpay/query_order for payment orders and, by their own numbers, refund orders.
func (s *Sim) queryOrder(f fields, env int) (any, *refusal) {
	openid, no := f.openID()
	if no != nil {
		return nil, no
	}
	id, byID, no := f.orderNumber()
	if no != nil {
		return nil, no
	}
	p := s.locate(id, byID)
	if p.order == nil || p.order.OpenID != openid || p.order.Env != env {
		return nil, errNoData()
	}
	s.settle(p.order)
	body, no := s.queryPlace(p)
	if no != nil {
		return nil, no
	}
	return queryAnswer{ErrMsg: "OK", Order: s.withoutFields(body)}, nil
}

func (s *Sim) locate(id string, byID bool) place {
	if !byID {
		s.settle(s.byWx[id].order) // may give it its payment
		return s.byWx[id]
	}
	if o := s.orders[id]; o != nil {
		s.settle(o)
		return place{order: o, index: o.shown(s.faults.Orders)}
	}
	return s.byRefund[id]
}

func (s *Sim) queryPlace(p place) (orderBody, *refusal) {
	if p.refund {
		return s.queryRefund(p)
	}
	if p.index >= 0 && p.order.Lagged < s.faults.Orders.OrderQueryLag {
		p.order.Lagged++
		s.record(kindOrder, p.order)
		if s.faults.Orders.Absent {
			return orderBody{}, errNoData()
		}
		p.index = -1
	}
	return s.paymentBody(p.order, p.index), nil
}

// paymentBody shows payment i of o, or the unpaid order with i < 0.
func (s *Sim) paymentBody(o *order, i int) orderBody {
	_, now := s.clock()
	b := o.body()
	b.Status, b.SettState, b.LeftFee = o.status(i, now, s.faults.Orders), 0, new(int64)
	b.OrderFee = o.fee()
	b.BizMeta = string(mustJSON(map[string]string{"attach": o.Attach}))
	b.WxOrderID, b.ChannelOrderID = o.WxID, o.MchNo
	if o.Channel == channelApple {
		b.OrderType = 7
	}
	if i < 0 {
		return b
	}
	p := o.Payments[i]
	b.WxOrderID, b.ChannelOrderID, b.WxpayOrderID = p.WxID, p.MchNo, p.Txn
	b.PaidFee, b.PaidTime, b.ProvideTime, b.LeftFee = p.Fee, p.At.unix(), p.Provided.unix(), &p.Left
	b.SettState = 3
	if settled := s.settled(o, p); now >= settled {
		b.SettState, b.SettTime, b.CpsFeeFen = 2, settled.unix(), new(int64)
		b.PlatformFeeFen = new(platformFee(o.Channel, p.Fee))
	}
	return b
}

// platformFee is one percent, twelve on Apple, rounded up.
func platformFee(channel string, fen int64) int64 {
	percent := int64(platformShare)
	if channel == channelApple {
		percent = appleShare
	}
	return (fen*percent + 99) / 100
}

// queryRefund shows a refund order. Asking is also what ends a refund, unless RefundRunningQueries are left.
func (s *Sim) queryRefund(p place) (orderBody, *refusal) {
	o, r, f := p.order, &p.order.Refunds[p.index], s.faults.Orders
	switch {
	case r.Lagged < f.RefundQueryLag:
		r.Lagged++
		s.record(kindOrder, o)
		return orderBody{}, errNoData()
	case r.Running < f.RefundRunningQueries:
		r.Running++
		s.record(kindOrder, o)
		b := s.refundBody(o, r)
		b.Status, b.PaidTime = statusRefunded, 0
		return b, nil
	}
	s.finishRefund(o, r)
	return s.refundBody(o, r), nil
}

func (s *Sim) refundBody(o *order, r *refund) orderBody {
	b := o.body()
	b.OrderType, b.Status, b.BizMeta = 1, r.Status, r.Meta
	if o.Channel == channelApple {
		b.OrderType = 8
	}
	b.OrderID, b.WxOrderID, b.WxpayOrderID = r.ID, r.WxID, r.Txn
	b.OrderFee, b.RefundFee = r.Fee, &r.Fee
	b.CreateTime, b.UpdateTime = r.Start.unix(), max(r.Start, r.Done).unix()
	if r.Status == statusRefundArrived {
		b.PaidTime = r.Done.unix()
	}
	return b
}

// body is what payment and refund orders have in common. env_type counts from 1, spec 4.6.
func (o *order) body() orderBody {
	return orderBody{
		OrderID: o.No, BizType: 1000, EnvType: o.Env + 1, Token: o.Token,
		CreateTime: o.Created.unix(), UpdateTime: o.Updated.unix(),
	}
}

// orderFieldNames is every name of orderBody.
func orderFieldNames() (names []string) {
	for f := range reflect.TypeFor[orderBody]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// withoutFields takes out what the fault omitFields names.
func (s *Sim) withoutFields(b orderBody) any {
	if len(s.faults.Orders.OmitFields) == 0 {
		return b
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(mustJSON(b), &m); err != nil {
		return b
	}
	for _, name := range s.faults.Orders.OmitFields {
		delete(m, name)
	}
	return m
}
