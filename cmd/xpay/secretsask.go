package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// asker asks a person for one part of a secret, and returns "" for an empty answer.
type asker func(prompt string) string

// keeps ends the prompt for a part that is stored already.
const keeps = "; Enter keeps what is stored 直接回车保留已存的值"

// orStored asks for a text. An empty answer keeps what is stored; ifNone ends the prompt when nothing is.
func (ask asker) orStored(prompt, ifNone, stored string) string {
	if stored == "" {
		return ask(prompt + ifNone)
	}
	return cmp.Or(ask(prompt+keeps), stored)
}

// inFront asks for the newest of a list, of which every one is good: the newest old one stays behind it.
func (ask asker) inFront(prompt string, stored []string) []string {
	if len(stored) == 0 {
		return []string{ask(prompt)}
	}
	typed := ask(prompt + keeps)
	if typed == "" || typed == stored[0] {
		return stored
	}
	return []string{typed, stored[0]}
}

// storedAs reads what is stored; what is not of this form counts as nothing.
func storedAs[T any](text string) T {
	var value, none T
	if json.Unmarshal([]byte(text), &value) != nil {
		return none
	}
	return value
}

// readAs is storedAs for the table of groups.
func readAs[T any](text string) any { return storedAs[T](text) }

// pushValue is the push secret as it is stored.
type pushValue struct {
	Tokens  []string `json:"tokens"`
	AESKeys []string `json:"aesKeys"`
}

func askPush(ask asker, stored string) any {
	v := storedAs[pushValue](stored)
	return pushValue{
		ask.inFront("Token of 消息推送 (3 to 32 letters and digits)", v.Tokens),
		ask.inFront("EncodingAESKey of 消息推送 (43 letters and digits)", v.AESKeys),
	}
}

// merchantValue is the merchant secret as it is stored.
type merchantValue struct {
	AppSecret string          `json:"appSecret"`
	AppKeys   merchantAppKeys `json:"appKeys"`
}

type merchantAppKeys struct {
	Production string `json:"production,omitempty"`
	Sandbox    string `json:"sandbox,omitempty"`
}

// unneeded ends the prompt for a part that not every stack has.
const unneeded = ", empty if the stack does not need it"

func askMerchant(ask asker, stored string) any {
	v := storedAs[merchantValue](stored)
	return merchantValue{
		ask.orStored("AppSecret (开发管理 → 开发设置)", "", v.AppSecret),
		merchantAppKeys{
			ask.orStored("现网 AppKey (虚拟支付 → 基本配置)", unneeded, v.AppKeys.Production),
			ask.orStored("沙箱 AppKey", unneeded, v.AppKeys.Sandbox),
		},
	}
}

// deliveryValue is the webhook's secret as it is stored.
type deliveryValue struct {
	Keys []string `json:"keys"`
}

func askDelivery(ask asker, stored string) any {
	v := storedAs[deliveryValue](stored)
	const prompt = "Signing key of the webhook, whsec_..."
	if len(v.Keys) == 0 {
		return deliveryValue{[]string{ask(prompt)}}
	}
	if typed := ask(prompt + keeps); typed != "" {
		v.Keys = []string{typed}
	}
	return v
}

// sealValue is the sealing key as it is stored.
type sealValue struct {
	Key string `json:"key"`
}

func askSeal(ask asker, stored string) any {
	return sealValue{ask.orStored("Sealing key, 32 bytes in base64; better: xpay secrets rotate seal", "", storedAs[sealValue](stored).Key)}
}

// typed asks a person for each part. Nothing that is typed is shown. Who types nothing at all leaves the value as it is stored.
func (o output) typed(ctx context.Context, g secretGroup, stored string) (string, error) {
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
	anything := false
	var failed error
	value := g.ask(func(prompt string) string {
		if failed != nil {
			return ""
		}
		var text string
		text, failed = unlessInterrupted(ctx, func() (string, error) { return terminal.ReadPassword(prompt + ": ") })
		text = strings.TrimSpace(text)
		anything = anything || text != ""
		return text
	}, stored)
	if failed != nil {
		return "", errors.New("it could not be read to its end; nothing was put. 未读完，未写入")
	}
	if !anything && stored != "" {
		return stored, nil
	}
	raw, err := json.Marshal(value)
	return string(raw), err
}
