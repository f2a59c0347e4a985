package xpay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	defaultBaseURL = "https://api.weixin.qq.com"
	defaultTimeout = 5 * time.Second // WeChat answers in well under one
	answerBytesMax = 1 << 20         // the answers of all /xpay APIs are a few KiB
)

// TokenSource gives access tokens. RefreshAccessToken is told which token WeChat rejected, so that of many
// callers only the first has to fetch a new one.
type TokenSource interface {
	AccessToken(ctx context.Context) (string, error)
	RefreshAccessToken(ctx context.Context, rejected string) (string, error)
}

// Client calls the /xpay/* APIs for one merchant and environment. Its fields are set once; after that it is safe
// for concurrent use.
type Client struct {
	Merchant Merchant
	Tokens   TokenSource
	HTTP     *http.Client // nil: a client with a 5 s timeout. Redirects are never followed.
	BaseURL  string       // "": https://api.weixin.qq.com
	Refused  func(*Error) // is told of every answer with an errcode other than 0, for metrics and the like; nil: nobody is
}

type request struct {
	body       any
	openID     string // kept out of errors, should WeChat echo it
	sessionKey string // for endpoints with userSig
}

// answer is a good answer: errcode 0, or one of the endpoint's done codes.
type answer struct {
	api  string
	raw  []byte
	node *node
}

// call serializes once, signs that buffer and sends that buffer. If WeChat rejects the access token, it repeats the
// identical bytes once with another; it repeats for no other reason.
func (c *Client) call(ctx context.Context, e endpoint, r request) (answer, error) {
	body, err := c.prepare(e, r)
	if err != nil {
		return answer{}, fmt.Errorf("xpay %s: %w", e.name, err)
	}
	token, err := c.Tokens.AccessToken(ctx)
	if err != nil {
		return answer{}, fmt.Errorf("xpay %s: get access token: %w", e.name, err)
	}
	a, err := c.send(ctx, e, r, token, body)
	if !tokenRejected(err) {
		return a, err
	}
	fresh, refreshErr := c.Tokens.RefreshAccessToken(ctx, token)
	if refreshErr != nil {
		return answer{}, fmt.Errorf("%w; and refresh access token: %w", err, refreshErr)
	}
	if fresh == token {
		return answer{}, err
	}
	return c.send(ctx, e, r, fresh, body)
}

func (c *Client) prepare(e endpoint, r request) ([]byte, error) {
	if err := c.Merchant.ready(); err != nil {
		return nil, err
	}
	if c.Tokens == nil {
		return nil, errors.New("client has no token source: set Tokens")
	}
	if e.userSig && r.sessionKey == "" {
		return nil, errors.New("session key is empty: call wx.login and code2Session first")
	}
	return marshal(r.body)
}

func (c *Client) send(ctx context.Context, e endpoint, r request, token string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address(e, r, token, body), bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("xpay %s: base URL is not usable: set it like %s", e.name, defaultBaseURL)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.httpClient().Do(req)
	if err != nil {
		return answer{}, noAnswer(e.name, transportReason(err), err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return answer{}, noAnswer(e.name, fmt.Sprintf("HTTP status %d", res.StatusCode), nil)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax+1))
	if err != nil {
		return answer{}, noAnswer(e.name, "the answer broke off", err)
	}
	a, err := e.read(raw, token, r.openID, r.sessionKey)
	var refusal *Error
	if c.Refused != nil && errors.As(err, &refusal) {
		c.Refused(refusal)
	}
	return a, err
}

func (c *Client) address(e endpoint, r request, token string, body []byte) string {
	q := url.Values{"access_token": {token}}
	if e.paySig {
		q.Set("pay_sig", c.Merchant.PaySig(e.path(), body))
	}
	if e.userSig {
		q.Set("signature", UserSignature(r.sessionKey, body))
	}
	base := c.BaseURL
	if base == "" {
		base = defaultBaseURL
	}
	return strings.TrimSuffix(base, "/") + e.path() + "?" + q.Encode()
}

// httpClient does not follow redirects: they would carry the access token to another address.
func (c *Client) httpClient() *http.Client {
	h := http.Client{Timeout: defaultTimeout}
	if c.HTTP != nil {
		h = *c.HTTP
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// read turns the bytes of an HTTP 200 into an answer or an *Error. An answer without errcode is none: it may come
// from a proxy in between.
func (e endpoint) read(raw []byte, secrets ...string) (answer, error) {
	if len(raw) > answerBytesMax {
		return answer{}, noAnswer(e.name, "the answer is larger than 1 MiB", nil)
	}
	if e.emptyAnswer && len(bytes.TrimSpace(raw)) == 0 {
		return answer{api: e.name, raw: []byte("{}"), node: &node{}}, nil
	}
	root, err := parseJSON(raw)
	if err != nil {
		return answer{}, noAnswer(e.name, "the answer is not JSON", nil)
	}
	if e.emptyAnswer && len(root.kids) == 0 {
		return answer{api: e.name, raw: raw, node: root}, nil
	}
	f := fields{node: root}
	code, message := int(f.needed("errcode")), f.text("errmsg")
	if f.err != nil {
		return answer{}, noAnswer(e.name, f.err.Error(), nil)
	}
	if code != 0 && !slices.Contains(e.done, code) {
		return answer{}, newError(e.name, code, message, secrets)
	}
	return answer{api: e.name, raw: raw, node: root}, nil
}
