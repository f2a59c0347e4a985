package xpay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
)

// A session key that is given to a call signs that call and is kept nowhere. It must be the one of the user's last
// login: 268490009 says that it is not, and then only a new wx.login helps.

// BalanceRequest asks how many coins a user has.
type BalanceRequest struct {
	OpenID string
	UserIP netip.Addr // of the user, not of this server
}

// Balance counts the coins of a user (spec 4.2). A counter is nil when WeChat did not send it.
type Balance struct {
	Balance        int64  // paid and gifted coins together; always there
	PresentBalance *int64 // the gifted part of Balance
	SumSave        *int64 // coins ever bought
	SumPresent     *int64 // coins ever gifted
	SumBalance     *int64 // coins ever added
	SumCost        *int64 // coins ever spent
	FirstSaveFlag  bool   // CONFLICT in spec 4.2: sent as true/false or 1/0, both are read
	Raw            json.RawMessage
}

// QueryUserBalance changes nothing. It needs the user's session key. Spec 4.2.
func (c *Client) QueryUserBalance(ctx context.Context, r BalanceRequest, sessionKey string) (Balance, error) {
	return ask(ctx, c, queryUserBalance, request{
		wrong: cmp.Or(checkOpenID(r.OpenID), checkUserIP(r.UserIP)), openID: r.OpenID, sessionKey: sessionKey,
		body: struct {
			OpenID string `json:"openid"`
			Env    Env    `json:"env"`
			UserIP string `json:"user_ip"`
		}{r.OpenID, c.Merchant.env, ipText(r.UserIP)},
	}, readBalance)
}

func readBalance(f *fields, a answer) Balance {
	return Balance{
		Balance: f.needed("balance"), PresentBalance: f.count("present_balance"),
		SumSave: f.count("sum_save"), SumPresent: f.count("sum_present"), SumBalance: f.count("sum_balance"),
		SumCost: f.count("sum_cost"), FirstSaveFlag: f.flag("first_save_flag"), Raw: a.raw,
	}
}

// PayItem is a line of the account statement.
type PayItem struct {
	ProductID string `json:"productid"`
	UnitPrice int64  `json:"unit_price"` // coins
	Quantity  int    `json:"quantity"`
}

// CurrencyPayRequest spends coins.
type CurrencyPayRequest struct {
	OpenID  string
	UserIP  netip.Addr
	Amount  int64     // coins
	OrderID string    // yours for this spend; keep it and repeat the identical request while the outcome is unknown
	Items   []PayItem // at least one; sent as the text payitem
	Remark  string    // may be empty
}

// CurrencyPayReply says what a spend left. A counter is nil when WeChat did not send it, which happens when Repeated.
type CurrencyPayReply struct {
	OrderID           string
	Balance           *int64 // coins left
	UsedPresentAmount *int64 // gifted coins among those spent
	Repeated          bool   // 268490004: an earlier call with this OrderID had spent already, the Amount that it named
	Raw               json.RawMessage
}

// CurrencyPay spends coins of a user, at most once per OrderID: a repetition with the same number succeeds with
// Repeated. 268490006 means too few coins. device_type of older editions is not sent. Spec 4.3, vector C5e.
func (c *Client) CurrencyPay(ctx context.Context, r CurrencyPayRequest, sessionKey string) (CurrencyPayReply, error) {
	items, err := marshal(r.Items)
	return ask(ctx, c, currencyPay, request{
		wrong: cmp.Or(err, r.validate()), openID: r.OpenID, sessionKey: sessionKey,
		body: struct {
			OpenID  string `json:"openid"`
			Env     Env    `json:"env"`
			UserIP  string `json:"user_ip"`
			Amount  int64  `json:"amount"`
			OrderID string `json:"order_id"`
			PayItem string `json:"payitem"`
			Remark  string `json:"remark"`
		}{r.OpenID, c.Merchant.env, ipText(r.UserIP), r.Amount, r.OrderID, string(items), r.Remark},
	}, func(f *fields, a answer) CurrencyPayReply {
		return CurrencyPayReply{
			OrderID: f.text("order_id"), Balance: f.count("balance"), UsedPresentAmount: f.count("used_present_amount"),
			Repeated: a.repeated, Raw: a.raw,
		}
	})
}

func (r CurrencyPayRequest) validate() error {
	if len(r.Items) == 0 {
		return errors.New("payitem is empty: name what the coins are spent on")
	}
	for i, item := range r.Items {
		if err := item.validate(); err != nil {
			return fmt.Errorf("payitem %d: %w", i+1, err)
		}
	}
	return cmp.Or(
		checkOpenID(r.OpenID), checkUserIP(r.UserIP), checkPositive("amount", r.Amount, "coins"),
		checkText("order_id", r.OrderID, "give the spend a number of yours"), checkUTF8("remark", r.Remark),
	)
}

