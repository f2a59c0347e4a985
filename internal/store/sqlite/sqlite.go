// Package sqlite keeps documents in one SQLite file: the embedded, durable store of a single machine. It is pure Go.
//
// The file is in WAL mode, so beside "x.db" lie "x.db-wal" and "x.db-shm"; the three belong together until Close.
// Any number of processes may open the file at once; one writes at a time, the others wait up to busyMillis. A write
// that has returned nil survives the death of the process, and with synchronous=FULL that of the machine.
//
// One goroutine owns the writing connection (owner.go). A Store used inside a testing/synctest bubble must be opened,
// and closed, in that bubble.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
)

const (
	schemaVersion  = 1    // PRAGMA user_version
	busyMillis     = 5000 // how long a statement waits for another process
	readersDefault = 4    // reads are short and the machines small
	batchMax       = 64   // writes in one transaction: bounds how long the first of them waits
)

//go:embed schema.sql
var schema string

// Options may be left zero.
type Options struct {
	Synchronous string           // FULL (default), or NORMAL: faster, but a power cut may take the last writes back
	Now         func() time.Time // decides what has expired; nil: time.Now. Called by the caller's goroutine only
	Readers     int              // reads that run at one time; 0: 4
}

// Store is a store.Store. Close it.
type Store struct {
	now     func() time.Time
	readers *sql.DB
	conn    *sql.Conn // the only one that writes; the owner's

	get, due, byUser, count, find                           *sql.Stmt // on readers
	begin, commit, rollback, stored, create, update, forget *sql.Stmt // on conn

	toClose []io.Closer // in the order of opening. A statement of a Conn must be closed, or its file stays open

	writes        chan write
	quit, stopped chan struct{}
	closing       sync.Once
}

// Open opens the file, or makes a new one in a folder that exists. Its error is one sentence for a person.
func Open(ctx context.Context, path string, opt Options) (*Store, error) {
	s := &Store{now: opt.Now, writes: make(chan write), quit: make(chan struct{}), stopped: make(chan struct{})}
	if s.now == nil {
		s.now = time.Now
	}
	err := s.open(ctx, path, opt)
	if err == nil {
		go s.own()
		return s, nil
	}
	close(s.stopped)
	_ = s.Close()
	return nil, explain(path, err)
}

// Close waits for the writes that the owner has taken, and closes the file; later calls fail. Twice is harmless.
func (s *Store) Close() error {
	var errs []error
	s.closing.Do(func() {
		close(s.quit)
		<-s.stopped
		for _, c := range slices.Backward(s.toClose) {
			errs = append(errs, c.Close())
		}
	})
	return errors.Join(errs...)
}

func (s *Store) open(ctx context.Context, path string, opt Options) error {
	synchronous := cmp.Or(opt.Synchronous, "FULL")
	if synchronous != "FULL" && synchronous != "NORMAL" {
		return fmt.Errorf("synchronous must be FULL or NORMAL, not %q", synchronous)
	}
	if path == "" || path == ":memory:" {
		return errors.New("a store needs the name of a file")
	}
	file, err := s.connect(path, 1, "&_synchronous="+synchronous)
	if err != nil {
		return err
	}
	if s.conn, err = file.Conn(ctx); err != nil {
		return err
	}
	s.toClose = append(s.toClose, s.conn)
	if err = install(ctx, s.conn); err != nil {
		return err
	}
	if s.readers, err = s.connect(path, cmp.Or(opt.Readers, readersDefault), "&_query_only=1"); err != nil {
		return err
	}
	return s.prepare(ctx)
}

func (s *Store) connect(path string, conns int, params string) (*sql.DB, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	uri := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(full), "/")}
	db, err := sql.Open("sqlite", fmt.Sprintf("%s?_error_rc=1&_busy_timeout=%d%s", uri.String(), busyMillis, params))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	s.toClose = append(s.toClose, db)
	return db, nil
}

// install makes the tables of a new file. It changes nothing in a file that is not ours.
func install(ctx context.Context, conn *sql.Conn) error {
	var version, tables int
	row := conn.QueryRowContext(ctx, "SELECT (SELECT user_version FROM pragma_user_version), count(*) FROM sqlite_schema")
	if err := row.Scan(&version, &tables); err != nil {
		return err
	}
	switch {
	case version > schemaVersion:
		return fmt.Errorf("it was written by a newer release (schema %d, this one knows %d)", version, schemaVersion)
	case version < schemaVersion && tables > 0:
		return errors.New("it is the database of another program")
	}
	var journal string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&journal); err != nil {
		return err
	}
	if journal != "wal" {
		return errors.New("its file system cannot share memory; choose a local disk")
	}
	if version == schemaVersion {
		return nil
	}
	_, err := conn.ExecContext(ctx, schema) // one transaction; another process may have been faster: nothing happens
	return err
}

// reasons says what a person can do about SQLite's primary result codes.
var reasons = map[int]string{
	5:  "another program keeps it locked",
	8:  "this user may not write it",
	10: "the disk reports an error",
	11: "it is damaged; restore a backup",
	13: "the disk is full",
	14: "the folder is missing or closed to this user, or the name is a folder's",
	26: "it is not a SQLite database",
}

func explain(path string, err error) error {
	var failed *sqlite.Error
	if errors.As(err, &failed) {
		if reason := reasons[failed.Code()&0xff]; reason != "" {
			err = fmt.Errorf("%s (%w)", reason, err)
		}
	}
	return fmt.Errorf("cannot open the store %q: %w", path, err)
}
