package order

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// evidence is a push that could not be taken in, kept for a person: 8 KiB of it, and the hash of the whole.
type evidence struct {
	V      int       `json:"v"`
	Event  string    `json:"event"`
	Number string    `json:"number"`
	Case   string    `json:"case,omitempty"` // the complaint or refund, where one order can have several
	Reason string    `json:"reason"`
	Source Source    `json:"source"`
	Ask    bool      `json:"ask,omitempty"` // a person must look
	At     time.Time `json:"at"`
	SHA256 string    `json:"sha256"`
	Bytes  int       `json:"bytes"`
	Body   []byte    `json:"body"`
}

// doc makes the document. Its id comes from event, number and reason, so that repeats of a push find it.
func (e evidence) doc(raw []byte) store.Doc {
	sum := sha256.Sum256(raw)
	e.V, e.SHA256, e.Bytes = bodyVersion, hex.EncodeToString(sum[:]), len(raw)
	e.Body = raw[:min(len(raw), evidenceBytesMax)]
	e.Number = e.Number[:min(len(e.Number), idLen*2)]
	body, _ := json.Marshal(e) // strings, numbers and bytes always marshal
	doc := store.Doc{
		ID:      string(KindEvidence) + "/" + digest("evidence", e.Event, e.Number, e.Case, e.Reason, e.once()),
		Created: e.At, Expires: e.At.Add(evidenceFor).Truncate(time.Second), Body: body,
	}
	if e.Ask {
		doc.Keys = []string{KeyHeld}
	}
	return doc
}

// once tells pushes without a business number apart by their bytes.
func (e evidence) once() string {
	if e.Number != "" {
		return ""
	}
	return e.SHA256
}
