package dynamo_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
)

// server leads to the DynamoDB under test: the one that XPAY_TEST_DYNAMODB names ("aws", or an address; see
// tools/test-dynamodb), else the server that awstest knows.
func server(t testing.TB) aws.Config {
	t.Helper()
	endpoint := os.Getenv("XPAY_TEST_DYNAMODB")
	if endpoint == "" {
		return awstest.Config(awstest.Endpoint(t))
	}
	cfg := awstest.Config(endpoint)
	if endpoint == "aws" {
		cfg.BaseEndpoint = nil
	}
	cfg.Region = cmp.Or(os.Getenv("AWS_REGION"), cfg.Region)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), "test"),
			SecretAccessKey: cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "test"),
			SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		}, nil
	})
	return cfg
}

// lag is how long the indexes under test may lag: those of a server on this machine do not.
func lag() time.Duration {
	if os.Getenv("XPAY_TEST_DYNAMODB") == "aws" {
		return 20 * time.Second
	}
	return 0
}

// world is a pair of tables, the store on them, and the wire between.
type world struct {
	*wire
	store  *dynamo.Store
	client *dynamodb.Client // past the wire: what it sends is not counted
	tables dynamo.Tables
	cfg    aws.Config

	mu  sync.Mutex
	now time.Time
}

// newWorld creates two tables, and deletes them when the test ends.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{wire: &wire{}, cfg: server(t), now: start}
	w.client = dynamodb.NewFromConfig(w.cfg)
	run := "xpay-test-" + strings.ToLower(rand.Text())
	w.tables = dynamo.Tables{
		Orders: run + "-orders", Expiring: run + "-expiring",
		ExpiringKinds: []store.Kind{"token", "user", "accesstoken", "evidence"},
	}
	t.Cleanup(func() {
		for _, name := range []string{w.tables.Orders, w.tables.Expiring} {
			if _, err := w.client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
				t.Errorf("table %s was left behind: %v", name, err)
			}
		}
	})
	if err := tables.Create(t.Context(), w.client, w.tables.Orders); err != nil {
		t.Fatal(err)
	}
	if err := tables.CreateExpiring(t.Context(), w.client, w.tables.Expiring); err != nil {
		t.Fatal(err)
	}
	w.store = w.open()
	return w
}

// open returns a store on the same tables; tune changes its client.
func (w *world) open(tune ...func(*dynamodb.Options)) *dynamo.Store {
	tune = append([]func(*dynamodb.Options){func(o *dynamodb.Options) { o.HTTPClient = w.wire }}, tune...)
	return dynamo.New(dynamodb.NewFromConfig(w.cfg, tune...), w.tables, w.clock)
}

var start = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) setNow(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

// offline returns a world in which every request must be answered by the plan.
func offline() *world {
	w := &world{wire: &wire{}, cfg: awstest.Config("http://127.0.0.1:1"), now: start}
	w.tables = dynamo.Tables{Orders: "xpay-orders", Expiring: "xpay-expiring", ExpiringKinds: []store.Kind{"token"}}
	w.store = w.open()
	return w
}

// fault is what happens to one request: an answer in place of the server's, or none, once the server has done what it
// was asked (happened) or before it was asked.
type fault struct {
	happened bool
	answer   func(*http.Request) (*http.Response, error)
}

// wire is the HTTP client of a store. It counts what is sent and makes the planned faults.
type wire struct {
	mu    sync.Mutex
	sent  map[string]int
	plan  []fault // for the next requests, in turn
	conns http.Client
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	f := w.next(r)
	if f.answer == nil {
		return w.conns.Do(r)
	}
	if f.happened {
		resp, err := w.conns.Do(r.Clone(r.Context()))
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
	}
	return f.answer(r)
}

func (w *wire) next(r *http.Request) (f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if w.sent == nil {
		w.sent = map[string]int{}
	}
	w.sent[operation]++
	if len(w.plan) > 0 {
		f, w.plan = w.plan[0], w.plan[1:]
	}
	return f
}

// answer answers a request with what DynamoDB might have said.
func answer(status int, body string) fault {
	return fault{answer: func(r *http.Request) (*http.Response, error) {
		header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}}
}

// broken breaks the connection before the answer.
func broken() fault {
	return fault{answer: func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }}
}

// take returns how many requests of each operation were sent since the last take.
func (w *wire) take() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.sent
	w.sent = nil
	return sent
}
