package order

import (
	"testing"
	"time"
)

func TestWhatLeftFeeShowsIsLookedAtUntilItIsExplained(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	paid := pushed(1, "T1")
	drop := func(after time.Duration) Fact { return at(after, shown(1, "T1", "W1", 60)) }
	failedConsole := func(after time.Duration) Fact {
		f := wentBack(1, "MP1", "V1", 40)
		f.Refund.Step = StepFailed
		return at(after, f)
	}
	tellStories(t, []story{
		{
			name: "first after half an hour", order: fresh(), told: []Fact{paid, drop(hour)},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, check: dueAt(hour + 30*time.Minute),
		},
		{
			name: "then six hours later", order: fresh(), told: []Fact{paid, drop(hour), drop(2 * hour)},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, check: dueAt(7*hour + 30*time.Minute),
		},
		{
			name: "then once more, and then no more", order: fresh(), told: []Fact{paid, drop(hour), drop(2 * hour), drop(9 * hour), drop(60 * hour)},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, check: neverDue,
		},
		{
			name: "until its notice comes", order: fresh(), told: []Fact{paid, drop(hour), at(2*hour, wentBack(1, "MP1", "V1", 40))},
			event: EventRefunded, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, check: neverDue,
		},
		{
			name: "or the money is back", order: fresh(), told: []Fact{paid, drop(hour), at(2*hour, shown(1, "T1", "W1", 100))},
			event: EventKnown, state: Delivered, ledger: Ledger{Paid: 100}, check: neverDue,
		},
		{
			name: "at once when its notice says that it failed", order: fresh(), told: []Fact{paid, drop(hour), failedConsole(2 * hour)},
			event: EventHint, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 40}, check: dueAt(2 * hour),
		},
	})
}

func TestASecondPaymentOfANumberOfSeveralPiecesIsBookedAtTheFirstOnesFee(t *testing.T) {
	t.Parallel()
	unit := pushed(1, "T2", of3Pieces, func(m *Money) { m.Actual = fen(100) })
	tellStories(t, []story{
		{
			name: "when the first one pays for the order", order: fresh(of3), told: []Fact{shown(1, "T1", "W1", 300, total(300)), unit},
			event: EventSurplus, state: Delivered, ledger: Ledger{Paid: 300, Surplus: 300}, asks: []string{AttentionSurplus}, alarms: []string{AttentionSurplus},
		},
		{
			name: "but the first one is only a hint", order: fresh(of3), told: []Fact{unit},
			event: EventHint, state: Created,
		},
	})
}

func of3Pieces(m *Money) { m.Quantity = 3 }
