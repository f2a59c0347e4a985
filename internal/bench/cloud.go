package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// awsVariable says where a server listens that speaks AWS's protocol; tools/with-moto sets it.
const awsVariable = "XPAY_TEST_AWS"

var errNoAWS = errors.New("the Lambdas cannot be measured without a server that speaks AWS's protocol: tools/with-moto go run ./internal/bench")

// The mini-program of the Lambdas. These secrets open nothing.
const (
	cloudAppID     = "wx0123456789abcdef"
	cloudOfferID   = "1450000001"
	cloudAppSecret = "bench-app-secret"
	cloudAppKey    = "bench-app-key"
	cloudToken     = "benchtoken"
	cloudAESKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	cloudSealKey   = "benchbenchbenchbenchbenchbenchbenchbenchben"
	cloudRegion    = "us-east-1"
	cloudTimeout   = 30 * time.Second // more than template.yaml gives: a slow machine is no error here
	cloudMemoryMB  = 256
)

// cloud is a deployment on AWS as template.yaml makes one, with a WeChat: the built functions, each behind its own wires,
// in real time. WeChat's own pushes never leave; they are forged here.
type cloud struct {
	built     string // the folder of the executables
	aws       string // the server that speaks AWS's protocol
	wechat    string // the simulated WeChat
	sim       *wechatsim.Sim
	functions map[string]*function
	vars      map[string]string
	db        *dynamodb.Client
	gateway   lambdatest.Gateway
	closers   []func()
	serial    int
}

// function is a Lambda and the wires between it and the world.
type function struct {
	*lambdatest.Function
	aws, wechat *lambdatest.Wire
}

// newCloud deploys. Close takes everything down but tables, queue and secrets, which end with the server.
func newCloud(ctx context.Context, built string) (c *cloud, err error) {
	c = &cloud{built: built, aws: os.Getenv(awsVariable), functions: map[string]*function{}}
	if c.aws == "" {
		return nil, errNoAWS
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.sim, err = newSim(); err != nil {
		return nil, err
	}
	c.wechat = c.listen(c.sim)
	if err := c.resources(ctx); err != nil {
		return nil, err
	}
	for _, f := range awsenv.Functions() {
		if c.functions[f.Name], err = c.deploy(f); err != nil {
			return nil, err
		}
	}
	for _, r := range httpapi.Routes() {
		c.gateway.Routes = append(c.gateway.Routes, lambdatest.Route{
			Key: r.Method + " " + r.Path, Function: c.functions[r.Function], IAM: r.Auth == httpapi.AuthMerchant,
		})
	}
	return c, nil
}

func newSim() (*wechatsim.Sim, error) {
	return wechatsim.New(wechatsim.Config{
		AppID: cloudAppID, AppSecret: cloudAppSecret, OfferID: cloudOfferID, AppKeys: map[int]string{0: cloudAppKey},
		Goods: []wechatsim.Goods{{ID: product, Price: price}},
		Push:  wechatsim.Push{URL: "http://127.0.0.1:1/none", Token: cloudToken, EncodingAESKey: cloudAESKey, Mode: "aes"},
	})
}

// Close ends everything that newCloud started.
func (c *cloud) Close() {
	for _, closer := range slices.Backward(c.closers) {
		closer()
	}
}

// listen serves a handler on loopback until Close.
func (c *cloud) listen(h http.Handler) string {
	s := httptest.NewServer(h)
	c.closers = append(c.closers, s.Close)
	return s.URL
}

// resources makes tables, queue and secrets of its own, and the variables that lead to them.
func (c *cloud) resources(ctx context.Context) error {
	cfg := awstest.Config(c.aws)
	c.db = dynamodb.NewFromConfig(cfg)
	name := "bench-" + strings.ToLower(rand.Text()[:10])
	orders, expiring := name+"-orders", name+"-expiring"
	if err := errors.Join(tables.Create(ctx, c.db, orders), tables.CreateExpiring(ctx, c.db, expiring)); err != nil {
		return err
	}
	queue, err := sqs.NewFromConfig(cfg).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		return fmt.Errorf("create queue %s: %w", name, err)
	}
	c.vars = map[string]string{
		"XPAY_APP_ID": cloudAppID, "XPAY_OFFER_ID": cloudOfferID, "XPAY_ENV": "0",
		"XPAY_ORDERS_TABLE": orders, "XPAY_EXPIRING_TABLE": expiring, "XPAY_QUEUE_URL": *queue.QueueUrl,
	}
	for variable, value := range map[string]string{
		"XPAY_PUSH_SECRET":     fmt.Sprintf(`{"tokens":[%q],"aesKeys":[%q]}`, cloudToken, cloudAESKey),
		"XPAY_MERCHANT_SECRET": fmt.Sprintf(`{"appSecret":%q,"appKeys":{"production":%q,"sandbox":""}}`, cloudAppSecret, cloudAppKey),
		"XPAY_SEAL_SECRET":     fmt.Sprintf(`{"key":%q}`, cloudSealKey),
	} {
		secret := name + "-" + variable
		made, err := secretsmanager.NewFromConfig(cfg).CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &secret, SecretString: &value})
		if err != nil {
			return fmt.Errorf("create secret %s: %w", secret, err)
		}
		c.vars[variable] = *made.ARN
	}
	return nil
}

// deploy makes a function that is reached and reaches out through wires.
func (c *cloud) deploy(f awsenv.Function) (*function, error) {
	aws, err := lambdatest.NewWire(c.aws)
	if err != nil {
		return nil, err
	}
	wechat, err := lambdatest.NewWire(c.wechat)
	if err != nil {
		return nil, err
	}
	fn := lambdatest.New(c.config(f, c.listen(aws), c.listen(wechat)))
	c.closers = append(c.closers, fn.Stop)
	return &function{fn, aws, wechat}, nil
}

