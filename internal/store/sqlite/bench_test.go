package sqlite

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// go test -run - -bench Due ./internal/store/sqlite -rows 1000000
var rows = flag.Int("rows", 0, "BenchmarkDue: also with so many documents stored")

var created = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// load stores n orders of about 1 KiB in one transaction, 100 of them (at most) due at created.
func (s *Store) load(ctx context.Context, n int) error {
	_, err := s.conn.ExecContext(ctx, `
		WITH RECURSIVE seq (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM seq WHERE i < ?1 - 1)
		INSERT INTO docs (id, kind, version, stamp, created, due, user, body)
		SELECT 'order/load-' || i, 'order', 1, '', ?2 + i, CASE WHEN i % max(?1 / 100, 1) = 0 THEN ?2 ELSE ?2 + 1000 + i END,
		       'user-' || (i % 1000), randomblob(1000) FROM seq`, n, created.UnixMilli())
	return err
}

func openBench(b *testing.B, synchronous string) *Store {
	b.Helper()
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), Options{Synchronous: synchronous})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// eachMode runs a benchmark FULL and NORMAL, with 1 and with 16 writers; run makes the n-th write of one writer.
func eachMode(b *testing.B, run func(b *testing.B, s *Store, writer, n int)) {
	for _, synchronous := range []string{"FULL", "NORMAL"} {
		for _, writers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/writers=%d", synchronous, writers), func(b *testing.B) {
				s := openBench(b, synchronous)
				for writer := range writers {
					put(b, s, writer)
				}
				b.ReportAllocs()
				b.ResetTimer()
				share(b.N, writers, func(writer, n int) { run(b, s, writer, n) })
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			})
		}
	}
}

func share(total, writers int, run func(writer, n int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for writer := range writers {
		all.Go(func() {
			for n := int(next.Add(1)); n <= total; n = int(next.Add(1)) {
				run(writer, n)
			}
		})
	}
	all.Wait()
}

func put(b *testing.B, s *Store, writer int) {
	_, err := s.Create(b.Context(), order(fmt.Sprintf("order/writer-%d", writer)))
	if err != nil {
		b.Fatal(err)
	}
}

func order(id string) store.Doc {
	return store.Doc{ID: id, Created: created, Due: created, User: "alice", Keys: []string{"key/" + id}, Body: make([]byte, 1000)}
}

// BenchmarkGetUpdate is one (get, compare-and-swap) pair, each writer on a document of its own.
func BenchmarkGetUpdate(b *testing.B) {
	eachMode(b, func(b *testing.B, s *Store, writer, n int) {
		doc, err := s.Get(b.Context(), fmt.Sprintf("order/writer-%d", writer))
		if err != nil {
			b.Error(err)
		}
		doc.Due = doc.Due.Add(time.Second)
		if _, err = s.Update(b.Context(), doc); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkCreate(b *testing.B) {
	eachMode(b, func(b *testing.B, s *Store, writer, n int) {
		if _, err := s.Create(b.Context(), order(fmt.Sprintf("order/%d", n))); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkDue asks for 100 due documents among n stored.
func BenchmarkDue(b *testing.B) {
	for _, n := range []int{1000, 100_000, *rows} {
		if n > 0 {
			b.Run(fmt.Sprintf("stored=%d", n), func(b *testing.B) { benchmarkDue(b, n) })
		}
	}
}

func benchmarkDue(b *testing.B, n int) {
	s := openBench(b, "NORMAL")
	if err := s.load(b.Context(), n); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if refs, err := s.Due(b.Context(), created, 100); err != nil || len(refs) != 100 {
			b.Fatal(len(refs), err)
		}
	}
}
