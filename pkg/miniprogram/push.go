package miniprogram

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	pushBytesMax    = 1 << 20 // the last line of defence; servers cap at 64 KiB
	echoBytesMax    = 1024
	nonceBytesMax   = 64             // WeChat's have about ten
	defaultMaxAge   = 24 * time.Hour // repeats span 18.2 h and may carry the first timestamp, spec 7.1
	defaultMaxAhead = 10 * time.Minute
)

var (
	// ErrSignature: no configured token or key fits the push. It is not from WeChat, or a secret was rotated.
	ErrSignature = errors.New("push signature does not fit")
	// ErrTooOld and ErrTooNew: correctly signed, but outside the window.
	ErrTooOld = errors.New("push is too old")
	ErrTooNew = errors.New("push is from the future")
	// ErrMalformed: the query, the envelope or the content can not be read.
	ErrMalformed = errors.New("push is malformed")
	// ErrAppID: opened, but made for another AppID. The Message that comes with it is filled.
	ErrAppID = errors.New("push is for another AppID")
)

// PushConfig is what the console's message-push page says. Lists are newest first: any entry verifies, so that a
// rotation loses nothing. It prints as [redacted].
type PushConfig struct {
	AppID    string   // for third-party platforms the component's
	Tokens   []string // at least one
	AESKeys  []string // EncodingAESKey, 43 characters each; may be empty for plain mode only
	MaxAge   time.Duration
	MaxAhead time.Duration    // MaxAge 0: 24 h; MaxAhead 0: 10 min; negative MaxAge: any time is good
	Now      func() time.Time // nil: time.Now
}

func (c PushConfig) String() string             { return "push of " + c.AppID + ", secrets " + redacted }
func (c PushConfig) GoString() string           { return c.String() }
func (c PushConfig) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }
func (c PushConfig) LogValue() slog.Value       { return slog.StringValue(c.String()) }
func (c PushConfig) MarshalText() ([]byte, error) {
	return []byte(c.String()), nil
}

// Push verifies, opens and answers message pushes. It is safe for concurrent use, and prints as [redacted].
type Push struct {
	config  *PushConfig // behind a pointer, so that no verb of fmt reaches it through another struct
	ciphers []*envelope
}

func (p Push) String() string             { return p.config.String() }
func (p Push) GoString() string           { return p.config.String() }
func (p Push) Format(f fmt.State, _ rune) { io.WriteString(f, p.config.String()) }
func (p Push) LogValue() slog.Value       { return p.config.LogValue() }

// NewPush names everything that is missing or malformed at once.
func NewPush(c PushConfig) (*Push, error) {
	var problems []error
	if c.AppID == "" {
		problems = append(problems, errors.New("AppID is empty: set the mini-program's"))
	}
	if len(c.Tokens) == 0 {
		problems = append(problems, errors.New("token list (Tokens) is empty: copy the Token of the message-push page"))
	}
	for i, token := range c.Tokens {
		if token == "" {
			problems = append(problems, fmt.Errorf("token %d (Tokens) is empty: remove it or fill it", i))
		}
	}
	p := &Push{config: c.withDefaults()}
	for i, key := range c.AESKeys {
		opener, err := newEnvelope(key)
		if err != nil {
			problems = append(problems, fmt.Errorf("AESKeys[%d]: %w", i, err))
		}
		p.ciphers = append(p.ciphers, opener)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("push configuration: %w", err)
	}
	return p, nil
}

func (c PushConfig) withDefaults() *PushConfig {
	c.Tokens, c.AESKeys = slices.Clone(c.Tokens), nil // the ciphers hold the keys
	if c.MaxAge == 0 {
		c.MaxAge = defaultMaxAge
	}
	if c.MaxAhead <= 0 {
		c.MaxAhead = defaultMaxAhead
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &c
}

// Echo checks the GET that the console sends when the URL is saved, in every mode by the plain signature, and
// returns what to answer: echostr verbatim, as text/plain. Spec 3.5, V5.
func (p *Push) Echo(q url.Values) (string, error) {
	signed, err := readSigned(q, "signature")
	if err != nil {
		return "", err
	}
	echo, err := parameter(q, "echostr")
	if err != nil {
		return "", err
	}
	if len(echo) > echoBytesMax {
		return "", fmt.Errorf("%w: echostr is longer than %d bytes", ErrMalformed, echoBytesMax)
	}
	if _, err := p.verify(signed, ""); err != nil {
		return "", err
	}
	if err := p.inWindow(signed.time); err != nil {
		return "", err
	}
	return echo, nil
}

// signed is the signed part of a push's query.
type signed struct {
	signature, timestamp, nonce string
	time                        time.Time
}

// readSigned wants each parameter exactly once, and a timestamp of ten digits: the signature is over a plain
// concatenation, and a fixed length keeps digits from moving between timestamp and nonce.
func readSigned(q url.Values, signatureName string) (signed, error) {
	var s signed
	var problems [3]error
	s.signature, problems[0] = parameter(q, signatureName)
	s.timestamp, problems[1] = parameter(q, "timestamp")
	s.nonce, problems[2] = parameter(q, "nonce")
	for _, err := range problems {
		if err != nil {
			return s, err
		}
	}
	if len(s.nonce) > nonceBytesMax {
		return s, fmt.Errorf("%w: nonce is longer than %d bytes", ErrMalformed, nonceBytesMax)
	}
	seconds, err := strconv.ParseUint(s.timestamp, 10, 63)
	if err != nil || len(s.timestamp) != 10 || s.timestamp[0] == '0' {
		return s, fmt.Errorf("%w: timestamp is not ten digits", ErrMalformed)
	}
	s.time = time.Unix(int64(seconds), 0).UTC()
	return s, nil
}

func parameter(q url.Values, name string) (string, error) {
	values := q[name]
	if len(values) != 1 || values[0] == "" {
		return "", fmt.Errorf("%w: query needs %s exactly once", ErrMalformed, name)
	}
	return values[0], nil
}

// verify returns the index of the token that fits. encrypt is "" for the plain signature.
func (p *Push) verify(s signed, encrypt string) (int, error) {
	for i, token := range p.config.Tokens {
		if hmac.Equal([]byte(pushSignature(token, s.timestamp, s.nonce, encrypt)), []byte(s.signature)) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: compare the Token with the message-push page", ErrSignature)
}

// pushSignature is the hex SHA-1 of the sorted concatenation; without encrypt it is the plain signature.
func pushSignature(token, timestamp, nonce, encrypt string) string {
	parts := []string{token, timestamp, nonce, encrypt}
	slices.Sort(parts)
	h := sha1.New()
	for _, part := range parts {
		io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (p *Push) inWindow(t time.Time) error {
	if p.config.MaxAge < 0 {
		return nil
	}
	now := p.config.Now()
	if age := now.Sub(t); age > p.config.MaxAge {
		return fmt.Errorf("%w: signed %v ago, the limit is %v", ErrTooOld, age.Round(time.Second), p.config.MaxAge)
	}
	if ahead := t.Sub(now); ahead > p.config.MaxAhead {
		return fmt.Errorf("%w: signed %v ahead, the limit is %v: check the clock", ErrTooNew,
			ahead.Round(time.Second), p.config.MaxAhead)
	}
	return nil
}
