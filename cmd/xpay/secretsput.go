package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

type secretsPutCmd struct {
	stackFlags
	Which string `arg:"" enum:"push,merchant,delivery,seal" help:"Which secret: ${enum}. 哪个密钥。"`
	File  string `placeholder:"FILE" help:"The secret's JSON, all of it; - is stdin. Without it you are asked, and nothing you type is shown. 密钥的完整 JSON，- 为标准输入；不给则逐项询问，不回显。"`
	Again bool   `help:"push and seal: put it although what was there before the current value is lost by it. push 与 seal：即使会丢失更早的值也写入。"`
}

// Help is printed by --help.
func (secretsPutCmd) Help() string {
	return `The value comes from a prompt that shows nothing, or from a file; never from the command line, where others see it. At the prompt an empty
answer keeps what is stored, and the newest old Token and EncodingAESKey stay behind the new ones and go on to verify. A file says everything: what
it leaves out is dropped. Names of the fields that changed or were dropped are printed, no value is.

It is checked as the functions check it, and a new Token and EncodingAESKey as WeChat's console does: 3 to 32 and exactly 43 letters and digits. Only
what can be used is put. Functions that run take it within 20 minutes, or as soon as the old one fails. The value before stays as
AWSPREVIOUS; a value that is current already is not put again. A second put within a day (push) or an hour (seal) is refused when it would lose what was
there before the first, because WeChat's console or a sealed session may still need it; --again puts it all the same.

  xpay secrets put merchant --stack xpay-dev
  xpay secrets put push --stack xpay-dev --file push.json      # {"tokens":["..."],"aesKeys":["..."]}, newest first
  xpay secrets put delivery --stack xpay-dev --file - <delivery.json

密钥从不回显的提示或文件读取，绝不出现在命令行；写入前按函数的规则检查。逐项询问时直接回车保留已存的值，最近的旧 Token 和 EncodingAESKey 继续有效；文件则以其内容为准，
未写的字段会被删除。若再次写入会丢失更早的、微信可能仍在使用的值，则拒绝，除非给出 --again。` +
		exitsLater("the functions can use it, and it is put. 可用，已写入。", "it is not usable or would lose what is still needed, nothing was put; or somebody else put another value. 不可用或会丢失仍需要的值，未写入；或有人同时写入。")
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
		return err
	}
	held, err := hold(ctx, s, g) // before anybody types
	if err != nil {
		return outcome(err)
	}
	value, err := c.value(ctx, o, g, held.current.Value)
	if err != nil {
		return err
	}
	if err := c.check(s, held, value); err != nil {
		return fmt.Errorf("the %s secret was not put: %w. 密钥不可用，未写入", g.name, err)
	}
	if err := held.wouldLose(value); err != nil && !c.Again {
		return err
	}
	put, err := s.PutSecret(ctx, g.output, held.current, value)
	if err != nil {
		return held.outcomeOf(s, err)
	}
	return o.tellPut(held, put, value)
}

// check says everything for which the functions or WeChat's console would refuse the value.
func (c secretsPutCmd) check(s *operator.Stack, held heldSecret, value string) error {
	if err := checkSecret(s, held.secretGroup, value); err != nil {
		return err
	}
	if held.name != "push" {
		return nil
	}
	return consoleTakes(held.fieldsOf(value), held.fieldsOf(held.current.Value))
}

// tellPut says what became of the value: names of fields, no value.
func (o output) tellPut(held heldSecret, put bool, value string) error {
	said, saidZH := "has this value already, nothing was put", "已是此值，未写入"
	if put {
		said, saidZH = "is put", "已写入"
	}
	if put && held.current.ID != "" {
		changed, dropped := fieldChanges(held.fieldsOf(held.current.Value), held.fieldsOf(value))
		said += listed("; changed: ", changed, ", ") + listed("; dropped: ", dropped, ", ")
		saidZH += listed("；更改：", changed, "、") + listed("；删除：", dropped, "、")
	}
	_, err := fmt.Fprintf(o.err, "xpay: the %s secret %s. %s。\n", held.name, said, saidZH)
	return err
}

