package explain

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"strings"
)

const sampleKey = "12345" // of the official sample, V1

// appKeys are the ways to get the key of pay_sig wrong.
func (s *search) appKeys() []way[string] {
	key := s.q.AppKey
	all := []way[string]{{is: key}}
	if s.q.OtherAppKey != "" {
		all = append(all, way[string]{"other-env-key", "", s.q.OtherAppKey})
	}
	all = append(all, way[string]{"sample-key", "", sampleKey})
	if s.q.SessionKey != "" {
		all = append(all, way[string]{"session-key", "", s.q.SessionKey})
	}
	all = append(all, mangled(key)...)
	for _, d := range decoded(key) {
		all = append(all, way[string]{"decoded-appkey", d.detail, d.is})
	}
	return distinctOf(all)
}

// sessionKeys are the ways to get the key of signature wrong.
func (s *search) sessionKeys() []way[string] {
	key := s.q.SessionKey
	all := []way[string]{{is: key}}
	for _, d := range decoded(key) {
		all = append(all, way[string]{"decoded-key", d.detail, d.is})
	}
	if s.q.AppKey != "" {
		all = append(all, way[string]{"app-key", "", s.q.AppKey})
	}
	return distinctOf(append(all, mangled(key)...))
}

// decoded is the key read as base64 or hex.
func decoded(key string) (all []way[string]) {
	if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(key, "=")); err == nil {
		all = append(all, way[string]{"", "base64", string(raw)})
	}
	if raw, err := hex.DecodeString(key); err == nil {
		all = append(all, way[string]{"", "hex", string(raw)})
	}
	return all
}

// mangled is what happens to any key on its way to the HMAC.
func mangled(key string) []way[string] {
	sum256, sum5 := sha256.Sum256([]byte(key)), md5.Sum([]byte(key))
	all := []way[string]{
		{"empty-key", "", ""},
		{"key-spaces", "a newline behind it", key + "\n"}, {"key-spaces", "CRLF behind it", key + "\r\n"},
		{"key-spaces", "a space behind it", key + " "}, {"key-spaces", "a space before it", " " + key},
		{"key-spaces", "a tab behind it", key + "\t"}, {"key-spaces", "a byte order mark before it", "\ufeff" + key},
		{"key-spaces", "it was trimmed", strings.TrimSpace(key)},
		{"key-case", "lower case", strings.ToLower(key)}, {"key-case", "capitals", strings.ToUpper(key)},
		{"key-encoded", "base64", base64.StdEncoding.EncodeToString([]byte(key))},
		{"key-encoded", "hex", hex.EncodeToString([]byte(key))},
		{"key-encoded", "URL", url.QueryEscape(key)}, {"key-encoded", "HTML", html.EscapeString(key)},
		{"key-encoded", "quotes around it", `"` + key + `"`}, {"key-encoded", `/ as \/`, strings.ReplaceAll(key, "/", `\/`)},
		{"key-encoded", "+ read as a space", strings.ReplaceAll(key, "+", " ")},
		{"key-encoded", "without the = at its end", strings.TrimRight(key, "=")},
		{"hashed-key", "SHA-256, bytes", string(sum256[:])}, {"hashed-key", "SHA-256, hex", hex.EncodeToString(sum256[:])},
		{"hashed-key", "MD5, hex", hex.EncodeToString(sum5[:])},
	}
	return all
}
