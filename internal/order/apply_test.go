package order

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// TestEveryKindOfFactInEveryState: what each kind means in each state, written by hand.
func TestEveryKindOfFactInEveryState(t *testing.T) {
	t.Parallel()
	states := map[State]Order{}
	for state, facts := range map[State][]Fact{
		Created:    nil,
		Paid:       {pushed(1, "T1")},
		Delivering: {pushed(1, "T1"), delivering()},
		Delivered:  {pushed(1, "T1"), delivering(), sent(1)},
		Closed:     {at(24*time.Hour, unpaid(1, SeenAbsent))},
		Held:       {pushed(1, "T1", anotherUser)},
	} {
		states[state], _ = tell(fresh(withTarget), facts...)
		if states[state].State != state {
			t.Fatalf("the order meant to be %s is %s", state, states[state].State)
		}
	}
	const no = EventImpossible
	for _, c := range []struct {
		name string
		fact Fact
		want [6]Event // in the order of States()
	}{
		{"a number handed out again", signed(1), [6]Event{EventSigned, EventKnown, EventKnown, EventKnown, EventKnown, EventKnown}},
		{"the next number", signed(2), [6]Event{EventSigned, EventKnown, EventKnown, EventKnown, EventKnown, EventKnown}},
		{"a number after the next", signed(3), [6]Event{no, EventKnown, EventKnown, EventKnown, EventKnown, EventKnown}},
		{"a report of the phone", Fact{Kind: FactReported, Source: SourcePhone, Attempt: 1, Code: -15002}, all6(EventHint)},
		{"a report about no number", Fact{Kind: FactReported, Source: SourcePhone, Attempt: 7}, all6(EventKnown)},
		{"money under another transaction", pushed(1, "T9"), [6]Event{EventPaid, EventSurplus, EventSurplus, EventSurplus, EventPaid, EventPaid}},
		{"money that is not the order's", pushed(1, "T9", anotherUser), all6(EventMismatch)},
		{"a plain push about new money", plainly(pushed(1, "T9")), all6(EventHint)},
		{"money for a number never handed out", pushed(2, "T9"), all6(no)},
		{"a query that shows nothing", unpaid(1, SeenAbsent), all6(EventUnpaid)},
		{"a query about a number never handed out", unpaid(2, SeenAbsent), all6(no)},
		{"the price is withdrawn", Fact{Kind: FactWithdrawn, Source: SourceService}, [6]Event{EventWithdrawn, EventKnown, EventKnown, EventKnown, EventWithdrawn, EventKnown}},
		{"an operator takes in a push about a number never handed out", Fact{Kind: FactAdopted, Source: SourceOperator, Attempt: 2}, all6(EventAdopted)},
		{"an operator takes in a push about a number that cannot be", Fact{Kind: FactAdopted, Source: SourceOperator, Attempt: 10}, all6(no)},
		{"an operator accepts", accepted(), [6]Event{EventKnown, EventKnown, EventKnown, EventKnown, EventKnown, EventAccepted}},
		{"the intent to deliver", delivering(), [6]Event{no, EventDelivering, EventDelivering, EventKnown, no, no}},
		{"the target accepts event 1", sent(1), [6]Event{no, no, EventDelivered, EventKnown, no, no}},
		{"the target accepts an event that was never made", sent(2), all6(no)},
		{"the target does not accept event 1", unsent(1), all6(EventKnown)},
		{"the target does not accept an event that was never made", unsent(2), all6(EventKnown)},
		{"WeChat was told", Fact{Kind: FactTold, Source: SourceQuery, Attempt: 1}, [6]Event{no, EventTold, EventTold, EventTold, no, no}},
		{"WeChat was not told", Fact{Kind: FactUntold, Source: SourceQuery, Attempt: 1}, all6(EventKnown)},
		{"WeChat was told of a number never handed out", Fact{Kind: FactTold, Source: SourceQuery, Attempt: 2}, all6(no)},
		{"a refund is asked", asked("r1", 1, 40), [6]Event{no, EventReserved, EventReserved, EventReserved, no, EventReserved}},
		{"a refund of more than was paid", asked("r1", 1, 101), all6(no)},
		{"a refund of nothing", asked("r1", 1, 0), all6(no)},
		{"a refund of a number never handed out", asked("r1", 2, 40), all6(no)},
		{"somebody else's refund ended", wentBack(1, "MP1", "W1", 40), all6(EventRefunded)},
		{"somebody else's refund of a number never handed out", wentBack(2, "MP1", "W1", 40), all6(no)},
		{"somebody else's refund failed", news(StepFailed, "MP1"), all6(EventKnown)},
		{"somebody else's refund without an amount", news(StepDone, "MP1"), all6(no)},
		{"somebody else's refund in plain mode", plainly(wentBack(1, "MP1", "W1", 40)), all6(EventHint)},
		{"a refund of another user", news(StepDone, "MP1", func(n *RefundNews) { n.OpenID, n.Fee = "oSomebody", fen(40) }), all6(no)},
		{"the user uses it", Fact{Kind: FactConsumed, Source: SourcePhone, Key: "k"}, [6]Event{no, no, no, EventConsumed, no, no}},
		{"a kind that nobody knows", Fact{Kind: "rumour"}, all6(no)},
	} {
		for i, state := range States() {
			_, out := tell(states[state], at(time.Hour, c.fact))
			if out.Event != c.want[i] {
				t.Errorf("%s, %s: %s %q, want %s", state, c.name, out.Event, out.Reason, c.want[i])
			}
			if asks := len(out.Alarms) > 0; asks != slices.Contains([]Event{no, EventSurplus, EventMismatch}, out.Event) && state != Held {
				t.Errorf("%s, %s: %s calls a person: %v", state, c.name, out.Event, asks)
			}
		}
	}
}

