package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// batch is a batch whose message ids are a, b, c ...
func batch(bodies ...string) (e events.SQSEvent) {
	for i, body := range bodies {
		e.Records = append(e.Records, events.SQSMessage{MessageId: string(rune('a' + i)), Body: body})
	}
	return e
}

// handled returns the ids that must come again, and the documents that were advanced.
func handled(t *testing.T, advance Advance, bodies ...string) (failed, advanced []string, log string) {
	t.Helper()
	var b bytes.Buffer
	w := &Worker{Now: time.Now, Log: slog.New(slog.NewTextHandler(&b, nil)), Kinds: map[store.Kind]Advance{
		"order": func(ctx context.Context, id string) error {
			advanced = append(advanced, id)
			return advance(ctx, id)
		},
	}}
	out, err := w.Handle(t.Context(), batch(bodies...))
	if err != nil {
		t.Fatalf("the whole batch failed: %v", err)
	}
	for _, f := range out.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed, advanced, b.String()
}

func fine(context.Context, string) error { return nil }

func TestEveryMessageAdvancesItsDocument(t *testing.T) {
	t.Parallel()
	failed, advanced, log := handled(t, fine, `{"id":"order/1"}`, Message{ID: "order/2"}.Encode())
	if log != "" || len(failed) != 0 || !slices.Equal(advanced, []string{"order/1", "order/2"}) {
		t.Errorf("failed %v, advanced %v", failed, advanced)
	}
}

func TestMalformedMessagesAndUnknownKindsFailAloneAndAreLogged(t *testing.T) {
	t.Parallel()
	bad := []string{``, `{`, `"order/1"`, `{}`, `{"id":""}`, `{"id":5}`, `{"id":"` + strings.Repeat("o", 257) + `"}`, `{"id":"spend/1"}`, `{"id":"noslash"}`, `[]`, `null`}
	failed, advanced, log := handled(t, fine, append(bad, `{"id":"order/1"}`)...)
	want := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}
	if !slices.Equal(failed, want) || !slices.Equal(advanced, []string{"order/1"}) {
		t.Errorf("failed %v, advanced %v", failed, advanced)
	}
	if strings.Count(log, "message not done") != len(bad) {
		t.Errorf("log:\n%s", log)
	}
}

func TestAMessageThatIsNotDoneIsLoggedWithItsDocument(t *testing.T) {
	t.Parallel()
	for name, advance := range map[string]Advance{
		"an error": func(context.Context, string) error { return errors.New("the store does not answer") },
		"a panic":  func(context.Context, string) error { panic("two") },
	} {
		_, _, log := handled(t, advance, `{"id":"order/7p3iymnhnu63cjxre3rykwovsm"}`)
		if !strings.Contains(log, "document=order/7p3iymnhnu63cjxre3rykwovsm") {
			t.Errorf("%s: log:\n%s", name, log)
		}
	}
	if _, _, log := handled(t, fine, `{"id":"`+strings.Repeat("o", 257)+`"}`); strings.Contains(log, "ooo") {
		t.Errorf("a text that is no id is logged:\n%s", log)
	}
}

func TestOneOfThreeMayPanicWithoutTouchingTheOthers(t *testing.T) {
	t.Parallel()
	failed, advanced, log := handled(t, func(_ context.Context, id string) error {
		if id == "order/2" {
			panic("two")
		}
		return nil
	}, `{"id":"order/1"}`, `{"id":"order/2"}`, `{"id":"order/3"}`)
	if !slices.Equal(failed, []string{"b"}) || !slices.Equal(advanced, []string{"order/1", "order/2", "order/3"}) {
		t.Errorf("failed %v, advanced %v", failed, advanced)
	}
	if !strings.Contains(log, "panic: two") || !strings.Contains(log, "worker_test.go") {
		t.Errorf("log:\n%s", log)
	}
}

func TestABatchIsAdvancedAtTheSameTimeWhereThatIsAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ parallel, together int }{{0, 1}, {1, 1}, {3, 3}, {10, 8}} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int32
			w := &Worker{Now: time.Now, Parallel: c.parallel, Log: slog.New(slog.DiscardHandler), Kinds: map[store.Kind]Advance{"order": func(_ context.Context, id string) error {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				if id == "order/6" {
					return errors.New("no")
				}
				return nil
			}}}
			bodies := []string{`{`}
			for i := range 8 {
				bodies = append(bodies, fmt.Sprintf(`{"id":"order/%d"}`, i+1))
			}
			out, err := w.Handle(t.Context(), batch(bodies...))
			if err != nil || len(out.BatchItemFailures) != 2 || out.BatchItemFailures[0].ItemIdentifier != "a" || out.BatchItemFailures[1].ItemIdentifier != "g" {
				t.Errorf("%+v, %v", out, err)
			}
			if int(most.Load()) != c.together {
				t.Errorf("parallel %d: %d at the same time, want %d", c.parallel, most.Load(), c.together)
			}
		})
	}
}

func TestADocumentThatIsMissingIsDone(t *testing.T) {
	t.Parallel()
	failed, _, log := handled(t, func(context.Context, string) error {
		return fmt.Errorf("advance: %w", problem.New(problem.NotFound, "no order"))
	}, `{"id":"order/1"}`)
	if len(failed) != 0 || !strings.Contains(log, "does not exist") {
		t.Errorf("failed %v, log %s", failed, log)
	}
}

