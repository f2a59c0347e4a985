package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Codes that the token call answers. Spec 6.3, 8.4.
const (
	badAppID      = 40013
	notAllowed    = 40164
	frozenSecret  = 40243
	systemError   = -1
	wrongOpenID   = 268490001
	notAuthorized = 48001
)

const (
	nameToken = "appid-secret"
	nameIP    = "ip-allow-list"
)

// token asks for the stable token, which replaces nobody's: it is never forced.
func (e *examination) token(ctx context.Context) {
	if e.Config.AppID == "" || e.Config.Merchant.AppSecret == "" {
		e.notTested(nameToken, "nothing can be asked without AppID and AppSecret", "缺少 AppID 或 AppSecret，无法测试")
		e.notTested(nameIP, "nothing can be asked without AppID and AppSecret", "缺少 AppID 或 AppSecret，无法测试")
		return
	}
	_, err := e.app.StableToken(ctx, false)
	var no *miniprogram.Error
	switch {
	case err == nil:
		e.tokenOK = true
		e.ok(nameToken, "WeChat gives an access token for this AppID and AppSecret", "AppID 与 AppSecret 可以换取 access_token")
		e.ok(nameIP, "WeChat accepts the address that this machine calls from", "微信接受本机的出口 IP")
		return
	case errors.As(err, &no) && no.Code == notAllowed:
		e.unknown(nameToken, "not known before the address is allowed", "IP 未放行前无法判断")
		e.fix(nameIP, fmt.Sprintf("WeChat refuses the address of this machine: %s", no.Message), "微信拒绝本机的出口 IP："+no.Message,
			"add this address in 小程序后台 → 开发管理 → 开发设置 → IP 白名单; for the deployed functions add theirs (a NAT gateway's)",
			"在 小程序后台 → 开发管理 → 开发设置 → IP 白名单 中加入该地址；线上函数请加入其出口地址（NAT 网关）")
		return
	case errors.As(err, &no):
		e.tokenRefused(no)
	default:
		e.fix(nameToken, "WeChat does not answer: "+err.Error(), "微信没有响应", "check the network, a proxy, and --wechat-url", "检查网络、代理和 --wechat-url")
	}
	e.unknown(nameIP, "not known before WeChat gives a token", "拿到 access_token 之前无法判断")
}

func (e *examination) tokenRefused(no *miniprogram.Error) {
	what := fmt.Sprintf("WeChat answers %d %s", no.Code, no.Message)
	switch {
	case no.Code == badAppID:
		e.fix(nameToken, what, fmt.Sprintf("微信返回 %d：AppID 无效", no.Code), "copy the AppID again from 小程序后台 → 开发管理", "从 小程序后台 → 开发管理 重新复制 AppID")
	case no.Code == frozenSecret:
		e.fix(nameToken, what, fmt.Sprintf("微信返回 %d：AppSecret 已冻结", no.Code), "unfreeze the AppSecret in 小程序后台 → 开发管理", "在 小程序后台 → 开发管理 解冻 AppSecret")
	case errors.Is(no, miniprogram.ErrConfig):
		e.fix(nameToken, what, fmt.Sprintf("微信返回 %d：AppSecret 不正确", no.Code), "copy the AppSecret again, or reset it, in 小程序后台 → 开发管理", "在 小程序后台 → 开发管理 重新复制或重置 AppSecret")
	default:
		e.fix(nameToken, what, fmt.Sprintf("微信返回 %d", no.Code), no.Advice(), "稍后重试，并查看错误码说明")
	}
}

// keys asks, for each env with an AppKey, for an order that nobody has: WeChat answers "unknown order" to a signature
// that fits and 268490003 to one that does not. The same question with a wrong key tells whether it looks at all.
func (e *examination) keys(ctx context.Context) {
	for _, k := range []struct {
		env       xpay.Env
		name, key string
		console   string
	}{
		{xpay.Production, "app-key-production", e.Config.Merchant.AppKeys.Production, "现网 AppKey"},
		{xpay.Sandbox, "app-key-sandbox", e.Config.Merchant.AppKeys.Sandbox, "沙箱 AppKey"},
	} {
		switch {
		case k.key == "" && k.env == e.Config.Env:
			e.fix(k.name, "the AppKey of the env that is served is missing", "缺少当前环境的 AppKey", "copy the "+k.console+" from 虚拟支付 → 基本配置", "从 虚拟支付 → 基本配置 复制"+k.console)
		case k.key == "":
			e.notTested(k.name, "not configured, and not needed for the env that is served", "未配置，当前环境不需要")
		case !e.tokenOK:
			e.notTested(k.name, "nothing can be asked before WeChat gives a token", "拿到 access_token 之前无法测试")
		default:
			e.key(ctx, k.env, k.name, k.key, k.console)
		}
	}
}

