package wechatsim

import (
	"fmt"
	"math"
	"time"
)

// States of an advert account, of its binding, and of a bill, spec 4.13.
const (
	accountPending  = 0
	accountApproved = 1
	accountRejected = 2

	bindDone   = 1
	bindFailed = 2

	billCharging = 0
	billCharged  = 1
	billFailed   = 2

	fileAdvert = "advert" // kind of the file of download_adverfunds_order

	fundGeneral  = 0 // 通用赠送; the only kind whose orders can be downloaded
	fundKindsMax = 2
)

// AdvertAccount is an account in Tencent's advertising world, as its own operators see it. State 0 waits for
// approval, 1 is approved, 2 is rejected. It shows in query_transfer_account once bind_transfer_accout has bound it.
type AdvertAccount struct {
	UID        int64  `json:"uid"`
	Name       string `json:"name"`
	OrgName    string `json:"orgName"` // the subject (主体) that bind_transfer_accout must name
	AgencyID   int64  `json:"agencyId"`
	AgencyName string `json:"agencyName"`
	State      int    `json:"state"`
	OtherApp   bool   `json:"otherApp,omitempty"` // bound to another mini-program
	Bound      bool   `json:"bound,omitempty"`    // set by bind_transfer_accout
}

// AdvertFund is one grant of advert money (广告金). Times are Unix seconds, amounts fen; FundType 0 is 通用赠送, 1
// 广告激励, 2 定向激励.
type AdvertFund struct {
	FundType    int64 `json:"fundType"`
	Amount      int64 `json:"amount"`
	SettleBegin int64 `json:"settleBegin"`
	SettleEnd   int64 `json:"settleEnd"`
	ExpireTime  int64 `json:"expireTime"`
}

// advertFund is a grant and everything that took from it.
type advertFund struct {
	ID string `json:"id"`
	AdvertFund
	Bills     []fundsBill   `json:"bills,omitempty"`
	Recovered []recoverBill `json:"recovered,omitempty"`
	Asked     instant       `json:"asked,omitempty"` // first download_adverfunds_order
}

// fundsBill is one transfer to an advert account. It takes from the fund until it fails.
type fundsBill struct {
	ID      string  `json:"id"`
	Request string  `json:"request"`
	UID     int64   `json:"uid"`
	Name    string  `json:"name"`
	Fen     int64   `json:"fen"`
	Fails   bool    `json:"fails,omitempty"`
	At      instant `json:"at"`
}

// recoverBill is money taken back after refunds.
type recoverBill struct {
	ID      string   `json:"id"`
	Account string   `json:"account"`
	Fen     int64    `json:"fen"`
	Orders  []string `json:"orders"`
	At      instant  `json:"at"`
}

// status goes from 0 to 1 or 2 by time alone.
func (b fundsBill) status(now instant) int {
	switch {
	case now < b.At.add(fundsDelay):
		return billCharging
	case b.Fails:
		return billFailed
	}
	return billCharged
}

// remain is what is left of the fund: bills that failed gave theirs back.
func (a *advertFund) remain(now instant) int64 {
	fen := a.Amount
	for _, b := range a.Bills {
		if b.status(now) != billFailed {
			fen -= b.Fen
		}
	}
	for _, r := range a.Recovered {
		fen -= r.Fen
	}
	return fen
}

type accountBody struct {
	Name       string `json:"transfer_account_name"`
	UID        int64  `json:"transfer_account_uid"`
	AgencyID   int64  `json:"transfer_account_agency_id"`
	AgencyName string `json:"transfer_account_agency_name"`
	State      int    `json:"state"`
	BindResult int    `json:"bind_result"`
	ErrorMsg   string `json:"error_msg"`
}

type accountsAnswer struct {
	ErrCode  int           `json:"errcode"`
	ErrMsg   string        `json:"errmsg"`
	Accounts []accountBody `json:"acct_list"`
}

// queryTransferAccount answers POST /xpay/query_transfer_account: the accounts bound to this mini-program.
func (s *Sim) queryTransferAccount(fields, int) (any, *refusal) {
	a := accountsAnswer{ErrMsg: "OK", Accounts: []accountBody{}}
	for _, acct := range s.accounts.list {
		if !acct.Bound {
			continue
		}
		b := accountBody{
			Name: acct.Name, UID: acct.UID, AgencyID: acct.AgencyID, AgencyName: acct.AgencyName,
			State: acct.State, BindResult: bindDone,
		}
		if acct.State == accountRejected {
			b.BindResult, b.ErrorMsg = bindFailed, "审核不通过"
		}
		a.Accounts = append(a.Accounts, b)
	}
	return a, nil
}

