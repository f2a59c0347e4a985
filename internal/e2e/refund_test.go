package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const refundAPI = "/xpay/refund_order"

// delivered is a world with one delivered order of 1800 fen.
func delivered(t *testing.T, changes ...func(*setup)) (*world, string) {
	t.Helper()
	w := begin(t, changes...)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	w.is(id, "delivered", true)
	return w, id
}

// back checks what WeChat says went back, and that our books say the same.
func (w *world) back(id string, fen int64, refunds int) {
	w.t.Helper()
	if got, n := moneyBack(w.truth(id)); got != fen || n != refunds {
		w.t.Errorf("%d fen went back in %d refunds, want %d in %d", got, n, fen, refunds)
	}
	o := w.is(id, "delivered", fen < 1800)
	o.ledger(w.t, 1800, 0, 0, fen, 0)
}

func (o merchantJSON) refund(t testing.TB, id string) refundJSON {
	t.Helper()
	for _, r := range o.Refunds {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("the order has no refund %s", id)
	return refundJSON{}
}

func TestARefundGoesBackAndIsTold(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	var reply refundReply
	w.refund(id, "refund-key-1", 700, `,"reason":"late"`).into(t, 202, &reply)
	reply.Order.ledger(t, 1800, 0, 0, 0, 700)
	w.pass(time.Minute)
	w.back(id, 700, 1)
	if r := w.merchant(id).refund(t, reply.Refund.ID); r.State != "done" || r.Reason != "late" || r.WxRefundID != w.truth(id).Refunds[0].WxRefundID {
		t.Errorf("refund %+v", r)
	}
	if got := w.phone(alice).poll(id); got.RefundedAmount != 700 || !got.Owned {
		t.Errorf("the phone sees %+v", got)
	}
}

func TestARefundAboveWhatIsLeftIsRejected(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	w.refund(id, "refund-key-0", 1801, "").refused(t, 422, "rejected")
	w.refunding(id, "refund-key-1", 1000)
	w.pass(time.Minute)
	w.refund(id, "refund-key-2", 801, "").refused(t, 422, "rejected")
	w.refund(id, "refund-key-3", 9223372036854775807, "").refused(t, 422, "rejected")
	w.back(id, 1000, 1)
}

func TestARefundOfNothingOrLessIsInvalid(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	for i, amount := range []int64{0, -1, -9223372036854775808} {
		w.refund(id, fmt.Sprintf("refund-key-%d", i), amount, "").refused(t, 400, "invalid")
	}
	w.refund(id, "refund-key-x", 100, `,"attempt":2`).refused(t, 400, "invalid")
	w.refund(id, "refund-key-x", 100, `,"attempt":-1`).refused(t, 400, "invalid")
	w.refund(id, "refund-key-x", 100, `,"currency":"USD"`).refused(t, 400, "invalid")
	w.back(id, 0, 0)
}

func TestARefundOfAnUnpaidOrderIsRejected(t *testing.T) {
	t.Parallel()
	w := begin(t)
	o, _ := w.phone(alice).create("key-of-alice", "vip_month", 1)
	w.refund(o.ID, "refund-key-1", 100, "").refused(t, 422, "rejected")
	w.refund("aaaaaaaaaaaaaaaaaaaaaaaaaa", "refund-key-1", 100, "").refused(t, 404, "not_found")
}

func TestARefundAfter365DaysIsRejected(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	w.stack.Clock.Advance(365*24*time.Hour + time.Second)
	w.refund(id, "refund-key-1", 100, "").refused(t, 422, "rejected")
}

func TestOfTwoRefundsAtOnceExactlyOneWins(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	answers := make([]answer, 8)
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := range answers {
		all.Go(func() {
			a := serveQuietly(w, id, fmt.Sprintf("refund-key-%d", i), 1000)
			mu.Lock()
			defer mu.Unlock()
			answers[i] = a
		})
	}
	all.Wait()
	won := 0
	for _, a := range answers {
		switch a.status {
		case 202:
			won++
		case 409:
			a.refused(t, 409, "conflict")
		default:
			t.Errorf("answered %s", a)
		}
	}
	w.pass(time.Minute)
	if won != 1 {
		t.Errorf("%d refunds won", won)
	}
	w.back(id, 1000, 1)
}

func TestTheSameRefundAskedAtOnceIsOne(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	answers := make([]answer, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = serveQuietly(w, id, "refund-key-1", 1000) })
	}
	all.Wait()
	for _, a := range answers {
		if a.status != 202 && a.status != 200 {
			t.Errorf("answered %s", a)
		}
	}
	w.pass(time.Minute)
	w.back(id, 1000, 1)
}

