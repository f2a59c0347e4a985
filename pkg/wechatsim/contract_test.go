package wechatsim_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	contractQuery = `{"openid":"oUser1","product_id":"vip_month","out_contract_code":"C-1"}`
	contractEnd   = `{"openid":"oUser1","product_id":"vip_month","out_contract_code":"C-1","termination_reason":"no need"}`
)

// subscribed is a world whose user signed vip_month (31 days, 18 yuan) on 2026-08-02 at that time of China.
func subscribed(t testing.TB, clock string, change ...func(*wechatsim.Config)) *world {
	t.Helper()
	w := newWorld(t, append(change, func(c *wechatsim.Config) { c.Subscriptions = map[string]int{"vip_month": 31} })...)
	w.at("2026-08-02 " + clock)
	w.play("sign", `{"openid":"oUser1","productId":"vip_month","outContractCode":"C-1"}`)
	return w
}

// at moves the clock forward to a time of China.
func (w *world) at(text string) {
	w.t.Helper()
	then, err := time.ParseInLocation(time.DateTime, text, time.FixedZone("", 8*3600))
	if err != nil || then.Before(w.clock.Now()) {
		w.t.Fatalf("%s is no later time: %v", text, err)
	}
	w.later(then.Sub(w.clock.Now()))
}

func (w *world) contractState() any {
	w.t.Helper()
	a := w.xpay("/xpay/query_subscribe_contract", contractQuery)
	w.wantCode(a, 0)
	return a["authorization_state"]
}

// notify sends a pre-notice.
func (w *world) notify(fen int) map[string]any {
	w.t.Helper()
	body := fmt.Sprintf(`{"openid":"oUser1","deduct_price":%d,"product_id":"vip_month","out_contract_code":"C-1"}`, fen)
	return w.xpay("/xpay/send_subscribe_pre_payment", body)
}

func chargeBody(no string, fen int) string {
	return fmt.Sprintf(`{"openid":"oUser1","offer_id":"1450000001","buy_quantity":1,"currency_type":"CNY","product_id":"vip_month","deduct_price":%d,"order_id":%q,"attach":"v1.tag"}`, fen, no)
}

func (w *world) charge(no string, fen int) map[string]any {
	w.t.Helper()
	return w.xpay("/xpay/submit_subscribe_pay_order", chargeBody(no, fen))
}

// charged submits a charge that must be accepted and lets its result come.
func (w *world) charged(no string, fen int) {
	w.t.Helper()
	w.wantCode(w.charge(no, fen), 0)
	w.clock.Advance(3 * time.Second)
	w.deliver()
}

func (w *world) lastPush() map[string]any {
	w.t.Helper()
	all := w.recv.bodies()
	if len(all) == 0 {
		w.t.Fatal("no push came")
	}
	return decode(w.t, all[len(all)-1])
}

func TestAContractIsSignedAndEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.Subscriptions = map[string]int{"vip_month": 31} })
	if got := w.contractState(); got != "UNBINDUSER" {
		t.Errorf("before signing: %v", got)
	}
	const sign = `{"openid":"oUser1","productId":"vip_month","outContractCode":"C-1"}`
	w.play("sign", sign)
	if got := w.contractState(); got != "SIGNED" {
		t.Errorf("signed: %v", got)
	}
	w.deliver()
	const want = `{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":1785600000,"MsgType":"event","Event":"xpay_subscribe_signing_result_notify","OpenId":"oUser1"}`
	if got := w.recv.bodies(); len(got) != 1 || got[0] != want {
		t.Errorf("pushes are %v, want %s", got, want)
	}
	w.play("unsign", `{"outContractCode":"C-1"}`)
	w.deliver()
	if got := w.contractState(); got != "TERMINATED" || len(w.recv.got) != 2 {
		t.Errorf("ended by the user: %v, %d pushes", got, len(w.recv.got))
	}
	if status, _ := w.do("POST", "/sim/sign", sign); status != 409 {
		t.Errorf("a used code was signed again: HTTP %d", status)
	}
	w.play("sign", `{"openid":"oUser1","productId":"vip_month","outContractCode":"C-2"}`)
	v := w.object("GET", "/sim/contracts", "")["contracts"].([]any)
	if len(v) != 2 || v[0].(map[string]any)["state"] != "TERMINATED" || v[1].(map[string]any)["state"] != "SIGNED" {
		t.Errorf("contracts are %v", v)
	}
}

