package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

const (
	fields = "SELECT docs.id, version, stamp, docs.created, due, user, keys, expires, body FROM "
	live   = " AND (expires IS NULL OR expires > ?) "

	queryGet    = fields + "docs WHERE id = ?"
	queryDue    = "SELECT id, due FROM docs WHERE due <= ?" + live + "ORDER BY due, id LIMIT ?"
	queryByUser = fields + "docs WHERE user = ? AND kind = ? AND (created, id) < (?, ?)" + live +
		"ORDER BY created DESC, id DESC LIMIT ?"
	queryCount = "SELECT id FROM docs WHERE user = ? AND kind = ? AND created >= ?" + live + "LIMIT ?"
	queryFind  = fields + "keys CROSS JOIN docs USING (id) WHERE key = ? AND (keys.created, keys.id) < (?, ?)" + live +
		"ORDER BY keys.created DESC, keys.id DESC LIMIT ?"

	queryCreate = `INSERT INTO docs (id, kind, version, stamp, created, due, user, keys, expires, body)
		VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET version = 1, stamp = excluded.stamp,
		created = excluded.created, due = excluded.due, user = excluded.user, keys = excluded.keys,
		expires = excluded.expires, body = excluded.body WHERE docs.expires <= ?`
	queryUpdate = `UPDATE docs SET version = version + 1, stamp = ?, due = ?, user = ?, keys = ?, expires = ?, body = ?
		WHERE id = ? AND version = ?` + live + "RETURNING created"
	queryForget = "DELETE FROM docs WHERE rowid IN (SELECT rowid FROM docs WHERE expires <= ? ORDER BY expires LIMIT ?)"
)

type preparer interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

// prepare keeps every statement prepared, the readers' and the owner's.
func (s *Store) prepare(ctx context.Context) (err error) {
	for _, p := range []struct {
		stmt  **sql.Stmt
		on    preparer
		query string
	}{
		{&s.get, s.readers, queryGet},
		{&s.due, s.readers, queryDue},
		{&s.byUser, s.readers, queryByUser},
		{&s.count, s.readers, queryCount},
		{&s.find, s.readers, queryFind},
		{&s.begin, s.conn, "BEGIN IMMEDIATE"},
		{&s.commit, s.conn, "COMMIT"},
		{&s.rollback, s.conn, "ROLLBACK"},
		{&s.stored, s.conn, queryGet},
		{&s.create, s.conn, queryCreate},
		{&s.update, s.conn, queryUpdate},
		{&s.forget, s.conn, queryForget},
	} {
		if *p.stmt, err = p.on.PrepareContext(ctx, p.query); err != nil {
			return err
		}
		s.toClose = append(s.toClose, *p.stmt)
	}
	return nil
}

var _ store.Store = (*Store)(nil)

// Create: see store.Store.
func (s *Store) Create(ctx context.Context, doc store.Doc) (store.Doc, error) {
	return s.put(ctx, "create", doc, s.createNow)
}

// Update: see store.Store.
func (s *Store) Update(ctx context.Context, doc store.Doc) (store.Doc, error) {
	return s.put(ctx, "update", doc, s.updateNow)
}

// put checks and completes a document, has the owner write it, and hands back no stamp.
func (s *Store) put(ctx context.Context, op string, doc store.Doc,
	write func(store.Doc, time.Time) (store.Doc, error)) (store.Doc, error) {
	if err := store.Check(doc); err != nil {
		return store.Doc{}, err
	}
	now := s.now()
	doc = store.Rounded(doc)
	doc.Stamp = cmp.Or(doc.Stamp, store.NewStamp())
	got, err := submit(ctx, s, func() (store.Doc, error) { return write(doc, now) })
	got.Stamp = ""
	return got, failed(op+" "+doc.ID, err)
}

func (s *Store) createNow(doc store.Doc, now time.Time) (store.Doc, error) {
	doc.Version = 1
	result, err := s.create.Exec(doc.ID, string(doc.Kind()), doc.Stamp, doc.Created.UnixMilli(), millis(doc.Due),
		text(doc.User), keysText(doc.Keys), seconds(doc.Expires), doc.Body, now.Unix())
	if err != nil {
		return store.Doc{}, err
	}
	if rows, _ := result.RowsAffected(); rows == 1 {
		return doc, nil
	}
	stored, err := scanStamped(s.stored.QueryRow(doc.ID))
	if err == nil && !(stored.Stamp == doc.Stamp && stored.Version == 1) {
		err = store.ErrExists
	}
	return stored, err
}

