package wechatsim

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Kinds of coin entries.
const (
	coinSave    = "save"    // bought at the cashier
	coinPresent = "present" // given by present_currency
	coinPay     = "pay"     // spent by currency_pay
	coinCancel  = "cancel"  // a spend taken back by cancel_currency_pay
)

// coinEntry is one change of one user's coins. It never changes afterwards and a balance is the sum of its entries,
// so one journal line holds the whole of a change and nothing derived can disagree with it.
type coinEntry struct {
	Kind   string  `json:"kind"`
	OpenID string  `json:"openid"`
	Env    int     `json:"env,omitempty"`
	ID     string  `json:"id"`               // order_id; of a save, the payment's wx_order_id
	Of     string  `json:"of,omitempty"`     // pay_order_id of a cancel; outTradeNo of a save
	Coins  int64   `json:"coins"`            // above 0
	Gifted int64   `json:"gifted,omitempty"` // how many of a pay or cancel were gift coins
	Items  string  `json:"items,omitempty"`  // payitem
	Remark string  `json:"remark,omitempty"`
	At     instant `json:"at"` // it counts from then on
}

// coinOwner is whose coins: the sandbox has balances of its own.
type coinOwner struct {
	env    int
	openid string
}

// coinNumber finds an entry. Numbers of the merchant and of WeChat do not meet.
type coinNumber struct {
	env  int
	save bool
	id   string
}

// coins is every coin entry, in order.
type coins struct {
	all      []*coinEntry
	byOwner  map[coinOwner][]*coinEntry
	byNumber map[coinNumber]*coinEntry
}

func newCoins() coins {
	return coins{byOwner: map[coinOwner][]*coinEntry{}, byNumber: map[coinNumber]*coinEntry{}}
}

func (e *coinEntry) owner() coinOwner   { return coinOwner{e.Env, e.OpenID} }
func (e *coinEntry) number() coinNumber { return coinNumber{e.Env, e.Kind == coinSave, e.ID} }

func (c *coins) add(e *coinEntry) {
	c.all = append(c.all, e)
	c.byOwner[e.owner()] = append(c.byOwner[e.owner()], e)
	c.byNumber[e.number()] = e
}

// coinBalance is an account: what is there, paid and gifted, and what ever came and went.
type coinBalance struct {
	Paid, Gifted, Saved, Presented, Spent int64
}

func (b coinBalance) total() int64 { return b.Paid + b.Gifted }

// balance sums up the entries that count at that time.
func (c *coins) balance(owner coinOwner, until instant) (b coinBalance) {
	for _, e := range c.byOwner[owner] {
		if e.At > until {
			continue
		}
		switch e.Kind {
		case coinSave:
			b.Paid, b.Saved = b.Paid+e.Coins, b.Saved+e.Coins
		case coinPresent:
			b.Gifted, b.Presented = b.Gifted+e.Coins, b.Presented+e.Coins
		case coinPay:
			b.Paid, b.Gifted, b.Spent = b.Paid-(e.Coins-e.Gifted), b.Gifted-e.Gifted, b.Spent+e.Coins
		case coinCancel:
			b.Paid, b.Gifted, b.Spent = b.Paid+(e.Coins-e.Gifted), b.Gifted+e.Gifted, b.Spent-e.Coins
		}
	}
	return b
}

// enter adds an entry and writes it down.
func (s *Sim) enter(e coinEntry) {
	s.coins.add(&e)
	s.record(kindCoins, &e)
}

// creditCoins credits every payment of a coin order that was not credited yet; like tellPayments it also repairs.
func (s *Sim) creditCoins(o *order) {
	if o.Mode != modeCoin {
		return
	}
	for _, p := range o.Payments {
		e := coinEntry{Kind: coinSave, OpenID: o.OpenID, Env: o.Env, ID: p.WxID, Of: o.No, Coins: o.Quantity}
		e.At = p.At.add(time.Duration(s.faults.Coins.CreditDelay))
		if s.coins.byNumber[e.number()] == nil {
			s.enter(e)
		}
	}
}

type coinBalanceAnswer struct {
	ErrCode        int    `json:"errcode"`
	ErrMsg         string `json:"errmsg"`
	Balance        int64  `json:"balance"`
	PresentBalance int64  `json:"present_balance"`
	SumSave        int64  `json:"sum_save"`
	SumPresent     int64  `json:"sum_present"`
	SumBalance     int64  `json:"sum_balance"`
	SumCost        int64  `json:"sum_cost"`
	FirstSaveFlag  any    `json:"first_save_flag"` // bool; 0 or 1 by a fault
}

