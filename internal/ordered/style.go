package ordered

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Style is how JSON is written. The zero Style is JSON.stringify's: no spaces, the order kept, nothing escaped needlessly.
type Style struct {
	Sorted   bool   // fields by name, as Go does with a map
	Spaced   bool   // ", " and ": ", Python's default
	Indent   string // one level of indentation; "": on one line
	Escape   string // further characters to write as \uXXXX
	ASCII    bool   // everything beyond ASCII as \uXXXX, Python's and PHP's default
	Slash    bool   // / as \/, PHP's default
	UpperHex bool   // \u4E2D instead of \u4e2d
}

// Write gives v in a style.
func (s Style) Write(v Value) []byte {
	var b strings.Builder
	s.value(&b, v, 0)
	return []byte(b.String())
}

// Placed is a field with the offsets of its text: of its name, of its value, and behind both.
type Placed struct {
	Field
	Start, ValueStart, End int
}

// Fields writes an Object and says where each of its own fields stands, in the order written, so that one of them can be
// changed without writing all the others again.
func (s Style) Fields(v Value) (text []byte, fields []Placed) {
	var b strings.Builder
	s.object(&b, v.Fields, 0, func(p Placed) { fields = append(fields, p) })
	return []byte(b.String()), fields
}

func (s Style) value(b *strings.Builder, v Value, depth int) {
	switch v.Kind {
	case String:
		s.text(b, v.Text)
	case Array:
		s.list(b, '[', ']', len(v.Items), depth, func(i int) { s.value(b, v.Items[i], depth+1) })
	case Object:
		s.object(b, v.Fields, depth, func(Placed) {})
	case Null, Bool, Number:
		b.WriteString(v.Text)
	}
}

// object writes fields and tells where each of them stands.
func (s Style) object(b *strings.Builder, fields []Field, depth int, tell func(Placed)) {
	if s.Sorted {
		fields = slices.Clone(fields)
		slices.SortStableFunc(fields, func(x, y Field) int { return cmp.Compare(x.Name, y.Name) })
	}
	s.list(b, '{', '}', len(fields), depth, func(i int) {
		p := Placed{Field: fields[i], Start: b.Len()}
		s.text(b, p.Name)
		b.WriteString(s.colon())
		p.ValueStart = b.Len()
		s.value(b, p.Value, depth+1)
		p.End = b.Len()
		tell(p)
	})
}

func (s Style) colon() string {
	if s.Spaced || s.Indent != "" {
		return ": "
	}
	return ":"
}

func (s Style) list(b *strings.Builder, open, end byte, n, depth int, item func(int)) {
	b.WriteByte(open)
	for i := range n {
		switch {
		case i > 0 && s.Spaced && s.Indent == "":
			b.WriteString(", ")
		case i > 0:
			b.WriteByte(',')
		}
		s.line(b, depth+1)
		item(i)
	}
	if n > 0 {
		s.line(b, depth)
	}
	b.WriteByte(end)
}

func (s Style) line(b *strings.Builder, depth int) {
	if s.Indent != "" {
		b.WriteByte('\n')
		b.WriteString(strings.Repeat(s.Indent, depth))
	}
}

var short = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (s Style) text(b *strings.Builder, text string) {
	b.WriteByte('"')
	for _, r := range text {
		escape := short[r]
		switch {
		case strings.ContainsRune(s.Escape, r), r < ' ' && escape == "", s.ASCII && r >= utf8.RuneSelf:
			b.WriteString(s.unicode(r))
		case escape != "":
			b.WriteString(escape)
		case r == '/' && s.Slash:
			b.WriteString(`\/`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// unicode writes a character beyond the basic plane as two surrogates.
func (s Style) unicode(r rune) string {
	format := `\u%04x`
	if s.UpperHex {
		format = `\u%04X`
	}
	if r > 0xffff {
		r -= 0x10000
		return fmt.Sprintf(format, 0xd800+r>>10) + fmt.Sprintf(format, 0xdc00+r&0x3ff)
	}
	return fmt.Sprintf(format, r)
}
