package wechatsim

import (
	"bytes"
	"encoding/json"
	"math"
	"unicode/utf8"
)

// reader reads the fields of a body one after the other and remembers the first wrong one.
type reader struct {
	fields
	no *refusal
}

// need refuses the named field unless ok.
func (r *reader) need(name string, ok bool) {
	if !ok && r.no == nil {
		r.no = errField(name)
	}
}

// filled is a required text of 1 to limit characters.
func (r *reader) filled(name string, limit int) string {
	v, ok := r.text(name)
	r.need(name, ok && v != "" && utf8.RuneCountInString(v) <= limit)
	return v
}

// perhaps is an optional text.
func (r *reader) perhaps(name string) string {
	v, ok := r.text(name)
	r.need(name, ok || !r.has(name))
	return v
}

// number is a required whole number of at least low and at most high.
func (r *reader) number(name string, low, high int64) int64 {
	v, ok := r.whole(name)
	r.need(name, ok && v >= low && v <= high)
	return v
}

// flag is a required true or false.
func (r *reader) flag(name string) bool {
	raw := string(r.fields[name])
	r.need(name, raw == "true" || raw == "false")
	return raw == "true"
}

// texts is a list of strings; an absent one is empty.
func (r *reader) texts(name string) (list []string) {
	raw := r.fields[name]
	if len(raw) == 0 {
		return nil
	}
	r.need(name, raw[0] == '[' && json.Unmarshal(raw, &list) == nil && !bytes.Contains(raw, []byte("null")))
	return list
}

// object is a required object inside, read by read.
func (r *reader) object(name string, read func(*reader)) {
	f, err := parseFields(r.fields[name])
	r.need(name, err == nil)
	inner := &reader{fields: f, no: r.no}
	read(inner)
	r.no = inner.no
}

// payer is the openid; an empty one is 268490001.
func (r *reader) payer() string {
	id, no := r.openID()
	if r.no == nil {
		r.no = no
	}
	return id
}

// span is a pair of Unix seconds, the first not after the second.
func (r *reader) span(begin, end string) (from, to int64) {
	from = r.number(begin, 0, math.MaxInt64)
	return from, r.number(end, from, math.MaxInt64)
}

// page is one page of a list: the items from first up to last, of total.
type page struct{ number, size int64 }

func (r *reader) page() page {
	return page{number: r.number("page", 1, countMax), size: r.number("page_size", 1, countMax)}
}

// cut gives the items of p and how many pages there are.
func cut[T any](p page, all []T) (part []T, pages int64) {
	total := int64(len(all))
	return slice(all, (p.number-1)*p.size, p.size), (total + p.size - 1) / p.size
}

// slice gives at most limit items from offset on, never nil, so that an empty list is written as [].
func slice[T any](all []T, offset, limit int64) []T {
	total := int64(len(all))
	from := min(offset, total)
	return append([]T{}, all[from:min(from+limit, total)]...)
}
