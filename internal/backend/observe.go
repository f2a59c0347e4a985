package backend

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// seeOrders writes down what happens to orders: into the line of the work that did it, or as a line of its own when the work
// has none.
func seeOrders(log *slog.Logger) func(context.Context, order.Change) {
	return func(ctx context.Context, c order.Change) {
		countChange(ctx, c)
		moved := c.Before.State != c.After.State
		switch {
		case observe.SetFirst(ctx, "order", c.After.ID):
			if moved {
				observe.SetFirst(ctx, "from", c.Before.State)
				observe.Set(ctx, "to", c.After.State)
			}
			if c.Event != "" {
				observe.Set(ctx, "event", c.Event)
			}
		case moved:
			log.InfoContext(ctx, "order changed", "order", c.After.ID, "event", c.Event, "from", c.Before.State, "to", c.After.State)
		}
	}
}

func countChange(ctx context.Context, c order.Change) {
	if c.Created() {
		observe.Count(ctx, observe.OrdersCreated)
	}
	if c.Paid() {
		observe.Count(ctx, observe.OrdersPaid)
	}
	if c.Delivered() {
		observe.Count(ctx, observe.OrdersDelivered)
	}
	for _, back := range c.Refunded() {
		observe.Value(ctx, observe.RefundedFen, int64(back))
	}
	if c.Repaired() {
		observe.Count(ctx, observe.Repairs)
	}
}

// countAlarms counts the questions that are about money, and passes every one on.
func countAlarms(next func(context.Context, order.Alarm)) func(context.Context, order.Alarm) {
	return func(ctx context.Context, a order.Alarm) {
		switch a.Code {
		case order.AttentionMismatch, order.AttentionSurplus, order.AttentionImpossible, order.AttentionUnproven:
			observe.Count(ctx, observe.Mismatches)
		case order.AttentionUnknown:
			observe.Count(ctx, observe.UnknownOrderPushes)
		}
		if next != nil {
			next(ctx, a)
		}
	}
}

// countRefusal counts an answer of WeChat about the mini-program (its AppSecret, the IP 白名单, a quota) that is not about the
// user who asked: a login code that is old or was used is the phone's mistake.
func countRefusal(ctx context.Context, e *miniprogram.Error) {
	for _, ofUser := range []error{miniprogram.ErrCodeInvalid, miniprogram.ErrCodeUsed, miniprogram.ErrSessionKey, miniprogram.ErrBlocked} {
		if errors.Is(e, ofUser) {
			return
		}
	}
	observe.Count(ctx, observe.WeChatErrors)
}

// countErrors counts the calls that were not answered, or with a status of 500 and above. What WeChat refuses in an answer is
// counted where it is understood.
func countErrors(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return countingTransport{next}
}

type countingTransport struct{ next http.RoundTripper }

func (t countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil || resp.StatusCode >= http.StatusInternalServerError {
		observe.Count(r.Context(), observe.WeChatErrors)
	}
	return resp, err
}
