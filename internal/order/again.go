package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Attempt hands out a payment for an order again: the same number while WeChat does not know it, the next one when
// it is used up. What the phone reports is a hint only. The payment is nil when the order is paid.
//
// Problems: NotFound, Conflict (closed), PriceChanged, Limited (no number left, or handed out too often), Unauthorized, Unavailable.
func (s *Service) Attempt(ctx context.Context, openID, id, sessionKey string, errCode *int) (Order, *xpay.Payment, error) {
	cur, err := s.own(ctx, openID, id)
	if err != nil {
		return Order{}, nil, err
	}
	o, p, err := s.signAgain(ctx, cur, sessionKey, errCode)
	if err == nil && o.State == Closed {
		return Order{}, nil, problem.New(problem.Conflict, "the order is closed, start a new one")
	}
	return o, p, err
}

// signAgain hands out a payment only after WeChat has said, for every number of the order, that it is not paid.
func (s *Service) signAgain(ctx context.Context, cur stored, sessionKey string, errCode *int) (Order, *xpay.Payment, error) {
	if cur.State != Created {
		return cur.Order, nil, nil
	}
	if cur.exhausted() {
		return s.handOutNoMore(ctx, cur)
	}
	cur, won, err := s.claim(ctx, cur, true)
	switch {
	case err != nil:
		return Order{}, nil, err
	case !won && cur.State != Created:
		return cur.Order, nil, nil
	case !won:
		return Order{}, nil, problem.New(problem.Unavailable, "WeChat is being asked about this order, try again in a second")
	}
	if errCode != nil && s.Reported != nil {
		s.Reported(ctx, *errCode)
	}
	facts, err := s.lookAll(ctx, cur.Order) // it is signed, too: the key that WeChat takes here signs for the phone from now on
	if errCode != nil {
		facts = append(facts, Fact{Kind: FactReported, Source: SourcePhone, At: s.now(), Attempt: cur.lastAttempt().N, Code: *errCode})
	}
	if err != nil {
		s.logUnanswered(ctx, cur.Order, err)
		if _, cerr := s.conclude(ctx, cur, true, facts, nil); cerr != nil {
			err = cerr
		}
		return Order{}, nil, err
	}
	return s.signUnpaid(ctx, cur, sessionKey, refusedHead(cur.lastAttempt(), errCode), facts)
}

// refusedHead is how the paySig begins that the phone says its cashier refused; "" when it says no such thing. If the key that
// WeChat's API took just now made it, the cashier knows another one, and this one answer is signed with that.
func refusedHead(a *Attempt, errCode *int) string {
	if errCode == nil || *errCode != xpay.ClientCodeWrongPaySig {
		return ""
	}
	return a.SigHead
}

// signUnpaid writes what WeChat said together with the next hand-out, then signs.
func (s *Service) signUnpaid(ctx context.Context, cur stored, sessionKey, refusedHead string, facts []Fact) (Order, *xpay.Payment, error) {
	seen := cur.Order
	for _, f := range facts {
		seen, _ = Apply(seen, f)
	}
	var refused error
	var payment *xpay.Payment
	if seen.State == Created {
		next, f, err := s.handOut(seen)
		refused = err
		if err == nil {
			payment, refused = s.sign(next, next.lastAttempt(), sessionKey, refusedHead)
		}
		if payment != nil {
			f.Head = sigHead(payment)
		}
		if refused == nil || errors.Is(refused, problem.PriceChanged) {
			facts = append(facts, f)
		}
	}
	kept, err := s.conclude(ctx, cur, true, facts, (*Order).answeredNow)
	switch {
	case err != nil:
		return Order{}, nil, err
	case refused != nil:
		return Order{}, nil, refused
	case kept.State != Created:
		return kept.Order, nil, nil // somebody told us of money while we asked
	}
	return kept.Order, payment, nil
}

// handOut decides which number is handed out next, or that none may be.
func (s *Service) handOut(o Order) (Order, Fact, error) {
	if p, ok := s.Catalog.Find(o.ProductID); !ok || p.Price != o.Price {
		f := Fact{Kind: FactWithdrawn, Source: SourceService, At: s.now(), Reason: "the catalogue sells at another price"}
		return o, f, problem.New(problem.PriceChanged, "the price has changed since the order was made; the order is closed, start a new one")
	}
	n := o.lastAttempt().N
	if o.usedUp() {
		n++
	}
	if n > AttemptsMax {
		return o, Fact{}, errExhausted
	}
	f := Fact{Kind: FactSigned, Source: SourceService, At: s.now(), Attempt: n}
	next, _ := Apply(o, f)
	return next, f, nil
}

var errExhausted = problem.New(problem.Limited, "the order was tried too often, start a new one. 该订单尝试支付次数过多，请重新下单。")

// exhausted reports whether the order has no number left, or was handed out as often as it may be.
func (o *Order) exhausted() bool {
	signings := 0
	for _, a := range o.Attempts {
		signings += a.Signings
	}
	return signings >= SigningsMax || len(o.Attempts) >= AttemptsMax && o.usedUp()
}

