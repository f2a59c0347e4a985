package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// SealKeyBytes is the length of a sealing key.
const SealKeyBytes = 32

// Sealer encrypts what must not lie open in the store, with AES-256-GCM. It opens what any of its keys sealed and
// seals with the first one, so that a key can be rotated by putting a new one in front.
type Sealer struct {
	// Renew is asked when a box names a key that is not configured, which may be newer than ours, and gives the Sealer of
	// today's keys; an error, also beside a Sealer, says that there may be others, which cannot be read just now. It limits
	// itself. nil: there are no newer keys.
	Renew func(keyID string) (*Sealer, error)

	ids   []string
	boxes map[string]cipher.AEAD
}

// Sealed is a sealed text, with the id of the key that sealed it.
type Sealed struct {
	KeyID string `json:"k"`
	Box   []byte `json:"b"` // nonce and ciphertext
}

// NewSealer takes the keys, newest first. An empty or short key is refused.
func NewSealer(keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("the sealing key is missing")
	}
	s := &Sealer{boxes: map[string]cipher.AEAD{}}
	for i, key := range keys {
		if len(key) != SealKeyBytes {
			return nil, fmt.Errorf("sealing key %d has %d bytes, it must have %d", i+1, len(key), SealKeyBytes)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		box, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("seal key id:"), key...))
		id := hex.EncodeToString(sum[:4])
		s.ids, s.boxes[id] = append(s.ids, id), box
	}
	return s, nil
}

// Seal encrypts a text and binds it to a name: it opens under the same name only.
func (s *Sealer) Seal(text, name string) Sealed {
	id := s.ids[0]
	nonce := make([]byte, s.boxes[id].NonceSize())
	rand.Read(nonce)
	return Sealed{KeyID: id, Box: s.boxes[id].Seal(nonce, nonce, []byte(text), []byte(name))}
}

// ErrNotNow: the key of a box may be there, but cannot be read just now.
var ErrNotNow = errors.New("the sealing keys cannot be read now")

// Open decrypts. An error says that the key is gone, cannot be read now (ErrNotNow), or that the box was sealed for another
// name or was altered.
func (s *Sealer) Open(b Sealed, name string) (string, error) {
	box, ok := s.boxes[b.KeyID]
	var unread error
	if !ok && s.Renew != nil {
		var newer *Sealer
		if newer, unread = s.Renew(b.KeyID); newer != nil {
			box, ok = newer.boxes[b.KeyID]
		}
	}
	if !ok && unread != nil {
		return "", fmt.Errorf("sealed with key %q: %w: %w", b.KeyID, ErrNotNow, unread)
	}
	if !ok {
		return "", fmt.Errorf("sealed with key %q, which is not configured any more", b.KeyID)
	}
	n := box.NonceSize()
	if len(b.Box) < n {
		return "", errors.New("the sealed text is cut off")
	}
	text, err := box.Open(nil, b.Box[:n], b.Box[n:], []byte(name))
	if err != nil {
		return "", errors.New("the sealed text was altered or belongs to somebody else")
	}
	return string(text), nil
}
