package awsenv

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// longAfter is past every overlap of a rotation.
const longAfter = 30 * 24 * time.Hour

// openAfter opens a function as a start does that long after the secrets were put in.
func (w *world) openAfter(function string, after time.Duration) *Env {
	w.Helper()
	e := w.open(function)
	e.at(time.Now().Add(after))
	w.taken()
	if problems := e.secrets.load(w.Context()); len(problems) > 0 {
		w.Fatal(problems)
	}
	if e.outside.AppKeys != nil {
		e.outside.AppKeys = &xpay.AppKeys{Renew: e.outside.AppKeys.Renew}
	}
	cfg := e.config
	e.secrets.fill(&cfg)
	if err := e.build(cfg); err != nil {
		w.Fatal(err)
	}
	return e
}

func TestAStartReadsTheVersionBeforeOnlySoonAfterARotation(t *testing.T) {
	for function, reads := range map[string]struct{ soon, later int }{"callback": {2, 1}, "login": {4, 2}, "createorder": {4, 2}, "orders": {4, 2}} {
		w := newWorld(t)
		for after, want := range map[time.Duration]int{time.Hour: reads.soon, longAfter: reads.later} {
			e := w.openAfter(function, after)
			if got := w.taken()["GetSecretValue"]; got != want {
				t.Errorf("%s starts %s after its secrets were put in with %d reads, want %d", function, after, got, want)
			}
			e.at(time.Now().Add(after + 20*time.Minute))
			e.now(t.Context())
			if got := w.taken()["GetSecretValue"]; got != reads.later {
				t.Errorf("%s refreshes with %d reads, want %d", function, got, reads.later)
			}
		}
	}
}

// TestABoxOfTheKeyBeforeOpensLongAfterTheRotation: no start has read that key, the box asks for it.
func TestABoxOfTheKeyBeforeOpensLongAfterTheRotation(t *testing.T) {
	s := newShop(t)
	alice := s.login(s.open("login"), "oAlice")
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	create := s.openAfter("createorder", longAfter)
	s.taken()
	if got := s.buy(create, alice, "key-00000001"); got.status != 201 {
		t.Errorf("answered %d", got.status)
	}
	if got := s.taken()["GetSecretValue"]; got != 3 {
		t.Errorf("%d reads, want both current ones and the sealing key before", got)
	}
	if got := s.buy(create, alice, "key-00000002"); got.status != 201 || s.taken()["GetSecretValue"] != 0 {
		t.Errorf("the next one is answered %d, or asks again", got.status)
	}
}

// TestAConsoleThatWasLeftBehindCostsOneRefusedCall: the secrets were changed a month ago, and WeChat was not told.
func TestAConsoleThatWasLeftBehindCostsOneRefusedCall(t *testing.T) {
	s := newShop(t)
	alice := s.login(s.open("login"), "oAlice")
	s.merchant(newAppSecret, newAppKey)
	create := s.openAfter("createorder", longAfter)
	order := s.buy(create, alice, "key-00000001")
	if got := s.phone("oAlice", order); got != wrongPaySig {
		t.Errorf("the newest key signs first: the phone says %d", got)
	}
	if got := s.phone("oAlice", s.attempt(create, alice, order.Order.ID)); got != cancelled || s.said(268490003) > 1 {
		t.Errorf("asked again: the phone says %d", got)
	}
	s.login(s.openAfter("login", longAfter), "oBob") // the AppSecret, too: the one before is tried when the newest is refused
}

// TestAVersionBeforeThatCannotBeReadIsAskedForAgain: a doubt that was not answered stays open for its bound, and no longer.
func TestAVersionBeforeThatCannotBeReadIsAskedForAgain(t *testing.T) {
	s := newShop(t)
	alice := s.login(s.open("login"), "oAlice")
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	create := s.openAfter("createorder", longAfter)
	s.fail(func(operation string) (int, string) {
		if operation == "GetSecretValue" {
			return 400, `{"__type":"AccessDeniedException"}`
		}
		return 0, ""
	})
	if got := s.buy(create, alice, "key-00000001"); got.status != 401 {
		t.Errorf("nobody can open the box, but it is answered %d", got.status)
	}
	s.fail(nil)
	create.at(time.Now().Add(longAfter + claimedGap + time.Second))
	if got := s.buy(create, alice, "key-00000001"); got.status != 201 {
		t.Errorf("a minute later: %d", got.status)
	}
}

