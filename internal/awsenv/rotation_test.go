package awsenv

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// at moves the clock by which the secrets age.
func (e *Env) at(t time.Time) { e.secrets.now = func() time.Time { return t } }

// echo asks the callback as WeChat's console does when the URL is saved, signed with a token.
func echo(t *testing.T, e *Env, token string) int {
	t.Helper()
	now := strconv.FormatInt(time.Now().Unix(), 10)
	parts := []string{token, now, "nonce"}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	q := url.Values{"signature": {hex.EncodeToString(sum[:])}, "timestamp": {now}, "nonce": {"nonce"}, "echostr": {"hello"}}
	rec := httptest.NewRecorder()
	e.API().ServeHTTP(rec, httptest.NewRequest("GET", "/wechat/push?"+q.Encode(), nil))
	return rec.Code
}

func TestThePreviousTokenStillVerifies(t *testing.T) {
	w := newWorld(t)
	w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
	e := w.open("callback")
	for token, want := range map[string]int{token1: 200, token2: 200, "forged": 401} {
		if got := echo(t, e, token); got != want {
			t.Errorf("%s: %d, want %d", token, got, want)
		}
	}
}

func TestTheFirstPushAfterARotationIsNotRefused(t *testing.T) {
	w := newWorld(t)
	e := w.open("callback")
	w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
	e.at(time.Now().Add(3 * time.Second)) // a look just after the start is not repeated at once
	w.taken()
	for _, token := range []string{token2, token1, token2} {
		if got := push(t, e, token, aesKey1); got != 200 {
			t.Errorf("%s: %d", token, got)
		}
		if got := echo(t, e, token); got != 200 {
			t.Errorf("%s: %d", token, got)
		}
	}
	if got := w.taken()["GetSecretValue"]; got != 2 {
		t.Errorf("%d reads of the secret, want 2: the current one, and the one before since it changed", got)
	}
}

func TestForgedPushesMakeItAskOnceInAMinute(t *testing.T) {
	w := newWorld(t)
	e := w.open("callback")
	start := time.Now().Add(3 * time.Second)
	w.taken()
	for second := range 119 {
		e.at(start.Add(time.Duration(second) * time.Second))
		if got := echo(t, e, "forged"); got != 401 {
			t.Fatalf("a forged push is answered %d", got)
		}
	}
	if got := w.taken()["GetSecretValue"]; got != 2 {
		t.Errorf("%d reads of the secret in two minutes of forged pushes, want 2", got)
	}
	e.at(start.Add(3 * time.Minute))
	echo(t, e, token1)
	w.taken()
	for minute := range 5 {
		e.at(start.Add(time.Duration(4+minute) * time.Minute))
		echo(t, e, token1)
	}
	if got := w.taken()["GetSecretValue"]; got != 0 {
		t.Errorf("%d reads after the forged pushes ended", got)
	}
}

func TestTheTokenBeforeTheCurrentOneVerifiesForADay(t *testing.T) {
	w := newWorld(t)
	e := w.open("callback")
	w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
	now := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{20 * time.Minute, 200}, {23 * time.Hour, 200}, {25 * time.Hour, 401}, {300 * 24 * time.Hour, 401}} {
		e.at(now.Add(c.after))
		if got := echo(t, e, token1); got != c.want {
			t.Errorf("after %s: the old token is answered %d, want %d", c.after, got, c.want)
		}
		if got := echo(t, e, token2); got != 200 {
			t.Errorf("after %s: the new token is answered %d", c.after, got)
		}
	}
}

// TestALeakedTokenIsForgotten: `xpay secrets rotate push --leaked` writes the new pair twice, so that no version has the old one.
func TestALeakedTokenIsForgotten(t *testing.T) {
	w := newWorld(t)
	warm := w.open("callback")
	leaked := strings.NewReplacer(token1, token2, aesKey1, aesKey2).Replace(pushSecret)
	w.rotate("XPAY_PUSH_SECRET", leaked)
	w.rotate("XPAY_PUSH_SECRET", leaked)
	now := time.Now()
	warm.at(now.Add(20 * time.Minute))
	for name, e := range map[string]*Env{"one that runs": warm, "a new one": w.open("callback")} {
		if got := push(t, e, token2, aesKey2); got != 200 {
			t.Errorf("%s answers the new pair %d", name, got)
		}
		for pair, got := range map[string]int{
			"token": echo(t, e, token1), "pair": push(t, e, token1, aesKey1), "token with the new key": push(t, e, token1, aesKey2), "key": push(t, e, token2, aesKey1),
		} {
			if got != 401 {
				t.Errorf("%s answers the leaked %s %d", name, pair, got)
			}
		}
	}
}

