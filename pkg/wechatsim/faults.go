package wechatsim

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Faults is everything that can be made to go wrong, and the switches between two readings of the protocol. The zero
// value is a healthy WeChat. Counts mean "the next n times" and run down; README.md has the table.
type Faults struct {
	Push   PushFaults          `json:"push"`
	API    map[string]APIFault `json:"api,omitempty"` // by path, such as "/xpay/refund_order"
	Orders OrderFaults         `json:"orders"`
	Coins  CoinFaults          `json:"coins"`
	Goods  GoodsFaults         `json:"goods"`
	Bills  BillFaults          `json:"bills"`

	Service ServiceFaults `json:"service"`

	Cashier   PhoneFaults  `json:"cashier"`   // of wx.requestVirtualPayment
	AppleSign PhoneFaults  `json:"appleSign"` // of wx.requestAppleSubscribeSign
	Access    AccessFaults `json:"access"`
}

// PushFaults are troubles on the way to the receiver.
type PushFaults struct {
	Drop           int      `json:"drop,omitempty"`           // attempts that vanish; their repeats are still scheduled
	DropAll        bool     `json:"dropAll,omitempty"`        // no push leaves, repeats included
	Duplicate      int      `json:"duplicate,omitempty"`      // attempts sent twice
	Delay          Duration `json:"delay,omitzero"`           // added to first attempts queued from now on
	Reorder        bool     `json:"reorder,omitempty"`        // among those due, the newest due goes first
	FreshTimestamp bool     `json:"freshTimestamp,omitempty"` // repeats are signed anew
	OmitPayInfo    bool     `json:"omitPayInfo,omitempty"`    // no WeChatPayInfo in paid pushes
}

// APIFault is the trouble of one path. What happens before the effect is taken first.
type APIFault struct {
	ErrorBeforeEffect int       `json:"errorBeforeEffect,omitempty"` // HTTP 500, nothing happened
	CutBeforeEffect   int       `json:"cutBeforeEffect,omitempty"`   // connection cut, nothing happened
	Code              CodeFault `json:"code,omitzero"`               // an errcode, nothing happened
	ErrorAfterEffect  int       `json:"errorAfterEffect,omitempty"`  // it happened, HTTP 500
	CutAfterEffect    int       `json:"cutAfterEffect,omitempty"`    // it happened, connection cut
	Hang              int       `json:"hang,omitempty"`              // it happened, no answer until the caller gives up
}

// CodeFault answers ErrCode the next Times times, with WeChat's own text for that code, or ErrMsg if it is not empty.
// ErrCode 0 would say that something was done which was not, so it is refused.
type CodeFault struct {
	ErrCode int    `json:"errcode"`
	Times   int    `json:"times"`
	ErrMsg  string `json:"errmsg,omitempty"`
}

// PhoneFaults are troubles of a call on the phone (spec 2.3 and 5.6). They strike calls that pass every check; what
// WeChat refuses anyway uses none up.
type PhoneFaults struct {
	Code           CodeFault `json:"code,omitzero"`            // an errCode: nothing was paid or signed
	LostCallback   int       `json:"lostCallback,omitempty"`   // it happened, and the phone hears nothing
	FailedCallback int       `json:"failedCallback,omitempty"` // it happened, and the phone hears -1
	PushFirst      int       `json:"pushFirst,omitempty"`      // the pushes about it are sent before the phone hears
}

// AccessFaults are troubles with who calls: session keys, AppKeys, addresses and quotas.
type AccessFaults struct {
	KeyReplaced      int `json:"keyReplaced,omitempty"`      // session_keys that another login replaces before their use
	KeyExpired       int `json:"keyExpired,omitempty"`       // session_keys that expire before their use
	AppKeyProduction int `json:"appKeyProduction,omitempty"` // rightly signed calls whose AppKey of env 0 is a wrong one
	AppKeySandbox    int `json:"appKeySandbox,omitempty"`    // the same in env 1
	OutsideIPs       int `json:"outsideIPs,omitempty"`       // guarded calls from outside the IP allow list, even an empty one
	DailyQuota       int `json:"dailyQuota,omitempty"`       // calls of any API that find it spent: 45009
	MinuteQuota      int `json:"minuteQuota,omitempty"`      // 45011
	SecondQuota      int `json:"secondQuota,omitempty"`      // 268490015, /xpay only
}

// appKey is the count for the AppKey of env.
func (a *AccessFaults) appKey(env int) *int {
	if env == 1 {
		return &a.AppKeySandbox
	}
	return &a.AppKeyProduction
}