// serveQuietly asks for a refund without touching what belongs to the test's goroutine.
func serveQuietly(w *world, id, key string, amount int64) answer {
	other := &world{t: w.t, stack: w.stack}
	return other.refund(id, key, amount, "")
}

func TestTheSameRefundKeyAgainIsTheSameRefund(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	first := w.refunding(id, "refund-key-1", 700)
	var reply refundReply
	w.refund(id, "refund-key-1", 700, "").into(t, 202, &reply)
	if reply.Refund.ID != first.ID {
		t.Error("another refund while it runs")
	}
	w.pass(time.Minute)
	w.refund(id, "refund-key-1", 700, "").into(t, 200, &reply)
	if reply.Refund.ID != first.ID || reply.Refund.State != "done" {
		t.Errorf("when it is done: %+v", reply.Refund)
	}
	w.refund(id, "refund-key-1", 701, "").refused(t, 409, "conflict")
	w.refund(id, "refund-key-1", 700, `,"reason":"3"`).refused(t, 409, "conflict")
	w.back(id, 700, 1)
}

func TestPartialRefundsGoOnUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	sum := int64(0)
	for i, amount := range []int64{1, 799, 500, 499, 1} {
		w.refunding(id, fmt.Sprintf("refund-key-%d", i), amount)
		w.pass(time.Minute)
		sum += amount
		w.back(id, sum, i+1)
		if got := w.merchant(id).Attempts[0].Refundable; got != 1800-sum {
			t.Errorf("%d fen are refundable, want %d", got, 1800-sum)
		}
	}
	w.refund(id, "refund-key-9", 1, "").refused(t, 422, "rejected")
	w.back(id, 1800, 5)
}

