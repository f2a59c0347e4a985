package dynamo

import (
	"fmt"
	"hash/crc32"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// item is a document in DynamoDB. Everything that an index is built on is made in this file: DynamoDB refuses the whole
// write when an index key has another type or is empty, and not every server in its place does.
type item = map[string]types.AttributeValue

// The attributes, and when an item has them. What is not set is absent, so that no index holds it.
const (
	attrID      = "id"      // S, always: the partition key
	attrVersion = "version" // N, always
	attrStamp   = "stamp"   // S, always: the write that the item is the result of
	attrCreated = "created" // N, always: milliseconds
	attrMade    = "made"    // S, always: the place by creation
	attrUser    = "user_pk" // S, with a user: "<kind>/<user>"
	attrDueFor  = "due_pk"  // S, while due: the shard
	attrDue     = "due_sk"  // S, while due: the place by due time
	attrExpires = "expires" // N, when it expires: seconds, DynamoDB's time to live
	attrBody    = "body"    // B, unless packed
	attrPacked  = "packed"  // B, the body compressed (pack.go), where that is smaller
)

// attrKeys holds the look-up keys (S), the n-th key in the n-th; each has an index.
var attrKeys = [store.KeysMax]string{"key_1", "key_2", "key_3", "key_4"}

// replaced is what an update sets or removes: all but id, created and made.
var replaced = append([]string{attrVersion, attrStamp, attrUser, attrDueFor, attrDue, attrExpires, attrBody, attrPacked}, attrKeys[:]...)

// dueShards spreads the due index: one partition of an index takes about 1000 writes a second, and the writes of
// every open order meet there. The number may grow: what is stored stays in its shard until it is written again.
const dueShards = 4

// itemOf returns the item of a document that has its stamp. It shares no memory with it, and rounds its times down.
func itemOf(d store.Doc) item {
	it := attributesOf(d)
	if packed, ok := pack(d.Body); ok {
		it[attrPacked] = binary(packed)
	} else {
		it[attrBody] = binary(d.Body)
	}
	return it
}

// attributesOf is the item without the body.
func attributesOf(d store.Doc) item {
	it := item{
		attrID:      text(d.ID),
		attrVersion: number(d.Version),
		attrStamp:   text(d.Stamp),
		attrCreated: number(d.Created.UnixMilli()),
		attrMade:    text(placeOf(d.Created, d.ID)),
	}
	if d.User != "" {
		it[attrUser] = text(userKey(d.Kind(), d.User))
	}
	if !d.Due.IsZero() {
		it[attrDueFor] = text(strconv.Itoa(int(crc32.ChecksumIEEE([]byte(d.ID)) % dueShards)))
		it[attrDue] = text(placeOf(d.Due, d.ID))
	}
	if !d.Expires.IsZero() {
		it[attrExpires] = number(d.Expires.Unix())
	}
	for i, key := range d.Keys {
		it[attrKeys[i]] = text(key)
	}
	return it
}

// docOf returns the document of an item, without its stamp. An item is malformed if its document, written again, would
// have another value for one of the attributes; attributes that this release does not know may be there.
func docOf(it item) (store.Doc, error) {
	d := store.Doc{ID: textOf(it[attrID]), Stamp: textOf(it[attrStamp])}
	d.Version, _ = integerOf(it[attrVersion])
	created, _ := integerOf(it[attrCreated])
	d.Created = time.UnixMilli(created).UTC()
	d.User = strings.TrimPrefix(textOf(it[attrUser]), userKey(d.Kind(), ""))
	d.Due, _, _ = parsePlace(textOf(it[attrDue]))
	if expires, ok := integerOf(it[attrExpires]); ok {
		d.Expires = time.Unix(expires, 0).UTC()
	}
	body, readable := bodyOf(it)
	d.Body = body
	for _, attr := range attrKeys {
		if key := textOf(it[attr]); key != "" {
			d.Keys = append(d.Keys, key)
		}
	}
	if !readable {
		return store.Doc{}, malformed(d, attrBody)
	}
	again := attributesOf(d)
	for _, attr := range append([]string{attrID, attrCreated, attrMade}, replaced...) {
		switch attr {
		case attrDueFor, attrBody, attrPacked: // another release may choose another shard, and pack otherwise
		default:
			if !reflect.DeepEqual(it[attr], again[attr]) {
				return store.Doc{}, malformed(d, attr)
			}
		}
	}
	d.Stamp = ""
	return d, nil
}

func malformed(d store.Doc, attr string) error {
	return fmt.Errorf("dynamo: a stored item of kind %q is malformed in its attribute %q; "+
		"something else has written it: restore the item", d.Kind(), attr)
}

// bodyOf is the body of an item, which has it in one of two attributes.
func bodyOf(it item) (body []byte, ok bool) {
	plain, isPlain := it[attrBody].(*types.AttributeValueMemberB)
	packed, isPacked := it[attrPacked].(*types.AttributeValueMemberB)
	switch {
	case isPlain == isPacked:
		return nil, false
	case isPlain:
		return plain.Value, true
	}
	return unpack(packed.Value)
}

// keyOf is the primary key of a document.
func keyOf(id string) item { return item{attrID: text(id)} }

// userKey is the partition key of the user index.
func userKey(kind store.Kind, user string) string { return string(kind) + "/" + user }

// placeOf is a sort key of an index: by time (to the year 9999), then by id.
func placeOf(t time.Time, id string) string { return fmt.Sprintf("%015d#%s", t.UnixMilli(), id) }

// parsePlace reads what placeOf wrote.
func parsePlace(place string) (t time.Time, id string, ok bool) {
	digits, id, _ := strings.Cut(place, "#")
	millis, _ := strconv.ParseInt(digits, 10, 64)
	t = time.UnixMilli(millis).UTC()
	if placeOf(t, id) != place {
		return time.Time{}, "", false
	}
	return t, id, true
}

// expired reports whether an item, or the entry of an index that carries expires, counts as not stored.
func expired(it item, now time.Time) bool {
	expires, ok := integerOf(it[attrExpires])
	return ok && expires <= now.Unix()
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// binary is never without a value: an empty body is a body.
func binary(b []byte) types.AttributeValue {
	return &types.AttributeValueMemberB{Value: append([]byte{}, b...)}
}

// textOf is "" for what is absent or no string.
func textOf(value types.AttributeValue) string {
	s, ok := value.(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}

func integerOf(value types.AttributeValue) (n int64, ok bool) {
	digits, ok := value.(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits.Value, 10, 64)
	return n, err == nil
}
