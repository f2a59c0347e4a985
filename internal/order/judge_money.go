package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

func judgeMoney(o *Order, f Fact) verdict {
	a, m := o.Attempt(f.Attempt), f.Money
	switch {
	case a == nil:
		return impossible(reasonNoAttempt(f.Attempt))
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

// reasonNoAttempt is why money is kept as evidence for a number that the order does not know. See Adopt.
func reasonNoAttempt(n int) string {
	return fmt.Sprintf("money for attempt %d, which was never handed out", n)
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
			o.tellPaid(p.Fee, f.At)
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
	l, before := *left, o.dropped(a)
	a.LeftFee, a.LeftSeenAt = &l, at
	switch drop := o.dropped(a); {
	case drop == 0:
		a.DropAt, a.DropLooks = time.Time{}, 0
	case a.DropAt.IsZero() || drop != before:
		a.DropAt, a.DropLooks = at, 1
	default:
		a.DropLooks = 1 + rungsBy(at.Sub(a.DropAt))
	}
	o.recallDrop(a, at)
	o.tellDrop(a, at)
}

// rungsBy counts the looks of the ladder whose time has come. Looks in between, however many, prove nothing.
func rungsBy(age time.Duration) (n int) {
	for _, at := range dropLadder {
		if age >= at {
			n++
		}
	}
	return n
}

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

// channelOf tells the channel from query_order's order_type (spec 4.6: 0 and 1 WeChat, 7 and 8 Apple).
func channelOf(o xpay.Order) Channel {
	switch o.OrderType {
	case 7, 8:
		return ChannelApple
	default:
		return ChannelWeChat
	}
}
