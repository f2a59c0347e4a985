package miniprogram

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

const (
	typeText = "text/plain; charset=utf-8"
	typeJSON = "application/json; charset=utf-8"
	typeXML  = "application/xml; charset=utf-8"
)

// Seal makes the answer to a message: reply encrypted if the message was, with the token and key that fitted it (also when
// another Push opened it, before a rotation), else as it is. An empty reply and "success" mean acknowledged and go as the text success in either mode. reply must be
// in the message's format. Spec 3.7, 7.1.
func (p *Push) Seal(m Message, reply []byte) (body []byte, contentType string, err error) {
	if len(reply) == 0 || bytes.Equal(reply, []byte("success")) {
		return []byte("success"), typeText, nil
	}
	if !m.Encrypted {
		return reply, m.Format.contentType(), nil
	}
	by := cmp.Or(m.by, p)
	if m.token >= len(by.config.Tokens) || m.key >= len(by.ciphers) {
		return nil, "", errors.New("seal push answer: there is no EncodingAESKey to encrypt it with")
	}
	var random [randomBytes + 8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, "", fmt.Errorf("seal push answer: %w", err)
	}
	nonce := strconv.FormatUint(binary.BigEndian.Uint64(random[randomBytes:]), 10)
	body = by.sealWith(m, reply, [randomBytes]byte(random[:]), nonce, p.config.Now().Unix())
	return body, m.Format.contentType(), nil
}

func (f Format) contentType() string {
	if f == JSON {
		return typeJSON
	}
	return typeXML
}

func (p *Push) sealWith(m Message, reply []byte, random [randomBytes]byte, nonce string, seconds int64) []byte {
	encrypt := p.ciphers[m.key].seal(reply, p.config.AppID, random)
	signature := pushSignature(p.config.Tokens[m.token], strconv.FormatInt(seconds, 10), nonce, encrypt)
	if m.Format == JSON {
		return fmt.Appendf(nil, `{"Encrypt":"%s","MsgSignature":"%s","TimeStamp":%d,"Nonce":%s}`,
			encrypt, signature, seconds, quote(nonce))
	}
	return fmt.Appendf(nil, "<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature>"+
		"<TimeStamp>%d</TimeStamp><Nonce><![CDATA[%s]]></Nonce></xml>", encrypt, signature, seconds, nonce)
}

func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return b
}
