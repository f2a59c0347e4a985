package wechatsim_test

import (
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// TestCashierRefuses changes one thing of a correct payment at a time; the data is signed after the change.
func TestCashierRefuses(t *testing.T) {
	t.Parallel()
	replace := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	tests := []struct {
		name   string
		data   func(string) string
		change func(*wechatsim.PaymentRequest)
		want   int
	}{
		{"no mode", nil, func(r *wechatsim.PaymentRequest) { r.Mode = "" }, 1001},
		{"no signature", nil, func(r *wechatsim.PaymentRequest) { r.Signature = "" }, 1001},
		{"no paySig", nil, func(r *wechatsim.PaymentRequest) { r.PaySig = "" }, 1001},
		{"unknown mode", nil, func(r *wechatsim.PaymentRequest) { r.Mode = "goods" }, -15001},
		{"unknown action", nil, func(r *wechatsim.PaymentRequest) { r.Action = "steal" }, 1001},
		{"other user without session", nil, func(r *wechatsim.PaymentRequest) { r.OpenID = "oNobody" }, -15007},
		{"capital paySig", nil, func(r *wechatsim.PaymentRequest) { r.PaySig = strings.ToUpper(r.PaySig) }, -15006},
		{"wrong signature", nil, func(r *wechatsim.PaymentRequest) { r.Signature = r.PaySig }, -15005},
		{"bytes changed after signing", nil, func(r *wechatsim.PaymentRequest) { r.SignData += " " }, -15006},
		{"not JSON", func(string) string { return "{" }, nil, -15016},
		{"two values", func(s string) string { return s + "{}" }, nil, -15016},
		{"null", func(string) string { return "null" }, nil, -15016},
		{"quantity as text", replace(`"buyQuantity":1`, `"buyQuantity":"1"`), nil, -15016},
		{"quantity not whole", replace(`"buyQuantity":1`, `"buyQuantity":1.5`), nil, -15016},
		{"price as text", replace(`"goodsPrice":1800`, `"goodsPrice":"1800"`), nil, -15016},
		{"attach as number", replace(`"v1.tag"`, `7`), nil, -15016},
		{"env as text", replace(`"env":0`, `"env":"0"`), nil, -15016},
		{"env 2", replace(`"env":0`, `"env":2`), nil, -15001},
		{"sandbox with the production key", replace(`"env":0`, `"env":1`), nil, -15006},
		{"quantity 0", replace(`"buyQuantity":1`, `"buyQuantity":0`), nil, -15001},
		{"quantity beyond counting", replace(`"buyQuantity":1`, `"buyQuantity":9000000000000000`), nil, -15001},
		{"no attach", replace(`,"attach":"v1.tag"`, ``), nil, -15001},
		{"no productId", replace(`"productId":"vip_month",`, ``), nil, -15001},
		{"foreign offerId", replace(`1450000001`, `1450000002`), nil, -15001},
		{"dollars", replace(`CNY`, `USD`), nil, -15004},
		{"unpublished product", replace(`vip_month`, `vip_year`), nil, -15010},
		{"other price", replace(`1800`, `18`), nil, -15013},
		{"discount above the price", replace(`"attach"`, `"activitySellingPrice":1801,"attach"`), nil, -15001},
		{"number too short", replace(`ORDER0001`, `ORDER01`), nil, -15001},
		{"number too long", replace(`ORDER0001`, strings.Repeat("x", 33)), nil, -15001},
		{"number with leading underscore", replace(`ORDER0001`, `_ORDER0001`), nil, -15001},
		{"number with a dot", replace(`ORDER0001`, `ORDER.0001`), nil, -15001},
		{"used number", replace(`ORDER0001`, `USEDORDER1`), nil, -15002},
		{"cancelled number", replace(`ORDER0001`, `CANCELLED1`), nil, -15002},
	}
	w := newWorld(t)
	w.buy("USEDORDER1")
	w.buyWith("CANCELLED1", "cancel", "")
	session := w.login(testUser)
	for _, tt := range tests {
		data := signData("ORDER0001", 1, 1800)
		if tt.data != nil {
			data = tt.data(data)
		}
		r := payment(session, data)
		if tt.change != nil {
			tt.change(&r)
		}
		got := w.sim.RequestVirtualPayment(r)
		if got.ErrCode != tt.want || !strings.HasPrefix(got.ErrMsg, "requestVirtualPayment:fail ") {
			t.Errorf("%s: %+v, want %d", tt.name, got, tt.want)
		}
	}
	if _, there := w.sim.Order("ORDER0001"); there {
		t.Error("a refused payment made an order")
	}
}

func TestStaleAndMissingSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.login(testUser)
	w.sim.Login(testUser)
	if got := w.sim.RequestVirtualPayment(payment(old, signData("ORDER0001", 1, 1800))); got.ErrCode != -15005 {
		t.Errorf("a stale session_key: %+v", got)
	}
	if err := w.sim.Logout(testUser); err != nil {
		t.Fatal(err)
	}
	if got := w.sim.RequestVirtualPayment(payment(old, signData("ORDER0001", 1, 1800))); got.ErrCode != -15007 {
		t.Errorf("no session: %+v", got)
	}
}

