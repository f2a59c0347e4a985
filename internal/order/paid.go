package order

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// paidHour is an hour of UTC as the look-up key of the orders paid in it has it: "paid/2026-11-21T08".
const paidHour = "2006-01-02T15"

// paidKey lists an order under the hour it was paid in.
func paidKey(at time.Time) string { return "paid/" + at.UTC().Format(paidHour) }

// Window is a span of time: From belongs to it, To does not.
type Window struct{ From, To time.Time }

func (w Window) holds(at time.Time) bool { return !at.Before(w.From) && at.Before(w.To) }

func (w Window) check() error {
	switch {
	case w.From.IsZero() || w.To.IsZero():
		return problem.New(problem.Invalid, "from and to must be times as 2026-11-21T08:00:00Z (RFC 3339)")
	case !w.From.Before(w.To):
		return problem.New(problem.Invalid, "from must be before to, which is now unless it is given")
	case w.To.Sub(w.From) > PaidWindowMax:
		return problem.New(problem.Invalid, "from and to lie %d days apart, at most %d are possible: ask for one part after the other",
			int(w.To.Sub(w.From).Hours()/24), int(PaidWindowMax.Hours()/24))
	}
	return nil
}

// PaidSince is the window from a time until now, or as much of it as one list may span. Nothing that was paid before the call is
// beyond now: WeChat tells the time of a payment in whole seconds, so the second that runs belongs to the window.
func (s *Service) PaidSince(from time.Time) (w Window, now time.Time) {
	now = s.now().Truncate(time.Second).Add(time.Second)
	return Window{from, earliest(now, from.Add(PaidWindowMax))}, now
}

// PaidOrder is an order that was paid.
type PaidOrder struct {
	ID     string
	PaidAt time.Time
}

// Paid lists the orders that were paid in a window, hour by hour, and the cursor of the next part ("" at the end). A part
// may be shorter than its limit, even empty, before the end. Orders that were last written before they carried this
// key are not listed, held ones are listed by Held.
func (s *Service) Paid(ctx context.Context, w Window, page store.Page) ([]PaidOrder, string, error) {
	if err := w.check(); err != nil {
		return nil, "", err
	}
	at, err := w.place(page.After)
	if err != nil {
		return nil, "", err
	}
	limit := page.Limit
	if limit == 0 {
		limit = store.PageDefault
	}
	orders := []PaidOrder{}
	for range paidHoursMax {
		docs, next, err := s.Store.Find(ctx, paidKey(at.hour), store.Page{Limit: limit - len(orders), After: at.after})
		if errors.Is(err, store.ErrInvalid) {
			return nil, "", errPaidPage
		}
		if err != nil {
			return nil, "", storeProblem(fmt.Errorf("list paid orders: %w", err))
		}
		orders = append(orders, w.paid(docs)...)
		if at = at.then(next); !at.hour.Before(w.To) {
			return orders, "", nil
		}
		if len(orders) >= limit {
			break
		}
	}
	return orders, at.String(), nil
}

// paid reads the orders of documents that were paid in the window. One that cannot be read is a question under Held.
func (w Window) paid(docs []store.Doc) (orders []PaidOrder) {
	for _, doc := range docs {
		if o, err := decode(doc); err == nil && w.holds(o.PaidAt) {
			orders = append(orders, PaidOrder{o.ID, o.PaidAt})
		}
	}
	return orders
}

// paidPlace is a place in the list: an hour, and the store's cursor within it.
type paidPlace struct {
	hour  time.Time
	after string
}

func (p paidPlace) String() string { return p.hour.Format(paidHour) + "." + p.after }

// then is the place behind a part whose own next part is at the cursor next.
func (p paidPlace) then(next string) paidPlace {
	if next != "" {
		return paidPlace{p.hour, next}
	}
	return paidPlace{hour: p.hour.Add(time.Hour)}
}

var errPaidPage = problem.New(problem.Invalid, "limit must be 1 to %d and cursor one that was returned for the same window", store.PageMax)

// place is where a cursor points to; the window's first hour without one.
func (w Window) place(cursor string) (paidPlace, error) {
	first := w.From.UTC().Truncate(time.Hour)
	if cursor == "" {
		return paidPlace{hour: first}, nil
	}
	text, after, _ := strings.Cut(cursor, ".")
	hour, err := time.Parse(paidHour, text)
	p := paidPlace{hour, after}
	if err != nil || p.String() != cursor || hour.Before(first) || !hour.Before(w.To) {
		return paidPlace{}, errPaidPage
	}
	return p, nil
}