func all6(e Event) [6]Event { return [6]Event{e, e, e, e, e, e} }

func anotherUser(m *Money) { m.OpenID = "oSomebody" }
func noIDs(m *Money)       { m.TransactionID, m.WxOrderID = "", "" }

// story is a sequence of facts and what must come of it. Wants that are zero are not looked at, but for the ledger.
type story struct {
	name   string
	order  Order
	told   []Fact
	event  Event    // of the last fact
	state  State    // at the end
	ledger Ledger   // at the end
	asks   []string // open questions at the end
	alarms []string // raised by the last fact
	check  func(o Order) string
}

func tellStories(t *testing.T, stories []story) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o, out := tell(s.order, s.told...)
			if s.event != "" && out.Event != s.event {
				t.Errorf("the last fact is %s %q, want %s", out.Event, out.Reason, s.event)
			}
			if s.state != "" && o.State != s.state {
				t.Errorf("the order is %s, want %s", o.State, s.state)
			}
			if diff := cmp.Diff(s.ledger, o.Ledger()); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			if !sameCodes(o.Attention, s.asks) {
				t.Errorf("open questions %v, want %v", codes(o.Attention), s.asks)
			}
			if !sameCodes(out.Alarms, s.alarms) {
				t.Errorf("the last fact alarms %v, want %v", codes(out.Alarms), s.alarms)
			}
			if s.check != nil {
				if wrong := s.check(o); wrong != "" {
					t.Error(wrong)
				}
			}
		})
	}
}

func TestWhichPaymentIsBelieved(t *testing.T) {
	t.Parallel()
	paid, held := Ledger{Paid: 100}, Ledger{Held: 100}
	mismatch := []string{AttentionMismatch}
	no := func(name string, f Fact, l Ledger) story {
		return story{name: name, order: fresh(), told: []Fact{f}, event: EventMismatch, state: Held, ledger: l, asks: mismatch, alarms: mismatch}
	}
	yes := func(name string, f Fact, l Ledger) story {
		return story{name: name, order: fresh(), told: []Fact{f}, event: EventPaid, state: Delivered, ledger: l}
	}
	look := func(name string, o Order, f Fact) story {
		return story{name: name, order: o, told: []Fact{f}, event: EventHint, state: Created, check: dueAt(time.Second)}
	}
	tellStories(t, []story{
		yes("a push with every field right", pushed(1, "T1"), paid),
		yes("a query with every field right", shown(1, "T1", "W1", 100), paid),
		yes("a push that carries the price alone", pushed(1, "", func(m *Money) { *m = Money{Actual: fen(100)} }), paid),
		yes("a query that carries no field at all", shown(1, "", "", 100, func(m *Money) { *m = Money{} }), paid),
		yes("a coupon makes paid_fee smaller, and it is booked", shown(1, "T1", "W1", 80, paidFee(80)), Ledger{Paid: 80}),
		no("a push of another user", pushed(1, "T1", anotherUser), held),
		no("a push from the other env", pushed(1, "T1", func(m *Money) { m.Env = new(xpay.Production) }), held),
		no("a push of another product", pushed(1, "T1", func(m *Money) { m.ProductID = "vip" }), held),
		no("a push of another quantity", pushed(1, "T1", func(m *Money) { m.Quantity = 2 }), held),
		no("a push of no price", pushed(1, "T1", func(m *Money) { m.Actual = fen(0) }), Ledger{}),
		no("a push of a negative price", pushed(1, "T1", func(m *Money) { m.Actual = fen(-1) }), Ledger{}),
		no("a push of a higher price", pushed(1, "T1", func(m *Money) { m.Actual = fen(101) }), Ledger{Held: 101}),
		no("a query with another order_fee", shown(1, "T1", "W1", 100, func(m *Money) { m.OrderFee = fen(99) }), held),
		no("a query with more paid than ordered", shown(1, "T1", "W1", 101, paidFee(101)), Ledger{Held: 101}),
		no("a query with a negative paid_fee", shown(1, "T1", "W1", 100, paidFee(-1)), held),
		no("a query from the other env", shown(1, "T1", "W1", 100, func(m *Money) { m.Env = new(xpay.Production) }), held),
		no("a query with somebody else's tag", shown(1, "T1", "W1", 100, func(m *Money) { m.Tag = "v1.other" }), held),
		look("a push of a lower price, which a coupon may have made, leaves it to the query", fresh(), pushed(1, "T1", func(m *Money) { m.Actual = fen(1) })),
		look("a push without a price leaves it to the query", fresh(), pushed(1, "T1", func(m *Money) { m.Actual = nil })),
		look("a push about three pieces at the price of one leaves it to the query", fresh(of3), pushed(1, "T1", quantity(3))),
		look("a push about three pieces at the total leaves it to the query", fresh(of3), pushed(1, "T1", quantity(3), func(m *Money) { m.Actual = fen(300) })),
		look("a plain push is a hint", fresh(), plainly(pushed(1, "T1"))),
		look("a plain push with everything wrong is a hint too", fresh(), plainly(pushed(1, "T1", anotherUser))),
		{
			name: "the query after the hint decides", order: fresh(of3),
			told:  []Fact{pushed(1, "T1", quantity(3)), shown(1, "T1", "W1", 300, total(300))},
			event: EventPaid, state: Delivered, ledger: Ledger{Paid: 300}, check: notDueBefore(time.Minute),
		},
		{
			name: "a push about three pieces at more than the total is held", order: fresh(of3),
			told:  []Fact{pushed(1, "T1", quantity(3), func(m *Money) { m.Actual = fen(301) })},
			event: EventMismatch, state: Held, ledger: Ledger{Held: 301}, asks: mismatch, alarms: mismatch,
		},
		{
			name: "after a push that is held the query tells what can go back", order: fresh(),
			told:  []Fact{pushed(1, "T1", anotherUser), shown(1, "T1", "W1", 80, paidFee(80))},
			event: EventKnown, state: Held, ledger: Ledger{Held: 80}, asks: mismatch, check: neverDue,
		},
	})
}