func TestThePreviousAESKeyStillOpens(t *testing.T) {
	w := newWorld(t)
	w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, aesKey1, aesKey2))
	e := w.open("callback")
	for key, want := range map[string]int{aesKey1: 200, aesKey2: 200, strings.Repeat("x", 43): 401} {
		if got := push(t, e, token1, key); got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
}

// push sends an encrypted message that is not about a payment, as WeChat would.
func push(t *testing.T, e *Env, token, aesKey string) int {
	t.Helper()
	query, body, err := miniprogram.Forge(miniprogram.Forgery{AppID: "wx0123456789abcdef", Token: token, AESKey: aesKey, Time: time.Now()},
		[]byte(`{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":1,"MsgType":"event","Event":"debug_demo"}`))
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	e.API().ServeHTTP(rec, httptest.NewRequest("POST", "/wechat/push?"+query.Encode(), bytes.NewReader(body)))
	return rec.Code
}

func TestSecretsAreReadAgainAfterTheirLifetime(t *testing.T) {
	w := newWorld(t)
	e := w.open("callback")
	start := time.Now()
	w.taken()
	e.at(start.Add(14 * time.Minute))
	echo(t, e, token1)
	if got := w.taken()["GetSecretValue"]; got != 0 {
		t.Errorf("%d reads after 14 minutes", got)
	}
	e.at(start.Add(19 * time.Minute))
	echo(t, e, token1)
	echo(t, e, token1)
	if got := w.taken()["GetSecretValue"]; got != 1 {
		t.Errorf("%d reads after 19 minutes, want 1: nothing changed", got)
	}
}

func TestOldSecretsServeOnWhileSecretsManagerFails(t *testing.T) {
	w := newWorld(t)
	e := w.open("callback")
	var log strings.Builder
	e.secrets.log = slog.New(slog.NewTextHandler(&log, nil))
	w.fail(func(operation string) (int, string) {
		if operation == "GetSecretValue" {
			return http.StatusInternalServerError, `{"__type":"InternalServiceError"}`
		}
		return 0, ""
	})
	start := time.Now()
	w.taken()
	for _, after := range []time.Duration{20 * time.Minute, 20*time.Minute + 30*time.Second, 22 * time.Minute} {
		e.at(start.Add(after))
		if got := echo(t, e, token1); got != 200 {
			t.Errorf("after %s: %d", after, got)
		}
	}
	if got := w.taken()["GetSecretValue"]; got < 2 || got > 2*secretTriesMax {
		t.Errorf("%d tries, want two looks of at most %d each", got, secretTriesMax)
	}
	if !strings.Contains(log.String(), "the old value serves on") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("log: %s", log.String())
	}
	w.fail(nil)
	w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
	e.at(start.Add(24 * time.Minute))
	if got := echo(t, e, token2); got != 200 {
		t.Errorf("after it answers again: %d", got)
	}
}

func TestNewSecretsThatCannotBeReadDoNotStopAFunctionThatRuns(t *testing.T) {
	for _, slip := range []string{"hunter2", `{}`, `{"tokens":[""]}`, `{"token":["hunter2"]}`,
		`{"tokens":["` + token2 + `"],"aesKeys":["hunter2` + strings.Repeat("*", 36) + `"]}`} {
		w := newWorld(t)
		e := w.open("callback")
		var log strings.Builder
		e.secrets.log = slog.New(slog.NewTextHandler(&log, nil))
		w.rotate("XPAY_PUSH_SECRET", slip)
		for _, after := range []time.Duration{20 * time.Minute, 22 * time.Minute} {
			e.at(time.Now().Add(after))
			if got := echo(t, e, token1); got != 200 {
				t.Errorf("%s: %d", slip, got)
			}
		}
		if strings.Count(log.String(), "XPAY_PUSH_SECRET") != 2 || !strings.Contains(log.String(), "serves on") || strings.Contains(log.String(), "hunter2") {
			t.Errorf("%s: log: %s", slip, log.String())
		}
		w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
		e.at(time.Now().Add(50 * time.Minute))
		for _, token := range []string{token1, token2} { // WeChat may still use the one that served during the slip
			if got := echo(t, e, token); got != 200 {
				t.Errorf("%s, corrected, %s: %d", slip, token, got)
			}
		}
	}
}

