package miniprogram_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// TestASessionKeyLivesUntilItIsResetOrReplaced plays with the simulated WeChat, which reads the documents by itself.
func TestASessionKeyLivesUntilItIsResetOrReplaced(t *testing.T) {
	t.Parallel()
	sim, err := wechatsim.New(wechatsim.Config{
		AppID: "wx1234567890abcdef", AppSecret: "secret", OfferID: "1450000001", AppKeys: map[int]string{0: "key"},
		Push: wechatsim.Push{URL: "http://127.0.0.1:1/push", Token: "token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	app := &miniprogram.App{ID: "wx1234567890abcdef", Secret: "secret", BaseURL: server.URL}
	keys := &miniprogram.SessionKeys{App: app, Tokens: miniprogram.NewTokens(app, nil, nil)}
	login := func() miniprogram.Session {
		s, err := app.Code2Session(t.Context(), sim.Login("oUser1"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := login()
	reset, err := keys.Reset(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	replaced := login()
	for name, c := range map[string]struct {
		session miniprogram.Session
		want    error
	}{
		"reset": {first, miniprogram.ErrSessionKey}, "replaced by a login": {reset, miniprogram.ErrSessionKey}, "the newest": {replaced, nil},
	} {
		if err := keys.Check(t.Context(), c.session); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
