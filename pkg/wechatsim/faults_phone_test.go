package wechatsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// The codes are all of the xpay spec, 2.3.
func TestEveryCodeOfThePhoneCanBeOrdered(t *testing.T) {
	t.Parallel()
	const absent, open, closed = 0, 1, 6
	leaves := map[int]int{-1: open, -2: open, -4: open, -15012: closed}
	says := map[int]string{-4: "风控拦截", -5: "开通签约结果未知", -15001: "iOS", -15005: "SIGNATURE_INVALID", -15006: "PAY_SIG_INVALID",
		-15010: "PRODUCT_ID_NOT_PUBLISH", -15011: "PAYMENT_ILLEGAL_IN_SANDBOX", -15013: "GOODS_PRICE_INVALID",
		-15014: "COIN_OR_PRODUCT_ID_CREATED_IN_RECENTLY", -2: "cancel", 1003: "unknown error",
	}
	for _, code := range []int{1001, 1003, -1, -2, -4, -5, -15001, -15002, -15003, -15004, -15005, -15006, -15007, -15008, -15009, -15010,
		-15011, -15012, -15013, -15014, -15016, -15017, -15018, -15019, -15020, -15021} {
		w := newWorld(t)
		w.faults(fmt.Sprintf(`{"cashier":{"code":{"errcode":%d,"times":2}}}`, code))
		session := w.login(testUser)
		for _, no := range []string{"ORDER0001", "ORDER0002"} {
			got := w.sim.RequestVirtualPayment(payment(session, signData(no, 1, 1800)))
			text, failed := strings.CutPrefix(got.ErrMsg, "requestVirtualPayment:fail ")
			if got.ErrCode != code || !failed || text == "" || !strings.Contains(text, says[code]) || got.NoCallback {
				t.Errorf("%d: %+v", code, got)
			}
			if v, _ := w.sim.Order(no); v.Status != leaves[code] || len(v.Payments) != 0 {
				t.Errorf("%d leaves an order with status %d, want %d", code, v.Status, leaves[code])
			}
		}
		if got := w.sim.RequestVirtualPayment(payment(session, signData("ORDER0003", 1, 1800))); got.ErrCode != 0 {
			t.Errorf("after %d twice: %+v", code, got)
		}
		if w.deliver() != 1 {
			t.Errorf("%d: pushes about payments that were not made", code)
		}
	}
}

func TestAnOrderedCodeOfThePhoneMayHaveAnotherText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"cashier":{"code":{"errcode":-15001,"times":1,"errmsg":"暂不支持非中国大陆地区苹果账号支付。"}}}`)
	got := w.sim.RequestVirtualPayment(payment(w.login(testUser), signData("ORDER0001", 1, 1800)))
	if got.ErrCode != -15001 || got.ErrMsg != "requestVirtualPayment:fail 暂不支持非中国大陆地区苹果账号支付。" {
		t.Errorf("the phone heard %+v", got)
	}
}

func TestAPaymentThatIsRefusedAnywayUsesNoFaultUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"cashier":{"code":{"errcode":-15020,"times":1},"lostCallback":1}}`)
	session := w.login(testUser)
	if got := w.sim.RequestVirtualPayment(payment(session, signData("ORDER0001", 1, 18))); got.ErrCode != -15013 {
		t.Errorf("another price: %+v", got)
	}
	if got := w.sim.RequestVirtualPayment(payment(session, signData("ORDER0001", 1, 1800))); got.ErrCode != -15020 {
		t.Errorf("a right payment: %+v", got)
	}
	r := payment(session, signData("ORDER0002", 1, 1800))
	r.Action = "cancel"
	if got := w.sim.RequestVirtualPayment(r); got.ErrCode != -2 || got.NoCallback {
		t.Errorf("a cancelled payment: %+v", got)
	}
	if f := w.sim.Faults().Cashier; f.LostCallback != 1 || f.Code.Times != 0 {
		t.Errorf("left are %+v", f)
	}
}

