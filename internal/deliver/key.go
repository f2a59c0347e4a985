package deliver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
)

const (
	keyPrefix   = "whsec_"
	keyBytesMin = 24 // of the specification
	keyBytesMax = 64
)

// Key signs. It prints as [redacted].
type Key struct{ secret []byte }

// ParseKey reads "whsec_" and 24 to 64 bytes in base64. The error does not show the key.
func ParseKey(text string) (Key, error) {
	encoded, ok := strings.CutPrefix(text, keyPrefix)
	if !ok {
		return Key{}, errors.New("the key must begin with " + keyPrefix)
	}
	secret, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err != nil:
		return Key{}, fmt.Errorf("the key must be %s and base64", keyPrefix)
	case len(secret) < keyBytesMin || len(secret) > keyBytesMax:
		return Key{}, fmt.Errorf("the key has %d bytes, it must have %d to %d", len(secret), keyBytesMin, keyBytesMax)
	}
	return Key{secret}, nil
}

// ParseKeys reads the keys of a webhook, newest first.
func ParseKeys(texts []string) ([]Key, error) {
	var keys []Key
	for i, text := range texts {
		key, err := ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sign is one element of webhook-signature.
func (k Key) sign(id string, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, k.secret)
	io.WriteString(mac, id+"."+strconv.FormatInt(timestamp, 10)+".")
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

const redacted = "[redacted]"

func (Key) String() string               { return redacted }
func (Key) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }
func (Key) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
