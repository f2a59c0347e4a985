package xpay

import (
	"fmt"
	"strings"
)

// Reply is the answer to a push: ErrCode 0 means delivered, anything else makes WeChat push again, at most 15
// times. It must be in the push's format; a format other than JSON gives XML, the console's default. Spec 7.1.
func Reply(f Format, errCode int, errMsg string) []byte {
	if f == JSON {
		return mustMarshal(struct {
			ErrCode int
			ErrMsg  string
		}{errCode, errMsg})
	}
	return fmt.Appendf(nil, "<xml><ErrCode>%d</ErrCode><ErrMsg>%s</ErrMsg></xml>", errCode, cdata(errMsg))
}

// IOSRefundReply answers Apple's question: 0 lets the refund pass, 1 objects. evidence is required. Spec 7.8.
func IOSRefundReply(f Format, resultCode int, info, evidence string) []byte {
	if f == JSON {
		return mustMarshal(struct {
			ResultCode int    `json:"result_code"`
			ResultInfo string `json:"result_info"`
			Evidence   string `json:"evidence"`
		}{resultCode, info, evidence})
	}
	return fmt.Appendf(nil, "<xml><result_code>%d</result_code><result_info>%s</result_info><evidence>%s</evidence></xml>",
		resultCode, cdata(info), cdata(evidence))
}

// mustMarshal is for structs of numbers and text, which always marshal.
func mustMarshal(v any) []byte {
	b, err := marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// cdata keeps text inside its section, and drops what XML can not hold.
func cdata(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return "<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>"
}
