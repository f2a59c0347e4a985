package wechatsim

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Statuses of a withdrawal, spec 4.10.
const (
	withdrawRunning = 1
	withdrawDone    = 2
	withdrawFailed  = 3
)

var (
	withdrawNoForm = regexp.MustCompile(`^[0-9A-Za-z_-]{8,32}$`) // spec 4.10
	yuanForm       = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?$`)
)

// withdrawal is one withdraw order. Its money has left the balance from the moment it is created until it fails.
type withdrawal struct {
	No      string  `json:"no"`
	WxID    string  `json:"wx"`
	Env     int     `json:"env,omitempty"`
	Fen     int64   `json:"fen"`
	All     bool    `json:"all,omitempty"` // no amount was given
	Status  int     `json:"status"`
	Fails   bool    `json:"fails,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	Created instant `json:"created"`
	Due     instant `json:"due"` // when it ends by itself
	Done    instant `json:"done,omitempty"`
}

type balanceAnswer struct {
	ErrCode   int     `json:"errcode"`
	ErrMsg    string  `json:"errmsg"`
	Available balance `json:"balance_available"`
}

type balance struct {
	Amount   string `json:"amount"` // yuan
	Currency string `json:"currency_code"`
}

type withdrawAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	No      string `json:"withdraw_no"`
	WxNo    string `json:"wx_withdraw_no"`
}

type withdrawBody struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	No      string `json:"withdraw_no"`
	Status  int    `json:"status"`
	Amount  string `json:"withdraw_amount"` // yuan
	WxNo    string `json:"wx_withdraw_no"`
	Success string `json:"withdraw_success_timestamp"` // seconds as text, empty until then
	Created string `json:"create_time"`
	Reason  string `json:"fail_reason"`
}

// queryBizBalance answers POST /xpay/query_biz_balance, spec 4.12. env chooses the key only: it is always production.
func (s *Sim) queryBizBalance(fields, int) (any, *refusal) {
	return balanceAnswer{ErrMsg: "OK", Available: balance{Amount: yuan(max(0, s.balance(0))), Currency: "CNY"}}, nil
}

// createWithdrawOrder answers POST /xpay/create_withdraw_order, spec 4.10.
func (s *Sim) createWithdrawOrder(f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	want := withdrawal{No: r.filled("withdraw_no", 32), Env: env, All: !f.has("withdraw_amount")}
	r.need("withdraw_no", withdrawNoForm.MatchString(want.No))
	if !want.All {
		text, _ := f.text("withdraw_amount")
		fen, ok := fenOf(text)
		r.need("withdraw_amount", ok && fen > 0)
		want.Fen = fen
	}
	if r.no != nil {
		return nil, r.no
	}
	if old := s.withdraws.get(want.No); old != nil {
		return s.withdrawAgain(old, want)
	}
	available := s.balance(env)
	if want.All {
		want.Fen = available
	}
	if want.Fen > available || want.Fen <= 0 {
		return nil, refuse(268490002, "可提现余额不足")
	}
	return s.startWithdrawal(&want).answer(), nil
}

// withdrawAgain decides about a number that was used before; it never moves money a second time.
func (s *Sim) withdrawAgain(old *withdrawal, want withdrawal) (any, *refusal) {
	same := old.Env == want.Env && old.All == want.All && (want.All || old.Fen == want.Fen)
	if !same || s.faults.Service.WithdrawRepeatRefused {
		return nil, refuse(268490002, "withdraw_no已被使用")
	}
	return old.answer(), nil
}

func (s *Sim) startWithdrawal(w *withdrawal) *withdrawal {
	now, i := s.clock()
	w.WxID, w.Status, w.Created, w.Due = s.chance.withdrawID(now), withdrawRunning, i, i.add(s.cfg.WithdrawDelay)
	if w.Fails = s.takeFault(&s.faults.Service.WithdrawFails); w.Fails {
		w.Reason = "银行卡信息有误"
	}
	s.withdraws.put(w.No, w)
	s.record(kindWithdraw, w)
	return w
}

func (w *withdrawal) answer() withdrawAnswer {
	return withdrawAnswer{ErrMsg: "OK", No: w.No, WxNo: w.WxID}
}