func TestMoneyGoesBackOnceWhateverHappensToTheCall(t *testing.T) {
	t.Parallel()
	cases := map[string]wechatsim.Faults{
		"cut after the effect":                  atAPI(refundAPI, wechatsim.APIFault{CutAfterEffect: 1}),
		"error after the effect":                atAPI(refundAPI, wechatsim.APIFault{ErrorAfterEffect: 1}),
		"cut after the effect, again and again": atAPI(refundAPI, wechatsim.APIFault{CutAfterEffect: 9}),
		"error before the effect":               atAPI(refundAPI, wechatsim.APIFault{ErrorBeforeEffect: 3}),
		"cut before the effect":                 atAPI(refundAPI, wechatsim.APIFault{CutBeforeEffect: 3}),
		"busy":                                  atAPI(refundAPI, wechatsim.APIFault{Code: wechatsim.CodeFault{ErrCode: 268490014, Times: 3}}),
		"system error":                          atAPI(refundAPI, wechatsim.APIFault{Code: wechatsim.CodeFault{ErrCode: -1, Times: 3}}),
		"too often":                             atAPI(refundAPI, wechatsim.APIFault{Code: wechatsim.CodeFault{ErrCode: 268490015, Times: 2}}),
		"a token that is not the latest":        atAPI(refundAPI, wechatsim.APIFault{Code: wechatsim.CodeFault{ErrCode: 40001, Times: 1}}),
		"left_fee said to differ":               atAPI(refundAPI, wechatsim.APIFault{Code: wechatsim.CodeFault{ErrCode: 268490016, Times: 1}}),
		"the query lags":                        {Orders: wechatsim.OrderFaults{RefundQueryLag: 3}},
		"it runs for six queries":               {Orders: wechatsim.OrderFaults{RefundRunningQueries: 6}},
		"its status flaps":                      {Orders: wechatsim.OrderFaults{StatusFlap: wechatsim.Duration(time.Hour)}},
		"a repeat is told: in progress":         {Orders: wechatsim.OrderFaults{RefundRepeatInProgress: true}, API: map[string]wechatsim.APIFault{refundAPI: {CutAfterEffect: 2}}},
		"cut, and the query lags": {Orders: wechatsim.OrderFaults{RefundQueryLag: 4},
			API: map[string]wechatsim.APIFault{refundAPI: {CutAfterEffect: 2}}},
		"cut, the query lags and the number is not deduplicated": {Orders: wechatsim.OrderFaults{RefundQueryLag: 2, RefundNotDeduplicated: true},
			API: map[string]wechatsim.APIFault{refundAPI: {CutAfterEffect: 1}}},
		"the number is not deduplicated":             {Orders: wechatsim.OrderFaults{RefundNotDeduplicated: true}, API: map[string]wechatsim.APIFault{refundAPI: {ErrorAfterEffect: 3}}},
		"cut, and the query is cut too":              {API: map[string]wechatsim.APIFault{refundAPI: {CutAfterEffect: 1}, "/xpay/query_order": {CutBeforeEffect: 4}}},
		"error after, runs long, lags, status flaps": {Orders: wechatsim.OrderFaults{RefundQueryLag: 2, RefundRunningQueries: 3, StatusFlap: wechatsim.Duration(time.Hour)}, API: map[string]wechatsim.APIFault{refundAPI: {ErrorAfterEffect: 2}}},
	}
	for name, f := range cases {
		for _, pushes := range []bool{true, false} {
			for _, amount := range []int64{700, 1800} {
				f := f
				t.Run(fmt.Sprintf("%s, pushes %t, %d fen", name, pushes, amount), func(t *testing.T) {
					t.Parallel()
					w, id := delivered(t)
					f.Push.DropAll = !pushes
					w.faults(f)
					a := w.refund(id, "refund-key-1", amount, "")
					if a.status != 202 && a.status != 200 {
						t.Fatal(a)
					}
					w.pass(20 * time.Minute)
					w.refund(id, "refund-key-1", amount, "") // the merchant asks again and again
					w.pass(3 * time.Hour)
					w.back(id, amount, 1)
					if len(w.held()) != 0 {
						t.Errorf("held: %+v", w.held())
					}
				})
			}
		}
	}
}

func TestAnOrderQueryWithoutLeftFeeDoesNotSendARefundBlindly(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	w.faults(wechatsim.Faults{Orders: wechatsim.OrderFaults{OmitFields: []string{"left_fee"}}})
	w.refund(id, "refund-key-1", 700, "").into(t, 202, new(refundReply))
	w.pass(time.Minute)
	if n := w.truth(id).Calls.RefundOrder; n != 0 {
		t.Errorf("it was sent %d times without a left_fee", n)
	}
	w.faults(wechatsim.Faults{})
	w.pass(time.Hour)
	w.back(id, 700, 1)
}

func TestARefundThatFailsAtWeChatGivesItsReserveBack(t *testing.T) {
	t.Parallel()
	for _, pushes := range []bool{true, false} {
		t.Run(fmt.Sprintf("pushes %t", pushes), func(t *testing.T) {
			t.Parallel()
			w, id := delivered(t)
			f := wechatsim.Faults{Orders: wechatsim.OrderFaults{RefundFails: 1}}
			f.Push.DropAll = !pushes
			w.faults(f)
			first := w.refunding(id, "refund-key-1", 1800)
			w.pass(time.Minute)
			if r := w.merchant(id).refund(t, first.ID); r.State != "failed" || r.Failure == "" {
				t.Errorf("refund %+v", r)
			}
			w.back(id, 0, 0)
			var reply refundReply
			w.refund(id, "refund-key-1", 1800, "").into(t, 200, &reply) // the old key stays what it was
			if reply.Refund.State != "failed" {
				t.Errorf("again: %+v", reply.Refund)
			}
			w.refunding(id, "refund-key-2", 1800)
			w.pass(time.Minute)
			w.back(id, 1800, 1)
		})
	}
}

