package xpay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Subscriptions (会员订阅) know production only, and every call here refuses a sandbox merchant. Newer pages show these
// calls without pay_sig, one of them with it; it is sent (CONFLICT in spec 4.1). Spec 4.17.
//
// On Android and HarmonyOS the merchant charges: within 12 hours of signing at once, later two days after a pre-notice
// of the same amount, between 07:10 and 21:50 in China. Apple charges by itself.

const (
	deductMin Fen = 100     // CONFLICT in spec 4.17: the charge says 1 fen, the pre-notice and the rules 1 yuan
	deductMax Fen = 500_000 // subscription goods cost at most 5000 yuan, spec 1.5
)

// Contract says where a user subscribed. Make it with AndroidContract or AppleContract.
type Contract struct{ code, mode string }

// AndroidContract is a contract signed on Android or HarmonyOS under a code of yours.
func AndroidContract(outContractCode string) Contract { return Contract{code: outContractCode} }

// AppleContract is the user's subscription at Apple.
func AppleContract() Contract { return Contract{mode: "apple"} }

// AuthorizationState is whether a user is subscribed.
type AuthorizationState string

const (
	AuthorizationSigned     AuthorizationState = "SIGNED"
	AuthorizationTerminated AuthorizationState = "TERMINATED" // final: a new signing needs a new contract code
	AuthorizationUnbound    AuthorizationState = "UNBINDUSER" // never signed
)

// SubscribeContract is whether a user is subscribed to a product.
type SubscribeContract struct {
	State AuthorizationState
	Apple *AppleContractInfo // AppleContract only
	Raw   json.RawMessage
}

// AppleContractInfo is a subscription at Apple, up to 10 seconds behind it. Times are Unix milliseconds.
type AppleContractInfo struct {
	OriginalTransactionID       string
	AutoRenewStatus             int // AutoRenewOff or AutoRenewOn
	RecentSubscriptionStartDate int64
	RenewalDate                 int64
}

// QuerySubscribeContract asks whether a user is subscribed. ErrAbsent: WeChat named no state. Spec 4.17.
func (c *Client) QuerySubscribeContract(
	ctx context.Context, openID, productID string, contract Contract,
) (SubscribeContract, error) {
	return ask(ctx, c, querySubscribeContract, request{
		wrong: cmp.Or(checkOpenID(openID), checkProductID(productID), contract.validate()), openID: openID,
		body: struct {
			OpenID          string `json:"openid"`
			ProductID       string `json:"product_id"`
			OutContractCode string `json:"out_contract_code,omitempty"`
			Mode            string `json:"mode,omitempty"`
		}{openID, productID, contract.code, contract.mode},
	}, readSubscribeContract)
}

func (c Contract) validate() error {
	if c == (Contract{}) {
		return errors.New("out_contract_code is empty: use AndroidContract with the code of the signing, or AppleContract")
	}
	return nil
}

func checkProductID(id string) error {
	return checkText("product_id", id, "name the subscription product")
}

func checkContractCode(code string) error {
	return checkText("out_contract_code", code, "use the code of the signing")
}

func readSubscribeContract(f *fields, a answer) SubscribeContract {
	f.present("authorization_state", ErrAbsent)
	contract := SubscribeContract{State: AuthorizationState(f.text("authorization_state")), Raw: a.raw}
	f.inside("apple_subscription_info", func(f *fields) {
		contract.Apple = &AppleContractInfo{
			OriginalTransactionID: f.text("original_transaction_id"), AutoRenewStatus: int(f.whole("auto_renew_status")),
			RecentSubscriptionStartDate: f.loose("recent_subscription_start_date"), RenewalDate: f.loose("renewal_date"),
		}
	})
	return contract
}

// PrePaymentRequest announces a charge to the user.
type PrePaymentRequest struct {
	OpenID          string
	DeductPrice     Fen // 100 to the price of the product; the charge must be the same
	ProductID       string
	OutContractCode string
}

