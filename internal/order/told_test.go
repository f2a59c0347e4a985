package order

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// left is what query_order shows to be left of the order's one payment.
func left(after time.Duration, rest Fen) Fact { return at(after, shown(1, "T1", "W1", rest)) }

// delivered is what makes an order with a target delivered.
func delivered() []Fact { return []Fact{pushed(1, "T1"), delivering(), sent(1)} }

func after(first []Fact, then ...Fact) []Fact { return slices.Concat(first, then) }

func TestWhatLeftFeeShowsIsToldWhenEveryLookOfTheLadderHasShownIt(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	ladder := []Fact{left(hour, 60), left(hour+30*time.Minute, 60), left(8*hour, 60)}
	certain := after(ladder, left(56*hour, 60))
	told := func(more ...Fact) []Fact { return after(delivered(), after(certain, more...)...) }
	one, two := "1 order.paid 100 sent", "2 order.refunded 40 waits"
	part := Ledger{Paid: 100, Refunded: 40}
	tellStories(t, []story{
		{name: "not before the last look", order: fresh(withTarget), told: after(delivered(), ladder...), ledger: part, check: both(outbox(one), looksAt(55*hour+30*time.Minute))},
		{name: "at the last look", order: fresh(withTarget), told: told(), ledger: part, check: both(outbox(one, two), both(certainly(40, true), gone(40)))},
		{name: "once", order: fresh(withTarget), told: told(left(90*hour, 60), left(200*hour, 60)), ledger: part, check: outbox(one, two)},
		{
			name: "looks in a row make nothing certain", order: fresh(withTarget), told: after(delivered(), left(hour, 60), left(hour, 60), left(hour, 60), left(hour, 60), left(hour, 60)),
			ledger: part, check: both(outbox(one), looksAt(hour+30*time.Minute)),
		},
		{
			name: "not what is gone again", order: fresh(withTarget), told: after(delivered(), left(hour, 60), left(8*hour, 100), left(56*hour, 60)),
			ledger: part, check: both(outbox(one), certainly(0, true)),
		},
		{
			name: "more of it has a ladder of its own", order: fresh(withTarget), told: told(left(57*hour, 0), left(58*hour, 0)),
			ledger: Ledger{Paid: 100, Refunded: 100}, check: both(outbox(one, two), certainly(40, true)),
		},
		{
			name: "and is told as what is more", order: fresh(withTarget), told: told(left(57*hour, 0), left(120*hour, 0)),
			ledger: Ledger{Paid: 100, Refunded: 100}, check: both(outbox(one, two, "3 order.refunded 60 waits"), certainly(100, false)),
		},
		{
			name: "a notice that explains it is not told again", order: fresh(withTarget), told: told(at(57*hour, wentBack(1, "MP1", "V1", 40)), left(58*hour, 60)),
			ledger: part, check: both(outbox(one, two), both(certainly(40, true), looksNever)),
		},
		{
			name: "of a notice that explains more the rest is told", order: fresh(withTarget), told: told(at(57*hour, wentBack(1, "MP1", "V1", 50))),
			ledger: Ledger{Paid: 100, Refunded: 50}, check: both(outbox(one, two, "3 order.refunded 10 waits"), certainly(50, true)),
		},
		{
			name: "after a notice WeChat is asked whether it was the same money", order: fresh(withTarget), told: told(at(57*hour, wentBack(1, "MP1", "V1", 40))),
			ledger: part, check: looksAt(57 * hour),
		},
		{
			name: "a notice of other money leaves the drop to be told", order: fresh(withTarget),
			told:   told(at(57*hour, wentBack(1, "MP1", "V1", 30)), left(57*hour, 30), left(120*hour, 30)),
			ledger: Ledger{Paid: 100, Refunded: 70}, check: both(outbox(one, two, "3 order.refunded 30 waits"), certainly(70, true)),
		},
		{
			name: "a notice before the ladder's end is told as every refund", order: fresh(withTarget), told: after(delivered(), after(ladder, at(9*hour, wentBack(1, "MP1", "V1", 40)), left(60*hour, 60))...),
			ledger: part, check: both(outbox(one, two), certainly(40, true)),
		},
		{
			name: "a refund of ours beside it is told at once", order: fresh(withTarget),
			told:   told(at(57*hour, asked("r1", 1, 60)), leftRead("r1", 60), wentBack(1, "r1", "V1", 60)),
			ledger: Ledger{Paid: 100, Refunded: 100}, check: both(outbox(one, two, "3 order.refunded 60 waits"), certainly(100, false)),
		},
		{
			name: "money that is back after it was told calls a person", order: fresh(withTarget), told: told(left(57*hour, 100)),
			ledger: Ledger{Paid: 100}, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible}, check: both(outbox(one, two), certainly(0, true)),
		},
		{
			name: "and is told again when it is gone for good", order: fresh(withTarget), told: told(left(57*hour, 100), left(58*hour, 60), left(120*hour, 60)),
			ledger: part, asks: []string{AttentionImpossible}, check: both(outbox(one, two, "3 order.refunded 40 waits"), differentIDs),
		},
		{
			name: "an order without a target tells nobody", order: fresh(), told: after([]Fact{pushed(1, "T1")}, after(certain, left(57*hour, 100))...),
			ledger: Ledger{Paid: 100}, check: outbox(),
		},
		{
			name: "what was certain while the money was held is told after it was accepted", order: fresh(withTarget),
			told: after([]Fact{pushed(1, "T1", anotherUser)}, after(certain, at(57*hour, accepted()))...), ledger: part, check: outbox("1 order.paid 100 waits", two),
		},
	})
}

