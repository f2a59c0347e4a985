package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/explain"
)

// explainCmd says which mistake produces a value.
type explainCmd struct {
	URI         string     `name:"uri" placeholder:"URI" help:"What should be signed: /xpay/query_order, or requestVirtualPayment. 应当签名的 uri。"`
	AppKey      secretText `env:"XPAY_APP_KEY" placeholder:"KEY" help:"AppKey of the env in the body; @FILE reads a file. 包体中 env 对应的 AppKey。"`
	OtherAppKey secretText `env:"XPAY_OTHER_APP_KEY" placeholder:"KEY" help:"AppKey of the other env, to recognise it. 另一个环境的 AppKey，用于识别误用。"`
	SessionKey  secretText `env:"XPAY_SESSION_KEY" placeholder:"KEY" help:"session_key, to explain signature too. 用于分析用户态签名。"`
	AccessToken secretText `env:"XPAY_ACCESS_TOKEN" placeholder:"TOKEN" help:"access_token, to recognise a uri that was signed with its query. 用于识别带参数的 uri。"`
	Got         string     `required:"" placeholder:"HEX" help:"The value that your program made and WeChat refused. 程序算出、被微信拒绝的值。"`
}

// Help is printed by --help.
func (explainCmd) Help() string {
	return `The body that was sent (or signData) comes on stdin, byte for byte. Every known mistake is made, alone and two together, until one
produces the value. No key and no value of the uri's query is printed.

  printf %s "$BODY" | xpay explain --uri /xpay/query_order --app-key @app.key --got 8e3b0b28...
  xpay explain --uri requestVirtualPayment --app-key @app.key --session-key @session.key --got "$SIG" <signdata.json

找出错误签名的原因：把实际发送的包体（或 signData）原样放到标准输入。不会输出密钥，也不会输出 uri 参数的值。` +
		exits("the value is right, or explained. 签名正确，或已找到原因。", "no known mistake produces it. 没有已知原因。")
}

// Run prints what was found.
func (c explainCmd) Run(ctx context.Context, o output) error {
	body, err := o.body(ctx)
	if err != nil {
		return err
	}
	answer, err := explain.Explain(explain.Question{
		URI: c.URI, AppKey: string(c.AppKey), OtherAppKey: string(c.OtherAppKey), SessionKey: string(c.SessionKey),
		AccessToken: string(c.AccessToken), Body: body, Got: c.Got,
	})
	if err != nil {
		return usageError{err}
	}
	if o.json {
		err = o.printJSON(struct {
			Known bool `json:"known"` // right, or explained
			explain.Answer
		}{answer.Known(), answer})
	} else {
		_, err = fmt.Fprint(o.out, explained(answer))
	}
	if err == nil && !answer.Known() {
		return errTold
	}
	return err
}

// unexplained is what is left when the bytes show nothing.
const unexplained = `No known mistake, alone or two together, produces this value. 已知的错误（单独或两两组合）都得不到这个值。
What bytes cannot show 字节看不出来的原因:
  - another key than the one given here: copy it again; each env has its own. 密钥不同：重新复制，注意区分环境。
  - another body than the one given here: log the bytes that were signed. 包体不同：把参与签名的字节打印出来对比。
  - the body as GBK, as Java's getBytes() gives it on Chinese Windows: sign UTF-8. 包体按 GBK 编码签名：请用 getBytes(StandardCharsets.UTF_8)。
  - a stale session_key (signature only): wx.login and code2Session again, right before paying. session_key 已失效：支付前重新登录。
`

func explained(a explain.Answer) string {
	var b strings.Builder
	switch {
	case a.Right != "":
		fmt.Fprintf(&b, "This is the right %s. 这是正确的 %s。\nIf WeChat refuses it, key, uri or body differ from those given here", a.Right, a.Right)
		if a.Right == "signature" {
			b.WriteString(", or the session_key is stale: wx.login again")
		}
		b.WriteString(".\n")
	case len(a.Causes) == 0:
		b.WriteString(unexplained)
	}
	for i, c := range a.Causes {
		if i > 0 {
			b.WriteString("or 或\n")
		}
		explainCause(&b, c)
	}
	for _, n := range a.Notes {
		fmt.Fprintf(&b, "note: %s. 提示：%s。\n", n.What, n.WhatZH)
	}
	return b.String()
}

func explainCause(b *strings.Builder, c explain.Cause) {
	for _, m := range c.Mistakes {
		detail := ""
		if m.Detail != "" {
			detail = ": " + m.Detail
		}
		fmt.Fprintf(b, "%s: %s%s [%s]\n  %s\n  fix: %s\n  修正：%s\n", c.Of, m.What, detail, m.ID, m.WhatZH, m.Fix, m.FixZH)
	}
	if c.Signed != "" {
		fmt.Fprintf(b, "  signed text 被签名的内容: %q\n", c.Signed)
	}
}
