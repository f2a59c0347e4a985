package wechatsim

import (
	"math"
	"time"
)

// instant is simulated time in nanoseconds since 1970, 0 meaning never: small in memory and in the journal.
type instant int64

func at(t time.Time) instant { return instant(t.UnixNano()) }

// time gives UTC, and the zero time for never.
func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

func (i instant) unix() int64 {
	if i == 0 {
		return 0
	}
	return i.time().Unix()
}

// add stops at the end of what an instant can say: a delay of centuries is for ever, not long ago.
func (i instant) add(d time.Duration) instant {
	sum := i + instant(d)
	switch {
	case d > 0 && sum < i:
		return math.MaxInt64
	case d < 0 && sum > i:
		return math.MinInt64
	}
	return sum
}
