package miniprogram

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	aesKeyChars = 43
	padBlock    = 32 // not 16: trap 36
	randomBytes = 16
	headBytes   = randomBytes + 4 // random, then the length of the message, big-endian
)

// envelope seals and opens with one EncodingAESKey: AES-256-CBC whose IV is the first half of the key. Spec 3.7.
type envelope struct {
	block cipher.Block
	iv    [aes.BlockSize]byte
}

// newEnvelope decodes leniently: the unused low bits of the 43rd character may be set.
func newEnvelope(encodingAESKey string) (*envelope, error) {
	if len(encodingAESKey) != aesKeyChars {
		return nil, fmt.Errorf("EncodingAESKey has %d characters: copy all %d", len(encodingAESKey), aesKeyChars)
	}
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("EncodingAESKey is not base64: copy it again from the message-push page")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New("EncodingAESKey is not an AES-256 key")
	}
	e := &envelope{block: block}
	copy(e.iv[:], key)
	return e, nil
}

// open gives the message and the AppID behind it. ok is false when this key is not the one.
func (e *envelope) open(sealed []byte) (msg []byte, appID string, ok bool) {
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, "", false
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(e.block, e.iv[:]).CryptBlocks(plain, sealed)
	plain, ok = unpad(plain)
	if !ok || len(plain) < headBytes {
		return nil, "", false
	}
	length := binary.BigEndian.Uint32(plain[randomBytes:headBytes])
	rest := plain[headBytes:]
	if uint64(length) > uint64(len(rest)) {
		return nil, "", false
	}
	return rest[:length:length], string(rest[length:]), true
}

func (e *envelope) seal(msg []byte, appID string, random [randomBytes]byte) string {
	n := headBytes + len(msg) + len(appID)
	pad := padBlock - n%padBlock
	plain := make([]byte, 0, n+pad)
	plain = append(plain, random[:]...)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(msg)))
	plain = append(plain, msg...)
	plain = append(plain, appID...)
	for range pad {
		plain = append(plain, byte(pad))
	}
	cipher.NewCBCEncrypter(e.block, e.iv[:]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// unpad wants 1 to 32 equal bytes that say how many they are.
func unpad(b []byte) ([]byte, bool) {
	n := int(b[len(b)-1])
	if n < 1 || n > padBlock || n > len(b) {
		return nil, false
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, false
		}
	}
	return b[:len(b)-n], true
}
