package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

const secret = "the-body-of-somebody"

// refused invokes a function with an event of the wrong kind and returns its error. The log must have one line that
// says the same, and neither may hold anything of a body.
func refused(t *testing.T, name string, make func(*slog.Logger) bridge.Function, event []byte) string {
	t.Helper()
	var log bytes.Buffer
	out, err := make(slog.New(slog.NewJSONHandler(&log, nil))).Invoke(t.Context(), event)
	if err == nil {
		t.Errorf("%s: no error, but %s", name, out)
		return ""
	}
	var line struct {
		Level, Msg, Takes, Came string
		Bytes                   int
	}
	if json.Unmarshal(log.Bytes(), &line) != nil || line.Level != "ERROR" || line.Takes == "" || line.Bytes != len(event) {
		t.Errorf("%s: log %s", name, log.String())
	}
	if want := "this function takes " + line.Takes + ", but what came is " + line.Came; err.Error() != want {
		t.Errorf("%s: error %q, log %q", name, err, want)
	}
	if strings.Contains(log.String()+err.Error(), secret) {
		t.Errorf("%s: the body is in the log or in the error", name)
	}
	return line.Came
}

func anyHTTP(log *slog.Logger) bridge.Function {
	return bridge.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("reached") }), log)
}

func anyQueue(log *slog.Logger) bridge.Function {
	return bridge.Queue(func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) { panic("reached") }, log)
}

func anySchedule(log *slog.Logger) bridge.Function {
	return bridge.Schedule(func(context.Context) (int, error) { panic("reached") }, log)
}

func TestAnEventOfAnotherKindIsRefusedByItsName(t *testing.T) {
	t.Parallel()
	noMethod := `{"version":"2.0","rawPath":"/","requestContext":{"http":{"path":"/"}},"body":"` + secret + `"}`
	for name, c := range map[string]struct {
		event []byte
		came  string // what HTTP says
		queue string // what Queue says, where it differs
		tick  string // what Schedule says, where it differs; "-": it is taken
	}{
		"nothing":                   {[]byte(""), "not JSON", "", ""},
		"no JSON":                   {[]byte("order=" + secret), "not JSON", "", ""},
		"half of an event":          {[]byte(`{"version":"2.0","body":"` + secret), "not JSON", "", ""},
		"two events":                {[]byte(`{}{}`), "not JSON", "", ""},
		"bytes":                     {[]byte{0, 0xff, 0xfe}, "not JSON", "", ""},
		"a hundred thousand arrays": {[]byte(strings.Repeat("[", 100_000)), "not JSON", "", ""},
		"deep nesting":              {[]byte(`{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`), "not JSON", "", ""},
		"null":                      {[]byte("null"), "a JSON null", "", ""},
		"a string":                  {[]byte(`"` + secret + `"`), "a JSON string", "", ""},
		"an array":                  {[]byte(`["` + secret + `"]`), "a JSON array", "", ""},
		"a number":                  {[]byte("1e9"), "a JSON number", "", ""},
		"a boolean":                 {[]byte("true"), "a JSON boolean", "", ""},
		"an empty object":           {[]byte("{}"), "an empty object", "", "-"},
		"another object":            {[]byte(`{"body":"` + secret + `"}`), "an object of an unknown kind", "", "-"},
		"a large object":            {[]byte(`{"body":"` + strings.Repeat(secret, 50_000) + `"}`), "an object of an unknown kind", "", "-"},
		"SQS":                       {file(t, "sqs-event.json"), "an SQS event", "-", ""},
		"SNS":                       {file(t, "sns-event.json"), "an event with Records that are not of SQS", "", ""},
		"no records":                {[]byte(`{"Records":null}`), "an event with Records that are not of SQS", "", ""},
		"records of no sense": {[]byte(`{"Records":"` + secret + `"}`), "an event with Records that are not of SQS",
			"an event with Records that are not of SQS whose Records is malformed", ""},
		"one record of another source": {[]byte(`{"Records":[{"eventSource":"aws:sqs"},{"eventSource":"aws:s3"}]}`),
			"an event with Records that are not of SQS", "", ""},
		"REST API":      {file(t, "apigw-request.json"), "a REST API (payload 1.0) event", "", ""},
		"load balancer": {file(t, "alb-lambda-target-request-headers-only.json"), "a load balancer event", "", ""},
		"WebSocket":     {file(t, "apigw-websocket-request.json"), "a WebSocket event", "", ""},
		"schedule":      {file(t, "scheduled-event.json"), "a scheduled event", "", "-"},
		"EventBridge":   {file(t, "codedeploy-deployment-event.json"), "an EventBridge event", "", ""},
		"HTTP API":      {event(t, object{"body": secret}), "-", "an HTTP API (payload 2.0) event", "an HTTP API (payload 2.0) event"},
		"no method":     {[]byte(noMethod), "an HTTP API event without requestContext.http.method", "", ""},
		"no version":    {event(t, object{"version": ""}), "an HTTP API event whose version is not 2.0", "", ""},
		"payload 1.0":   {event(t, object{"version": "1.0"}), "a REST API (payload 1.0) event", "", ""},
		"headers a string": {event(t, object{"headers": secret}), "an HTTP API (payload 2.0) event whose headers is malformed",
			"an HTTP API (payload 2.0) event", "an HTTP API (payload 2.0) event"},
		"a body of JSON": {event(t, object{"body": object{"a": secret}}), "an HTTP API (payload 2.0) event whose body is malformed",
			"an HTTP API (payload 2.0) event", "an HTTP API (payload 2.0) event"},
		"a method of no sense": {event(t, object{"requestContext": object{"http": object{"method": 7}}}),
			"an HTTP API event without requestContext.http.method whose requestContext.http.method is malformed",
			"an HTTP API event without requestContext.http.method", "an HTTP API event without requestContext.http.method"},
	} {
		for takes, f := range map[string]func(*slog.Logger) bridge.Function{"HTTP": anyHTTP, "Queue": anyQueue, "Schedule": anySchedule} {
			want := c.came
			switch {
			case takes == "Queue" && c.queue != "":
				want = c.queue
			case takes == "Schedule" && c.tick != "":
				want = c.tick
			}
			if want == "-" {
				continue
			}
			if came := refused(t, takes+", "+name, f, c.event); came != want {
				t.Errorf("%s, %s: came %q, want %q", takes, name, came, want)
			}
		}
	}
}