func TestARefundThatWeChatRefusesForGoodFails(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	w.faults(atAPI(refundAPI, wechatsim.APIFault{Code: wechatsim.CodeFault{ErrCode: 268490013, Times: 1}}))
	var reply refundReply
	w.refund(id, "refund-key-1", 700, "").into(t, 200, &reply)
	if reply.Refund.State != "failed" {
		t.Errorf("refund %+v", reply.Refund)
	}
	w.back(id, 0, 0)
	w.refunding(id, "refund-key-2", 700)
	w.pass(time.Minute)
	w.back(id, 700, 1)
}

func TestAConsoleRefundIsTakenOverFromItsPush(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	if err := w.stack.Sim.ConsoleRefund(id, 500); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.back(id, 500, 1)
	if r := w.merchant(id).Refunds[0]; !r.Foreign || r.State != "done" || r.Amount != 500 {
		t.Errorf("refund %+v", r)
	}
	w.refund(id, "refund-key-1", 1301, "").refused(t, 422, "rejected")
	w.refunding(id, "refund-key-1", 1300)
	w.pass(time.Minute)
	w.back(id, 1800, 2)
}

func TestAConsoleRefundWhosePushIsLateIsCountedOnceBesideOurOwn(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	w.faults(losePushes())
	if err := w.stack.Sim.ConsoleRefund(id, 500); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0) // nobody has told us, and nobody looks
	w.refunding(id, "refund-key-1", 300)
	w.pass(time.Minute)
	w.back(id, 800, 2) // left_fee showed the 500
	w.refund(id, "refund-key-2", 1001, "").refused(t, 422, "rejected")
	w.faults(wechatsim.Faults{})
	w.pass(19 * time.Hour) // the repeats of the console's push come through
	w.back(id, 800, 2)
	w.refunding(id, "refund-key-3", 1000)
	w.pass(time.Minute)
	w.back(id, 1800, 3)
	if len(w.held()) != 0 {
		t.Errorf("held: %+v", w.held())
	}
}

func TestARefundOfMoreThanAnUnknownConsoleRefundLeftMovesNothing(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	w.faults(losePushes())
	if err := w.stack.Sim.ConsoleRefund(id, 500); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	var reply refundReply
	w.refund(id, "refund-key-1", 1500, "").into(t, 200, &reply)
	if reply.Refund.State != "failed" {
		t.Errorf("refund %+v", reply.Refund)
	}
	w.back(id, 500, 1)
}

func TestARefundDuringAConsoleRefundWaitsAndGoesBackOnce(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	if err := w.stack.Sim.ConsoleRefund(id, 500); err != nil { // it runs for 3 s: ours is told 268490014
		t.Fatal(err)
	}
	w.refund(id, "refund-key-1", 300, "").into(t, 202, new(refundReply))
	w.pass(time.Hour)
	w.back(id, 800, 2)
}

func TestARefundAskedWhileWeChatIsDownIsKeptAndDoneLater(t *testing.T) {
	t.Parallel()
	l := &wire{}
	w, id := delivered(t, transport(l.wrap))
	l.cut(true)
	r := w.refunding(id, "refund-key-1", 700)
	if r.State != "reserved" {
		t.Errorf("refund %+v", r)
	}
	w.pass(time.Hour)
	w.back2(id, 0, 700)
	l.cut(false)
	w.pass(time.Hour)
	w.back(id, 700, 1)
}

// back2 checks books in which something is still promised.
func (w *world) back2(id string, refunded, reserved int64) {
	w.t.Helper()
	w.merchant(id).ledger(w.t, 1800, 0, 0, refunded, reserved)
}

func TestARefundSurvivesALostAnswerOfTheStore(t *testing.T) {
	t.Parallel()
	for _, happened := range []bool{false, true} {
		for n := range 6 { // every write of the refund's way, one after the other
			t.Run(fmt.Sprintf("write %d, happened %t", n+1, happened), func(t *testing.T) {
				t.Parallel()
				s := &shaky{}
				w, id := delivered(t, wrapped(s.wrap))
				s.fail(n, 1, happened, errors.New("connection reset by peer"))
				for range 3 { // the merchant asks until it is taken
					if a := w.refund(id, "refund-key-1", 700, ""); a.status != http.StatusServiceUnavailable {
						break
					}
				}
				w.pass(2 * time.Hour)
				w.back(id, 700, 1)
			})
		}
	}
}