// queryUserBalance answers POST /xpay/query_user_balance, spec 4.2.
func (s *Sim) queryUserBalance(f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	openid := r.payer()
	r.userIP()
	if r.no != nil {
		return nil, r.no
	}
	_, now := s.clock()
	b := s.coins.balance(coinOwner{env, openid}, now.add(-time.Duration(s.faults.Coins.BalanceLag)))
	return coinBalanceAnswer{
		ErrMsg: "OK", Balance: b.total(), PresentBalance: b.Gifted, SumSave: b.Saved, SumPresent: b.Presented,
		SumBalance: b.Saved + b.Presented, SumCost: b.Spent, FirstSaveFlag: s.firstSave(b.Saved > 0),
	}, nil
}

// firstSave gives the flag as the documents type it, or as they explain it (spec 4.2).
func (s *Sim) firstSave(saved bool) any {
	switch {
	case !s.faults.Coins.FirstSaveAsNumber:
		return saved
	case saved:
		return 1
	}
	return 0
}

type spendAnswer struct {
	ErrCode           int    `json:"errcode"`
	ErrMsg            string `json:"errmsg"`
	OrderID           string `json:"order_id"`
	Balance           int64  `json:"balance"`
	UsedPresentAmount int64  `json:"used_present_amount"`
}

// currencyPay answers POST /xpay/currency_pay, spec 4.3.
func (s *Sim) currencyPay(f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	e := r.coinEntry(coinPay, env)
	r.userIP()
	e.Items, e.Remark = r.payItems(), r.remark()
	if r.no != nil {
		return nil, r.no
	}
	if no := s.coinRepeat(e, 268490004, "重复操作"); no != nil {
		return nil, no
	}
	_, e.At = s.clock()
	b := s.coins.balance(e.owner(), e.At)
	switch {
	case s.faults.Coins.Unpublished:
		return nil, refuse(268490008, "代币未发布")
	case e.Coins > b.total():
		return nil, refuse(268490006, "代币金额不足")
	}
	e.Gifted = min(e.Coins, b.Gifted)
	if s.faults.Coins.PaidFirst {
		e.Gifted = max(0, e.Coins-b.Paid)
	}
	s.enter(e)
	return spendAnswer{ErrMsg: "OK", OrderID: e.ID, Balance: b.total() - e.Coins, UsedPresentAmount: e.Gifted}, nil
}

type cancelAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	OrderID string `json:"order_id"`
}

// cancelCurrencyPay answers POST /xpay/cancel_currency_pay, spec 4.4: the coins of a spend come back, those taken last
// first.
func (s *Sim) cancelCurrencyPay(f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	e := r.coinEntry(coinCancel, env)
	r.userIP()
	if e.Of = r.filled("pay_order_id", bodyBytesMax); r.no != nil {
		return nil, r.no
	}
	if no := s.coinRepeat(e, 268490005, "订单已经退款"); no != nil {
		return nil, no
	}
	spend := s.coins.byNumber[coinNumber{env, false, e.Of}]
	if spend == nil || spend.Kind != coinPay || spend.OpenID != e.OpenID {
		return nil, errNoData()
	}
	if no := s.mayCancel(spend, &e); no != nil {
		return nil, no
	}
	_, e.At = s.clock()
	s.enter(e)
	return cancelAnswer{ErrMsg: "OK", OrderID: e.ID}, nil
}

// mayCancel fixes how many of the coins that come back are gift coins.
func (s *Sim) mayCancel(spend, e *coinEntry) *refusal {
	back, gifted := int64(0), int64(0)
	for _, c := range s.coins.byOwner[spend.owner()] {
		if c.Kind == coinCancel && c.Of == spend.ID {
			back, gifted = back+c.Coins, gifted+c.Gifted
		}
	}
	switch left := spend.Coins - back; {
	case left == 0 || back > 0 && !s.faults.Coins.CancelInParts:
		return refuse(268490005, "订单已经退款")
	case e.Coins > left:
		return refuse(268490006, "代币退款金额不足")
	}
	paidLeft := (spend.Coins - spend.Gifted) - (back - gifted)
	e.Gifted = max(0, e.Coins-paidLeft)
	if s.faults.Coins.PaidFirst {
		e.Gifted = min(e.Coins, spend.Gifted-gifted)
	}
	return nil
}

type presentAnswer struct {
	ErrCode        int    `json:"errcode"`
	ErrMsg         string `json:"errmsg"`
	OrderID        string `json:"order_id"`
	Balance        int64  `json:"balance"`
	PresentBalance int64  `json:"present_balance"` // ever given, unlike the field of query_user_balance
}

