package order

import (
	"cmp"
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
	Code   string    `json:"code,omitempty"` // of the question; "" is AttentionUnknown
	Reason string    `json:"reason"`
	Source Source    `json:"source"`
	Ask    bool      `json:"ask,omitempty"` // a person must look
	At     time.Time `json:"at"`
	SHA256 string    `json:"sha256"`
	Bytes  int       `json:"bytes"`
	Body   []byte    `json:"body"`

	DismissedAt time.Time `json:"dismissedAt,omitzero"` // a person has looked
	DismissedBy string    `json:"dismissedBy,omitempty"`
}

// doc makes the document. Its id comes from event, number, reason and source, so that repeats of a push find it, and one in plain
// mode, which anybody may have sent, keeps none of WeChat's out.
func (e evidence) doc(raw []byte) store.Doc {
	sum := sha256.Sum256(raw)
	e.V, e.SHA256, e.Bytes = bodyVersion, hex.EncodeToString(sum[:]), len(raw)
	e.Body = raw[:min(len(raw), evidenceBytesMax)]
	e.Number = e.Number[:min(len(e.Number), idLen*2)]
	body, _ := json.Marshal(e) // strings, numbers and bytes always marshal
	doc := store.Doc{
		ID:      e.docID(),
		Created: e.At, Expires: e.At.Add(evidenceFor).Truncate(time.Second), Body: body,
	}
	if e.Ask {
		doc.Keys = []string{KeyHeld}
	}
	return doc
}

// docID is the name of the document.
func (e evidence) docID() string {
	parts := []string{"evidence", e.Event, e.Number, e.Case, e.Reason, e.once()}
	if e.Source == SourcePlain {
		parts = append(parts, string(e.Source))
	}
	return string(KindEvidence) + "/" + digest(parts...)
}

// code is what kind of question the evidence asks.
func (e evidence) code() string { return cmp.Or(e.Code, AttentionUnknown) }

// once tells pushes without a business number apart by their bytes.
func (e evidence) once() string {
	if e.Number != "" {
		return ""
	}
	return e.SHA256
}
