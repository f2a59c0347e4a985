package dynamo_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// item reads an item past the store.
func (w *world) item(t *testing.T, table, id string) map[string]types.AttributeValue {
	t.Helper()
	out, err := w.client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &table,
		Key:       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

// plain writes each attribute as its type and value.
func plain(item map[string]types.AttributeValue) map[string]string {
	attrs := map[string]string{}
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			attrs[name] = "S " + v.Value
		case *types.AttributeValueMemberN:
			attrs[name] = "N " + v.Value
		case *types.AttributeValueMemberB:
			attrs[name] = "B " + string(v.Value)
		default:
			attrs[name] = fmt.Sprintf("%T", v)
		}
	}
	return attrs
}

// wantIndex compares the one entry of an index.
func (w *world) wantIndex(t *testing.T, index string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, plain(w.waitFor(t, w.tables.Orders, index, 1)[0])); diff != "" {
		t.Errorf("index %s (-want +got):\n%s", index, diff)
	}
}

// TestItemsAreWhatTheIndexesWant: every attribute and every entry of an index, typed out. The stored format is for ever.
func TestItemsAreWhatTheIndexesWant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full := store.Doc{
		ID: "order/a", Stamp: "stamp-1", User: "0/al/ice", Keys: []string{"held", "tx/42", "c", "d"}, Body: []byte("{}"),
		Created: time.Date(2026, 2, 3, 4, 5, 6, 123_999_999, time.UTC),
		Due:     time.Date(2026, 2, 3, 5, 5, 6, 7_000_000, time.UTC),
		Expires: time.Date(2026, 2, 4, 4, 5, 6, 999_999_999, time.UTC),
	}
	doc, err := w.store.Create(t.Context(), full)
	if err != nil {
		t.Fatal(err)
	}
	const made = "S 001770091506123#order/a"
	w.wantItem(t, "order/a", map[string]string{
		"id":      "S order/a",
		"version": "N 1",
		"stamp":   "S stamp-1",
		"created": "N 1770091506123",
		"made":    made,
		"user_pk": "S order/0/al/ice",
		"key_1":   "S held",
		"key_2":   "S tx/42",
		"key_3":   "S c",
		"key_4":   "S d",
		"due_pk":  "S 1",
		"due_sk":  "S 001770095106007#order/a",
		"expires": "N 1770177906",
		"body":    "B {}",
	})
	w.wantIndex(t, "due", map[string]string{
		"id": "S order/a", "due_pk": "S 1", "due_sk": "S 001770095106007#order/a", "expires": "N 1770177906",
	})
	w.wantIndex(t, "user", map[string]string{"id": "S order/a", "user_pk": "S order/0/al/ice", "made": made})
	w.wantIndex(t, "key1", map[string]string{"id": "S order/a", "key_1": "S held", "made": made})
	w.wantIndex(t, "key2", map[string]string{"id": "S order/a", "key_2": "S tx/42", "made": made})
	w.wantIndex(t, "key3", map[string]string{"id": "S order/a", "key_3": "S c", "made": made})
	w.wantIndex(t, "key4", map[string]string{"id": "S order/a", "key_4": "S d", "made": made})

	// "order" of "0/al/ice" has the index key that "order/0" of "al/ice" would have, were there such a kind
	if docs, _, err := w.store.ByUser(t.Context(), "al/ice", "order/0", store.Page{}); len(docs) > 0 || err != nil {
		t.Errorf("a kind that cannot be has documents %v, error %v", docs, err)
	}

	bare := store.Doc{ID: "order/a", Version: doc.Version, Stamp: "stamp-2", Created: start.Add(time.Hour), Body: []byte("x")}
	if _, err := w.store.Update(t.Context(), bare); err != nil {
		t.Fatal(err)
	}
	w.wantItem(t, "order/a", map[string]string{
		"id": "S order/a", "version": "N 2", "stamp": "S stamp-2", "created": "N 1770091506123", "made": made, "body": "B x",
	})
	for _, index := range indexes {
		w.waitFor(t, w.tables.Orders, index, 0)
	}
}

func (w *world) wantItem(t *testing.T, id string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, plain(w.item(t, w.tables.Orders, id))); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
}

