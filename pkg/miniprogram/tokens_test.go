package miniprogram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wechat is a stable_token endpoint with a clock: plain calls repeat the token, forced ones count it up.
type wechat struct {
	mu            sync.Mutex
	now           time.Time
	serial        int
	plain, forced int
	down, stuck   bool // stuck: forcing changes nothing
}

func (w *wechat) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wechat) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *wechat) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if strings.Contains(string(body), "force_refresh") {
		w.forced++
		if !w.stuck {
			w.serial++
		}
	} else {
		w.plain++
	}
	fmt.Fprintf(rw, `{"access_token":"token-%d","expires_in":7200}`, w.serial)
}

type memoryCache struct {
	mu      sync.Mutex
	saved   []byte
	version int64
	fails   bool
}

func (c *memoryCache) LoadToken(context.Context) (t CachedToken, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails {
		return t, errors.New("cache is down")
	}
	if c.saved == nil {
		return t, nil
	}
	err = json.Unmarshal(c.saved, &t)
	t.Version = c.version
	return t, err
}

func (c *memoryCache) SaveToken(_ context.Context, t CachedToken) (_ int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails {
		return 0, errors.New("cache is down")
	}
	if t.Version != c.version {
		return 0, ErrTokenRace
	}
	c.saved, err = json.Marshal(t)
	c.version++
	return c.version, err
}

func newWechat(t *testing.T) (*wechat, *App) {
	w := &wechat{now: time.Date(2026, 8, 1, 2, 0, 0, 0, time.UTC)}
	return w, serve(t, w.ServeHTTP)
}

func access(t *testing.T, tokens *Tokens) string {
	t.Helper()
	token, err := tokens.AccessToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestATokenIsFetchedOnceAndRenewedFiveMinutesBeforeItsEnd(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	tokens := NewTokens(app, nil, w.clock)
	for range 3 {
		if got := access(t, tokens); got != "token-0" {
			t.Fatal(got)
		}
	}
	w.advance(115 * time.Minute)
	access(t, tokens)
	if w.plain != 1 {
		t.Fatalf("%d fetches with five minutes left", w.plain)
	}
	w.advance(time.Second)
	access(t, tokens)
	if w.plain != 2 {
		t.Fatalf("%d fetches with less than five minutes left", w.plain)
	}
}

func TestATokenOutlivesAnOutageUntilItEnds(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	tokens := NewTokens(app, nil, w.clock)
	access(t, tokens)
	w.down = true
	w.advance(119 * time.Minute)
	if got := access(t, tokens); got != "token-0" {
		t.Fatal(got)
	}
	w.advance(time.Minute)
	if got, err := tokens.AccessToken(t.Context()); got != "" || !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("%q %v", got, err)
	}
}

func TestProcessesShareATokenThroughTheCache(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	cache := &memoryCache{}
	access(t, NewTokens(app, cache, w.clock))
	access(t, NewTokens(app, cache, w.clock))
	if w.plain != 1 {
		t.Fatalf("%d fetches", w.plain)
	}
	cache.fails = true
	if got := access(t, NewTokens(app, cache, w.clock)); got != "token-0" || w.plain != 2 {
		t.Fatalf("with a failing cache: %q, %d fetches", got, w.plain)
	}
}

func TestARejectedTokenIsForcedOnlyWhenThePlainCallStillGivesIt(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	tokens := NewTokens(app, &memoryCache{}, w.clock)
	access(t, tokens)

	w.serial = 7 // somebody else forced
	if got, err := tokens.RefreshAccessToken(t.Context(), "token-0"); got != "token-7" || err != nil || w.forced != 0 {
		t.Fatalf("%q %v forced %d", got, err, w.forced)
	}
	if got, err := tokens.RefreshAccessToken(t.Context(), "token-0"); got != "token-7" || err != nil || w.plain != 2 {
		t.Fatalf("a late caller: %q %v, %d fetches", got, err, w.plain)
	}
	if got, err := tokens.RefreshAccessToken(t.Context(), "token-7"); got != "token-8" || err != nil || w.forced != 1 {
		t.Fatalf("%q %v forced %d", got, err, w.forced)
	}
}

func TestForcingKeepsThirtySecondsApartAcrossProcesses(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	cache := &memoryCache{}
	first, second := NewTokens(app, cache, w.clock), NewTokens(app, cache, w.clock)
	if _, err := first.RefreshAccessToken(t.Context(), "token-0"); err != nil {
		t.Fatal(err)
	}
	if _, err := second.RefreshAccessToken(t.Context(), "token-1"); !errors.Is(err, ErrBusy) || w.forced != 1 {
		t.Fatalf("%v forced %d", err, w.forced)
	}
	w.advance(30 * time.Second)
	if got, err := second.RefreshAccessToken(t.Context(), "token-1"); err != nil || got != "token-2" {
		t.Fatalf("%q %v", got, err)
	}
}

func TestForcingStopsAtTwentyADayOfChina(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	w.stuck = true
	tokens := NewTokens(app, &memoryCache{}, w.clock)
	for range 25 {
		if _, err := tokens.RefreshAccessToken(t.Context(), "token-0"); !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
		w.advance(time.Minute)
	}
	if w.forced != 20 {
		t.Fatalf("forced %d times", w.forced)
	}
	w.now = time.Date(2026, 8, 1, 15, 59, 57, 0, time.UTC) // three seconds before midnight in China
	tokens.RefreshAccessToken(t.Context(), "token-0")
	if w.forced != 20 {
		t.Fatal("forced again on the same day")
	}
	w.advance(3 * time.Second)
	tokens.RefreshAccessToken(t.Context(), "token-0")
	if w.forced != 21 {
		t.Fatal("not forced on the next day")
	}
}

func TestAForcedRefreshWithoutAnAnswerCounts(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 2 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		io.WriteString(w, `{"access_token":"token-0","expires_in":7200}`)
	})
	cache := &memoryCache{}
	now := time.Unix(1785600000, 0)
	tokens := NewTokens(app, cache, func() time.Time { return now })
	if _, err := tokens.RefreshAccessToken(t.Context(), "token-0"); !errors.Is(err, ErrNoAnswer) {
		t.Fatal(err)
	}
	if saved, _ := cache.LoadToken(t.Context()); saved.ForcedToday != 1 || !saved.ForcedAt.Equal(now) || saved.Day != "2026-08-02" {
		t.Fatalf("recorded %d %v %s", saved.ForcedToday, saved.ForcedAt, saved.Day)
	}
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	tokens := NewTokens(app, nil, w.clock)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			// Whoever comes late finds the token that another one has refreshed.
			if got, err := tokens.AccessToken(t.Context()); got != "token-0" && got != "token-1" || err != nil {
				t.Errorf("%q %v", got, err)
			}
			if got, err := tokens.RefreshAccessToken(t.Context(), "token-0"); got != "token-1" || err != nil {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	group.Wait()
	if w.plain > 2 || w.forced != 1 {
		t.Fatalf("%d plain and %d forced fetches", w.plain, w.forced)
	}
}

func TestAWaitingCallerLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	_, app := newWechat(t)
	tokens := NewTokens(app, nil, nil)
	<-tokens.turn // somebody is fetching
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tokens.AccessToken(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
