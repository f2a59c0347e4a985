package order

// Ledger is every fen of an order, from its payments and refunds.
type Ledger struct {
	Paid     Fen `json:"paid"`     // believed payment
	Surplus  Fen `json:"surplus"`  // payments beyond it
	Held     Fen `json:"held"`     // payments we do not believe
	Refunded Fen `json:"refunded"` // gone back, known or observed
	Reserved Fen `json:"reserved"` // promised back by refunds that are not over
}

// Net is what the merchant keeps, before WeChat's fee.
func (l Ledger) Net() Fen { return l.Paid + l.Surplus + l.Held - l.Refunded }

// Ledger adds up the order.
func (o *Order) Ledger() Ledger {
	var l Ledger
	for i := range o.Attempts {
		a := &o.Attempts[i]
		for _, p := range a.Payments {
			switch {
			case p.believed():
				l.Paid += p.Fee
			case p.Surplus:
				l.Surplus += p.Fee
			default:
				l.Held += p.Fee
			}
		}
		l.Refunded += o.refunded(a)
		l.Reserved += o.reserved(a.N)
	}
	return l
}

// paid is what arrived for one attempt, believed or not.
func (a *Attempt) paid() Fen {
	var sum Fen
	for _, p := range a.Payments {
		sum += p.Fee
	}
	return sum
}

// refunded is what went back for one attempt: the larger of what we know by refund number and what WeChat's
// left_fee shows. The observed drop is provisional: it is replaced by the notice that explains it, never added.
func (o *Order) refunded(a *Attempt) Fen {
	known := o.refundedByNumber(a.N)
	if a.LeftFee == nil || len(a.Payments) != 1 {
		return known
	}
	return max(known, a.paid()-*a.LeftFee)
}

// mostBack is the most that was ever seen to have gone back for one attempt. What left_fee shows may rise again.
func (o *Order) mostBack(a *Attempt) Fen { return max(a.BackMax, o.refunded(a)) }

func (o *Order) refundedByNumber(attempt int) Fen {
	var sum Fen
	for _, r := range o.Refunds {
		if r.Attempt == attempt && r.State == RefundDone {
			sum += r.Fee
		}
	}
	return sum
}

// reserved is what open refunds of ours will take from one attempt.
func (o *Order) reserved(attempt int) Fen {
	var sum Fen
	for _, r := range o.Refunds {
		if r.Attempt == attempt && r.open() {
			sum += r.Fee
		}
	}
	return sum
}

// Refundable is what may still be asked back for one attempt.
func (o *Order) Refundable(attempt int) Fen {
	a := o.Attempt(attempt)
	if a == nil {
		return 0
	}
	return max(0, a.paid()-o.refunded(a)-o.reserved(attempt))
}

// takenBack reports whether the payment that pays for the order went back whole.
func (o *Order) takenBack() bool {
	a, p := o.MainPayment()
	return p != nil && p.Fee > 0 && o.refunded(a) >= a.paid()
}

// emptied reports whether everything that came in went back by number. What left_fee alone shows is provisional.
func (o *Order) emptied() bool {
	var in, back Fen
	for i := range o.Attempts {
		in += o.Attempts[i].paid()
		back += o.refundedByNumber(o.Attempts[i].N)
	}
	return back > 0 && back >= in
}

// promisedBack reports whether it went back whole or is about to: such an order is not delivered any more.
func (o *Order) promisedBack() bool {
	a, p := o.MainPayment()
	return p != nil && p.Fee > 0 && o.refunded(a)+o.reserved(a.N) >= a.paid()
}

// inFlight reports whether a refund of ours may be changing the attempt's left_fee right now.
func (o *Order) inFlight(attempt int) bool {
	for _, r := range o.Refunds {
		if r.Attempt == attempt && r.inFlight() {
			return true
		}
	}
	return false
}
