package order_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// called counts the alarms with a code.
func called(alarms []order.Alarm, code string) (n int) {
	for _, a := range alarms {
		if a.Code == code {
			n++
		}
	}
	return n
}

// The write of a question may happen although its answer is lost. Whoever repeats it finds the question asked.
func TestAPersonIsCalledAlthoughTheAnswerOfTheWriteWasLost(t *testing.T) {
	t.Parallel()
	twice := func(r *restored) string { return r.goods(`"TransactionId":"T1"`, `"TransactionId":"T2"`) }
	adopted := func(r *restored) {
		r.pushed(r.goods(), true)
		if _, err := r.adopt(r.id, alice); err != nil {
			r.t.Fatal(err)
		}
	}
	complaint := func(r *restored) string {
		return fmt.Sprintf(`{"MsgType":"event","Event":"xpay_complaint_notify","OpenId":"oUser-1","MchOrderId":"%s","ComplaintId":"C1"}`, r.id)
	}
	for name, c := range map[string]struct {
		before func(*restored)
		do     func(*restored) error
		code   string
	}{
		"a push about no order": {do: func(r *restored) error { return r.record(r.goods()) }, code: order.AttentionUnknown},
		"a complaint":           {do: func(r *restored) error { return r.record(complaint(r)) }, code: order.AttentionNotice},
		"a second payment":      {before: adopted, do: func(r *restored) error { return r.record(twice(r)) }, code: order.AttentionSurplus},
		"an adoption that finds a second payment": {
			before: func(r *restored) { r.pushed(r.goods(), true); r.pushed(r.goods(r.id+`"`, r.id+`-2"`), true) },
			do:     func(r *restored) error { _, err := r.adopt(r.id, alice); return err }, code: order.AttentionSurplus,
		},
	} {
		for _, fault := range []store.Fault{store.Lost, store.Happened} {
			t.Run(fmt.Sprintf("%s, fault %d", name, fault), func(t *testing.T) {
				t.Parallel()
				r := restore(t)
				if c.before != nil {
					c.before(r)
				}
				was, struck := called(r.alarms, c.code), 0
				r.plan = func(call store.Call) store.Fault {
					if struck == 0 && call.Write {
						struck++
						return fault
					}
					return store.None
				}
				if err := c.do(r); err == nil {
					t.Fatal("the fault did not strike")
				}
				for range 2 {
					if err := c.do(r); err != nil {
						t.Fatal(err)
					}
				}
				n := called(r.alarms, c.code) - was
				if most := map[store.Fault]int{store.Lost: 2, store.Happened: 1}[fault]; n < 1 || n > most {
					t.Errorf("a person was called %d times: %+v", n, r.alarms)
				}
			})
		}
	}
}

