// Package dynamo keeps documents in DynamoDB: the store of the functions on AWS.
//
// A document is one item, and every write of it one conditional request, so nothing here needs a transaction. Kinds that
// expire live in a table of their own, which DynamoDB empties (time to live) and which needs no recovery; all others live
// in the table that is backed up. DynamoDB forgets an expired item days late, so what has expired is decided here, by
// conditions and on reads, in both tables. docs/decisions/0018-dynamodb.md has the reasons and the prices; package tables
// describes the tables, item.go the items.
//
// It asks for GetItem, PutItem, UpdateItem, Query and BatchGetItem, never for Scan or DeleteItem.
package dynamo

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// Tables names the two tables. A document's table follows from the kind in its id alone: once documents of a kind are
// stored, the kind must not move to the other table.
type Tables struct {
	Orders        string       // with point-in-time recovery
	Expiring      string       // with time to live on "expires"
	ExpiringKinds []store.Kind // the kinds that live in Expiring; all others live in Orders
}

// Store is a store.Store. It is safe for concurrent use and holds nothing that needs closing.
type Store struct {
	// Malformed is told of an item that a list had to leave out: something else has written it. nil: nobody is.
	Malformed func(context.Context, error)

	client *dynamodb.Client
	tables Tables
	now    func() time.Time
}

var _ store.Store = (*Store)(nil)

// New returns the store on two tables that exist. now decides what has expired. The client's retries are safe: a write
// that it repeats because the answer was lost knows itself by its stamp.
func New(client *dynamodb.Client, tables Tables, now func() time.Time) *Store {
	return &Store{client: client, tables: tables, now: now}
}

// Get: see store.Store. It is a consistent read.
func (s *Store) Get(ctx context.Context, id string) (store.Doc, error) { return s.get(ctx, id, true) }

// Peek: see store.Store. It is an eventually consistent read.
func (s *Store) Peek(ctx context.Context, id string) (store.Doc, error) { return s.get(ctx, id, false) }

func (s *Store) get(ctx context.Context, id string, consistent bool) (store.Doc, error) {
	if !storable(store.Doc{ID: id}) {
		return store.Doc{}, store.ErrNotFound
	}
	table := s.tableOf(store.KindOf(id))
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &table,
		Key:            keyOf(id),
		ConsistentRead: &consistent,
	})
	if err != nil {
		return store.Doc{}, s.failed("get", table, err)
	}
	if len(out.Item) == 0 {
		return store.Doc{}, store.ErrNotFound
	}
	doc, err := docOf(out.Item)
	if err == nil && doc.Expired(s.now()) {
		return store.Doc{}, store.ErrNotFound
	}
	return doc, err
}

func (s *Store) tableOf(kind store.Kind) string {
	if slices.Contains(s.tables.ExpiringKinds, kind) {
		return s.tables.Expiring
	}
	return s.tables.Orders
}

func (s *Store) bothTables() []string { return []string{s.tables.Orders, s.tables.Expiring} }

// storable reports whether a document with such an id, user and keys can be stored. DynamoDB refuses the question for
// some that cannot, with an error that is not the port's.
func storable(d store.Doc) bool {
	d.Created = time.UnixMilli(0)
	return store.Check(d) == nil
}
