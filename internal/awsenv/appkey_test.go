package awsenv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	oldAppKey, newAppKey       = "hunter2-appkey", "hunter2-newkey"
	oldAppSecret, newAppSecret = "hunter2-appsecret", "hunter2-newsecret"
	sealSecret2                = `{"key":"hunter2hunter2hunter2hunter2hunter2hunter3h"}`
	sealSecret3                = `{"key":"hunter2hunter2hunter2hunter2hunter2hunter4h"}`
)

// shop is an AWS with a WeChat, whose refusals are counted.
type shop struct {
	*world
	sim *wechatsim.Sim

	mu      sync.Mutex
	refused map[int]int // by errcode
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{world: newWorld(t), refused: map[int]int{}}
	sim, err := wechatsim.New(wechatsim.Config{
		AppID: "wx0123456789abcdef", AppSecret: oldAppSecret, OfferID: "1450000001",
		AppKeys: map[int]string{0: oldAppKey, 1: "hunter2-sandbox"}, Goods: []wechatsim.Goods{{ID: "vip", Price: 100}},
		Push: wechatsim.Push{URL: "http://127.0.0.1:1/", Token: token1},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.sim = sim
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		sim.ServeHTTP(rec, r)
		var said struct{ ErrCode int }
		_ = json.Unmarshal(rec.Body.Bytes(), &said) // what is not JSON is no refusal
		s.mu.Lock()
		s.refused[said.ErrCode]++
		s.mu.Unlock()
		_, _ = w.Write(rec.Body.Bytes())
	}))
	t.Cleanup(door.Close)
	s.vars["XPAY_WECHAT_URL"] = door.URL
	return s
}

// said returns how often WeChat has said a code since the last call.
func (s *shop) said(code int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.refused[code]
	delete(s.refused, code)
	return n
}

func (s *shop) merchant(secret, key string) {
	s.Helper()
	s.rotate("XPAY_MERCHANT_SECRET", strings.NewReplacer(oldAppSecret, secret, oldAppKey, key).Replace(merchantSecret))
}

func (s *shop) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// answer is what a user's request came back with.
type answer struct {
	status int
	Token  string
	Order  struct{ ID, State string }

	Payment *struct{ Mode, SignData, PaySig, Signature string }
}

// ask sends a user's request. Headers come in pairs.
func (e *Env) ask(t *testing.T, path, body string, headers ...string) (a answer) {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	e.API().ServeHTTP(rec, r)
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
		t.Fatalf("%s: %v: %s", path, err, rec.Body)
	}
	a.status = rec.Code
	return a
}

// login returns the header of a user who is logged in.
func (s *shop) login(e *Env, openID string) string {
	s.Helper()
	a := e.ask(s.T, "/login", `{"code":"`+s.sim.Login(openID)+`"}`)
	if a.status != 200 {
		s.Fatalf("the login of %s is answered %d", openID, a.status)
	}
	return "Bearer " + a.Token
}

func (s *shop) buy(e *Env, bearer, key string) answer {
	s.Helper()
	return e.ask(s.T, "/orders", `{"productId":"vip","quantity":1}`, "Authorization", bearer, "Idempotency-Key", key)
}

// attempt asks for the payment again, after the phone was told that paySig is wrong.
func (s *shop) attempt(e *Env, bearer, id string) answer {
	s.Helper()
	return e.ask(s.T, "/orders/"+id+"/attempts", `{"errCode":-15006}`, "Authorization", bearer)
}

// phone shows a payment to the cashier, whose user leaves, and returns the code.
func (s *shop) phone(openID string, a answer) int {
	s.Helper()
	return s.cashier(openID, a, "cancel")
}

// pay is phone with a user who pays.
func (s *shop) pay(openID string, a answer) int {
	s.Helper()
	return s.cashier(openID, a, "pay")
}

func (s *shop) cashier(openID string, a answer, action string) int {
	s.Helper()
	if a.Payment == nil {
		s.Fatalf("there is no payment: %d", a.status)
	}
	p := a.Payment
	return s.sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: openID, Mode: p.Mode, SignData: p.SignData, PaySig: p.PaySig, Signature: p.Signature, Action: action,
	}).ErrCode
}

