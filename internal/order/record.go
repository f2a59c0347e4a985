package order

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

// Answer is what WeChat is told about a push.
type Answer string

const (
	AnswerDone    Answer = "done"     // ErrCode 0: for a payment that says "delivered"
	AnswerAgain   Answer = "again"    // a non-zero ErrCode: push again
	AnswerNotOurs Answer = "not-ours" // hand it on, else success
	AnswerRefund  Answer = "refund"   // Apple's question has a reply of its own, see AppleReply
)

// AppleReply answers Apple's question whether a purchase may be refunded (spec 7.8).
type AppleReply struct {
	Code     int // 0: let it pass, 1: object
	Info     string
	Evidence string
}

// Record takes in a verified push and says how to answer it. It makes one write for an order that it knows. An error
// means that nothing is certain: answer non-zero, WeChat repeats.
func (s *Service) Record(ctx context.Context, p Push) (Answer, AppleReply, error) {
	switch {
	case p.AppID != "" && p.AppID != s.AppID:
		return AnswerNotOurs, AppleReply{}, s.keep(ctx, p, evidence{Number: p.number(), Reason: "the message is for another AppID"})
	case p.Event.Goods != nil || p.Event.Coins != nil:
		a, err := s.recordPaid(ctx, p)
		return a, AppleReply{}, err
	case p.Event.Refund != nil:
		a, err := s.recordRefund(ctx, p)
		return a, AppleReply{}, err
	case p.Event.IOSRefund != nil:
		r, err := s.answerApple(ctx, p)
		return AnswerRefund, r, err
	case strings.HasPrefix(p.Event.Name, "xpay_"):
		return AnswerDone, AppleReply{}, s.keep(ctx, p, evidence{
			Number: p.number(), Case: p.caseID(), Code: AttentionNotice, Reason: short(p.Event.Name) + " needs a person", Ask: true,
		})
	default:
		return AnswerNotOurs, AppleReply{}, nil
	}
}

// reasonNoOrder is why the push of a paid order that we do not have is kept. It is part of the evidence's name: see Adopt.
const reasonNoOrder = "paid, but there is no such order"

// reasonNoOrderBack is why the push of a refund of an order that we do not have is kept. See Adopt.
const reasonNoOrderBack = "refunded, but there is no such order"

// recordPaid takes in a push about a payment.
func (s *Service) recordPaid(ctx context.Context, p Push) (Answer, error) {
	name, f, _ := p.money(s.now())
	number, ours := ParseNumber(name)
	if !ours || number.Refund {
		return AnswerNotOurs, s.keep(ctx, p, evidence{Number: name, Reason: "paid under a number that is not of our form"})
	}
	cur, err := s.load(ctx, number.OrderID)
	switch {
	case errors.Is(err, problem.NotFound) && f.Money.Env != nil && *f.Money.Env != s.Env:
		return AnswerNotOurs, nil // another deployment of the same mini-program
	case errors.Is(err, problem.NotFound):
		return AnswerAgain, s.keep(ctx, p, evidence{Number: name, Reason: reasonNoOrder, Ask: true})
	case err != nil:
		return AnswerAgain, err
	}
	f.Attempt = number.Attempt
	return s.recordMoney(ctx, cur, p, f)
}

// recordMoney writes the fact and answers for the number that the push names.
func (s *Service) recordMoney(ctx context.Context, cur stored, p Push, f Fact) (Answer, error) {
	cur, out, err := s.take(ctx, cur, f)
	if err != nil {
		return AnswerAgain, err
	}
	s.kick(ctx, cur.Order)
	if doubtful(out) {
		return AnswerAgain, s.keep(ctx, p, evidence{Number: OutTradeNo(cur.ID, f.Attempt), Reason: out.Reason})
	}
	if cur.Settles(f.Attempt, *f.Money) {
		return AnswerDone, nil
	}
	return AnswerAgain, nil
}

// doubtful outcomes keep the push that caused them.
func doubtful(out Outcome) bool {
	return out.Event == EventMismatch || out.Event == EventSurplus || out.contradicts()
}

// contradicts reports whether the fact cannot be. In plain mode such a fact is a hint with a reason.
func (out Outcome) contradicts() bool {
	return out.Event == EventImpossible || out.Event == EventHint && out.Reason != ""
}

