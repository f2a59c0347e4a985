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

// edges are the ways to get the ends of a body wrong; the first changes nothing.
func edges() []way[func([]byte) []byte] {
	behind := func(tail string) func([]byte) []byte {
		return func(b []byte) []byte { return append(bytes.Clone(b), tail...) }
	}
	return []way[func([]byte) []byte]{
		{is: func(b []byte) []byte { return b }},
		{"newline", "signed with one more than was sent", behind("\n")},
		{"newline", "signed with CRLF more than was sent", behind("\r\n")},
		{"newline", "sent with one that was not signed", func(b []byte) []byte { return bytes.TrimRight(b, "\r\n") }},
		{"spaces", "sent with spaces that were not signed", bytes.TrimSpace},
		{"spaces", "a space behind it was signed", behind(" ")},
		{"bom", "signed, not sent", func(b []byte) []byte { return append([]byte("\ufeff"), b...) }},
		{"bom", "sent, not signed", func(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\ufeff")) }},
		{"crlf", "signed with CRLF, sent with LF", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }},
		{"crlf", "signed with LF, sent with CRLF", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }},
		{"nul-ended", "", behind("\x00")},
	}
}

// contents are the bodies that may have been signed instead; the first is the one that was sent.
func contents(body []byte) []way[[]byte] {
	all := []way[[]byte]{{is: body}}
	v, err := ordered.Parse(bytes.TrimPrefix(body, []byte("\ufeff")))
	if err == nil && v.Kind == ordered.String { // sent as a JSON string of what was signed
		all = append(all, way[[]byte]{"stringified", "sent stringified, signed as it was", []byte(v.Text)})
	}
	if err == nil {
		all = append(all, serialized(v)...)
		all = append(all, changed(v, styleOf(v, body))...)
		all = append(all, printed(v)...)
	}
	all = append(all,
		way[[]byte]{"stringified", "JSON.stringify of the text", ordered.Style{}.Write(ordered.Value{Kind: ordered.String, Text: string(body)})},
		way[[]byte]{"url-encoded", "with + for a space", []byte(url.QueryEscape(string(body)))},
		way[[]byte]{"url-encoded", "encodeURIComponent", []byte(strings.ReplaceAll(url.QueryEscape(string(body)), "+", "%20"))},
		way[[]byte]{"charset", "UTF-8 read as Latin-1", latin1(body)}, way[[]byte]{"charset", "? for every character beyond ASCII", ascii(body)},
		way[[]byte]{"empty-body", "", nil}, emptyObject(body), way[[]byte]{"empty-body", "null", []byte("null")},
		way[[]byte]{"not-json", "[object Object]", []byte("[object Object]")}, way[[]byte]{"not-json", "Array", []byte("Array")},
		way[[]byte]{"html-escapes", `quotes as &quot;`, []byte(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(string(body)))},
		way[[]byte]{"html-escapes", "< > & as &lt; &gt; &amp;", []byte(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(string(body)))},
	)
	return distinct(all)
}

// emptyObject is {} for a body that was sent, or for none.
func emptyObject(body []byte) way[[]byte] {
	if len(body) == 0 {
		return way[[]byte]{"empty-object", "", []byte("{}")}
	}
	return way[[]byte]{"empty-body", "{}", []byte("{}")}
}

const fieldsMax = 100 // that are changed one at a time: each costs a body

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

func serialized(v ordered.Value) (all []way[[]byte]) {
	for _, s := range serializers {
		all = append(all, way[[]byte]{s.id, s.detail, s.style.Write(v)})
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

// changed are bodies whose values differ: types, empty fields, env, added fields.
func changed(v ordered.Value, style ordered.Style) (all []way[[]byte]) {
	add := func(id, detail string, v ordered.Value) { all = append(all, way[[]byte]{id, detail, style.Write(v)}) }
	add("types", "every number as text", v.Map(numberToText))
	add("types", "every text of digits as a number", v.Map(textToNumber))
	add("doubles", "1 as 1.0", v.Map(wholeToDouble))
	add("dropped", "empty and null fields left out", v.Without(isEmpty))
	add("dropped", "null fields left out", v.Without(func(f ordered.Field) bool { return f.Value.Kind == ordered.Null }))
	add("dropped", "zero, empty and null fields left out (Go omitempty)", v.Without(func(f ordered.Field) bool { return isEmpty(f) || f.Value.Text == "0" }))
	for _, f := range v.Fields[:min(len(v.Fields), fieldsMax)] {
		add("field", f.Name+" was not signed", v.Without(func(g ordered.Field) bool { return g.Name == f.Name }))
		if f.Value.Kind == ordered.Number {
			add("types", f.Name+" as text", replace(v, f.Name, ordered.Value{Kind: ordered.String, Text: f.Value.Text}))
		}
		if n := textToNumber(f.Value); n.Kind != f.Value.Kind {
			add("types", f.Name+" as a number", replace(v, f.Name, n))
		}
	}
	all = append(all, withPlatform(v, style)...)
	return append(all, changedEnv(v, style)...)
}

// withPlatform has the obsolete field at every place: it was signed and not sent (trap 12).
func withPlatform(v ordered.Value, style ordered.Style) (all []way[[]byte]) {
	if _, there := v.Get("platform"); there {
		return nil
	}
	for _, platform := range []string{"android", "ios"} {
		field := ordered.Field{Name: "platform", Value: ordered.Value{Kind: ordered.String, Text: platform}}
		for at := range min(len(v.Fields), fieldsMax) + 1 {
			more := v
			more.Fields = slices.Insert(slices.Clone(v.Fields), at, field)
			all = append(all, way[[]byte]{"field", "platform was signed, not sent", style.Write(more)})
		}
	}
	return all
}

func changedEnv(v ordered.Value, style ordered.Style) (all []way[[]byte]) {
	for _, env := range []string{"0", "1"} {
		number := ordered.Value{Kind: ordered.Number, Text: env}
		if _, there := v.Get("env"); there {
			all = append(all, way[[]byte]{"env-changed", "signed with env " + env, style.Write(replace(v, "env", number))})
			continue
		}
		last := v
		last.Fields = append(append([]ordered.Field(nil), v.Fields...), ordered.Field{Name: "env", Value: number})
		all = append(all, way[[]byte]{"env-changed", "signed with env " + env + ", sent without", style.Write(last)})
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
func printed(v ordered.Value) []way[[]byte] {
	if v.Kind != ordered.Object {
		return nil
	}
	return []way[[]byte]{
		{"not-json", "Python's str of a dict", pythonDict(v)},
		{"not-json", "Java's toString of a map", []byte("{" + pairs(v, ", ", false, false) + "}")},
		{"form", "as they stand", []byte(pairs(v, "&", false, false))},
		{"form", "sorted", []byte(pairs(v, "&", true, false))},
		{"form", "URL-encoded", []byte(pairs(v, "&", false, true))},
		{"form", "sorted and URL-encoded", []byte(pairs(v, "&", true, true))},
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