const (
	cancelled   = -2
	wrongPaySig = -15006
)

func TestAPhoneWithAWrongPaySigGetsOneOfTheOtherKey(t *testing.T) {
	for name, change := range map[string][]func(*shop){
		"the secret first":  {func(s *shop) { s.merchant(oldAppSecret, newAppKey) }, func(s *shop) { s.ok(s.sim.ChangeAppKey(0, newAppKey)) }},
		"the console first": {func(s *shop) { s.ok(s.sim.ChangeAppKey(0, newAppKey)) }, func(s *shop) { s.merchant(oldAppSecret, newAppKey) }},
	} {
		s := newShop(t)
		login, create := s.open("login"), s.open("createorder")
		alice := s.login(login, "oAlice")
		for _, do := range change {
			do(s)
		}
		order := s.buy(create, alice, "key-00000001")
		if got := s.phone("oAlice", order); got != wrongPaySig {
			t.Errorf("%s: a process that does not know yet: the phone says %d", name, got)
		}
		s.taken()
		if got := s.phone("oAlice", s.attempt(create, alice, order.Order.ID)); got != cancelled {
			t.Errorf("%s: the second signature: the phone says %d", name, got)
		}
		if reads := s.taken()["GetSecretValue"]; reads != 3 || s.said(268490003) != 1 {
			t.Errorf("%s: %d reads of secrets, want both current ones and the merchant's before", name, reads)
		}
		if got := s.phone("oAlice", s.buy(create, alice, "key-00000002")); got != cancelled || s.said(268490003) != 0 {
			t.Errorf("%s: the next order: the phone says %d", name, got)
		}
	}
}

// TestAPhoneWhoseCashierChangedBeforeTheAPIGetsOneOfTheOtherKey: one report, one bounded look for secrets, and the signature fits; those
// who do not report are signed for as before, and the API's own change then costs one call.
func TestAPhoneWhoseCashierChangedBeforeTheAPIGetsOneOfTheOtherKey(t *testing.T) {
	s := newShop(t)
	login, create := s.open("login"), s.open("createorder")
	alice := s.login(login, "oAlice")
	s.merchant(oldAppSecret, newAppKey)
	s.ok(s.sim.ChangeCashierAppKey(0, newAppKey))
	order := s.buy(create, alice, "key-00000001")
	if got := s.phone("oAlice", order); got != wrongPaySig {
		t.Errorf("the cashier knows another key, and the phone says %d", got)
	}
	s.taken()
	if got := s.phone("oAlice", s.attempt(create, alice, order.Order.ID)); got != cancelled {
		t.Errorf("the second signature: the phone says %d", got)
	}
	if reads := s.taken()["GetSecretValue"]; reads != 3 || s.said(268490003) != 0 {
		t.Errorf("%d reads of secrets, want both current ones and the merchant's before; or the API was asked with the other key", reads)
	}
	s.ok(s.sim.ChangeAppKey(0, newAppKey))
	order = s.buy(create, alice, "key-00000002")
	if got := s.phone("oAlice", s.attempt(create, alice, order.Order.ID)); got != cancelled || s.said(268490003) != 1 {
		t.Errorf("after the API has changed: the phone says %d", got)
	}
	if got := s.phone("oAlice", s.buy(create, alice, "key-00000003")); got != cancelled {
		t.Errorf("the next order: the phone says %d", got)
	}
}

