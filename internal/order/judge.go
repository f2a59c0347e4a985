package order

import (
	"cmp"
	"fmt"
	"time"
)

// The phone's result codes that say "this number was used" (spec 2.3).
const (
	codeNumberUsed   = -15002
	codeNumberClosed = -15012
)

func judgeSigned(o *Order, f Fact) verdict {
	switch n := f.Attempt; {
	case o.State != Created:
		return known(nil) // money came in between; the payment is not handed out
	case n >= 1 && n <= len(o.Attempts):
		return verdict{event: EventSigned, do: func() {
			a := o.Attempt(n)
			a.SignedAt, a.SigHead = f.At, f.Head
			a.Signings++
		}}
	case n == len(o.Attempts)+1 && n <= AttemptsMax:
		return verdict{event: EventSigned, do: func() {
			o.Attempts = append(o.Attempts, Attempt{N: n, SignedAt: f.At, Signings: 1, SigHead: f.Head})
		}}
	default:
		return impossible(fmt.Sprintf("attempt %d cannot follow %d attempts", n, len(o.Attempts)))
	}
}

// judgeWithdrawn closes an order whose price is no longer the catalogue's, unless money came in between.
func judgeWithdrawn(o *Order, f Fact) verdict {
	if !o.Unpaid() {
		return known(nil)
	}
	return verdict{event: EventWithdrawn, reason: f.Reason}
}

// judgeReported keeps what the phone says as a hint. Twice "number used" for a number that WeChat does not know
// makes the service open the next attempt.
func judgeReported(o *Order, f Fact) verdict {
	a := o.Attempt(f.Attempt)
	if a == nil {
		return known(nil)
	}
	return verdict{event: EventHint, do: func() {
		if f.Code == codeNumberUsed || f.Code == codeNumberClosed {
			a.UsedHints++
		}
	}}
}

func judgeUnpaid(o *Order, f Fact) verdict {
	a := o.Attempt(f.Attempt)
	if a == nil {
		return impossible(fmt.Sprintf("attempt %d was never handed out", f.Attempt))
	}
	event := EventUnpaid
	if o.State == Created && o.expiredBut(a.N, f.At) {
		event = EventExpired
	}
	return verdict{event: event, do: func() {
		a.LookedAt, a.HintAt = f.At, time.Time{}
		if len(a.Payments) == 0 {
			a.Seen = f.Seen
		}
	}}
}

// expiredBut reports whether every attempt except n was seen unpaid at or after expiresAt, and so is n now.
func (o *Order) expiredBut(n int, at time.Time) bool {
	if at.Before(o.ExpiresAt) {
		return false
	}
	for _, a := range o.Attempts {
		if a.N != n && a.LookedAt.Before(o.ExpiresAt) {
			return false
		}
	}
	return true
}

// judgeAccepted lets held money go: the first payment that we did not believe pays for the order, the others are
// surplus. For an order that is not held it means that a person has seen its questions.
func judgeAccepted(o *Order, f Fact) verdict {
	if o.State != Held {
		return known(func() { o.Attention = nil })
	}
	return verdict{event: EventAccepted, reason: f.Reason, do: func() {
		_, main := o.MainPayment()
		if main == nil {
			main = o.acceptable()
			main.Accepted = true
		}
		for i := range o.Attempts {
			for j := range o.Attempts[i].Payments {
				if p := &o.Attempts[i].Payments[j]; !p.believed() {
					p.Surplus = true
				}
			}
		}
		o.Attention = nil
		o.tellPaid(main.Fee, f.At)
	}}
}

// acceptable is the payment of a held order that a person means by accepting: the first that did not go back whole.
func (o *Order) acceptable() *Payment {
	var first *Payment
	for i := range o.Attempts {
		a := &o.Attempts[i]
		for j := range a.Payments {
			p := &a.Payments[j]
			if p.Surplus {
				continue
			}
			if o.refunded(a) < a.paid() {
				return p
			}
			if first == nil {
				first = p
			}
		}
	}
	return first
}

func judgeDelivering(o *Order) verdict {
	if o.State == Paid && o.promisedBack() {
		return known(nil) // a full refund was asked for in between: nothing is delivered, and nobody was told
	}
	if o.State == Delivered {
		return known(nil) // a person confirmed it in between
	}
	return verdict{event: EventDelivering}
}

// judgeSent: the target accepted one outgoing event. The first one is the delivery.
func judgeSent(o *Order, f Fact) verdict {
	next := o.nextOutgoing()
	switch {
	case f.Seq >= 1 && f.Seq <= len(o.Outbox) && !o.Outbox[f.Seq-1].SentAt.IsZero():
		return known(nil)
	case next == nil || next.Seq != f.Seq:
		return impossible(fmt.Sprintf("the target accepted event %d, which was not the next to send", f.Seq))
	}
	event := EventSent
	if next.Type == "order.paid" {
		event = EventDelivered
	}
	return verdict{event: event, do: func() { next.SentAt = f.At }}
}

// judgeUnsent plans the next try, and calls a person, once for each event, when the target has not accepted it for long, or
// never can.
func judgeUnsent(o *Order, f Fact) verdict {
	next := o.nextOutgoing()
	if next == nil || next.Seq != f.Seq {
		return known(nil)
	}
	return known(func() {
		next.RetryAt = f.At.Add(backoff(next.Tries))
		next.Tries++
		if !next.AskedAt.IsZero() || f.Reason == "" && f.At.Sub(o.waitsSince(next)) < undeliveredAfter {
			return
		}
		next.AskedAt = f.At
		reason := fmt.Sprintf("the delivery target has not accepted event %d (%s) for %s", next.Seq, next.Type, undeliveredAfter)
		o.ask(Attention{Code: AttentionUndelivered, Reason: cmp.Or(f.Reason, reason), At: f.At})
	})
}

// judgeTold: WeChat was told, by notify_provide_goods, and does or does not show it.
func judgeTold(o *Order, f Fact) verdict {
	a := o.Attempt(f.Attempt)
	if a == nil {
		return impossible(fmt.Sprintf("attempt %d was never handed out", f.Attempt))
	}
	if f.Kind == FactTold {
		return verdict{event: EventTold, do: func() { a.ToldAt = f.At }}
	}
	return known(func() {
		a.TellAt = f.At.Add(refundLadder[min(a.Tells, len(refundLadder)-1)])
		a.Tells++
		if a.Tells == tellsBefore {
			o.ask(Attention{Code: AttentionUntold, Reason: "WeChat does not take note of the delivery", Attempt: a.N, At: f.At})
		}
	})
}

func judgeConsumed(o *Order, f Fact) verdict {
	switch {
	case !o.Consumable:
		return impossible("a durable product was consumed")
	case !o.ConsumedAt.IsZero():
		return known(nil)
	case o.State == Delivered && o.promisedBack():
		return impossible("an order whose money goes back was consumed")
	}
	return verdict{event: EventConsumed, do: func() { o.ConsumedAt, o.ConsumedBy = f.At, f.Key }}
}

// Settles reports whether the payment that a push speaks of needs nothing more from WeChat: it is believed and
// delivered, or it went back. That is when the push may be answered with 0.
func (o *Order) Settles(attempt int, m Money) bool {
	a := o.Attempt(attempt)
	if a == nil {
		return false
	}
	p := a.match(&m)
	switch {
	case p == nil:
		return false
	case p.believed():
		return o.State == Delivered || o.takenBack()
	default:
		return p.Fee > 0 && o.refunded(a) >= o.extra(a)
	}
}