// TestBothKeysSignWebhooksHoweverOldTheyAre: a receiver that still knows the old key has no way to say so.
func TestBothKeysSignWebhooksHoweverOldTheyAre(t *testing.T) {
	s := &secrets{now: func() time.Time { return time.Now().Add(longAfter) }}
	if !s.needsPrevious(backend.GroupDelivery, heldSecret{}, secretValue{version: "1", made: time.Now()}, false) {
		t.Error("the key before would not sign")
	}
}

func TestARotationIsReadWithTheVersionBeforeByAFunctionThatRuns(t *testing.T) {
	w := newWorld(t)
	e := w.openAfter("login", longAfter)
	w.rotate("XPAY_MERCHANT_SECRET", strings.ReplaceAll(merchantSecret, oldAppKey, newAppKey))
	e.at(time.Now().Add(longAfter + 20*time.Minute))
	e.now(t.Context())
	var cfg backend.Config
	e.secrets.fill(&cfg)
	if m := cfg.Merchant; m.AppKeys.Production != newAppKey || m.Before == nil || m.Before.AppKeys.Production != oldAppKey {
		t.Error("the merchant's secrets are not the new ones with the old ones behind them")
	}
}

const (
	sealSecret4     = `{"key":"hunter2hunter2hunter2hunter2hunter2hunter5h"}`
	keyDisabled     = `{"__type":"DecryptionFailure","message":"the key is disabled"}`
	accessDenied    = `{"__type":"AccessDeniedException"}`
	internalFailure = `{"__type":"InternalServiceError"}`
	tooManyRequests = `{"__type":"ThrottlingException","message":"Rate exceeded"}`
)

// TestABoxOfAKeyThatIsGoneDoesNotKeepAFunctionFromANewerOne: each sealing key has a minute of its own.
func TestABoxOfAKeyThatIsGoneDoesNotKeepAFunctionFromANewerOne(t *testing.T) {
	s := newShop(t)
	login := s.open("login")
	gone, alsoGone := s.login(login, "oGone"), s.login(login, "oAlsoGone")
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	s.rotate("XPAY_SEAL_SECRET", sealSecret3)
	create := s.open("createorder")
	for _, bearer := range []string{gone, alsoGone, gone} {
		if got := s.buy(create, bearer, "key-00000001"); got.status != 401 {
			t.Errorf("a box of two keys ago: %d", got.status)
		}
	}
	s.rotate("XPAY_SEAL_SECRET", sealSecret4)
	newest := s.login(s.open("login"), "oNewest")
	s.taken()
	if got := s.buy(create, gone, "key-00000002"); got.status != 401 || s.taken()["GetSecretValue"] != 0 {
		t.Errorf("a box of a key that was just looked for: %d, or it is looked for again", got.status)
	}
	if got := s.buy(create, newest, "key-00000001"); got.status != 201 {
		t.Errorf("a box of a newer key than the function has: %d", got.status)
	}
}

// TestKeysThatBoxesNameMakeItAskABoundedNumberOfTimes whatever stands in the store.
func TestKeysThatBoxesNameMakeItAskABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := &secrets{}
	looks := 0
	for n := range 10 * aspectsMax {
		s.doubt(backend.Doubt{Group: backend.GroupSeal, KeyID: strings.Repeat("x", n+1)})
		if s.force(now) != 0 {
			looks++
		}
	}
	if looks > aspectsMax+1 || len(s.forced) > aspectsMax+1 || len(s.doubted) > aspectsMax+1 {
		t.Errorf("%d looks, %d and %d keys are remembered", looks, len(s.forced), len(s.doubted))
	}
	s.force(now.Add(claimedGap))
	s.force(now.Add(2 * claimedGap))
	if len(s.forced)+len(s.doubted) != 0 {
		t.Errorf("%d and %d keys are remembered for ever", len(s.forced), len(s.doubted))
	}
}

