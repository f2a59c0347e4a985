package explain

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
)

// content is a body that may have been signed, in up to three parts. Bodies that differ in one field share all the rest:
// a thousand of them take up little more than one.
type content [3][]byte

func whole(body []byte) content { return content{body} }

func (c content) appendTo(dst []byte) []byte {
	for _, part := range c {
		dst = append(dst, part...)
	}
	return dst
}

// edges are the ways to get the ends of a body wrong; the first changes nothing. They may write into what they are given.
func edges() []way[func([]byte) []byte] {
	behind := func(tail string) func([]byte) []byte {
		return func(b []byte) []byte { return append(b, tail...) }
	}
	return []way[func([]byte) []byte]{
		{is: func(b []byte) []byte { return b }},
		{"newline", "signed with one more than was sent", behind("\n")},
		{"newline", "signed with CRLF more than was sent", behind("\r\n")},
		{"newline", "sent with one that was not signed", func(b []byte) []byte { return bytes.TrimRight(b, "\r\n") }},
		{"spaces", "sent with spaces that were not signed", bytes.TrimSpace},
		{"spaces", "a space behind it was signed", behind(" ")},
		{"bom", "signed, not sent", func(b []byte) []byte { return slices.Insert(b, 0, []byte("\ufeff")...) }},
		{"bom", "sent, not signed", func(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\ufeff")) }},
		{"crlf", "signed with CRLF, sent with LF", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }},
		{"crlf", "signed with LF, sent with CRLF", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }},
		{"nul-ended", "", behind("\x00")},
	}
}

const (
	pairFieldsMax = 100     // that are changed one at a time where a second mistake is tried with each
	workBytesMax  = 1 << 30 // about what is hashed to change the other fields one at a time: a second or two
	formsOfField  = 5       // about how many bodies one field gives
)

// contents are the bodies that may have been signed instead; the first is the one that was sent. The first `paired` of
// them are tried together with a second mistake; `untried` fields are left out, because each costs the length of the body.
func contents(body []byte) (all []way[content], paired, untried int) {
	all = []way[content]{{is: whole(body)}}
	v, err := ordered.Parse(bytes.TrimPrefix(body, []byte("\ufeff")))
	if err == nil && v.Kind == ordered.String { // sent as a JSON string of what was signed
		all = append(all, way[content]{"stringified", "sent stringified, signed as it was", whole([]byte(v.Text))})
	}
	if err != nil {
		all = distinct(append(all, encoded(body)...))
		return all, len(all), 0
	}
	style := styleOf(v, body)
	singles := newSingles(v, style)
	few := min(len(singles.fields), pairFieldsMax)
	many := min(len(singles.fields), max(few, workBytesMax/formsOfField/max(len(body), 1)))
	all = append(all, serialized(v)...)
	all = append(all, changed(v, style)...)
	all = append(all, singles.changed(0, few)...)
	all = append(all, changedEnv(v, style)...)
	all = append(all, printed(v)...)
	all = distinct(append(all, encoded(body)...))
	return distinct(append(all, singles.changed(few, many)...)), len(all), len(singles.fields) - many
}

// encoded are wrong bodies that need not be JSON.
func encoded(body []byte) []way[content] {
	return []way[content]{
		{"stringified", "JSON.stringify of the text", whole(ordered.Style{}.Write(ordered.Value{Kind: ordered.String, Text: string(body)}))},
		{"url-encoded", "with + for a space", whole([]byte(url.QueryEscape(string(body))))},
		{"url-encoded", "encodeURIComponent", whole([]byte(strings.ReplaceAll(url.QueryEscape(string(body)), "+", "%20")))},
		{"charset", "UTF-8 read as Latin-1", whole(latin1(body))}, {"charset", "? for every character beyond ASCII", whole(ascii(body))},
		{"empty-body", "", content{}}, emptyObject(body), {"empty-body", "null", whole([]byte("null"))},
		{"not-json", "[object Object]", whole([]byte("[object Object]"))}, {"not-json", "Array", whole([]byte("Array"))},
		{"html-escapes", `quotes as &quot;`, whole([]byte(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(string(body))))},
		{"html-escapes", "< > & as &lt; &gt; &amp;", whole([]byte(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(string(body))))},
	}
}

// emptyObject is {} for a body that was sent, or for none.
func emptyObject(body []byte) way[content] {
	if len(body) == 0 {
		return way[content]{"empty-object", "", whole([]byte("{}"))}
	}
	return way[content]{"empty-body", "{}", whole([]byte("{}"))}
}

