package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// AccessTokens keeps the mini-program's access token, sealed, for all processes. Who loses a race has changed nothing and reads
// what the winner saved, so it needs no lease (spec 8.4).
type AccessTokens struct {
	AppID string
	Store store.Store
	Seal  *Sealer
}

// LoadToken returns the stored token; one without a value when there is none or it cannot be opened.
func (a AccessTokens) LoadToken(ctx context.Context) (miniprogram.CachedToken, error) {
	doc, err := a.Store.Get(ctx, a.id())
	if errors.Is(err, store.ErrNotFound) {
		return miniprogram.CachedToken{}, nil
	}
	if err != nil {
		return miniprogram.CachedToken{}, fmt.Errorf("read the access token: %w", err)
	}
	var sealed Sealed
	var t miniprogram.CachedToken
	if json.Unmarshal(doc.Body, &sealed) == nil {
		if text, err := a.Seal.Open(sealed, a.id()); err != nil || json.Unmarshal([]byte(text), &t) != nil {
			t = miniprogram.CachedToken{}
		}
	}
	t.Version = doc.Version
	return t, nil
}

// SaveToken replaces the token that was loaded, and gives its new version; miniprogram.ErrTokenRace if another one is stored.
func (a AccessTokens) SaveToken(ctx context.Context, t miniprogram.CachedToken) (version int64, err error) {
	text, err := json.Marshal(t)
	if err != nil {
		return 0, fmt.Errorf("encode the access token: %w", err)
	}
	body, err := json.Marshal(a.Seal.Seal(string(text), a.id()))
	if err != nil {
		return 0, fmt.Errorf("encode the access token: %w", err)
	}
	doc := store.Doc{ID: a.id(), Version: t.Version, Created: t.Expires.UTC().Truncate(time.Millisecond), Body: body}
	write := a.Store.Update
	if t.Version == 0 {
		write = a.Store.Create
	}
	stored, err := write(ctx, doc)
	if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) {
		return 0, fmt.Errorf("keep the access token: %w", miniprogram.ErrTokenRace)
	}
	if err != nil {
		return 0, fmt.Errorf("keep the access token: %w", err)
	}
	return stored.Version, nil
}

func (a AccessTokens) id() string { return string(KindAccessToken) + "/" + a.AppID }
