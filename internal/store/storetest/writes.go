package storetest

import (
	"errors"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var writes = []test{
	{"a created document is stored as given, with version 1", createOnce},
	{"a document created again is refused and the stored one returned", createAgain},
	{"a create repeated with its own stamp succeeds", createRepeated},
	{"a create repeated after an update is refused", createRepeatedLate},
	{"an update needs the stored version", updateNeedsVersion},
	{"an update replaces everything but id and created", updateReplaces},
	{"an update repeated with its own stamp succeeds and writes once", updateRepeated},
	{"an update repeated after another writer is a conflict", updateRepeatedLate},
	{"a stamp that is stored at another version proves nothing", stampElsewhere},
	{"two writers of what one of them read never both succeed", readersStamps},
	{"an update of nothing is a conflict with nothing", updateNothing},
	{"a get sees each write at once", getAfterWrite},
	{"what is not stored is not found", getNothing},
	{"a peek sees each write in the end", peekAfterWrite},
	{"a second handle sees everything", reopened},
}

func createOnce(s *suite) {
	want := s.doc("order/a")
	got := s.create(want)
	want.Version = 1
	s.same("created", got, want)
	s.same("stored", s.get("order/a"), want)
}

func createAgain(s *suite) {
	first := s.create(s.doc("order/a"))
	second := s.plain("order/a")
	second.Version = 1
	got, err := s.Store.Create(s.Context(), second)
	s.wantErr(err, store.ErrExists)
	s.same("beside the error", got, first)
	s.same("stored", s.get("order/a"), first)
}

func createRepeated(s *suite) {
	doc := s.doc("order/a")
	doc.Stamp = store.NewStamp()
	first := s.create(doc)
	s.same("repeated", s.create(doc), first)
	s.same("stored", s.get("order/a"), first)
}

func createRepeatedLate(s *suite) {
	doc := s.doc("order/a")
	doc.Stamp = store.NewStamp()
	changed := s.update(s.create(doc))
	got, err := s.Store.Create(s.Context(), doc)
	s.wantErr(err, store.ErrExists)
	s.same("beside the error", got, changed)
}

func updateNeedsVersion(s *suite) {
	stored := s.create(s.doc("order/a"))
	for _, version := range []int64{-1, 0, 2, 3} {
		doc := s.plain("order/a")
		doc.Version = version
		got, err := s.Store.Update(s.Context(), doc)
		s.wantErr(err, store.ErrConflict)
		s.same("beside the error", got, stored)
	}
	s.same("stored", s.get("order/a"), stored)
}

func updateReplaces(s *suite) {
	created := s.create(s.doc("order/a")).Created
	bare := store.Doc{ID: "order/a", Version: 1, Created: created.Add(time.Minute), Body: []byte("new")}
	want := store.Doc{ID: "order/a", Version: 2, Created: created, Body: []byte("new")}
	s.same("updated", s.update(bare), want)
	s.same("stored", s.get("order/a"), want)
	full := s.doc("order/a")
	full.Version = 2
	want = full
	want.Version = 3
	s.same("updated again", s.update(full), want)
	s.same("stored", s.get("order/a"), want)
}

func updateRepeated(s *suite) {
	doc := s.create(s.doc("order/a"))
	doc.Stamp, doc.Body, doc.Keys = store.NewStamp(), []byte("second"), []string{"other"}
	first := s.update(doc)
	s.same("repeated", s.update(doc), first)
	s.same("stored", s.get("order/a"), first)
	s.same("version", first.Version, int64(2))
}

func updateRepeatedLate(s *suite) {
	mine := s.create(s.doc("order/a"))
	mine.Stamp, mine.Body = store.NewStamp(), []byte("mine")
	theirs := s.update(mine)
	theirs.Body = []byte("theirs")
	theirs = s.update(theirs)
	got, err := s.Store.Update(s.Context(), mine)
	s.wantErr(err, store.ErrConflict)
	s.same("beside the error", got, theirs)
	s.same("stored", s.get("order/a"), theirs)
}

func stampElsewhere(s *suite) {
	doc := s.doc("order/a")
	doc.Stamp = store.NewStamp()
	first := s.create(doc)
	doc.Version = 1
	second := s.update(doc)
	got, err := s.Store.Create(s.Context(), doc)
	s.wantErr(err, store.ErrExists)
	s.same("beside the error", got, second)
	for _, version := range []int64{0, 2 + first.Version, 9} {
		doc.Version = version
		got, err = s.Store.Update(s.Context(), doc)
		s.wantErr(err, store.ErrConflict)
		s.same("beside the error", got, second)
	}
}

// readersStamps: were stamps returned, the second writer would carry the stamp of the first and pass for it.
func readersStamps(s *suite) {
	stamped := s.doc("order/a")
	stamped.Stamp = store.NewStamp()
	s.same("stamp after create", s.create(stamped).Stamp, "")
	first, second := s.get("order/a"), s.get("order/a")
	first.Body, second.Body = []byte("first"), []byte("second")
	first = s.update(first)
	got, err := s.Store.Update(s.Context(), second)
	s.wantErr(err, store.ErrConflict)
	s.same("beside the error", got, first)
	got, err = s.Store.Create(s.Context(), s.doc("order/a"))
	s.wantErr(err, store.ErrExists)
	s.same("beside the error", got, first)
}

func updateNothing(s *suite) {
	doc := s.doc("order/a")
	doc.Version = 1
	got, err := s.Store.Update(s.Context(), doc)
	s.wantErr(err, store.ErrConflict)
	s.same("beside the error", got, store.Doc{})
	_, err = s.Store.Get(s.Context(), "order/a")
	s.wantErr(err, store.ErrNotFound)
}

func getAfterWrite(s *suite) {
	doc := s.create(s.doc("order/a"))
	for n := range 20 {
		doc.Body = []byte{byte(n)}
		doc = s.update(doc)
		s.same("stored", s.get("order/a"), doc)
	}
	s.same("version", doc.Version, int64(21))
}

func getNothing(s *suite) {
	s.create(s.doc("order/a"))
	for _, id := range []string{"order/b", "order/", "order", "", "/", "order/a ", "ORDER/a"} {
		got, err := s.Store.Get(s.Context(), id)
		s.wantErr(err, store.ErrNotFound)
		s.same("beside the error", got, store.Doc{})
	}
}

func peekAfterWrite(s *suite) {
	doc := s.create(s.doc("order/a"))
	for range 2 {
		s.soon("peek", doc, func() (any, error) {
			got, err := s.Store.Peek(s.Context(), "order/a")
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return got, err
		})
		doc = s.update(doc)
	}
	got, err := s.Store.Peek(s.Context(), "order/b")
	s.wantErr(err, store.ErrNotFound)
	s.same("beside the error", got, store.Doc{})
}

func reopened(s *suite) {
	if s.Reopen == nil {
		s.Skip("this store has one handle")
	}
	doc := s.doc("order/a")
	stored := s.update(s.create(doc))
	s.Store = s.Reopen()
	s.same("stored", s.get("order/a"), stored)
	s.wantDue(doc.Due, 10, store.Ref{ID: doc.ID, Due: doc.Due})
	s.wantByUser("alice", "order", doc.ID)
	s.wantFind("key-of-order/a", doc.ID)
	s.update(stored)
}
