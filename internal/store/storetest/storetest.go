// Package storetest is the conformance suite of store.Store: every adapter passes Run unchanged.
//
// It assumes nothing about how fast a list learns of a write (Harness.Lag), how goroutines are scheduled, or which
// order documents with equal times have. Each test opens a store of its own, which must be empty.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// Harness is an empty store and what the suite may do around it.
type Harness struct {
	Store  store.Store
	Reopen func() store.Store // a second handle on the same data; nil where there is none
	Lag    time.Duration      // how long a list may lag behind a write; 0: not at all
	SetNow func(time.Time)    // moves the clock that decides what has expired; nil: it is the real one
}

// racers is how many goroutines contend.
const racers = 20

// Run runs the suite. open is called once per test and leaves the cleaning up to t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, group := range [][]test{writes, races, lists, expiry, values, limits, contexts} {
		for _, test := range group {
			t.Run(test.sentence, func(t *testing.T) {
				test.check(&suite{T: t, Harness: open(t), now: time.Now().UTC().Truncate(time.Second)})
			})
		}
	}
}

type test struct {
	sentence string
	check    func(*suite)
}

// suite is one test's store with helpers that end the test.
type suite struct {
	*testing.T
	Harness
	now time.Time // a whole second, close to the real time: a store may forget what expired long ago
}

// doc returns a document with every field set that can be listed by.
func (s *suite) doc(id string) store.Doc {
	return store.Doc{
		ID: id, Created: s.now.Add(123 * time.Millisecond), Due: s.now.Add(time.Hour), User: "alice",
		Keys: []string{"key-of-" + id}, Expires: s.now.Add(24 * time.Hour), Body: []byte("body of " + id),
	}
}

// plain returns a document that no list shows.
func (s *suite) plain(id string) store.Doc {
	return store.Doc{ID: id, Created: s.now, Body: []byte(id)}
}

func (s *suite) create(doc store.Doc) store.Doc {
	s.Helper()
	got, err := s.Store.Create(s.Context(), doc)
	s.ok(err)
	return got
}

func (s *suite) update(doc store.Doc) store.Doc {
	s.Helper()
	got, err := s.Store.Update(s.Context(), doc)
	s.ok(err)
	return got
}

func (s *suite) get(id string) store.Doc {
	s.Helper()
	got, err := s.Store.Get(s.Context(), id)
	s.ok(err)
	return got
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) wantErr(got, want error) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Fatalf("error %v, want %v", got, want)
	}
}

// same compares documents; nil and empty lists and bodies are the same.
func (s *suite) same(what string, got, want any) {
	s.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// soon repeats a look at a list until it shows what is wanted, or Lag has passed.
func (s *suite) soon(what string, want any, look func() (any, error)) {
	s.Helper()
	for deadline := time.Now().Add(s.Lag); ; time.Sleep(20 * time.Millisecond) {
		got, err := look()
		s.ok(err)
		if cmp.Equal(want, got, cmpopts.EquateEmpty()) || time.Now().After(deadline) {
			s.same(what, got, want)
			return
		}
	}
}

func (s *suite) wantDue(now time.Time, limit int, want ...store.Ref) {
	s.Helper()
	s.soon("due", want, func() (any, error) { return s.Store.Due(s.Context(), now, limit) })
}

func (s *suite) wantByUser(user string, kind store.Kind, ids ...string) {
	s.Helper()
	s.soon("documents of "+user, ids, func() (any, error) {
		return s.walk(2, func(ctx context.Context, page store.Page) ([]store.Doc, string, error) {
			return s.Store.ByUser(ctx, user, kind, page)
		}, nil)
	})
}

func (s *suite) wantFind(key string, ids ...string) {
	s.Helper()
	s.soon("documents with "+key, ids, func() (any, error) {
		return s.walk(2, func(ctx context.Context, page store.Page) ([]store.Doc, string, error) {
			return s.Store.Find(ctx, key, page)
		}, nil)
	})
}

type lister = func(context.Context, store.Page) ([]store.Doc, string, error)

// walk follows the cursors of a list to its end and returns the ids; between, if set, runs after each part.
func (s *suite) walk(limit int, list lister, between func()) (ids []string, _ error) {
	page := store.Page{Limit: limit}
	for range 1000 {
		docs, next, err := list(s.Context(), page)
		if err != nil || len(docs) > limit {
			s.Fatalf("a part of %d documents (limit %d), error %v", len(docs), limit, err)
		}
		for _, doc := range docs {
			ids = append(ids, doc.ID)
		}
		if next == "" {
			return ids, nil
		}
		if between != nil {
			between()
		}
		page.After = next
	}
	s.Fatal("a list has no end")
	return nil, nil
}
