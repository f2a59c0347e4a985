package order

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Service does everything that happens to orders. It has no state of its own: any number of services on one store
// work together, and one that crashes leaves nothing but a lease that ends.
type Service struct {
	AppID   string
	Env     xpay.Env // which of WeChat's environments this deployment serves
	Store   store.Store
	WeChat  *xpay.Client // signs and asks, in Env; a process that only records pushes has one without a Merchant
	Catalog *catalog.Catalog
	Now     func() time.Time

	// Target names who must accept a delivery before WeChat is told; "" makes the order its own target.
	Target  string
	Deliver func(context.Context, Delivery) error // tells Target one event; nil: another process does, this one tells the queue

	Kick  func(ctx context.Context, docIDs ...string) // tells the queue that these are due: best effort
	Alarm func(context.Context, Alarm)                // calls a person: best effort, the store keeps the question
	Saw   func(context.Context, Change)               // is told of every change after it is stored; nil: nobody is
	Log   *slog.Logger

	Refused func(context.Context, error) // is told what WeChat refused in the work on an order; nil: nobody is

	// Reported is told what the phone says of its cashier (spec 2.3), believed or not, before WeChat is asked; nil: nobody is.
	Reported func(ctx context.Context, errCode int)
}

// Delivery is one numbered event of an order for the delivery target. It may be told more than once, always
// with the same order and number.
type Delivery struct {
	Order Order
	Event Outgoing
}

// Alarm is a question that was just raised for a person.
type Alarm struct {
	Code    string
	Number  string // order id or business number
	Reason  string
	Attempt int
}

// Check names everything that is missing, at once.
func (s *Service) Check() error {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, errors.New(what+" is missing"))
		}
	}
	need(s.AppID != "", "the AppID")
	need(s.Env.Type() != 0, "the env")
	need(s.Store != nil, "the store")
	need(s.WeChat != nil, "the WeChat client")
	need(s.Catalog != nil, "the catalogue")
	need(s.Now != nil, "the clock")
	need(s.Log != nil, "the log")
	return errors.Join(missing...)
}

// stored is an order as the store has it.
type stored struct {
	Order
	doc store.Doc
}

// now is the time of everything the service writes: UTC, milliseconds.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// load reads an order; problem.NotFound when there is none.
func (s *Service) load(ctx context.Context, id string) (stored, error) {
	doc, err := s.Store.Get(ctx, DocID(id))
	if errors.Is(err, store.ErrNotFound) {
		return stored{}, problem.New(problem.NotFound, "there is no order %s", id)
	}
	if err != nil {
		return stored{}, storeProblem(fmt.Errorf("read order %s: %w", id, err))
	}
	return open(doc)
}

func open(doc store.Doc) (stored, error) {
	o, err := decode(doc)
	return stored{Order: o, doc: doc}, err
}

// change turns the stored order into another one. It is called again with the newer order when somebody else wrote
// in between; ok false leaves the store alone.
type change func(Order) (next Order, ok bool, err error)

// write replaces an order by what do makes of it, by compare-and-swap. An error other than do's own leaves the
// outcome unknown; since do is applied to whatever is stored, repeating is safe.
func (s *Service) write(ctx context.Context, cur stored, do change) (stored, error) {
	for range conflictsMax {
		next, ok, err := do(cur.Order)
		if err != nil || !ok {
			return cur, err
		}
		doc, err := encode(next, cur.doc)
		if err != nil {
			return cur, err
		}
		kept, err := s.Store.Update(ctx, doc)
		switch {
		case err == nil:
			return stored{Order: next, doc: kept}, nil
		case !errors.Is(err, store.ErrConflict) || kept.ID == "":
			return cur, storeProblem(fmt.Errorf("write order %s: %w", cur.ID, err))
		}
		if cur, err = open(kept); err != nil {
			return cur, err
		}
	}
	return cur, problem.New(problem.Unavailable, "order %s is being changed by many at once, try again", cur.ID)
}

// take applies facts to an order and writes it. The outcome is that of the last fact.
func (s *Service) take(ctx context.Context, cur stored, facts ...Fact) (stored, Outcome, error) {
	return s.takeWhat(ctx, cur, func(Order) ([]Fact, error) { return facts, nil })
}

