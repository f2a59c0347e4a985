package operator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAnAnswerThatIsNoneSaysWhetherToRepeat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		says   string
		later  bool
	}{
		"a problem of the API":           {404, `{"error":{"code":"not_found","message":"there is no such order"}}`, "there is no such order", false},
		"unavailable":                    {503, `{"error":{"code":"unavailable","message":"WeChat does not answer"}}`, "WeChat does not answer", true},
		"too many":                       {429, `{"message":"Too Many Requests"}`, "429: Too Many Requests", true},
		"a gateway without a function":   {500, `{"message":"Internal Server Error"}`, "500", true},
		"a gateway that refuses":         {403, `{"message":"Forbidden"}`, "execute-api:Invoke", false},
		"a page":                         {404, `<html>not here</html>`, "404: Not Found", false},
		"a page that is well":            {200, `<html>welcome</html>`, "is this the address of the API?", false},
		"JSON of another form":           {200, `{"order":[1]}`, "another form", false},
		"nothing, with a status of ours": {502, ``, "502: Bad Gateway", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			}))
			defer server.Close()
			client := &Client{BaseURL: server.URL + "/", HTTP: server.Client()}
			_, err := client.Do(t.Context(), "x", "recheck")
			if err == nil || !strings.Contains(err.Error(), c.says) || Later(err) != c.later {
				t.Errorf("%v, later %t", err, Later(err))
			}
		})
	}
}

func TestACallWithoutAnAnswerSaysWhetherItMayHaveHappened(t *testing.T) {
	t.Parallel()
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	client := &Client{BaseURL: cut.URL, HTTP: cut.Client()}
	if _, err := client.Do(t.Context(), "x", "accept"); !errors.Is(err, ErrNoAnswer) || !Later(err) || !strings.Contains(err.Error(), "not known") {
		t.Errorf("a write that was cut: %v", err)
	}
	if _, err := client.Order(t.Context(), "x"); !errors.Is(err, ErrNoAnswer) || strings.Contains(err.Error(), "not known") {
		t.Errorf("a read that was cut: %v", err)
	}
	client.BaseURL = "http://127.0.0.1:1"
	if _, err := client.Do(t.Context(), "x", "accept"); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestWhatAPersonTypesStaysWithinItsPlaceOfThePath(t *testing.T) {
	t.Parallel()
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.RequestURI
		io.WriteString(w, `{"order":{"id":"x"},"orders":[],"dismissed":1}`)
	}))
	defer server.Close()
	client := &Client{BaseURL: server.URL, HTTP: server.Client()}
	if _, err := client.Do(t.Context(), "../held?x=1#y", "accept"); err != nil || path != "/merchant/orders/..%2Fheld%3Fx=1%23y/accept" {
		t.Errorf("%v, %s", err, path)
	}
	if _, err := client.Dismiss(t.Context(), "a/b c"); err != nil || path != "/merchant/held/a%2Fb%20c/dismiss" {
		t.Errorf("%v, %s", err, path)
	}
	from := time.Date(2026, 3, 1, 10, 0, 0, 0, time.FixedZone("CST", 8*60*60))
	_, err := client.PaidBetween(t.Context(), from, from.Add(time.Hour), Page{Limit: 7, Cursor: "2026-03-01T02.x"})
	if want := "/merchant/paid?cursor=2026-03-01T02.x&from=2026-03-01T02%3A00%3A00Z&limit=7&to=2026-03-01T03%3A00%3A00Z"; err != nil || path != want {
		t.Errorf("%v, %s", err, path)
	}
}

func TestAWalkEndsWhenItsContextDoes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/merchant/paid") {
			io.WriteString(w, `{"orders":[{"id":"a","paidAt":"2026-03-01T02:00:00Z"}],"cursor":"next"}`)
			return
		}
		io.WriteString(w, `{"order":{"id":"a","state":"delivered"}}`)
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	w := &Walk{Client: &Client{BaseURL: server.URL, HTTP: server.Client()}, Every: time.Millisecond}
	w.From, w.To = time.Unix(0, 0), time.Unix(3600, 0)
	w.Tell = func(Step) {
		if w.Checked == 3 {
			stop()
		}
	}
	if err := w.Run(ctx); !errors.Is(err, context.Canceled) || w.Checked != 3 || w.Cursor != "next" {
		t.Errorf("%v after %d, at %q", err, w.Checked, w.Cursor)
	}
}
