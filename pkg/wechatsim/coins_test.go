package wechatsim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// asUser calls an /xpay API with the signatures of the merchant (env 0) and of the user's session.
func (w *world) asUser(path, session, body string) map[string]any {
	w.t.Helper()
	return w.object("POST", w.userURL(path, testKey, session, body), body)
}

func (w *world) userURL(path, key, session, body string) string {
	w.t.Helper()
	return w.xpayURL(path, key, body) + "&signature=" + hmacHex(session, body)
}

// buyCoins logs the user in, buys coins at the cashier and gives the session_key.
func (w *world) buyCoins(no string, coins int) string {
	w.t.Helper()
	session := w.login(testUser)
	data := fmt.Sprintf(`{"offerId":"1450000001","buyQuantity":%d,"env":0,"currencyType":"CNY","outTradeNo":%q,"attach":""}`, coins, no)
	r := payment(session, data)
	r.Mode = "short_series_coin"
	if got := w.sim.RequestVirtualPayment(r); got.ErrCode != 0 {
		w.t.Fatalf("payment of %s: %+v", no, got)
	}
	return session
}

func spendBody(id string, coins int) string {
	return fmt.Sprintf(`{"openid":"oUser1","env":0,"user_ip":"1.1.1.1","amount":%d,"order_id":%q,"payitem":"[{\"productid\":\"ep_1\",\"unit_price\":%d,\"quantity\":1}]","remark":"episode"}`, coins, id, coins)
}

func cancelBody(id, spend string, coins int) string {
	return fmt.Sprintf(`{"openid":"oUser1","env":0,"user_ip":"1.1.1.1","pay_order_id":%q,"order_id":%q,"amount":%d}`, spend, id, coins)
}

func giftBody(id string, coins int) string {
	return fmt.Sprintf(`{"openid":"oUser1","env":0,"order_id":%q,"amount":%d}`, id, coins)
}

const balanceBody = `{"openid":"oUser1","env":0,"user_ip":"1.1.1.1"}`

func (w *world) spend(session, id string, coins int) map[string]any {
	w.t.Helper()
	return w.asUser("/xpay/currency_pay", session, spendBody(id, coins))
}

func (w *world) cancelSpend(session, id, spend string, coins int) map[string]any {
	w.t.Helper()
	return w.asUser("/xpay/cancel_currency_pay", session, cancelBody(id, spend, coins))
}

func (w *world) give(id string, coins int) map[string]any {
	w.t.Helper()
	return w.xpay("/xpay/present_currency", giftBody(id, coins))
}

// wantBalance compares query_user_balance with balance, present_balance, sum_save, sum_present, sum_balance, sum_cost.
func (w *world) wantBalance(session string, want ...int) {
	w.t.Helper()
	a := w.asUser("/xpay/query_user_balance", session, balanceBody)
	names := []string{"balance", "present_balance", "sum_save", "sum_present", "sum_balance", "sum_cost"}
	for i, name := range names {
		wantField(w.t, a, name, want[i])
	}
}

// The body and both signatures are the published example (xpay spec 3.9, V1).
func TestThePublishedSignaturesOpenTheBalance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.AppKeys = map[int]string{0: "12345"} })
	if err := w.sim.Restore(strings.NewReader(`{"k":"user","n":1,"at":1,"v":{"openid":"xxx","key":"9hAb/NEYUlkaMBEsmFgzig=="}}` + "\n")); err != nil {
		t.Fatal(err)
	}
	token := w.accessToken(false)["access_token"].(string)
	target := "/xpay/query_user_balance?access_token=" + token +
		"&pay_sig=c37809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5" +
		"&signature=089d9e8dc5d308977360c4b79ec600a93d736802802a807d634192328032f6c7"
	body := `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`
	w.wantCode(w.object("POST", target, body), 0)
	w.wantCode(w.object("POST", strings.Replace(target, "089d9e8d", "189d9e8d", 1), body), 268490003)
}

