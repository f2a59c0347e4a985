package order

// Change is what one write did to an order. Before is empty when the order was created.
type Change struct {
	Before, After Order
	Event         Event // what the last fact meant here
}

// Paid reports whether the order was believed to be paid for the first time.
func (c Change) Paid() bool { return c.Before.PaidAt.IsZero() && !c.After.PaidAt.IsZero() }

// Delivered reports whether the order was delivered for the first time.
func (c Change) Delivered() bool {
	return c.Before.DeliveredAt.IsZero() && !c.After.DeliveredAt.IsZero()
}

// Created reports whether the order is new. One that an operator had rebuilt was new before.
func (c Change) Created() bool {
	return c.Before.ID == "" && (len(c.After.History) == 0 || c.After.History[0].Event != EventAdopted)
}

// Refunded is what went back since, one amount for each refund that ended, and one for what only WeChat's left_fee shows. A
// fen is told once: what left_fee showed is not told again when the number of its refund becomes known, nor when it rises and
// falls again.
func (c Change) Refunded() (fees []Fen) {
	for i := range c.After.Attempts {
		a := &c.After.Attempts[i]
		rest := c.After.mostBack(a)
		if was := c.Before.Attempt(a.N); was != nil {
			rest -= c.Before.mostBack(was)
		}
		for _, r := range c.ended(a.N) {
			if fee := min(r.Fee, rest); fee > 0 {
				fees = append(fees, fee)
				rest -= fee
			}
		}
		if rest > 0 {
			fees = append(fees, rest)
		}
	}
	return fees
}

// ended lists the refunds of an attempt by which money went back since.
func (c Change) ended(attempt int) (refunds []Refund) {
	for i, r := range c.After.Refunds {
		known := i < len(c.Before.Refunds) && c.Before.Refunds[i].State == RefundDone // refunds are never removed
		if r.Attempt == attempt && r.State == RefundDone && !known {
			refunds = append(refunds, r)
		}
	}
	return refunds
}

// Repaired reports whether a query found money that a push should have told of and did not: a payment whose push is overdue,
// or a refund by others that only left_fee shows.
func (c Change) Repaired() bool {
	if c.Paid() {
		a, p := c.After.MainPayment()
		return a != nil && a.PushedAt.IsZero() && p.Source == SourceQuery && a.LookedAt.Sub(p.At) > pushOverdue
	}
	for _, a := range c.After.Attempts {
		if len(c.ended(a.N)) > 0 {
			return false
		}
	}
	return len(c.Refunded()) > 0
}
