package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// requests is what went over a function's wires.
type requests struct {
	Reads   int `json:"dynamodbReads"`  // GetItem, Query, BatchGetItem
	Writes  int `json:"dynamodbWrites"` // PutItem, UpdateItem
	SQS     int `json:"sqs"`
	Secrets int `json:"secretsManager"`
	WeChat  int `json:"wechat"`
}

func (r requests) minus(o requests) requests {
	return requests{r.Reads - o.Reads, r.Writes - o.Writes, r.SQS - o.SQS, r.Secrets - o.Secrets, r.WeChat - o.WeChat}
}

// within reports whether no count is above its limit.
func (r requests) within(limit requests) bool {
	return r.Reads <= limit.Reads && r.Writes <= limit.Writes && r.SQS <= limit.SQS && r.Secrets <= limit.Secrets && r.WeChat <= limit.WeChat
}

// countRequests sorts the operations that two wires counted. Every request to WeChat counts alike.
func countRequests(aws, wechat map[string]int) (r requests, err error) {
	for operation, n := range aws {
		switch service, name, _ := strings.Cut(operation, "."); {
		case name == "GetItem", name == "Query", name == "BatchGetItem":
			r.Reads += n
		case name == "PutItem", name == "UpdateItem":
			r.Writes += n
		case service == "AmazonSQS":
			r.SQS += n
		case service == "secretsmanager":
			r.Secrets += n
		default:
			return r, fmt.Errorf("nobody knows what %q counts as", operation)
		}
	}
	for _, n := range wechat {
		r.WeChat += n
	}
	return r, nil
}

// cloudCalls is what one flow cost: in a process that has served before, and what the first call of a new process costs
// on top of it, its start included.
type cloudCalls struct {
	Name       string         `json:"name"`
	Function   string         `json:"function"`
	Warm       requests       `json:"warm"`
	WarmMax    requests       `json:"warmMax"`
	Cold       requests       `json:"coldAdds"`
	ColdMax    requests       `json:"coldAddsMax"`
	Operations map[string]int `json:"operations"` // of the warm call
}

func (c cloudCalls) over() bool { return !c.Warm.within(c.WarmMax) || !c.Cold.within(c.ColdMax) }

// cloudCalls counts the requests of every flow, on the wire.
func (b *bench) cloudCalls(ctx context.Context, c *cloud, l *lambdas) error {
	if err := c.warm(ctx); err != nil {
		return fmt.Errorf("requests, the first purchase: %w", err)
	}
	for _, f := range cloudFlows() {
		progress("requests of each flow: %s", f.name)
		calls, err := f.measure(ctx, c)
		if err != nil {
			return fmt.Errorf("requests, %s: %w", f.name, err)
		}
		l.Calls = append(l.Calls, calls)
	}
	l.printCalls(b)
	return nil
}

// measure runs the flow in a new process, then in the same one again.
func (f cloudFlow) measure(ctx context.Context, c *cloud) (out cloudCalls, err error) {
	out = cloudCalls{Name: f.name, Function: f.function, WarmMax: f.warm, ColdMax: f.cold}
	first, _, err := f.count(ctx, c, c.functions[f.function].Kill)
	if err != nil {
		return out, fmt.Errorf("in a new process: %w", err)
	}
	out.Warm, out.Operations, err = f.count(ctx, c, func() {})
	out.Cold = first.minus(out.Warm)
	return out, err
}

// count prepares the flow, calls before, and counts what the function asks for while the flow runs.
func (f cloudFlow) count(ctx context.Context, c *cloud, before func()) (r requests, operations map[string]int, err error) {
	if f.prepare != nil {
		if err := f.prepare(ctx, c); err != nil {
			return r, nil, fmt.Errorf("prepare: %w", err)
		}
	}
	before()
	fn := c.functions[f.function]
	fn.aws.Reset()
	fn.wechat.Reset()
	err = f.run(ctx, c)
	aws, wechat := fn.aws.Counts(), fn.wechat.Counts()
	r, unknown := countRequests(aws, wechat)
	if err = errors.Join(err, unknown); err == nil && f.check != nil {
		err = f.check(ctx, c)
	}
	maps.Copy(aws, wechat)
	return r, aws, err
}

func (l *lambdas) printCalls(b *bench) {
	of := func(found, limit int) string { return fmt.Sprintf("%d/%d", found, limit) }
	rows := [][]string{{"", "function", "reads", "writes", "SQS", "secrets", "WeChat", "cold: reads", "secrets", ""}}
	for _, c := range l.Calls {
		verdict := "ok"
		if c.over() {
			verdict = "OVER"
		}
		rows = append(rows, []string{
			c.Name, c.Function, of(c.Warm.Reads, c.WarmMax.Reads), of(c.Warm.Writes, c.WarmMax.Writes), of(c.Warm.SQS, c.WarmMax.SQS),
			of(c.Warm.Secrets, c.WarmMax.Secrets), of(c.Warm.WeChat, c.WarmMax.WeChat),
			of(c.Cold.Reads, c.ColdMax.Reads), of(c.Cold.Secrets, c.ColdMax.Secrets), verdict,
		})
	}
	table(b.out, "Lambda: requests of each flow, and what the first call of a new process adds (found/at most, on the wire)", rows...)
}
