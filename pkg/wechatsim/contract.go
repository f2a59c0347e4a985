package wechatsim

import (
	"fmt"
	"slices"
	"time"
)

// States of a contract, spec 4.17. UNBINDUSER is no contract at all.
const (
	contractSigned     = "SIGNED"
	contractTerminated = "TERMINATED" // final: the next contract needs a new code
	contractUnbound    = "UNBINDUSER"

	modeAndroid = "android" // and HarmonyOS
	modeApple   = "apple"
)

// contract is one subscription (会员订阅) of one user to one product.
type contract struct {
	Key     string  `json:"key"`
	OpenID  string  `json:"openid"`
	Product string  `json:"product"`
	Code    string  `json:"code,omitempty"` // out_contract_code; Apple has none
	Mode    string  `json:"mode"`
	Period  int     `json:"period"` // days
	State   string  `json:"state"`
	Signed  instant `json:"signed"`
	Cycles  []cycle `json:"cycles,omitempty"`

	Apple *appleContract `json:"apple,omitempty"`
	topic

	charges []*order // of every cycle, oldest first; derived from the orders
}

// cycle is one period to be paid: opened by a pre-notice for day t, or by the first charge after the signing.
type cycle struct {
	Day    instant `json:"day"` // day t begins, in China
	Fen    int64   `json:"fen"`
	Direct bool    `json:"direct,omitempty"` // no pre-notice
}

// charge is the server's side of an order that a cycle pays: no cashier, no user.
type charge struct {
	Cycle int     `json:"cycle"`
	Fails bool    `json:"fails,omitempty"`
	Due   instant `json:"due"`
}

// Sign plays a user who signs a subscription on Android or HarmonyOS under the merchant's contract code, and queues
// xpay_subscribe_signing_result_notify. It fails with ErrUnknown for a product that is no published subscription,
// and with ErrState when the code was used or the user has a contract about the product.
func (s *Sim) Sign(openid, productID, outContractCode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if openid == "" || outContractCode == "" {
		return fmt.Errorf("openid or outContractCode is missing: %w", ErrInput)
	}
	period, _, there := s.subscription(productID)
	switch {
	case !there:
		return fmt.Errorf("subscription product %q: %w", excerpt(productID), ErrUnknown)
	case s.contracts.get(androidKey(outContractCode)) != nil:
		return fmt.Errorf("contract code %q is used: %w", excerpt(outContractCode), ErrState)
	case s.signed(openid, productID) != nil:
		return fmt.Errorf("the user has signed a contract about %q: %w", productID, ErrState)
	}
	_, now := s.clock()
	c := &contract{
		Key: androidKey(outContractCode), OpenID: openid, Product: productID, Code: outContractCode,
		Mode: modeAndroid, Period: period, State: contractSigned, Signed: now,
	}
	s.contracts.put(c.Key, c)
	s.signing(c)
	return s.journalErr
}

// Unsign plays a user who ends a contract on the phone, which queues the same event. It fails with ErrUnknown, or
// with ErrState when the contract has ended.
func (s *Sim) Unsign(outContractCode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contracts.get(androidKey(outContractCode))
	switch {
	case c == nil:
		return fmt.Errorf("contract %q: %w", excerpt(outContractCode), ErrUnknown)
	case c.State != contractSigned:
		return fmt.Errorf("contract %q has ended: %w", excerpt(outContractCode), ErrState)
	}
	s.terminate(c)
	return s.journalErr
}

func androidKey(code string) string { return modeAndroid + "/" + code }

// subscription gives period and price of a published subscription product.
func (s *Sim) subscription(product string) (days int, fen int64, there bool) {
	days = s.cfg.Subscriptions[product]
	fen, recent := s.price(0, product)
	return days, fen, days > 0 && fen > 0 && fen <= deductFenMax && !recent
}

// signed is the living Android contract of a user about a product, nil if there is none.
func (s *Sim) signed(openid, product string) *contract {
	i := slices.IndexFunc(s.contracts.list, func(c *contract) bool {
		return c.Mode == modeAndroid && c.State == contractSigned && c.OpenID == openid && c.Product == product
	})
	if i < 0 {
		return nil
	}
	return s.contracts.list[i]
}

func (s *Sim) terminate(c *contract) {
	c.State = contractTerminated
	s.signing(c)
}

// signing writes c down and tells about it. The fields of the event are not published, so it says who and no more
// (spec 7.9).
func (s *Sim) signing(c *contract) {
	c.happen(eventSigning, officialFrom, []field{{"OpenId", c.OpenID}})
	s.keep(c)
}

// keep writes c down and queues what it has to tell.
func (s *Sim) keep(c *contract) {
	s.record(kindContract, c)
	s.tellTopic(aboutContract+c.Key, &c.topic)
}

type contractAnswer struct {
	ErrCode int        `json:"errcode"`
	ErrMsg  string     `json:"errmsg"`
	State   string     `json:"authorization_state"`
	Apple   *appleBody `json:"apple_subscription_info,omitempty"`
}

