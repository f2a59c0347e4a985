package wechatsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const punished = `{"caseId":"CASE0001","remark":"r","limitedFunctions":["提现"],"otherLimitedFunctions":"其他","reasonType":"RISK",
	"reason":"交易异常","reasonDescribe":"d","relateLimitations":["a","b"],"otherRelateLimitations":"o","recoverWay":"SUBMIT",
	"recoverWayParam":"p","recoverHelpUrl":"https://pay.example/help","actionType":"LIMIT","startDate":"2026-08-01","date":"2026-08-02"}`

func TestAPunishmentIsQueriedAndPushed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.xpay("/xpay/query_punishment_reasons", `{}`)
	wantField(t, a, "limited_functions", "[]")
	wantField(t, a, "recovery_specifications", "[]")
	w.play("punishment", punished)
	a = w.xpay("/xpay/query_punishment_reasons", `{}`)
	for name, want := range map[string]any{
		"errcode": 0, "appid": "wx1234567890abcdef", "nickname": "demo", "merchant_code": "1111636273",
		"limited_functions": "[提现]", "other_limited_functions": "其他",
	} {
		wantField(t, a, name, want)
	}
	c := a["recovery_specifications"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"limitation_case_id": "CASE0001", "limitation_reason_type": "RISK", "limitation_reason": "交易异常",
		"limitation_reason_describe": "d", "relate_limitations": "a,b", "other_relate_limitations": "o", "recover_way": "SUBMIT",
		"recover_way_param": "p", "recover_help_url": "https://pay.example/help", "limitation_action_type": "LIMIT",
		"limitation_start_date": "2026-08-01", "limitation_date": "2026-08-02",
	} {
		wantField(t, c, name, want)
	}
	w.deliver()
	const want = `{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":1785600000,"MsgType":"event","Event":"xpay_wxpay_callback_notify","AppId":"wx1234567890abcdef","NickName":"demo","MerchantCode":"1111636273","MerchantCompanyName":"demo company","BusinessTime":"2026-08-02T00:00:00+08:00","BusinessCode":"CASE0001","BusinessState":"PROCESSING","Remark":"r","EventType":"punishment","RetryTimes":0}`
	if got := w.recv.bodies(); len(got) != 1 || got[0] != want {
		t.Errorf("pushes are %v, want %s", got, want)
	}
	w.faults(`{"service":{"relateLimitationsArray":true}}`)
	a = w.xpay("/xpay/query_punishment_reasons", `{}`)
	wantField(t, a["recovery_specifications"].([]any)[0].(map[string]any), "relate_limitations", "[a b]")
	w.play("punishment", `{"caseId":"CASE0001","state":"DONE","lifted":true}`)
	wantField(t, w.xpay("/xpay/query_punishment_reasons", `{}`), "recovery_specifications", "[]")
	w.deliver()
	wantField(t, w.lastPush(), "BusinessState", "DONE")
}

func TestRiskPushesCountTheirRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(n int, _ *http.Request, _ []byte) (int, string) {
		if n == 1 {
			return 500, ""
		}
		return 200, "success"
	}
	w.play("punishment", `{"caseId":"CASE0001","eventType":"due_diligence"}`)
	w.deliver()
	w.clock.Advance(2 * time.Second)
	w.deliver()
	p := w.lastPush()
	wantField(t, p, "RetryTimes", 1)
	wantField(t, p, "EventType", "due_diligence")
	if w.clock.Advance(time.Hour); w.deliver() != 0 {
		t.Error("an acknowledged push came again")
	}
}

func TestEventsOfServicesAreXMLToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Push.Format = "xml"
	if err := w.restart(nil, nil); err != nil {
		t.Fatal(err)
	}
	w.play("punishment", `{"caseId":"CASE0001"}`)
	w.deliver()
	const want = `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oOfficialOpenId]]></FromUserName><CreateTime>1785600000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[xpay_wxpay_callback_notify]]></Event><AppId><![CDATA[wx1234567890abcdef]]></AppId><NickName><![CDATA[demo]]></NickName><MerchantCode><![CDATA[1111636273]]></MerchantCode><MerchantCompanyName><![CDATA[demo company]]></MerchantCompanyName><BusinessTime><![CDATA[2026-08-02T00:00:00+08:00]]></BusinessTime><BusinessCode><![CDATA[CASE0001]]></BusinessCode><BusinessState><![CDATA[PROCESSING]]></BusinessState><Remark><![CDATA[]]></Remark><EventType><![CDATA[punishment]]></EventType><RetryTimes>0</RetryTimes></xml>`
	if got := w.recv.bodies(); len(got) != 1 || got[0] != want {
		t.Errorf("pushes are %v", got)
	}
}

func TestPunishmentsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, bad := range []string{`{}`, `{"caseId":"C","eventType":"fine"}`, `{"caseID2":"C"}`} {
		if status, text := w.do("POST", "/sim/punishment", bad); status != 400 || !strings.Contains(text, "error") {
			t.Errorf("%s: HTTP %d %s", bad, status, text)
		}
	}
	w.wantCode(w.object("POST", w.xpayURL("/xpay/query_punishment_reasons", testKey, ""), ""), 44002)
	if got := fmt.Sprint(w.xpay("/xpay/query_punishment_reasons", `[]`)["errcode"]); got != "47001" {
		t.Errorf("an array: %s", got)
	}
}
