package miniprogram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

const (
	renewBefore = 5 * time.Minute  // from then on stable_token gives the next one, spec 8.4
	forceGap    = 30 * time.Second // forced sooner, WeChat ignores it
	forceDaily  = 20               // per China day
	fetchPause  = 3 * time.Second  // after a fetch that failed or gave the rejected token again
)

// china is where WeChat counts days: UTC+8 all year.
var china = time.FixedZone("UTC+8", 8*60*60)

// ErrTokenRace: the cache holds another token than the one that was loaded, so it kept that.
var ErrTokenRace = errors.New("another process saved an access token first")

// CachedToken is what a TokenCache keeps: the token and when it was last forced. It prints as [redacted], but it
// marshals to JSON with its value, so a cache must seal it.
type CachedToken struct {
	Value       string
	Expires     time.Time
	ForcedAt    time.Time
	ForcedToday int    // forced refreshes on Day
	Day         string // 2006-01-02 in China
	Version     int64  `json:"-"` // of what the cache held when it was loaded; 0: nothing
}

func (t CachedToken) String() string             { return "cached token " + redacted }
func (t CachedToken) GoString() string           { return t.String() }
func (t CachedToken) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }
func (t CachedToken) LogValue() slog.Value       { return slog.StringValue(t.String()) }

// TokenCache shares a token between processes and restarts. A cache that fails costs a call to WeChat and nothing else.
type TokenCache interface {
	// LoadToken gives the token with its Version, which each save changes; the zero CachedToken when there is none.
	LoadToken(ctx context.Context) (CachedToken, error)
	// SaveToken replaces the token whose Version is t.Version and gives the Version that it has now. If the cache holds
	// another Version, it changes nothing and the error is ErrTokenRace.
	SaveToken(ctx context.Context, t CachedToken) (version int64, err error)
}

// Tokens hands out access tokens: from memory, else from the cache, else from WeChat. Concurrent callers wait for
// one fetch, each no longer than its own context. It keeps the limits of stable_token (spec 8.4) by itself: those of
// forcing in all processes that share the cache, 10 000 calls a minute and 500 000 a day in this one. A fetch that failed is
// not repeated for 3 seconds, after 45011 for a minute, after 45009 until the next day in China (or until a restart, once the
// quota was cleared): its error is given again. It has the methods of an xpay.TokenSource.
type Tokens struct {
	app   *App
	cache TokenCache
	now   func() time.Time
	turn  chan struct{} // holds one token; who has taken it owns what follows
	held  *CachedToken  // behind a pointer, so that no verb of fmt reaches it through another struct

	minute, day quota

	failed error // of the last fetch; given again until resume
	resume time.Time
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
	t.load(ctx, "")
	if t.left(*t.held) >= renewBefore {
		return t.held.Value, nil
	}
	if err := t.fetch(ctx, "", false); err != nil && t.left(*t.held) <= 0 {
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
	if t.differs(rejected) || t.finds(ctx, rejected) {
		return t.held.Value, nil
	}
	for _, force := range []bool{false, true} {
		err := t.fetch(ctx, rejected, force)
		if t.differs(rejected) || t.finds(ctx, rejected) { // read again just before forcing, and after a lost race
			return t.held.Value, nil
		}
		if err != nil {
			return "", fmt.Errorf("refresh access token: %w", err)
		}
	}
	err = fmt.Errorf("%w: the rejected token came back: try again in 30 seconds", ErrBusy)
	t.pause(err)
	return "", fmt.Errorf("refresh access token: %w", err)
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

// finds looks for another token in the cache.
func (t *Tokens) finds(ctx context.Context, rejected string) bool {
	t.load(ctx, rejected)
	return t.differs(rejected)
}

// load takes over from the cache a token that was not rejected and that lives longer or replaces a rejected one, the later
// record of forcing, and the version.
func (t *Tokens) load(ctx context.Context, rejected string) {
	if t.cache == nil {
		return
	}
	cached, err := t.cache.LoadToken(ctx)
	if err != nil {
		return
	}
	t.held.Version = cached.Version
	left, replaces := t.left(cached), t.held.Value == rejected
	if cached.Value != rejected && left > 0 && (replaces || left > t.left(*t.held)) {
		t.held.Value, t.held.Expires = cached.Value, cached.Expires
	}
	if cached.ForcedAt.After(t.held.ForcedAt) {
		t.held.ForcedAt, t.held.ForcedToday, t.held.Day = cached.ForcedAt, cached.ForcedToday, cached.Day
	}
}

// save tells whether another process was first; a cache that fails otherwise is not fatal.
func (t *Tokens) save(ctx context.Context) (lost bool) {
	if t.cache == nil {
		return false
	}
	version, err := t.cache.SaveToken(ctx, *t.held)
	if err == nil {
		t.held.Version = version
	}
	return errors.Is(err, ErrTokenRace)
}

// fetch asks WeChat unless it has just failed to.
func (t *Tokens) fetch(ctx context.Context, rejected string, force bool) error {
	if t.now().Before(t.resume) {
		return t.failed
	}
	err := t.ask(ctx, rejected, force)
	if err != nil && ctx.Err() == nil { // a caller who leaves says nothing about WeChat
		t.pause(err)
	}
	return err
}

func (t *Tokens) pause(err error) {
	now := t.now()
	t.failed, t.resume = err, now.Add(fetchPause)
	var refusal *Error
	if !errors.As(err, &refusal) {
		return
	}
	switch refusal.Code {
	case 45011:
		t.resume = now.Add(time.Minute)
	case 45009:
		year, month, day := now.In(china).Date()
		t.resume = time.Date(year, month, day+1, 0, 0, 0, 0, china)
	}
}

// ask keeps what it gets, and shares it unless it is the rejected token, which somebody else may have replaced by now.
func (t *Tokens) ask(ctx context.Context, rejected string, force bool) error {
	if now := t.now(); !t.minute.take(now, time.Minute, tokensPerMinute) || !t.day.take(now, 24*time.Hour, tokensPerDay) {
		return fmt.Errorf("%w: stable_token was asked %d times within a minute or %d within a day: find out why no token lasts",
			ErrBusy, tokensPerMinute, tokensPerDay)
	}
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
	if token.Value != rejected && t.save(ctx) {
		t.load(ctx, rejected)
	}
	return nil
}

// recordForce counts before the call, because a forced refresh without an answer may have happened, and so that of several
// processes one forces.
func (t *Tokens) recordForce(ctx context.Context) error {
	now := t.now()
	if now.Before(t.held.ForcedAt.Add(forceGap)) {
		return fmt.Errorf("%w: the token was forced less than 30 seconds ago: wait", ErrBusy)
	}
	day := now.In(china).Format(time.DateOnly)
	if t.held.Day != day {
		t.held.Day, t.held.ForcedToday = day, 0
	}
	if t.held.ForcedToday >= forceDaily {
		return fmt.Errorf("%w: the token was forced %d times today: find out who invalidates it", ErrBusy, forceDaily)
	}
	t.held.ForcedAt, t.held.ForcedToday = now.UTC(), t.held.ForcedToday+1
	if t.save(ctx) {
		return fmt.Errorf("%w: another process is replacing the token: wait", ErrBusy)
	}
	return nil
}
