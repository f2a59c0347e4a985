package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		sentence string
		want     string
		path     func(t *testing.T, folder string) string
		opt      sqlite.Options
	}{
		{"the folder is missing", "folder is missing", func(_ *testing.T, folder string) string {
			return filepath.Join(folder, "no", "x.db")
		}, sqlite.Options{}},
		{"the path is a folder", "or the name is a folder's", func(_ *testing.T, folder string) string { return folder }, sqlite.Options{}},
		{"there is no path", "needs the name of a file", func(*testing.T, string) string { return "" }, sqlite.Options{}},
		{"the file is something else", "not a SQLite database", func(t *testing.T, folder string) string {
			return written(t, folder, bytes.Repeat([]byte("dear diary\n"), 500))
		}, sqlite.Options{}},
		{"the schema is newer", "newer release (schema 2, this one knows 1)", func(t *testing.T, folder string) string {
			return executed(t, folder, "CREATE TABLE docs (id); PRAGMA user_version = 2")
		}, sqlite.Options{}},
		{"the database is another program's", "another program", func(t *testing.T, folder string) string {
			return executed(t, folder, "CREATE TABLE bookmarks (url)")
		}, sqlite.Options{}},
		{"the mode is unknown", "FULL or NORMAL", func(_ *testing.T, folder string) string {
			return filepath.Join(folder, "x.db")
		}, sqlite.Options{Synchronous: "OFF; DROP TABLE docs"}},
	} {
		t.Run("when "+test.sentence, func(t *testing.T) {
			path := test.path(t, t.TempDir())
			before, _ := os.ReadFile(path)
			_, err := sqlite.Open(t.Context(), path, test.opt)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one sentence with %q", err, test.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func written(t *testing.T, folder string, content []byte) string {
	path := filepath.Join(folder, "x.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func executed(t *testing.T, folder, script string) string {
	path := filepath.Join(folder, "x.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestManyMayOpenANewFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			_, err = s.Create(t.Context(), store.Doc{ID: "order/a", Created: day})
			if err != nil && !errors.Is(err, store.ErrExists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestDamageIsAnErrorAndNoPanic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if _, err := s.Create(t.Context(), numbered(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + "-*"); len(left) > 0 {
		t.Errorf("after Close there is still %v", left)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := file.Stat()
	if _, err := file.WriteAt(bytes.Repeat([]byte{0xA5}, int(info.Size())-4096), 4096); err != nil { // all but the schema
		t.Fatal(err)
	}
	_ = file.Close()
	if s, err = sqlite.Open(t.Context(), path, sqlite.Options{}); err != nil {
		return // found at once
	}
	defer s.Close()
	_, err = s.Create(t.Context(), numbered(99))
	_, errGet := s.Get(t.Context(), "order/1")
	_, errDue := s.Due(t.Context(), day, 10)
	_, _, errList := s.ByUser(t.Context(), "alice", "order", store.Page{})
	for _, err := range []error{err, errGet, errDue, errList} {
		if !store.Unknown(err) || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("error %v, want SQLite's", err)
		}
	}
}

func TestAClosedStoreRefuses(t *testing.T) {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, errCreate := s.Create(context.Background(), numbered(1))
	_, errGet := s.Get(context.Background(), "order/1")
	if errCreate == nil || errGet == nil || errors.Is(errGet, store.ErrNotFound) {
		t.Error(errCreate, errGet)
	}
}
