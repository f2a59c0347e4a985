package e2e_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// memory is a store.Store for the fuzzers, which want speed and the same state before every input. It has no pages:
// a list is whole.
type memory struct {
	mu   sync.Mutex
	docs map[string]store.Doc
}

// wrap takes the place of the real store.
func (m *memory) wrap(store.Store) store.Store {
	m.docs = map[string]store.Doc{}
	return m
}

// keep remembers the state; calling what it returns goes back to it.
func (m *memory) keep() (reset func()) {
	kept := maps.Clone(m.docs)
	return func() { m.docs = maps.Clone(kept) }
}

func (m *memory) Create(_ context.Context, doc store.Doc) (store.Doc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := store.Check(doc); err != nil {
		return store.Doc{}, err
	}
	if old, taken := m.docs[doc.ID]; taken {
		return old, store.ErrExists
	}
	return m.put(doc, 1), nil
}

func (m *memory) put(doc store.Doc, version int64) store.Doc {
	doc = store.Rounded(doc)
	doc.Version, doc.Stamp = version, ""
	m.docs[doc.ID] = doc
	return store.Rounded(doc)
}

func (m *memory) Get(_ context.Context, id string) (store.Doc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	doc, ok := m.docs[id]
	if !ok {
		return store.Doc{}, store.ErrNotFound
	}
	return store.Rounded(doc), nil
}

func (m *memory) Peek(ctx context.Context, id string) (store.Doc, error) { return m.Get(ctx, id) }

func (m *memory) Update(_ context.Context, doc store.Doc) (store.Doc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := store.Check(doc); err != nil {
		return store.Doc{}, err
	}
	old, ok := m.docs[doc.ID]
	if !ok || old.Version != doc.Version {
		return old, store.ErrConflict
	}
	doc.Created = old.Created
	return m.put(doc, old.Version+1), nil
}

func (m *memory) Due(_ context.Context, now time.Time, limit int) ([]store.Ref, error) {
	var refs []store.Ref
	for _, doc := range m.list(func(d store.Doc) bool { return !d.Due.IsZero() && !d.Due.After(now) }) {
		refs = append(refs, store.Ref{ID: doc.ID, Due: doc.Due})
	}
	return refs[:min(limit, len(refs))], nil
}

func (m *memory) ByUser(_ context.Context, user string, kind store.Kind, _ store.Page) ([]store.Doc, string, error) {
	return m.list(func(d store.Doc) bool { return d.User == user && d.Kind() == kind }), "", nil
}

func (m *memory) Count(_ context.Context, user string, kind store.Kind, since time.Time, limit int) (int, error) {
	docs := m.list(func(d store.Doc) bool { return d.User == user && d.Kind() == kind && !d.Created.Before(since) })
	return min(len(docs), limit), nil
}

func (m *memory) Find(_ context.Context, key string, _ store.Page) ([]store.Doc, string, error) {
	return m.list(func(d store.Doc) bool { return slices.Contains(d.Keys, key) }), "", nil
}

func (m *memory) list(want func(store.Doc) bool) []store.Doc {
	m.mu.Lock()
	defer m.mu.Unlock()
	var docs []store.Doc
	for _, doc := range m.docs {
		if want(doc) {
			docs = append(docs, doc)
		}
	}
	slices.SortFunc(docs, func(a, b store.Doc) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
	return docs
}