// OrderFaults change how orders and refunds behave.
type OrderFaults struct {
	StatusFlap             Duration `json:"statusFlap,omitzero"`              // after a refund starts the payment order shows 5 so long
	RefundRunningQueries   int      `json:"refundRunningQueries,omitempty"`   // of each refund: queries answered 5
	RefundQueryLag         int      `json:"refundQueryLag,omitempty"`         // of each refund: queries answered 数据不存在
	OrderQueryLag          int      `json:"orderQueryLag,omitempty"`          // of each paid order: queries answered as if unpaid
	Absent                 bool     `json:"absent,omitempty"`                 // OrderQueryLag answers 数据不存在 instead
	RefundNotDeduplicated  bool     `json:"refundNotDeduplicated,omitempty"`  // a finished refund number starts another refund
	RefundRepeatInProgress bool     `json:"refundRepeatInProgress,omitempty"` // repeating a running refund answers 268490014
	RefundFails            int      `json:"refundFails,omitempty"`            // refunds started that end in 7
	PayTwice               int      `json:"payTwice,omitempty"`               // payments followed by a second one of the same number
	PayTwiceShowsFirst     bool     `json:"payTwiceShowsFirst,omitempty"`     // query_order by order_id shows the first of them
	ActualPrice            string   `json:"actualPrice,omitempty"`            // prices of pushes: "total" (default) or "unit"
	Coupon                 int64    `json:"coupon,omitempty"`                 // fen by which paid_fee is below order_fee, while set
	NotifyNotRepeatable    bool     `json:"notifyNotRepeatable,omitempty"`    // a second notify_provide_goods answers 268490002
	NotifyStopsPush        bool     `json:"notifyStopsPush,omitempty"`        // notify_provide_goods ends the repeats of the push
	FullRefundKeepsStatus  bool     `json:"fullRefundKeepsStatus,omitempty"`  // a fully refunded order stays 2 or 4 instead of 5
	DiscountFloor          bool     `json:"discountFloor,omitempty"`          // activitySellingPrice below 40 % is refused
	OmitFields             []string `json:"omitFields,omitempty"`             // names left out of query_order answers
}

// CoinFaults change how coins behave.
type CoinFaults struct {
	Unpublished       bool     `json:"unpublished,omitempty"`       // 268490008, and -15009 at the cashier
	CreditDelay       Duration `json:"creditDelay,omitzero"`        // bought coins count so long after the payment
	BalanceLag        Duration `json:"balanceLag,omitzero"`         // query_user_balance shows what was so long ago
	PaidFirst         bool     `json:"paidFirst,omitempty"`         // spends take bought coins before gift coins
	CancelInParts     bool     `json:"cancelInParts,omitempty"`     // one spend may be taken back more than once
	FirstSaveAsNumber bool     `json:"firstSaveAsNumber,omitempty"` // first_save_flag is 0 or 1
}

// GoodsFaults change how the tasks of the goods APIs end.
type GoodsFaults struct {
	UploadFails    int  `json:"uploadFails,omitempty"`    // uploads started that end in failure
	PublishFails   int  `json:"publishFails,omitempty"`   // publications started that end in failure
	TasksHang      bool `json:"tasksHang,omitempty"`      // no task ends while set
	UploadReplaces bool `json:"uploadReplaces,omitempty"` // an upload of an id that exists changes its development version
}

// BillFaults change how bills and exports are made.
type BillFaults struct {
	NeverReady  bool `json:"neverReady,omitempty"`  // nothing gets ready while set
	EmptyURL    bool `json:"emptyURL,omitempty"`    // a bill that is not ready answers 0 and an empty url, not 268490011
	ExportFails int  `json:"exportFails,omitempty"` // exports started that end in failure
}

// ServiceFaults change how withdrawals, advert funds, complaints, subscriptions and punishments behave.
type ServiceFaults struct {
	WithdrawFails          int      `json:"withdrawFails,omitempty"`          // withdrawals started that end in 3
	WithdrawRepeatRefused  bool     `json:"withdrawRepeatRefused,omitempty"`  // a repeated withdraw_no answers 268490002
	FundsBillFails         int      `json:"fundsBillFails,omitempty"`         // transfers of advert money that end in 2
	ComplaintListLag       int      `json:"complaintListLag,omitempty"`       // of each complaint: lists it is missing from
	ChargeFails            int      `json:"chargeFails,omitempty"`            // charges accepted that fail
	AppleQueryLag          Duration `json:"appleQueryLag,omitzero"`           // Apple contracts show changes so much later
	RelateLimitationsArray bool     `json:"relateLimitationsArray,omitempty"` // relate_limitations is an array
}

// Duration is a time.Duration that is written as text, such as "30m".
type Duration time.Duration

// MarshalText writes the form of time.Duration.String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the form of time.ParseDuration; "" is zero.
func (d *Duration) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// SetFaults replaces all faults. It fails with ErrInput, and changes nothing, when a count or a time is negative, an
// errcode 0, a path none of WeChat's, a field to omit none of query_order's, or when a switch has no such position; and
// when the journal failed.
func (s *Sim) SetFaults(f Faults) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setFaults(f.clone())
}