const goEscapes = "<>&\u2028\u2029"

// serializers are how libraries write the same value; the details say whose habit it is.
var serializers = []struct {
	id, detail string
	style      ordered.Style
}{
	{"re-serialized", "without spaces, same order (JSON.stringify, Jackson, fastjson)", ordered.Style{}},
	{"re-serialized", "with spaces, same order (Python json.dumps, ensure_ascii=False)", ordered.Style{Spaced: true}},
	{"key-order", "sorted, without spaces (a map in Go without HTML escapes, sort_keys)", ordered.Style{Sorted: true}},
	{"key-order", "sorted, with spaces (Python sort_keys)", ordered.Style{Sorted: true, Spaced: true}},
	{"html-escapes", "Go json.Marshal, fields in their order (a struct)", ordered.Style{Escape: goEscapes}},
	{"html-escapes", "Go json.Marshal, fields sorted (a map)", ordered.Style{Escape: goEscapes, Sorted: true}},
	{"html-escapes", "with spaces", ordered.Style{Escape: goEscapes, Spaced: true}},
	{"html-escapes", "Gson: also = and '", ordered.Style{Escape: goEscapes + "='"}},
	{"html-escapes", "Gson: also = and ', sorted", ordered.Style{Escape: goEscapes + "='", Sorted: true}},
	{"slash-escapes", "PHP with JSON_UNESCAPED_UNICODE", ordered.Style{Slash: true}},
	{"slash-escapes", "sorted", ordered.Style{Slash: true, Sorted: true}},
	{"unicode-escapes", "without spaces", ordered.Style{ASCII: true}},
	{"unicode-escapes", "with spaces (Python json.dumps)", ordered.Style{ASCII: true, Spaced: true}},
	{"unicode-escapes", "sorted, without spaces", ordered.Style{ASCII: true, Sorted: true}},
	{"unicode-escapes", "sorted, with spaces (Python sort_keys)", ordered.Style{ASCII: true, Sorted: true, Spaced: true}},
	{"unicode-escapes", `and / as \/ (PHP json_encode)`, ordered.Style{ASCII: true, Slash: true}},
	{"unicode-escapes", `and / as \/, sorted (PHP ksort)`, ordered.Style{ASCII: true, Slash: true, Sorted: true}},
	{"unicode-escapes", "in capitals, and < > & ' + (.NET System.Text.Json)", ordered.Style{ASCII: true, UpperHex: true, Escape: `<>&'+"` + "`"}},
	{"unicode-escapes", "in capitals (fastjson BrowserCompatible)", ordered.Style{ASCII: true, UpperHex: true}},
	{"unicode-escapes", "and < > & as \\u003c", ordered.Style{ASCII: true, Escape: "<>&"}},
	{"re-serialized", "indented by two spaces", ordered.Style{Indent: "  "}},
	{"re-serialized", "indented by four spaces", ordered.Style{Indent: "    "}},
	{"re-serialized", "indented by tabs", ordered.Style{Indent: "\t"}},
	{"re-serialized", "indented by two spaces, sorted", ordered.Style{Indent: "  ", Sorted: true}},
	{"re-serialized", "indented by four spaces, sorted", ordered.Style{Indent: "    ", Sorted: true}},
}

func serialized(v ordered.Value) (all []way[content]) {
	for _, s := range serializers {
		all = append(all, way[content]{s.id, s.detail, whole(s.style.Write(v))})
	}
	return all
}

// styleOf finds the style that the body is written in, so that a changed field changes nothing else.
func styleOf(v ordered.Value, body []byte) ordered.Style {
	for _, s := range serializers {
		if bytes.Equal(s.style.Write(v), bytes.TrimSpace(body)) {
			return s.style
		}
	}
	return ordered.Style{}
}

// changed are bodies whose values differ as a whole: types, empty fields.
func changed(v ordered.Value, style ordered.Style) (all []way[content]) {
	add := func(id, detail string, v ordered.Value) {
		all = append(all, way[content]{id, detail, whole(style.Write(v))})
	}
	add("types", "every number as text", v.Map(numberToText))
	add("types", "every text of digits as a number", v.Map(textToNumber))
	add("doubles", "1 as 1.0", v.Map(wholeToDouble))
	add("dropped", "empty and null fields left out", v.Without(isEmpty))
	add("dropped", "null fields left out", v.Without(func(f ordered.Field) bool { return f.Value.Kind == ordered.Null }))
	add("dropped", "zero, empty and null fields left out (Go omitempty)", v.Without(func(f ordered.Field) bool { return isEmpty(f) || f.Value.Text == "0" }))
	return all
}

