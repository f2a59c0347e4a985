package order

import (
	"context"
	"errors"
	"slices"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

// SettleRefund ends a refund about which a person was asked because WeChat cannot tell: the person has looked in
// WeChat's console. WeChat is asked once more, while nobody else may send: what it says of the refund's number counts before
// the person's word, and its left_fee must bear that word out. One that has ended stays as it is. by is the person, for the history.
//
// Problems: NotFound; Rejected (nobody was asked: it is under way; left_fee says otherwise); Unavailable (WeChat or the store
// does not answer, or somebody else works on the order: no answer is neither yes nor no).
func (s *Service) SettleRefund(ctx context.Context, orderID, refundID string, happened bool, by string) (Order, Refund, error) {
	cur, err := s.find(ctx, orderID)
	if err == nil {
		cur, err = s.settle(ctx, cur, refundID, happened, by)
	}
	if err != nil {
		return Order{}, Refund{}, err
	}
	return cur.Order, *cur.refund(refundID), nil
}

func (s *Service) settle(ctx context.Context, cur stored, refundID string, happened bool, by string) (stored, error) {
	if open, err := cur.settleable(refundID); err != nil || !open {
		return cur, err
	}
	cur, won, err := s.claim(ctx, cur, true) // a send that is under way may yet happen
	switch {
	case err != nil:
		return cur, err
	case !won:
		return cur, problem.New(problem.Unavailable, "somebody else is working on order %s, try again in a few seconds", cur.ID)
	}
	look, err := s.lookToSettle(ctx, cur.Order, *cur.refund(refundID))
	if err != nil {
		return cur, s.notSettled(ctx, cur, err)
	}
	cur, err = s.conclude(ctx, cur, true, look.facts(happened, by), (*Order).answeredNow)
	if r := cur.refund(refundID); err == nil && r.open() {
		err = look.refusal(&cur.Order, r)
	}
	return cur, err
}

// settleable reports whether a person may end the refund; false without an error: it has ended.
func (o *Order) settleable(refundID string) (bool, error) {
	switch r := o.refund(refundID); {
	case r == nil:
		return false, problem.New(problem.NotFound, "the order has no such refund")
	case !r.open():
		return false, nil
	case !o.asked(AttentionRefund, r.Attempt) || r.State == RefundReserved: // of which nothing was sent
		return false, problem.New(problem.Rejected, "the refund is under way, WeChat is still being asked")
	}
	return true, nil
}

// settleLook is what WeChat shows before a refund is settled.
type settleLook struct {
	payment, refund Fact
	left            Fen
}

// lookToSettle asks about the payment and about the refund's own number. An error is no answer.
func (s *Service) lookToSettle(ctx context.Context, o Order, r Refund) (look settleLook, err error) {
	ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
	defer cancel()
	if look.refund, err = s.queryRefund(ctx, o, r); err != nil {
		return look, err
	}
	if look.payment, err = s.query(ctx, o, r.Attempt); err != nil {
		return look, err
	}
	if m := look.payment.Money; m == nil || m.LeftFee == nil || *m.LeftFee < 0 {
		return look, errors.New("query_order does not show what is left of the payment")
	}
	look.left = *look.payment.Money.LeftFee
	return look, nil
}

// facts are what WeChat says, then the person's word with the left_fee that must bear it out. A number that WeChat does not know
// proves nothing; one that runs has not ended, and its left_fee may come back.
func (l settleLook) facts(happened bool, by string) []Fact {
	facts := []Fact{l.payment}
	if l.refund.Refund.Step != StepAbsent {
		facts = append(facts, l.refund)
	}
	if l.running() {
		return facts
	}
	news := RefundNews{ID: l.refund.Refund.ID, Step: StepFailed, Left: &l.left, LeftOf: l.payment.Money.WxOrderID}
	if happened {
		news.Step = StepDone
	}
	return append(facts, Fact{Kind: FactRefund, Source: SourceOperator, At: l.refund.At, Attempt: l.refund.Attempt, Refund: &news, Reason: "settled by " + nameOf(by)})
}

func (l settleLook) running() bool { return l.refund.Refund.Step == StepRunning }

// refusal says why the person's word does not end the refund.
func (l settleLook) refusal(o *Order, r *Refund) error {
	m := o.missing(r, l.left, l.payment.Money.WxOrderID)
	switch {
	case l.running():
		return problem.New(problem.Rejected, "WeChat shows this refund running: wait for its end. 微信显示该退款正在处理，请等待结果")
	case !m.known || m.least < r.Fee && m.most >= r.Fee:
		return problem.New(problem.Rejected, "WeChat's left_fee does not agree with the refunds and payments that are known, and can tell neither: nothing was booked; what is still owed, give back in WeChat's console. "+
			"微信的剩余可退金额与已知的付款、退款不一致，无法判断：未作改动；如仍需退款，请在微信后台操作")
	case m.least >= r.Fee:
		return problem.New(problem.Rejected, "WeChat shows %d fen less left to refund than the refunds that are known explain, and this one is of %d fen: it has happened, or another of which we were not told. "+
			"If its number is in WeChat's console settle it as happened; if another is, wait for its notice. "+
			"微信的剩余可退金额少了 %[1]d 分，足以说明这笔 %[2]d 分的退款已发生，或另有未通知的退款：后台能查到此单号请记为已退款，否则请等待通知", m.least, r.Fee)
	default:
		return problem.New(problem.Rejected, "WeChat shows %d fen less left to refund than the refunds that are known explain, and this one is of %d fen: it has not happened as far as WeChat shows, "+
			"wait, or settle it as not happened. 微信的剩余可退金额只少了 %[1]d 分，这笔 %[2]d 分的退款未见发生：请稍后再试，或记为未退款", m.most, r.Fee)
	}
}

// notSettled gives the licence back: without WeChat's answer nothing is booked.
func (s *Service) notSettled(ctx context.Context, cur stored, why error) error {
	if _, err := s.concludeStep(ctx, cur, true, nil, why); err != nil {
		return err
	}
	return problem.Hide(problem.Unavailable, why, "WeChat does not show now what is left of the payment: nothing was booked, settle it later")
}

// bearsOut reports whether the left_fee that was read with a person's word agrees with it: what is missing at WeChat, and no refund
// that we know explains, is enough for this refund if it happened, and too little if it did not.
func (o *Order) bearsOut(r *Refund, n *RefundNews) bool {
	if n.Left == nil {
		return false
	}
	m := o.missing(r, *n.Left, n.LeftOf)
	if n.Step == StepDone {
		return m.known && m.least >= r.Fee
	}
	return m.known && m.most < r.Fee
}

// missing is how much less is left at WeChat than the refunds that we know explain.
type missing struct {
	least, most Fen
	known       bool // false: it cannot be told, or it is less than nothing, because a refund is in the books twice
}

// missing reckons in two ways, which agree where the books are right: from the payment on, where the number was paid once, for left_fee is of
// one payment; and since the refund read it, of the same payment. A refund that we hear of late is in one of them only.
func (o *Order) missing(r *Refund, left Fen, of string) (m missing) {
	a, back := o.Attempt(r.Attempt), o.refundedByNumber(r.Attempt)
	var found []Fen
	if len(a.Payments) == 1 {
		found = append(found, a.paid()-left-back)
	}
	if r.LeftFee != nil && of == r.LeftOf {
		found = append(found, *r.LeftFee-left-(back-r.Known))
	}
	if len(found) > 0 {
		m.least, m.most = slices.Min(found), slices.Max(found)
	}
	m.known = len(found) > 0 && m.least >= 0
	return m
}