func paidFee(fee Fen) func(*Money) { return func(m *Money) { m.PaidFee = fen(fee) } }
func quantity(n int) func(*Money)  { return func(m *Money) { m.Quantity = n } }
func total(fee Fen) func(*Money) {
	return func(m *Money) { m.OrderFee, m.PaidFee = fen(fee), fen(fee) }
}
func provided(m *Money) { m.Provided = true }

// dueAt wants the order due at a time after its start.
func dueAt(after time.Duration) func(Order) string {
	return func(o Order) string {
		if want := testStart.Add(after); !o.DueAt().Equal(want) {
			return fmt.Sprintf("due at %v, want %v", o.DueAt(), want)
		}
		return ""
	}
}

// notDueBefore wants nothing to do before a time after the order's start.
func notDueBefore(after time.Duration) func(Order) string {
	return func(o Order) string {
		if due := o.DueAt(); !due.IsZero() && due.Before(testStart.Add(after)) {
			return fmt.Sprintf("due at %v", due)
		}
		return ""
	}
}

func neverDue(o Order) string {
	if due := o.DueAt(); !due.IsZero() {
		return fmt.Sprintf("due at %v, want never", due)
	}
	return ""
}

func TestWhichPaymentIsTheSame(t *testing.T) {
	t.Parallel()
	surplus := []string{AttentionSurplus}
	one := Ledger{Paid: 100}
	two := Ledger{Paid: 100, Surplus: 100}
	tellStories(t, []story{
		{
			name: "told by a push, then by the query: one payment with both numbers and the fee of the query", order: fresh(),
			told:  []Fact{pushed(1, "T1"), shown(1, "T1", "W1", 80, paidFee(80))},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 80},
			check: func(o Order) string {
				if p := o.Attempts[0].Payments; len(p) != 1 || p[0].TransactionID != "T1" || p[0].WxOrderID != "W1" || p[0].Channel != ChannelWeChat {
					return fmt.Sprintf("payments %+v", p)
				}
				return ""
			},
		},
		{
			name: "told by the query, then by a push: the fee of the query stays", order: fresh(),
			told:  []Fact{shown(1, "T1", "W1", 80, paidFee(80)), pushed(1, "T1")},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 80},
		},
		{name: "the same push sixteen times", order: fresh(), told: slices.Repeat([]Fact{pushed(1, "T1")}, 16), event: EventKnown, state: Delivered, ledger: one},
		{
			name: "a push without WeChatPayInfo is the attempt's payment", order: fresh(),
			told: []Fact{pushed(1, "", noIDs), pushed(1, "T1"), shown(1, "T1", "W1", 100)}, event: EventKnown, state: Delivered, ledger: one,
		},
		{
			name: "a second TransactionId is surplus", order: fresh(), told: []Fact{pushed(1, "T1"), pushed(1, "T2")},
			event: EventSurplus, state: Delivered, ledger: two, asks: surplus, alarms: surplus,
		},
		{
			name: "the surplus told again alarms nobody again", order: fresh(), told: []Fact{pushed(1, "T1"), pushed(1, "T2"), pushed(1, "T2")},
			event: EventKnown, state: Delivered, ledger: two, asks: surplus,
		},
		{
			name: "a second number paid is surplus", order: fresh(withAttempts(2)), told: []Fact{pushed(2, "T2"), shown(1, "T1", "W1", 100)},
			event: EventSurplus, state: Delivered, ledger: two, asks: surplus, alarms: surplus,
			check: func(o Order) string {
				if a, _ := o.MainPayment(); a.N != 2 {
					return fmt.Sprintf("attempt %d pays for the order", a.N)
				}
				return ""
			},
		},
		{
			name: "surplus that went back asks nobody any more", order: fresh(withAttempts(2)),
			told:  []Fact{pushed(1, "T1"), pushed(2, "T2"), wentBack(2, "MP1", "V1", 100)},
			event: EventRefunded, state: Delivered, ledger: Ledger{Paid: 100, Surplus: 100, Refunded: 100},
			check: func(o Order) string {
				if !o.Owned() {
					return "the user lost what the other payment paid for"
				}
				return ""
			},
		},
		{
			name: "a second payment that is not the order's is surplus and a mismatch", order: fresh(withAttempts(2)),
			told:  []Fact{pushed(1, "T1"), pushed(2, "T2", anotherUser)},
			event: EventMismatch, state: Delivered, ledger: two, asks: []string{AttentionMismatch}, alarms: []string{AttentionMismatch},
		},
		{
			name: "a known payment told again with another user is impossible and changes no money", order: fresh(),
			told:  []Fact{pushed(1, "T1"), pushed(1, "T1", anotherUser)},
			event: EventImpossible, state: Delivered, ledger: one, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible},
		},
		{
			name: "WxOrderID tells payments apart where TransactionId is missing", order: fresh(),
			told:  []Fact{shown(1, "", "W1", 100), shown(1, "", "W2", 100)},
			event: EventSurplus, state: Delivered, ledger: two, asks: surplus, alarms: surplus,
		},
		{
			name: "a query without TransactionId finds the payment with its WxOrderID, not the first one", order: fresh(),
			told:  []Fact{pushed(1, "T1"), shown(1, "T2", "W2", 70, paidFee(70)), shown(1, "", "W2", 70, paidFee(70))},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100, Surplus: 70}, asks: surplus,
		},
		{
			name: "money beyond what one order keeps changes nothing and calls a person", order: fresh(),
			told:  append(payments(12), pushed(1, "T13")),
			event: EventImpossible, state: Delivered, ledger: Ledger{Paid: 100, Surplus: 1100}, asks: []string{AttentionSurplus, AttentionImpossible},
			alarms: []string{AttentionImpossible},
		},
	})
}

