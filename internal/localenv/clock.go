package localenv

import (
	"sync/atomic"
	"time"
)

// Clock is the one time of the local stack and its simulated WeChat: the wall clock plus what it was moved, or, with
// a fixed base, only what it was moved. It never goes back.
type Clock struct {
	base   func() time.Time
	offset atomic.Int64
}

// NewClock starts at a base; nil is the wall clock.
func NewClock(base func() time.Time) *Clock {
	if base == nil {
		base = time.Now
	}
	return &Clock{base: base}
}

// Virtual is a clock that stands still at a time until it is moved.
func Virtual(at time.Time) *Clock { return NewClock(func() time.Time { return at }) }

// Now is the time.
func (c *Clock) Now() time.Time { return c.base().Add(time.Duration(c.offset.Load())).UTC() }

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	if d > 0 {
		c.offset.Add(int64(d))
	}
}
