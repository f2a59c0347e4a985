package explain

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"slices"
)

// hashing turns key and text into a digest.
type hashing func(key, text []byte) []byte

// hashes are the ways to hash; the first is right.
func hashes() []way[hashing] {
	return []way[hashing]{
		{is: hmacOf(sha256.New)},
		{"swapped", "", swapped(hmacOf(sha256.New))},
		{"sha1", "HMAC", hmacOf(sha1.New)},
		{"md5", "HMAC", hmacOf(md5.New)},
		{"sha512", "HMAC-SHA-512", hmacOf(sha512.New)},
		{"sha512", "HMAC-SHA-384", hmacOf(sha512.New384)},
		{"plain-hash", "SHA-256 of the text alone", plain(sha256.New)},
		{"md5", "of the text alone", plain(md5.New)},
		{"sha1", "of the text alone", plain(sha1.New)},
		{"sha512", "SHA-512 of the text alone", plain(sha512.New)},
		{"key-joined", "SHA-256 of key + text", joined(sha256.New, "", false)},
		{"key-joined", "SHA-256 of text + key", joined(sha256.New, "", true)},
		{"key-joined", "SHA-256 of key + & + text", joined(sha256.New, "&", false)},
		{"key-joined", "SHA-256 of text + & + key", joined(sha256.New, "&", true)},
		{"key-joined", "SHA-256 of text + &key= + key", joined(sha256.New, "&key=", true)},
		{"md5", "of key + text", joined(md5.New, "", false)},
		{"md5", "of text + key", joined(md5.New, "", true)},
		{"md5", "of text + & + key", joined(md5.New, "&", true)},
		{"md5", "of text + &key= + key", joined(md5.New, "&key=", true)},
		{"sha1", "of key + text", joined(sha1.New, "", false)},
		{"sha1", "of text + key", joined(sha1.New, "", true)},
		{"hashed-body", "HMAC-SHA256 over the hex SHA-256 of the text", overHex(sha256.New)},
		{"hashed-body", "HMAC-SHA256 over the hex MD5 of the text", overHex(md5.New)},
	}
}

func hmacOf(h func() hash.Hash) hashing {
	return func(key, text []byte) []byte {
		mac := hmac.New(h, key)
		mac.Write(text)
		return mac.Sum(nil)
	}
}

func swapped(h hashing) hashing { return func(key, text []byte) []byte { return h(text, key) } }

func plain(h func() hash.Hash) hashing {
	return func(_, text []byte) []byte {
		sum := h()
		sum.Write(text)
		return sum.Sum(nil)
	}
}

func joined(h func() hash.Hash, between string, keyLast bool) hashing {
	return func(key, text []byte) []byte {
		first, last := key, text
		if keyLast {
			first, last = text, key
		}
		return plain(h)(nil, slices.Concat(first, []byte(between), last))
	}
}

func overHex(h func() hash.Hash) hashing {
	return func(key, text []byte) []byte {
		return hmacOf(sha256.New)(key, []byte(hex.EncodeToString(plain(h)(nil, text))))
	}
}
