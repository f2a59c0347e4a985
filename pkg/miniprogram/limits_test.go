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
	"testing/synctest"
	"time"
)

var start = time.Date(2026, 8, 1, 2, 0, 0, 0, time.UTC)

// used is a quota of which n calls went into the part that runs at.
func used(at time.Time, span time.Duration, n int) (q quota) {
	q.take(at, span, 1)
	*q.at(q.slot) = n
	return q
}

func TestNoSpanHoldsMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	for _, span := range []time.Duration{time.Minute, 24 * time.Hour} {
		var q quota
		var taken []time.Time // allowed calls, at most one per thousandth of the span
		for i := range 5000 {
			now := start.Add(time.Duration(i) * span / 1000)
			if i%1000 > 700 || i%1000 < 350 { // bursts across the borders of spans
				if q.take(now, span, 100) {
					taken = append(taken, now)
				}
			}
		}
		if len(taken) < 350 {
			t.Errorf("%v: only %d of five times 100 were allowed", span, len(taken))
		}
		for i := 100; i < len(taken); i++ {
			if taken[i].Sub(taken[i-100]) < span {
				t.Fatalf("%v: 101 calls within %v", span, taken[i].Sub(taken[i-100]))
			}
		}
	}
}

func TestAClockThatGoesBackDoesNotBlockForGood(t *testing.T) {
	t.Parallel()
	q := used(start, time.Minute, 1)
	if q.take(start.Add(-time.Second), time.Minute, 1) {
		t.Error("a second back frees the quota")
	}
	if !q.take(start.Add(-time.Hour), time.Minute, 1) {
		t.Error("an hour back blocks")
	}
}

func TestResetsBeyondTheLimitAreNotSent(t *testing.T) {
	t.Parallel()
	k, asked := keys(t, `{"errcode":0,"openid":"oUserOpenId","session_key":"bmV3"}`)
	now := start
	k.App.Now = func() time.Time { return now }
	k.resets = used(now, time.Minute, 59_999)
	now = now.Add(59 * time.Second)
	for i, want := range []error{nil, ErrBusy, ErrBusy} {
		if _, err := k.Reset(t.Context(), c1); !errors.Is(err, want) {
			t.Errorf("reset %d: %v", i, err)
		}
	}
	if len(*asked) != 1 {
		t.Errorf("%d were sent", len(*asked))
	}
	now = now.Add(6 * time.Second)
	if _, err := k.Reset(t.Context(), c1); err != nil {
		t.Errorf("when the minute has passed: %v", err)
	}
}

func TestTheRepetitionOfAResetCounts(t *testing.T) {
	t.Parallel()
	k, asked := keys(t, `{"errcode":40001,"errmsg":"x"}`, `{"errcode":0,"openid":"oUserOpenId","session_key":"bmV3"}`)
	k.App.Now = func() time.Time { return start }
	k.resets = used(start, time.Minute, 59_999)
	if _, err := k.Reset(t.Context(), c1); !errors.Is(err, ErrBusy) || len(*asked) != 1 {
		t.Errorf("%v after %d requests", err, len(*asked))
	}
}

