package wechatsim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	appleQuery = `{"openid":"oUser1","product_id":"vip_month","mode":"apple"}`
	appleUser  = `{"openid":"oUser1","productId":"vip_month"}`
	appleData  = `{"offerId":"1450000001","productId":"vip_month","goodsPrice":1800,"attach":"testdata"}`
)

// iphone is a world with vip_month as a subscription of 31 days, and its user's session_key.
func iphone(t testing.TB) (*world, string) {
	t.Helper()
	w := newWorld(t, func(c *wechatsim.Config) { c.Subscriptions = map[string]int{"vip_month": 31} })
	return w, w.login(testUser)
}

// appleSign calls wx.requestAppleSubscribeSign with correct signatures.
func (w *world) appleSign(session, data string) string {
	w.t.Helper()
	body := fmt.Sprintf(`{"openid":"oUser1","signData":%q,"paySig":%q,"signature":%q}`, data,
		hmacHex(testKey, "requestAppleSubscribeSign&"+data), hmacHex(session, data))
	return fmt.Sprint(w.play("requestAppleSubscribeSign", body)["errCode"])
}

// appleInfo is what query_subscribe_contract tells in mode apple.
func (w *world) appleInfo() (state string, info map[string]any) {
	w.t.Helper()
	a := w.xpay("/xpay/query_subscribe_contract", appleQuery)
	w.wantCode(a, 0)
	info, _ = a["apple_subscription_info"].(map[string]any)
	return a["authorization_state"].(string), info
}

func TestAnAppleSubscriptionLives(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	if state, info := w.appleInfo(); state != "UNBINDUSER" || info != nil {
		t.Errorf("before signing: %s %v", state, info)
	}
	if got := w.appleSign(session, appleData); got != "0" {
		t.Fatalf("signing: %s", got)
	}
	state, info := w.appleInfo()
	original := info["original_transaction_id"]
	if state != "SIGNED" || original == "" {
		t.Errorf("signed: %s %v", state, info)
	}
	wantField(t, info, "auto_renew_status", 1)
	wantField(t, info, "recent_subscription_start_date", 1785600000000)
	wantField(t, info, "renewal_date", 1788278400000) // 31 days later
	w.deliver()
	all := w.recv.bodies()
	signed := fmt.Sprintf(`{"ToUserName":"gh_0123456789ab","FromUserName":"oUser1","CreateTime":1785600000,"MsgType":"event","Event":"xpay_apple_subscribe_signing_result_notify","OpenId":"oUser1","Attach":"testdata","AppleSubscriptionInfo":{"OriginalTransactionId":"%s","ProductId":"vip_month","AutoRenewStatus":1,"RenewalDate":1788278400000,"SignedTime":1785600000000}}`, original)
	if len(all) != 2 || all[0] != signed {
		t.Fatalf("pushes are %v, want %s first", all, signed)
	}
	paid := decode(t, all[1])
	wantField(t, paid, "Event", "xpay_goods_deliver_notify")
	if paid["WeChatPayInfo"] != nil {
		t.Errorf("an Apple payment has WeChatPayInfo: %v", paid)
	}
	about := paid["AppleSubscriptionInfo"].(map[string]any)
	for name, want := range map[string]any{"OriginalTransactionId": original, "AutoRenewStatus": 1, "RenewalDate": 1788278400000} {
		wantField(t, about, name, want)
	}
	o := w.show(paid["OutTradeNo"].(string))
	wantField(t, o, "order_type", 7)
	wantField(t, o, "paid_fee", 1800)

	w.later(31 * 24 * time.Hour)
	w.play("appleRenew", appleUser)
	w.deliver()
	_, info = w.appleInfo()
	wantField(t, info, "renewal_date", 1790956800000)
	wantField(t, w.lastPush(), "Event", "xpay_goods_deliver_notify")
	w.clock.Advance(time.Hour)
	w.play("appleUnsign", appleUser)
	w.deliver()
	ended := fmt.Sprintf(`{"ToUserName":"gh_0123456789ab","FromUserName":"oUser1","CreateTime":1788282000,"MsgType":"event","Event":"xpay_apple_subscribe_unsigning_result_notify","OpenId":"oUser1","Attach":"testdata","Action":"unsubscribe","AppleSubscriptionInfo":{"OriginalTransactionId":"%s","ProductId":"vip_month","AutoRenewStatus":0,"RenewalDate":1790956800000,"UnsignedTime":1788282000000}}`, original)
	if all := w.recv.bodies(); all[len(all)-1] != ended {
		t.Errorf("the push is %s, want %s", all[len(all)-1], ended)
	}
	if state, info := w.appleInfo(); state != "TERMINATED" || fmt.Sprint(info["auto_renew_status"]) != "0" {
		t.Errorf("ended: %s %v", state, info)
	}
	if status, _ := w.do("POST", "/sim/appleRenew", appleUser); status != 409 {
		t.Errorf("renewal after the end: HTTP %d", status)
	}
	before := len(w.recv.bodies())
	if got := w.appleSign(session, appleData); got != "0" {
		t.Errorf("signing again: %s", got)
	}
	w.deliver()
	if now := w.recv.bodies(); len(now) != before {
		t.Errorf("signing again within the paid period sent %v", now[before:])
	}
	_, info = w.appleInfo()
	wantField(t, info, "renewal_date", 1790956800000)
	w.play("appleUnsign", appleUser)
	w.deliver()
	w.later(32 * 24 * time.Hour)
	before = len(w.recv.bodies())
	if got := w.appleSign(session, appleData); got != "0" {
		t.Errorf("signing again after the period: %s", got)
	}
	w.deliver()
	if now := w.recv.bodies(); len(now) != before+1 || !strings.Contains(now[before], "xpay_goods_deliver_notify") {
		t.Errorf("signing again after the period sent %v, want the payment alone", now[before:])
	}
	if _, info := w.appleInfo(); info["original_transaction_id"] != original {
		t.Errorf("another original_transaction_id: %v", info)
	}
}

