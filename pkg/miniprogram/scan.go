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

// findJSON compares names exactly, which Unmarshal does not.
func findJSON(msg []byte, field string) (text string, found bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(msg))
	if _, err := dec.Token(); err != nil {
		return "", false, errJSON
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", false, errJSON
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return "", false, errJSON
		}
		if name != field {
			continue
		}
		if json.Unmarshal(value, &text) != nil {
			return "", false, fmt.Errorf("%s is not a text", field)
		}
		return text, true, nil
	}
	if _, err := dec.Token(); err != nil {
		return "", false, errJSON
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", false, errJSON
	}
	return "", false, nil
}
