package wechatsim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestAChangedAppKeyIsTheOnlyOneOfItsEnv(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	if err := w.sim.ChangeAppKey(0, "newer-key"); err != nil {
		t.Fatal(err)
	}
	body := `{"openid":"oUser1","env":0,"order_id":"ORDER0001"}`
	path := "/xpay/query_order"
	w.wantCode(w.object("POST", w.xpayURL(path, testKey, body), body), 268490003)
	w.wantCode(w.object("POST", w.xpayURL(path, "newer-key", body), body), 0)
	sandbox := strings.Replace(body, `"env":0`, `"env":1`, 1)
	w.wantCode(w.object("POST", w.xpayURL(path, sandKey, sandbox), sandbox), 268490002) // the signature is right, the order is not there
	if w.cfg.AppKeys[0] != testKey {
		t.Error("the caller's map was changed")
	}
	for env, key := range map[int]string{0: "", 2: "x"} {
		if err := w.sim.ChangeAppKey(env, key); !errors.Is(err, wechatsim.ErrInput) {
			t.Errorf("env %d: %v", env, err)
		}
	}
}

func TestTheCashierMayKnowAnotherAppKeyThanTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pay := func(number, key string) int {
		r := payment(w.login(testUser), signData(number, 1, 1800))
		r.PaySig = hmacHex(key, "requestVirtualPayment&"+r.SignData)
		return w.sim.RequestVirtualPayment(r).ErrCode
	}
	w.buy("ORDER0001")
	if err := w.sim.ChangeCashierAppKey(0, "newer-key"); err != nil {
		t.Fatal(err)
	}
	body, path := `{"openid":"oUser1","env":0,"order_id":"ORDER0001"}`, "/xpay/query_order"
	w.wantCode(w.object("POST", w.xpayURL(path, testKey, body), body), 0)
	w.wantCode(w.object("POST", w.xpayURL(path, "newer-key", body), body), 268490003)
	if got, other := pay("ORDER0002", testKey), pay("ORDER0003", "newer-key"); got != -15006 || other != 0 {
		t.Errorf("the phone says %d to the API's key and %d to the cashier's", got, other)
	}
	if err := w.sim.ChangeAppKey(0, "newest-key"); err != nil {
		t.Fatal(err)
	}
	w.wantCode(w.object("POST", w.xpayURL(path, "newest-key", body), body), 0)
	if got, other := pay("ORDER0004", "newer-key"), pay("ORDER0005", "newest-key"); got != -15006 || other != 0 {
		t.Errorf("after both changed the phone says %d to the old key and %d to the new one", got, other)
	}
	for env, key := range map[int]string{0: "", 2: "x"} {
		if err := w.sim.ChangeCashierAppKey(env, key); !errors.Is(err, wechatsim.ErrInput) {
			t.Errorf("env %d: %v", env, err)
		}
	}
}

func TestAChangedAppSecretIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.sim.ChangeAppSecret("newer-secret"); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]int{"app-secret": 40125, "newer-secret": 0} {
		url := "/sns/jscode2session?appid=wx1234567890abcdef&grant_type=authorization_code&secret=" + secret + "&js_code=" + w.sim.Login("oUser1")
		a := w.object("GET", url, "")
		if got := fmt.Sprint(a["errcode"]); want != 0 && got != fmt.Sprint(want) || want == 0 && a["openid"] != "oUser1" {
			t.Errorf("%s: %v", secret, a)
		}
	}
	if err := w.sim.ChangeAppSecret(""); !errors.Is(err, wechatsim.ErrInput) {
		t.Errorf("an empty one: %v", err)
	}
}

func TestChangedPushSecretsHoldForRepeatsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 500, "" }
	w.buy("ORDER0001")
	w.deliver()
	changed := w.cfg.Push
	changed.Token = "vp_token_2"
	if err := w.sim.ChangePush(changed); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Second)
	w.deliver()
	for i, token := range []string{"vp_token_1", "vp_token_2"} {
		q := w.recv.got[i].query
		if q.Get("signature") != sha1Sorted(token, q.Get("timestamp"), q.Get("nonce")) {
			t.Errorf("push %d is not signed with %s", i+1, token)
		}
	}
	for _, bad := range []wechatsim.Push{{}, {URL: "http://shop.test/", Token: ""}, {URL: "http://shop.test/", Token: "t", Mode: "aes", EncodingAESKey: "short"}} {
		if err := w.sim.ChangePush(bad); !errors.Is(err, wechatsim.ErrInput) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestAnAnswerIsJudgedByTheSecretsOfItsPush: vector C8 answers under the test key, while the console has another.
func TestAnAnswerIsJudgedByTheSecretsOfItsPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.Push.Mode = "aes" })
	w.recv.answer = func(int, *http.Request, []byte) (int, string) {
		other := w.cfg.Push
		other.Token, other.EncodingAESKey = "vp_token_2", strings.Repeat("x", 43)
		if err := w.sim.ChangePush(other); err != nil {
			t.Error(err)
		}
		return 200, `{"Encrypt":"` + c8Encrypt + `","MsgSignature":"` + c8Sig + `","TimeStamp":1785600000,"Nonce":"1234567890"}`
	}
	w.buy("ORDER0001")
	w.sim.DeliverDue(context.Background())
	if p := w.order("ORDER0001").Pushes[0]; !p.Answered {
		t.Errorf("%+v", p)
	}
}
