package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/doctor"
	"github.com/xpay-serverless/xpay-serverless/internal/goodsplan"
)

// doctorCmd examines a configuration.
type doctorCmd struct {
	account
	PushURL    string     `name:"push-url" placeholder:"URL" help:"URL (服务器地址) of 消息推送, as https://host/wechat/push."`
	PushToken  secretText `env:"XPAY_PUSH_TOKEN" placeholder:"T" help:"Token of 消息推送."`
	PushAESKey secretText `name:"push-aes-key" env:"XPAY_PUSH_AES_KEY" placeholder:"K" help:"EncodingAESKey of 消息推送."`
	PushFormat string     `enum:"json,xml" default:"json" help:"${enum}: 数据格式 as the console has it."`
	PushMode   string     `enum:"aes,plain" default:"aes" help:"${enum}: 消息加密方式 as the console has it."`
	OpenID     string     `name:"openid" placeholder:"O" help:"Openid of a user, for the signed query; one is invented otherwise."`
	Goods      string     `placeholder:"FILE" help:"goods.yaml; default: the one in this folder, if any."`
	Receipts   string     `default:"${receipts}" placeholder:"FILE" help:"Receipts of goods apply."`
	Deployed   bool       `help:"The doctor runs where the backend runs: the address it tests is the backend's."`
}

// Help is printed by --help.
func (doctorCmd) Help() string {
	return `Asks WeChat harmless questions, plays WeChat towards your message-push URL, and prints for each check: ok, FIX with what to do,
or ?? for what cannot be known. Nothing is changed, no money moves, no secret is printed. Exit code 1 if something must be fixed.

  xpay doctor --push-url https://shop.example.com/wechat/push                             # a real account: .xpay/config.json or --config
  xpay doctor --wechat-url http://127.0.0.1:8090 --push-url http://127.0.0.1:8080/wechat/push   # what xpay dev runs

检查 AppID/AppSecret、IP 白名单、各环境 AppKey、消息推送、时钟与道具；只读，不动资金，不输出密钥；需要修复时退出码为 1。`
}

const doctorTimeout = 2 * time.Minute

// Run examines and prints.
func (c doctorCmd) Run(ctx context.Context, o output) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	patient, err := c.patient()
	if err != nil {
		return err
	}
	o.progress("examining; nothing is changed ... 检查中，不会修改任何内容")
	var failed error
	healthy := doctor.Examine(ctx, patient, func(check doctor.Check) {
		failed = errors.Join(failed, c.print(o, check))
	})
	if failed != nil {
		return failed
	}
	if !healthy {
		return errTold
	}
	return nil
}

func (c doctorCmd) patient() (doctor.Patient, error) {
	cfg, err := c.load()
	if err != nil {
		return doctor.Patient{}, err
	}
	if c.PushToken != "" {
		cfg.Push.Tokens = []string{string(c.PushToken)}
	}
	if c.PushAESKey != "" {
		cfg.Push.AESKeys = []string{string(c.PushAESKey)}
	}
	p := doctor.Patient{
		Config: cfg, PushURL: c.PushURL, Format: c.PushFormat, Plain: c.PushMode == "plain", OpenID: c.OpenID,
		HTTP: &http.Client{Timeout: callTimeout}, Now: time.Now, Deployed: c.Deployed,
	}
	path := c.Goods
	if path == "" {
		path = deployedGoods()
	}
	if path == "" {
		return p, nil
	}
	if p.Catalog, err = catalog.Load(path); err != nil {
		return p, err
	}
	p.Book, err = goodsplan.Open(c.Receipts)
	return p, err
}

func (c doctorCmd) print(o output, check doctor.Check) error {
	if o.json {
		return o.printJSON(check)
	}
	mark := map[doctor.Status]string{doctor.OK: "ok ", doctor.Fix: "FIX", doctor.Unknown: "?? "}[check.Status]
	text := fmt.Sprintf("%s  %-19s %s\n     %-19s %s\n", mark, check.Name, check.What, "", check.WhatZH)
	if check.Fix != "" {
		text += fmt.Sprintf("     %-19s -> %s\n     %-19s -> %s\n", "", check.Fix, "", check.FixZH)
	}
	_, err := fmt.Fprint(o.out, text)
	return err
}
