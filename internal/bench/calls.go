package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// flowCalls is what one flow cost. A limit below 0 is none.
type flowCalls struct {
	Name      string `json:"name"`
	Reads     int    `json:"reads"`
	Writes    int    `json:"writes"`
	ReadsMax  int    `json:"readsMax"`
	WritesMax int    `json:"writesMax"`
}

func (f flowCalls) over() bool {
	return f.ReadsMax >= 0 && f.Reads > f.ReadsMax || f.WritesMax >= 0 && f.Writes > f.WritesMax
}

func over(all []flowCalls) bool {
	for _, f := range all {
		if f.over() {
			return true
		}
	}
	return false
}

// calls counts the store calls of every flow, on the port.
func (b *bench) calls(ctx context.Context, r *report) (err error) {
	w, err := b.newWorld(ctx, "calls")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.warm(ctx); err != nil {
		return fmt.Errorf("first purchase: %w", err)
	}
	for _, f := range flows() {
		progress("store calls: %s", f.name)
		counts, err := f.count(ctx, w)
		if err != nil {
			return fmt.Errorf("store calls, %s: %w", f.name, err)
		}
		r.Calls = append(r.Calls, flowCalls{f.name, counts.Reads(), counts.Writes(), f.reads, f.writes})
	}
	printCalls(b, r.Calls)
	return nil
}

func (f flow) count(ctx context.Context, w *world) (store.Counts, error) {
	if f.prepare != nil {
		if err := f.prepare(ctx, w); err != nil {
			return store.Counts{}, err
		}
	}
	w.counted.Take()
	err := f.run(ctx, w)
	counts := w.counted.Take()
	if err == nil && f.check != nil {
		err = f.check(ctx, w)
	}
	return counts, err
}

func printCalls(b *bench, all []flowCalls) {
	limit := func(n int) string {
		if n < 0 {
			return "-"
		}
		return strconv.Itoa(n)
	}
	rows := [][]string{{"", "reads", "at most", "writes", "at most", ""}}
	for _, f := range all {
		verdict := "ok"
		switch {
		case f.over():
			verdict = "OVER"
		case f.ReadsMax < 0:
			verdict = ""
		}
		rows = append(rows, []string{f.Name, strconv.Itoa(f.Reads), limit(f.ReadsMax), strconv.Itoa(f.Writes), limit(f.WritesMax), verdict})
	}
	table(b.out, "Store calls of each flow, authentication included", rows...)
}
