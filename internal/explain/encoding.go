package explain

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
)

// cutBytesMin is how much must be left of a value that was cut off: less is found in some wrong value by chance.
const cutBytesMin = 8

// readings are the bytes that Got may stand for. The first is the right form: 64 lower-case hex digits.
func readings(got string) []way[[]byte] {
	var all []way[[]byte]
	add := func(id, detail string, raw []byte) {
		if len(raw) > 0 {
			all = append(all, way[[]byte]{id, detail, raw})
		}
	}
	for _, cleaned := range []bool{false, true} {
		text, id := got, ""
		if cleaned {
			if text = onlyDigits(got); text == got {
				break
			}
			id = "spaces-got"
		}
		raw, upper, ok := isHex(text)
		switch {
		case ok && upper:
			add("upper-case", "", raw)
		case ok:
			add(id, "", raw)
			if len(raw) >= cutBytesMin {
				add("cut-off", "", raw)
			}
			add("leading-nul", "", raw)
		case cleaned && len(text)%2 == 1:
			add("leading-nul", "", oddHex(text))
		}
		if ok {
			readTwice(raw, add)
		}
	}
	if odd := oddHex(got); odd != nil {
		add("leading-nul", "", odd)
	}
	readBase64(got, add)
	return all
}

// onlyDigits takes off what people's tools put around and between hex digits.
func onlyDigits(got string) string {
	text := strings.Trim(strings.TrimSpace(got), `"'`)
	text = strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "sha256=")
	return strings.NewReplacer("-", "", ":", "", " ", "").Replace(text)
}

// oddHex reads a number of hex digits that lost its leading zero; nil if it is none.
func oddHex(text string) []byte {
	if len(text)%2 == 0 {
		return nil
	}
	raw, err := hex.DecodeString("0" + text)
	if err != nil {
		return nil
	}
	return raw
}

func readTwice(raw []byte, add func(id, detail string, raw []byte)) {
	if inner, _, ok := isHex(string(raw)); ok {
		add("hex-twice", "", inner)
	}
}

func readBase64(got string, add func(id, detail string, raw []byte)) {
	text := strings.TrimSpace(got)
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return
	}
	add("base64", "", raw)
	if inner, _, ok := isHex(string(raw)); ok {
		add("base64-hex", "", inner)
	}
}
