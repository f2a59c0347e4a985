package observe

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// Metric is the name of one of the ten metrics. Each costs about 0.30 USD a month, so there are no more.
type Metric string

const (
	OrdersCreated      Metric = "OrdersCreated"
	OrdersPaid         Metric = "OrdersPaid"         // believed for the first time
	OrdersDelivered    Metric = "OrdersDelivered"    // the order itself or its delivery target has it
	RefundedFen        Metric = "RefundedFen"        // one value for each refund: SampleCount says how many, Sum how much
	PushesRefused      Metric = "PushesRefused"      // not WeChat's signature, or not readable with our keys
	Mismatches         Metric = "Mismatches"         // payments whose fields are not the order's
	UnknownOrderPushes Metric = "UnknownOrderPushes" // about money under a number of ours that no order has
	DueSeconds         Metric = "DueSeconds"         // how long each document was due when the sweep met it: SampleCount is the backlog, Maximum the oldest
	WeChatErrors       Metric = "WeChatErrors"       // calls that were not answered, answered 5xx, or refused for a reason of ours
	Repairs            Metric = "Repairs"            // payments and refunds that a query found and no push had told
)

// MetricNames lists all metrics with their units in CloudWatch.
func MetricNames() map[Metric]string {
	return map[Metric]string{
		OrdersCreated: count, OrdersPaid: count, OrdersDelivered: count, RefundedFen: "None", PushesRefused: count,
		Mismatches: count, UnknownOrderPushes: count, DueSeconds: "Seconds", WeChatErrors: count, Repairs: count,
	}
}

const count = "Count"

// Namespace is where CloudWatch keeps the metrics.
const Namespace = "XpayServerless"

// valuesMax is how many values one metric may have in one line: CloudWatch takes no more.
const valuesMax = 100

// figure is one metric with its values in one line.
type figure struct {
	name   Metric
	values []int64
}

// Count adds one to a metric.
func Count(ctx context.Context, name Metric) { Value(ctx, name, 1) }

// Value adds a value to a metric.
func Value(ctx context.Context, name Metric, value int64) {
	l := lineOf(ctx)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.figures, func(f figure) bool { return f.name == name })
	if at < 0 {
		l.figures = append(l.figures, figure{name, []int64{value}})
		return
	}
	l.figures[at].values = append(l.figures[at].values, value)
}

// cut divides figures into those that fit into one line and the rest.
func cut(figures []figure) (part, rest []figure) {
	for _, f := range figures {
		n := min(len(f.values), valuesMax)
		part = append(part, figure{f.name, f.values[:n]})
		if n < len(f.values) {
			rest = append(rest, figure{f.name, f.values[n:]})
		}
	}
	return part, rest
}

// Metrics says under which dimensions the metrics of a deployment stand. The zero value writes none.
type Metrics struct {
	Service string // the stack
	Stage   string
}

// The embedded metric format: CloudWatch reads the metrics out of the log, nobody waits for it.
type (
	emfHead struct {
		Timestamp int64          // milliseconds since 1970
		Metrics   []emfDirective `json:"CloudWatchMetrics"`
	}
	emfDirective struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []emfMetric
	}
	emfMetric struct {
		Name Metric
		Unit string
	}
)

func (m Metrics) emf(figures []figure, now time.Time) []slog.Attr {
	if len(figures) == 0 || m.Service == "" {
		return nil
	}
	units := MetricNames()
	d := emfDirective{Namespace: Namespace, Dimensions: [][]string{{"service", "stage"}}}
	attrs := []slog.Attr{slog.String("service", m.Service), slog.String("stage", m.Stage)}
	for _, f := range figures {
		d.Metrics = append(d.Metrics, emfMetric{f.name, units[f.name]})
		attrs = append(attrs, f.attr())
	}
	return append(attrs, slog.Any("_aws", emfHead{now.UnixMilli(), []emfDirective{d}}))
}

func (f figure) attr() slog.Attr {
	if len(f.values) == 1 {
		return slog.Int64(string(f.name), f.values[0])
	}
	return slog.Any(string(f.name), f.values)
}
