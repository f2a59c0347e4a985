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

// later moves the clock and forgets the token, which may have run out.
func (w *world) later(d time.Duration) { w.clock.Advance(d); w.token = "" }

// lose sends body to path while a fault loses the answer after the effect.
func (w *world) lose(path, body string) {
	w.t.Helper()
	w.faults(fmt.Sprintf(`{"api":{%q:{"errorAfterEffect":1}}}`, path))
	if status, text := w.do("POST", w.xpayURL(path, testKey, body), body); status != 500 {
		w.t.Fatalf("%s: HTTP %d %s, want a lost answer", path, status, text)
	}
}

// sim calls a control endpoint that must succeed.
func (w *world) play(endpoint, body string) map[string]any {
	w.t.Helper()
	return w.object("POST", "/sim/"+endpoint, body)
}

// refusal is a call that must answer a code, and what its text must hold.
type refusal struct {
	name, body string
	code       int
	text       string
}

func (w *world) wantRefusals(path string, tests []refusal) {
	w.t.Helper()
	for _, tt := range tests {
		a := w.xpay(path, tt.body)
		if got := fmt.Sprint(a["errcode"]); got != fmt.Sprint(tt.code) || !strings.Contains(fmt.Sprint(a["errmsg"]), tt.text) {
			w.t.Errorf("%s, %s: %v, want %d %s", path, tt.name, a, tt.code, tt.text)
		}
	}
}

// wantSignature checks the pay_sig of a path: missing answers 268490003 where it is required, wrong always.
func (w *world) wantSignature(path, body string, required bool) {
	w.t.Helper()
	target := w.xpayURL(path, testKey, body)
	bare, _, _ := strings.Cut(target, "&pay_sig")
	missing := fmt.Sprint(w.object("POST", bare, body)["errcode"])
	if (missing == "268490003") != required {
		w.t.Errorf("%s without pay_sig: %s", path, missing)
	}
	w.wantCode(w.object("POST", bare+"&pay_sig="+strings.Repeat("0", 64), body), 268490003)
	if required {
		return
	}
	w.wantCode(w.object("POST", bare+"&pay_sig=", body), 268490003)
}

func TestSignaturesOfServices(t *testing.T) {
	t.Parallel()
	required := strings.Fields(`query_biz_balance create_withdraw_order query_withdraw_order get_complaint_list get_complaint_detail
		get_negotiation_history response_complaint complete_complaint upload_vp_file get_upload_file_sign query_punishment_reasons`)
	disputed := strings.Fields(`query_transfer_account query_adver_funds create_funds_bill bind_transfer_accout query_funds_bill
		query_recover_bill download_adverfunds_order query_subscribe_contract send_subscribe_pre_payment
		submit_subscribe_pay_order cancel_subscribe_contract`)
	w := newWorld(t)
	for _, api := range required {
		w.wantSignature("/xpay/"+api, `{"env":0}`, true)
	}
	for _, api := range disputed {
		w.wantSignature("/xpay/"+api, `{"env":0}`, false)
	}
}

func (w *world) money() string {
	w.t.Helper()
	b := w.xpay("/xpay/query_biz_balance", `{"env":0}`)["balance_available"].(map[string]any)
	wantField(w.t, b, "currency_code", "CNY")
	return b["amount"].(string)
}

func (w *world) wantMoney(want string) {
	w.t.Helper()
	if got := w.money(); got != want {
		w.t.Errorf("the balance is %s, want %s", got, want)
	}
}

// rich is a world with 17.82 yuan to withdraw: one settled order of 18 yuan less one percent.
func rich(t testing.TB, change ...func(*wechatsim.Config)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.buy("ORDER0001")
	w.later(72 * time.Hour)
	return w
}

func TestMoneyIsWithdrawableOnceSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	w.later(72*time.Hour - time.Second)
	w.wantMoney("0.00")
	wantField(t, w.show("ORDER0001"), "sett_state", 3)
	w.later(time.Second)
	w.wantMoney("17.82")
	wantField(t, w.show("ORDER0001"), "sett_state", 2)
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 100), 0)
	w.wantMoney("16.83") // 17 yuan less one percent: the fee on the refund comes back
	w.later(178 * 24 * time.Hour)
	w.wantCode(w.refund("ORDER0001", "REFUND0002", 1700, 100), 0)
	w.wantMoney("15.83") // 181 days after the payment it does not
}

func TestAppleMoneySettlesFortyFiveDaysAfterTheMonth(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // 2026-08-02 00:00 in China
	w.buyWith("ORDER0001", "pay", "apple")
	w.later(time.Date(2026, 10, 15, 23, 59, 59, 0, time.FixedZone("", 8*3600)).Sub(w.clock.Now()))
	w.wantMoney("0.00")
	w.later(time.Second)
	w.wantMoney("15.84") // 18 yuan less twelve percent
}

