package miniprogram

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
)

// What the quick ways find in well-formed input is what the decoders of the standard library find.
func TestFieldsAreFoundAsTheDecodersFindThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ msg, want string }{
		{`{"Event":"x"}`, "x"}, {` { "a" : [ 1 , {"Event":"no"} , "]" ] , "Event" : "x" } `, "x"}, {`{"b":{"Event":"no"},"Event":"x","Event":"y"}`, "x"},
		{`{"a":"\"Event\":\"no\"","Event":"x"}`, "x"}, {`{"a":-1.5e3,"b":true,"c":null,"Event":"中\u6587\n"}`, "中文\n"}, {`{"\u0045vent":"x"}`, "x"},
		{`{"event":"no","Event":"x"}`, "x"}, {`{"Event":null}`, ""}, {`{"a":{},"b":[],"c":"","Event":"x"}`, "x"}, {`{"a":"\\","Event":"x"}`, "x"},
		{`<xml><Event>x</Event></xml>`, "x"}, {`<xml><Event><![CDATA[x]]></Event></xml>`, "x"}, {"<xml>\n <A><![CDATA[a_1]]></A>\n <N>1</N>\r\n\t<Event><![CDATA[x]]></Event></xml>", "x"},
		{`<xml><A><Event>no</Event></A><Event>x</Event></xml>`, "x"}, {`<xml><A><![CDATA[<Event>no</Event>]]></A><Event>x</Event></xml>`, "x"},
		{`<xml><A>]]&gt;</A><Event>x&amp;y</Event></xml>`, "x&y"}, {`<xml><A/><Event>x</Event></xml>`, "x"}, {`<xml><!--<Event>no</Event>--><Event>x</Event></xml>`, "x"},
		{`<?xml version="1.0"?><xml a="1"><Event b="2">x<!-- -->y</Event></xml>`, "xy"}, {`<xml><Event> <![CDATA[x]]> </Event></xml>`, " x "}, {`<xml><Event></Event></xml>`, ""},
	} {
		got, found, err := find([]byte(c.msg), "Event")
		if got != c.want || !found || err != nil {
			t.Errorf("%s: %q %t %v", c.msg, got, found, err)
		}
		if !strings.HasPrefix(strings.TrimSpace(c.msg), "<") {
			continue
		}
		if quick, found := quickXML([]byte(c.msg), "Event"); found && quick != c.want {
			t.Errorf("%s: quickly %q", c.msg, quick)
		}
	}
}

// find gives a text as it is; the name of an event is taken without the space that pretty-printing puts around it.
func TestSpaceAroundTheNameMakesNoOtherEvent(t *testing.T) {
	t.Parallel()
	p := newPush(t, PushConfig{AppID: "wx1", Tokens: []string{"token"}, MaxAge: -1})
	q := url.Values{"signature": {"bf37e74fc61ce5974ce58c68e55130b79b2578b9"}, "timestamp": {"1700000000"}, "nonce": {"nonce"}} // V12
	for _, body := range []string{
		"<xml>\n <Event>\n  <![CDATA[xpay_goods_deliver_notify]]>\n </Event>\n</xml>", `{"Event":" xpay_goods_deliver_notify\n"}`,
	} {
		m, err := p.Open(q, []byte(body))
		if err != nil || m.Event != "xpay_goods_deliver_notify" || string(m.Body) != body {
			t.Errorf("%s: %q, %v", body, m.Event, err)
		}
	}
}

func TestWhatIsMalformedOrMissingIsNotFound(t *testing.T) {
	t.Parallel()
	for msg, malformed := range map[string]bool{
		`{"a":1}`: false, `{}`: false, `<xml><A>1</A></xml>`: false, `{"a":{"Event":"x"}}`: false,
		`{"a":1`: true, `{"a"`: true, `{"a":"`: true, `{"a" "b"}`: true, `{`: true, `{"Event":1}`: true, `{"Event":{"a":1}}`: true, `{"Event":["x"]}`: true,
		`{"Event":"x`: true, `{"Event":`: true, `{"Event":}`: true, `{"a":1}x`: true, `{]`: true, `<xml><Event><A/></Event></xml>`: true,
		`<xml><Event><![CDATA[x]]>`: true, `<xml><A>1</B><Event>x</Event></xml>`: true, `<xml><1>a</1><Event>x</Event></xml>`: true, `<xml>`: true,
	} {
		got, found, err := find([]byte(msg), "Event")
		if got != "" || found || errors.Is(err, ErrMalformed) != malformed {
			t.Errorf("%s: %q %t %v", msg, got, found, err)
		}
	}
}

// FuzzFind compares with the decoders of the standard library.
func FuzzFind(f *testing.F) {
	for _, msg := range []string{c6Message, c7Message, v7Message, v9Message, `{"a":"\\\"","Event":"\u0041"}`, "<xml><A>1</A><Event>x</Event></xml>",
		"<xml>\n<ToUserName><![CDATA[gh_1]]></ToUserName>\n<Event><![CDATA[" + c11Encrypt + "]]></Event></xml>"} {
		f.Add([]byte(msg))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		got, found, err := find(msg, "Event")
		var want string
		var here bool
		var failed error
		switch formatOf(msg) {
		case JSON:
			if !json.Valid(trimStart(msg)) {
				return // seen when the field is not there, or by whoever parses
			}
			want, here, failed = decodeJSON(trimStart(msg), "Event")
		case XML:
			want, here, failed = findXML(trimStart(msg), "Event")
		default:
			return
		}
		if got != want || found != here || (err == nil) != (failed == nil) {
			t.Fatalf("found %q %t %v, the decoder %q %t %v", got, found, err, want, here, failed)
		}
	})
}

// decodeJSON finds the first field of that name with a json.Decoder.
func decodeJSON(msg []byte, field string) (text string, found bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(msg))
	if _, err := dec.Token(); err != nil {
		return "", false, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", false, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return "", false, err
		}
		if name == field {
			err := json.Unmarshal(value, &text)
			if err != nil {
				return "", false, err
			}
			return text, true, nil
		}
	}
	if _, err = dec.Token(); err != nil && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	return "", false, nil
}
