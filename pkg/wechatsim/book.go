package wechatsim

import "bytes"

// book holds records by key and in order of creation. The zero book is empty.
type book[T any] struct {
	byKey map[string]*T
	list  []*T
}

// get gives the record of that key, nil if there is none.
func (b *book[T]) get(key string) *T { return b.byKey[key] }

// put adds a record, or replaces the one of that key in place.
func (b *book[T]) put(key string, v *T) {
	if old := b.byKey[key]; old != nil {
		*old = *v
		return
	}
	if b.byKey == nil {
		b.byKey = map[string]*T{}
	}
	b.byKey[key] = v
	b.list = append(b.list, v)
}

// snapshot writes one journal line for each record.
func (b *book[T]) snapshot(s *Sim, kind string, into *bytes.Buffer) {
	for _, v := range b.list {
		into.Write(s.line(kind, v))
	}
}
