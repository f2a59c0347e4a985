package localenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/worker"
)

var start = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

func TestAVirtualClockStandsStillUntilItIsMovedAndNeverGoesBack(t *testing.T) {
	t.Parallel()
	c := Virtual(start)
	c.Advance(time.Second)
	c.Advance(-time.Hour)
	c.Advance(0)
	if got := c.Now(); !got.Equal(start.Add(time.Second)) || got.Location() != time.UTC {
		t.Errorf("it is %s", got)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { c.Advance(time.Second) })
	}
	all.Wait()
	if got := c.Now(); !got.Equal(start.Add(51 * time.Second)) {
		t.Errorf("it is %s", got)
	}
}

func TestWhatIsLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9": true, "[::1]:80": true, "::1": true, "[::1]": true, "localhost": true, "localhost:8080": true,
		"[::ffff:127.0.0.1]:1": true, "": false, ":80": false, "0.0.0.0:1": false, "[::]:1": false, "192.168.1.1:1": false, "127.0.0.1.evil.example": false,
		"localhost.evil.example:80": false, "evil.example": false, "127.1": false, "2130706433": false,
	} {
		if got := isLoopback(addr); got != want {
			t.Errorf("%q: %t, want %t", addr, got, want)
		}
	}
}

func TestTheTokenIsComparedWhole(t *testing.T) {
	t.Parallel()
	allow := AllowToken("printed")
	for header, good := range map[string]bool{"Bearer printed": true, "Bearer printe": false, "Bearer printedx": false, "Bearer ": false, "": false, "printed": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		if err := allow(r); (err == nil) != good || err != nil && (!errors.Is(err, problem.Unauthorized) || strings.Contains(err.Error(), "printede")) {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestInprocCallsTheHandlerOfTheHost(t *testing.T) {
	t.Parallel()
	net := Inproc{"a.local": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Host+" "+r.RequestURI+" "+r.RemoteAddr)
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, strings.ToUpper(string(body)))
	})}
	client := &http.Client{Transport: net}
	resp, err := client.Post("http://a.local/x?y=%2F", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 418 || string(body) != "HELLO" || resp.ContentLength != 5 || resp.Header.Get("X-Seen") != "a.local /x?y=%2F 127.0.0.1:1" {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	if _, err := client.Get("http://b.local/"); err == nil {
		t.Error("somebody listens at b.local")
	}
}

func TestInprocIsCutAsANetworkIs(t *testing.T) {
	t.Parallel()
	net := Inproc{
		"cut.local":  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "half"); panic(http.ErrAbortHandler) }),
		"late.local": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
	}
	get := func(ctx context.Context, url string) error {
		req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		_, err := net.RoundTrip(req)
		return err
	}
	if err := get(t.Context(), "http://cut.local/"); err == nil {
		t.Error("half an answer came")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := get(ctx, "http://late.local/"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("late: %v", err)
	}
	if err := get(ctx, "http://cut.local/"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAMessageIsReceivedThreeTimesAndThenDropped(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	q, seen := newQueue(log), map[string]int{}
	q.worker = &worker.Worker{Log: log, Now: time.Now, Kinds: map[store.Kind]worker.Advance{"order": func(_ context.Context, id string) error {
		if seen[id]++; id == "order/bad" {
			return errors.New("no")
		}
		return nil
	}}}
	for i := range 23 {
		if err := q.Send(t.Context(), []string{fmt.Sprintf("order/%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Send(t.Context(), []string{"order/bad"}); err != nil {
		t.Fatal(err)
	}
	for q.Drain(t.Context()) > 0 {
	}
	for id, n := range seen {
		if want := map[bool]int{true: 3, false: 1}[id == "order/bad"]; n != want {
			t.Errorf("%s was received %d times", id, n)
		}
	}
	if len(seen) != 24 {
		t.Errorf("%d messages arrived", len(seen))
	}
}

func TestAFullQueueSaysSoAndDoesNotBlock(t *testing.T) {
	t.Parallel()
	q := newQueue(slog.New(slog.DiscardHandler))
	for range queueMax {
		if err := q.Send(t.Context(), []string{"order/1"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Send(t.Context(), []string{"order/1"}); err == nil {
		t.Error("it takes one more")
	}
}

func open(t *testing.T, dir string) error {
	t.Helper()
	s, err := Open(t.Context(), Options{Data: dir, Clock: Virtual(start), Synchronous: "NORMAL"})
	if err == nil {
		err = s.Close()
	}
	return err
}

func TestAFolderIsMadeOnceAndItsSecretsAreNobodyElses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{configFile: 0o600, journalFile: 0o600, "": 0o700} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, configFile)); string(after) != string(before) {
		t.Error("the secrets are others after a restart")
	}
	if err := open(t, filepath.Join(t.TempDir(), "other")); err != nil {
		t.Fatal(err)
	}
}

// without removes one field of a group of a JSON file.
func without(path, group, field string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	delete(all[group].(map[string]any), field)
	if raw, err = json.Marshal(all); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

func TestAFolderThatCannotBeUsedIsOneSentence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  []string
	}{
		"secrets that others can read": {func(dir string) error { return os.Chmod(filepath.Join(dir, configFile), 0o644) }, []string{"chmod 600", configFile}},
		"a config that is no JSON": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, configFile), []byte(`{"appId":"hunter2`), 0o600)
		}, []string{configFile, "not the expected JSON"}},
		"a misspelt field": {func(dir string) error {
			return edit(filepath.Join(dir, configFile), "aesKeys", "aesKeyz")
		}, []string{configFile, "unknown field", "aesKeyz"}},
		"a config without AES keys for WeChat's secure mode": {func(dir string) error {
			return without(filepath.Join(dir, configFile), "push", "aesKeys")
		}, []string{"AESKey"}},
		"goods that cannot be read": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, goodsFile), []byte("products: 5"), 0o600)
		}, []string{"goods.yaml"}},
		"a damaged journal": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, journalFile), []byte("x\ny\nz\n"), 0o600)
		}, []string{journalFile, "delete it"}},
		"a file for the folder": {func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) }, []string{"cannot be used"}},
		"a database that is none": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ordersFile), []byte(strings.Repeat("no database", 500)), 0o600)
		}, []string{ordersFile}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			if err := open(t, dir); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			err := open(t, dir)
			if err == nil {
				t.Fatal("it opens")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q quotes the file", err)
			}
		})
	}
}

