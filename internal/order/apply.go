package order

import (
	"fmt"
	"slices"
	"time"
)

// Outcome is what a fact did to an order.
type Outcome struct {
	Event  Event
	From   State
	To     State
	Reason string      // of a mismatch or an impossible fact
	Alarms []Attention // questions for a person that this fact raised first
}

// verdict is a fact judged against an order: what it means here, and the change it makes if the table lets it.
type verdict struct {
	event  Event
	reason string
	fee    Fen
	do     func()
}

// Apply takes a fact in. It is pure: the order it was given is unchanged, and the same order and fact always give
// the same result. A fact that is known changes no money and no state; one that cannot be keeps the order as it is
// and calls a person.
func Apply(o Order, f Fact) (Order, Outcome) {
	o = o.clone()
	out := Outcome{From: o.State}
	before, wasBack := slices.Clone(o.Attention), o.takenBack()
	v := judge(&o, f)
	if f.Source == SourcePlain && v.event == EventImpossible {
		v = verdict{event: EventHint, reason: v.reason} // it proves nothing, so it contradicts nothing and calls nobody
	}
	to, ok := Next(o.State, v.event)
	if !ok {
		v = impossible(fmt.Sprintf("%s cannot happen to an order that is %s", v.event, o.State))
		to = o.State
	}
	if v.do != nil {
		v.do()
	}
	o.heard(f)
	o.raise(v, f)
	o.enter(to, v, f)
	o.follow(f)
	if !wasBack {
		o.askReturned(f)
	}
	o.review()
	for i := range o.Attempts {
		a := &o.Attempts[i]
		a.BackMax = o.mostBack(a)
	}
	out.Event, out.Reason, out.To = v.event, v.reason, o.State
	out.Alarms = newQuestions(before, o.Attention)
	return o, out
}

// heard ends a look that a hint ordered: WeChat has answered, whatever its answer means here. Otherwise an answer that
// cannot be would be asked for again and again.
func (o *Order) heard(f Fact) {
	if f.Source != SourceQuery || f.Kind != FactMoney && f.Kind != FactUnpaid {
		return
	}
	if a := o.Attempt(f.Attempt); a != nil {
		a.LookedAt, a.HintAt = f.At, time.Time{}
	}
}

func newQuestions(before, after []Attention) []Attention {
	var fresh []Attention
	for _, q := range after {
		if !slices.ContainsFunc(before, q.same) {
			fresh = append(fresh, q)
		}
	}
	return fresh
}

// same reports whether two questions ask the same thing.
func (q Attention) same(other Attention) bool {
	return q.Code == other.Code && q.Reason == other.Reason && q.Attempt == other.Attempt
}

// judge says what a fact means for this order.
func judge(o *Order, f Fact) verdict {
	switch f.Kind {
	case FactSigned:
		return judgeSigned(o, f)
	case FactReported:
		return judgeReported(o, f)
	case FactMoney:
		return judgeMoney(o, f)
	case FactUnpaid:
		return judgeUnpaid(o, f)
	case FactWithdrawn:
		return judgeWithdrawn(o, f)
	case FactAdopted:
		return judgeAdopted(o, f)
	case FactAccepted:
		return judgeAccepted(o, f)
	case FactDelivering:
		return judgeDelivering(o)
	case FactSent:
		return judgeSent(o, f)
	case FactUnsent:
		return judgeUnsent(o, f)
	case FactTold, FactUntold:
		return judgeTold(o, f)
	case FactRefundAsked:
		return judgeRefundAsked(o, f)
	case FactRefund:
		return judgeRefund(o, f)
	case FactConsumed:
		return judgeConsumed(o, f)
	default:
		return impossible("a fact of the unknown kind " + string(f.Kind))
	}
}

func impossible(reason string) verdict { return verdict{event: EventImpossible, reason: reason} }

// known is a fact that says nothing new; do may complete details.
func known(do func()) verdict { return verdict{event: EventKnown, do: do} }

// enter moves the order to a state and writes the history.
func (o *Order) enter(to State, v verdict, f Fact) {
	o.note(Entry{At: f.At, Event: v.event, From: o.State, To: to, Source: f.Source, Attempt: f.Attempt, Fee: v.fee, Detail: v.reason})
	if to == o.State {
		return
	}
	o.State = to
	switch to {
	case Paid:
		o.PaidAt = o.paidTime(f.At)
	case Delivered:
		o.DeliveredAt = f.At
	case Closed:
		o.ClosedAt = f.At
	case Created, Delivering, Held:
	}
}

// paidTime is WeChat's time of the main payment, or when we learned of it.
func (o *Order) paidTime(learned time.Time) time.Time {
	if _, p := o.MainPayment(); p != nil && !p.At.IsZero() {
		return p.At
	}
	return learned
}

// follow takes the steps that need nobody else: an order without a delivery target is its own target and accepts
// at once; held money that went back whole closes the order.
func (o *Order) follow(f Fact) {
	if o.State == Paid && o.Target == "" && !o.promisedBack() {
		o.chain(EventDelivering, f)
		o.chain(EventDelivered, f)
	}
	if o.State == Held && o.emptied() {
		o.chain(EventEmptied, f)
	}
	o.markTold(f)
}