func (i PayItem) validate() error {
	if i.UnitPrice < 0 || i.UnitPrice > wholeMax {
		return fmt.Errorf("unit_price is %d coins: it must not be negative", i.UnitPrice)
	}
	return cmp.Or(
		checkText("productid", i.ProductID, "name the product"), checkPositive("quantity", int64(i.Quantity), "pieces"))
}

// CancelCurrencyPayRequest takes a spend back.
type CancelCurrencyPayRequest struct {
	OpenID     string
	UserIP     netip.Addr
	PayOrderID string // the OrderID of the CurrencyPay
	OrderID    string // a new number of yours, for the taking back
	Amount     int64  // coins, at most what was spent
}

// CancelCurrencyPayReply repeats the number of the taking back.
type CancelCurrencyPayReply struct {
	OrderID string
	Raw     json.RawMessage
}

// CancelCurrencyPay gives coins of a spend back to the user and gives the number of the taking back; no money moves.
// What a repetition does is not documented, so the client never repeats it: when OutcomeUnknown(err), ask for the
// balance. An unknown PayOrderID is ErrNoOrder, more coins than were spent are 268490006, and 268490005 says that it
// was taken back before. Spec 4.4.
func (c *Client) CancelCurrencyPay(
	ctx context.Context, r CancelCurrencyPayRequest, sessionKey string,
) (CancelCurrencyPayReply, error) {
	return ask(ctx, c, cancelCurrencyPay, request{
		wrong: r.validate(), openID: r.OpenID, sessionKey: sessionKey,
		body: struct {
			OpenID     string `json:"openid"`
			Env        Env    `json:"env"`
			UserIP     string `json:"user_ip"`
			PayOrderID string `json:"pay_order_id"`
			OrderID    string `json:"order_id"`
			Amount     int64  `json:"amount"`
		}{r.OpenID, c.Merchant.env, ipText(r.UserIP), r.PayOrderID, r.OrderID, r.Amount},
	}, func(f *fields, a answer) CancelCurrencyPayReply {
		return CancelCurrencyPayReply{OrderID: f.text("order_id"), Raw: a.raw}
	})
}

func (r CancelCurrencyPayRequest) validate() error {
	if r.OrderID != "" && r.OrderID == r.PayOrderID {
		return errors.New("order_id is the number of the spend: give the taking back a number of its own")
	}
	return cmp.Or(
		checkOpenID(r.OpenID), checkUserIP(r.UserIP),
		checkText("pay_order_id", r.PayOrderID, "name the spend by its order_id"),
		checkText("order_id", r.OrderID, "give the taking back a number of yours"),
		checkPositive("amount", r.Amount, "coins"),
	)
}

// PresentCurrencyRequest gives coins away.
type PresentCurrencyRequest struct {
	OpenID  string
	OrderID string // yours for this gift; keep it and repeat the identical request while the outcome is unknown
	Amount  int64  // coins
}

// PresentCurrencyReply says what the user has after a gift. A counter is nil when WeChat did not send it, which happens
// when Repeated.
type PresentCurrencyReply struct {
	OrderID        string
	Balance        *int64 // coins after the gift
	PresentBalance *int64 // coins ever gifted to the user
	Repeated       bool   // 268490004: an earlier call with this OrderID had given already, the Amount that it named
	Raw            json.RawMessage
}

// PresentCurrency gives a user coins, at most once per OrderID. A gift can not be queried: repeat the identical request
// until it succeeds. pay_sig is sent although newer pages do not ask for it (CONFLICT in spec 4.1). Spec 4.5.
func (c *Client) PresentCurrency(ctx context.Context, r PresentCurrencyRequest) (PresentCurrencyReply, error) {
	return ask(ctx, c, presentCurrency, request{
		wrong: cmp.Or(checkOpenID(r.OpenID), checkText("order_id", r.OrderID, "give the gift a number of yours"),
			checkPositive("amount", r.Amount, "coins")),
		openID: r.OpenID,
		body: struct {
			OpenID  string `json:"openid"`
			Env     Env    `json:"env"`
			OrderID string `json:"order_id"`
			Amount  int64  `json:"amount"`
		}{r.OpenID, c.Merchant.env, r.OrderID, r.Amount},
	}, func(f *fields, a answer) PresentCurrencyReply {
		return PresentCurrencyReply{
			OrderID: f.text("order_id"), Balance: f.count("balance"), PresentBalance: f.count("present_balance"),
			Repeated: a.repeated, Raw: a.raw,
		}
	})
}

func checkUserIP(ip netip.Addr) error {
	if !ip.IsValid() || ip.Zone() != "" {
		return errors.New("user_ip is not an address: give the one the user came from")
	}
	return nil
}

func ipText(ip netip.Addr) string { return ip.Unmap().String() }