func (e *examination) key(ctx context.Context, env xpay.Env, name, key, console string) {
	err := e.query(ctx, env, key)
	var no *xpay.Error
	refused := errors.As(err, &no)
	switch {
	case refused && no.Code == xpay.CodeWrongSignature:
		e.fix(name, "WeChat says that the signature does not fit (268490003)", "微信返回签名错误（268490003）",
			"copy the "+console+" again from 虚拟支付 → 基本配置; production and sandbox keys differ", "从 虚拟支付 → 基本配置 重新复制"+console+"，注意现网与沙箱不同")
	case refused && no.Code == systemError:
		e.fix(name, "WeChat answers -1 to a signed query", "微信对签名查询返回 -1",
			"try again; if it stays, finish onboarding in 虚拟支付, and publish a product or the coin", "请重试；若持续出现，请完成虚拟支付进件，并发布道具或代币")
	case refused && no.Code == notAuthorized:
		e.fix(name, "this mini-program may not call virtual payment (48001)", "小程序没有虚拟支付接口权限（48001）", "open 虚拟支付 in 小程序后台", "在 小程序后台 开通虚拟支付")
	case refused && !errors.Is(no, xpay.ErrNoOrder) && no.Code != wrongOpenID:
		e.fix(name, fmt.Sprintf("WeChat answers %d to a signed query", no.Code), fmt.Sprintf("微信对签名查询返回 %d", no.Code), no.Advice(), no.AdviceZH())
	case !refused && err != nil && !errors.Is(err, xpay.ErrNoOrder):
		e.fix(name, "the signed query got no usable answer: "+err.Error(), "签名查询没有得到可用的响应", "check the network and --wechat-url, then try again", "检查网络和 --wechat-url 后重试")
	default:
		e.compared(ctx, env, name)
	}
}

// compared asks the same with a wrong key: only if WeChat refuses that, its yes to the right one means something.
func (e *examination) compared(ctx context.Context, env xpay.Env, name string) {
	err := e.query(ctx, env, "doctor-"+unguessable())
	var no *xpay.Error
	switch answered := errors.As(err, &no) || err == nil; {
	case answered && no != nil && no.Code == xpay.CodeWrongSignature:
		e.ok(name, "WeChat accepts a signed query: the signature fits", "签名查询通过，密钥正确")
	case answered:
		e.unknown(name, "WeChat accepts the query, but it accepts a wrong signature too: it did not look at it", "微信接受了查询，但也接受错误的签名：无法判断")
	default:
		e.unknown(name, "WeChat accepts the query, but did not answer the same one with a wrong signature: try again", "微信接受了查询，但对错误签名的对照查询没有响应：请重试")
	}
}

func (e *examination) query(ctx context.Context, env xpay.Env, key string) error {
	merchant, err := xpay.NewMerchant(orText(e.Config.OfferID, "unknown"), env, key)
	if err != nil {
		return err
	}
	client := xpay.Client{Merchant: merchant, Tokens: miniprogram.NewTokens(e.app, nil, e.Now), HTTP: e.HTTP, BaseURL: e.Config.WeChatURL}
	body, err := json.Marshal(struct {
		OpenID  string `json:"openid"`
		Env     int    `json:"env"`
		OrderID string `json:"order_id"`
	}{orText(e.OpenID, "o-doctor-nobody"), int(env), "doctor-" + unguessable()})
	if err != nil {
		return err
	}
	_, err = client.Call(ctx, "query_order", body, "")
	return err
}

// offer: no harmless API carries the OfferID.
func (e *examination) offer(context.Context) {
	id := e.Config.OfferID
	if id != "" && strings.Trim(id, "0123456789") != "" {
		e.fix("offer-id", "the OfferID has other characters than digits", "OfferID 含有非数字字符", "copy it from 虚拟支付 → 基本配置; it is no AppID", "从 虚拟支付 → 基本配置 复制，不要填成 AppID")
		return
	}
	e.notTested("offer-id", "no harmless API carries the OfferID; a wrong one shows as -15001 on the phone: compare it with 虚拟支付 → 基本配置",
		"没有无副作用的接口可以验证 OfferID；填错时手机端报 -15001：请与 虚拟支付 → 基本配置 核对")
}

// address says what the check of the IP allow list is worth.
func (e *examination) address(context.Context) {
	switch {
	case !e.tokenOK:
		e.notTested("address", "WeChat accepted no call, so that no address was tested", "微信没有接受任何调用，未能测试出口 IP")
	case e.Deployed:
		e.ok("address", "the address that WeChat accepted is that of this machine, on which the backend runs", "微信接受的是本机的出口 IP，后端也运行在本机")
	default:
		e.notTested("address", "the address of deployed functions: WeChat saw that from which this machine reaches "+e.weChatHost()+": run the doctor there too (--deployed), or add their NAT address",
			"未测试线上函数的出口 IP：微信看到的是本机访问 "+e.weChatHost()+" 的出口 IP；请在线上也运行一次（--deployed），或加入其 NAT 地址")
	}
}

func (e *examination) weChatHost() string {
	if u, err := url.Parse(e.Config.WeChatURL); err == nil && u.Host != "" {
		return u.Host
	}
	return "api.weixin.qq.com"
}

func orText(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
