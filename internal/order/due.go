package order

import (
	"time"
)

// step is something that Advance can do for an order.
type step string

const (
	stepLook        step = "look"         // query an attempt
	stepDeliver     step = "deliver"      // tell the delivery target its next event
	stepStartRefund step = "start-refund" // look whether WeChat knows the number, read left_fee, store it, send
	stepLookRefund  step = "look-refund"  // query a refund; send the same bytes again when it is absent
	stepTell        step = "tell"         // notify_provide_goods
)

// task is a step that has a time.
type task struct {
	at      time.Time
	step    step
	attempt int
	refund  int // index of the refund, which are never removed
}

// agenda lists everything that must still be done for the order, and when.
func (o *Order) agenda() []task {
	var tasks []task
	add := func(t task) {
		if t.at.IsZero() {
			return
		}
		if t.step != stepDeliver {
			t.at = latest(t.at, o.RetryAt)
		}
		tasks = append(tasks, t)
	}
	for i := range o.Attempts {
		add(task{at: o.lookAt(&o.Attempts[i]), step: stepLook, attempt: o.Attempts[i].N})
	}
	add(task{at: o.deliverAt(), step: stepDeliver})
	for i := range o.Refunds {
		add(o.Refunds[i].task(i))
	}
	if a, _ := o.MainPayment(); a != nil {
		add(task{at: o.tellAt(a), step: stepTell, attempt: a.N})
	}
	return tasks
}

// plan returns a task that is due, of those steps that does takes. Each call that is not answered moves on to the next one, so
// that one question which WeChat does not answer does not keep a refund waiting.
func (o *Order) plan(now time.Time, does func(step) bool) (task, bool) {
	var due []task
	for _, t := range o.agenda() {
		if !t.at.After(now) && does(t.step) {
			due = append(due, t)
		}
	}
	if len(due) == 0 {
		return task{}, false
	}
	return due[o.Tries%len(due)], true
}

func anyStep(step) bool { return true }

// DueAt is when somebody must look at the order again; zero when nobody must. While somebody holds the lease it
// is the lease's end, because the holder may have crashed.
func (o *Order) DueAt() time.Time {
	if !o.Lease.Until.IsZero() {
		return o.Lease.Until
	}
	due := time.Time{}
	for _, t := range o.agenda() {
		due = earliest(due, t.at)
	}
	return due
}

// lookAt is when an attempt is queried next: at once after a hint, else on the ladder after its last signing, and
// at expiresAt while the order is open.
func (o *Order) lookAt(a *Attempt) time.Time {
	if !a.HintAt.IsZero() {
		return a.HintAt
	}
	if len(a.Payments) > 0 {
		return o.dropLookAt(a)
	}
	next := time.Time{}
	for _, wait := range ladder {
		if at := a.SignedAt.Add(wait); at.After(a.LookedAt) {
			next = at
			break
		}
	}
	if o.State == Created && a.LookedAt.Before(o.ExpiresAt) {
		next = earliest(next, o.ExpiresAt)
	}
	return next
}

// dropLookAt is when a paid attempt is queried again because less is left than we can explain. A look that showed nothing
// of it, because a refund of ours was under way, is made up for.
func (o *Order) dropLookAt(a *Attempt) time.Time {
	if a.DropLooks == 0 || a.DropLooks > len(dropLadder) || o.dropped(a) == 0 {
		return time.Time{}
	}
	at := a.DropAt.Add(dropLadder[a.DropLooks-1])
	if !at.After(a.LookedAt) {
		return a.LookedAt.Add(dropLadder[0])
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// nextAt is since when the target has an event to hear.
func (o *Order) nextAt() time.Time {
	next := o.nextOutgoing()
	if next == nil || o.State == Held || o.State == Paid && o.promisedBack() {
		return time.Time{}
	}
	return next.At
}

// deliverAt is when the target is told its next event. It has a back-off of its own: neither does a target that is down keep
// WeChat waiting, nor the other way round.
func (o *Order) deliverAt() time.Time {
	at := o.nextAt()
	if at.IsZero() {
		return at
	}
	return latest(at, o.nextOutgoing().RetryAt)
}

// tellAt is when WeChat must be told that the paid attempt is delivered. After a push its repeat is given time to
// take our answer; without one nobody else will tell.
func (o *Order) tellAt(a *Attempt) time.Time {
	switch {
	case o.State != Delivered || !a.ToldAt.IsZero() || o.takenBack():
		return time.Time{}
	case !a.TellAt.IsZero():
		return a.TellAt
	case a.PushedAt.IsZero():
		return o.DeliveredAt
	default:
		return o.DeliveredAt.Add(provideAfterPush)
	}
}

func (r *Refund) task(i int) task {
	t := task{at: r.NextAt, attempt: r.Attempt, refund: i, step: stepLookRefund}
	switch r.State {
	case RefundReserved:
		t.step = stepStartRefund
	case RefundReady:
		if r.Proven {
			t.step = stepStartRefund
		}
	case RefundRunning:
	case RefundDone, RefundFailed:
		t.at = time.Time{}
	}
	return t
}

// claimable reports whether the licence to call out is free.
func (o *Order) claimable(now time.Time) bool { return !o.Lease.Until.After(now) }

// due reports whether somebody must look now.
func (o *Order) due(now time.Time) bool {
	at := o.DueAt()
	return !at.IsZero() && !at.After(now)
}

// backOff plans the next try after a call that was not answered.
func (o *Order) backOff(now time.Time) {
	o.RetryAt = now.Add(backoff(o.Tries))
	o.Tries++
}

// backoff is the wait after one more call that failed, by those in a row before it.
func backoff(tries int) time.Duration { return min(backoffMin<<min(tries, 10), backoffMax) }

// answeredNow forgets the calls that were not answered.
func (o *Order) answeredNow() { o.Tries, o.RetryAt = 0, time.Time{} }

// earliest returns the earlier time; a zero time does not count.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
