// Package explain finds the mistake behind a wrong signature: it makes every known mistake, and every two of them
// together, with the given URI, keys and body, and compares with the value that was got. It asks nobody and keeps nothing.
package explain

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	bodyBytesMax  = 1 << 20
	pairBytesMax  = 16 << 10 // of a body with which two mistakes at once are tried: some 30 000 hashes over it
	gotBytesMax   = 4096
	foundMax      = 5 // explanations of the same value; they differ in words only
	printBytesMax = 2048
)

// Question is a signature that was refused, and what it should have been made of.
type Question struct {
	URI         string // as it was signed or meant: /xpay/query_order on the server, requestVirtualPayment on the phone
	AppKey      string
	OtherAppKey string // of the other env; "": unknown
	SessionKey  string // as code2Session returned it; "": user-state signatures are not looked at
	AccessToken string // to recognise a URI that was signed with its query; "": only placeholders are tried
	Body        []byte // the bytes that were sent, or signData
	Got         string // the value that was refused
}

// Answer says what Got is.
type Answer struct {
	Right  string  `json:"right,omitempty"`  // pay_sig or signature: Got is the right value of it
	Causes []Cause `json:"causes,omitempty"` // what produces Got, each on its own; none: no known mistake does
	Notes  []Note  `json:"notes,omitempty"`  // what is wrong with the question itself, whatever Got is
}

// Known tells whether Got was recognised.
func (a Answer) Known() bool { return a.Right != "" || len(a.Causes) > 0 }

// Cause is one or two mistakes that together produce Got.
type Cause struct {
	Of       string    `json:"of"` // pay_sig or signature: what Got was meant to be
	Mistakes []Mistake `json:"mistakes"`
	Signed   string    `json:"signed,omitempty"` // the text that was hashed, without keys; "" if it is the right one
}

// Mistake is one row of the catalogue, in English and Chinese.
type Mistake struct {
	ID     string `json:"id"`
	What   string `json:"what"`
	WhatZH string `json:"whatZh"`
	Fix    string `json:"fix"`
	FixZH  string `json:"fixZh"`
	Detail string `json:"detail,omitempty"` // which of several forms, e.g. the URI that was signed
	Traps  []int  `json:"traps,omitempty"`  // rows of spec 9.1
}

// Explain looks for what produces q.Got. The error says what is missing in the question.
func Explain(q Question) (Answer, error) {
	if err := q.check(); err != nil {
		return Answer{}, err
	}
	var a Answer
	a.Notes = q.notes()
	if c, ok := q.obvious(); ok {
		a.Causes = []Cause{c}
		return a, nil
	}
	s := newSearch(q)
	if a.Right = s.right(); a.Right == "" {
		a.Causes = s.causes()
	}
	if !a.Known() && s.untried > 0 {
		tried := len(s.contents)
		a.Notes = append(a.Notes, Note{
			fmt.Sprintf("%d fields of this long body were not changed one at a time, %d other bodies were tried", s.untried, tried),
			fmt.Sprintf("包体很长：有 %d 个字段没有逐个尝试，共尝试了 %d 种包体", s.untried, tried),
		})
	}
	return a, nil
}

func (q Question) check() error {
	switch {
	case q.AppKey == "" && q.SessionKey == "":
		return errors.New("there is no key: give the AppKey, the session_key, or both. 没有密钥：请给出 AppKey 或 session_key")
	case q.AppKey != "" && strings.TrimSpace(q.URI) == "":
		return errors.New("the URI is empty: give the path, as /xpay/query_order, or requestVirtualPayment. uri 为空：请给出路径或 requestVirtualPayment")
	case len(q.Body) > bodyBytesMax:
		return errors.New("the body is larger than 1 MiB. 包体超过 1 MiB")
	case len(q.Got) > gotBytesMax:
		return errors.New("the value that was got is longer than 4096 bytes: a signature has 64. 签名应为 64 个字符")
	}
	return nil
}