func TestACheckWithoutAnErrcodeProvesNothing(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{}`, `null`, `{"message":"blocked by gateway"}`, `{"errcode":null}`} {
		k, _ := keys(t, answer)
		if err := k.Check(t.Context(), c1); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestWhatWeChatEchoesStaysOutOfErrors(t *testing.T) {
	t.Parallel()
	k, _ := keys(t, `{"errcode":87009,"errmsg":"token-1 of oUserOpenId with 9hAb/NEYUlkaMBEsmFgzig== rid: token-1"}`)
	_, resetErr := k.Reset(t.Context(), c1)
	app := answering(t, `{"errcode":40029,"errmsg":"invalid code 0a3XYZ of MARKED-SECRET"}`)
	_, loginErr := app.Code2Session(t.Context(), "0a3XYZ")
	for _, err := range []error{k.Check(t.Context(), c1), resetErr, loginErr} {
		text := fmt.Sprint(err)
		for _, secret := range []string{"token-1", "oUserOpenId", "9hAb", "0a3XYZ", marked} {
			if strings.Contains(text, secret) || !strings.Contains(text, "[redacted]") {
				t.Errorf("%s: %s", secret, text)
			}
		}
	}
}

func TestARedirectCarriesNothingToAnotherServer(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var stolen atomic.Int32
		thief := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			stolen.Add(1)
			io.WriteString(w, `{"errcode":0,"access_token":"t1","expires_in":7200,"openid":"o1","session_key":"k1"}`)
		})
		app := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.TrimSuffix(thief.BaseURL, "/")+r.URL.String(), status)
		})
		_, err := app.StableToken(t.Context(), false)
		_, err2 := app.Code2Session(t.Context(), "code")
		if !errors.Is(err, ErrNoAnswer) || !errors.Is(err2, ErrNoAnswer) || stolen.Load() != 0 {
			t.Errorf("%d: %v, %v, %d requests went elsewhere", status, err, err2, stolen.Load())
		}
	}
}

// hanging is a WeChat that never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestAStuckFetchHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := NewTokens(&App{ID: "wx1", Secret: marked, HTTP: &http.Client{Transport: hanging{}}}, nil, nil)
		patient, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		go tokens.AccessToken(patient)
		synctest.Wait()
		if _, err := tokens.AccessToken(t.Context()); !errors.Is(err, ErrNoAnswer) || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestOfManyProcessesOneForces(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	var plain sync.WaitGroup // all eight have their plain answer before one of them goes on
	plain.Add(8)
	app.HTTP.Transport = slow{app.HTTP.Transport, &plain}
	cache := &memoryCache{}
	if _, err := cache.SaveToken(t.Context(), CachedToken{Value: "token-0", Expires: w.now.Add(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		tokens := NewTokens(app, cache, w.clock)
		group.Go(func() {
			for { // the losers come again
				got, err := tokens.RefreshAccessToken(t.Context(), "token-0")
				if err == nil && got == "token-1" {
					return
				}
				if !errors.Is(err, ErrBusy) {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	group.Wait()
	saved, err := cache.LoadToken(t.Context())
	if err != nil || saved.Value != "token-1" || saved.ForcedToday != 1 || w.forced != 1 || w.plain != 8 {
		t.Errorf("%d forced, %d plain, counted %d, the cache holds token-1: %t, %v",
			w.forced, w.plain, saved.ForcedToday, saved.Value == "token-1", err)
	}
}

// slow lets plain answers arrive together.
type slow struct {
	http.RoundTripper
	together *sync.WaitGroup
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	res, err := s.RoundTripper.RoundTrip(r)
	if !strings.Contains(string(body), "force_refresh") {
		s.together.Done()
		s.together.Wait()
	}
	return res, err
}

// overtaken is a cache into which another process saves what it forced, right after the first look.
type overtaken struct {
	memoryCache
	looks  int
	winner CachedToken
}

func (o *overtaken) LoadToken(ctx context.Context) (CachedToken, error) {
	t, err := o.memoryCache.LoadToken(ctx)
	if o.looks++; o.looks == 1 {
		o.winner.Version = t.Version
		o.SaveToken(ctx, o.winner)
	}
	return t, err
}

func TestTheRejectedTokenIsNotSavedOverTheNewOne(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	winner := CachedToken{Value: "token-1", Expires: w.now.Add(2 * time.Hour), ForcedAt: w.now, ForcedToday: 1, Day: "2026-08-01"}
	cache := &overtaken{winner: winner}
	got, err := NewTokens(app, cache, w.clock).RefreshAccessToken(t.Context(), "token-0") // which a plain call still gives
	saved, _ := cache.LoadToken(t.Context())
	if err != nil || got != "token-1" || saved.Value != "token-1" || w.forced != 0 {
		t.Errorf("%q, %v, forced %d, the cache has token-1: %t", got, err, w.forced, saved.Value == "token-1")
	}
	cache = &overtaken{winner: winner}
	if got := access(t, NewTokens(app, cache, w.clock)); got != "token-0" && got != "token-1" {
		t.Error(got)
	}
	if saved, _ := cache.LoadToken(t.Context()); saved.Value != "token-1" {
		t.Error("a first token was saved over the one that another process had forced")
	}
}

func TestAFetchThatFailedIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer string
		want   error
		pause  time.Duration
	}{
		"no answer":    {`<html>`, ErrNoAnswer, 3 * time.Second},
		"a wrong key":  {`{"errcode":40125,"errmsg":"invalid appsecret"}`, ErrConfig, 3 * time.Second},
		"minute quota": {`{"errcode":45011,"errmsg":"too often"}`, ErrBusy, time.Minute},
		"daily quota":  {`{"errcode":45009,"errmsg":"reach max api daily quota limit"}`, ErrBusy, 14 * time.Hour}, // it is 10:00 in China
	} {
		var asked atomic.Int32
		app := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			io.WriteString(w, row.answer)
		})
		now := start
		tokens := NewTokens(app, &memoryCache{}, func() time.Time { return now })
		ask := func(times int32) {
			t.Helper()
			if _, err := tokens.AccessToken(t.Context()); !errors.Is(err, row.want) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := tokens.RefreshAccessToken(t.Context(), "token-0"); !errors.Is(err, row.want) || asked.Load() != times {
				t.Errorf("%s: %v after %d requests, want %d", name, err, asked.Load(), times)
			}
		}
		ask(1)
		now = now.Add(row.pause - time.Nanosecond)
		ask(1)
		now = now.Add(time.Nanosecond)
		ask(2)
	}
}

func TestARejectedTokenThatStaysIsNotAskedForAgainAtOnce(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	w.stuck = true
	tokens := NewTokens(app, nil, w.clock)
	for range 100 {
		if _, err := tokens.RefreshAccessToken(t.Context(), "token-0"); !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
	}
	if w.plain != 1 || w.forced != 1 {
		t.Errorf("asked %d times, forced %d", w.plain, w.forced)
	}
}

func TestACallerWhoLeavesSpoilsNothingForTheNext(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	tokens := NewTokens(app, nil, w.clock)
	gone, cancel := context.WithCancel(t.Context())
	app.HTTP.Transport = leaving{app.HTTP.Transport, cancel}
	if _, err := tokens.AccessToken(gone); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := access(t, tokens); got != "token-0" {
		t.Error(got)
	}
}

// leaving ends the caller's context while the request is under way.
type leaving struct {
	http.RoundTripper
	cancel func()
}

func (l leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	l.cancel()
	return l.RoundTripper.RoundTrip(r)
}

func TestCallsBeyondTheLimitsOfAMinuteAndADayAreNotSent(t *testing.T) {
	t.Parallel()
	w, app := newWechat(t)
	w.down = true
	for name, use := range map[string]struct {
		minute, day quota
		passes      time.Duration
	}{
		"a minute": {used(start, time.Minute, 9_999), quota{}, 65 * time.Second},
		"a day":    {quota{}, used(start, 24*time.Hour, 499_999), 26 * time.Hour},
	} {
		now := w.now
		tokens := NewTokens(app, nil, func() time.Time { return now })
		tokens.minute, tokens.day = use.minute, use.day
		for i, want := range []error{ErrNoAnswer, ErrBusy, ErrBusy} {
			if _, err := tokens.AccessToken(t.Context()); !errors.Is(err, want) {
				t.Errorf("%s, call %d: %v", name, i, err)
			}
			now = now.Add(3 * time.Second)
		}
		now = w.now.Add(use.passes)
		if _, err := tokens.AccessToken(t.Context()); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("%s later: %v", name, err)
		}
	}
}

// FuzzAnswer reads any bytes as the answer of each API: it never panics, and what counts as success says so.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"errcode":0,"errmsg":"ok"}`, `{"errcode":0,"openid":"oUserOpenId","session_key":"bmV3"}`,
		`{"access_token":"t","expires_in":7200}`, `{"errcode":40029,"errmsg":"invalid code rid: 1-2"}`,
		`{"errcode":"0"}`, `{"errcode":null}`, `null`, `[]`, ``, `{"expires_in":1e3}`,
		`{"errcode":87009,"errmsg":"token-1 oUserOpenId MARKED-SECRET"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		app := &App{ID: "wx1", Secret: marked, HTTP: &http.Client{Transport: says(body)}}
		tokens := NewTokens(app, nil, nil)
		tokens.held = &CachedToken{Value: "token-1", Expires: time.Now().Add(time.Hour)}
		keys := &SessionKeys{App: app, Tokens: tokens}
		s, loginErr := app.Code2Session(t.Context(), "code")
		token, tokenErr := app.StableToken(t.Context(), false)
		checkErr := keys.Check(t.Context(), c1)
		reset, resetErr := keys.Reset(t.Context(), c1)
		var answer map[string]any
		taken := checkErr == nil || loginErr == nil || tokenErr == nil || resetErr == nil
		if err := json.Unmarshal([]byte(body), &answer); taken && (err != nil || answer == nil) {
			t.Errorf("%q is taken for an answer", body)
		}
		if loginErr == nil && s.SessionKey == "" || tokenErr == nil && (token.Value == "" || token.ExpiresIn <= 0) {
			t.Errorf("%q is taken for success", body)
		}
		if resetErr == nil && reset.SessionKey == "" || resetErr != nil && reset != c1 {
			t.Errorf("%q is taken for a reset", body)
		}
		for _, err := range []error{loginErr, tokenErr, checkErr, resetErr} {
			if err != nil && strings.Contains(err.Error(), marked) {
				t.Errorf("%v holds the secret", err)
			}
		}
	})
}

// says answers every request with the same bytes, without a network.
type says string

func (s says) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(s)))}, nil
}
