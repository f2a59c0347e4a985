package xpay

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const appleURI = "requestAppleSubscribeSign" // the literal, no path: spec 2.4

// AppleSubscription is what wx.requestAppleSubscribeSign subscribes to on iOS. Production only: no env is signed.
type AppleSubscription struct {
	ProductID  string // a subscription that is on sale on both platforms
	Price      Fen    // of a period, equal to the price published at WeChat, at most 5000 yuan
	FirstPrice *Fen   // of the first period; nil: the full price, 0: a free trial
	// Attach comes back in the pushes: 1 to 200 letters and digits of any script. WeChat takes no special characters and does
	// not say which those are; the marks of order numbers, _ - | * @, are taken too.
	Attach string
}

// AppleSign is the argument of wx.requestAppleSubscribeSign. Hand it to the phone as it is. That the call succeeded there
// proves nothing: believe the push, or QuerySubscribeContract.
type AppleSign struct {
	SignData  string `json:"signData"`
	PaySig    string `json:"paySig"`
	Signature string `json:"signature"`
}

// appleData has the fields in the order of vector C4.
type appleData struct {
	OfferID    string `json:"offerId"`
	ProductID  string `json:"productId"`
	Price      Fen    `json:"goodsPrice"`
	FirstPrice *Fen   `json:"activitySellingPrice,omitempty"`
	Attach     string `json:"attach"`
}

// SignAppleSubscribe checks a subscription against spec 2.4 and signs it for the user whose session key is given.
func (m Merchant) SignAppleSubscribe(a AppleSubscription, sessionKey string) (AppleSign, error) {
	if err := m.ready(); err != nil {
		return AppleSign{}, err
	}
	if err := a.validate(m.env, sessionKey); err != nil {
		return AppleSign{}, fmt.Errorf("sign apple subscription: %w", err)
	}
	body, err := marshal(appleData{m.offerID, a.ProductID, a.Price, a.FirstPrice, a.Attach})
	if err != nil {
		return AppleSign{}, fmt.Errorf("sign apple subscription: %w", err)
	}
	return AppleSign{SignData: string(body), PaySig: m.PaySig(appleURI, body), Signature: UserSignature(sessionKey, body)}, nil
}

func (a AppleSubscription) validate(env Env, sessionKey string) error {
	switch {
	case sessionKey == "":
		return errors.New("session key is empty: call wx.login and code2Session first")
	case env != Production:
		return errors.New("subscriptions have no sandbox: sign with the production merchant")
	case a.ProductID == "" || !utf8.ValidString(a.ProductID):
		return errors.New("productId is empty or not UTF-8: name a published subscription")
	case a.Price <= 0 || a.Price > deductMax:
		return fmt.Errorf("goodsPrice is %d fen: it must be above 0 and at most %d", a.Price, deductMax)
	case a.FirstPrice != nil && (*a.FirstPrice < 0 || *a.FirstPrice > a.Price):
		return fmt.Errorf("activitySellingPrice is %d fen: it must be 0 to %d", *a.FirstPrice, a.Price)
	case strings.ContainsFunc(a.Attach, special):
		return errors.New("attach has a special character: use letters, digits and " + outTradeMark)
	}
	return validAttach(a.Attach)
}

func special(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(outTradeMark, r)
}
