package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

const (
	timeout        = 10 * time.Second // for one try, its answer included
	timeoutSilent  = time.Second      // for one try while the receiver is silent
	silence        = time.Minute      // how long it counts as silent after a try of full length without an answer
	answerBytesMax = 64 << 10         // read so that the connection can be used again, and thrown away
)

// Webhook posts events to one URL.
type Webhook struct {
	URL       string
	Keys      []Key             // each signs, so that the receiver may hold any of them while they rotate
	Transport http.RoundTripper // nil: http.DefaultTransport
	Now       func() time.Time

	silentUntil atomic.Int64 // Unix nanoseconds
}

// CheckURL refuses what the events must not be sent to: they name users and money, so anything but a loopback host is
// reached by https only.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is not an https URL")
	case u.User != nil:
		return errors.New("holds a user name or password: the receiver knows us by the signature")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("must begin with https, except on a loopback host")
	default:
		return nil
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// message is the body: type, timestamp and data as the specification recommends.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // of the event, not of the try
	Data      Data      `json:"data"`
}

// Deliver posts one event and reports whether the receiver accepted it: with any status of 200 to 299, within 10 seconds. In the
// minute after a try that got no answer in 10 seconds it has one second: a receiver that hangs must not take the time of the
// orders that want something of WeChat. Redirects are not followed, and neither the answer's headers nor its body are read for anything. The error names the status or
// the network's reason, never the URL nor anything that the receiver wrote. After an error the receiver may have the event all
// the same.
func (w *Webhook) Deliver(ctx context.Context, d order.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, w.patience())
	defer cancel()
	defer w.measure(w.Now())
	req, err := w.request(ctx, d)
	if err != nil {
		return err
	}
	resp, err := w.transport().RoundTrip(req)
	if err != nil {
		return fmt.Errorf("the delivery target does not answer: %w", reason(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerBytesMax) // the status has said it all
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the delivery target answers with status %d, any 2xx would accept the event", resp.StatusCode)
	}
	return nil
}

// patience is how long a try may take.
func (w *Webhook) patience() time.Duration {
	if w.Now().UnixNano() < w.silentUntil.Load() {
		return timeoutSilent
	}
	return timeout
}

// measure remembers a try that took ten seconds. Short ones do not count: else a slow receiver would stay silent for ever.
func (w *Webhook) measure(start time.Time) {
	if now := w.Now(); now.Sub(start) >= timeout {
		w.silentUntil.Store(now.Add(silence).UnixNano())
	}
}

// request makes the signed request of one try.
func (w *Webhook) request(ctx context.Context, d order.Delivery) (*http.Request, error) {
	if len(w.Keys) == 0 {
		return nil, errors.New("the webhook has no key to sign with")
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(message{d.Event.Type, d.Event.At.UTC(), DataOf(d)}); err != nil {
		return nil, fmt.Errorf("encode event %d of order %s: %w", d.Event.Seq, d.Order.ID, err)
	}
	raw := bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("the webhook's URL cannot be used")
	}
	id, now := d.Event.ID(d.Order.ID), w.Now().Unix()
	var signatures []string
	for _, k := range w.Keys {
		signatures = append(signatures, k.sign(id, now, raw))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "xpay-serverless")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now, 10))
	req.Header.Set("webhook-signature", strings.Join(signatures, " "))
	return req, nil
}

// transport makes one exchange. An http.Client would read the answer's Location even where it follows none.
func (w *Webhook) transport() http.RoundTripper {
	if w.Transport == nil {
		return http.DefaultTransport
	}
	return w.Transport
}

// reason is what the network says. Where an answer is not HTTP, its error quotes it: a token may be part of that.
func reason(err error) error {
	var network net.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &network), errors.As(err, &certificate):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, http.ErrSchemeMismatch):
		return err
	default:
		return errors.New("the connection broke, or the answer is not HTTP")
	}
}
