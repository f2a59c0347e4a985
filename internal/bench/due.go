package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
)

const (
	dueQueries = 50
	dueCount   = 100
	dueBody    = 1000 // bytes: an order that was delivered
)

var dueStored = []int{1_000, 100_000, 1_000_000}

// dueFigures is the due query over one store.
type dueFigures struct {
	Stored int     `json:"stored"`
	Micros float64 `json:"micros"`
	Ratio  float64 `json:"toFirst"`
}

// due asks three stores in turns for the same 100 due documents.
func (b *bench) due(ctx context.Context, r *report) (err error) {
	dir := filepath.Join(b.dir, "due")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var stores []*sqlite.Store
	for _, n := range dueStored {
		progress("storing %d documents", n)
		s, err := filled(ctx, filepath.Join(dir, strconv.Itoa(n)), n)
		if err != nil {
			return fmt.Errorf("store %d documents: %w", n, err)
		}
		defer s.Close()
		stores = append(stores, s)
	}
	took := make([][]float64, len(stores))
	for round := range dueQueries {
		progress("due query %d of %d", round+1, dueQueries)
		for k := range stores {
			i := (k + round) % len(stores)
			micros, err := askDue(ctx, stores[i])
			if err != nil {
				return fmt.Errorf("due query over %d: %w", dueStored[i], err)
			}
			took[i] = append(took[i], micros)
		}
	}
	for i, n := range dueStored {
		r.Due = append(r.Due, dueFigures{n, median(took[i]), median(took[i]) / median(took[0])})
	}
	printDue(b, r.Due)
	return nil
}

var dueAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func askDue(ctx context.Context, s *sqlite.Store) (micros float64, err error) {
	start := time.Now()
	refs, err := s.Due(ctx, dueAt, dueCount)
	took := time.Since(start)
	if err == nil && len(refs) != dueCount {
		err = fmt.Errorf("%d are due, expected %d", len(refs), dueCount)
	}
	return float64(took) / float64(time.Microsecond), err
}

// filled makes a store with n orders, 100 of them due at dueAt, the others later. The port has no bulk loader, so the
// rows go into the file behind its back, by the schema that the store itself made, in one statement without a journal.
func filled(ctx context.Context, dir string, n int) (*sqlite.Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "orders.db")
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	if err := fill(ctx, path, n); err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, path, sqlite.Options{Synchronous: "NORMAL"})
}

func fill(ctx context.Context, path string, n int) (err error) {
	db, err := sql.Open("sqlite", path) // the driver comes with package sqlite
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	for _, pragma := range []string{"journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"} {
		if _, err := db.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, `
		WITH RECURSIVE seq (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM seq WHERE i < ?1 - 1)
		INSERT INTO docs (id, kind, version, stamp, created, due, user, body)
		SELECT printf('order/load-%07d', i), 'order', 1, '', ?2 + i, CASE WHEN i % (?1 / ?3) = 0 THEN ?2 ELSE ?2 + 1000 + i END,
		       printf('user-%07d', i), zeroblob(?4) FROM seq`, n, dueAt.UnixMilli(), dueCount, dueBody)
	return err
}

func printDue(b *bench, all []dueFigures) {
	rows := [][]string{{"documents stored", "us", "to the first"}}
	for _, f := range all {
		rows = append(rows, []string{strconv.Itoa(f.Stored), fmt.Sprintf("%.0f", f.Micros), fmt.Sprintf("%.2f", f.Ratio)})
	}
	table(b.out, fmt.Sprintf("The due query, %d due (SQLite, medians of %d, interleaved)", dueCount, dueQueries), rows...)
}
