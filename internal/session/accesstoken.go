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

// AccessTokens keeps the mini-program's access token, sealed, for all processes. WeChat gives everybody the same
// stable token, so a lost race costs nothing and needs no lease (spec 8.4).
type AccessTokens struct {
	AppID string
	Store store.Store
	Seal  *Sealer
}

// LoadToken returns the stored token; the zero token when there is none or it cannot be opened.
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
	if json.Unmarshal(doc.Body, &sealed) != nil {
		return t, nil
	}
	text, err := a.Seal.Open(sealed, a.id())
	if err != nil || json.Unmarshal([]byte(text), &t) != nil {
		return miniprogram.CachedToken{}, nil
	}
	return t, nil
}

// SaveToken replaces the stored token. Losing a race is no error: the winner's token is as good.
func (a AccessTokens) SaveToken(ctx context.Context, t miniprogram.CachedToken) error {
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode the access token: %w", err)
	}
	body, err := json.Marshal(a.Seal.Seal(string(text), a.id()))
	if err != nil {
		return fmt.Errorf("encode the access token: %w", err)
	}
	doc := store.Doc{ID: a.id(), Created: t.Expires.UTC().Truncate(time.Millisecond), Body: body}
	old, err := a.Store.Create(ctx, doc)
	if errors.Is(err, store.ErrExists) {
		doc.Version, doc.Created = old.Version, old.Created
		_, err = a.Store.Update(ctx, doc)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("keep the access token: %w", err)
	}
	return nil
}

func (a AccessTokens) id() string { return string(KindAccessToken) + "/" + a.AppID }
