// Package operator is the operator's side of the /merchant routes: a client of a deployed stack, whose requests it signs
// with the operator's AWS credentials, or of the local one; and what a deployed stack says of itself.
package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// replyBytesMax is more than Lambda can return.
const replyBytesMax = 8 << 20

// Client calls the /merchant routes of one API. It repeats nothing: every call may be repeated by its caller.
type Client struct {
	BaseURL string
	HTTP    *http.Client
	// Sign signs a request whose body is given; nil sends it as it is, as the local stack wants it.
	Sign func(ctx context.Context, r *http.Request, body []byte) error
	// Token is what a local stack printed that does not listen on loopback; "" where none is needed.
	Token string
}

// Problem is an answer that is not the one that was asked for.
type Problem struct {
	Status  int    // of HTTP
	Code    string // of the API's vocabulary, "" where the answer is not the API's own
	Message string
}

func (p *Problem) Error() string {
	if p.Code == "" {
		return fmt.Sprintf("the API answers %d: %s", p.Status, p.Message)
	}
	return p.Message
}

// ErrNoAnswer: nothing came back, or nothing that tells. What was asked for may have happened; asking again is harmless.
var ErrNoAnswer = errors.New("no answer")

// Later reports whether the same call may succeed, or turn out to have succeeded, when it is repeated.
func Later(err error) bool {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status == http.StatusTooManyRequests || p.Status >= 500
	}
	return errors.Is(err, ErrNoAnswer)
}

// call does one request and returns the JSON of its answer.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body any, key string) (json.RawMessage, error) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	address := strings.TrimSuffix(c.BaseURL, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("the address of the API is not usable: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Sign != nil {
		if err := c.Sign(ctx, r, raw); err != nil {
			return nil, err
		}
	}
	return c.send(r)
}

func (c *Client) send(r *http.Request) (json.RawMessage, error) {
	resp, err := c.HTTP.Do(r)
	if err != nil {
		return nil, noAnswer(r, reason(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, replyBytesMax+1))
	if err != nil || len(raw) > replyBytesMax {
		return nil, noAnswer(r, errors.New("it does not end"))
	}
	if resp.StatusCode/100 != 2 {
		return nil, problemOf(resp.StatusCode, raw)
	}
	if !json.Valid(raw) {
		return nil, &Problem{Status: resp.StatusCode, Message: "not JSON; is this the address of the API?"}
	}
	return raw, nil
}

// noAnswer says whether something may have happened all the same.
func noAnswer(r *http.Request, why error) error {
	var dial *net.OpError
	switch {
	case errors.As(why, &dial) && dial.Op == "dial":
		return fmt.Errorf("%w: %s cannot be reached (%w); nothing was done", ErrNoAnswer, r.URL.Host, why)
	case r.Method == http.MethodGet:
		return fmt.Errorf("%w from %s: %w", ErrNoAnswer, r.URL.Host, why)
	}
	return fmt.Errorf("%w from %s: %w; whether it was done is not known, and the same command again is harmless", ErrNoAnswer, r.URL.Host, why)
}

// reason leaves out the address that *url.Error repeats, with its query.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// problemOf reads {"error":{"code","message"}} of the API, or {"message"} of API Gateway.
func problemOf(status int, raw []byte) *Problem {
	var said struct {
		Error   struct{ Code, Message string }
		Message string
	}
	_ = json.Unmarshal(raw, &said) // another form has neither
	p := &Problem{Status: status, Code: said.Error.Code, Message: said.Error.Message}
	if p.Message == "" {
		p.Message = said.Message
	}
	if p.Message == "" {
		p.Message = http.StatusText(status)
	}
	if status == http.StatusForbidden && p.Code == "" {
		p.Message += "; the credentials must be allowed execute-api:Invoke on the /merchant routes of this API"
	}
	return p
}