func TestCoinsAreBoughtGivenSpentAndTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.buyCoins("COIN00001", 100)
	w.wantBalance(session, 100, 0, 100, 0, 100, 0)

	a := w.give("GIFT00001", 30)
	wantField(t, a, "balance", 130)
	wantField(t, a, "present_balance", 30)
	wantField(t, a, "order_id", "GIFT00001")

	a = w.spend(session, "SPEND0001", 50)
	wantField(t, a, "balance", 80)
	wantField(t, a, "used_present_amount", 30) // gift coins go first
	wantField(t, a, "order_id", "SPEND0001")
	w.wantBalance(session, 80, 0, 100, 30, 130, 50)

	a = w.cancelSpend(session, "BACK00001", "SPEND0001", 25)
	w.wantCode(a, 0)
	wantField(t, a, "order_id", "BACK00001")
	w.wantBalance(session, 105, 5, 100, 30, 130, 25) // the 20 bought coins were taken last and come back first

	a = w.give("GIFT00002", 7)
	wantField(t, a, "present_balance", 37) // ever given, not what is left of it
}

// A push that WeChat repeats, a lost answer, a second delivery: the order credits its coins once.
func TestACoinOrderCreditsTheAccountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 500, "" }
	session := w.buyCoins("COIN00001", 100)
	w.deliver()
	w.clock.Advance(2 * time.Second)
	w.deliver()
	w.xpay("/xpay/notify_provide_goods", `{"order_id":"COIN00001","env":0}`)
	w.wantBalance(session, 100, 0, 100, 0, 100, 0)
	v := w.sim.Coins(testUser, 0)
	if len(v.Entries) != 1 || v.Entries[0].Kind != "save" || v.Entries[0].Of != "COIN00001" {
		t.Errorf("entries are %+v", v.Entries)
	}
	if sandbox := w.sim.Coins(testUser, 1); sandbox.Balance != 0 {
		t.Errorf("the sandbox has %d coins", sandbox.Balance)
	}
	w.refund("COIN00001", "REFUND0001", 1000, 1000)
	w.show("REFUND0001")
	w.wantBalance(session, 100, 0, 100, 0, 100, 0) // a refund leaves the coins (xpay spec, trap 20)
}

func TestFirstSaveFlag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.login(testUser)
	w.give("GIFT00001", 1)
	flag := func() any { return w.asUser("/xpay/query_user_balance", session, balanceBody)["first_save_flag"] }
	if got := flag(); got != false {
		t.Errorf("before the first purchase it is %v", got)
	}
	session = w.buyCoins("COIN00001", 1)
	if got := flag(); got != true {
		t.Errorf("after the first purchase it is %v", got)
	}
	w.faults(`{"coins":{"firstSaveAsNumber":true}}`)
	if got := fmt.Sprint(flag()); got != "1" {
		t.Errorf("as a number it is %v", got)
	}
}

func TestCoinRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login("oUser2")
	session := w.buyCoins("COIN00001", 100)
	steps := []struct {
		name string
		a    map[string]any
		want int
	}{
		{"a spend", w.spend(session, "SPEND0001", 40), 0},
		{"the same again succeeded before", w.spend(session, "SPEND0001", 40), 268490004},
		{"its number for another amount", w.spend(session, "SPEND0001", 41), 268490002},
		{"its number for a gift", w.give("SPEND0001", 40), 268490002},
		{"more than there is", w.spend(session, "SPEND0002", 61), 268490006},
		{"a refused number is free", w.spend(session, "SPEND0002", 60), 0},
		{"a gift", w.give("GIFT00001", 5), 0},
		{"the same gift again", w.give("GIFT00001", 5), 268490004},
		{"a gift's number for another user", w.xpay("/xpay/present_currency", strings.Replace(giftBody("GIFT00001", 5), "oUser1", "oUser2", 1)), 268490002},
		{"a spend's number for other items", w.asUser("/xpay/currency_pay", session, strings.Replace(spendBody("SPEND0001", 40), "ep_1", "ep_2", 1)), 268490002},
		{"a gift's number for another amount", w.give("GIFT00001", 6), 268490002},
		{"taking back an unknown spend", w.cancelSpend(session, "BACK00001", "SPEND0009", 1), 268490002},
		{"taking back a gift", w.cancelSpend(session, "BACK00001", "GIFT00001", 1), 268490002},
		{"taking back more than was spent", w.cancelSpend(session, "BACK00001", "SPEND0001", 41), 268490006},
		{"taking back under the number of the spend", w.cancelSpend(session, "SPEND0001", "SPEND0001", 1), 268490002},
		{"taking back a part", w.cancelSpend(session, "BACK00001", "SPEND0001", 10), 0},
		{"the same again", w.cancelSpend(session, "BACK00001", "SPEND0001", 10), 268490005},
		{"its number for another spend", w.cancelSpend(session, "BACK00001", "SPEND0002", 10), 268490002},
		{"the rest under another number", w.cancelSpend(session, "BACK00002", "SPEND0001", 30), 268490005},
	}
	for _, s := range steps {
		if fmt.Sprint(s.a["errcode"]) != fmt.Sprint(s.want) {
			t.Errorf("%s: %v, want %d", s.name, s.a, s.want)
		}
	}
	w.wantBalance(session, 15, 5, 100, 5, 105, 90)
}

func TestCoinBodiesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.buyCoins("COIN00001", 100)
	w.spend(session, "SPEND0001", 40)
	const balance, pay, back, gift = "/xpay/query_user_balance", "/xpay/currency_pay", "/xpay/cancel_currency_pay", "/xpay/present_currency"
	spend, cancel, give := spendBody("SPEND0002", 1), cancelBody("BACK00001", "SPEND0001", 1), giftBody("GIFT00001", 1)
	tests := []struct {
		name, path, body, from, to string
		want                       int
	}{
		{"balance without user_ip", balance, balanceBody, `,"user_ip":"1.1.1.1"`, ``, 268490002},
		{"balance with a host name as user_ip", balance, balanceBody, `1.1.1.1`, `localhost`, 268490002},
		{"balance without env", balance, balanceBody, `"env":0,`, ``, 268490002},
		{"balance with empty openid", balance, balanceBody, `oUser1`, ``, 268490001},
		{"balance of a user never seen", balance, balanceBody, `oUser1`, `oNobody`, 268490001},
		{"balance of a number", balance, balanceBody, `"oUser1"`, `1`, 268490002},
		{"spend of 0", pay, spend, `"amount":1`, `"amount":0`, 268490002},
		{"spend below 0", pay, spend, `"amount":1`, `"amount":-1`, 268490002},
		{"spend of text", pay, spend, `"amount":1`, `"amount":"1"`, 268490002},
		{"spend of half a coin", pay, spend, `"amount":1`, `"amount":0.5`, 268490002},
		{"spend beyond counting", pay, spend, `"amount":1`, `"amount":9223372036854775807`, 268490002},
		{"spend without order_id", pay, spend, `"order_id":"SPEND0002",`, ``, 268490002},
		{"spend with empty order_id", pay, spend, `SPEND0002`, ``, 268490002},
		{"spend without user_ip", pay, spend, `"user_ip":"1.1.1.1",`, ``, 268490002},
		{"spend without remark", pay, spend, `,"remark":"episode"`, ``, 268490002},
		{"payitem in words", pay, spend, `"[{\"productid\":\"ep_1\",\"unit_price\":1,\"quantity\":1}]"`, `"one episode"`, 268490002},
		{"payitem as an array", pay, spend, `"[{\"productid\":\"ep_1\",\"unit_price\":1,\"quantity\":1}]"`, `[]`, 268490002},
		{"payitem empty", pay, spend, `{\"productid\":\"ep_1\",\"unit_price\":1,\"quantity\":1}`, ``, 268490002},
		{"payitem without a price", pay, spend, `\"unit_price\":1,`, ``, 268490002},
		{"payitem with a price as text", pay, spend, `\"unit_price\":1`, `\"unit_price\":\"1\"`, 268490002},
		{"payitem of nothing", pay, spend, `\"quantity\":1`, `\"quantity\":0`, 268490002},
		{"cancel without pay_order_id", back, cancel, `"pay_order_id":"SPEND0001",`, ``, 268490002},
		{"cancel without user_ip", back, cancel, `"user_ip":"1.1.1.1",`, ``, 268490002},
		{"cancel of 0", back, cancel, `"amount":1`, `"amount":0`, 268490002},
		{"gift of 0", gift, give, `"amount":1`, `"amount":0`, 268490002},
		{"gift to nobody", gift, give, `oUser1`, `oNobody`, 268490001},
		{"gift without order_id", gift, give, `"order_id":"GIFT00001",`, ``, 268490002},
	}
	for _, tt := range tests {
		body := strings.Replace(tt.body, tt.from, tt.to, 1)
		if body == tt.body {
			t.Fatalf("%s: the body did not change", tt.name)
		}
		if a := w.asUser(tt.path, session, body); fmt.Sprint(a["errcode"]) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %d", tt.name, a, tt.want)
		}
	}
	w.wantBalance(session, 60, 0, 100, 0, 100, 40)
}

func TestGiftsBeyondCountingAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(testUser)
	w.wantCode(w.give("GIFT00001", 1<<50), 0)
	w.wantCode(w.give("GIFT00002", 1), 268490002)
}

func TestASpendOfAnotherUserIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.buyCoins("COIN00001", 100)
	w.spend(session, "SPEND0001", 40)
	other := w.login("oUser2")
	body := strings.Replace(cancelBody("BACK00001", "SPEND0001", 1), "oUser1", "oUser2", 1)
	w.wantCode(w.asUser("/xpay/cancel_currency_pay", other, body), 268490002)
}

func TestUserSignatureIsRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session, other := w.buyCoins("COIN00001", 100), w.login("oUser2")
	for path, body := range map[string]string{
		"/xpay/query_user_balance": balanceBody, "/xpay/currency_pay": spendBody("SPEND0001", 1),
		"/xpay/cancel_currency_pay": cancelBody("BACK00001", "SPEND0001", 1),
	} {
		door := w.xpayURL(path, testKey, body)
		a := w.object("POST", door, body)
		w.wantCode(a, 268490003)
		if !strings.HasPrefix(a["errmsg"].(string), "签名字段[signature]为空 rid: ") {
			t.Errorf("%s: errmsg is %q", path, a["errmsg"])
		}
		a = w.object("POST", door+"&signature="+hmacHex(session, body+" "), body)
		w.wantCode(a, 268490003)
		if !strings.HasPrefix(a["errmsg"].(string), "签名校验失败 rid: ") {
			t.Errorf("%s: errmsg is %q", path, a["errmsg"])
		}
		w.wantCode(w.object("POST", w.userURL(path, sandKey, session, body), body), 268490003)
		w.wantCode(w.asUser(path, other, body), 268490003)
		w.wantCode(w.object("POST", door+"&signature="+strings.ToUpper(hmacHex(session, body)), body), 268490003)
	}
	body := giftBody("GIFT00001", 1)
	target := w.xpayURL("/xpay/present_currency", testKey, body)
	w.wantCode(w.object("POST", target+"0", body), 268490003)                         // a wrong pay_sig is wrong
	w.wantCode(w.object("POST", target[:strings.Index(target, "&pay_sig")], body), 0) // none at all is let pass
}

func TestAStaleSessionKeyIs268490009(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.buyCoins("COIN00001", 100)
	fresh := w.login(testUser)
	w.wantCode(w.spend(old, "SPEND0001", 1), 268490009)
	w.wantCode(w.spend(fresh, "SPEND0001", 1), 0)
	if err := w.sim.Logout(testUser); err != nil {
		t.Fatal(err)
	}
	w.wantCode(w.spend(fresh, "SPEND0002", 1), 268490009)
	w.wantCode(w.spend("a key that never was", "SPEND0002", 1), 268490009) // there is no session at all
	w.wantCode(w.give("GIFT00001", 1), 0)                                  // a gift needs none
	if v := w.sim.Coins(testUser, 0); v.Balance != 100 {
		t.Errorf("balance is %d", v.Balance)
	}
}

func TestTheSandboxHasItsOwnCoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.login(testUser)
	gift := strings.Replace(giftBody("GIFT00001", 5), `"env":0`, `"env":1`, 1)
	w.wantCode(w.object("POST", w.xpayURL("/xpay/present_currency", sandKey, gift), gift), 0)
	w.wantCode(w.give("GIFT00001", 7), 0) // the number is free in production
	w.wantBalance(session, 7, 7, 0, 7, 7, 0)
	body := strings.Replace(balanceBody, `"env":0`, `"env":1`, 1)
	wantField(t, w.object("POST", w.userURL("/xpay/query_user_balance", sandKey, session, body), body), "balance", 5)
}

func TestCoinFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, faults string
		play         func(*world)
	}{
		{"unpublished", `{"coins":{"unpublished":true}}`, func(w *world) {
			session := w.login(testUser)
			w.wantCode(w.spend(session, "SPEND0001", 1), 268490008)
			w.wantCode(w.give("GIFT00001", 1), 268490008)
			r := payment(session, `{"offerId":"1450000001","buyQuantity":1,"env":0,"currencyType":"CNY","outTradeNo":"COIN00001","attach":""}`)
			r.Mode = "short_series_coin"
			if got := w.sim.RequestVirtualPayment(r); got.ErrCode != -15009 {
				w.t.Errorf("the cashier says %+v", got)
			}
		}},
		{"creditDelay", `{"coins":{"creditDelay":"10s"}}`, func(w *world) {
			session := w.buyCoins("COIN00001", 100)
			w.wantCode(w.spend(session, "SPEND0001", 1), 268490006)
			w.wantBalance(session, 0, 0, 0, 0, 0, 0)
			w.clock.Advance(10 * time.Second)
			w.wantBalance(session, 100, 0, 100, 0, 100, 0)
		}},
		{"balanceLag", `{"coins":{"balanceLag":"10s"}}`, func(w *world) {
			session := w.buyCoins("COIN00001", 100)
			w.clock.Advance(10 * time.Second)
			wantField(w.t, w.spend(session, "SPEND0001", 60), "balance", 40)
			w.wantBalance(session, 100, 0, 100, 0, 100, 0)
			w.wantCode(w.spend(session, "SPEND0002", 60), 268490006) // the lag is of the query alone
			w.clock.Advance(10 * time.Second)
			w.wantBalance(session, 40, 0, 100, 0, 100, 60)
		}},
		{"paidFirst", `{"coins":{"paidFirst":true}}`, func(w *world) {
			session := w.buyCoins("COIN00001", 10)
			w.give("GIFT00001", 10)
			wantField(w.t, w.spend(session, "SPEND0001", 15), "used_present_amount", 5)
			w.cancelSpend(session, "BACK00001", "SPEND0001", 6)
			w.wantBalance(session, 11, 10, 10, 10, 20, 9)
		}},
		{"cancelInParts", `{"coins":{"cancelInParts":true}}`, func(w *world) {
			session := w.buyCoins("COIN00001", 10)
			w.spend(session, "SPEND0001", 10)
			w.wantCode(w.cancelSpend(session, "BACK00001", "SPEND0001", 4), 0)
			w.wantCode(w.cancelSpend(session, "BACK00002", "SPEND0001", 7), 268490006)
			w.wantCode(w.cancelSpend(session, "BACK00002", "SPEND0001", 6), 0)
			w.wantCode(w.cancelSpend(session, "BACK00003", "SPEND0001", 1), 268490005)
			w.wantBalance(session, 10, 0, 10, 0, 10, 0)
		}},
		{"cancelInParts gives the bought coins back first", `{"coins":{"cancelInParts":true}}`, func(w *world) {
			session := w.buyCoins("COIN00001", 10)
			w.give("GIFT00001", 5)
			w.spend(session, "SPEND0001", 12) // 5 gift coins and 7 bought ones
			w.cancelSpend(session, "BACK00001", "SPEND0001", 5)
			w.wantBalance(session, 8, 0, 10, 5, 15, 7)
			w.cancelSpend(session, "BACK00002", "SPEND0001", 5)
			w.wantBalance(session, 13, 3, 10, 5, 15, 2)
		}},
		{"paidFirst and cancelInParts", `{"coins":{"paidFirst":true,"cancelInParts":true}}`, func(w *world) {
			session := w.buyCoins("COIN00001", 10)
			w.give("GIFT00001", 10)
			w.spend(session, "SPEND0001", 15) // 10 bought ones and 5 gift coins
			w.cancelSpend(session, "BACK00001", "SPEND0001", 6)
			w.cancelSpend(session, "BACK00002", "SPEND0001", 9)
			w.wantBalance(session, 20, 10, 10, 10, 20, 0)
		}},
		{"payTwice credits both payments", `{"orders":{"payTwice":1}}`, func(w *world) {
			session := w.buyCoins("COIN00001", 10)
			w.wantBalance(session, 20, 0, 20, 0, 20, 0)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(tt.faults)
			tt.play(w)
		})
	}
}