func TestSigningIsRefused(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	for body, want := range map[string]int{
		`{"openid":"oUser1","productId":"vip_month","outContractCode":"C-2"}`: 409, // one living contract for each product
		`{"openid":"oUser2","productId":"vip_month","outContractCode":"C-1"}`: 409,
		`{"openid":"oUser2","productId":"song","outContractCode":"C-3"}`:      404, // no subscription
		`{"openid":"oUser2","productId":"nothing","outContractCode":"C-3"}`:   404,
		`{"openid":"","productId":"vip_month","outContractCode":"C-3"}`:       400,
		`{"openid":"oUser2","productId":"vip_month"}`:                         400,
	} {
		if status, text := w.do("POST", "/sim/sign", body); status != want {
			t.Errorf("%s: HTTP %d %s, want %d", body, status, text, want)
		}
	}
	for body, want := range map[string]int{`{"outContractCode":"C-9"}`: 404, `{"outContractCode":"C-1"}`: 200} {
		if status, _ := w.do("POST", "/sim/unsign", body); status != want {
			t.Errorf("unsign %s: HTTP %d, want %d", body, status, want)
		}
	}
	if status, _ := w.do("POST", "/sim/unsign", `{"outContractCode":"C-1"}`); status != 409 {
		t.Errorf("a contract ended twice: HTTP %d", status)
	}
}

func TestAContractIsCancelledByTheMerchant(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.deliver()
	w.lose("/xpay/cancel_subscribe_contract", contractEnd)
	if got := w.contractState(); got != "TERMINATED" {
		t.Errorf("state is %v", got)
	}
	w.wantCode(w.xpay("/xpay/cancel_subscribe_contract", contractEnd), 0)
	w.deliver()
	if len(w.recv.got) != 2 {
		t.Errorf("%d pushes, want one for signing and one for the end", len(w.recv.got))
	}
	w.wantCode(w.notify(1800), 690000000)
	w.wantCode(w.charge("CHARGE01", 1800), 690000000)
}

