package main

import (
	"fmt"
	"io"
)

// What the product promises on two shared cores.
const (
	perSecondMin = 500
	memoryMax    = 100 << 20
	dueRatioMax  = 1.5
)

// requirement is a promise and whether it held in this run.
type requirement struct {
	What  string `json:"what"`
	Found string `json:"found"`
	Holds bool   `json:"holds"`
}

// judge compares what was measured with what was promised.
func (r *report) judge() {
	add := r.require
	exceeded := 0
	for _, f := range r.Calls {
		if f.over() {
			exceeded++
		}
	}
	add(exceeded == 0, "store calls within their limits", "%d of %d flows over", exceeded, len(r.Calls))
	for _, f := range r.Lifecycles.Rows {
		if f.Synchronous == "NORMAL" {
			add(f.PerSecond >= perSecondMin, fmt.Sprintf("at least %d lifecycles/s, NORMAL, %d users", perSecondMin, f.Users), "%.0f/s", f.PerSecond)
		}
	}
	m := r.Lifecycles.Memory
	add(m.Bytes < memoryMax, fmt.Sprintf("under %s after %d lifecycles", mib(memoryMax), r.Lifecycles.MemoryAfter), "%s", mib(m.Bytes))
	last := r.Due[len(r.Due)-1]
	add(last.Ratio <= dueRatioMax, fmt.Sprintf("due query over %d at most %.1f times that over %d", last.Stored, dueRatioMax, r.Due[0].Stored), "%.2f times", last.Ratio)
}

// require notes a promise, what was found, and whether that holds.
func (r *report) require(holds bool, what, found string, args ...any) {
	r.Requirements = append(r.Requirements, requirement{what, fmt.Sprintf(found, args...), holds})
}

// judgeLambdas compares the functions with what is promised of them. The promise is about a server that takes its time;
// the table shows beside it how much of ours that hides.
func (r *report) judgeLambdas() {
	l := &r.Lambdas
	largest, linked, exceeded := int64(0), 0, 0
	for _, f := range l.Bootstraps {
		if largest = max(largest, f.Bytes); len(f.SQLite) > 0 {
			linked++
		}
	}
	for _, c := range l.Calls {
		if c.over() {
			exceeded++
		}
	}
	r.require(largest <= bootstrapBytesMax, fmt.Sprintf("bootstraps of at most %d bytes", bootstrapBytesMax), "%d", largest)
	r.require(linked == 0, "no SQLite in a bootstrap", "in %d of %d", linked, len(l.Bootstraps))
	r.require(exceeded == 0, "requests of the Lambdas within their limits", "%d of %d flows over", exceeded, len(l.Calls))
	for _, f := range l.Starts {
		if f.AWS == onMoto {
			r.require(f.StartRatio <= startRatioMax, fmt.Sprintf("%s starts in at most %.2f of a bare function", f.Function, startRatioMax), "%.2f", f.StartRatio)
			r.require(f.RequestRatio <= startRatioMax, fmt.Sprintf("%s answers first in at most %.2f of a bare function", f.Function, startRatioMax), "%.2f", f.RequestRatio)
		}
	}
}

func (r *report) printRequirements(w io.Writer) {
	rows := [][]string{}
	for _, q := range r.Requirements {
		verdict := "holds"
		if !q.Holds {
			verdict = "MISSED"
		}
		rows = append(rows, []string{q.What, q.Found, verdict})
	}
	table(w, "Requirements", rows...)
}