func edit(path, from, to string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), from, to)), 0o600)
}

func TestAFolderIsUsedByOneAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Data: dir, Clock: Virtual(start), Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir); err == nil || !strings.Contains(err.Error(), "in use by another xpay") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir); err != nil {
		t.Errorf("after the first one: %v", err)
	}
}

func TestAJournalThatWasCutOffGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Data: dir, Clock: Virtual(start), Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	code := s.Sim.Login("oAlice")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, journalFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `{"k":"user","n":9,"v":{"openid":"oB`)
	f.Close()
	if s, err = Open(t.Context(), Options{Data: dir, Clock: Virtual(start), Synchronous: "NORMAL"}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rec := httptest.NewRecorder()
	req := httptest.NewRequest("POST", "/login", strings.NewReader(`{"code":"`+code+`"}`))
	req.Header.Set("Content-Type", "application/json")
	if s.Handler.ServeHTTP(rec, req); rec.Code != 200 {
		t.Errorf("the code of before the crash: %d %s", rec.Code, rec.Body)
	}
}

func TestPassSweepsEveryMinuteAndEndsOnTime(t *testing.T) {
	t.Parallel()
	c := &store.Counted{}
	s, err := Open(t.Context(), Options{Data: t.TempDir(), Clock: Virtual(start.Add(30 * time.Second)), Synchronous: "NORMAL", WrapStore: func(s store.Store) store.Store { c.Store = s; return c }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.Take()
	if err := s.Pass(t.Context(), 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := s.Clock.Now(); !got.Equal(start.Add(10*time.Minute + 30*time.Second)) {
		t.Errorf("it is %s", got)
	}
	if got := c.Take().Due; got != 10 {
		t.Errorf("the sweep ran %d times", got)
	}
}

// Whoever signs with the time of day is told that it is another time here.
func TestEveryAnswerTellsTheTimeOfTheStack(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{Data: t.TempDir(), Clock: Virtual(start), Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Clock.Advance(48 * time.Hour)
	rec := httptest.NewRecorder()
	s.Handler.ServeHTTP(rec, httptest.NewRequest("GET", "/wechat/push?timestamp=1&nonce=n&signature=s&echostr=e", nil))
	if at, err := http.ParseTime(rec.Header().Get("Date")); err != nil || !at.Equal(start.Add(48*time.Hour)) {
		t.Errorf("it says %q", rec.Header().Get("Date"))
	}
}
