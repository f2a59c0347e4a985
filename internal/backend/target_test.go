package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// A user, or WeChat, must never wait for the merchant's server.
func TestOnlyTheWorkerTellsTheTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(*Config, *Outside)
		target  string
		reaches bool
	}{
		{"no target", func(*Config, *Outside) {}, "", false},
		{"a webhook", func(c *Config, _ *Outside) { *c = toWebhook() }, "webhook", true},
		{"a bus", func(c *Config, o *Outside) {
			c.Delivery.Target = "eventbus"
			o.Deliver = func(context.Context, order.Delivery) error { return nil }
		}, "eventbus", true},
		{"a webhook whose keys another process has", func(c *Config, _ *Outside) {
			c.Delivery.Target, c.Groups = "webhook", GroupMerchant|GroupSeal
		}, "webhook", false},
		{"a bus that another process reaches", func(c *Config, _ *Outside) {
			c.Delivery.Target, c.Groups = "eventbus", GroupPush
		}, "eventbus", false},
	} {
		cfg, out := complete(), outside(t)
		c.change(&cfg, &out)
		b, err := Build(cfg, out)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if b.Orders.Target != c.target || b.API.Orders.Target != c.target || (b.Orders.Deliver != nil) != c.reaches || b.API.Orders.Deliver != nil {
			t.Errorf("%s: target %q, the worker reaches it %t, the handlers %t", c.name, b.Orders.Target, b.Orders.Deliver != nil, b.API.Orders.Deliver != nil)
		}
	}
}

func TestTheKeysOfTheWebhookAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c := toWebhook()
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "delivery", c.Delivery, "secrets", c.Delivery.DeliverySecrets)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		log.WriteString(fmt.Sprintf(verb+verb+verb, c, c.Delivery, &c.Delivery))
	}
	if strings.Contains(log.String(), "MfKQ9r8") || strings.Contains(log.String(), "4d664b51") {
		t.Errorf("it prints %s", log.String())
	}
	raw, err := json.Marshal(c.Delivery)
	var back Delivery
	if err != nil || json.Unmarshal(raw, &back) != nil || back.URL != c.Delivery.URL || back.Keys[0] != publishedKey {
		t.Errorf("it is not written and read as JSON: %s, %v", raw, err)
	}
}

// receiver answers what it is sent.
type receiver func(*http.Request) (int, string)

func (r receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body := r(req)
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func TestTheWebhookHasAWayOfItsOwn(t *testing.T) {
	t.Parallel()
	out := outside(t)
	out.Transport = receiver(func(*http.Request) (int, string) { t.Error("it goes WeChat's way"); return 200, "" })
	var got *http.Request
	out.TargetTransport = receiver(func(r *http.Request) (int, string) { got = r; return 204, "" })
	out.Now = func() time.Time { return time.Unix(1614265330, 0) }
	b, err := Build(toWebhook(), out)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Orders.Deliver(t.Context(), order.Delivery{Order: order.Order{ID: "an-order"}, Event: order.Outgoing{Seq: 2, Type: "order.refunded"}})
	if err != nil || got.URL.String() != "https://shop.example/hook" || got.Header.Get("webhook-id") != "an-order.2" || got.Header.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("%v, %+v", err, got)
	}
}
