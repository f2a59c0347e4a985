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
	stackFlags
	PushURL    string     `name:"push-url" placeholder:"URL" help:"URL of 消息推送, as https://host/wechat/push. 消息推送的服务器地址。"`
	PushToken  secretText `env:"XPAY_PUSH_TOKEN" placeholder:"T" help:"Token of 消息推送; @FILE reads a file. 消息推送的 Token。"`
	PushAESKey secretText `name:"push-aes-key" env:"XPAY_PUSH_AES_KEY" placeholder:"K" help:"EncodingAESKey of 消息推送; @FILE reads a file. 消息加密密钥。"`
	PushFormat string     `enum:"json,xml" default:"json" help:"${enum}: format as the console has it. 后台设置的数据格式。"`
	PushMode   string     `enum:"aes,plain" default:"aes" help:"${enum}: mode as the console has it. 后台设置的消息加密方式。"`
	OpenID     string     `name:"openid" placeholder:"O" help:"Openid of a user, for the signed query; one is invented otherwise. 用于签名查询的用户 openid。"`
	Goods      string     `placeholder:"FILE" help:"goods.yaml; default: the one in this folder, if any. 道具与价格文件。"`
	Receipts   string     `default:"${receipts}" placeholder:"FILE" help:"Receipts of goods apply. goods apply 的回执。"`
	Deployed   bool       `help:"The doctor runs where the backend runs: the address it tests is the backend's. 在后端所在的机器上运行。"`
}

// Help is printed by --help.
func (doctorCmd) Help() string {
	return `Asks WeChat harmless questions, plays WeChat towards your message-push URL, and prints for each check: ok; FIX with what to do; unknown,
if the answers do not settle it; not tested, if nobody was asked. Nothing is changed, no money moves, no secret is printed.

  xpay doctor --push-url https://shop.example.com/wechat/push                             # a real account: .xpay/config.json or --config
  xpay doctor --stack xpay-prod                                                           # a deployed stack, with your AWS credentials
  xpay doctor --wechat-url http://127.0.0.1:8090 --push-url http://127.0.0.1:8080/wechat/push   # what xpay dev runs

检查 AppID/AppSecret、IP 白名单、各环境 AppKey、消息推送、时钟与道具；只读，不动资金，不输出密钥。
ok：正常；FIX：需要修复；unknown：应答不足以判断；not tested：没有测试。` +
		exitsLater("nothing has to be fixed. 无需修复。", "something has to be fixed. 有需要修复的问题。")
}

const doctorTimeout = 2 * time.Minute

// Run examines and prints.
func (c doctorCmd) Run(ctx context.Context, o output) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	patient, err := c.patient(ctx)
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

func (c doctorCmd) patient(ctx context.Context) (doctor.Patient, error) {
	cfg, found, err := c.configuration(ctx)
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
		HTTP: &http.Client{Timeout: callTimeout}, Now: time.Now, Deployed: c.Deployed, Found: found,
	}
	path := c.Goods
	if path == "" {
		path = deployedGoods()
	}
	if path == "" {
		return p, nil
	}
	if p.Catalog, err = catalog.Load(path); err != nil {
		return p, fmt.Errorf("%w. 请检查 %s", err, path)
	}
	p.Book, err = goodsplan.Open(c.Receipts)
	return p, err
}

func (c doctorCmd) print(o output, check doctor.Check) error {
	if o.json {
		return o.printJSON(check)
	}
	mark := string(check.Status)
	if check.Status == doctor.Fix {
		mark = "FIX"
	}
	text := fmt.Sprintf("%-10s  %-18s  %s\n%32s%s\n", mark, check.Name, check.What, "", check.WhatZH)
	if check.Fix != "" {
		text += fmt.Sprintf("%32s-> %s\n%32s-> %s\n", "", check.Fix, "", check.FixZH)
	}
	_, err := fmt.Fprint(o.out, text)
	return err
}
