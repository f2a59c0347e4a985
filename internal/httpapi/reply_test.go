package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

func api(log *bytes.Buffer) *API {
	return &API{
		Now: func() time.Time { return time.Unix(1772330400, 0) },
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// ask serves one request by a handler of the test's own.
func ask(t *testing.T, serve func(*API, call) (reply, error)) (*httptest.ResponseRecorder, string) {
	t.Helper()
	var log bytes.Buffer
	rec := httptest.NewRecorder()
	api(&log).Handler(Route{"POST", "/x", AuthNone, "", serve}).ServeHTTP(rec, httptest.NewRequest("POST", "/x", strings.NewReader("{}")))
	return rec, log.String()
}

func TestEveryWordOfTheVocabularyHasItsHTTPStatus(t *testing.T) {
	t.Parallel()
	want := map[problem.Code]int{
		"invalid": 400, "unauthorized": 401, "not_found": 404, "conflict": 409, "price_changed": 409, "rejected": 422,
		"limited": 429, "unavailable": 503, "internal": 500,
	}
	for _, code := range problem.Codes() {
		if want[code] == 0 {
			t.Errorf("%s is not in this test's table", code)
		}
		rec, _ := ask(t, func(*API, call) (reply, error) { return reply{}, fmt.Errorf("x: %w", problem.New(code, "because")) })
		var body struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if rec.Code != want[code] || body.Error.Code != string(code) {
			t.Errorf("%s answers %d %s, want %d", code, rec.Code, rec.Body, want[code])
		}
		if later := rec.Header().Get("Retry-After"); (later != "") != (code == "limited" || code == "unavailable") {
			t.Errorf("%s has Retry-After %q", code, later)
		}
		if shown := body.Error.Message == "because"; shown == (code == "internal") {
			t.Errorf("%s says %q", code, body.Error.Message)
		}
	}
	if len(statuses) != len(problem.Codes()) {
		t.Errorf("%d statuses for %d codes", len(statuses), len(problem.Codes()))
	}
}

func TestAnErrorThatNobodyNamedAndAPanicSayNothing(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*API, call) (reply, error){
		"an error":         func(*API, call) (reply, error) { return reply{}, errors.New("dial hunter2") },
		"a hidden problem": func(*API, call) (reply, error) { return reply{}, problem.Hide(problem.Internal, io.EOF, "hunter2") },
		"a panic":          func(*API, call) (reply, error) { panic("hunter2") },
		"a nil pointer":    func(_ *API, c call) (reply, error) { return reply{raw: []byte((*call)(nil).openID)}, nil },
	} {
		rec, log := ask(t, serve)
		if rec.Code != 500 || strings.Contains(rec.Body.String(), "hunter2") || strings.Contains(rec.Body.String(), "goroutine") || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s answers %d %s", name, rec.Code, rec.Body)
		}
		if !strings.Contains(log, "request failed") || !strings.Contains(log, "level=ERROR") {
			t.Errorf("%s is not logged: %s", name, log)
		}
	}
}

func TestACutConnectionIsNotAnswered(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			t.Errorf("net/http is told %v", p)
		}
	}()
	ask(t, func(*API, call) (reply, error) { panic(http.ErrAbortHandler) })
	t.Error("it was answered")
}

func TestAReplyHasItsLengthAndMayNotBeKept(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]reply{
		"JSON":    {status: 201, body: map[string]string{"signData": `<a>&"道"`}},
		"raw":     {status: 200, raw: []byte("success"), contentType: plainText},
		"empty":   {status: 200, raw: []byte{}},
		"nothing": {status: 204},
	} {
		rec := httptest.NewRecorder()
		r.write(rec)
		h := rec.Header()
		if rec.Code != r.status || h.Get("Content-Length") != fmt.Sprint(rec.Body.Len()) || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", name, rec.Code, h)
		}
		if name == "JSON" && rec.Body.String() != `{"signData":"<a>&\"道\""}` {
			t.Errorf("signData is changed: %s", rec.Body)
		}
	}
}

func TestEveryRouteHasAnAuthThatIsKnownAndIsThereOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Routes() {
		name := r.Method + " " + r.Path
		if seen[name] {
			t.Errorf("%s stands twice", name)
		}
		seen[name] = true
		want := AuthNone
		switch {
		case strings.HasPrefix(r.Path, "/merchant/"):
			want = AuthMerchant
		case strings.HasPrefix(r.Path, "/wechat/"):
			want = AuthWeChat
		case strings.HasPrefix(r.Path, "/orders"):
			want = AuthUser
		}
		if r.Auth != want {
			t.Errorf("%s is open to %s, want %s", name, r.Auth, want)
		}
	}
}

func TestARouteWithAnUnknownAuthIsClosed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := api(&log).Handler(Route{"POST", "/x", Auth("typo"), "", func(*API, call) (reply, error) { t.Error("served"); return reply{}, nil }})
	rec := httptest.NewRecorder()
	if h.ServeHTTP(rec, httptest.NewRequest("POST", "/x", nil)); rec.Code != 500 {
		t.Errorf("answered %d", rec.Code)
	}
}

func TestMerchantRoutesAreClosedWhenNobodySaysWhoMay(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := api(&log).Handler(Route{"GET", "/x", AuthMerchant, "", func(*API, call) (reply, error) { t.Error("served"); return reply{}, nil }})
	rec := httptest.NewRecorder()
	if h.ServeHTTP(rec, httptest.NewRequest("GET", "/x", nil)); rec.Code != 401 {
		t.Errorf("answered %d", rec.Code)
	}
}

func TestALambdaMountsOnlyItsOwnRoutes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	i := slices.IndexFunc(Routes(), func(r Route) bool { return r.Path == "/products" })
	h := api(&log).Handler(Routes()[i])
	for path, want := range map[string]int{"/orders": 404, "/merchant/held": 404, "/wechat/push": 404} {
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil)); rec.Code != want {
			t.Errorf("%s answers %d", path, rec.Code)
		}
	}
}

func TestTheTokenIsReadFromTwoPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ authorization, own, want string }{
		{"Bearer abc", "", "abc"},
		{"bearer abc", "", "abc"},
		{"Bearer abc", "own", "own"},
		{"AWS4-HMAC-SHA256 x", "own", "own"},
		{"Basic abc", "", ""},
		{"Bearer ", "", ""},
		{"Bearer", "", ""},
		{"", "", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", c.authorization)
		r.Header.Set("X-Xpay-Token", c.own)
		if got := bearer(r); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.authorization, c.own, got, c.want)
		}
	}
}

// broken is a body that ends in the middle.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestABodyThatBreaksOffIsInvalid(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := api(&log).Handler(Route{"POST", "/x", AuthNone, "", func(_ *API, c call) (reply, error) {
		var in struct{}
		return reply{status: 200}, c.decode(&in, true)
	}})
	rec := httptest.NewRecorder()
	if h.ServeHTTP(rec, httptest.NewRequest("POST", "/x", broken{})); rec.Code != 400 {
		t.Errorf("answered %d %s", rec.Code, rec.Body)
	}
}
