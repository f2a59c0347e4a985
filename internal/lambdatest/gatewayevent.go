package lambdatest

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// httpEvent is an event of payload format 2.0.
type httpEvent struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	RequestContext        requestContext    `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string         `json:"accountId"`
	APIID        string         `json:"apiId"`
	Authorizer   map[string]any `json:"authorizer,omitempty"`
	DomainName   string         `json:"domainName"`
	DomainPrefix string         `json:"domainPrefix"`
	HTTP         httpContext    `json:"http"`
	RequestID    string         `json:"requestId"`
	RouteKey     string         `json:"routeKey"`
	Stage        string         `json:"stage"`
	Time         string         `json:"time"`
	TimeEpoch    int64          `json:"timeEpoch"` // milliseconds
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// event makes the event of a request.
func (g *Gateway) event(r *http.Request, path, routeKey string, params map[string]string, body []byte) *httpEvent {
	now := time.Now().UTC()
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr // of a request made by hand
	}
	domain := cmp.Or(g.Domain, r.Host)
	prefix, _, _ := strings.Cut(domain, ".")
	e := &httpEvent{
		Version: "2.0", RouteKey: routeKey, RawPath: path, RawQueryString: r.URL.RawQuery,
		Cookies: cookies(r), Headers: eventHeaders(r, domain, ip, len(body)),
		QueryStringParameters: joinedQuery(r.URL.RawQuery), PathParameters: params,
		RequestContext: requestContext{
			AccountID: accountID, APIID: prefix, DomainName: domain, DomainPrefix: prefix, RequestID: rand.Text()[:15] + "=",
			RouteKey: routeKey, Stage: g.stage(), Time: now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: httpContext{Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: ip, UserAgent: r.UserAgent()},
		},
	}
	switch {
	case len(body) == 0:
	case isText(r.Header.Get("Content-Type")) && utf8.Valid(body): // what AWS does to text of another encoding is not known
		e.Body = string(body)
	default:
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// isText says which bodies come as text.
func isText(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// cookies are the pairs of all Cookie headers, one by one.
func cookies(r *http.Request) (all []string) {
	for _, header := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(header, ";") {
			if pair = strings.TrimSpace(pair); pair != "" {
				all = append(all, pair)
			}
		}
	}
	return all
}

// eventHeaders has lower-case names, joins duplicates with commas, and adds what API Gateway adds.
func eventHeaders(r *http.Request, domain, ip string, bodyBytes int) map[string]string {
	h := map[string]string{}
	for name, values := range r.Header {
		if passedOn(name) {
			h[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	h["host"] = domain
	h["content-length"] = strconv.Itoa(bodyBytes)
	h["x-amzn-trace-id"] = "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c"
	h["x-forwarded-port"] = "443"
	h["x-forwarded-proto"] = "https"
	if before := h["x-forwarded-for"]; before != "" {
		ip = before + ", " + ip
	}
	h["x-forwarded-for"] = ip
	return h
}

// joinedQuery decodes the query and joins duplicates with commas. What is malformed is left out.
func joinedQuery(raw string) map[string]string {
	values, _ := url.ParseQuery(raw)
	joined := make(map[string]string, len(values))
	for name, all := range values {
		joined[name] = strings.Join(all, ",")
	}
	return joined
}

// iamAuthorizer is the identity that API Gateway finds for an access key.
func iamAuthorizer(accessKey string) map[string]any {
	return map[string]any{"iam": map[string]any{
		"accessKey": accessKey, "accountId": accountID, "callerId": "AIDA" + accessKey, "cognitoIdentity": nil,
		"principalOrgId": "aws:PrincipalOrgID", "userArn": "arn:aws:iam::" + accountID + ":user/" + accessKey, "userId": "AIDA" + accessKey,
	}}
}
