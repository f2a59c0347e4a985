package xpay

import (
	"errors"
	"fmt"
	"time"
)

// china is where WeChat counts days: UTC+8 all year.
var china = time.FixedZone("UTC+8", 8*60*60)

// Day is a calendar day in China. The zero Day is refused.
type Day struct{ midnight time.Time } // in UTC, for counting only

// NewDay refuses days that no calendar has, such as 30 February.
func NewDay(year int, month time.Month, day int) (Day, error) {
	d := Day{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
	if y, m, dd := d.midnight.Date(); y != year || m != month || dd != day || year < 2000 || year > 9999 {
		return Day{}, errors.New("xpay: there is no such day: give year, month and day")
	}
	return d, nil
}

// DayOf is the day that it is in China at t.
func DayOf(t time.Time) Day {
	year, month, day := t.In(china).Date()
	return Day{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

// ParseDay reads 20260801 or 2026-08-01.
func ParseDay(text string) (Day, error) {
	for _, layout := range []string{"20060102", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return NewDay(t.Date())
		}
	}
	return Day{}, errors.New("xpay: not a day: write it as YYYYMMDD or yyyy-mm-dd")
}

// String is yyyy-mm-dd, and "" for the zero Day.
func (d Day) String() string {
	if d == (Day{}) {
		return ""
	}
	return d.midnight.Format(time.DateOnly)
}

// number is YYYYMMDD, the form of begin_ds and end_ds. SDKs that send text there are outvoted (CONFLICT in spec 4.9).
func (d Day) number() int {
	year, month, day := d.midnight.Date()
	return year*10000 + int(month)*100 + day
}

// Days are the days from Begin to End, both included.
type Days struct{ Begin, End Day }

func (d Days) validate(begin, end string) error {
	if d.Begin == (Day{}) || d.End == (Day{}) {
		return fmt.Errorf("%s or %s is missing: make both with NewDay, ParseDay or DayOf", begin, end)
	}
	if d.End.midnight.Before(d.Begin.midnight) {
		return fmt.Errorf("%s %s is after %s %s: swap them", begin, d.Begin, end, d.End)
	}
	return nil
}

// apart is the number of days between Begin and End.
func (d Days) apart() int { return int(d.End.midnight.Sub(d.Begin.midnight) / (24 * time.Hour)) }

// Month is a calendar month in China. The zero Month is refused.
type Month struct{ first time.Time }

// NewMonth refuses months that no calendar has.
func NewMonth(year int, month time.Month) (Month, error) {
	d, err := NewDay(year, month, 1)
	if err != nil {
		return Month{}, errors.New("xpay: there is no such month: give year and month")
	}
	return Month{d.midnight}, nil
}

// ParseMonth reads 202608. The form 20268, a slip in WeChat's own sample, is refused.
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse("200601", text)
	if err != nil {
		return Month{}, errors.New("xpay: not a month: write it as YYYYMM")
	}
	return NewMonth(t.Year(), t.Month())
}

// String is YYYYMM, and "" for the zero Month.
func (m Month) String() string {
	if m == (Month{}) {
		return ""
	}
	return m.first.Format("200601")
}

// Months are the months from Begin to End, both included.
type Months struct{ Begin, End Month }

func (m Months) validate() error {
	if m.Begin == (Month{}) || m.End == (Month{}) {
		return errors.New("start_month or end_month is missing: make both with NewMonth or ParseMonth")
	}
	if m.End.first.Before(m.Begin.first) {
		return fmt.Errorf("start_month %s is after end_month %s: swap them", m.Begin, m.End)
	}
	return nil
}
