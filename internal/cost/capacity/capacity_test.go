package capacity_test

import (
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/cost/capacity"
)

func text(s string) map[string]any   { return map[string]any{"S": s} }
func number(s string) map[string]any { return map[string]any{"N": s} }

// The Developer Guide: a string has its UTF-8 bytes, a number about one byte for two significant digits and one more, a
// binary its raw bytes; the name of the attribute counts.
func TestAnItemIsAsLargeAsItsNamesAndValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		item capacity.Item
		want int
	}{
		"nothing":            {capacity.Item{}, 0},
		"a string":           {capacity.Item{"id": text("abc")}, 5},
		"Chinese":            {capacity.Item{"id": text("会员")}, 8},
		"a number":           {capacity.Item{"n": number("1234")}, 4},
		"an odd number":      {capacity.Item{"n": number("12345")}, 5},
		"zeros do not count": {capacity.Item{"n": number("-1200.50")}, 5},
		"zero":               {capacity.Item{"n": number("0")}, 2},
		"a binary":           {capacity.Item{"b": map[string]any{"B": "AAECAw=="}}, 5},
		"two":                {capacity.Item{"id": text("abc"), "b": map[string]any{"B": ""}}, 6},
	} {
		if got := c.item.Bytes(); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}

func TestATypeWhoseSizeIsNotKnownIsNotGuessed(t *testing.T) {
	t.Parallel()
	for _, value := range []map[string]any{{"L": []any{}}, {"BOOL": true}, {"B": "not base64!"}, {}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v has a size", value)
				}
			}()
			capacity.Item{"a": value}.Bytes()
		}()
	}
}

// The Developer Guide on writes to an index: putting an entry, removing one, and changing what it projects take one write each,
// changing a key takes two, and a change of nothing that is projected takes none.
func TestAWriteConsumesUnitsForTheTableAndEachEntryThatChanges(t *testing.T) {
	t.Parallel()
	indexes := []capacity.Index{{Keys: []string{"due"}, Carries: []string{"id", "expires"}}, {Keys: []string{"user", "made"}, Carries: []string{"id"}}}
	item := func(bytes int, more ...string) capacity.Item {
		it := capacity.Item{"id": text("1"), "body": text(strings.Repeat("x", bytes-7))}
		for i := 0; i < len(more); i += 2 {
			it[more[i]] = text(more[i+1])
		}
		return it
	}
	for name, c := range map[string]struct {
		before, after capacity.Item
		want          int
	}{
		"a small new item":                     {nil, item(1024), 1},
		"a byte more":                          {nil, item(1025), 2},
		"the larger of both":                   {item(3000), item(100), 3},
		"a condition that fails":               {item(1500), item(1500), 2},
		"a condition that fails on no item":    {nil, nil, 1},
		"one index":                            {nil, item(100, "due", "a"), 2},
		"half a key is none":                   {nil, item(100, "user", "a"), 1},
		"both":                                 {nil, item(100, "due", "a", "user", "b", "made", "c"), 3},
		"an entry that stays":                  {item(100, "due", "a"), item(200, "due", "a"), 1},
		"a key that changes":                   {item(100, "due", "a"), item(100, "due", "b"), 3},
		"an entry that goes":                   {item(100, "due", "a"), item(100), 2},
		"what is carried besides":              {item(100, "due", "a"), item(100, "due", "a", "expires", "9"), 2},
		"one goes, the other changes its key":  {item(100, "due", "a", "user", "b", "made", "c"), item(100, "user", "b", "made", "d"), 4},
		"an entry of more than 1 KB":           {nil, item(100, "due", strings.Repeat("d", 1025)), 4},
		"a large entry that gets a larger key": {item(100, "due", "a"), item(100, "due", strings.Repeat("d", 1025)), 5},
	} {
		if got := capacity.WriteUnits(c.before, c.after, indexes); got != c.want {
			t.Errorf("%s: %d units, want %d", name, got, c.want)
		}
	}
}

// The Developer Guide: a unit is one strongly consistent read of up to 4 KB, or two eventually consistent ones. A Query adds up the
// sizes before it rounds.
func TestAReadConsumesAUnitForFourKilobytes(t *testing.T) {
	t.Parallel()
	of := func(sizes ...int) (items []capacity.Item) {
		for _, n := range sizes {
			items = append(items, capacity.Item{"id": text(strings.Repeat("x", n-2))})
		}
		return items
	}
	for name, c := range map[string]struct {
		items      []capacity.Item
		consistent bool
		want       float64
	}{
		"nothing":             {nil, true, 1},
		"nothing, eventually": {nil, false, 0.5},
		"4 KB":                {of(4096), true, 1},
		"a byte more":         {of(4097), true, 2},
		"eventually":          {of(4097), false, 1},
		"a query":             {of(2000, 2000, 96), false, 0.5},
		"a larger query":      {of(2000, 2000, 97), false, 1},
	} {
		if got := capacity.ReadUnits(c.items, c.consistent); got != c.want {
			t.Errorf("%s: %v units, want %v", name, got, c.want)
		}
	}
}
