package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const root = "../../"

func TestTheTokenOfTheEventsIsTheUsers(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Create(t.Context(), devTokenDoc(time.Now())); err != nil {
		t.Fatal(err)
	}
	sessions := &session.Service{Store: db, Now: time.Now}
	if got, err := sessions.Authenticate(t.Context(), devToken); got != openID || err != nil {
		t.Errorf("the token belongs to %q, %v", got, err)
	}
}

func TestTheMiniProgramIsComplete(t *testing.T) {
	t.Parallel()
	if err := config().Check(); err != nil {
		t.Error(err)
	}
}

func TestEveryVariableThatAFunctionReadsIsSet(t *testing.T) {
	t.Parallel()
	all := variables(made{"/123456789012/q"}, "http://wechat", "http://aws")
	for _, s := range awsenv.Settings() {
		if _, ok := all[s.Name]; !ok && !s.SetByLambda() {
			t.Errorf("%s is not set", s.Name)
		}
	}
	if got := all["XPAY_QUEUE_URL"]; got != "http://aws/123456789012/q" {
		t.Errorf("the queue is at %q", got)
	}
}

// TestTheEventsTellOfOneOrder: the id in the later events is the one that the first event makes.
func TestTheEventsTellOfOneOrder(t *testing.T) {
	t.Parallel()
	var create struct{ Headers map[string]string }
	text := readEvent(t, "createorder.json", &create)
	if create.Headers["authorization"] != "Bearer "+devToken || !strings.Contains(text, "gem_60") {
		t.Errorf("createorder.json: %s", text)
	}
	id := order.NewID(appID, xpay.Production, openID, create.Headers["idempotency-key"])
	for _, name := range []string{"attempts", "order-poll", "consume", "merchant-order", "refund", "refund-settle", "refund-accept"} {
		var e struct {
			RawPath        string
			PathParameters map[string]string
		}
		readEvent(t, name+".json", &e)
		if e.PathParameters["id"] != id || !strings.Contains(e.RawPath, "/"+id) {
			t.Errorf("%s.json is about %s, not about %s", name, e.RawPath, id)
		}
	}
	var refund struct{ Headers map[string]string }
	readEvent(t, "refund.json", &refund)
	refundID := order.NewRefundID(id, 1, refund.Headers["idempotency-key"])
	if text := readEvent(t, "refund-settle.json", nil); !strings.Contains(text, refundID) {
		t.Error("refund-settle.json is about another refund")
	}
	if text := readEvent(t, "reconcile.json", nil); !strings.Contains(text, order.DocID(id)) {
		t.Error("reconcile.json is about another order")
	}
}

func readEvent(t *testing.T, name string, into any) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, eventsFolder, name))
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatalf("events/%s: %v", name, err)
	}
	return string(raw)
}

func TestAFreshPushIsBelievedInBothFormats(t *testing.T) {
	t.Parallel()
	paid, err := readPayment([]byte(`{"outTradeNo":"o1","productId":"gem_60","quantity":1,"orderFee":600,"attach":"v1.o1",
		"payments":[{"transactionId":"4500000001","mchOrderNo":"m1","at":"2026-08-01T16:00:00Z"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	push, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: appID, Tokens: []string{pushToken}, AESKeys: []string{aesKey}})
	if err != nil {
		t.Fatal(err)
	}
	for name, message := range map[string]string{"JSON": paid.json(now), "XML": paid.xml(now)} {
		query, body, err := forge(aesKey, now, message)
		if err != nil {
			t.Fatal(err)
		}
		m, err := push.Open(query, body)
		if err != nil || !m.Encrypted {
			t.Errorf("%s: encrypted %t, %v", name, m.Encrypted, err)
		}
		e, err := xpay.ParseEvent(m.Body)
		if err != nil || e.Name != "xpay_goods_deliver_notify" {
			t.Errorf("%s: %q, %v", name, e.Name, err)
		}
	}
	if _, err := readPayment([]byte(`{"payments":[]}`)); err == nil {
		t.Error("an order that is not paid can be pushed as paid")
	}
}

func TestOnlyTheArchitectureOfABuiltTemplateChanges(t *testing.T) {
	t.Parallel()
	const before = `Parameters:
  AppId:
    Type: String
  Architecture:
    Type: String
    AllowedValues:
    - arm64
    - x86_64
    Default: arm64
  LogLevel:
    Default: INFO
`
	got, err := withArchitecture(before, "x86_64")
	if want := strings.Replace(before, "Default: arm64", "Default: x86_64", 1); got != want || err != nil {
		t.Errorf("%v\n%s", err, got)
	}
	for _, broken := range []string{
		"",
		"Parameters:\n  Architecture:\n    Type: String\n",
		"  Architecture:\n  LogLevel:\n    Default: INFO\n",
	} {
		if got, err := withArchitecture(broken, "x86_64"); err == nil {
			t.Errorf("%q became %q", broken, got)
		}
	}
}
