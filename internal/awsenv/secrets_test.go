package awsenv

import (
	"strings"
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
	if !s.needsPrevious(backend.GroupDelivery, secretValue{version: "1", made: time.Now()}, false) {
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
