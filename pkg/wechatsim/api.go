package wechatsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// request is one call to WeChat, read completely before the state is locked.
type request struct {
	method, path string
	query        url.Values
	body         []byte
	tooLong      bool
	ip           netip.Addr // of the peer; the zero Addr when there is no connection
	origin       string     // scheme and host by which the caller reached the simulator
	chunked      bool       // no Content-Length: answered HTTP 412, spec 4.0
}

// refusal is an error answer. Status other than 0 is an HTTP status without a body.
type refusal struct {
	Code   int
	Msg    string
	Status int
}

func refuse(code int, msg string) *refusal { return &refusal{Code: code, Msg: msg} }

// player answers one API while the state is locked.
type player func(request) (any, *refusal)

// api plays one API: read, take the faults, act, answer. The lock is free again before anything leaves.
func (s *Sim) api(play player) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in, err := readRequest(r)
		if err != nil {
			panic(http.ErrAbortHandler) // the caller went away in the middle of its body
		}
		out := s.act(in, play)
		s.cfg.Log.Info("wechat api", "path", in.path, "errcode", out.code, "fate", out.fate.String())
		out.leave(w, r)
	}
}

func readRequest(r *http.Request) (request, error) {
	in := request{method: r.Method, path: r.URL.Path, query: r.URL.Query(), origin: origin(r)}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		in.ip = peer.Addr().Unmap()
	}
	if r.Body == nil {
		return in, nil
	}
	limit := int64(bodyBytesMax)
	if in.path == uploadPath {
		limit = uploadBodyBytesMax
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	in.body = body
	in.tooLong = int64(len(body)) > limit
	in.chunked = r.ContentLength < 0 || r.ContentLength == 0 && len(body) > 0
	return in, err
}

// origin is where r came to, for URLs that the simulator gives out. A client without sockets may leave the scheme in.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// outcome is what leaves: an answer, or the trouble that a fault ordered.
type outcome struct {
	fate   fate
	code   int
	status int
	body   []byte
}

func (s *Sim) act(in request, play player) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, no := s.fateBefore(in)
	if f != fateAnswer {
		return outcome{fate: f, status: http.StatusInternalServerError}
	}
	if no == nil {
		no = s.admit(in)
	}
	var answer any
	if no == nil {
		answer, no = play(in)
	}
	out := s.encode(answer, no)
	if f := s.fateAfter(in.path); f != fateAnswer {
		out.fate, out.status = f, http.StatusInternalServerError
	}
	if s.journalErr != nil {
		out = outcome{fate: fateError, status: http.StatusInternalServerError}
	}
	return out
}

func (s *Sim) encode(answer any, no *refusal) outcome {
	if no == nil {
		return outcome{status: http.StatusOK, body: mustJSON(answer)}
	}
	if no.Status != 0 {
		return outcome{status: no.Status}
	}
	now := s.cfg.Now()
	body := mustJSON(errorAnswer{ErrCode: no.Code, ErrMsg: no.Msg + " rid: " + s.chance.rid(now)})
	return outcome{status: http.StatusOK, code: no.Code, body: body}
}

type errorAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

// mustJSON encodes a value of this package's own making, without HTML escapes, as WeChat does.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("wechatsim: an answer cannot be encoded: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (o outcome) leave(w http.ResponseWriter, r *http.Request) {
	switch o.fate {
	case fateCut:
		panic(http.ErrAbortHandler)
	case fateHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case fateError:
		http.Error(w, http.StatusText(o.status), o.status)
	case fateAnswer:
		w.Header().Set("Content-Type", "application/json; encoding=utf-8")
		w.WriteHeader(o.status)
		_, _ = w.Write(o.body) // the caller may be gone; nothing to do about it
	}
}

// object checks what every JSON POST has in common and gives its fields (spec 4.0 and 6.3).
func (in request) object() (fields, *refusal) {
	switch {
	case in.method != http.MethodPost:
		return nil, refuse(43002, "require POST method")
	case in.chunked:
		return nil, &refusal{Status: http.StatusPreconditionFailed}
	case in.tooLong:
		return nil, refuse(45002, "content size out of limit")
	case len(in.body) == 0:
		return nil, refuse(44002, "empty post data")
	}
	f, err := parseFields(in.body)
	if err != nil {
		return nil, refuse(47001, "data format error")
	}
	return f, nil
}

// fields is a JSON object whose types are not known yet.
type fields map[string]json.RawMessage

func parseFields(body []byte) (fields, error) {
	var f fields
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, err
	}
	if f == nil {
		return nil, errors.New("null is not an object")
	}
	return f, nil
}

func (f fields) has(name string) bool { _, ok := f[name]; return ok }

// text gives a JSON string; ok is false when it is absent or of another type.
func (f fields) text(name string) (v string, ok bool) {
	raw := f[name]
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return v, json.Unmarshal(raw, &v) == nil
}

// whole gives a JSON integer; "1", 1.5, 1e0 and null are none.
func (f fields) whole(name string) (v int64, ok bool) {
	raw := f[name]
	if len(raw) == 0 || raw[0] == '"' || string(raw) == "null" {
		return 0, false
	}
	return v, json.Unmarshal(raw, &v) == nil
}

// clock is the simulated time as the records keep it.
func (s *Sim) clock() (time.Time, instant) {
	now := s.cfg.Now()
	return now, at(now)
}
