package awsenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
)

var discard = slog.New(slog.DiscardHandler)

const (
	token1, token2 = "hunter2-token-one", "hunter2-token-two"
	aesKey1        = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG" // of spec vector V8
	aesKey2        = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" // and of C6
	pushSecret     = `{"tokens":["` + token1 + `"],"aesKeys":["` + aesKey1 + `"]}`
	merchantSecret = `{"appSecret":"hunter2-appsecret","appKeys":{"production":"hunter2-appkey","sandbox":""}}`
	sessionToken   = "hunter2-session"
	sealSecret     = `{"key":"hunter2hunter2hunter2hunter2hunter2hunter2h"}`
)

// world is an AWS with everything a function needs, behind a door that counts and can be told to fail.
type world struct {
	*testing.T
	vars    map[string]string
	secrets *secretsmanager.Client

	deciding sync.Mutex // held while fault is asked

	mu     sync.Mutex
	counts map[string]int // by operation
	fault  func(operation string) (status int, body string)
	hidden string // the answer to whoever asks for the version before the current one; "" lets him have it
}

// newWorld makes tables, a queue and secrets of its own.
func newWorld(t *testing.T) *world {
	t.Helper()
	behind, err := url.Parse(awstest.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, counts: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	door := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Security-Token") != sessionToken {
			t.Error("a call without the role's session token: no Lambda could make it")
		}
		asked, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(asked))
		status, body := w.pass(r.Header.Get("X-Amz-Target"))
		if hidden := w.hides(asked); hidden != "" && status == 0 {
			status, body = http.StatusBadRequest, hidden
			if strings.Contains(hidden, "Internal") {
				status = http.StatusInternalServerError
			}
		}
		if status != 0 {
			rw.Header().Set("Content-Type", "application/x-amz-json-1.0")
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(door.Close)
	cfg := awstest.Config(behind.String())
	name := "env-" + strings.ToLower(rand.Text()[:10])
	db := dynamodb.NewFromConfig(cfg)
	for _, table := range []string{name + "-orders", name + "-expiring"} {
		if err := tables.Create(t.Context(), db, table); err != nil {
			t.Fatal(err)
		}
	}
	made, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	w.secrets = secretsmanager.NewFromConfig(cfg)
	goods := t.TempDir()
	if err := os.WriteFile(filepath.Join(goods, goodsFile), []byte("products: [{id: vip, name: VIP, price: 100, kind: durable}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.vars = map[string]string{
		"XPAY_APP_ID": "wx0123456789abcdef", "XPAY_OFFER_ID": "1450000001", "XPAY_ENV": "0",
		"XPAY_ORDERS_TABLE": name + "-orders", "XPAY_EXPIRING_TABLE": name + "-expiring", "XPAY_QUEUE_URL": aws.ToString(made.QueueUrl),
		"XPAY_PUSH_SECRET": w.secret(name+"-push", pushSecret), "XPAY_MERCHANT_SECRET": w.secret(name+"-merchant", merchantSecret),
		"XPAY_SEAL_SECRET": w.secret(name+"-seal", sealSecret),
		"AWS_REGION":       "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": sessionToken,
		"AWS_ENDPOINT_URL": door.URL, "LAMBDA_TASK_ROOT": goods,
	}
	return w
}

// pass counts an operation and says whether the door fails it.
func (w *world) pass(target string) (int, string) {
	_, operation, _ := strings.Cut(target, ".")
	w.mu.Lock()
	w.counts[operation]++
	fault := w.fault
	w.mu.Unlock()
	if fault == nil {
		return 0, ""
	}
	w.deciding.Lock()
	defer w.deciding.Unlock()
	return fault(operation)
}

// hides returns the answer to a question for the version before the current one; "" when it is another question.
func (w *world) hides(asked []byte) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !bytes.Contains(asked, []byte(`"`+stagePrevious+`"`)) {
		return ""
	}
	return w.hidden
}

// hide makes the versions before the current ones unreadable; "" ends it.
func (w *world) hide(body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hidden = body
}

// fail makes the door answer some operations with an error of AWS; nil ends it.
func (w *world) fail(fault func(operation string) (int, string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// taken returns the operations since the last call.
func (w *world) taken() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.counts
	w.counts = map[string]int{}
	return taken
}

func (w *world) secret(name, value string) (arn string) {
	w.Helper()
	in := &secretsmanager.CreateSecretInput{Name: &name}
	if value != "" {
		in.SecretString = &value
	}
	out, err := w.secrets.CreateSecret(w.Context(), in)
	if err != nil {
		w.Fatal(err)
	}
	return aws.ToString(out.ARN)
}

// rotate gives the secret behind a variable a new value.
func (w *world) rotate(variable, value string) {
	w.Helper()
	id := w.vars[variable]
	if _, err := w.secrets.PutSecretValue(w.Context(), &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &value}); err != nil {
		w.Fatal(err)
	}
}

// with is the environment with some variables changed.
func (w *world) with(change map[string]string) func(string) string {
	vars := maps.Clone(w.vars)
	maps.Copy(vars, change)
	return func(name string) string { return vars[name] }
}

func (w *world) open(function string) *Env {
	w.Helper()
	e, err := Open(w.Context(), function, w.with(nil), discard)
	if err != nil {
		w.Fatal(err)
	}
	e.secrets.wait = time.Minute // a busy machine is no outage
	return e
}

// refused opens a function that must not start, and returns why. No secret is in the reasons.
func (w *world) refused(function string, change map[string]string) []string {
	w.Helper()
	e, err := Open(context.WithoutCancel(w.Context()), function, w.with(change), discard)
	if err == nil || e != nil {
		w.Fatalf("%s starts", function)
	}
	var problems []string
	for _, p := range joined(err) {
		problems = append(problems, p.Error())
	}
	if all := strings.Join(problems, "\n"); strings.Contains(all, "hunter2") || strings.Contains(all, aesKey1) {
		w.Errorf("a secret shows: %s", all)
	}
	return problems
}
