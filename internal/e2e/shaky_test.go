package e2e_test

import (
	"context"
	"strings"
	"sync"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// shaky is a store whose updates of orders fail as a test wants, counted from when it wants.
type shaky struct {
	store.Store
	mu       sync.Mutex
	skip     int // updates that still work
	times    int // updates that fail after them
	happened bool
	err      error
	panics   bool
}

func (s *shaky) wrap(inner store.Store) store.Store {
	s.Store = inner
	return s
}

// fail lets skip updates work, then makes times of them fail: lost, or done with the answer lost.
func (s *shaky) fail(skip, times int, happened bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skip, s.times, s.happened, s.err = skip, times, happened, err
}

func (s *shaky) strikes(id string) (yes, happened, panics bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(id, "order/") || s.times == 0 {
		return false, false, false, nil
	}
	if s.skip > 0 {
		s.skip--
		return false, false, false, nil
	}
	s.times--
	return true, s.happened, s.panics, s.err
}

func (s *shaky) Update(ctx context.Context, doc store.Doc) (store.Doc, error) {
	yes, happened, panics, err := s.strikes(doc.ID)
	if !yes {
		return s.Store.Update(ctx, doc)
	}
	if happened {
		if _, err := s.Store.Update(ctx, doc); err != nil {
			return store.Doc{}, err
		}
	}
	if panics {
		panic("the store broke: " + appSecret) // the worst that could stand in a panic
	}
	if err == store.ErrConflict { //nolint:errorlint // set by the test
		now, getErr := s.Store.Get(ctx, doc.ID)
		if getErr != nil {
			return store.Doc{}, getErr
		}
		return now, store.ErrConflict
	}
	return store.Doc{}, err
}
