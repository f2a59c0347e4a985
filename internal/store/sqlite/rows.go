package sqlite

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// How a document's fields become columns and come back. What is not set is NULL, so that no index holds it.

func millis(t time.Time) sql.Null[int64] {
	return sql.Null[int64]{V: t.UnixMilli(), Valid: !t.IsZero()}
}

func seconds(t time.Time) sql.Null[int64] { return sql.Null[int64]{V: t.Unix(), Valid: !t.IsZero()} }

func text(s string) sql.Null[string] { return sql.Null[string]{V: s, Valid: s != ""} }

func keysText(keys []string) sql.Null[string] {
	raw, _ := json.Marshal(keys) // strings cannot fail
	return sql.Null[string]{V: string(raw), Valid: len(keys) > 0}
}

type scanner interface{ Scan(...any) error }

// scan reads a document as the port returns it, without its stamp.
func scan(row scanner) (store.Doc, error) {
	d, err := scanStamped(row)
	d.Stamp = ""
	return d, err
}

func scanStamped(row scanner) (d store.Doc, err error) {
	var created int64
	var due, expires sql.Null[int64]
	var user, keys sql.Null[string]
	if err := row.Scan(&d.ID, &d.Version, &d.Stamp, &created, &due, &user, &keys, &expires, &d.Body); err != nil {
		return store.Doc{}, err
	}
	d.Created, d.User = time.UnixMilli(created).UTC(), user.V
	if due.Valid {
		d.Due = time.UnixMilli(due.V).UTC()
	}
	if expires.Valid {
		d.Expires = time.Unix(expires.V, 0).UTC()
	}
	if keys.Valid {
		err = json.Unmarshal([]byte(keys.V), &d.Keys)
	}
	return d, err
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, err error, read func(scanner) (T, error)) (all []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := read(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
