package lambdatest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

// invokerFunc is a function in this process.
type invokerFunc func(ctx context.Context, event []byte) ([]byte, error)

func (f invokerFunc) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

// object is a JSON object.
type object = map[string]any

// sent sends a request through a gateway with one function behind all routes, and returns the event that it was given.
func sent(t *testing.T, g lambdatest.Gateway, r *http.Request, keys ...string) object {
	t.Helper()
	var event object
	f := invokerFunc(func(_ context.Context, raw []byte) ([]byte, error) {
		return []byte(`{"statusCode":200}`), json.Unmarshal(raw, &event)
	})
	for _, key := range keys {
		g.Routes = append(g.Routes, lambdatest.Route{Key: key, Function: f})
	}
	if len(keys) == 0 {
		g.Routes = append(g.Routes, lambdatest.Route{Key: "$default", Function: f})
	}
	g.ServeHTTP(httptest.NewRecorder(), r)
	return event
}

// answered sends a request to a function that returns something.
func answered(r *http.Request, iam bool, answer string, err error) *httptest.ResponseRecorder {
	f := invokerFunc(func(context.Context, []byte) ([]byte, error) { return []byte(answer), err })
	g := &lambdatest.Gateway{Routes: []lambdatest.Route{{Key: "ANY /{proxy+}", Function: f, IAM: iam}}}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func get(target string) *http.Request { return httptest.NewRequest("GET", target, nil) }

func TestARequestBecomesTheEventThatWasCapturedOnAWS(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/http-api-event.json")
	if err != nil {
		t.Fatal(err)
	}
	var want object
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/capture/space%20value?repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com%2Fa%2Fb"+
		"&literalPlus=a+b&encodedPlus=a%2Bb&empty=", strings.NewReader(want["body"].(string)))
	r.Host, r.RemoteAddr = "sjzepsqsu5.execute-api.us-west-2.amazonaws.com", "192.0.2.7:50123"
	r.Header = http.Header{"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"curl/8.7.1"},
		"Cookie": {"session=abc123; theme=dark"}, "X-Voker-Probe": {"first", "second"}, "Connection": {"keep-alive"}}
	got := sent(t, lambdatest.Gateway{}, r)

	context := got["requestContext"].(object)
	for field, form := range map[string]string{"requestId": `^[A-Za-z0-9]{15}=$`, "time": `^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$`} {
		if s, _ := context[field].(string); !regexp.MustCompile(form).MatchString(s) {
			t.Errorf("%s is %q", field, s)
		}
	}
	if ms := int64(context["timeEpoch"].(float64)); time.Since(time.UnixMilli(ms)).Abs() > time.Minute {
		t.Errorf("timeEpoch is %d", ms)
	}
	for _, e := range []object{want, got} { // what differs from request to request
		for _, field := range []string{"requestId", "time", "timeEpoch"} {
			delete(e["requestContext"].(object), field)
		}
		delete(e["headers"].(object), "x-amzn-trace-id")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The pairs were captured on a live HTTP API by the authors of github.com/hotsock/voker.
func TestAPathArrivesAsItDoesOnAWS(t *testing.T) {
	t.Parallel()
	for path, rawPath := range map[string]string{
		"/capture/plain":                                   "/capture/plain",
		"/capture/space%20value":                           "/capture/space value",
		"/capture/question%3Fvalue":                        "/capture/question",
		"/capture/hash%23value":                            "/capture/hash#value",
		"/capture/slash%2Fvalue":                           "/capture/slash/value",
		"/capture/unicode-%CE%BB-%E4%B8%96%E7%95%8C":       "/capture/unicode-λ-世界",
		"/capture/literal%252Fvalue":                       "/capture/literal/value",
		"/capture/literal%253Fvalue":                       "/capture/literal?value",
		"/capture/literal%2525value":                       "/capture/literal%value",
		"/capture/percent%25done":                          "", // rejected
		"/capture/plain?marker=path-probe&value=a%3Fb%25c": "/capture/plain",
	} {
		event := sent(t, lambdatest.Gateway{}, get(path))
		if got, _ := event["rawPath"].(string); got != rawPath {
			t.Errorf("%s arrives as %q, want %q", path, got, rawPath)
		}
	}
}

// The split between text and base64 was verified on AWS in github.com/ministackorg/ministack, pull request 766.
func TestABodyIsTextOnlyForTheTypesOfText(t *testing.T) {
	t.Parallel()
	for contentType, text := range map[string]bool{
		"text/plain": true, "text/xml; charset=utf-8": true, "application/json": true, "application/xml": true,
		"application/javascript": true, "application/json; charset=utf-8": true,
		"": false, "application/x-www-form-urlencoded": false, "application/octet-stream": false, "image/png": false,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("a=1"))
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		e := sent(t, lambdatest.Gateway{}, r)
		want := base64.StdEncoding.EncodeToString([]byte("a=1"))
		if text {
			want = "a=1"
		}
		if e["body"] != want || e["isBase64Encoded"] != !text {
			t.Errorf("%q: body %v, base64 %v", contentType, e["body"], e["isBase64Encoded"])
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	if e := sent(t, lambdatest.Gateway{}, r); e["body"] != nil || e["isBase64Encoded"] != false {
		t.Errorf("an empty body: %v", e)
	}
}

// The order is the one of AWS's documentation ("Routing API requests").
func TestTheMostSpecificRouteIsTaken(t *testing.T) {
	t.Parallel()
	routes := []string{"$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1", "ANY /pets/dog/1",
		"POST /orders/{id}/attempts"}
	for _, c := range []struct{ method, path, key, params string }{
		{"GET", "/pets/dog/1", "GET /pets/dog/1", ""},
		{"PUT", "/pets/dog/1", "ANY /pets/dog/1", ""},
		{"GET", "/pets/dog/2", "GET /pets/dog/{id}", "id=2"},
		{"GET", "/pets/cat/1", "GET /pets/{proxy+}", "proxy=cat/1"},
		{"POST", "/pets/cat/1", "ANY /{proxy+}", "proxy=pets/cat/1"},
		{"POST", "/orders/ab/attempts", "POST /orders/{id}/attempts", "id=ab"},
		{"POST", "/orders//attempts", "ANY /{proxy+}", "proxy=orders//attempts"},
		{"POST", "/orders/a/b/attempts", "ANY /{proxy+}", "proxy=orders/a/b/attempts"},
	} {
		e := sent(t, lambdatest.Gateway{}, httptest.NewRequest(c.method, c.path, nil), routes...)
		var params []string
		if p, ok := e["pathParameters"].(object); ok {
			for name := range maps.Keys(p) {
				params = append(params, name+"="+p[name].(string))
			}
		}
		if e["routeKey"] != c.key || strings.Join(params, "&") != c.params {
			t.Errorf("%s %s: route %v with %v, want %s with %s", c.method, c.path, e["routeKey"], params, c.key, c.params)
		}
	}
}

func TestANamedStageIsInThePathButNotInTheRoute(t *testing.T) {
	t.Parallel()
	g := lambdatest.Gateway{Stage: "prod"}
	e := sent(t, g, get("/prod/orders/ab"), "GET /orders/{id}")
	if e["rawPath"] != "/prod/orders/ab" || e["routeKey"] != "GET /orders/{id}" || e["requestContext"].(object)["stage"] != "prod" {
		t.Errorf("%v", e)
	}
	for _, path := range []string{"/orders/ab", "/prodorders/ab", "/"} {
		if e := sent(t, g, get(path), "GET /orders/{id}"); e != nil {
			t.Errorf("%s passed", path)
		}
	}
}

// sigV4 is the Authorization header of AWS's documentation, for API Gateway.
const sigV4 = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/execute-api/aws4_request, SignedHeaders=host;range;" +
	"x-amz-date, Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"

func TestAnIAMRouteWantsASignature(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		authorization, date string
		ok                  bool
	}{
		"signed":             {sigV4, "20130524T000000Z", true},
		"nothing":            {"", "20130524T000000Z", false},
		"a token":            {"Bearer " + strings.Repeat("a", 64), "20130524T000000Z", false},
		"no date":            {sigV4, "", false},
		"half a signature":   {sigV4[:len(sigV4)-1], "20130524T000000Z", false},
		"another service":    {strings.Replace(sigV4, "execute-api", "s3", 1), "20130524T000000Z", false},
		"something in front": {"x " + sigV4, "20130524T000000Z", false},
	} {
		r := get("/merchant/orders/ab")
		r.Header.Set("Authorization", c.authorization)
		r.Header.Set("X-Amz-Date", c.date)
		w := answered(r, true, `{"statusCode":200,"body":"in"}`, nil)
		if c.ok != (w.Code == 200) || !c.ok && (w.Code != 403 || w.Body.String() != `{"message":"Forbidden"}`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestWhatAPIGatewayItselfAnswers(t *testing.T) {
	t.Parallel()
	large := httptest.NewRequest("POST", "/x", bytes.NewReader(make([]byte, 10<<20+1)))
	long := get("/x")
	long.Header.Set("X-Long", strings.Repeat("x", 10_240))
	died := &lambdatest.FunctionError{Type: "Runtime.ExitError", Message: "Runtime exited"}
	for name, c := range map[string]struct {
		r      *http.Request
		answer string
		err    error
		status int
		body   string
	}{
		"an error of the function":      {get("/x"), "", died, 500, `{"message":"Internal Server Error"}`},
		"any other error":               {get("/x"), "", errors.New("no bootstrap"), 500, `{"message":"Internal Server Error"}`},
		"no answer in time":             {get("/x"), "", context.DeadlineExceeded, 503, `{"message":"Service Unavailable"}`},
		"no environment free":           {get("/x"), "", lambdatest.ErrThrottled, 503, `{"message":"Service Unavailable"}`},
		"an event too large for Lambda": {get("/x"), "", lambdatest.ErrTooLarge, 413, `{"message":"Request Entity Too Large"}`},
		"a body too large":              {large, "", nil, 413, `{"message":"Request Entity Too Large"}`},
		"headers too large":             {long, "", nil, 431, `{"message":"Request Header Fields Too Large"}`},
		"a status that is none":         {get("/x"), `{"statusCode":"fine"}`, nil, 500, `{"message":"Internal Server Error"}`},
		"a status with a fraction":      {get("/x"), `{"statusCode":200.5}`, nil, 500, `{"message":"Internal Server Error"}`},
		"an impossible status":          {get("/x"), `{"statusCode":7}`, nil, 500, `{"message":"Internal Server Error"}`},
		"headers that are none":         {get("/x"), `{"statusCode":200,"headers":["a"]}`, nil, 500, `{"message":"Internal Server Error"}`},
		"base64 that is none": {get("/x"), `{"statusCode":200,"body":"*","isBase64Encoded":true}`, nil, 500,
			`{"message":"Internal Server Error"}`},
		"an answer without a status":      {get("/x"), `{"name":"Zoë"}`, nil, 200, `{"name":"Zoë"}`},
		"an answer that is a text":        {get("/x"), `"hello"`, nil, 200, `hello`},
		"an answer that is no whole JSON": {get("/x"), `{"name": "John Doe", "age":`, nil, 200, `{"name": "John Doe", "age":`},
	} {
		w := answered(c.r, false, c.answer, c.err)
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s %v", name, w.Code, w.Body, w.Header())
		}
	}
	w := httptest.NewRecorder()
	(&lambdatest.Gateway{}).ServeHTTP(w, get("/x"))
	if w.Code != 404 || w.Body.String() != `{"message":"Not Found"}` {
		t.Errorf("without a route: %d %s", w.Code, w.Body)
	}
}

func TestAnAnswerBecomesAResponse(t *testing.T) {
	t.Parallel()
	w := answered(get("/x"), false, `{"statusCode":201,"headers":{"content-type":"image/png","X-A":"1, 2"},"cookies":["a=1","b=2"],`+
		`"body":"iVBORw==","isBase64Encoded":true}`, nil)
	if w.Code != 201 || w.Body.String() != "\x89PNG" || w.Header().Get("Content-Type") != "image/png" || w.Header().Get("X-A") != "1, 2" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	if diff := cmp.Diff([]string{"a=1", "b=2"}, w.Header()["Set-Cookie"]); diff != "" {
		t.Error(diff)
	}
	if w := answered(get("/x"), false, `{"statusCode":200,"body":"x"}`, nil); w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%v", w.Header())
	}
}

func TestTheGatewayDoesNotWaitLongerThanItsTimeout(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{})
	g := &lambdatest.Gateway{Timeout: 100 * time.Millisecond, Routes: []lambdatest.Route{{Key: "$default", Function: invokerFunc(
		func(ctx context.Context, _ []byte) ([]byte, error) {
			return f.Invoke(ctx, []byte(`{"do":"sleep","millis":1000}`))
		})}}}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, get("/"))
	if w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestARequestGoesThroughGatewayLambdaAndBridge goes all the way: HTTP, event, Runtime API, a built bootstrap, the bridge,
// its handler, and back.
func TestARequestGoesThroughGatewayLambdaAndBridge(t *testing.T) {
	t.Parallel()
	f := function(t, "http", lambdatest.Config{})
	front := httptest.NewServer(&lambdatest.Gateway{Domain: "api.example.com", Routes: []lambdatest.Route{
		{Key: "ANY /{proxy+}", Function: f}, {Key: "POST /merchant/{proxy+}", Function: f, IAM: true},
	}})
	defer front.Close()
	binary := []byte{0x89, 'P', 'N', 'G', 0, 0xff}
	for name, c := range map[string]struct {
		path, contentType string
		body              []byte
		header            http.Header
		saw, sawHeaders   string
		caller            string
	}{
		"a binary body": {"/upload?a=%2F+b", "image/png", binary, nil,
			`POST /upload?a=%2F+b "/upload" api.example.com`, `[] []`, "false"},
		"text that is not ASCII": {"/x", "application/json", []byte(`{"a":"充值 <&>"}`), nil,
			`POST /x "/x" api.example.com`, `[] []`, "false"},
		"an escaped slash": {"/orders/a%2Fb%20c", "text/plain", []byte("x"), nil,
			`POST /orders/a/b%20c "/orders/a/b c" api.example.com`, `[] []`, "false"},
		"duplicates and cookies": {"/x", "text/plain", nil, http.Header{"X-Twice": {"first", "second"}, "Cookie": {"a=1; b=2"}},
			`POST /x "/x" api.example.com`, `["first,second"] ["a=1; b=2"]`, "false"},
		"two slashes in front": {"//evil.example.com/x", "text/plain", nil, nil,
			`POST //evil.example.com/x "//evil.example.com/x" api.example.com`, `[] []`, "false"},
		"a signed request": {"/merchant/orders/ab/refunds", "text/plain", nil,
			http.Header{"Authorization": {sigV4}, "X-Amz-Date": {"20130524T000000Z"}},
			`POST /merchant/orders/ab/refunds "/merchant/orders/ab/refunds" api.example.com`, `[] []`,
			"true arn:aws:iam::123456789012:user/AKIAIOSFODNN7EXAMPLE"},
		"a signature where nobody asks for one": {"/orders", "text/plain", nil,
			http.Header{"Authorization": {sigV4}, "X-Amz-Date": {"20130524T000000Z"}},
			`POST /orders "/orders" api.example.com`, `[] []`, "false"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", front.URL+c.path, bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(r.Header, c.header)
		r.Header.Set("Content-Type", c.contentType)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		h := resp.Header
		if err != nil || resp.StatusCode != 201 || !bytes.Equal(body, c.body) || h.Get("Content-Type") != c.contentType ||
			h.Get("X-Saw") != c.saw || h.Get("X-Saw-Headers") != c.sawHeaders || h.Get("X-Caller") != c.caller || len(h["Set-Cookie"]) != 2 {
			t.Errorf("%s: %d %q %v (%v)", name, resp.StatusCode, body, h, err)
		}
	}
}
