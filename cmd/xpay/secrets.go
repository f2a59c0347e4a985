package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

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
	ask    func(ask func(prompt string) string) any // the value that a person types
}

//nolint:gochecknoglobals // a table
var secretGroups = map[string]secretGroup{
	"push":     {"push", "PushSecretArn", backend.GroupPush, askPush},
	"merchant": {"merchant", "MerchantSecretArn", backend.GroupMerchant, askMerchant},
	"delivery": {"delivery", "DeliverySecretArn", backend.GroupDelivery, askDelivery},
	"seal":     {"seal", "SealSecretArn", backend.GroupSeal, askSeal},
}

// pushValue is the push secret as it is stored.
type pushValue struct {
	Tokens  []string `json:"tokens"`
	AESKeys []string `json:"aesKeys"`
}

func askPush(ask func(string) string) any {
	return pushValue{[]string{ask("Token of 消息推送")}, []string{ask("EncodingAESKey of 消息推送 (43 characters)")}}
}

func askMerchant(ask func(string) string) any {
	type keys struct {
		Production string `json:"production,omitempty"`
		Sandbox    string `json:"sandbox,omitempty"`
	}
	return struct {
		AppSecret string `json:"appSecret"`
		AppKeys   keys   `json:"appKeys"`
	}{ask("AppSecret (开发管理 → 开发设置)"), keys{
		ask("现网 AppKey (虚拟支付 → 基本配置), empty if the stack does not need it"), ask("沙箱 AppKey, empty if the stack does not need it"),
	}}
}

func askDelivery(ask func(string) string) any {
	return struct {
		Keys []string `json:"keys"`
	}{[]string{ask("Signing key of the webhook, whsec_...")}}
}

// sealValue is the sealing key as it is stored.
type sealValue struct {
	Key string `json:"key"`
}

func askSeal(ask func(string) string) any {
	return sealValue{ask("Sealing key, 32 bytes in base64; better: xpay secrets rotate seal")}
}

type secretsPutCmd struct {
	stackFlags
	Which string `arg:"" enum:"push,merchant,delivery,seal" help:"Which secret: ${enum}. 哪个密钥。"`
	File  string `placeholder:"FILE" help:"The secret's JSON; - is stdin. Without it you are asked, and nothing you type is shown. 密钥的 JSON，- 为标准输入；不给则逐项询问，不回显。"`
}

// Help is printed by --help.
func (secretsPutCmd) Help() string {
	return `The value comes from a prompt that shows nothing, or from a file; never from the command line, where others see it. It is checked as the
functions check it, and only put when they can use it. Functions that run take it within 20 minutes, or as soon as the old one fails. The value
before stays as AWSPREVIOUS; a value that is current already is not put again.

  xpay secrets put merchant --stack xpay-dev
  xpay secrets put push --stack xpay-dev --file push.json      # {"tokens":["..."],"aesKeys":["..."]}, newest first
  xpay secrets put delivery --stack xpay-dev --file - <delivery.json

密钥从不回显的提示或文件读取，绝不出现在命令行；写入前按函数的规则检查。` +
		exitsLater("the functions can use it, and it is put. 可用，已写入。", "it is not usable, nothing was put. 不可用，未写入。")
}

// Run puts the secret.
func (c secretsPutCmd) Run(ctx context.Context, o output) error {
	g := secretGroups[c.Which]
	s, err := c.open(ctx)
	if err != nil {
		return outcome(err)
	}
	if g.name == "delivery" && s.Outputs[g.output] == "" {
		return fmt.Errorf("the stack %s has no webhook: deploy it with DeliveryTarget=webhook first. 该栈未启用 webhook", s.Name)
	}
	if _, err := outputOf(s, g.output); err != nil {
		return err // before anybody types
	}
	value, err := c.value(ctx, o, g)
	if err != nil {
		return err
	}
	if err := checkSecret(s, g, value); err != nil {
		return fmt.Errorf("the %s secret was not put: %w. 密钥不可用，未写入", g.name, err)
	}
	put, err := s.PutSecret(ctx, g.output, strings.TrimSpace(value))
	if err != nil {
		return outcome(err)
	}
	said := "is put. 已写入。"
	if !put {
		said = "has this value already, nothing was put. 已是此值，未写入。"
	}
	_, err = fmt.Fprintf(o.err, "xpay: the %s secret %s\n", g.name, said)
	return err
}