func TestAPaidOrderWhoseSuccessCallbackIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"cashier":{"lostCallback":1,"failedCallback":1}}`)
	session := w.login(testUser)
	want := []wechatsim.PaymentResult{
		{ErrCode: -1, NoCallback: true},
		{ErrCode: -1, ErrMsg: "requestVirtualPayment:fail payment failed"},
		{ErrMsg: "requestVirtualPayment:ok"},
	}
	for i, want := range want {
		no := fmt.Sprintf("ORDER000%d", i)
		if got := w.sim.RequestVirtualPayment(payment(session, signData(no, 1, 1800))); got != want {
			t.Errorf("%s: the phone heard %+v, want %+v", no, got, want)
		}
		if v := w.order(no); v.Status != 2 || v.PaidFee != 1800 {
			t.Errorf("%s: %+v", no, v)
		}
	}
	if sent := w.deliver(); sent != 3 {
		t.Errorf("%d pushes, want 3", sent)
	}
}

func TestALostCallbackIsSeenOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"cashier":{"lostCallback":1}}`)
	r := payment(w.login(testUser), signData("ORDER0001", 1, 1800))
	body := fmt.Sprintf(`{"openid":%q,"mode":%q,"signData":%q,"paySig":%q,"signature":%q}`,
		r.OpenID, r.Mode, r.SignData, r.PaySig, r.Signature)
	_, text := w.do("POST", "/sim/requestVirtualPayment", body)
	if text != `{"errCode":-1,"errMsg":"","noCallback":true}`+"\n" {
		t.Errorf("answer is %s", text)
	}
}

func TestAPushMayComeBeforeTheClientHearsOfSuccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.login(testUser)
	pay := func(no string, wantPushes int) {
		t.Helper()
		if got := w.sim.RequestVirtualPayment(payment(session, signData(no, 1, 1800))); got.ErrCode != 0 {
			t.Fatalf("%s: %+v", no, got)
		}
		if got := len(w.recv.bodies()); got != wantPushes {
			t.Errorf("when the phone hears of %s, %d pushes have arrived, want %d", no, got, wantPushes)
		}
	}
	pay("ORDER0001", 0)
	w.faults(`{"cashier":{"pushFirst":1}}`)
	w.recv.answer = func(_ int, _ *http.Request, _ []byte) (int, string) {
		if v, _ := w.sim.Order("ORDER0002"); v.Status != 2 { // the receiver may ask, no lock is held
			t.Errorf("the push comes at status %d", v.Status)
		}
		return 200, ""
	}
	pay("ORDER0002", 1) // the older push waits for its turn
	if got := w.recv.bodies()[0]; !strings.Contains(got, "ORDER0002") {
		t.Errorf("the push is %s", got)
	}
	if v := w.order("ORDER0002"); v.Status != 4 || v.Pushes[0].Attempts != 1 {
		t.Errorf("order is %+v", v)
	}
	w.recv.answer = nil
	pay("ORDER0003", 1)
	if sent := w.deliver(); sent != 2 {
		t.Errorf("%d more pushes, want 2", sent)
	}
}

func TestAnEarlyPushThatFailsIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"cashier":{"pushFirst":1}}`)
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 500, "" }
	w.buy("ORDER0001")
	if p := w.order("ORDER0001").Pushes[0]; p.Attempts != 1 || p.Answered || !p.NextAt.Equal(w.clock.Now().Add(2e9)) {
		t.Errorf("push is %+v", p)
	}
}

func TestTheAppleSigningHasFaultsOfItsOwn(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	w.faults(`{"appleSign":{"code":{"errcode":-5,"times":1},"failedCallback":1,"pushFirst":1}}`)
	if got := w.appleSign(session, appleData); got != "-5" {
		t.Errorf("ordered is -5, the phone heard %s", got)
	}
	if state, _ := w.appleInfo(); state != "UNBINDUSER" || len(w.recv.bodies()) != 0 {
		t.Errorf("a call that failed signed: %s", state)
	}
	if got := w.appleSign(session, appleData); got != "-1" {
		t.Errorf("the fail callback heard %s", got)
	}
	if pushed := w.recv.bodies(); len(pushed) != 2 {
		t.Errorf("before the phone heard, %d pushes arrived: %v", len(pushed), pushed)
	}
	if state, _ := w.appleInfo(); state != "SIGNED" {
		t.Errorf("a signing whose callback failed: %s", state)
	}
	if got := w.appleSign(session, appleData); got != "-15002" {
		t.Errorf("signing again: %s", got)
	}
}
