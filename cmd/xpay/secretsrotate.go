package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

type secretsRotateCmd struct {
	stackFlags
	Which  string `arg:"" enum:"push,seal" help:"Which secret: ${enum}. Those of merchant are WeChat's to make; put them with secrets put. 轮换哪个；merchant 的密钥由微信生成。"`
	Leaked bool   `xor:"again" help:"push only: leave nothing of the old pair. 仅 push：旧值已泄露，立即作废。"`
	Again  bool   `xor:"again" help:"Rotate although the secret was replaced just before. 刚更换过，仍再次轮换。"`
}

// Help is printed by --help.
func (secretsRotateCmd) Help() string {
	return `Makes a new Token and EncodingAESKey and puts them first; the newest old pair stays behind them and goes on to verify, so no push is
lost between the two steps. Then paste the new ones into WeChat's console. They are shown on a terminal only; elsewhere
nothing is rotated. One rotation later the old pair still verifies for 24 hours, as part of the version before.

After a leak give --leaked: the new pair stands alone, and the version before holds nothing else. A function that runs refuses the old pair as
soon as it reads the secret, within 20 minutes. Every push, repeats under way too, is refused until WeChat's console has the new pair; WeChat
repeats it for 18 hours.

A secret that was replaced within the hour is not rotated unless --again is given, so that the same command after an unknown outcome does no harm; nor
is the push secret within a day when a pair that WeChat's console may still hold would be lost.

With --json no terminal is needed and no secret is printed: the pair is what xpay outputs --show-secrets shows on a terminal.

The sealing key is seen by nobody; the first one is made here, too. What the one before has sealed still opens; after two rotations within a session's life the user
logs in again.

  xpay secrets rotate push --stack xpay-prod
  xpay secrets rotate push --leaked --stack xpay-prod
  xpay secrets rotate seal --stack xpay-prod

生成新的 Token 和 EncodingAESKey 并放在首位，旧的一对继续有效；随后到小程序后台填入新值。
封存密钥不会显示给任何人。推送密钥泄露时请用 --leaked：旧值不再保留，后台填入新值之前推送会被拒绝，微信会重推。
一小时内已更换过的密钥须给出 --again 才会再次轮换。使用 --json 时不输出任何密钥，新值请在终端用 xpay outputs --show-secrets 查看。` +
		exitsLater("it is rotated. 已轮换。", "the secret is missing, not usable, or was replaced within the hour; nothing was rotated. 现有密钥缺失、不可用或刚更换过，未轮换。")
}

// Run rotates a secret.
func (c secretsRotateCmd) Run(ctx context.Context, o output) error {
	if c.Which == "push" && !o.json && !isTerminal(o.out) {
		return usageError{errors.New("the new Token and EncodingAESKey are shown on a terminal only: rotate there. 新值只在终端显示，请在终端轮换")}
	}
	if c.Leaked && c.Which != "push" {
		return usageError{errors.New("--leaked goes with push; of the sealing key, rotate twice. --leaked 只用于 push；封存密钥请轮换两次")}
	}
	s, err := c.open(ctx)
	if err != nil {
		return outcome(err)
	}
	held, err := hold(ctx, s, secretGroups[c.Which])
	if err != nil {
		return outcome(err)
	}
	if c.Which == "seal" {
		return c.rotateSeal(ctx, o, s, held)
	}
	return c.rotatePush(ctx, o, s, held)
}

// rotateSeal makes a sealing key; the first one, too.
func (c secretsRotateCmd) rotateSeal(ctx context.Context, o output, s *operator.Stack, held heldSecret) error {
	said := "there is a new sealing key; what the old one has sealed still opens. 封存密钥已轮换。"
	if held.current.ID == "" {
		said = "there is a first sealing key. 已生成首个封存密钥。"
	} else if err := readValue(s, held.secretGroup, held.current.Value, &backend.Config{}); err != nil {
		return err
	}
	if err := c.putNew(ctx, s, held, sealValue{newKey()}); err != nil {
		return err
	}
	if o.json {
		return o.printJSON(rotation{Secret: "seal", Rotated: true})
	}
	_, err := fmt.Fprintln(o.err, "xpay:", said)
	return err
}

