package awsenv

import (
	"fmt"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Setting is one environment variable that a function reads. docs/reference/config.md is printed from this table.
type Setting struct {
	Name     string
	Config   string // its name in the configuration, where it is a part of it
	Meaning  string
	Required bool
	ReadBy   func(Function) bool // nil: by every function
}

// SetByLambda reports whether Lambda sets the variable itself, so that nobody else may.
func (s Setting) SetByLambda() bool {
	return !strings.HasPrefix(s.Name, "XPAY_") && !strings.HasPrefix(s.Name, setEndpoint)
}

// Names of the variables.
const (
	setAppID      = "XPAY_APP_ID"
	setOfferID    = "XPAY_OFFER_ID"
	setEnv        = "XPAY_ENV"
	setOrders     = "XPAY_ORDERS_TABLE"
	setExpiring   = "XPAY_EXPIRING_TABLE"
	setQueue      = "XPAY_QUEUE_URL"
	setPush       = "XPAY_PUSH_SECRET"
	setMerchant   = "XPAY_MERCHANT_SECRET"
	setSeal       = "XPAY_SEAL_SECRET"
	setWeChatURL  = "XPAY_WECHAT_URL"
	setForward    = "XPAY_FORWARD_URL"
	setTarget     = "XPAY_TARGET"
	setWebhookURL = "XPAY_WEBHOOK_URL"
	setWebhook    = "XPAY_WEBHOOK_SECRET"
	setEventBus   = "XPAY_EVENT_BUS"
	setStack      = "XPAY_STACK"
	setStage      = "XPAY_STAGE"

	setRegion      = "AWS_REGION"
	setKeyID       = "AWS_ACCESS_KEY_ID"
	setKey         = "AWS_SECRET_ACCESS_KEY"
	setToken       = "AWS_SESSION_TOKEN"
	setEndpoint    = "AWS_ENDPOINT_URL"
	setEventBridge = "AWS_ENDPOINT_URL_EVENTBRIDGE"
	setTaskRoot    = "LAMBDA_TASK_ROOT"
	setLogLevel    = "AWS_LAMBDA_LOG_LEVEL"
)

// Settings is every environment variable that the functions read.
func Settings() []Setting {
	group := func(g backend.Groups) func(Function) bool {
		return func(f Function) bool { return f.Groups&g != 0 }
	}
	return []Setting{
		{setAppID, "appId", "the mini-program's AppID (小程序后台 → 开发管理 → 开发设置)", true, Function.serves},
		{setOfferID, "offerId", "the OfferID of virtual payment (虚拟支付 → 基本配置)", true, Function.serves},
		{setEnv, "env", "which of WeChat's environments this deployment serves: `0` production (现网), `1` sandbox (沙箱)", true, Function.serves},
		{setOrders, "", "the table of orders", true, nil},
		{setExpiring, "", "the table of what expires or must not be restored: tokens, sessions, evidence", true, nil},
		{setQueue, "", "the URL of the queue whose messages reconcile receives", true, func(f Function) bool { return f.Sends }},
		{setPush, "push", "ARN or name of the secret `{\"tokens\":[…],\"aesKeys\":[…]}`: Token and EncodingAESKey of 消息推送, newest first", true, group(backend.GroupPush)},
		{setMerchant, "merchant", "ARN or name of the secret `{\"appSecret\":…,\"appKeys\":{\"production\":…,\"sandbox\":…}}`", true, group(backend.GroupMerchant)},
		{setSeal, "seal", "ARN or name of the secret `{\"key\":…}`: 32 bytes in base64 (43 or 44 characters), which seal session keys; the stack makes it", true, group(backend.GroupSeal)},
		{setWeChatURL, "weChatUrl", "another WeChat than `https://api.weixin.qq.com`, for tests", false, group(backend.GroupMerchant)},
		{setForward, "forwardUrl", "gets the pushes that are not ours, as they came; without it they are acknowledged", false, group(backend.GroupPush)},
		{setTarget, "delivery.target", "who must accept a paid order before WeChat is told: `webhook`, `eventbus`; without it the order itself", false, func(f Function) bool { return f.serves() && f.Orders }},
		{setWebhookURL, "delivery.url", "where the webhook is sent; needed with `XPAY_TARGET` `webhook` only", true, group(backend.GroupDelivery)},
		{setWebhook, "delivery", "ARN or name of the secret `{\"keys\":[\"whsec_…\"]}` that signs the webhook, newest first; needed with `XPAY_TARGET` `webhook` only", true, group(backend.GroupDelivery)},
		{setEventBus, "", "name or ARN of the event bus; needed with `XPAY_TARGET` `eventbus` only", false, func(f Function) bool { return f.Delivers }},
		{setStack, "", "the name of the stack: dimension `service` of the metrics; without it none are written", false, nil},
		{setStage, "", "the stage, such as `prod` (the default) or `dev`: dimension `stage` of the metrics", false, nil},
		{setRegion, "", "the region; Lambda sets it", true, nil},
		{setKeyID, "", "the role's credentials; Lambda sets them", true, nil},
		{setKey, "", "the same", true, nil},
		{setToken, "", "the same", false, nil},
		{setEndpoint, "", "another server than AWS's, for tests; `AWS_ENDPOINT_URL_DYNAMODB`, `_SQS`, `_SECRETS_MANAGER` and `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` as in the SDKs", false, nil},
		{setEventBridge, "", "the URL of EventBridge; needed with `XPAY_TARGET` `eventbus` only", false, func(f Function) bool { return f.Delivers }},
		{setTaskRoot, "", "the folder with `goods.yaml`; Lambda sets it", false, func(f Function) bool { return f.Sells || f.Adopts }},
		{setLogLevel, "", "`DEBUG`, `INFO`, `WARN` or `ERROR`; Lambda sets it (LoggingConfig)", false, nil},
	}
}

// environment reads variables and collects what is wrong with them.
type environment struct {
	get      func(string) string
	problems []error
}

func (e *environment) problem(format string, args ...any) { e.add(fmt.Errorf(format, args...)) }

func (e *environment) add(problems ...error) {
	for _, p := range problems {
		if p != nil {
			e.problems = append(e.problems, p)
		}
	}
}

// readAll checks that every variable which a function needs is set.
func (e *environment) readAll(f Function) {
	for _, s := range Settings() {
		if s.Required && (s.ReadBy == nil || s.ReadBy(f)) && e.get(s.Name) == "" {
			e.problem("%s is not set: %s", s.Name, strings.ReplaceAll(s.Meaning, "`", ""))
		}
	}
	if orders := e.get(setOrders); orders != "" && orders == e.get(setExpiring) {
		e.problem("%s and %s name the same table: orders would be without recovery, or tokens with it", setOrders, setExpiring)
	}
}

// config is the part of the configuration that is not secret.
func (e *environment) config(f Function) backend.Config {
	cfg := backend.Config{
		AppID: e.get(setAppID), OfferID: e.get(setOfferID), Groups: f.Groups,
		WeChatURL: e.get(setWeChatURL), ForwardURL: e.get(setForward),
	}
	if f.serves() && f.Orders {
		cfg.Delivery.Target = e.get(setTarget)
	}
	if f.Groups&backend.GroupDelivery != 0 {
		cfg.Delivery.URL = e.get(setWebhookURL)
	}
	switch e.get(setEnv) {
	case "", "0": // that it is not set has been said
	case "1":
		cfg.Env = xpay.Sandbox
	default:
		e.problem("%s must be 0 (production) or 1 (sandbox)", setEnv)
	}
	return cfg
}

// check adds what the configuration itself finds wrong, under the names of the variables. What is not set, and what is wrong
// with a secret, has been said.
func (e *environment) check(cfg backend.Config) {
	variables, said := map[string]string{}, map[string]bool{}
	for _, s := range Settings() {
		variables[s.Config] = s.Name
	}
	for _, p := range e.problems {
		name, _, _ := strings.Cut(p.Error(), " ")
		said[strings.TrimSuffix(name, ":")] = true
	}
	for _, problem := range joined(cfg.Check()) {
		name, rest, _ := strings.Cut(problem.Error(), " ")
		if variable := variables[name]; variable != "" && !said[variable] {
			e.problem("%s %s", variable, rest)
		}
	}
}

// joined takes the result of errors.Join apart.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok { // not errors.As: a cause may be joined, too
		return many.Unwrap()
	}
	return []error{err}
}