func TestTheQueueAnswersWithTheMessagesThatComeAgain(t *testing.T) {
	t.Parallel()
	two := []byte(`{"Records":[{"messageId":"1","body":"one","eventSource":"aws:sqs"},{"messageId":"2","body":"two","eventSource":"aws:sqs"}]}`)
	failed := func(ids ...string) (out events.SQSEventResponse) {
		for _, id := range ids {
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
		return out
	}
	for name, c := range map[string]struct {
		event []byte
		out   events.SQSEventResponse
		err   error
		want  string // "": an error
	}{
		"all done":              {two, failed(), nil, `{"batchItemFailures":[]}`},
		"one again":             {two, failed("2"), nil, `{"batchItemFailures":[{"itemIdentifier":"2"}]}`},
		"all again":             {two, failed("1", "2"), nil, `{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"2"}]}`},
		"no messages":           {[]byte(`{"Records":[]}`), failed(), nil, `{"batchItemFailures":[]}`},
		"an error":              {two, failed("2"), errors.New("the store is away"), ""},
		"a message of no batch": {two, failed("3"), nil, ""},
		"a message of no name":  {two, failed(""), nil, ""},
	} {
		var log bytes.Buffer
		got, err := bridge.Queue(func(_ context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
			if len(e.Records) == 2 && e.Records[1].Body != "two" {
				t.Errorf("%s: %+v", name, e)
			}
			return c.out, c.err
		}, slog.New(slog.NewJSONHandler(&log, nil))).Invoke(t.Context(), c.event)
		if string(got) != c.want || (err != nil) != (c.want == "") || (log.Len() > 0) != (c.want == "") {
			t.Errorf("%s: %s %v, log %s", name, got, err, log.String())
		}
	}
}

func TestTheEventOfSQSThatAWSDocumentsReachesTheWorkerWhole(t *testing.T) {
	t.Parallel()
	var got events.SQSMessage
	_, err := bridge.Queue(func(_ context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		got = e.Records[0]
		return events.SQSEventResponse{}, nil
	}, slog.New(slog.DiscardHandler)).Invoke(t.Context(), file(t, "sqs-event.json"))
	if err != nil || got.MessageId != "MessageID_1" || got.Body != "Message Body" || got.Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAPanicOfTheWorkerOrTheSweepFailsTheInvocationOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make  func(*slog.Logger) bridge.Function
		event []byte
	}{"queue": {anyQueue, file(t, "sqs-event.json")}, "schedule": {anySchedule, file(t, "scheduled-event.json")}} {
		var log bytes.Buffer
		out, err := c.make(slog.New(slog.NewJSONHandler(&log, nil))).Invoke(t.Context(), c.event)
		if out != nil || err == nil || !strings.Contains(log.String(), `"panic":"reached"`) {
			t.Errorf("%s: %s %v, log %s", name, out, err, log.String())
		}
	}
}

func TestAScheduleTicks(t *testing.T) {
	t.Parallel()
	for name, event := range map[string][]byte{
		"without an input": file(t, "scheduled-event.json"), "with an empty one": []byte("{}"), "with its own": []byte(`{"every":"minute"}`),
	} {
		tick := func(context.Context) (int, error) { return 7, nil }
		if out, err := bridge.Schedule(tick, slog.New(slog.DiscardHandler)).Invoke(t.Context(), event); err != nil || string(out) != "7" {
			t.Errorf("%s: %s %v", name, out, err)
		}
		broken := func(context.Context) (int, error) { return 3, errors.New("the queue is away") }
		if out, err := bridge.Schedule(broken, slog.New(slog.DiscardHandler)).Invoke(t.Context(), event); err == nil || out != nil {
			t.Errorf("%s: %s %v", name, out, err)
		}
	}
}
