package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
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
			a.SignedAt = f.At
			a.Signings++
		}}
	case n == len(o.Attempts)+1 && n <= AttemptsMax:
		return verdict{event: EventSigned, do: func() {
			o.Attempts = append(o.Attempts, Attempt{N: n, SignedAt: f.At, Signings: 1})
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

func judgeMoney(o *Order, f Fact) verdict {
	a, m := o.Attempt(f.Attempt), f.Money
	switch {
	case a == nil:
		return impossible(fmt.Sprintf("money for attempt %d, which was never handed out", f.Attempt))
	case max(len(m.TransactionID), len(m.WxOrderID), len(m.ChannelOrderID)) > numberBytesMax:
		return impossible("money whose number is longer than any of WeChat's")
	}
	if f.Source == SourcePlain {
		return judgeHint(o, a, f)
	}
	reason := o.mismatch(m)
	if p := a.match(m); p != nil {
		return judgeSamePayment(o, a, p, f, reason)
	}
	if reason == "" && f.Source == SourcePush && o.ambiguous(m) {
		return judgeAmbiguous(o, a, f)
	}
	return judgeNewPayment(o, a, f, reason)
}

// judgeAmbiguous lets the query decide what was paid. A second payment of a number is booked at once, at the first
// one's fee: a query shows only one payment of a number, so it may never show this one.
func judgeAmbiguous(o *Order, a *Attempt, f Fact) verdict {
	first := slices.IndexFunc(a.Payments, func(p Payment) bool { return p.Mismatch == "" })
	if _, main := o.MainPayment(); main == nil || first < 0 {
		return judgeHint(o, a, f)
	}
	if o.payments() >= paymentsMax {
		return impossible("more payments than one order can keep")
	}
	p := newPayment(o, f, "")
	p.Fee, p.Surplus = a.Payments[first].Fee, true
	return verdict{event: EventSurplus, fee: p.Fee, do: func() {
		a.Payments = append(a.Payments, p)
		o.looked(a, f)
		a.HintAt = f.At
	}}
}

// judgeHint makes somebody look now. A hint about a payment that we know needs no look.
func judgeHint(o *Order, a *Attempt, f Fact) verdict {
	if a.match(f.Money) != nil {
		return known(nil)
	}
	return verdict{event: EventHint, do: func() {
		a.HintAt, o.RetryAt = f.At, time.Time{}
		if a.PushedAt.IsZero() {
			a.PushedAt = f.At
		}
		o.doubt(a, f)
	}}
}

// doubt calls a person when hints go on about another payment of a number that is paid: the query shows one payment of
// a number only, so the other can neither be proven nor forgotten.
func (o *Order) doubt(a *Attempt, f Fact) {
	if len(a.Payments) == 0 {
		return
	}
	if a.Doubts++; a.Doubts >= doubtsBefore {
		o.ask(Attention{Code: AttentionUnproven, Reason: "plain pushes speak of another payment of this number, which the query does not show", Attempt: a.N, At: f.At})
	}
}

// judgeSamePayment completes a payment that we know, or finds that the sources contradict each other.
func judgeSamePayment(o *Order, a *Attempt, p *Payment, f Fact, reason string) verdict {
	if reason != "" && p.Mismatch == "" {
		return impossible("a known payment is told again, but " + reason)
	}
	return known(func() {
		p.complete(*f.Money)
		o.looked(a, f)
	})
}

func judgeNewPayment(o *Order, a *Attempt, f Fact, reason string) verdict {
	if o.payments() >= paymentsMax {
		return impossible("more payments than one order can keep")
	}
	main, _ := o.MainPayment()
	event := EventPaid
	switch {
	case reason != "":
		event = EventMismatch
	case main != nil:
		event = EventSurplus
	}
	p := newPayment(o, f, reason)
	p.Surplus = main != nil
	return verdict{event: event, reason: reason, fee: p.Fee, do: func() {
		a.Payments = append(a.Payments, p)
		if event == EventMismatch && f.Source == SourcePush {
			a.HintAt = f.At // the query tells what was really paid, and so what can go back
		}
		o.looked(a, f)
		if event == EventPaid && o.State != Held {
			o.tellTarget("order.paid", p.Fee, f.At)
		}
	}}
}

func newPayment(o *Order, f Fact, reason string) Payment {
	m := f.Money
	p := Payment{Source: f.Source, Mismatch: reason, Fee: o.Amount, At: m.PaidAt}
	if m.Actual != nil {
		p.Fee = max(0, *m.Actual)
	}
	if p.At.IsZero() {
		p.At = f.At
	}
	p.complete(*m)
	return p
}

// complete fills in what a later source tells about the same payment. The ledger books paid_fee.
func (p *Payment) complete(m Money) {
	fill(&p.TransactionID, m.TransactionID)
	fill(&p.WxOrderID, m.WxOrderID)
	fill(&p.ChannelOrderID, m.ChannelOrderID)
	if p.Channel == ChannelUnknown {
		p.Channel = m.Channel
	}
	if m.PaidFee != nil && *m.PaidFee >= 0 {
		p.Fee = *m.PaidFee
	}
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// looked takes over what a source shows about the attempt beside the payment itself.
func (o *Order) looked(a *Attempt, f Fact) {
	if f.Source == SourcePush && a.PushedAt.IsZero() {
		a.PushedAt = f.At
	}
	if f.Source != SourceQuery {
		return
	}
	a.LookedAt, a.Seen, a.HintAt = f.At, SeenPaid, time.Time{}
	if f.Money.Provided && a.ToldAt.IsZero() {
		a.ToldAt = f.At
	}
	o.observeLeft(a, f.Money.LeftFee, f.At)
}

// observeLeft remembers left_fee, unless a refund of ours may be changing it right now.
func (o *Order) observeLeft(a *Attempt, left *Fen, at time.Time) {
	if left == nil || *left < 0 || o.inFlight(a.N) {
		return
	}
	l := *left
	a.LeftFee, a.LeftSeenAt = &l, at
	if a.DropLooks++; !o.unexplained(a) {
		a.DropLooks = 0
	}
}

// unexplained reports whether left_fee shows that more went back than we know by number: a refund that is under way
// and may still fail, or one whose notice is late or lost.
func (o *Order) unexplained(a *Attempt) bool { return o.refunded(a) > o.refundedByNumber(a.N) }

// match finds the payment that m speaks of: same TransactionID, else same WxOrderID, else the attempt, which is a
// payment that nothing tells apart from m.
func (a *Attempt) match(m *Money) *Payment {
	var open *Payment
	for i := range a.Payments {
		p := &a.Payments[i]
		switch {
		case p.TransactionID != "" && m.TransactionID != "":
			if p.TransactionID == m.TransactionID {
				return p
			}
		case p.WxOrderID != "" && m.WxOrderID != "":
			if p.WxOrderID == m.WxOrderID {
				return p
			}
		case open == nil:
			open = p
		}
	}
	return open
}

// mismatch says which field of a payment is not the order's; "" when none is. Only fields that the source
// carries are checked.
func (o *Order) mismatch(m *Money) string {
	switch {
	case m.OpenID != "" && m.OpenID != o.OpenID:
		return "the payer is another user"
	case m.Env != nil && *m.Env != o.Env:
		return fmt.Sprintf("env is %d, the order's is %d", *m.Env, o.Env)
	case m.ProductID != "" && m.ProductID != o.ProductID:
		return "another product was paid for"
	case m.Quantity != 0 && m.Quantity != o.Quantity:
		return fmt.Sprintf("quantity is %d, ordered were %d", m.Quantity, o.Quantity)
	case m.Actual != nil && (*m.Actual <= 0 || *m.Actual > o.Amount):
		return fmt.Sprintf("the price paid is %d fen, ordered were %d pieces of %d fen", *m.Actual, o.Quantity, o.Price)
	case m.OrderFee != nil && *m.OrderFee != o.Amount:
		return fmt.Sprintf("order_fee is %d fen, the order's amount is %d", *m.OrderFee, o.Amount)
	case m.PaidFee != nil && (*m.PaidFee < 0 || *m.PaidFee > o.Amount):
		return fmt.Sprintf("paid_fee is %d fen, the order's amount is %d", *m.PaidFee, o.Amount)
	case m.Tag != "" && m.Tag != Tag(o.ID):
		return "the attach that came back is not this order's"
	default:
		return ""
	}
}

// ambiguous reports whether a push leaves open what was paid: ActualPrice may be one piece or the total, and less than
// both with a coupon (spec 4.6, 7.2). Then the query decides.
func (o *Order) ambiguous(m *Money) bool {
	return m.Actual == nil || o.Price != o.Amount || *m.Actual != o.Amount
}

func (o *Order) payments() int {
	n := 0
	for _, a := range o.Attempts {
		n += len(a.Payments)
	}
	return n
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
func judgeAccepted(o *Order) verdict {
	if o.State != Held {
		return known(func() { o.Attention = nil })
	}
	return verdict{event: EventAccepted, do: func() {
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
		o.tellTarget("order.paid", main.Fee, main.At)
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
		return impossible("a full refund is promised, nothing is delivered any more")
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

// tellTarget queues an event for the delivery target; an order without one has nobody to tell.
func (o *Order) tellTarget(kind string, fee Fen, at time.Time) {
	if o.Target == "" {
		return
	}
	o.Outbox = append(o.Outbox, Outgoing{Seq: len(o.Outbox) + 1, Type: kind, Fee: fee, At: at})
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

// channelOf tells the channel from query_order's order_type (spec 4.6: 0 and 1 WeChat, 7 and 8 Apple).
func channelOf(o xpay.Order) Channel {
	switch o.OrderType {
	case 7, 8:
		return ChannelApple
	default:
		return ChannelWeChat
	}
}
