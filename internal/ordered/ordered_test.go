package ordered

import (
	"bytes"
	"slices"
	"testing"
)

func mustParse(t *testing.T, text string) Value {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The expected texts are those of the tools named: Python 3.11 json.dumps, PHP's and .NET's rules typed by hand.
func TestTheSameValueIsWrittenAsDifferentLanguagesDo(t *testing.T) {
	t.Parallel()
	const text = `{"b":1.50,"a":"中/<é😀","l":[1,{}],"n":null,"t":true,"c":"\u0001\n\"\\"}`
	for name, c := range map[string]struct {
		style Style
		want  string
	}{
		"JSON.stringify": {Style{}, `{"b":1.50,"a":"中/<é😀","l":[1,{}],"n":null,"t":true,"c":"\u0001\n\"\\"}`},
		"json.dumps":     {Style{Spaced: true, ASCII: true}, `{"b": 1.50, "a": "\u4e2d/<\u00e9\ud83d\ude00", "l": [1, {}], "n": null, "t": true, "c": "\u0001\n\"\\"}`},
		"PHP":            {Style{ASCII: true, Slash: true}, `{"b":1.50,"a":"\u4e2d\/<\u00e9\ud83d\ude00","l":[1,{}],"n":null,"t":true,"c":"\u0001\n\"\\"}`},
		".NET":           {Style{ASCII: true, UpperHex: true, Escape: `<`}, `{"b":1.50,"a":"\u4E2D/\u003C\u00E9\uD83D\uDE00","l":[1,{}],"n":null,"t":true,"c":"\u0001\n\"\\"}`},
		"sorted":         {Style{Sorted: true}, `{"a":"中/<é😀","b":1.50,"c":"\u0001\n\"\\","l":[1,{}],"n":null,"t":true}`},
		"indented": {
			Style{Indent: "  "},
			"{\n  \"b\": 1.50,\n  \"a\": \"中/<é😀\",\n  \"l\": [\n    1,\n    {}\n  ],\n  \"n\": null,\n  \"t\": true,\n  \"c\": \"\\u0001\\n\\\"\\\\\"\n}",
		},
	} {
		if got := c.style.Write(mustParse(t, text)); string(got) != c.want {
			t.Errorf("%s wrote\n%s, expected\n%s", name, got, c.want)
		}
	}
}

func TestFieldsSaysWhereEachFieldStands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		style Style
		want  []string // name with value, and value
	}{
		{Style{}, []string{`"b":[1,2]`, `[1,2]`, `"a":"中"`, `"中"`}},
		{Style{Spaced: true, ASCII: true, Sorted: true}, []string{`"a": "\u4e2d"`, `"\u4e2d"`, `"b": [1, 2]`, `[1, 2]`}},
		{Style{Indent: "  "}, []string{`"b": [` + "\n    1,\n    2\n  ]", "[\n    1,\n    2\n  ]", `"a": "中"`, `"中"`}},
	} {
		v := mustParse(t, `{"b":[1,2],"a":"中"}`)
		text, fields := c.style.Fields(v)
		if !bytes.Equal(text, c.style.Write(v)) {
			t.Errorf("%s is not what Write gives", text)
		}
		var got []string
		for _, f := range fields {
			got = append(got, string(text[f.Start:f.End]), string(text[f.ValueStart:f.End]))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
}

func TestWhatIsNotOneJSONValueIsRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "{", "{}{}", `{"a"}`, "[1,]", "nul", `{"a":1,}`, string(bytes.Repeat([]byte("["), 100))} {
		if v, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was read as %v", bad, v)
		}
	}
}

func FuzzParseReadsWhatWasWritten(f *testing.F) {
	f.Add([]byte(`{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := Parse(raw)
		if err != nil {
			return
		}
		once := Style{}.Write(v)
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("%q cannot be read again: %v", once, err)
		}
		if twice := (Style{}).Write(again); !bytes.Equal(once, twice) {
			t.Errorf("%q became %q", once, twice)
		}
	})
}