// bindTransferAccount answers POST /xpay/bind_transfer_accout, which WeChat spells so.
func (s *Sim) bindTransferAccount(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	uid := r.number("transfer_account_uid", 1, math.MaxInt64)
	org := r.filled("transfer_account_org_name", textCharsMax)
	if r.no != nil {
		return nil, r.no
	}
	acct := s.accounts.get(accountKey(uid))
	switch {
	case acct == nil:
		return nil, refuse(268490022, "广告账户无效")
	case acct.OtherApp:
		return nil, refuse(268490019, "广告账户已绑定其他appid")
	case acct.OrgName != org:
		return nil, refuse(268490020, "广告账户主体名称错误")
	}
	if !acct.Bound {
		acct.Bound = true
		s.record(kindAccount, acct)
	}
	return okAnswer{ErrMsg: "OK"}, nil
}

type fundBody struct {
	SettleBegin int64  `json:"settle_begin"`
	SettleEnd   int64  `json:"settle_end"`
	Total       int64  `json:"total_amount"`
	Remain      int64  `json:"remain_amount"`
	Expire      int64  `json:"expire_time"`
	FundType    int64  `json:"fund_type"`
	ID          string `json:"fund_id"`
}

type fundsAnswer struct {
	ErrCode int        `json:"errcode"`
	ErrMsg  string     `json:"errmsg"`
	Funds   []fundBody `json:"adver_funds_list"`
	Pages   int64      `json:"total_page"`
}

// queryAdverFunds answers POST /xpay/query_adver_funds: grants whose settlement period lies within the filter.
func (s *Sim) queryAdverFunds(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	p := r.page()
	var from, to int64
	kind := int64(-1)
	r.object("filter", func(r *reader) {
		from, to = r.span("settle_begin", "settle_end")
		if r.has("fund_type") {
			kind = r.number("fund_type", fundGeneral, fundKindsMax)
		}
	})
	if r.no != nil {
		return nil, r.no
	}
	_, now := s.clock()
	var all []fundBody
	for _, a := range s.funds.list {
		if a.SettleBegin >= from && a.SettleEnd <= to && (kind < 0 || kind == a.FundType) {
			all = append(all, fundBody{a.SettleBegin, a.SettleEnd, a.Amount, a.remain(now), a.ExpireTime, a.FundType, a.ID})
		}
	}
	answer := fundsAnswer{ErrMsg: "OK"}
	answer.Funds, answer.Pages = cut(p, all)
	return answer, nil
}

type billAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	BillID  string `json:"bill_id"`
}

// transfer is the body of create_funds_bill.
type transfer struct {
	fen, uid, agency, begin, end, authorize, kind int64
	name, request                                 string
}

func (f fields) transfer() (t transfer, no *refusal) {
	r := &reader{fields: f}
	t.fen = r.number("transfer_amount", math.MinInt64, orderFenMax)
	t.uid = r.number("transfer_account_uid", 1, math.MaxInt64)
	t.name = r.filled("transfer_account_name", textCharsMax)
	t.agency = r.number("transfer_account_agency_id", 0, math.MaxInt64)
	t.request = r.filled("request_id", textCharsMax)
	t.begin, t.end = r.span("settle_begin", "settle_end")
	t.authorize = r.number("authorize_advertise", 0, 1)
	t.kind = r.number("fund_type", fundGeneral, fundKindsMax)
	return t, r.no
}

// createFundsBill answers POST /xpay/create_funds_bill. A request_id that was used answers 268490004: the first call
// succeeded, whatever this one says.
func (s *Sim) createFundsBill(f fields, _ int) (any, *refusal) {
	t, no := f.transfer()
	if no != nil {
		return nil, no
	}
	if s.billed(t.request) {
		return nil, refuse(268490004, "重复操作")
	}
	if no := s.checkAccount(t); no != nil {
		return nil, no
	}
	_, now := s.clock()
	fund := s.findFund(t)
	switch {
	case t.fen <= 0:
		return nil, refuse(268490024, "充值金额必须大于0")
	case fund == nil:
		return nil, errNoData()
	case now.unix() >= fund.ExpireTime || t.fen > fund.remain(now):
		return nil, refuse(268490023, "广告金余额不足")
	}
	when, _ := s.clock()
	b := fundsBill{ID: s.chance.billID(when), Request: t.request, UID: t.uid, Name: t.name, Fen: t.fen, At: now}
	b.Fails = s.takeFault(&s.faults.Service.FundsBillFails)
	fund.Bills = append(fund.Bills, b)
	s.record(kindFund, fund)
	return billAnswer{ErrMsg: "OK", BillID: b.ID}, nil
}

