package awsenv

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// Option gives a function what it alone needs, so that the others do not carry it.
type Option func(*Env)

// OpenBus makes the way to an event bus, by its name or ARN. endpoint is the URL where EventBridge is asked.
type OpenBus func(cfg aws.Config, endpoint, name string, now func() time.Time) func(context.Context, order.Delivery) error

// EventBus lets the function that delivers reach an event bus.
func EventBus(open OpenBus) Option { return func(e *Env) { e.openBus = open } }

// forTarget is what the function is given with a delivery target: only a webhook needs keys.
func (f Function) forTarget(target string) Function {
	if target != backend.TargetWebhook {
		f.Groups &^= backend.GroupDelivery
	}
	return f
}

// checkTarget says what is missing for an event bus. What a webhook needs is required by the table.
func (e *Env) checkTarget(vars *environment) {
	if !e.function.Delivers || vars.get(setTarget) != backend.TargetEventBus {
		return
	}
	if vars.get(setEventBus) == "" {
		vars.problem("%s is not set: the event bus, since %s is %s", setEventBus, setTarget, backend.TargetEventBus)
	}
	if endpoint(vars.get, "EVENTBRIDGE") == nil {
		vars.problem("%s is not set, or ignored: where EventBridge is asked, since %s is %s", setEventBridge, setTarget, backend.TargetEventBus)
	}
	if e.openBus == nil {
		vars.problem("%s is %s: %s was built without the way to one", setTarget, backend.TargetEventBus, e.function.Name)
	}
}

// connectTarget makes the way to the event bus; the webhook is made with its keys, which change.
func (e *Env) connectTarget(cfg aws.Config, getenv func(string) string) {
	url := endpoint(getenv, "EVENTBRIDGE")
	if e.function.Delivers && e.openBus != nil && url != nil && getenv(setTarget) == backend.TargetEventBus {
		e.outside.Deliver = e.openBus(cfg, *url, getenv(setEventBus), wallClock)
	}
}