// value reads the secret's JSON from where the command says.
func (c secretsPutCmd) value(ctx context.Context, o output, g secretGroup) (string, error) {
	switch c.File {
	case "-":
		raw, err := o.body(ctx)
		return string(raw), err
	case "":
		return o.typed(ctx, g)
	}
	info, err := os.Stat(c.File)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return "", usageError{fmt.Errorf("%s holds secrets and can be read by others: chmod 600 %[1]s. 文件含密钥却可被他人读取，请执行 chmod 600", c.File)}
	}
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return "", usageError{fmt.Errorf("the file %s cannot be read. 文件无法读取", c.File)}
	}
	return string(raw), nil
}

// typed asks a person for each part. Nothing that is typed is shown.
func (o output) typed(ctx context.Context, g secretGroup) (string, error) {
	in, isFile := o.in.(*os.File)
	if !isFile || !isTerminal(in) {
		return "", usageError{errors.New("nobody is there to ask: give --file FILE, or --file - and the JSON on stdin. 没有终端可询问，请用 --file")}
	}
	before, err := term.MakeRaw(int(in.Fd())) // before the first prompt: what is typed early must not be shown either
	if err != nil {
		return "", fmt.Errorf("the terminal cannot be told to hide what is typed: %w. 无法关闭终端回显", err)
	}
	defer term.Restore(int(in.Fd()), before) //nolint:errcheck // an interrupted prompt leaves a terminal that shows what is typed
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, o.err}, "")
	var failed error
	value := g.ask(func(prompt string) string {
		if failed != nil {
			return ""
		}
		var text string
		text, failed = unlessInterrupted(ctx, func() (string, error) { return terminal.ReadPassword(prompt + ": ") })
		return strings.TrimSpace(text)
	})
	if failed != nil {
		return "", errors.New("it could not be read to its end; nothing was put. 未读完，未写入")
	}
	raw, err := json.Marshal(value)
	return string(raw), err
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

type secretsRotateCmd struct {
	stackFlags
	Which  string `arg:"" enum:"push,seal" help:"Which secret: ${enum}. Those of merchant are WeChat's to make; put them with secrets put. 轮换哪个；merchant 的密钥由微信生成。"`
	Leaked bool   `xor:"again" help:"push only: leave nothing of the old pair. 仅 push：旧值已泄露，立即作废。"`
	Again  bool   `xor:"again" help:"Rotate although the secret was replaced within the hour. 一小时内已更换过，仍再次轮换。"`
}

// Help is printed by --help.
func (secretsRotateCmd) Help() string {
	return `Makes a new Token and EncodingAESKey and puts them first; the newest old pair stays behind them and goes on to verify, so no push is
lost between the two steps. Then paste the new ones into WeChat's console. They are shown on a terminal only; elsewhere
nothing is rotated. One rotation later the old pair still verifies for 24 hours, as part of the version before.

After a leak give --leaked: the new pair stands alone, and the version before holds nothing else. A function that runs refuses the old pair as
soon as it reads the secret, within 20 minutes. Every push, repeats under way too, is refused until WeChat's console has the new pair; WeChat
repeats it for 18 hours.

A secret that was replaced within the hour is not rotated unless --again is given, so that the same command after an unknown outcome does no harm.

The sealing key is seen by nobody. What the one before has sealed still opens; after two rotations within a session's life the user
logs in again.

  xpay secrets rotate push --stack xpay-prod
  xpay secrets rotate push --leaked --stack xpay-prod
  xpay secrets rotate seal --stack xpay-prod

生成新的 Token 和 EncodingAESKey 并放在首位，旧的一对继续有效；随后到小程序后台填入新值。
封存密钥不会显示给任何人。推送密钥泄露时请用 --leaked：旧值不再保留，后台填入新值之前推送会被拒绝，微信会重推。
一小时内已更换过的密钥须给出 --again 才会再次轮换。` +
		exitsLater("it is rotated. 已轮换。", "the secret is missing, not usable, or was replaced within the hour; nothing was rotated. 现有密钥缺失、不可用或刚更换过，未轮换。")
}

