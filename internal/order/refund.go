package order

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// RefundRequest asks for money to go back.
type RefundRequest struct {
	OrderID string // or the number of an attempt
	Key     string // Idempotency-Key
	Amount  Fen
	Reason  string // WeChat's "0" to "5" (spec 4.8), or a note of at most ReasonBytesMax bytes
	Attempt int    // 0: the one whose number OrderID is, else the one that pays for the order
	By      string // who asks, for the history
}

// Refund stores the intent to refund and then carries it out as far as WeChat answers now; Advance does the rest. The
// same key and request again return the same refund.
//
// Problems: Invalid, NotFound, Conflict (same key, other request; another refund is open), Rejected (not paid, more
// than is left, Apple, too old), Limited, Unavailable. After Unavailable the intent may be stored: repeat.
func (s *Service) Refund(ctx context.Context, r RefundRequest) (Order, Refund, error) {
	if err := checkKey(r.Key); err != nil {
		return Order{}, Refund{}, err
	}
	if n, _ := ParseNumber(r.OrderID); r.Attempt == 0 && n.Attempt > 1 {
		r.Attempt = n.Attempt // who names the number of an attempt means its money
	}
	cur, err := s.find(ctx, r.OrderID)
	if err == nil && cur.Unpaid() {
		cur, err = s.repair(ctx, cur) // "not paid" must be WeChat's word, not ours
	}
	if err == nil {
		cur, err = s.remember(ctx, cur, r)
	}
	if err != nil {
		return Order{}, Refund{}, err
	}
	var intent Refund
	cur, err = s.write(ctx, cur, func(o Order) (Order, bool, error) {
		var known bool
		if intent, known, err = s.intent(&o, r); err != nil || known {
			return o, false, err
		}
		next, out := Apply(o, Fact{Kind: FactRefundAsked, Source: SourceOperator, At: s.now(), Attempt: intent.Attempt, Intent: &intent, Reason: "by " + nameOf(r.By)})
		if out.Event != EventReserved {
			return o, false, problem.New(problem.Rejected, "the refund cannot be: %s", out.Reason)
		}
		return next, true, nil
	})
	if err != nil {
		return Order{}, Refund{}, err
	}
	return s.afterIntent(ctx, cur, intent.ID)
}

// remember books the refund that a request means when WeChat knows its number although the order does not: the store was restored
// from a time before it. It asks only when more has gone back than the order can explain and the request would be refused for it.
func (s *Service) remember(ctx context.Context, cur stored, r RefundRequest) (stored, error) {
	intent, _, refused := s.intent(&cur.Order, r)
	a := cur.Attempt(intent.Attempt)
	if !errors.Is(refused, problem.Rejected) || a == nil || cur.refunded(a) == cur.refundedByNumber(a.N) {
		return cur, nil
	}
	f, err := s.queryRefund(ctx, cur.Order, intent)
	if err != nil {
		s.logUnanswered(ctx, cur.Order, err)
		return cur, problem.Hide(problem.Unavailable, err, "WeChat does not say whether this refund has happened, try again")
	}
	if f.Refund.Step != StepDone {
		return cur, nil
	}
	cur, _, err = s.take(ctx, cur, f)
	return cur, err
}

// afterIntent tries to carry the refund out at once. The intent is stored: an error here is no error for the caller.
func (s *Service) afterIntent(ctx context.Context, cur stored, id string) (Order, Refund, error) {
	if err := s.Advance(ctx, DocID(cur.ID)); err != nil {
		s.Log.WarnContext(ctx, "refund not started yet", "order", cur.ID, "error", err)
	}
	if now, err := s.load(ctx, cur.ID); err == nil {
		cur = now
	}
	s.kick(ctx, cur.Order)
	return cur.Order, *cur.refund(id), nil
}

// asked reports whether a question is open.
func (o *Order) asked(code string, attempt int) bool {
	return slices.ContainsFunc(o.Attention, func(q Attention) bool { return q.Code == code && q.Attempt == attempt })
}

// intent builds the refund that a request means, or finds the one it meant before.
func (s *Service) intent(o *Order, r RefundRequest) (intent Refund, known bool, err error) {
	intent = Refund{Key: digest("refund-key", r.Key), Asked: r.Amount, Fee: r.Amount, From: xpay.FromService}
	intent.Reason, intent.Note = refundReason(r.Reason)
	if old := o.refundOf(intent.Key); old != nil {
		if r.Attempt != 0 && r.Attempt != old.Attempt || old.Asked != intent.Fee || old.Reason != intent.Reason || old.Note != intent.Note {
			return Refund{}, false, errOtherRefund
		}
		return *old, true, nil
	}
	if r.Attempt == 0 {
		r.Attempt = max(o.RefundAttempt(), 1)
	}
	intent.ID, intent.Attempt = NewRefundID(o.ID, r.Attempt, r.Key), r.Attempt
	if old := o.refund(intent.ID); old != nil { // a push told it, or remember: the key is not with it
		if old.Fee != intent.Fee {
			return Refund{}, false, errOtherRefund
		}
		return *old, true, nil
	}
	return intent, false, s.refundable(o, r)
}