func (s *Store) updateNow(doc store.Doc, now time.Time) (store.Doc, error) {
	var created int64
	err := s.update.QueryRow(doc.Stamp, millis(doc.Due), text(doc.User), keysText(doc.Keys), seconds(doc.Expires),
		doc.Body, doc.ID, doc.Version, now.Unix()).Scan(&created)
	doc.Version++
	if err == nil {
		doc.Created = time.UnixMilli(created).UTC()
		return doc, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return store.Doc{}, err
	}
	stored, err := scanStamped(s.stored.QueryRow(doc.ID))
	switch {
	case err == nil && stored.Stamp == doc.Stamp && stored.Version == doc.Version:
		return stored, nil // this very write, repeated
	case errors.Is(err, sql.ErrNoRows), err == nil && stored.Expired(now):
		return store.Doc{}, store.ErrConflict
	case err == nil:
		return stored, store.ErrConflict
	}
	return store.Doc{}, err
}

// Get: see store.Store.
func (s *Store) Get(ctx context.Context, id string) (store.Doc, error) {
	doc, err := scan(s.get.QueryRowContext(ctx, id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && doc.Expired(s.now()) {
		return store.Doc{}, store.ErrNotFound
	}
	return doc, failed("get "+id, err)
}

// Peek: see store.Store. It never lags.
func (s *Store) Peek(ctx context.Context, id string) (store.Doc, error) { return s.Get(ctx, id) }

// Due: see store.Store. It never lags.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]store.Ref, error) {
	if err := store.CheckDue(limit); err != nil {
		return nil, err
	}
	rows, err := s.due.QueryContext(ctx, now.UnixMilli(), s.now().Unix(), limit)
	refs, err := collect(rows, err, func(row scanner) (ref store.Ref, err error) {
		var due int64
		err = row.Scan(&ref.ID, &due)
		ref.Due = time.UnixMilli(due).UTC()
		return ref, err
	})
	return refs, failed("due", err)
}

// ByUser: see store.Store. It never lags, and only the last part is short.
func (s *Store) ByUser(ctx context.Context, user string, kind store.Kind, page store.Page) ([]store.Doc, string, error) {
	return s.list(ctx, s.byUser, page, user, string(kind))
}

// Count: see store.Store. It never lags and counts nothing that has expired.
func (s *Store) Count(ctx context.Context, user string, kind store.Kind, since time.Time, limit int) (int, error) {
	if err := store.CheckCount(limit); err != nil {
		return 0, err
	}
	rows, err := s.count.QueryContext(ctx, user, string(kind), since.UnixMilli(), s.now().Unix(), limit)
	ids, err := collect(rows, err, func(row scanner) (id string, err error) { return id, row.Scan(&id) })
	return len(ids), failed("count", err)
}

// Find: see store.Store. It never lags, and only the last part is short.
func (s *Store) Find(ctx context.Context, key string, page store.Page) ([]store.Doc, string, error) {
	return s.list(ctx, s.find, page, key)
}

// list asks for one document more than the page holds, to know whether another part follows.
func (s *Store) list(ctx context.Context, query *sql.Stmt, page store.Page, by ...any) ([]store.Doc, string, error) {
	limit, after, err := store.CheckPage(page)
	if err != nil {
		return nil, "", err
	}
	created := after.Created.UnixMilli()
	if page.After == "" {
		created = math.MaxInt64
	}
	rows, err := query.QueryContext(ctx, append(by, created, after.ID, s.now().Unix(), limit+1)...)
	docs, err := collect(rows, err, scan)
	if err != nil || len(docs) <= limit {
		return docs, "", failed("list", err)
	}
	return docs[:limit], store.CursorAt(docs[limit-1]).String(), nil
}

// Purge forgets up to limit documents that have expired by now, and says how many. An answer below limit: all.
func (s *Store) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	gone, err := submit(ctx, s, func() (int64, error) {
		result, err := s.forget.Exec(now.Unix(), max(limit, 0))
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	})
	return int(gone), failed("purge", err)
}

func failed(what string, err error) error {
	if store.Unknown(err) {
		return fmt.Errorf("sqlite: %s: %w", what, err)
	}
	return err
}
