package order

import "testing"

func TestAPersonIsAskedWhenMoneyIsBackBeforeTheDeliveryAndNobodyToldUs(t *testing.T) {
	t.Parallel()
	gone, there := shown(1, "T1", "W1", 0), shown(1, "T1", "W1", 100)
	back := Ledger{Paid: 100, Refunded: 100}
	tellStories(t, []story{
		{
			name: "the first look shows it", order: fresh(withTarget), told: []Fact{gone},
			event: EventPaid, state: Paid, ledger: back, asks: []string{AttentionReturned}, alarms: []string{AttentionReturned},
		},
		{
			name: "once", order: fresh(withTarget), told: []Fact{gone, gone},
			event: EventKnown, state: Paid, ledger: back, asks: []string{AttentionReturned},
		},
		{
			name: "until WeChat shows the money again, and then it is delivered", order: fresh(withTarget), told: []Fact{gone, there},
			event: EventKnown, state: Paid, ledger: Ledger{Paid: 100}, check: func(o Order) string {
				if o.deliverAt().IsZero() {
					return "nobody delivers it"
				}
				return ""
			},
		},
		{
			name: "not again when a person has seen it", order: fresh(withTarget), told: []Fact{gone, accepted(), gone},
			event: EventKnown, state: Paid, ledger: back,
		},
		{
			name: "not when a refund that was told explains it", order: fresh(withTarget), told: []Fact{wentBack(1, "MP1", "V1", 100), gone},
			event: EventPaid, state: Paid, ledger: back,
		},
		{
			name: "but when one that was told explains a part", order: fresh(withTarget), told: []Fact{wentBack(1, "MP1", "V1", 40), gone},
			event: EventPaid, state: Paid, ledger: back, asks: []string{AttentionReturned}, alarms: []string{AttentionReturned},
		},
		{
			name: "not when a part is back, and the rest is delivered for", order: fresh(), told: []Fact{shown(1, "T1", "W1", 40)},
			event: EventPaid, state: Delivered, ledger: Ledger{Paid: 100, Refunded: 60},
		},
		{
			name: "not after the delivery", order: fresh(), told: []Fact{there, gone},
			event: EventKnown, state: Delivered, ledger: back,
		},
	})
}
