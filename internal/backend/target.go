package backend

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/xpay-serverless/xpay-serverless/internal/deliver"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// Delivery targets: who must accept a paid order before WeChat is told that it is delivered.
const (
	TargetNone     = "" // the order itself
	TargetWebhook  = "webhook"
	TargetEventBus = "eventbus"
)

// Delivery says who hears of paid orders and refunds. Whoever only records orders needs to know no more than Target.
type Delivery struct {
	Target string `json:"target"`
	URL    string `json:"url"` // of the webhook
	DeliverySecrets
}

// DeliverySecrets sign what the webhook is sent. Newest first: all of them sign, so that the receiver may rotate when it likes.
type DeliverySecrets struct {
	Keys []string `json:"keys"` // whsec_…
}

func (d Delivery) String() string                  { return "delivery to " + d.Target + ", secrets " + redacted }
func (d Delivery) Format(f fmt.State, _ rune)      { io.WriteString(f, d.String()) }
func (d Delivery) LogValue() slog.Value            { return slog.StringValue(d.String()) }
func (DeliverySecrets) LogValue() slog.Value       { return slog.StringValue(redacted) }
func (DeliverySecrets) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

func (d Delivery) checkTarget(need needs) {
	known := d.Target == TargetNone || d.Target == TargetWebhook || d.Target == TargetEventBus
	need(known, "delivery.target is %q, it must be %s, %s or empty", d.Target, TargetWebhook, TargetEventBus)
}

func (d Delivery) checkWebhook(need needs) {
	need(d.URL != "", "delivery.url is missing: where the webhook is sent")
	if err := deliver.CheckURL(d.URL); d.URL != "" {
		need(err == nil, "delivery.url %w", err)
	}
	need(len(d.Keys) > 0, "delivery.keys is missing: what the webhook is signed with")
	for i, key := range d.Keys {
		_, err := deliver.ParseKey(key)
		need(err == nil, "delivery.keys[%d]: %w", i, err)
	}
}

// deliverer is the way to the delivery target; nil where there is none, or where another process has it.
func (p *parts) deliverer() (func(context.Context, order.Delivery) error, error) {
	target := p.cfg.Delivery
	switch {
	case target.Target == TargetNone:
		return nil, nil
	case p.out.Deliver != nil:
		return p.out.Deliver, nil
	case target.Target == TargetWebhook && p.cfg.has(GroupDelivery):
		keys, err := deliver.ParseKeys(target.Keys)
		w := &deliver.Webhook{URL: target.URL, Keys: keys, Transport: p.out.TargetTransport, Now: p.out.Now}
		return w.Deliver, err
	case p.cfg.Groups == 0:
		return nil, fmt.Errorf("the way to the delivery target %s is missing: on one machine there is the webhook only", target.Target)
	default:
		return nil, nil
	}
}
