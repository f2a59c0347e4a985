package wechatsim

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"
)

var (
	refundIDForm     = regexp.MustCompile(`^[0-9A-Za-z_-]{8,32}$`) // spec 4.8
	refundReasonForm = regexp.MustCompile(`^[0-5]$`)
	reqFromForm      = regexp.MustCompile(`^[1-3]$`)
)

type refundAnswer struct {
	ErrCode         int    `json:"errcode"`
	ErrMsg          string `json:"errmsg"`
	RefundOrderID   string `json:"refund_order_id"`
	RefundWxOrderID string `json:"refund_wx_order_id"`
	PayOrderID      string `json:"pay_order_id"`
	PayWxOrderID    string `json:"pay_wx_order_id"`
}

// refundOrder answers POST /xpay/refund_order, spec 4.8. Success starts a refund; the money comes later.
func (s *Sim) refundOrder(f fields, env int) (any, *refusal) {
	want, no := f.refund()
	if no != nil {
		return nil, no
	}
	openid, no := f.openID()
	if no != nil {
		return nil, no
	}
	p, no := s.find(f, env)
	if no != nil {
		return nil, no
	}
	if p.order.OpenID != openid {
		return nil, errNoData()
	}
	s.settle(p.order)
	if again, done, no := s.refundAgain(p, want); done {
		return again, no
	}
	if no := s.mayRefund(p, want); no != nil {
		return nil, no
	}
	p.order.Calls.RefundOrder++
	return p.order.refundAnswer(s.startRefund(p, want)), nil
}

// refund reads the parameters of a refund; every one of them is required, and the digits are strings.
func (f fields) refund() (refund, *refusal) {
	var r refund
	var ok [6]bool
	r.ID, ok[0] = f.text("refund_order_id")
	r.Left, ok[1] = f.whole("left_fee")
	r.Fee, ok[2] = f.whole("refund_fee")
	r.Meta, ok[3] = f.text("biz_meta")
	r.Reason, ok[4] = f.text("refund_reason")
	r.From, ok[5] = f.text("req_from")
	ok[0] = ok[0] && refundIDForm.MatchString(r.ID)
	ok[2] = ok[2] && r.Fee > 0
	ok[3] = ok[3] && utf8.RuneCountInString(r.Meta) <= bizMetaCharsMax
	ok[4] = ok[4] && refundReasonForm.MatchString(r.Reason)
	ok[5] = ok[5] && reqFromForm.MatchString(r.From)
	for i, name := range []string{"refund_order_id", "left_fee", "refund_fee", "biz_meta", "refund_reason", "req_from"} {
		if !ok[i] {
			return r, errField(name)
		}
	}
	return r, nil
}

// refundAgain decides about a refund number that was used before; done is false when a new refund may start.
func (s *Sim) refundAgain(p place, want refund) (answer any, done bool, no *refusal) {
	if s.orders[want.ID] != nil {
		return nil, true, refuse(268490002, "refund_order_id与支付单号重复")
	}
	was, used := s.byRefund[want.ID]
	if !used {
		return nil, false, nil
	}
	old := &was.order.Refunds[was.index]
	running := old.Status == statusRefunded
	same := was.order == p.order && old.Payment == p.index && old.Fee == want.Fee && old.Left == want.Left &&
		old.Meta == want.Meta && old.Reason == want.Reason && old.From == want.From
	switch {
	case !running && was.order == p.order && s.faults.Orders.RefundNotDeduplicated:
		return nil, false, nil
	case !same:
		return nil, true, refuse(268490002, "refund_order_id已被使用,参数不一致")
	case running && s.faults.Orders.RefundRepeatInProgress:
		return nil, true, refuse(268490014, "退款操作进行中")
	}
	return was.order.refundAnswer(old), true, nil
}

func (s *Sim) mayRefund(p place, want refund) *refusal {
	o := p.order
	if p.index < 0 {
		return refuse(268490002, "订单未支付")
	}
	pay := o.Payments[p.index]
	_, now := s.clock()
	switch {
	case o.Channel == channelApple:
		return refuse(268490002, "苹果支付订单不支持退款")
	case now > pay.At.add(refundWindow):
		return refuse(268490002, "订单已超过退款期限")
	case o.running(p.index):
		return refuse(268490014, "退款操作进行中")
	case want.Left != pay.Left:
		return refuse(268490016, "left_fee与实际不符")
	case want.Fee > pay.Left:
		return errField("refund_fee")
	}
	return nil
}

