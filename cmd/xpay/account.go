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
	Config        string     `placeholder:"FILE" help:"Ids and secrets as JSON, as .xpay/config.json, which is read if it is there."`
	WechatURL     string     `name:"wechat-url" placeholder:"URL" help:"Another WeChat than https://api.weixin.qq.com, as the simulated one on http://127.0.0.1:8090."`
	AppID         string     `name:"app-id" env:"XPAY_APP_ID" placeholder:"A" help:"AppID."`
	AppSecret     secretText `name:"app-secret" env:"XPAY_APP_SECRET" placeholder:"S" help:"AppSecret; @FILE reads a file."`
	OfferID       string     `name:"offer-id" env:"XPAY_OFFER_ID" placeholder:"O" help:"OfferID."`
	Env           string     `enum:",0,1,production,sandbox" default:"" env:"XPAY_ENV" placeholder:"E" help:"0 or production (现网), 1 or sandbox (沙箱)."`
	AppKey        secretText `name:"app-key" env:"XPAY_APP_KEY" placeholder:"KEY" help:"AppKey of production (现网); @FILE reads a file."`
	SandboxAppKey secretText `name:"sandbox-app-key" env:"XPAY_SANDBOX_APP_KEY" placeholder:"KEY" help:"AppKey of the sandbox (沙箱)."`
}

// load reads the file and lets the flags stand before it. It does not ask for completeness.
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
		return cfg, usageError{fmt.Errorf("the configuration %s cannot be read: give another with --config", path)}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return cfg, fmt.Errorf("%s holds secrets and can be read by others: chmod 600 %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return cfg, fmt.Errorf("the configuration %s cannot be read", path)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields() // a misspelt name would be a missing key
	if err := dec.Decode(&cfg); err != nil {
		return cfg, fmt.Errorf("%s is not the expected JSON: %s", path, jsonReason(err))
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
		return nil, cfg, usageError{fmt.Errorf("the account is not complete (%s): give a --config file, or flags", strings.ReplaceAll(err.Error(), "\n", "; "))}
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

// advise explains a refusal of WeChat in both languages, and an outcome that is not known.
func advise(o output, err error) error {
	var no *xpay.Error
	if errors.As(err, &no) {
		fmt.Fprintf(o.err, "xpay: %s\n", no.AdviceZH())
	}
	if errors.As(err, &no) || errors.Is(err, xpay.ErrNoAnswer) {
		if xpay.OutcomeUnknown(err) {
			fmt.Fprintln(o.err, "xpay: whether WeChat acted is not known: query, or repeat the identical call with the same number.",
				"不确定微信是否已执行：先查询，或用相同单号原样重试。")
		}
	}
	return err
}
