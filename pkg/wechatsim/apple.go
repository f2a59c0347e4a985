package wechatsim

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"
)

// appleSignURI is what paySig of wx.requestAppleSubscribeSign covers in front of signData, spec 2.4.
const appleSignURI = "requestAppleSubscribeSign"

// appleContract is Apple's side of a contract. Was is how it stood before Changed, for queries that lag.
type appleContract struct {
	Attach  string      `json:"attach"`
	Fen     int64       `json:"fen"` // price of a period
	Now     appleState  `json:"now"`
	Was     *appleState `json:"was,omitempty"`
	Changed instant     `json:"changed"`

	Charge *appleCharge `json:"charge,omitempty"` // nil: the present period is a free trial
}

// appleCharge is the order that paid the present period. It is written down with the contract, so that a crash before
// the order's own line leaves no period without its payment.
type appleCharge struct {
	No  string `json:"no"`
	Fen int64  `json:"fen"`
}

// appleState is what query_subscribe_contract tells about a contract of Apple's.
type appleState struct {
	OriginalTransactionID string  `json:"original"`
	AutoRenew             bool    `json:"renew"`
	Start                 instant `json:"start"`
	Renewal               instant `json:"renewal"`
}

type appleBody struct {
	OriginalTransactionID string `json:"original_transaction_id"`
	AutoRenew             int64  `json:"auto_renew_status"`
	Start                 int64  `json:"recent_subscription_start_date"` // milliseconds
	Renewal               int64  `json:"renewal_date"`                   // milliseconds
}

func appleKey(openid, product string) string { return modeApple + "/" + openid + "/" + product }

func (a *appleState) renews() int64 {
	if a.AutoRenew {
		return 1
	}
	return 0
}

// queryApple answers query_subscribe_contract in mode apple.
func (s *Sim) queryApple(openid, product string, no *refusal) (any, *refusal) {
	if no != nil {
		return nil, no
	}
	a := contractAnswer{ErrMsg: "OK", State: contractUnbound}
	c := s.contracts.get(appleKey(openid, product))
	if c == nil {
		return a, nil
	}
	st := s.appleSeen(c)
	if st == nil {
		return a, nil
	}
	a.State = contractTerminated
	if st.AutoRenew {
		a.State = contractSigned
	}
	a.Apple = &appleBody{st.OriginalTransactionID, st.renews(), milliseconds(st.Start), milliseconds(st.Renewal)}
	return a, nil
}

// appleSeen is the state a query sees: with the fault appleQueryLag, changes show that much later.
func (s *Sim) appleSeen(c *contract) *appleState {
	_, now := s.clock()
	if lag := time.Duration(s.faults.Service.AppleQueryLag); now < c.Apple.Changed.add(lag) {
		return c.Apple.Was
	}
	return &c.Apple.Now
}

func milliseconds(i instant) int64 { return i.time().UnixMilli() }

// change books a new state of an Apple contract.
func (s *Sim) change(c *contract, to appleState) {
	if was := c.Apple.Now; was.OriginalTransactionID != "" {
		c.Apple.Was = &was
	}
	c.Apple.Now = to
	_, c.Apple.Changed = s.clock()
	c.State = contractTerminated
	if to.AutoRenew {
		c.State = contractSigned
	}
}

// RequestAppleSubscribeSign plays wx.requestAppleSubscribeSign with its user agreeing (spec 2.4): after all checks the
// contract is signed, the first period paid unless activitySellingPrice is 0 (a free trial), and both events are
// queued. Only OpenID, SignData, PaySig and Signature of r are read.
func (s *Sim) RequestAppleSubscribeSign(r PaymentRequest) PaymentResult {
	for _, a := range [][2]string{{"signData", r.SignData}, {"paySig", r.PaySig}, {"signature", r.Signature}} {
		if a[1] == "" {
			return failedSign(1001, "parameter error: parameter."+a[0]+" should be String instead of Undefined")
		}
	}
	if len(r.SignData) > signDataBytesMax || !utf8.ValidString(r.SignData) {
		return failedSign(-15016, "signData is too long or not UTF-8")
	}
	f, err := parseFields([]byte(r.SignData))
	if err != nil {
		return failedSign(-15016, "signData is not a JSON object")
	}
	heard, first := s.subscribe(r, f)
	s.sendAll(context.Background(), first)
	return heard
}