func TestReleasedVersionRefusesSandbox(t *testing.T) {
	t.Parallel()
	for released, want := range map[bool]int{true: -15011, false: 0} {
		w := newWorld(t, func(c *wechatsim.Config) { c.Released = released })
		data := strings.Replace(signData("ORDER0001", 1, 1800), `"env":0`, `"env":1`, 1)
		r := payment(w.login(testUser), data)
		r.PaySig = hmacHex(sandKey, "requestVirtualPayment&"+data)
		if got := w.sim.RequestVirtualPayment(r); got.ErrCode != want {
			t.Errorf("released %t: %+v, want %d", released, got, want)
		}
	}
}

func TestArgumentTypesOfTheWxCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.object("POST", "/sim/requestVirtualPayment", `{"openid":"o","mode":"m","signData":{"a":1}}`)
	if a["errMsg"] != "requestVirtualPayment:fail parameter error: parameter.signData should be String instead of Object" {
		t.Errorf("answer is %v", a)
	}
	wantField(t, a, "errCode", 1001)
}

func TestCancelledOrderCanStillBePaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buyWith("ORDER0001", "cancel", "")
	wantField(t, w.show("ORDER0001"), "status", 1)
	w.clock.Advance(1000 * 3600e9)
	if status, text := w.do("POST", "/sim/pay", `{"outTradeNo":"ORDER0001"}`); status != 200 {
		t.Fatalf("pay: %d %s", status, text)
	}
	w.token = ""
	wantField(t, w.show("ORDER0001"), "status", 2)
	if status, _ := w.do("POST", "/sim/pay", `{"outTradeNo":"ORDER0001"}`); status != 409 {
		t.Errorf("paying twice: HTTP %d", status)
	}
	w.buyWith("ORDER0002", "cancel", "")
	if err := w.sim.Close("ORDER0002"); err != nil {
		t.Fatal(err)
	}
	wantField(t, w.show("ORDER0002"), "status", 6)
	if err := w.sim.Pay("ORDER0002"); err == nil {
		t.Error("a closed order was paid")
	}
	if status, _ := w.do("POST", "/sim/close", `{"outTradeNo":"UNKNOWN01"}`); status != 404 {
		t.Errorf("closing an unknown order: HTTP %d", status)
	}
}

func TestCoinOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := `{"offerId":"1450000001","buyQuantity":100,"currencyType":"CNY","outTradeNo":"COIN0001|*@","attach":""}`
	r := payment(w.login(testUser), data)
	r.Mode = "short_series_coin"
	if got := w.sim.RequestVirtualPayment(r); got.ErrCode != 0 || got.ErrMsg != "requestVirtualPayment:ok" {
		t.Fatalf("%+v", got)
	}
	w.deliver()
	p := decode(t, w.recv.bodies()[0])
	wantField(t, p, "Event", "xpay_coin_pay_notify")
	wantField(t, p["CoinInfo"].(map[string]any), "ActualPrice", 1000)
	if status, text := w.do("GET", "/sim/orders/COIN0001%7C*@", ""); status != 200 {
		t.Errorf("view: %d %s", status, text)
	}
}

func TestDiscountBecomesThePrice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := strings.Replace(signData("ORDER0001", 2, 1800), `"attach"`, `"activitySellingPrice":700,"attach"`, 1)
	session := w.login(testUser)
	w.faults(`{"orders":{"discountFloor":true}}`)
	if got := w.sim.RequestVirtualPayment(payment(session, data)); got.ErrCode != -15001 {
		t.Errorf("below the floor: %+v", got)
	}
	w.faults(`{"reset":true}`)
	if got := w.sim.RequestVirtualPayment(payment(session, data)); got.ErrCode != 0 {
		t.Fatalf("%+v", got)
	}
	wantField(t, w.show("ORDER0001"), "order_fee", 1400)
}