// config gives a function what template.yaml would.
func (c *cloud) config(f awsenv.Function, aws, wechat string) lambdatest.Config {
	vars := maps.Clone(c.vars)
	vars["AWS_ENDPOINT_URL"], vars["XPAY_WECHAT_URL"] = aws, wechat
	env := []string{"SSL_CERT_DIR=/nonexistent"} // one file with the roots, as there
	for _, s := range awsenv.Settings() {
		if value := vars[s.Name]; value != "" && (s.ReadBy == nil || s.ReadBy(f)) {
			env = append(env, s.Name+"="+value)
		}
	}
	return lambdatest.Config{
		Bootstrap: filepath.Join(c.built, f.Name), Name: f.Name, Env: env, Timeout: cloudTimeout, InitTimeout: cloudTimeout, MemoryMB: cloudMemoryMB,
	}
}

// fresh returns a name that was not used before.
func (c *cloud) fresh(prefix string) string {
	c.serial++
	return fmt.Sprintf("%s-%08d", prefix, c.serial)
}

// signature is the header of a request that AWS has to believe; lambdatest.Gateway looks at its shape.
var signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260301/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
	strings.Repeat("0", 64)

// send makes a request through the API and reads its answer. Headers come in pairs.
func (c *cloud) send(ctx context.Context, method, path string, body any, status int, into any, headers ...string) error {
	var raw []byte
	if body != nil {
		raw, _ = json.Marshal(body) // strings and numbers always marshal
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://api.example.com"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.RemoteAddr = "192.0.2.7:1"
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	answer, err := serve(&c.gateway, req, status)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// login logs a new user in.
func (c *cloud) login(ctx context.Context) (openID, token string, err error) {
	openID = c.fresh("o-user")
	var in struct {
		Token string `json:"token"`
	}
	err = c.send(ctx, "POST", "/login", map[string]string{"code": c.sim.Login(openID)}, http.StatusOK, &in)
	return openID, in.Token, err
}

func (c *cloud) create(ctx context.Context, token, key string, status int) (in created, err error) {
	err = c.send(ctx, "POST", "/orders", createBody{product, 1, ""}, status, &in, "Authorization", "Bearer "+token, "Idempotency-Key", key)
	return in, err
}

// buy makes a new user with an order.
func (c *cloud) buy(ctx context.Context) (bought, error) {
	openID, token, err := c.login(ctx)
	if err != nil {
		return bought{}, err
	}
	made, err := c.create(ctx, token, c.fresh("key"), http.StatusCreated)
	return bought{openID, token, made}, err
}

// buyPaid is buy, and the payment at WeChat's cashier.
func (c *cloud) buyPaid(ctx context.Context) (bought, error) {
	b, err := c.buy(ctx)
	if err != nil {
		return b, err
	}
	return b, payAt(c.sim, b)
}

func (c *cloud) poll(ctx context.Context, b bought) (in created, err error) {
	err = c.send(ctx, "GET", "/orders/"+b.Order.ID, nil, http.StatusOK, &in, "Authorization", "Bearer "+b.token)
	return in, err
}

// mustBe reads an order as the merchant, who changes nothing by it.
func (c *cloud) mustBe(ctx context.Context, id string, state order.State) error {
	var in created
	err := c.send(ctx, "GET", "/merchant/orders/"+id, nil, http.StatusOK, &in, "Authorization", signature, "X-Amz-Date", "20260301T020000Z")
	if err == nil && in.Order.State != state {
		err = fmt.Errorf("the order %s is %s, expected %s", id, in.Order.State, state)
	}
	return err
}

// push sends a forged push that says an order was paid: encrypted, or in plain.
func (c *cloud) push(ctx context.Context, b bought, aes bool) error {
	req, err := c.pushRequest(ctx, b, aes)
	if err != nil {
		return err
	}
	answer, err := serve(&c.gateway, req, http.StatusOK)
	if err == nil && !aes && !strings.Contains(string(answer), `"ErrCode":1`) {
		err = fmt.Errorf("the plain push was answered %q, expected a question for more", answer)
	}
	return err
}

func (c *cloud) pushRequest(ctx context.Context, b bought, aes bool) (*http.Request, error) {
	cfg := backend.Config{AppID: cloudAppID, Push: backend.PushSecrets{Tokens: []string{cloudToken}, AESKeys: []string{cloudAESKey}}}
	now := time.Now()
	q, body, err := forge(cfg, aes, now, goodsEvent(goodsJSON, b.openID, b.Order.ID, cfg.Env, now))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/wechat/push?"+q.Encode(), bytes.NewReader(body))
	if err == nil {
		req.RemoteAddr = "192.0.2.7:1"
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}

// work hands the worker one message about an order.
func (c *cloud) work(ctx context.Context, id string) error {
	event, err := json.Marshal(map[string]any{"Records": []map[string]any{{
		"messageId": "1", "body": `{"id":"` + order.DocID(id) + `"}`, "eventSource": "aws:sqs", "awsRegion": cloudRegion,
	}}})
	if err != nil {
		return err
	}
	answer, err := c.functions["reconcile"].Invoke(ctx, event)
	if err == nil && string(answer) != `{"batchItemFailures":[]}` {
		err = fmt.Errorf("the worker answers %s", answer)
	}
	return err
}

// tick is the schedule's minute; so many documents must be due.
func (c *cloud) tick(ctx context.Context, due int) error {
	answer, err := c.functions["sweep"].Invoke(ctx, lambdatest.ScheduledEvent("sweep", cloudRegion, time.Now()))
	if err == nil && string(answer) != fmt.Sprint(due) {
		err = fmt.Errorf("the sweep sent %s messages, expected %d", answer, due)
	}
	return err
}