var errOtherRefund = problem.New(problem.Conflict, "this Idempotency-Key was used for another refund; use a new key")

// refundOf finds the refund that an Idempotency-Key meant: one key means one refund, whatever attempt it went to.
func (o *Order) refundOf(key string) *Refund {
	for i := range o.Refunds {
		if o.Refunds[i].Key == key {
			return &o.Refunds[i]
		}
	}
	return nil
}

// RefundAttempt is the attempt whose money goes back when a refund names none: the one that pays for the order, else the
// first with money; 0 when no payment is known.
func (o *Order) RefundAttempt() int {
	if a, _ := o.MainPayment(); a != nil {
		return a.N
	}
	for _, a := range o.Attempts {
		if len(a.Payments) > 0 {
			return a.N
		}
	}
	return 0
}

// refundable says why a new refund cannot be.
func (s *Service) refundable(o *Order, r RefundRequest) error {
	a := o.Attempt(r.Attempt)
	switch {
	case r.Amount <= 0:
		return problem.New(problem.Invalid, "amount must be above 0, in fen")
	case !printable(r.Reason):
		return problem.New(problem.Invalid, "reason must be text without control characters")
	case len(r.Reason) > ReasonBytesMax:
		return problem.New(problem.Invalid, "reason has %d bytes, at most %d are possible", len(r.Reason), ReasonBytesMax)
	case a == nil:
		return problem.New(problem.Invalid, "the order has no attempt %d", r.Attempt)
	case len(a.Payments) == 0:
		return problem.New(problem.Rejected, "the order is not paid. 订单未支付。")
	case a.Payments[0].Channel == ChannelApple:
		return problem.New(problem.Rejected, "%s", reasonApple)
	case s.now().Sub(a.Payments[0].At) > refundWindow:
		return problem.New(problem.Rejected, "it was paid more than 365 days ago, WeChat refunds no more")
	case o.reserved(a.N) > 0:
		return problem.New(problem.Conflict, "another refund of this payment is open, wait for its end. 该笔付款还有退款未结束，请等其结束。")
	case r.Amount > o.Refundable(a.N):
		return problem.New(problem.Rejected, "%d fen are left to refund, %d were asked. 可退 %[1]d 分，要求退 %[2]d 分。", o.Refundable(a.N), r.Amount)
	case o.count(ours) >= RefundsMax:
		return problem.New(problem.Limited, "the order has had %d refunds, no more can be kept", RefundsMax)
	}
	return nil
}

// printable reports whether a text is UTF-8 without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// refundReason turns what the merchant wrote into WeChat's digit and a note.
func refundReason(reason string) (xpay.RefundReason, string) {
	if len(reason) == 1 && reason >= string(xpay.ReasonNone) && reason <= string(xpay.ReasonOther) {
		return xpay.RefundReason(reason), ""
	}
	if reason == "" {
		return xpay.ReasonNone, ""
	}
	return xpay.ReasonOther, reason
}

// startRefund reads left_fee, stores it as the intent's last parameter, and only then sends. A refund whose number WeChat knows is
// followed, not sent: the store was restored from a time before the send. No answer to that look is no "no": nothing is sent.
func (s *Service) startRefund(ctx context.Context, cur stored, t task, last bool) (stored, error) {
	if cur.Refunds[t.refund].State == RefundReserved {
		f, err := s.queryRefund(ctx, cur.Order, cur.Refunds[t.refund])
		if err != nil || f.Refund.Step != StepAbsent {
			return s.concludeStep(ctx, cur, last, factsOf(f, err), err)
		}
	}
	paid, err := s.query(ctx, cur.Order, t.attempt)
	if err != nil {
		return s.concludeStep(ctx, cur, last, nil, err)
	}
	r, licence := cur.Refunds[t.refund], cur.Lease
	next := s.afterLeft(cur.Order, r, paid)
	cur, err = s.conclude(ctx, cur, false, []Fact{paid, next}, (*Order).answeredNow)
	if err != nil || next.Refund.Step != StepLeftRead {
		return cur, err
	}
	now := cur.Refunds[t.refund]
	if now.State != RefundReady || !cur.claimedBy(licence, s.now()) {
		return cur, nil // somebody told us more while we asked
	}
	return s.concludeStep(ctx, cur, last, s.send(ctx, cur.Order, now), nil)
}