// checkAccount checks where the money would go, spec 6.1.
func (s *Sim) checkAccount(t transfer) *refusal {
	acct := s.accounts.get(accountKey(t.uid))
	switch {
	case acct == nil || acct.State == accountRejected:
		return refuse(268490022, "广告账户无效")
	case acct.OtherApp:
		return refuse(268490019, "广告账户已绑定其他appid")
	case !acct.Bound || acct.State == accountPending:
		return refuse(268490021, "账户进件未完成")
	case acct.Name != t.name:
		return refuse(268490020, "广告账户主体名称错误")
	case acct.AgencyID != t.agency:
		return refuse(268490018, "广告账户行业id不匹配")
	}
	return nil
}

func (s *Sim) billed(request string) bool {
	for _, a := range s.funds.list {
		for _, b := range a.Bills {
			if b.Request == request {
				return true
			}
		}
	}
	return false
}

// findFund finds the grant by its period and kind: create_funds_bill does not name it.
func (s *Sim) findFund(t transfer) *advertFund {
	for _, a := range s.funds.list {
		if a.SettleBegin == t.begin && a.SettleEnd == t.end && a.FundType == t.kind {
			return a
		}
	}
	return nil
}

type fundsBillBody struct {
	ID          string `json:"bill_id"`
	OperTime    int64  `json:"oper_time"`
	SettleBegin int64  `json:"settle_begin"`
	SettleEnd   int64  `json:"settle_end"`
	FundID      string `json:"fund_id"`
	Name        string `json:"transfer_account_name"`
	UID         int64  `json:"transfer_account_uid"`
	Amount      int64  `json:"transfer_amount"`
	Status      int    `json:"status"`
	Request     string `json:"request_id"`
}

type fundsBillsAnswer struct {
	ErrCode int             `json:"errcode"`
	ErrMsg  string          `json:"errmsg"`
	Bills   []fundsBillBody `json:"bill_list"`
	Pages   int64           `json:"total_page"`
}

// queryFundsBill answers POST /xpay/query_funds_bill: the transfers made within the filter, grant by grant.
func (s *Sim) queryFundsBill(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	p := r.page()
	var from, to int64
	var bill, request string
	r.object("filter", func(r *reader) {
		from, to = r.span("oper_time_begin", "oper_time_end")
		bill, request = r.perhaps("bill_id"), r.perhaps("request_id")
	})
	if r.no != nil {
		return nil, r.no
	}
	_, now := s.clock()
	var all []fundsBillBody
	for _, a := range s.funds.list {
		for _, b := range a.Bills {
			if within(b.At, from, to) && anyOr(bill, b.ID) && anyOr(request, b.Request) {
				all = append(all, fundsBillBody{
					b.ID, b.At.unix(), a.SettleBegin, a.SettleEnd, a.ID, b.Name, b.UID, b.Fen, b.status(now), b.Request,
				})
			}
		}
	}
	answer := fundsBillsAnswer{ErrMsg: "OK"}
	answer.Bills, answer.Pages = cut(p, all)
	return answer, nil
}

type recoverBody struct {
	ID          string   `json:"bill_id"`
	Time        int64    `json:"recover_time"`
	SettleBegin int64    `json:"settle_begin"`
	SettleEnd   int64    `json:"settle_end"`
	FundID      string   `json:"fund_id"`
	Account     string   `json:"recover_account_name"`
	Amount      int64    `json:"recover_amount"`
	Orders      []string `json:"refund_order_list"`
}

type recoverAnswer struct {
	ErrCode int           `json:"errcode"`
	ErrMsg  string        `json:"errmsg"`
	Bills   []recoverBody `json:"bill_list"`
	Pages   int64         `json:"total_page"`
}

// queryRecoverBill answers POST /xpay/query_recover_bill: what was taken back within the filter.
func (s *Sim) queryRecoverBill(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	p := r.page()
	var from, to int64
	var bill string
	r.object("filter", func(r *reader) {
		from, to = r.span("recover_time_begin", "recover_time_end")
		bill = r.perhaps("bill_id")
	})
	if r.no != nil {
		return nil, r.no
	}
	var all []recoverBody
	for _, a := range s.funds.list {
		for _, b := range a.Recovered {
			if within(b.At, from, to) && anyOr(bill, b.ID) {
				all = append(all, recoverBody{
					b.ID, b.At.unix(), a.SettleBegin, a.SettleEnd, a.ID, b.Account, b.Fen, b.Orders,
				})
			}
		}
	}
	answer := recoverAnswer{ErrMsg: "OK"}
	answer.Bills, answer.Pages = cut(p, all)
	return answer, nil
}