func TestSubscriptionCallsAreRefused(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	without := func(body, name string) string { return strings.Replace(body, `"`+name+`"`, `"x`+name+`"`, 1) }
	with := func(body, was, is string) string { return strings.Replace(body, was, is, 1) }
	for path, body := range map[string]string{
		"query_subscribe_contract": contractQuery, "cancel_subscribe_contract": contractEnd,
		"send_subscribe_pre_payment": `{"openid":"oUser1","deduct_price":1800,"product_id":"vip_month","out_contract_code":"C-1"}`,
		"submit_subscribe_pay_order": chargeBody("CHARGE01", 1800),
	} {
		for name := range decode(t, body) {
			w.wantRefusals("/xpay/"+path, []refusal{{"without " + name, without(body, name), 268490002, name}})
		}
		w.wantRefusals("/xpay/"+path, []refusal{{"empty openid", with(body, `"oUser1"`, `""`), 268490001, "openid"}})
	}
	w.wantRefusals("/xpay/query_subscribe_contract", []refusal{{"mode", with(contractQuery, `{`, `{"mode":"ios",`), 268490002, "mode"}})
	w.wantRefusals("/xpay/cancel_subscribe_contract", []refusal{
		{"of somebody else", with(contractEnd, "oUser1", "oUser2"), 268490002, "数据不存在"},
		{"of another product", with(contractEnd, "vip_month", "song"), 268490002, "数据不存在"},
		{"without reason", with(contractEnd, "no need", ""), 268490002, "termination_reason"},
	})
	notice := func(openid, product, code, fen string) string {
		return fmt.Sprintf(`{"openid":%q,"deduct_price":%s,"product_id":%q,"out_contract_code":%q}`, openid, fen, product, code)
	}
	w.wantRefusals("/xpay/send_subscribe_pre_payment", []refusal{
		{"99 fen", notice("oUser1", "vip_month", "C-1", "99"), 674690001, "扣费金额"},
		{"above the price", notice("oUser1", "vip_month", "C-1", "1801"), 674690001, "扣费金额"},
		{"no subscription product", notice("oUser1", "song", "C-1", "100"), 674690001, "商品类型"},
		{"a price as text", notice("oUser1", "vip_month", "C-1", `"1800"`), 268490002, "deduct_price"},
		{"somebody else", notice("oUser2", "vip_month", "C-1", "1800"), 690000000, "未签约"},
		{"another code", notice("oUser1", "vip_month", "C-9", "1800"), 690000000, "未签约"},
	})
	good := chargeBody("CHARGE01", 1800)
	w.wantRefusals("/xpay/submit_subscribe_pay_order", []refusal{
		{"another offer", with(good, "1450000001", "1450000002"), 268490002, "offer_id"},
		{"two of it", with(good, `"buy_quantity":1`, `"buy_quantity":2`), 268490002, "buy_quantity"},
		{"quantity as text", with(good, `"buy_quantity":1`, `"buy_quantity":"1"`), 268490002, "buy_quantity"},
		{"dollars", with(good, "CNY", "USD"), 268490002, "currency_type"},
		{"99 fen", with(good, "1800", "99"), 268490002, "deduct_price"},
		{"above the price", with(good, "1800", "1801"), 674690001, "扣费金额"},
		{"a number of 7", with(good, "CHARGE01", "CHARGE1"), 268490002, "order_id"},
		{"a number with an underscore in front", with(good, "CHARGE01", "_CHARGE1"), 268490002, "order_id"},
		{"attach as a number", with(good, `"v1.tag"`, `1`), 268490002, "attach"},
		{"sandbox, signed with the production key", with(good, `{`, `{"env":1,`), 268490003, "pay_sig"},
		{"env as text", with(good, `{`, `{"env":"0",`), 268490002, "env"},
		{"somebody else", with(good, "oUser1", "oUser2"), 690000000, "未签约"},
		{"no subscription product", with(good, "vip_month", "song"), 674690001, "商品类型"},
	})
	if a := w.object("POST", w.xpayURL("/xpay/submit_subscribe_pay_order", sandKey, good), good); fmt.Sprint(a["errcode"]) != "268490003" {
		t.Errorf("signed with the sandbox key: %v", a)
	}
	sandbox := with(good, `{`, `{"env":1,`)
	a := w.object("POST", w.xpayURL("/xpay/submit_subscribe_pay_order", sandKey, sandbox), sandbox)
	if !strings.HasPrefix(fmt.Sprint(a["errmsg"]), "SYSTEM_ERROR&midas_err_code=1003-600001-35506") {
		t.Errorf("sandbox: %v", a)
	}
	w.wantCode(w.xpay("/xpay/submit_subscribe_pay_order", with(good, `{`, `{"env":0,`)), 0)
}

func TestTheFirstChargeWithinTwelveHoursNeedsNoNotice(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "23:00:00") // outside the hours, which do not bind it
	w.deliver()
	w.wantCode(w.charge("CHARGE01", 1700), 0)
	wantField(t, w.show("CHARGE01"), "status", 1)
	w.clock.Advance(2 * time.Second)
	wantField(t, w.show("CHARGE01"), "status", 1)
	if w.deliver() != 0 {
		t.Error("the result left before its time")
	}
	w.clock.Advance(time.Second)
	w.deliver()
	p := w.lastPush()
	wantField(t, p, "Event", "xpay_goods_deliver_notify")
	wantField(t, p, "OutTradeNo", "CHARGE01")
	g := p["GoodsInfo"].(map[string]any)
	for name, want := range map[string]any{"ProductId": "vip_month", "Quantity": 1, "OrigPrice": 1800, "ActualPrice": 1700, "Attach": "v1.tag"} {
		wantField(t, g, name, want)
	}
	if p["WeChatPayInfo"] == nil {
		t.Errorf("the push has no WeChatPayInfo: %v", p)
	}
	o := w.show("CHARGE01")
	wantField(t, o, "status", 4)
	wantField(t, o, "paid_fee", 1700)
	w.wantCode(w.charge("CHARGE02", 1700), -15027) // this period is paid
	w.wantCode(w.refund("CHARGE01", "REFUND0001", 1700, 1700), 0)
}

func TestTheEdgesOfTheFirstTwelveHours(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		when string
		code int
	}{{"2026-08-02 20:00:00", 0}, {"2026-08-02 20:00:01", -15027}} {
		w := subscribed(t, "08:00:00")
		w.at(tt.when)
		if a := w.charge("CHARGE01", 1800); fmt.Sprint(a["errcode"]) != fmt.Sprint(tt.code) {
			t.Errorf("at %s: %v, want %d", tt.when, a, tt.code)
		}
	}
}

