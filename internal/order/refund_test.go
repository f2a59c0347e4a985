package order

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

// done is WeChat's answer to a query about a finished refund.
func done(id string, fee Fen) Fact {
	return news(StepDone, id, func(n *RefundNews) { n.WxRefundID, n.Fee = "V-"+id, fen(fee) })
}

// refundIs wants one refund in a state.
func refundIs(id string, state RefundState) func(Order) string {
	return func(o Order) string {
		r := o.refund(id)
		if r == nil {
			return "there is no refund " + id
		}
		if r.State != state {
			return fmt.Sprintf("refund %s is %s, want %s", id, r.State, state)
		}
		return ""
	}
}

// next wants the first task of the order's refunds.
func next(what step, after time.Duration) func(Order) string {
	return func(o Order) string {
		for i := range o.Refunds {
			t := o.Refunds[i].task(i)
			if t.at.IsZero() {
				continue
			}
			if t.step != what || !t.at.Equal(testStart.Add(after)) {
				return fmt.Sprintf("next is %s at %v, want %s at %v", t.step, t.at.Sub(testStart), what, after)
			}
			return ""
		}
		return "no refund has anything to do"
	}
}

// sentBytes wants the version and left_fee that the next send will have.
func sentBytes(id string, version int, left Fen) func(Order) string {
	return func(o Order) string {
		r := o.refund(id)
		if r.Version != version || r.LeftFee == nil || *r.LeftFee != left {
			return fmt.Sprintf("version %d with left_fee %v, want %d with %d", r.Version, r.LeftFee, version, left)
		}
		return ""
	}
}

