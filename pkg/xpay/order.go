package xpay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// OrderRef names an order by exactly one of its two numbers, because WeChat finds nothing when both are sent
// (trap 15). The zero OrderRef is refused.
type OrderRef struct{ orderID, wxOrderID string }

// ByOrderID names an order by your own number (outTradeNo), or a refund order by its refund_order_id.
func ByOrderID(id string) OrderRef { return OrderRef{orderID: id} }

// ByWxOrderID names an order by WeChat's number.
func ByWxOrderID(id string) OrderRef { return OrderRef{wxOrderID: id} }

func (r OrderRef) validate() error {
	if r == (OrderRef{}) {
		return errors.New("order reference is empty: use ByOrderID or ByWxOrderID with a number")
	}
	return nil
}

func (r OrderRef) String() string {
	if r.wxOrderID != "" {
		return "wx_order_id " + r.wxOrderID
	}
	return "order_id " + r.orderID
}

// What Order.OrderType says. Spec 4.6.
const (
	TypePayment      = 0
	TypeRefund       = 1
	TypeApplePayment = 7
	TypeAppleRefund  = 8
)

// What Order.SettState says. Spec 4.6.
const (
	SettNotStarted = 0
	SettRunning    = 1
	SettDone       = 2
	SettWaiting    = 3 // as SettNotStarted
)

// Order is WeChat's view of a cash order or of a refund order (spec 4.6). Times are Unix seconds, 0 when not there.
// A money pointer is nil when WeChat did not send the field: a missing field is no mismatch.
type Order struct {
	OrderID, WxOrderID     string
	CreateTime, UpdateTime int64
	Status                 Status
	BizType                int
	OrderType              int  // 0 payment, 1 refund, 7 Apple payment, 8 Apple refund
	OrderFee               *Fen // the amount of the order
	CouponFee              Fen
	PaidFee                *Fen // what the user paid
	RefundFee              *Fen // refund orders: what was refunded
	LeftFee                *Fen // payment orders: what can still be refunded
	PaidTime               int64
	ProvideTime            int64
	BizMeta                string // see Attach
	EnvType                int    // compare with Env.Type: 1 production, 2 sandbox; 0 missing
	Token                  string // Midas token
	ChannelOrderID         string // 商户单号, what the user sees in WeChat Pay
	WxpayOrderID           string // 交易单号
	SettTime               int64
	SettState              int // 0 and 3 not started, 1 settling, 2 settled
	PlatformFee            Fen // service fee, once SettState is 2
	CPSFee                 Fen
	Raw                    json.RawMessage // the order object as it came
}

// Attach is what SignGoods or SignCoins was given: WeChat returns it wrapped in biz_meta as {"attach":"..."}.
// "" if absent or not wrapped, as in refund orders.
func (o Order) Attach() string {
	var meta struct {
		Attach string `json:"attach"`
	}
	if json.Unmarshal([]byte(o.BizMeta), &meta) != nil {
		return ""
	}
	return meta.Attach
}

// QueryOrder asks for one order of a user. A refund order is found by its own number. ErrNoOrder: WeChat knows
// none, which is normal when the user never opened the cashier and is never final. An answer about another order than the one
// that was asked for is ErrNoAnswer, unless it is a refund order. CONFLICT in spec 4.6: the older table knows the order types 0 and 1 only, newer clients
// also 7 and 8; all are read.
func (c *Client) QueryOrder(ctx context.Context, openID string, ref OrderRef) (Order, error) {
	wrong := cmp.Or(checkText("openid", openID, "ask with the openid of the payer"), ref.validate())
	answer, err := c.call(ctx, queryOrder, request{wrong: wrong, openID: openID, body: struct {
		OpenID    string `json:"openid"`
		Env       Env    `json:"env"`
		OrderID   string `json:"order_id,omitempty"`
		WxOrderID string `json:"wx_order_id,omitempty"`
	}{openID, c.Merchant.env, ref.orderID, ref.wxOrderID}})
	if err != nil {
		return Order{}, err
	}
	return answer.order(ref)
}

// The OrderType of refund orders, spec 4.6.
const orderTypeRefund, orderTypeAppleRefund = 1, 8

func (a answer) order(ref OrderRef) (Order, error) {
	var reply map[string]json.RawMessage // names are exact, unlike those of a struct
	if err := json.Unmarshal(a.raw, &reply); err != nil {
		return Order{}, noAnswer(a.api, "the answer is not an object", nil)
	}
	root := fields{node: a.node}
	f := fields{node: root.find("order"), err: root.err}
	nameless := f.text("order_id") == "" && f.text("wx_order_id") == ""
	if nameless && f.whole("status") == 0 && f.err == nil {
		return Order{}, fmt.Errorf("xpay %s: errcode 0 without an order: %w", a.api, ErrNoOrder)
	}
	if nameless {
		f.fail("order_id", "is missing")
	}
	o := f.order()
	if o.OrderType != orderTypeRefund && o.OrderType != orderTypeAppleRefund { // which of its numbers a refund order answers with is not published
		f.same("order_id", ref.orderID)
		f.same("wx_order_id", ref.wxOrderID)
	}
	if f.err != nil {
		return Order{}, noAnswer(a.api, f.err.Error(), nil)
	}
	o.Raw = reply["order"]
	return o, nil
}

func (f *fields) order() Order {
	return Order{
		OrderID: f.text("order_id"), WxOrderID: f.text("wx_order_id"),
		CreateTime: f.loose("create_time"), UpdateTime: f.loose("update_time"),
		Status: Status(f.needed("status")), BizType: int(f.loose("biz_type")), OrderType: int(f.whole("order_type")),
		OrderFee: f.fen("order_fee"), CouponFee: f.fenOrZero("coupon_fee"), PaidFee: f.fen("paid_fee"),
		RefundFee: f.fen("refund_fee"), LeftFee: f.fen("left_fee"),
		PaidTime: f.loose("paid_time"), ProvideTime: f.loose("provide_time"),
		BizMeta: f.text("biz_meta"), EnvType: int(f.whole("env_type")), Token: f.text("token"),
		ChannelOrderID: f.text("channel_order_id"), WxpayOrderID: f.text("wxpay_order_id"),
		SettTime: f.loose("sett_time"), SettState: int(f.loose("sett_state")),
		PlatformFee: f.fenOrZero("platform_fee_fen"), CPSFee: f.fenOrZero("cps_fee_fen"),
	}
}
