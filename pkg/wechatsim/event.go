package wechatsim

import "strconv"

// Events, spec 7.
const (
	eventGoods     = "xpay_goods_deliver_notify"
	eventCoin      = "xpay_coin_pay_notify"
	eventRefund    = "xpay_refund_notify"
	eventComplaint = "xpay_complaint_notify"
	eventQuestion  = "xpay_subscribe_ios_refund_query_notify"
	eventSigning   = "xpay_subscribe_signing_result_notify" // signing and its end, Android and HarmonyOS
	eventPayFail   = "xpay_subscribe_pay_fail_notify"
	eventAppleSign = "xpay_apple_subscribe_signing_result_notify"
	eventAppleEnd  = "xpay_apple_subscribe_unsigning_result_notify"
	eventRisk      = "xpay_wxpay_callback_notify"
)

// render makes the event of p as it is now; RetryTimes counts from 0.
func (s *Sim) render(p *push) []field {
	switch p.Event {
	case eventGoods, eventCoin:
		return append(s.envelope(officialFrom, p), s.paidEvent(p)...)
	case eventRefund:
		return append(s.envelope(officialFrom, p), s.refundEvent(p)...)
	case eventComplaint:
		return append(s.envelope(officialFrom, p), s.complaintEvent(p)...)
	case eventQuestion:
		return append(s.envelope("", p), s.questionEvent(p)...)
	case eventPayFail:
		return append(s.envelope(officialFrom, p), field{"OpenId", p.order.OpenID})
	}
	if t := s.topic(p.About); t != nil {
		return s.topicEvent(t, p)
	}
	panic("wechatsim: unknown event " + p.Event)
}

func (s *Sim) envelope(from string, p *push) []field {
	return envelope(s.cfg.OriginalID, from, p.First.unix(), p.Event)
}

// envelope has the common fields of spec 7.1.
func envelope(to, from string, unix int64, event string) []field {
	return []field{
		{"ToUserName", to}, {"FromUserName", from}, {"CreateTime", unix}, {"MsgType", "event"}, {"Event", event},
	}
}

// paidEvent: spec 7.2 and 7.3. Apple payments have no WeChatPayInfo.
func (s *Sim) paidEvent(p *push) []field {
	o, pay := p.order, p.order.Payments[p.Index]
	f := []field{{"OpenId", o.OpenID}, {"OutTradeNo", o.No}, {"Env", int64(o.Env)}}
	if o.Channel == channelWeChat && !s.faults.Push.OmitPayInfo {
		f = append(f, field{"WeChatPayInfo", []field{
			{"MchOrderNo", pay.MchNo}, {"TransactionId", pay.Txn}, {"PaidTime", pay.At.unix()},
		}})
	}
	orig, actual := o.Price*o.Quantity, pay.Fee
	if s.faults.Orders.ActualPrice == "unit" {
		orig, actual = o.Price, o.Actual
	}
	info := []field{{"Quantity", o.Quantity}, {"OrigPrice", orig}, {"ActualPrice", actual}, {"Attach", o.Attach}}
	if p.Event == eventCoin {
		return append(f, field{"CoinInfo", info})
	}
	f = append(f, field{"GoodsInfo", append([]field{{"ProductId", o.Product}}, info...)})
	return append(f, s.appleSubscription(o)...)
}

// refundEvent: spec 7.4. There is no Env; Attach and WxTransactionId are Apple's only.
func (s *Sim) refundEvent(p *push) []field {
	o, r := p.order, p.order.Refunds[p.Index]
	pay, code, msg, done := o.Payments[r.Payment], int64(0), "", r.Done.unix()
	if r.Status == statusRefundFailed {
		code, msg, done = 1, "退款失败", 0
	}
	f := []field{
		{"OpenId", o.OpenID}, {"WxRefundId", r.WxID}, {"MchRefundId", r.ID}, {"WxOrderId", pay.WxID},
		{"MchOrderId", o.No}, {"RefundFee", r.Fee}, {"RetCode", code}, {"RetMsg", msg},
		{"RefundStartTimestamp", r.Start.unix()}, {"RefundSuccTimestamp", done},
		{"WxpayRefundTransactionId", r.Txn}, {"RetryTimes", int64(p.Attempts)},
	}
	if o.Channel == channelApple {
		f = append(f, field{"Attach", o.Attach}, field{"WxTransactionId", pay.Txn})
	}
	return f
}

// complaintEvent: spec 7.5.
func (s *Sim) complaintEvent(p *push) []field {
	pay := p.order.Payments[p.Index]
	return []field{
		{"OpenId", p.order.OpenID}, {"WxOrderId", pay.WxID}, {"MchOrderId", p.order.No},
		{"TransactionId", pay.Txn}, {"ComplaintId", p.Ref}, {"ComplaintDetail", s.complaints.get(p.Ref).Detail},
		{"ComplaintTime", p.Queued.unix()}, {"RetryTimes", int64(p.Attempts)}, {"RequestId", "req-" + strconv.FormatInt(p.Seq, 10)},
	}
}

// questionEvent: spec 7.8; flat, lower case, all strings.
func (s *Sim) questionEvent(p *push) []field {
	o, pay := p.order, p.order.Payments[p.Index]
	provided := "0"
	if pay.Provided != 0 {
		provided = "1"
	}
	return []field{
		{"refund_time", strconv.FormatInt(p.Queued.unix(), 10)}, {"order_time", strconv.FormatInt(pay.At.unix(), 10)},
		{"channel_bill", pay.Txn}, {"bundleid", "com.tencent.xin"}, {"product_id", o.Product},
		{"p_count", strconv.FormatInt(o.Quantity, 10)}, {"refund_request_reason", p.Note},
		{"provide_status", provided}, {"pay_order_id", o.No},
	}
}

// tellable reports whether there is what the push is to tell of. A journal that somebody edited may lack it.
func (s *Sim) tellable(p *push) bool {
	o := p.order
	switch p.Event {
	case eventGoods, eventCoin:
		return o != nil && p.Index >= 0 && p.Index < len(o.Payments)
	case eventRefund:
		return o != nil && p.Index >= 0 && p.Index < len(o.Refunds) && o.Refunds[p.Index].Payment >= 0 && o.Refunds[p.Index].Payment < len(o.Payments)
	case eventComplaint, eventQuestion, eventPayFail:
		return o != nil
	}
	return s.topic(p.About) != nil
}