// listed is a list behind its title, or nothing.
func listed(title string, names []string, separator string) string {
	if len(names) == 0 {
		return ""
	}
	return title + strings.Join(names, separator)
}

// value reads the secret's JSON from where the command says.
func (c secretsPutCmd) value(ctx context.Context, o output, g secretGroup, stored string) (string, error) {
	switch c.File {
	case "-":
		raw, err := o.body(ctx)
		return strings.TrimSpace(string(raw)), err
	case "":
		return o.typed(ctx, g, stored)
	}
	info, err := os.Stat(c.File)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return "", usageError{fmt.Errorf("%s holds secrets and can be read by others: chmod 600 %[1]s. 文件含密钥却可被他人读取，请执行 chmod 600", c.File)}
	}
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return "", usageError{fmt.Errorf("the file %s cannot be read. 文件无法读取", c.File)}
	}
	return strings.TrimSpace(string(raw)), nil
}

// heldSecret is a secret of the stack as it was before the command: the version that is current and the one before it.
type heldSecret struct {
	secretGroup
	current, before operator.SecretVersion
}

// hold reads both versions.
func hold(ctx context.Context, s *operator.Stack, g secretGroup) (heldSecret, error) {
	current, before, err := s.SecretVersions(ctx, g.output)
	return heldSecret{g, current, before}, err
}

// replacedWithin reports whether the current version took the place of another so short a time ago.
func (h heldSecret) replacedWithin(d time.Duration) bool {
	return h.before.ID != "" && time.Since(h.current.Made) < d
}

// wouldLose refuses a value by which the functions forget what WeChat or a sealed session may still need: they know the
// current version and the one before, and the one before is pushed out.
func (h heldSecret) wouldLose(value string) error {
	if h.current.Value == value || !h.replacedWithin(h.keep) {
		return nil
	}
	next, current := h.fieldsOf(value), h.fieldsOf(h.current.Value)
	for name, values := range h.fieldsOf(h.before.Value) {
		known := slices.Concat(next[name], current[name])
		if slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(known, v) }) {
			return errors.New(h.lossText())
		}
	}
	return nil
}

func (h heldSecret) lossText() string {
	at := local(&h.current.Made)
	if h.name == "push" {
		return fmt.Sprintf("the push secret was replaced at %s, and nothing was put now: what it was before that would be lost, and WeChat's console may still hold it. Keep it: "+
			"type the new pair at the prompt, or list the older ones in the file behind it; or give --again when the console has the current pair. "+
			"该密钥一天内已更换，未写入：更早的值会丢失，而微信后台可能仍在使用；请逐项输入，或在文件中把旧值列在新值之后；若后台已是当前值，请给出 --again", at)
	}
	return fmt.Sprintf("the %s secret was replaced at %s, and nothing was put now: what was sealed by the key before that would not open any more; --again does. "+
		"该密钥一小时内已更换，未写入：更早的密钥封存的内容将无法解开；仍要写入请给出 --again", h.name, at)
}

// outcomeOf says what is to be done when somebody else put a value at the same time.
func (h heldSecret) outcomeOf(s *operator.Stack, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, operator.ErrHalfReplaced):
		half := fmt.Errorf("the %s secret: %w. 新值已生效，但旧值可能仍被接受：请重新执行同一命令", h.name, err)
		if operator.Later(err) {
			return laterError{half}
		}
		return half
	case errors.Is(err, operator.ErrChanged):
		return fmt.Errorf("the %s secret: %w: the same command again takes both into account. 期间有人写入了另一个值，本次未写入，请重新执行", h.name, err)
	case errors.Is(err, operator.ErrOvertaken) && h.name == "push":
		return fmt.Errorf("the push secret: %w. Pushes by a pair that is in neither are refused: save the pair that %s shows in WeChat's console now. "+
			"有人同时写入，更早的值已丢失：请立即把该命令显示的值填入小程序后台", err, showsPair(s))
	case errors.Is(err, operator.ErrOvertaken):
		return fmt.Errorf("the %s secret: %w. Agree who puts it, and put it once more; `xpay doctor --stack %s` says whether it is right. 有人同时写入，更早的值已丢失：请商定由谁写入后重新写入", h.name, err, s.Name)
	}
	return outcome(err)
}
