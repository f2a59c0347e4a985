// Package worker is what the queue and the schedule call. The worker advances one document for each message; the
// sweep finds what is due and sends the messages. Neither relies on the other having worked: a message that is lost
// is sent again by the next sweep, because the document stays due, and one that comes twice finds nothing to do.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

const (
	batchMax = 10           // SQS sends and receives at most this many messages at once
	sweepMax = store.DueMax // documents one tick of the sweep sends; the rest is due at the next tick
	idMax    = store.IDBytesMax

	overdueSecondsMax = 300 // what is due longer has missed five ticks
)

// Message is the body of a queue message: which document must be looked at.
type Message struct {
	ID string `json:"id"`
}

// Encode writes the body of a message.
func (m Message) Encode() string {
	raw, _ := json.Marshal(m) // a string always marshals
	return string(raw)
}

// Advance does the next thing for one document. An error asks for the message again.
type Advance func(ctx context.Context, docID string) error

// Worker takes batches of messages and advances one document for each.
type Worker struct {
	Kinds   map[store.Kind]Advance
	Metrics observe.Metrics
	Now     func() time.Time
	Log     *slog.Logger

	// Parallel is how many messages of a batch are advanced at the same time; 0: one after the other. Most of an Advance is
	// waiting for WeChat: one after the other, a WeChat that hangs would leave no time for the last of a batch.
	Parallel int
}

// Handle answers with the messages that must come again; those and only those are received again, and after the
// queue's maxReceiveCount they end in the dead-letter queue. "WeChat does not answer" is none of them: the
// document's due time has moved. A panic in one document does not touch the others.
func (w *Worker) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	failed := make([]bool, len(batch.Records))
	turn := make(chan struct{}, max(w.Parallel, 1))
	var all sync.WaitGroup
	for i, m := range batch.Records {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			failed[i] = !w.done(ctx, m)
		})
	}
	all.Wait()
	var out events.SQSEventResponse
	for i, m := range batch.Records {
		if failed[i] {
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return out, nil
}

func (w *Worker) done(ctx context.Context, m events.SQSMessage) bool {
	ctx, line := observe.Begin(ctx, w.Now())
	id, err := idOf(m.Body)
	if err == nil {
		err = w.one(ctx, id)
	}
	if !line.Quiet() {
		line.End(ctx, w.Log, w.Metrics, "message", w.Now())
	}
	if err != nil {
		w.Log.ErrorContext(ctx, "message not done, it comes again", "messageId", m.MessageId, "document", id, "error", err, "cause", errors.Unwrap(err))
	}
	return err == nil
}

// idOf reads which document a message names; without an error it is one that a store could have.
func idOf(body string) (string, error) {
	var m Message
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.ID == "" || len(m.ID) > idMax {
		return "", errors.New("the message does not name a document")
	}
	return m.ID, nil
}

func (w *Worker) one(ctx context.Context, id string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	advance := w.Kinds[store.KindOf(id)]
	if advance == nil {
		return fmt.Errorf("nobody advances documents of kind %q", store.KindOf(id))
	}
	if err := advance(ctx, id); !errors.Is(err, problem.NotFound) {
		return err
	}
	w.Log.WarnContext(ctx, "message about a document that does not exist", "document", id)
	return nil
}

// Sweep finds what is due and sends it to the queue.
type Sweep struct {
	Store store.Store
	Send  func(ctx context.Context, docIDs []string) error // at most batchMax at once
	Now   func() time.Time
	Log   *slog.Logger

	Metrics observe.Metrics
}

// Tick sends everything that is due, at most sweepMax documents, and returns how many it sent. What could not be sent
// is due at the next tick.
func (s *Sweep) Tick(ctx context.Context) (int, error) {
	ctx, line := observe.Begin(ctx, s.Now())
	sent, err := s.tick(ctx)
	if !line.Quiet() || s.Metrics.Service != "" { // on AWS one line a minute shows that it lives; a laptop ticks every second
		line.End(ctx, s.Log, s.Metrics, "sweep", s.Now(), slog.Int("sent", sent))
	}
	return sent, err
}

func (s *Sweep) tick(ctx context.Context) (int, error) {
	now := s.Now()
	refs, err := s.Store.Due(ctx, now, sweepMax)
	if err != nil {
		return 0, fmt.Errorf("find what is due: %w", err)
	}
	measure(ctx, now, refs)
	sent := 0
	var failed []error
	for len(refs) > 0 {
		n := min(len(refs), batchMax)
		ids := make([]string, n)
		for i, ref := range refs[:n] {
			ids[i] = ref.ID
		}
		if err := s.Send(ctx, ids); err != nil {
			failed = append(failed, fmt.Errorf("send %d messages: %w", n, err))
		} else {
			sent += n
		}
		refs = refs[n:]
	}
	if sent == sweepMax {
		s.Log.WarnContext(ctx, "the sweep is at its limit, more is due", "sent", sent)
	}
	return sent, errors.Join(failed...)
}

// measure counts the backlog, and names the document that waits longest where that is too long: its message may never have been
// received, so that no other line tells of it.
func measure(ctx context.Context, now time.Time, refs []store.Ref) {
	longest := int64(overdueSecondsMax)
	for _, ref := range refs {
		seconds := overdueSeconds(now, ref.Due)
		observe.Value(ctx, observe.DueSeconds, seconds)
		if seconds > longest {
			longest = seconds
			observe.Set(ctx, "oldest", ref.ID)
		}
	}
}

// overdueSeconds is how long a document is due. One that cannot be read does not say since when.
func overdueSeconds(now, due time.Time) int64 {
	if due.IsZero() {
		return 0
	}
	return int64(now.Sub(due).Seconds())
}
