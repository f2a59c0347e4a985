package dynamo

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

const (
	readRounds = 5                     // in which all documents of a part must have been read
	readPause  = 50 * time.Millisecond // before the second round; doubled before each further one
	behindAll  = ":"                   // sorts behind every place
)

// entry is what an index says of a document.
type entry struct{ place, id string }

// query asks one index for the entries that have one partition key and lie before a place.
type query struct {
	table, index string
	pk, value    string // the partition key and what it must be
	sk, before   string // the sort key, which is a place, and its end
	newestFirst  bool
}

// Due: see store.Store. It lags as the index does, by less than a second as a rule.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]store.Ref, error) {
	if err := store.CheckDue(limit); err != nil {
		return nil, err
	}
	var queries []query
	for _, table := range s.bothTables() {
		for shard := range dueShards {
			queries = append(queries, query{
				table: table, index: "due", pk: attrDueFor, value: strconv.Itoa(shard),
				sk: attrDue, before: placeOf(now.Add(time.Millisecond), ""),
			})
		}
	}
	entries, err := s.entries(ctx, queries, limit)
	if err != nil {
		return nil, err
	}
	refs := make([]store.Ref, min(limit, len(entries)))
	for i := range refs { // a malformed place does not hold up the others: its document says so when it is read
		due, _, _ := parsePlace(entries[i].place)
		refs[i] = store.Ref{ID: entries[i].id, Due: due}
	}
	return refs, nil
}

// ByUser: see store.Store.
func (s *Store) ByUser(ctx context.Context, user string, kind store.Kind, page store.Page) ([]store.Doc, string, error) {
	limit, after, err := store.CheckPage(page)
	if err != nil || user == "" || !storable(store.Doc{ID: string(kind) + "/x", User: user}) {
		return nil, "", err
	}
	queries := []query{{
		table: s.tableOf(kind), index: "user", pk: attrUser, value: userKey(kind, user),
		sk: attrMade, before: beforePage(page, after), newestFirst: true,
	}}
	return s.list(ctx, queries, limit, func(d store.Doc) bool { return d.User == user && d.Kind() == kind })
}

// Count: see store.Store. It is one query of the index, whose entries are not sent.
func (s *Store) Count(ctx context.Context, user string, kind store.Kind, since time.Time, limit int) (int, error) {
	if err := store.CheckCount(limit); err != nil || user == "" || !storable(store.Doc{ID: string(kind) + "/x", User: user}) {
		return 0, err
	}
	table := s.tableOf(kind)
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName:                 &table,
		IndexName:                 aws.String("user"),
		KeyConditionExpression:    aws.String("#pk = :pk AND #sk >= :since"),
		ExpressionAttributeNames:  map[string]string{"#pk": attrUser, "#sk": attrMade},
		ExpressionAttributeValues: item{":pk": text(userKey(kind, user)), ":since": text(placeOf(since, ""))},
		Select:                    types.SelectCount,
		Limit:                     aws.Int32(int32(limit)),
	})
	if err != nil {
		return 0, s.failed("query the index user", table, err)
	}
	return int(out.Count), nil
}

// Find: see store.Store. It asks the index of each slot of each table.
func (s *Store) Find(ctx context.Context, key string, page store.Page) ([]store.Doc, string, error) {
	limit, after, err := store.CheckPage(page)
	if err != nil || !storable(store.Doc{ID: "any/x", Keys: []string{key}}) {
		return nil, "", err
	}
	var queries []query
	for _, table := range s.bothTables() {
		for _, attr := range attrKeys {
			queries = append(queries, query{
				table: table, index: strings.Replace(attr, "_", "", 1), pk: attr, value: key,
				sk: attrMade, before: beforePage(page, after), newestFirst: true,
			})
		}
	}
	return s.list(ctx, queries, limit, func(d store.Doc) bool { return slices.Contains(d.Keys, key) })
}

func beforePage(page store.Page, after store.Cursor) string {
	if page.After == "" {
		return behindAll
	}
	return placeOf(after.Created, after.ID)
}

