package miniprogram

import "time"

// The limits that WeChat publishes for one mini-program, spec 8.3 and 8.4.
const (
	resetsPerMinute = 60_000
	tokensPerMinute = 10_000
	tokensPerDay    = 500_000
)

const quotaSlots = 12 // parts of a span that are counted apart

// quota counts calls against such a limit, as far as this process knows. It looks back over the part that runs and the twelve
// before, so that no span, wherever it begins, holds more than the limit.
type quota struct {
	slot int64 // the part that runs
	used [quotaSlots + 1]int
}

// take counts one more call unless the span is used up.
func (q *quota) take(now time.Time, span time.Duration, limit int) bool {
	q.moveTo(now.Unix() / int64(span/time.Second/quotaSlots))
	total := 0
	for _, n := range q.used {
		total += n
	}
	if total >= limit {
		return false
	}
	*q.at(q.slot)++
	return true
}

// moveTo forgets what is too old. A clock that goes back a little changes nothing, one that jumps begins anew.
func (q *quota) moveTo(slot int64) {
	if slot > q.slot+quotaSlots || slot < q.slot-quotaSlots {
		*q = quota{slot: slot}
	}
	for ; q.slot < slot; q.slot++ {
		*q.at(q.slot + 1) = 0
	}
}

func (q *quota) at(slot int64) *int { return &q.used[uint64(slot)%uint64(len(q.used))] }
