package xpay

import (
	"fmt"
	"strconv"
	"strings"
)

// fields reads typed values out of a node and keeps the first error, which names the field and never its value.
type fields struct {
	node *node
	err  error
}

func (f *fields) fail(name, what string) {
	if f.err == nil {
		f.err = fmt.Errorf("field %s %s", name, what)
	}
}

// find gives nil for a field that is missing or null. A field that comes twice is an error: either could be meant.
func (f *fields) find(name string) *node {
	var found *node
	if f.node == nil {
		return nil
	}
	for _, kid := range f.node.kids {
		if kid.name != name || kid.null {
			continue
		}
		if found != nil {
			f.fail(name, "comes twice")
		}
		found = kid
	}
	return found
}

// text is "" when the field is missing.
func (f *fields) text(name string) string {
	n := f.find(name)
	if n == nil {
		return ""
	}
	if len(n.kids) > 0 {
		f.fail(name, "is not a single value")
	}
	return n.text
}

func (f *fields) integer(name string) (int64, bool) {
	if f.find(name) == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(f.text(name)), 10, 64)
	if err != nil {
		f.fail(name, "is not an integer")
	}
	return n, err == nil
}

// whole is 0 when the field is missing, and an error when it is there but no integer.
func (f *fields) whole(name string) int64 {
	n, _ := f.integer(name)
	return n
}

// needed is whole for a field that must be there.
func (f *fields) needed(name string) int64 {
	if f.find(name) == nil {
		f.fail(name, "is missing")
	}
	return f.whole(name)
}

// loose is 0 for anything but an integer: for times and counters that decide nothing.
func (f *fields) loose(name string) int64 {
	n := f.node.child(name)
	if n == nil {
		return 0
	}
	number, err := strconv.ParseInt(strings.TrimSpace(n.text), 10, 64)
	if err != nil {
		return 0
	}
	return number
}

// fen is nil when the field is missing.
func (f *fields) fen(name string) *Fen {
	n, ok := f.integer(name)
	if !ok {
		return nil
	}
	fen := Fen(n)
	return &fen
}

func (f *fields) fenOrZero(name string) Fen { return Fen(f.whole(name)) }

// inside reads with the same error, unless there is no such field or nothing in it.
func (f *fields) inside(name string, read func(*fields)) {
	n := f.find(name)
	if n == nil || len(n.kids) == 0 {
		return
	}
	sub := fields{node: n, err: f.err}
	read(&sub)
	f.err = sub.err
}

// count is nil when the field is missing.
func (f *fields) count(name string) *int64 {
	n, ok := f.integer(name)
	if !ok {
		return nil
	}
	return &n
}

// flag is false when the field is missing. WeChat writes true and false as words, numbers and text (spec 4.2).
func (f *fields) flag(name string) bool {
	switch f.text(name) {
	case "true", "1":
		return true
	case "", "false", "0":
	default:
		f.fail(name, "is neither true nor false")
	}
	return false
}

// yuan is "" when the field is missing.
func (f *fields) yuan(name string) Yuan {
	text := Yuan(f.text(name))
	if _, err := text.Fen(); text != "" && err != nil {
		f.fail(name, "is no amount in yuan")
	}
	return text
}

// texts are the elements of a list of single values; a single value is a list of one. An empty text is none.
func (f *fields) texts(name string) (all []string) {
	f.each(name, func(n *node) {
		if len(n.kids) > 0 {
			f.fail(name, "is not a list of single values")
		}
		if n.text != "" {
			all = append(all, n.text)
		}
	})
	return all
}

func (f *fields) each(name string, do func(*node)) {
	if f.node == nil {
		return
	}
	for _, kid := range f.node.kids {
		if kid.name == name && !kid.null {
			do(kid)
		}
	}
}

// list reads every element of a list with the same error. No list, null and [] are all nil, and so are elements in which there
// is nothing.
func list[T any](f *fields, name string, read func(*fields) T) (all []T) {
	f.each(name, func(n *node) {
		if len(n.kids) == 0 {
			if n.text != "" {
				f.fail(name, "is not a list of objects")
			}
			return
		}
		sub := fields{node: n, err: f.err}
		all = append(all, read(&sub))
		f.err = sub.err
	})
	return all
}

// present tells whether a field holds anything. If not, reading ends with the sentinel.
func (f *fields) present(name string, sentinel error) bool {
	if f.text(name) == "" && f.err == nil {
		f.err = fmt.Errorf("%s is empty: %w", name, sentinel)
	}
	return f.err == nil
}

// same makes an answer about another number than the one that was asked for an error. Either may be missing.
func (f *fields) same(name, asked string) {
	if got := f.text(name); asked != "" && got != "" && got != asked {
		f.fail(name, "is not the one that was asked for")
	}
}

// promised is text for a field without which the answer is of no use.
func (f *fields) promised(name string) string {
	text := f.text(name)
	if text == "" {
		f.fail(name, "is missing")
	}
	return text
}
