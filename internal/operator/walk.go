package operator

import (
	"context"
	"errors"
	"time"
)

// failuresMax is how many orders in a row may fail before a walk gives up: then it is not the orders.
const failuresMax = 5

// Walk rechecks every order that was paid in a window. Whoever goes on with its Cursor repeats at most one part of the list,
// which is harmless.
type Walk struct {
	Client   *Client
	From, To time.Time
	Cursor   string        // where to begin: "" at From
	Every    time.Duration // between two rechecks, each of which asks WeChat at least once
	Tell     func(Step)    // is told of every order

	Checked, Changed, Failed int
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

// Run walks to the end. When it stops before, Cursor is where to go on.
func (w *Walk) Run(ctx context.Context) error {
	tick := time.NewTicker(max(w.Every, time.Millisecond))
	defer tick.Stop()
	inARow := 0
	for {
		orders, next, err := w.Client.PaidBetween(ctx, w.From, w.To, Page{Limit: 100, Cursor: w.Cursor})
		if err != nil {
			return err
		}
		for _, o := range orders {
			step := w.check(ctx, tick.C, o.ID)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if inARow++; step.Err == nil {
				inARow = 0
			}
			w.count(step)
			if inARow == failuresMax {
				return errors.Join(errors.New("five orders in a row could not be rechecked"), step.Err)
			}
		}
		if w.Cursor = next; next == "" {
			return nil
		}
	}
}

func (w *Walk) count(s Step) {
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