// The answer is lost after the coins were spent; the repeat under the same number learns of it and spends nothing.
func TestALostAnswerSpendsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.buyCoins("COIN00001", 100)
	w.faults(`{"api":{"/xpay/currency_pay":{"errorAfterEffect":1}}}`)
	body := spendBody("SPEND0001", 40)
	if status, _ := w.do("POST", w.userURL("/xpay/currency_pay", testKey, session, body), body); status != 500 {
		t.Fatalf("HTTP %d, want 500", status)
	}
	w.wantCode(w.spend(session, "SPEND0001", 40), 268490004)
	w.wantBalance(session, 60, 0, 100, 0, 100, 40)
}

// Many phones spend at once, each number twice: exactly what is there is spent, under each number at most once.
func TestConcurrentSpendsNeverOverdraw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.buyCoins("COIN00001", 100)
	w.xpayURL("/xpay/currency_pay", testKey, "")
	var mu sync.Mutex
	codes := map[string]int{}
	var phones sync.WaitGroup
	for i := range 40 {
		phones.Go(func() {
			body := spendBody(fmt.Sprintf("SPEND-%03d", i/2), 7)
			r := httptest.NewRequest("POST", w.userURL("/xpay/currency_pay", testKey, session, body), strings.NewReader(body))
			rec := httptest.NewRecorder()
			w.sim.ServeHTTP(rec, r)
			mu.Lock()
			defer mu.Unlock()
			codes[fmt.Sprint(decode(t, rec.Body.String())["errcode"])]++
		})
	}
	phones.Wait()
	// 20 numbers of 7 coins, 100 coins: 14 succeed and are repeated, 6 numbers are refused twice.
	if codes["0"] != 14 || codes["268490004"] != 14 || codes["268490006"] != 12 {
		t.Errorf("codes are %v", codes)
	}
	w.wantBalance(session, 2, 0, 100, 0, 100, 98)
}

func TestCoinsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.buyCoins("COIN00001", 100)
	w.spend(session, "SPEND0001", 40)
	w.cancelSpend(session, "BACK00001", "SPEND0001", 40)
	v := w.object("GET", "/sim/coins/oUser1", "")
	wantField(t, v, "balance", 100)
	kinds := []string{}
	for _, e := range v["entries"].([]any) {
		kinds = append(kinds, fmt.Sprint(e.(map[string]any)["kind"], " ", e.(map[string]any)["of"]))
	}
	if got := strings.Join(kinds, ", "); got != "save COIN00001, pay <nil>, cancel SPEND0001" {
		t.Errorf("entries are %s", got)
	}
	wantField(t, w.object("GET", "/sim/coins/oUser1?env=1", ""), "balance", 0)
	if status, _ := w.do("GET", "/sim/coins/oUser1?env=2", ""); status != 400 {
		t.Errorf("env 2: HTTP %d, want 400", status)
	}
}

// FuzzCoins sends arbitrary bodies, correctly signed, to the APIs of coins, goods and bills. Nothing may panic, and a
// balance never falls below zero nor differs from what came less what went.
func FuzzCoins(f *testing.F) {
	for _, body := range []string{
		balanceBody, spendBody("SPEND0002", 7), cancelBody("BACK00001", "SPEND0001", 5), giftBody("GIFT00001", 9), uploadBody("vip_year", 1),
		publishBody("vip_year"), exportBody, `{"begin_ds":20260801,"end_ds":20260801}`, `{"start_month":"202607","end_month":"202608"}`,
		`{"openid":"oUser1","env":0,"user_ip":"::1","amount":9223372036854775807,"order_id":"x"}`, `{"env":0,"upload_item":[null]}`,
	} {
		f.Add(body)
	}
	paths := strings.Fields("query_user_balance currency_pay cancel_currency_pay present_currency start_upload_goods query_upload_goods start_publish_goods query_publish_goods download_bill start_download_order query_download_order download_ios_settlement_bill")
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		session := w.buyCoins("COIN00001", 100)
		w.spend(session, "SPEND0001", 40)
		for _, path := range paths {
			target := w.userURL("/xpay/"+path, testKey, session, body)
			if status, text := w.do("POST", target, body); status != 200 {
				t.Errorf("%s: HTTP %d %s", path, status, text)
			}
			w.clock.Advance(time.Minute)
		}
		v := w.sim.Coins(testUser, 0)
		if v.Balance < 0 || v.PresentBalance < 0 || v.PresentBalance > v.Balance || v.Balance != v.SumSave+v.SumPresent-v.SumCost {
			t.Errorf("coins are %+v", v)
		}
	})
}