// querySubscribeContract answers POST /xpay/query_subscribe_contract, spec 4.17.
func (s *Sim) querySubscribeContract(f fields) (any, *refusal) {
	r := &reader{fields: f}
	openid, product := r.payer(), r.filled("product_id", textCharsMax)
	mode := orElse(r.perhaps("mode"), modeAndroid)
	r.need("mode", mode == modeAndroid || mode == modeApple)
	if mode == modeApple {
		return s.queryApple(openid, product, r.no)
	}
	code := r.filled("out_contract_code", textCharsMax)
	if r.no != nil {
		return nil, r.no
	}
	a := contractAnswer{ErrMsg: "OK", State: contractUnbound}
	if c := s.ownContract(openid, product, code); c != nil {
		a.State = c.State
	}
	return a, nil
}

// ownContract finds an Android contract; all three must belong together.
func (s *Sim) ownContract(openid, product, code string) *contract {
	c := s.contracts.get(androidKey(code))
	if c == nil || c.OpenID != openid || c.Product != product {
		return nil
	}
	return c
}

// sendSubscribePrePayment answers POST /xpay/send_subscribe_pre_payment: two days before a charge the user learns of
// it (spec 4.17).
func (s *Sim) sendSubscribePrePayment(f fields) (any, *refusal) {
	r := &reader{fields: f}
	openid, fen := r.payer(), r.number("deduct_price", -orderFenMax, orderFenMax)
	product, code := r.filled("product_id", textCharsMax), r.filled("out_contract_code", textCharsMax)
	if r.no != nil {
		return nil, r.no
	}
	_, price, there := s.subscription(product)
	if !there || fen < deductFenMin || fen > price {
		return nil, refuse(674690001, "商品类型不支持或扣费金额非法")
	}
	c := s.ownContract(openid, product, code)
	if c == nil || c.State != contractSigned {
		return nil, refuse(690000000, "用户未签约")
	}
	now, _ := s.clock()
	if !inChargeHours(now) || !s.mayNotify(c, now) {
		return nil, refuse(690000001, "当前不允许发送预扣费通知")
	}
	c.Cycles = append(c.Cycles, cycle{Day: at(dayInChina(now).AddDate(0, 0, noticeDays)), Fen: fen})
	s.keep(c)
	return okAnswer{ErrMsg: "OK"}, nil
}

// mayNotify: the newest cycle is paid and ends within three days, or it was given up eight days after its day t.
func (s *Sim) mayNotify(c *contract, now time.Time) bool {
	n := len(c.Cycles) - 1
	if n < 0 {
		return true
	}
	if paid := s.paidAt(c, n); paid != 0 {
		end := paid.add(time.Duration(c.Period) * oneDay)
		return at(now) >= end.add(-noticeEarly)
	}
	return daysSince(c.Cycles[n].Day, now) > cycleDays
}

// paidAt is when cycle n of c was paid, 0 while it is not.
func (s *Sim) paidAt(c *contract, n int) instant {
	for _, o := range c.charges {
		if s.settle(o); o.Charge.Cycle == n && o.paid() {
			return o.Payments[0].At
		}
	}
	return 0
}

// inChargeHours reports whether t lies in 07:10 to 21:50 in China, the last minute excluded.
func inChargeHours(t time.Time) bool {
	t = inChina(t)
	minute := t.Hour()*60 + t.Minute()
	return minute >= chargeFromMinute && minute < chargeToMinute
}

// dayInChina is the beginning of t's day there.
func dayInChina(t time.Time) time.Time {
	t = inChina(t)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// daysSince counts days in China from the beginning of a day; negative before it.
func daysSince(begin instant, now time.Time) int {
	return int(dayInChina(now).Sub(dayInChina(begin.time())) / oneDay)
}

// cancelSubscribeContract answers POST /xpay/cancel_subscribe_contract, spec 4.17. Ending an ended contract is fine.
func (s *Sim) cancelSubscribeContract(f fields) (any, *refusal) {
	r := &reader{fields: f}
	openid, product := r.payer(), r.filled("product_id", textCharsMax)
	code := r.filled("out_contract_code", textCharsMax)
	r.filled("termination_reason", textCharsMax)
	if r.no != nil {
		return nil, r.no
	}
	c := s.ownContract(openid, product, code)
	if c == nil {
		return nil, errNoData()
	}
	if c.State == contractSigned {
		s.terminate(c)
	}
	return okAnswer{ErrMsg: "OK"}, nil
}

// ContractView is one subscription as an auditor sees it.
type ContractView struct {
	OpenID          string     `json:"openid"`
	ProductID       string     `json:"productId"`
	OutContractCode string     `json:"outContractCode,omitempty"`
	Mode            string     `json:"mode"`  // android or apple
	State           string     `json:"state"` // SIGNED or TERMINATED
	SignedAt        time.Time  `json:"signedAt"`
	Orders          []string   `json:"orders"` // outTradeNo of every charge
	Pushes          []PushView `json:"pushes"` // about signing and its end
}

// Contracts answers every contract in order of signing.
func (s *Sim) Contracts() []ContractView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]ContractView, len(s.contracts.list))
	for i, c := range s.contracts.list {
		views[i] = ContractView{
			OpenID: c.OpenID, ProductID: c.Product, OutContractCode: c.Code, Mode: c.Mode, State: c.State,
			SignedAt: c.Signed.time(), Orders: make([]string, len(c.charges)), Pushes: c.topic.view(),
		}
		for k, o := range c.charges {
			views[i].Orders[k] = o.No
		}
	}
	return views
}
