package order

import (
	"fmt"
	"time"
)

// judgeRefundAsked stores the intent: reserved + refunded may never exceed what was paid for the attempt, and
// one refund of ours runs at a time.
func judgeRefundAsked(o *Order, f Fact) verdict {
	r := *f.Intent
	a := o.Attempt(r.Attempt)
	switch {
	case a == nil || len(a.Payments) == 0:
		return impossible("a refund of an attempt that nobody paid")
	case o.refund(r.ID) != nil:
		return known(nil)
	case o.reserved(r.Attempt) > 0:
		return impossible("a second refund while one is open")
	case r.Fee <= 0 || r.Fee > o.Refundable(r.Attempt):
		return impossible(fmt.Sprintf("a refund of %d fen where %d are left", r.Fee, o.Refundable(r.Attempt)))
	case o.count(ours) >= RefundsMax:
		return impossible("more refunds than one order can keep")
	}
	r.State, r.Version, r.AskedAt, r.NextAt = RefundReserved, 1, f.At, f.At
	return verdict{event: EventReserved, fee: r.Fee, reason: f.Reason, do: func() {
		o.Refunds = append(o.Refunds, r)
		o.RetryAt = time.Time{}
	}}
}

// judgeRefund takes in news of a refund, ours or not.
func judgeRefund(o *Order, f Fact) verdict {
	n := f.Refund
	switch {
	case n.OpenID != "" && n.OpenID != o.OpenID:
		return impossible("a refund for another user")
	case max(len(n.ID), len(n.WxRefundID)) > numberBytesMax:
		return impossible("a refund whose number is longer than any of WeChat's")
	}
	r := o.findRefund(n)
	switch {
	case r == nil:
		return judgeForeignRefund(o, f)
	case f.Source == SourceOperator && (!r.open() || !o.bearsOut(r, n)):
		return known(nil)
	case r.State == RefundDone && f.Source == SourcePlain:
		return known(nil)
	case r.State == RefundDone:
		return judgeAfterDone(r, n)
	case r.State == RefundFailed && n.Step != StepDone:
		return known(nil)
	case f.Source == SourcePlain:
		return verdict{event: EventHint, do: func() { r.NextAt = f.At }}
	}
	v := stepRefund(o, r, f)
	if f.Source == SourceOperator {
		v.reason = f.Reason
	}
	return v
}

// findRefund finds the refund by our number, else by WeChat's.
func (o *Order) findRefund(n *RefundNews) *Refund {
	for i := range o.Refunds {
		r := &o.Refunds[i]
		if n.ID != "" && r.ID == n.ID || n.WxRefundID != "" && r.WxRefundID == n.WxRefundID {
			return r
		}
	}
	return nil
}

func judgeAfterDone(r *Refund, n *RefundNews) verdict {
	switch {
	case n.Step == StepFailed:
		return impossible("a finished refund is said to have failed")
	case n.Step == StepDone && n.Fee != nil && *n.Fee != r.Fee:
		return impossible(fmt.Sprintf("a finished refund of %d fen is told again as %d", r.Fee, *n.Fee))
	}
	return known(func() { fill(&r.WxRefundID, n.WxRefundID) })
}

// judgeForeignRefund takes in a refund that we did not start: console, complaint, Apple (spec 7.4).
func judgeForeignRefund(o *Order, f Fact) verdict {
	n := f.Refund
	a := o.Attempt(f.Attempt)
	switch {
	case a == nil:
		return impossible(fmt.Sprintf("a refund of attempt %d, which was never handed out", f.Attempt))
	case n.Step != StepDone && a.LeftFee != nil:
		return verdict{event: EventHint, do: func() { a.HintAt = f.At }} // what we saw of it is not so any more
	case n.Step != StepDone:
		return known(nil)
	case n.ID == "" && n.WxRefundID == "":
		return impossible("a finished refund without a number") // its repeats could not be told from another one
	case n.Fee == nil || *n.Fee <= 0:
		return impossible("a finished refund without an amount")
	case f.Source == SourcePlain:
		return verdict{event: EventHint, do: func() { a.HintAt = f.At }} // left_fee tells whether it is true
	case o.count(foreign) >= RefundsMax:
		return impossible("more refunds than one order can keep")
	}
	r := Refund{
		ID: n.ID, WxRefundID: n.WxRefundID, Attempt: a.N, Foreign: true, State: RefundDone, Fee: *n.Fee,
		AskedAt: f.At, DoneAt: newsTime(f),
	}
	return verdict{event: EventRefunded, fee: r.Fee, do: func() {
		o.Refunds = append(o.Refunds, r)
		o.afterRefund(a, r, f)
	}}
}

