package wechatsim

import (
	"context"
	"fmt"
)

// PaymentRequest is what the mini-program gives to wx.requestVirtualPayment, and what its user then does: Action "pay"
// (or "") pays at once, "cancel" closes the cashier. Channel is "wechat" (or "") or "apple".
type PaymentRequest struct {
	OpenID    string `json:"openid"`
	Mode      string `json:"mode"`
	SignData  string `json:"signData"`
	PaySig    string `json:"paySig"`
	Signature string `json:"signature"`
	Action    string `json:"action"`
	Channel   string `json:"channel"`
}

// PaymentResult is what the success or fail callback gets; numbers in spec 2.3. With NoCallback (the fault
// lostCallback) neither of them ran, so the phone has no ErrCode; here it is -1, that nobody takes it for a success.
type PaymentResult struct {
	ErrCode    int    `json:"errCode"`
	ErrMsg     string `json:"errMsg"`
	NoCallback bool   `json:"noCallback,omitempty"`
}

func failed(code int, format string, args ...any) PaymentResult {
	return PaymentResult{ErrCode: code, ErrMsg: "requestVirtualPayment:fail " + fmt.Sprintf(format, args...)}
}

// RequestVirtualPayment plays wx.requestVirtualPayment on a phone: it checks arguments, both signatures over the
// exact bytes of SignData and every rule of spec 2.2, opens the cashier (the order now exists with status 1) and lets
// the user pay (status 2, push queued) or cancel (-2). A refused call creates nothing. Faults.Cashier makes it fail, lose
// its callback, or send its pushes before it returns.
func (s *Sim) RequestVirtualPayment(r PaymentRequest) PaymentResult {
	if bad := r.checkArguments(); bad.ErrCode != 0 {
		return bad
	}
	d, bad := parseSignData(r.SignData, r.Mode)
	if bad.ErrCode != 0 {
		return bad
	}
	heard, first := s.purchase(r, d)
	s.sendAll(context.Background(), first)
	return heard
}

// purchase plays what happens under the lock; first are the pushes to send before the phone hears.
func (s *Sim) purchase(r PaymentRequest, d signData) (heard PaymentResult, first []*push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, check := range []func(PaymentRequest, *signData) PaymentResult{s.checkSignatures, s.checkOffer, s.checkGoods, s.checkOrder} {
		if bad := check(r, &d); bad.ErrCode != 0 {
			return bad, nil
		}
	}
	ordered := s.orderedCode(s.cashierCall())
	if ordered.ErrCode != 0 && !leavesOrder(ordered.ErrCode) {
		return ordered, nil
	}
	o := s.openCashier(r, d)
	switch {
	case s.journalErr != nil:
		return failed(-15003, "system error"), nil
	case ordered.ErrCode == codeOrderClosed:
		o.Closed = true
		s.touch(o)
		return ordered, nil
	case ordered.ErrCode != 0:
		return ordered, nil
	case r.Action == "cancel":
		return failed(-2, "cancel"), nil
	}
	newest := s.pushSeq
	s.pay(o, o.Created)
	return s.callback(s.cashierCall(), newest)
}

func (r PaymentRequest) checkArguments() PaymentResult {
	for _, a := range [][2]string{{"mode", r.Mode}, {"signData", r.SignData}, {"paySig", r.PaySig}, {"signature", r.Signature}} {
		if a[1] == "" {
			return failed(1001, "parameter error: parameter.%s should be String instead of Undefined", a[0])
		}
	}
	switch {
	case r.Mode != modeGoods && r.Mode != modeCoin:
		return failed(-15001, "mode is neither %s nor %s", modeGoods, modeCoin)
	case r.Action != "" && r.Action != "pay" && r.Action != "cancel":
		return failed(1001, "parameter error: action is neither pay nor cancel")
	case r.Channel != "" && r.Channel != channelWeChat && r.Channel != channelApple:
		return failed(1001, "parameter error: channel is neither wechat nor apple")
	}
	return PaymentResult{}
}