// wellFormed is the item of a document in DynamoDB's JSON, attribute by attribute.
var wellFormed = map[string]string{
	"id":      `{"S":"order/a"}`,
	"version": `{"N":"1"}`,
	"stamp":   `{"S":"stamp"}`,
	"created": `{"N":"1770091506123"}`,
	"made":    `{"S":"001770091506123#order/a"}`,
	"user_pk": `{"S":"order/alice"}`,
	"key_1":   `{"S":"key"}`,
	"due_pk":  `{"S":"1"}`,
	"due_sk":  `{"S":"001770095106000#order/a"}`,
	"body":    `{"B":"c2VjcmV0"}`,
}

func itemJSON(attrs map[string]string) string {
	var members []string
	for name, value := range attrs {
		members = append(members, `"`+name+`":`+value)
	}
	return `{` + strings.Join(members, ",") + `}`
}

// TestAMalformedItemIsAnError: something else wrote into the table. Nothing panics, nothing is guessed.
func TestAMalformedItemIsAnError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ attr, value string }{ // no value: the attribute is missing
		{"id", ""}, {"id", `{"N":"1"}`},
		{"version", ""}, {"version", `{"S":"1"}`}, {"version", `{"N":"1.5"}`}, {"version", `{"N":"1e99"}`}, {"version", `{"NULL":true}`},
		{"stamp", ""}, {"stamp", `{"N":"1"}`},
		{"created", ""}, {"created", `{"S":"1770091506123"}`}, {"created", `{"N":"1770091506.5"}`},
		{"made", ""}, {"made", `{"S":"001770091506123"}`}, {"made", `{"S":"001770091506124#order/a"}`}, {"made", `{"B":"YQ=="}`},
		{"user_pk", `{"S":"alice"}`}, {"user_pk", `{"S":"token/alice"}`}, {"user_pk", `{"N":"1"}`}, {"user_pk", `{"S":""}`},
		{"key_1", `{"SS":["key"]}`}, {"key_1", `{"S":""}`},
		{"due_sk", `{"S":"soon"}`}, {"due_sk", `{"S":"1770095106000#order/a"}`}, {"due_sk", `{"S":"001770095106000#order/b"}`},
		{"due_sk", `{"L":[]}`},
		{"expires", `{"S":"1770177906"}`}, {"expires", `{"N":"0.5"}`}, {"expires", `{"M":{}}`},
		{"body", ""}, {"body", `{"S":"secret"}`}, {"body", `{"BOOL":false}`},
		{"packed", `{"B":"c2VjcmV0"}`}, // beside a body: which is it?
	} {
		attrs := maps.Clone(wellFormed)
		attrs[test.attr] = test.value
		if test.value == "" {
			delete(attrs, test.attr)
		}
		w, read := offline(), itemJSON(attrs)
		w.plan = []fault{answer(200, `{"Item":`+read+`}`), refusal(read), refusal(read), answer(200, `{"Attributes":`+read+`}`)}
		changed := order("order/a")
		changed.Version = 1
		for _, call := range []func() error{w.get("order/a"), w.create(order("order/a")), w.update(changed), w.update(changed)} {
			err := call()
			named := strings.Replace(test.attr, "packed", "body", 1)
			if !store.Unknown(err) || !strings.Contains(err.Error(), named) || strings.Contains(err.Error(), "alice") {
				t.Errorf("%s %s: error %v", test.attr, test.value, err)
			}
		}
	}
}

// packed is a body of 600 bytes, the letter a, compressed by zlib (Python: zlib.compressobj(wbits=-15)).
const packed = "S0wcBaOA+gAA"

// TestAPackedBodyIsReadWhoeverPackedIt: items of later releases may be packed otherwise.
func TestAPackedBodyIsReadWhoeverPackedIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		packed string
		want   string // "": the item is malformed
	}{
		"by zlib":    {packed, strings.Repeat("a", 600)},
		"small":      {"K05NLkotAQA=", "secret"},
		"cut":        {packed[:4], ""},
		"not packed": {"c2VjcmV0", ""},
		"nothing":    {"", ""},
		"a bomb":     {bomb(), ""},
	} {
		attrs := maps.Clone(wellFormed)
		delete(attrs, "body")
		attrs["packed"] = `{"B":"` + c.packed + `"}`
		w := offline()
		w.plan = []fault{answer(200, `{"Item":`+itemJSON(attrs)+`}`)}
		got, err := w.store.Get(t.Context(), "order/a")
		if string(got.Body) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got.Body, err)
		}
	}
}

