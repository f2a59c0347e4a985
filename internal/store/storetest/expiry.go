package storetest

import (
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var expiry = []test{
	{"an expired document is not found", expiredGet},
	{"an expired document can be created anew, with version 1", expiredCreate},
	{"a document created anew moves to its new place in lists", expiredMoves},
	{"an expired document cannot be updated", expiredUpdate},
	{"an update that lets its document expire can be repeated", expiringUpdate},
	{"lists omit expired documents", expiredLists},
}

// expired stores a document and lets it expire: by the clock where it can be moved, else it never was alive.
func (s *suite) expired(id string) store.Doc {
	s.Helper()
	doc := s.doc(id)
	if s.SetNow == nil {
		doc.Expires = s.now.Add(-time.Hour)
		return s.create(doc)
	}
	s.SetNow(s.now)
	doc.Expires = s.now.Add(time.Hour)
	doc = s.create(doc)
	s.SetNow(doc.Expires.Add(-time.Millisecond))
	s.same("not yet expired", s.get(id), doc)
	s.SetNow(doc.Expires)
	return doc
}

func expiredGet(s *suite) {
	s.expired("token/a")
	got, err := s.Store.Get(s.Context(), "token/a")
	s.wantErr(err, store.ErrNotFound)
	s.same("beside the error", got, store.Doc{})
}

func expiredCreate(s *suite) {
	s.expired("token/a")
	doc := store.Doc{ID: "token/a", Created: s.now.Add(2 * time.Hour), Keys: []string{"new"}, User: "bob", Body: []byte("new")}
	want := doc
	want.Version = 1
	s.same("created", s.create(doc), want)
	s.same("stored", s.get("token/a"), want)
	s.wantFind("new", "token/a")
	s.wantFind("key-of-token/a")
	s.wantByUser("bob", "token", "token/a")
	s.wantByUser("alice", "token")
	got, err := s.Store.Create(s.Context(), s.doc("token/a"))
	s.wantErr(err, store.ErrExists)
	s.same("beside the error", got, want)
}

func expiredMoves(s *suite) {
	doc := s.expired("token/a")
	key := doc.Keys[0]
	s.createFor(doc.User, "token/b", s.now.Add(2*time.Hour), key)
	doc.Created, doc.Expires = s.now.Add(3*time.Hour), time.Time{}
	s.create(doc)
	s.wantByUser(doc.User, "token", "token/a", "token/b")
	s.wantFind(key, "token/a", "token/b")
}

func expiredUpdate(s *suite) {
	doc := s.expired("token/a")
	doc.Expires = time.Time{}
	got, err := s.Store.Update(s.Context(), doc)
	s.wantErr(err, store.ErrConflict)
	s.same("beside the error", got, store.Doc{})
	_, err = s.Store.Get(s.Context(), "token/a")
	s.wantErr(err, store.ErrNotFound)
}

func expiringUpdate(s *suite) {
	doc := s.doc("token/a")
	doc = s.create(doc)
	doc.Stamp, doc.Expires = store.NewStamp(), s.now.Add(-time.Hour)
	if s.SetNow != nil {
		s.SetNow(s.now)
	}
	first := s.update(doc)
	s.same("repeated", s.update(doc), first)
	_, err := s.Store.Get(s.Context(), "token/a")
	s.wantErr(err, store.ErrNotFound)
}

func expiredLists(s *suite) {
	alive := s.doc("token/b")
	alive.Expires, alive.Keys = time.Time{}, []string{"key-of-token/a"}
	s.create(alive)
	gone := s.expired("token/a")
	s.wantDue(gone.Due, 10, store.Ref{ID: "token/b", Due: alive.Due})
	s.wantByUser("alice", "token", "token/b")
	s.wantFind("key-of-token/a", "token/b")
}