// certainly wants what the target is told of the money.
func certainly(back Fen, kept bool) func(Order) string {
	return func(o Order) string {
		if got, keeps := o.BackOfPaid(), o.Kept(); got != back || keeps != kept {
			return fmt.Sprintf("%d fen are told to be back and owned %t, want %d and %t", got, keeps, back, kept)
		}
		return ""
	}
}

// gone wants that much gone that no number explains, told.
func gone(fee Fen) func(Order) string {
	return func(o Order) string {
		if got := o.Attempts[0].DropTold; got != fee {
			return fmt.Sprintf("%d fen of what left_fee shows were told, want %d", got, fee)
		}
		return ""
	}
}

// looksAt wants WeChat to be asked about the payment at a time after the order's start.
func looksAt(after time.Duration) func(Order) string {
	return func(o Order) string {
		if at := o.lookAt(&o.Attempts[0]); !at.Equal(testStart.Add(after)) {
			return fmt.Sprintf("it is looked at again at %v", at)
		}
		return ""
	}
}

func looksNever(o Order) string {
	if at := o.lookAt(&o.Attempts[0]); !at.IsZero() {
		return fmt.Sprintf("it is looked at again at %v", at)
	}
	return ""
}

func differentIDs(o Order) string {
	seen := map[string]bool{}
	for _, e := range o.Outbox {
		id := e.ID(o.ID)
		if seen[id] {
			return "two events are " + id
		}
		seen[id] = true
	}
	return ""
}

func TestARefundThatIsKnownBeforeThePaymentIsToldAfterIt(t *testing.T) {
	t.Parallel()
	shownOf3 := shown(1, "T1", "W1", 200, total(300))
	tellStories(t, []story{
		{
			name: "a part of it", order: fresh(withTarget, of3), told: []Fact{wentBack(1, "MP1", "V1", 100), shownOf3, delivering(), sent(1), sent(2)},
			state: Delivered, ledger: Ledger{Paid: 300, Refunded: 100}, check: outbox("1 order.paid 300 sent", "2 order.refunded 100 sent"),
		},
		{
			name: "all of it: nothing is delivered", order: fresh(withTarget), told: []Fact{wentBack(1, "MP1", "V1", 100), shown(1, "T1", "W1", 0)},
			state: Paid, ledger: Ledger{Paid: 100, Refunded: 100}, check: both(outbox("1 order.paid 100 waits", "2 order.refunded 100 waits"), certainly(100, false)),
		},
		{
			name: "held money of which a part went back before it was accepted", order: fresh(withTarget), told: []Fact{pushed(1, "T1", anotherUser), wentBack(1, "MP1", "V1", 40), accepted()},
			state: Paid, ledger: Ledger{Paid: 100, Refunded: 40}, check: outbox("1 order.paid 100 waits", "2 order.refunded 40 waits"),
		},
	})
}