func TestTheHoursOfPreNotices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		when string
		code int
	}{
		{"2026-08-03 00:00:00", 690000001}, {"2026-08-03 07:09:59", 690000001}, {"2026-08-03 07:10:00", 0},
		{"2026-08-03 12:00:00", 0}, {"2026-08-03 21:49:59", 0}, {"2026-08-03 21:50:00", 690000001},
		{"2026-08-03 23:10:00", 690000001}, // 15:10 UTC: the hours are China's
	} {
		w := subscribed(t, "12:00:00")
		w.at(tt.when)
		if a := w.notify(1800); fmt.Sprint(a["errcode"]) != fmt.Sprint(tt.code) {
			t.Errorf("at %s: %v, want %d", tt.when, a, tt.code)
		}
	}
}

func TestTheDaysAndHoursOfCharges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		when string
		code int
	}{ // noticed on the 3rd: day t is the 5th, the last day the 11th
		{"2026-08-04 21:49:59", -15027}, {"2026-08-05 07:09:59", -15027}, {"2026-08-05 07:10:00", 0},
		{"2026-08-05 21:49:59", 0}, {"2026-08-05 21:50:00", -15027}, {"2026-08-06 12:00:00", 0},
		{"2026-08-11 21:49:59", 0}, {"2026-08-12 07:10:00", -15027},
	} {
		w := subscribed(t, "12:00:00")
		w.at("2026-08-03 20:00:00")
		w.wantCode(w.notify(1500), 0)
		w.at(tt.when)
		if a := w.charge("CHARGE01", 1500); fmt.Sprint(a["errcode"]) != fmt.Sprint(tt.code) {
			t.Errorf("at %s: %v, want %d", tt.when, a, tt.code)
		}
	}
}

func TestAChargeHasTheAmountOfItsNotice(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.at("2026-08-03 12:00:00")
	w.wantCode(w.charge("CHARGE01", 1800), -15027) // no notice
	w.wantCode(w.notify(1500), 0)
	w.at("2026-08-05 12:00:00")
	w.wantCode(w.charge("CHARGE01", 1800), 268490002)
	w.charged("CHARGE01", 1500)
	wantField(t, w.show("CHARGE01"), "paid_fee", 1500)
}

func TestTheNextNoticeMayComeThreeDaysBeforeThePeriodEnds(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.charged("CHARGE01", 1800) // paid 12:00:03 on 08-02: 31 days end at 12:00:03 on 09-02
	w.at("2026-08-30 12:00:02")
	w.wantCode(w.notify(1800), 690000001)
	w.at("2026-08-30 12:00:03")
	w.wantCode(w.notify(1800), 0)
	w.wantCode(w.notify(1800), 690000001) // one notice for each charge
	w.at("2026-09-01 07:10:00")
	w.charged("CHARGE02", 1800)
	w.wantCode(w.charge("CHARGE03", 1800), -15027)
	wantField(t, w.show("CHARGE02"), "status", 4)
}

func TestAnUnpaidChargeBlocksTheNextNoticeUntilTPlusEightIsOver(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.at("2026-08-03 12:00:00")
	w.wantCode(w.notify(1800), 0) // t is the 5th
	w.at("2026-08-13 21:49:00")
	w.wantCode(w.notify(1800), 690000001)
	w.at("2026-08-14 07:10:00")
	w.wantCode(w.notify(1800), 0)
}

func TestAFailedChargeIsRetriedOnceAnHour(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.deliver()
	w.faults(`{"service":{"chargeFails":2}}`)
	w.wantCode(w.charge("CHARGE01", 1800), 0)
	w.wantCode(w.charge("CHARGE02", 1800), -15027) // in progress
	w.clock.Advance(3 * time.Second)
	w.deliver()
	const want = `{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":1785643203,"MsgType":"event","Event":"xpay_subscribe_pay_fail_notify","OpenId":"oUser1"}`
	if all := w.recv.bodies(); all[len(all)-1] != want {
		t.Errorf("the push is %s, want %s", all[len(all)-1], want)
	}
	wantField(t, w.show("CHARGE01"), "status", 6)
	w.at("2026-08-02 12:59:59")
	w.wantCode(w.charge("CHARGE02", 1800), 268490015)
	w.at("2026-08-02 13:00:00")
	w.charged("CHARGE02", 1800)
	w.at("2026-08-03 07:09:59") // more than twelve hours after the signing the hours bind the retry
	w.wantCode(w.charge("CHARGE03", 1800), -15027)
	w.at("2026-08-03 07:10:00")
	w.charged("CHARGE03", 1800)
	wantField(t, w.show("CHARGE03"), "status", 4)
	if v := w.sim.Contracts()[0]; fmt.Sprint(v.Orders) != "[CHARGE01 CHARGE02 CHARGE03]" {
		t.Errorf("orders are %v", v.Orders)
	}
}

