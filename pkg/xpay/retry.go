package xpay

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	defaultWait    = 500 * time.Millisecond
	defaultWaitMax = 90 * time.Second // the minute of 45011 and a little
	minuteQuota    = time.Minute      // what 45011 asks for, spec 6.3
	doublingsMax   = 10
)

// Retry says how a Client repeats calls by itself. The zero Retry repeats nothing.
//
// Only an Endpoint that is Repeatable is repeated, and always with the identical bytes, hence the same business
// number, for four reasons: no usable answer came, -1, 268490015 (too often), and 45011 (minute quota, which waits a
// minute). 45009, the daily quota, is returned at once, and so are answers that ask for patience rather than
// repetition, such as 268490011: their intervals are the caller's.
//
// If an attempt may have acted and a later one fails for another reason, OutcomeUnknown stays true.
type Retry struct {
	Attempts int           // attempts in all; each may need a second request when its token is rejected, the first included; 0 and 1: nothing is repeated
	Wait     time.Duration // before the first repetition, doubled for each further one; 0: 500 ms
	WaitMax  time.Duration // all waits of one call together: it rather gives up than waits longer; 0: 90 s

	// Sleep waits and returns nil, or an error at once when ctx ends before d has passed. nil: a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Random gives a number in [0, 1) that spreads the waits: each is between half of its length and all of it. nil:
	// math/rand/v2.
	Random func() float64
}

// run tries once, and again while that is allowed.
func (p Retry) run(ctx context.Context, e endpoint, try func() (answer, error)) (answer, error) {
	a, err := try()
	var waited time.Duration
	var unsettled error
	for n := 1; n < p.Attempts && e.repeatable && err != nil; n++ {
		wait, useful := p.wait(err, n)
		if !useful || waited+wait > p.waitMax() || p.sleep(ctx, wait) != nil {
			break
		}
		waited += wait
		if e.number != "" && OutcomeUnknown(err) {
			unsettled = err
		}
		a, err = try()
	}
	if err != nil && unsettled != nil {
		err = &repeatError{last: err, unsettled: unsettled}
	}
	return a, err
}

// wait is how long to wait before repetition n, and whether repeating is of use after this error.
func (p Retry) wait(err error, n int) (time.Duration, bool) {
	var refusal *Error
	if !errors.As(err, &refusal) {
		return p.backoff(n), errors.Is(err, ErrNoAnswer)
	}
	switch refusal.Code {
	case systemError, calledTooOften:
		return p.backoff(n), true
	case minuteQuotaReached:
		return minuteQuota + p.backoff(n), true
	}
	return 0, false
}

func (p Retry) backoff(n int) time.Duration {
	wait := p.Wait
	if wait <= 0 {
		wait = defaultWait
	}
	wait <<= min(n-1, doublingsMax)
	random := rand.Float64
	if p.Random != nil {
		random = p.Random
	}
	return wait/2 + time.Duration(random()*float64(wait/2))
}

func (p Retry) waitMax() time.Duration {
	if p.WaitMax <= 0 {
		return defaultWaitMax
	}
	return p.WaitMax
}

func (p Retry) sleep(ctx context.Context, d time.Duration) error {
	if p.Sleep != nil {
		return p.Sleep(ctx, d)
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repeatError is the failure of a repeated call that changes something, after an attempt that may have acted.
type repeatError struct{ last, unsettled error }

func (e *repeatError) Error() string {
	return e.last.Error() + "; an earlier attempt of this call may have acted: " + e.unsettled.Error()
}

func (e *repeatError) Unwrap() []error { return []error{e.last, e.unsettled} }
