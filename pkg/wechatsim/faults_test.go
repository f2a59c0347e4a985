package wechatsim_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestPushFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, faults string
		play         func(*world)
	}{
		{"drop loses one try and keeps its repeat", `{"push":{"drop":1}}`, func(w *world) {
			w.buy("ORDER0001")
			if w.deliver() != 0 || w.order("ORDER0001").Pushes[0].Attempts != 1 {
				w.t.Error("the push left")
			}
			w.clock.Advance(2 * time.Second)
			if w.deliver() != 1 || w.order("ORDER0001").Status != 4 {
				w.t.Error("the repeat did not arrive")
			}
		}},
		{"dropAll lets nothing leave", `{"push":{"dropAll":true}}`, func(w *world) {
			w.buy("ORDER0001")
			for _, ok := w.sim.NextPush(); ok; _, ok = w.sim.NextPush() {
				w.clock.Advance(time.Hour)
				w.deliver()
			}
			if len(w.recv.got) != 0 || w.order("ORDER0001").Pushes[0].Attempts != 16 {
				w.t.Error("a push left")
			}
		}},
		{"duplicate sends twice", `{"push":{"duplicate":1}}`, func(w *world) {
			w.buy("ORDER0001")
			if w.deliver() != 2 || w.recv.got[0].body != w.recv.got[1].body || w.order("ORDER0001").Pushes[0].Attempts != 1 {
				w.t.Error("there was no duplicate")
			}
		}},
		{"delay holds the first try back", `{"push":{"delay":"10s"}}`, func(w *world) {
			w.buy("ORDER0001")
			due, _ := w.sim.NextPush()
			if w.deliver() != 0 || due.Sub(w.clock.Now()) != 10*time.Second {
				w.t.Errorf("due is %s", due)
			}
		}},
		{"reorder sends the newest first", `{"push":{"reorder":true}}`, func(w *world) {
			w.buy("ORDER0001")
			w.buy("ORDER0002")
			w.deliver()
			if !strings.Contains(w.recv.bodies()[0], "ORDER0002") {
				w.t.Error("the oldest came first")
			}
		}},
		{"freshTimestamp signs repeats anew", `{"push":{"freshTimestamp":true}}`, func(w *world) {
			w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 500, "" }
			w.buy("ORDER0001")
			w.deliver()
			w.clock.Advance(2 * time.Second)
			w.deliver()
			a, b := w.recv.got[0].query, w.recv.got[1].query
			if a.Get("timestamp") == b.Get("timestamp") || a.Get("nonce") == b.Get("nonce") || a.Get("signature") == b.Get("signature") {
				w.t.Error("the repeat carries the old signature")
			}
		}},
		{"omitPayInfo", `{"push":{"omitPayInfo":true}}`, func(w *world) {
			w.buy("ORDER0001")
			w.deliver()
			if strings.Contains(w.recv.bodies()[0], "WeChatPayInfo") {
				w.t.Error("WeChatPayInfo is there")
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(tt.faults)
			tt.play(w)
		})
	}
}

