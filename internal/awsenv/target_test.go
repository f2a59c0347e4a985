package awsenv

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// Keys of a webhook: the specification's, and one more.
const (
	hookKey1   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	hookKey2   = "whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ="
	hookSecret = `{"keys":["` + hookKey1 + `"]}`
)

// aimed is the environment with a delivery target.
func (w *world) aimed(target string, more map[string]string) map[string]string {
	w.Helper()
	vars := map[string]string{"XPAY_TARGET": target}
	maps.Copy(vars, more)
	return vars
}

func (w *world) hook(value string, url string) map[string]string {
	w.Helper()
	name := strings.TrimSuffix(w.vars["XPAY_ORDERS_TABLE"], "-orders") + "-hook-" + time.Now().Format("150405.000000000")
	return w.aimed("webhook", map[string]string{"XPAY_WEBHOOK_SECRET": w.secret(name, value), "XPAY_WEBHOOK_URL": url})
}

func TestEveryFunctionKnowsThereIsATargetAndOneReachesIt(t *testing.T) {
	w := newWorld(t)
	asked := ""
	bus := func(cfg aws.Config, endpoint, name string, _ func() time.Time) func(context.Context, order.Delivery) error {
		if asked = endpoint; name != "shop" || cfg.Region != "us-east-1" {
			t.Errorf("the bus is %s in %s", name, cfg.Region)
		}
		return func(context.Context, order.Delivery) error { return errors.New("told the bus") }
	}
	for _, f := range Functions() {
		if f.Groups == 0 || f.Name == "login" {
			continue
		}
		for _, c := range []struct {
			target string
			vars   map[string]string
		}{
			{"webhook", map[string]string{}}, {"webhook", w.hook(hookSecret, "https://shop.example")}, {"eventbus", map[string]string{"XPAY_EVENT_BUS": "shop"}},
			{"eventbus", map[string]string{"XPAY_EVENT_BUS": "shop", "AWS_ENDPOINT_URL_EVENTBRIDGE": "https://events.example"}},
		} {
			if len(c.vars) == 0 && f.Name == "reconcile" {
				continue // it must have the keys, see below
			}
			e, err := Open(t.Context(), f.Name, w.with(w.aimed(c.target, c.vars)), discard, EventBus(bus))
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			if want := cmp.Or(c.vars["AWS_ENDPOINT_URL_EVENTBRIDGE"], w.vars["AWS_ENDPOINT_URL"]); f.Delivers && c.target == "eventbus" && asked != want {
				t.Errorf("the bus is asked at %s, want %s", asked, want)
			}
			if o := e.serving.Orders; o.Target != c.target || (o.Deliver != nil) != (f.Name == "reconcile") {
				t.Errorf("%s has the target %q and reaches it: %t", f.Name, o.Target, o.Deliver != nil)
			}
		}
	}
}

func TestATargetThatCannotBeToldKeepsTheWorkerFromStarting(t *testing.T) {
	w := newWorld(t)
	url, door := "https://shop.example/hook", w.vars["AWS_ENDPOINT_URL"]
	for name, c := range map[string]struct {
		vars map[string]string
		want []string
	}{
		"an unknown target":              {w.aimed("sms", nil), []string{`XPAY_TARGET is "sms"`}},
		"nothing but the name":           {w.aimed("webhook", nil), []string{"XPAY_WEBHOOK_URL is not set", "XPAY_WEBHOOK_SECRET is not set"}},
		"an http URL":                    {w.hook(hookSecret, "http://shop.example/hunter2"), []string{"XPAY_WEBHOOK_URL must begin with https"}},
		"no key":                         {w.hook(`{"keys":[]}`, url), []string{"XPAY_WEBHOOK_SECRET: keys is missing"}},
		"a short key":                    {w.hook(`{"keys":["whsec_aHVudGVyMg=="]}`, url), []string{"XPAY_WEBHOOK_SECRET: keys[0]: the key has 7 bytes"}},
		"a key that is not one":          {w.hook(`{"keys":["`+hookKey1+`","hunter2"]}`, url), []string{"XPAY_WEBHOOK_SECRET: keys[1]: the key must begin with whsec_"}},
		"another secret":                 {w.hook(`{"key":"hunter2"}`, url), []string{`XPAY_WEBHOOK_SECRET: the secret has the unknown field "key"`}},
		"a secret that says where it is": {w.hook(`{"keys":[],"url":"https://hunter2"}`, url), []string{`XPAY_WEBHOOK_SECRET: the secret has the unknown field "url"`}},
		"a bus without a name":           {w.aimed("eventbus", nil), []string{"XPAY_EVENT_BUS is not set", "XPAY_TARGET is eventbus: reconcile was built without"}},
		"a bus that is nowhere": {w.aimed("eventbus", map[string]string{
			"XPAY_EVENT_BUS": "shop", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_DYNAMODB": door, "AWS_ENDPOINT_URL_SECRETS_MANAGER": door,
		}), []string{"AWS_ENDPOINT_URL_EVENTBRIDGE is not set", "XPAY_TARGET is eventbus: reconcile was built without"}},
	} {
		problems := w.refused("reconcile", c.vars)
		if len(problems) != len(c.want) {
			t.Errorf("%s: %q", name, problems)
			continue
		}
		for _, want := range c.want {
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, want) }) {
				t.Errorf("%s: %q do not begin with %q", name, problems, want)
			}
		}
	}
}

// TestAWebhookKeyIsRotatedWithoutARefusedEvent: whichever key the receiver holds, one of the signatures is of it.
func TestAWebhookKeyIsRotatedWithoutARefusedEvent(t *testing.T) {
	w := newWorld(t)
	var fits []string // the keys that the last event was signed with, in the order of the signatures
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fits = nil
		for _, signature := range strings.Fields(r.Header.Get("webhook-signature")) {
			for _, key := range []string{hookKey1, hookKey2} {
				if signature == "v1,"+hmacOf(t, key, r.Header.Get("webhook-id")+"."+r.Header.Get("webhook-timestamp")+"."+string(body)) {
					fits = append(fits, key)
				}
			}
		}
	}))
	defer receiver.Close()
	vars := w.hook(hookSecret, receiver.URL)
	w.vars["XPAY_WEBHOOK_SECRET"] = vars["XPAY_WEBHOOK_SECRET"]
	e, err := Open(t.Context(), "reconcile", w.with(vars), discard)
	if err != nil {
		t.Fatal(err)
	}
	event := order.Delivery{Order: order.Order{ID: "an-order"}, Event: order.Outgoing{Seq: 1, Type: "order.paid"}}
	tell := func() []string {
		t.Helper()
		if err := e.now(t.Context()).Orders.Deliver(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		return fits
	}
	if got := tell(); !slices.Equal(got, []string{hookKey1}) {
		t.Fatalf("signed with %q", got)
	}
	w.rotate("XPAY_WEBHOOK_SECRET", `{"keys":["`+hookKey2+`"]}`)
	e.secrets.mu.Lock()
	e.secrets.until = time.Time{} // its lifetime is over
	e.secrets.mu.Unlock()
	if got := tell(); !slices.Equal(got, []string{hookKey2, hookKey1}) {
		t.Errorf("after the rotation it is signed with %q", got)
	}
}

// hmacOf signs as the specification says.
func hmacOf(t *testing.T, key, text string) string {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		t.Error(err)
	}
	mac := hmac.New(sha256.New, secret)
	io.WriteString(mac, text)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
