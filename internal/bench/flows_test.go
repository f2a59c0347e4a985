package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestNoFlowMakesMoreStoreCallsThanItMay is the part of the program that does not depend on the machine.
func TestNoFlowMakesMoreStoreCallsThanItMay(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b, r := bench{out: &out, dir: t.TempDir()}, report{}
	if err := b.calls(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if over(r.Calls) || len(r.Calls) != len(flows()) {
		t.Errorf("a flow is over its limit, or was not counted:\n%s", out.String())
	}
}

func TestAFlowOverItsLimitIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		flow flowCalls
		want string
	}{
		{"within both limits", flowCalls{Reads: 3, Writes: 1, ReadsMax: 3, WritesMax: 1}, "ok"},
		{"one read too many", flowCalls{Reads: 4, Writes: 1, ReadsMax: 3, WritesMax: 1}, "OVER"},
		{"one write too many", flowCalls{Reads: 3, Writes: 2, ReadsMax: 3, WritesMax: 1}, "OVER"},
		{"a write where none may be", flowCalls{Reads: 2, Writes: 1, ReadsMax: 2}, "OVER"},
		{"no limit", flowCalls{Reads: 9, Writes: 9, ReadsMax: noLimit, WritesMax: noLimit}, "-"},
	} {
		var out bytes.Buffer
		printCalls(&bench{out: &out}, []flowCalls{c.flow})
		if over([]flowCalls{c.flow}) != (c.want == "OVER") || !strings.HasSuffix(strings.TrimSpace(out.String()), c.want) {
			t.Errorf("%s is printed as:\n%s", c.name, out.String())
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []int{5, 1, 4, 2, 3}
	for percent, want := range map[int]int{0: 1, 50: 3, 99: 5, 100: 5} {
		if got := quantile(values, percent); got != want {
			t.Errorf("quantile(%d) is %d, expected %d", percent, got, want)
		}
	}
	if got := quantile([]int{}, 50); got != 0 {
		t.Errorf("the median of nothing is %d", got)
	}
}
