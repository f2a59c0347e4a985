// Package ordered reads JSON without losing the order of its fields or the spelling of its numbers, and writes it as
// different languages would: with or without spaces, sorted, escaped. Signatures cover bytes, so that is where they differ.
package ordered

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const depthMax = 64

// Kind is what a Value is.
type Kind int

const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value. Text is a String's content or the spelling of a Number, Bool or Null.
type Value struct {
	Kind   Kind
	Text   string
	Items  []Value // of an Array
	Fields []Field // of an Object, in their order; a name may come twice
}

// Field is one name of an Object with its value.
type Field struct {
	Name  string
	Value Value
}

// Parse reads exactly one JSON value, at most 64 levels deep.
func Parse(raw []byte) (Value, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := read(dec, 0)
	if err != nil {
		return Value{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Value{}, errors.New("something follows the JSON value")
	}
	return v, nil
}

func read(dec *json.Decoder, depth int) (Value, error) {
	if depth > depthMax {
		return Value{}, fmt.Errorf("more than %d levels", depthMax)
	}
	token, err := dec.Token()
	if err != nil {
		return Value{}, errors.New("not well-formed JSON")
	}
	switch token := token.(type) {
	case string:
		return Value{Kind: String, Text: token}, nil
	case json.Number:
		return Value{Kind: Number, Text: token.String()}, nil
	case bool:
		return Value{Kind: Bool, Text: fmt.Sprint(token)}, nil
	case json.Delim:
		if token == '[' {
			return readArray(dec, depth)
		}
		return readObject(dec, depth)
	}
	return Value{Kind: Null, Text: "null"}, nil
}

func readArray(dec *json.Decoder, depth int) (Value, error) {
	v := Value{Kind: Array}
	for dec.More() {
		item, err := read(dec, depth+1)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, item)
	}
	return v, closing(dec)
}

func readObject(dec *json.Decoder, depth int) (Value, error) {
	v := Value{Kind: Object}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return v, errors.New("not well-formed JSON")
		}
		value, err := read(dec, depth+1)
		if err != nil {
			return v, err
		}
		text, _ := name.(string) // the decoder lets nothing else stand there
		v.Fields = append(v.Fields, Field{text, value})
	}
	return v, closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return errors.New("not well-formed JSON")
	}
	return nil
}

// Get finds a field of an Object.
func (v Value) Get(name string) (Value, bool) {
	for _, f := range v.Fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	return Value{}, false
}

// Map gives v with every value inside replaced by what change makes of it, innermost first; the order stays.
func (v Value) Map(change func(Value) Value) Value {
	out := v
	out.Items, out.Fields = nil, nil
	for _, item := range v.Items {
		out.Items = append(out.Items, item.Map(change))
	}
	for _, f := range v.Fields {
		out.Fields = append(out.Fields, Field{f.Name, f.Value.Map(change)})
	}
	return change(out)
}

// Without gives an Object without the fields that drop names.
func (v Value) Without(drop func(Field) bool) Value {
	out := v
	out.Fields = nil
	for _, f := range v.Fields {
		if !drop(f) {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}