// SendSubscribePrePayment announces a charge, two days before it, between 07:10 and 21:50 in China. -1 may be repeated;
// 674690001 means product or price, 690000000 not subscribed, 690000001 not allowed now. The client does not repeat it:
// what a repetition after silence does is not documented. Spec 4.17.
func (c *Client) SendSubscribePrePayment(ctx context.Context, r PrePaymentRequest) error {
	_, err := c.call(ctx, sendSubscribePrePayment, request{
		wrong: cmp.Or(checkOpenID(r.OpenID), checkDeductPrice(r.DeductPrice), checkProductID(r.ProductID),
			checkContractCode(r.OutContractCode)),
		openID: r.OpenID,
		body: struct {
			OpenID          string `json:"openid"`
			DeductPrice     Fen    `json:"deduct_price"`
			ProductID       string `json:"product_id"`
			OutContractCode string `json:"out_contract_code"`
		}{r.OpenID, r.DeductPrice, r.ProductID, r.OutContractCode},
	})
	return err
}

func checkDeductPrice(price Fen) error {
	if price < deductMin || price > deductMax {
		return fmt.Errorf("deduct_price is %d fen: it must be between %d and %d", price, deductMin, deductMax)
	}
	return nil
}

// SubscribePayRequest charges a subscriber for one period.
type SubscribePayRequest struct {
	OpenID      string
	ProductID   string
	DeductPrice Fen    // what the pre-notice said
	OrderID     string // yours, see ValidOutTradeNo; keep it while the outcome is unknown
	Attach      string // comes back in the push; at most 200 characters
}

// SubmitSubscribePayOrder asks WeChat to charge. Success means accepted, not paid: a push tells, goods delivery or
// xpay_subscribe_pay_fail_notify. -15027 means no pre-notice, or an order number used before, so the client never
// repeats it. A failed charge may be tried again once per hour until the sixth day. The marks that OrderID may hold are
// cut off on WeChat's page; those of outTradeNo are taken. CONFLICT: buy_quantity is the number 1. Spec 4.17.
func (c *Client) SubmitSubscribePayOrder(ctx context.Context, r SubscribePayRequest) error {
	_, err := c.call(ctx, submitSubscribePayOrder, request{
		wrong: r.validate(), openID: r.OpenID,
		body: struct {
			OpenID       string `json:"openid"`
			OfferID      string `json:"offer_id"`
			BuyQuantity  int    `json:"buy_quantity"`
			Env          Env    `json:"env"`
			CurrencyType string `json:"currency_type"`
			ProductID    string `json:"product_id"`
			DeductPrice  Fen    `json:"deduct_price"`
			OrderID      string `json:"order_id"`
			Attach       string `json:"attach"`
		}{r.OpenID, c.Merchant.offerID, 1, Production, "CNY", r.ProductID, r.DeductPrice, r.OrderID, r.Attach},
	})
	return err
}

func (r SubscribePayRequest) validate() error {
	if !utf8.ValidString(r.Attach) || utf8.RuneCountInString(r.Attach) > attachRunesMax {
		return fmt.Errorf("attach must be UTF-8 of at most %d characters", attachRunesMax)
	}
	if err := ValidOutTradeNo(r.OrderID); err != nil {
		return fmt.Errorf("order_id: %w", err)
	}
	return cmp.Or(checkOpenID(r.OpenID), checkProductID(r.ProductID), checkDeductPrice(r.DeductPrice))
}

// CancelContractRequest ends a subscription from the merchant's side.
type CancelContractRequest struct {
	OpenID            string
	TerminationReason string
	ProductID         string
	OutContractCode   string
}

// CancelSubscribeContract ends a subscription; QuerySubscribeContract then says AuthorizationTerminated. WeChat does not
// take it from third-party platforms. Spec 4.17.
func (c *Client) CancelSubscribeContract(ctx context.Context, r CancelContractRequest) error {
	_, err := c.call(ctx, cancelSubscribeContract, request{
		wrong: cmp.Or(checkOpenID(r.OpenID), checkText("termination_reason", r.TerminationReason, "say why it ends"),
			checkProductID(r.ProductID), checkContractCode(r.OutContractCode)),
		openID: r.OpenID,
		body: struct {
			OpenID            string `json:"openid"`
			TerminationReason string `json:"termination_reason"`
			ProductID         string `json:"product_id"`
			OutContractCode   string `json:"out_contract_code"`
		}{r.OpenID, r.TerminationReason, r.ProductID, r.OutContractCode},
	})
	return err
}
