package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
)

// bodyBytesMax is the largest request body anybody may send; a push of WeChat has a few KiB.
const bodyBytesMax = 64 << 10

// reply is what a handler answers: JSON, or raw bytes for WeChat.
type reply struct {
	status      int
	body        any    // marshalled as JSON when raw is nil
	raw         []byte // sent as it is
	contentType string
	retryAfter  int // seconds; 0: no header
}

func ok(body any) (reply, error) { return reply{status: http.StatusOK, body: body}, nil }

func (r reply) write(w http.ResponseWriter) {
	body, kind := r.raw, r.contentType
	if body == nil && r.body != nil {
		body, kind = marshal(r.body), "application/json; charset=utf-8"
	}
	h := w.Header()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	if r.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	w.WriteHeader(r.status)
	w.Write(body) // the caller may have gone; what is stored stands
}

// marshal writes JSON without HTML escapes: signData must reach the phone as readable as it was signed.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte(`{"error":{"code":"internal","message":"the answer could not be written"}}`)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// statuses is the HTTP dialect of the vocabulary.
var statuses = map[problem.Code]int{
	problem.Invalid:      http.StatusBadRequest,
	problem.Unauthorized: http.StatusUnauthorized,
	problem.NotFound:     http.StatusNotFound,
	problem.Conflict:     http.StatusConflict,
	problem.PriceChanged: http.StatusConflict,
	problem.Rejected:     http.StatusUnprocessableEntity,
	problem.Limited:      http.StatusTooManyRequests,
	problem.Unavailable:  http.StatusServiceUnavailable,
	problem.Internal:     http.StatusInternalServerError,
}

// retryAfterSeconds tells a caller when to repeat the same request.
var retryAfterSeconds = map[problem.Code]int{problem.Limited: 60, problem.Unavailable: 1}

type errorBody struct {
	Code    problem.Code `json:"code"`
	Message string       `json:"message"`
}

func (e errorBody) wrap() any {
	return struct {
		Error errorBody `json:"error"`
	}{e}
}

// statusError is an invalid request for which HTTP has a status of its own.
type statusError struct {
	status int
	cause  *problem.Error
}

func (e statusError) Error() string { return e.cause.Error() }
func (e statusError) Unwrap() error { return e.cause }

// failure is the only writer of errors. An internal error shows nothing of itself.
func (a *API) failure(ctx context.Context, route Route, err error) reply {
	code := problem.CodeOf(err)
	body := errorBody{Code: code, Message: "an error on our side; nothing that was stored is lost"}
	var p *problem.Error
	if errors.As(err, &p) && code != problem.Internal {
		body.Message = p.Message
	}
	r := reply{status: statuses[code], body: body.wrap(), retryAfter: retryAfterSeconds[code]}
	var s statusError
	if errors.As(err, &s) {
		r.status = s.status
	}
	a.logFailure(ctx, route, code, err)
	return r
}

// logFailure logs what is ours to mend; a caller's mistake is no error of ours.
func (a *API) logFailure(ctx context.Context, route Route, code problem.Code, err error) {
	observe.Set(ctx, "code", code)
	attrs := []any{"route", route.Method + " " + route.Path, "code", code, "error", err}
	if cause := errors.Unwrap(err); cause != nil {
		attrs = append(attrs, "cause", cause)
	}
	var p panicError
	if errors.As(err, &p) {
		attrs = append(attrs, "stack", string(p.stack))
	}
	switch code {
	case problem.Internal, problem.Unavailable:
		a.Log.ErrorContext(ctx, "request failed", attrs...)
	default:
		a.Log.DebugContext(ctx, "request refused", attrs...)
	}
}

// kindName is a Go kind in the words of JSON.
func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.String:
		return "a string"
	default:
		return "of another type"
	}
}

type panicError struct {
	value any
	stack []byte
}

func panicked(value any) error { return panicError{value: value, stack: debug.Stack()} }

func (p panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// read caps and reads a body.
func (c call) read() ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.Body, bodyBytesMax))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, statusError{http.StatusRequestEntityTooLarge, problem.New(problem.Invalid, "the body is larger than %d KiB", bodyBytesMax>>10)}
	}
	if err != nil {
		return nil, problem.New(problem.Invalid, "the body could not be read to its end")
	}
	return raw, nil
}

// decode reads a JSON body of exactly the known fields. An absent body is an empty object where that is allowed.
func (c call) decode(into any, mayBeEmpty bool) error {
	raw, err := c.read()
	if err != nil {
		return err
	}
	if len(raw) == 0 && mayBeEmpty {
		return nil
	}
	if kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); kind != "application/json" {
		return statusError{http.StatusUnsupportedMediaType, problem.New(problem.Invalid, "Content-Type must be application/json")}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return problem.New(problem.Invalid, "the body is not the expected JSON: %s", jsonReason(err))
	}
	if dec.More() || len(bytes.TrimSpace(raw[dec.InputOffset():])) > 0 {
		return problem.New(problem.Invalid, "the body has more than one JSON value")
	}
	return nil
}

// jsonReason says where JSON is wrong without quoting the body.
func jsonReason(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("malformed at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return cmp.Or(kind.Field, "it") + " must be " + kindName(kind.Type.Kind())
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return "unknown field"
	default:
		return "it ends too early"
	}
}
