package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var limits = []test{
	{"a document that breaks a limit is refused and nothing written", docLimits},
	{"a page or cursor that breaks a limit is refused", pageLimits},
	{"a due or count limit out of bounds is refused", dueLimits},
	{"an id, user or key that breaks a limit is in no store", overlongReads},
}

// broken changes a good document so that it breaks one limit.
var broken = map[string]func(*store.Doc){
	"empty id":           func(d *store.Doc) { d.ID = "" },
	"id without kind":    func(d *store.Doc) { d.ID = "/a" },
	"id without slash":   func(d *store.Doc) { d.ID = "order" },
	"id without name":    func(d *store.Doc) { d.ID = "order/" },
	"long id":            func(d *store.Doc) { d.ID = "order/" + strings.Repeat("a", store.IDBytesMax-5) },
	"id not UTF-8":       func(d *store.Doc) { d.ID = "order/\xff" },
	"control in id":      func(d *store.Doc) { d.ID = "order/a\x00" },
	"long user":          func(d *store.Doc) { d.User = strings.Repeat("ü", store.KeyBytesMax/2) + "u" },
	"user not UTF-8":     func(d *store.Doc) { d.User = "\xc3" },
	"long stamp":         func(d *store.Doc) { d.Stamp = strings.Repeat("s", store.KeyBytesMax+1) },
	"empty key":          func(d *store.Doc) { d.Keys = []string{"a", ""} },
	"long key":           func(d *store.Doc) { d.Keys = []string{strings.Repeat("k", store.KeyBytesMax+1)} },
	"key not UTF-8":      func(d *store.Doc) { d.Keys = []string{"a\x80"} },
	"many keys":          func(d *store.Doc) { d.Keys = strings.Split("123456789", "") },
	"large body":         func(d *store.Doc) { d.Body = make([]byte, store.BodyBytesMax+1) },
	"no created":         func(d *store.Doc) { d.Created = time.Time{} },
	"due before 1970":    func(d *store.Doc) { d.Due = time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC) },
	"expires after 9999": func(d *store.Doc) { d.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
}

func docLimits(s *suite) {
	stored := s.create(s.doc("order/a"))
	for what, breakIt := range broken {
		fresh, changed := s.doc("order/b"), stored
		fresh.Due, changed.Due = s.now, s.now
		breakIt(&fresh)
		breakIt(&changed)
		_, err := s.Store.Create(s.Context(), fresh)
		if !errors.Is(err, store.ErrInvalid) {
			s.Errorf("create with %s: %v, want ErrInvalid", what, err)
		}
		_, err = s.Store.Update(s.Context(), changed)
		if !errors.Is(err, store.ErrInvalid) {
			s.Errorf("update with %s: %v, want ErrInvalid", what, err)
		}
	}
	_, err := s.Store.Get(s.Context(), "order/b")
	s.wantErr(err, store.ErrNotFound)
	s.same("stored", s.get("order/a"), stored)
	s.wantDue(s.now, 10)
}

func pageLimits(s *suite) {
	pages := []store.Page{{Limit: -1}, {Limit: store.PageMax + 1}}
	for _, cursor := range []string{"x", "====", "MSB4", "!", "a b", "MTIzIG9yZGVyL2E=", strings.Repeat("A", 5000), "\n"} {
		pages = append(pages, store.Page{After: cursor})
	}
	for _, page := range pages {
		for name, list := range s.listsOf("alice", "key") {
			if docs, next, err := list(s.Context(), page); !errors.Is(err, store.ErrInvalid) || len(docs) > 0 || next != "" {
				s.Errorf("%s of %+v: %v, %q, error %v, want ErrInvalid", name, page, docs, next, err)
			}
		}
	}
}

func dueLimits(s *suite) {
	for _, limit := range []int{-1, 0, store.DueMax + 1} {
		_, err := s.Store.Due(s.Context(), s.now, limit)
		s.wantErr(err, store.ErrInvalid)
	}
	for _, limit := range []int{-1, 0, store.PageMax + 1} {
		_, err := s.Store.Count(s.Context(), "alice", "order", s.now, limit)
		s.wantErr(err, store.ErrInvalid)
	}
}

func overlongReads(s *suite) {
	for _, text := range []string{strings.Repeat("x", 5000), "order/" + strings.Repeat("x", 5000), "\xff", "order/\x00"} {
		_, err := s.Store.Get(s.Context(), text)
		s.wantErr(err, store.ErrNotFound)
		s.wantByUser(text, "order")
		s.wantByUser("alice", store.Kind(text))
		s.wantFind(text)
	}
}
