package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Recheck asks WeChat about every number of an order now, whatever its ladder says, also when it is delivered: after a
// long outage it finds payments, and refunds by others, whose pushes came to nobody. Repeating it is harmless.
//
// When WeChat does not answer, what it did answer is recorded, the rest is due by itself later, and the problem is
// Unavailable; it is also Unavailable while somebody else works on the order. The other problem is NotFound.
func (s *Service) Recheck(ctx context.Context, id string) (Order, error) {
	cur, err := s.find(ctx, id)
	if err != nil {
		return Order{}, err
	}
	if cur, err = s.recheck(ctx, cur); err != nil {
		return Order{}, err
	}
	s.kick(ctx, cur.Order)
	return cur.Order, nil
}

func (s *Service) recheck(ctx context.Context, cur stored) (stored, error) {
	cur, won, err := s.claim(ctx, cur, true)
	switch {
	case err != nil:
		return stored{}, err
	case !won:
		return stored{}, problem.New(problem.Unavailable, "somebody else is working on order %s, try again in a few seconds", cur.ID)
	}
	facts, asked := s.queryEach(ctx, cur.Order)
	if asked != nil {
		return stored{}, s.lookLater(ctx, cur, facts, asked)
	}
	return s.conclude(ctx, cur, true, facts, (*Order).answeredNow)
}

// queryEach asks WeChat about every number of an order, the first one first, and stops at the first that is not answered.
func (s *Service) queryEach(ctx context.Context, o Order) (facts []Fact, err error) {
	ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
	defer cancel()
	for n := range len(o.Attempts) {
		f, err := s.query(ctx, o, n+1)
		if err != nil {
			return facts, err
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// lookLater records what WeChat answered and makes the numbers it did not answer for due.
func (s *Service) lookLater(ctx context.Context, cur stored, facts []Fact, why error) error {
	s.logUnanswered(ctx, cur.Order, why)
	now := s.now()
	_, err := s.conclude(ctx, cur, true, facts, func(o *Order) {
		o.hintFrom(len(facts)+1, now)
		o.backOff(now)
	})
	if err != nil {
		return err
	}
	return notSaid(why)
}

// notSaid is the problem of a caller who waits for WeChat's answer. A refusal says what to do: no repeat mends it.
func notSaid(why error) error {
	var refusal *xpay.Error
	if errors.As(why, &refusal) && refusal.Class() == xpay.ClassGiveUp {
		return problem.Hide(problem.Unavailable, why, fmt.Sprintf("WeChat refuses the query with %d: %s; the order is looked at again by itself. 微信拒绝查询（%[1]d）：%[3]s；该订单会自动再查。",
			refusal.Code, refusal.Advice(), refusal.AdviceZH()))
	}
	var platform interface{ Advice() string } // of a refused access token
	if refusal == nil && errors.As(why, &platform) {
		return problem.Hide(problem.Unavailable, why, fmt.Sprintf("WeChat refuses the access token: %s; the order is looked at again by itself. "+
			"微信拒绝接口凭证：请核对 AppID、AppSecret 和 IP 白名单；该订单会自动再查。", platform.Advice()))
	}
	return problem.Hide(problem.Unavailable, why, "WeChat does not answer; the order is looked at again by itself")
}

// hintFrom makes the attempts from n on due.
func (o *Order) hintFrom(n int, at time.Time) {
	for i := n - 1; i < len(o.Attempts); i++ {
		o.Attempts[i].HintAt = at
	}
}