func TestSurplusThatWentBackIsNotTakenFromTheUser(t *testing.T) {
	t.Parallel()
	twice := after(delivered(), pushed(2, "T2"))
	sameNumber := after(delivered(), pushed(1, "T2"))
	tellStories(t, []story{
		{
			name: "of another number", order: fresh(withTarget, withAttempts(2)), told: after(twice, wentBack(2, "MP2", "V2", 100)),
			ledger: Ledger{Paid: 100, Surplus: 100, Refunded: 100}, check: certainly(0, true),
		},
		{
			name: "then what pays", order: fresh(withTarget, withAttempts(2)), told: after(twice, wentBack(2, "MP2", "V2", 100), wentBack(1, "MP1", "V1", 100)),
			ledger: Ledger{Paid: 100, Surplus: 100, Refunded: 200}, check: certainly(100, false),
		},
		{
			name: "of the same number", order: fresh(withTarget), told: after(sameNumber, wentBack(1, "MP1", "V1", 100)),
			ledger: Ledger{Paid: 100, Surplus: 100, Refunded: 100}, check: certainly(0, true),
		},
		{
			name: "of the same number, and a part of what pays", order: fresh(withTarget), told: after(sameNumber, wentBack(1, "MP1", "V1", 130)),
			ledger: Ledger{Paid: 100, Surplus: 100, Refunded: 130}, check: certainly(30, true),
		},
		{
			name: "more than was paid is told as all", order: fresh(withTarget), told: after(delivered(), wentBack(1, "MP1", "V1", 130)),
			asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible}, ledger: Ledger{Paid: 100, Refunded: 130}, check: certainly(100, false),
		},
	})
}

func TestAnOrderTellsOfItsPaymentUnderOneID(t *testing.T) {
	t.Parallel()
	before, _ := tell(fresh(withTarget, withAttempts(2)), pushed(2, "T2"), pushed(1, "T1"))
	restored, _ := tell(fresh(withTarget, withAttempts(9)), shown(1, "T1", "W1", 100), shown(2, "T2", "W2", 100))
	held, _ := tell(fresh(withTarget, withAttempts(2)), pushed(2, "T2", anotherUser), accepted())
	id := before.Outbox[0].ID(testID)
	if got := restored.Outbox[0].ID(testID); got != id {
		t.Errorf("after a restore another number pays for it and the event is %s, it was %s", got, id)
	}
	if got := held.Outbox[0].ID(testID); got != id {
		t.Errorf("accepted it is %s, want %s", got, id)
	}
	stored := before.clone()
	stored.Outbox[0].Key = "of-the-number"
	if later, _ := tell(stored, delivering(), sent(1)); later.Outbox[0].ID(testID) != testID+".of-the-number" {
		t.Errorf("a stored event is now %s", later.Outbox[0].ID(testID))
	}
}