// record gives the service a push in secure mode.
func (r *restored) record(body string) error {
	r.t.Helper()
	event, err := xpay.ParseEvent([]byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	_, _, err = r.service.Record(r.t.Context(), order.Push{Event: event, Encrypted: true, Raw: []byte(body)})
	return err
}

// The worker writes what came of a step, and its message comes again when it does not know whether it was written: then nothing is due.
func TestAPersonIsCalledAlthoughTheWorkersWriteWasLost(t *testing.T) {
	t.Parallel()
	for _, fault := range []store.Fault{store.Lost, store.Happened, store.CrashBefore, store.CrashAfter} {
		for n := 1; n <= 6; n++ {
			s := openShop(t, withTarget)
			s.create()
			s.down = true
			s.pay("pay")
			s.pass(6*time.Hour - time.Minute)
			if len(s.alarms) != 0 {
				t.Fatalf("a person is called early: %+v", s.alarms)
			}
			s.trouble = trouble{side: "store", n: n, fault: fault, armed: true, calls: map[string]int{}}
			s.pass(time.Hour)
			if q := s.order().Attention; called(s.alarms, order.AttentionUndelivered) == 0 || len(q) != 1 {
				t.Errorf("fault %d at call %d: asked %+v, and a person was called %d times", fault, n, q, len(s.alarms))
			}
		}
	}
}

func TestAnAlarmInTheLogIsShortWhateverAStrangerWrote(t *testing.T) {
	t.Parallel()
	r := restore(t)
	long := strings.Repeat("长", 5000)
	body := fmt.Sprintf(`{"MsgType":"event","Event":"xpay_%s","OpenId":"oUser-1"}`, long)
	if err := r.record(body); err != nil {
		t.Fatal(err)
	}
	r.complained(long, "C1")
	if len(r.alarms) != 2 {
		t.Fatalf("%d alarms", len(r.alarms))
	}
	for _, a := range r.alarms {
		if len(a.Number) > 250 || len(a.Reason) > 250 {
			t.Errorf("a number of %d bytes, a reason of %d", len(a.Number), len(a.Reason))
		}
	}
}

// TestADocumentThatCannotBeReadCallsAPersonAlthoughTheWriteWasLost: it is set aside for an hour.
func TestADocumentThatCannotBeReadCallsAPersonAlthoughTheWriteWasLost(t *testing.T) {
	t.Parallel()
	for _, fault := range []store.Fault{store.None, store.Lost, store.Happened, store.CrashBefore, store.CrashAfter} {
		s := openShop(t)
		s.create()
		doc := s.point()
		doc.Body, doc.Due = []byte(`{"v":99}`), s.stack.Clock.Now()
		s.putBack(doc)
		s.trouble = trouble{side: "store", n: 3, fault: fault, armed: true, calls: map[string]int{}} // a load, a read, the write
		for range 3 {
			_ = s.try(func() error { return s.stack.Orders.Advance(context.Background(), order.DocID(s.id)) })
		}
		if n := called(s.alarms, order.AttentionUnreadable); n < 1 || n > 2 || !slices.Contains(s.point().Keys, order.KeyHeld) {
			t.Errorf("fault %d: a person was called %d times", fault, n)
		}
	}
}

// rival writes the order a moment before each of the next writes.
type rival struct {
	store.Store
	left int
}

func (r *rival) Update(ctx context.Context, doc store.Doc) (store.Doc, error) {
	if r.left--; r.left >= 0 {
		cur, err := r.Get(ctx, doc.ID)
		cur.Stamp = store.NewStamp()
		if _, err2 := r.Store.Update(ctx, cur); err != nil || err2 != nil {
			return store.Doc{}, errors.Join(err, err2)
		}
	}
	return r.Store.Update(ctx, doc)
}

func TestAWriteThatIsTriedTenTimesCallsAPersonOnce(t *testing.T) {
	t.Parallel()
	r := restore(t)
	r.pushed(r.goods(), true)
	if _, err := r.adopt(r.id, alice); err != nil {
		t.Fatal(err)
	}
	others := &rival{Store: r.service.Store, left: 10}
	r.service.Store = others
	if err := r.record(r.goods(`"TransactionId":"T1"`, `"TransactionId":"T2"`)); err != nil || others.left >= 0 {
		t.Fatalf("%v, %d conflicts were left", err, others.left)
	}
	if n := called(r.alarms, order.AttentionSurplus); n != 1 {
		t.Errorf("a person was called %d times", n)
	}
}

// TestEvidenceIsNotWrittenBlindly: whether it is there already decides whether a person is called, so a read that fails is no "no".
func TestEvidenceIsNotWrittenBlindly(t *testing.T) {
	t.Parallel()
	r := restore(t)
	r.plan = func(c store.Call) store.Fault {
		if c.Op == "Get" && strings.HasPrefix(c.ID, "evidence/") {
			return store.Lost
		}
		return store.None
	}
	if err := r.record(r.goods()); err == nil || len(r.alarms) != 0 {
		t.Errorf("%v, a person was called %d times", err, len(r.alarms))
	}
}