// queryWithdrawOrder answers POST /xpay/query_withdraw_order, spec 4.10.
func (s *Sim) queryWithdrawOrder(f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	no := r.filled("withdraw_no", 32)
	if r.no != nil {
		return nil, r.no
	}
	w := s.withdraws.get(no)
	if w == nil || w.Env != env {
		return nil, errNoData()
	}
	s.settleWithdrawal(w)
	b := withdrawBody{
		ErrMsg: "OK", No: w.No, Status: w.Status, Amount: yuan(w.Fen), WxNo: w.WxID,
		Created: inChina(w.Created.time()).Format(time.DateTime),
	}
	switch w.Status {
	case withdrawDone:
		b.Success = strconv.FormatInt(w.Done.unix(), 10)
	case withdrawFailed:
		b.Reason = w.Reason
	}
	return b, nil
}

// settleWithdrawal ends w when its time has come.
func (s *Sim) settleWithdrawal(w *withdrawal) {
	_, now := s.clock()
	if w.Status == withdrawRunning && w.Due <= now {
		s.endWithdrawal(w, w.Due)
	}
}

func (s *Sim) endWithdrawal(w *withdrawal, when instant) {
	w.Status, w.Done = withdrawDone, when
	if w.Fails {
		w.Status = withdrawFailed
	}
	s.record(kindWithdraw, w)
}

// balance is what may be withdrawn of env, in fen: settled payments less fees, refunds and withdrawals. Refunds after
// a withdrawal can make it negative.
func (s *Sim) balance(env int) int64 {
	_, now := s.clock()
	var fen int64
	for _, o := range s.created {
		if o.Env != env {
			continue
		}
		s.settle(o)
		for i, p := range o.Payments {
			if now >= s.settled(o, p) {
				fen += o.net(i)
			}
		}
	}
	for _, w := range s.withdraws.list {
		s.settleWithdrawal(w)
		if w.Env == env && w.Status != withdrawFailed {
			fen -= w.Fen
		}
	}
	return fen
}

// net is what payment i brings its merchant: refunds are taken off, running ones too, and the fee on them comes back
// when they started within 180 days (spec 4.8).
func (o *order) net(i int) int64 {
	p := o.Payments[i]
	rest, charged := p.Fee, p.Fee
	for _, r := range o.Refunds {
		if r.Payment != i || r.Status == statusRefundFailed {
			continue
		}
		rest -= r.Fee
		if r.Start <= p.At.add(feeReturnWindow) {
			charged -= r.Fee
		}
	}
	return rest - platformFee(o.Channel, charged)
}

// settled is when payment p of o becomes withdrawable, spec 5.5.
func (s *Sim) settled(o *order, p payment) instant {
	after := settleAfter
	switch c := s.contracts.get(o.Contract); {
	case o.Channel == channelApple:
		t := inChina(p.At.time())
		return at(time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, t.Location())).add(iosSettleAfter)
	case c != nil && c.Period <= weekDays:
		after = settleAfterWeek
	case c != nil:
		after = settleAfterLonger
	}
	return p.At.add(after)
}

// EndWithdrawal ends a running withdrawal now: with money when failReason is "", else failed, and the money is
// withdrawable again. It fails with ErrUnknown, or with ErrState when it has ended already.
func (s *Sim) EndWithdrawal(withdrawNo, failReason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.withdraws.get(withdrawNo)
	if w == nil {
		return fmt.Errorf("withdrawal %q: %w", excerpt(withdrawNo), ErrUnknown)
	}
	if s.settleWithdrawal(w); w.Status != withdrawRunning {
		return fmt.Errorf("withdrawal %q has ended: %w", withdrawNo, ErrState)
	}
	_, now := s.clock()
	w.Fails, w.Reason = failReason != "", excerpt(failReason)
	s.endWithdrawal(w, now)
	return s.journalErr
}

// WithdrawalView is one withdrawal as an auditor sees it. Status is that of query_withdraw_order: 1 runs, 2 success, 3
// failed.
type WithdrawalView struct {
	WithdrawNo string    `json:"withdrawNo"`
	Env        int       `json:"env"`
	Amount     int64     `json:"amount"` // fen
	Status     int       `json:"status"`
	CreatedAt  time.Time `json:"createdAt"`
}

// Withdrawals answers every withdrawal in order of creation.
func (s *Sim) Withdrawals() []WithdrawalView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]WithdrawalView, len(s.withdraws.list))
	for i, w := range s.withdraws.list {
		s.settleWithdrawal(w)
		views[i] = WithdrawalView{w.No, w.Env, w.Fen, w.Status, w.Created.time()}
	}
	return views
}

// yuan writes fen as WeChat writes yuan: with two decimals.
func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// fenOf reads such a text, with at most two decimals.
func fenOf(text string) (int64, bool) {
	if !yuanForm.MatchString(text) {
		return 0, false
	}
	whole, cents, _ := strings.Cut(text, ".")
	fen, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	return fen, err == nil
}
