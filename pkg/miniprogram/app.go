package miniprogram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	defaultBaseURL = "https://api.weixin.qq.com"
	defaultTimeout = 5 * time.Second
	answerBytesMax = 64 << 10 // a session or a token is under 1 KiB
)

// App is a mini-program as its server knows it. Its fields are set once; after that it is safe for concurrent use.
type App struct {
	ID      string                        // AppID, wx...
	Secret  Secret                        // AppSecret
	HTTP    *http.Client                  // nil: http.Client; where it has no Timeout that of a request is 5 s, whatever the context says
	BaseURL string                        // "": https://api.weixin.qq.com
	Now     func() time.Time              // nil: time.Now; for Token.Expires and the minute of SessionKeys
	Refused func(context.Context, *Error) // is told of every answer with an errcode other than 0; nil: nobody is

	// Another is asked when WeChat refuses the AppSecret (40001, 40125), and gives another one, with which the call is
	// sent once more; "" or the refused one: there is none. nil: there never is.
	Another func(ctx context.Context, refused Secret) Secret
}

func (a *App) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// another is the App with the AppSecret to try after err; nil: there is none, or err is not about the AppSecret.
func (a *App) another(ctx context.Context, err error) *App {
	var refusal *Error
	if a.Another == nil || !errors.As(err, &refusal) || refusal.Code != secretWrong && refusal.Code != secretInvalid {
		return nil
	}
	secret := a.Another(ctx, a.Secret)
	if secret == "" || secret == a.Secret {
		return nil
	}
	next := *a
	next.Secret, next.Another = secret, nil
	return &next
}

func (a *App) ready() error {
	if a.ID == "" || a.Secret == "" {
		return fmt.Errorf("AppID or AppSecret is empty: %w: copy both from 开发管理", ErrConfig)
	}
	return nil
}

// get and post answer with the body of an HTTP 200 whose errcode is 0 or absent.
// WeChat may echo what it was told: secrets are kept out of the error, and so is the AppSecret.
func (a *App) get(ctx context.Context, api, path string, q url.Values, reply any, secrets ...string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base()+path+"?"+q.Encode(), nil)
	return a.do(api, req, err, reply, secrets...)
}

func (a *App) post(ctx context.Context, api, path string, body []byte, reply any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base()+path, bytes.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return a.do(api, req, err, reply)
}

func (a *App) base() string {
	if a.BaseURL == "" {
		return defaultBaseURL
	}
	return strings.TrimSuffix(a.BaseURL, "/")
}

func (a *App) do(api string, req *http.Request, err error, reply any, secrets ...string) error {
	if err != nil {
		return fmt.Errorf("%s: base URL is not usable: set it like %s", api, defaultBaseURL)
	}
	res, err := a.httpClient().Do(req)
	if err != nil {
		return noAnswer(api, transportReason(err), err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return noAnswer(api, fmt.Sprintf("HTTP status %d", res.StatusCode), nil)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax+1))
	if err != nil {
		return noAnswer(api, "the answer broke off", err)
	}
	return a.read(req.Context(), api, body, reply, secrets...)
}

func (a *App) read(ctx context.Context, api string, body []byte, reply any, secrets ...string) error {
	if len(body) > answerBytesMax {
		return noAnswer(api, "the answer is larger than 64 KiB", nil)
	}
	var status struct {
		Code    int    `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if json.Unmarshal(body, &status) != nil {
		return noAnswer(api, "the answer is not the expected JSON", nil)
	}
	if status.Code != 0 {
		refusal := newError(api, status.Code, status.Message, append(secrets, string(a.Secret))...)
		if a.Refused != nil {
			a.Refused(ctx, refusal)
		}
		return refusal
	}
	if json.Unmarshal(body, reply) != nil {
		return noAnswer(api, "the answer is not the expected JSON", nil)
	}
	return nil
}

// httpClient does not follow redirects: they would carry the AppSecret to another address. It always has a timeout, because
// everybody waits for one caller's fetch of a token, whose context may end in an hour or never.
func (a *App) httpClient() *http.Client {
	var h http.Client
	if a.HTTP != nil {
		h = *a.HTTP
	}
	if h.Timeout == 0 {
		h.Timeout = defaultTimeout
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// transportReason says why a request failed, without the address that url.Error prints: AppSecret and code are in it.
func transportReason(err error) string {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	if text := err.Error(); !strings.Contains(text, "?") && !strings.Contains(text, "secret") {
		return clean(text)
	}
	return "the transport failed"
}
