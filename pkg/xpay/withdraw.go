package xpay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
)

// WithdrawAmount is how much to withdraw. Make it with WithdrawFen or WithdrawAll; the zero value is refused, so that a
// forgotten amount never withdraws everything.
type WithdrawAmount struct {
	fen Fen
	all bool
}

// WithdrawFen withdraws f, which must be above 0.
func WithdrawFen(f Fen) WithdrawAmount { return WithdrawAmount{fen: f} }

// WithdrawAll withdraws whatever there is.
func WithdrawAll() WithdrawAmount { return WithdrawAmount{all: true} }

func (w WithdrawAmount) validate() error {
	if w.all {
		return nil
	}
	if w.fen == 0 {
		return errors.New("withdraw_amount is missing: use WithdrawFen or WithdrawAll")
	}
	return checkPositive("withdraw_amount", int64(w.fen), "fen")
}

// text is what is sent: yuan with two decimals, nothing for everything.
func (w WithdrawAmount) text() Yuan {
	if w.all {
		return ""
	}
	return w.fen.Yuan()
}

// WithdrawReply are the numbers of a withdrawal that was started.
type WithdrawReply struct {
	WithdrawNo, WxWithdrawNo string
	Raw                      json.RawMessage
}

// CreateWithdrawOrder starts a withdrawal to the merchant's bank account. withdrawNo is yours: 8 to 32 letters, digits,
// _ and -. What a repetition does is not documented, so the client never repeats it: when OutcomeUnknown(err), ask
// QueryWithdrawOrder for the same number before anything else. Spec 4.10.
func (c *Client) CreateWithdrawOrder(ctx context.Context, withdrawNo string, amount WithdrawAmount) (WithdrawReply, error) {
	return ask(ctx, c, createWithdrawOrder, request{
		wrong: cmp.Or(validNumber("withdraw_no", withdrawNo, refundMark), amount.validate()),
		body: struct {
			WithdrawNo     string `json:"withdraw_no"`
			WithdrawAmount Yuan   `json:"withdraw_amount,omitempty"`
			Env            Env    `json:"env"`
		}{withdrawNo, amount.text(), c.Merchant.env},
	}, func(f *fields, a answer) WithdrawReply {
		return WithdrawReply{WithdrawNo: f.text("withdraw_no"), WxWithdrawNo: f.text("wx_withdraw_no"), Raw: a.raw}
	})
}

// WithdrawStatus is how far a withdrawal is.
type WithdrawStatus int

const (
	WithdrawRunning WithdrawStatus = 1
	WithdrawDone    WithdrawStatus = 2
	WithdrawFailed  WithdrawStatus = 3 // see FailReason
)

// Withdrawal is a withdrawal as WeChat knows it (spec 4.10).
type Withdrawal struct {
	WithdrawNo, WxWithdrawNo string
	Status                   WithdrawStatus
	Amount                   Yuan   // "" when not sent
	SuccessTime              int64  // withdraw_success_timestamp, Unix seconds, sent as text or number; 0 before
	CreateTime               string // as WeChat writes it
	FailReason               string
	Raw                      json.RawMessage
}

// QueryWithdrawOrder asks for one withdrawal by your number. ErrAbsent: WeChat knows none. Spec 4.10.
func (c *Client) QueryWithdrawOrder(ctx context.Context, withdrawNo string) (Withdrawal, error) {
	return ask(ctx, c, queryWithdrawOrder, request{
		wrong: validNumber("withdraw_no", withdrawNo, refundMark),
		body: struct {
			WithdrawNo string `json:"withdraw_no"`
			Env        Env    `json:"env"`
		}{withdrawNo, c.Merchant.env},
	}, readWithdrawal)
}

func readWithdrawal(f *fields, a answer) Withdrawal {
	f.present("withdraw_no", ErrAbsent)
	return Withdrawal{
		WithdrawNo: f.text("withdraw_no"), WxWithdrawNo: f.text("wx_withdraw_no"),
		Status: WithdrawStatus(f.needed("status")), Amount: f.yuan("withdraw_amount"),
		SuccessTime: f.loose("withdraw_success_timestamp"), CreateTime: f.text("create_time"),
		FailReason: f.text("fail_reason"), Raw: a.raw,
	}
}

// BizBalance is what can be withdrawn.
type BizBalance struct {
	Amount       Yuan // always there
	CurrencyCode string
	Raw          json.RawMessage
}

// QueryBizBalance tells what can be withdrawn, always in production: env selects the AppKey alone. ErrAbsent: WeChat
// named no balance. Spec 4.12.
func (c *Client) QueryBizBalance(ctx context.Context) (BizBalance, error) {
	return ask(ctx, c, queryBizBalance, request{body: envOnly{c.Merchant.env}}, func(f *fields, a answer) BizBalance {
		b := fields{node: f.find("balance_available"), err: f.err}
		b.present("amount", ErrAbsent)
		balance := BizBalance{Amount: b.yuan("amount"), CurrencyCode: b.text("currency_code"), Raw: a.raw}
		f.err = b.err
		return balance
	})
}
