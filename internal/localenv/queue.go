package localenv

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/events"

	"github.com/xpay-serverless/xpay-serverless/internal/worker"
)

const (
	queueMax   = 4096 // messages waiting; more are dropped, the sweep finds their documents again
	batchMax   = 10
	receiveMax = 3 // as the real queue's maxReceiveCount: then the message is dropped, the document stays due
)

// queue is SQS within the process: it calls the same worker function with the same event.
type queue struct {
	waiting chan queued
	worker  *worker.Worker
	log     *slog.Logger
	serial  atomic.Int64
}

type queued struct {
	id       string // message id
	body     string
	received int
}

func newQueue(log *slog.Logger) *queue {
	return &queue{waiting: make(chan queued, queueMax), log: log}
}

// Send puts one message for each document on the queue.
func (q *queue) Send(_ context.Context, docIDs []string) error {
	for _, id := range docIDs {
		m := queued{id: strconv.FormatInt(q.serial.Add(1), 10), body: worker.Message{ID: id}.Encode()}
		if !q.put(m) {
			return errors.New("the local queue is full")
		}
	}
	return nil
}

func (q *queue) put(m queued) bool {
	select {
	case q.waiting <- m:
		return true
	default:
		return false
	}
}

// Run works until ctx ends.
func (q *queue) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-q.waiting:
			q.handle(ctx, q.batch(m))
		}
	}
}

// Drain works off what waits now and returns how many messages there were.
func (q *queue) Drain(ctx context.Context) int {
	n := 0
	for {
		select {
		case m := <-q.waiting:
			b := q.batch(m)
			n += len(b)
			q.handle(ctx, b)
		default:
			return n
		}
	}
}

// batch takes what waits, at most as many messages as SQS delivers at once.
func (q *queue) batch(first queued) []queued {
	b := []queued{first}
	for len(b) < batchMax {
		select {
		case m := <-q.waiting:
			b = append(b, m)
		default:
			return b
		}
	}
	return b
}

func (q *queue) handle(ctx context.Context, batch []queued) {
	var event events.SQSEvent
	for _, m := range batch {
		event.Records = append(event.Records, events.SQSMessage{MessageId: m.id, Body: m.body})
	}
	out, err := q.worker.Handle(ctx, event)
	failed := map[string]bool{}
	for _, f := range out.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	for _, m := range batch {
		if err == nil && !failed[m.id] {
			continue
		}
		if m.received++; m.received >= receiveMax || !q.put(m) {
			q.log.WarnContext(ctx, "message dropped, the sweep will find its document", "body", m.body)
		}
	}
}