// canonical is the URI that WeChat signs: the path of an API, or the bare name of a call on the phone. Spec 3.1.
func canonical(uri string) string {
	uri = strings.TrimSpace(uri)
	for _, scheme := range []string{"https://", "http://"} {
		if rest, ok := strings.CutPrefix(uri, scheme); ok {
			_, path, _ := strings.Cut(rest, "/")
			uri = path
		}
	}
	uri, _ = CutQuery(uri)
	uri = strings.Trim(uri, "/")
	uri = strings.TrimPrefix(uri, "api.weixin.qq.com/")
	name := strings.TrimPrefix(strings.TrimPrefix(uri, "xpay/"), "wx.")
	for _, call := range clientCalls {
		if strings.EqualFold(name, call) {
			return call
		}
	}
	for _, e := range xpay.Endpoints() {
		if name == e.Name {
			return e.Path
		}
	}
	return "/" + uri
}

// CutQuery gives the path of a uri and what stands behind it: a query, or what was meant as one. The latter may hold an
// access token.
func CutQuery(uri string) (path, query string) {
	if at := strings.IndexAny(uri, "?&#;=%"); at >= 0 {
		return uri[:at], uri[at:]
	}
	return uri, ""
}

// Canonical is the uri that WeChat signs where this one was meant: the path with its leading slash, the phone's calls by
// their bare names. known tells whether it is one of the documented ones.
func Canonical(uri string) (right string, known bool) {
	right = canonical(uri)
	known = slices.Contains(clientCalls, right) || slices.ContainsFunc(xpay.Endpoints(), func(e xpay.Endpoint) bool { return e.Path == right })
	return right, known
}

// clientCalls are signed under their bare names. Spec 2.1, 2.4, 2.5.
var clientCalls = []string{"requestVirtualPayment", "requestAppleSubscribeSign", "requestSubscribeSign"}

// right says which signature Got is, if it is right as it stands.
func (s *search) right() string {
	if xpay.PaySig(s.q.AppKey, s.uri, s.q.Body) == s.q.Got && s.q.Got != "" {
		return paySig
	}
	if xpay.UserSignature(s.q.SessionKey, s.q.Body) == s.q.Got && s.q.Got != "" {
		return userSig
	}
	return ""
}

const (
	paySig  = "pay_sig"
	userSig = "signature"
)

// printable is a signed text for people: without keys, and not without end.
func (q Question) printable(text []byte) string {
	out := strings.ToValidUTF8(string(text), "\ufffd")
	for _, secret := range q.secrets() {
		out = strings.ReplaceAll(out, secret, "[redacted]")
	}
	if len(out) > printBytesMax {
		out = strings.ToValidUTF8(out[:printBytesMax], "") + "..."
	}
	return out
}

const secretBytesMin = 4 // a shorter one is in too many words

// secrets are the keys, and every value in the query of the uri: an access token stands there, and other people's may
// have any name. The longest comes first, because it may contain another.
func (q Question) secrets() []string {
	all := []string{q.AppKey, q.OtherAppKey, q.SessionKey, q.AccessToken}
	_, query := CutQuery(q.URI)
	all = append(all, values(query)...)
	if plain, err := url.PathUnescape(query); err == nil {
		all = append(all, values(plain)...)
	}
	if u, err := url.Parse(q.URI); err == nil {
		password, _ := u.User.Password()
		all = append(all, password)
	}
	for _, secret := range all {
		all = append(all, strings.TrimSpace(secret), url.QueryEscape(secret))
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < secretBytesMin })
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return all
}

// values are those of a=b&c=d. What has no name is a value, too, though it may end in the = of base64.
func values(query string) (all []string) {
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return strings.ContainsRune("?&#;", r) }) {
		if _, value, named := strings.Cut(pair, "="); named && strings.Trim(value, "=") != "" {
			pair = value
		}
		all = append(all, pair)
	}
	return all
}

// obvious recognises values that are no signature of anything.
func (q Question) obvious() (Cause, bool) {
	got := strings.Trim(strings.TrimSpace(q.Got), `"'`)
	switch strings.ToLower(got) {
	case "":
		return Cause{Of: paySig, Mistakes: []Mistake{mistakes["empty"]}}, true
	case "undefined", "null", "none", "nil", "nan", "[object object]", "[object promise]":
		return Cause{Of: paySig, Mistakes: []Mistake{mistakes["undefined"]}}, true
	}
	return Cause{}, false
}

// isHex tells whether text is nothing but hex digits, and whether capitals are among them.
func isHex(text string) (raw []byte, upper, ok bool) {
	raw, err := hex.DecodeString(text)
	return raw, text != strings.ToLower(text), err == nil
}