func TestExactlyTheFailedOnesComeAgain(t *testing.T) {
	t.Parallel()
	failed, _, _ := handled(t, func(_ context.Context, id string) error {
		switch id {
		case "order/2":
			return problem.New(problem.Unavailable, "the store does not answer")
		case "order/4":
			return errors.New("anything")
		}
		return nil
	}, `{"id":"order/1"}`, `{"id":"order/2"}`, `{"id":"order/3"}`, `{"id":"order/4"}`)
	if !slices.Equal(failed, []string{"b", "d"}) {
		t.Errorf("failed %v", failed)
	}
}

func TestWhatTheTimeDidNotSufficeForComesAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := &Worker{Now: time.Now, Log: slog.New(slog.DiscardHandler), Kinds: map[store.Kind]Advance{"order": func(context.Context, string) error { cancel(); return nil }}}
	out, err := w.Handle(ctx, batch(`{"id":"order/1"}`, `{"id":"order/2"}`, `{"id":"order/3"}`))
	if err != nil || len(out.BatchItemFailures) != 2 || out.BatchItemFailures[0].ItemIdentifier != "b" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestTheAnswerIsWhatSQSReads(t *testing.T) {
	t.Parallel()
	w := &Worker{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	out, _ := w.Handle(t.Context(), batch(`{}`))
	raw, err := json.Marshal(out)
	if want := `{"batchItemFailures":[{"itemIdentifier":"a"}]}`; err != nil || string(raw) != want {
		t.Errorf("%s, want %s", raw, want)
	}
}

// due is a store that only knows what is due.
type due struct {
	store.Store
	n     int
	limit int
	err   error
}

func (d *due) Due(_ context.Context, _ time.Time, limit int) ([]store.Ref, error) {
	d.limit = limit
	var refs []store.Ref
	for i := range min(d.n, limit) {
		refs = append(refs, store.Ref{ID: fmt.Sprintf("order/%d", i)})
	}
	return refs, d.err
}

func sweep(d *due, send func([]string) error) *Sweep {
	return &Sweep{Store: d, Now: func() time.Time { return time.Unix(1772330400, 0) }, Log: slog.New(slog.DiscardHandler),
		Send: func(_ context.Context, ids []string) error { return send(ids) }}
}

func TestATickSendsWhatIsDueInTensAndNoMoreThanItsBound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ due, sent, calls, last int }{{0, 0, 0, 0}, {1, 1, 1, 1}, {10, 10, 1, 10}, {23, 23, 3, 3}, {1000, 1000, 100, 10}, {5000, 1000, 100, 10}} {
		var calls [][]string
		d := &due{n: c.due}
		n, err := sweep(d, func(ids []string) error { calls = append(calls, ids); return nil }).Tick(t.Context())
		if err != nil || n != c.sent || len(calls) != c.calls || d.limit != 1000 {
			t.Fatalf("%d due: %d sent in %d calls with limit %d, %v", c.due, n, len(calls), d.limit, err)
		}
		if c.calls > 0 && len(calls[c.calls-1]) != c.last {
			t.Errorf("%d due: the last call has %d", c.due, len(calls[c.calls-1]))
		}
	}
}

func TestASendThatFailsDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	calls := 0
	n, err := sweep(&due{n: 30}, func([]string) error {
		if calls++; calls == 2 {
			return errors.New("throttled")
		}
		return nil
	}).Tick(t.Context())
	if n != 20 || calls != 3 || err == nil || !strings.Contains(err.Error(), "throttled") {
		t.Errorf("%d sent in %d calls, %v", n, calls, err)
	}
}

func TestAStoreThatDoesNotAnswerFailsTheTick(t *testing.T) {
	t.Parallel()
	n, err := sweep(&due{err: store.ErrInjected}, func([]string) error { t.Error("sent"); return nil }).Tick(t.Context())
	if n != 0 || !errors.Is(err, store.ErrInjected) {
		t.Errorf("%d, %v", n, err)
	}
}

func TestTheSweepNamesWhatHasWaitedTooLong(t *testing.T) {
	t.Parallel()
	for oldest, want := range map[time.Duration]string{5 * time.Minute: "", 5*time.Minute + time.Second: "order/b", time.Hour: "order/b"} {
		var log bytes.Buffer
		s := sweep(&due{}, func([]string) error { return nil })
		now := s.Now()
		s.Store = &backlog{refs: []store.Ref{{ID: "order/a", Due: now.Add(-oldest + time.Second)}, {ID: "order/b", Due: now.Add(-oldest)}, {ID: "order/c", Due: now}, {ID: "order/d"}}}
		s.Log, s.Metrics = slog.New(slog.NewJSONHandler(&log, nil)), observe.Metrics{Service: "shop"}
		if _, err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		var line struct{ Oldest string }
		if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Oldest != want {
			t.Errorf("%s: %v, %s", oldest, err, log.String())
		}
	}
}

// backlog is a store that knows what is due, and since when.
type backlog struct {
	store.Store
	refs []store.Ref
}

func (b *backlog) Due(context.Context, time.Time, int) ([]store.Ref, error) { return b.refs, nil }
