package storetest

import (
	"bytes"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var values = []test{
	{"a body may hold every byte, nothing, or the most", bodies},
	{"times come back in UTC, rounded down", times},
	{"ids, users and keys may be Unicode", unicodes},
	{"the longest id, user and keys fit", longest},
	{"stored documents share no memory with the caller", noSharing},
}

func bodies(s *suite) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	doc := s.create(store.Doc{ID: "order/a", Created: s.now, Body: every})
	for _, body := range [][]byte{every, {}, nil, {0}, bytes.Repeat(every, store.BodyBytesMax/256)} {
		doc.Body = body
		doc = s.update(doc)
		s.same("updated", doc.Body, body)
		s.same("stored", s.get("order/a").Body, body)
	}
}

func times(s *suite) {
	shanghai := time.FixedZone("CST", 8*3600)
	doc := store.Doc{
		ID:      "order/a",
		Created: time.Date(2026, 2, 3, 4, 5, 6, 789_999_999, shanghai),
		Due:     time.Date(2026, 2, 3, 23, 5, 6, 1_000_001, shanghai),
		Expires: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	}
	want := store.Doc{
		ID:      "order/a",
		Version: 1,
		Created: time.Date(2026, 2, 2, 20, 5, 6, 789_000_000, time.UTC),
		Due:     time.Date(2026, 2, 3, 15, 5, 6, 1_000_000, time.UTC),
		Expires: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	for what, got := range map[string]store.Doc{"created": s.create(doc), "stored": s.get("order/a")} {
		s.same(what, got, want)
		for _, t := range []time.Time{got.Created, got.Due, got.Expires} {
			s.same("zone of "+t.String(), t.Location().String(), "UTC")
		}
	}
	s.wantDue(want.Due, 1, store.Ref{ID: "order/a", Due: want.Due})
}

func unicodes(s *suite) {
	doc := s.doc("订单/Ünï-🙂-%2F?#/x y")
	doc.User, doc.Keys = "用户 'ö\" <&>", []string{"ключ/1", "\u2028\uFFFD\U0010FFFF", `["a"]`}
	doc = s.create(doc)
	s.same("stored", s.get(doc.ID), doc)
	s.wantByUser(doc.User, "订单", doc.ID)
	for _, key := range doc.Keys {
		s.wantFind(key, doc.ID)
	}
}

func longest(s *suite) {
	doc := store.Doc{ID: "order/" + strings.Repeat("i", store.IDBytesMax-6), Created: s.now}
	doc.User = strings.Repeat("u", store.KeyBytesMax)
	for i := range store.KeysMax {
		doc.Keys = append(doc.Keys, strings.Repeat(string(rune('a'+i)), store.KeyBytesMax))
	}
	doc = s.create(doc)
	s.same("stored", s.get(doc.ID), doc)
	s.wantByUser(doc.User, "order", doc.ID)
	s.wantFind(doc.Keys[store.KeysMax-1], doc.ID)
}

func noSharing(s *suite) {
	doc := s.doc("order/a")
	body, key := string(doc.Body), doc.Keys[0]
	got := s.create(doc)
	doc.Body[0], doc.Keys[0] = 'X', "X"
	s.same("returned body", string(got.Body), body)
	s.same("returned key", got.Keys[0], key)
	got.Body[0] = 'Y'
	s.same("stored body", string(s.get("order/a").Body), body)
}