func TestAWithdrawalRunsAndSucceeds(t *testing.T) {
	t.Parallel()
	w := rich(t)
	a := w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000001","withdraw_amount":"10.5","env":0}`)
	w.wantCode(a, 0)
	wantField(t, a, "withdraw_no", "W-000001")
	w.wantMoney("7.32")
	const query = `{"withdraw_no":"W-000001","env":0}`
	b := w.xpay("/xpay/query_withdraw_order", query)
	for name, want := range map[string]any{
		"status": "1", "withdraw_amount": "10.50", "wx_withdraw_no": a["wx_withdraw_no"], "fail_reason": "",
		"withdraw_success_timestamp": "", "create_time": "2026-08-05 00:00:00",
	} {
		wantField(t, b, name, want)
	}
	w.later(3 * time.Second)
	b = w.xpay("/xpay/query_withdraw_order", query)
	wantField(t, b, "status", 2)
	if b["withdraw_success_timestamp"] != "1785859203" { // text, not a number
		t.Errorf("withdraw_success_timestamp is %#v", b["withdraw_success_timestamp"])
	}
	w.wantMoney("7.32")
	w.wantCode(w.xpay("/xpay/query_withdraw_order", `{"withdraw_no":"W-000001","env":1}`), 268490003)
}

func TestAWithdrawalWithoutAmountTakesEverything(t *testing.T) {
	t.Parallel()
	w := rich(t)
	w.wantCode(w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000001","env":0}`), 0)
	w.wantMoney("0.00")
	wantField(t, w.xpay("/xpay/query_withdraw_order", `{"withdraw_no":"W-000001","env":0}`), "withdraw_amount", "17.82")
	w.wantRefusals("/xpay/create_withdraw_order", []refusal{{"nothing left", `{"withdraw_no":"W-000002","env":0}`, 268490002, "余额不足"}})
}

func TestAFailedWithdrawalGivesTheMoneyBack(t *testing.T) {
	t.Parallel()
	w := rich(t)
	w.faults(`{"service":{"withdrawFails":1}}`)
	w.wantCode(w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000001","env":0}`), 0)
	w.wantMoney("0.00")
	w.later(3 * time.Second)
	w.wantMoney("17.82")
	b := w.xpay("/xpay/query_withdraw_order", `{"withdraw_no":"W-000001","env":0}`)
	wantField(t, b, "status", 3)
	if b["fail_reason"] == "" || b["withdraw_success_timestamp"] != "" {
		t.Errorf("a failed withdrawal shows %v", b)
	}
}

func TestAWithdrawalEndsByHand(t *testing.T) {
	t.Parallel()
	w := rich(t, func(c *wechatsim.Config) { c.WithdrawDelay = time.Hour })
	w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000001","withdraw_amount":"1","env":0}`)
	w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000002","withdraw_amount":"2","env":0}`)
	w.play("withdrawal", `{"withdrawNo":"W-000001","failReason":"账户异常"}`)
	w.play("withdrawal", `{"withdrawNo":"W-000002"}`)
	wantField(t, w.xpay("/xpay/query_withdraw_order", `{"withdraw_no":"W-000001","env":0}`), "fail_reason", "账户异常")
	wantField(t, w.xpay("/xpay/query_withdraw_order", `{"withdraw_no":"W-000002","env":0}`), "status", 2)
	w.wantMoney("15.82")
	for body, want := range map[string]int{`{"withdrawNo":"W-000001"}`: 409, `{"withdrawNo":"W-000009"}`: 404} {
		if status, _ := w.do("POST", "/sim/withdrawal", body); status != want {
			t.Errorf("%s: HTTP %d, want %d", body, status, want)
		}
	}
	if v := w.object("GET", "/sim/withdrawals", "")["withdrawals"].([]any); len(v) != 2 {
		t.Errorf("withdrawals are %v", v)
	}
}

func TestWithdrawalsAreRefused(t *testing.T) {
	t.Parallel()
	w := rich(t)
	tests := []refusal{
		{"no number", `{"withdraw_amount":"1","env":0}`, 268490002, "withdraw_no"},
		{"a number of 7", `{"withdraw_no":"W-00001","env":0}`, 268490002, "withdraw_no"},
		{"a number of 33", `{"withdraw_no":"` + strings.Repeat("W", 33) + `","env":0}`, 268490002, "withdraw_no"},
		{"a number with a bar", `{"withdraw_no":"W|000001","env":0}`, 268490002, "withdraw_no"},
		{"more than there is", `{"withdraw_no":"W-000001","withdraw_amount":"17.83","env":0}`, 268490002, "余额不足"},
		{"no env", `{"withdraw_no":"W-000001"}`, 268490002, "env"},
	}
	for _, amount := range []string{`100`, `"0"`, `"0.00"`, `"-1"`, `"1.001"`, `"01.00"`, `"1."`, `".5"`, `"1,00"`, `""`, `null`, `"1e1"`} {
		tests = append(tests, refusal{"amount " + amount, `{"withdraw_no":"W-000001","withdraw_amount":` + amount + `,"env":0}`, 268490002, "withdraw_amount"})
	}
	w.wantRefusals("/xpay/create_withdraw_order", tests)
	w.wantRefusals("/xpay/query_withdraw_order", []refusal{
		{"unknown", `{"withdraw_no":"W-000001","env":0}`, 268490002, "数据不存在"},
		{"no number", `{"env":0}`, 268490002, "withdraw_no"},
	})
	w.wantMoney("17.82")
}

func TestTheSandboxHasNoMoneyOfProduction(t *testing.T) {
	t.Parallel()
	w := rich(t)
	const body = `{"withdraw_no":"W-000001","env":1}`
	a := w.object("POST", w.xpayURL("/xpay/create_withdraw_order", sandKey, body), body)
	w.wantCode(a, 268490002)
	const balance = `{"env":1}` // the key only: it is production all the same
	a = w.object("POST", w.xpayURL("/xpay/query_biz_balance", sandKey, balance), balance)
	wantField(t, a["balance_available"].(map[string]any), "amount", "17.82")
}

func TestSandboxMoneyIsWithdrawnOnItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := strings.Replace(signData("SANDBOX01", 1, 1800), `"env":0`, `"env":1`, 1)
	r := payment(w.login(testUser), data)
	r.PaySig = hmacHex(sandKey, "requestVirtualPayment&"+data)
	w.sim.RequestVirtualPayment(r)
	w.buy("ORDER0001")
	w.later(72 * time.Hour)
	const sandbox, production = `{"withdraw_no":"W-000001","env":1}`, `{"withdraw_no":"W-000001","env":0}`
	w.wantCode(w.object("POST", w.xpayURL("/xpay/create_withdraw_order", sandKey, sandbox), sandbox), 0)
	w.wantMoney("17.82")
	w.wantCode(w.xpay("/xpay/create_withdraw_order", production), 268490002) // the number is used
	w.wantCode(w.xpay("/xpay/query_withdraw_order", production), 268490002)
}

func TestTheBalanceIsNeverShownBelowZero(t *testing.T) {
	t.Parallel()
	w := rich(t)
	w.wantCode(w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000001","env":0}`), 0)
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 1800), 0)
	w.wantMoney("0.00")
	w.buy("ORDER0002")
	w.later(72 * time.Hour)
	w.wantMoney("0.00") // 17.82 came, and 17.82 had been taken too much
}

