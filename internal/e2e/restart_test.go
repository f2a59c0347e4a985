package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestARestartInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	open, pay := p.create("key-of-open-", "vip_month", 1)
	waiting := p.buy("key-of-wait-", "vip_month", 1) // its push has not left yet
	settled := p.buy("key-of-done-", "gem_60", 2)
	w.restart()
	w.pass(5 * time.Second)
	w.is(waiting, "delivered", true)
	w.is(settled, "delivered", true)
	w.faults(losePushes())
	r := w.refunding(settled, "refund-key-1", 500)
	w.restart() // in the middle of a refund
	if got := w.merchant(settled).refund(t, r.ID); got.State != "running" {
		t.Errorf("refund %+v", got)
	}
	w.pass(time.Minute)
	w.merchant(settled).ledger(t, 1200, 0, 0, 500, 0)
	w.restart()
	p.pay(pay)                                            // the payment of the first process, the token and the session too
	if got := p.poll(open.ID); got.State != "delivered" { // it was signed long ago, so the poll asks
		t.Errorf("the phone sees %+v", got)
	}
	w.pass(2 * time.Minute)
	w.is(open.ID, "delivered", true)
	if again := p.again("key-of-open-", "vip_month", 1); again.Order.ID != open.ID || again.Payment != nil {
		t.Errorf("again: %+v", again)
	}
	p.post("/orders", "key-of-open-", wanted("gem_60", 1)).refused(t, 409, "conflict")
	if back, n := moneyBack(w.truth(settled)); back != 500 || n != 1 {
		t.Errorf("%d fen went back in %d refunds", back, n)
	}
}

func TestARestartKeepsTheFaultsAndTheRepeatsOfPushes(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.faults(wechatsim.Faults{Push: wechatsim.PushFaults{Drop: 3}})
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	w.restart()
	if got := w.truth(id).Pushes[0]; got.Attempts != 1 || got.NextAt.IsZero() {
		t.Errorf("push %+v", got)
	}
	if next, ok := w.stack.Sim.NextPush(); !ok || !next.Equal(start.Add(2*time.Second)) {
		t.Errorf("next push %s, %t", next, ok)
	}
	w.pass(50 * time.Second)
	if got := w.truth(id).Pushes[0]; got.Attempts != 4 || !got.Answered {
		t.Errorf("push %+v", got)
	}
}

func TestACrashAtAnyWriteOfAnOrderLosesNothing(t *testing.T) {
	t.Parallel()
	for _, happened := range []bool{false, true} {
		for n := range 8 {
			t.Run(fmt.Sprintf("write %d, happened %t", n+1, happened), func(t *testing.T) {
				t.Parallel()
				s := &shaky{panics: true}
				w := begin(t, wrapped(s.wrap))
				p := w.phone(alice)
				w.faults(losePushes())
				id := p.buy("key-of-alice", "vip_month", 1)
				s.fail(n, 1, happened, nil)
				w.pass(2 * time.Minute) // found by the ladder, told; the crash is somewhere in between
				w.refund(id, "refund-key-1", 700, "")
				w.pass(time.Minute)
				w.restart()
				w.pass(2 * time.Minute)
				w.refund(id, "refund-key-1", 700, "")
				w.pass(2 * time.Hour)
				w.back(id, 700, 1)
				if v := w.truth(id); v.Status != 4 {
					t.Errorf("WeChat shows %d", v.Status)
				}
			})
		}
	}
}

func TestAStackRefusesToStartAndNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		config string
		named  []string
	}{
		"nothing": {`{}`, []string{"appId", "offerId", "merchant.appSecret", "merchant.appKeys.production", "push.tokens", "seal.keys"}},
		"empty": {`{"appId":"","offerId":"","env":1,"merchant":{"appSecret":"","appKeys":{"sandbox":""}},"push":{"tokens":[""],"aesKeys":[""]},"seal":{"keys":[""]}}`,
			[]string{"appId", "offerId", "merchant.appSecret", "merchant.appKeys.sandbox", "push.tokens[0]", "push.aesKeys[0]", "seal.keys[0]"}},
		"short keys": {`{"appId":"wx1","offerId":"1","env":1,"merchant":{"appSecret":"s","appKeys":{"sandbox":"k"}},"push":{"tokens":["t"],"aesKeys":["short"]},"seal":{"keys":["c2hvcnQ="]}}`,
			[]string{"push.aesKeys[0]", "seal.keys[0]"}},
		"another env": {`{"appId":"wx1","offerId":"1","env":2,"merchant":{"appSecret":"s","appKeys":{"sandbox":"k"}},"push":{"tokens":["t"]},"seal":{"keys":["` + sealKey + `"]}}`, []string{"env"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.MkdirAll(data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(data, "config.json"), []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := localenv.Open(context.Background(), localenv.Options{Data: data, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				t.Fatal("it starts")
			}
			for _, want := range c.named {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %s", err, want)
				}
			}
			if len(strings.Split(err.Error(), "\n")) != 1+len(c.named) {
				t.Errorf("%d lines for %d problems: %v", len(strings.Split(err.Error(), "\n")), len(c.named), err)
			}
		})
	}
	if _, err := backend.Build(backend.Config{}, backend.Outside{}); err == nil || !strings.Contains(err.Error(), "seal.keys") {
		t.Errorf("Build: %v", err)
	}
}
