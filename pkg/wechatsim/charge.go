package wechatsim

import (
	"math"
	"time"
)

// chargeRequest is the body of submit_subscribe_pay_order.
type chargeRequest struct {
	openid, product, no, attach string
	fen                         int64
}

func (s *Sim) chargeRequest(f fields) (c chargeRequest, no *refusal) {
	r := &reader{fields: f}
	c.openid = r.payer()
	r.need("offer_id", r.filled("offer_id", textCharsMax) == s.cfg.OfferID)
	r.number("buy_quantity", 1, 1)
	r.need("currency_type", r.filled("currency_type", textCharsMax) == "CNY")
	c.product = r.filled("product_id", textCharsMax)
	c.fen = r.number("deduct_price", deductFenMin, math.MaxInt64)
	c.no = r.filled("order_id", textCharsMax)
	r.need("order_id", outTradeNoForm.MatchString(c.no))
	c.attach = r.perhaps("attach")
	r.need("attach", f.has("attach"))
	if env, _ := f.whole("env"); env != 0 && r.no == nil {
		r.no = refuse(268490002, "SYSTEM_ERROR&midas_err_code=1003-600001-35506") // spec 4.17: sandbox credentials
	}
	return c, r.no
}

// submitSubscribePayOrder answers POST /xpay/submit_subscribe_pay_order: success accepts the charge; its result is a
// push, xpay_goods_deliver_notify or xpay_subscribe_pay_fail_notify (spec 4.17).
func (s *Sim) submitSubscribePayOrder(f fields) (any, *refusal) {
	r, no := s.chargeRequest(f)
	if no != nil {
		return nil, no
	}
	_, isRefund := s.byRefund[r.no]
	if s.orders[r.no] != nil || isRefund {
		return nil, errCharge("订单号重复")
	}
	_, price, there := s.subscription(r.product)
	if !there || r.fen > price {
		return nil, refuse(674690001, "商品类型不支持或扣费金额非法")
	}
	c := s.signed(r.openid, r.product)
	if c == nil {
		return nil, refuse(690000000, "用户未签约")
	}
	now, _ := s.clock()
	if no := s.openCycle(c, r, now); no != nil {
		return nil, no
	}
	s.startCharge(c, r, price)
	return okAnswer{ErrMsg: "OK"}, nil
}

// errCharge is the one code known for a charge that is not accepted now, spec 6.2.
func errCharge(why string) *refusal {
	return refuse(-15027, "未发送预扣费通知或重复订单:"+why)
}

// openCycle decides whether the newest cycle may be charged now. The first charge within twelve hours of the signing
// needs no pre-notice and makes its own cycle.
func (s *Sim) openCycle(c *contract, r chargeRequest, now time.Time) *refusal {
	n := len(c.Cycles) - 1
	free := at(now) <= c.Signed.add(firstChargeLimit)
	if free && (n < 0 || !c.Cycles[n].Direct) {
		if no := s.mayRetry(c, now); no != nil {
			return no
		}
		c.Cycles = append(c.Cycles, cycle{Day: at(dayInChina(now)), Fen: r.fen, Direct: true})
		s.keep(c)
		return nil
	}
	switch {
	case n < 0:
		return errCharge("没有预扣费通知")
	case s.paidAt(c, n) != 0:
		return errCharge("本期已扣费")
	case c.Cycles[n].Fen != r.fen:
		return errField("deduct_price")
	case !free && daysSince(c.Cycles[n].Day, now) < 0:
		return errCharge("未到扣费日")
	case daysSince(c.Cycles[n].Day, now) > retryDays:
		return errCharge("已过扣费期")
	case !free && !inChargeHours(now):
		return errCharge("不在扣费时段")
	}
	return s.mayRetry(c, now)
}

// mayRetry: for one user and product, whatever the contract, never two charges at once, and one attempt an hour.
func (s *Sim) mayRetry(c *contract, now time.Time) *refusal {
	for _, other := range s.contracts.list {
		if other.OpenID != c.OpenID || other.Product != c.Product || other.Mode != c.Mode || len(other.charges) == 0 {
			continue
		}
		last := other.charges[len(other.charges)-1]
		switch s.settle(last); {
		case !last.paid() && !last.Closed:
			return errCharge("扣费进行中")
		case at(now) < last.Created.add(retryGap):
			return refuse(268490015, "频率限制")
		}
	}
	return nil
}

// startCharge makes the order. Whether it will be paid is decided now and shows after ChargeDelay.
func (s *Sim) startCharge(c *contract, r chargeRequest, price int64) {
	_, i := s.clock()
	o := s.subscriptionOrder(c, r.no, price, r.fen, r.attach)
	o.Charge = &charge{
		Cycle: len(c.Cycles) - 1, Due: i.add(s.cfg.ChargeDelay), Fails: s.takeFault(&s.faults.Service.ChargeFails),
	}
	s.record(kindOrder, o)
	s.tellCharge(o)
}

// subscriptionOrder makes an order that no cashier opened; the caller writes it down.
func (s *Sim) subscriptionOrder(c *contract, no string, price, fen int64, attach string) *order {
	now, i := s.clock()
	o := &order{
		No: no, OpenID: c.OpenID, Mode: modeGoods, Channel: channelWeChat, Product: c.Product, Quantity: 1,
		Price: price, Actual: fen, Attach: attach, WxID: s.chance.wxOrderID(now), Token: s.chance.midasToken(now),
		Created: i, Updated: i, Contract: c.Key,
	}
	if c.Mode == modeApple {
		o.Channel = channelApple
	} else {
		o.MchNo = s.chance.mchOrderNo(now)
	}
	s.orders[no] = o
	s.created = append(s.created, o)
	s.byWx[o.WxID] = place{order: o, index: -1}
	c.charges = append(c.charges, o)
	return o
}

// tellCharge queues the push about the end of a charge unless it exists; it also repairs.
func (s *Sim) tellCharge(o *order) {
	if o.Charge == nil || o.told(eventGoods, 0) || o.told(eventPayFail, 0) {
		return
	}
	event := eventGoods
	if o.Charge.Fails {
		event = eventPayFail
	}
	s.enqueue(o, &push{Event: event, Due: o.Charge.Due.add(time.Duration(s.faults.Push.Delay))})
}

// finishCharge ends a charge whose time has come: the order is paid, or closed.
func (s *Sim) finishCharge(o *order) {
	_, now := s.clock()
	if o.Charge == nil || o.paid() || o.Closed || now < o.Charge.Due {
		return
	}
	if o.Closed = o.Charge.Fails; !o.Closed {
		s.addPayment(o, o.WxID, o.MchNo, o.Charge.Due)
	}
	s.touch(o)
}