func TestTheKeyThatWeChatTakesSignsOnInTheWindow(t *testing.T) {
	s := newShop(t)
	login, create := s.open("login"), s.open("createorder")
	alice := s.login(login, "oAlice")
	s.merchant(oldAppSecret, newAppKey)
	create.at(time.Now().Add(20 * time.Minute)) // it reads the new key, and WeChat still knows the old one
	order := s.buy(create, alice, "key-00000001")
	if got := s.phone("oAlice", order); got != cancelled {
		t.Errorf("in the window the phone says %d", got)
	}
	fresh := s.open("createorder") // it knows both and tries the newest
	order = s.buy(fresh, alice, "key-00000002")
	if got := s.phone("oAlice", order); got != wrongPaySig {
		t.Errorf("a start in the window: the phone says %d", got)
	}
	if got := s.phone("oAlice", s.attempt(fresh, alice, order.Order.ID)); got != cancelled || s.said(268490003) != 1 {
		t.Errorf("a start in the window, asked again: the phone says %d", got)
	}
}

func TestTheAppKeyOfTheOtherEnvIsNeverTried(t *testing.T) {
	s := newShop(t)
	s.rotate("XPAY_MERCHANT_SECRET", `{"appSecret":"hunter2-appsecret","appKeys":{"production":"hunter2-appkey","sandbox":"hunter2-newkey"}}`)
	s.rotate("XPAY_MERCHANT_SECRET", `{"appSecret":"hunter2-appsecret","appKeys":{"production":"hunter2-appkey","sandbox":"hunter2-other"}}`)
	login, create := s.open("login"), s.open("createorder")
	alice := s.login(login, "oAlice")
	order := s.buy(create, alice, "key-00000001")
	s.ok(s.sim.ChangeAppKey(0, newAppKey))
	if got := s.attempt(create, alice, order.Order.ID); got.status != 503 || s.said(268490003) != 1 {
		t.Errorf("answered %d: production was signed with a key of the sandbox", got.status)
	}
}

func TestPhonesDoNotMakeItAskOftenAndDoNotKeepItFromAsking(t *testing.T) {
	s := newShop(t)
	login, create := s.open("login"), s.open("createorder")
	alice := s.login(login, "oAlice")
	order := s.buy(create, alice, "key-00000001")
	start := time.Now()
	s.taken()
	for second := range 119 {
		create.at(start.Add(time.Duration(second) * time.Second))
		if second%40 == 39 { // one order may not be asked for that often
			order = s.buy(create, alice, fmt.Sprintf("key-%08d", second))
		}
		if got := s.attempt(create, alice, order.Order.ID); got.status != 200 {
			t.Fatalf("answered %d", got.status)
		}
	}
	if reads := s.taken()["GetSecretValue"]; reads != 4 {
		t.Errorf("%d reads of the two secrets in two minutes of -15006, want 4", reads)
	}
	s.ok(s.sim.ChangeAppKey(0, newAppKey))
	s.merchant(oldAppSecret, newAppKey)
	create.at(start.Add(2*time.Minute + time.Second)) // the phone's minute begins anew
	s.attempt(create, alice, order.Order.ID)
	s.ok(s.sim.ChangeAppKey(0, oldAppKey))
	if got := s.attempt(create, alice, order.Order.ID); got.status != 200 {
		t.Errorf("the key before is known and not tried: %d", got.status)
	}
}

func TestWhileWeChatTakesNoKeyItAsksEveryFiveSecondsAndFailsAsBefore(t *testing.T) {
	s := newShop(t)
	login, create := s.open("login"), s.open("createorder")
	alice := s.login(login, "oAlice")
	order := s.buy(create, alice, "key-00000001")
	s.ok(s.sim.ChangeAppKey(0, "hunter2-nobodys"))
	start := time.Now().Add(time.Minute)
	s.taken()
	for second := range 30 {
		create.at(start.Add(time.Duration(second) * time.Second))
		if got := s.attempt(create, alice, order.Order.ID); got.status != 503 {
			t.Fatalf("answered %d", got.status)
		}
	}
	if reads, calls := s.taken()["GetSecretValue"], s.said(268490003); reads != 12 || calls != 30 {
		t.Errorf("%d reads of the two secrets and %d calls in half a minute, want 12 and 30", reads, calls)
	}
	s.merchant(oldAppSecret, "hunter2-nobodys")
	create.at(start.Add(31 * time.Second))
	if got := s.attempt(create, alice, order.Order.ID); got.status != 200 {
		t.Errorf("after the secret was put in: %d", got.status)
	}
}

