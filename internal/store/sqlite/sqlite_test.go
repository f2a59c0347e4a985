package sqlite_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
	"github.com/xpay-serverless/xpay-serverless/internal/store/storetest"
)

func open(t testing.TB, path string, opt sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) { storetest.Run(t, harness) }

func harness(t *testing.T) storetest.Harness {
	var now atomic.Pointer[time.Time]
	setNow := func(to time.Time) { now.Store(&to) }
	setNow(time.Now())
	path := filepath.Join(t.TempDir(), "a b?c#d%41&e.db")
	opt := sqlite.Options{Now: func() time.Time { return *now.Load() }}
	return storetest.Harness{
		Store:  open(t, path, opt),
		Reopen: func() store.Store { return open(t, path, opt) },
		SetNow: setNow,
	}
}
