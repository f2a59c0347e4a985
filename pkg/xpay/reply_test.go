package xpay

import (
	"strings"
	"testing"
	"time"
)

func TestRepliesAreThePublishedBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ got, want string }{
		"C8":                   {string(Reply(JSON, 0, "success")), `{"ErrCode":0,"ErrMsg":"success"}`},
		"C9":                   {string(Reply(XML, 0, "success")), `<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>`},
		"unknown format":       {string(Reply("", 1, "later")), `<xml><ErrCode>1</ErrCode><ErrMsg><![CDATA[later]]></ErrMsg></xml>`},
		"CDATA stays closed":   {string(Reply(XML, 1, "a]]>b\x00")), `<xml><ErrCode>1</ErrCode><ErrMsg><![CDATA[a]]]]><![CDATA[>b]]></ErrMsg></xml>`},
		"no HTML escapes":      {string(Reply(JSON, 1, "a<b>&")), `{"ErrCode":1,"ErrMsg":"a<b>&"}`},
		"iOS refund, spec 7.8": {string(IOSRefundReply(JSON, 0, "建议退款", "订单未发货")), `{"result_code":0,"result_info":"建议退款","evidence":"订单未发货"}`},
		"iOS refund as XML":    {string(IOSRefundReply(XML, 0, "建议退款", "订单未发货")), `<xml><result_code>0</result_code><result_info><![CDATA[建议退款]]></result_info><evidence><![CDATA[订单未发货]]></evidence></xml>`},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s", name, c.got)
		}
	}
}

func TestReplyForIsRightForEveryEventFormatAndMode(t *testing.T) {
	t.Parallel()
	const (
		ok      = "{\"ErrCode\":0,\"ErrMsg\":\"success\"}"
		okXML   = "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>"
		pass    = "{\"result_code\":0,\"result_info\":\"建议退款\",\"evidence\":\"订单未发货\"}"
		passXML = "<xml><result_code>0</result_code><result_info><![CDATA[建议退款]]></result_info><evidence><![CDATA[订单未发货]]></evidence></xml>"
	)
	for _, name := range Events() {
		verdict, want, within := Verdict{}, map[Format]string{JSON: ok, XML: okXML}, 5*time.Second
		if name == "xpay_subscribe_ios_refund_query_notify" {
			verdict, within = Verdict{IOSRefundPass, "建议退款", "订单未发货"}, 3*time.Second
			want = map[Format]string{JSON: pass, XML: passXML}
		}
		for _, format := range []Format{JSON, XML} {
			for _, encrypted := range []bool{true, false} {
				e, err := ParseEvent(push(t, name, format))
				if err != nil {
					t.Fatal(err)
				}
				got, err := ReplyFor(e, encrypted, verdict)
				if err != nil || string(got.Body) != want[format] || got.Encrypt != encrypted || got.Within != within ||
					!strings.HasPrefix(got.ContentType, "application/"+string(format)) {
					t.Errorf("%s %s encrypted %t: %+v %s %v", name, format, encrypted, got, got.Body, err)
				}
			}
		}
	}
}

func TestReplyForWhatIsUnknownOrNotDone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, msg string
		verdict   Verdict
		want      string
		encrypt   bool
	}{
		{"another feature's event", `{"Event":"debug_demo"}`, Verdict{}, "success", false},
		{"a new xpay event", `<xml><Event>xpay_new_notify</Event></xml>`, Verdict{Message: "kept"}, "success", false},
		{"a new event, not kept", `{"Event":"xpay_new_notify"}`, Verdict{Code: 1, Message: "later"}, `{"ErrCode":1,"ErrMsg":"later"}`, true},
		{"paid, not delivered", `<xml><Event>xpay_goods_deliver_notify</Event></xml>`, Verdict{Code: 1}, `<xml><ErrCode>1</ErrCode><ErrMsg><![CDATA[]]></ErrMsg></xml>`, true},
		{"paid, in XML that was indented", "<xml>\n <Event>\n  <![CDATA[xpay_goods_deliver_notify]]>\n </Event>\n</xml>", Verdict{}, `<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>`, true},
		{"paid, with space around the name", `{"Event":" xpay_goods_deliver_notify "}`, Verdict{}, `{"ErrCode":0,"ErrMsg":"success"}`, true},
		{"paid, with a word", `{"Event":"xpay_goods_deliver_notify"}`, Verdict{Message: "delivered"}, `{"ErrCode":0,"ErrMsg":"delivered"}`, true},
	} {
		e, err := ParseEvent([]byte(c.msg))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReplyFor(e, true, c.verdict)
		if err != nil || string(got.Body) != c.want || got.Encrypt != c.encrypt {
			t.Errorf("%s: %s encrypt %t %v", c.name, got.Body, got.Encrypt, err)
		}
	}
	question := Event{Name: EventIOSRefundQuery}
	for want, v := range map[string]Verdict{"evidence": {}, "code is 2": {Code: 2, Evidence: "x"}, "code is -1": {Code: -1, Evidence: "x"}} {
		if got, err := ReplyFor(question, false, v); err == nil || !strings.Contains(err.Error(), want) || got.Body != nil {
			t.Errorf("%+v: %s %v", v, got.Body, err)
		}
	}
	if got, err := ReplyFor(question, false, Verdict{Code: IOSRefundObject, Evidence: "delivered"}); err != nil || !strings.Contains(string(got.Body), "<result_code>1<") {
		t.Errorf("%s %v", got.Body, err)
	}
}
