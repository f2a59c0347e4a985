package xpay

import (
	"bytes"
	"context"
	"encoding/json"
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
	answerBytesMax = 1 << 20         // most answers are a few KiB, a page of complaints some 100
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
	// HTTP sends. nil: a client with a timeout of 5 s per request (30 s for upload_vp_file), which also holds where
	// neither HTTP nor the context has one. Redirects are never followed.
	HTTP    *http.Client
	BaseURL string // "": https://api.weixin.qq.com
	// Refused is told of every answer that refuses, for metrics and the like, also where a repetition then succeeds; nil:
	// nobody is. An errcode that the Endpoint counts as Done (268490004) is a success and never gets here.
	Refused func(*Error)
	Retry   Retry // the zero value repeats nothing but a call whose access token, or AppKey (see AppKeys), was rejected
}

type request struct {
	wrong      error  // what validation found; nothing is sent then
	body       any    // a json.RawMessage is sent as it is
	openID     string // kept out of errors, should WeChat echo it
	sessionKey string // for endpoints with userSig
}

// answer is a good answer: errcode 0, or one of the endpoint's done codes.
type answer struct {
	api      string
	raw      []byte
	node     *node
	repeated bool // a done code: an earlier call with this number succeeded, and fields may be missing
}

// ask calls and reads the answer. An answer with a field that can not be read is no usable one.
func ask[T any](ctx context.Context, c *Client, e endpoint, r request, read func(*fields, answer) T) (reply T, _ error) {
	a, err := c.call(ctx, e, r)
	if err != nil {
		return reply, err
	}
	f := fields{node: a.node}
	got := read(&f, a)
	if errors.Is(f.err, ErrAbsent) || errors.Is(f.err, ErrNotReady) {
		return reply, fmt.Errorf("xpay %s: errcode 0, but %w", e.name, f.err)
	}
	if f.err != nil {
		return reply, noAnswer(e.name, f.err.Error(), nil)
	}
	return got, nil
}

// call serializes once, signs that buffer and sends that buffer, again if Retry says so.
func (c *Client) call(ctx context.Context, e endpoint, r request) (answer, error) {
	body, err := c.prepare(e, r)
	if err != nil {
		return answer{}, fmt.Errorf("xpay %s: %w", e.name, err)
	}
	return c.Retry.run(ctx, e, func() (answer, error) { return c.attempt(ctx, e, r, body) })
}

// attempt sends once. If WeChat rejects the access token, it repeats the identical bytes once with another, and if it
// refuses the signature, once with another AppKey, where there is one; it repeats for no other reason.
func (c *Client) attempt(ctx context.Context, e endpoint, r request, body []byte) (answer, error) {
	token, err := c.Tokens.AccessToken(ctx)
	if err != nil {
		return answer{}, fmt.Errorf("xpay %s: get access token: %w", e.name, err)
	}
	a, err := c.sendSigned(ctx, e, r, token, body)
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
	return c.sendSigned(ctx, e, r, fresh, body)
}

func (c *Client) prepare(e endpoint, r request) ([]byte, error) {
	if r.wrong != nil {
		return nil, r.wrong
	}
	if err := c.Merchant.ready(); err != nil {
		return nil, err
	}
	if c.Tokens == nil {
		return nil, errors.New("client has no token source: set Tokens")
	}
	if e.userSig && r.sessionKey == "" {
		return nil, errors.New("session key is empty: call wx.login and code2Session first")
	}
	if e.env == EnvProduction && c.Merchant.env != Production {
		return nil, errors.New("subscriptions know production only: use a merchant of production")
	}
	if exact, ok := r.body.(json.RawMessage); ok {
		return exact, nil
	}
	return marshal(r.body)
}

func (c *Client) send(ctx context.Context, e endpoint, r request, token, appKey string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address(e, r, token, appKey, body), bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("xpay %s: base URL is not usable: set it like %s", e.name, defaultBaseURL)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.httpClient(ctx, e).Do(req)
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

func (c *Client) address(e endpoint, r request, token, appKey string, body []byte) string {
	q := url.Values{"access_token": {token}}
	if e.paySig {
		q.Set("pay_sig", PaySig(appKey, e.path(), body))
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
func (c *Client) httpClient(ctx context.Context, e endpoint) *http.Client {
	h := http.Client{Timeout: e.patience()}
	if c.HTTP != nil {
		h = *c.HTTP
	}
	if _, ends := ctx.Deadline(); h.Timeout == 0 && !ends {
		h.Timeout = e.patience()
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
	root, err := parseJSONOf(raw, answerNodesMax)
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
	return answer{api: e.name, raw: raw, node: root, repeated: code != 0}, nil
}
