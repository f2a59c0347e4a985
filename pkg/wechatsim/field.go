package wechatsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// field is one named value of an event, in order. value is string, int64, json.RawMessage (written as it is in JSON,
// as text in XML) or []field.
type field struct {
	name  string
	value any
}

// textOf gives the string of the named field, "" if there is none.
func textOf(fs []field, name string) string {
	for _, f := range fs {
		if v, ok := f.value.(string); ok && f.name == name {
			return v
		}
	}
	return ""
}

// renderJSON writes fields in their order, numbers as numbers, nothing escaped that need not be (vector C6).
func renderJSON(fs []field) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(mustJSON(f.name))
		b.WriteByte(':')
		switch v := f.value.(type) {
		case []field:
			b.Write(renderJSON(v))
		case json.RawMessage:
			b.Write(v)
		default:
			b.Write(mustJSON(v))
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// renderXML writes fields under <xml>: text in CDATA, numbers bare, no white space (vector C7).
func renderXML(fs []field) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	writeXML(&b, fs)
	b.WriteString("</xml>")
	return b.Bytes()
}

func writeXML(b *bytes.Buffer, fs []field) {
	for _, f := range fs {
		fmt.Fprintf(b, "<%s>", f.name)
		switch v := f.value.(type) {
		case []field:
			writeXML(b, v)
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case json.RawMessage:
			b.WriteString(cdata(string(v)))
		case string:
			b.WriteString(cdata(v))
		}
		fmt.Fprintf(b, "</%s>", f.name)
	}
}

// cdata hides the one sequence that would end the section early.
func cdata(s string) string {
	return "<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>"
}

// parseEvent reads a JSON object into fields, keeping its order. Names must work as XML names.
func parseEvent(raw json.RawMessage) ([]field, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("body is not a JSON object")
	}
	return parseMembers(dec, fieldDepthMax)
}

func parseMembers(dec *json.Decoder, depth int) ([]field, error) {
	var fs []field
	if depth == 0 {
		return nil, errors.New("body is nested too deep")
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if !goodsIDForm.MatchString(name) || name[0] == '-' || name[0] >= '0' && name[0] <= '9' {
			return nil, fmt.Errorf("body has the field %q, which is no XML name", excerpt(name))
		}
		value, err := parseValue(dec, depth)
		if err != nil {
			return nil, err
		}
		fs = append(fs, field{name, value})
	}
	_, err := dec.Token()
	return fs, err
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, err
	}
	switch raw[0] {
	case '{':
		inner := json.NewDecoder(bytes.NewReader(raw))
		inner.UseNumber()
		if _, err := inner.Token(); err != nil {
			return nil, err
		}
		return parseMembers(inner, depth-1)
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, nil
	}
	return raw, nil
}
