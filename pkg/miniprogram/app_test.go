package miniprogram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const marked = "MARKED-SECRET"

// serve gives an App whose WeChat answers with handler.
func serve(t *testing.T, handler http.HandlerFunc) *App {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &App{ID: "wx1", Secret: marked, HTTP: server.Client(), BaseURL: server.URL + "/"}
}

func answering(t *testing.T, body string) *App {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
}

func TestCode2SessionSendsTheDocumentedRequest(t *testing.T) {
	t.Parallel()
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		want := url.Values{"appid": {"wx1"}, "secret": {marked}, "js_code": {"c+o/de"}, "grant_type": {"authorization_code"}}
		if r.Method != http.MethodGet || r.URL.Path != "/sns/jscode2session" || r.URL.Query().Encode() != want.Encode() {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		io.WriteString(w, `{"openid":"o1","session_key":"a2V5","unionid":"u1"}`)
	})
	got, err := app.Code2Session(t.Context(), "c+o/de")
	if err != nil || got != (Session{OpenID: "o1", SessionKey: "a2V5", UnionID: "u1"}) {
		t.Fatalf("%q %v", got.OpenID, err)
	}
}

func TestLoginErrorsHaveTheirSentinels(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{
		40163: ErrCodeUsed, 40029: ErrCodeInvalid, 40226: ErrBlocked, 45011: ErrBusy, -1: ErrBusy,
		40013: ErrConfig, 40125: ErrConfig, 40164: ErrConfig, 40243: ErrConfig, 41002: ErrConfig,
	} {
		app := answering(t, fmt.Sprintf(`{"errcode":%d,"errmsg":"why %s, rid: 1-2-3"}`, code, marked))
		_, err := app.Code2Session(t.Context(), "code")
		var e *Error
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Code != code || e.RID != "1-2-3" || e.API != "code2Session" {
			t.Errorf("%d: %v", code, err)
		}
		for _, other := range []error{ErrCodeUsed, ErrCodeInvalid, ErrBlocked, ErrBusy, ErrConfig, ErrNoAnswer} {
			if other != want && errors.Is(err, other) {
				t.Errorf("%d is %v too", code, other)
			}
		}
		if strings.Contains(err.Error(), marked) {
			t.Errorf("%v holds the secret", err)
		}
	}
	if _, err := answering(t, `{"errcode":99999}`).Code2Session(t.Context(), "code"); err == nil || errors.Is(err, ErrNoAnswer) {
		t.Errorf("unknown code: %v", err)
	}
}

func TestARidIsAWordOfItsOwn(t *testing.T) {
	t.Parallel()
	for errmsg, want := range map[string][2]string{
		"invalid code, rid: 6a-1-2": {"invalid code,", "6a-1-2"}, "grid: unknown": {"grid: unknown", ""}, "rid:1": {"", "1"},
	} {
		if e := newError("code2Session", -1, errmsg); e.Message != want[0] || e.RID != want[1] {
			t.Errorf("%s: %q, %q", errmsg, e.Message, e.RID)
		}
	}
}

