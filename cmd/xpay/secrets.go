package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/operator"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// secretsCmd puts the secrets of a deployed stack.
type secretsCmd struct {
	Put    secretsPutCmd    `cmd:"" help:"Put the value of a secret, from a prompt or a file. 写入密钥。"`
	Check  secretsCheckCmd  `cmd:"" help:"Say of each secret whether the functions can use it. 检查密钥是否可用。"`
	Rotate secretsRotateCmd `cmd:"" help:"Make a new Token and EncodingAESKey, or a new sealing key; the old ones go on to work. 轮换推送密钥或封存密钥，旧值继续有效。"`
}

// Help is printed by --help.
func (secretsCmd) Help() string {
	return strings.TrimSpace(exitsLater("as asked. 按要求完成。", "a secret is missing or not usable. 缺少密钥，或密钥不可用。"))
}

// secretGroup is one secret of the stack.
type secretGroup struct {
	name   string
	output string // of the stack, with its ARN
	group  backend.Groups
	ask    func(ask asker, stored string) any // the value that a person types, with what he leaves as it is stored
	read   func(value string) any             // a value in that form; what is in no such form reads as nothing
	keep   time.Duration                      // how long what a value has replaced is still needed; 0: WeChat or the receiver decides
}

const (
	pushOverlap = 24 * time.Hour // how long the functions take pushes by the version before
	againAfter  = time.Hour      // longer than anybody takes to repeat a command whose outcome he does not know
)

//nolint:gochecknoglobals // a table
var secretGroups = map[string]secretGroup{
	"push":     {"push", "PushSecretArn", backend.GroupPush, askPush, readAs[pushValue], pushOverlap},
	"merchant": {"merchant", "MerchantSecretArn", backend.GroupMerchant, askMerchant, readAs[merchantValue], 0},
	"delivery": {"delivery", "DeliverySecretArn", backend.GroupDelivery, askDelivery, readAs[deliveryValue], 0},
	"seal":     {"seal", "SealSecretArn", backend.GroupSeal, askSeal, readAs[sealValue], againAfter},
}

// stackEnv is the env that the stack serves.
func stackEnv(s *operator.Stack) xpay.Env {
	if s.Parameters["WeChatEnv"] == "1" {
		return xpay.Sandbox
	}
	return xpay.Production
}

// checkSecret says everything for which the stack's functions would refuse a value.
func checkSecret(s *operator.Stack, g secretGroup, value string) error {
	var cfg backend.Config
	return awsenv.ReadSecret(&cfg, g.group, stackEnv(s), value)
}

// readSecret reads a secret of the stack into a configuration.
func readSecret(ctx context.Context, s *operator.Stack, g secretGroup, cfg *backend.Config) error {
	value, err := s.Secret(ctx, g.output)
	if err != nil {
		return inBoth(err, "密钥尚无值或无法读取")
	}
	return readValue(s, g, value, cfg)
}

func readValue(s *operator.Stack, g secretGroup, value string, cfg *backend.Config) error {
	if err := awsenv.ReadSecret(cfg, g.group, stackEnv(s), value); err != nil {
		return fmt.Errorf("the %s secret is not usable: %w. 密钥不可用", g.name, err)
	}
	return nil
}

type secretsCheckCmd struct{ stackFlags }

// Help is printed by --help.
func (secretsCheckCmd) Help() string {
	return `Reads each secret and checks it as the functions do. No value is printed. Exit code 1 if one is missing or not usable; whether WeChat takes
them is what the doctor finds out.

  xpay secrets check --stack xpay-dev

逐个检查密钥是否可用；不输出任何值。` +
		exitsLater("every secret can be used. 全部可用。", "a secret is missing or not usable. 缺少密钥，或密钥不可用。")
}

// checked is what --json prints of one secret.
type checked struct {
	Secret string `json:"secret"`
	OK     bool   `json:"ok"`
	Why    string `json:"why,omitempty"`
}

// Run checks the secrets.
func (c secretsCheckCmd) Run(ctx context.Context, o output) error {
	s, err := c.open(ctx)
	if err != nil {
		return outcome(err)
	}
	failed := false
	for _, name := range []string{"push", "merchant", "delivery", "seal"} {
		g := secretGroups[name]
		if name == "delivery" && s.Outputs[g.output] == "" {
			continue // the stack has no webhook
		}
		err := readSecret(ctx, s, g, &backend.Config{})
		if operator.Later(err) {
			return outcome(err)
		}
		failed = failed || err != nil
		if err := o.printChecked(name, err); err != nil {
			return err
		}
	}
	if failed {
		return errTold
	}
	return nil
}

func (o output) printChecked(name string, why error) error {
	line := checked{Secret: name, OK: why == nil}
	if why != nil {
		line.Why = strings.ReplaceAll(why.Error(), "\n", "; ")
	}
	if o.json {
		return o.printJSON(line)
	}
	mark, text := "ok ", "the functions can use it. 可用。"
	if !line.OK {
		mark, text = "FIX", line.Why
	}
	_, err := fmt.Fprintf(o.out, "%s  %-9s %s\n", mark, name, text)
	return err
}
