package operator

import (
	"context"
	"errors"
	"time"
)

// failuresMax is how many orders in a row may fail before a walk gives up: then it is not the orders.
const failuresMax = 5

// windowMax is as much as the API lists at once.
const windowMax = 31 * 24 * time.Hour

// Walk rechecks every order that was paid in a window of any length. Whoever goes on with its From and Cursor repeats at
// most one part of the list, which is harmless.
type Walk struct {
	Client   *Client
	From, To time.Time     // From moves on with the walk; a zero To becomes the API's now when the walk begins
	Cursor   string        // where to begin: "" at From
	Every    time.Duration // between two rechecks, each of which asks WeChat at least once
	Tell     func(Step)    // is told of every order

	Checked, Changed, Failed int

	inARow int // orders that failed since the last that did not
}

// Step is what became of one order.
type Step struct {
	ID            string
	Before, After Order // After is empty when the recheck failed
	Err           error
}

// Changed reports whether the recheck found something that nobody had told.
func (s Step) Changed() bool {
	return s.Err == nil && (s.Before.State != s.After.State || s.Before.Ledger != s.After.Ledger || len(s.Before.Attention) != len(s.After.Attention))
}

// Run walks to the end. When it stops before, From, To and Cursor are where to go on.
func (w *Walk) Run(ctx context.Context) error {
	tick := time.NewTicker(max(w.Every, time.Millisecond))
	defer tick.Stop()
	for w.To.IsZero() || w.From.Before(w.To) {
		if err := w.window(ctx, tick.C); err != nil {
			return err
		}
	}
	return nil
}

// window walks as far as one list may reach, and moves From to its end.
func (w *Walk) window(ctx context.Context, turn <-chan time.Time) error {
	to := w.To
	if end := w.From.Add(windowMax); end.Before(to) {
		to = end
	}
	for {
		list, err := w.Client.PaidBetween(ctx, w.From, to, Page{Limit: 100, Cursor: w.Cursor})
		if err != nil {
			return err
		}
		if w.To.IsZero() {
			to, w.To = list.To, list.Now
		}
		for _, o := range list.Orders {
			step := w.check(ctx, turn, o.ID)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.count(step)
			if w.inARow == failuresMax {
				return errors.Join(errors.New("five orders in a row could not be rechecked"), step.Err)
			}
		}
		if w.Cursor = list.Cursor; list.Cursor == "" {
			w.From = to
			return nil
		}
	}
}

func (w *Walk) count(s Step) {
	if w.inARow++; s.Err == nil {
		w.inARow = 0
	}
	switch {
	case s.Err != nil:
		w.Failed++
	case s.Changed():
		w.Checked, w.Changed = w.Checked+1, w.Changed+1
	default:
		w.Checked++
	}
	w.Tell(s)
}

// check rechecks one order when its turn has come.
func (w *Walk) check(ctx context.Context, turn <-chan time.Time, id string) Step {
	s := Step{ID: id}
	select {
	case <-turn:
	case <-ctx.Done():
		s.Err = ctx.Err()
		return s
	}
	if s.Before, s.Err = w.Client.Order(ctx, id); s.Err == nil {
		s.After, s.Err = w.Client.Do(ctx, id, "recheck")
	}
	return s
}
