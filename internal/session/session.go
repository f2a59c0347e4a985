// Package session knows who is calling. A phone logs in with the code of wx.login and gets an opaque token; behind
// it stand two documents: the token's (under the token's hash, with openid and expiry) and the user's, with the
// newest session_key, sealed. WeChat keeps one valid key per user: a later login replaces it (spec 8.1).
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// Kinds of the documents this package stores.
const (
	KindToken       store.Kind = "token"
	KindUser        store.Kind = "user"
	KindAccessToken store.Kind = "accesstoken"
)

const (
	TokenFor      = 7 * 24 * time.Hour // a token is good for this long
	freshFor      = 5 * time.Minute    // a spent code is no error while the stored key is younger: the code's own life
	tokenBytes    = 32
	tokenCharsMax = 64
	codeCharsMax  = 256
	writesMax     = 4 // races with another login of the same user
)

// Service logs users in and finds them again.
type Service struct {
	Store store.Store
	App   *miniprogram.App
	Seal  *Sealer
	Now   func() time.Time
}

// Token is what the phone sends with every call.
type Token struct {
	Value     string
	ExpiresAt time.Time
}

// User is a logged-in user with the newest session_key that we have.
type User struct {
	OpenID     string
	SessionKey string    // "" when there is none, or it cannot be opened: log in again
	GotAt      time.Time // when WeChat gave us the key
	doc        store.Doc
	sealed     error // ErrNotNow, when the key cannot be opened just now
}

type tokenBody struct {
	V      int    `json:"v"`
	OpenID string `json:"openId"`
}

type userBody struct {
	V     int       `json:"v"`
	Key   Sealed    `json:"key"`
	GotAt time.Time `json:"gotAt"`
}

// Login exchanges a code for a token. Problems: Invalid (no code), Unauthorized (code wrong, spent or expired),
// Rejected (WeChat blocks the user), Unavailable.
func (s *Service) Login(ctx context.Context, code string) (Token, error) {
	got, err := s.exchange(ctx, code)
	if err != nil {
		return Token{}, err
	}
	u, err := s.user(ctx, got.OpenID, s.Store.Peek) // the write finds out whether that was the newest
	if err != nil {
		return Token{}, err
	}
	if _, err := s.keepKey(ctx, u, got.SessionKey); err != nil {
		return Token{}, err
	}
	return s.newToken(ctx, got.OpenID)
}

func (s *Service) newToken(ctx context.Context, openID string) (Token, error) {
	raw := make([]byte, tokenBytes)
	rand.Read(raw)
	now := s.Now().UTC().Truncate(time.Second)
	t := Token{Value: base64.RawURLEncoding.EncodeToString(raw), ExpiresAt: now.Add(TokenFor)}
	body, _ := json.Marshal(tokenBody{V: 1, OpenID: openID}) // a string always marshals
	_, err := s.Store.Create(ctx, store.Doc{ID: tokenID(t.Value), Created: now, Expires: t.ExpiresAt, Body: body})
	if err != nil {
		return Token{}, storeProblem("keep the token", err)
	}
	return t, nil
}

// Authenticate returns the openid behind a token: one read. A token never changes, so a read that lags finds it as well; what it
// does not find may have just been created. Problems: Unauthorized, Unavailable.
func (s *Service) Authenticate(ctx context.Context, token string) (string, error) {
	unknown := problem.New(problem.Unauthorized, "the token is missing, wrong or expired: log in again")
	if token == "" || len(token) > tokenCharsMax {
		return "", unknown
	}
	doc, err := s.Store.Peek(ctx, tokenID(token))
	if errors.Is(err, store.ErrNotFound) {
		doc, err = s.Store.Get(ctx, tokenID(token))
	}
	if errors.Is(err, store.ErrNotFound) {
		return "", unknown
	}
	if err != nil {
		return "", storeProblem("read the token", err)
	}
	var b tokenBody
	if json.Unmarshal(doc.Body, &b) != nil || b.OpenID == "" || !s.Now().Before(doc.Expires) {
		return "", unknown
	}
	return b.OpenID, nil
}

// User reads what we know of a user: one read. A user who never logged in is no problem, only without a key. Problems:
// Unavailable; with ErrNotNow there is a key that cannot be opened just now, and Renew goes on from the user returned.
func (s *Service) User(ctx context.Context, openID string) (User, error) {
	u, err := s.user(ctx, openID, s.Store.Get)
	if err == nil && u.sealed != nil {
		err = problem.Hide(problem.Unavailable, u.sealed, "your login cannot be read just now, repeat the same request")
	}
	return u, err
}

