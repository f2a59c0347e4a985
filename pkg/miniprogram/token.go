package miniprogram

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Token is an access token and when it ends. It prints and marshals as [redacted].
type Token struct {
	Value     string
	ExpiresIn time.Duration // as WeChat said, from the moment of asking
	Expires   time.Time     // UTC, by App.Now
}

func (t Token) String() string               { return "access token " + redacted }
func (t Token) GoString() string             { return t.String() }
func (t Token) Format(f fmt.State, _ rune)   { io.WriteString(f, t.String()) }
func (t Token) LogValue() slog.Value         { return slog.StringValue(t.String()) }
func (t Token) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

const expiresSecondsMax = 7 * 24 * 3600 // WeChat says at most 7200; a week keeps nonsense out of the arithmetic

// StableToken asks for the token that all callers share. With force WeChat replaces it, at most 20 times a day and
// not within 30 s of the last time; else it answers with the old one. Tokens keeps to that. Spec 8.4.
func (a *App) StableToken(ctx context.Context, force bool) (Token, error) {
	if err := a.ready(); err != nil {
		return Token{}, fmt.Errorf("stable_token: %w", err)
	}
	token, err := a.stableToken(ctx, force)
	if next := a.another(ctx, err); next != nil {
		return next.stableToken(ctx, force)
	}
	return token, err
}

func (a *App) stableToken(ctx context.Context, force bool) (Token, error) {
	body, err := json.Marshal(struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh,omitempty"`
	}{"client_credential", a.ID, string(a.Secret), force})
	if err != nil {
		return Token{}, fmt.Errorf("stable_token: %w", err)
	}
	var reply struct {
		Value   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	asked := a.now()
	if err := a.post(ctx, "stable_token", "/cgi-bin/stable_token", body, &reply); err != nil {
		return Token{}, err
	}
	if reply.Value == "" || reply.Seconds <= 0 || reply.Seconds > expiresSecondsMax {
		return Token{}, noAnswer("stable_token", "the answer has no access_token or no plausible expires_in", nil)
	}
	life := time.Duration(reply.Seconds) * time.Second
	return Token{Value: reply.Value, ExpiresIn: life, Expires: asked.Add(life).UTC()}, nil
}