func TestARefundOfOurs(t *testing.T) {
	t.Parallel()
	sec := time.Second
	paid := pushed(1, "T1")
	open := Ledger{Paid: 100, Reserved: 40}
	ready := []Fact{paid, asked("r1", 1, 40), leftRead("r1", 100)}
	then := func(more ...Fact) []Fact { return append(slices.Clone(ready), more...) }
	unanswered := news(StepUnanswered, "r1")
	absent := news(StepAbsent, "r1")
	tellStories(t, []story{
		{name: "the intent is stored before anything is read", order: fresh(), told: ready[:2], event: EventReserved, state: Delivered, ledger: open, check: both(refundIs("r1", RefundReserved), next(stepStartRefund, 2*sec))},
		{name: "left_fee is stored before the first send", order: fresh(), told: ready, event: EventRefunding, ledger: open, check: both(refundIs("r1", RefundReady), sentBytes("r1", 1, 100), next(stepLookRefund, 3*sec))},
		{name: "the same intent again is known", order: fresh(), told: then(asked("r1", 1, 40)), event: EventKnown, ledger: open},
		{
			name: "a second refund while one is open cannot be", order: fresh(), told: then(asked("r2", 1, 10)), event: EventImpossible, ledger: open,
			asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible},
		},
		{
			name: "a second refund of the other number may run beside it", order: fresh(withAttempts(2)), told: []Fact{paid, pushed(2, "T2"), asked("r1", 1, 40), asked("r2", 2, 100)},
			event: EventReserved, ledger: Ledger{Paid: 100, Surplus: 100, Reserved: 140}, asks: []string{AttentionSurplus},
		},
		{
			name: "after one is done no more than the rest can be asked", order: fresh(), told: then(done("r1", 40), asked("r2", 1, 61)), event: EventImpossible,
			ledger: Ledger{Paid: 100, Refunded: 40}, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible},
		},
		{name: "the rest can", order: fresh(), told: then(done("r1", 40), asked("r2", 1, 60)), event: EventReserved, ledger: Ledger{Paid: 100, Refunded: 40, Reserved: 60}},
		{name: "accepted, its end is looked for", order: fresh(), told: then(news(StepSent, "r1")), event: EventRefunding, ledger: open, check: both(refundIs("r1", RefundRunning), next(stepLookRefund, 9*sec))},
		{name: "done by a push", order: fresh(), told: then(news(StepSent, "r1"), wentBack(1, "r1", "V1", 40)), event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 40}, check: refundIs("r1", RefundDone)},
		{name: "done by a query", order: fresh(), told: then(news(StepSent, "r1"), done("r1", 40)), event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 40}, check: refundIs("r1", RefundDone)},
		{name: "done is told once", order: fresh(), told: then(done("r1", 40), wentBack(1, "r1", "V-r1", 40), done("r1", 40)), event: EventKnown, ledger: Ledger{Paid: 100, Refunded: 40}},
		{name: "done under WeChat's number alone is the same refund", order: fresh(), told: then(done("r1", 40), wentBack(1, "", "V-r1", 40)), event: EventKnown, ledger: Ledger{Paid: 100, Refunded: 40}},
		{
			name: "done cannot fail any more", order: fresh(), told: then(done("r1", 40), news(StepFailed, "r1")), event: EventImpossible, ledger: Ledger{Paid: 100, Refunded: 40},
			asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible}, check: refundIs("r1", RefundDone),
		},
		{
			name: "done with another amount books what went back and calls a person", order: fresh(), told: then(done("r1", 41)), event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 41},
			asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible},
		},
		{name: "failed at WeChat frees the money", order: fresh(), told: then(news(StepSent, "r1"), news(StepFailed, "r1")), event: EventRefundFailed, ledger: Ledger{Paid: 100}, check: both(refundIs("r1", RefundFailed), neverDue)},
		{name: "failed, then done after all, is booked", order: fresh(), told: then(news(StepFailed, "r1"), wentBack(1, "r1", "V1", 40)), event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 40}, check: refundIs("r1", RefundDone)},
		{name: "failed twice is known", order: fresh(), told: then(news(StepFailed, "r1"), news(StepFailed, "r1")), event: EventKnown, ledger: Ledger{Paid: 100}},
		{name: "a refusal of the first send fails at once", order: fresh(), told: then(refused("r1", 268490013)), event: EventRefundFailed, ledger: Ledger{Paid: 100}, check: both(refundIs("r1", RefundFailed), neverDue)},
		{name: "no answer is never a no", order: fresh(), told: then(unanswered), event: EventRefunding, ledger: open, check: both(refundIs("r1", RefundReady), next(stepLookRefund, 9*sec))},
		{
			name: "a refusal after a send without an answer is not believed at once", order: fresh(), told: then(unanswered, refused("r1", 268490013)), event: EventRefunding, ledger: open,
			check: refundIs("r1", RefundReady),
		},
		{
			name: "one absence after such a refusal proves nothing", order: fresh(), told: then(unanswered, refused("r1", 268490013), at(60*sec, absent)), event: EventRefunding, ledger: open,
			check: next(stepLookRefund, 120*sec),
		},
		{
			name: "a second absence 59 s later proves nothing", order: fresh(), told: then(unanswered, refused("r1", 268490013), at(60*sec, absent), at(119*sec, absent)), event: EventRefunding,
			ledger: open, check: next(stepLookRefund, 120*sec),
		},
		{
			name: "a second absence 60 s later proves the no", order: fresh(), told: then(unanswered, refused("r1", 268490013), at(60*sec, absent), at(120*sec, absent)), event: EventRefundFailed,
			ledger: Ledger{Paid: 100}, check: both(refundIs("r1", RefundFailed), neverDue),
		},
		{
			name: "268490016 ends no refund, even without an open send", order: fresh(), told: then(refused("r1", 268490016)), event: EventRefunding, ledger: open,
			check: both(refundIs("r1", RefundReady), sentBytes("r1", 1, 100)),
		},
		{
			name: "after 268490016 and one absence left_fee is not read again", order: fresh(), told: then(refused("r1", 268490016), at(60*sec, absent)), ledger: open, event: EventRefunding,
			check: next(stepLookRefund, 120*sec),
		},
		{
			name: "after 268490016 and two absences left_fee is read again", order: fresh(), told: then(refused("r1", 268490016), at(60*sec, absent), at(120*sec, absent)), ledger: open,
			event: EventRefunding, check: next(stepStartRefund, 120*sec),
		},
		{
			name: "and the new left_fee makes version 2", order: fresh(), ledger: open, event: EventRefunding,
			told:  then(refused("r1", 268490016), at(60*sec, absent), at(120*sec, absent), at(121*sec, leftRead("r1", 70))),
			check: both(sentBytes("r1", 2, 70), next(stepLookRefund, 121*sec)),
		},
		{
			name: "a refund that cannot be told from an effect is not sent again and calls a person", order: fresh(), ledger: open, event: EventRefunding,
			told: then(unanswered, refused("r1", 268490016), at(60*sec, absent), at(120*sec, absent), at(121*sec, news(StepUnclear, "r1"))),
			asks: []string{AttentionRefund}, alarms: []string{AttentionRefund}, check: both(sentBytes("r1", 1, 100), refundIs("r1", RefundReady)),
		},
		{
			name: "found after all, the question is answered", order: fresh(), ledger: Ledger{Paid: 100, Refunded: 40}, event: EventRefunded,
			told: then(unanswered, refused("r1", 268490016), at(60*sec, absent), at(120*sec, absent), at(121*sec, news(StepUnclear, "r1")), at(200*sec, done("r1", 40))),
		},
		{name: "less left than asked fails before the send", order: fresh(), told: []Fact{paid, asked("r1", 1, 40), news(StepTooMuch, "r1")}, event: EventRefundFailed, ledger: Ledger{Paid: 100}, check: neverDue},
		{name: "WeChat does not show the payment now: later", order: fresh(), told: []Fact{paid, asked("r1", 1, 40), news(StepLater, "r1")}, event: EventRefunding, ledger: open, check: next(stepStartRefund, 8*sec)},
		{
			name: "ten sends without an answer call a person once", order: fresh(), told: then(slices.Repeat([]Fact{unanswered}, 10)...), event: EventRefunding, ledger: open,
			asks: []string{AttentionRefund}, alarms: []string{AttentionRefund},
		},
		{
			name: "a refund open for a day calls a person", order: fresh(), told: then(news(StepSent, "r1"), at(24*time.Hour+2*sec, news(StepRunning, "r1"))), event: EventRefunding, ledger: open,
			asks: []string{AttentionRefund}, alarms: []string{AttentionRefund}, check: refundIs("r1", RefundRunning),
		},
		{
			name: "once", order: fresh(), told: then(news(StepSent, "r1"), at(25*time.Hour, news(StepRunning, "r1")), at(50*time.Hour, news(StepRunning, "r1"))), event: EventRefunding, ledger: open,
			asks: []string{AttentionRefund},
		},
		{name: "a plain push about it only makes us look now", order: fresh(), told: then(news(StepSent, "r1"), plainly(wentBack(1, "r1", "V1", 40))), event: EventHint, ledger: open, check: next(stepLookRefund, 5*sec)},
	})
}

