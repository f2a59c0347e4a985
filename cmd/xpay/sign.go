package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/explain"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// signCmd signs what comes on stdin, byte for byte.
type signCmd struct {
	Pay  signPayCmd  `cmd:"" help:"pay_sig / paySig: HMAC-SHA256(AppKey, uri + \"&\" + body)."`
	User signUserCmd `cmd:"" help:"signature: HMAC-SHA256(session_key, body)."`
}

type signPayCmd struct {
	URI    string     `required:"" name:"uri" placeholder:"URI" help:"The path without its query, as /xpay/query_order; on the phone requestVirtualPayment."`
	AppKey secretText `required:"" env:"XPAY_APP_KEY" placeholder:"KEY" help:"AppKey of the env in the body; @FILE reads a file."`
}

type signUserCmd struct {
	SessionKey secretText `required:"" env:"XPAY_SESSION_KEY" placeholder:"KEY" help:"session_key as code2Session returned it, not decoded; @FILE reads a file."`
}

// Help is printed by --help.
func (signPayCmd) Help() string {
	return `Prints the lower-case hex and nothing else. Every byte counts: echo adds a newline that WeChat does not get, printf %s does not.

  printf %s '{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}' | xpay sign pay --uri /xpay/query_user_balance --app-key 12345
  xpay sign pay --uri requestVirtualPayment --app-key @app.key <signdata.json

只输出小写十六进制。包体逐字节参与签名：echo 会多一个换行，请用 printf %s。`
}

// Help is printed by --help.
func (signUserCmd) Help() string {
	return `Prints the lower-case hex and nothing else.

  printf %s "$SIGN_DATA" | xpay sign user --session-key @session.key
  printf '' | xpay sign user --session-key @session.key      # what checkSessionKey asks for

只输出小写十六进制。session_key 按原文使用，不要 base64 解码。`
}

// Run prints pay_sig.
func (c signPayCmd) Run(o output) error {
	body, err := o.body()
	if err != nil {
		return err
	}
	if c.URI == "" {
		return usageError{errors.New("--uri is empty: give the path, or requestVirtualPayment")}
	}
	if path, query, ok := strings.Cut(c.URI, "?"); ok {
		return usageError{fmt.Errorf("--uri has a query of %d characters: WeChat signs the path alone, %s", len(query), path)}
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
func (c signUserCmd) Run(o output) error {
	body, err := o.body()
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