func TestOrderFaults(t *testing.T) {
	t.Parallel()
	const o = "ORDER0001"
	statuses := func(w *world, no string, want ...any) {
		w.t.Helper()
		for _, status := range want {
			if a := w.query(no); status == "absent" {
				w.wantCode(a, 268490002)
			} else {
				wantField(w.t, a["order"].(map[string]any), "status", status)
			}
		}
	}
	tests := []struct {
		name, faults string
		play         func(*world)
	}{
		{"statusFlap", `{"orders":{"statusFlap":"30m"}}`, func(w *world) {
			w.buy(o)
			w.refund(o, "REFUND0001", 1800, 100)
			statuses(w, o, 5)
			w.clock.Advance(30 * time.Minute)
			statuses(w, o, 2)
		}},
		{"refundRunningQueries", `{"orders":{"refundRunningQueries":2}}`, func(w *world) {
			w.buy(o)
			w.refund(o, "REFUND0001", 1800, 100)
			statuses(w, "REFUND0001", 5, 5, 8, 8)
		}},
		{"refundQueryLag", `{"orders":{"refundQueryLag":2}}`, func(w *world) {
			w.buy(o)
			w.refund(o, "REFUND0001", 1800, 100)
			statuses(w, "REFUND0001", "absent", "absent", 8)
		}},
		{"orderQueryLag", `{"orders":{"orderQueryLag":2}}`, func(w *world) { w.buy(o); statuses(w, o, 1, 1, 2) }},
		{"orderQueryLag absent", `{"orders":{"orderQueryLag":1,"absent":true}}`, func(w *world) { w.buy(o); statuses(w, o, "absent", 2) }},
		{"refundNotDeduplicated", `{"orders":{"refundNotDeduplicated":true}}`, func(w *world) {
			w.buy(o)
			w.refund(o, "REFUND0001", 1800, 100)
			w.wantCode(w.refund(o, "REFUND0001", 1800, 100), 0)
			statuses(w, "REFUND0001", 8)
			w.wantCode(w.refund(o, "REFUND0001", 1800, 100), 268490016)
			w.wantCode(w.refund(o, "REFUND0001", 1700, 100), 0)
			if v := w.order(o); v.LeftFee != 1600 || v.Calls.RefundOrder != 2 {
				w.t.Errorf("view is %+v", v)
			}
		}},
		{"refundRepeatInProgress", `{"orders":{"refundRepeatInProgress":true}}`, func(w *world) {
			w.buy(o)
			w.refund(o, "REFUND0001", 1800, 100)
			w.wantCode(w.refund(o, "REFUND0001", 1800, 100), 268490014)
			statuses(w, "REFUND0001", 8)
			w.wantCode(w.refund(o, "REFUND0001", 1800, 100), 0)
		}},
		{"refundFails", `{"orders":{"refundFails":1}}`, func(w *world) {
			w.buy(o)
			w.refund(o, "REFUND0001", 1800, 100)
			w.clock.Advance(3 * time.Second)
			w.deliver()
			statuses(w, "REFUND0001", 7)
			if p := decode(w.t, w.recv.bodies()[1]); p["RetCode"].(interface{ String() string }).String() == "0" || w.order(o).LeftFee != 1800 {
				w.t.Errorf("push is %v", p)
			}
		}},
		{"payTwice", `{"orders":{"payTwice":1}}`, func(w *world) {
			w.buy(o)
			w.deliver()
			v := w.order(o)
			if len(v.Payments) != 2 || v.PaidFee != 3600 || len(w.recv.got) != 2 || v.Payments[0].TransactionID == v.Payments[1].TransactionID {
				w.t.Fatalf("view is %+v", v)
			}
			wantField(w.t, w.show(o), "wx_order_id", v.Payments[1].WxOrderID)
			w.faults(`{"orders":{"payTwiceShowsFirst":true}}`)
			wantField(w.t, w.show(o), "wx_order_id", v.Payments[0].WxOrderID)
			body := strings.Replace(refundBody(o, "REFUND0001", 1800, 1800), `"order_id":"ORDER0001"`, `"wx_order_id":"`+v.Payments[1].WxOrderID+`"`, 1)
			w.wantCode(w.xpay("/xpay/refund_order", body), 0)
			if v := w.order(o); v.Payments[0].LeftFee != 1800 || v.Payments[1].LeftFee != 0 {
				w.t.Errorf("view is %+v", v)
			}
		}},
		{"actualPrice unit", `{"orders":{"actualPrice":"unit"}}`, func(w *world) {
			w.sim.RequestVirtualPayment(payment(w.login(testUser), signData(o, 3, 1800)))
			w.deliver()
			wantField(w.t, decode(w.t, w.recv.bodies()[0])["GoodsInfo"].(map[string]any), "ActualPrice", 1800)
		}},
		{"actualPrice total", `{}`, func(w *world) {
			w.sim.RequestVirtualPayment(payment(w.login(testUser), signData(o, 3, 1800)))
			w.deliver()
			wantField(w.t, decode(w.t, w.recv.bodies()[0])["GoodsInfo"].(map[string]any), "ActualPrice", 5400)
		}},
		{"coupon and omitFields", `{"orders":{"coupon":300,"omitFields":["order_fee"]}}`, func(w *world) {
			w.buy(o)
			got := w.show(o)
			wantField(w.t, got, "paid_fee", 1500)
			wantField(w.t, got, "left_fee", 1500)
			if _, there := got["order_fee"]; there {
				w.t.Error("order_fee is there")
			}
		}},
		{"notifyStopsPush", `{"orders":{"notifyStopsPush":true}}`, func(w *world) {
			w.buy(o)
			w.xpay("/xpay/notify_provide_goods", `{"order_id":"ORDER0001","env":0}`)
			if _, waits := w.sim.NextPush(); waits || w.deliver() != 0 {
				w.t.Error("the push goes on")
			}
		}},
		{"fullRefundKeepsStatus", `{"orders":{"fullRefundKeepsStatus":true}}`, func(w *world) {
			w.buy(o)
			w.refund(o, "REFUND0001", 1800, 1800)
			statuses(w, "REFUND0001", 8)
			statuses(w, o, 2)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(tt.faults)
			tt.play(w)
		})
	}
}

