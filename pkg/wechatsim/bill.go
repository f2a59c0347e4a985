package wechatsim

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// billDays is what a daily bill covers: days are YYYYMMDD.
type billDays struct {
	Env   int   `json:"env,omitempty"`
	Begin int64 `json:"begin"`
	End   int64 `json:"end"`
}

func (d billDays) key() string { return fmt.Sprint(d.Env, d.Begin, d.End) }

// bill is being made until Ready.
type bill struct {
	billDays
	Ready instant `json:"ready"`
}

// files is everything about bills and exports.
type files struct {
	bills   book[bill]       // by their days
	exports book[exportTask] // by task_id
	links   map[string]*billFile
}

type urlAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	URL     string `json:"url"`
}

// downloadBill answers POST /xpay/download_bill, spec 4.9. There is no env: the AppKey of pay_sig says whose bill.
func (s *Sim) downloadBill(in request, f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	days := r.days(env)
	if r.no != nil {
		return nil, r.no
	}
	_, now := s.clock()
	b := s.files.bills.get(days.key())
	if b == nil {
		_, end := days.span()
		b = &bill{billDays: days, Ready: max(now, end).add(s.cfg.BillDelay)} // a day that runs has no bill yet
		s.files.bills.put(days.key(), b)
		s.record(kindBill, b)
	}
	switch {
	case now >= b.Ready && !s.faults.Bills.NeverReady:
		from, to := days.span()
		return urlAnswer{ErrMsg: "OK", URL: s.link(in, billFile{Kind: fileDaily, Env: env, From: from, To: to})}, nil
	case s.faults.Bills.EmptyURL:
		return urlAnswer{ErrMsg: "OK"}, nil
	}
	return nil, refuse(268490011, "数据生成中,请稍后再试")
}

// days reads begin_ds and end_ds, which are days of China as numbers.
func (r *reader) days(env int) billDays {
	d := billDays{Env: env, Begin: r.number("begin_ds", 1, dayMax), End: r.number("end_ds", 1, dayMax)}
	r.need("begin_ds", !day(d.Begin).IsZero())
	r.need("end_ds", !day(d.End).IsZero() && d.End >= d.Begin)
	return d
}

// day gives the midnight in China at which a YYYYMMDD begins, and the zero time for a date that does not exist.
func day(ds int64) time.Time {
	t, err := time.ParseInLocation("20060102", strconv.FormatInt(ds, 10), inChina(time.Time{}).Location())
	if err != nil || t.Year() < 2000 || t.Year() > 2200 {
		return time.Time{}
	}
	return t
}

func (d billDays) span() (from, to instant) { return at(day(d.Begin)), at(day(d.End).AddDate(0, 0, 1)) }

type iosBillAnswer struct {
	ErrCode  int       `json:"errcode"`
	ErrMsg   string    `json:"errmsg"`
	BillList []iosBill `json:"bill_list"`
}

type iosBill struct {
	Month   string `json:"month"`
	BillURL string `json:"bill_url"`
}

var monthForm = regexp.MustCompile(`^2[01]\d\d(0[1-9]|1[0-2])$`)

// downloadIOSBill answers POST /xpay/download_ios_settlement_bill, spec 4.15: one bill for each month with Apple
// payments or refunds that is settled.
func (s *Sim) downloadIOSBill(in request, f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	first, last := r.month("start_month"), r.month("end_month")
	r.need("end_month", last >= first)
	if r.no != nil {
		return nil, r.no
	}
	a := iosBillAnswer{ErrMsg: "OK", BillList: []iosBill{}}
	_, now := s.clock()
	for m := month(first); !m.After(month(last)); m = m.AddDate(0, 1, 0) {
		bill := billFile{Kind: fileApple, Env: env, From: at(m), To: at(m.AddDate(0, 1, 0))}
		if now < bill.To.add(iosSettleAfter) {
			break
		}
		if len(s.rows(&bill)) > 0 {
			a.BillList = append(a.BillList, iosBill{Month: m.Format("200601"), BillURL: s.link(in, bill)})
		}
	}
	return a, nil
}

func (r *reader) month(name string) string {
	text, _ := r.text(name)
	r.need(name, monthForm.MatchString(text))
	return text
}

func month(text string) time.Time {
	n, _ := strconv.ParseInt(text+"01", 10, 64) // digits, says monthForm
	return day(n)
}

// xpayByKey wraps an API whose body has no env and whose data is that of the AppKey that signed it.
func (s *Sim) xpayByKey(play func(request, fields, int) (any, *refusal)) player {
	return func(in request) (any, *refusal) {
		f, no := s.open(in)
		if no != nil {
			return nil, no
		}
		for _, env := range []int{0, 1} {
			if no = s.checkPaySig(in, env, true); no == nil {
				return play(in, f, env)
			}
		}
		return nil, no
	}
}
