package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	lifeRounds  = 4
	lifeEach    = 1250                            // lifecycles of one turn
	memoryAfter = lifeRounds * lifeEach * usersOf // 10 000: all that the NORMAL stack has done
	usersOf     = len(concurrency)
)

var concurrency = [...]int{8, 16} // users at once

// lifecycles are whole purchases, each with a user of its own, through real HTTP on loopback.
type lifecycles struct {
	Rows        []lifeFigures `json:"rows"`
	Memory      memory        `json:"memory"`
	MemoryAfter int           `json:"memoryAfterLifecycles"`
	SyncMicros  float64       `json:"append4KiBSyncMicros"`
}

// lifeFigures is one way of running: medians over the rounds, counts over all.
type lifeFigures struct {
	Synchronous string    `json:"synchronous"`
	Users       int       `json:"users"`
	PerSecond   float64   `json:"perSecond"`
	Lowest      float64   `json:"lowestRound"`
	Highest     float64   `json:"highestRound"`
	P50Millis   float64   `json:"p50Millis"`
	P99Millis   float64   `json:"p99Millis"`
	Done        int       `json:"lifecycles"`
	Repolled    int       `json:"neededMoreThanOnePoll"`
	Rounds      []float64 `json:"perSecondOfRounds"` // in the order of time

	runs []lifeRun
}

// lifeRun is one turn.
type lifeRun struct {
	perSecond float64
	took      []float64 // milliseconds of each lifecycle
	repolled  int
}

// contender is one stack in one mode.
type contender struct {
	synchronous string
	*child
}

// lifecycles lets a FULL and a NORMAL stack take turns, and asks the NORMAL one for its memory at the end.
func (b *bench) lifecycles(ctx context.Context, r *report) (err error) {
	all := []*contender{{synchronous: "NORMAL"}, {synchronous: "FULL"}}
	for _, c := range all {
		args := []string{"-synchronous", c.synchronous, "-data", filepath.Join(b.dir, c.synchronous)}
		if b.profiles != "" && c.synchronous == "NORMAL" {
			args = append(args, "-profile", b.profiles)
		}
		if c.child, err = startChild(ctx, args...); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.stop()) }()
	}
	l := &r.Lifecycles
	if err := b.lifeRounds(ctx, all, l); err != nil {
		return fmt.Errorf("lifecycles: %w", err)
	}
	l.MemoryAfter = memoryAfter
	if l.Memory, err = all[0].memory(); err != nil {
		return fmt.Errorf("memory of the stack: %w", err)
	}
	l.print(b)
	return nil
}

func (b *bench) lifeRounds(ctx context.Context, all []*contender, l *lifecycles) error {
	for _, c := range all {
		for _, users := range concurrency {
			l.Rows = append(l.Rows, lifeFigures{Synchronous: c.synchronous, Users: users})
		}
	}
	var syncs []float64
	for round := range lifeRounds {
		more, err := appendSync(b.dir, syncsTotal/lifeRounds)
		if err != nil {
			return err
		}
		syncs = append(syncs, more...)
		for k := range l.Rows {
			at := (k + round) % len(l.Rows) // every round begins with another one
			row, c := &l.Rows[at], all[at/len(concurrency)]
			progress("lifecycles, round %d of %d: %s, %d users", round+1, lifeRounds, row.Synchronous, row.Users)
			run, err := c.run(ctx, row.Users, fmt.Sprintf("o-%d-%d", round, row.Users))
			if err != nil {
				return fmt.Errorf("synchronous=%s, %d users: %w", row.Synchronous, row.Users, err)
			}
			row.runs = append(row.runs, run)
		}
	}
	for i := range l.Rows {
		l.Rows[i].sum()
	}
	l.SyncMicros = median(syncs)
	return nil
}

// run lets so many users at once live lifeEach lives altogether. The first error ends it.
func (c *contender) run(ctx context.Context, users int, prefix string) (run lifeRun, err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p := newPhones(c.urls, users)
	defer p.client.CloseIdleConnections()
	var next, repolled atomic.Int64
	took := make([]float64, lifeEach)
	var all sync.WaitGroup
	start := time.Now()
	for range users {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < lifeEach && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				begun := time.Now()
				polls, err := p.live(ctx, prefix+"-"+strconv.Itoa(n))
				if err != nil {
					fail(err)
				}
				if polls > 1 {
					repolled.Add(1)
				}
				took[n] = float64(time.Since(begun)) / float64(time.Millisecond)
			}
		})
	}
	all.Wait()
	run = lifeRun{perSecond: float64(lifeEach) / time.Since(start).Seconds(), took: took, repolled: int(repolled.Load())}
	return run, context.Cause(ctx)
}

// sum makes the figures of the rounds.
func (f *lifeFigures) sum() {
	var took []float64
	for _, run := range f.runs {
		f.Rounds, took = append(f.Rounds, run.perSecond), append(took, run.took...)
		f.Done += len(run.took)
		f.Repolled += run.repolled
	}
	f.PerSecond, f.Lowest, f.Highest = median(f.Rounds), quantile(f.Rounds, 0), quantile(f.Rounds, 100)
	f.P50Millis, f.P99Millis = median(took), quantile(took, 99)
}

func (l *lifecycles) print(b *bench) {
	rows := [][]string{{"SQLite", "users", "per second", "lowest", "highest", "p50 ms", "p99 ms", "lifecycles", "polled again"}}
	for _, f := range l.Rows {
		rows = append(rows, []string{
			"synchronous=" + f.Synchronous, strconv.Itoa(f.Users), fmt.Sprintf("%.0f", f.PerSecond), fmt.Sprintf("%.0f", f.Lowest),
			fmt.Sprintf("%.0f", f.Highest), fmt.Sprintf("%.1f", f.P50Millis), fmt.Sprintf("%.1f", f.P99Millis), strconv.Itoa(f.Done), strconv.Itoa(f.Repolled),
		})
	}
	table(b.out, fmt.Sprintf("Lifecycles through HTTP on loopback: login, create, pay, AES push, poll (%d interleaved rounds)", lifeRounds), rows...)
	fmt.Fprintf(b.out, "  this disk appends 4 KiB and syncs in %.2f ms (median of %d, between the rounds)\n", l.SyncMicros/1000, syncsTotal)
	fmt.Fprintf(b.out, "  the process of API, SQLite (NORMAL) and simulated WeChat holds %s after %d lifecycles (%s)\n",
		mib(l.Memory.Bytes), l.MemoryAfter, l.Memory.How)
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