func TestAFreeTrialPaysNothing(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	w.appleSign(session, strings.Replace(appleData, `"attach"`, `"activitySellingPrice":0,"attach"`, 1))
	if len(w.sim.Orders()) != 0 {
		t.Errorf("orders are %+v", w.sim.Orders())
	}
	w.play("appleRenew", appleUser)
	if v := w.sim.Orders(); len(v) != 1 || v[0].PaidFee != 1800 {
		t.Errorf("after the renewal: %+v", v)
	}
}

func TestTheFirstPeriodMayBeCheaper(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	w.appleSign(session, strings.Replace(appleData, `"attach"`, `"activitySellingPrice":300,"attach"`, 1))
	w.play("appleRenew", appleUser)
	if v := w.sim.Orders(); len(v) != 2 || v[0].PaidFee != 300 || v[1].PaidFee != 1800 {
		t.Errorf("orders are %+v", v)
	}
}

func TestAppleSigningIsRefused(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	with := func(was, is string) string { return strings.Replace(appleData, was, is, 1) }
	for _, tt := range []struct{ name, data, want string }{
		{"no JSON", `[]`, "-15016"}, {"another offer", with("1450000001", "1450000002"), "-15001"},
		{"no attach", with("attach", "attached"), "-15001"}, {"attach of 201", with("testdata", strings.Repeat("a", 201)), "-15001"},
		{"no subscription", with("vip_month", "song"), "-15010"}, {"another price", with("1800", "1700"), "-15013"},
		{"price as text", with("1800", `"1800"`), "-15016"}, {"no price", with("goodsPrice", "price"), "-15001"},
		{"a dearer first period", with(`"attach"`, `"activitySellingPrice":1801,"attach"`), "-15001"},
		{"a first period as text", with(`"attach"`, `"activitySellingPrice":"1","attach"`), "-15016"},
	} {
		if got := w.appleSign(session, tt.data); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	call := func(openid, paySig, signature string) string {
		body := fmt.Sprintf(`{"openid":%q,"signData":%q,"paySig":%q,"signature":%q}`, openid, appleData, paySig, signature)
		return fmt.Sprint(w.play("requestAppleSubscribeSign", body)["errCode"])
	}
	pay, user := hmacHex(testKey, "requestAppleSubscribeSign&"+appleData), hmacHex(session, appleData)
	for _, tt := range []struct{ name, openid, pay, user, want string }{
		{"no paySig", testUser, "", user, "1001"}, {"nobody logged in", "oUser9", pay, user, "-15007"},
		{"the uri of the other call", testUser, hmacHex(testKey, "requestVirtualPayment&"+appleData), user, "-15006"},
		{"the sandbox key", testUser, hmacHex(sandKey, "requestAppleSubscribeSign&"+appleData), user, "-15006"},
		{"another session", testUser, pay, hmacHex("x", appleData), "-15005"}, {"correct", testUser, pay, user, "0"},
		{"twice", testUser, pay, user, "-15002"},
	} {
		if got := call(tt.openid, tt.pay, tt.user); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if status, _ := w.do("POST", "/sim/appleUnsign", `{"openid":"oUser2","productId":"vip_month"}`); status != 404 {
		t.Errorf("unsigning without a subscription: HTTP %d", status)
	}
}

func TestAppleQueriesLag(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	w.faults(`{"service":{"appleQueryLag":"10s"}}`)
	w.appleSign(session, appleData)
	state := func() string { s, _ := w.appleInfo(); return s }
	if got := state(); got != "UNBINDUSER" {
		t.Errorf("at once: %s", got)
	}
	w.clock.Advance(10 * time.Second)
	if got := state(); got != "SIGNED" {
		t.Errorf("after 10 s: %s", got)
	}
	w.play("appleUnsign", appleUser)
	w.clock.Advance(10*time.Second - 1)
	if got := state(); got != "SIGNED" {
		t.Errorf("just before 10 s: %s", got)
	}
	w.clock.Advance(1)
	if got := state(); got != "TERMINATED" {
		t.Errorf("10 s after the end: %s", got)
	}
}

// Spec 1.5: payments on iOS start at 1 yuan and have no sandbox.
func TestAppleTakesNoLessThanOneYuanAndNothingInTheSandbox(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	song := strings.NewReplacer("vip_month", "song", "1800", "10").Replace
	cheap := func(fen string) string {
		return strings.Replace(signData("ORDER0001", 1, 1800), `"attach"`, `"activitySellingPrice":`+fen+`,"attach"`, 1)
	}
	sandbox := strings.Replace(signData("ORDER0002", 1, 1800), `"env":0`, `"env":1`, 1)
	for _, tt := range []struct {
		name, data, key, channel string
		want                     int
	}{
		{"90 fen", song(signData("ORDER0001", 9, 1800)), testKey, "apple", -15001},
		{"a discount to 99 fen", cheap("99"), testKey, "apple", -15001},
		{"a discount to 1 yuan", cheap("100"), testKey, "apple", 0},
		{"10 times 10 fen", song(signData("ORDER0003", 10, 1800)), testKey, "apple", 0},
		{"90 fen by WeChat", song(signData("ORDER0004", 9, 1800)), testKey, "wechat", 0},
		{"the sandbox", sandbox, sandKey, "apple", -15001},
		{"the sandbox by WeChat", sandbox, sandKey, "wechat", 0},
	} {
		r := payment(session, tt.data)
		r.Channel, r.PaySig = tt.channel, hmacHex(tt.key, "requestVirtualPayment&"+tt.data)
		if got := w.sim.RequestVirtualPayment(r); got.ErrCode != tt.want {
			t.Errorf("%s: %+v, want %d", tt.name, got, tt.want)
		}
	}
}

func TestAnAppleSubscriptionCostsNoLessThanOneYuan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.Subscriptions = map[string]int{"vip_month": 31, "song": 7} })
	session := w.login(testUser)
	first := func(fen string) string {
		return strings.Replace(appleData, `"attach"`, `"activitySellingPrice":`+fen+`,"attach"`, 1)
	}
	for _, tt := range []struct{ name, data, want string }{
		{"10 fen a week", strings.NewReplacer("vip_month", "song", "1800", "10").Replace(appleData), "-15001"},
		{"99 fen at first", first("99"), "-15001"}, {"1 yuan at first", first("100"), "0"},
	} {
		if got := w.appleSign(session, tt.data); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
