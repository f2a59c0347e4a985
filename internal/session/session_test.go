package session

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// wechat answers code2Session: the code says what.
type wechat map[string]string

func (w wechat) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, ok := w[req.URL.Query().Get("js_code")]
	if !ok {
		return nil, errors.New("no route to host")
	}
	rec := httptest.NewRecorder()
	rec.WriteString(answer)
	return rec.Result(), nil
}

const alice, bob = "oAlice", "oBob"

func key(c byte) []byte { return []byte(strings.Repeat(string(c), SealKeyBytes)) }

func sealer(t *testing.T, keys ...[]byte) *Sealer {
	t.Helper()
	s, err := NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// service is a service on a new store, with a clock that the test moves.
func service(t *testing.T, w wechat) (*Service, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{Synchronous: "NORMAL", Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	app := &miniprogram.App{ID: "wx1", Secret: "s", HTTP: &http.Client{Transport: w}, BaseURL: "http://wechat.local"}
	return &Service{Store: db, App: app, Seal: sealer(t, key('a')), Now: clock}, &now
}

func session(openID, sessionKey string) string {
	raw, _ := json.Marshal(map[string]string{"openid": openID, "session_key": sessionKey})
	return string(raw)
}

func TestASealedKeyOpensUnderItsOwnNameOnly(t *testing.T) {
	t.Parallel()
	s := sealer(t, key('a'))
	box := s.Seal("the session key", alice)
	if got, err := s.Open(box, alice); err != nil || got != "the session key" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.Open(box, bob); err == nil {
		t.Errorf("it opens for another user: %q", got)
	}
	if strings.Contains(string(box.Box), "session") {
		t.Error("it lies open")
	}
	if again := s.Seal("the session key", alice); string(again.Box) == string(box.Box) {
		t.Error("the same text seals to the same bytes: the nonce repeats")
	}
}

func TestAnAlteredBoxDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := sealer(t, key('a'))
	box := s.Seal("the session key", alice)
	for i := range box.Box {
		bad := Sealed{KeyID: box.KeyID, Box: append([]byte{}, box.Box...)}
		bad.Box[i] ^= 1
		if _, err := s.Open(bad, alice); err == nil {
			t.Fatalf("it opens with byte %d altered", i)
		}
	}
	for _, n := range []int{0, 1, 11, 12, len(box.Box) - 1} {
		if _, err := s.Open(Sealed{KeyID: box.KeyID, Box: box.Box[:n]}, alice); err == nil {
			t.Errorf("it opens with %d bytes", n)
		}
	}
}

func TestASealingKeyIsRotatedByPuttingANewOneInFront(t *testing.T) {
	t.Parallel()
	old, both, fresh := sealer(t, key('a')), sealer(t, key('b'), key('a')), sealer(t, key('b'))
	before := old.Seal("x", alice)
	if got, err := both.Open(before, alice); err != nil || got != "x" {
		t.Errorf("what the old key sealed: %q, %v", got, err)
	}
	after := both.Seal("y", alice)
	if got, err := fresh.Open(after, alice); err != nil || got != "y" {
		t.Errorf("the new key does not seal: %q, %v", got, err)
	}
	if _, err := fresh.Open(before, alice); err == nil {
		t.Error("the old key is gone and its box opens")
	}
}

func TestABoxOfANewerKeyOpensWithTodaysKeys(t *testing.T) {
	t.Parallel()
	old, today := sealer(t, key('a')), sealer(t, key('b'), key('a'))
	newer, older := today.Seal("x", alice), sealer(t, key('0')).Seal("y", alice)
	asked := 0
	old.Renew = func(string) (*Sealer, error) { asked++; return today, nil }
	if got, err := old.Open(newer, alice); err != nil || got != "x" || asked != 1 {
		t.Errorf("a newer key: %q, %v, asked %d times", got, err, asked)
	}
	if got, err := old.Open(older, alice); err == nil || errors.Is(err, ErrNotNow) || got != "" || asked != 2 {
		t.Errorf("a key that is gone: %q, %v, asked %d times", got, err, asked)
	}
	if _, err := old.Open(newer, "oBob"); err == nil {
		t.Error("the box of somebody else opens")
	}
	for _, held := range []*Sealer{nil, old} {
		old.Renew = func(string) (*Sealer, error) { return held, errors.New("the store of secrets is down") }
		if _, err := old.Open(newer, alice); !errors.Is(err, ErrNotNow) {
			t.Errorf("nobody can say whether there is such a key: %v", err)
		}
	}
	old.Renew = func(string) (*Sealer, error) { return today, errors.New("the store of secrets is down") }
	if got, err := old.Open(newer, alice); err != nil || got != "x" {
		t.Errorf("the key was found all the same: %q, %v", got, err)
	}
	asked = 0
	old.Renew = func(string) (*Sealer, error) { asked++; return today, nil }
	if _, err := old.Open(old.Seal("z", alice), alice); err != nil || asked != 0 {
		t.Errorf("a box of ours: %v, asked %d times", err, asked)
	}
}

func TestSealingKeysThatAreMissingOrShortAreRefused(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{nil, {nil}, {{}}, {key('a')[:31]}, {key('a'), append(key('b'), 'b')}} {
		if _, err := NewSealer(keys...); err == nil {
			t.Errorf("%d keys are taken", len(keys))
		} else if strings.Contains(err.Error(), "aaaa") || strings.Contains(err.Error(), "bbbb") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestALoginGivesATokenAndKeepsTheKeySealed(t *testing.T) {
	t.Parallel()
	s, now := service(t, wechat{"c1": session(alice, "key-one")})
	token, err := s.Login(t.Context(), "c1")
	if err != nil || len(token.Value) < 40 || !token.ExpiresAt.Equal(now.Add(7*24*time.Hour)) {
		t.Fatalf("%+v, %v", token, err)
	}
	if openID, err := s.Authenticate(t.Context(), token.Value); err != nil || openID != alice {
		t.Errorf("%q, %v", openID, err)
	}
	u, err := s.User(t.Context(), alice)
	if err != nil || u.SessionKey != "key-one" || !u.GotAt.Equal(*now) {
		t.Errorf("%+v, %v", u, err)
	}
	if strings.Contains(string(u.doc.Body), "key-one") || strings.Contains(u.doc.ID, alice) {
		t.Errorf("the document shows what it hides: %s %s", u.doc.ID, u.doc.Body)
	}
	*now = token.ExpiresAt
	if _, err := s.Authenticate(t.Context(), token.Value); !errors.Is(err, problem.Unauthorized) {
		t.Errorf("at its end: %v", err)
	}
}

func TestABoxThatIsCorruptedOrWhoseKeyIsGoneMeansLogInAgain(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Service, *store.Doc){
		"corrupted": func(_ *Service, d *store.Doc) {
			d.Body = []byte(strings.Replace(string(d.Body), `"b":"`, `"b":"AAAA`, 1))
		},
		"no JSON":         func(_ *Service, d *store.Doc) { d.Body = []byte("{") },
		"the key is gone": func(s *Service, _ *store.Doc) { s.Seal, _ = NewSealer([]byte(strings.Repeat("z", SealKeyBytes))) },
		"another user's body": func(s *Service, d *store.Doc) {
			d.Body, _ = json.Marshal(userBody{V: 1, Key: s.Seal.Seal("key-of-bob", bob)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := service(t, wechat{"c1": session(alice, "key-one"), "c2": session(alice, "key-two")})
			token, err := s.Login(t.Context(), "c1")
			if err != nil {
				t.Fatal(err)
			}
			u, _ := s.User(t.Context(), alice)
			spoil(s, &u.doc)
			if _, err := s.Store.Update(t.Context(), u.doc); err != nil {
				t.Fatal(err)
			}
			if u, err = s.User(t.Context(), alice); err != nil || u.SessionKey != "" {
				t.Errorf("%+v, %v: want no key and no error", u, err)
			}
			if _, err := s.Authenticate(t.Context(), token.Value); err != nil {
				t.Errorf("the token itself: %v", err)
			}
			if _, err := s.Login(t.Context(), "c2"); err != nil {
				t.Fatal(err)
			}
			if u, _ = s.User(t.Context(), alice); u.SessionKey != "key-two" {
				t.Errorf("after the login: %+v", u)
			}
		})
	}
}

func TestARenewalTakesTheKeyOfTheSameUserOnly(t *testing.T) {
	t.Parallel()
	s, now := service(t, wechat{
		"c1": session(alice, "key-one"), "c2": session(alice, "key-two"), "bob": session(bob, "key-of-bob"),
		"spent": `{"errcode":40163,"errmsg":"code been used"}`, "wrong": `{"errcode":40029,"errmsg":"invalid code"}`,
		"blocked": `{"errcode":40226,"errmsg":"high risk"}`, "busy": `{"errcode":-1,"errmsg":"system error"}`, "empty": `{}`,
	})
	if _, err := s.Login(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	user := func() User {
		u, err := s.User(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for code, want := range map[string]problem.Code{
		"bob": problem.Unauthorized, "wrong": problem.Unauthorized, "blocked": problem.Rejected, "busy": problem.Unavailable,
		"unreachable": problem.Unavailable, "empty": problem.Unavailable, "": problem.Invalid, strings.Repeat("c", 257): problem.Invalid,
	} {
		if _, err := s.Renew(t.Context(), user(), code); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %s", code, err, want)
		}
		if got := user().SessionKey; got != "key-one" {
			t.Fatalf("%.20q: the key is %q", code, got)
		}
	}
	*now = now.Add(5*time.Minute - time.Millisecond)
	if u, err := s.Renew(t.Context(), user(), "spent"); err != nil || u.SessionKey != "key-one" {
		t.Errorf("spent, key young: %+v, %v", u, err)
	}
	*now = now.Add(time.Millisecond)
	if _, err := s.Renew(t.Context(), user(), "spent"); !errors.Is(err, problem.Unauthorized) {
		t.Errorf("spent, key old: %v", err)
	}
	if u, err := s.Renew(t.Context(), user(), "c2"); err != nil || u.SessionKey != "key-two" || user().SessionKey != "key-two" {
		t.Errorf("fresh: %+v, %v", u, err)
	}
	if _, err := s.Renew(t.Context(), User{OpenID: bob}, "spent"); !errors.Is(err, problem.Unauthorized) {
		t.Errorf("spent, no key: %v", err)
	}
}

func TestOfTwoLoginsTheLaterKeyStays(t *testing.T) {
	t.Parallel()
	s, now := service(t, wechat{"c1": session(alice, "key-one"), "c2": session(alice, "key-two")})
	before, _ := s.User(t.Context(), alice)
	later := now.Add(time.Second)
	early := *now
	*now = later
	if _, err := s.Login(t.Context(), "c2"); err != nil {
		t.Fatal(err)
	}
	*now = early // the slower of two processes wakes up with what it read and got before
	if u, err := s.keepKey(t.Context(), before, "key-one"); err != nil || u.SessionKey != "key-two" {
		t.Errorf("%+v, %v", u, err)
	}
	if u, _ := s.User(t.Context(), alice); u.SessionKey != "key-two" {
		t.Errorf("stored: %+v", u)
	}
}

func TestAStoreThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	s, _ := service(t, wechat{"c1": session(alice, "key-one")})
	token, err := s.Login(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	s.Store = &store.Faulty{Store: s.Store, Plan: func(store.Call) store.Fault { return store.Lost }}
	for _, err := range []error{
		second(s.Authenticate(t.Context(), token.Value)), second(s.User(t.Context(), alice)), second(s.Login(t.Context(), "c1")),
	} {
		if !errors.Is(err, problem.Unavailable) || strings.Contains(err.Error(), "injected") {
			t.Errorf("%v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestTheAccessTokenIsSharedSealedAndForgivesWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	s, now := service(t, nil)
	a := AccessTokens{AppID: "wx1", Store: s.Store, Seal: s.Seal}
	ctx := context.Background()
	if got, err := a.LoadToken(ctx); err != nil || got.Value != "" {
		t.Fatalf("none yet: %v", err)
	}
	want := miniprogram.CachedToken{Value: "the-token", Expires: now.Add(2 * time.Hour), ForcedToday: 3, Day: "2026-03-01"}
	var err error
	for version := range int64(2) { // the second save replaces the first
		if want.Version, err = a.SaveToken(ctx, want); err != nil || want.Version != version+1 {
			t.Fatal(want.Version, err)
		}
	}
	for _, stale := range []int64{0, 1, 3} {
		other := miniprogram.CachedToken{Value: "stale", Expires: want.Expires, Version: stale}
		if _, err := a.SaveToken(ctx, other); !errors.Is(err, miniprogram.ErrTokenRace) {
			t.Errorf("a save over version %d: %v", stale, err)
		}
	}
	got, err := a.LoadToken(ctx)
	if err != nil || got.Version != 2 || got.Value != want.Value || !got.Expires.Equal(want.Expires) || got.ForcedToday != 3 || got.Day != want.Day {
		t.Errorf("loaded another token: %v", err)
	}
	doc, err := s.Store.Get(ctx, a.id())
	if err != nil || strings.Contains(string(doc.Body), "the-token") {
		t.Errorf("it lies open: %v", err)
	}
	other := AccessTokens{AppID: "wx1", Store: s.Store, Seal: sealer(t, key('z'))}
	if got, err := other.LoadToken(ctx); err != nil || got != (miniprogram.CachedToken{Version: 2}) {
		t.Errorf("with another key: version %d, %v", got.Version, err)
	}
}

// forgetful is a store that goes on giving what has expired: DynamoDB deletes with a delay of days.
type forgetful struct {
	store.Store
	doc store.Doc
}

func (f *forgetful) Create(_ context.Context, doc store.Doc) (store.Doc, error) {
	f.doc = doc
	return doc, nil
}

func (f *forgetful) Get(context.Context, string) (store.Doc, error)  { return f.doc, nil }
func (f *forgetful) Peek(context.Context, string) (store.Doc, error) { return f.doc, nil }

func TestATokenEndsAlthoughTheStoreStillHasIt(t *testing.T) {
	t.Parallel()
	s, now := service(t, nil)
	s.Store = &forgetful{}
	token, err := s.newToken(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	*now = token.ExpiresAt.Add(-time.Second)
	if got, err := s.Authenticate(t.Context(), token.Value); err != nil || got != alice {
		t.Errorf("before: %q, %v", got, err)
	}
	*now = token.ExpiresAt
	if _, err := s.Authenticate(t.Context(), token.Value); !errors.Is(err, problem.Unauthorized) {
		t.Errorf("after: %v", err)
	}
}

// late is a store whose Peek knows nothing newer than what it was given.
type late struct {
	store.Store
	seen map[string]store.Doc
}

func (l *late) Peek(_ context.Context, id string) (store.Doc, error) {
	if doc, ok := l.seen[id]; ok {
		return doc, nil
	}
	return store.Doc{}, store.ErrNotFound
}

func TestLoginsAndTokensAreRightAlthoughReadsLag(t *testing.T) {
	t.Parallel()
	s, now := service(t, wechat{"1": session(alice, "key-1"), "2": session(alice, "key-2"), "3": session(alice, "key-3")})
	behind := &late{s.Store, map[string]store.Doc{}}
	s.Store = behind
	for _, code := range []string{"1", "2", "3"} {
		*now = now.Add(time.Second)
		token, err := s.Login(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		if openID, err := s.Authenticate(t.Context(), token.Value); err != nil || openID != alice {
			t.Errorf("login %s: a token that was just made is that of %q: %v", code, openID, err)
		}
		if u, err := s.User(t.Context(), alice); err != nil || u.SessionKey != "key-"+code {
			t.Errorf("login %s left the key %q: %v", code, u.SessionKey, err)
		}
		if code == "1" { // which is all that Peek will ever see: the third login meets a version that is gone
			behind.seen[userID(alice)], err = behind.Get(t.Context(), userID(alice))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
