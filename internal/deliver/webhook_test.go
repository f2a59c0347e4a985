package deliver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/deliver"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// The key of the specification's own example, and one more.
const (
	specKey  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherKey = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

var (
	paidAt = time.Date(2026, 3, 1, 10, 0, 0, 500e6, time.FixedZone("CST", 8*3600))
	tryAt  = time.Unix(1772330405, 999e6)
)

// paid is the first event of an order of two gems, of which one went back since.
func paid() order.Delivery {
	return order.Delivery{
		Order: order.Order{
			ID: "o4ddktbswr7gdpiaohrdjhvlqe", Env: xpay.Sandbox, OpenID: "oUser", ProductID: "gem_60", Quantity: 2, Amount: 1200,
			State: order.Delivering, Attach: `room=7&<vip>`,
			Attempts: []order.Attempt{{N: 1, Payments: []order.Payment{{Fee: 1200}}}},
			Refunds:  []order.Refund{{ID: "r1", Attempt: 1, State: order.RefundDone, Fee: 600}},
		},
		Event: order.Outgoing{Seq: 1, Type: "order.paid", Fee: 1200, At: paidAt},
	}
}

func keys(t *testing.T, texts ...string) []deliver.Key {
	t.Helper()
	keys, err := deliver.ParseKeys(texts)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// post delivers to a receiver and returns what came there.
func post(t *testing.T, d order.Delivery, texts ...string) (*http.Request, []byte) {
	t.Helper()
	var got *http.Request
	var body []byte
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	w := deliver.Webhook{URL: receiver.URL + "/hook?shop=1", Keys: keys(t, texts...), Now: func() time.Time { return tryAt }}
	if err := w.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return got, body
}

func TestAnEventSaysWhatHappenedToTheOrder(t *testing.T) {
	t.Parallel()
	r, body := post(t, paid(), specKey)
	const want = `{"type":"order.paid","timestamp":"2026-03-01T02:00:00.5Z","data":{"eventId":"o4ddktbswr7gdpiaohrdjhvlqe.1","orderId":"o4ddktbswr7gdpiaohrdjhvlqe","seq":1,` +
		`"productId":"gem_60","quantity":2,"amount":1200,"fee":1200,"state":"delivering","owned":true,"attach":"room=7&<vip>","openId":"oUser","env":1,` +
		`"paid":1200,"refunded":600,"at":"2026-03-01T02:00:00.5Z"}}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	headers := map[string]string{
		"Content-Type": "application/json", "webhook-id": "o4ddktbswr7gdpiaohrdjhvlqe.1", "webhook-timestamp": "1772330405",
		// openssl dgst -sha256 -mac HMAC over "o4ddktbswr7gdpiaohrdjhvlqe.1.1772330405." and the body above
		"webhook-signature": "v1,l+MSO6b8glrgSaxD6OkTZh20Sag22FjzTYz+jX4uTH0=",
	}
	for name, want := range headers {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.Method != "POST" || r.URL.String() != "/hook?shop=1" || r.Header.Get("Accept-Encoding") == "" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
}

func TestMoneyBeyondWhatPaysIsNeitherPaidNorRefunded(t *testing.T) {
	t.Parallel()
	twice := func(refunds ...order.Refund) order.Order {
		return order.Order{State: order.Delivered, Refunds: refunds, Attempts: []order.Attempt{
			{N: 1, Payments: []order.Payment{{Fee: 1200}, {Fee: 1100, Surplus: true}}}, {N: 2, Payments: []order.Payment{{Fee: 1000, Surplus: true}}},
		}}
	}
	back := func(attempt int, fee order.Fen) order.Refund {
		return order.Refund{Attempt: attempt, State: order.RefundDone, Fee: fee}
	}
	for name, c := range map[string]struct {
		order    order.Order
		refunded order.Fen
		owned    bool
	}{
		"paid three times":                     {twice(), 0, true},
		"the third went back":                  {twice(back(2, 1000)), 0, true},
		"the second went back":                 {twice(back(2, 1000), back(1, 1100)), 0, true},
		"a part of the first went back":        {twice(back(1, 1100), back(1, 1000)), 1000, true},
		"all of the first went back":           {twice(back(1, 2300)), 1200, false},
		"left_fee shows it, nothing proves it": {leftOf1200(0), 0, true},
	} {
		d := deliver.DataOf(order.Delivery{Order: c.order})
		if d.Paid != 1200 || d.Refunded != c.refunded || d.Owned != c.owned {
			t.Errorf("%s: %d of %d fen, owned %t", name, d.Refunded, d.Paid, d.Owned)
		}
	}
}

// leftOf1200 is an order of which WeChat shows less left than anybody can explain.
func leftOf1200(left order.Fen) order.Order {
	return order.Order{State: order.Delivered, Attempts: []order.Attempt{{N: 1, Payments: []order.Payment{{Fee: 1200}}, LeftFee: &left}}}
}

func TestEveryKeySignsNewestFirst(t *testing.T) {
	t.Parallel()
	r, _ := post(t, paid(), otherKey, specKey)
	if got, want := r.Header.Get("webhook-signature"), "v1,7zipSua6gLF9KbqGQVBWK3gxRULNDd6tM6vEz1L1Yx0= v1,l+MSO6b8glrgSaxD6OkTZh20Sag22FjzTYz+jX4uTH0="; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestATryKeepsTheIDAndHasATimeOfItsOwn(t *testing.T) {
	t.Parallel()
	first, _ := post(t, paid(), specKey)
	d := paid()
	d.Order.State, d.Event.Seq, d.Event.Type = order.Delivered, 12, "order.refunded"
	later, body := post(t, d, specKey)
	if first.Header.Get("webhook-id") == later.Header.Get("webhook-id") || later.Header.Get("webhook-id") != "o4ddktbswr7gdpiaohrdjhvlqe.12" {
		t.Errorf("two events are %q and %q", first.Header.Get("webhook-id"), later.Header.Get("webhook-id"))
	}
	var m struct {
		Type      string
		Timestamp time.Time
		Data      struct{ State string }
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Type != "order.refunded" || !m.Timestamp.Equal(paidAt) || m.Data.State != "delivered" {
		t.Errorf("%v, %s", err, body)
	}
}

func TestOnlyA2xxAcceptsAnEvent(t *testing.T) {
	t.Parallel()
	for status, accepted := range map[int]bool{
		200: true, 201: true, 202: true, 204: true, 299: true, 301: false, 302: false, 304: false, 307: false, 308: false,
		400: false, 401: false, 404: false, 408: false, 409: false, 410: false, 429: false, 500: false, 502: false, 503: false, 599: false,
	} {
		calls := 0
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			if status >= 400 {
				io.WriteString(w, "hunter2 is the password of the database")
			}
		}))
		w := deliver.Webhook{URL: receiver.URL + "/token-in-the-path", Keys: keys(t, specKey), Now: time.Now}
		err := w.Deliver(t.Context(), paid())
		receiver.Close()
		if (err == nil) != accepted || calls != 1 {
			t.Errorf("status %d: %v, after %d calls", status, err, calls)
		}
		if err != nil && (!strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "token-in")) {
			t.Errorf("status %d: the error is %v", status, err)
		}
	}
}

// What the receiver writes may hold the token of its URL: none of it comes into an error, nor the URL.
func TestNothingThatTheReceiverWritesIsInAnError(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"HTTP/1.1 302 Found\r\nLocation: https://%zz/?token=hunter2\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: ://hunter2\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 hunter2\r\n\r\n",
		"HTTP/1.1 500 hunter2\r\nContent-Length: 7\r\n\r\nhunter2",
		"HTTP/1.1 200 OK\r\nhunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: hunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: hunter2\r\n\r\n",
		"hunter2\r\n\r\n", "",
	} {
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				io.WriteString(conn, answer)
				conn.Close()
			}
		}))
		for _, scheme := range []string{"http", "https"} {
			w := deliver.Webhook{URL: scheme + strings.TrimPrefix(receiver.URL, "http") + "/?token=hunter2", Keys: keys(t, specKey), Now: time.Now}
			if err := w.Deliver(t.Context(), paid()); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, answered %q: %v", scheme, answer, err)
			}
		}
		receiver.Close()
	}
}

// wire answers in the process.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func TestAReceiverHasTenSecondsOrWhatIsLeft(t *testing.T) {
	t.Parallel()
	hangs := wire(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
	synctest.Test(t, func(t *testing.T) {
		for _, left := range []time.Duration{time.Minute, 3 * time.Second} {
			w := deliver.Webhook{URL: "https://shop.example/token", Keys: keys(t, specKey), Transport: hangs, Now: time.Now}
			ctx, cancel := context.WithTimeout(t.Context(), left)
			start := time.Now()
			err := w.Deliver(ctx, paid())
			cancel()
			if took := time.Since(start); took != min(left, 10*time.Second) || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "token") {
				t.Errorf("with %s left it took %s: %v", left, took, err)
			}
		}
	})
}

func TestAReceiverThatHangsIsGivenASecondForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := wire(func(r *http.Request) (*http.Response, error) {
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(11 * time.Second):
				return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
			}
		})
		w := deliver.Webhook{URL: "https://shop.example", Keys: keys(t, specKey), Transport: slow, Now: time.Now}
		for _, c := range []struct{ wait, took time.Duration }{
			{0, 10 * time.Second}, {0, time.Second}, {30 * time.Second, time.Second}, {30 * time.Second, 10 * time.Second}, {0, time.Second},
		} {
			time.Sleep(c.wait)
			start := time.Now()
			if err := w.Deliver(t.Context(), paid()); err == nil || time.Since(start) != c.took {
				t.Errorf("after %s more it took %s, want %s: %v", c.wait, time.Since(start), c.took, err)
			}
		}
		w.Transport = wire(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Body: http.NoBody, Request: r}, nil
		})
		_ = w.Deliver(t.Context(), paid()) // an answer is no silence
		time.Sleep(2 * time.Minute)
		_ = w.Deliver(t.Context(), paid())
		w.Transport = slow
		start := time.Now()
		if _ = w.Deliver(t.Context(), paid()); time.Since(start) != 10*time.Second {
			t.Errorf("after a refusal it took %s", time.Since(start))
		}
	})
}

// endless is a body without an end.
type endless struct{ read *int }

func (e endless) Read(p []byte) (int, error) { *e.read += len(p); return len(p), nil }
func (e endless) Close() error               { return nil }

func TestAnAnswerWithoutAnEndIsLeft(t *testing.T) {
	t.Parallel()
	read := 0
	talks := wire(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: endless{&read}, Request: r}, nil
	})
	w := deliver.Webhook{URL: "https://shop.example", Keys: keys(t, specKey), Transport: talks, Now: time.Now}
	if err := w.Deliver(t.Context(), paid()); err != nil || read > 100<<10 {
		t.Errorf("%v, read %d bytes", err, read)
	}
}

func TestWithoutAKeyNothingIsSent(t *testing.T) {
	t.Parallel()
	w := deliver.Webhook{URL: "https://shop.example", Now: time.Now, Transport: wire(func(*http.Request) (*http.Response, error) {
		t.Error("it is sent")
		return nil, errors.New("x")
	})}
	if err := w.Deliver(t.Context(), paid()); err == nil {
		t.Error("it is accepted")
	}
}

func TestAURLMustBeHTTPSOrLoopback(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://shop.example/hook": true, "https://shop.example:8443/hook?a=b": true, "http://localhost:3000/": true,
		"http://127.0.0.1:3000": true, "http://[::1]:3000/x": true, "http://127.9.9.9/": true,
		"http://shop.example/hook": false, "http://10.0.0.1/": false, "http://localhost.evil.example/": false, "http://127.0.0.1.evil.example": false,
		"": false, "shop.example": false, "ftp://shop.example": false, "https://": false, "https:///hook": false,
		"https://user:hunter2@shop.example/": false, "://": false,
	} {
		err := deliver.CheckURL(url)
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAKeyHas24To64Bytes(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		specKey: true, otherKey: true,
		"whsec_" + strings.Repeat("A", 32):          true,  // 24 bytes
		"whsec_" + strings.Repeat("A", 84) + "AA==": true,  // 64 bytes
		"whsec_" + strings.Repeat("A", 28) + "AAA=": false, // 23 bytes
		"whsec_" + strings.Repeat("A", 84) + "AAA=": false, // 65 bytes
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":          false,
		"whsec_":                                    false,
		"":                                          false,
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa--":    false, // base64 for URLs
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS":     false, // a character is missing
		"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":     false,
	} {
		_, err := deliver.ParseKey(text)
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	k := keys(t, specKey)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k[0], "keys", k)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb, k[0], deliver.Webhook{Keys: k})
	}
	if text := log.String(); strings.Contains(text, "MfKQ") || strings.Contains(strings.ToLower(text), "31f290f6") || strings.Contains(text, "49 242") {
		t.Errorf("it prints %s", text)
	}
}
