package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo"
)

// impatient is the SDK's standard retryer, three attempts, without its pauses.
func impatient(o *dynamodb.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
}

func awsError(status int, code string) fault {
	return answer(status, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`","message":"planned"}`)
}

// writeFaults are what the SDK's standard retryer does about the ways in which a write fails: it repeats all but one.
var writeFaults = []struct {
	name     string
	fault    fault
	attempts int
}{
	{"a throttled table", awsError(400, "ProvisionedThroughputExceededException"), 3},
	{"a throttled request", awsError(400, "ThrottlingException"), 3},
	{"an account over its limit", awsError(400, "RequestLimitExceeded"), 3},
	{"an error of DynamoDB", awsError(500, "InternalServerError"), 3},
	{"a DynamoDB that is away", answer(503, ""), 3},
	{"a broken connection", broken(), 3},
	{"a conflict with a transaction", awsError(400, "TransactionConflictException"), 1},
}

// write is Create, or Update after a Create, of one document with one stamp.
type write struct {
	name    string
	version int64 // which it writes
	run     func(s *dynamo.Store, doc store.Doc) (store.Doc, error)
}

var writes = []write{
	{"create", 1, func(s *dynamo.Store, doc store.Doc) (store.Doc, error) { return s.Create(context.Background(), doc) }},
	{"update", 2, func(s *dynamo.Store, doc store.Doc) (store.Doc, error) {
		doc.Version = 1
		return s.Update(context.Background(), doc)
	}},
}

// TestAWriteThatFailsOnceHappensOnce: whether the first attempt was lost or happened, after the SDK's repeat (or the
// caller's, with the same stamp) the write has happened once, and is a success.
func TestAWriteThatFailsOnceHappensOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open(impatient)
	w.eachWriteFault(t, func(t *testing.T, write write, doc store.Doc, f fault, attempts int) {
		w.plan = []fault{f}
		got, err := write.run(s, doc)
		if attempts == 1 && store.Unknown(err) {
			got, err = write.run(s, doc)
		}
		w.wantWritten(t, doc, write.version, got, err)
	})
}

// TestAWriteThatKeepsFailingIsUnknown: the caller hears of it after the SDK's attempts, what is stored is the write or
// nothing, and the caller's repeat with the same stamp succeeds.
func TestAWriteThatKeepsFailingIsUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open(impatient)
	w.eachWriteFault(t, func(t *testing.T, write write, doc store.Doc, f fault, attempts int) {
		w.take()
		w.plan = slices.Repeat([]fault{f}, attempts)
		got, err := write.run(s, doc)
		if !store.Unknown(err) || !cmp.Equal(got, store.Doc{}) || len(w.plan) > 0 {
			t.Errorf("got %+v, error %v, %d attempts not made", got, err, len(w.plan))
		}
		var sent int
		for _, n := range w.take() {
			sent += n
		}
		if sent != attempts {
			t.Errorf("%d requests, want %d", sent, attempts)
		}
		want := write.version
		if !f.happened {
			want--
		}
		stored, err := w.store.Get(t.Context(), doc.ID)
		if stored.Version != want || (err != nil) != (want == 0) {
			t.Errorf("version %d is stored, error %v; want %d", stored.Version, err, want)
		}
		got, err = write.run(s, doc)
		w.wantWritten(t, doc, write.version, got, err)
	})
}

func (w *world) eachWriteFault(t *testing.T, check func(t *testing.T, write write, doc store.Doc, f fault, attempts int)) {
	for i, test := range writeFaults {
		for _, write := range writes {
			for _, happened := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, happened=%v", write.name, test.name, happened), func(t *testing.T) {
					doc := order(fmt.Sprintf("order/%s-%d-%v", write.name, i, happened))
					if write.version == 2 {
						if err := w.create(doc)(); err != nil {
							t.Fatal(err)
						}
					}
					doc.Stamp, doc.Body = store.NewStamp(), []byte("written")
					f := test.fault
					f.happened = happened
					check(t, write, doc, f, test.attempts)
				})
			}
		}
	}
}

func (w *world) wantWritten(t *testing.T, doc store.Doc, version int64, got store.Doc, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	want := doc
	want.Stamp, want.Version = "", version
	stored, err := w.store.Get(t.Context(), doc.ID)
	if diff := cmp.Diff([]store.Doc{want, want}, []store.Doc{got, stored}); diff != "" || err != nil {
		t.Errorf("error %v (-want +got, returned and stored):\n%s", err, diff)
	}
}