// subscribe plays what happens under the lock; first are the pushes to send before the phone hears.
func (s *Sim) subscribe(r PaymentRequest, f fields) (heard PaymentResult, first []*push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bad := s.checkAppleSignatures(r); bad.ErrCode != 0 {
		return bad, nil
	}
	d, bad := s.appleSignData(f)
	if bad.ErrCode != 0 {
		return bad, nil
	}
	if c := s.contracts.get(appleKey(r.OpenID, d.product)); c != nil && c.State == contractSigned {
		return failedSign(-15002, "the user has subscribed already"), nil
	}
	if ordered := s.orderedCode(s.appleSignCall()); ordered.ErrCode != 0 {
		return ordered, nil
	}
	newest := s.pushSeq
	s.signApple(r.OpenID, d)
	return s.callback(s.appleSignCall(), newest)
}

func failedSign(code int, why string) PaymentResult {
	return PaymentResult{ErrCode: code, ErrMsg: appleSignURI + ":fail " + why}
}

func (s *Sim) checkAppleSignatures(r PaymentRequest) PaymentResult {
	u := s.users[r.OpenID]
	switch {
	case u == nil || u.Key == "":
		return failedSign(-15007, "session_key expired")
	case !s.merchantSigned(0, r.PaySig, appleSignURI, []byte(r.SignData)):
		return failedSign(-15006, "PAY_SIG_INVALID")
	case !sameSig(r.Signature, userSig(u.Key, []byte(r.SignData))):
		return failedSign(-15005, "SIGNATURE_INVALID")
	}
	return PaymentResult{}
}

// appleSignData reads and checks the fields of spec 2.4.
func (s *Sim) appleSignData(f fields) (d signData, bad PaymentResult) {
	var ok [5]bool
	d.offerID, ok[0] = f.text("offerId")
	d.product, ok[1] = f.text("productId")
	d.price, ok[2] = f.whole("goodsPrice")
	d.attach, ok[3] = f.text("attach")
	d.actual, ok[4] = f.whole("activitySellingPrice")
	d.discounted, ok[4] = ok[4], ok[4] || !f.has("activitySellingPrice")
	for i, name := range []string{"offerId", "productId", "goodsPrice", "attach", "activitySellingPrice"} {
		switch {
		case !ok[i] && f.has(name):
			return d, failedSign(-15016, "signData."+name+" has the wrong type")
		case !ok[i]:
			return d, failedSign(-15001, "signData has no "+name)
		}
	}
	_, price, there := s.subscription(d.product)
	switch {
	case d.offerID != s.cfg.OfferID:
		return d, failedSign(-15001, "offerId is not the one of this mini-program")
	case !there:
		return d, failedSign(-15010, "PRODUCT_ID_NOT_PUBLISH")
	case d.price != price:
		return d, failedSign(-15013, "GOODS_PRICE_INVALID")
	case price < appleFenMin, d.discounted && d.actual > 0 && d.actual < appleFenMin:
		return d, failedSign(-15001, "payments on iOS start at 1 yuan")
	case d.discounted && (d.actual < 0 || d.actual > price):
		return d, failedSign(-15001, "activitySellingPrice is not within 0 and goodsPrice")
	case utf8.RuneCountInString(d.attach) > appleAttachCharsMax:
		return d, failedSign(-15001, "attach is longer than 200 characters")
	}
	if !d.discounted {
		d.actual = price
	}
	return d, PaymentResult{}
}

// signApple signs for the first time, which is pushed once, or switches the renewal on again, which is not.
func (s *Sim) signApple(openid string, d signData) {
	key := appleKey(openid, d.product)
	c := s.contracts.get(key)
	period, price, _ := s.subscription(d.product)
	_, now := s.clock()
	st := appleState{AutoRenew: true, Start: now, Renewal: now.add(time.Duration(period) * oneDay)}
	first := c == nil
	if first {
		st.OriginalTransactionID = s.chance.appleTransactionID()
		c = &contract{Key: key, OpenID: openid, Product: d.product, Mode: modeApple, Period: period, Signed: now}
		s.contracts.put(key, c)
		c.Apple = &appleContract{}
	} else {
		st.OriginalTransactionID = c.Apple.Now.OriginalTransactionID
	}
	c.Apple.Attach, c.Apple.Fen = d.attach, price
	if !first && now < c.Apple.Now.Renewal { // the period is paid: only the renewal comes back
		st.Start, st.Renewal = c.Apple.Now.Start, c.Apple.Now.Renewal
	} else {
		s.chargeApple(c, d.actual)
	}
	s.change(c, st)
	if first {
		c.happen(eventAppleSign, openid, c.appleEvent(field{"SignedTime", milliseconds(now)}))
	}
	s.keep(c)
	s.payApple(c)
}

