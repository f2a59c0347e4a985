package miniprogram

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// SessionKeys asks WeChat about session keys. It keeps the published limit of resets by itself, as far as this process
// knows. Its exported fields are set once; after that it is safe for concurrent use.
type SessionKeys struct {
	App    *App
	Tokens *Tokens

	mu     sync.Mutex
	resets quota // of a minute
}

// Check asks whether the session's key is still the valid one; ErrSessionKey says that it is not, and that wx.login
// helps. Spec 8.2.
func (k *SessionKeys) Check(ctx context.Context, s Session) error {
	var reply struct {
		Code *int `json:"errcode"`
	}
	if err := k.ask(ctx, "checkSessionKey", "/wxa/checksession", s, &reply); err != nil {
		return err
	}
	if reply.Code == nil { // it may come from a proxy in between
		return noAnswer("checkSessionKey", "the answer has no errcode", nil)
	}
	return nil
}

const resetPath = "/wxa/resetusersessionkey"

// Reset lets WeChat replace the session's key, and returns the session with the new one, which ends when the old one
// would have. The old key is dead at once: after ErrNoAnswer it may be, and only wx.login helps. WeChat asks not to
// reset one user's key often; beyond 60 000 resets a minute the error is ErrBusy without asking. Spec 8.3.
func (k *SessionKeys) Reset(ctx context.Context, s Session) (Session, error) {
	var reply struct {
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
	}
	if err := k.ask(ctx, "resetUserSessionKey", resetPath, s, &reply); err != nil {
		return s, err
	}
	if reply.SessionKey == "" || reply.OpenID != s.OpenID {
		return s, noAnswer("resetUserSessionKey", "the answer has no session_key, or is about another user", nil)
	}
	s.SessionKey = reply.SessionKey
	return s, nil
}

// ask proves to know the key by its signature of nothing (vector C1). If WeChat rejects the access token, it asks once
// more with another.
func (k *SessionKeys) ask(ctx context.Context, api, path string, s Session, reply any) error {
	if s.OpenID == "" || s.SessionKey == "" {
		return fmt.Errorf("%s: openid or session_key is empty: %w: pass what Code2Session returned", api, ErrSessionKey)
	}
	token, err := k.Tokens.AccessToken(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", api, err)
	}
	err = k.send(ctx, api, path, token, s, reply)
	if !rejectsToken(err) {
		return err
	}
	if token, err = k.Tokens.RefreshAccessToken(ctx, token); err != nil {
		return fmt.Errorf("%s: %w", api, err)
	}
	return k.send(ctx, api, path, token, s, reply)
}

// send counts every reset, also that of a repetition.
func (k *SessionKeys) send(ctx context.Context, api, path, token string, s Session, reply any) error {
	if path == resetPath && !k.mayReset() {
		return fmt.Errorf("%s: %w: %d keys were reset within a minute: wait", api, ErrBusy, resetsPerMinute)
	}
	return k.App.get(ctx, api, path, keyQuery(token, s), reply, token, s.OpenID, s.SessionKey)
}

func keyQuery(token string, s Session) url.Values {
	mac := hmac.New(sha256.New, []byte(s.SessionKey))
	return url.Values{
		"access_token": {token}, "openid": {s.OpenID}, "sig_method": {"hmac_sha256"},
		"signature": {hex.EncodeToString(mac.Sum(nil))},
	}
}

// rejectsToken: 40001, 40014 and 42001 say that the access token is not the valid one (spec 6.3).
func rejectsToken(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == 40001 || e.Code == 40014 || e.Code == 42001)
}

func (k *SessionKeys) mayReset() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.resets.take(k.App.now(), time.Minute, resetsPerMinute)
}