// TestAStartWhoseVersionBeforeCannotBeReadServesWithTheCurrentOne: the KMS key of that version is disabled, say. It is said in the
// log, and asked for again once something does not fit.
func TestAStartWhoseVersionBeforeCannotBeReadServesWithTheCurrentOne(t *testing.T) {
	for _, why := range []string{keyDisabled, accessDenied, internalFailure} {
		w := newWorld(t)
		w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
		w.hide(why)
		var log strings.Builder
		e, err := Open(t.Context(), "callback", w.with(nil), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatalf("%s: it does not start: %v", why, err)
		}
		e.secrets.wait = time.Minute
		if got := push(t, e, token2, aesKey1); got != 200 {
			t.Errorf("%s: the current token: %d", why, got)
		}
		if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "XPAY_PUSH_SECRET") || strings.Contains(text, "hunter2") {
			t.Errorf("%s: log: %s", why, text)
		}
		w.hide("")
		e.at(time.Now().Add(claimedGap + time.Second))
		w.taken()
		push(t, e, token2, aesKey1)
		if again := w.taken()["GetSecretValue"] > 0; again != (why == internalFailure) {
			t.Errorf("%s: a minute later it asks again unasked: %t", why, again)
		}
		if got := push(t, e, token1, aesKey1); got != 200 {
			t.Errorf("%s: the token before, when it can be read again: %d", why, got)
		}
		w.hide(why) // and a function that runs has the version before from its own memory
		w.rotate("XPAY_PUSH_SECRET", strings.NewReplacer(token1, "hunter2-token-3", aesKey1, aesKey2).Replace(pushSecret))
		e.at(time.Now().Add(20 * time.Minute))
		for token, key := range map[string]string{token2: aesKey1, "hunter2-token-3": aesKey2} {
			if got := push(t, e, token, key); got != 200 {
				t.Errorf("%s: after one more rotation, %s: %d", why, token, got)
			}
		}
	}
	w := newWorld(t)
	w.fail(func(operation string) (int, string) {
		if operation == "GetSecretValue" {
			return 400, keyDisabled
		}
		return 0, ""
	})
	if problems := w.refused("callback", nil); len(problems) != 1 || !strings.Contains(problems[0], "XPAY_PUSH_SECRET: the secret cannot be read") {
		t.Errorf("without a current one: %q", problems)
	}
}

// TestAUserWhoseBoxCannotBeOpenedJustNowIsNotSentToLogIn: unknown is not "no", and a user who logs in anew is served all the same.
func TestAUserWhoseBoxCannotBeOpenedJustNowIsNotSentToLogIn(t *testing.T) {
	for why, want := range map[string]int{internalFailure: 503, tooManyRequests: 503, keyDisabled: 401, accessDenied: 401} {
		s := newShop(t)
		login := s.open("login")
		alice := s.login(login, "oAlice")
		s.rotate("XPAY_SEAL_SECRET", sealSecret2)
		create := s.openAfter("createorder", longAfter)
		s.hide(why)
		for i := range 2 { // the second one within the minute
			if got := s.buy(create, alice, "key-00000001"); got.status != want {
				t.Errorf("%s: request %d is answered %d, want %d", why, i+1, got.status, want)
			}
		}
		body := `{"productId":"vip","quantity":1,"code":"` + s.sim.Login("oAlice") + `"}`
		if got := create.ask(t, "/orders", body, "Authorization", alice, "Idempotency-Key", "key-00000002"); got.status != 201 {
			t.Errorf("%s: with a fresh code: %d", why, got.status)
		}
	}
	s := newShop(t)
	alice := s.login(s.open("login"), "oAlice")
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	create := s.openAfter("createorder", longAfter)
	s.hide(internalFailure)
	s.buy(create, alice, "key-00000001")
	s.hide("")
	create.at(time.Now().Add(longAfter + claimedGap + time.Second))
	if got := s.buy(create, alice, "key-00000001"); got.status != 201 {
		t.Errorf("the same request a minute later: %d", got.status)
	}
}

// newRotatedShop is a shop whose sealing key was rotated; Alice's box is of the key before, Bob's of the current one.
func newRotatedShop(t *testing.T) (s *shop, alice, bob string) {
	t.Helper()
	s = newShop(t)
	alice = s.login(s.open("login"), "oAlice")
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	return s, alice, s.login(s.open("login"), "oBob")
}

// TestALookForAnotherSecretForgetsNoQuestion: the phone's report makes it look at the merchant's secret, and what could not be read of
// the sealing keys stays open.
func TestALookForAnotherSecretForgetsNoQuestion(t *testing.T) {
	s, alice, bob := newRotatedShop(t)
	create := s.openAfter("createorder", longAfter)
	order := s.buy(create, bob, "key-0000000b")
	s.hide(internalFailure)
	if got := s.buy(create, alice, "key-00000001"); got.status != 503 {
		t.Errorf("answered %d", got.status)
	}
	s.attempt(create, bob, order.Order.ID)
	if got := s.buy(create, alice, "key-00000001"); got.status != 503 {
		t.Errorf("after a look for another secret: %d", got.status)
	}
}

