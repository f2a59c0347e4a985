package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
)

var created = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func order(id string) store.Doc {
	return store.Doc{ID: id, Created: created, Due: created, User: "alice", Keys: []string{"key"}, Body: []byte(id)}
}

// faultAt plans one fault.
func faultAt(n int, fault store.Fault) func(store.Call) store.Fault {
	return func(call store.Call) store.Fault {
		if call.N == n {
			return fault
		}
		return store.None
	}
}

func versionOf(t *testing.T, s store.Store, id string) int64 {
	t.Helper()
	doc, err := s.Get(t.Context(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return doc.Version
}

func TestFaultyFailsAsPlanned(t *testing.T) {
	for _, test := range []struct {
		sentence string
		fault    store.Fault
		stored   int64 // the version that is stored afterwards
		err      error
		crash    any
	}{
		{"no fault changes nothing", store.None, 2, nil, nil},
		{"a lost call does not reach the store", store.Lost, 1, store.ErrInjected, nil},
		{"a call that happened is an error all the same", store.Happened, 2, store.ErrInjected, nil},
		{"a crash before leaves the store as it was", store.CrashBefore, 1, nil, store.Crash{Op: "Update", N: 2}},
		{"a crash after comes when the write is done", store.CrashAfter, 2, nil, store.Crash{Op: "Update", N: 2}},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			inner := open(t)
			f := &store.Faulty{Store: inner, Plan: faultAt(2, test.fault)}
			doc, err := f.Create(t.Context(), order("order/a"))
			if err != nil {
				t.Fatal(err)
			}
			crash := recovered(func() { _, err = f.Update(t.Context(), doc) })
			if !errors.Is(err, test.err) || crash != test.crash {
				t.Errorf("error %v, crash %v; want %v, %v", err, crash, test.err, test.crash)
			}
			if got := versionOf(t, inner, "order/a"); got != test.stored {
				t.Errorf("version %d is stored, want %d", got, test.stored)
			}
			if !store.Unknown(store.ErrInjected) {
				t.Error("the outcome of an injected fault must be unknown")
			}
		})
	}
}

func recovered(run func()) (crash any) {
	defer func() { crash = recover() }()
	run()
	return nil
}

// callAll makes each call once; the suite has checked what they do.
func callAll(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	doc, err := s.Create(ctx, order("order/a"))
	_, errGet := s.Get(ctx, "order/a")
	_, errUpdate := s.Update(ctx, doc)
	refs, errDue := s.Due(ctx, created, 1)
	mine, next, errByUser := s.ByUser(ctx, "alice", "order", store.Page{})
	found, _, errFind := s.Find(ctx, "key", store.Page{})
	if err := errors.Join(err, errGet, errUpdate, errDue, errByUser, errFind); err != nil {
		t.Fatal(err)
	}
	if len(refs) != 1 || len(mine) != 1 || len(found) != 1 || next != "" {
		t.Fatal(refs, mine, found, next)
	}
}

func TestFaultyTellsThePlanOfEachCall(t *testing.T) {
	var calls []store.Call
	callAll(t, &store.Faulty{Store: open(t), Plan: func(call store.Call) store.Fault {
		calls = append(calls, call)
		return store.None
	}})
	want := []store.Call{
		{Op: "Create", N: 1, ID: "order/a", Write: true},
		{Op: "Get", N: 2, ID: "order/a"},
		{Op: "Update", N: 3, ID: "order/a", Write: true},
		{Op: "Due", N: 4},
		{Op: "ByUser", N: 5, ID: "alice"},
		{Op: "Find", N: 6, ID: "key"},
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
}

func TestCountedCountsByOperation(t *testing.T) {
	counted := &store.Counted{Store: &store.Faulty{Store: open(t)}}
	callAll(t, counted)
	want := store.Counts{Create: 1, Get: 1, Update: 1, Due: 1, ByUser: 1, Find: 1}
	got := counted.Take()
	if got != want || got.Reads() != 4 || got.Writes() != 2 {
		t.Errorf("counted %+v, %d reads, %d writes", got, got.Reads(), got.Writes())
	}
	if again := counted.Take(); again != (store.Counts{}) {
		t.Errorf("after Take: %+v", again)
	}
}

func TestFaultyAndCountedFromManyGoroutines(t *testing.T) {
	var mu sync.Mutex
	seen := map[int]bool{}
	counted := &store.Counted{Store: &store.Faulty{Store: open(t), Plan: func(call store.Call) store.Fault {
		mu.Lock()
		defer mu.Unlock()
		seen[call.N] = true
		return store.Lost
	}}}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { _, _ = counted.Get(context.Background(), "order/a") })
	}
	all.Wait()
	if got := counted.Take().Get; got != 100 || len(seen) != 100 {
		t.Errorf("%d calls counted, %d numbered, want 100", got, len(seen))
	}
}
