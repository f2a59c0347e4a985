package xpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

const bizMetaRunesMax = 1024 // spec 4.8

// RefundReason is why money goes back. WeChat wants the digit as text (trap 17).
type RefundReason string

const (
	ReasonNone       RefundReason = "0"
	ReasonProduct    RefundReason = "1" // product problem
	ReasonAfterSales RefundReason = "2"
	ReasonUser       RefundReason = "3" // the user's wish
	ReasonPrice      RefundReason = "4"
	ReasonOther      RefundReason = "5"
)

// RefundFrom is who asked for the refund.
type RefundFrom string

const (
	FromService RefundFrom = "1" // customer service
	FromUser    RefundFrom = "2"
	FromOther   RefundFrom = "3"
)

// RefundRequest asks for one refund. Keep every field and repeat the identical request with the same RefundOrderID
// while its outcome is unknown.
type RefundRequest struct {
	OpenID        string   // the payer
	Order         OrderRef // the payment order
	RefundOrderID string   // yours, see ValidRefundOrderID
	LeftFee       Fen      // the order's left_fee from a QueryOrder just before, else 268490016
	RefundFee     Fen      // above 0, at most LeftFee
	BizMeta       string   // echoed in the refund order, at most 1024 characters
	Reason        RefundReason
	From          RefundFrom
}

// RefundReply are the numbers of the refund that was started.
type RefundReply struct {
	RefundOrderID, RefundWxOrderID string
	PayOrderID, PayWxOrderID       string
	Raw                            json.RawMessage
}

// refundBody has the fields in the order of vector C5b.
type refundBody struct {
	OpenID        string       `json:"openid"`
	OrderID       string       `json:"order_id,omitempty"`
	WxOrderID     string       `json:"wx_order_id,omitempty"`
	RefundOrderID string       `json:"refund_order_id"`
	LeftFee       Fen          `json:"left_fee"`
	RefundFee     Fen          `json:"refund_fee"`
	BizMeta       string       `json:"biz_meta"`
	Reason        RefundReason `json:"refund_reason"`
	From          RefundFrom   `json:"req_from"`
	Env           Env          `json:"env"`
}

// RefundOrder starts a refund. Success means started, not returned: query the refund number or wait for the push.
// When OutcomeUnknown(err), query the refund number, and repeat the identical request if it is absent; an answer about other
// numbers is ErrNoAnswer. Apple orders can not be refunded here. CONFLICT in spec 4.1: a note on WeChat's page asks for both
// signatures, its table for pay_sig alone, which is sent. Spec 4.8.
func (c *Client) RefundOrder(ctx context.Context, r RefundRequest) (RefundReply, error) {
	return ask(ctx, c, refundOrder, request{wrong: r.validate(), openID: r.OpenID, body: refundBody{
		OpenID: r.OpenID, OrderID: r.Order.orderID, WxOrderID: r.Order.wxOrderID, RefundOrderID: r.RefundOrderID,
		LeftFee: r.LeftFee, RefundFee: r.RefundFee, BizMeta: r.BizMeta, Reason: r.Reason, From: r.From,
		Env: c.Merchant.env,
	}}, func(f *fields, a answer) RefundReply {
		f.same("refund_order_id", r.RefundOrderID)
		f.same("pay_order_id", r.Order.orderID)
		f.same("pay_wx_order_id", r.Order.wxOrderID)
		return RefundReply{
			RefundOrderID: f.text("refund_order_id"), RefundWxOrderID: f.text("refund_wx_order_id"),
			PayOrderID: f.text("pay_order_id"), PayWxOrderID: f.text("pay_wx_order_id"), Raw: a.raw,
		}
	})
}

func (r RefundRequest) validate() error {
	if r.OpenID == "" {
		return errors.New("openid is empty: refund with the openid of the payer")
	}
	if err := r.Order.validate(); err != nil {
		return err
	}
	if err := ValidRefundOrderID(r.RefundOrderID); err != nil {
		return err
	}
	if r.RefundFee <= 0 || r.RefundFee > r.LeftFee {
		return fmt.Errorf("refund_fee is %d fen: it must be above 0 and at most left_fee, %d", r.RefundFee, r.LeftFee)
	}
	if !utf8.ValidString(r.BizMeta) || utf8.RuneCountInString(r.BizMeta) > bizMetaRunesMax {
		return fmt.Errorf("biz_meta must be UTF-8 of at most %d characters", bizMetaRunesMax)
	}
	if len(r.Reason) != 1 || r.Reason < ReasonNone || r.Reason > ReasonOther {
		return errors.New(`refund_reason is not one of "0" to "5"`)
	}
	if len(r.From) != 1 || r.From < FromService || r.From > FromOther {
		return errors.New(`req_from is not one of "1" to "3"`)
	}
	return nil
}
