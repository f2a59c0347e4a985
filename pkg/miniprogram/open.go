package miniprogram

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Message is a push that passed. Body and OpenID are personal data: a Message prints without them.
type Message struct {
	Body      []byte // the plain event, XML or JSON
	Event     string // its Event field without space around it; "" for messages that are no events
	Format    Format // of Body, and so of the answer
	Encrypted bool   // false: the body is not covered by any signature, so confirm what it says (spec 3.6)
	Time      time.Time
	AppID     string // of the encrypted push; the configured one in plain mode
	OpenID    string // of the query, not covered by the signature

	by         *Push // who opened it, and which of its secrets fitted: the answer uses them
	token, key int
}

func (m Message) String() string {
	return fmt.Sprintf("push %.64q %s encrypted=%t %d bytes", m.Event, m.Format, m.Encrypted, len(m.Body))
}

func (m Message) GoString() string { return m.String() }

// Open verifies a POST and gives the plain event. A request with encrypt_type=aes or with an Encrypt field
// (secure and compatibility mode) must pass msg_signature and is opened; nothing else in its envelope is
// believed. Any other must pass the plain signature. Errors: ErrMalformed, ErrSignature, ErrTooOld, ErrTooNew, and
// ErrAppID together with a filled Message. Spec 3.6, 3.7.
func (p *Push) Open(q url.Values, body []byte) (Message, error) {
	if len(body) > pushBytesMax {
		return Message{}, fmt.Errorf("%w: body is larger than 1 MiB", ErrMalformed)
	}
	encrypt, found, err := find(body, "Encrypt")
	if err != nil {
		return Message{}, err
	}
	switch mode := q.Get("encrypt_type"); {
	case len(q["encrypt_type"]) > 1, mode != "" && mode != "aes" && mode != "raw":
		return Message{}, fmt.Errorf("%w: encrypt_type is unknown", ErrMalformed)
	case mode == "aes" && encrypt == "":
		return Message{}, fmt.Errorf("%w: encrypt_type is aes, but the body has no Encrypt", ErrMalformed)
	case found:
		return p.openSealed(q, encrypt)
	}
	return p.openPlain(q, body)
}

func (p *Push) openPlain(q url.Values, body []byte) (Message, error) {
	signed, err := readSigned(q, "signature")
	if err != nil {
		return Message{}, err
	}
	m := Message{Body: body, AppID: p.config.AppID, by: p}
	if m.token, err = p.verify(signed, ""); err != nil {
		return Message{}, err
	}
	return m, p.fill(&m, q, signed.time)
}

func (p *Push) openSealed(q url.Values, encrypt string) (Message, error) {
	signed, err := readSigned(q, "msg_signature")
	if err != nil {
		return Message{}, err
	}
	m := Message{Encrypted: true, by: p}
	if m.token, err = p.verify(signed, encrypt); err != nil {
		return Message{}, err
	}
	if err := p.decrypt(&m, encrypt); err != nil {
		return Message{}, err
	}
	if err := p.fill(&m, q, signed.time); err != nil {
		return m, err
	}
	if m.AppID != p.config.AppID {
		return m, fmt.Errorf("%w: compare the AppID of the console with the configured one", ErrAppID)
	}
	return m, nil
}

// decrypt prefers a key that shows our AppID; a wrong key passes the padding once in 256 times.
func (p *Push) decrypt(m *Message, encrypt string) error {
	sealed, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil {
		return fmt.Errorf("%w: Encrypt is not base64", ErrMalformed)
	}
	opened := false
	for i, envelope := range p.ciphers {
		msg, appID, ok := envelope.open(sealed)
		if ok && (!opened || appID == p.config.AppID) {
			m.Body, m.AppID, m.key, opened = msg, appID, i, true
		}
		if ok && appID == p.config.AppID {
			return nil
		}
	}
	if !opened {
		return fmt.Errorf("%w: no EncodingAESKey opens it: compare with the message-push page", ErrSignature)
	}
	return nil
}

// fill completes m and checks the window last, so that what is old is at least known to be genuine. m stays empty
// unless all is well.
func (p *Push) fill(m *Message, q url.Values, signedAt time.Time) error {
	event, _, err := find(m.Body, "Event")
	if err == nil {
		err = p.inWindow(signedAt)
	}
	if err != nil {
		*m = Message{}
		return err
	}
	m.Event, m.Format, m.Time, m.OpenID = strings.TrimSpace(event), formatOf(m.Body), signedAt, q.Get("openid")
	return nil
}
