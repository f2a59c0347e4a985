package xpay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	clientURI      = "requestVirtualPayment" // the literal, no path: spec 3.1
	attachRunesMax = 200                     // not published for this call; the limit of its iOS sibling, spec 2.2
	wholeMax       = 1<<53 - 1               // the phone holds numbers as JavaScript does
)

// Goods is the purchase of one product (mode short_series_goods). All fields but ActivityPrice are required. CONFLICTS in spec
// 2.2: goodsPrice is signed as a number, though one type definition has text; attach is required, though one tutorial leaves it
// out; platform, which older editions had, is not signed.
type Goods struct {
	ProductID  string
	Quantity   int
	Price      Fen    // of one piece, equal to the price published at WeChat
	OutTradeNo string // see ValidOutTradeNo; good for one payment only
	Attach     string // comes back in pushes and queries; at most 200 characters
	// ActivityPrice is a discount price of one piece, which becomes the actual price; nil: none. One edition of the
	// documents wants at least 40 % of Price, another says nothing: WeChat decides.
	ActivityPrice *Fen
}

// Coins is a recharge of Quantity coins (mode short_series_coin). All fields are required.
type Coins struct {
	Quantity           int
	OutTradeNo, Attach string
}

// Payment is the argument of wx.requestVirtualPayment. Hand it to the phone as it is: re-encoding SignData breaks
// both signatures (spec 2.1).
type Payment struct {
	Mode      string `json:"mode"`
	SignData  string `json:"signData"`
	PaySig    string `json:"paySig"`
	Signature string `json:"signature"`
}

// signData has the fields in the order of WeChat's sample; vectors C2 and C3 pin the bytes.
type signData struct {
	OfferID      string `json:"offerId"`
	BuyQuantity  int    `json:"buyQuantity"`
	Env          Env    `json:"env"`
	CurrencyType string `json:"currencyType"`
	ProductID    string `json:"productId,omitempty"`
	GoodsPrice   Fen    `json:"goodsPrice,omitempty"`
	Activity     *Fen   `json:"activitySellingPrice,omitempty"`
	OutTradeNo   string `json:"outTradeNo"`
	Attach       string `json:"attach"`
}

// SignGoods checks g against spec 2.2 and signs it for the user whose session key is given. The error names the
// field at fault.
func (m Merchant) SignGoods(g Goods, sessionKey string) (Payment, error) {
	if err := g.validate(); err != nil {
		return Payment{}, fmt.Errorf("sign goods: %w", err)
	}
	return m.sign("short_series_goods", sessionKey, signData{
		ProductID: g.ProductID, GoodsPrice: g.Price, Activity: g.ActivityPrice,
		BuyQuantity: g.Quantity, OutTradeNo: g.OutTradeNo, Attach: g.Attach,
	})
}

// SignGoodsAgain is SignGoods for a phone that was told -15006. refused is the paySig that the cashier refused, or its
// beginning; "" when it is not known. When the key that signs now made it, the newest other one signs this payment and
// no further one: the cashier and the API need not change their AppKey at the same instant. A Merchant with one key has no other.
func (m Merchant) SignGoodsAgain(g Goods, sessionKey, refused string) (Payment, error) {
	p, err := m.SignGoods(g, sessionKey)
	if err != nil || refused == "" || !strings.HasPrefix(p.PaySig, refused) {
		return p, err
	}
	for _, key := range m.keys.all() {
		if other := PaySig(key, clientURI, []byte(p.SignData)); !strings.HasPrefix(other, refused) {
			p.PaySig = other
			break
		}
	}
	return p, nil
}

// SignCoins checks c against spec 2.2 and signs it like SignGoods.
func (m Merchant) SignCoins(c Coins, sessionKey string) (Payment, error) {
	if err := validPurchase(c.Quantity, c.OutTradeNo, c.Attach); err != nil {
		return Payment{}, fmt.Errorf("sign coins: %w", err)
	}
	return m.sign("short_series_coin", sessionKey, signData{
		BuyQuantity: c.Quantity, OutTradeNo: c.OutTradeNo, Attach: c.Attach,
	})
}

func (m Merchant) sign(mode, sessionKey string, d signData) (Payment, error) {
	if err := m.ready(); err != nil {
		return Payment{}, err
	}
	if sessionKey == "" {
		return Payment{}, errors.New("sign payment: session key is empty: call wx.login and code2Session first")
	}
	d.OfferID, d.Env, d.CurrencyType = m.offerID, m.env, "CNY"
	body, err := marshal(d)
	if err != nil {
		return Payment{}, fmt.Errorf("sign payment: %w", err)
	}
	return Payment{
		Mode: mode, SignData: string(body),
		PaySig: m.PaySig(clientURI, body), Signature: UserSignature(sessionKey, body),
	}, nil
}

func (g Goods) validate() error {
	if g.ProductID == "" {
		return errors.New("productId is empty: name a published product")
	}
	if !utf8.ValidString(g.ProductID) {
		return errors.New("productId is not UTF-8")
	}
	if g.Price <= 0 {
		return fmt.Errorf("goodsPrice is %d fen: it must be above 0", g.Price)
	}
	if p := g.ActivityPrice; p != nil && (*p <= 0 || *p > g.Price) {
		return fmt.Errorf("activitySellingPrice is %d fen: it must be above 0 and at most %d", *p, g.Price)
	}
	if err := validPurchase(g.Quantity, g.OutTradeNo, g.Attach); err != nil {
		return err
	}
	if int64(g.Price) > wholeMax/int64(g.Quantity) {
		return errors.New("goodsPrice times buyQuantity is too large: check the unit, it is fen")
	}
	return nil
}

func validPurchase(quantity int, outTradeNo, attach string) error {
	if quantity <= 0 || int64(quantity) > wholeMax {
		return fmt.Errorf("buyQuantity is %d: it must be above 0", quantity)
	}
	if err := ValidOutTradeNo(outTradeNo); err != nil {
		return err
	}
	return validAttach(attach)
}

func validAttach(attach string) error {
	if attach == "" {
		return errors.New("attach is empty: WeChat requires it, put a tag of yours there")
	}
	if !utf8.ValidString(attach) {
		return errors.New("attach is not UTF-8")
	}
	if n := utf8.RuneCountInString(attach); n > attachRunesMax {
		return fmt.Errorf("attach has %d characters: use at most %d", n, attachRunesMax)
	}
	return nil
}

// marshal writes JSON once, for signing and sending alike: no HTML escapes (D2), no newline at the end (V1-e).
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
