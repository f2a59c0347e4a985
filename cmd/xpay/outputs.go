package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

// outputsCmd prints what WeChat's console must be told of a deployed stack.
type outputsCmd struct {
	stackFlags
	ShowSecrets bool `name:"show-secrets" help:"Print Token and EncodingAESKey, too: on a terminal only. 同时显示 Token 和 EncodingAESKey，仅限终端。"`
}

// Help is printed by --help.
func (outputsCmd) Help() string {
	return `Prints what has to be pasted into WeChat's console, and where. Token and EncodingAESKey are shown on a terminal only, and only when asked for.

  xpay outputs --stack xpay-dev
  xpay outputs --stack xpay-dev --show-secrets
  xpay outputs --stack xpay-dev --json

输出需要填入小程序后台的地址及其位置；密钥只在终端、且仅在要求时显示。` +
		exitsLater("the addresses are printed. 已输出地址。", "the stack is not one of ours, or a secret is not usable. 不是本模板的栈，或密钥不可用。")
}

// shown is what --json prints: no secret.
type shown struct {
	Stack    string            `json:"stack"`
	Region   string            `json:"region"`
	APIURL   string            `json:"apiUrl"`
	PushURL  string            `json:"pushUrl"`
	PushMenu string            `json:"pushMenu"`
	Outputs  map[string]string `json:"outputs"`
}

// pushMenu is where WeChat's console has the message push.
const pushMenu = "小程序后台 (mp.weixin.qq.com) → 开发管理 → 消息推送"

// Run prints the outputs.
func (c outputsCmd) Run(ctx context.Context, o output) error {
	if c.ShowSecrets && (o.json || !isTerminal(o.out)) {
		return usageError{errors.New("secrets are shown on a terminal only: leave out --show-secrets, or the pipe and --json. 密钥只在终端显示")}
	}
	s, err := c.open(ctx)
	if err != nil {
		return outcome(err)
	}
	api, err := outputOf(s, "ApiUrl")
	if err != nil {
		return err
	}
	push, err := outputOf(s, "PushUrl")
	if err != nil {
		return err
	}
	if o.json {
		return inBoth(o.printJSON(shown{s.Name, s.Region, api, push, pushMenu, s.Outputs}), "无法输出")
	}
	token := fmt.Sprintf("as you put it; xpay outputs --stack %s --show-secrets shows it. 即写入的值", s.Name)
	key := token
	if c.ShowSecrets {
		if token, key, err = pushSecrets(ctx, s); err != nil {
			return outcome(err)
		}
	}
	_, err = io.WriteString(o.out, outputsText(s, api, push, token, key))
	return inBoth(err, "无法输出")
}

// outputsText is what is pasted into which field of which page.
func outputsText(s *operator.Stack, api, push, token, key string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", pushMenu)
	fmt.Fprintf(&text, "  URL (服务器地址): %s\n", push)
	fmt.Fprintf(&text, "  Token: %s\n", token)
	fmt.Fprintf(&text, "  EncodingAESKey: %s\n", key)
	fmt.Fprintln(&text, "  消息加密方式: 安全模式")
	fmt.Fprintln(&text, "  数据格式: JSON")
	fmt.Fprintln(&text, "小程序后台 → 开发管理 → 服务器域名 → request 合法域名")
	fmt.Fprintf(&text, "  API: %s\n", api)
	if to := s.Outputs["DomainTarget"]; to != "" {
		fmt.Fprintf(&text, "CNAME: %s -> %s\n", strings.TrimPrefix(api, "https://"), to)
	}
	if to := s.Outputs["DashboardUrl"]; to != "" {
		fmt.Fprintf(&text, "dashboard: %s\n", to)
	}
	if arn := s.Outputs["DeadLetterQueueArn"]; arn != "" {
		fmt.Fprintf(&text, "dead-letter queue (死信队列): %s\n", arn)
	}
	return text.String()
}

// outputOf is one output of the stack.
func outputOf(s *operator.Stack, key string) (string, error) {
	value, err := s.Output(key)
	return value, inBoth(err, "没有这个输出：请确认栈由本模板部署完成")
}

// pushSecrets reads the newest Token and EncodingAESKey.
func pushSecrets(ctx context.Context, s *operator.Stack) (token, key string, err error) {
	var cfg backend.Config
	if err := readSecret(ctx, s, secretGroups["push"], &cfg); err != nil {
		return "", "", err
	}
	token, key = cfg.Push.Tokens[0], "none: only 明文模式 works. 未设置，只能用明文模式"
	if len(cfg.Push.AESKeys) > 0 {
		key = cfg.Push.AESKeys[0]
	}
	return token, key, nil
}
