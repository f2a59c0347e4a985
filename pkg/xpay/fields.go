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

// inside reads with the same error; it gives nil when there is no such field.
func (f *fields) inside(name string, read func(*fields)) {
	n := f.find(name)
	if n == nil {
		return
	}
	sub := fields{node: n, err: f.err}
	read(&sub)
	f.err = sub.err
}
