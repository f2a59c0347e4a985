package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Advance does what is due for one order: it queries, delivers, refunds, tells WeChat. Anybody may call it, any
// number of times, at once: only who wins the claim calls out. "WeChat does not answer" is not an error: the due
// time has moved. An error means that the store failed (or the document is not an order), and the caller tries
// again.
func (s *Service) Advance(ctx context.Context, docID string) error {
	id, err := idOfDoc(docID)
	if err != nil {
		return err
	}
	cur, err := s.load(ctx, id)
	if errors.Is(err, problem.Internal) {
		return s.setAside(ctx, docID, err)
	}
	if err != nil || !cur.due(s.now()) {
		return err
	}
	cur, won, err := s.claim(ctx, cur, false)
	if err != nil || !won {
		return err
	}
	licence := cur.Lease
	for n := range stepsMax {
		t, ok := cur.plan(s.now())
		if !ok {
			break
		}
		if cur, err = s.act(ctx, cur, t, n == stepsMax-1); err != nil {
			return err
		}
		if !cur.claimedBy(licence, s.now()) {
			return nil
		}
	}
	_, err = s.conclude(ctx, cur, true, nil, nil)
	return err
}

// setAside moves a document that cannot be read out of the way for an hour, so that it does not hide others that are
// due, and calls a person.
func (s *Service) setAside(ctx context.Context, docID string, why error) error {
	doc, err := s.Store.Get(ctx, docID)
	if err != nil || doc.Due.After(s.now()) {
		return err
	}
	doc.Due, doc.Stamp, doc.Keys = s.now().Add(setAsideFor), "", []string{KeyHeld}
	if _, err := s.Store.Update(ctx, doc); err != nil && !errors.Is(err, store.ErrConflict) {
		return storeProblem(fmt.Errorf("set aside %s: %w", docID, err))
	}
	s.alarm(ctx, Alarm{Code: AttentionImpossible, Number: docID, Reason: why.Error()})
	return nil
}

// claimedBy reports whether the licence still is its holder's: it runs, and nobody took it over.
func (o *Order) claimedBy(l Lease, now time.Time) bool {
	return o.Lease.Token == l.Token && o.Lease.Until.After(now)
}

// act does one step and writes what came of it. last gives the licence back whatever is left to do.
func (s *Service) act(ctx context.Context, cur stored, t task, last bool) (stored, error) {
	var facts []Fact
	var err error
	switch t.step {
	case stepLook:
		facts, err = s.look(ctx, cur.Order, t.attempt)
	case stepDeliver:
		return s.deliver(ctx, cur, last)
	case stepTell:
		facts, err = s.tell(ctx, cur.Order, t.attempt)
	case stepStartRefund:
		return s.startRefund(ctx, cur, t, last)
	case stepLookRefund:
		facts, err = s.lookRefund(ctx, cur.Order, cur.Refunds[t.refund])
	}
	return s.concludeStep(ctx, cur, last, facts, err)
}

// concludeStep writes the facts of a step. A step that was not answered moves the due time.
func (s *Service) concludeStep(ctx context.Context, cur stored, last bool, facts []Fact, err error) (stored, error) {
	if err == nil {
		return s.conclude(ctx, cur, last, facts, (*Order).answeredNow)
	}
	s.logUnanswered(ctx, cur.Order, err)
	now := s.now()
	return s.conclude(ctx, cur, true, facts, func(o *Order) { o.backOff(now) })
}

// logUnanswered says what a person can do about it, when WeChat's answer tells.
func (s *Service) logUnanswered(ctx context.Context, o Order, err error) {
	var refusal *xpay.Error
	if errors.As(err, &refusal) && refusal.Class() == xpay.ClassGiveUp {
		s.Log.ErrorContext(ctx, "refused, tried again later", "order", o.ID, "error", err, "advice", refusal.Advice())
		return
	}
	s.Log.WarnContext(ctx, "no answer, tried again later", "order", o.ID, "tries", o.Tries+1, "error", err)
}

func (s *Service) look(ctx context.Context, o Order, attempt int) ([]Fact, error) {
	f, err := s.query(ctx, o, attempt)
	if err != nil {
		return nil, err
	}
	return []Fact{f}, nil
}

// deliver stores the intent, tells the target its next event, and stores that it accepted.
func (s *Service) deliver(ctx context.Context, cur stored, last bool) (stored, error) {
	if cur.State == Paid {
		next, err := s.conclude(ctx, cur, false, []Fact{{Kind: FactDelivering, Source: SourceService, At: s.now()}}, nil)
		if err != nil || next.State != Delivering || !next.claimedBy(cur.Lease, s.now()) {
			return next, err
		}
		cur = next
	}
	event := *cur.nextOutgoing()
	var err error
	if s.Deliver == nil || s.Target != cur.Target {
		err = problem.New(problem.Unavailable, "the order is for the delivery target %q, this deployment has %q", cur.Target, s.Target)
	} else {
		err = s.Deliver(ctx, Delivery{Order: cur.Order, Event: event})
	}
	if err != nil {
		return s.concludeStep(ctx, cur, last, nil, err)
	}
	return s.concludeStep(ctx, cur, last, []Fact{{Kind: FactSent, Source: SourceTarget, At: s.now(), Seq: event.Seq}}, nil)
}

// tell tells WeChat that the attempt is delivered, then looks whether WeChat shows it: what a repeated notice does is
// not documented (spec 4.7), so only the query counts.
func (s *Service) tell(ctx context.Context, o Order, attempt int) ([]Fact, error) {
	told := s.WeChat.NotifyProvideGoods(ctx, xpay.ByOrderID(OutTradeNo(o.ID, attempt)))
	if xpay.OutcomeUnknown(told) {
		s.logUnanswered(ctx, o, told)
	}
	f, err := s.query(ctx, o, attempt)
	if err != nil {
		return nil, err
	}
	kind := FactUntold
	if f.Kind == FactMoney && f.Money.Provided {
		kind = FactTold
	}
	return []Fact{f, {Kind: kind, Source: SourceQuery, At: s.now(), Attempt: attempt}}, nil
}
