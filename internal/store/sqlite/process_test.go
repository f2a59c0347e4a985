package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
)

// The tests below start this test binary again as a second process; roles says what it can be.
const (
	roleEnv  = "STORE_TEST_ROLE"
	pathEnv  = "STORE_TEST_PATH"
	addsEach = 25
)

var roles = map[string]func(*sqlite.Store) error{"adder": adder, "creator": creator}

var day = time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)

func numbered(n int) store.Doc {
	return store.Doc{ID: fmt.Sprintf("order/%d", n), Created: day, Due: day, User: "alice", Keys: []string{"key"}}
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := play(roles[role]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func play(role func(*sqlite.Store) error) error {
	s, err := sqlite.Open(context.Background(), os.Getenv(pathEnv), sqlite.Options{})
	if err != nil {
		return err
	}
	return errors.Join(role(s), s.Close())
}

func process(t *testing.T, role, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, pathEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// adder adds one byte to a document, addsEach times, against whoever else does.
func adder(s *sqlite.Store) error {
	for range addsEach {
		doc, err := s.Get(context.Background(), "order/1")
		for err == nil {
			doc.Body = append(doc.Body, 'x')
			if doc, err = s.Update(context.Background(), doc); err == nil {
				break
			}
			if errors.Is(err, store.ErrConflict) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestHandlesAndProcessesLoseNoChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first, second := open(t, path, sqlite.Options{}), open(t, path, sqlite.Options{})
	if _, err := first.Create(t.Context(), numbered(1)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, run := range []func() error{
		func() error { return adder(first) }, func() error { return adder(first) },
		func() error { return adder(second) }, func() error { return adder(second) },
		process(t, "adder", path).Run, process(t, "adder", path).Run,
	} {
		all.Go(func() {
			if err := run(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	doc, err := second.Get(t.Context(), "order/1")
	if want := 6 * addsEach; err != nil || len(doc.Body) != want || doc.Version != int64(1+want) {
		t.Errorf("%d bytes, version %d, error %v; want %d bytes", len(doc.Body), doc.Version, err, want)
	}
}

// creator creates documents from four goroutines and prints the number of each that the store has accepted.
func creator(s *sqlite.Store) error {
	var all sync.WaitGroup
	for lane := range 4 {
		all.Go(func() {
			for n := lane; ; n += 4 {
				if _, err := s.Create(context.Background(), numbered(n)); err != nil {
					return
				}
				fmt.Println(n)
			}
		})
	}
	all.Wait()
	return nil
}

func TestWhatAKilledProcessHadStoredIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	cmd := process(t, "creator", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var accepted []int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var n int
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			break // the kill cut a line short
		}
		if accepted = append(accepted, n); len(accepted) == 200 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if len(accepted) < 200 {
		t.Fatalf("the other process stored %d documents only", len(accepted))
	}
	s := open(t, path, sqlite.Options{})
	for _, n := range accepted {
		if _, err := s.Get(t.Context(), numbered(n).ID); err != nil {
			t.Fatalf("document %d was accepted: %v", n, err)
		}
	}
	wantListed(t, s, len(accepted))
}

// wantListed checks that the lists agree and show at least so many documents.
func wantListed(t *testing.T, s *sqlite.Store, least int) {
	t.Helper()
	refs, err := s.Due(t.Context(), day, store.DueMax)
	if err != nil {
		t.Fatal(err)
	}
	found, page := 0, store.Page{Limit: store.PageMax}
	for more := true; more && found < store.DueMax; more = page.After != "" {
		docs, next, err := s.Find(t.Context(), "key", page)
		if err != nil {
			t.Fatal(err)
		}
		found, page.After = found+len(docs), next
	}
	if len(refs) < least || found != len(refs) {
		t.Errorf("%d are due, %d found by key, at least %d were accepted", len(refs), found, least)
	}
}