func TestWhatWentBackWithoutUs(t *testing.T) {
	t.Parallel()
	paid := pushed(1, "T1")
	low := func(left Fen) Fact { return shown(1, "T1", "W1", left) }
	tellStories(t, []story{
		{name: "a console refund told by a push", order: fresh(), told: []Fact{paid, wentBack(1, "MP1", "V1", 30)}, event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 30}},
		{name: "two of the same amount are two", order: fresh(), told: []Fact{paid, wentBack(1, "MP1", "V1", 30), wentBack(1, "MP2", "V2", 30)}, event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 60}},
		{name: "the same under WeChat's number alone is one", order: fresh(), told: []Fact{paid, wentBack(1, "MP1", "V1", 30), wentBack(1, "", "V1", 30)}, event: EventKnown, ledger: Ledger{Paid: 100, Refunded: 30}},
		{
			name: "one without any number cannot be told from its repeats and is not booked", order: fresh(), told: []Fact{paid, wentBack(1, "", "", 30)}, event: EventImpossible, ledger: Ledger{Paid: 100},
			asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible},
		},
		{name: "its push lost, left_fee shows it", order: fresh(), told: []Fact{paid, low(70)}, event: EventKnown, ledger: Ledger{Paid: 100, Refunded: 30}},
		{name: "its push late replaces the drop and is not added", order: fresh(), told: []Fact{paid, low(70), wentBack(1, "MP1", "V1", 30)}, event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 30}},
		{name: "a drop that comes back was a refund that failed", order: fresh(), told: []Fact{paid, low(70), low(100)}, event: EventKnown, ledger: Ledger{Paid: 100}},
		{name: "no more than the rest can be asked", order: fresh(), told: []Fact{paid, low(70), asked("r1", 1, 71)}, event: EventImpossible, ledger: Ledger{Paid: 100, Refunded: 30}, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible}},
		{
			name: "ours on top of an unheard one: both count, the late push is not added", order: fresh(),
			told:  []Fact{paid, low(70), asked("r1", 1, 20), leftRead("r1", 70), done("r1", 20), wentBack(1, "MP1", "V1", 30)},
			event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 50},
		},
		{
			name: "left_fee seen while ours is in flight is not a drop of its own", order: fresh(), told: []Fact{paid, low(100), asked("r1", 1, 20), leftRead("r1", 100), low(80)},
			event: EventKnown, ledger: Ledger{Paid: 100, Reserved: 20},
		},
		{
			name: "a refund push before the payment push makes us look, and the payment is not delivered", order: fresh(), told: []Fact{wentBack(1, "MP1", "V1", 100), paid},
			event: EventPaid, state: Paid, ledger: Ledger{Paid: 100, Refunded: 100},
		},
		{name: "a refund push before the payment push orders a look", order: fresh(), told: []Fact{wentBack(1, "MP1", "V1", 100)}, event: EventRefunded, state: Created, ledger: Ledger{Refunded: 100}, check: dueAt(time.Second)},
		{
			name: "a part refunded before the payment push leaves the rest to be delivered", order: fresh(), told: []Fact{wentBack(1, "MP1", "V1", 30), paid},
			event: EventPaid, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 30},
		},
		{
			name: "more back than was paid calls a person", order: fresh(), told: []Fact{paid, wentBack(1, "MP1", "V1", 60), wentBack(1, "MP2", "V2", 60)},
			event: EventRefunded, ledger: Ledger{Paid: 100, Refunded: 120}, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible},
		},
		{name: "in plain mode it is a hint, and left_fee decides", order: fresh(), told: []Fact{paid, plainly(wentBack(1, "MP1", "V1", 30))}, event: EventHint, state: Delivered, ledger: Ledger{Paid: 100}, check: dueAt(2 * time.Second)},
		{name: "left_fee confirms it", order: fresh(), told: []Fact{paid, plainly(wentBack(1, "MP1", "V1", 30)), low(70)}, event: EventKnown, ledger: Ledger{Paid: 100, Refunded: 30}},
		{name: "left_fee refutes it", order: fresh(), told: []Fact{paid, plainly(wentBack(1, "MP1", "V1", 30)), low(100)}, event: EventKnown, ledger: Ledger{Paid: 100}},
	})
}