// TestErrorsSayWhatToDo: one sentence for a person with table and region; the code is still AWS's; nothing of the
// document shows.
func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status     int
		code, says string
	}{
		{400, "ResourceNotFoundException", "XPAY_ORDERS_TABLE"},
		{400, "ExpiredTokenException", "renew the credentials"},
		{400, "UnrecognizedClientException", "renew the credentials"},
		{400, "InvalidSignatureException", "renew the credentials"},
		{400, "AccessDeniedException", "the role may not do this"},
		{400, "ValidationException", "deploy the stack"},
		{400, "ThrottlingException", "DynamoDB throttles"},
		{400, "ProvisionedThroughputExceededException", "DynamoDB throttles"},
		{400, "RequestLimitExceeded", "DynamoDB throttles"},
		{400, "TransactionConflictException", "repeat it"},
		{500, "InternalServerError", "repeat it"},
		{418, "Unheard", "cannot"},
	} {
		w := offline()
		w.store = w.open(impatient)
		changed := order("order/openid")
		changed.Version = 1
		for name, call := range w.calls(changed) {
			w.plan = slices.Repeat([]fault{awsError(test.status, test.code)}, 24)
			err := call()
			var api smithy.APIError
			if !store.Unknown(err) || !errors.As(err, &api) || api.ErrorCode() != test.code {
				t.Errorf("%s, %s: error %v", name, test.code, err)
				continue
			}
			for _, part := range []string{test.says, "xpay-", "us-east-1"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s, %s: %q does not say %q", name, test.code, err, part)
				}
			}
			for _, secret := range []string{"openid", "alice", "secret", "key\"", "\n"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s, %s: %q shows %q", name, test.code, err, secret)
				}
			}
		}
	}
}

func (w *world) calls(doc store.Doc) map[string]func() error {
	return map[string]func() error{
		"create": w.create(doc), "update": w.update(doc), "get": w.get(doc.ID),
		"due": w.due(), "by user": w.byUser(doc.User), "find": w.find(doc.Keys[0]),
	}
}

func TestAbsentTablesAreNamed(t *testing.T) {
	t.Parallel()
	w := offline()
	w.cfg = server(t)
	w.store = w.open(impatient)
	changed := order("order/a")
	changed.Version = 1
	for name, call := range w.calls(changed) {
		err := call()
		want := "(" + w.cfg.Region + "): the table does not exist there; deploy the stack, or correct XPAY_ORDERS_TABLE"
		if !store.Unknown(err) || !strings.Contains(err.Error(), "in table xpay-") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

const placeA, placeB = "001770091506123#order/a", "001770091506124#order/b"

func index(places ...string) fault {
	var entries []string
	for _, place := range places {
		_, id, _ := strings.Cut(place, "#")
		entries = append(entries, `{"id":{"S":"`+id+`"},"made":{"S":"`+place+`"}}`)
	}
	return answer(200, `{"Items":[`+strings.Join(entries, ",")+`]}`)
}

func itemAt(place string) string {
	millis, id, _ := strings.Cut(place, "#")
	return itemJSON(map[string]string{
		"id": `{"S":"` + id + `"}`, "version": `{"N":"1"}`, "stamp": `{"S":"s"}`, "body": `{"B":""}`,
		"created": `{"N":"` + strings.TrimLeft(millis, "0") + `"}`, "made": `{"S":"` + place + `"}`, "user_pk": `{"S":"order/alice"}`,
	})
}

// batch answers a BatchGetItem: with an item, and with ids that were left unread.
func batch(item string, unread ...string) fault {
	var keys []string
	for _, id := range unread {
		keys = append(keys, `{"id":{"S":"`+id+`"}}`)
	}
	left := `{}`
	if len(keys) > 0 {
		left = `{"xpay-orders":{"Keys":[` + strings.Join(keys, ",") + `]}}`
	}
	return answer(200, `{"Responses":{"xpay-orders":[`+item+`]},"UnprocessedKeys":`+left+`}`)
}

// TestAGetIsAConsistentReadAndAPeekIsNot: no server on one machine shows the difference, but for the bill.
func TestAGetIsAConsistentReadAndAPeekIsNot(t *testing.T) {
	t.Parallel()
	w := offline()
	for consistent, read := range map[bool]func(context.Context, string) (store.Doc, error){true: w.store.Get, false: w.store.Peek} {
		var body []byte
		w.plan = []fault{{answer: func(r *http.Request) (*http.Response, error) {
			body, _ = io.ReadAll(r.Body)
			return answer(200, `{}`).answer(r)
		}}}
		_, err := read(t.Context(), "order/a")
		var sent struct{ ConsistentRead bool }
		if json.Unmarshal(body, &sent) != nil || sent.ConsistentRead != consistent || !errors.Is(err, store.ErrNotFound) {
			t.Errorf("sent %s, error %v", body, err)
		}
	}
}

// spy notes which ids a BatchGetItem asks for.
func spy(ids *[][]string, f fault) fault {
	return fault{answer: func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		var sent struct {
			RequestItems map[string]struct {
				Keys []struct{ ID struct{ S string } }
			}
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			return nil, err
		}
		var asked []string
		for _, key := range sent.RequestItems["xpay-orders"].Keys {
			asked = append(asked, key.ID.S)
		}
		*ids = append(*ids, asked)
		return f.answer(r)
	}}
}

func idsOf(docs []store.Doc) (ids []string) {
	for _, doc := range docs {
		ids = append(ids, doc.ID)
	}
	return ids
}

func TestDocumentsLeftUnreadAreAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := offline()
		var asked [][]string
		w.plan = []fault{
			index(placeB, placeA),
			spy(&asked, batch(itemAt(placeA), "order/b")),
			spy(&asked, batch("", "order/b")),
			spy(&asked, batch(itemAt(placeB))),
		}
		docs, next, err := w.store.ByUser(t.Context(), "alice", "order", store.Page{})
		if diff := cmp.Diff([]string{"order/b", "order/a"}, idsOf(docs)); diff != "" || next != "" || err != nil {
			t.Errorf("next %q, error %v, documents (-want +got):\n%s", next, err, diff)
		}
		want := [][]string{{"order/b", "order/a"}, {"order/b"}, {"order/b"}}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}

