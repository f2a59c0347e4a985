package order

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strconv"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Kinds of the documents this package stores.
const (
	KindOrder    store.Kind = "order"
	KindEvidence store.Kind = "evidence"
)

// numberEncoding writes 128 bits as 26 characters that are legal in every WeChat field (spec 2.2, 4.8).
var numberEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	idLen         = 26
	refundPrefix  = 'r'
	digestBytes   = 16
	attemptSuffix = 2 // "-n"
)

// NewID derives the id of an order from who asks for what: the same user sending the same Idempotency-Key to the
// same app and env always means the same order, on every machine.
func NewID(appID string, env xpay.Env, openID, key string) string {
	return digest("order", appID, strconv.Itoa(int(env)), openID, key)
}

// NewRefundID derives a refund number from the order, the attempt and the request's Idempotency-Key.
func NewRefundID(orderID string, attempt int, key string) string {
	return string(refundPrefix) + digest("refund", orderID, strconv.Itoa(attempt), key)
}

// digest hashes its parts with their lengths in front, so that no two lists of parts read the same.
func digest(parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return numberEncoding.EncodeToString(h.Sum(nil)[:digestBytes])
}

// OutTradeNo is the number that attempt n of an order has at WeChat: the id itself, then "<id>-2" to "<id>-9".
func OutTradeNo(orderID string, attempt int) string {
	if attempt == 1 {
		return orderID
	}
	return orderID + "-" + strconv.Itoa(attempt)
}

// Number is a business number of ours, taken apart.
type Number struct {
	OrderID string // empty for a refund number: a hash does not tell its order
	Attempt int    // 1 to AttemptsMax; 0 for a refund number
	Refund  bool
}

// ParseNumber takes apart a number that came from outside. ok is false for every number we could not have made.
func ParseNumber(s string) (n Number, ok bool) {
	switch len(s) {
	case idLen:
		return Number{OrderID: s, Attempt: 1}, isDigest(s)
	case idLen + 1:
		return Number{Refund: true}, s[0] == refundPrefix && isDigest(s[1:])
	case idLen + attemptSuffix:
		id, sep, attempt := s[:idLen], s[idLen], int(s[idLen+1]-'0')
		return Number{OrderID: id, Attempt: attempt}, sep == '-' && attempt >= 2 && attempt <= AttemptsMax && isDigest(id)
	default:
		return Number{}, false
	}
}

// isDigest reports whether s is exactly what digest could have written, unused low bits included.
func isDigest(s string) bool {
	raw, err := numberEncoding.DecodeString(s)
	return err == nil && len(raw) == digestBytes && numberEncoding.EncodeToString(raw) == s
}

// ValidID reports whether s has the form of an order id.
func ValidID(s string) bool {
	n, ok := ParseNumber(s)
	return ok && !n.Refund && n.Attempt == 1
}

// DocID is the store's id of an order.
func DocID(orderID string) string { return string(KindOrder) + "/" + orderID }

// idOfDoc is the reverse of DocID.
func idOfDoc(docID string) (string, error) {
	id, kind := docID[len(store.KindOf(docID)):], store.KindOf(docID)
	if kind != KindOrder || len(id) < 2 || !ValidID(id[1:]) {
		return "", problem.New(problem.Invalid, "%q is not the document of an order", docID)
	}
	return id[1:], nil
}

// Tag is what WeChat is given as attach and gives back as biz_meta: proof that a query's answer belongs to the
// order. The merchant's own attach never leaves us.
func Tag(orderID string) string { return "v1." + orderID }
