package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// subject is one operation to measure.
type subject struct {
	name    string
	n       int                                                    // operations of one round; 0: as many as take roundFor
	prepare func(ctx context.Context, n int) (func() error, error) // what is returned makes n operations
}

// repeated is an operation that needs no preparation.
func repeated(name string, op func() error) subject {
	return subject{name: name, prepare: func(_ context.Context, n int) (func() error, error) {
		return func() error {
			for range n {
				if err := op(); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}}
}

// opFigures is what one operation costs.
type opFigures struct {
	Name   string  `json:"name"`
	Ns     float64 `json:"nsPerOp"`
	Bytes  float64 `json:"bytesPerOp"`
	Allocs float64 `json:"allocsPerOp"`
}

// measure runs all subjects in every round, each time beginning with another one, and returns each one's rounds.
func measure(ctx context.Context, subjects []subject, rounds int) ([][]opFigures, error) {
	all := make([][]opFigures, len(subjects))
	for i := range subjects {
		if err := subjects[i].calibrate(ctx); err != nil {
			return nil, err
		}
	}
	for round := range rounds {
		for k := range subjects {
			i := (k + round) % len(subjects)
			progress("round %d of %d: %s", round+1, rounds, subjects[i].name)
			figures, err := subjects[i].once(ctx, subjects[i].n)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], figures)
		}
	}
	return all, nil
}

// roundFor is how long a round of a short operation takes.
const roundFor = 30 * time.Millisecond

func (s *subject) calibrate(ctx context.Context) error {
	if s.n > 0 {
		return nil
	}
	for s.n = 1; ; s.n *= 4 {
		figures, err := s.once(ctx, s.n)
		if err != nil {
			return err
		}
		if took := figures.Ns * float64(s.n); took > float64(roundFor)/8 {
			s.n = max(1, int(float64(roundFor)/figures.Ns))
			return nil
		}
	}
}

// once measures n operations; the allocations of every goroutine count.
func (s *subject) once(ctx context.Context, n int) (opFigures, error) {
	run, err := s.prepare(ctx, n)
	if err != nil {
		return opFigures{}, fmt.Errorf("%s: %w", s.name, err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	err = run()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if err != nil {
		return opFigures{}, fmt.Errorf("%s: %w", s.name, err)
	}
	per := func(total uint64) float64 { return float64(total) / float64(n) }
	return opFigures{s.name, per(uint64(took)), per(after.TotalAlloc - before.TotalAlloc), per(after.Mallocs - before.Mallocs)}, nil
}

// middle is the median of each figure.
func middle(rounds []opFigures) opFigures {
	return opFigures{
		Name:   rounds[0].Name,
		Ns:     medianOf(rounds, func(f opFigures) float64 { return f.Ns }),
		Bytes:  medianOf(rounds, func(f opFigures) float64 { return f.Bytes }),
		Allocs: medianOf(rounds, func(f opFigures) float64 { return f.Allocs }),
	}
}

func medianOf[T any, N cmp.Ordered](all []T, of func(T) N) N {
	values := make([]N, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	return median(values)
}

func median[N cmp.Ordered](values []N) N { return quantile(values, 50) }

// quantile returns the value that percent of the values are not above; the zero value of none.
func quantile[N cmp.Ordered](values []N, percent int) (none N) {
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}
