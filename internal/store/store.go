// Package store is the one port through which everything durable passes: small documents with a version, a due
// time and a few look-up keys. DynamoDB (package dynamo) and SQLite (package sqlite) implement it, and
// package storetest holds the suite that both must pass.
//
// # What an adapter guarantees
//
//   - Calls for one id are serializable, also across processes. A write is durable when it returns nil.
//   - Create and Update are conditional, never blind: the first writer wins, the loser is told so by
//     ErrExists or ErrConflict and loses nothing that was stored.
//   - Every write carries a Stamp. A write that is repeated with the stamp it had before (because its answer was
//     lost on the way) succeeds if the first one happened and nobody wrote since; it is not a conflict with itself.
//   - No document that the store returns carries a Stamp. Two writers who read the same version would otherwise both
//     write with the stamp they read, and the loser would take the winner's write for its own.
//   - Peek, Due, ByUser, Count and Find may lag behind the writes by seconds: who acts on what they return reads the
//     document again or writes conditionally.
//   - An error that is none of the sentinels below means that the outcome is unknown: the write may have happened, or
//     may still happen when the context ended first, whole or not at all. Unknown tells them apart.
//   - Times come back in UTC, rounded down to the precision named at their field.
//   - An id, user or key that breaks a limit, or is empty, is in no store: Get says ErrNotFound, lists are empty.
//
// Ids carry the kind of the document in front ("order/…", "user/…"), so that one keyspace serves every feature.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// Kind names what a document is. It is the part of the id before the first slash.
type Kind string

// Doc is one document. Body is opaque to the store; the other fields are what the store can search by.
type Doc struct {
	ID      string    // "<kind>/<name>", neither part empty, at most IDBytesMax bytes; never reused for something else
	Version int64     // set by the store: 1 after Create (also over an expired document), one more after each Update
	Stamp   string    // identifies one write: fresh for each, or empty for the adapter to fill; never returned
	Created time.Time // required. Sort key of ByUser and Find, newest first; Update ignores it; millisecond precision
	Due     time.Time // when somebody must look at it again; zero: never. Millisecond precision
	User    string    // lists the document under ByUser; empty: under nobody
	Keys    []string  // lists the document under Find, at most KeysMax, a repeated one counts once; replaced as a whole
	Expires time.Time // from then on it counts as not stored; zero: never. Second precision
	Body    []byte    // at most BodyBytesMax
}

// Kind returns the part of the id before the first slash.
func (d Doc) Kind() Kind { return KindOf(d.ID) }

// KindOf returns the part of an id before the first slash, or "" for an id without one.
func KindOf(id string) Kind {
	kind, _, ok := strings.Cut(id, "/")
	if !ok {
		return ""
	}
	return Kind(kind)
}

// Ref points at a document that is due.
type Ref struct {
	ID  string
	Due time.Time
}

// Page asks for a part of a list. The zero Page is the first PageDefault documents.
type Page struct {
	Limit int    // at most PageMax; 0 means PageDefault
	After string // the cursor that the previous part returned; "" starts at the newest
}

// Limits that every adapter enforces with ErrInvalid (Check, CheckPage, CheckDue), so that a document which fits one
// store fits all. Besides: texts are UTF-8 without control characters, times lie in the years 1970 to 9999.
const (
	IDBytesMax   = 256
	KeyBytesMax  = 256      // of a key, a user, a stamp
	KeysMax      = 4        // DynamoDB spends one index on each
	BodyBytesMax = 64 << 10 // DynamoDB's item limit is 400 KiB; an order stays under 32 KiB
	PageDefault  = 20
	PageMax      = 100
	DueMax       = 1000 // most references one Due call returns
)

var (
	// ErrExists: Create found the id taken. The stored document is returned beside it.
	ErrExists = errors.New("document exists")
	// ErrNotFound: no document has this id, or it has expired.
	ErrNotFound = errors.New("document not found")
	// ErrConflict: Update's version is not the stored one (or nothing is stored). The stored document is returned
	// beside it when there is one. Nothing was written; read again, decide again.
	ErrConflict = errors.New("document was changed by another writer")
	// ErrInvalid: the document, page or cursor breaks a limit above. Nothing was written, and no repeat will succeed.
	ErrInvalid = errors.New("document breaks a limit of the store")
)

// Store keeps documents. Its contract is the package comment; storetest checks it.
type Store interface {
	// Create stores a document that must not exist yet and returns it with Version 1.
	// If the id is taken it returns the stored document and ErrExists, without a second read.
	// An expired document does not count as existing: it is replaced, and versions start at 1 again.
	Create(ctx context.Context, doc Doc) (Doc, error)
	// Get returns the document as the last finished write left it (a consistent read), or ErrNotFound.
	Get(ctx context.Context, id string) (Doc, error)
	// Peek is Get at half the price: it returns the document as some finished write left it, perhaps not the last one, or
	// ErrNotFound, perhaps of a document that was just created. It is for documents that never change, and for writers, whose
	// write fails when the document has changed.
	Peek(ctx context.Context, id string) (Doc, error)
	// Update replaces the document whose stored version is doc.Version (compare-and-swap) and returns it with the
	// next version, or the stored document and ErrConflict. Created cannot change: the stored one stays and is returned.
	// When nothing is stored, or it has expired, ErrConflict comes with the zero Doc.
	Update(ctx context.Context, doc Doc) (Doc, error)
	// Due returns up to limit (1 to DueMax) documents of all kinds whose Due is not after now, earliest first.
	Due(ctx context.Context, now time.Time, limit int) ([]Ref, error)
	// ByUser returns a user's documents of one kind, newest first, and the cursor of the next part ("" at the end).
	// A part may be shorter than its limit, even empty, before the end: only the cursor says that it is the last.
	ByUser(ctx context.Context, user string, kind Kind, page Page) ([]Doc, string, error)
	// Count tells how many of a user's documents of one kind were created at since or later, at most limit (1 to PageMax). It
	// does not read them, so it lags as ByUser does and may count those that have expired.
	Count(ctx context.Context, user string, kind Kind, since time.Time, limit int) (int, error)
	// Find returns the documents that carry a key, of all kinds, in parts as ByUser does.
	Find(ctx context.Context, key string, page Page) ([]Doc, string, error)
}

// Unknown reports whether a call's outcome is open: it failed, and with none of the sentinels.
func Unknown(err error) bool {
	for _, known := range []error{nil, ErrExists, ErrNotFound, ErrConflict, ErrInvalid} {
		if errors.Is(err, known) {
			return false
		}
	}
	return true
}

// NewStamp returns a fresh random write id.
func NewStamp() string { return rand.Text() }
