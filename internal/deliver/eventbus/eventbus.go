// Package eventbus puts a merchant's events on an Amazon EventBridge bus. It makes the two calls by itself: AWS's own client
// is 0.6 MB of a binary. It is a package of its own so that only the function that delivers can reach a bus.
package eventbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/xpay-serverless/xpay-serverless/internal/deliver"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// Source is the source of every event, for the patterns of rules. The detail-type is order.paid or order.refunded.
const Source = "xpay-serverless"

const (
	timeout    = 10 * time.Second // for one event, its retries included
	trustedFor = 5 * time.Minute  // how long a bus that was seen is taken to be there
)

// bus is an event bus.
type bus struct {
	client *client
	name   string
	now    func() time.Time

	mu   sync.Mutex
	seen time.Time
}

// Open makes the way to a bus, by its name or ARN. endpoint is the URL where EventBridge is asked; cfg gives the region, the
// credentials and the HTTP client.
func Open(cfg aws.Config, endpoint, name string, now func() time.Time) func(context.Context, order.Delivery) error {
	b := &bus{client: newClient(cfg, endpoint, now), name: name, now: now}
	return b.deliver
}

// entry is a PutEventsRequestEntry.
type entry struct {
	EventBusName string
	Source       string
	DetailType   string
	Detail       string
	Time         float64 // seconds since 1970
}

// taken is a PutEventsResultEntry.
type taken struct {
	EventID   string `json:"EventId"`
	ErrorCode string
}

// deliver puts one event on the bus. The bus keeps no order and may deliver twice: a receiver goes by eventId. What
// the rules and their targets make of the event is not known here.
func (b *bus) deliver(ctx context.Context, d order.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	detail, err := json.Marshal(deliver.DataOf(d))
	if err != nil {
		return fmt.Errorf("encode event %d of order %s: %w", d.Event.Seq, d.Order.ID, err)
	}
	if err := b.look(ctx); err != nil {
		return err
	}
	in := struct{ Entries []entry }{[]entry{{b.name, Source, d.Event.Type, string(detail), float64(d.Event.At.UnixMilli()) / 1000}}}
	var out struct {
		FailedEntryCount int
		Entries          []taken
	}
	err = b.client.call(ctx, "PutEvents", in, &out)
	switch {
	case err != nil:
		return fmt.Errorf("put the event on the bus: %w", err)
	case out.FailedEntryCount > 0 || len(out.Entries) != 1 || out.Entries[0].EventID == "":
		return fmt.Errorf("the event bus does not take the event: %.100s", refusal(out.Entries))
	}
	return nil
}

func refusal(entries []taken) string {
	for _, e := range entries {
		if e.ErrorCode != "" {
			return e.ErrorCode
		}
	}
	return "without a reason"
}

// look makes sure that the bus is there. PutEvents answers with success for a bus that is not, and the event is gone.
func (b *bus) look(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := b.now().Sub(b.seen); age >= 0 && age < trustedFor {
		return nil
	}
	var out struct{ Arn string }
	err := b.client.call(ctx, "DescribeEventBus", struct{ Name string }{b.name}, &out)
	var refused *exception
	switch {
	case errors.As(err, &refused) && refused.code == "ResourceNotFoundException":
		return errors.New("the event bus does not exist: create it, or set another one")
	case err != nil:
		return fmt.Errorf("look at the event bus: %w", err)
	case out.Arn == "":
		return errors.New("look at the event bus: the answer is about none, so something else than EventBridge answers")
	}
	b.seen = b.now()
	return nil
}
