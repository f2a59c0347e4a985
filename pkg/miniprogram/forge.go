package miniprogram

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Forgery says how to sign a push as WeChat would, for tests of a receiver. It prints as [redacted].
type Forgery struct {
	AppID      string
	Token      string
	AESKey     string // EncodingAESKey; "": plain mode
	OpenID     string // of the query; may be empty
	ToUserName string // of the envelope, gh_...; may be empty
	Time       time.Time
	Nonce      string            // "": random
	Random     [randomBytes]byte // zero: random; fixed for vectors
}

func (f Forgery) String() string             { return "forgery for " + f.AppID + ", secrets " + redacted }
func (f Forgery) GoString() string           { return f.String() }
func (f Forgery) LogValue() slog.Value       { return slog.StringValue(f.String()) }
func (f Forgery) Format(s fmt.State, _ rune) { io.WriteString(s, f.String()) }

// Forge gives the query and the body of a push with the event, in the event's format. Token and Time are required, and
// AppID with an AESKey. Spec 3.6, 3.7.
func Forge(f Forgery, event []byte) (q url.Values, body []byte, err error) {
	if err := f.complete(); err != nil {
		return nil, nil, fmt.Errorf("forge push: %w", err)
	}
	format := formatOf(event)
	if format == "" {
		return nil, nil, errors.New("forge push: event is neither XML nor a JSON object")
	}
	timestamp := strconv.FormatInt(f.Time.Unix(), 10)
	q = url.Values{"timestamp": {timestamp}, "nonce": {f.Nonce}}
	q.Set("signature", pushSignature(f.Token, timestamp, f.Nonce, ""))
	if f.OpenID != "" {
		q.Set("openid", f.OpenID)
	}
	if f.AESKey == "" {
		return q, event, nil
	}
	sealer, err := newEnvelope(f.AESKey)
	if err != nil {
		return nil, nil, fmt.Errorf("forge push: %w", err)
	}
	encrypt := sealer.seal(event, f.AppID, f.Random)
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", pushSignature(f.Token, timestamp, f.Nonce, encrypt))
	return q, wrap(format, f.ToUserName, encrypt), nil
}

func (f *Forgery) complete() error {
	if f.Token == "" || f.Time.IsZero() {
		return errors.New("token and time are required")
	}
	if f.AESKey != "" && f.AppID == "" {
		return errors.New("AppID is required with an AESKey")
	}
	if strings.Contains(f.ToUserName, "]]>") {
		return errors.New("ToUserName does not fit into CDATA")
	}
	if f.Nonce == "" {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return err
		}
		f.Nonce = hex.EncodeToString(b[:])
	}
	if f.Random == [randomBytes]byte{} {
		_, err := rand.Read(f.Random[:])
		return err
	}
	return nil
}

func wrap(format Format, toUserName, encrypt string) []byte {
	if format == JSON {
		return fmt.Appendf(nil, `{"ToUserName":%s,"Encrypt":"%s"}`, quote(toUserName), encrypt)
	}
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA[%s]]></ToUserName><Encrypt><![CDATA[%s]]></Encrypt></xml>",
		toUserName, encrypt)
}
