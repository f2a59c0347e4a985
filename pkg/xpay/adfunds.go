package xpay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// The advert funds (广告金) always live in production: env selects the AppKey alone. Newer pages show their calls
// without pay_sig although they describe env as used for checking it; pay_sig is sent (CONFLICT in spec 4.1). Times are
// Unix seconds. Spec 4.13.

// FundType is a kind of advert funds. CONFLICT in spec 4.13: one SDK swaps 0 and 1; the official numbers are used.
type FundType int

const (
	FundGeneral  FundType = 0 // 通用赠送
	FundReward   FundType = 1 // 广告激励
	FundTargeted FundType = 2 // 定向激励
)

func (t FundType) validate() error {
	if t < FundGeneral || t > FundTargeted {
		return fmt.Errorf("fund_type is %d: use FundGeneral, FundReward or FundTargeted", int(t))
	}
	return nil
}

// Page is a part of a list. Number counts from 1.
type Page struct{ Number, Size int }

func (p Page) validate() error {
	if p.Number < 1 || p.Size < 1 {
		return errors.New("page and page_size must be above 0: the first page is 1")
	}
	return nil
}

// Span is a time from Begin to End in Unix seconds.
type Span struct{ Begin, End int64 }

func (s Span) validate(begin, end string) error {
	if s.Begin <= 0 || s.End < s.Begin {
		return fmt.Errorf("%s and %s must be Unix seconds, in this order", begin, end)
	}
	return nil
}

// TransferAccounts are the advert accounts that can be charged.
type TransferAccounts struct {
	Accounts []TransferAccount
	Raw      json.RawMessage
}

// TransferAccount is an advert account.
type TransferAccount struct {
	Name       string
	UID        int64
	AgencyID   int64
	AgencyName string
	State      TransferAccountState
	BindResult BindResult
	ErrorMsg   string
}

// TransferAccountState is how far the review of an advert account is.
type TransferAccountState int

const (
	AccountPending  TransferAccountState = 0
	AccountApproved TransferAccountState = 1
	AccountRejected TransferAccountState = 2
)

// BindResult is how binding an advert account ended; 0 is not documented.
type BindResult int

const (
	BindDone   BindResult = 1
	BindFailed BindResult = 2
)

// QueryTransferAccount lists the advert accounts. Spec 4.13.
func (c *Client) QueryTransferAccount(ctx context.Context) (TransferAccounts, error) {
	return ask(ctx, c, queryTransferAccount, request{body: envOnly{c.Merchant.env}}, func(f *fields, a answer) TransferAccounts {
		return TransferAccounts{Accounts: list(f, "acct_list", readTransferAccount), Raw: a.raw}
	})
}

func readTransferAccount(f *fields) TransferAccount {
	return TransferAccount{
		Name: f.text("transfer_account_name"), UID: f.whole("transfer_account_uid"),
		AgencyID: f.whole("transfer_account_agency_id"), AgencyName: f.text("transfer_account_agency_name"),
		State: TransferAccountState(f.whole("state")), BindResult: BindResult(f.whole("bind_result")), ErrorMsg: f.text("error_msg"),
	}
}

// AdverFundsRequest asks for advert funds by settlement time.
type AdverFundsRequest struct {
	Page   Page
	Settle Span
	Type   *FundType // nil: every type
}

// AdverFunds is a page of advert funds.
type AdverFunds struct {
	Funds     []AdverFund
	TotalPage int
	Raw       json.RawMessage
}

// AdverFund is a grant of advert funds. Amounts are 0 when not sent.
type AdverFund struct {
	FundID                    string
	Type                      FundType
	SettleBegin, SettleEnd    int64
	TotalAmount, RemainAmount Fen
	ExpireTime                int64
}

// QueryAdverFunds lists advert funds. Spec 4.13.
func (c *Client) QueryAdverFunds(ctx context.Context, r AdverFundsRequest) (AdverFunds, error) {
	type filter struct {
		SettleBegin int64     `json:"settle_begin"`
		SettleEnd   int64     `json:"settle_end"`
		FundType    *FundType `json:"fund_type,omitempty"`
	}
	return ask(ctx, c, queryAdverFunds, request{wrong: r.validate(), body: struct {
		Page     int    `json:"page"`
		PageSize int    `json:"page_size"`
		Filter   filter `json:"filter"`
		Env      Env    `json:"env"`
	}{r.Page.Number, r.Page.Size, filter{r.Settle.Begin, r.Settle.End, r.Type}, c.Merchant.env}},
		func(f *fields, a answer) AdverFunds {
			return AdverFunds{Funds: list(f, "adver_funds_list", readAdverFund), TotalPage: int(f.whole("total_page")), Raw: a.raw}
		})
}

func (r AdverFundsRequest) validate() error {
	if r.Type != nil {
		if err := r.Type.validate(); err != nil {
			return err
		}
	}
	return cmp.Or(r.Page.validate(), r.Settle.validate("settle_begin", "settle_end"))
}

