package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// quietly serves a request from another goroutine than the test's.
func (w *world) quietly(method, target, body string, headers ...string) answer {
	other := &world{t: w.t, stack: w.stack}
	return other.call(method, target, body, headers...)
}

func TestTheSameCreateAtOnceIsOneOrder(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	answers := make([]answer, 12)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = w.quietly("POST", "/orders", wanted("vip_month", 1), "Authorization", "Bearer "+p.token, "Idempotency-Key", "key-of-alice")
		})
	}
	all.Wait()
	created, ids := 0, map[string]bool{}
	for _, a := range answers {
		switch a.status {
		case http.StatusCreated:
			created++
			fallthrough
		case http.StatusOK:
			var reply orderReply
			a.into(t, a.status, &reply)
			ids[reply.Order.ID] = true
		case http.StatusServiceUnavailable: // somebody else is asking WeChat about it
		default:
			t.Errorf("answered %s", a)
		}
	}
	if created != 1 || len(ids) != 1 {
		t.Errorf("%d created, orders %v", created, ids)
	}
}

func TestOneConsumableIsUsedOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	id := p.buy("key-of-alice", "gem_60", 1)
	w.settle()
	answers := make([]answer, 12)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = w.quietly("POST", "/orders/"+id+"/consume", "", "Authorization", "Bearer "+p.token, "Idempotency-Key", fmt.Sprintf("use-key-%d", i))
		})
	}
	all.Wait()
	used := 0
	for _, a := range answers {
		switch a.status {
		case http.StatusOK:
			used++
		default:
			a.refused(t, 409, "conflict")
		}
	}
	if used != 1 {
		t.Errorf("used %d times", used)
	}
}

func TestPushesPollsAndTheWorkerAtOnceDeliverOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	w.faults(losePushes())
	id := p.buy("key-of-alice", "vip_month", 1)
	event := goodPush(id, w.truth(id).Payments[0].TransactionID).json()
	w.stack.Clock.Advance(time.Minute)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			q, raw := forged{at: w.now(), nonce: fmt.Sprint(i)}.make(event)
			rec := httptest.NewRecorder()
			w.stack.Handler.ServeHTTP(rec, httptest.NewRequest("POST", "/wechat/push?"+q.Encode(), strings.NewReader(string(raw))))
			if body := opened(t, rec.Body.Bytes()); again(rec.Code, body) {
				t.Errorf("push %d answered %d %s", i, rec.Code, body)
			}
		})
		all.Go(func() { w.quietly("GET", "/orders/"+id, "", "Authorization", "Bearer "+p.token) })
		all.Go(func() {
			if err := w.stack.Orders.Advance(t.Context(), "order/"+id); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.pass(2 * time.Minute)
	m := w.is(id, "delivered", true)
	m.ledger(t, 1800, 0, 0, 0, 0)
	if n := w.truth(id).Calls.NotifyProvideGoods; n > 1 {
		t.Errorf("WeChat was told %d times", n)
	}
	if len(m.Attempts[0].Payments) != 1 || len(w.alarms.all) != 0 {
		t.Errorf("payments %+v, alarms %+v", m.Attempts[0].Payments, w.alarms.all)
	}
}
