package miniprogram

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
)

const codeBytesMax = 512 // codes are 32 characters today

// Session is who logged in. SessionKey is a secret that never goes to the phone; WeChat keeps one valid key per
// user, and the next wx.login may replace it. A Session prints and marshals as [redacted].
type Session struct {
	OpenID     string
	SessionKey string
	UnionID    string // only when the mini-program is bound to an open platform account
}

func (s Session) String() string               { return "session " + redacted }
func (s Session) GoString() string             { return s.String() }
func (s Session) Format(f fmt.State, _ rune)   { io.WriteString(f, s.String()) }
func (s Session) LogValue() slog.Value         { return slog.StringValue(s.String()) }
func (s Session) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Code2Session turns the code of wx.login into a session. A code works once: after ErrNoAnswer the same code may be
// tried again, and ErrCodeUsed then means that only another wx.login helps. A code that can not be one is
// ErrCodeInvalid without asking WeChat. Spec 8.1.
func (a *App) Code2Session(ctx context.Context, code string) (Session, error) {
	if err := a.ready(); err != nil {
		return Session{}, fmt.Errorf("code2Session: %w", err)
	}
	if !plausibleCode(code) {
		return Session{}, fmt.Errorf("code2Session: %w: pass the code of wx.login as it is", ErrCodeInvalid)
	}
	session, err := a.code2Session(ctx, code)
	if next := a.another(ctx, err); next != nil {
		return next.code2Session(ctx, code)
	}
	return session, err
}

func (a *App) code2Session(ctx context.Context, code string) (Session, error) {
	var reply struct {
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
		UnionID    string `json:"unionid"`
	}
	q := url.Values{"appid": {a.ID}, "secret": {string(a.Secret)}, "js_code": {code}, "grant_type": {"authorization_code"}}
	if err := a.get(ctx, "code2Session", "/sns/jscode2session", q, &reply, code); err != nil {
		return Session{}, err
	}
	if reply.OpenID == "" || reply.SessionKey == "" {
		return Session{}, noAnswer("code2Session", "the answer has no openid or no session_key", nil)
	}
	return Session(reply), nil
}

func plausibleCode(code string) bool {
	if code == "" || len(code) > codeBytesMax {
		return false
	}
	for i := range len(code) {
		if code[i] <= ' ' || code[i] > '~' {
			return false
		}
	}
	return true
}
