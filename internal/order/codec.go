package order

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// bodyVersion is the version of the stored JSON. Old versions must decode for ever (testdata/golden).
const bodyVersion = 1

// KeyHeld lists what waits for a person.
const KeyHeld = "held"

type body struct {
	V int `json:"v"`
	Order
}

// userKey keeps the orders of production and sandbox apart.
func userKey(env xpay.Env, openID string) string { return strconv.Itoa(int(env)) + ":" + openID }

// encode turns an order into the document that replaces doc.
func encode(o Order, doc store.Doc) (store.Doc, error) {
	raw, err := o.marshal()
	if err == nil && len(raw) > BodyBytesMax {
		o.History = slices.DeleteFunc(slices.Clone(o.History), Entry.passing)
		raw, err = o.marshal()
	}
	if err != nil {
		return store.Doc{}, fmt.Errorf("encode order %s: %w", o.ID, err)
	}
	if len(raw) > BodyBytesMax {
		return store.Doc{}, problem.New(problem.Internal, "order %s takes %d bytes, more than %d", o.ID, len(raw), BodyBytesMax)
	}
	doc.ID, doc.Stamp, doc.Body = DocID(o.ID), store.NewStamp(), raw
	doc.Created, doc.Due, doc.User = o.CreatedAt, o.DueAt(), userKey(o.Env, o.OpenID)
	doc.Keys = o.keys()
	return doc, nil
}

// keys lists the order where it is looked for. What stays comes first: each place has an index of its own.
func (o *Order) keys() (keys []string) {
	if !o.PaidAt.IsZero() {
		keys = append(keys, paidKey(o.PaidAt))
	}
	if len(o.Attention) > 0 {
		keys = append(keys, KeyHeld)
	}
	return keys
}

// marshal writes the JSON. Texts of merchants and strangers take at most twice their length, because controls are
// refused and nothing is escaped for HTML.
func (o Order) marshal() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(body{V: bodyVersion, Order: o})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// passing lines of the history are given up when an order grows too large: they moved neither state nor money.
func (e Entry) passing() bool { return e.To == "" && !movesMoney(e.Event) }

// decode reads a stored order of any version.
func decode(doc store.Doc) (Order, error) {
	var b body
	if err := json.Unmarshal(doc.Body, &b); err != nil {
		return Order{}, problem.Hide(problem.Internal, err, "the document "+doc.ID+" is not an order that can be read")
	}
	if b.V != bodyVersion || len(b.Attempts) == 0 {
		return Order{}, problem.New(problem.Internal, "the document %s has version %d, this program knows %d", doc.ID, b.V, bodyVersion)
	}
	return b.Order, nil
}

// Warm writes and reads one order, so that no request has to wait while encoding/json learns what an order is.
func Warm() {
	o := Order{Attempts: []Attempt{{N: 1, Payments: []Payment{{}}}}, Refunds: []Refund{{}}, History: []Entry{{}}}
	if doc, err := encode(o, store.Doc{}); err == nil {
		_, _ = decode(doc) // only its work is wanted
	}
}
