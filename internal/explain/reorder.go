package explain

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
)

const reorderedMax = 7 // fields: 5040 orders

// reordered tries every order of the outermost fields, with and without spaces: a struct writes another than a map.
func (s *search) reordered(t target) (found []Cause) {
	v, err := ordered.Parse(s.q.Body)
	if err != nil || len(v.Fields) < 2 || len(v.Fields) > reorderedMax || len(s.q.Body) > pairBytesMax {
		return nil
	}
	permute(v.Fields, len(v.Fields), func() bool {
		for _, style := range []ordered.Style{{}, {Spaced: true}} {
			text := []byte(t.frames[0].is.before + string(style.Write(v)))
			if s.signs([]byte(t.keys[0].is), text) && !s.known(text, t) {
				cause := Cause{Of: t.of, Signed: s.q.printable(text)}
				cause.add("key-order", "the order is that of the signed text below")
				found = append(found, cause)
				return false
			}
		}
		return true
	})
	return found
}

// signs tells whether Got is the right HMAC of text, in the right form.
func (s *search) signs(key, text []byte) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return len(s.readings) > 0 && s.readings[0].id == "" && bytes.Equal(mac.Sum(nil), s.readings[0].is)
}

// known tells whether the ordinary contents have this text already.
func (s *search) known(text []byte, t target) bool {
	return slices.ContainsFunc(s.contents, func(w way[content]) bool {
		return bytes.Equal(text, w.is.appendTo([]byte(t.frames[0].is.before)))
	})
}

// permute visits every order of the first n fields (Heap's algorithm) until visit says no.
func permute(fields []ordered.Field, n int, visit func() bool) bool {
	if n <= 1 {
		return visit()
	}
	for i := range n {
		if !permute(fields, n-1, visit) {
			return false
		}
		if n%2 == 0 {
			fields[i], fields[n-1] = fields[n-1], fields[i]
		} else {
			fields[0], fields[n-1] = fields[n-1], fields[0]
		}
	}
	return true
}

// wholes are rules of other APIs: sorted pairs with the key at the end, MD5 or HMAC, in capitals or not, and the HMAC of
// the pairs alone in capitals.
func (s *search) wholes() (found []Cause) {
	v, err := ordered.Parse(s.q.Body)
	if err != nil {
		return nil
	}
	sorted := pairs(v.Without(isEmpty), "&", true, false)
	for _, key := range []struct{ of, is string }{{paySig, s.q.AppKey}, {userSig, s.q.SessionKey}} {
		text := []byte(sorted + "&key=" + key.is)
		for _, rule := range []way[[]byte]{
			{"wechat-pay", "MD5", plain(md5.New)(nil, text)},
			{"wechat-pay", "HMAC-SHA256", hmacOf(sha256.New)([]byte(key.is), text)},
			{"wechat-pay", "SHA-256", plain(sha256.New)(nil, text)},
		} {
			if key.is != "" && s.reads(rule.is, "", "upper-case") {
				cause := Cause{Of: key.of, Signed: s.q.printable([]byte(strings.TrimSuffix(string(text), key.is) + "[key]"))}
				cause.add(rule.id, rule.detail)
				found = append(found, cause)
			}
		}
	}
	return append(found, s.pairsInCapitals(v)...)
}

// pairsInCapitals are three mistakes that are one habit: sorted pairs, no uri, capitals.
func (s *search) pairsInCapitals(v ordered.Value) []Cause {
	for _, text := range []string{pairs(v.Without(isEmpty), "&", true, false), pairs(v, "&", true, false)} {
		if s.q.AppKey != "" && s.reads(hmacOf(sha256.New)([]byte(s.q.AppKey), []byte(text)), "upper-case") {
			cause := Cause{Of: paySig, Signed: s.q.printable([]byte(text))}
			cause.add("wechat-pay", "HMAC-SHA256 in capitals, without uri and key")
			return []Cause{cause}
		}
	}
	return nil
}

// reads tells whether Got stands for these bytes in one of these forms; "" is the right one.
func (s *search) reads(sum []byte, forms ...string) bool {
	return slices.ContainsFunc(s.readings, func(r way[[]byte]) bool { return slices.Contains(forms, r.id) && bytes.Equal(r.is, sum) })
}

func sortedFields(v ordered.Value, sorted bool) []ordered.Field {
	fields := slices.Clone(v.Fields)
	if sorted {
		slices.SortStableFunc(fields, func(a, b ordered.Field) int { return cmp.Compare(a.Name, b.Name) })
	}
	return fields
}
