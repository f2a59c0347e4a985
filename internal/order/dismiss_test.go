package order_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// complained is a push about a complaint, which only a person can answer.
func (r *restored) complained(number, complaint string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"MsgType":"event","Event":"xpay_complaint_notify","OpenId":"oUser-1","MchOrderId":"%s","ComplaintId":"%s"}`, number, complaint)
	event, err := xpay.ParseEvent([]byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if _, _, err := r.service.Record(r.t.Context(), order.Push{Event: event, Encrypted: true, Raw: []byte(body)}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *restored) questions() []order.Question {
	r.t.Helper()
	questions, _, err := r.service.Held(r.t.Context(), store.Page{})
	if err != nil {
		r.t.Fatal(err)
	}
	return questions
}

func TestDismissedEvidenceLeavesTheListAndIsKeptWithWhoLooked(t *testing.T) {
	t.Parallel()
	r := restore(t)
	for _, number := range []string{r.id, "FOREIGN-1", ""} {
		r.complained(number, "C1")
	}
	r.complained(r.id, "C2")
	if n, err := r.service.Dismiss(t.Context(), r.id, alice); err != nil || n != 2 || r.waiting() != 2 {
		t.Fatalf("%d dismissed, %v, %d wait", n, err, r.waiting())
	}
	for _, q := range r.questions() {
		for _, by := range []string{alice, "somebody else"} { // by name it can be repeated, too; who was first stays
			if n, err := r.service.Dismiss(t.Context(), q.Evidence, by); err != nil || n != 1 {
				t.Errorf("%+v: %d, %v", q, n, err)
			}
		}
		doc, err := r.service.Store.Get(t.Context(), "evidence/"+q.Evidence)
		if err != nil || !strings.Contains(string(doc.Body), `"dismissedBy":"`+alice+`"`) || doc.Expires.IsZero() {
			t.Errorf("kept as %s until %v, %v", doc.Body, doc.Expires, err)
		}
	}
	if n, err := r.service.Dismiss(t.Context(), r.id, "somebody else"); err != nil || n != 2 {
		t.Errorf("the same again: %d, %v", n, err)
	}
	r.complained(r.id, "C1") // WeChat repeats what was dismissed
	if r.waiting() != 0 || len(r.alarms) != 4 {
		t.Errorf("%d wait, %d alarms", r.waiting(), len(r.alarms))
	}
}

func TestWhatIsNoEvidenceIsNotDismissed(t *testing.T) {
	t.Parallel()
	r := restore(t)
	r.pushed(r.goods(), true)
	if _, err := r.adopt(r.id, alice); err != nil {
		t.Fatal(err)
	}
	surplus := r.goods(`"TransactionId":"T1"`, `"TransactionId":"T2"`)
	r.pushed(surplus, true) // paid twice: the order itself asks
	for number, want := range map[string]problem.Code{
		r.id: problem.Rejected, r.id + "-2": problem.Rejected, "": problem.NotFound, "nobody": problem.NotFound,
		strings.Repeat("a", 26): problem.NotFound, "evidence/" + r.id: problem.NotFound, "a\x00b": problem.NotFound, strings.Repeat("x", 5000): problem.NotFound,
	} {
		if n, err := r.service.Dismiss(t.Context(), number, alice); !errors.Is(err, want) || n != 0 {
			t.Errorf("%.30q: %d, %v, want %s", number, n, err, want)
		}
	}
	if r.waiting() != 1 {
		t.Errorf("%d wait", r.waiting())
	}
}

func TestADismissalThatFailedIsRepeated(t *testing.T) {
	t.Parallel()
	for _, fault := range []store.Fault{store.Lost, store.Happened} {
		for n := 1; n <= 4; n++ { // by name, the list, twice the evidence
			r := restore(t)
			r.complained(r.id, "C1")
			r.complained(r.id, "C2")
			calls := 0
			r.plan = func(store.Call) store.Fault {
				if calls++; calls == n {
					return fault
				}
				return store.None
			}
			if _, err := r.service.Dismiss(t.Context(), r.id, alice); !errors.Is(err, problem.Unavailable) {
				t.Fatalf("fault %d at call %d: %v", fault, n, err)
			}
			r.plan = nil
			if n, err := r.service.Dismiss(t.Context(), r.id, alice); err != nil || n == 0 || r.waiting() != 0 {
				t.Errorf("then again: %d, %v, %d wait", n, err, r.waiting())
			}
		}
	}
}
