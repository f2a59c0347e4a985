package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// find reads any order, for the merchant, by its id or the number of any of its attempts.
func (s *Service) find(ctx context.Context, number string) (stored, error) {
	n, ok := ParseNumber(number)
	if !ok || n.Refund {
		return stored{}, problem.New(problem.NotFound, "there is no such order")
	}
	return s.load(ctx, n.OrderID)
}

// Get returns any order, for the merchant, by its id or the number of any of its attempts. It does not ask WeChat.
func (s *Service) Get(ctx context.Context, id string) (Order, error) {
	cur, err := s.find(ctx, id)
	return cur.Order, err
}

// List returns a user's orders, newest first, and the cursor of the next part. A state filters within the part, so a
// part may have fewer orders than asked while the cursor goes on.
func (s *Service) List(ctx context.Context, openID string, state State, page store.Page) ([]Order, string, error) {
	docs, next, err := s.Store.ByUser(ctx, userKey(s.Env, openID), KindOrder, page)
	if errors.Is(err, store.ErrInvalid) {
		return nil, "", problem.New(problem.Invalid, "limit must be 1 to %d and cursor one that was returned", store.PageMax)
	}
	if err != nil {
		return nil, "", storeProblem(fmt.Errorf("list orders: %w", err))
	}
	orders := []Order{}
	for _, doc := range docs {
		o, err := decode(doc)
		if err != nil {
			return nil, "", err
		}
		if state == "" || o.State == state {
			orders = append(orders, o)
		}
	}
	return orders, next, nil
}

// Question is something that waits for a person: an order, or a push about no order of ours.
type Question struct {
	Order    *Order // nil for a push about an unknown order
	Number   string
	Evidence string // the name of the kept push, where there is one; see Dismiss
	Code     string
	Reason   string
	At       time.Time
}

// Held lists what waits for a person, newest order first.
func (s *Service) Held(ctx context.Context, page store.Page) ([]Question, string, error) {
	docs, next, err := s.Store.Find(ctx, KeyHeld, page)
	if errors.Is(err, store.ErrInvalid) {
		return nil, "", problem.New(problem.Invalid, "limit must be 1 to %d and cursor one that was returned", store.PageMax)
	}
	if err != nil {
		return nil, "", storeProblem(fmt.Errorf("list held: %w", err))
	}
	questions := []Question{}
	for _, doc := range docs {
		questions = append(questions, s.questions(doc)...)
	}
	return questions, next, nil
}

// questions reads the open questions of one document. One that cannot be read is a question itself.
func (s *Service) questions(doc store.Doc) []Question {
	if doc.Kind() == KindEvidence {
		if e, ok := openEvidence(doc); ok {
			return []Question{{Number: e.Number, Evidence: evidenceName(doc), Code: e.code(), Reason: e.Reason, At: e.At}}
		}
	}
	o, err := decode(doc)
	if err != nil {
		return []Question{{Number: doc.ID, Code: AttentionUnreadable, Reason: "the document cannot be read", At: doc.Created}}
	}
	var out []Question
	for _, q := range o.Attention {
		out = append(out, Question{Order: &o, Number: OutTradeNo(o.ID, max(q.Attempt, 1)), Code: q.Code, Reason: q.Reason, At: q.At})
	}
	return out
}

// Accept lets a held order go: the money that was not believed pays for it. For any other order it marks the open
// questions as seen. Only an operator may call it; by is the name of who does, for the history.
func (s *Service) Accept(ctx context.Context, id, by string) (Order, error) {
	cur, err := s.find(ctx, id)
	if err != nil {
		return Order{}, err
	}
	cur, _, err = s.take(ctx, cur, Fact{Kind: FactAccepted, Source: SourceOperator, At: s.now(), Reason: "by " + nameOf(by)})
	s.kick(ctx, cur.Order)
	return cur.Order, err
}

// Consume marks a consumable as used, once. The call that repeats its own key is the one that used it; another call
// gets problem.Conflict. An order that is not owned, or is being refunded whole, is problem.Rejected. A key that is no
// Idempotency-Key is problem.Invalid; it is stored.
func (s *Service) Consume(ctx context.Context, openID, id, key string) (Order, error) {
	if key != "" {
		if err := checkKey(key); err != nil {
			return Order{}, err
		}
	}
	cur, err := s.own(ctx, openID, id)
	if err != nil {
		return Order{}, err
	}
	cur, err = s.write(ctx, cur, func(o Order) (Order, bool, error) {
		switch {
		case !o.ConsumedAt.IsZero() && key != "" && o.ConsumedBy == key:
			return o, false, nil
		case !o.ConsumedAt.IsZero():
			return o, false, problem.New(problem.Conflict, "it was used at %s", o.ConsumedAt.Format(time.RFC3339))
		case !o.Consumable:
			return o, false, problem.New(problem.Rejected, "the product is durable, it is not used up")
		case !o.Owned() || o.promisedBack():
			return o, false, problem.New(problem.Rejected, "the order is not the user's to use: it is %s", o.ownership())
		}
		next, out := Apply(o, Fact{Kind: FactConsumed, Source: SourcePhone, At: s.now(), Key: key})
		if out.Event != EventConsumed {
			return o, false, problem.New(problem.Rejected, "it cannot be used: %s", out.Reason)
		}
		return next, true, nil
	})
	return cur.Order, err
}

func (o *Order) ownership() string {
	if o.promisedBack() {
		return "being refunded"
	}
	return string(o.State)
}
