package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// written ends a line half a second after noon and returns what was logged, without the time.
func written(t *testing.T, m Metrics, work func(context.Context)) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
	ctx, line := Begin(t.Context(), noon)
	work(ctx)
	line.End(ctx, log, m, "request", noon.Add(500*time.Millisecond), slog.Int("status", 200))
	var lines []map[string]any
	for text := range strings.Lines(b.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("the line is no JSON: %v: %s", err, text)
		}
		lines = append(lines, l)
	}
	return lines
}

// wantLine compares a line with JSON that was typed by hand.
func wantLine(t *testing.T, got map[string]any, want string) {
	t.Helper()
	var w map[string]any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestALineHasWhatWasAddedAndHowLongItTook(t *testing.T) {
	t.Parallel()
	lines := written(t, Metrics{}, func(ctx context.Context) {
		SetFirst(ctx, "from", "created")
		SetFirst(ctx, "from", "paid")
		Set(ctx, "to", "paid")
		Set(ctx, "to", "delivered")
		Count(ctx, OrdersPaid)
	})
	if len(lines) != 1 {
		t.Fatalf("%d lines", len(lines))
	}
	wantLine(t, lines[0], `{"msg":"request","status":200,"from":"created","to":"delivered","ms":500}`)
}

// The shape is AWS's: Specification: Embedded metric format, in the CloudWatch user guide.
func TestMetricsStandInTheLineInTheEmbeddedFormat(t *testing.T) {
	t.Parallel()
	lines := written(t, Metrics{Service: "xpay", Stage: "prod"}, func(ctx context.Context) {
		Count(ctx, OrdersPaid)
		Value(ctx, RefundedFen, 600)
		Value(ctx, RefundedFen, 100)
	})
	wantLine(t, lines[0], `{"msg":"request","status":200,"ms":500,"service":"xpay","stage":"prod","OrdersPaid":1,"RefundedFen":[600,100],
		"_aws":{"Timestamp":1772366400500,"CloudWatchMetrics":[{"Namespace":"XpayServerless","Dimensions":[["service","stage"]],
		"Metrics":[{"Name":"OrdersPaid","Unit":"Count"},{"Name":"RefundedFen","Unit":"None"}]}]}}`)
}

func TestWorkThatCountsNothingWritesNoMetrics(t *testing.T) {
	t.Parallel()
	lines := written(t, Metrics{Service: "xpay", Stage: "prod"}, func(context.Context) {})
	wantLine(t, lines[0], `{"msg":"request","status":200,"ms":500}`)
}

// CloudWatch takes 100 values of a metric in one line and drops the line that has more.
func TestMoreThanAHundredValuesGoOnInFurtherLines(t *testing.T) {
	t.Parallel()
	lines := written(t, Metrics{Service: "xpay", Stage: "prod"}, func(ctx context.Context) {
		for i := range 250 {
			Value(ctx, DueSeconds, int64(i))
		}
	})
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3", len(lines))
	}
	sum := 0.0
	for i, want := range []int{100, 100, 50} {
		values := lines[i]["DueSeconds"].([]any)
		if len(values) != want || lines[i]["_aws"] == nil {
			t.Errorf("line %d has %d values, want %d", i, len(values), want)
		}
		for _, v := range values {
			sum += v.(float64)
		}
	}
	if sum != 31125 {
		t.Errorf("the values add up to %v, want 31125", sum)
	}
}

func TestWithoutALineNothingHappens(t *testing.T) {
	t.Parallel()
	Count(t.Context(), OrdersPaid)
	if Set(t.Context(), "to", "paid") || SetFirst(t.Context(), "to", "paid") {
		t.Error("a context without a line said that it has one")
	}
}

func TestALineMayBeWrittenByManyAtOnce(t *testing.T) {
	t.Parallel()
	lines := written(t, Metrics{Service: "xpay", Stage: "prod"}, func(ctx context.Context) {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { Count(ctx, WeChatErrors); Set(ctx, "to", "paid") })
		}
		all.Wait()
	})
	if got := len(lines[0]["WeChatErrors"].([]any)); got != 50 {
		t.Errorf("%d values, want 50", got)
	}
}

func TestThereAreTenMetrics(t *testing.T) {
	t.Parallel()
	if n := len(MetricNames()); n != 10 {
		t.Errorf("%d metrics: each costs 0.30 USD a month, ten were agreed", n)
	}
}

func TestAMetricHasItsUnit(t *testing.T) {
	t.Parallel()
	want := map[Metric]string{
		"OrdersCreated": "Count", "OrdersPaid": "Count", "OrdersDelivered": "Count", "RefundedFen": "None", "PushesRefused": "Count", "Mismatches": "Count",
		"UnknownOrderPushes": "Count", "DueSeconds": "Seconds", "WeChatErrors": "Count", "Repairs": "Count",
	}
	if diff := cmp.Diff(want, MetricNames()); diff != "" {
		t.Errorf("-want +code\n%s", diff)
	}
}
