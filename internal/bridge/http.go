package bridge

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"
)

// replyBytesMax is what Lambda lets a function return at once; a larger reply fails the invocation.
const replyBytesMax = 6_291_556

// The errors of the bridge itself, in the shape that the API's own errors have.
const (
	badBase64 = `{"error":{"code":"invalid","message":"the body is not the base64 it is said to be"}}`
	internal  = `{"error":{"code":"internal","message":"an error on our side; nothing that was stored is lost"}}`
	tooLarge  = `{"error":{"code":"internal","message":"the answer is larger than the 6 MB that Lambda can return"}}`
)

// HTTP serves the events of an API Gateway HTTP API (payload format 2.0) with a handler. The request is what net/http
// would have parsed, except for what API Gateway has changed: the path is decoded, a header that came twice is one
// value joined by a comma, and the port of the remote address is 0. Caller tells who signed it.
//
// A reply of more than 6,291,556 bytes of JSON becomes a 500 that says so. Nothing is streamed: the reply leaves when
// the handler returns.
func HTTP(handler http.Handler, log *slog.Logger) Function {
	return func(ctx context.Context, event []byte) ([]byte, error) {
		e, ok, err := decodeHTTP(event)
		if !ok {
			return nil, refuse(ctx, log, kindHTTP, event, err)
		}
		r, err := e.request(ctx)
		if err != nil {
			return failure(http.StatusBadRequest, badBase64).encode()
		}
		raw, err := serve(handler, r, log).encode()
		if err == nil && len(raw) > replyBytesMax {
			log.ErrorContext(ctx, "the reply is larger than Lambda can return", "bytes", len(raw), "max", replyBytesMax)
			return failure(http.StatusInternalServerError, tooLarge).encode()
		}
		return raw, err
	}
}

// serve calls the handler. What it wrote before a panic is not sent.
func serve(handler http.Handler, r *http.Request, log *slog.Logger) (out *reply) {
	w := &writer{header: http.Header{}, head: r.Method == http.MethodHead}
	defer func() {
		if p := recover(); p != nil {
			logPanic(r.Context(), log, p)
			out = failure(http.StatusInternalServerError, internal)
		}
	}()
	handler.ServeHTTP(w, r)
	return w.finish()
}

// reply is a response in payload format 2.0.
type reply struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies,omitempty"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

func failure(status int, body string) *reply {
	return &reply{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: body}
}

func (r *reply) encode() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(r.Body) + 512)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// writer is the http.ResponseWriter of one request.
type writer struct {
	header http.Header
	out    *reply // nil until WriteHeader
	typed  bool   // the handler decided on a Content-Type, or on none
	body   bytes.Buffer
	head   bool // the answer to a HEAD has no body
}

func (w *writer) Header() http.Header { return w.header }

// WriteHeader fixes the status and the headers. As in net/http, the first one counts, and 1xx is none.
func (w *writer) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("bridge: WriteHeader with an impossible status")
	}
	if w.out != nil || status < 200 {
		return
	}
	w.out = &reply{StatusCode: status, Headers: make(map[string]string, len(w.header)+1)}
	for name, values := range w.header {
		switch name {
		case "Content-Length": // API Gateway counts the bytes that it sends
		case "Set-Cookie":
			for _, v := range values {
				w.out.Cookies = append(w.out.Cookies, oneLine(v))
			}
		default:
			if len(values) > 0 {
				w.out.Headers[name] = oneLine(strings.Join(values, ", "))
			}
		}
	}
	_, w.typed = w.header["Content-Type"]
}

func (w *writer) Write(p []byte) (int, error) {
	if w.out == nil {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.out.StatusCode == http.StatusNoContent, w.out.StatusCode == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.head:
		return len(p), nil
	case w.body.Len() > replyBytesMax: // more is of no use
		return 0, errors.New("the answer is larger than the 6 MB that Lambda can return")
	}
	return w.body.Write(p)
}

// finish returns the reply. As in net/http, a body without a type gets the one that it looks like.
func (w *writer) finish() *reply {
	if w.out == nil {
		w.WriteHeader(http.StatusOK)
	}
	body := w.body.Bytes()
	if !w.typed && len(body) > 0 && w.out.Headers["Content-Encoding"] == "" {
		w.out.Headers["Content-Type"] = http.DetectContentType(body)
	}
	if utf8.Valid(body) {
		w.out.Body = string(body)
	} else {
		w.out.Body, w.out.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return w.out
}

var newlines = strings.NewReplacer("\r", " ", "\n", " ")

// oneLine keeps a header value from becoming two headers.
func oneLine(v string) string { return newlines.Replace(v) }