func readAdverFund(f *fields) AdverFund {
	return AdverFund{
		FundID: f.text("fund_id"), Type: FundType(f.whole("fund_type")),
		SettleBegin: f.loose("settle_begin"), SettleEnd: f.loose("settle_end"),
		TotalAmount: f.fenOrZero("total_amount"), RemainAmount: f.fenOrZero("remain_amount"), ExpireTime: f.loose("expire_time"),
	}
}

const requestIDRunesMax = 1024 // spec 4.13

// FundsBillRequest charges an advert account from advert funds.
type FundsBillRequest struct {
	Amount      Fen // above 0, else 268490024
	AccountUID  int64
	AccountName string
	AgencyID    int64
	// RequestID is yours, at most 1024 characters: keep it and repeat the identical request while the outcome is unknown.
	RequestID string
	Settle    Span // of the funds
	Authorize bool // authorize_advertise, sent as 1 or 0
	Type      FundType
}

// FundsBillReply is the number of a charge.
type FundsBillReply struct {
	BillID   string // may be "" when Repeated
	Repeated bool   // 268490004: an earlier call with this RequestID had charged already, the Amount that it named
	Raw      json.RawMessage
}

// CreateFundsBill charges an advert account, at most once per RequestID: a repetition succeeds with Repeated. errcode 0
// without a bill_id is ErrNoAnswer: repeat the identical request. Refusals are 268490018 to 268490024. Spec 4.13.
func (c *Client) CreateFundsBill(ctx context.Context, r FundsBillRequest) (FundsBillReply, error) {
	authorize := 0
	if r.Authorize {
		authorize = 1
	}
	return ask(ctx, c, createFundsBill, request{wrong: r.validate(), body: struct {
		TransferAmount Fen      `json:"transfer_amount"`
		AccountUID     int64    `json:"transfer_account_uid"`
		AccountName    string   `json:"transfer_account_name"`
		AgencyID       int64    `json:"transfer_account_agency_id"`
		RequestID      string   `json:"request_id"`
		SettleBegin    int64    `json:"settle_begin"`
		SettleEnd      int64    `json:"settle_end"`
		Env            Env      `json:"env"`
		Authorize      int      `json:"authorize_advertise"`
		FundType       FundType `json:"fund_type"`
	}{r.Amount, r.AccountUID, r.AccountName, r.AgencyID, r.RequestID, r.Settle.Begin, r.Settle.End, c.Merchant.env,
		authorize, r.Type}}, func(f *fields, a answer) FundsBillReply {
		if !a.repeated {
			f.promised("bill_id")
		}
		return FundsBillReply{BillID: f.text("bill_id"), Repeated: a.repeated, Raw: a.raw}
	})
}

func (r FundsBillRequest) validate() error {
	return cmp.Or(
		checkPositive("transfer_amount", int64(r.Amount), "fen"),
		checkAccount(r.AccountUID, "transfer_account_name", r.AccountName),
		checkText("request_id", r.RequestID, "give the charge a number of yours"),
		checkRunes("request_id", r.RequestID, requestIDRunesMax),
		r.Settle.validate("settle_begin", "settle_end"), r.Type.validate(),
	)
}

func checkAccount(uid int64, nameField, name string) error {
	if uid <= 0 {
		return fmt.Errorf("transfer_account_uid is %d: use the one QueryTransferAccount gives", uid)
	}
	return checkText(nameField, name, "use the name the advert account has")
}

// BindTransferAccount binds an advert account that belongs to the organization orgName. QueryTransferAccount tells the
// result. WeChat spells the API bind_transfer_accout. Spec 4.13.
func (c *Client) BindTransferAccount(ctx context.Context, accountUID int64, orgName string) error {
	_, err := c.call(ctx, bindTransferAccount, request{
		wrong: checkAccount(accountUID, "transfer_account_org_name", orgName),
		body: struct {
			AccountUID int64  `json:"transfer_account_uid"`
			OrgName    string `json:"transfer_account_org_name"`
			Env        Env    `json:"env"`
		}{accountUID, orgName, c.Merchant.env},
	})
	return err
}

// FundsBillsRequest asks for charges by the time they were made.
type FundsBillsRequest struct {
	Page      Page
	OperTime  Span
	BillID    string // optional
	RequestID string // optional
}

// FundsBills is a page of charges.
type FundsBills struct {
	Bills     []FundsBill
	TotalPage int
	Raw       json.RawMessage
}

// FundsBill is one charge of an advert account. Amount is 0 when not sent.
type FundsBill struct {
	BillID, RequestID      string
	OperTime               int64
	SettleBegin, SettleEnd int64
	FundID                 string
	AccountName            string
	AccountUID             int64
	Amount                 Fen
	Status                 FundsBillStatus
}

// FundsBillStatus is how far a charge is.
type FundsBillStatus int

