// Package capacity is DynamoDB's arithmetic: how large an item is, and how many request units a read or a write of it
// consumes in an on-demand table. The rules are those of the DynamoDB Developer Guide ("DynamoDB item sizes and formats",
// "DynamoDB read and write operations", "Using Global Secondary Indexes": projected attributes and write costs).
package capacity

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

const (
	writeUnitBytes = 1 << 10
	readUnitBytes  = 4 << 10
)

// Item is an item as it is sent: {"id": {"S": "order/..."}}.
type Item map[string]map[string]any

// Bytes is the size that request units are computed from: the names of all attributes and their values.
func (it Item) Bytes() int {
	n := 0
	for name, value := range it {
		n += len(name) + valueBytes(name, value)
	}
	return n
}

// valueBytes knows the types that this project stores, and panics at another one: a wrong size would be a wrong bill.
func valueBytes(name string, value map[string]any) int {
	for kind, v := range value {
		text, ok := v.(string)
		switch {
		case ok && kind == "S":
			return len(text)
		case ok && kind == "N":
			return numberBytes(text)
		case ok && kind == "B":
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				return len(raw)
			}
		}
	}
	panic(fmt.Sprintf("capacity: the attribute %q is no string, number or binary: %v", name, value))
}

// numberBytes is one byte for two significant digits and one more.
func numberBytes(text string) int {
	digits := strings.Trim(strings.ReplaceAll(strings.TrimPrefix(text, "-"), ".", ""), "0")
	return (len(digits)+1)/2 + 1
}

// Index is a global secondary index: the attributes that an entry is made of. An item without one of the keys has no
// entry.
type Index struct {
	Keys    []string // of the index
	Carries []string // the table's key and what is projected besides
}

// Entry is what the index holds of an item; nil when it holds nothing.
func (ix Index) Entry(it Item) Item {
	e := Item{}
	for _, name := range slices.Concat(ix.Keys, ix.Carries) {
		if value, ok := it[name]; ok {
			e[name] = value
		} else if slices.Contains(ix.Keys, name) {
			return nil
		}
	}
	return e
}

// writeUnits of an entry: one write puts it, removes it or changes what it carries; a changed key is a removal and a put.
func (ix Index) writeUnits(before, after Item) int {
	was, is := ix.Entry(before), ix.Entry(after)
	switch {
	case was == nil && is == nil || same(was, is):
		return 0
	case was == nil || is == nil:
		return units(max(was.Bytes(), is.Bytes()), writeUnitBytes)
	}
	for _, name := range ix.Keys {
		if fmt.Sprint(was[name]) != fmt.Sprint(is[name]) {
			return units(was.Bytes(), writeUnitBytes) + units(is.Bytes(), writeUnitBytes)
		}
	}
	return units(max(was.Bytes(), is.Bytes()), writeUnitBytes)
}

func same(a, b Item) bool { return a != nil && b != nil && fmt.Sprint(a) == fmt.Sprint(b) }

// WriteUnits is what a PutItem or UpdateItem consumes: for the table by the larger of the item before and after, also when its
// condition fails, and for each index whose entry changes. nil is an item that does not exist.
func WriteUnits(before, after Item, indexes []Index) int {
	n := units(max(before.Bytes(), after.Bytes()), writeUnitBytes)
	for _, ix := range indexes {
		n += ix.writeUnits(before, after)
	}
	return n
}

// ReadUnits is what a GetItem of one item or a Query that returns these items consumes. One that finds nothing counts as the
// smallest.
func ReadUnits(items []Item, consistent bool) float64 {
	n := 0
	for _, it := range items {
		n += it.Bytes()
	}
	if consistent {
		return float64(units(n, readUnitBytes))
	}
	return float64(units(n, readUnitBytes)) / 2
}

// units rounds up, to one at least.
func units(bytes, unit int) int { return max(1, (bytes+unit-1)/unit) }