// A plain push proves nothing: it may not call a person, and it may not write.
func TestAPlainPushOnlyMakesUsLook(t *testing.T) {
	t.Parallel()
	finished, _ := tell(fresh(), pushed(1, "T1"), asked("r1", 1, 40), leftRead("r1", 100), done("r1", 40))
	for name, f := range map[string]Fact{
		"a finished refund failed":               plainly(news(StepFailed, "r1")),
		"a finished refund had another amount":   plainly(wentBack(1, "r1", "V9", 99)),
		"a finished refund has another number":   plainly(wentBack(1, "r1", "V9", 40)),
		"money of another user":                  plainly(pushed(1, "T1", anotherUser)),
		"a refund of another user":               plainly(news(StepDone, "r1", func(n *RefundNews) { n.OpenID = "oSomebody" })),
		"money of a number never handed out":     plainly(pushed(5, "T1")),
		"a refund of a number never handed out":  plainly(wentBack(5, "MP1", "V1", 1)),
		"a refund without an amount or a number": plainly(news(StepDone, "")),
	} {
		o, out := tell(finished, at(time.Hour, f))
		if len(out.Alarms) > 0 || len(o.Attention) > 0 {
			t.Errorf("%s: a person is called: %v", name, out.Alarms)
		}
		o.History, o.Attempts[0].HintAt = finished.History, finished.Attempts[0].HintAt
		if diff := cmp.Diff(finished, o, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: the order changed (-before +after):\n%s", name, diff)
		}
	}
}

// While WeChat shows a refund running, its money may yet leave, whatever left_fee shows.
func TestAPersonsNoIsNotTakenWhileTheRefundRuns(t *testing.T) {
	t.Parallel()
	o, _ := tell(fresh(), pushed(1, "T1"), asked("r1", 1, 40), leftRead("r1", 100), news(StepSent, "r1"))
	for step, want := range map[RefundStep]RefundState{StepRunning: RefundRunning, StepAbsent: RefundFailed} {
		look := settleLook{payment: shown(1, "T1", "W1", 100), refund: news(step, "r1"), left: 100}
		got, _ := tell(o, look.facts(false, "")...)
		if r := got.refund("r1"); r.State != want || len(got.Attention) > 0 {
			t.Errorf("WeChat shows it %s: it is %s, want %s; questions %+v", step, r.State, want, got.Attention)
		} else if want == RefundRunning && !errors.Is(look.refusal(&got, r), problem.Rejected) {
			t.Errorf("the refusal is %v", look.refusal(&got, r))
		}
	}
}

// A refund in the console was made before ours read left_fee, and its notice came after: what fell since and what is missing in all do
// not agree, so neither word is taken, whatever happened.
func TestARefundInTheConsoleThatIsHeardOfLateMisleadsNobody(t *testing.T) {
	t.Parallel()
	ofW1 := func(n *RefundNews) { n.Left, n.LeftOf = fen(80), "W1" }
	o, _ := tell(fresh(), pushed(1, "T1"), asked("r1", 1, 40), news(StepLeftRead, "r1", ofW1), news(StepUnanswered, "r1"))
	late, _ := tell(o, wentBack(1, "c1", "WC1", 20))
	for _, c := range []struct {
		o        Order
		left     Fen
		happened RefundState
		not      RefundState
	}{
		{late, 40, RefundReady, RefundReady},
		{late, 80, RefundReady, RefundReady},
		{o, 40, RefundDone, RefundReady},
		{o, 80, RefundReady, RefundFailed},
	} {
		look := settleLook{payment: shown(1, "T1", "W1", c.left), refund: news(StepAbsent, "r1"), left: c.left}
		for happened, want := range map[bool]RefundState{true: c.happened, false: c.not} {
			got, _ := tell(c.o, look.facts(happened, "")...)
			r := got.refund("r1")
			if r.State != want {
				t.Errorf("%d left, happened %t: it is %s, want %s", c.left, happened, r.State, want)
			}
			if err := look.refusal(&got, r); r.open() && !errors.Is(err, problem.Rejected) {
				t.Errorf("%d left: %v", c.left, err)
			}
		}
	}
}