// TestAPIFaults sends one refund into each fault and looks whether it happened.
func TestAPIFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, fault string
		status      int // 0: the connection was cut
		happened    bool
	}{
		{"errorBeforeEffect", `{"errorBeforeEffect":1}`, 500, false},
		{"errorAfterEffect", `{"errorAfterEffect":1}`, 500, true},
		{"cutBeforeEffect", `{"cutBeforeEffect":1}`, 0, false},
		{"cutAfterEffect", `{"cutAfterEffect":1}`, 0, true},
		{"hang", `{"hang":1}`, 0, true},
		{"code", `{"code":{"errcode":-1,"times":1}}`, 200, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.buy("ORDER0001")
			w.faults(`{"api":{"/xpay/refund_order":` + tt.fault + `}}`)
			if got := w.tryRefund(); got != tt.status {
				t.Errorf("status is %d, want %d", got, tt.status)
			}
			if got := w.order("ORDER0001").Calls.RefundOrder == 1; got != tt.happened {
				t.Errorf("happened: %t, want %t", got, tt.happened)
			}
			w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 100), 0)
			if v := w.order("ORDER0001"); v.LeftFee != 1700 {
				t.Errorf("after the same bytes again %d fen are left", v.LeftFee)
			}
		})
	}
}

// tryRefund answers the HTTP status, 0 when the connection is cut.
func (w *world) tryRefund() (status int) {
	body := refundBody("ORDER0001", "REFUND0001", 1800, 100)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r := httptest.NewRequest("POST", w.xpayURL("/xpay/refund_order", testKey, body), strings.NewReader(body)).WithContext(ctx)
	rec := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			status = 0
		}
	}()
	w.sim.ServeHTTP(rec, r)
	return rec.Code
}

func TestFaultsEndpointMerges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"push":{"drop":2,"delay":"10s"},"orders":{"coupon":5}}`)
	w.faults(`{"push":{"drop":1}}`)
	f := w.sim.Faults()
	if f.Push.Drop != 1 || time.Duration(f.Push.Delay) != 10*time.Second || f.Orders.Coupon != 5 {
		t.Errorf("faults are %+v", f)
	}
	for _, bad := range []string{`{"push":{"dorp":1}}`, `{"orders":{"actualPrice":"each"}}`, `{"push":{"delay":"-1s"}}`, `[]`, `{"push":{"delay":7}}`} {
		if status, _ := w.do("POST", "/sim/faults", bad); status != 400 {
			t.Errorf("%s: HTTP %d", bad, status)
		}
	}
	w.faults(`{"reset":true}`)
	if a := w.object("GET", "/sim/faults", ""); len(a["push"].(map[string]any)) != 0 || len(a["orders"].(map[string]any)) != 0 {
		t.Errorf("after the reset: %v", a)
	}
}

func TestClockEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantField(t, w.object("GET", "/sim/clock", ""), "now", "2026-08-01T16:00:00Z")
	wantField(t, w.object("POST", "/sim/clock", `{"advance":"10m"}`), "now", "2026-08-01T16:10:00Z")
	for _, bad := range []string{`{"advance":"-1s"}`, `{}`, `{"advance":"soon"}`} {
		if status, _ := w.do("POST", "/sim/clock", bad); status != 400 {
			t.Errorf("%s: HTTP %d", bad, status)
		}
	}
}