// What is counted of an order's refunds.
func ours(r Refund) bool    { return !r.Foreign }
func foreign(r Refund) bool { return r.Foreign }

func (o *Order) count(which func(Refund) bool) int {
	n := 0
	for _, r := range o.Refunds {
		if which(r) {
			n++
		}
	}
	return n
}

func newsTime(f Fact) time.Time {
	if f.Refund.At.IsZero() {
		return f.At
	}
	return f.Refund.At
}

// afterRefund: money of an order that we think unpaid went back, so it was paid: look. The target hears of it.
func (o *Order) afterRefund(a *Attempt, r Refund, f Fact) {
	if len(a.Payments) == 0 {
		a.HintAt = f.At
	}
	o.tellRefund(r, f.At)
	if len(a.Payments) > 0 && a.paid() < o.refundedByNumber(a.N) {
		o.ask(Attention{Code: AttentionImpossible, Reason: "more went back than was paid", Attempt: a.N, At: f.At})
	}
}

// stepRefund moves a refund that is not over.
func stepRefund(o *Order, r *Refund, f Fact) verdict {
	n := f.Refund
	moving := func(do func()) verdict { return verdict{event: EventRefunding, reason: string(n.Step), do: do} }
	over := func(why string) verdict {
		return verdict{event: EventRefundFailed, fee: r.Fee, reason: why, do: func() { r.fail(f, why) }}
	}
	switch n.Step {
	case StepLeftRead:
		return moving(func() { r.ready(o, f) })
	case StepTooMuch:
		return over(reasonTooMuch)
	case StepApple:
		return verdict{event: EventRefundFailed, fee: r.Fee, reason: reasonApple, do: func() { r.fail(f, reasonApple) }}
	case StepUnclear:
		return moving(func() { r.unclear(o, f) })
	case StepSent:
		return moving(func() { r.accept(o, f) })
	case StepUnanswered:
		return moving(func() { r.Unanswered = true; r.sent(o, f) })
	case StepLater:
		return moving(func() { r.later(o, f) })
	case StepRefused:
		if !r.Unanswered && n.Code != codeLeftFee {
			return over(reasonRefused)
		}
		return moving(func() { r.refuse(o, f) })
	case StepAbsent:
		if r.Refused != 0 && r.Refused != codeLeftFee && r.twiceAbsent(f.At) {
			return over(reasonRefused)
		}
		return moving(func() { r.absent(o, f) })
	case StepRunning:
		return moving(func() { r.running(o, f) })
	case StepFailed:
		if f.Source == SourceOperator {
			return over(reasonSettled)
		}
		return over(reasonEnded)
	case StepDone:
		return finishRefund(o, r, f)
	default:
		return impossible("news of a refund of the unknown kind " + string(n.Step))
	}
}

// ready stores the last parameter. From here on the refund may have been sent.
func (r *Refund) ready(o *Order, f Fact) {
	left := *f.Refund.Left
	if r.State == RefundReady {
		r.Version++
	}
	r.LeftFee, r.LeftOf, r.Known = &left, f.Refund.LeftOf, o.refundedByNumber(r.Attempt)
	r.State, r.Refused, r.Unanswered, r.AbsentAt, r.Proven = RefundReady, 0, false, time.Time{}, false
	r.NextAt = f.At
}

// accept: WeChat took the refund; its end comes by push or query.
func (r *Refund) accept(o *Order, f Fact) {
	r.Looks = 0
	r.Sends++
	r.running(o, f)
}

func (r *Refund) running(o *Order, f Fact) {
	r.State, r.Refused = RefundRunning, 0
	fill(&r.WxRefundID, f.Refund.WxRefundID)
	r.wait(o, f)
}

// later: WeChat wants the same parameters again later, or does not show the payment before the first send.
func (r *Refund) later(o *Order, f Fact) {
	if r.State == RefundReady {
		r.Sends++
	}
	r.wait(o, f)
}

