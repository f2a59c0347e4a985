package order

import (
	"slices"
	"testing"
	"time"
)

// changes tells facts one after the other and lists what each one did.
func changes(o Order, facts ...Fact) (list []Change) {
	for i, f := range facts {
		if f.At.IsZero() {
			f.At = testStart.Add(time.Duration(i+1) * time.Second)
		}
		next, out := Apply(o, f)
		list, o = append(list, Change{Before: o, After: next, Event: out.Event}), next
	}
	return list
}

func TestAFenThatWentBackIsToldOnce(t *testing.T) {
	t.Parallel()
	paid, left := pushed(1, "T1"), func(fee Fen) Fact { return shown(1, "T1", "W1", fee) }
	for _, c := range []struct {
		name string
		told []Fact
		want []Fen
	}{
		{"a refund by its number", []Fact{paid, wentBack(1, "MP1", "V1", 40)}, []Fen{40}},
		{"told again", []Fact{paid, wentBack(1, "MP1", "V1", 40), wentBack(1, "MP1", "V1", 40)}, []Fen{40}},
		{"what WeChat shows", []Fact{paid, left(60)}, []Fen{40}},
		{"and then its number", []Fact{paid, left(60), wentBack(1, "MP1", "V1", 40)}, []Fen{40}},
		{"what WeChat shows, not any more, and again", []Fact{paid, left(60), left(100), left(60)}, []Fen{40}},
		{"then more of it", []Fact{paid, left(60), left(100), left(50)}, []Fen{40, 10}},
		{"two refunds", []Fact{paid, wentBack(1, "MP1", "V1", 40), wentBack(1, "MP2", "V2", 30)}, []Fen{40, 30}},
	} {
		var got []Fen
		for _, change := range changes(fresh(), c.told...) {
			got = append(got, change.Refunded()...)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	all := changes(fresh(), paid, wentBack(1, "MP1", "V1", 40), wentBack(1, "MP2", "V2", 30))
	if got := (Change{Before: all[0].After, After: all[2].After}).Refunded(); !slices.Equal(got, []Fen{40, 30}) {
		t.Errorf("two refunds that are found at once are %v", got)
	}
	old := all[2].After.clone() // stored before this was counted
	old.Attempts[0].BackMax = 0
	if got := changes(old, wentBack(1, "MP3", "V3", 20))[0].Refunded(); !slices.Equal(got, []Fen{20}) {
		t.Errorf("one more of an old order is %v", got)
	}
}

func TestARepairIsAPaymentWhosePushIsOverdue(t *testing.T) {
	t.Parallel()
	found := func(after time.Duration) Fact {
		return at(after, shown(1, "T1", "W1", 100, func(m *Money) { m.PaidAt = testStart.Add(10 * time.Second) }))
	}
	for _, c := range []struct {
		name string
		told []Fact
		want bool
	}{
		{"a poll before the push", []Fact{found(15 * time.Second)}, false},
		{"a minute later", []Fact{found(70 * time.Second)}, false},
		{"more than a minute later", []Fact{found(71 * time.Second)}, true},
		{"after a plain push", []Fact{at(12*time.Second, plainly(pushed(1, "T1"))), found(time.Hour)}, false},
		{"a push, however late", []Fact{at(time.Hour, pushed(1, "T1"))}, false},
		{"a refund that only left_fee shows", []Fact{pushed(1, "T1"), at(time.Hour, shown(1, "T1", "W1", 60))}, true},
		{"a refund that is pushed", []Fact{pushed(1, "T1"), at(time.Hour, wentBack(1, "MP1", "V1", 40))}, false},
	} {
		list := changes(fresh(), c.told...)
		if got := list[len(list)-1].Repaired(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestATargetThatIsDownHasABackOffOfItsOwn(t *testing.T) {
	t.Parallel()
	o := fresh(withTarget)
	list := changes(o, pushed(1, "T1"), delivering(), at(10*time.Second, unsent(1)), at(20*time.Second, unsent(1)), at(30*time.Second, shown(1, "T1", "W1", 100)))
	got := list[len(list)-1].After
	got.answeredNow() // WeChat answers
	if want := testStart.Add(30 * time.Second); !got.deliverAt().Equal(want) || got.Outbox[0].Tries != 2 {
		t.Errorf("the next try is at %v, want %v; %+v", got.deliverAt(), want, got.Outbox)
	}
	got.backOff(testStart.Add(time.Hour)) // WeChat does not
	if !got.DueAt().Equal(testStart.Add(30 * time.Second)) {
		t.Errorf("WeChat moves it to %v", got.DueAt())
	}
}
