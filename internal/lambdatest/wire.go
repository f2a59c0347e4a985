package lambdatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
)

// wireBytesMax bounds what the Wire holds of one request or response.
const wireBytesMax = 32 << 20

// Wire is an http.Handler that passes requests on to a server, counts them by operation, and breaks them on demand. It
// keeps the Host header, as a signature would want.
type Wire struct {
	target *url.URL
	client http.RoundTripper

	deciding sync.Mutex // held while the hook is called

	mu     sync.Mutex
	total  int
	counts map[string]int
	hook   func(Passing) Fault
}

// Passing is one request on the wire. The ordinals count from 1 since the last Reset.
type Passing struct {
	Operation string // "DynamoDB_20120810.GetItem": the X-Amz-Target; without one, the path
	Body      string
	N         int // among all requests
	NOf       int // among those of the same operation
}

// Fault is what happens to a request. The zero Fault passes it on. The steps come in the order of the fields, and those
// which end the request leave out what follows.
type Fault struct {
	Before    func()    // called first. Who kills the sender here and lets the request pass on has it die after sending
	Refuse    *AWSError // answered instead; the server never hears of the request
	CutBefore bool      // the connection is cut and the request lost
	Hang      bool      // nothing happens until the sender gives up; the request is lost
	After     func()    // called when the server has answered
	CutAfter  bool      // the connection is cut: it happened, but the sender does not know
}

// AWSError is an error in the form of AWS's JSON protocols.
type AWSError struct {
	Status  int    // default 400
	Code    string // "ThrottlingException"
	Message string
}

// Throttled is what DynamoDB, SQS and Secrets Manager say to who asks too often.
var Throttled = &AWSError{Code: "ThrottlingException", Message: "Rate exceeded"}

// NewWire returns a wire to a server ("http://127.0.0.1:5000").
func NewWire(target string) (*Wire, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("wire: the target %q has no host", target)
	}
	return &Wire{target: u, client: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}, counts: map[string]int{}}, nil
}

// Break sets what decides on the fault of each request; nil breaks none. It is asked about one request at a time, and may
// itself call Break.
func (w *Wire) Break(hook func(Passing) Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = hook
}

// Counts returns how many requests of each operation came since the last Reset, the broken ones included.
func (w *Wire) Counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

// Reset sets all counts to 0.
func (w *Wire) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total, w.counts = 0, map[string]int{}
}

func (w *Wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, wireBytesMax))
	if err != nil {
		return // the sender died while it sent
	}
	fault := w.pass(r, body)
	call(fault.Before)
	switch {
	case fault.Refuse != nil:
		fault.Refuse.write(rw)
		return
	case fault.CutBefore:
		panic(http.ErrAbortHandler)
	case fault.Hang:
		<-r.Context().Done()
		return
	}
	resp, answer, err := w.forward(r, body)
	call(fault.After)
	if err != nil || fault.CutAfter {
		panic(http.ErrAbortHandler) // a server that cannot be reached is a cut connection, too
	}
	maps.Copy(rw.Header(), resp.Header)
	rw.WriteHeader(resp.StatusCode)
	_, _ = rw.Write(answer) // the sender may have died
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// pass counts a request and asks the hook what becomes of it.
func (w *Wire) pass(r *http.Request, body []byte) Fault {
	operation := r.Header.Get("X-Amz-Target")
	if operation == "" {
		operation = r.URL.Path
	}
	w.deciding.Lock()
	defer w.deciding.Unlock()
	w.mu.Lock()
	w.total++
	w.counts[operation]++
	hook, passing := w.hook, Passing{Operation: operation, Body: string(body), N: w.total, NOf: w.counts[operation]}
	w.mu.Unlock()
	if hook == nil {
		return Fault{}
	}
	return hook(passing)
}

// forward sends the request on. It arrives even if the sender is dead by now.
func (w *Wire) forward(r *http.Request, body []byte) (*http.Response, []byte, error) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host = w.target.Scheme, w.target.Host
	out.Body, out.ContentLength, out.RequestURI = io.NopCloser(bytes.NewReader(body)), int64(len(body)), ""
	out.TransferEncoding = nil
	resp, err := w.client.RoundTrip(out)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, wireBytesMax))
	return resp, answer, err
}

// write omits X-Amz-Crc32, which a client would check.
func (e *AWSError) write(w http.ResponseWriter) {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	body, _ := json.Marshal(map[string]string{"__type": e.Code, "message": e.Message}) // strings always marshal
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Errortype", e.Code)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
