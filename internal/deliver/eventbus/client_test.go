package eventbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/deliver/eventbus"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// door is an HTTP client that sends nothing.
type door func(*http.Request) (*http.Response, error)

func (d door) Do(r *http.Request) (*http.Response, error) { return d(r) }

func answer(status int, body string, header ...string) (*http.Response, error) {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp, nil
}

// inBeijing are AWS's example keys in a region of China.
func inBeijing(client door) aws.Config {
	return aws.Config{Region: "cn-north-1", HTTPClient: client, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "a-session-token"}, nil
	})}
}

const beijing = "https://events.cn-north-1.amazonaws.com.cn"

func shop(client door) func(context.Context, order.Delivery) error {
	return eventbus.Open(inBeijing(client), beijing, "shop", time.Now)
}

func operationOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSEvents.")
}

// TestACallIsSignedAsAWSDoes compares with the signature that botocore 1.44.5 (SigV4Auth) makes of the same request.
func TestACallIsSignedAsAWSDoes(t *testing.T) {
	t.Parallel()
	const want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260301/cn-north-1/events/aws4_request, " +
		"SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-security-token;x-amz-target, " +
		"Signature=ec4ddf14dcb5d93932e6e1c3f8260cadb0df1d46ac1f4cc5a561751871b43cf7"
	for _, endpoint := range []string{beijing, beijing + "/"} {
		var asked *http.Request
		tell := eventbus.Open(inBeijing(func(r *http.Request) (*http.Response, error) {
			asked = r
			return answer(http.StatusForbidden, "")
		}), endpoint, "shop", func() time.Time { return time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC) })
		if err := tell(t.Context(), paid()); err == nil {
			t.Error("a refusal is no error")
		}
		body, err := io.ReadAll(asked.Body)
		if err != nil || string(body) != `{"Name":"shop"}` || asked.Method != "POST" || asked.URL.String() != beijing+"/" {
			t.Errorf("%s %s: %s, %v", asked.Method, asked.URL, body, err)
		}
		sent := map[string]string{}
		for name := range asked.Header {
			sent[name] = asked.Header.Get(name)
		}
		if diff := cmp.Diff(map[string]string{
			"Authorization": want, "X-Amz-Date": "20260301T020000Z", "X-Amz-Security-Token": "a-session-token",
			"X-Amz-Target": "AWSEvents.DescribeEventBus", "Content-Type": "application/x-amz-json-1.1", "User-Agent": "xpay-serverless",
		}, sent); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

// TestAnEventIsPutAsAWSsOwnClientPutsIt compares what is sent with what the client of AWS's SDK sends.
func TestAnEventIsPutAsAWSsOwnClientPutsIt(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{
		"a full second":     time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC),
		"a millisecond":     time.Date(2026, 3, 1, 2, 0, 0, 7_000_000, time.UTC),
		"another time zone": time.Date(2026, 3, 1, 10, 0, 0, 250_000_000, time.FixedZone("CST", 8*3600)),
	} {
		type put struct{ method, url, target, content, body string }
		var puts []put
		client := door(func(r *http.Request) (*http.Response, error) {
			if operationOf(r) == "DescribeEventBus" {
				return answer(http.StatusOK, there)
			}
			body, err := io.ReadAll(r.Body)
			puts = append(puts, put{r.Method, r.URL.String(), r.Header.Get("X-Amz-Target"), r.Header.Get("Content-Type"), sorted(t, body)})
			if err != nil {
				t.Error(err)
			}
			return answer(http.StatusOK, taken)
		})
		d := paid()
		d.Event.At = at
		if err := shop(client)(t.Context(), d); err != nil || len(puts) != 1 {
			t.Fatalf("%s: %v, %d calls", name, err, len(puts))
		}
		var sent struct{ Entries []struct{ Detail string } }
		if err := json.Unmarshal([]byte(puts[0].body), &sent); err != nil || len(sent.Entries) != 1 {
			t.Fatalf("%s: %s", name, puts[0].body)
		}
		_, err := eventbridge.NewFromConfig(inBeijing(client)).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
			EventBusName: aws.String("shop"), Source: aws.String("xpay-serverless"), DetailType: aws.String("order.paid"), Detail: &sent.Entries[0].Detail, Time: &at,
		}}})
		if err != nil || len(puts) != 2 {
			t.Fatalf("%s: %v, %d calls", name, err, len(puts))
		}
		if puts[0] != puts[1] {
			t.Errorf("%s:\nours: %+v\nAWS's: %+v", name, puts[0], puts[1])
		}
	}
}