func TestTheAppSecretIsChangedInEitherOrder(t *testing.T) {
	s := newShop(t)
	login := s.open("login")
	s.login(login, "oAlice")
	s.ok(s.sim.ChangeAppSecret(newAppSecret))
	s.merchant(newAppSecret, oldAppKey)
	s.login(login, "oAlice")
	if got := s.said(40125); got != 1 {
		t.Errorf("the console first: %d refused calls, want one", got)
	}
	s.login(login, "oAlice")
	if got := s.said(40125); got != 0 {
		t.Errorf("afterwards: %d refused calls", got)
	}
	s.merchant("hunter2-third", oldAppKey) // WeChat still knows the one before
	fresh := s.open("login")
	s.login(fresh, "oAlice")
	if got := s.said(40125); got != 1 {
		t.Errorf("the secret first: %d refused calls, want one", got)
	}
	s.ok(s.sim.ChangeAppSecret("hunter2-third"))
	s.login(fresh, "oAlice")
	if got := s.said(40125); got != 0 {
		t.Errorf("the secret first, afterwards: %d refused calls", got)
	}
}

func TestABoxOpensAfterOneRotationAndAsksForALoginAfterTwo(t *testing.T) {
	s := newShop(t)
	old, create := s.open("login"), s.open("createorder")
	alice := s.login(old, "oAlice")
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	fresh := s.open("login")
	if got := s.buy(s.open("createorder"), alice, "key-00000001"); got.status != 201 {
		t.Errorf("a box of the key before: %d", got.status)
	}
	bob := s.login(fresh, "oBob")
	if got := s.buy(create, bob, "key-00000001"); got.status != 201 {
		t.Errorf("a box of a newer key than the process has: %d", got.status)
	}
	s.rotate("XPAY_SEAL_SECRET", sealSecret3)
	create = s.open("createorder")
	for range 2 {
		if got := s.buy(create, alice, "key-00000002"); got.status != 401 || got.Payment != nil {
			t.Errorf("a box of two keys ago: %d", got.status)
		}
	}
	body := `{"productId":"vip","quantity":1,"code":"` + s.sim.Login("oAlice") + `"}`
	if got := create.ask(t, "/orders", body, "Authorization", alice, "Idempotency-Key", "key-00000002"); got.status != 201 {
		t.Errorf("with a fresh code: %d", got.status)
	}
}

func TestTokenAndAESKeyRotateIndependently(t *testing.T) {
	for name, c := range map[string]struct {
		token, key string // what the console has afterwards
	}{
		"the token": {token2, aesKey1}, "the AES key": {token1, aesKey2}, "both": {token2, aesKey2},
	} {
		w := newWorld(t)
		e := w.open("callback")
		w.rotate("XPAY_PUSH_SECRET", strings.NewReplacer(token1, c.token, aesKey1, c.key).Replace(pushSecret))
		if got := push(t, e, token1, aesKey1); got != 200 {
			t.Errorf("%s, before the console: %d", name, got)
		}
		e.at(time.Now().Add(3 * time.Second))
		for i, want := range []int{200, 200} {
			if got := push(t, e, c.token, c.key); got != want {
				t.Errorf("%s, push %d after the console: %d", name, i+1, got)
			}
		}
		if got := push(t, e, token1, aesKey1); got != 200 {
			t.Errorf("%s, a repeat of a push from before: %d", name, got)
		}
	}
}

func TestTheFunctionThatWeChatPushesToNeverReadsTheMerchantsSecrets(t *testing.T) {
	w := newWorld(t)
	e := w.open("callback")
	if _, err := e.renew(t.Context(), backend.Doubt{Group: backend.GroupMerchant, Proven: true}); err != nil {
		t.Error(err)
	}
	var cfg backend.Config
	if e.secrets.fill(&cfg); cfg.Merchant.AppSecret != "" || len(cfg.Seal.Keys) != 0 {
		t.Error("the callback holds more than the push secrets")
	}
}