// appleEvent: spec 7.7.
func (c *contract) appleEvent(when field) []field {
	st := c.Apple.Now
	f := []field{{"OpenId", c.OpenID}, {"Attach", c.Apple.Attach}}
	if !st.AutoRenew {
		f = append(f, field{"Action", "unsubscribe"})
	}
	return append(f, field{"AppleSubscriptionInfo", []field{
		{"OriginalTransactionId", st.OriginalTransactionID}, {"ProductId", c.Product},
		{"AutoRenewStatus", st.renews()}, {"RenewalDate", milliseconds(st.Renewal)}, when,
	}})
}

// chargeApple fixes what the coming period costs, under an order number of WeChat's own making. 0 is a free trial.
func (s *Sim) chargeApple(c *contract, fen int64) {
	c.Apple.Charge = nil
	if fen > 0 {
		now, _ := s.clock()
		c.Apple.Charge = &appleCharge{No: s.chance.appleOrderNo(now), Fen: fen}
	}
}

// payApple makes the order that paid the present period unless it exists; like tellPayments it also repairs.
func (s *Sim) payApple(c *contract) {
	if c.Apple == nil || c.Apple.Charge == nil || s.orders[c.Apple.Charge.No] != nil {
		return
	}
	o := s.subscriptionOrder(c, c.Apple.Charge.No, c.Apple.Fen, c.Apple.Charge.Fen, c.Apple.Attach)
	o.Created = c.Apple.Now.Start
	s.pay(o, o.Created)
}

// appleSubscription is what a delivery push says more about an Apple subscription (spec 7.2).
func (s *Sim) appleSubscription(o *order) []field {
	c := s.contracts.get(o.Contract)
	if c == nil || c.Apple == nil {
		return nil
	}
	st := c.Apple.Now
	return []field{{"AppleSubscriptionInfo", []field{
		{"OriginalTransactionId", st.OriginalTransactionID}, {"AutoRenewStatus", st.renews()},
		{"RenewalDate", milliseconds(st.Renewal)},
	}}}
}

// RenewApple plays Apple's next charge: another period, another paid order and its push. It fails with ErrUnknown, or
// with ErrState when the user has ended the renewal.
func (s *Sim) RenewApple(openid, productID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.livingApple(openid, productID)
	if err != nil {
		return err
	}
	_, now := s.clock()
	st := c.Apple.Now
	st.Start, st.Renewal = now, now.add(time.Duration(c.Period)*oneDay)
	s.chargeApple(c, c.Apple.Fen)
	s.change(c, st)
	s.keep(c)
	s.payApple(c)
	return s.journalErr
}

// UnsignApple plays a user who ends the renewal in the App Store, and queues the event. It fails like RenewApple.
func (s *Sim) UnsignApple(openid, productID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.livingApple(openid, productID)
	if err != nil {
		return err
	}
	_, now := s.clock()
	st := c.Apple.Now
	st.AutoRenew = false
	s.change(c, st)
	c.happen(eventAppleEnd, openid, c.appleEvent(field{"UnsignedTime", milliseconds(now)}))
	s.keep(c)
	return s.journalErr
}

func (s *Sim) livingApple(openid, product string) (*contract, error) {
	c := s.contracts.get(appleKey(openid, product))
	switch {
	case c == nil:
		return nil, fmt.Errorf("this user has no Apple subscription of %q: %w", excerpt(product), ErrUnknown)
	case c.State != contractSigned:
		return nil, fmt.Errorf("the subscription of %q does not renew any more: %w", product, ErrState)
	}
	return c, nil
}
