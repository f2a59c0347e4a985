package explain

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// way is one way to make a part of a signature; id "" is the right way.
type way[T any] struct {
	id, detail string
	is         T
}

// frame is what stands around the body in the signed text: uri + "&" before it, if all is well.
type frame struct{ before, after string }

// search holds every way to make every part. A signature is got = encode(hash(key, frame(edge(content)))).
type search struct {
	q        Question
	uri      string // the canonical one
	readings []way[[]byte]
	contents []way[content]
	edges    []way[func([]byte) []byte]
	hashes   []way[hashing]
	paired   int    // that many contents are tried with a second mistake
	untried  int    // fields too many to be changed one at a time
	signed   []byte // the text that is hashed, and the body in it: one of each for the whole search
	body     []byte
}

func newSearch(q Question) *search {
	s := &search{q: q, uri: canonical(q.URI), readings: readings(q.Got), hashes: hashes(), edges: edges()}
	s.contents, s.paired, s.untried = contents(q.Body)
	return s
}

// target is one of the two signatures with the ways to make its key and frame.
type target struct {
	of     string
	keys   []way[string]
	frames []way[frame]
}

func (s *search) targets() []target {
	var all []target
	if s.q.AppKey != "" {
		all = append(all, target{paySig, s.appKeys(), s.frames()})
	}
	if s.q.SessionKey != "" {
		all = append(all, target{userSig, s.sessionKeys(), s.bodyFrames()})
	}
	return all
}

// choice picks a way for every part: an index each, 0 being right.
type choice struct{ key, frame, content, edge, hash int }

// causes tries one mistake, then two. What the encoding of Got shows counts as one.
func (s *search) causes() []Cause {
	for most := 1; most <= 2; most++ {
		if most == 2 && len(s.q.Body) > pairBytesMax {
			break
		}
		var found []Cause
		for _, t := range s.targets() {
			found = append(found, s.try(t, most)...)
			if most == 1 {
				found = append(found, s.reordered(t)...)
			}
		}
		if most == 1 {
			found = append(found, s.wholes()...)
		}
		if len(found) > 0 {
			return found[:min(len(found), foundMax)]
		}
	}
	return nil
}

// try makes every signature with at most that many mistakes; compare keeps those with exactly as many.
func (s *search) try(t target, most int) (found []Cause) {
	parts := [...]int{len(t.keys), len(t.frames), len(s.contents), len(s.edges)}
	if most > 1 {
		parts[2] = s.paired
	}
	var c [len(parts)]int
	var visit func(part, left int)
	visit = func(part, left int) {
		if part == len(parts) {
			found = append(found, s.hash(t, choice{key: c[0], frame: c[1], content: c[2], edge: c[3]}, left)...)
			return
		}
		for c[part] = range parts[part] {
			if c[part] > 0 && left == 0 {
				break
			}
			visit(part+1, left-min(c[part], 1))
		}
		c[part] = 0
	}
	visit(0, most)
	return found
}

// hash makes the digests of one text, the wrong ones too if a mistake is left.
func (s *search) hash(t target, c choice, left int) (found []Cause) {
	text := s.text(t, c)
	for c.hash = range s.hashes {
		if c.hash > 0 && left == 0 {
			break
		}
		found = append(found, s.compare(t, c, text, left-min(c.hash, 1))...)
	}
	return found
}

// text is what gets signed. The next call overwrites it.
func (s *search) text(t target, c choice) []byte {
	f := t.frames[c.frame].is
	s.body = s.contents[c.content].is.appendTo(s.body[:0])
	s.signed = append(append(s.signed[:0], f.before...), s.edges[c.edge].is(s.body)...)
	s.signed = append(s.signed, f.after...)
	return s.signed
}

// compare hashes and looks whether Got reads so, with exactly `left` further mistakes in its encoding.
func (s *search) compare(t target, c choice, text []byte, left int) (found []Cause) {
	sum := s.hashes[c.hash].is([]byte(t.keys[c.key].is), text)
	for _, r := range s.readings {
		if (r.id != "") != (left == 1) || left > 1 || !matches(sum, r) {
			continue
		}
		cause := Cause{Of: t.of}
		for _, w := range [][2]string{
			{t.keys[c.key].id, t.keys[c.key].detail}, {t.frames[c.frame].id, t.frames[c.frame].detail},
			{s.contents[c.content].id, s.contents[c.content].detail}, {s.edges[c.edge].id, s.edges[c.edge].detail},
			{s.hashes[c.hash].id, s.hashes[c.hash].detail}, {r.id, r.detail},
		} {
			cause.add(w[0], w[1])
		}
		if c.frame != 0 || c.content != 0 || c.edge != 0 {
			cause.Signed = s.q.printable(text)
		}
		found = append(found, cause)
	}
	return found
}

func (c *Cause) add(id, detail string) {
	if id == "" {
		return
	}
	m := mistakes[id]
	m.Detail = detail
	c.Mistakes = append(c.Mistakes, m)
}

// matches: a cut-off value is compared with the beginning, one that lost zeros as a number.
func matches(sum []byte, r way[[]byte]) bool {
	switch r.id {
	case "cut-off":
		return bytes.HasPrefix(sum, r.is) && len(r.is) < len(sum)
	case "leading-nul":
		return bytes.Equal(bytes.TrimLeft(sum, "\x00"), bytes.TrimLeft(r.is, "\x00"))
	}
	return bytes.Equal(sum, r.is)
}

// distinct drops contents that an earlier one has already: they are the same bytes under another name. It remembers sums
// of them, not the bytes.
func distinct(ways []way[content]) []way[content] {
	seen := map[uint64]bool{}
	var h maphash.Hash
	return slices.DeleteFunc(ways, func(w way[content]) bool {
		h.Reset()
		for _, part := range w.is {
			h.Write(part)
		}
		was := seen[h.Sum64()]
		seen[h.Sum64()] = true
		return was
	})
}

func distinctOf[T comparable](ways []way[T]) []way[T] {
	seen := map[T]bool{}
	return slices.DeleteFunc(ways, func(w way[T]) bool {
		was := seen[w.is]
		seen[w.is] = true
		return was
	})
}
