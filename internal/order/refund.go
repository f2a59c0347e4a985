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