// bomb is more than a body may have, in a kilobyte.
func bomb() string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, store.BodyBytesMax+1))
	w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// TestALargeBodyIsPacked: an order of some 1.2 KB fits into the kilobyte that one write is billed by.
func TestALargeBodyIsPacked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ name, body, attr string }{
		{"order/small", strings.Repeat("a", 511), "body"},
		{"order/large", strings.Repeat("a", 512), "packed"},
		{"order/noise", noise(512), "body"},
	} {
		d := order(c.name)
		d.Body = []byte(c.body)
		made, err := w.store.Create(t.Context(), d)
		if err != nil || string(made.Body) != c.body {
			t.Errorf("%s: made as %q, %v", c.name, made.Body, err)
		}
		if kept := w.item(t, w.tables.Orders, c.name); kept[c.attr] == nil || kept["body"] != nil && kept["packed"] != nil {
			t.Errorf("%s is stored as %v", c.name, plain(kept))
		}
		made.Body = []byte("now small")
		if _, err := w.store.Update(t.Context(), made); err != nil {
			t.Error(err)
		}
		got, err := w.store.Get(t.Context(), c.name)
		if kept := w.item(t, w.tables.Orders, c.name); err != nil || string(got.Body) != "now small" || kept["packed"] != nil {
			t.Errorf("%s: %q, %v, stored as %v", c.name, got.Body, err, plain(kept))
		}
	}
}

// noise is text that no compression makes smaller.
func noise(n int) string {
	var b []byte
	for i := 0; len(b) < n; i++ {
		sum := sha256.Sum256([]byte{byte(i)})
		b = append(b, sum[:]...)
	}
	return string(b[:n])
}

// TestAnItemMayCarryMoreThanThisReleaseKnows: a later release, with more shards perhaps, writes beside this one while it
// is rolled out.
func TestAnItemMayCarryMoreThanThisReleaseKnows(t *testing.T) {
	t.Parallel()
	attrs := maps.Clone(wellFormed)
	attrs["later"], attrs["due_pk"] = `{"M":{}}`, `{"S":"7"}`
	w := offline()
	w.plan = []fault{answer(200, `{"Item":`+itemJSON(attrs)+`}`)}
	got, err := w.store.Get(t.Context(), "order/a")
	want := order("order/a")
	want.Version = 1
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

// TestAMalformedItemHoldsUpNoOther: it is due as any other, and its own reader hears what is wrong with it.
func TestAMalformedItemHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.create(order("order/whole"))(); err != nil {
		t.Fatal(err)
	}
	s := func(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
	_, err := w.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.tables.Orders, Item: map[string]types.AttributeValue{
		"id": s("order/broken"), "due_pk": s("0"), "due_sk": s("0 broken"), "user_pk": s("order/alice"), "made": s("9 broken"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.waitFor(t, w.tables.Orders, "due", 2)
	w.waitFor(t, w.tables.Orders, "user", 2)
	want := []store.Ref{{ID: "order/broken"}, {ID: "order/whole", Due: start.Add(time.Hour)}}
	got, err := w.store.Due(t.Context(), start.Add(time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	if err := w.get("order/broken")(); !store.Unknown(err) || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("get: error %v", err)
	}
	var said []string
	w.store.Malformed = func(_ context.Context, err error) { said = append(said, err.Error()) }
	docs, _, err := w.store.ByUser(t.Context(), "alice", "order", store.Page{})
	if err != nil || len(docs) != 1 || docs[0].ID != "order/whole" {
		t.Errorf("by user: %v, %v", docs, err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "malformed") {
		t.Errorf("it is left out in silence: %q", said)
	}
}

// refusal is the answer to a write whose condition the item failed.
func refusal(item string) fault {
	return answer(http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",`+
		`"message":"The conditional request failed","Item":`+item+`}`)
}
