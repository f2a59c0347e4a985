package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var lists = []test{
	{"due documents of all kinds come earliest first", dueOrder},
	{"a document whose due is cleared or moved is due no more", dueMoves},
	{"documents with equal due times all come", dueTies},
	{"a user's documents come newest first", byUserOrder},
	{"a user sees one kind and nobody else's", byUserApart},
	{"a document can change its user", byUserMoves},
	{"a user's documents of a kind are counted since a time, up to a limit", counting},
	{"paging neither skips nor repeats while documents arrive", pagingWhileWriting},
	{"documents with equal times page without skip or repeat", pagingTies},
	{"a page without limit has at most the default", pageDefault},
	{"a key finds its documents, newest first", findOrder},
	{"keys can be added, removed and replaced", findChanges},
	{"listed documents are whole", listedWhole},
	{"lists of nothing are empty", listsOfNothing},
}

func (s *suite) createDue(id string, due time.Time) store.Doc {
	doc := s.plain(id)
	doc.Due = due
	return s.create(doc)
}

func (s *suite) at(seconds int) time.Time { return s.now.Add(time.Duration(seconds) * time.Second) }

func dueOrder(s *suite) {
	s.createDue("user/c", s.at(3))
	s.createDue("order/a", s.at(1))
	s.createDue("order/d", s.at(4))
	s.createDue("bill/b", s.at(2))
	s.createDue("order/never", time.Time{})
	a, b, c := store.Ref{ID: "order/a", Due: s.at(1)}, store.Ref{ID: "bill/b", Due: s.at(2)}, store.Ref{ID: "user/c", Due: s.at(3)}
	s.wantDue(s.at(3), 10, a, b, c)
	s.wantDue(s.at(3).Add(-time.Millisecond), 10, a, b)
	s.wantDue(s.at(9), 2, a, b)
	s.wantDue(s.at(0), store.DueMax)
}

func dueMoves(s *suite) {
	doc := s.createDue("order/a", s.at(1))
	s.wantDue(s.at(9), 10, store.Ref{ID: "order/a", Due: s.at(1)})
	doc.Due = s.at(5)
	doc = s.update(doc)
	s.wantDue(s.at(4), 10)
	s.wantDue(s.at(5), 10, store.Ref{ID: "order/a", Due: s.at(5)})
	doc.Due = time.Time{}
	doc = s.update(doc)
	s.wantDue(s.at(9), 10)
	doc.Due = s.at(2)
	s.update(doc)
	s.wantDue(s.at(9), 10, store.Ref{ID: "order/a", Due: s.at(2)})
}

func dueTies(s *suite) {
	ids := []string{"order/a", "order/b", "order/c", "user/a", "user/b"}
	for _, id := range ids {
		s.createDue(id, s.at(1))
	}
	s.soon("due", ids, func() (any, error) {
		refs, err := s.Store.Due(s.Context(), s.at(1), len(ids))
		got := []string{}
		for _, ref := range refs {
			got = append(got, ref.ID)
		}
		slices.Sort(got)
		return got, err
	})
}

func (s *suite) createFor(user, id string, created time.Time, keys ...string) store.Doc {
	return s.create(store.Doc{ID: id, Created: created, User: user, Keys: keys})
}

func byUserOrder(s *suite) {
	s.createFor("alice", "order/2", s.at(2))
	s.createFor("alice", "order/5", s.at(5))
	s.createFor("alice", "order/1", s.at(1))
	s.createFor("alice", "order/4", s.at(4))
	s.createFor("alice", "order/3", s.at(3))
	s.wantByUser("alice", "order", "order/5", "order/4", "order/3", "order/2", "order/1")
}

func byUserApart(s *suite) {
	s.createFor("alice", "order/a", s.at(1))
	s.createFor("bob", "order/b", s.at(2))
	s.createFor("alic", "order/c", s.at(2))
	s.createFor("", "order/d", s.at(3))
	s.createFor("alice", "token/a", s.at(4))
	s.createFor("alice", "orders/a", s.at(5))
	s.wantByUser("alice", "order", "order/a")
	s.wantByUser("alice", "token", "token/a")
	s.wantByUser("bob", "order", "order/b")
	s.wantByUser("bob", "token")
	s.wantByUser("", "order")
}

func counting(s *suite) {
	for i := range 5 {
		s.createFor("alice", fmt.Sprintf("order/%d", i), s.at(i))
	}
	s.createFor("alice", "token/a", s.at(9))
	s.createFor("bob", "order/b", s.at(9))
	s.createFor("", "order/c", s.at(9))
	for _, c := range []struct {
		user        string
		kind        store.Kind
		since       time.Time
		limit, want int
	}{
		{"alice", "order", s.at(-100), store.PageMax, 5},
		{"alice", "order", time.UnixMilli(0), 3, 3},
		{"alice", "order", s.at(2), 100, 3},
		{"alice", "order", s.at(2).Add(time.Millisecond), 100, 2},
		{"alice", "order", s.at(4), 1, 1},
		{"alice", "order", s.at(5), 100, 0},
		{"alice", "token", s.at(0), 100, 1},
		{"bob", "order", s.at(0), 100, 1},
		{"", "order", s.at(0), 100, 0},
		{"alic", "order", s.at(0), 100, 0},
		{strings.Repeat("x", 5000), "order", s.at(0), 100, 0},
	} {
		s.soon(fmt.Sprintf("%s's %s since %s", c.user, c.kind, c.since), c.want, func() (any, error) {
			return s.Store.Count(s.Context(), c.user, c.kind, c.since, c.limit)
		})
	}
}

