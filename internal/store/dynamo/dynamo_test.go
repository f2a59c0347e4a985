package dynamo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/storetest"
)

// TestConformance uses one pair of tables and empties it before each test: a real DynamoDB takes long to make one.
func TestConformance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		w.empty(t)
		w.setNow(time.Now())
		return storetest.Harness{
			Store:  w.store,
			Reopen: func() store.Store { return w.open() },
			Lag:    lag(),
			SetNow: w.setNow,
		}
	})
}

// empty deletes every item, and waits until the indexes have learnt of it.
func (w *world) empty(t *testing.T) {
	t.Helper()
	for _, table := range []string{w.tables.Orders, w.tables.Expiring} {
		for _, it := range w.scan(t, table, nil) {
			key := map[string]types.AttributeValue{"id": it["id"]}
			if _, err := w.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
				t.Fatal(err)
			}
		}
		for _, index := range indexes {
			w.waitFor(t, table, index, 0)
		}
	}
}

var indexes = []string{"due", "user", "key1", "key2", "key3", "key4"}

// waitFor returns the entries of an index once they are so many.
func (w *world) waitFor(t *testing.T, table, index string, entries int) []map[string]types.AttributeValue {
	t.Helper()
	for deadline := time.Now().Add(lag()); ; time.Sleep(100 * time.Millisecond) {
		got := w.scan(t, table, &index)
		if len(got) == entries {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("index %s of table %s holds %d entries, want %d", index, table, len(got), entries)
		}
	}
}

func (w *world) scan(t *testing.T, table string, index *string) (items []map[string]types.AttributeValue) {
	t.Helper()
	pages := dynamodb.NewScanPaginator(w.client, &dynamodb.ScanInput{TableName: &table, IndexName: index})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	return items
}

// TestEachCallSendsFewRequests: the requests of a call are its price and its latency. The 8 queries run at once.
func TestEachCallSendsFewRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := order("order/a")
	b, invalid := a, a
	b.Version, invalid.ID = 1, "no kind"
	settled := func() error { // past the wire
		w.waitFor(t, w.tables.Orders, "user", 1)
		w.waitFor(t, w.tables.Orders, "key1", 1)
		return nil
	}
	for _, test := range []struct {
		sentence string
		call     func() error
		err      error
		want     map[string]int
	}{
		{"a create is one", w.create(a), nil, map[string]int{"PutItem": 1}},
		{"a create that finds the id taken is one", w.create(a), store.ErrExists, map[string]int{"PutItem": 1}},
		{"a get is one", w.get("order/a"), nil, map[string]int{"GetItem": 1}},
		{"a get of nothing is one", w.get("order/b"), store.ErrNotFound, map[string]int{"GetItem": 1}},
		{"an update is one", w.update(b), nil, map[string]int{"UpdateItem": 1}},
		{"an update that meets another writer is one", w.update(b), store.ErrConflict, map[string]int{"UpdateItem": 1}},
		{"the indexes learn of it without us", settled, nil, nil},
		{"due asks each shard of each table", w.due(), nil, map[string]int{"Query": 8}},
		{"a user's documents are a query and a read", w.byUser("alice"), nil, map[string]int{"Query": 1, "BatchGetItem": 1}},
		{"a count is a query", func() error { _, err := w.store.Count(t.Context(), "alice", "order", start, 10); return err }, nil, map[string]int{"Query": 1}},
		{"a user without documents is a query", w.byUser("bob"), nil, map[string]int{"Query": 1}},
		{"find asks each slot of each table", w.find("key"), nil, map[string]int{"Query": 8, "BatchGetItem": 1}},
		{"find of nothing reads nothing", w.find("other"), nil, map[string]int{"Query": 8}},
		{"a get of what cannot be stored is none", w.get("order"), store.ErrNotFound, nil},
		{"a create of what cannot be stored is none", w.create(invalid), store.ErrInvalid, nil},
		{"an update of what cannot be stored is none", w.update(invalid), store.ErrInvalid, nil},
		{"nobody's documents are none", w.byUser(""), nil, nil},
		{"find of no key is none", w.find(""), nil, nil},
	} {
		if err := test.call(); !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", test.sentence, err, test.err)
		}
		if diff := cmp.Diff(test.want, w.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.sentence, diff)
		}
	}
}

func order(id string) store.Doc {
	return store.Doc{
		ID: id, Created: start.Add(123 * time.Millisecond), Due: start.Add(time.Hour), User: "alice",
		Keys: []string{"key"}, Body: []byte("secret"),
	}
}

func (w *world) create(doc store.Doc) func() error {
	return func() error { _, err := w.store.Create(context.Background(), doc); return err }
}

func (w *world) update(doc store.Doc) func() error {
	return func() error { _, err := w.store.Update(context.Background(), doc); return err }
}

func (w *world) get(id string) func() error {
	return func() error { _, err := w.store.Get(context.Background(), id); return err }
}

func (w *world) due() func() error {
	return func() error { _, err := w.store.Due(context.Background(), start, 10); return err }
}

func (w *world) byUser(user string) func() error {
	return func() error {
		_, _, err := w.store.ByUser(context.Background(), user, "order", store.Page{})
		return err
	}
}

func (w *world) find(key string) func() error {
	return func() error { _, _, err := w.store.Find(context.Background(), key, store.Page{}); return err }
}

func TestTheKindChoosesTheTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, want := range map[string]string{
		"order/a": w.tables.Orders, "orders/a": w.tables.Orders, "tokens/a": w.tables.Orders, "bill/token/a": w.tables.Orders,
		"token/a": w.tables.Expiring, "user/a": w.tables.Expiring, "evidence/a": w.tables.Expiring, "accesstoken/a": w.tables.Expiring,
	} {
		if err := w.create(order(id))(); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{w.tables.Orders, w.tables.Expiring} {
			if got := len(w.item(t, table, id)) > 0; got != (table == want) {
				t.Errorf("%s in %s: %v", id, table, got)
			}
		}
	}
}

func TestTheExpiringTableAloneForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for table, want := range map[string]types.TimeToLiveStatus{
		w.tables.Orders: types.TimeToLiveStatusDisabled, w.tables.Expiring: types.TimeToLiveStatusEnabled,
	} {
		got, err := w.client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		status, attr := got.TimeToLiveDescription.TimeToLiveStatus, got.TimeToLiveDescription.AttributeName
		if status == types.TimeToLiveStatusEnabling {
			status = types.TimeToLiveStatusEnabled
		}
		if status != want || want == types.TimeToLiveStatusEnabled && *attr != "expires" {
			t.Errorf("time to live of %s: %+v", table, got.TimeToLiveDescription)
		}
	}
}
