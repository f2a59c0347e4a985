package localenv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Inproc is an http.RoundTripper that calls handlers by host, in the caller's goroutine: no port, no goroutine, so
// that virtual time and seeded runs work. A handler that cuts the connection (http.ErrAbortHandler) gives an error, as
// a network would.
type Inproc map[string]http.Handler

// RoundTrip calls the handler of the request's host.
func (t Inproc) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	h := t[req.URL.Host]
	if h == nil {
		return nil, fmt.Errorf("nobody listens at %s", req.URL.Host)
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body, err := drain(req)
	if err != nil {
		return nil, err
	}
	in := req.Clone(req.Context())
	in.Body, in.Host, in.RequestURI, in.RemoteAddr = io.NopCloser(bytes.NewReader(body)), req.URL.Host, req.URL.RequestURI(), "127.0.0.1:1"
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(p)
			}
			resp, err = nil, errors.New("the connection was cut")
		}
	}()
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(rec, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return rec.response(req), nil
}

// recorder is the http.ResponseWriter of a call within the process.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) response(req *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(r.status) + " " + http.StatusText(r.status), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header, Request: req,
		ContentLength: int64(r.body.Len()), Body: io.NopCloser(bytes.NewReader(r.body.Bytes())),
	}
}

func drain(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
}
