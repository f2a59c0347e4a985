package miniprogram

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"
)

const (
	renewBefore = 5 * time.Minute  // from then on stable_token gives the next one, spec 8.4
	forceGap    = 30 * time.Second // forced sooner, WeChat ignores it
	forceDaily  = 20               // per China day
)

// CachedToken is what a TokenCache keeps: the token and when it was last forced. It prints as [redacted], but it
// marshals to JSON with its value, so a cache must seal it.
type CachedToken struct {
	Value       string
	Expires     time.Time
	ForcedAt    time.Time
	ForcedToday int    // forced refreshes on Day
	Day         string // 2006-01-02 in China
}

func (t CachedToken) String() string             { return "cached token " + redacted }
func (t CachedToken) GoString() string           { return t.String() }
func (t CachedToken) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }
func (t CachedToken) LogValue() slog.Value       { return slog.StringValue(t.String()) }

// TokenCache shares a token between processes and restarts. LoadToken gives the zero CachedToken when there is
// none. A cache that fails costs a call to WeChat and nothing else.
type TokenCache interface {
	LoadToken(ctx context.Context) (CachedToken, error)
	SaveToken(ctx context.Context, t CachedToken) error
}

// Tokens hands out access tokens: from memory, else from the cache, else from WeChat. Concurrent callers wait for
// one fetch, each no longer than its own context. It has the methods of an xpay.TokenSource.
type Tokens struct {
	app   *App
	cache TokenCache
	now   func() time.Time
	turn  chan struct{} // holds one token; who has taken it owns held
	held  *CachedToken  // behind a pointer, so that no verb of fmt reaches it through another struct
}

func (t *Tokens) String() string             { return "access tokens " + redacted }
func (t *Tokens) GoString() string           { return t.String() }
func (t *Tokens) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }
func (t *Tokens) LogValue() slog.Value       { return slog.StringValue(t.String()) }

// NewTokens takes a nil cache (memory only) and a nil now (time.Now).
func NewTokens(app *App, cache TokenCache, now func() time.Time) *Tokens {
	if now == nil {
		now = time.Now
	}
	t := &Tokens{app: app, cache: cache, now: now, turn: make(chan struct{}, 1), held: &CachedToken{}}
	t.turn <- struct{}{}
	return t
}

// AccessToken gives a token with at least 5 minutes left, or, if WeChat can not be asked, one that has not ended.
func (t *Tokens) AccessToken(ctx context.Context) (string, error) {
	done, err := t.take(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if t.left(*t.held) >= renewBefore {
		return t.held.Value, nil
	}
	t.load(ctx)
	if t.left(*t.held) >= renewBefore {
		return t.held.Value, nil
	}
	if err := t.fetch(ctx, false); err != nil && t.left(*t.held) <= 0 {
		return "", fmt.Errorf("access token: %w", err)
	}
	return t.held.Value, nil
}

// RefreshAccessToken gives another token than the one WeChat rejected: the one somebody else fetched meanwhile, else
// what stable_token gives now, and only if that is still the rejected one, a forced one. Forcing keeps WeChat's
// limits of 30 s and 20 a day; beyond them the error is ErrBusy.
func (t *Tokens) RefreshAccessToken(ctx context.Context, rejected string) (string, error) {
	done, err := t.take(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if t.differs(rejected) {
		return t.held.Value, nil
	}
	t.load(ctx)
	if t.differs(rejected) {
		return t.held.Value, nil
	}
	for _, force := range []bool{false, true} {
		if err := t.fetch(ctx, force); err != nil {
			return "", fmt.Errorf("refresh access token: %w", err)
		}
		if t.differs(rejected) {
			return t.held.Value, nil
		}
	}
	return "", fmt.Errorf("refresh access token: %w: the rejected token came back: try again in 30 seconds", ErrBusy)
}

func (t *Tokens) take(ctx context.Context) (done func(), err error) {
	select {
	case <-t.turn:
		return func() { t.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("access token: waiting for another caller's fetch: %w", ctx.Err())
	}
}

func (t *Tokens) left(c CachedToken) time.Duration {
	if c.Value == "" {
		return 0
	}
	return c.Expires.Sub(t.now())
}

func (t *Tokens) differs(rejected string) bool {
	return t.held.Value != rejected && t.left(*t.held) > 0
}

// load takes over from the cache a token that lives longer, and the later record of forcing.
func (t *Tokens) load(ctx context.Context) {
	if t.cache == nil {
		return
	}
	cached, err := t.cache.LoadToken(ctx)
	if err != nil {
		return
	}
	if t.left(cached) > t.left(*t.held) {
		t.held.Value, t.held.Expires = cached.Value, cached.Expires
	}
	if cached.ForcedAt.After(t.held.ForcedAt) {
		t.held.ForcedAt, t.held.ForcedToday, t.held.Day = cached.ForcedAt, cached.ForcedToday, cached.Day
	}
}

func (t *Tokens) save(ctx context.Context) {
	if t.cache != nil {
		_ = t.cache.SaveToken(ctx, *t.held) // a cache that fails is not fatal
	}
}

func (t *Tokens) fetch(ctx context.Context, force bool) error {
	if force {
		if err := t.recordForce(ctx); err != nil {
			return err
		}
	}
	asked := t.now()
	token, err := t.app.StableToken(ctx, force)
	if err != nil {
		return err
	}
	t.held.Value, t.held.Expires = token.Value, asked.Add(token.ExpiresIn).UTC()
	t.save(ctx)
	return nil
}

// recordForce counts before the call, because a forced refresh without an answer may have happened.
func (t *Tokens) recordForce(ctx context.Context) error {
	now := t.now()
	if now.Before(t.held.ForcedAt.Add(forceGap)) {
		return fmt.Errorf("%w: the token was forced less than 30 seconds ago: wait", ErrBusy)
	}
	day := now.In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)
	if t.held.Day != day {
		t.held.Day, t.held.ForcedToday = day, 0
	}
	if t.held.ForcedToday >= forceDaily {
		return fmt.Errorf("%w: the token was forced %d times today: find out who invalidates it", ErrBusy, forceDaily)
	}
	t.held.ForcedAt, t.held.ForcedToday = now.UTC(), t.held.ForcedToday+1
	t.save(ctx)
	return nil
}
