package bridge_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

// FuzzHTTPEvent: whatever arrives, there is a reply or an error, never both, never a panic.
func FuzzHTTPEvent(f *testing.F) {
	names, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name.Name(), ".json") {
			f.Add(file(f, name.Name()))
		}
	}
	f.Add(event(f, object{"body": "/w==", "isBase64Encoded": true, "cookies": []string{"a"}, "rawPath": "%"}))
	quiet := slog.New(slog.DiscardHandler)
	echo := bridge.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.Path)
		if _, err := io.Copy(w, r.Body); err != nil {
			panic(err)
		}
	}), quiet)
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := echo.Invoke(t.Context(), raw)
		var r reply
		if err == nil && (json.Unmarshal(out, &r) != nil || r.StatusCode != 200 && r.StatusCode != 400) || err != nil && out != nil {
			t.Errorf("%s %v", out, err)
		}
		for _, other := range []bridge.Function{anyQueue(quiet), anySchedule(quiet)} {
			if out, err := other.Invoke(t.Context(), raw); err == nil && !json.Valid(out) || err != nil && out != nil {
				t.Errorf("%s %v", out, err)
			}
		}
	})
}

// FuzzRoundTrip: a request that came through an event equals the one that net/http parses from the wire, and the bytes
// of the reply are those that the handler wrote. Left out is what API Gateway changes or does not pass on.
func FuzzRoundTrip(f *testing.F) {
	f.Add("POST", "/orders/a b/λ%2F", "a=1&a=%2F+&b", "x-xpay-token", "first,second", []byte(`{"a":1}`), 200)
	f.Add("GET", "//evil.example.com/x", "", "if-match", `"1"`, []byte{}, 404)
	f.Add("PUT", "/?#%zz", "?&=#", "content-type", "image/png", []byte{0xff, 0, '<'}, 599)
	f.Fuzz(func(t *testing.T, method, path, query, name, value string, body []byte, status int) {
		want := onTheWire(t, method, path, query, name, value, body)
		raw := event(t, object{
			"rawPath": path, "rawQueryString": query, "requestContext": within(method, "192.0.2.7", "$default", nil),
			"headers":         object{"host": "api.example.com", "content-length": strconv.Itoa(len(body)), name: value},
			"body":            base64.StdEncoding.EncodeToString(body),
			"isBase64Encoded": true,
		})
		status = 200 + max(status, -status, 0)%400
		var got *http.Request
		out, _ := answered(t, raw, func(w http.ResponseWriter, r *http.Request) {
			got = r
			w.Header().Set("Content-Type", "application/octet-stream")
			w.WriteHeader(status)
			if _, err := io.Copy(w, r.Body); err != nil && err != http.ErrBodyNotAllowed {
				t.Error(err)
			}
		})
		if diff := cmp.Diff(parts(want), parts(got)); diff != "" {
			t.Error(diff)
		}
		if method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified {
			body = nil
		}
		if out.StatusCode != status || !bytes.Equal(out.bytes(t), body) {
			t.Errorf("status %d, want %d; body %q, want %q", out.StatusCode, status, out.bytes(t), body)
		}
	})
}

// parts is what the two requests must have in common.
func parts(r *http.Request) []any {
	return []any{r.Method, r.URL.Path, r.URL.EscapedPath(), r.URL.RawQuery, r.URL.Host, r.RequestURI, r.Host, r.Header, r.ContentLength,
		r.Proto, r.ProtoMajor, r.ProtoMinor}
}

// onTheWire parses the request with net/http, and skips what no client could send or API Gateway would not pass on as it is.
func onTheWire(t *testing.T, method, path, query, name, value string, body []byte) *http.Request {
	t.Helper()
	switch http.CanonicalHeaderKey(name) {
	case "", "Host", "Cookie", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Pragma":
		t.Skip()
	}
	for _, s := range []string{path, query, name, value} {
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
			t.Skip()
		}
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(query, " #") || value != strings.Trim(value, " \t") || strings.Contains(name, ":") {
		t.Skip()
	}
	target := (&url.URL{Path: path}).EscapedPath()
	if query != "" {
		target += "?" + query
	}
	wire := method + " " + target + " HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" +
		name + ": " + value + "\r\n\r\n" + string(body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil || r.Method != method {
		t.Skip()
	}
	return r
}

// BenchmarkHTTP is one small POST with the headers that a phone sends.
func BenchmarkHTTP(b *testing.B) {
	raw := event(b, object{
		"rawPath": "/orders", "body": `{"productId":"gems_60","quantity":1}`,
		"headers": object{
			"accept": "*/*", "accept-encoding": "gzip, deflate, br", "content-length": "36", "content-type": "application/json",
			"host": "id.execute-api.us-east-1.amazonaws.com", "idempotency-key": "0d3f6b3e-0b7e-4d0e-9d7b-2f0f5f6c7a11",
			"referer": "https://servicewechat.com/wx0000000000000000/1/page-frame.html", "user-agent": "MicroMessenger/8.0.50",
			"x-amzn-trace-id": "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c", "x-forwarded-for": "192.0.2.7", "x-forwarded-port": "443",
			"x-forwarded-proto": "https", "x-xpay-token": "c2VjcmV0LXRva2VuLW9mLWEtdXNlcg",
		},
		"requestContext": within("POST", "192.0.2.7", "$default", object{
			"accountId": "123456789012", "apiId": "id", "domainPrefix": "id", "requestId": "LV7fzho-PHcEJPw=", "routeKey": "POST /orders",
			"time": "21/Apr/2020:15:08:21 +0000", "timeEpoch": 1587481701067,
		}),
	})
	h := bridge.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Error(err)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
	}), slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Invoke(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}
