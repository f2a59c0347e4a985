package wechatsim

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// padBlock is the block size of the padding; AES itself works on 16 bytes (spec 3.7, vectors C10 and C11).
const padBlock = 32

// seal encrypts msg for appid as message pushes do: random(16) + length(4, big-endian) + msg + appid, padded to 32,
// AES-256-CBC with the first half of the key as IV (spec 3.7, vectors C6 to C11). key has 32 bytes, random 16.
func seal(key, random, msg []byte, appid string) (string, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	full := append([]byte{}, random...)
	full = binary.BigEndian.AppendUint32(full, uint32(len(msg)))
	full = append(full, msg...)
	full = append(full, appid...)
	n := padBlock - len(full)%padBlock
	full = append(full, bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(full, full)
	return base64.StdEncoding.EncodeToString(full), nil
}

// unseal is the reverse of seal. It refuses bad padding, bad lengths and a foreign appid.
func unseal(key []byte, text, appid string) ([]byte, error) {
	full, err := decrypt(key, text)
	if err != nil {
		return nil, err
	}
	if len(full) < 20 {
		return nil, errors.New("the decrypted text is too short")
	}
	n := binary.BigEndian.Uint32(full[16:20])
	rest := full[20:]
	if uint64(n) > uint64(len(rest)) {
		return nil, errors.New("the length inside the encrypted text is wrong")
	}
	if string(rest[n:]) != appid {
		return nil, errors.New("the encrypted text carries another appid")
	}
	return rest[:n], nil
}

func decrypt(key []byte, text string) ([]byte, error) {
	full, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the Encrypt field is not base64")
	}
	if len(full) == 0 || len(full)%aes.BlockSize != 0 {
		return nil, errors.New("the Encrypt field is not a whole number of AES blocks")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(full, full)
	n := int(full[len(full)-1])
	if n < 1 || n > padBlock || n > len(full) || !bytes.Equal(full[len(full)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errors.New("the padding of the encrypted text is wrong")
	}
	return full[:len(full)-n], nil
}
