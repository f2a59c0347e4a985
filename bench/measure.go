package main

import (
	"runtime"
	"slices"
	"time"
)

// pair is one operation done by us and by somebody else. limit is what ours may take of theirs; 0: none.
type pair struct {
	name         string
	limit        float64
	ours, theirs func() error
}

type cost struct {
	time          time.Duration
	allocs, bytes uint64
}

type result struct {
	ours, theirs cost
	ratio        float64 // the median of the ratios of all rounds
}

// measure lets the two take turns of about the same length; who begins changes from round to round.
func measure(p pair, rounds int, turn time.Duration) result {
	runOurs, runTheirs := repeat(p.ours), repeat(p.theirs)
	n, m := count(runOurs, turn), count(runTheirs, turn)
	var ours, theirs, ratios []float64
	for i := range rounds {
		var a, b time.Duration
		if i%2 == 0 {
			a = runOurs(n)
			b = runTheirs(m)
		} else {
			b = runTheirs(m)
			a = runOurs(n)
		}
		x, y := float64(a)/float64(n), float64(b)/float64(m)
		ours, theirs, ratios = append(ours, x), append(theirs, y), append(ratios, x/y)
	}
	return result{memory(p.ours, median(ours)), memory(p.theirs, median(theirs)), median(ratios)}
}

func repeat(do func() error) func(n int) time.Duration {
	return func(n int) time.Duration {
		start := time.Now()
		for range n {
			if err := do(); err != nil {
				panic(err) // a test does each operation once
			}
		}
		return time.Since(start)
	}
}

// count is how many repetitions fill a turn.
func count(run func(int) time.Duration, turn time.Duration) int {
	n := 1
	for {
		took := run(n)
		if took >= turn/4 {
			return max(1, int(float64(n)*float64(turn)/float64(took)))
		}
		n *= 2
	}
}

const memoryRuns = 2000

func memory(do func() error, nanoseconds float64) cost {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	repeat(do)(memoryRuns)
	runtime.ReadMemStats(&after)
	return cost{time.Duration(nanoseconds), (after.Mallocs - before.Mallocs) / memoryRuns, (after.TotalAlloc - before.TotalAlloc) / memoryRuns}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
