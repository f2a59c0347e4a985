package e2e_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// operatorRoutes are those that only an operator uses.
func operatorRoutes(id string) [][2]string {
	return [][2]string{
		{"POST", "/merchant/orders/" + id + "/advance"}, {"POST", "/merchant/orders/" + id + "/recheck"}, {"POST", "/merchant/orders/" + id + "/adopt"},
		{"POST", "/merchant/held/" + id + "/dismiss"}, {"GET", "/merchant/paid?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z"},
	}
}

func TestTheOperatorsRoutesAnswerThisMachineOnly(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	p := w.phone(alice)
	for _, r := range operatorRoutes(id) {
		w.callFrom("192.0.2.7:40000", "127.0.0.1:8080", r[0], r[1], "").refused(t, 401, "unauthorized")
		w.callFrom("127.0.0.1:40000", "evil.example:8080", r[0], r[1], "", "Authorization", "Bearer "+p.token).refused(t, 401, "unauthorized")
	}
}

func TestAnOperatorsRequestThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	nobody := strings.Repeat("a", 26)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/merchant/orders/" + nobody + "/advance", "", 404, "not_found"},
		{"POST", "/merchant/orders/x/advance", "", 404, "not_found"},
		{"POST", "/merchant/orders/" + nobody + "/recheck", "", 404, "not_found"},
		{"POST", "/merchant/orders/" + id + "-1/recheck", "", 404, "not_found"},
		{"POST", "/merchant/orders/r" + id + "/advance", "", 404, "not_found"},
		{"POST", "/merchant/orders/" + nobody + "/adopt", "", 404, "not_found"},
		{"POST", "/merchant/orders/FOREIGN-1/adopt", "", 400, "invalid"},
		{"POST", "/merchant/orders/" + id + "/adopt", `{"amount":1}`, 400, "invalid"},
		{"POST", "/merchant/orders/" + id + "/adopt", `{"productId":"vip_month"}`, 400, "invalid"},
		{"POST", "/merchant/orders/" + id + "/recheck", `[]`, 400, "invalid"},
		{"POST", "/merchant/orders/" + id + "/advance", `{`, 400, "invalid"},
		{"POST", "/merchant/held/nobody/dismiss", "", 404, "not_found"},
		{"POST", "/merchant/held/%2e%2e%2fx/dismiss", "", 404, "not_found"},
		{"GET", "/merchant/paid", "", 400, "invalid"},
		{"GET", "/merchant/paid?from=2026-03-01&to=2026-03-02", "", 400, "invalid"},
		{"GET", "/merchant/paid?from=2999-03-01T00:00:00Z", "", 400, "invalid"},
		{"GET", "/merchant/paid?from=2026-03-01T00:00:00Z&to=", "", 400, "invalid"},
		{"GET", "/merchant/paid?to=2026-03-01T00:00:00Z", "", 400, "invalid"},
		{"GET", "/merchant/paid?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "", 400, "invalid"},
		{"GET", "/merchant/paid?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "", 400, "invalid"},
		{"GET", "/merchant/paid?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&limit=101", "", 400, "invalid"},
		{"GET", "/merchant/paid?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&cursor=2026-02-28T23.", "", 400, "invalid"},
	} {
		w.call(c.method, c.path, c.body).refused(t, c.status, c.code)
		if t.Failed() {
			t.Fatalf("%s %s %s", c.method, c.path, c.body)
		}
	}
}

func TestWhatWasPaidIsListedAcrossTheHoursInAnyZone(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	first := p.buy("key-number-1", "gem_60", 1)
	w.pass(3 * time.Hour)
	second := p.buy("key-number-2", "gem_60", 1)
	w.pass(time.Minute)
	p.create("key-number-3", "gem_60", 1) // not paid
	var got []string
	for cursor, parts := "", 0; parts < 10; parts++ {
		var part struct {
			Orders []struct {
				ID     string
				PaidAt time.Time
			}
			Cursor string
		}
		q := url.Values{"from": {"2026-03-01T10:00:00+08:00"}, "to": {"2026-03-02T00:00:00Z"}, "limit": {"1"}, "cursor": {cursor}}
		w.call("GET", "/merchant/paid?"+q.Encode(), "").into(t, 200, &part)
		for _, o := range part.Orders {
			if got = append(got, o.ID); o.PaidAt.Location() != time.UTC {
				t.Errorf("paid at %v", o.PaidAt)
			}
		}
		if cursor = part.Cursor; cursor == "" {
			break
		}
	}
	if strings.Join(got, " ") != first+" "+second {
		t.Errorf("paid: %v, want %s and %s", got, first, second)
	}
}