// takeWhat takes facts that depend on the order as it is stored. With none of them, or an error, the order is left alone.
func (s *Service) takeWhat(ctx context.Context, cur stored, what func(Order) ([]Fact, error)) (stored, Outcome, error) {
	var t telling
	next, err := s.write(ctx, cur, func(o Order) (Order, bool, error) {
		facts, err := what(o)
		if err != nil {
			return o, false, err
		}
		return s.apply(ctx, &t, o, facts), len(facts) > 0, nil
	})
	if err == nil && t.out.Event != "" {
		s.saw(ctx, Change{Before: t.before, After: next.Order, Event: t.out.Event})
	}
	return next, t.out, err
}

// telling is what facts did to an order before it is written.
type telling struct {
	before Order
	out    Outcome     // of the last fact; without an event there was none
	called []Attention // for what a person was called
}

// apply applies facts and calls a person for each question they raise, before the order is written: a write whose answer is lost has
// happened all the same, and whoever repeats it finds the question asked. So a person is called twice rather than never.
func (s *Service) apply(ctx context.Context, t *telling, o Order, facts []Fact) Order {
	t.before, t.out = o, Outcome{}
	for _, f := range facts {
		o, t.out = Apply(o, f)
		for _, q := range t.out.Alarms {
			if !slices.ContainsFunc(t.called, q.same) {
				t.called = append(t.called, q)
				s.alarm(ctx, Alarm{Code: q.Code, Number: o.ID, Reason: q.Reason, Attempt: q.Attempt})
			}
		}
	}
	return o
}

// saw tells of a change that is stored.
func (s *Service) saw(ctx context.Context, c Change) {
	if s.Saw != nil {
		s.Saw(ctx, c)
	}
}

func (s *Service) alarm(ctx context.Context, a Alarm) {
	a.Number, a.Reason = short(a.Number), short(a.Reason)
	s.Log.ErrorContext(ctx, "a person must look", "code", a.Code, "number", a.Number, "reason", a.Reason, "attempt", a.Attempt)
	if s.Alarm != nil {
		s.Alarm(ctx, a)
	}
}

// short is a text that may have come from outside, for the log.
func short(text string) string {
	if len(text) <= logTextBytesMax {
		return text
	}
	return strings.ToValidUTF8(text[:logTextBytesMax], "") + "..."
}

// kick tells the queue. Nothing relies on it: DueAt is set.
func (s *Service) kick(ctx context.Context, o Order) {
	if s.Kick != nil && o.due(s.now()) {
		s.Kick(ctx, DocID(o.ID))
	}
}

func storeProblem(err error) error {
	return problem.Hide(problem.Unavailable, err, "the store does not answer, repeat the same request")
}

// claim takes the licence to call out for an order. won is false when somebody else has it, or, unless early,
// when nothing is due.
func (s *Service) claim(ctx context.Context, cur stored, early bool) (stored, bool, error) {
	won := false
	next, err := s.write(ctx, cur, func(o Order) (Order, bool, error) {
		now := s.now()
		won = o.claimable(now) && (early || o.due(now))
		o.Lease = Lease{Until: now.Add(lease), Token: o.Lease.Token + 1}
		return o, won, nil
	})
	return next, won && err == nil, err
}

// conclude applies what a claim holder learned. done gives the licence back; otherwise the lease is renewed
// for the next step. A holder whose lease was taken over still records what it learned.
func (s *Service) conclude(ctx context.Context, cur stored, done bool, facts []Fact, then func(*Order)) (stored, error) {
	token := cur.Lease.Token
	var t telling
	next, err := s.write(ctx, cur, func(o Order) (Order, bool, error) {
		o = s.apply(ctx, &t, o, facts)
		if then != nil {
			then(&o)
		}
		if o.Lease.Token == token {
			o.Lease.Until = time.Time{}
			if _, more := o.plan(s.now(), s.does); more && !done {
				o.Lease.Until = s.now().Add(lease)
			}
		}
		return o, true, nil
	})
	if err == nil {
		s.saw(ctx, Change{Before: t.before, After: next.Order, Event: t.out.Event})
	}
	return next, err
}