// afterLeft says what follows from the left_fee that was read.
func (s *Service) afterLeft(o Order, r Refund, paid Fact) Fact {
	news := RefundNews{ID: r.ID, Step: StepTooMuch}
	if paid.Kind == FactMoney && paid.Money.LeftFee != nil {
		left := *paid.Money.LeftFee
		news.Left, news.LeftOf = &left, paid.Money.WxOrderID
		switch {
		case paid.Money.Channel == ChannelApple:
			news.Step = StepApple
		case r.mayHaveHappened(left):
			news.Step = StepUnclear
		case left >= r.Fee:
			news.Step = StepLeftRead
		}
	} else {
		news.Step = StepLater // WeChat does not show the payment now; nothing was sent
	}
	return Fact{Kind: FactRefund, Source: SourceQuery, At: s.now(), Attempt: r.Attempt, Refund: &news}
}

// mayHaveHappened: some send was not answered, and left_fee fell by at least what it would have taken.
func (r Refund) mayHaveHappened(left Fen) bool {
	return r.Unanswered && r.LeftFee != nil && *r.LeftFee-left >= r.Fee
}

// send sends the stored intent and says what came of it. The same intent always gives the same bytes.
func (s *Service) send(ctx context.Context, o Order, r Refund) []Fact {
	reply, err := s.WeChat.RefundOrder(ctx, xpay.RefundRequest{
		OpenID: o.OpenID, Order: xpay.ByOrderID(OutTradeNo(o.ID, r.Attempt)), RefundOrderID: r.ID,
		LeftFee: *r.LeftFee, RefundFee: r.Fee, BizMeta: r.Note, Reason: r.Reason, From: r.From,
	})
	news := RefundNews{ID: r.ID, Step: StepSent, WxRefundID: reply.RefundWxOrderID}
	if err != nil {
		s.logUnanswered(ctx, o, err)
		news.Step, news.Code = refusal(err)
	}
	return []Fact{{Kind: FactRefund, Source: SourceQuery, At: s.now(), Attempt: r.Attempt, Refund: &news}}
}

// refusal reads an error of refund_order: no answer is never a "no".
func refusal(err error) (RefundStep, int) {
	var e *xpay.Error
	switch {
	case xpay.OutcomeUnknown(err) || !errors.As(err, &e):
		return StepUnanswered, 0
	case e.Class() == xpay.ClassDone:
		return StepSent, 0
	case e.Code == xpay.CodeWrongSignature: // about our AppKey, which is being changed: WeChat did not look at the refund
		return StepLater, e.Code
	case e.Class() == xpay.ClassGiveUp || e.Code == codeLeftFee:
		return StepRefused, e.Code
	default:
		return StepLater, e.Code
	}
}

// lookRefund queries a refund. One that may have been sent and is not known to WeChat is sent again, with the same
// bytes, unless WeChat refused it.
func (s *Service) lookRefund(ctx context.Context, o Order, r Refund) ([]Fact, error) {
	f, err := s.queryRefund(ctx, o, r)
	if err == nil && f.Refund.Step == StepAbsent && r.State == RefundReady && r.Refused == 0 {
		return s.send(ctx, o, r), nil
	}
	return factsOf(f, err), err
}

func factsOf(f Fact, err error) []Fact {
	if err != nil {
		return nil
	}
	return []Fact{f}
}

// queryRefund asks WeChat about a refund by its number. StepAbsent is an answer; an error is none.
func (s *Service) queryRefund(ctx context.Context, o Order, r Refund) (Fact, error) {
	q, err := s.WeChat.QueryOrder(ctx, o.OpenID, xpay.ByOrderID(r.ID))
	news := RefundNews{ID: r.ID, WxRefundID: q.WxOrderID, Step: StepRunning}
	switch {
	case errors.Is(err, xpay.ErrNoOrder):
		news.Step = StepAbsent
	case err != nil:
		return Fact{}, err
	case q.Status.RefundDone():
		news.Step, news.Fee, news.At = StepDone, q.RefundFee, unix(q.PaidTime)
	case q.Status.RefundFailed():
		news.Step = StepFailed
	}
	return Fact{Kind: FactRefund, Source: SourceQuery, At: s.now(), Attempt: r.Attempt, Refund: &news}, nil
}
