package xpay

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// The values of JSON come out as a json.Decoder gives them.
func TestJSONIsReadAsTheDecoderReadsIt(t *testing.T) {
	t.Parallel()
	for msg, want := range map[string]string{
		`{}`: "", " {\n} ": "", `{"a":"b"}`: "a=b;", `{"a":{"b":[1,{"c":-2.50e1},[true,false]],"d":null},"e":""}`: "a.b=1;a.b.c=-2.50e1;a.b=true;a.b=false;e=;",
		`{"a\"b":"\u4e2d\n\\"}`: "a\"b=中\n\\;", "{\"a\":\"\xff\"}": "a=\ufffd;", `{"a" : [ ] , "b" : { } , "c" : 1 }`: "b=;c=1;",
	} {
		n, err := parseJSON([]byte(msg))
		if got := flat(n); err != nil || got != want {
			t.Errorf("%s: %q %v", msg, got, err)
		}
	}
}

func flat(n *node) string {
	var out strings.Builder
	if n != nil {
		n.walk("", func(path, text string) bool { out.WriteString(path + "=" + text + ";"); return true })
	}
	return out.String()
}

// FuzzParseJSON compares with a json.Decoder, which is slower and by others.
func FuzzParseJSON(f *testing.F) {
	for _, v := range readVectors[struct{ Message string }](f, "push.json") {
		f.Add([]byte(v.Message))
	}
	for _, v := range readVectors[signatureVector](f, "signatures.json") {
		f.Add([]byte(v.Body))
	}
	f.Add([]byte(`{"errcode":0,"order":{"paid_fee":1,"list":[1,[2,{}],"\ud800"],"none":null}} `))
	f.Fuzz(func(t *testing.T, msg []byte) {
		n, err := parseJSON(msg)
		if err != nil {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(msg))
		dec.UseNumber()
		var want strings.Builder
		if token, err := dec.Token(); err != nil || token != json.Delim('{') {
			t.Fatalf("accepted %q", msg)
		}
		decodeFlat(t, dec, "", &want)
		if dec.More() {
			t.Fatalf("accepted what follows: %q", msg)
		}
		if got := flat(n); got != want.String() {
			t.Fatalf("%q is %q, the decoder says %q", msg, got, want.String())
		}
	})
}

// decodeFlat writes the object that was opened as flat does.
func decodeFlat(t *testing.T, dec *json.Decoder, prefix string, out *strings.Builder) {
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		decodeValue(t, dec, prefix+name.(string), out)
	}
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
}

func decodeValue(t *testing.T, dec *json.Decoder, path string, out *strings.Builder) {
	token, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch token {
	case nil:
	case json.Delim('['):
		for dec.More() {
			decodeValue(t, dec, path, out)
		}
		if _, err := dec.Token(); err != nil {
			t.Fatal(err)
		}
	case json.Delim('{'):
		var inside strings.Builder
		empty := !dec.More()
		decodeFlat(t, dec, path+".", &inside)
		if empty {
			inside.WriteString(path + "=;") // an object without fields is like an empty text
		}
		out.WriteString(inside.String())
	default:
		text, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := token.(string); ok {
			text = []byte(s)
		}
		out.WriteString(path + "=" + string(text) + ";")
	}
}
