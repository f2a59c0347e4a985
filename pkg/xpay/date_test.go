package xpay

import (
	"testing"
	"time"
)

func TestADayIsTheOneInChina(t *testing.T) {
	t.Parallel()
	for instant, want := range map[string]string{
		"2026-08-01T15:59:59Z": "2026-08-01", "2026-08-01T16:00:00Z": "2026-08-02", "2026-12-31T20:00:00-05:00": "2027-01-01",
	} {
		at, err := time.Parse(time.RFC3339, instant)
		if err != nil {
			t.Fatal(err)
		}
		if got := DayOf(at).String(); got != want {
			t.Errorf("%s is %s, want %s", instant, got, want)
		}
	}
}

func TestDaysAreReadInBothForms(t *testing.T) {
	t.Parallel()
	want, err := NewDay(2028, time.February, 29)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"20280229", "2028-02-29"} {
		if got, err := ParseDay(text); err != nil || got != want || got.number() != 20280229 || got.String() != "2028-02-29" {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "20260229", "2026-2-1", "2026/02/01", "202602", "20261301", "00000000", "2026-02-01T00:00:00Z"} {
		if got, err := ParseDay(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestThereIsNoSuchDay(t *testing.T) {
	t.Parallel()
	for _, d := range [][3]int{{2026, 2, 29}, {2026, 4, 31}, {2026, 13, 1}, {2026, 0, 1}, {2026, 1, 0}, {0, 1, 1}, {10000, 1, 1}} {
		if got, err := NewDay(d[0], time.Month(d[1]), d[2]); err == nil {
			t.Errorf("%v is %v", d, got)
		}
	}
}

func TestMonthsAreSixDigits(t *testing.T) {
	t.Parallel()
	want, err := NewMonth(2026, time.June)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseMonth("202606"); err != nil || got != want || got.String() != "202606" {
		t.Errorf("%v %v", got, err)
	}
	for _, text := range []string{"", "20266", "2026-06", "202613", "202600", "20260601"} {
		if got, err := ParseMonth(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if got, err := NewMonth(2026, 13); err == nil {
		t.Errorf("month 13 is %v", got)
	}
	if (Month{}).String() != "" || (Day{}).String() != "" {
		t.Error("the zero values print")
	}
}
