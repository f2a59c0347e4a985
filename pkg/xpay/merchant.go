package xpay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Fen is money in 1/100 yuan.
type Fen int64

// Env is the environment as requests write it: 0 production, 1 sandbox.
type Env int

const (
	Production Env = 0
	Sandbox    Env = 1
)

// Type is the same environment as answers number it in env_type: 1 production, 2 sandbox; 0 if e is neither
// (spec 4.6, trap 26).
func (e Env) Type() int {
	switch e {
	case Production:
		return 1
	case Sandbox:
		return 2
	}
	return 0
}

func (e Env) String() string {
	switch e {
	case Production:
		return "production"
	case Sandbox:
		return "sandbox"
	}
	return fmt.Sprintf("env(%d)", int(e))
}

// PaySig is the merchant's signature: lower-case hex of HMAC-SHA256(appKey, uri + "&" + body). uri is
// requestVirtualPayment on the phone, and the path with its leading slash and without a query on the server.
// body must be the very bytes that are sent. An empty key or uri gives "", which nobody accepts. CONFLICT in spec 3.1: one SDK
// signs the path without its slash; the official vector has it. Spec 3.1, V1.
func PaySig(appKey, uri string, body []byte) string {
	if appKey == "" || uri == "" {
		return ""
	}
	return hexHMAC(appKey, uri, "&", body)
}

// UserSignature is the user's signature: lower-case hex of HMAC-SHA256(sessionKey, body). The session key is used
// as the text code2Session returned, never base64-decoded. An empty key gives "". Spec 3.2, V1, V1-d.
func UserSignature(sessionKey string, body []byte) string {
	if sessionKey == "" {
		return ""
	}
	return hexHMAC(sessionKey, "", "", body)
}

// hexHMAC signs uri, and and body as one message, in one buffer.
func hexHMAC(key, uri, and string, body []byte) string {
	buf := make([]byte, 0, len(key)+len(uri)+len(and)+len(body)+sha256.Size)
	buf = append(append(append(append(buf, key...), uri...), and...), body...)
	mac := hmac.New(sha256.New, buf[:len(key)])
	mac.Write(buf[len(key):])
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], mac.Sum(buf[:0]))
	return string(text[:])
}

// Merchant is an OfferID, an environment and the AppKey of that environment as one value, so that a key can not
// meet the other environment. It prints without its key. The zero Merchant signs nothing.
type Merchant struct {
	offerID string
	env     Env
	keys    *AppKeys // a pointer, so that no verb of fmt reaches the text through a struct that holds a Merchant
}

// NewMerchant refuses an empty OfferID, an empty AppKey and an env that is neither Production nor Sandbox. Both
// values are shown in MP 后台 → 虚拟支付 → 基本配置 (spec 1.1).
func NewMerchant(offerID string, env Env, key string) (Merchant, error) {
	if offerID == "" {
		return Merchant{}, errors.New("xpay: OfferID is empty: copy it from 虚拟支付 → 基本配置")
	}
	if env.Type() == 0 {
		return Merchant{}, fmt.Errorf("xpay: env is %d: use 0 for production or 1 for sandbox", int(env))
	}
	if key == "" {
		return Merchant{}, fmt.Errorf("xpay: AppKey for %s is empty: copy it from 虚拟支付 → 基本配置", env)
	}
	keys := &AppKeys{}
	keys.Set(key)
	return Merchant{offerID: offerID, env: env, keys: keys}, nil
}

func (m Merchant) OfferID() string { return m.offerID }
func (m Merchant) Env() Env        { return m.env }

// PaySig signs with the key of this merchant's environment; "" for the zero Merchant.
func (m Merchant) PaySig(uri string, body []byte) string {
	return PaySig(m.keys.signing(), uri, body)
}

func (m Merchant) ready() error {
	if m.keys.signing() == "" {
		return errors.New("xpay: merchant has no AppKey: make it with NewMerchant")
	}
	return nil
}

func (m Merchant) String() string {
	return fmt.Sprintf("merchant %s %s appKey [redacted]", m.offerID, m.env)
}

func (m Merchant) GoString() string { return m.String() }

// Format makes every verb print String.
func (m Merchant) Format(f fmt.State, _ rune) { io.WriteString(f, m.String()) }

func (m Merchant) LogValue() slog.Value { return slog.StringValue(m.String()) }

func (m Merchant) MarshalJSON() ([]byte, error) { return json.Marshal(m.String()) }
