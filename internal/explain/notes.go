package explain

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
)

// Note is something in the question that is wrong, or will be, whatever was got.
type Note struct {
	What   string `json:"what"`
	WhatZH string `json:"whatZh"`
}

func (q Question) notes() (all []Note) {
	note := func(when bool, what, zh string) {
		if when {
			all = append(all, Note{what, zh})
		}
	}
	if q.AppKey != "" {
		right, known := Canonical(q.URI)
		note(right != q.URI, fmt.Sprintf("the uri to sign is %q", right), fmt.Sprintf("签名用的 uri 应为 %q", right))
		note(!known, fmt.Sprintf("%q is none of WeChat's documented paths: check how it is spelt", right), fmt.Sprintf("%q 不是微信文档中的路径，请检查拼写", right))
	}
	note(q.AppKey == sampleKey, "12345 is the AppKey of WeChat's own example: it may have been left in the code", "12345 是微信文档示例中的 AppKey，可能忘了替换")
	note(bytes.HasPrefix(q.Body, []byte("\ufeff")), "the body begins with a byte order mark", "包体开头有 BOM")
	note(bytes.HasSuffix(q.Body, []byte("\n")), "the body ends in a newline: make sure that it is sent, too (echo adds one; printf %s does not)", "包体末尾有换行：实际发送了吗？（echo 会添加换行，请用 printf %s）")
	note(strings.TrimSpace(q.AppKey) != q.AppKey || strings.TrimSpace(q.SessionKey) != q.SessionKey, "a key has spaces around it", "密钥首尾有空白")
	v, err := ordered.Parse(bytes.TrimPrefix(q.Body, []byte("\ufeff")))
	empty := len(q.Body) == 0 && q.AppKey == "" // checkSessionKey signs nothing, with the session_key alone
	note(!empty && (err != nil || v.Kind != ordered.Object), "the body is not a JSON object: WeChat answers 47001 or -15016", "包体不是 JSON 对象：微信会返回 47001 或 -15016")
	if err == nil && v.Kind == ordered.Object {
		all = append(all, q.fieldNotes(v)...)
	}
	return all
}

// numbers are the fields that must be JSON numbers. Spec 2.2, 4.
var numbers = []string{"env", "buyQuantity", "goodsPrice", "activitySellingPrice", "left_fee", "refund_fee", "amount", "begin_ds", "end_ds"}

// noEnv are the APIs whose body has no env. Spec 4.9, 4.15, 4.16, 4.17, 2.4.
var noEnv = []string{
	"/xpay/download_bill", "/xpay/download_ios_settlement_bill", "/xpay/query_punishment_reasons", "requestAppleSubscribeSign",
	"/xpay/query_subscribe_contract", "/xpay/send_subscribe_pre_payment", "/xpay/submit_subscribe_pay_order", "/xpay/cancel_subscribe_contract",
}

func (q Question) fieldNotes(v ordered.Value) (all []Note) {
	for _, name := range numbers {
		if f, there := v.Get(name); there && f.Kind == ordered.String {
			all = append(all, Note{name + " is a text, it must be a number", name + " 是字符串，应为数字"})
		}
	}
	if _, there := v.Get("platform"); there && canonical(q.URI) == clientCalls[0] {
		all = append(all, Note{"signData has platform, which was reported to cause -15005: leave it out", "signData 含 platform，有报告会导致 -15005：请去掉"})
	}
	for _, name := range []string{"pay_sig", "paySig", "signature"} {
		if _, there := v.Get(name); there {
			all = append(all, Note{name + " is in the body; it belongs into the query of the URL", name + " 在包体里，应放在 URL 查询参数"})
		}
	}
	env, there := v.Get("env")
	switch {
	case !there && q.AppKey != "" && !slices.Contains(noEnv, canonical(q.URI)):
		all = append(all, Note{"env is missing in the body: WeChat takes it as 0 and checks with the 现网 AppKey", "包体缺少 env：微信按 0 处理，并用现网 AppKey 校验"})
	case there && env.Text == "0" && q.AppKey != "":
		all = append(all, Note{"env is 0: the 现网 AppKey signs", "env 为 0：须用现网 AppKey 签名"})
	case there && env.Text == "1":
		all = append(all, Note{"env is 1: the 沙箱 AppKey signs", "env 为 1：须用沙箱 AppKey 签名"})
	}
	return all
}
