package wechatsim_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestXpayDoorRefuses(t *testing.T) {
	t.Parallel()
	const path = "/xpay/query_order"
	w := newWorld(t)
	w.buy("ORDER0001")
	body := `{"openid":"oUser1","env":0,"order_id":"ORDER0001"}`
	good := w.xpayURL(path, testKey, body)
	noSig := good[:strings.Index(good, "&pay_sig")]
	tests := []struct {
		name, method, target, body string
		want                       int
	}{
		{"correct", "POST", good, body, 0},
		{"unknown path", "POST", "/xpay/queryOrder", body, 40066},
		{"GET", "GET", good, "", 43002},
		{"no token", "POST", path, body, 41001},
		{"a token never issued", "POST", path + "?access_token=made_up", body, 40001},
		{"empty body", "POST", good, "", 44002},
		{"bad JSON", "POST", good, "{", 47001},
		{"an array", "POST", good, "[]", 47001},
		{"null", "POST", good, "null", 47001},
		{"too long", "POST", good, strings.Repeat(" ", 1<<20+1), 45002},
		{"no pay_sig", "POST", noSig, body, 268490003},
		{"pay_sig of other bytes", "POST", good, body + " ", 268490003},
		{"pay_sig with the sandbox key", "POST", w.xpayURL(path, sandKey, body), body, 268490003},
		{"pay_sig in capitals", "POST", noSig + "&pay_sig=" + strings.ToUpper(hmacHex(testKey, path+"&"+body)), body, 268490003},
	}
	for _, tt := range tests {
		a := w.object(tt.method, tt.target, tt.body)
		if fmt.Sprint(a["errcode"]) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %d", tt.name, a, tt.want)
		}
	}
	w.clock.Advance(7200 * time.Second)
	w.wantCode(w.object("POST", good, body), 42001)
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"openid":"oUser1","env":0,"order_id":"ORDER0001"}`
	rid := regexp.MustCompile(`^数据不存在 rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`)
	if a := w.xpay("/xpay/query_order", body); !rid.MatchString(a["errmsg"].(string)) {
		t.Errorf("errmsg is %q", a["errmsg"])
	}
	target := w.xpayURL("/xpay/query_order", testKey, body)
	a := w.object("POST", target[:strings.Index(target, "&pay_sig")], body)
	if !strings.HasPrefix(a["errmsg"].(string), "签名字段[pay_sig]为空 rid: ") {
		t.Errorf("errmsg is %q", a["errmsg"])
	}
	a = w.object("POST", target+"0", body)
	if !strings.HasPrefix(a["errmsg"].(string), "支付签名(pay_sig)校验失败 rid: ") {
		t.Errorf("errmsg is %q", a["errmsg"])
	}
}

func TestChunkedBodyIs412(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewServer(w.sim)
	defer server.Close()
	body := `{"openid":"oUser1","env":0,"order_id":"ORDER0001"}`
	resp, err := http.Post(server.URL+w.xpayURL("/xpay/query_order", testKey, body), "application/json", io.MultiReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("HTTP %d, want 412", resp.StatusCode)
	}
}

func TestBodiesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	w.buyWith("OPENORDER", "cancel", "")
	w.buyWith("APPLE0001", "pay", "apple")
	r, n := "/xpay/refund_order", "/xpay/notify_provide_goods"
	good := refundBody("ORDER0001", "REFUND0001", 1800, 100)
	swap := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	tests := []struct {
		name, path, body string
		want             int
	}{
		{"query without openid", "/xpay/query_order", `{"env":0,"order_id":"ORDER0001"}`, 268490002},
		{"query with empty openid", "/xpay/query_order", `{"openid":"","env":0,"order_id":"ORDER0001"}`, 268490001},
		{"query of another user", "/xpay/query_order", `{"openid":"oUser2","env":0,"order_id":"ORDER0001"}`, 268490002},
		{"query without env", "/xpay/query_order", `{"openid":"oUser1","order_id":"ORDER0001"}`, 268490002},
		{"query with env as text", "/xpay/query_order", `{"openid":"oUser1","env":"0","order_id":"ORDER0001"}`, 268490002},
		{"query with both numbers", "/xpay/query_order", `{"openid":"oUser1","env":0,"order_id":"ORDER0001","wx_order_id":""}`, 268490002},
		{"query with no number", "/xpay/query_order", `{"openid":"oUser1","env":0}`, 268490002},
		{"query with our number as WeChat's", "/xpay/query_order", `{"openid":"oUser1","env":0,"wx_order_id":"ORDER0001"}`, 268490002},
		{"reason as number", r, swap(`"refund_reason":"3"`, `"refund_reason":3`), 268490002},
		{"reason as words", r, swap(`"refund_reason":"3"`, `"refund_reason":"broken"`), 268490002},
		{"reason 6", r, swap(`"refund_reason":"3"`, `"refund_reason":"6"`), 268490002},
		{"req_from as number", r, swap(`"req_from":"2"`, `"req_from":2`), 268490002},
		{"req_from 0", r, swap(`"req_from":"2"`, `"req_from":"0"`), 268490002},
		{"no biz_meta", r, swap(`"biz_meta":"m",`, ``), 268490002},
		{"biz_meta too long", r, swap(`"biz_meta":"m"`, `"biz_meta":"`+strings.Repeat("款", 1025)+`"`), 268490002},
		{"left_fee as text", r, swap(`"left_fee":1800`, `"left_fee":"1800"`), 268490002},
		{"left_fee null", r, swap(`"left_fee":1800`, `"left_fee":null`), 268490002},
		{"left_fee stale", r, swap(`"left_fee":1800`, `"left_fee":1700`), 268490016},
		{"refund_fee 0", r, swap(`"refund_fee":100`, `"refund_fee":0`), 268490002},
		{"refund_fee negative", r, swap(`"refund_fee":100`, `"refund_fee":-1`), 268490002},
		{"refund_fee above the rest", r, swap(`"refund_fee":100`, `"refund_fee":1801`), 268490002},
		{"refund number too short", r, swap("REFUND0001", "REFUND1"), 268490002},
		{"refund number with a bar", r, swap("REFUND0001", "REFUND|001"), 268490002},
		{"refund number of a payment", r, swap("REFUND0001", "OPENORDER"), 268490002},
		{"both numbers", r, swap(`"order_id"`, `"wx_order_id":"x","order_id"`), 268490002},
		{"unknown order", r, swap("ORDER0001", "ORDER0009"), 268490002},
		{"another user", r, swap("oUser1", "oUser2"), 268490002},
		{"unpaid order", r, swap("ORDER0001", "OPENORDER"), 268490002},
		{"Apple order", r, swap("ORDER0001", "APPLE0001"), 268490002},
		{"deliver an unknown order", n, `{"order_id":"ORDER0009","env":0}`, 268490002},
		{"deliver an unpaid order", n, `{"order_id":"OPENORDER","env":0}`, 268490002},
		{"correct refund after all that", r, good, 0},
	}
	for _, tt := range tests {
		if a := w.xpay(tt.path, tt.body); fmt.Sprint(a["errcode"]) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %d", tt.name, a, tt.want)
		}
	}
	sandbox := `{"openid":"oUser1","env":1,"order_id":"ORDER0001"}`
	w.wantCode(w.object("POST", w.xpayURL("/xpay/query_order", sandKey, sandbox), sandbox), 268490002)
	if c := w.order("ORDER0001").Calls; c.RefundOrder != 1 {
		t.Errorf("calls are %+v", c)
	}
}

func TestRefundWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	w.clock.Advance(365*24*time.Hour + time.Second)
	w.token = ""
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 100), 268490002)
}

func TestQueryHasTheShapeOfARealAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	o := w.show("ORDER0001")
	// The names of the real answer in xpay spec 4.6.
	for _, name := range strings.Fields("ext provide_time create_time paid_time biz_type paid_fee channel_order_id biz_meta token sett_time update_time wxpay_order_id order_fee wx_order_id sett_state order_id order_type env_type status left_fee") {
		if _, there := o[name]; !there {
			t.Errorf("%s is missing", name)
		}
		delete(o, name)
	}
	if len(o) > 0 {
		t.Errorf("surplus fields %v", o)
	}
	o = w.show("ORDER0001")
	wantField(t, o, "biz_meta", `{"attach":"v1.tag"}`)
	wantField(t, o, "env_type", 1)
	wantField(t, o, "order_type", 0)
	wantField(t, o, "status", 2)
	for name, form := range map[string]string{"wx_order_id": `^VPO\d{21}$`, "wxpay_order_id": `^4500000138\d{18}$`, "channel_order_id": `^\d{18}$`, "token": `^E-\d{18}$`} {
		if !regexp.MustCompile(form).MatchString(o[name].(string)) {
			t.Errorf("%s is %q", name, o[name])
		}
	}
	byWx := w.xpay("/xpay/query_order", fmt.Sprintf(`{"openid":"oUser1","env":0,"wx_order_id":%q}`, o["wx_order_id"]))
	wantField(t, byWx["order"].(map[string]any), "order_id", "ORDER0001")
	w.clock.Advance(72 * time.Hour)
	w.token = ""
	o = w.show("ORDER0001")
	wantField(t, o, "sett_state", 2)
	wantField(t, o, "platform_fee_fen", 18)
}

func TestNotifyProvideGoods(t *testing.T) {
	t.Parallel()
	const path, body = "/xpay/notify_provide_goods", `{"order_id":"ORDER0001","env":0}`
	w := newWorld(t)
	w.buy("ORDER0001")
	target := w.xpayURL(path, testKey, body)
	noSig := target[:strings.Index(target, "&pay_sig")]
	w.wantCode(w.object("POST", target+"0", body), 268490003)
	w.wantCode(w.object("POST", noSig+"&pay_sig=", body), 268490003)
	w.wantCode(w.object("POST", noSig, body), 0)
	wantField(t, w.show("ORDER0001"), "status", 4)
	w.wantCode(w.object("POST", target, body), 0)
	w.faults(`{"orders":{"notifyNotRepeatable":true}}`)
	w.wantCode(w.object("POST", target, body), 268490002)
	if c := w.order("ORDER0001").Calls; c.NotifyProvideGoods != 1 {
		t.Errorf("calls are %+v", c)
	}
}

func TestRefundLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	w.deliver()
	a := w.refund("ORDER0001", "REFUND0001", 1800, 500)
	wantField(t, a, "refund_order_id", "REFUND0001")
	wantField(t, a, "pay_order_id", "ORDER0001")
	wantField(t, w.show("ORDER0001"), "left_fee", 1300)
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 500), 0)
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 501), 268490002)
	w.wantCode(w.refund("ORDER0001", "REFUND0002", 1300, 500), 268490014)
	w.clock.Advance(3 * time.Second)
	if n := w.deliver(); n != 1 {
		t.Fatalf("%d pushes, want the refund's", n)
	}
	p := decode(t, w.recv.bodies()[1])
	for name, want := range map[string]any{"Event": "xpay_refund_notify", "MchRefundId": "REFUND0001", "WxRefundId": a["refund_wx_order_id"], "RefundFee": 500, "RetCode": 0, "RetryTimes": 0} {
		wantField(t, p, name, want)
	}
	r := w.show("REFUND0001")
	for name, want := range map[string]any{"order_type": 1, "status": 8, "refund_fee": 500, "biz_meta": "m"} {
		wantField(t, r, name, want)
	}
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 500), 0)
	w.wantCode(w.refund("ORDER0001", "REFUND0002", 1300, 1300), 0)
	wantField(t, w.show("REFUND0002"), "status", 8) // the first query ends it
	wantField(t, w.show("ORDER0001"), "status", 5)
	if v := w.order("ORDER0001"); v.LeftFee != 0 || v.PaidFee != 1800 || len(v.Refunds) != 2 || v.Calls.RefundOrder != 2 {
		t.Errorf("view is %+v", v)
	}
}

func TestAppleOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(n int, r *http.Request, body []byte) (int, string) {
		if strings.Contains(string(body), "ios_refund") {
			return 200, `{"result_code":1,"result_info":"no","evidence":"delivered"}`
		}
		return 200, "success"
	}
	w.buyWith("APPLE0001", "pay", "apple")
	wantField(t, w.show("APPLE0001"), "order_type", 7)
	w.deliver()
	if strings.Contains(w.recv.bodies()[0], "WeChatPayInfo") {
		t.Error("an Apple push has WeChatPayInfo")
	}
	if err := w.sim.AskAppleRefund("APPLE0001", ""); err != nil {
		t.Fatal(err)
	}
	w.deliver()
	q := decode(t, w.recv.bodies()[1])
	for name, want := range map[string]any{"FromUserName": "", "provide_status": "1", "p_count": "1", "pay_order_id": "APPLE0001"} {
		wantField(t, q, name, want)
	}
	if err := w.sim.ConsoleRefund("APPLE0001", 1800); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(3 * time.Second)
	w.deliver()
	v := w.order("APPLE0001")
	p := decode(t, w.recv.bodies()[2])
	wantField(t, p, "Attach", "v1.tag")
	wantField(t, p, "WxTransactionId", v.Payments[0].TransactionID)
	wantField(t, w.show(v.Refunds[0].RefundID), "order_type", 8)
	if got := v.Pushes[1]; !got.Answered || !strings.Contains(got.LastAnswer, `"result_code":1`) {
		t.Errorf("the answer to Apple's question is %+v", got)
	}
}

func TestConsoleRefund(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	for _, tt := range [][2]int{{0, 400}, {1801, 400}, {300, 200}} {
		if status, text := w.do("POST", "/sim/consoleRefund", fmt.Sprintf(`{"outTradeNo":"ORDER0001","refundFee":%d}`, tt[0])); status != tt[1] {
			t.Errorf("%d fen: HTTP %d %s", tt[0], status, text)
		}
	}
	if err := w.sim.ConsoleRefund("ORDER0001", 1); err == nil {
		t.Error("a second refund ran beside the first")
	}
	w.clock.Advance(3 * time.Second)
	w.deliver()
	v := w.order("ORDER0001")
	if len(v.Refunds) != 1 || !v.Refunds[0].Console || v.Refunds[0].Status != 8 || v.LeftFee != 1500 || v.Calls.RefundOrder != 0 {
		t.Errorf("view is %+v", v)
	}
}
