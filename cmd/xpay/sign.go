package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/explain"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// signCmd signs what comes on stdin, byte for byte.
type signCmd struct {
	Pay  signPayCmd  `cmd:"" help:"pay_sig / paySig: HMAC-SHA256(AppKey, uri + \"&\" + body). 支付签名。"`
	User signUserCmd `cmd:"" help:"signature: HMAC-SHA256(session_key, body). 用户态签名。"`
}

type signPayCmd struct {
	URI    string     `required:"" name:"uri" placeholder:"URI" help:"The path without its query, as /xpay/query_order; on the phone requestVirtualPayment. 签名用的 uri，不带参数。"`
	AppKey secretText `required:"" env:"XPAY_APP_KEY" placeholder:"KEY" help:"AppKey of the env in the body; @FILE reads a file. 包体中 env 对应的 AppKey。"`
}

type signUserCmd struct {
	SessionKey secretText `required:"" env:"XPAY_SESSION_KEY" placeholder:"KEY" help:"session_key as code2Session returned it, not decoded; @FILE reads a file. code2Session 返回的原文，不要解码。"`
}

// Help is printed by --help.
func (signCmd) Help() string {
	return strings.TrimSpace(exits("as asked. 按要求完成。", "the body cannot be read. 包体无法读取。"))
}

// Help is printed by --help.
func (signPayCmd) Help() string {
	return `Prints the lower-case hex and nothing else. Every byte counts: echo adds a newline that WeChat does not get, printf %s does not.

  printf %s '{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}' | xpay sign pay --uri /xpay/query_user_balance --app-key 12345
  xpay sign pay --uri requestVirtualPayment --app-key @app.key <signdata.json

只输出小写十六进制。包体逐字节参与签名：echo 会多一个换行，请用 printf %s。` + signExits
}

// Help is printed by --help.
func (signUserCmd) Help() string {
	return `Prints the lower-case hex and nothing else.

  printf %s "$SIGN_DATA" | xpay sign user --session-key @session.key
  printf '' | xpay sign user --session-key @session.key      # what checkSessionKey asks for

只输出小写十六进制。session_key 按原文使用，不要 base64 解码。` + signExits
}

var signExits = exits("the signature was printed. 已输出签名。", "the body cannot be read. 包体无法读取。")

// Run prints pay_sig.
func (c signPayCmd) Run(ctx context.Context, o output) error {
	if c.URI == "" {
		return usageError{errors.New("--uri is empty: give the path, or requestVirtualPayment. --uri 为空，请给出路径或 requestVirtualPayment")}
	}
	if path, query := explain.CutQuery(c.URI); query != "" {
		return usageError{fmt.Errorf("--uri has a query of %d characters: WeChat signs the path alone, %s. uri 不能带参数，只签路径", len(query), path)}
	}
	body, err := o.body(ctx)
	if err != nil {
		return err
	}
	switch right, known := explain.Canonical(c.URI); {
	case right != c.URI:
		fmt.Fprintf(o.err, "xpay: the uri to sign is %q, not %q. 签名用的 uri 应为 %q。\n", right, c.URI, right)
	case !known:
		fmt.Fprintf(o.err, "xpay: %q is none of WeChat's documented paths: is it spelt right? 不是微信文档中的路径，请检查拼写。\n", c.URI)
	}
	return o.signed("pay_sig", xpay.PaySig(string(c.AppKey), c.URI, body), body)
}

// Run prints signature.
func (c signUserCmd) Run(ctx context.Context, o output) error {
	body, err := o.body(ctx)
	if err != nil {
		return err
	}
	return o.signed("signature", xpay.UserSignature(string(c.SessionKey), body), body)
}

// signed prints a signature; to a person it says when the body ends in a newline.
func (o output) signed(name, value string, body []byte) error {
	if strings.HasSuffix(string(body), "\n") {
		o.progress("the body ends in a newline, which is signed too. 包体末尾的换行也参与了签名。")
	}
	if o.json {
		return o.printJSON(map[string]string{name: value})
	}
	_, err := fmt.Fprintln(o.out, value)
	return err
}
