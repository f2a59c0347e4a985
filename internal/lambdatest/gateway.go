package lambdatest

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The quotas of an HTTP API.
const (
	bodyBytesMax   = 10 << 20
	headerBytesMax = 10_240 // request line and header values together
	integrationMax = 30 * time.Second
)

// Route leads requests to a function.
type Route struct {
	Key      string // as in API Gateway: "POST /orders/{id}", "ANY /{proxy+}" or "$default"
	Function Invoker
	IAM      bool // only requests that are signed with SigV4 pass
}

// Gateway is an API Gateway HTTP API with Lambda integrations of payload format 2.0. Its zero values are AWS's defaults.
//
// Where AWS's documentation is silent it does what was observed of live HTTP APIs: the path is decoded twice and cut at
// a question mark that the first pass laid bare; only text/* and application/json, xml and javascript come as text; an
// answer without a status code is the body of a 200, JSON or not.
//
// A signature is not checked, only that there is one of the right form in the Authorization header: its access key
// becomes the caller. Signed query strings, other authorizers, CORS, throttling and custom domains are not played.
type Gateway struct {
	Routes  []Route
	Stage   string        // default $default; another name is the first segment of every path
	Domain  string        // of the API; default: the Host that the client sent
	Timeout time.Duration // for the function's answer; default 30 s, the quota
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := decodePath(r.URL.EscapedPath())
	if !ok {
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	if headerBytes(r) > headerBytesMax { // the quota is documented, the status is not
		refuse(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		return
	}
	route, params, ok := g.route(r.Method, path)
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	signer := accessKey(r)
	if route.IAM && signer == "" {
		refuse(w, http.StatusForbidden, "Forbidden")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyBytesMax+1))
	if err != nil {
		return // the client has gone
	}
	if len(body) > bodyBytesMax {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	event := g.event(r, path, route.Key, params, body)
	if route.IAM {
		event.RequestContext.Authorizer = iamAuthorizer(signer)
	}
	g.invoke(w, r, route.Function, event)
}

// invoke answers with what the function returns, in the words of API Gateway when it returns nothing of use.
func (g *Gateway) invoke(w http.ResponseWriter, r *http.Request, f Invoker, event *httpEvent) {
	raw, err := json.Marshal(event)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	// The function goes on when the client hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), cmp.Or(g.Timeout, integrationMax))
	defer cancel()
	answer, err := f.Invoke(ctx, raw)
	switch {
	case errors.Is(err, ErrTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrThrottled):
		refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
	case err != nil:
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
	default:
		w.Header().Set("Apigw-Requestid", event.RequestContext.RequestID)
		writeAnswer(w, answer)
	}
}

// refuse answers as API Gateway itself does.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"message":"`+message+`"}`)
}

// writeAnswer maps what a function returned to a response. AWS documents that an answer without a status code must be
// JSON; it does not insist.
func writeAnswer(w http.ResponseWriter, answer []byte) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(answer, &fields) != nil || fields["statusCode"] == nil {
		var text string
		if json.Unmarshal(answer, &text) == nil {
			answer = []byte(text)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
		return
	}
	var a struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Cookies         []string          `json:"cookies"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	err := json.Unmarshal(answer, &a)
	body := []byte(a.Body)
	if err == nil && a.IsBase64Encoded {
		body, err = base64.StdEncoding.DecodeString(a.Body)
	}
	if err != nil || a.StatusCode < 200 || a.StatusCode > 599 {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8") // the default of an HTTP API
	for name, value := range a.Headers {
		h.Set(name, value)
	}
	for _, cookie := range a.Cookies {
		h.Add("Set-Cookie", cookie)
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body)
}

// decodePath does to a path what HTTP APIs were seen to do. Captured live: "%20" arrives as a space, "%252F" as a slash,
// "%3Fx" cuts the path, "%25d" is rejected.
func decodePath(escaped string) (path string, ok bool) {
	once, err := url.PathUnescape(escaped)
	if err != nil {
		return "", false
	}
	once, _, _ = strings.Cut(once, "?")
	path, err = url.PathUnescape(once)
	return path, err == nil
}

// headerBytes is the request line and the header values, as the quota counts them.
func headerBytes(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len(r.Host)
	for _, values := range r.Header {
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// route finds the most specific route: plain segments before {variables} before {greedy+} ones before $default, and a
// method before ANY.
func (g *Gateway) route(method, path string) (Route, map[string]string, bool) {
	if stage := g.stage(); stage != "$default" {
		rest, ok := strings.CutPrefix(path, "/"+stage)
		if !ok || rest != "" && rest[0] != '/' {
			return Route{}, nil, false
		}
		path = "/" + strings.TrimPrefix(rest, "/")
	}
	var best Route
	var params map[string]string
	rank := ""
	for _, route := range g.Routes {
		if p, r, ok := match(route.Key, method, path); ok && (rank == "" || r < rank) {
			best, params, rank = route, p, r
		}
	}
	return best, params, rank != ""
}

func (g *Gateway) stage() string { return cmp.Or(g.Stage, "$default") }

// match reports the path parameters, and a rank that sorts the more specific route first.
func match(key, method, path string) (params map[string]string, rank string, ok bool) {
	if key == "$default" {
		return nil, "z", true
	}
	keyMethod, template, _ := strings.Cut(key, " ")
	if keyMethod != method && keyMethod != "ANY" {
		return nil, "", false
	}
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	params = map[string]string{}
	for i, segment := range want {
		name, variable := strings.CutPrefix(strings.TrimSuffix(segment, "}"), "{")
		switch {
		case i >= len(have):
			return nil, "", false
		case variable && strings.HasSuffix(name, "+") && i == len(want)-1:
			params[strings.TrimSuffix(name, "+")] = strings.Join(have[i:], "/")
			return params, rank + "c" + keyMethodRank(keyMethod), true
		case variable && have[i] != "":
			params[name] = have[i]
			rank += "b"
		case segment == have[i]:
			rank += "a"
		default:
			return nil, "", false
		}
	}
	return params, rank + keyMethodRank(keyMethod), len(want) == len(have)
}

func keyMethodRank(method string) string {
	if method == "ANY" {
		return "1"
	}
	return "0"
}

var sigV4 = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]{1,128})/[0-9]{8}/[a-z0-9-]+/execute-api/aws4_request, ?` +
	`SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$`)

// accessKey is the access key of a request that looks signed, or "".
func accessKey(r *http.Request) string {
	found := sigV4.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil || r.Header.Get("X-Amz-Date") == "" {
		return ""
	}
	return found[1]
}

// hopByHop are the headers between the client and API Gateway only.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Cookie"}

func passedOn(name string) bool { return !slices.Contains(hopByHop, name) }
