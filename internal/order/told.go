package order

import (
	"cmp"
	"fmt"
	"time"
)

// What the delivery target is told of the money. Its backend takes goods back by it, so it is told what is certain only: a refund
// by its number, and what left_fee alone shows when every look of the ladder has shown it. See docs/decisions/0023.

// Kept reports whether, as far as is certain, the user keeps what was bought: it is paid and did not go back whole.
func (o *Order) Kept() bool {
	_, p := o.MainPayment()
	return p != nil && (p.Fee == 0 || o.BackOfPaid() < p.Fee)
}

// BackOfPaid is what certainly went back of the payment that pays for the order. Of two payments of one number the surplus goes
// back first.
func (o *Order) BackOfPaid() Fen {
	a, p := o.MainPayment()
	if p == nil {
		return 0
	}
	return min(p.Fee, max(0, o.certainlyBack(a)-(a.paid()-p.Fee)))
}

// certainlyBack is what the target is or will be told to have gone back of an attempt.
func (o *Order) certainlyBack(a *Attempt) Fen { return o.refundedByNumber(a.N) + a.DropTold }

// dropped is what left_fee shows to have gone back of an attempt beyond what we know by number: a refund that is under way and
// may still fail, or one whose notice is late or lost.
func (o *Order) dropped(a *Attempt) Fen { return o.refunded(a) - o.refundedByNumber(a.N) }

// tellPaid queues order.paid, which an order has once, and what went back before there was anything to tell of.
func (o *Order) tellPaid(fee Fen, at time.Time) {
	o.tellTarget("order.paid", o.ID, fee, at)
	for _, r := range o.Refunds {
		if r.State == RefundDone {
			o.tellRefund(r, at)
		}
	}
	for i := range o.Attempts {
		o.tellDrop(&o.Attempts[i], at)
	}
}

// tellRefund queues a refund that is done, but for what the target was told of it before its number was known. Then WeChat is
// asked whether it was the same money.
func (o *Order) tellRefund(r Refund, at time.Time) {
	if len(o.Outbox) == 0 {
		return // it is told after order.paid
	}
	fee, a := r.Fee, o.Attempt(r.Attempt)
	if known := min(fee, a.DropTold); r.Foreign && known > 0 {
		fee -= known
		a.DropTold -= known
		a.HintAt = at
	}
	if fee > 0 {
		o.tellTarget("order.refunded", cmp.Or(r.ID, r.WxRefundID), fee, at)
	}
}

// tellDrop queues what only left_fee shows when the ladder of looks has ended. Its id is made of all that went back of the
// number, which WeChat shows again after a restore.
func (o *Order) tellDrop(a *Attempt, at time.Time) {
	fee := o.dropped(a) - a.DropTold
	switch {
	case len(o.Outbox) == 0 || fee <= 0 || a.DropLooks <= len(dropLadder):
	case len(o.Outbox) >= dropEventsMax:
		o.ask(Attention{Code: AttentionImpossible, Reason: "more refunds without a number than the delivery target is told of", Attempt: a.N, At: at})
	default:
		a.DropTold += fee
		o.tellTarget("order.refunded", fmt.Sprintf("%s back %d", OutTradeNo(o.ID, a.N), o.refunded(a)), fee, at)
	}
}

// recallDrop calls a person when money is back of which the target was told that it went: nothing tells a backend to hand out
// again.
func (o *Order) recallDrop(a *Attempt, at time.Time) {
	if drop := o.dropped(a); len(a.Payments) == 1 && drop < a.DropTold {
		a.DropTold = drop
		o.ask(Attention{Code: AttentionImpossible, Reason: reasonNotShown, Attempt: a.N, At: at})
	}
}

const reasonNotShown = "the delivery target was told of a refund that WeChat does not show any more"

// tellTarget queues an event for the delivery target; an order without one has nobody to tell. about is what the event's id is
// made of.
func (o *Order) tellTarget(kind, about string, fee Fen, at time.Time) {
	if o.Target == "" {
		return
	}
	o.Outbox = append(o.Outbox, Outgoing{Seq: len(o.Outbox) + 1, Key: o.eventKey(kind, about), Type: kind, Fee: fee, At: at})
}

// eventKey is new in the order: the same amount may go back again after it came back.
func (o *Order) eventKey(kind, about string) string {
	key := digest("event", kind, about)
	for n := range o.Outbox {
		if o.Outbox[n].Key == key {
			return o.eventKey(kind, about+" again")
		}
	}
	return key
}

// nextOutgoing is the first event that the target has not accepted.
func (o *Order) nextOutgoing() *Outgoing {
	for i := range o.Outbox {
		if o.Outbox[i].SentAt.IsZero() {
			return &o.Outbox[i]
		}
	}
	return nil
}

// waitsSince is since when the target could hear the event: it was made, and the one before it was accepted.
func (o *Order) waitsSince(e *Outgoing) time.Time {
	if e.Seq == 1 {
		return e.At
	}
	return latest(e.At, o.Outbox[e.Seq-2].SentAt)
}