func TestEveryCallHasADeadline(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		http *http.Client
		want time.Duration
	}{
		"no HTTP":                {nil, 5 * time.Second},
		"HTTP without a timeout": {&http.Client{}, 5 * time.Second},
		"HTTP has a timeout":     {&http.Client{Timeout: time.Second}, time.Second},
	} {
		a := App{HTTP: row.http}
		if got := a.httpClient().Timeout; got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

func TestImpossibleCodesAreNotSent(t *testing.T) {
	t.Parallel()
	app := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	for _, code := range []string{"", "a b", "a\n", "码", strings.Repeat("x", 513)} {
		if _, err := app.Code2Session(t.Context(), code); !errors.Is(err, ErrCodeInvalid) {
			t.Errorf("%q: %v", code, err)
		}
	}
	app.Secret = ""
	if _, err := app.Code2Session(t.Context(), "code"); !errors.Is(err, ErrConfig) {
		t.Errorf("empty AppSecret: %v", err)
	}
}

func TestNoAnswerIsToldApartAndHidesTheAddress(t *testing.T) {
	t.Parallel()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	slow, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"connection refused": func() error {
			_, err := (&App{ID: "wx1", Secret: marked, BaseURL: dead.URL}).Code2Session(t.Context(), marked)
			return err
		},
		"cancelled": func() error { _, err := answering(t, "{}").Code2Session(slow, marked); return err },
		"HTTP 502": func() error {
			_, err := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }).StableToken(t.Context(), false)
			return err
		},
		"redirect": func() error {
			_, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/other?secret="+marked, http.StatusFound)
			}).Code2Session(t.Context(), marked)
			return err
		},
		"broken redirect": func() error {
			_, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://[secret="+marked)
				w.WriteHeader(http.StatusFound)
			}).Code2Session(t.Context(), marked)
			return err
		},
		"HTML":           func() error { _, err := answering(t, "<html>").Code2Session(t.Context(), marked); return err },
		"empty body":     func() error { _, err := answering(t, "").Code2Session(t.Context(), marked); return err },
		"no session key": func() error { _, err := answering(t, `{"openid":"o"}`).Code2Session(t.Context(), marked); return err },
		"huge body": func() error {
			_, err := answering(t, strings.Repeat(" ", answerBytesMax+1)).Code2Session(t.Context(), marked)
			return err
		},
		"no expiry": func() error {
			_, err := answering(t, `{"access_token":"MARKED-SECRET"}`).StableToken(t.Context(), false)
			return err
		},
	} {
		err := call()
		if !errors.Is(err, ErrNoAnswer) || strings.Contains(err.Error(), marked) || strings.Contains(err.Error(), "js_code") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "cancelled" && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStableTokenSendsTheDocumentedRequest(t *testing.T) {
	t.Parallel()
	var bodies []string
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		if r.Method != http.MethodPost || r.URL.String() != "/cgi-bin/stable_token" || r.ContentLength != int64(len(body)) ||
			r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %d %v", r.Method, r.URL, r.ContentLength, r.Header)
		}
		io.WriteString(w, `{"access_token":"t1","expires_in":7200}`)
	})
	app.Now = func() time.Time { return time.Unix(1785600000, 0) }
	token, err := app.StableToken(t.Context(), false)
	if err != nil || token.Value != "t1" || !token.Expires.Equal(time.Unix(1785607200, 0)) || token.ExpiresIn != 2*time.Hour {
		t.Fatalf("%v %v", token.Expires, err)
	}
	if _, err := app.StableToken(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	want := `{"grant_type":"client_credential","appid":"wx1","secret":"MARKED-SECRET"}`
	forced := strings.TrimSuffix(want, "}") + `,"force_refresh":true}`
	if bodies[0] != want || bodies[1] != forced {
		t.Fatal(bodies)
	}
}

func TestSecretsPrintRedacted(t *testing.T) {
	t.Parallel()
	push := newPush(t, PushConfig{AppID: "wx1", Tokens: []string{marked}, AESKeys: []string{testKey}})
	tokens := NewTokens(&App{}, nil, nil)
	tokens.held.Value = marked
	for _, v := range []any{
		Secret(marked), App{Secret: marked}, &App{Secret: marked}, Session{"MARKED-SECRET", marked, marked},
		Token{Value: marked}, CachedToken{Value: marked}, tokens, *push, push,
		PushConfig{Tokens: []string{marked}, AESKeys: []string{marked}}, Forgery{Token: marked, AESKey: marked},
		Message{Body: []byte(marked), OpenID: marked},
		struct{ S Session }{Session{SessionKey: marked}}, struct{ p *Push }{push}, struct{ t *Tokens }{tokens},
	} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&log, format, v)
		}
		if strings.Contains(log.String(), marked) && !isData(v) || strings.Contains(log.String(), testKey) {
			t.Errorf("%T: %s", v, log.String())
		}
	}
	if b, err := json.Marshal(CachedToken{Value: marked}); err != nil || !strings.Contains(string(b), marked) {
		t.Errorf("a cache can not keep %s, %v", b, err)
	}
}

// isData tells values that marshal to JSON on purpose.
func isData(v any) bool {
	_, message := v.(Message)
	return message
}