// checkSignatures: the merchant's with the AppKey of env, the user's with the one valid session_key.
func (s *Sim) checkSignatures(r PaymentRequest, d *signData) PaymentResult {
	u := s.users[r.OpenID]
	switch {
	case u == nil || u.Key == "":
		return failed(-15007, "session_key expired")
	case !s.merchantSigned(d.env, r.PaySig, clientURI, []byte(r.SignData)):
		return failed(-15006, "PAY_SIG_INVALID")
	case !sameSig(r.Signature, userSig(u.Key, []byte(r.SignData))):
		return failed(-15005, "SIGNATURE_INVALID")
	}
	return PaymentResult{}
}

func (s *Sim) checkOffer(r PaymentRequest, d *signData) PaymentResult {
	switch {
	case s.cfg.Released && d.env == 1:
		return failed(-15011, "PAYMENT_ILLEGAL_IN_SANDBOX")
	case d.offerID != s.cfg.OfferID:
		return failed(-15001, "offerId is not the one of this mini-program")
	case d.currency != "CNY":
		return failed(-15004, "currencyType is not CNY")
	case d.quantity < 1:
		return failed(-15001, "buyQuantity is below 1")
	case !outTradeNoForm.MatchString(d.outTradeNo):
		return failed(-15001, "outTradeNo is not 8 to 32 letters, digits or _-|*@, or starts with _")
	}
	return PaymentResult{}
}

// checkGoods checks the product and fixes the price.
func (s *Sim) checkGoods(r PaymentRequest, d *signData) PaymentResult {
	if r.Mode == modeCoin && s.faults.Coins.Unpublished {
		return failed(-15009, "the coin is not published")
	}
	if r.Mode == modeCoin {
		d.price, d.actual = s.cfg.CoinFen, s.cfg.CoinFen
		return d.checkTotal()
	}
	price, recent := s.price(d.env, d.product)
	switch {
	case recent:
		return failed(-15014, "COIN_OR_PRODUCT_ID_CREATED_IN_RECENTLY")
	case price == 0:
		return failed(-15010, "PRODUCT_ID_NOT_PUBLISH")
	case d.price != price:
		return failed(-15013, "GOODS_PRICE_INVALID")
	case d.discounted && (d.actual < 1 || d.actual > price):
		return failed(-15001, "activitySellingPrice is not within 1 and goodsPrice")
	case d.discounted && s.faults.Orders.DiscountFloor && d.actual*10 < price*4:
		return failed(-15001, "activitySellingPrice is below 40 percent of goodsPrice")
	}
	if !d.discounted {
		d.actual = price
	}
	return d.checkTotal()
}

func (d *signData) checkTotal() PaymentResult {
	if d.quantity > orderFenMax/d.price {
		return failed(-15001, "the order amounts to more than the simulator can count")
	}
	return PaymentResult{}
}

func (s *Sim) checkOrder(r PaymentRequest, d *signData) PaymentResult {
	_, isRefund := s.byRefund[d.outTradeNo]
	switch {
	case s.orders[d.outTradeNo] != nil || isRefund:
		return failed(-15002, "outTradeNo is used already")
	case r.Channel == channelApple && d.env != 0:
		return failed(-15001, "iOS payments have no sandbox")
	case r.Channel == channelApple && d.actual*d.quantity < appleFenMin:
		return failed(-15001, "iOS payments start at 1 yuan")
	}
	return PaymentResult{}
}

func (s *Sim) openCashier(r PaymentRequest, d signData) *order {
	now, i := s.clock()
	o := &order{
		No: d.outTradeNo, OpenID: r.OpenID, Env: d.env, Mode: r.Mode, Channel: orElse(r.Channel, channelWeChat),
		Product: d.product, Quantity: d.quantity, Price: d.price, Actual: d.actual, Attach: d.attach,
		WxID: s.chance.wxOrderID(now), Token: s.chance.midasToken(now), Created: i, Updated: i,
	}
	if o.Channel == channelWeChat {
		o.MchNo = s.chance.mchOrderNo(now)
	}
	s.orders[o.No] = o
	s.created = append(s.created, o)
	s.byWx[o.WxID] = place{order: o, index: -1}
	s.record(kindOrder, o)
	return o
}