// sorted is JSON with its names in order.
func sorted(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWhatMayPassIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	cut := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		fail  func() (*http.Response, error)
		tries int // when every try ends so
		why   string
	}{
		"the connection breaks": {func() (*http.Response, error) { return nil, cut }, 2, "connection reset by peer"},
		"the answer breaks off": {func() (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"Fai`), broken{cut}))}, nil
		}, 2, "connection reset by peer"},
		"AWS fails":             {func() (*http.Response, error) { return answer(500, `{"__type":"InternalException"}`) }, 2, "status 500, InternalException"},
		"a proxy fails":         {func() (*http.Response, error) { return answer(503, "<html>hunter2</html>") }, 2, "status 503, without a reason"},
		"it is throttled":       {func() (*http.Response, error) { return answer(400, `{"__type":"ThrottlingException"}`) }, 2, "status 400, ThrottlingException"},
		"too many ask":          {func() (*http.Response, error) { return answer(429, "") }, 2, "status 429"},
		"it is forbidden":       {func() (*http.Response, error) { return answer(400, `{"__type":"AccessDeniedException"}`) }, 1, "status 400, AccessDeniedException"},
		"it has moved":          {func() (*http.Response, error) { return answer(301, "") }, 1, "status 301"},
		"it is not EventBridge": {func() (*http.Response, error) { return answer(200, "hunter2") }, 1, "PutEvents is not the JSON object"},
	} {
		tries, failing := 0, 99
		tell := shop(func(r *http.Request) (*http.Response, error) {
			if operationOf(r) == "DescribeEventBus" {
				return answer(http.StatusOK, there)
			}
			if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), "order.paid") {
				t.Errorf("%s: try %d sends %q, %v", name, tries, body, err)
			}
			if tries++; tries <= failing {
				return c.fail()
			}
			return answer(http.StatusOK, taken)
		})
		err := tell(t.Context(), paid())
		if tries != c.tries || err == nil || !strings.Contains(err.Error(), c.why) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s every time: %d tries, %v", name, tries, err)
		}
		tries, failing = 0, 1
		if err := tell(t.Context(), paid()); tries != c.tries || (err == nil) != (c.tries == 2) {
			t.Errorf("%s once: %d tries, %v", name, tries, err)
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestNothingIsTriedAgainWhenTheTimeIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := shop(func(r *http.Request) (*http.Response, error) {
		tries++
		cancel()
		return nil, r.Context().Err()
	})(ctx, paid())
	if !errors.Is(err, context.Canceled) || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// The forms are those of Smithy's specification of the AWS JSON protocols, "Operation error serialization".
func TestAnAbsentBusIsKnownInEveryFormOfTheException(t *testing.T) {
	t.Parallel()
	const plain = "ResourceNotFoundException"
	for _, form := range []string{
		plain, plain + ":http://internal.amazon.com/coral/com.amazon.coral.validate/",
		"com.amazonaws.eventbridge#" + plain, "com.amazonaws.eventbridge#" + plain + ":http://internal.amazon.com/coral/com.amazon.coral.validate/",
	} {
		for where, respond := range map[string]door{
			"header": func(*http.Request) (*http.Response, error) { return answer(400, "", "x-amzn-errortype", form) },
			"body": func(*http.Request) (*http.Response, error) {
				return answer(400, `{"__type":"`+form+`","message":"hunter2"}`)
			},
		} {
			if err := shop(respond)(t.Context(), paid()); err == nil || !strings.Contains(err.Error(), "does not exist") {
				t.Errorf("%s in the %s: %v", form, where, err)
			}
		}
	}
}