func (c secretsRotateCmd) rotatePush(ctx context.Context, o output, s *operator.Stack, held heldSecret) error {
	var cfg backend.Config
	if held.current.ID == "" {
		return inBoth(fmt.Errorf("the push secret: %w", operator.ErrNoValue), "密钥尚无值")
	}
	if err := readValue(s, held.secretGroup, held.current.Value, &cfg); err != nil {
		return err
	}
	next := c.rotated(cfg.Push)
	err := c.putNew(ctx, s, held, next)
	if operator.Later(err) && !errors.Is(err, operator.ErrHalfReplaced) {
		fmt.Fprintf(o.err, "xpay: if it was rotated all the same, %s shows the new pair. 若实际已轮换，可用此命令查看新值。\n", showsPair(s))
	}
	if err != nil {
		return err
	}
	if err := c.tell(o, s, next); err != nil {
		return fmt.Errorf("it is rotated, but the answer could not be written: %w; %s shows the new pair. 已轮换但无法输出，可用此命令查看新值", err, showsPair(s))
	}
	return nil
}

// showsPair is the command that shows the newest pair.
func showsPair(s *operator.Stack) string {
	return fmt.Sprintf("`xpay outputs --stack %s --show-secrets`", s.Name)
}

// notJustReplaced refuses to rotate twice by mistake: the second time gives up the version before.
func (c secretsRotateCmd) notJustReplaced(s *operator.Stack, held heldSecret) error {
	if c.Again || c.Leaked || !held.replacedWithin(againAfter) {
		return nil
	}
	at := local(&held.current.Made)
	if held.name == "push" {
		return fmt.Errorf("the push secret was replaced at %s, nothing was rotated now: %s shows the pair of then, for WeChat's console; --again rotates once more. "+
			"该密钥一小时内已更换，未轮换：请用此命令查看当时的新值并填入小程序后台；仍要轮换请给出 --again", at, showsPair(s))
	}
	return fmt.Errorf("the %s secret was replaced at %s, nothing was rotated now; --again does. 该密钥一小时内已更换，未轮换；仍要轮换请给出 --again", held.name, at)
}

// rotation is what --json prints: no secret.
type rotation struct {
	Secret   string `json:"secret"`
	Rotated  bool   `json:"rotated"`
	PushMenu string `json:"pushMenu,omitempty"` // where the new pair is to be saved
	Shows    string `json:"shows,omitempty"`    // the command that shows it
}

// tell shows the new pair and says what is to be done with it.
func (c secretsRotateCmd) tell(o output, s *operator.Stack, next pushValue) error {
	if o.json {
		return o.printJSON(rotation{"push", true, pushMenu, strings.Trim(showsPair(s), "`")})
	}
	when, then := "within a day. 请在一天内填入新值", "The old ones verify until a day after the next rotation. 旧值在下次轮换满一天前仍有效。"
	if c.Leaked {
		when = "now. 请立即填入新值"
		then = "Until then every push is refused, repeats under way too, and WeChat repeats it for 18 hours. 填入之前推送均被拒绝，微信会在 18 小时内重推。"
	}
	_, err := fmt.Fprintf(o.out, "%s, %s。\n  Token: %s\n  EncodingAESKey: %s\n%s\n", pushMenu, when, next.Tokens[0], next.AESKeys[0], then)
	return err
}

// putNew puts a value that this program made, when the functions can use it and nothing is lost that is still needed.
func (c secretsRotateCmd) putNew(ctx context.Context, s *operator.Stack, held heldSecret, value any) error {
	if err := c.notJustReplaced(s, held); err != nil {
		return err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := checkSecret(s, held.secretGroup, string(raw)); err != nil {
		return fmt.Errorf("nothing was rotated: %w. 未轮换", err)
	}
	if c.Leaked {
		return held.outcomeOf(s, s.ReplaceSecret(ctx, held.output, held.current, string(raw)))
	}
	if err := held.wouldLose(string(raw)); err != nil && !c.Again {
		return err
	}
	_, err = s.PutSecret(ctx, held.output, held.current, string(raw))
	return held.outcomeOf(s, err)
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