const (
	FundsBillRunning FundsBillStatus = 0
	FundsBillDone    FundsBillStatus = 1
	FundsBillFailed  FundsBillStatus = 2
)

// QueryFundsBill lists charges. Spec 4.13.
func (c *Client) QueryFundsBill(ctx context.Context, r FundsBillsRequest) (FundsBills, error) {
	type filter struct {
		Begin     int64  `json:"oper_time_begin"`
		End       int64  `json:"oper_time_end"`
		BillID    string `json:"bill_id,omitempty"`
		RequestID string `json:"request_id,omitempty"`
	}
	return ask(ctx, c, queryFundsBill, request{
		wrong: cmp.Or(r.Page.validate(), r.OperTime.validate("oper_time_begin", "oper_time_end")),
		body: struct {
			Page     int    `json:"page"`
			PageSize int    `json:"page_size"`
			Filter   filter `json:"filter"`
			Env      Env    `json:"env"`
		}{r.Page.Number, r.Page.Size, filter{r.OperTime.Begin, r.OperTime.End, r.BillID, r.RequestID}, c.Merchant.env},
	}, func(f *fields, a answer) FundsBills {
		return FundsBills{Bills: list(f, "bill_list", readFundsBill), TotalPage: int(f.whole("total_page")), Raw: a.raw}
	})
}

func readFundsBill(f *fields) FundsBill {
	return FundsBill{
		BillID: f.text("bill_id"), RequestID: f.text("request_id"), OperTime: f.loose("oper_time"),
		SettleBegin: f.loose("settle_begin"), SettleEnd: f.loose("settle_end"), FundID: f.text("fund_id"),
		AccountName: f.text("transfer_account_name"), AccountUID: f.whole("transfer_account_uid"),
		Amount: f.fenOrZero("transfer_amount"), Status: FundsBillStatus(f.needed("status")),
	}
}

// RecoverBillsRequest asks for recovered advert funds by the time they were recovered.
type RecoverBillsRequest struct {
	Page        Page
	RecoverTime Span
	BillID      string // optional
}

// RecoverBills is a page of recoveries.
type RecoverBills struct {
	Bills     []RecoverBill
	TotalPage int
	Raw       json.RawMessage
}

// RecoverBill is advert funds that went back because orders were refunded. Amount is 0 when not sent.
type RecoverBill struct {
	BillID                 string
	RecoverTime            int64
	SettleBegin, SettleEnd int64
	FundID                 string
	AccountName            string
	Amount                 Fen
	RefundOrders           []string // of elements that are no single values see Raw of the page
}

// QueryRecoverBill lists recoveries. Spec 4.13.
func (c *Client) QueryRecoverBill(ctx context.Context, r RecoverBillsRequest) (RecoverBills, error) {
	type filter struct {
		Begin  int64  `json:"recover_time_begin"`
		End    int64  `json:"recover_time_end"`
		BillID string `json:"bill_id,omitempty"`
	}
	return ask(ctx, c, queryRecoverBill, request{
		wrong: cmp.Or(r.Page.validate(), r.RecoverTime.validate("recover_time_begin", "recover_time_end")),
		body: struct {
			Page     int    `json:"page"`
			PageSize int    `json:"page_size"`
			Filter   filter `json:"filter"`
			Env      Env    `json:"env"`
		}{r.Page.Number, r.Page.Size, filter{r.RecoverTime.Begin, r.RecoverTime.End, r.BillID}, c.Merchant.env},
	}, func(f *fields, a answer) RecoverBills {
		return RecoverBills{Bills: list(f, "bill_list", readRecoverBill), TotalPage: int(f.whole("total_page")), Raw: a.raw}
	})
}

// readRecoverBill reads refund_order_list without complaint: what its elements are is not published.
func readRecoverBill(f *fields) RecoverBill {
	bill := RecoverBill{
		BillID: f.text("bill_id"), RecoverTime: f.loose("recover_time"),
		SettleBegin: f.loose("settle_begin"), SettleEnd: f.loose("settle_end"), FundID: f.text("fund_id"),
		AccountName: f.text("recover_account_name"), Amount: f.fenOrZero("recover_amount"),
	}
	f.each("refund_order_list", func(n *node) {
		if len(n.kids) == 0 {
			bill.RefundOrders = append(bill.RefundOrders, n.text)
		}
	})
	return bill
}

// DownloadAdverfundsOrder gives the orders behind a grant of FundGeneral. The first call starts making the file; until
// it is there the error is ErrNotReady. Spec 4.13.
func (c *Client) DownloadAdverfundsOrder(ctx context.Context, fundID string) (BillFile, error) {
	return ask(ctx, c, downloadAdverfundsOrder, request{
		wrong: checkText("fund_id", fundID, "use one QueryAdverFunds gives"),
		body: struct {
			FundID string `json:"fund_id"`
			Env    Env    `json:"env"`
		}{fundID, c.Merchant.env},
	}, readBillFile)
}