func byUserMoves(s *suite) {
	doc := s.createFor("alice", "order/a", s.at(1))
	s.createFor("alice", "order/b", s.at(2))
	doc.User = "bob"
	doc = s.update(doc)
	s.wantByUser("alice", "order", "order/b")
	s.wantByUser("bob", "order", "order/a")
	doc.User = ""
	s.update(doc)
	s.wantByUser("bob", "order")
}

func pagingWhileWriting(s *suite) {
	var want []string
	for n := range 9 {
		want = append(want, fmt.Sprintf("order/%d", 9-n))
		s.createFor("alice", want[n], s.at(9-n), "key")
	}
	s.wantByUser("alice", "order", want...)
	s.wantFind("key", want...)
	for name, list := range s.listsOf("alice", "key") {
		arrived := 10
		got, err := s.walk(2, list, func() {
			s.createFor("alice", fmt.Sprintf("order/%s-%d", name, arrived), s.at(arrived), "key")
			arrived++
		})
		s.ok(err)
		got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
		s.same(name, got, want)
	}
}

func (s *suite) listsOf(user, key string) map[string]lister {
	return map[string]lister{
		"by user": func(ctx context.Context, page store.Page) ([]store.Doc, string, error) {
			return s.Store.ByUser(ctx, user, "order", page)
		},
		"find": func(ctx context.Context, page store.Page) ([]store.Doc, string, error) {
			return s.Store.Find(ctx, key, page)
		},
	}
}

func pagingTies(s *suite) {
	var want []string
	for n := range 7 {
		want = append(want, fmt.Sprintf("order/%d", n))
		s.createFor("alice", want[n], s.at(1), "key")
	}
	for name, list := range s.listsOf("alice", "key") {
		for _, limit := range []int{1, 3, 7, store.PageMax} {
			s.soon(fmt.Sprintf("%s, limit %d", name, limit), want, func() (any, error) {
				got, err := s.walk(limit, list, nil)
				slices.Sort(got)
				return got, err
			})
		}
	}
}

func pageDefault(s *suite) {
	for n := range store.PageDefault + 1 {
		s.createFor("alice", fmt.Sprintf("order/%02d", n), s.at(n), "key")
	}
	for name, list := range s.listsOf("alice", "key") {
		s.soon(name+": there is more", true, func() (any, error) {
			docs, next, err := list(s.Context(), store.Page{})
			return len(docs) <= store.PageDefault && next != "", err
		})
	}
}

func findOrder(s *suite) {
	s.createFor("alice", "order/1", s.at(1), "key", "other")
	s.createFor("bob", "order/3", s.at(3), "key")
	s.createFor("", "user/2", s.at(2), "more", "key")
	s.createFor("bob", "order/4", s.at(4), "keys", "ke")
	s.wantFind("key", "order/3", "user/2", "order/1")
	s.wantFind("other", "order/1")
	s.wantFind("more", "user/2")
}

func findChanges(s *suite) {
	doc := s.createFor("alice", "order/a", s.at(1), "one", "two", "one")
	s.wantFind("one", "order/a")
	s.createFor("alice", "order/b", s.at(2), "two")
	for _, step := range []struct{ keys, oneTwoThree []string }{
		{[]string{"one", "two", "three"}, []string{"order/a", "order/b order/a", "order/a"}},
		{[]string{"three"}, []string{"", "order/b", "order/a"}},
		{[]string{"one", "one"}, []string{"order/a", "order/b", ""}},
		{[]string{"two", "one"}, []string{"order/a", "order/b order/a", ""}},
		{nil, []string{"", "order/b", ""}},
		{[]string{"two"}, []string{"", "order/b order/a", ""}},
	} {
		doc.Keys = step.keys
		doc = s.update(doc)
		s.same("keys", doc.Keys, step.keys)
		s.same("stored", s.get("order/a"), doc)
		for i, key := range []string{"one", "two", "three"} {
			s.soon(fmt.Sprintf("%q after %q", key, step.keys), "["+step.oneTwoThree[i]+"]", func() (any, error) {
				ids, err := s.walk(1, func(ctx context.Context, page store.Page) ([]store.Doc, string, error) {
					return s.Store.Find(ctx, key, page)
				}, nil)
				return fmt.Sprint(ids), err
			})
		}
	}
}

func listedWhole(s *suite) {
	stored := s.create(s.doc("order/a"))
	for name, list := range s.listsOf("alice", "key-of-order/a") {
		s.soon(name, []store.Doc{stored}, func() (any, error) {
			docs, _, err := list(s.Context(), store.Page{})
			return docs, err
		})
	}
}

func listsOfNothing(s *suite) {
	s.create(store.Doc{ID: "order/a", Created: s.now})
	s.wantDue(s.at(0), 10)
	s.wantByUser("", "order")
	s.wantByUser("alice", "")
	s.wantFind("")
}