func payments(n int) (facts []Fact) {
	for i := range n {
		facts = append(facts, pushed(1, fmt.Sprintf("T%d", i+1)))
	}
	return facts
}

// A look that was ordered by a hint is over when WeChat has answered, whatever the answer means.
func TestAnAnswerEndsTheLookEvenIfItIsImpossible(t *testing.T) {
	t.Parallel()
	for name, facts := range map[string][]Fact{
		"the query contradicts the push": {
			plainly(pushed(1, "T1")), pushed(1, "T1"), shown(1, "T1", "W1", 100, func(m *Money) { m.OrderFee = fen(99) }),
		},
		"more payments than one order keeps": append(payments(12), plainly(pushed(1, "T13")), shown(1, "T13", "W13", 100)),
	} {
		o, out := tell(fresh(), facts...)
		if out.Event != EventImpossible {
			t.Errorf("%s: the query is %s", name, out.Event)
		}
		if !o.Attempts[0].HintAt.IsZero() {
			t.Errorf("%s: the order asks WeChat again and again, due at %v", name, o.DueAt())
		}
	}
}

func TestTimeAndClosing(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	tellStories(t, []story{
		{name: "absent before expiresAt closes nothing", order: fresh(), told: []Fact{at(day-1, unpaid(1, SeenAbsent))}, event: EventUnpaid, state: Created},
		{name: "absent at expiresAt closes", order: fresh(), told: []Fact{at(day, unpaid(1, SeenAbsent))}, event: EventExpired, state: Closed},
		{name: "open at expiresAt closes", order: fresh(), told: []Fact{at(day, unpaid(1, SeenOpen))}, event: EventExpired, state: Closed},
		{
			name: "one of two numbers seen after expiresAt closes nothing", order: fresh(withAttempts(2)),
			told: []Fact{at(23*time.Hour, unpaid(1, SeenAbsent)), at(day, unpaid(2, SeenAbsent))}, event: EventUnpaid, state: Created, check: dueAt(day),
		},
		{
			name: "both of two numbers seen after expiresAt close", order: fresh(withAttempts(2)),
			told: []Fact{at(day, unpaid(2, SeenDead)), at(day+1, unpaid(1, SeenAbsent))}, event: EventExpired, state: Closed,
		},
		{name: "an open order is looked at on the ladder", order: fresh(), told: []Fact{at(time.Minute, unpaid(1, SeenAbsent))}, state: Created, check: dueAt(3 * time.Minute)},
		{name: "a late look does not repeat the rungs it missed", order: fresh(), told: []Fact{at(time.Hour, unpaid(1, SeenAbsent))}, state: Created, check: dueAt(2 * time.Hour)},
		{name: "a closed order is looked at a last time after a week", order: fresh(), told: []Fact{at(day, unpaid(1, SeenAbsent))}, state: Closed, check: dueAt(7 * day)},
		{name: "then never again", order: fresh(), told: []Fact{at(day, unpaid(1, SeenAbsent)), at(7*day, unpaid(1, SeenAbsent))}, state: Closed, check: neverDue},
		{
			name: "signing again starts the ladder again", order: fresh(),
			told: []Fact{at(time.Hour, unpaid(1, SeenAbsent)), at(time.Hour, signed(1))}, event: EventSigned, state: Created, check: dueAt(time.Hour + time.Minute),
		},
		{name: "the price withdrawn closes", order: fresh(), told: []Fact{{Kind: FactWithdrawn, Source: SourceService}}, event: EventWithdrawn, state: Closed},
		{
			name: "money after the close by a push is delivered", order: fresh(), told: []Fact{at(day, unpaid(1, SeenAbsent)), at(30*day, pushed(1, "T1"))},
			event: EventPaid, state: Delivered, ledger: Ledger{Paid: 100},
		},
		{
			name: "money after the close by the last rung is delivered", order: fresh(), told: []Fact{at(day, unpaid(1, SeenAbsent)), at(7*day, shown(1, "T1", "W1", 100))},
			event: EventPaid, state: Delivered, ledger: Ledger{Paid: 100},
		},
		{
			name: "money after the price was withdrawn is delivered at the frozen price", order: fresh(),
			told: []Fact{{Kind: FactWithdrawn, Source: SourceService}, pushed(1, "T1")}, event: EventPaid, state: Delivered, ledger: Ledger{Paid: 100},
		},
		{
			name: "money after the close that we do not believe is held", order: fresh(), told: []Fact{at(day, unpaid(1, SeenAbsent)), pushed(1, "T1", anotherUser)},
			event: EventMismatch, state: Held, ledger: Ledger{Held: 100}, asks: []string{AttentionMismatch}, alarms: []string{AttentionMismatch},
		},
		{
			name: "absent after paid changes nothing", order: fresh(), told: []Fact{shown(1, "T1", "W1", 100, provided), at(day, unpaid(1, SeenAbsent))},
			event: EventUnpaid, state: Delivered, ledger: Ledger{Paid: 100}, check: func(o Order) string {
				if o.Attempts[0].Seen != SeenPaid {
					return "the number counts as " + string(o.Attempts[0].Seen)
				}
				return neverDue(o)
			},
		},
		{
			name: "the other numbers of a paid order are still looked at", order: fresh(withAttempts(2)), told: []Fact{shown(2, "T1", "W1", 100, provided)},
			event: EventPaid, state: Delivered, ledger: Ledger{Paid: 100}, check: dueAt(time.Minute),
		},
	})
}

