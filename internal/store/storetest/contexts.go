package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var contexts = []test{
	{"a context that has ended is an error of every call", endedContext},
	{"a write whose context ends happens whole or not at all", endingContext},
}

func endedContext(s *suite) {
	before := s.create(s.doc("order/a"))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	changed := before
	changed.Body = []byte("changed")
	for name, call := range map[string]func() error{
		"create":  func() error { _, err := s.Store.Create(ctx, s.doc("order/b")); return err },
		"get":     func() error { _, err := s.Store.Get(ctx, "order/a"); return err },
		"peek":    func() error { _, err := s.Store.Peek(ctx, "order/a"); return err },
		"update":  func() error { _, err := s.Store.Update(ctx, changed); return err },
		"due":     func() error { _, err := s.Store.Due(ctx, s.now, 1); return err },
		"count":   func() error { _, err := s.Store.Count(ctx, "alice", "order", s.now, 1); return err },
		"by user": func() error { _, _, err := s.Store.ByUser(ctx, "alice", "order", store.Page{}); return err },
		"find":    func() error { _, _, err := s.Store.Find(ctx, "key", store.Page{}); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			s.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	s.sound(s.get("order/a"), before, changed)
}

// sound checks that a document is, as a whole, one of two.
func (s *suite) sound(got, before, after store.Doc) {
	s.Helper()
	if got.Version == before.Version {
		s.same("the state before", got, before)
		return
	}
	after.Version = before.Version + 1
	s.same("the state after", got, after)
}

func endingContext(s *suite) {
	for n := range 40 {
		id := fmt.Sprintf("order/%d", n)
		before := s.create(s.doc(id))
		after := before
		after.Due, after.User, after.Keys, after.Body = s.at(n), "bob", []string{"other"}, fmt.Append(nil, n)
		ctx, cancel := context.WithTimeout(s.Context(), time.Duration(n)*20*time.Microsecond)
		_, err := s.Store.Update(ctx, after)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.Fatal(err)
		}
		got := s.get(id)
		s.sound(got, before, after)
		if err == nil {
			s.same("version after success", got.Version, before.Version+1)
		}
	}
}
