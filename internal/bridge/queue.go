package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/aws/aws-lambda-go/events"
)

const sqsSource = "aws:sqs"

// Queue serves the batches of an SQS event source mapping with ReportBatchItemFailures. The messages that handle names
// come again, the others are deleted. When handle fails or panics, or names what is not in the batch, the invocation
// fails and all messages come again: Lambda never takes an answer that is wrong for "all done".
func Queue(handle func(context.Context, events.SQSEvent) (events.SQSEventResponse, error), log *slog.Logger) Function {
	return func(ctx context.Context, event []byte) (raw []byte, err error) {
		batch, ok, err := decodeSQS(event)
		if !ok {
			return nil, refuse(ctx, log, kindSQS, event, err)
		}
		defer func() {
			if p := recover(); p != nil {
				logPanic(ctx, log, p)
				raw, err = nil, errors.New("the worker panicked: all messages of the batch come again")
			}
		}()
		out, err := handle(ctx, batch)
		if err == nil {
			err = check(batch, out)
		}
		if err != nil {
			log.ErrorContext(ctx, "batch failed, all its messages come again", "messages", len(batch.Records), "error", err)
			return nil, err
		}
		if out.BatchItemFailures == nil {
			out.BatchItemFailures = []events.SQSBatchItemFailure{}
		}
		return json.Marshal(out)
	}
}

func decodeSQS(event []byte) (batch events.SQSEvent, ok bool, err error) {
	if err := json.Unmarshal(event, &batch); err != nil {
		return batch, false, err
	}
	for _, m := range batch.Records {
		if m.EventSource != sqsSource {
			return batch, false, nil
		}
	}
	return batch, batch.Records != nil, nil
}

// check finds a failure that names no message of the batch.
func check(batch events.SQSEvent, out events.SQSEventResponse) error {
	ids := make(map[string]bool, len(batch.Records))
	for _, m := range batch.Records {
		ids[m.MessageId] = m.MessageId != ""
	}
	for _, f := range out.BatchItemFailures {
		if !ids[f.ItemIdentifier] {
			return fmt.Errorf("the worker names the message %q, which is not in the batch", f.ItemIdentifier)
		}
	}
	return nil
}

// Schedule serves the ticks of EventBridge Scheduler and answers with what tick counted. A schedule without an input
// sends a "Scheduled Event"; any object that is not the event of another source is a tick too.
func Schedule(tick func(context.Context) (int, error), log *slog.Logger) Function {
	return func(ctx context.Context, event []byte) (raw []byte, err error) {
		switch kindOf(event) {
		case kindSchedule, kindEmpty, kindOther:
		default:
			return nil, refuse(ctx, log, kindSchedule, event, nil)
		}
		defer func() {
			if p := recover(); p != nil {
				logPanic(ctx, log, p)
				raw, err = nil, errors.New("the tick panicked: what is due stays due")
			}
		}()
		n, err := tick(ctx)
		if err != nil {
			log.ErrorContext(ctx, "tick failed", "counted", n, "error", err)
			return nil, err
		}
		return strconv.AppendInt(nil, int64(n), 10), nil
	}
}
