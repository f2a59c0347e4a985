package backend

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Config is everything a deployment must be told. The groups of secrets are apart because not everybody needs
// all of them. It prints as [redacted].
type Config struct {
	AppID   string   `json:"appId"`
	OfferID string   `json:"offerId"`
	Env     xpay.Env `json:"env"` // 0 production, 1 sandbox

	Push     PushSecrets     `json:"push"`
	Merchant MerchantSecrets `json:"merchant"`
	Seal     SealSecrets     `json:"seal"`
	Delivery Delivery        `json:"delivery,omitzero"`

	Groups Groups `json:"-"` // which groups this process was given; 0: all of them

	WeChatURL  string `json:"weChatUrl,omitempty"`  // "": https://api.weixin.qq.com
	ForwardURL string `json:"forwardUrl,omitempty"` // gets the pushes that are not ours; "": they are acknowledged
}

// Groups is a set of the groups of secrets.
type Groups uint8

const (
	GroupPush Groups = 1 << iota
	GroupMerchant
	GroupSeal
	GroupDelivery // signs what the delivery target is sent
	AllGroups     = GroupPush | GroupMerchant | GroupSeal | GroupDelivery
)

// has reports whether the process was given a group.
func (c Config) has(g Groups) bool { return c.Groups == 0 || c.Groups&g != 0 }

// PushSecrets verify what WeChat posts. Newest first: any of them verifies, so that rotation loses nothing.
type PushSecrets struct {
	Tokens  []string `json:"tokens"`
	AESKeys []string `json:"aesKeys"` // EncodingAESKey, 43 characters
}

// MerchantSecrets sign what we send.
type MerchantSecrets struct {
	AppSecret string `json:"appSecret"`
	AppKeys   struct {
		Production string `json:"production"` // 现网 AppKey
		Sandbox    string `json:"sandbox"`    // 沙箱 AppKey
	} `json:"appKeys"`

	Before *MerchantSecrets `json:"-"` // those before the last rotation, which WeChat may still know; nil: not known
}

// SealSecrets seal session keys and the access token in the store. Newest first.
type SealSecrets struct {
	Keys [][]byte `json:"keys"` // 32 bytes each, base64 in JSON
}

const redacted = "[redacted]"

func (c Config) String() string             { return "config of " + c.AppID + ", secrets " + redacted }
func (c Config) GoString() string           { return c.String() }
func (c Config) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }
func (c Config) LogValue() slog.Value       { return slog.StringValue(c.String()) }

// appKey is the key of the env that this deployment serves.
func (c Config) appKey() string { return c.Merchant.appKey(c.Env) }

func (m MerchantSecrets) appKey(env xpay.Env) string {
	if env == xpay.Sandbox {
		return m.AppKeys.Sandbox
	}
	return m.AppKeys.Production
}

// before are the merchant's secrets before the last rotation; empty ones when they are not known.
func (m MerchantSecrets) before() MerchantSecrets {
	if m.Before == nil {
		return MerchantSecrets{}
	}
	return *m.Before
}

// Check names everything that is missing or malformed at once, by its name in the configuration.
func (c Config) Check() error {
	var problems []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	need(c.AppID != "", "appId is missing: it stands in 开发管理")
	need(c.OfferID != "", "offerId is missing: it stands in 虚拟支付 → 基本配置")
	need(c.Env.Type() != 0, "env is %d, it must be 0 (production) or 1 (sandbox)", int(c.Env))
	if c.has(GroupMerchant) {
		c.checkMerchant(need)
	}
	if c.has(GroupPush) {
		c.Push.check(need)
	}
	if c.has(GroupSeal) {
		c.Seal.check(need)
	}
	c.Delivery.checkTarget(need)
	if c.has(GroupDelivery) && c.Delivery.Target == TargetWebhook {
		c.Delivery.checkWebhook(need)
	}
	need(isURL(c.WeChatURL), "weChatUrl is not an http or https URL")
	need(isURL(c.ForwardURL), "forwardUrl is not an http or https URL")
	return errors.Join(problems...)
}

// needs collects a problem unless ok.
type needs func(ok bool, format string, args ...any)

func (c Config) checkMerchant(need needs) {
	need(c.Merchant.AppSecret != "", "merchant.appSecret is missing")
	need(c.Env != xpay.Production || c.appKey() != "", "merchant.appKeys.production is missing: 现网 AppKey in 虚拟支付 → 基本配置")
	need(c.Env != xpay.Sandbox || c.appKey() != "", "merchant.appKeys.sandbox is missing: 沙箱 AppKey in 虚拟支付 → 基本配置")
}

func (s PushSecrets) check(need needs) {
	need(len(s.Tokens) > 0, "push.tokens is missing: the Token of 消息推送")
	for i, t := range s.Tokens {
		need(t != "", "push.tokens[%d] is empty", i)
	}
	for i, k := range s.AESKeys {
		_, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: "any", Tokens: []string{"any"}, AESKeys: []string{k}})
		need(err == nil, "push.aesKeys[%d] must be the EncodingAESKey of 43 letters and digits, as WeChat's console has it", i)
	}
}

func (s SealSecrets) check(need needs) {
	need(len(s.Keys) > 0, "seal.keys is missing")
	for i, k := range s.Keys {
		need(len(k) == session.SealKeyBytes, "seal.keys[%d] must have %d bytes, base64", i, session.SealKeyBytes)
	}
}

func isURL(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
