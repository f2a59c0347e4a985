package order

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// evidence is a push that could not be taken in, kept for a person: 8 KiB of it, and the hash of the whole.
type evidence struct {
	V      int       `json:"v"`
	Event  string    `json:"event"`
	Number string    `json:"number"`
	Case   string    `json:"case,omitempty"`  // the complaint or refund, where one order can have several
	Piece  int       `json:"piece,omitempty"` // of those that differ and share event, number and reason, from 0
	Code   string    `json:"code,omitempty"`  // of the question; "" is AttentionUnknown
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

// keep stores a push that nobody understands, once for each event, number and reason. Where pushes that differ may share a name, each
// is kept beside the others, up to piecesMax.
func (s *Service) keep(ctx context.Context, p Push, e evidence) error {
	e.Event, e.At, e.Source = short(p.Event.Name), s.now(), p.source()
	for e.Piece = range e.pieces() {
		kept, err := s.keepPiece(ctx, e, p.Raw)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, store.ErrExists):
			return storeProblem(fmt.Errorf("keep evidence: %w", err))
		case e.repeats(kept, p.Raw):
			return nil
		}
	}
	return s.notKept(ctx, e)
}

// keepPiece stores one piece of evidence, or returns the one that has its name already, with store.ErrExists. A new one that asks for a
// person calls one first: if the write happens although its answer is lost, the repeat of the push finds it stored.
func (s *Service) keepPiece(ctx context.Context, e evidence, raw []byte) (store.Doc, error) {
	doc := e.doc(raw)
	kept, err := s.Store.Get(ctx, doc.ID)
	switch {
	case err == nil:
		return kept, store.ErrExists
	case !errors.Is(err, store.ErrNotFound):
		return store.Doc{}, err
	}
	if e.Ask {
		s.alarm(ctx, Alarm{Code: e.code(), Number: e.Number, Reason: e.Reason})
	}
	return s.Store.Create(ctx, doc)
}

// notKept: a push beyond what is kept of its kind. One in plain mode is dropped, for whoever can write one can write a thousand; one in
// secure mode is refused, so that WeChat repeats it.
func (s *Service) notKept(ctx context.Context, e evidence) error {
	s.Log.WarnContext(ctx, "evidence not kept: there is too much of its kind", "event", short(e.Event), "number", short(e.Number), "source", e.Source, "pieces", piecesMax)
	if e.Source == SourcePlain {
		return nil
	}
	return problem.New(problem.Limited, "%d different pushes of one kind about one number are kept, no more can be", piecesMax)
}

// pieces is how many pushes may share event, number and reason. One in plain mode, which anybody may have sent, must not shut out
// WeChat's; and one number can be refunded in parts.
func (e evidence) pieces() int {
	if e.Source == SourcePlain || e.Reason == reasonNoOrderBack {
		return piecesMax
	}
	return 1
}

// repeats reports whether the evidence that has the name already is of the same push. In plain mode only the bytes tell.
func (e evidence) repeats(kept store.Doc, raw []byte) bool {
	old, ok := openEvidence(kept)
	switch {
	case e.pieces() == 1:
		return true
	case !ok:
		return false
	case e.Source == SourcePlain:
		return old.SHA256 == sha256Hex(raw)
	default:
		return old.Case == e.Case
	}
}

func sha256Hex(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// doc makes the document. Its id comes from event, number, reason, source and piece, so that repeats of a push find it without a
// search, and so does Adopt; one in plain mode keeps none in secure mode out.
func (e evidence) doc(raw []byte) store.Doc {
	e.V, e.SHA256, e.Bytes = bodyVersion, sha256Hex(raw), len(raw)
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
	if e.Reason == reasonNoOrderBack {
		e.Case = "" // its pieces are counted, so that Adopt finds them
	}
	parts := []string{"evidence", e.Event, e.Number, e.Case, e.Reason, e.once()}
	if e.Source == SourcePlain {
		parts = append(parts, string(e.Source))
	}
	if e.Piece > 0 {
		parts = append(parts, strconv.Itoa(e.Piece))
	}
	return string(KindEvidence) + "/" + digest(parts...)
}

// piecesOf reads all that is kept under the name of one, in the order in which it came.
func (s *Service) piecesOf(ctx context.Context, e evidence) (docs []store.Doc, err error) {
	for e.Piece = range e.pieces() {
		doc, err := s.Store.Get(ctx, e.docID())
		if errors.Is(err, store.ErrNotFound) {
			return docs, nil
		}
		if err != nil {
			return nil, storeProblem(fmt.Errorf("read evidence: %w", err))
		}
		docs = append(docs, doc)
	}
	return docs, nil
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