// recordRefund takes in a push about a refund. It is told by push alone, so what we cannot place is kept.
func (s *Service) recordRefund(ctx context.Context, p Push) (Answer, error) {
	name := p.Event.Refund.MchOrderID
	number, ours := ParseNumber(name)
	if !ours || number.Refund {
		return AnswerNotOurs, s.keep(ctx, p, evidence{Number: name, Reason: "refund of a number that is not of our form"})
	}
	cur, err := s.load(ctx, number.OrderID)
	switch {
	case errors.Is(err, problem.NotFound):
		return AnswerDone, s.keep(ctx, p, evidence{Number: name, Case: p.caseID(), Reason: reasonNoOrderBack, Ask: true})
	case err != nil:
		return AnswerAgain, err
	}
	f := p.refund(s.now())
	f.Attempt = number.Attempt
	cur, out, err := s.take(ctx, cur, f)
	switch {
	case err != nil:
		return AnswerAgain, err
	case out.contradicts():
		return AnswerDone, s.keep(ctx, p, evidence{Number: name, Reason: out.Reason})
	}
	s.kick(ctx, cur.Order)
	if !p.Encrypted && !cur.booked(f.Attempt, f.Refund) {
		return AnswerAgain, nil // plain mode: the query decides, a repeat finds it settled
	}
	return AnswerDone, nil
}

// booked reports whether the refund that a push speaks of has ended in our books: by its number, or, for one that we
// did not start, by the left_fee that WeChat shows since.
func (o *Order) booked(attempt int, n *RefundNews) bool {
	if r := o.findRefund(n); r != nil {
		return r.State == RefundDone || r.State == RefundFailed
	}
	a := o.Attempt(attempt)
	if n.Step == StepFailed || a == nil || n.Fee == nil {
		return n.Step == StepFailed
	}
	seenSince := !n.At.IsZero() && !a.LeftSeenAt.Before(n.At)
	return seenSince && o.refunded(a) >= o.refundedByNumber(attempt)+*n.Fee
}

// answerApple answers Apple's question from what we know: object when the user has the goods, else let it pass. An
// order that does not exist is let pass, with that as evidence.
func (s *Service) answerApple(ctx context.Context, p Push) (AppleReply, error) {
	number, ours := ParseNumber(p.Event.IOSRefund.PayOrderID)
	if !ours || number.Refund {
		return appleUnknown, nil
	}
	cur, err := s.load(ctx, number.OrderID)
	if errors.Is(err, problem.NotFound) {
		return appleUnknown, nil
	}
	if err != nil {
		return AppleReply{}, err // Apple asks three times, and takes silence for "uncertain"
	}
	if !cur.Owned() {
		return AppleReply{Code: 0, Info: "建议退款", Evidence: "订单未发货"}, nil
	}
	return AppleReply{Code: 1, Info: "不建议退款", Evidence: "订单已发货 " + cur.DeliveredAt.Format("2006-01-02T15:04:05Z")}, nil
}

var appleUnknown = AppleReply{Code: 0, Info: "建议退款", Evidence: "未找到对应的订单"}

// number is the business number that a push speaks of, for its evidence.
func (p Push) number() string {
	switch e := p.Event; {
	case e.Goods != nil:
		return e.Goods.OutTradeNo
	case e.Coins != nil:
		return e.Coins.OutTradeNo
	case e.Refund != nil:
		return e.Refund.MchOrderID
	case e.Complaint != nil:
		return e.Complaint.MchOrderID
	default:
		return ""
	}
}

// caseID tells two events about the same order apart: two complaints, two refunds.
func (p Push) caseID() string {
	switch e := p.Event; {
	case e.Refund != nil:
		return cmp.Or(e.Refund.WxRefundID, e.Refund.MchRefundID)
	case e.Complaint != nil:
		return cmp.Or(e.Complaint.ComplaintID, e.Complaint.RequestID)
	default:
		return ""
	}
}

// KeepUnreadable stores a verified push whose event cannot be read, for a person. Its answer must be non-zero.
func (s *Service) KeepUnreadable(ctx context.Context, p Push) error {
	return s.keep(ctx, p, evidence{Reason: "a push of WeChat that cannot be read", Ask: true})
}
