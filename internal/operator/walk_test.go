package operator

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestALongWalkGoesOnInThePartItStoppedIn: 40 days are two lists of at most 31; the second fails at its second part.
func TestALongWalkGoesOnInThePartItStoppedIn(t *testing.T) {
	t.Parallel()
	var asked []string
	down := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		at := q.Get("from") + " " + q.Get("to") + " " + q.Get("cursor")
		asked = append(asked, at)
		switch {
		case at == "2026-02-01T00:00:00Z 2026-02-10T00:00:00Z next" && down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case q.Get("cursor") == "":
			io.WriteString(w, `{"orders":[],"cursor":"next"}`)
		default:
			io.WriteString(w, `{"orders":[],"cursor":""}`)
		}
	}))
	defer server.Close()
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC) }
	walk := &Walk{Client: &Client{BaseURL: server.URL, HTTP: server.Client()}, From: day(1, 1), To: day(2, 10)}
	if err := walk.Run(t.Context()); !Later(err) || !walk.From.Equal(day(2, 1)) || walk.Cursor != "next" {
		t.Fatalf("%v: it stopped at %s, %q", err, walk.From, walk.Cursor)
	}
	down, asked = false, nil
	again := &Walk{Client: walk.Client, From: walk.From, To: walk.To, Cursor: walk.Cursor}
	if err := again.Run(t.Context()); err != nil || fmt.Sprint(asked) != "[2026-02-01T00:00:00Z 2026-02-10T00:00:00Z next]" {
		t.Errorf("%v: it asked for %q", err, asked)
	}
}