func TestADuplicateChargeIsRefused(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.lose("/xpay/submit_subscribe_pay_order", chargeBody("CHARGE01", 1800))
	w.wantCode(w.charge("CHARGE01", 1800), -15027)
	w.clock.Advance(3 * time.Second)
	w.deliver()
	if v := w.order("CHARGE01"); v.PaidFee != 1800 || len(v.Payments) != 1 || v.Status != 4 {
		t.Errorf("order is %+v", v)
	}
	w.buy("ORDER0001")
	w.wantCode(w.charge("ORDER0001", 1800), -15027)
	for _, call := range []string{"pay", "close"} {
		if status, _ := w.do("POST", "/sim/"+call, `{"outTradeNo":"CHARGE01"}`); status != 409 {
			t.Errorf("%s of a charge: HTTP %d", call, status)
		}
	}
}

func TestNoUserPaysARunningCharge(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.wantCode(w.charge("CHARGE01", 1800), 0)
	for _, call := range []string{"pay", "close"} {
		if status, _ := w.do("POST", "/sim/"+call, `{"outTradeNo":"CHARGE01"}`); status != 409 {
			t.Errorf("%s of a charge: HTTP %d", call, status)
		}
	}
}

func TestAChargeIsPaidWhenItFellDue(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.wantCode(w.charge("CHARGE01", 1800), 0)
	w.clock.Advance(time.Hour) // nobody looked meanwhile
	wantField(t, w.show("CHARGE01"), "paid_time", 1785643203)
}

func TestSubscriptionsSettleLate(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]int{7: 7, 31: 31, 93: 31, 372: 31} {
		w := newWorld(t, func(c *wechatsim.Config) { c.Subscriptions = map[string]int{"vip_month": days} })
		w.play("sign", `{"openid":"oUser1","productId":"vip_month","outContractCode":"C-1"}`)
		w.charged("CHARGE01", 1800)
		w.later(time.Duration(want)*24*time.Hour - time.Second)
		w.wantMoney("0.00")
		w.later(time.Second)
		w.wantMoney("17.82")
	}
}

func TestConcurrentChargesTakeMoneyOnce(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.contractState()
	var all sync.WaitGroup
	for i := range 16 {
		body := chargeBody(fmt.Sprintf("CHARGE%02d", i), 1800)
		target := w.xpayURL("/xpay/submit_subscribe_pay_order", testKey, body)
		all.Go(func() {
			w.sim.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", target, strings.NewReader(body)))
			w.deliver()
		})
	}
	all.Wait()
	w.clock.Advance(3 * time.Second)
	w.deliver()
	if got := w.sim.Orders(); len(got) != 1 || got[0].PaidFee != 1800 {
		t.Errorf("orders are %+v", got)
	}
}

func TestWrongPeriodsAreRefused(t *testing.T) {
	t.Parallel()
	cfg := newWorld(t).cfg
	cfg.Subscriptions = map[string]int{"vip_month": 30}
	if _, err := wechatsim.New(cfg); err == nil || !strings.Contains(err.Error(), `Subscriptions["vip_month"]`) {
		t.Errorf("error is %v", err)
	}
}

func TestANewContractDoesNotChargeTheSameUserTwiceInAnHour(t *testing.T) {
	t.Parallel()
	w := subscribed(t, "12:00:00")
	w.charged("CHARGE0001", 1800)
	w.play("unsign", `{"outContractCode":"C-1"}`)
	w.play("sign", `{"openid":"oUser1","productId":"vip_month","outContractCode":"C-2"}`)
	w.wantCode(w.charge("CHARGE0002", 1800), 268490015)
	w.clock.Advance(time.Hour)
	w.charged("CHARGE0003", 1800)
	if n := len(w.sim.Orders()); n != 2 {
		t.Errorf("%d orders, want two", n)
	}
}