// Run rotates a secret.
func (c secretsRotateCmd) Run(ctx context.Context, o output) error {
	if c.Which == "push" && !isTerminal(o.out) {
		return usageError{errors.New("the new Token and EncodingAESKey are shown on a terminal only: rotate there. 新值只在终端显示，请在终端轮换")}
	}
	if c.Leaked && c.Which != "push" {
		return usageError{errors.New("--leaked goes with push; of the sealing key, rotate twice. --leaked 只用于 push；封存密钥请轮换两次")}
	}
	s, err := c.open(ctx)
	if err != nil {
		return outcome(err)
	}
	g := secretGroups[c.Which]
	var cfg backend.Config
	if err := readSecret(ctx, s, g, &cfg); err != nil {
		return outcome(err)
	}
	if err := c.notJustReplaced(ctx, s, g); err != nil {
		return outcome(err)
	}
	if c.Which == "seal" {
		if err := c.putNew(ctx, s, g, sealValue{newKey()}); err != nil {
			return outcome(err)
		}
		_, err := fmt.Fprintln(o.err, "xpay: there is a new sealing key; what the old one has sealed still opens. 封存密钥已轮换。")
		return err
	}
	next := c.rotated(cfg.Push)
	if err := c.putNew(ctx, s, g, next); err != nil {
		fmt.Fprintf(o.err, "xpay: if it was rotated all the same, xpay outputs --stack %s --show-secrets shows the new pair. 若实际已轮换，可用此命令查看新值。\n", s.Name)
		return outcome(err)
	}
	return c.tell(o, next)
}

// againAfter is longer than anybody takes to repeat a command whose outcome he does not know.
const againAfter = time.Hour

// notJustReplaced refuses to rotate twice by mistake: the second time gives up the version before.
func (c secretsRotateCmd) notJustReplaced(ctx context.Context, s *operator.Stack, g secretGroup) error {
	if c.Again || c.Leaked {
		return nil
	}
	at, err := s.SecretReplaced(ctx, g.output)
	if err != nil || time.Since(at) >= againAfter {
		return err
	}
	return fmt.Errorf("the %s secret was replaced at %s, nothing was rotated now; --again does. 该密钥一小时内已更换，未轮换；仍要轮换请给出 --again", g.name, local(&at))
}

// tell shows the new pair and says what is to be done with it.
func (c secretsRotateCmd) tell(o output, next pushValue) error {
	when, then := "within a day. 请在一天内填入新值", "The old ones verify until a day after the next rotation. 旧值在下次轮换满一天前仍有效。"
	if c.Leaked {
		when = "now. 请立即填入新值"
		then = "Until then every push is refused, repeats under way too, and WeChat repeats it for 18 hours. 填入之前推送均被拒绝，微信会在 18 小时内重推。"
	}
	fmt.Fprintf(o.out, "%s, %s。\n", pushMenu, when)
	fmt.Fprintf(o.out, "  Token: %s\n", next.Tokens[0])
	fmt.Fprintf(o.out, "  EncodingAESKey: %s\n", next.AESKeys[0])
	_, err := fmt.Fprintln(o.out, then)
	return err
}

// putNew puts a value that this program made, when the functions can use it.
func (c secretsRotateCmd) putNew(ctx context.Context, s *operator.Stack, g secretGroup, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := checkSecret(s, g, string(raw)); err != nil {
		return fmt.Errorf("nothing was rotated: %w. 未轮换", err)
	}
	if c.Leaked {
		return s.ReplaceSecret(ctx, g.output, string(raw))
	}
	_, err = s.PutSecret(ctx, g.output, string(raw))
	return err
}

// rotated has a new pair in front of the newest old one, or alone.
func (c secretsRotateCmd) rotated(old backend.PushSecrets) pushValue {
	if c.Leaked {
		old = backend.PushSecrets{}
	}
	return pushValue{
		Tokens:  slices.Concat([]string{rand.Text()}, old.Tokens[:min(1, len(old.Tokens))]),
		AESKeys: slices.Concat([]string{newKey()}, old.AESKeys[:min(1, len(old.AESKeys))]),
	}
}

// newKey is 32 random bytes whose base64 has letters and digits only, as WeChat's console wants them.
func newKey() string {
	for {
		raw := make([]byte, 32)
		rand.Read(raw) // never fails
		if key := base64.RawStdEncoding.EncodeToString(raw); !strings.ContainsAny(key, "+/") {
			return key
		}
	}
}
