package order

import (
	"context"
	"slices"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

// ConfirmDelivery takes the merchant's word that the events up to one reached its backend although the delivery target never
// said so. The event is named by its id or by seq; with neither all that there are are meant. That delivers the order, and WeChat
// is told. Events that were accepted stay as they are, so repeating it changes nothing.
//
// Problems: NotFound, Invalid (no such event, or named twice), Rejected (not paid, held, or its money goes back before it was delivered),
// Unavailable.
func (s *Service) ConfirmDelivery(ctx context.Context, id, eventID string, seq int) (Order, error) {
	if eventID != "" && seq != 0 {
		return Order{}, problem.New(problem.Invalid, "name the event by eventId or by seq, not by both")
	}
	cur, err := s.find(ctx, id)
	if err != nil {
		return Order{}, err
	}
	cur, _, err = s.takeWhat(ctx, cur, func(o Order) ([]Fact, error) { return o.confirmation(eventID, seq, s.now()) })
	if err != nil {
		return Order{}, err
	}
	s.kick(ctx, cur.Order)
	return cur.Order, nil
}

// confirmation is what a person's word says about the events up to one that were not accepted yet.
func (o *Order) confirmation(eventID string, seq int, at time.Time) (facts []Fact, err error) {
	if eventID != "" {
		seq = 1 + slices.IndexFunc(o.Outbox, func(e Outgoing) bool { return e.ID(o.ID) == eventID })
	}
	switch {
	case o.Unpaid() && len(o.Outbox) == 0:
		return nil, problem.New(problem.Rejected, "the order is not paid, there is nothing to deliver")
	case o.State == Held:
		return nil, problem.New(problem.Rejected, "the order's money is held: accept it or give it back first")
	case o.State == Paid && o.promisedBack():
		return nil, problem.New(problem.Rejected, "the order's money goes back, nothing is delivered any more")
	case eventID != "" && seq == 0:
		return nil, problem.New(problem.Invalid, "the order has no event with this eventId")
	case seq < 0 || seq > len(o.Outbox):
		return nil, problem.New(problem.Invalid, "there is no event %d: the order has %d", seq, len(o.Outbox))
	}
	if o.State == Paid {
		facts = append(facts, Fact{Kind: FactDelivering, Source: SourceOperator, At: at})
	}
	for _, e := range o.Outbox {
		if e.SentAt.IsZero() && (seq == 0 || e.Seq <= seq) {
			facts = append(facts, Fact{Kind: FactSent, Source: SourceOperator, At: at, Seq: e.Seq})
		}
	}
	return facts, nil
}
