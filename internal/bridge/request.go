package bridge

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// httpEvent is the part of a payload 2.0 event that a request is made of.
type httpEvent struct {
	Version        string            `json:"version"`
	RawPath        string            `json:"rawPath"`
	RawQueryString string            `json:"rawQueryString"`
	Cookies        []string          `json:"cookies"`
	Headers        map[string]string `json:"headers"`
	RequestContext struct {
		Stage      string `json:"stage"`
		DomainName string `json:"domainName"`
		Authorizer struct {
			IAM Identity `json:"iam"`
		} `json:"authorizer"`
		HTTP struct {
			Method   string `json:"method"`
			Protocol string `json:"protocol"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`
}

// Identity is who signed a request with SigV4, as API Gateway found out.
type Identity struct {
	AccountID string `json:"accountId"`
	UserARN   string `json:"userArn"`
	UserID    string `json:"userId"`
}

type identityKey struct{}

// Caller returns who signed the request, and whether API Gateway verified the signature: only a route with IAM
// authorization has a caller. What the request itself claims, such as an Authorization header, never makes one.
func Caller(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// decodeHTTP reads an event and says whether it is one of an HTTP API with payload format 2.0.
func decodeHTTP(event []byte) (e *httpEvent, ok bool, err error) {
	e = new(httpEvent)
	if err := json.Unmarshal(event, e); err != nil {
		return nil, false, err
	}
	return e, e.Version == "2.0" && e.RequestContext.HTTP.Method != "", nil
}

// request makes of an event what net/http would have made of the request that the phone sent. It fails only when the
// body is not the base64 it is said to be.
func (e *httpEvent) request(ctx context.Context) (*http.Request, error) {
	body, err := e.body()
	if err != nil {
		return nil, err
	}
	header := e.header()
	host := header.Get("Host")
	header.Del("Host") // net/http keeps it apart
	if host == "" {
		host = e.RequestContext.DomainName
	}
	u := &url.URL{Path: e.path(), RawQuery: e.RawQueryString}
	r := &http.Request{
		Method: e.RequestContext.HTTP.Method, URL: u, RequestURI: requestURI(u), Host: host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: int64(len(body)), RemoteAddr: remoteAddr(e.RequestContext.HTTP.SourceIP),
	}
	if major, minor, ok := http.ParseHTTPVersion(e.RequestContext.HTTP.Protocol); ok {
		r.Proto, r.ProtoMajor, r.ProtoMinor = e.RequestContext.HTTP.Protocol, major, minor
	}
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if id := e.RequestContext.Authorizer.IAM; id.AccountID != "" && id.UserARN != "" {
		ctx = context.WithValue(ctx, identityKey{}, id)
	}
	return r.WithContext(ctx), nil
}

func (e *httpEvent) body() ([]byte, error) {
	if e.IsBase64Encoded {
		return base64.StdEncoding.DecodeString(e.Body)
	}
	return []byte(e.Body), nil
}

// path is the path without the stage. API Gateway has decoded rawPath already (more than once, in fact: %252F arrives as
// a slash), so that a percent sign in it is only that.
func (e *httpEvent) path() string {
	path := e.RawPath
	if stage := e.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(path, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			path = rest
		}
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return path
}

// header takes the headers as they are: API Gateway has joined those that came twice, and keeps the cookies apart.
func (e *httpEvent) header() http.Header {
	h := make(http.Header, len(e.Headers)+1)
	values := make([]string, 0, len(e.Headers)+1)
	set := func(name, value string) {
		values = append(values, value)
		h[http.CanonicalHeaderKey(name)] = values[len(values)-1 : len(values) : len(values)]
	}
	for name, value := range e.Headers {
		set(name, value)
	}
	if len(e.Cookies) > 0 {
		set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return h
}

func requestURI(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + u.RawQuery
}

// remoteAddr gives the address the form of net/http, which has a port. The real one is not in the event.
func remoteAddr(ip string) string { return net.JoinHostPort(ip, "0") }
