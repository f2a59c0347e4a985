package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	defaultConfig   = ".xpay/config.json"
	defaultReceipts = ".xpay/goods-receipts.json"
)

// account says which mini-program a command works for: a file as xpay dev makes it, and flags that stand before it.
type account struct {
	Config        string     `placeholder:"FILE" help:"Ids and secrets as JSON; .xpay/config.json is read if it is there. 账号与密钥（JSON），默认读取 .xpay/config.json。"`
	WechatURL     string     `name:"wechat-url" placeholder:"URL" help:"Another WeChat than https://api.weixin.qq.com, as the simulated one on http://127.0.0.1:8090. 微信接口地址，可换成模拟微信。"`
	AppID         string     `name:"app-id" env:"XPAY_APP_ID" placeholder:"A" help:"AppID of the mini-program. 小程序 AppID。"`
	AppSecret     secretText `name:"app-secret" env:"XPAY_APP_SECRET" placeholder:"S" help:"AppSecret; @FILE reads a file. 小程序密钥，@文件 从文件读取。"`
	OfferID       string     `name:"offer-id" env:"XPAY_OFFER_ID" placeholder:"O" help:"OfferID of 虚拟支付 → 基本配置. 支付应用 ID。"`
	Env           string     `enum:",0,1,production,sandbox" default:"" env:"XPAY_ENV" placeholder:"E" help:"0 or production, 1 or sandbox. 0 现网，1 沙箱。"`
	AppKey        secretText `name:"app-key" env:"XPAY_APP_KEY" placeholder:"KEY" help:"AppKey of production; @FILE reads a file. 现网 AppKey。"`
	SandboxAppKey secretText `name:"sandbox-app-key" env:"XPAY_SANDBOX_APP_KEY" placeholder:"KEY" help:"AppKey of the sandbox; @FILE reads a file. 沙箱 AppKey。"`
}

// load reads the file and lets the flags stand before it. It does not ask for completeness. Whatever is wrong with the
// file is a usageError.
func (a account) load() (backend.Config, error) {
	cfg, err := a.file()
	if err != nil {
		return cfg, err
	}
	for _, f := range []struct {
		flag string
		into *string
	}{
		{a.AppID, &cfg.AppID}, {a.OfferID, &cfg.OfferID}, {a.WechatURL, &cfg.WeChatURL}, {string(a.AppSecret), &cfg.Merchant.AppSecret},
		{string(a.AppKey), &cfg.Merchant.AppKeys.Production}, {string(a.SandboxAppKey), &cfg.Merchant.AppKeys.Sandbox},
	} {
		if f.flag != "" {
			*f.into = f.flag
		}
	}
	switch a.Env {
	case "0", "production":
		cfg.Env = xpay.Production
	case "1", "sandbox":
		cfg.Env = xpay.Sandbox
	}
	return cfg, nil
}

func (a account) file() (cfg backend.Config, err error) {
	path := a.Config
	if path == "" {
		path = defaultConfig
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && a.Config == "" {
		return cfg, nil
	}
	if err != nil {
		return cfg, usageError{fmt.Errorf("the configuration %s cannot be read: give another with --config. 配置文件无法读取，请用 --config 指定", path)}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return cfg, usageError{fmt.Errorf("%s holds secrets and can be read by others: chmod 600 %[1]s. 配置文件含密钥却可被他人读取，请执行 chmod 600", path)}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return cfg, usageError{fmt.Errorf("the configuration %s cannot be read: give another with --config. 配置文件无法读取，请用 --config 指定", path)}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields() // a misspelt name would be a missing key
	if err := dec.Decode(&cfg); err != nil {
		return cfg, usageError{fmt.Errorf("%s is not the expected JSON: %s: correct it. 配置文件的 JSON 有误，请更正", path, jsonReason(err))}
	}
	return cfg, nil
}

// jsonReason quotes no value: the file holds secrets.
func jsonReason(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "unknown field " + name
	}
	return "malformed"
}

// client calls WeChat for the account in one env, or says everything that is missing.
func (a account) client(env *xpay.Env) (*xpay.Client, backend.Config, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, cfg, err
	}
	if env != nil {
		cfg.Env = *env
	}
	check := cfg
	check.Groups = backend.GroupMerchant
	if err := check.Check(); err != nil {
		return nil, cfg, usageError{fmt.Errorf("the account is not complete (%s): give a --config file, or flags. 账号信息不完整，请用 --config 或参数给出", strings.ReplaceAll(err.Error(), "\n", "; "))}
	}
	key := cfg.Merchant.AppKeys.Production
	if cfg.Env == xpay.Sandbox {
		key = cfg.Merchant.AppKeys.Sandbox
	}
	merchant, err := xpay.NewMerchant(cfg.OfferID, cfg.Env, key)
	if err != nil {
		return nil, cfg, usageError{err}
	}
	app := &miniprogram.App{ID: cfg.AppID, Secret: miniprogram.Secret(cfg.Merchant.AppSecret), HTTP: &http.Client{Timeout: callTimeout}, BaseURL: cfg.WeChatURL}
	return &xpay.Client{Merchant: merchant, Tokens: miniprogram.NewTokens(app, nil, nil), BaseURL: cfg.WeChatURL}, cfg, nil
}

const callTimeout = 10 * time.Second

// advise adds to what WeChat answered, or did not, what it means in Chinese, and of a call that changes something, that its
// outcome is not known.
func advise(err error, changes bool) error {
	zh := adviceZH(err)
	if zh == "" {
		return err
	}
	var no *xpay.Error
	if changes && xpay.OutcomeUnknown(err) && (errors.As(err, &no) || errors.Is(err, xpay.ErrNoAnswer)) {
		return fmt.Errorf("%w: whether WeChat acted is not known: query, or repeat the identical call with the same number. %s；%s", err, zh,
			"不确定微信是否已执行：先查询，或用相同单号原样重试")
	}
	return fmt.Errorf("%w. %s", err, zh)
}

// adviceZH says in Chinese what to do; "" if nobody at WeChat was asked.
func adviceZH(err error) string {
	var no *xpay.Error
	switch {
	case errors.As(err, &no):
		return no.AdviceZH()
	case errors.Is(err, miniprogram.ErrConfig):
		return "拿不到 access_token：请核对 AppID、AppSecret 和 IP 白名单"
	case errors.Is(err, miniprogram.ErrBusy):
		return "微信繁忙或限流：请稍后重试"
	case errors.Is(err, miniprogram.ErrNoAnswer), errors.Is(err, xpay.ErrNoAnswer):
		return "微信没有可用的应答：请检查网络和 --wechat-url"
	}
	return ""
}
