package order_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// paidAt buys at each of some times after the shop's beginning and returns the orders' ids.
func (s *shop) paidAt(after ...time.Duration) (ids []string) {
	s.t.Helper()
	begin := s.stack.Clock.Now()
	for i, d := range after {
		s.pass(begin.Add(d).Sub(s.stack.Clock.Now()))
		o, p, _, err := s.stack.Orders.Create(s.t.Context(), order.CreateRequest{
			OpenID: user, SessionKey: s.session, Key: fmt.Sprintf("paid-key-%d", i), ProductID: "gem_60", Quantity: 1,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		s.id, s.payment = o.ID, p
		s.pay("pay")
		s.pass(time.Second)
		ids = append(ids, o.ID)
	}
	return ids
}

// listPaid walks all parts of the list.
func (s *shop) listPaid(w order.Window, limit int) (ids []string, parts int) {
	s.t.Helper()
	page := store.Page{Limit: limit}
	for parts < 100 {
		parts++
		orders, next, err := s.stack.Orders.Paid(s.t.Context(), w, page)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(orders) > limit && limit > 0 {
			s.t.Fatalf("a part of %d orders, asked were %d", len(orders), limit)
		}
		for _, o := range orders {
			ids = append(ids, o.ID)
		}
		if page.After = next; next == "" {
			return ids, parts
		}
	}
	s.t.Fatal("the list has no end")
	return nil, 0
}

func TestTheOrdersPaidInAWindowAreListedAcrossHours(t *testing.T) {
	t.Parallel()
	s := openShop(t) // it is 02:00
	ids := s.paidAt(0, 10*time.Minute, 59*time.Minute, 2*time.Hour, 2*time.Hour+time.Minute, 75*time.Hour)
	s.create() // never paid
	begin := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		from, to time.Duration
		want     []string
	}{
		{"all", 0, 31 * 24 * time.Hour, ids},
		{"an hour", 0, time.Hour, ids[:3]},
		{"from within an hour to within another", 5 * time.Minute, 2*time.Hour + 30*time.Second, ids[1:4]},
		{"nothing was paid", 3 * time.Hour, 70 * time.Hour, nil},
		{"before everything", -time.Hour, 0, nil},
		{"the last", 74 * time.Hour, 76 * time.Hour, ids[5:]},
	} {
		for _, limit := range []int{0, 1, 2, 100} {
			got, _ := s.listPaid(order.Window{From: begin.Add(c.from), To: begin.Add(c.to)}, limit)
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d a part: %v, want %v", c.name, limit, got, want)
			}
		}
	}
	zone := time.FixedZone("CST", 8*60*60)
	if got, _ := s.listPaid(order.Window{From: begin.In(zone), To: begin.Add(time.Hour).In(zone)}, 0); len(got) != 3 {
		t.Errorf("asked in another zone: %v", got)
	}
}

func TestAWindowHoldsItsBeginningAndNotItsEnd(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	ids := s.paidAt(0, 10*time.Minute)
	o, err := s.stack.Orders.Get(t.Context(), ids[1])
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := s.listPaid(order.Window{From: o.PaidAt.Add(-time.Hour), To: o.PaidAt}, 0); !slices.Equal(got, ids[:1]) {
		t.Errorf("to the moment of the second payment: %v, want %v", got, ids[:1])
	}
	if got, _ := s.listPaid(order.Window{From: o.PaidAt, To: o.PaidAt.Add(time.Hour)}, 0); !slices.Equal(got, ids[1:]) {
		t.Errorf("from it: %v, want %v", got, ids[1:])
	}
}

func TestAWindowOrCursorThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	from := time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		from, to time.Time
		page     store.Page
	}{
		"no time":                  {},
		"no end":                   {from: from},
		"no beginning":             {to: from},
		"nothing between":          {from: from, to: from},
		"backwards":                {from: from, to: from.Add(-time.Second)},
		"more than 31 days":        {from: from, to: from.Add(31*24*time.Hour + time.Second)},
		"a part that is too large": {from: from, to: from.Add(time.Hour), page: store.Page{Limit: store.PageMax + 1}},
		"a negative part":          {from: from, to: from.Add(time.Hour), page: store.Page{Limit: -1}},
		"a cursor of nonsense":     {from: from, to: from.Add(time.Hour), page: store.Page{After: "nonsense"}},
		"a cursor without a point": {from: from, to: from.Add(time.Hour), page: store.Page{After: "2026-03-01T02"}},
		"a cursor of no hour":      {from: from, to: from.Add(time.Hour), page: store.Page{After: "2026-03-01T25."}},
		"a cursor before":          {from: from, to: from.Add(time.Hour), page: store.Page{After: "2026-03-01T01."}},
		"a cursor behind":          {from: from, to: from.Add(time.Hour), page: store.Page{After: "2026-03-01T04."}},
		"a forged inner cursor":    {from: from, to: from.Add(time.Hour), page: store.Page{After: "2026-03-01T02.AAAA"}},
		"a year of five digits":    {from: from, to: from.Add(time.Hour), page: store.Page{After: "12026-03-01T02."}},
	} {
		if _, _, err := s.stack.Orders.Paid(t.Context(), order.Window{From: c.from, To: c.to}, c.page); !errors.Is(err, problem.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
