package miniprogram

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

const scanDepthMax = 32

// Format is how a push is written; the answer must be written likewise.
type Format string

const (
	XML  Format = "xml"
	JSON Format = "json"
)

// find gives the text of a field of the outermost object. found is false when it is not there. It stops at the
// field, so what follows may still be malformed; without the field, all of msg was read and is well-formed.
func find(msg []byte, field string) (text string, found bool, err error) {
	switch formatOf(msg) {
	case XML:
		if text, found = quickXML(trimStart(msg), field); found {
			return text, true, nil
		}
		text, found, err = findXML(trimStart(msg), field)
	case JSON:
		text, found, err = findJSON(trimStart(msg), field)
	default:
		err = errors.New("neither XML nor a JSON object")
	}
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return text, found, nil
}

func formatOf(msg []byte) Format {
	msg = trimStart(msg)
	switch {
	case bytes.HasPrefix(msg, []byte("<")):
		return XML
	case bytes.HasPrefix(msg, []byte("{")):
		return JSON
	}
	return ""
}

func trimStart(msg []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(msg, []byte("\xef\xbb\xbf")), " \t\r\n")
}

// quickXML finds a field that is written as WeChat writes it, in one CDATA section behind others of the same kind and
// numbers: <xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[...]]></Encrypt>. It gives up, found being
// false, at whatever else it meets, and is many times as fast as a decoder.
func quickXML(msg []byte, field string) (text string, found bool) {
	rest, ok := bytes.CutPrefix(msg, []byte("<xml>"))
	for ok {
		rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("<"))
		name, value, _ := bytes.Cut(rest, []byte(">"))
		if !ok || !simpleName(name) {
			return "", false
		}
		opening, closing := []byte("<![CDATA["), "]]></"
		value, inCDATA := bytes.CutPrefix(value, opening)
		if !inCDATA {
			closing = "</"
		}
		value, rest, ok = bytes.Cut(value, []byte(closing+string(name)+">"))
		if !ok || !simple(value) {
			return "", false
		}
		if string(name) == field {
			return string(value), true
		}
	}
	return "", false
}

// simpleName is a tag without attributes and the like.
func simpleName(name []byte) bool {
	for _, c := range name {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return len(name) > 0
}

// simple text means the same in XML wherever it stands: letters, digits, and what ids and base64 have besides.
func simple(text []byte) bool {
	for _, c := range text {
		if c < '0' && c != '+' && c != '-' && c != '.' && c != '/' || c > '9' && c < 'A' && c != '=' || c > 'Z' && c < 'a' && c != '_' || c > 'z' {
			return false
		}
	}
	return true
}

var errXML = errors.New("not well-formed XML")

// findXML uses RawToken, a third faster than Unmarshal, and so checks the nesting itself.
func findXML(msg []byte, field string) (text string, found bool, err error) {
	dec := xml.NewDecoder(bytes.NewReader(msg))
	var open []string
	for {
		token, err := dec.RawToken()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return "", false, nil
		}
		if err != nil {
			return "", false, errXML
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(open) == 1 && token.Name.Space == "" && token.Name.Local == field {
				text, err := leaf(dec)
				return text, err == nil, err
			}
			open = append(open, token.Name.Space+":"+token.Name.Local)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != token.Name.Space+":"+token.Name.Local {
				return "", false, errXML
			}
			open = open[:len(open)-1]
		case xml.Directive:
			return "", false, errors.New("a DOCTYPE, which WeChat never sends")
		}
		if len(open) > scanDepthMax {
			return "", false, errors.New("nested too deeply")
		}
	}
}

// leaf reads text up to the end of the element.
func leaf(dec *xml.Decoder) (string, error) {
	var text []byte
	for {
		token, err := dec.RawToken()
		if err != nil {
			return "", errXML
		}
		switch token := token.(type) {
		case xml.CharData:
			text = append(text, token...)
		case xml.EndElement:
			return string(text), nil
		case xml.StartElement:
			return "", errors.New("an element where a text belongs")
		}
	}
}

var errJSON = errors.New("not well-formed JSON")

// findJSON compares names exactly, which Unmarshal does not, and walks the outermost object only: three times as fast as a
// json.Decoder. What it steps over must be well-formed, what follows the field need not be.
func findJSON(msg []byte, field string) (text string, found bool, err error) {
	w := jsonWalk{rest: msg[1:]}
	for w.next() == '"' {
		name := w.token()
		if w.next() != ':' {
			break
		}
		w.rest = w.rest[1:]
		w.next()
		value := w.token()
		stepped, isText := unquote(name)
		if !isText {
			return "", false, errJSON
		}
		if stepped == field {
			text, isText := unquote(value)
			if !isText {
				return "", false, fmt.Errorf("%s is not a text", field)
			}
			return text, true, nil
		}
		if next := w.next(); !json.Valid(value) || next != ',' && next != '}' {
			return "", false, errJSON
		}
		w.rest = w.rest[1:] // behind the last brace there is nothing more to step over
	}
	if !json.Valid(msg) {
		return "", false, errJSON
	}
	return "", false, nil
}

// jsonWalk steps through JSON without checking it.
type jsonWalk struct{ rest []byte }

// next skips space and gives the byte that follows, 0 at the end.
func (w *jsonWalk) next() byte {
	w.rest = bytes.TrimLeft(w.rest, " \t\r\n")
	if len(w.rest) == 0 {
		return 0
	}
	return w.rest[0]
}

// token takes the value that begins here: a text, an object or a list with all inside, or what is neither.
func (w *jsonWalk) token() []byte {
	depth := 0
	for i := 0; i < len(w.rest); i++ {
		switch w.rest[i] {
		case '"':
			i += quoted(w.rest[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return w.take(i)
			}
			continue
		default:
			continue
		}
		if depth < 0 { // the end of what this value stands in
			return w.take(i)
		}
		if depth == 0 {
			return w.take(i + 1)
		}
	}
	return w.take(len(w.rest))
}

func (w *jsonWalk) take(n int) []byte {
	token := w.rest[:n]
	w.rest = w.rest[n:]
	return token
}

// quoted is the length of the text that begins at b[0], its quotes included.
func quoted(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// unquote reads a text; plain ones, which nearly all are, without json.Unmarshal. null is the empty text, as there.
func unquote(token []byte) (text string, isText bool) {
	plain := bytes.IndexFunc(token, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) < 0
	if n := len(token); plain && n > 1 && token[0] == '"' && token[n-1] == '"' {
		return string(token[1 : n-1]), true
	}
	err := json.Unmarshal(token, &text)
	return text, err == nil
}