func TestATargetIsWaitedForSinceItCouldHear(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	mismatch := pushed(1, "T1", anotherUser)
	asks := []string{AttentionUndelivered}
	back := func(after time.Duration) Fact { return at(after, wentBack(1, "MP1", "V1", 40)) }
	down := []Fact{pushed(1, "T1"), delivering(), back(time.Minute), at(7*hour, unsent(1)), at(8*hour, sent(1))}
	part := Ledger{Paid: 100, Refunded: 40}
	tellStories(t, []story{
		{
			name: "of money that was accepted late, since then", order: fresh(withTarget),
			told: []Fact{mismatch, at(7*hour, accepted()), at(7*hour, delivering()), at(13*hour-time.Second, unsent(1))}, state: Delivering, ledger: Ledger{Paid: 100},
		},
		{
			name: "for six hours", order: fresh(withTarget),
			told: []Fact{mismatch, at(7*hour, accepted()), at(7*hour, delivering()), at(13*hour, unsent(1))}, state: Delivering, ledger: Ledger{Paid: 100}, asks: asks, alarms: asks,
		},
		{name: "of an event after another, since that was accepted", order: fresh(withTarget), told: after(down, at(14*hour-time.Second, unsent(2))), ledger: part},
		{name: "for six hours, too", order: fresh(withTarget), told: after(down, at(14*hour, unsent(2))), ledger: part, asks: asks, alarms: asks},
	})
}

// TestTheTargetIsToldOfEveryFenOnce: whatever happens in whatever order, the fees of order.refunded add up to what certainly went
// back; less only when a person was called because money came back.
func TestTheTargetIsToldOfEveryFenOnce(t *testing.T) { property(t, 400, toldOnce) }

func toldOnce(t testing.TB, p pick) {
	m := &model{pieces: 1, told: map[string]Fen{}}
	o := fresh(withTarget, withAttempts(2))
	for _, id := range []string{"1", "2"} {
		m.pool = append(m.pool, truth{attempt: 1 + p(2), id: id, fee: o.Amount})
	}
	now, rose := testStart, false
	for range 10 + p(60) {
		now = now.Add(oneOf(p, time.Minute, time.Hour, 26*time.Hour))
		f := m.fact(p, o, now)
		if a := o.Attempt(1 + p(2)); p(2) == 0 && a.LeftFee != nil { // left_fee stays often
			f = m.query(p, truth{attempt: a.N, id: m.pool[0].id, fee: o.Amount})
			f.At, f.Money.LeftFee = now, a.LeftFee
		}
		o, _ = Apply(o, f)
		rose = rose || slices.ContainsFunc(o.Attention, func(q Attention) bool { return q.Reason == reasonNotShown })
		told, certain := toldBack(o)
		if len(o.Outbox) > 0 && (told < certain || told > certain && !rose) {
			t.Fatalf("%d fen were told to be back, %d are: %s", told, certain, asJSON(t, o))
		}
		if wrong := differentIDs(o); wrong != "" {
			t.Fatal(wrong)
		}
	}
}

// toldBack adds up what the target is told to have gone back, and what certainly did.
func toldBack(o Order) (told, certain Fen) {
	for _, e := range o.Outbox {
		if e.Type == "order.refunded" {
			told += e.Fee
		}
	}
	for i := range o.Attempts {
		certain += o.certainlyBack(&o.Attempts[i])
	}
	return told, certain
}

func TestRefundsWithoutANumberAddFewEvents(t *testing.T) {
	t.Parallel()
	o, _ := tell(fresh(withTarget), delivered()...)
	for i := range 2 * dropEventsMax {
		from := time.Duration(i) * 100 * time.Hour
		o, _ = tell(o, left(from+time.Hour, 60), left(from+60*time.Hour, 60), left(from+61*time.Hour, 100))
	}
	if len(o.Outbox) != dropEventsMax || len(o.Attention) != 2 {
		t.Errorf("%d events, asked %v", len(o.Outbox), codes(o.Attention))
	}
}

func TestALookThatARefundOfOursSpoilsIsMadeUpForWithoutHaste(t *testing.T) {
	t.Parallel()
	running := []Fact{asked("r1", 1, 10), leftRead("r1", 60), news(StepSent, "r1")}
	o, _ := tell(fresh(), after([]Fact{pushed(1, "T1"), left(time.Hour, 60)}, after(running, left(2*time.Hour, 50))...)...)
	if wrong := looksAt(2*time.Hour + 30*time.Minute)(o); wrong != "" {
		t.Error(wrong)
	}
}
