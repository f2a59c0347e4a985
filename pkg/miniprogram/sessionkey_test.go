package miniprogram

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The session of vector C1: its key signs the empty text.
var c1 = Session{OpenID: "oUserOpenId", SessionKey: "9hAb/NEYUlkaMBEsmFgzig=="}

const c1Signature = "1f7605aea24c0785899e51bc4c483167a20ea7b0f5f36cfd398e89cb21c91e9c"

// keys answers each request after the token's with the next text, and keeps what was asked.
func keys(t *testing.T, answers ...string) (*SessionKeys, *[]url.URL) {
	t.Helper()
	var asked []url.URL
	tokens := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/stable_token" {
			tokens++
			fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":7200}`, tokens)
			return
		}
		asked = append(asked, *r.URL)
		fmt.Fprint(w, answers[min(len(asked), len(answers))-1])
	}))
	t.Cleanup(server.Close)
	app := &App{ID: "wx1", Secret: "hunter2", BaseURL: server.URL}
	return &SessionKeys{App: app, Tokens: NewTokens(app, nil, nil)}, &asked
}

func TestASessionKeyIsCheckedByItsSignatureOfNothing(t *testing.T) {
	t.Parallel()
	k, asked := keys(t, `{"errcode":0,"errmsg":"ok"}`)
	if err := k.Check(t.Context(), c1); err != nil {
		t.Fatal(err)
	}
	u := (*asked)[0]
	want := "access_token=token-1&openid=oUserOpenId&sig_method=hmac_sha256&signature=" + c1Signature
	if u.Path != "/wxa/checksession" || u.RawQuery != want {
		t.Errorf("asked %s?%s", u.Path, u.RawQuery)
	}
}

func TestAKeyThatWasReplacedIsToldFromOtherErrors(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{
		`{"errcode":87009,"errmsg":"invalid signature"}`: ErrSessionKey,
		`{"errcode":45011,"errmsg":"too often"}`:         ErrBusy,
		`{"errcode":87008,"errmsg":"sig_method"}`:        ErrConfig,
		`<html>`: ErrNoAnswer,
	} {
		k, _ := keys(t, answer)
		if err := k.Check(t.Context(), c1); !errors.Is(err, want) || strings.Contains(err.Error(), "9hAb") || strings.Contains(err.Error(), "oUser") {
			t.Errorf("%s: %v", answer, err)
		}
	}
	k, asked := keys(t, `{"errcode":0}`)
	for _, s := range []Session{{}, {OpenID: "o"}, {SessionKey: "k"}} {
		if err := k.Check(t.Context(), s); !errors.Is(err, ErrSessionKey) || len(*asked) != 0 {
			t.Errorf("%v, asked %d times", err, len(*asked))
		}
	}
}

func TestARejectedAccessTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40001, 40014, 42001} {
		k, asked := keys(t, fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code), `{"errcode":0}`)
		if err := k.Check(t.Context(), c1); err != nil || len(*asked) != 2 || (*asked)[1].Query().Get("access_token") != "token-2" {
			t.Errorf("%d: %v after %d requests", code, err, len(*asked))
		}
	}
}

func TestAResetReturnsTheNewKey(t *testing.T) {
	t.Parallel()
	k, asked := keys(t, `{"errcode":0,"errmsg":"ok","openid":"oUserOpenId","session_key":"bmV3"}`)
	got, err := k.Reset(t.Context(), c1)
	if err != nil || got.SessionKey != "bmV3" || got.OpenID != c1.OpenID || (*asked)[0].Path != "/wxa/resetusersessionkey" {
		t.Errorf("%v, %v", got.SessionKey == "bmV3", err)
	}
	for _, answer := range []string{`{"errcode":0,"openid":"oOther","session_key":"bmV3"}`, `{"errcode":0,"openid":"oUserOpenId"}`} {
		k, _ := keys(t, answer)
		if got, err := k.Reset(t.Context(), c1); !errors.Is(err, ErrNoAnswer) || got != c1 {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