func TestASlipInOneSecretDoesNotKeepTheOtherOld(t *testing.T) {
	w := newWorld(t)
	e := w.open("login")
	w.rotate("XPAY_SEAL_SECRET", `{"key":"hunter2"}`)
	w.rotate("XPAY_MERCHANT_SECRET", strings.ReplaceAll(merchantSecret, "appkey", "newkey"))
	e.at(time.Now().Add(20 * time.Minute))
	e.now(t.Context())
	var cfg backend.Config
	if e.secrets.fill(&cfg); cfg.Merchant.AppKeys.Production != "hunter2-newkey" || len(cfg.Seal.Keys) != 1 {
		t.Errorf("the new AppKey serves %t, %d sealing keys", cfg.Merchant.AppKeys.Production == "hunter2-newkey", len(cfg.Seal.Keys))
	}
}

func TestAPreviousVersionThatCannotBeReadKeepsTheOldSecrets(t *testing.T) {
	w := newWorld(t)
	e := w.open("callback")
	w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
	reads := 0
	w.fail(func(operation string) (int, string) {
		if reads++; operation == "GetSecretValue" && reads > 1 {
			return http.StatusInternalServerError, `{"__type":"InternalServiceError"}`
		}
		return 0, ""
	})
	e.at(time.Now().Add(20 * time.Minute))
	if got := echo(t, e, token1); got != 200 {
		t.Errorf("the old token: %d", got)
	}
	w.fail(nil)
	e.at(time.Now().Add(22 * time.Minute))
	for _, token := range []string{token1, token2} {
		if got := echo(t, e, token); got != 200 {
			t.Errorf("%s: %d", token, got)
		}
	}
}

func TestASecretsManagerThatHangsHoldsNobodyForLong(t *testing.T) {
	for function, wait := range map[string]time.Duration{"callback": 400 * time.Millisecond, "createorder": 2 * time.Second} {
		w := newWorld(t)
		e, err := Open(t.Context(), function, w.with(nil), discard)
		if err != nil {
			t.Fatal(err)
		}
		w.fail(func(operation string) (int, string) {
			if operation == "GetSecretValue" {
				time.Sleep(10 * time.Second)
			}
			return 0, ""
		})
		e.at(time.Now().Add(20 * time.Minute))
		start := time.Now()
		if function == "callback" {
			if got := echo(t, e, "forged"); got != 401 {
				t.Errorf("answered %d", got)
			}
		} else {
			e.now(t.Context())
		}
		if took := time.Since(start); took > 8*time.Second || e.secrets.wait != wait { // a busy machine may add some seconds
			t.Errorf("%s may wait %s, want %s, and waited %s", function, e.secrets.wait, wait, took)
		}
	}
}

func TestBothVersionsOfTheSecretsThatSignAndSealAreRead(t *testing.T) {
	w := newWorld(t)
	w.rotate("XPAY_MERCHANT_SECRET", strings.ReplaceAll(merchantSecret, "appkey", "newkey"))
	w.rotate("XPAY_SEAL_SECRET", `{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`)
	e := w.open("login")
	var cfg backend.Config
	e.secrets.fill(&cfg)
	m := cfg.Merchant
	if m.AppKeys.Production != "hunter2-newkey" || m.Before == nil || m.Before.AppKeys.Production != "hunter2-appkey" || m.Before.Before != nil {
		t.Error("the merchant's secrets are not the new ones with the old ones behind them")
	}
	if len(cfg.Seal.Keys) != 2 || cfg.Seal.Keys[0][0] != 0 {
		t.Errorf("%d sealing keys, or not the newest first", len(cfg.Seal.Keys))
	}
}

func TestARefusedAppSecretIsAskedForAgainInTheSameRequest(t *testing.T) {
	w := newWorld(t)
	wechat := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte(`{"errcode":40125,"errmsg":"invalid appsecret"}`))
	}))
	t.Cleanup(wechat.Close)
	w.vars["XPAY_WECHAT_URL"] = wechat.URL
	e := w.open("login")
	start := time.Now()
	for i, c := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {time.Second, 0}, {4 * time.Second, 0}, {5 * time.Second, 2}} { // both secrets, at most once in five seconds
		e.at(start.Add(c.after))
		w.taken()
		e.post("/login", `{"code":"x"}`)
		if got := w.taken()["GetSecretValue"]; got != c.want {
			t.Errorf("request %d: %d reads, want %d", i+1, got, c.want)
		}
	}
}

func (e *Env) post(path, body string) int {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	e.API().ServeHTTP(rec, r)
	return rec.Code
}

func TestTheMerchantRoutesAreClosedWithoutIAM(t *testing.T) {
	w := newWorld(t)
	e := w.open("refund")
	if got := e.post("/merchant/orders/aaaaaaaaaaaaaaaaaaaaaaaaaa/refunds", `{"amount":1,"reason":"0"}`); got != 401 {
		t.Errorf("answered %d", got)
	}
}