// TestDocumentsThatStayUnreadAreAnError: a part of a list is whole, or it is no list; and it is so within a second.
func TestDocumentsThatStayUnreadAreAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := offline()
		w.plan = append([]fault{index(placeB)}, slices.Repeat([]fault{batch("", "order/b")}, 5)...)
		began := time.Now()
		docs, _, err := w.store.ByUser(t.Context(), "alice", "order", store.Page{})
		if !store.Unknown(err) || !strings.Contains(err.Error(), "throttles") || len(docs) > 0 || len(w.plan) > 0 {
			t.Errorf("%d documents, %d answers not used, error %v", len(docs), len(w.plan), err)
		}
		if took := time.Since(began); took != 750*time.Millisecond {
			t.Errorf("it took %v, want 50+100+200+400 ms", took)
		}
		w.plan = append([]fault{index(placeB)}, slices.Repeat([]fault{batch("", "order/b")}, 5)...)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()
		if _, _, err = w.store.ByUser(ctx, "alice", "order", store.Page{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want DeadlineExceeded", err)
		}
	})
}

// TestAnIndexThatLagsIsNotBelieved: the index still shows what the document was; the document decides.
func TestAnIndexThatLagsIsNotBelieved(t *testing.T) {
	t.Parallel()
	const older = "001770091500000#order/b"
	bobs := strings.Replace(itemAt(placeB), "order/alice", "order/bob", 1)
	gone := strings.Replace(itemAt(placeB), `"version"`, `"expires":{"N":"1770091506"},"version"`, 1)
	for _, test := range []struct {
		sentence string
		item     string
		want     []string
	}{
		{"a document created anew is at its new place only", itemAt(placeB), []string{"order/b"}},
		{"a document of another user is left out", bobs, nil},
		{"a document that has expired is left out", gone, nil},
		{"a document that was removed is left out", "", nil},
	} {
		w := offline()
		var asked [][]string
		w.plan = []fault{index(placeB, older), spy(&asked, batch(test.item))}
		docs, next, err := w.store.ByUser(t.Context(), "alice", "order", store.Page{})
		if diff := cmp.Diff(test.want, idsOf(docs)); diff != "" || next != "" || err != nil {
			t.Errorf("%s: next %q, error %v (-want +got):\n%s", test.sentence, next, err, diff)
		}
		if diff := cmp.Diff([][]string{{"order/b"}}, asked); diff != "" { // DynamoDB refuses a repeated key
			t.Errorf("%s: asked for (-want +got):\n%s", test.sentence, diff)
		}
	}
}

// TestDueGoesOnBehindWhatHasExpired: DynamoDB counts a page before we leave out what has expired.
func TestDueGoesOnBehindWhatHasExpired(t *testing.T) {
	t.Parallel()
	w := offline()
	entry := func(place, expires string) string {
		_, id, _ := strings.Cut(place, "#")
		return `{"id":{"S":"` + id + `"},"due_sk":{"S":"` + place + `"},"due_pk":{"S":"1"}` + expires + `}`
	}
	last := `"LastEvaluatedKey":{"id":{"S":"order/a"}}`
	gone, kept := entry(placeA, `,"expires":{"N":"1770091506"}`), entry(placeB, `,"expires":{"N":"1770091507"}`)
	// which of the shards gets the first answer is open; it alone is asked for more
	w.plan = append([]fault{answer(200, `{"Items":[`+gone+`],`+last+`}`)}, slices.Repeat([]fault{answer(200, `{"Items":[`+kept+`]}`)}, 8)...)
	refs, err := w.store.Due(t.Context(), start.Add(time.Second), 1)
	want := []store.Ref{{ID: "order/b", Due: start.Add(124 * time.Millisecond)}}
	if diff := cmp.Diff(want, refs); diff != "" || err != nil || w.take()["Query"] != 9 {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}
