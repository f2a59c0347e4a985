package order

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// dismissedKey lists the evidence about a number that a person has looked at. The number came from outside, so its digest
// stands for it.
func dismissedKey(number string) string { return "dismissed/" + digest("dismissed", number) }

// Dismiss says that a person has looked at evidence: it leaves the list of what waits, and stays as evidence until it
// expires, with who dismissed it and when. name is a business number, and means all evidence about it, or the name of one
// piece of evidence (Question.Evidence). It returns how many pieces are dismissed, those from before included, so that
// repeating it is harmless.
//
// Problems: NotFound, Rejected for an order (see Accept), Limited when too much waits to look through it, Unavailable.
func (s *Service) Dismiss(ctx context.Context, name, by string) (int, error) {
	docs, err := s.evidenceOf(ctx, name)
	if err != nil {
		return 0, err
	}
	for _, doc := range docs {
		if err := s.dismiss(ctx, doc, by); err != nil {
			return 0, err
		}
	}
	return len(docs), nil
}

// evidenceOf finds the evidence that a person means.
func (s *Service) evidenceOf(ctx context.Context, name string) ([]store.Doc, error) {
	if isDigest(name) {
		doc, err := s.Store.Get(ctx, string(KindEvidence)+"/"+name)
		switch {
		case err == nil:
			return []store.Doc{doc}, nil
		case !errors.Is(err, store.ErrNotFound):
			return nil, storeProblem(fmt.Errorf("read evidence: %w", err))
		}
	}
	waiting, asks, err := s.waiting(ctx, name)
	if err != nil || len(waiting) > 0 {
		return waiting, err
	}
	before, _, err := s.Store.Find(ctx, dismissedKey(name), store.Page{Limit: store.PageMax})
	switch {
	case err != nil:
		return nil, storeProblem(fmt.Errorf("list evidence: %w", err))
	case asks:
		return nil, problem.New(problem.Rejected, "it is the order itself that asks: accept or refund it")
	case len(before) > 0:
		return before, nil
	}
	return nil, problem.New(problem.NotFound, "no evidence about this number waits for a person")
}

// waiting looks through the list of what waits for a person: the evidence about a number, and whether the order asks.
func (s *Service) waiting(ctx context.Context, number string) (docs []store.Doc, asks bool, err error) {
	page := store.Page{Limit: store.PageMax}
	for range heldPagesMax {
		part, next, err := s.Store.Find(ctx, KeyHeld, page)
		if err != nil {
			return nil, false, storeProblem(fmt.Errorf("list held: %w", err))
		}
		for _, doc := range part {
			e, isEvidence := openEvidence(doc)
			if isEvidence && e.Number == number {
				docs = append(docs, doc)
			}
			n, ok := ParseNumber(number)
			asks = asks || ok && doc.ID == DocID(n.OrderID)
		}
		if page.After = next; next == "" {
			return docs, asks, nil
		}
	}
	return nil, false, problem.New(problem.Limited, "more than %d things wait for a person: dismiss by the evidence's own name, which the list shows",
		heldPagesMax*store.PageMax)
}

// dismiss takes one piece of evidence off the list. Whoever was first stays in it.
func (s *Service) dismiss(ctx context.Context, doc store.Doc, by string) error {
	for range conflictsMax {
		e, ok := openEvidence(doc)
		if !ok {
			return problem.New(problem.Internal, "the document %s is not evidence that can be read", doc.ID)
		}
		if !e.Ask || !e.DismissedAt.IsZero() {
			return nil
		}
		e.DismissedAt, e.DismissedBy = s.now(), nameOf(by)
		doc.Body, _ = json.Marshal(e) // strings, numbers and bytes always marshal
		doc.Keys, doc.Stamp = []string{dismissedKey(e.Number)}, store.NewStamp()
		kept, err := s.Store.Update(ctx, doc)
		switch {
		case err == nil:
			s.Log.InfoContext(ctx, "evidence dismissed", "evidence", doc.ID, "number", e.Number, "by", e.DismissedBy)
			return nil
		case !errors.Is(err, store.ErrConflict):
			return storeProblem(fmt.Errorf("dismiss %s: %w", doc.ID, err))
		case kept.ID == "":
			return nil // it has expired
		}
		doc = kept
	}
	return problem.New(problem.Unavailable, "the evidence is being changed by many at once, try again")
}

// openEvidence reads a document that is evidence.
func openEvidence(doc store.Doc) (e evidence, ok bool) {
	if doc.Kind() != KindEvidence {
		return evidence{}, false
	}
	return e, json.Unmarshal(doc.Body, &e) == nil
}

// evidenceName is how a person names one piece of evidence.
func evidenceName(doc store.Doc) string { return strings.TrimPrefix(doc.ID, string(KindEvidence)+"/") }

// nameOf cuts what a caller is called to what the history keeps of it.
func nameOf(by string) string {
	if by == "" || !printable(by) {
		return "operator"
	}
	return by[:min(len(by), operatorBytesMax)]
}