// unclear: left_fee fell by as much as an unanswered send would have taken, but WeChat does not know the number.
// Sending again could pay twice, so a person decides; looking goes on.
func (r *Refund) unclear(o *Order, f Fact) {
	r.Proven = false
	o.ask(Attention{Code: AttentionRefund, Reason: "it cannot be told whether the refund happened", Attempt: r.Attempt, At: f.At})
	r.wait(o, f)
}

// sent counts a send and plans the next look.
func (r *Refund) sent(o *Order, f Fact) {
	r.Sends++
	if r.Sends == refundSendsBefore {
		o.ask(Attention{Code: AttentionRefund, Reason: "WeChat does not take the refund", Attempt: r.Attempt, At: f.At})
	}
	r.wait(o, f)
}

// refuse: a "no" ends a refund at once only when no send of it was ever left unanswered, and never for a left_fee
// that differs (that is re-read after two absences).
func (r *Refund) refuse(o *Order, f Fact) {
	r.Refused = f.Refund.Code
	r.AbsentAt = time.Time{}
	r.sent(o, f)
}

// absent: WeChat does not know the number. After a refusal two absences, 60 s apart, make it a proven "no".
func (r *Refund) absent(o *Order, f Fact) {
	switch {
	case r.Refused == 0 || r.State == RefundRunning:
		r.wait(o, f)
	case r.AbsentAt.IsZero():
		r.AbsentAt = f.At
		r.NextAt = f.At.Add(refundAbsentGap)
	case !r.twiceAbsent(f.At):
		r.NextAt = r.AbsentAt.Add(refundAbsentGap)
	default:
		r.Proven, r.NextAt = true, f.At
	}
}

// twiceAbsent reports whether an absence now is the second one, far enough from the first.
func (r *Refund) twiceAbsent(now time.Time) bool {
	return r.State == RefundReady && !r.AbsentAt.IsZero() && now.Sub(r.AbsentAt) >= refundAbsentGap
}

// Why a refund failed, for the merchant.
const (
	reasonRefused = "WeChat refused it"
	reasonEnded   = "WeChat ended it without moving money"
	reasonSettled = "an operator settled it as not happened"
	reasonApple   = "it was paid through Apple: only the user can ask Apple for the money"
	reasonTooMuch = "WeChat has less left to refund"
)

func (r *Refund) fail(f Fact, why string) {
	r.State, r.DoneAt, r.NextAt, r.Failure = RefundFailed, f.At, time.Time{}, why
	if f.Refund.Code != 0 {
		r.Refused = f.Refund.Code
	}
}

// wait plans the next look on the ladder, and calls a person when it takes too long.
func (r *Refund) wait(o *Order, f Fact) {
	r.NextAt = f.At.Add(refundLadder[min(r.Looks, len(refundLadder)-1)])
	r.Looks++
	if f.At.Sub(r.AskedAt) >= refundAlarmAfter {
		o.ask(Attention{Code: AttentionRefund, Reason: "a refund is open for more than a day", Attempt: r.Attempt, At: f.At})
	}
}

// finishRefund books what went back. What WeChat says went back is booked, also when we asked for another amount.
func finishRefund(o *Order, r *Refund, f Fact) verdict {
	n, asked := f.Refund, r.Fee
	fee := asked
	if n.Fee != nil {
		fee = *n.Fee
	}
	if fee <= 0 {
		return impossible("a finished refund without an amount")
	}
	return verdict{event: EventRefunded, fee: fee, do: func() {
		a := o.Attempt(r.Attempt)
		if fee != asked {
			o.ask(Attention{Code: AttentionImpossible, Reason: fmt.Sprintf("a refund of %d fen was asked, %d went back", asked, fee), Attempt: r.Attempt, At: f.At})
		}
		if r.LeftFee != nil {
			left := max(0, *r.LeftFee-fee)
			a.LeftFee, a.LeftSeenAt = &left, f.At
		}
		r.State, r.Fee, r.DoneAt, r.NextAt = RefundDone, fee, newsTime(f), time.Time{}
		fill(&r.WxRefundID, n.WxRefundID)
		o.afterRefund(a, *r, f)
	}}
}