func TestHeldMoney(t *testing.T) {
	t.Parallel()
	mismatch := []string{AttentionMismatch}
	wrong := pushed(1, "T1", anotherUser)
	tellStories(t, []story{
		{name: "a person accepts it", order: fresh(), told: []Fact{wrong, accepted()}, event: EventAccepted, state: Delivered, ledger: Ledger{Paid: 100}},
		{
			name: "accepted for a target, it is told to the target", order: fresh(withTarget), told: []Fact{wrong, accepted()}, event: EventAccepted, state: Paid,
			ledger: Ledger{Paid: 100}, check: outbox("1 order.paid 100 waits"),
		},
		{name: "a full refund closes the order", order: fresh(), told: []Fact{wrong, wentBack(1, "MP1", "V1", 100)}, event: EventRefunded, state: Closed, ledger: Ledger{Held: 100, Refunded: 100}},
		{
			name: "a part of it refunded leaves it held", order: fresh(), told: []Fact{wrong, wentBack(1, "MP1", "V1", 99)}, event: EventRefunded, state: Held,
			ledger: Ledger{Held: 100, Refunded: 99}, asks: mismatch,
		},
		{
			name: "the same told again alarms nobody again", order: fresh(), told: []Fact{wrong, wrong}, event: EventKnown, state: Held,
			ledger: Ledger{Held: 100}, asks: mismatch,
		},
		{
			name: "believed money of another number does not let it go", order: fresh(withAttempts(2)), told: []Fact{wrong, pushed(2, "T2")}, event: EventPaid, state: Held,
			ledger: Ledger{Paid: 100, Held: 100}, asks: mismatch,
		},
		{
			name: "with both, accepting delivers once and the other is surplus", order: fresh(withAttempts(2)), told: []Fact{wrong, pushed(2, "T2"), accepted()},
			event: EventAccepted, state: Delivered, ledger: Ledger{Paid: 100, Surplus: 100},
		},
		{
			name: "with both, giving the wrong one back still leaves a person to decide: it is listed", order: fresh(withAttempts(2)),
			told: []Fact{wrong, pushed(2, "T2"), wentBack(1, "MP1", "V1", 100)}, event: EventRefunded, state: Held,
			ledger: Ledger{Paid: 100, Held: 100, Refunded: 100}, asks: mismatch,
		},
		{
			name: "accepting takes the money that is still there", order: fresh(withAttempts(2)),
			told:  []Fact{wrong, pushed(2, "T2", anotherUser), wentBack(1, "MP1", "V1", 100), accepted()},
			event: EventAccepted, state: Delivered, ledger: Ledger{Paid: 100, Surplus: 100, Refunded: 100},
			check: func(o Order) string {
				if a, _ := o.MainPayment(); a.N != 2 || !o.Owned() {
					return fmt.Sprintf("attempt %d pays for it, owned %v", a.N, o.Owned())
				}
				return ""
			},
		},
		{
			name: "money after everything went back is not lost", order: fresh(withAttempts(3)),
			told: []Fact{wrong, pushed(2, "T2"), wentBack(1, "MP1", "V1", 100), wentBack(2, "MP2", "V2", 100), pushed(3, "T3")}, state: Held,
			event: EventSurplus, ledger: Ledger{Paid: 100, Held: 100, Surplus: 100, Refunded: 200}, asks: []string{AttentionSurplus}, alarms: []string{AttentionSurplus},
		},
		{
			name: "expiry does not close it", order: fresh(withAttempts(2)), told: []Fact{wrong, at(25*time.Hour, unpaid(2, SeenAbsent))}, event: EventUnpaid, state: Held,
			ledger: Ledger{Held: 100}, asks: mismatch,
		},
		{
			name: "for an order that is not held, accepting marks its questions as seen", order: fresh(), told: []Fact{pushed(1, "T1"), pushed(1, "T2"), accepted()},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100, Surplus: 100},
		},
	})
}