func (o *order) refundAnswer(r *refund) refundAnswer {
	return refundAnswer{
		ErrMsg: "OK", RefundOrderID: r.ID, RefundWxOrderID: r.WxID,
		PayOrderID: o.No, PayWxOrderID: o.Payments[r.Payment].WxID,
	}
}

// startRefund takes the money off left_fee at once and queues the push; the refund runs until its due time, its first
// query, or its push, whichever comes first (spec 5.6).
func (s *Sim) startRefund(p place, r refund) *refund {
	now, i := s.clock()
	o, pay := p.order, &p.order.Payments[p.index]
	r.WxID, r.Txn, r.Payment = s.chance.wxRefundID(now), s.chance.refundTransactionID(now), p.index
	r.Status, r.Start, r.Due = statusRefunded, i, i.add(s.cfg.RefundDelay)
	r.Fails = s.takeFault(&s.faults.Orders.RefundFails)
	pay.Left -= r.Fee
	if flap := time.Duration(s.faults.Orders.StatusFlap); flap > 0 {
		pay.Flap = i.add(flap)
	}
	o.Refunds = append(o.Refunds, r)
	index := len(o.Refunds) - 1
	s.byRefund[r.ID] = place{order: o, index: index, refund: true}
	s.byWx[r.WxID] = place{order: o, index: index, refund: true}
	s.touch(o)
	s.tellRefunds(o)
	return &o.Refunds[index]
}

// tellRefunds queues the push of every refund that has none yet; like tellPayments it also repairs.
func (s *Sim) tellRefunds(o *order) {
	for i, r := range o.Refunds {
		if !o.told(eventRefund, i) {
			s.enqueue(o, &push{Event: eventRefund, Index: i, Due: r.Due.add(time.Duration(s.faults.Push.Delay))})
		}
	}
}

// settle ends the charge and the refunds of o whose time has come.
func (s *Sim) settle(o *order) {
	if o == nil {
		return
	}
	_, now := s.clock()
	s.finishCharge(o)
	for i := range o.Refunds {
		if o.Refunds[i].Due <= now {
			s.finishRefund(o, &o.Refunds[i])
		}
	}
}

// finishRefund moves a running refund to 8, or to 7 with left_fee restored. Others stay as they are.
func (s *Sim) finishRefund(o *order, r *refund) {
	if r.Status != statusRefunded {
		return
	}
	_, now := s.clock()
	r.Status, r.Done = statusRefundArrived, min(now, max(r.Due, r.Start))
	if r.Fails {
		r.Status = statusRefundFailed
		o.Payments[r.Payment].Left += r.Fee
	}
	s.touch(o)
}

// ConsoleRefund plays a refund the merchant's backend did not start: in the merchant console, under a refund number
// it never issued, or, for an Apple order, by Apple at the user's wish. It fails with ErrUnknown, with ErrState
// while nothing is paid or a refund runs, and with ErrInput when fen is not within what is left.
func (s *Sim) ConsoleRefund(outTradeNo string, fen int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[outTradeNo]
	if o == nil {
		return fmt.Errorf("order %q: %w", outTradeNo, ErrUnknown)
	}
	s.settle(o)
	p := place{order: o, index: o.shown(s.faults.Orders)}
	switch {
	case p.index < 0:
		return fmt.Errorf("order %q is not paid: %w", outTradeNo, ErrState)
	case o.running(p.index):
		return fmt.Errorf("order %q has a refund under way: %w", outTradeNo, ErrState)
	case fen < 1 || fen > o.Payments[p.index].Left:
		return fmt.Errorf("order %q has %d fen left to refund: %w", outTradeNo, o.Payments[p.index].Left, ErrInput)
	}
	now, _ := s.clock()
	r := refund{ID: s.chance.consoleRefundID(now), Fee: fen, Left: o.Payments[p.index].Left, Console: true}
	s.startRefund(p, r)
	return s.journalErr
}
