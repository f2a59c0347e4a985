package bridge_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

var _ lambda.Handler = bridge.Function(nil)

// object is a JSON object in the making.
type object = map[string]any

// event is a small payload 2.0 event; the fields given replace those it has.
func event(t testing.TB, fields object) []byte {
	t.Helper()
	e := object{
		"version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
		"headers": object{"host": "api.example.com"},
		"requestContext": object{"stage": "$default", "domainName": "id.execute-api.us-east-1.amazonaws.com",
			"http": object{"method": "POST", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"}},
		"isBase64Encoded": false,
	}
	for name, value := range fields {
		e[name] = value
	}
	return encode(t, e)
}

// within puts fields into the requestContext of the small event.
func within(method, ip, stage string, more object) object {
	c := object{"stage": stage, "domainName": "id.execute-api.us-east-1.amazonaws.com",
		"http": object{"method": method, "protocol": "HTTP/1.1", "sourceIp": ip}}
	for name, value := range more {
		c[name] = value
	}
	return c
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// received invokes the bridge and returns the request as the handler saw it, and its body.
func received(t testing.TB, event []byte) (r *http.Request, body []byte) {
	t.Helper()
	h := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		r = req
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			t.Error(err)
		}
	})
	if _, err := bridge.HTTP(h, slog.New(slog.DiscardHandler)).Invoke(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if r == nil {
		t.Fatal("the handler was not called")
	}
	return r, body
}

// reply is a response in payload format 2.0, with names of its own.
type reply struct {
	StatusCode      int
	Headers         map[string]string
	Cookies         []string
	Body            string
	IsBase64Encoded *bool
}

func (r reply) bytes(t testing.TB) []byte {
	t.Helper()
	if !*r.IsBase64Encoded {
		return []byte(r.Body)
	}
	raw, err := base64.StdEncoding.DecodeString(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// answered invokes the bridge with a handler and returns the reply and the log.
func answered(t testing.TB, event []byte, h http.HandlerFunc) (reply, string) {
	t.Helper()
	var log bytes.Buffer
	raw, err := bridge.HTTP(h, slog.New(slog.NewJSONHandler(&log, nil))).Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	var out reply
	if err := json.Unmarshal(raw, &out); err != nil || out.IsBase64Encoded == nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return out, log.String()
}

func TestTheEventThatAWSDocumentsBecomesItsRequest(t *testing.T) {
	t.Parallel()
	r, body := received(t, file(t, "apigw-v2-request-iam.json"))
	got := []any{r.Method, r.URL.Path, r.RequestURI, r.Host, r.Proto, r.ContentLength, string(body), r.Header}
	want := []any{
		"GET", "/my/path", "/my/path?parameter1=value1&parameter1=value2&parameter2=value",
		"id.execute-api.us-east-1.amazonaws.com", "HTTP/1.1", int64(13), "{\r\n\t\"a\": 1\r\n}",
		http.Header{"Header1": {"value1"}, "Header2": {"value2"}, "Cookie": {"cookie1; cookie2"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The pairs were sent to a live HTTP API, and captured behind it, by the authors of github.com/hotsock/voker.
func TestThePathIsTakenAsAPIGatewayDecodedIt(t *testing.T) {
	t.Parallel()
	for rawPath, escaped := range map[string]string{
		"/capture/plain":         "/capture/plain",
		"/capture/space value":   "/capture/space%20value",
		"/capture/hash#value":    "/capture/hash%23value",
		"/capture/slash/value":   "/capture/slash/value",
		"/capture/unicode-λ-世界":  "/capture/unicode-%CE%BB-%E4%B8%96%E7%95%8C",
		"/capture/literal?value": "/capture/literal%3Fvalue",
		"/capture/literal%value": "/capture/literal%25value",
		"/capture/%2Fvalue":      "/capture/%252Fvalue", // what is left of %25252F
	} {
		r, _ := received(t, event(t, object{"rawPath": rawPath, "rawQueryString": "a=%2F"}))
		if r.URL.Path != rawPath || r.URL.EscapedPath() != escaped || r.RequestURI != escaped+"?a=%2F" {
			t.Errorf("%s: path %s, escaped %s, URI %s", rawPath, r.URL.Path, r.URL.EscapedPath(), r.RequestURI)
		}
	}
}

func TestARequestIsWhatNetHTTPWouldHaveParsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields object
		got    func(*http.Request) any
		want   any
	}{
		"the query is verbatim": {object{"rawQueryString": "b=2&a=%2b+%20&b=1&&c"},
			func(r *http.Request) any { return r.URL.RawQuery + " " + r.RequestURI }, "b=2&a=%2b+%20&b=1&&c /?b=2&a=%2b+%20&b=1&&c"},
		"two slashes in front name no host": {object{"rawPath": "//evil.example.com/x"},
			func(r *http.Request) any { return []string{r.Host, r.URL.Host, r.URL.Path} },
			[]string{"api.example.com", "", "//evil.example.com/x"}},
		"an absolute URI in the path names no host": {object{"rawPath": "http://evil.example.com/x"},
			func(r *http.Request) any { return []string{r.Host, r.URL.Host, r.URL.Path} },
			[]string{"api.example.com", "", "/http://evil.example.com/x"}},
		"no path is the root": {object{"rawPath": ""}, func(r *http.Request) any { return r.URL.Path }, "/"},
		"the stage is no part of the path": {object{"rawPath": "/prod/orders", "requestContext": within("GET", "", "prod", nil)},
			func(r *http.Request) any { return r.URL.Path }, "/orders"},
		"the stage alone is the root": {object{"rawPath": "/prod", "requestContext": within("GET", "", "prod", nil)},
			func(r *http.Request) any { return r.URL.Path }, "/"},
		"a path that only begins like the stage keeps it": {
			object{"rawPath": "/products", "requestContext": within("GET", "", "prod", nil)},
			func(r *http.Request) any { return r.URL.Path }, "/products"},
		"the default stage is in no path": {object{"rawPath": "/$default/orders"},
			func(r *http.Request) any { return r.URL.Path }, "/$default/orders"},
		"joined duplicates stay one value": {object{"headers": object{"x-twice": "first,second", "HOST": "h"}},
			func(r *http.Request) any { return r.Header }, http.Header{"X-Twice": {"first,second"}}},
		"cookies are one header": {object{"cookies": []string{"session=abc123", "theme=dark"}},
			func(r *http.Request) any { return r.Header["Cookie"] }, []string{"session=abc123; theme=dark"}},
		"cookies that came twice count once": {object{"cookies": []string{"a=1"}, "headers": object{"cookie": "a=1"}},
			func(r *http.Request) any { return r.Header["Cookie"] }, []string{"a=1"}},
		"the host header": {object{}, func(r *http.Request) any { return r.Host + r.Header.Get("Host") }, "api.example.com"},
		"without a host header the domain": {object{"headers": nil},
			func(r *http.Request) any { return r.Host }, "id.execute-api.us-east-1.amazonaws.com"},
		"an address has a port": {object{}, func(r *http.Request) any { return r.RemoteAddr }, "192.0.2.7:0"},
		"an IPv6 address has brackets": {object{"requestContext": within("GET", "2001:db8::7", "", nil)},
			func(r *http.Request) any { return r.RemoteAddr }, "[2001:db8::7]:0"},
		"the protocol": {object{"requestContext": object{"http": object{"method": "PUT", "protocol": "HTTP/2.0"}}},
			func(r *http.Request) any { return []any{r.Method, r.Proto, r.ProtoMajor, r.ProtoMinor} }, []any{"PUT", "HTTP/2.0", 2, 0}},
		"a protocol of no sense is HTTP/1.1": {object{"requestContext": object{"http": object{"method": "PUT", "protocol": "x"}}},
			func(r *http.Request) any { return []any{r.Proto, r.ProtoMajor, r.ProtoMinor} }, []any{"HTTP/1.1", 1, 1}},
		"no body is empty, never nil": {object{},
			func(r *http.Request) any { return []any{r.Body == http.NoBody, r.ContentLength} }, []any{true, int64(0)}},
		"the length is that of the decoded body": {object{"body": "AP8A", "isBase64Encoded": true},
			func(r *http.Request) any { return r.ContentLength }, int64(3)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := received(t, event(t, c.fields))
			if diff := cmp.Diff(c.want, c.got(r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestABinaryBodyIsDecodedInFull(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte{0, 0xff, '<', 'a'}, 1<<18)
	_, body := received(t, event(t, object{"body": base64.StdEncoding.EncodeToString(want), "isBase64Encoded": true}))
	if !bytes.Equal(body, want) {
		t.Errorf("%d bytes arrived, want %d equal ones", len(body), len(want))
	}
}

func TestABodyThatIsNotItsBase64IsTheCallersMistake(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"a", "ab=c", "YQ", "Y Q==", "*"} {
		out, log := answered(t, event(t, object{"body": body, "isBase64Encoded": true}), func(http.ResponseWriter, *http.Request) {
			t.Errorf("%q reached the handler", body)
		})
		var answer struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(out.Body), &answer); err != nil {
			t.Fatal(err)
		}
		if out.StatusCode != 400 || answer.Error.Code != "invalid" || answer.Error.Message == "" || log != "" {
			t.Errorf("%q: %+v, log %s", body, out, log)
		}
	}
}

func TestTheHandlerHasTheDeadlineAndTheValuesOfTheInvocation(t *testing.T) {
	t.Parallel()
	type key struct{}
	at := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(context.WithValue(t.Context(), key{}, "value"), at)
	defer cancel()
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if d, ok := r.Context().Deadline(); !ok || !d.Equal(at) || r.Context().Value(key{}) != "value" {
			t.Error(d, ok, r.Context().Value(key{}))
		}
	})
	if _, err := bridge.HTTP(h, slog.New(slog.DiscardHandler)).Invoke(ctx, event(t, nil)); err != nil {
		t.Error(err)
	}
}

func TestOnlyAPIGatewayMakesACaller(t *testing.T) {
	t.Parallel()
	signed := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=00"
	r, _ := received(t, file(t, "apigw-v2-request-iam.json"))
	want := bridge.Identity{AccountID: "1234567890", UserARN: "arn:aws:iam::1234567890:user/Admin", UserID: "AROA2ZJZYVRE7Y3TUXHH6"}
	if got, ok := bridge.Caller(r.Context()); !ok || got != want {
		t.Errorf("%+v %v, want %+v", got, ok, want)
	}
	for name, raw := range map[string][]byte{
		"no authorizer":                     file(t, "apigw-v2-request-no-authorizer.json"),
		"a Lambda authorizer":               file(t, "apigw-v2-request-lambda-authorizer.json"),
		"a signature nobody verified":       event(t, object{"headers": object{"authorization": signed}}),
		"a header that claims to be one":    event(t, object{"headers": object{"x-amzn-iam": "arn:aws:iam::1:user/a"}}),
		"an authorizer of another name":     authorized(t, object{"lambda": object{"iam": object{"accountId": "1", "userArn": "a"}}}),
		"an empty identity":                 authorized(t, object{"iam": object{"accountId": "", "userArn": ""}}),
		"an identity without a user":        authorized(t, object{"iam": object{"accountId": "1"}}),
		"an authorizer beside the context":  event(t, object{"authorizer": object{"iam": object{"accountId": "1", "userArn": "a"}}}),
		"an identity that is null":          authorized(t, object{"iam": nil}),
		"a body that looks like an context": event(t, object{"body": `{"requestContext":{"authorizer":{"iam":{"accountId":"1"}}}}`}),
	} {
		r, _ := received(t, raw)
		if got, ok := bridge.Caller(r.Context()); ok || got != (bridge.Identity{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func authorized(t *testing.T, authorizer object) []byte {
	t.Helper()
	return event(t, object{"requestContext": within("GET", "192.0.2.7", "$default", object{"authorizer": authorizer})})
}

func TestAReplyIsWhatTheHandlerWrote(t *testing.T) {
	t.Parallel()
	text, binary := new(bool), new(bool)
	*binary = true
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  reply
	}{
		"nothing is 200": {func(http.ResponseWriter, *http.Request) {},
			reply{StatusCode: 200, Headers: map[string]string{}, IsBase64Encoded: text}},
		"status, headers and text": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "24")
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"name":"Zoë & <b>\u2028"}`)
		}, reply{StatusCode: 201, Headers: map[string]string{"Content-Type": "application/json"}, IsBase64Encoded: text,
			Body: `{"name":"Zoë & <b>\u2028"}`}},
		"bytes that are no text are base64": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{0x89, 'P', 'N', 'G'})
		}, reply{StatusCode: 200, Headers: map[string]string{"Content-Type": "image/png"}, IsBase64Encoded: binary, Body: "iVBORw=="}},
		"values are joined, cookies are apart": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Vary"] = []string{"Origin", "Accept"}
			w.Header()["Set-Cookie"] = []string{"a=1; Path=/", "b=2"}
			w.WriteHeader(http.StatusFound)
		}, reply{StatusCode: 302, Headers: map[string]string{"Vary": "Origin, Accept"}, IsBase64Encoded: text,
			Cookies: []string{"a=1; Path=/", "b=2"}}},
		"the first status counts, later headers do not": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
			w.Header().Set("X-Late", "1")
			w.WriteHeader(http.StatusInternalServerError)
		}, reply{StatusCode: 202, Headers: map[string]string{}, IsBase64Encoded: text}},
		"a body without a type gets the one it looks like": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html></html>")
		}, reply{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/html; charset=utf-8"}, IsBase64Encoded: text,
			Body: "<html></html>"}},
		"a type that the handler does not want": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "x")
		}, reply{StatusCode: 200, Headers: map[string]string{}, IsBase64Encoded: text, Body: "x"}},
		"no content has no body": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("error %v", err)
			}
		}, reply{StatusCode: 204, Headers: map[string]string{}, IsBase64Encoded: text}},
		"one header stays one": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/a\r\nSet-Cookie: b=1")
			w.WriteHeader(http.StatusFound)
		}, reply{StatusCode: 302, Headers: map[string]string{"Location": "/a  Set-Cookie: b=1"}, IsBase64Encoded: text}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := answered(t, event(t, nil), c.serve)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheAnswerToAHEADHasNoBody(t *testing.T) {
	t.Parallel()
	got, _ := answered(t, event(t, object{"requestContext": within("HEAD", "", "", nil)}), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if n, err := io.WriteString(w, "hello"); n != 5 || err != nil {
			t.Error(n, err)
		}
	})
	if got.StatusCode != 200 || got.Body != "" || got.Headers["Content-Type"] != "text/plain" {
		t.Errorf("%+v", got)
	}
}

// Lambda's own words: "Response payload size exceeded maximum allowed payload size (6291556 bytes)".
func TestAReplyThatLambdaCannotReturnIsAClearError(t *testing.T) {
	t.Parallel()
	const head = `{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":"","isBase64Encoded":false}`
	for name, c := range map[string]struct {
		size, status int
		fill         string
	}{
		"the largest that fits":      {6_291_556 - len(head), 200, "x"},
		"one byte more":              {6_291_556 - len(head) + 1, 500, "x"},
		"binary grows by a third":    {4_800_000, 500, "\xff"},
		"far more than it can be":    {7_500_000, 500, "x"},
		"escapes count, too":         {3_200_000, 500, "\n"},
		"a sign of HTML is one byte": {1_100_000, 200, "<"},
	} {
		out, log := answered(t, event(t, nil), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			piece := strings.Repeat(c.fill, 50_000)
			for left := c.size; left > 0; left -= len(piece) {
				w.Write([]byte(piece[:min(left, len(piece))])) // the error of a full buffer is not this handler's concern
			}
		})
		if out.StatusCode != c.status || (log != "") != (c.status == 500) {
			t.Errorf("%s: status %d, want %d; log %s", name, out.StatusCode, c.status, log)
		}
		if c.status == 500 && !strings.Contains(out.Body, "6 MB") {
			t.Errorf("%s: %.100s", name, out.Body)
		}
	}
}

func TestAPanicIsA500AndTheProcessGoesOn(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"a panic": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Half", "1")
			io.WriteString(w, "half of a reply")
			panic("broken invariant")
		},
		"a cut connection":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"an impossible status":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(42) },
		"a path that is shorter": func(_ http.ResponseWriter, r *http.Request) { _ = strings.Split(r.URL.Path, "/")[7] },
	} {
		out, log := answered(t, event(t, object{"body": "the-body"}), h)
		const want = `{"error":{"code":"internal","message":"an error on our side; nothing that was stored is lost"}}`
		if out.StatusCode != 500 || out.Body != want || out.Headers["X-Half"] != "" {
			t.Errorf("%s: %+v", name, out)
		}
		var line struct{ Level, Msg, Panic, Stack string }
		if err := json.Unmarshal([]byte(log), &line); err != nil || line.Level != "ERROR" || line.Panic == "" || line.Stack == "" {
			t.Errorf("%s: log %s (%v)", name, log, err)
		}
		if strings.Contains(log, "the-body") {
			t.Errorf("%s: the log holds the body", name)
		}
	}
}