// TestASlipAndAVersionThatCannotBeReadLoseNothingThatServes: a token that no function could use was put in and corrected.
func TestASlipAndAVersionThatCannotBeReadLoseNothingThatServes(t *testing.T) {
	for _, hidden := range []string{"", internalFailure} {
		w := newWorld(t)
		e := w.open("callback")
		w.rotate("XPAY_PUSH_SECRET", `{"tokenz":["x"]}`)
		w.rotate("XPAY_PUSH_SECRET", strings.ReplaceAll(pushSecret, token1, token2))
		w.hide(hidden)
		for _, after := range []time.Duration{20 * time.Minute, 22 * time.Minute} {
			e.at(time.Now().Add(after))
			for _, token := range []string{token1, token2} {
				if got := push(t, e, token, aesKey1); got != 200 {
					t.Errorf("%q, after %s: %s is answered %d", hidden, after, token, got)
				}
			}
			w.hide("")
		}
	}
}

// sealDoor puts a door before Secrets Manager, at which reads of a version of the sealing key are passed on by pass.
func (s *shop) sealDoor(read func(stage string, pass func())) {
	s.Helper()
	behind, err := url.Parse(s.vars["AWS_ENDPOINT_URL"])
	if err != nil {
		s.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		pass := func() { proxy.ServeHTTP(w, r) }
		var asked struct{ SecretId, VersionStage string }
		if json.Unmarshal(body, &asked); asked.SecretId == s.vars["XPAY_SEAL_SECRET"] {
			read(asked.VersionStage, pass)
			return
		}
		pass()
	}))
	s.Cleanup(door.Close)
	s.vars["AWS_ENDPOINT_URL"] = door.URL
}

// TestADoubtAsksForBothVersionsAtOnce: the first question is answered when the second one has come, so a look takes the time of one.
func TestADoubtAsksForBothVersionsAtOnce(t *testing.T) {
	s := newShop(t)
	alice := s.login(s.open("login"), "oAlice")
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	var waits atomic.Bool
	asked := make(chan struct{})
	s.sealDoor(func(stage string, pass func()) {
		switch {
		case !waits.Load():
		case stage == stagePrevious:
			close(asked)
		default:
			select {
			case <-asked:
			case <-time.After(20 * time.Second):
				t.Error("the version before was not asked for meanwhile")
			}
		}
		pass()
	})
	create := s.openAfter("createorder", longAfter)
	waits.Store(true)
	if got := s.buy(create, alice, "key-00000001"); got.status != 201 {
		t.Errorf("answered %d", got.status)
	}
}

// TestARotationBetweenTheTwoReadsLosesNoKeyThatServes: the version before is read first, then the secret is rotated, then the current one
// is read.
func TestARotationBetweenTheTwoReadsLosesNoKeyThatServes(t *testing.T) {
	s, alice, bob := newRotatedShop(t)
	var waits atomic.Bool
	rotated := make(chan struct{})
	s.sealDoor(func(stage string, pass func()) {
		switch {
		case !waits.Load():
		case stage == stagePrevious:
			pass()
			if waits.CompareAndSwap(true, false) {
				s.rotate("XPAY_SEAL_SECRET", sealSecret3)
				close(rotated)
			}
			return
		default:
			<-rotated
		}
		pass()
	})
	create := s.openAfter("createorder", longAfter)
	waits.Store(true)
	s.buy(create, alice, "key-00000001")
	if got := s.buy(create, bob, "key-00000002"); got.status != 201 {
		t.Errorf("a user whose key served until now is answered %d", got.status)
	}
}

// TestWhoHasPaidLearnsItAlthoughTheirKeyCannotBeOpenedNow: only who needs a signature needs the key.
func TestWhoHasPaidLearnsItAlthoughTheirKeyCannotBeOpenedNow(t *testing.T) {
	s := newShop(t)
	alice := s.login(s.open("login"), "oAlice")
	create := s.open("createorder")
	order := s.buy(create, alice, "key-00000001")
	if got := s.pay("oAlice", order); got != 0 {
		t.Fatalf("the phone says %d", got)
	}
	s.attempt(create, alice, order.Order.ID) // which finds the payment
	s.rotate("XPAY_SEAL_SECRET", sealSecret2)
	fresh := s.openAfter("createorder", longAfter)
	s.hide(internalFailure)
	for what, got := range map[string]answer{
		"the same order": s.buy(fresh, alice, "key-00000001"), "another payment": s.attempt(fresh, alice, order.Order.ID),
	} {
		if got.status != 200 || got.Order.State != "delivered" {
			t.Errorf("%s: %d, %s", what, got.status, got.Order.State)
		}
	}
	if got := s.buy(fresh, alice, "key-00000002"); got.status != 503 {
		t.Errorf("a new order: %d", got.status)
	}
}