// handOutNoMore answers for an exhausted order. WeChat is asked whether it was paid all the same, as seldom as for a poll: only its "no"
// lets the user start a new one.
func (s *Service) handOutNoMore(ctx context.Context, cur stored) (Order, *xpay.Payment, error) {
	if s.now().Sub(cur.lastLook()) <= repairAfter {
		return Order{}, nil, errNotSaid
	}
	cur, err := s.repair(ctx, cur)
	if err == nil && cur.State == Created {
		err = errExhausted
	}
	return cur.Order, nil, err
}

// usedUp reports whether the last number cannot be paid any more on a phone: WeChat knows it (spec 2.2: single use),
// or the phone was told so twice although WeChat does not.
func (o *Order) usedUp() bool {
	a := o.lastAttempt()
	return a.Seen == SeenOpen || a.Seen == SeenDead || a.UsedHints >= 2
}

// lookAll asks WeChat about every number of the order, the last one first, within what a phone can wait. It stops at
// the first payment. All must be answered: unknown is not "no".
func (s *Service) lookAll(ctx context.Context, o Order) ([]Fact, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var facts []Fact
	for n := len(o.Attempts); n >= 1; n-- {
		f, err := s.query(ctx, o, n)
		if err != nil {
			return facts, problem.Hide(problem.Unavailable, err, "WeChat does not say whether the order is paid, try again")
		}
		facts = append(facts, f)
		if f.Kind == FactMoney {
			break
		}
	}
	return facts, nil
}

// query asks WeChat about one number. "No such order" is an answer; an error is none.
func (s *Service) query(ctx context.Context, o Order, attempt int) (Fact, error) {
	if o.Env != s.Env {
		return Fact{}, problem.New(problem.Internal, "order %s belongs to env %d, this deployment serves %d", o.ID, o.Env, s.Env)
	}
	q, err := s.WeChat.QueryOrder(ctx, o.OpenID, xpay.ByOrderID(OutTradeNo(o.ID, attempt)))
	switch {
	case errors.Is(err, xpay.ErrNoOrder):
		return Fact{Kind: FactUnpaid, Source: SourceQuery, At: s.now(), Attempt: attempt, Seen: SeenAbsent}, nil
	case err != nil:
		return Fact{}, err
	case wasPaid(q) && q.LeftFee == nil:
		return Fact{}, fmt.Errorf("query_order shows %s without left_fee: what went back is not known", q.Status)
	}
	return o.queried(o.Attempt(attempt), q, s.now()), nil
}

// Poll returns a user's own order. It repairs on read: an unpaid order whose last look is older than 3 s is queried
// now, so that the user sees the truth although the push is late. A query that is not answered changes nothing.
func (s *Service) Poll(ctx context.Context, openID, id string) (Order, error) {
	cur, err := s.own(ctx, openID, id)
	if err != nil || !cur.Unpaid() || s.now().Sub(cur.lastLook()) <= repairAfter {
		return cur.Order, err
	}
	repaired, err := s.repair(ctx, cur)
	if errors.Is(err, errNotSaid) {
		return repaired.Order, nil
	}
	return repaired.Order, err
}

// errNotSaid: WeChat was not asked, because somebody else is asking, or did not answer.
var errNotSaid = problem.New(problem.Unavailable, "WeChat does not say now whether the order is paid, try again")

// repair asks WeChat about an unpaid order and writes what it says.
func (s *Service) repair(ctx context.Context, cur stored) (stored, error) {
	cur, won, err := s.claim(ctx, cur, true)
	switch {
	case err != nil:
		return cur, err
	case !won && cur.Unpaid():
		return cur, errNotSaid
	case !won:
		return cur, nil
	}
	facts, asked := s.lookAll(ctx, cur.Order)
	if asked != nil {
		s.logUnanswered(ctx, cur.Order, asked)
		if cur, err = s.conclude(ctx, cur, true, facts, nil); err == nil && cur.Unpaid() {
			err = errNotSaid
		}
		return cur, err
	}
	cur, err = s.conclude(ctx, cur, true, facts, (*Order).answeredNow)
	s.kick(ctx, cur.Order)
	return cur, err
}

// lastLook is when the order was last known to be unpaid.
func (o *Order) lastLook() (last time.Time) {
	for _, a := range o.Attempts {
		for _, at := range []time.Time{a.SignedAt, a.LookedAt} {
			if at.After(last) {
				last = at
			}
		}
	}
	return last
}

// own reads an order of this user. Another user's order does not exist for them.
func (s *Service) own(ctx context.Context, openID, id string) (stored, error) {
	notFound := problem.New(problem.NotFound, "you have no such order")
	if !ValidID(id) {
		return stored{}, notFound
	}
	cur, err := s.load(ctx, id)
	if errors.Is(err, problem.NotFound) || err == nil && (cur.OpenID != openID || cur.Env != s.Env) {
		return stored{}, notFound
	}
	return cur, err
}