// setFaults keeps f, which nobody else holds.
func (s *Sim) setFaults(f Faults) error {
	if err := s.checkFaults(f); err != nil {
		return err
	}
	s.faults = f
	s.record(kindFaults, &s.faults)
	return s.journalErr
}

// changeFaults replaces the faults by what change makes of them. Nobody else reads or writes them in between, so that
// of two changes at once none is lost.
func (s *Sim) changeFaults(change func(*Faults) error) (Faults, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults.clone()
	if err := change(&f); err != nil {
		return Faults{}, err
	}
	err := s.setFaults(f)
	return s.faults.clone(), err
}

// checkFaults refuses what no fault can mean.
func (s *Sim) checkFaults(f Faults) error {
	for _, path := range slices.Sorted(maps.Keys(f.API)) {
		if !s.knows(path) {
			return fmt.Errorf("api[%q]: no API has this path; faults of the phone's calls are cashier and appleSign: %w",
				excerpt(path), ErrInput)
		}
		if f.API[path].Code.senseless() {
			return fmt.Errorf("api[%q].code: errcode 0 is success, which no fault answers: %w", path, ErrInput)
		}
	}
	return f.check()
}

// senseless: errcode 0 is WeChat's word for success.
func (c CodeFault) senseless() bool { return c.ErrCode == 0 && c.Times > 0 }

func (f Faults) check() error {
	if f.Cashier.Code.senseless() || f.AppleSign.Code.senseless() {
		return fmt.Errorf("cashier.code, appleSign.code: errcode 0 is success, which no fault answers: %w", ErrInput)
	}
	if p := f.Orders.ActualPrice; p != "" && p != "total" && p != "unit" {
		return fmt.Errorf("orders.actualPrice is neither total nor unit: %w", ErrInput)
	}
	for _, name := range f.Orders.OmitFields {
		if !slices.Contains(orderFieldNames(), name) {
			return fmt.Errorf("orders.omitFields: an order of query_order has no field %q: %w", excerpt(name), ErrInput)
		}
	}
	if name := negative(reflect.ValueOf(f), "faults"); name != "" {
		return fmt.Errorf("%s is negative, and counts and times are not: %w", name, ErrInput)
	}
	return nil
}

// negative names the first number in v below zero; only an errcode may be.
func negative(v reflect.Value, name string) string {
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		if v.Int() < 0 && !strings.HasSuffix(name, ".errcode") {
			return name
		}
	case reflect.Map:
		for _, key := range slices.Sorted(maps.Keys(v.Interface().(map[string]APIFault))) {
			if bad := negative(v.MapIndex(reflect.ValueOf(key)), name+"["+key+"]"); bad != "" {
				return bad
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if bad := negative(v.Field(i), name+"."+tag); bad != "" {
				return bad
			}
		}
	}
	return ""
}

// Faults answers the faults in force, with the counts that are left.
func (s *Sim) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.clone()
}

func (f Faults) clone() Faults {
	f.API = maps.Clone(f.API)
	f.Orders.OmitFields = slices.Clone(f.Orders.OmitFields)
	return f
}

// fate is how a call ends.
type fate int

const (
	fateAnswer fate = iota
	fateError
	fateCut
	fateHang
)

func (f fate) String() string { return [...]string{"answer", "error", "cut", "hang"}[f] }

// fateBefore takes a fault that strikes before the effect.
func (s *Sim) fateBefore(in request) (fate, *refusal) {
	a := s.faults.API[in.path]
	f, no := fateAnswer, (*refusal)(nil)
	switch {
	case take(&a.ErrorBeforeEffect):
		f = fateError
	case take(&a.CutBeforeEffect):
		f = fateCut
	case take(&a.Code.Times):
		no = a.Code.refusal(in)
	default:
		return fateAnswer, nil
	}
	s.faults.API[in.path] = a
	s.record(kindFaults, &s.faults)
	return f, no
}

// fateAfter takes a fault that strikes after the effect.
func (s *Sim) fateAfter(path string) fate {
	a := s.faults.API[path]
	f := fateAnswer
	switch {
	case take(&a.ErrorAfterEffect):
		f = fateError
	case take(&a.CutAfterEffect):
		f = fateCut
	case take(&a.Hang):
		f = fateHang
	default:
		return fateAnswer
	}
	s.faults.API[path] = a
	s.record(kindFaults, &s.faults)
	return f
}

// take uses up one of n. The caller records the faults.
func take(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

// takeFault uses up one of a count that lives in s.faults itself.
func (s *Sim) takeFault(n *int) bool {
	if !take(n) {
		return false
	}
	s.record(kindFaults, &s.faults)
	return true
}