// outbox wants the events for the target, one text for each.
func outbox(want ...string) func(Order) string {
	return func(o Order) string {
		var got []string
		for _, e := range o.Outbox {
			how := "waits"
			if !e.SentAt.IsZero() {
				how = "sent"
			}
			got = append(got, fmt.Sprintf("%d %s %d %s", e.Seq, e.Type, e.Fee, how))
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("events %q, want %q", got, want)
		}
		return ""
	}
}

func TestTheDeliveryTarget(t *testing.T) {
	t.Parallel()
	paid := pushed(1, "T1")
	tellStories(t, []story{
		{name: "a payment queues event 1", order: fresh(withTarget), told: []Fact{paid}, state: Paid, ledger: Ledger{Paid: 100}, check: outbox("1 order.paid 100 waits")},
		{name: "told it is delivered", order: fresh(withTarget), told: []Fact{paid, delivering(), sent(1)}, state: Delivered, ledger: Ledger{Paid: 100}, check: outbox("1 order.paid 100 sent")},
		{name: "told twice it is known", order: fresh(withTarget), told: []Fact{paid, delivering(), sent(1), sent(1)}, event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100}},
		{
			name: "a full refund promised before delivery stops it", order: fresh(withTarget), told: []Fact{paid, asked("r1", 1, 100), delivering()}, event: EventKnown,
			state: Paid, ledger: Ledger{Paid: 100, Reserved: 100}, check: func(o Order) string {
				if at := o.deliverAt(); !at.IsZero() {
					return "delivery is on the agenda"
				}
				return ""
			},
		},
		{
			name: "when that refund fails the delivery goes on", order: fresh(withTarget), told: []Fact{paid, asked("r1", 1, 100), leftRead("r1", 100), refused("r1", 268490013)},
			event: EventRefundFailed, state: Paid, ledger: Ledger{Paid: 100}, check: func(o Order) string {
				if at := o.deliverAt(); at.IsZero() {
					return "nobody will deliver"
				}
				return outbox("1 order.paid 100 waits")(o)
			},
		},
		{
			name: "when that refund is done the target never hears of the order", order: fresh(withTarget), told: []Fact{paid, asked("r1", 1, 100), leftRead("r1", 100), wentBack(1, "r1", "V1", 100)},
			event: EventRefunded, state: Paid, ledger: Ledger{Paid: 100, Refunded: 100}, check: both(outbox("1 order.paid 100 waits", "2 order.refunded 100 waits"), neverDue),
		},
		{
			name: "a drop of left_fee stops the delivery", order: fresh(withTarget), told: []Fact{paid, shown(1, "T1", "W1", 0)},
			event: EventKnown, state: Paid, ledger: Ledger{Paid: 100, Refunded: 100}, check: dueAt(30*time.Minute + 2*time.Second),
			asks: []string{AttentionReturned}, alarms: []string{AttentionReturned},
		},
		{
			name: "and when left_fee comes back the delivery goes on", order: fresh(withTarget), told: []Fact{paid, shown(1, "T1", "W1", 0), shown(1, "T1", "W1", 100)},
			event: EventKnown, state: Paid, ledger: Ledger{Paid: 100}, check: both(outbox("1 order.paid 100 waits"), dueAt(time.Second)),
		},
		{
			name: "without a target a refund that fails delivers what was accepted", order: fresh(), told: []Fact{
				pushed(1, "T1", anotherUser), asked("r1", 1, 100), accepted(), leftRead("r1", 100), refused("r1", 268490013),
			}, event: EventRefundFailed, state: Delivered, ledger: Ledger{Paid: 100},
		},
		{
			name: "a full refund during delivery follows the delivery", order: fresh(withTarget), told: []Fact{paid, delivering(), wentBack(1, "MP1", "V1", 100), sent(1), sent(2)},
			event: EventSent, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 100}, check: outbox("1 order.paid 100 sent", "2 order.refunded 100 sent"),
		},
		{
			name: "event 2 is not sent before event 1", order: fresh(withTarget), told: []Fact{paid, delivering(), wentBack(1, "MP1", "V1", 40), sent(2)},
			event: EventImpossible, state: Delivering, ledger: Ledger{Paid: 100, Refunded: 40}, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible},
			check: outbox("1 order.paid 100 waits", "2 order.refunded 40 waits"),
		},
		{
			name: "a part refunded before delivery does not stop it", order: fresh(withTarget), told: []Fact{paid, wentBack(1, "MP1", "V1", 40), delivering(), sent(1), sent(2)},
			event: EventSent, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, check: outbox("1 order.paid 100 sent", "2 order.refunded 40 sent"),
		},
		{
			name: "a target that is down for less than six hours calls nobody", order: fresh(withTarget),
			told: []Fact{paid, delivering(), at(6*time.Hour-time.Second, unsent(1))}, event: EventKnown, state: Delivering, ledger: Ledger{Paid: 100},
		},
		{
			name: "one that is down for six hours calls a person", order: fresh(withTarget), told: []Fact{paid, delivering(), at(6*time.Hour+time.Second, unsent(1))},
			event: EventKnown, state: Delivering, ledger: Ledger{Paid: 100}, asks: []string{AttentionUndelivered}, alarms: []string{AttentionUndelivered},
		},
		{
			name: "once", order: fresh(withTarget), told: []Fact{paid, delivering(), at(7*time.Hour, unsent(1)), at(8*time.Hour, unsent(1))},
			event: EventKnown, state: Delivering, ledger: Ledger{Paid: 100}, asks: []string{AttentionUndelivered},
		},
		{
			name: "and not again when the question was seen", order: fresh(withTarget), told: []Fact{paid, delivering(), at(7*time.Hour, unsent(1)), at(8*time.Hour, accepted()), at(9*time.Hour, unsent(1))},
			event: EventKnown, state: Delivering, ledger: Ledger{Paid: 100}, check: outbox("1 order.paid 100 waits"),
		},
		{
			name: "what was accepted at last answers the question", order: fresh(withTarget), told: []Fact{paid, delivering(), at(7*time.Hour, unsent(1)), at(8*time.Hour, sent(1))},
			event: EventDelivered, state: Delivered, ledger: Ledger{Paid: 100},
		},
		{
			name: "a later event does not hold the question open", order: fresh(withTarget),
			told:  []Fact{paid, delivering(), at(7*time.Hour, unsent(1)), at(8*time.Hour, wentBack(1, "MP1", "V1", 40)), at(9*time.Hour, sent(1))},
			event: EventDelivered, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, check: outbox("1 order.paid 100 sent", "2 order.refunded 40 waits"),
		},
		{
			name: "nor does an earlier one", order: fresh(withTarget),
			told:  []Fact{paid, delivering(), at(time.Hour, wentBack(1, "MP1", "V1", 40)), at(7*time.Hour, unsent(1)), at(7*time.Hour, sent(1))},
			event: EventDelivered, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40},
		},
		{
			name: "which asks for itself", order: fresh(withTarget),
			told: []Fact{
				paid, delivering(), at(time.Hour, wentBack(1, "MP1", "V1", 40)), at(7*time.Hour, unsent(1)), at(7*time.Hour, sent(1)), at(14*time.Hour, unsent(2)),
			},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, asks: []string{AttentionUndelivered}, alarms: []string{AttentionUndelivered},
		},
		{
			name: "a target that is gone calls a person at once", order: fresh(withTarget),
			told:  []Fact{paid, delivering(), {Kind: FactUnsent, Source: SourceTarget, Seq: 1, Reason: "there is none"}},
			event: EventKnown, state: Delivering, ledger: Ledger{Paid: 100}, asks: []string{AttentionUndelivered}, alarms: []string{AttentionUndelivered},
		},
		{
			name: "refunds after delivery are numbered on", order: fresh(withTarget),
			told:  []Fact{paid, delivering(), sent(1), wentBack(1, "MP1", "V1", 40), wentBack(1, "MP1", "V1", 40), wentBack(1, "MP2", "V2", 60)},
			event: EventRefunded, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 100},
			check: outbox("1 order.paid 100 sent", "2 order.refunded 40 waits", "3 order.refunded 60 waits"),
		},
	})
}

