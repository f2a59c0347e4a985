package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

func openTest(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newTest(t *testing.T) *Store { return openTest(t, filepath.Join(t.TempDir(), "x.db")) }

// on runs one batch in the owner's place and returns the answers.
func (s *Store) on(ctx context.Context, runs ...func() error) (answers []error) {
	var batch []write
	for _, run := range runs {
		batch = append(batch, write{ctx, run, make(chan error, 1)})
	}
	s.answer(batch)
	for _, w := range batch {
		answers = append(answers, <-w.done)
	}
	return answers
}

func (s *Store) creating(id string) func() error {
	return func() error { _, err := s.createNow(order(id), created); return err }
}

func (s *Store) updating(id string, version int64) func() error {
	doc := order(id)
	doc.Version, doc.Stamp = version, store.NewStamp()
	return func() error { _, err := s.updateNow(doc, created); return err }
}

func wantAnswers(t *testing.T, got []error, want ...error) {
	t.Helper()
	for i := range want {
		if !errors.Is(got[i], want[i]) {
			t.Errorf("write %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestWritesOfABatchSeeThoseBeforeThem(t *testing.T) {
	s := newTest(t)
	got := s.on(t.Context(), s.creating("order/a"), s.updating("order/a", 1), s.updating("order/a", 1),
		s.updating("order/a", 2), s.creating("order/b"), s.updating("order/c", 1))
	wantAnswers(t, got, nil, nil, store.ErrConflict, nil, nil, store.ErrConflict)
	for id, version := range map[string]int64{"order/a": 3, "order/b": 1} {
		if doc, err := s.Get(t.Context(), id); err != nil || doc.Version != version {
			t.Errorf("%s has version %d, error %v, want %d", id, doc.Version, err, version)
		}
	}
}

func TestABrokenWriteFailsNoOther(t *testing.T) {
	s := newTest(t)
	broken := errors.New("broken")
	for name, breakIt := range map[string]func() error{
		"breaks":                           func() error { return broken },
		"breaks after writing":             func() error { _ = s.creating("order/broken")(); return broken },
		"loses the transaction to SQLite":  func() error { _, _ = s.rollback.Exec(); return broken },
		"finds the connection interrupted": func() error { return fmt.Errorf("%w: %w", broken, context.Canceled) },
	} {
		t.Run("when it "+name, func(t *testing.T) {
			a, b := "order/a "+name, "order/b "+name
			wantAnswers(t, s.on(t.Context(), s.creating(a), breakIt, s.updating(a, 1), s.creating(b)), nil, broken, nil, nil)
			doc, err := s.Get(t.Context(), a)
			if err != nil || doc.Version != 2 {
				t.Errorf("version %d, error %v, want 2", doc.Version, err)
			}
			if _, err := s.Get(t.Context(), "order/broken"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the broken write is stored: %v", err)
			}
		})
	}
}

func TestAnEndedContextIsSkippedInItsBatch(t *testing.T) {
	s := newTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantAnswers(t, s.on(ctx, s.creating("order/a")), context.Canceled)
	wantAnswers(t, s.on(t.Context(), s.creating("order/a")), nil)
}

func TestAFullDiskIsAnErrorAndTheStoreGoesOn(t *testing.T) {
	s := newTest(t)
	s.exec(t, "PRAGMA max_page_count = 40")
	large := order("order/large")
	large.Body = make([]byte, store.BodyBytesMax)
	var err error
	for n := 0; err == nil && n < 10; n++ {
		large.ID = fmt.Sprintf("order/large-%d", n)
		_, err = s.Create(t.Context(), large)
	}
	if !store.Unknown(err) || !strings.Contains(err.Error(), "full") {
		t.Fatalf("error %v, want that the disk is full", err)
	}
	if _, err := s.Get(t.Context(), large.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half a document: %v", err)
	}
	s.exec(t, "PRAGMA max_page_count = 4000")
	if _, err := s.Create(t.Context(), large); err != nil {
		t.Error(err)
	}
}

func (s *Store) exec(t *testing.T, query string) {
	t.Helper()
	if _, err := s.conn.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestALockedFileIsAnErrorInTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	holder, s := openTest(t, path), openTest(t, path)
	holder.exec(t, "BEGIN IMMEDIATE")

	s.exec(t, "PRAGMA busy_timeout = 20")
	_, err := s.Create(t.Context(), order("order/a"))
	if !store.Unknown(err) || !strings.Contains(err.Error(), "locked") {
		t.Errorf("error %v, want that the file is locked", err)
	}
	s.exec(t, "PRAGMA busy_timeout = 500")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err = s.Create(ctx, order("order/a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
	if _, err := s.Get(t.Context(), "order/a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("reading beside a writer: %v", err)
	}
	holder.exec(t, "ROLLBACK")
	if _, err := s.Create(t.Context(), order("order/b")); err != nil {
		t.Error(err)
	}
}

func TestPurgeForgetsWhatHasExpired(t *testing.T) {
	s := newTest(t)
	s.now = func() time.Time { return created }
	for n := range 5 {
		doc := order(fmt.Sprintf("token/%d", n))
		doc.Expires = created.Add(time.Duration(n) * time.Hour)
		if n == 4 {
			doc.Expires = time.Time{}
		}
		if _, err := s.Create(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 1, 0} {
		if got, err := s.Purge(t.Context(), created.Add(2*time.Hour), 2); got != want || err != nil {
			t.Errorf("purged %d, error %v, want %d", got, err, want)
		}
	}
	var docs, keys int
	err := s.conn.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM docs), (SELECT count(*) FROM keys)").Scan(&docs, &keys)
	if err != nil || docs != 2 || keys != 2 {
		t.Errorf("%d documents and %d keys are left, error %v, want 2 and 2", docs, keys, err)
	}
}

// TestEveryListIsReadFromAnIndex: no plan scans a table or sorts.
func TestEveryListIsReadFromAnIndex(t *testing.T) {
	s := newTest(t)
	for name, query := range map[string]string{
		"get": queryGet, "due": queryDue, "by user": queryByUser, "count": queryCount, "find": queryFind, "update": queryUpdate, "forget": queryForget,
	} {
		rows, err := s.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		plan, err := collect(rows, err, func(row scanner) (step string, err error) {
			var id, parent, unused int
			return step, row.Scan(&id, &parent, &unused, &step)
		})
		text := strings.Join(plan, "; ")
		if err != nil || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP") {
			t.Errorf("%s: %s, error %v", name, text, err)
		}
	}
}

func TestStoreInASynctestBubble(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, path)
		doc := order("order/a")
		doc.Expires = time.Now().Add(time.Hour)
		if _, err := s.Create(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := s.Get(t.Context(), "order/a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("error %v, want expired", err)
		}
	})
}
