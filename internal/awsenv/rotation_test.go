package awsenv

import (
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
	w.taken()
	for _, token := range []string{token2, token1, token2} {
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
	start := time.Now()
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
	if got := w.taken()["GetSecretValue"]; got != 2*triesMax {
		t.Errorf("%d tries, want two times %d", got, triesMax)
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
	for _, slip := range []string{"hunter2", `{}`, `{"tokens":[""]}`, `{"token":["hunter2"]}`} {
		w := newWorld(t)
		e := w.open("callback")
		var log strings.Builder
		e.Log = slog.New(slog.NewTextHandler(&log, nil))
		w.rotate("XPAY_PUSH_SECRET", slip)
		e.at(time.Now().Add(20 * time.Minute))
		if got := echo(t, e, token1); got != 200 {
			t.Errorf("%s: %d", slip, got)
		}
		if !strings.Contains(log.String(), "XPAY_PUSH_SECRET") || !strings.Contains(log.String(), "serve on") || strings.Contains(log.String(), "hunter2") {
			t.Errorf("%s: log: %s", slip, log.String())
		}
		w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
		e.at(time.Now().Add(50 * time.Minute))
		if got := echo(t, e, token2); got != 200 {
			t.Errorf("%s, corrected: %d", slip, got)
		}
	}
}

func TestOnlyTheCurrentMerchantSecretIsReadAndBothSealingKeys(t *testing.T) {
	w := newWorld(t)
	w.rotate("XPAY_MERCHANT_SECRET", strings.ReplaceAll(merchantSecret, "appkey", "newkey"))
	w.rotate("XPAY_SEAL_SECRET", `{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`)
	e := w.open("login")
	var cfg backend.Config
	if problems := e.secrets.fill(&cfg); len(problems) > 0 {
		t.Fatal(problems)
	}
	if cfg.Merchant.AppKeys.Production != "hunter2-newkey" || len(cfg.Seal.Keys) != 2 || cfg.Seal.Keys[0][0] != 0 {
		t.Errorf("merchant %t, %d sealing keys", cfg.Merchant.AppKeys.Production == "hunter2-newkey", len(cfg.Seal.Keys))
	}
}

func TestARefusedSecretIsAskedForAgainAtTheNextRequest(t *testing.T) {
	w := newWorld(t)
	wechat := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte(`{"errcode":40125,"errmsg":"invalid appsecret"}`))
	}))
	t.Cleanup(wechat.Close)
	w.vars["XPAY_WECHAT_URL"] = wechat.URL
	e := w.open("login")
	for i, want := range []int{0, 2, 0} { // the second request asks for both secrets, the third comes within a minute
		w.taken()
		e.post("/login", `{"code":"x"}`)
		if got := w.taken()["GetSecretValue"]; got != want {
			t.Errorf("request %d: %d reads, want %d", i+1, got, want)
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
