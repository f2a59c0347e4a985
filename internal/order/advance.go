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
	if err != nil || !cur.due(s.now()) || s.handOn(ctx, cur.Order) {
		return err
	}
	cur, won, err := s.claim(ctx, cur, false)
	if err != nil || !won {
		return err
	}
	licence := cur.Lease
	for n := range stepsMax {
		t, ok := cur.plan(s.now(), s.does)
		if !ok {
			break
		}
		if cur, err = s.act(ctx, cur, t, n == stepsMax-1); err != nil {
			return err
		}
		if !cur.claimedBy(licence, s.now()) {
			s.handOn(ctx, cur.Order)
			return nil
		}
	}
	cur, err = s.conclude(ctx, cur, true, nil, nil)
	if err == nil {
		s.handOn(ctx, cur.Order)
	}
	return err
}

// does reports whether this process takes a step: only one that can reach the delivery target delivers. Where there is no
// target at all, anybody may find out that an order waits for one.
func (s *Service) does(t step) bool { return t != stepDeliver || s.Deliver != nil || s.Target == "" }

// handOn tells the queue when all that is due is another process's to do.
func (s *Service) handOn(ctx context.Context, o Order) bool {
	_, due := o.plan(s.now(), anyStep)
	_, ours := o.plan(s.now(), s.does)
	if due && !ours {
		s.kick(ctx, o)
	}
	return due && !ours
}

// setAside moves a document that cannot be read out of the way for an hour, so that it does not hide others that are
// due, and calls a person.
func (s *Service) setAside(ctx context.Context, docID string, why error) error {
	doc, err := s.Store.Get(ctx, docID)
	if err != nil || doc.Due.After(s.now()) {
		return err
	}
	s.alarm(ctx, Alarm{Code: AttentionUnreadable, Number: docID, Reason: why.Error()}) // before the write, as in apply
	doc.Due, doc.Stamp, doc.Keys = s.now().Add(setAsideFor), "", []string{KeyHeld}
	if _, err := s.Store.Update(ctx, doc); err != nil && !errors.Is(err, store.ErrConflict) {
		return storeProblem(fmt.Errorf("set aside %s: %w", docID, err))
	}
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
	if errors.As(err, &refusal) && s.Refused != nil {
		s.Refused(ctx, err)
	}
	if errors.As(err, &refusal) && refusal.Class() == xpay.ClassGiveUp {
		s.Log.ErrorContext(ctx, "refused, tried again later", "order", o.ID, "error", err, "advice", refusal.Advice())
		return
	}
	var platform interface{ Advice() string } // of a refused access token: the AppSecret, the IP 白名单, a quota
	if refusal == nil && errors.As(err, &platform) {
		s.Log.ErrorContext(ctx, "refused, tried again later", "order", o.ID, "error", err, "advice", platform.Advice())
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
	next := *cur.nextOutgoing()
	f, err := s.handOver(ctx, Delivery{Order: cur.Order, Event: next})
	if err != nil {
		s.Log.WarnContext(ctx, "the delivery target did not accept an event, tried again later", "order", cur.ID, "event", next.Seq, "tries", next.Tries+1, "error", err)
	}
	return s.conclude(ctx, cur, last, []Fact{f}, nil)
}

// handOver tells the target one event. It is the target that this deployment has now: the one that it had when the order
// was made may be gone, and somebody must hear of the money.
func (s *Service) handOver(ctx context.Context, d Delivery) (Fact, error) {
	f := Fact{Kind: FactSent, Source: SourceTarget, Seq: d.Event.Seq}
	var err error
	if s.Deliver != nil {
		err = s.Deliver(ctx, d)
	} else {
		f.Reason = fmt.Sprintf("the order waits for the delivery target %s, and this deployment has none", d.Order.Target)
		err = errors.New(f.Reason)
	}
	if err != nil {
		f.Kind = FactUnsent
	}
	f.At = s.now()
	return f, err
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