// list asks for one entry more than the page holds, to know whether another part follows, and reads the documents. It
// leaves out those that have expired or are listed no more: an index learns of a write later than the table.
func (s *Store) list(ctx context.Context, queries []query, limit int,
	listed func(store.Doc) bool) (docs []store.Doc, next string, _ error) {
	entries, err := s.entries(ctx, queries, limit+1)
	if err != nil {
		return nil, "", err
	}
	slices.Reverse(entries)
	if len(entries) > limit {
		entries = entries[:limit]
		created, id, _ := parsePlace(entries[limit-1].place)
		next = store.Cursor{Created: created, ID: id}.String()
	}
	read, err := s.read(ctx, entries)
	if err != nil {
		return nil, "", err
	}
	now := s.now()
	for _, e := range entries {
		if doc, ok := read[e]; ok && listed(doc) && !doc.Expired(now) {
			docs = append(docs, doc)
		}
	}
	return docs, next, nil
}

// entries runs the queries at once and returns what they find, each entry once, by place: up to limit of each query.
func (s *Store) entries(ctx context.Context, queries []query, limit int) ([]entry, error) {
	found, errs := make([][]entry, len(queries)), make([]error, len(queries))
	var all sync.WaitGroup
	for i, q := range queries {
		all.Go(func() { found[i], errs[i] = s.query(ctx, q, limit) })
	}
	all.Wait()
	entries := slices.Concat(found...)
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.place, b.place) })
	return slices.Compact(entries), cmp.Or(errs...)
}

// query returns the first limit entries that have not expired. It ends with the index at the latest.
func (s *Store) query(ctx context.Context, q query, limit int) (entries []entry, _ error) {
	in := &dynamodb.QueryInput{
		TableName:                 &q.table,
		IndexName:                 &q.index,
		KeyConditionExpression:    aws.String("#pk = :pk AND #sk < :before"),
		ExpressionAttributeNames:  map[string]string{"#pk": q.pk, "#sk": q.sk},
		ExpressionAttributeValues: item{":pk": text(q.value), ":before": text(q.before)},
		ScanIndexForward:          aws.Bool(!q.newestFirst),
		Limit:                     aws.Int32(int32(limit)),
	}
	for {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return nil, s.failed("query the index "+q.index, q.table, err)
		}
		for _, it := range out.Items {
			if !expired(it, s.now()) {
				entries = append(entries, entry{place: textOf(it[q.sk]), id: textOf(it[attrID])})
			}
		}
		if len(entries) >= limit || len(out.LastEvaluatedKey) == 0 {
			return entries, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// read returns the documents of up to store.PageMax entries. A document that was created anew since has another place.
// A malformed item is left out, so that it holds up no other.
func (s *Store) read(ctx context.Context, entries []entry) (map[entry]store.Doc, error) {
	docs := map[entry]store.Doc{}
	unread := s.request(entries)
	for round := 0; len(unread) > 0; round++ {
		if err := s.pause(ctx, round); err != nil {
			return nil, s.failed("read documents", strings.Join(s.bothTables(), " or "), err)
		}
		out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: unread})
		if err != nil {
			return nil, s.failed("read documents", strings.Join(s.bothTables(), " or "), err)
		}
		for _, it := range slices.Concat(slices.Collect(maps.Values(out.Responses))...) {
			if doc, err := docOf(it); err == nil {
				docs[entry{place: placeOf(doc.Created, doc.ID), id: doc.ID}] = doc
			} else if s.Malformed != nil {
				s.Malformed(ctx, err)
			}
		}
		unread = out.UnprocessedKeys
	}
	return docs, nil
}

// request names each document once, as DynamoDB demands.
func (s *Store) request(entries []entry) map[string]types.KeysAndAttributes {
	wanted, seen := map[string]types.KeysAndAttributes{}, map[string]bool{}
	for _, e := range entries {
		if seen[e.id] {
			continue
		}
		seen[e.id] = true
		table := s.tableOf(store.KindOf(e.id))
		wanted[table] = types.KeysAndAttributes{Keys: append(wanted[table].Keys, keyOf(e.id))}
	}
	return wanted
}

// pause waits before a further round of reading. DynamoDB leaves documents unread when it throttles.
func (s *Store) pause(ctx context.Context, round int) error {
	switch {
	case round == 0:
		return nil
	case round == readRounds:
		return errUnread
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(readPause << (round - 1)):
		return nil
	}
}