// chain applies a further event of the same fact, through the same table.
func (o *Order) chain(event Event, f Fact) {
	if to, ok := Next(o.State, event); ok {
		o.enter(to, verdict{event: event}, Fact{At: f.At, Source: SourceService})
	}
}

// markTold remembers that our answer to this push tells WeChat "delivered".
func (o *Order) markTold(f Fact) {
	if f.Kind != FactMoney || f.Source != SourcePush {
		return
	}
	if a := o.Attempt(f.Attempt); a != nil && a.ToldAt.IsZero() && o.Settles(f.Attempt, *f.Money) {
		a.ToldAt = f.At
	}
}

// raise puts a question to a person, once for each code, reason and attempt.
func (o *Order) raise(v verdict, f Fact) {
	switch v.event {
	case EventMismatch:
		o.ask(Attention{Code: AttentionMismatch, Reason: v.reason, Attempt: f.Attempt, At: f.At})
	case EventSurplus:
		o.ask(Attention{Code: AttentionSurplus, Reason: "a payment beyond the one that pays for the order", Attempt: f.Attempt, At: f.At})
	case EventImpossible:
		o.ask(Attention{Code: AttentionImpossible, Reason: v.reason, Attempt: f.Attempt, At: f.At})
	default:
	}
}

// askReturned calls a person when all of a payment is back before anything was delivered for it, and no refund that we know explains it:
// nothing will be. If the store was restored from an earlier time, only the delivery target knows what was delivered before.
func (o *Order) askReturned(f Fact) {
	if a, _ := o.MainPayment(); o.State == Paid && o.takenBack() && o.refundedByNumber(a.N) < a.paid() {
		o.ask(Attention{Code: AttentionReturned, Reason: "all of the payment is back, and we did not know of it: nothing is delivered", Attempt: a.N, At: f.At})
	}
}

// Codes of Attention.
const (
	AttentionMismatch    = "mismatch"    // money that is not what was ordered
	AttentionSurplus     = "surplus"     // paid twice; give it back
	AttentionImpossible  = "impossible"  // sources contradict each other
	AttentionRefund      = "refund"      // a refund does not come to an end
	AttentionUntold      = "untold"      // WeChat does not take note of the delivery
	AttentionReturned    = "returned"    // a payment was back before it was delivered, and nobody told us
	AttentionUndelivered = "undelivered" // the delivery target does not accept an event
	AttentionUnproven    = "unproven"    // hints that no query bears out
	AttentionUnknown     = "unknown"     // a push about an order that does not exist
	AttentionUnreadable  = "unreadable"  // a stored document that this program cannot read
	AttentionNotice      = "notice"      // a complaint, a warning of risk control: WeChat expects a person to act
)

// ask adds a question unless it is asked already.
func (o *Order) ask(q Attention) {
	if len(o.Attention) < attentionMax && !slices.ContainsFunc(o.Attention, q.same) {
		o.Attention = append(o.Attention, q)
	}
}

// review drops the questions that have answered themselves.
func (o *Order) review() {
	kept := o.Attention[:0]
	for _, q := range o.Attention {
		if !o.answered(q) {
			kept = append(kept, q)
		}
	}
	o.Attention = kept
}

func (o *Order) answered(q Attention) bool {
	a := o.Attempt(q.Attempt)
	switch q.Code {
	case AttentionSurplus, AttentionMismatch:
		return o.State != Held && a != nil && o.extra(a) > 0 && o.extra(a) <= o.refundedByNumber(a.N)
	case AttentionRefund:
		return a != nil && o.reserved(a.N) == 0
	case AttentionUntold:
		return a != nil && !a.ToldAt.IsZero()
	case AttentionImpossible:
		return a != nil && q.Reason == reasonNoAttempt(a.N) // it is known by now
	case AttentionReturned:
		return !o.takenBack() // WeChat shows that it is not so
	case AttentionUndelivered:
		return o.nextAt().IsZero() || !slices.ContainsFunc(o.Outbox, func(e Outgoing) bool { return e.SentAt.IsZero() && e.AskedAt.Equal(q.At) })
	default:
		return false
	}
}

// extra is what an attempt holds beyond believed money.
func (o *Order) extra(a *Attempt) Fen {
	var sum Fen
	for _, p := range a.Payments {
		if !p.believed() {
			sum += p.Fee
		}
	}
	return sum
}

// note writes the history. A line that says what the last one of its kind said raises that line's counter, unless
// it changed the state or moved money.
func (o *Order) note(e Entry) {
	if e.From == e.To {
		e.From, e.To = "", ""
	}
	if e.passing() {
		if old := o.lastEntry(e); old != nil {
			old.Repeats++
			old.LastAt = e.At
			return
		}
	}
	if len(o.History) < historyMax || !e.passing() {
		o.History = append(o.History, e)
	}
}

func (o *Order) lastEntry(e Entry) *Entry {
	for i := len(o.History) - 1; i >= 0; i-- {
		old := &o.History[i]
		if old.Event == e.Event && old.Source == e.Source && old.Attempt == e.Attempt && old.Fee == e.Fee && old.Detail == e.Detail {
			return old
		}
	}
	return nil
}

func movesMoney(e Event) bool {
	switch e {
	case EventPaid, EventSurplus, EventMismatch, EventRefunded:
		return true
	default:
		return false
	}
}
