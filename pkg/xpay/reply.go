package xpay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	replyWithin     = 5 * time.Second // CONFLICT in spec 7.1: 5 s and 3 tries, or 15 tries; so be quick and expect 15
	iosReplyWithin  = 3 * time.Second
	contentTypeJSON = "application/json; charset=utf-8"
	contentTypeXML  = "application/xml; charset=utf-8"
	contentTypeText = "text/plain; charset=utf-8"
)

// The result codes of Apple's question.
const (
	IOSRefundPass   = 0 // let the refund happen
	IOSRefundObject = 1
)

// Verdict is what a receiver made of a push. The zero Verdict says "done" to everything but Apple's question.
type Verdict struct {
	Code     int    // 0: done. Else WeChat pushes again, at most 15 times. Of Apple's question IOSRefundPass or IOSRefundObject
	Message  string // for people who look for errors; may be empty
	Evidence string // why, in words, of Apple's question only; required there
}

// PushReply is the HTTP 200 that answers one push.
type PushReply struct {
	Body        []byte
	ContentType string
	Encrypt     bool          // put Body into the encrypted envelope first, as miniprogram.Push.Seal does
	Within      time.Duration // counted from the arrival of the push
}

// ReplyFor says how a push is answered: in the format it came in; Apple's question in its own shape and within 3 seconds,
// everything else with ErrCode within 5; done to an event that this package does not know with the plain word success. encrypted
// tells that the push came in secure mode: then everything but that word must be encrypted (spec 3.7, 7.1, 7.8, trap 32).
// The error says what is missing in a verdict on Apple's question.
func ReplyFor(e Event, encrypted bool, v Verdict) (PushReply, error) {
	format := FormatOf(e.Raw)
	reply := PushReply{ContentType: format.contentType(), Encrypt: encrypted, Within: replyWithin}
	switch {
	case e.Name == EventIOSRefundQuery:
		if err := v.forApple(); err != nil {
			return PushReply{}, err
		}
		reply.Body, reply.Within = IOSRefundReply(format, v.Code, v.Message, v.Evidence), iosReplyWithin
	case v.Code == 0 && !slices.Contains(Events(), e.Name):
		reply.Body, reply.ContentType, reply.Encrypt = []byte("success"), contentTypeText, false
	case v.Code == 0 && v.Message == "":
		reply.Body = Reply(format, 0, "success")
	default:
		reply.Body = Reply(format, v.Code, v.Message)
	}
	return reply, nil
}

func (v Verdict) forApple() error {
	if v.Code != IOSRefundPass && v.Code != IOSRefundObject {
		return fmt.Errorf("reply to Apple's refund question: code is %d: use IOSRefundPass or IOSRefundObject", v.Code)
	}
	if v.Evidence == "" {
		return errors.New("reply to Apple's refund question: evidence is empty: say in words what was delivered")
	}
	return nil
}

// contentType of the default format, XML, is that of no format too.
func (f Format) contentType() string {
	if f == JSON {
		return contentTypeJSON
	}
	return contentTypeXML
}

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

// IOSRefundReply answers Apple's question; evidence is required. Without an answer within 3 seconds WeChat tells Apple
// "uncertain". The XML form is inferred from the JSON. Spec 7.8.
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