// presentCurrency answers POST /xpay/present_currency, spec 4.5. It needs no session.
func (s *Sim) presentCurrency(f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	e := r.coinEntry(coinPresent, env)
	if r.no != nil {
		return nil, r.no
	}
	if s.users[e.OpenID] == nil {
		return nil, errOpenID()
	}
	if no := s.coinRepeat(e, 268490004, "重复操作"); no != nil {
		return nil, no
	}
	_, e.At = s.clock()
	b := s.coins.balance(e.owner(), e.At)
	switch {
	case s.faults.Coins.Unpublished:
		return nil, refuse(268490008, "代币未发布")
	case b.Presented > coinsMax-e.Coins:
		return nil, errField("amount")
	}
	s.enter(e)
	return presentAnswer{ErrMsg: "OK", OrderID: e.ID, Balance: b.total() + e.Coins, PresentBalance: b.Presented + e.Coins}, nil
}

// coinRepeat decides about a number that was used before: the same request again gets code, any other 268490002.
func (s *Sim) coinRepeat(e coinEntry, code int, msg string) *refusal {
	old := s.coins.byNumber[e.number()]
	switch {
	case old == nil:
		return nil
	case old.Kind == e.Kind && old.OpenID == e.OpenID && old.Of == e.Of && old.Coins == e.Coins && old.Items == e.Items:
		return refuse(code, msg)
	}
	return refuse(268490002, "order_id已被使用,参数不一致")
}

// coinEntry reads what every change of coins has. No form of order_id is published.
func (r *reader) coinEntry(kind string, env int) coinEntry {
	return coinEntry{
		Kind: kind, Env: env, OpenID: r.payer(), ID: r.filled("order_id", bodyBytesMax), Coins: r.number("amount", 1, coinsMax),
	}
}

func (r *reader) userIP() {
	ip, _ := r.text("user_ip")
	_, err := netip.ParseAddr(ip)
	r.need("user_ip", err == nil)
}

func (r *reader) remark() string {
	text, ok := r.text("remark")
	r.need("remark", ok)
	return text
}

// payItems is a text that holds a JSON array of at least one item with its three members, spec 4.3.
func (r *reader) payItems() string {
	text, _ := r.text("payitem")
	var items []fields
	r.need("payitem", json.Unmarshal([]byte(text), &items) == nil && len(items) > 0)
	for _, item := range items {
		inner := &reader{fields: item}
		inner.filled("productid", bodyBytesMax)
		inner.number("unit_price", 0, coinsMax)
		inner.number("quantity", 1, coinsMax)
		r.need("payitem", inner.no == nil)
	}
	return text
}

// CoinView is one user's coins in one env as an auditor sees them: the truth, untouched by BalanceLag.
type CoinView struct {
	OpenID         string      `json:"openid"`
	Env            int         `json:"env"`
	Balance        int64       `json:"balance"`        // what can be spent, gift coins included
	PresentBalance int64       `json:"presentBalance"` // how many of them are gift coins
	SumSave        int64       `json:"sumSave"`        // ever bought
	SumPresent     int64       `json:"sumPresent"`     // ever given
	SumCost        int64       `json:"sumCost"`        // ever spent and not taken back
	Entries        []CoinEntry `json:"entries"`        // in order
}

// CoinEntry is one change. Kind is "save" (bought), "present", "pay" or "cancel"; Of is the spend that a cancel takes
// back and the outTradeNo of a save.
type CoinEntry struct {
	Kind    string    `json:"kind"`
	OrderID string    `json:"orderId"`
	Of      string    `json:"of,omitempty"`
	Coins   int64     `json:"coins"`
	Gifted  int64     `json:"gifted"`
	At      time.Time `json:"at"` // it counts from then on
}

// Coins answers one user's coins; a user without any has zeros.
func (s *Sim) Coins(openid string, env int) CoinView {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, now := s.clock()
	owner := coinOwner{env, openid}
	b := s.coins.balance(owner, now)
	v := CoinView{
		OpenID: openid, Env: env, Balance: b.total(), PresentBalance: b.Gifted,
		SumSave: b.Saved, SumPresent: b.Presented, SumCost: b.Spent, Entries: []CoinEntry{},
	}
	for _, e := range s.coins.byOwner[owner] {
		v.Entries = append(v.Entries, CoinEntry{e.Kind, e.ID, e.Of, e.Coins, e.Gifted, e.At.time()})
	}
	return v
}