func both(checks ...func(Order) string) func(Order) string {
	return func(o Order) (wrong string) {
		for _, c := range checks {
			wrong += c(o)
		}
		return wrong
	}
}

func TestWeChatIsToldOfTheDelivery(t *testing.T) {
	t.Parallel()
	shop := fresh(withTarget)
	done := []Fact{pushed(1, "T1"), delivering(), sent(1)}
	told := Fact{Kind: FactTold, Source: SourceQuery, Attempt: 1}
	untold := Fact{Kind: FactUntold, Source: SourceQuery, Attempt: 1}
	one := Ledger{Paid: 100}
	tellStories(t, []story{
		{name: "the answer to the push that pays tells it", order: fresh(), told: []Fact{pushed(1, "T1")}, state: Delivered, ledger: one, check: neverDue},
		{name: "a payment that only the query shows is told at once", order: fresh(), told: []Fact{shown(1, "T1", "W1", 100)}, state: Delivered, ledger: one, check: dueAt(time.Second)},
		{name: "a payment that WeChat shows as delivered needs no word", order: fresh(), told: []Fact{shown(1, "T1", "W1", 100, provided)}, state: Delivered, ledger: one, check: neverDue},
		{name: "after the target accepted, the push's repeat has a minute", order: shop, told: done, state: Delivered, ledger: one, check: dueAt(time.Minute + 3*time.Second)},
		{name: "and when it comes its answer tells it", order: shop, told: append(slices.Clone(done), pushed(1, "T1")), state: Delivered, ledger: one, check: neverDue},
		{name: "a plain push's answer is not relied on", order: shop, told: append(slices.Clone(done), plainly(pushed(1, "T1"))), event: EventKnown, state: Delivered, ledger: one, check: dueAt(time.Minute + 3*time.Second)},
		{name: "told is told", order: fresh(), told: []Fact{shown(1, "T1", "W1", 100), told}, event: EventTold, state: Delivered, ledger: one, check: neverDue},
		{name: "not shown yet is tried again", order: fresh(), told: []Fact{shown(1, "T1", "W1", 100), untold}, event: EventKnown, state: Delivered, ledger: one, check: dueAt(7 * time.Second)},
		{
			name: "not shown eight times calls a person once", order: fresh(), told: append([]Fact{shown(1, "T1", "W1", 100)}, slices.Repeat([]Fact{untold}, 8)...),
			event: EventKnown, state: Delivered, ledger: one, asks: []string{AttentionUntold}, alarms: []string{AttentionUntold},
		},
		{
			name: "told at last answers the question", order: fresh(), told: append(append([]Fact{shown(1, "T1", "W1", 100)}, slices.Repeat([]Fact{untold}, 9)...), told),
			event: EventTold, state: Delivered, ledger: one,
		},
		{name: "nobody is told of an order that went back", order: fresh(), told: []Fact{shown(1, "T1", "W1", 100), wentBack(1, "MP1", "V1", 100)}, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 100}, check: neverDue},
	})
}

