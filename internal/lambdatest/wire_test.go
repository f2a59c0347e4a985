package lambdatest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

// wire is a wire to a server that counts what reaches it, and where the wire listens.
func wire(t *testing.T) (w *lambdatest.Wire, url string, reached *atomic.Int64) {
	t.Helper()
	reached = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		reached.Add(1)
		w.Header().Set("X-Host", r.Host)
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+string(body))
	}))
	t.Cleanup(server.Close)
	w, err := lambdatest.NewWire(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(w)
	t.Cleanup(front.Close)
	return w, front.URL, reached
}

// ask posts to the wire; target is the X-Amz-Target.
func ask(t *testing.T, url, target string) (status int, body string, header http.Header, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "dynamodb.us-east-1.amazonaws.com"
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), resp.Header, err
}

func TestAWirePassesOnAndCounts(t *testing.T) {
	t.Parallel()
	w, url, _ := wire(t)
	status, body, header, err := ask(t, url+"/a%2Fb?c=%20", "")
	if err != nil || status != 202 || body != "POST /a%2Fb?c=%20 hello" || header.Get("X-Host") != "dynamodb.us-east-1.amazonaws.com" {
		t.Errorf("%d %s %v %v", status, body, header, err)
	}
	for _, target := range []string{
		"DynamoDB_20120810.GetItem", "DynamoDB_20120810.GetItem", "AmazonSQS.SendMessage", "secretsmanager.GetSecretValue",
	} {
		if _, _, _, err := ask(t, url, target); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{"/a/b": 1, "DynamoDB_20120810.GetItem": 2, "AmazonSQS.SendMessage": 1, "secretsmanager.GetSecretValue": 1}
	if diff := cmp.Diff(want, w.Counts()); diff != "" {
		t.Error(diff)
	}
	w.Reset()
	if n := len(w.Counts()); n != 0 {
		t.Errorf("%d operations are counted after a reset", n)
	}
}

func TestAWireBreaksWhatItIsToldTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   lambdatest.Fault
		status  int   // 0: the connection is cut
		reached int64 // what the server has seen
	}{
		"nothing":                {lambdatest.Fault{}, 202, 1},
		"throttled":              {lambdatest.Fault{Refuse: lambdatest.Throttled}, 400, 0},
		"another status":         {lambdatest.Fault{Refuse: &lambdatest.AWSError{Status: 500, Code: "InternalServerError"}}, 500, 0},
		"lost":                   {lambdatest.Fault{CutBefore: true}, 0, 0},
		"happened but not known": {lambdatest.Fault{CutAfter: true}, 0, 1},
		"hanging":                {lambdatest.Fault{Hang: true}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, url, reached := wire(t)
			w.Break(func(p lambdatest.Passing) lambdatest.Fault {
				if p != (lambdatest.Passing{Operation: "AmazonSQS.SendMessage", Body: "hello", N: 1, NOf: 1}) {
					t.Errorf("%+v", p)
				}
				w.Break(nil)
				return c.fault
			})
			status, body, header, err := ask(t, url, "AmazonSQS.SendMessage")
			if status != c.status || (err != nil) != (c.status == 0) || reached.Load() != c.reached {
				t.Errorf("status %d, error %v, %d requests reached the server", status, err, reached.Load())
			}
			if e := c.fault.Refuse; e != nil && (header.Get("X-Amzn-Errortype") != e.Code || !strings.Contains(body, `"__type":"`+e.Code+`"`)) {
				t.Errorf("%v %s", header, body)
			}
			if status, _, _, err := ask(t, url, "AmazonSQS.SendMessage"); status != 202 || err != nil {
				t.Errorf("the next request: %d %v", status, err)
			}
		})
	}
}

func TestAWireCallsBeforeAndAfterTheServer(t *testing.T) {
	t.Parallel()
	w, url, reached := wire(t)
	var before, after int64 = -1, -1
	w.Break(func(lambdatest.Passing) lambdatest.Fault {
		return lambdatest.Fault{Before: func() { before = reached.Load() }, After: func() { after = reached.Load() }}
	})
	if _, _, _, err := ask(t, url, ""); err != nil || before != 0 || after != 1 {
		t.Errorf("before %d, after %d, error %v", before, after, err)
	}
}

func TestTheOrdinalsCountAllAndEachOperation(t *testing.T) {
	t.Parallel()
	w, url, _ := wire(t)
	var got []lambdatest.Passing
	w.Break(func(p lambdatest.Passing) lambdatest.Fault { got = append(got, p); return lambdatest.Fault{} })
	for _, target := range []string{"a", "b", "a"} {
		if _, _, _, err := ask(t, url, target); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]lambdatest.Passing{{"a", "hello", 1, 1}, {"b", "hello", 2, 1}, {"a", "hello", 3, 2}}, got); diff != "" {
		t.Error(diff)
	}
}

// A request whose sender is killed while it waits has happened all the same.
func TestARequestOfAKilledProcessArrives(t *testing.T) {
	t.Parallel()
	w, url, reached := wire(t)
	f := function(t, "call", lambdatest.Config{Env: []string{"TARGET=" + url}})
	w.Break(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{Before: f.Kill} })
	failsWith(t, f, `{}`, "Runtime.ExitError", "signal: killed")
	eventually(t, "the request arrives", func() bool { return reached.Load() == 1 })
}

func TestAWireWithoutATargetIsRefused(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"", "127.0.0.1:5000", "http://", "://"} {
		if w, err := lambdatest.NewWire(target); err == nil || w != nil {
			t.Errorf("%q was taken", target)
		}
	}
}

// The SDK is the judge of whether the errors look like AWS's.
func TestTheSDKUnderstandsTheFaults(t *testing.T) {
	t.Parallel()
	w, err := lambdatest.NewWire(awstest.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(w)
	t.Cleanup(front.Close)
	client := sqs.NewFromConfig(awstest.Config(front.URL), func(o *sqs.Options) { o.RetryMaxAttempts = 1 })
	list := func() error {
		_, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: aws.String("none")})
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	w.Break(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{Refuse: lambdatest.Throttled} })
	var api smithy.APIError
	if err := list(); !errors.As(err, &api) || api.ErrorCode() != "ThrottlingException" || api.ErrorMessage() != "Rate exceeded" {
		t.Errorf("error %v", err)
	}
	w.Break(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{CutAfter: true} })
	if err := list(); err == nil || errors.As(err, &api) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(map[string]int{"AmazonSQS.ListQueues": 3}, w.Counts()); diff != "" {
		t.Error(diff)
	}
}
