package wechatsim_test

import (
	"testing"
	"time"
)

// The fault push.delay holds back every kind of push, also those of charges, contracts and complaints.
func TestADelayHoldsBackEveryKindOfPush(t *testing.T) {
	t.Parallel()
	const delay = 10 * time.Minute
	for name, row := range map[string]struct {
		play  func(*world)
		after time.Duration // from then to the push without the fault
	}{
		"a payment":             {func(w *world) { w.buy("ORDER0002") }, 0},
		"a refund":              {func(w *world) { w.refund("ORDER0001", "REFUND0001", 1800, 100) }, 3 * time.Second},
		"a charge":              {func(w *world) { w.wantCode(w.charge("CHARGE0001", 1800), 0) }, 3 * time.Second},
		"the end of a contract": {func(w *world) { w.play("unsign", `{"outContractCode":"C-1"}`) }, 0},
		"a complaint": {func(w *world) {
			if _, err := w.sim.Complain("ORDER0001", "未到账"); err != nil {
				w.t.Fatal(err)
			}
		}, 0},
	} {
		w := subscribed(t, "12:00:00")
		w.buy("ORDER0001")
		w.deliver()
		w.faults(`{"push":{"delay":"10m"}}`)
		row.play(w)
		if got := due(w).Sub(w.clock.Now()); got != delay+row.after {
			t.Errorf("%s is pushed after %v, want %v", name, got, delay+row.after)
		}
	}
}