func TestAFailedRefundGivesTheMoneyBackToTheBalance(t *testing.T) {
	t.Parallel()
	w := rich(t)
	w.wantMoney("17.82")
	w.faults(`{"orders":{"refundFails":1}}`)
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 1800), 0)
	w.wantMoney("0.00")
	w.clock.Advance(3 * time.Second)
	w.deliver()
	w.wantMoney("17.82")
}

func TestARepeatedWithdrawalMovesNothing(t *testing.T) {
	t.Parallel()
	w := rich(t)
	const body = `{"withdraw_no":"W-000001","withdraw_amount":"10.00","env":0}`
	w.lose("/xpay/create_withdraw_order", body)
	w.wantMoney("7.82")
	shown := w.xpay("/xpay/query_withdraw_order", `{"withdraw_no":"W-000001","env":0}`)
	again := w.xpay("/xpay/create_withdraw_order", body)
	w.wantCode(again, 0)
	wantField(t, again, "wx_withdraw_no", shown["wx_withdraw_no"])
	w.wantRefusals("/xpay/create_withdraw_order", []refusal{
		{"another amount", `{"withdraw_no":"W-000001","withdraw_amount":"1.00","env":0}`, 268490002, "withdraw_no"},
		{"everything", `{"withdraw_no":"W-000001","env":0}`, 268490002, "withdraw_no"},
	})
	w.faults(`{"service":{"withdrawRepeatRefused":true}}`)
	w.wantCode(w.xpay("/xpay/create_withdraw_order", body), 268490002)
	w.wantMoney("7.82")
}

func TestConcurrentWithdrawalsNeverTakeMoreThanThereIs(t *testing.T) {
	t.Parallel()
	w := rich(t)
	w.money()
	var all sync.WaitGroup
	for i := range 16 {
		body := fmt.Sprintf(`{"withdraw_no":"W-%06d","withdraw_amount":"5.00","env":0}`, i)
		target := w.xpayURL("/xpay/create_withdraw_order", testKey, body)
		all.Go(func() {
			w.sim.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", target, strings.NewReader(body)))
		})
	}
	all.Wait()
	w.wantMoney("2.82")
	if got := len(w.sim.Withdrawals()); got != 3 {
		t.Errorf("%d withdrawals were made, want 3", got)
	}
}