func within(i instant, from, to int64) bool { return i.unix() >= from && i.unix() <= to }

// anyOr reports whether a filter is empty or names v.
func anyOr(filter, v string) bool { return filter == "" || filter == v }

// downloadAdverfundsOrder answers POST /xpay/download_adverfunds_order: the first call starts the generation, and
// 268490011 until it is over. The file lists what was paid in the settlement period of the grant.
func (s *Sim) downloadAdverfundsOrder(in request, f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	id := r.filled("fund_id", textCharsMax)
	if r.no != nil {
		return nil, r.no
	}
	fund := s.funds.get(id)
	switch {
	case fund == nil:
		return nil, errNoData()
	case fund.FundType != fundGeneral:
		return nil, errField("fund_id")
	}
	_, now := s.clock()
	if fund.Asked == 0 {
		fund.Asked = now
		s.record(kindFund, fund)
	}
	if now < fund.Asked.add(fundsDelay) {
		return nil, refuse(268490011, "数据生成中,请稍后调用")
	}
	from, to := at(time.Unix(fund.SettleBegin, 0)), at(time.Unix(fund.SettleEnd, 0))
	return urlAnswer{ErrMsg: "OK", URL: s.link(in, billFile{Kind: fileAdvert, From: from, To: to})}, nil
}

func accountKey(uid int64) string { return fmt.Sprint(uid) }

// SetAdvertAccount puts an advert account into the world, or changes it: its approval, its name, another owner. A
// binding stays. It fails with ErrInput when UID, Name or OrgName is missing or State is none of 0, 1, 2.
func (s *Sim) SetAdvertAccount(a AdvertAccount) error {
	if a.UID < 1 || a.Name == "" || a.OrgName == "" || a.State < accountPending || a.State > accountRejected {
		return fmt.Errorf("uid, name, orgName or state is missing or wrong: %w", ErrInput)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.accounts.get(accountKey(a.UID)); old != nil {
		a.Bound = a.Bound || old.Bound
	}
	s.accounts.put(accountKey(a.UID), &a)
	s.record(kindAccount, &a)
	return s.journalErr
}

// GrantAdvertFund grants advert money and answers its fund_id. It fails with ErrInput when the amount is not above 0,
// the kind unknown, the period upside down or already granted, or the expiry past.
func (s *Sim) GrantAdvertFund(f AdvertFund) (fundID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, i := s.clock()
	twin := s.findFund(transfer{begin: f.SettleBegin, end: f.SettleEnd, kind: f.FundType})
	switch {
	case f.Amount < 1 || f.Amount > orderFenMax || f.FundType < fundGeneral || f.FundType > fundKindsMax:
		return "", fmt.Errorf("amount or fundType is wrong: %w", ErrInput)
	case f.SettleBegin < 0 || f.SettleEnd < f.SettleBegin || f.ExpireTime <= i.unix() || twin != nil:
		return "", fmt.Errorf("the period is wrong or has a fund already, or it has expired: %w", ErrInput)
	}
	a := &advertFund{ID: s.chance.fundID(now), AdvertFund: f}
	s.funds.put(a.ID, a)
	s.record(kindFund, a)
	return a.ID, s.journalErr
}

// RecoverAdvertFund takes fen back after the refunds of orders, and answers the bill_id. It fails with ErrUnknown,
// or with ErrInput when fen is not within what remains.
func (s *Sim) RecoverAdvertFund(fundID string, fen int64, orders []string) (billID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.funds.get(fundID)
	when, now := s.clock()
	switch {
	case a == nil:
		return "", fmt.Errorf("fund %q: %w", excerpt(fundID), ErrUnknown)
	case fen < 1 || fen > a.remain(now):
		return "", fmt.Errorf("fund %q has %d fen left: %w", fundID, a.remain(now), ErrInput)
	}
	b := recoverBill{ID: s.chance.billID(when), Account: merchantCompany, Fen: fen, Orders: append([]string{}, orders...), At: now}
	a.Recovered = append(a.Recovered, b)
	s.record(kindFund, a)
	return b.ID, s.journalErr
}
