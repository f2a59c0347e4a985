package store_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

func TestCursorCarriesAPlace(t *testing.T) {
	for _, want := range []store.Cursor{
		{Created: time.UnixMilli(0).UTC(), ID: "order/a"},
		{Created: time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC), ID: "订单/ a b\u2028🙂"},
	} {
		text := want.String()
		if got, err := store.ParseCursor(text); got != want || err != nil {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
		if url.QueryEscape(text) != text {
			t.Errorf("%q is not safe in a URL", text)
		}
	}
}

// FuzzParseCursor: whatever is accepted is exactly what String writes, so no two texts mean one place.
func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"", "MTc3MDA5MTUwNiBvcmRlci9h", "MTc3MDA5MTUwNiBvcmRlci9h\n", "KzEgb3JkZXIvYQ", "MDEgb3JkZXIvYQ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := store.ParseCursor(text)
		switch {
		case err != nil && !errors.Is(err, store.ErrInvalid):
			t.Errorf("%q: %v, want ErrInvalid", text, err)
		case err == nil && got.String() != text:
			t.Errorf("%q was accepted, but is written %q", text, got.String())
		case err == nil && store.Check(store.Doc{ID: got.ID, Created: got.Created}) != nil:
			t.Errorf("%q stands for a document that cannot exist: %+v", text, got)
		}
	})
}