func changedEnv(v ordered.Value, style ordered.Style) (all []way[content]) {
	for _, env := range []string{"0", "1"} {
		number := ordered.Value{Kind: ordered.Number, Text: env}
		if _, there := v.Get("env"); there {
			all = append(all, way[content]{"env-changed", "signed with env " + env, whole(style.Write(replace(v, "env", number)))})
			continue
		}
		last := v
		last.Fields = append(append([]ordered.Field(nil), v.Fields...), ordered.Field{Name: "env", Value: number})
		all = append(all, way[content]{"env-changed", "signed with env " + env + ", sent without", whole(style.Write(last))})
	}
	return all
}

func replace(v ordered.Value, name string, by ordered.Value) ordered.Value {
	out := v
	out.Fields = append([]ordered.Field(nil), v.Fields...)
	for i := range out.Fields {
		if out.Fields[i].Name == name {
			out.Fields[i].Value = by
		}
	}
	return out
}

func isEmpty(f ordered.Field) bool {
	return f.Value.Kind == ordered.Null || f.Value.Kind == ordered.String && f.Value.Text == ""
}

func numberToText(v ordered.Value) ordered.Value {
	if v.Kind == ordered.Number {
		v.Kind = ordered.String
	}
	return v
}

func textToNumber(v ordered.Value) ordered.Value {
	if _, err := strconv.ParseInt(v.Text, 10, 64); v.Kind == ordered.String && err == nil {
		v.Kind = ordered.Number
	}
	return v
}

// wholeToDouble writes what Java's Double.toString does: 1.0, and 1.668136271E9 from ten million on.
func wholeToDouble(v ordered.Value) ordered.Value {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if v.Kind != ordered.Number || err != nil {
		return v
	}
	v.Text += ".0"
	if n >= 1e7 || n <= -1e7 {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(float64(n), 'e', -1, 64), "e+")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		v.Text = mantissa + "E" + strings.TrimPrefix(exponent, "0")
	}
	return v
}

// printed are objects that were printed rather than serialized, and fields as pairs.
func printed(v ordered.Value) []way[content] {
	if v.Kind != ordered.Object {
		return nil
	}
	return []way[content]{
		{"not-json", "Python's str of a dict", whole(pythonDict(v))},
		{"not-json", "Java's toString of a map", whole([]byte("{" + pairs(v, ", ", false, false) + "}"))},
		{"form", "as they stand", whole([]byte(pairs(v, "&", false, false)))},
		{"form", "sorted", whole([]byte(pairs(v, "&", true, false)))},
		{"form", "URL-encoded", whole([]byte(pairs(v, "&", false, true)))},
		{"form", "sorted and URL-encoded", whole([]byte(pairs(v, "&", true, true)))},
	}
}

// pairs writes name=value; values that are objects stay JSON.
func pairs(v ordered.Value, between string, sorted, encoded bool) string {
	var all []string
	for _, f := range sortedFields(v, sorted) {
		text := f.Value.Text
		if f.Value.Kind == ordered.Object || f.Value.Kind == ordered.Array {
			text = string(ordered.Style{}.Write(f.Value))
		}
		if encoded {
			text = url.QueryEscape(text)
		}
		all = append(all, f.Name+"="+text)
	}
	return strings.Join(all, between)
}

// pythonDict is repr: single quotes, True, None.
func pythonDict(v ordered.Value) []byte {
	var all []string
	for _, f := range v.Fields {
		text := f.Value.Text
		switch f.Value.Kind {
		case ordered.String:
			text = "'" + text + "'"
		case ordered.Bool:
			text = strings.ToUpper(text[:1]) + text[1:]
		case ordered.Null:
			text = "None"
		case ordered.Array, ordered.Object:
			text = string(ordered.Style{Spaced: true}.Write(f.Value))
		case ordered.Number:
		}
		all = append(all, fmt.Sprintf("'%s': %s", f.Name, text))
	}
	return []byte("{" + strings.Join(all, ", ") + "}")
}

func latin1(body []byte) []byte {
	var out []byte
	for _, b := range body {
		out = utf8.AppendRune(out, rune(b))
	}
	return out
}

func ascii(body []byte) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, string(body)))
}
