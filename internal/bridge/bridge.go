// Package bridge stands between the raw events of AWS Lambda and what this backend is made of: net/http handlers, the
// queue's worker and the sweep. A function is one line:
//
//	lambda.Start(bridge.HTTP(api.Handler(), log))
//	lambda.Start(bridge.Queue(worker.Handle, log))
//	lambda.Start(bridge.Schedule(sweep.Tick, log))
//
// Guarantees, whatever arrives:
//
//   - An event of another kind, or none at all, is an error that says what the function takes and what came. It is
//     logged as one structured line. Neither holds anything of a body.
//   - A panic is logged with its stack and answered as an error; the process goes on.
//   - The handler's context carries the deadline and the values of the invocation.
package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Function is a handler of raw events: it implements lambda.Handler of aws-lambda-go.
type Function func(ctx context.Context, event []byte) ([]byte, error)

// Invoke handles one event.
func (f Function) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

// refuse says what a function takes and what came instead, in the log and to whoever invoked it.
func refuse(ctx context.Context, log *slog.Logger, takes kind, event []byte, cause error) error {
	came := string(kindOf(event))
	if field := malformedField(cause); field != "" {
		came += " whose " + field + " is malformed"
	}
	log.ErrorContext(ctx, "event refused", "takes", string(takes), "came", came, "bytes", len(event))
	return fmt.Errorf("this function takes %s, but what came is %s", takes, came)
}

// logPanic logs what a handler panicked with.
func logPanic(ctx context.Context, log *slog.Logger, value any) {
	log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
}

// kind is what an event is, in words that fit into a sentence.
type kind string

const (
	kindNotJSON   kind = "not JSON"
	kindEmpty     kind = "an empty object"
	kindOther     kind = "an object of an unknown kind"
	kindHTTP      kind = "an HTTP API (payload 2.0) event"
	kindNoMethod  kind = "an HTTP API event without requestContext.http.method"
	kindVersion   kind = "an HTTP API event whose version is not 2.0"
	kindREST      kind = "a REST API (payload 1.0) event"
	kindELB       kind = "a load balancer event"
	kindWebSocket kind = "a WebSocket event"
	kindSQS       kind = "an SQS event"
	kindRecords   kind = "an event with Records that are not of SQS"
	kindSchedule  kind = "a scheduled event"
	kindBus       kind = "an EventBridge event"
)

// kindOf recognises an event by the fields that only its kind has.
func kindOf(event []byte) kind {
	if !json.Valid(event) {
		return kindNotJSON
	}
	var e map[string]json.RawMessage
	if err := json.Unmarshal(event, &e); err != nil || e == nil {
		return "a JSON " + jsonKind(event)
	}
	switch {
	case len(e) == 0:
		return kindEmpty
	case e["Records"] != nil:
		return kindOfRecords(e["Records"])
	case e["requestContext"] != nil || e["httpMethod"] != nil:
		return kindOfRequest(e)
	case text(e["detail-type"]) == "Scheduled Event":
		return kindSchedule
	case e["detail-type"] != nil:
		return kindBus
	default:
		return kindOther
	}
}

func kindOfRecords(raw json.RawMessage) kind {
	var records []struct {
		EventSource string `json:"eventSource"`
	}
	if err := json.Unmarshal(raw, &records); err != nil || records == nil {
		return kindRecords
	}
	for _, r := range records {
		if r.EventSource != sqsSource {
			return kindRecords
		}
	}
	return kindSQS
}

func kindOfRequest(e map[string]json.RawMessage) kind {
	var c map[string]json.RawMessage
	_ = json.Unmarshal(e["requestContext"], &c) // what is no object has no fields
	var http map[string]json.RawMessage
	_ = json.Unmarshal(c["http"], &http)
	switch {
	case c["elb"] != nil:
		return kindELB
	case c["connectionId"] != nil:
		return kindWebSocket
	case e["httpMethod"] != nil || text(e["version"]) == "1.0":
		return kindREST
	case text(http["method"]) == "":
		return kindNoMethod
	case text(e["version"]) != "2.0":
		return kindVersion
	default:
		return kindHTTP
	}
}

// jsonKind names a JSON value that is no object.
func jsonKind(value []byte) kind {
	var v any
	_ = json.Unmarshal(value, &v) // is valid
	switch v.(type) {
	case string:
		return "string"
	case []any:
		return "array"
	case nil:
		return "null"
	case bool:
		return "boolean"
	default:
		return "number"
	}
}

// text is a JSON string, or "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // what is no string is ""
	return s
}

// malformedField names the field of a known event that has another type than AWS gives it.
func malformedField(err error) string {
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		return e.Field
	}
	return ""
}