func TestConsuming(t *testing.T) {
	t.Parallel()
	use := func(key string) Fact { return Fact{Kind: FactConsumed, Source: SourcePhone, Key: key} }
	durable := func(o *Order) { o.Consumable = false }
	tellStories(t, []story{
		{name: "it is used once", order: fresh(), told: []Fact{pushed(1, "T1"), use("k1")}, event: EventConsumed, state: Delivered, ledger: Ledger{Paid: 100}},
		{
			name: "the second use is known and changes nothing", order: fresh(), told: []Fact{pushed(1, "T1"), use("k1"), use("k2")}, event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100},
			check: func(o Order) string {
				if o.ConsumedBy != "k1" || !o.ConsumedAt.Equal(testStart.Add(2*time.Second)) {
					return fmt.Sprintf("used by %q at %v", o.ConsumedBy, o.ConsumedAt)
				}
				return ""
			},
		},
		{name: "a durable one is never used", order: fresh(durable), told: []Fact{pushed(1, "T1"), use("k1")}, event: EventImpossible, state: Delivered, ledger: Ledger{Paid: 100}, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible}},
		{name: "one whose money goes back is not used", order: fresh(), told: []Fact{pushed(1, "T1"), asked("r1", 1, 100), use("k1")}, event: EventImpossible, state: Delivered, ledger: Ledger{Paid: 100, Reserved: 100}, asks: []string{AttentionImpossible}, alarms: []string{AttentionImpossible}},
		{name: "one of which a part went back is used", order: fresh(), told: []Fact{pushed(1, "T1"), wentBack(1, "MP1", "V1", 40), use("k1")}, event: EventConsumed, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}},
	})
}