func (s *Service) user(ctx context.Context, openID string, read func(context.Context, string) (store.Doc, error)) (User, error) {
	u := User{OpenID: openID}
	doc, err := read(ctx, userID(openID))
	if errors.Is(err, store.ErrNotFound) {
		return u, nil
	}
	if err != nil {
		return u, storeProblem("read the user", err)
	}
	u.doc = doc
	u.read(s.Seal)
	return u, nil
}

// read opens the stored key. One that can never be opened again counts as none: the user logs in again.
func (u *User) read(seal *Sealer) {
	var b userBody
	if json.Unmarshal(u.doc.Body, &b) != nil {
		return
	}
	key, err := seal.Open(b.Key, u.OpenID)
	switch {
	case err == nil:
		u.SessionKey, u.GotAt, u.sealed = key, b.GotAt, nil
	case errors.Is(err, ErrNotNow):
		u.sealed = err
	}
}

// Renew takes the session_key behind a fresh code of the same user. A spent code is no error while the stored key is
// younger than 5 minutes: the request is a repeat. Problems: as Login, and Unauthorized for another user's code.
func (s *Service) Renew(ctx context.Context, u User, code string) (User, error) {
	got, err := s.exchange(ctx, code)
	switch {
	case errors.Is(err, miniprogram.ErrCodeUsed) && u.SessionKey != "" && s.Now().Sub(u.GotAt) < freshFor:
		return u, nil
	case err != nil:
		return u, err
	case got.OpenID != u.OpenID:
		return u, problem.New(problem.Unauthorized, "the code belongs to another user than the token: log in again")
	}
	return s.keepKey(ctx, u, got.SessionKey)
}

// keepKey stores a key that WeChat just gave us. When another login was faster, the later key stays.
func (s *Service) keepKey(ctx context.Context, u User, key string) (User, error) {
	gotAt := s.Now().UTC().Truncate(time.Millisecond)
	body, _ := json.Marshal(userBody{V: 1, Key: s.Seal.Seal(key, u.OpenID), GotAt: gotAt}) // always marshals
	for range writesMax {
		doc, err := s.writeUser(ctx, u.doc, store.Doc{ID: userID(u.OpenID), Created: gotAt, Body: body})
		u.doc = doc
		switch {
		case err == nil:
			u.SessionKey, u.GotAt = key, gotAt
			return u, nil
		case !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrExists):
			return u, storeProblem("keep the session", err)
		}
		if u.read(s.Seal); u.GotAt.After(gotAt) {
			return u, nil
		}
	}
	return u, problem.New(problem.Unavailable, "this user logs in from many places at once, try again")
}

func (s *Service) writeUser(ctx context.Context, old, doc store.Doc) (store.Doc, error) {
	if old.Version == 0 {
		return s.Store.Create(ctx, doc)
	}
	doc.Version, doc.Created = old.Version, old.Created
	return s.Store.Update(ctx, doc)
}

// exchange asks WeChat who is behind a code.
func (s *Service) exchange(ctx context.Context, code string) (miniprogram.Session, error) {
	if code == "" || len(code) > codeCharsMax {
		return miniprogram.Session{}, problem.New(problem.Invalid, "code is missing: send the code of wx.login")
	}
	got, err := s.App.Code2Session(ctx, code)
	switch {
	case err == nil:
		return got, nil
	case errors.Is(err, miniprogram.ErrCodeUsed):
		return got, problem.Hide(problem.Unauthorized, err, "the code was used already: call wx.login again")
	case errors.Is(err, miniprogram.ErrCodeInvalid):
		return got, problem.Hide(problem.Unauthorized, err, "the code is wrong or older than 5 minutes: call wx.login again")
	case errors.Is(err, miniprogram.ErrBlocked):
		return got, problem.Hide(problem.Rejected, err, "WeChat does not let this user log in")
	default:
		return got, problem.Hide(problem.Unavailable, err, "WeChat cannot check the login now, try again")
	}
}

func tokenID(token string) string { return string(KindToken) + "/" + hash(token) }

// userID hides the openid: ids appear in logs.
func userID(openID string) string { return string(KindUser) + "/" + hash("openid:"+openID) }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func storeProblem(what string, err error) error {
	return problem.Hide(problem.Unavailable, fmt.Errorf("%s: %w", what, err), "the store does not answer, repeat the same request")
}
