package wechatsim

type okAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

// notifyProvideGoods answers POST /xpay/notify_provide_goods, spec 4.7: a paid order becomes delivered. order_id means
// every payment of the number, wx_order_id the one.
func (s *Sim) notifyProvideGoods(f fields, env int) (any, *refusal) {
	p, no := s.find(f, env)
	if no != nil {
		return nil, no
	}
	if p.index < 0 {
		return nil, refuse(268490002, "订单状态错误")
	}
	changed := s.provide(p.order, p.index, f.has("order_id"))
	if !changed && s.faults.Orders.NotifyNotRepeatable {
		return nil, refuse(268490002, "订单状态错误")
	}
	if changed {
		p.order.Calls.NotifyProvideGoods++
		s.touch(p.order)
	}
	return okAnswer{ErrMsg: "OK"}, nil
}

// provide marks payment i, or all of them, delivered and reports whether that changed anything.
func (s *Sim) provide(o *order, i int, all bool) (changed bool) {
	_, now := s.clock()
	for k := range o.Payments {
		if (all || k == i) && o.Payments[k].Provided == 0 {
			o.Payments[k].Provided, changed = now, true
		}
		if (all || k == i) && s.faults.Orders.NotifyStopsPush {
			s.stopPush(o, k)
		}
	}
	return changed
}

// stopPush ends the repeats of the paid push of payment i.
func (s *Sim) stopPush(o *order, i int) {
	for _, p := range o.pushes {
		if p.paid() && p.Index == i && !p.Done {
			p.Done, p.Last = true, "stopped by notify_provide_goods"
			s.record(kindPush, p)
		}
	}
}
