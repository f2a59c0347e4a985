package doctor

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Pushed is a push that a receiver answered.
type Pushed struct {
	Event  string            // its whole name, as xpay_goods_deliver_notify
	Format string            // json or xml; the answer must be in the same
	Opener *miniprogram.Push // opens the answer to an encrypted push; nil: the push was plain
}

// Verdict is what WeChat makes of an answer with status 200.
type Verdict struct {
	Answer    []byte // decrypted, if it was encrypted
	Encrypted bool
	Why       string // why WeChat would push again; "": it takes the answer
	WhyZH     string
}

// Judge is WeChat's: nothing, the text success, or ErrCode 0, and for Apple's question about a refund result_code 0 or 1
// with evidence; in the push's own format and mode, and by these exact names. Spec 7.1, 7.8.
func (p Pushed) Judge(answer []byte) Verdict {
	v := Verdict{Answer: answer}
	if text := strings.TrimSpace(string(answer)); text == "" || text == "success" {
		if p.Event == xpay.EventIOSRefundQuery {
			v.Why, v.WhyZH = "Apple's question is answered by result_code and evidence, not by success", "苹果退款询问须返回 result_code 和 evidence，不能是 success"
		}
		return v
	}
	if p.Opener != nil {
		plain, err := p.unseal(answer)
		if err != nil {
			v.Why, v.WhyZH = "an answer to an encrypted push must be encrypted, or success ("+err.Error()+")", "对加密推送的应答须加密，或为 success"
			return v
		}
		v.Answer, v.Encrypted = plain, true
	}
	v.Why, v.WhyZH = p.accepts(v.Answer)
	return v
}

// unseal opens an encrypted answer. It is signed as a push is.
func (p Pushed) unseal(answer []byte) ([]byte, error) {
	fields, err := readFields(p.Format, answer)
	if err != nil {
		return nil, errors.New("it is not in the format of the push, " + p.Format)
	}
	q := url.Values{"encrypt_type": {"aes"}}
	for field, parameter := range map[string]string{"MsgSignature": "msg_signature", "TimeStamp": "timestamp", "Nonce": "nonce"} {
		if fields[field].text == "" {
			return nil, errors.New("it has no " + field)
		}
		q.Set(parameter, fields[field].text)
	}
	m, err := p.Opener.Open(q, answer)
	return m.Body, err
}

func (p Pushed) accepts(answer []byte) (why, whyZH string) {
	fields, err := readFields(p.Format, answer)
	if err != nil {
		return "the answer is not in the format of the push, " + p.Format, "应答格式与推送不一致"
	}
	if p.Event == xpay.EventIOSRefundQuery {
		return acceptsApple(fields)
	}
	switch code, there := fields["ErrCode"]; {
	case !there:
		return "the answer has no ErrCode", "应答没有 ErrCode"
	case !code.is("0"):
		return strings.TrimSpace(fmt.Sprintf("ErrCode is %.20q, not the number 0 %.200s", code.text, fields["ErrMsg"].text)), "ErrCode 不是数字 0"
	}
	return "", ""
}

func acceptsApple(fields map[string]field) (why, whyZH string) {
	switch result, there := fields["result_code"]; {
	case !there:
		return "the answer to Apple's question has no result_code", "对苹果退款询问的应答没有 result_code"
	case !result.is("0") && !result.is("1"):
		return "result_code is neither 0, to let the refund pass, nor 1, to object", "result_code 应为 0（同意）或 1（反对）"
	case !fields["evidence"].says():
		return "the answer to Apple's question has no evidence, a text", "对苹果退款询问的应答没有 evidence（文本）"
	}
	return "", ""
}

// field is a value of an answer. An XML one may be read as a number or as a text.
type field struct {
	text         string
	number, word bool
}

func (f field) is(number string) bool { return f.number && f.text == number }

func (f field) says() bool { return f.word && f.text != "" }

// readFields reads the outermost fields by their exact names, which encoding/json would not insist on.
func readFields(format string, answer []byte) (map[string]field, error) {
	fields := map[string]field{}
	if format == "xml" {
		var doc struct {
			XMLName xml.Name `xml:"xml"`
			Fields  []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		}
		err := xml.Unmarshal(answer, &doc)
		for _, f := range doc.Fields {
			fields[f.XMLName.Local] = field{strings.TrimSpace(f.Text), true, true}
		}
		return fields, err
	}
	var all map[string]json.RawMessage
	err := json.Unmarshal(answer, &all)
	for name, raw := range all {
		text := string(raw)
		word := raw[0] == '"' && json.Unmarshal(raw, &text) == nil
		fields[name] = field{text, !word, word}
	}
	return fields, err
}
