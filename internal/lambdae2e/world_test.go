package lambdae2e_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// The mini-program of these tests. Every secret is a word that can be searched for.
const (
	appID     = "wxlambda000000001"
	appSecret = "hunter2-app-secret"
	appKey    = "hunter2-app-key"
	pushToken = "hunter2pushtoken"
	aesKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	sealKey   = "hunter2hunter2hunter2hunter2hunter2hunter2h"
	stackName = "xpay-e2e"
	goods     = `products: [{id: vip_month, name: 月度会员, price: 1800, kind: durable}]`
	price     = 1800

	callbackTimeout = 4 * time.Second // as in template.yaml
	workerTimeout   = 30 * time.Second
	otherTimeout    = 10 * time.Second
)

// built is the folder of the bootstraps: built/<function>/bootstrap with goods.yaml beside it.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if idle := used.idle(targetRoles["webhook"], targetRoles["eventbus"]); code == 0 && whole() && len(idle) > 0 {
		fmt.Fprintf(os.Stderr, "template.yaml grants what no test needs: take it away, or test what needs it\n\t%s\n", strings.Join(idle, "\n\t"))
		code = 1
	}
	os.RemoveAll(built)
	os.Exit(code)
}

// whole reports whether the suite ran with nothing left out.
func whole() bool {
	all := func(name string) bool { return flag.Lookup("test."+name).Value.String() == "" }
	return all("run") && all("skip") && all("list") && !testing.Short() && os.Getenv("XPAY_TEST_AWS") != ""
}

// build makes the bootstraps with the flags of the deployment, for this machine, and with a clock that can be set ahead.
func build() (string, error) {
	dir, err := os.MkdirTemp("", "xpay-lambda-")
	if err != nil {
		return "", err
	}
	for _, f := range awsenv.Functions() {
		folder := filepath.Join(dir, f.Name)
		cmd := exec.Command("go", "build", "-tags", "lambda.norpc,virtualtime", "-trimpath", "-ldflags", "-s -w",
			"-o", filepath.Join(folder, "bootstrap"), "./functions/"+f.Name)
		cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", f.Name, err, out)
		}
		if err := os.WriteFile(filepath.Join(folder, "goods.yaml"), []byte(goods), 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// cloud is one deployment with its WeChat, and the hands that touch it from outside.
type cloud struct {
	*testing.T
	sim     *wechatsim.Sim
	aws     map[string]*lambdatest.Wire // between each function and AWS
	wechat  map[string]*lambdatest.Wire // between each function and WeChat
	gateway *httptest.Server
	fn      map[string]*lambdatest.Function
	started []*lambdatest.Function // all that ever were
	unsaid  unspeakable            // in their logs
	queue   *lambdatest.Queue
	dlq     string
	vars    map[string]string
	ahead   atomic.Int64 // WeChat's clock is ahead of ours by this
	clock   string       // a file with the seconds by which the functions' clocks are ahead, too

	sqs     *sqs.Client
	secrets *secretsmanager.Client
}

// options are what a test may want otherwise.
type options struct {
	pushMode   string                                                  // aes
	visibility string                                                  // of the queue, in seconds: 1
	logLevel   string                                                  // of the functions: INFO
	door       func(function string, wechat http.Handler) http.Handler // stands before WeChat; nil: nothing does
}

func deploy(t *testing.T, opt options) *cloud {
	t.Helper()
	cfg := awstest.Config(awstest.Endpoint(t))
	c := &cloud{
		T: t, clock: filepath.Join(t.TempDir(), "ahead"), sqs: sqs.NewFromConfig(cfg), secrets: secretsmanager.NewFromConfig(cfg),
		fn: map[string]*lambdatest.Function{}, aws: map[string]*lambdatest.Wire{}, wechat: map[string]*lambdatest.Wire{},
	}
	name := "e2e-" + strings.ToLower(rand.Text()[:10])
	db := dynamodb.NewFromConfig(cfg)
	c.unsaid.add("secret", "hunter2", aesKey)
	c.ok(tables.Create(t.Context(), db, name+"-orders"))
	c.ok(tables.CreateExpiring(t.Context(), db, name+"-expiring"))
	url := c.queues(name, opt)

	gateway := httptest.NewUnstartedServer(nil)
	wechat := c.startWeChat(opt, "http://"+gateway.Listener.Addr().String())
	c.vars = map[string]string{
		"XPAY_STACK": stackName, "XPAY_STAGE": "test",
		"AWS_LAMBDA_LOG_LEVEL": cmp.Or(opt.logLevel, "INFO"),
		"XPAY_APP_ID":          appID, "XPAY_OFFER_ID": "1450000001", "XPAY_ENV": "0",
		"XPAY_ORDERS_TABLE": name + "-orders", "XPAY_EXPIRING_TABLE": name + "-expiring", "XPAY_QUEUE_URL": url,
		"XPAY_PUSH_SECRET":     c.secret(name+"-push", fmt.Sprintf(`{"tokens":[%q],"aesKeys":[%q]}`, pushToken, aesKey)),
		"XPAY_MERCHANT_SECRET": c.secret(name+"-merchant", fmt.Sprintf(`{"appSecret":%q,"appKeys":{"production":%q,"sandbox":""}}`, appSecret, appKey)),
		"XPAY_SEAL_SECRET":     c.secret(name+"-seal", fmt.Sprintf(`{"key":%q}`, sealKey)),
	}
	for _, f := range awsenv.Functions() {
		c.aws[f.Name], c.wechat[f.Name] = c.wire(*cfg.BaseEndpoint), c.wire(wechat)
		if opt.door != nil {
			c.wechat[f.Name] = c.wire(c.serve(opt.door(f.Name, c.unsaid.hear(c.sim))))
		}
		c.fault(f.Name, nil)
		c.start(f)
	}
	gateway.Config.Handler = c.routes()
	gateway.Start()
	t.Cleanup(gateway.Close)
	c.gateway = gateway
	c.queue = &lambdatest.Queue{Client: c.sqs, URL: url, ARN: "arn:aws:sqs:us-east-1:123456789012:" + name, Function: c.fn["reconcile"]}
	t.Cleanup(c.noSecretInTheLogs)
	return c
}

// queues makes the queue and its dead-letter queue, and returns the URL of the first.
func (c *cloud) queues(name string, opt options) string {
	dead, err := c.sqs.CreateQueue(c.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name + "-dead")})
	c.ok(err)
	c.dlq = *dead.QueueUrl
	made, err := c.sqs.CreateQueue(c.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{
		"VisibilityTimeout": cmp.Or(opt.visibility, "1"),
		"RedrivePolicy":     `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:` + name + `-dead","maxReceiveCount":"5"}`,
	}})
	c.ok(err)
	return *made.QueueUrl
}

// startWeChat returns where it listens.
func (c *cloud) startWeChat(opt options, api string) string {
	mode := opt.pushMode
	if mode == "" {
		mode = "aes"
	}
	sim, err := wechatsim.New(wechatsim.Config{
		AppID: appID, AppSecret: appSecret, OfferID: "1450000001", AppKeys: map[int]string{0: appKey, 1: "hunter2-sandbox"},
		Goods: []wechatsim.Goods{{ID: "vip_month", Price: price}}, Now: c.wechatNow,
		Push:        wechatsim.Push{URL: api + "/wechat/push", Token: pushToken, EncodingAESKey: aesKey, Format: "json", Mode: mode},
		RefundDelay: time.Millisecond,
	})
	c.ok(err)
	c.sim = sim
	return c.serve(c.unsaid.hear(sim))
}

func (c *cloud) wechatNow() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *cloud) wire(target string) *lambdatest.Wire {
	w, err := lambdatest.NewWire(target)
	c.ok(err)
	return w
}

func (c *cloud) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	c.Cleanup(s.Close)
	return s.URL
}

func (c *cloud) secret(name, value string) string {
	out, err := c.secrets.CreateSecret(c.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	c.ok(err)
	return *out.ARN
}

// start gives a function what template.yaml would, and no more.
func (c *cloud) start(f awsenv.Function) {
	timeout := map[string]time.Duration{"callback": callbackTimeout, "reconcile": workerTimeout, "sweep": workerTimeout}[f.Name]
	if timeout == 0 {
		timeout = otherTimeout
	}
	env := []string{"XPAY_CLOCK_AHEAD=" + c.clock, "AWS_ENDPOINT_URL=" + c.serve(c.aws[f.Name]), "XPAY_WECHAT_URL=" + c.serve(c.wechat[f.Name])}
	for name, value := range c.vars {
		if s := slices.IndexFunc(awsenv.Settings(), func(s awsenv.Setting) bool { return s.Name == name }); s >= 0 {
			if readBy := awsenv.Settings()[s].ReadBy; readBy != nil && !readBy(f) {
				continue
			}
		}
		env = append(env, name+"="+value)
	}
	fn := lambdatest.New(lambdatest.Config{
		Bootstrap: filepath.Join(built, f.Name, "bootstrap"), Name: f.Name, Env: env, Timeout: timeout, MemoryMB: 256,
	})
	c.Cleanup(fn.Stop)
	c.fn[f.Name], c.started = fn, append(c.started, fn)
}

func (c *cloud) routes() http.Handler {
	g := &lambdatest.Gateway{}
	for _, r := range httpapi.Routes() {
		g.Routes = append(g.Routes, lambdatest.Route{
			Key: r.Method + " " + r.Path, Function: c.fn[r.Function], IAM: r.Auth == httpapi.AuthMerchant,
		})
	}
	return c.unsaid.hear(g)
}

func (c *cloud) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// answer is what came back through the door.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// call sends one request to the gateway. Headers come in pairs.
func (c *cloud) call(method, path, body string, headers ...string) answer {
	c.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(c.Context()), method, c.gateway.URL+path, strings.NewReader(body))
	c.ok(err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	c.ok(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	c.ok(err)
	return answer{resp.StatusCode, resp.Header, raw}
}

// into reads a reply that must have a status.
func (a answer) into(t testing.TB, status int, v any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("not the expected JSON: %v: %s", err, a.body)
	}
}

// The wire as it is promised, written down here once more.
type (
	orderJSON struct {
		ID, State      string
		RefundedAmount int64
		Owned          bool
	}
	paymentJSON struct{ Mode, SignData, PaySig, Signature string }
	orderReply  struct {
		Order   orderJSON
		Payment *paymentJSON
	}
	merchantReply struct {
		Order struct {
			orderJSON
			Ledger  struct{ Paid, Surplus, Held, Refunded, Reserved int64 }
			Refunds []struct {
				ID, State string
				Amount    int64
			}
			Attention []struct{ Code, Reason string }
		}
	}
)

// sigV4 is the header of a request that AWS has to believe; the gateway of these tests looks at its shape.
const sigV4 = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260301/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
	"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"

type phone struct {
	*cloud
	openID, token string
}

// login logs a user in. A phone whose login fails calls wx.login again.
func (c *cloud) login(openID string) *phone {
	c.Helper()
	var reply struct{ Token string }
	c.call("POST", "/login", `{"code":"`+c.sim.Login(openID)+`"}`).into(c.T, 200, &reply)
	return &phone{c, openID, reply.Token}
}

func (p *phone) buy(key string) answer {
	p.Helper()
	return p.buys(`{"productId":"vip_month","quantity":1}`, key)
}

func (p *phone) buys(what, key string) answer {
	p.Helper()
	return p.call("POST", "/orders", what, "Authorization", "Bearer "+p.token, "Idempotency-Key", key)
}

func (p *phone) poll(id string) answer {
	p.Helper()
	return p.call("GET", "/orders/"+id, "", "Authorization", "Bearer "+p.token)
}

// pay shows a payment to WeChat's cashier, which must take it as it was signed.
func (p *phone) pay(pay *paymentJSON) {
	p.Helper()
	if pay == nil {
		p.Fatal("there is no payment")
	}
	got := p.sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: p.openID, Mode: pay.Mode, SignData: pay.SignData, PaySig: pay.PaySig, Signature: pay.Signature, Action: "pay",
	})
	if got.ErrCode != 0 {
		p.Fatalf("WeChat refuses the payment: %+v", got)
	}
}

// one is a body with what a shop may want to keep of an order, and no log.
const one = `{"productId":"vip_month","quantity":1,"attach":"hunter2-attach"}`

// order creates and pays an order; the push is not delivered yet.
func (p *phone) order(key string) string {
	p.Helper()
	var reply orderReply
	p.buys(one, key).into(p.T, 201, &reply)
	p.pay(reply.Payment)
	return reply.Order.ID
}

func (c *cloud) refund(id, key string, amount int64) answer {
	c.Helper()
	return c.call("POST", "/merchant/orders/"+id+"/refunds", fmt.Sprintf(`{"amount":%d,"reason":"hunter2-reason"}`, amount), "Authorization", sigV4, "X-Amz-Date", "20260301T020000Z", "Idempotency-Key", key)
}

func (c *cloud) merchant(id string) merchantReply {
	c.Helper()
	var reply merchantReply
	c.call("GET", "/merchant/orders/"+id, "", "Authorization", sigV4, "X-Amz-Date", "20260301T020000Z").into(c.T, 200, &reply)
	return reply
}

// tick is the schedule's minute.
func (c *cloud) tick() error {
	_, err := c.fn["sweep"].Invoke(context.WithoutCancel(c.Context()), lambdatest.ScheduledEvent("sweep", "us-east-1", time.Now()))
	return err
}

// work lets the worker take what is on the queue, until it is empty.
func (c *cloud) work() {
	c.Helper()
	for {
		n, err := c.queue.Poll(c.Context())
		if err != nil {
			c.Logf("the worker: %v", err)
		}
		if n == 0 {
			return
		}
	}
}

// push lets WeChat send what is due, then what would be due at its next repeat, at most a few minutes from now.
func (c *cloud) push() {
	c.sim.DeliverDue(c.Context())
	if next, ok := c.sim.NextPush(); ok {
		if wait := next.Sub(c.wechatNow()); wait > 0 && wait < 5*time.Minute {
			c.ahead.Add(int64(wait) + int64(time.Millisecond))
		}
	}
}

// until repeats a step until what it wants is true.
func (c *cloud) until(what string, limit time.Duration, done func() bool) {
	c.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// explained checks a bought order from both sides: delivered once and for what was paid, and nothing asked of a person.
func (c *cloud) explained(id string, refunded int64) {
	c.Helper()
	o := c.merchant(id).Order
	v, ok := c.sim.Order(id)
	if !ok || len(v.Payments) != 1 || v.PaidFee != price {
		c.Fatalf("WeChat has %+v", v)
	}
	if o.State != "delivered" || o.Ledger.Paid != price || o.Ledger.Surplus != 0 || o.Ledger.Held != 0 || len(o.Attention) != 0 {
		c.Errorf("we have %+v", o)
	}
	if o.Ledger.Refunded != refunded || v.PaidFee-v.LeftFee != refunded || o.Ledger.Reserved != 0 || o.Owned != (refunded < price) {
		c.Errorf("refunded %d, WeChat gave back %d, want %d; order %+v", o.Ledger.Refunded, v.PaidFee-v.LeftFee, refunded, o)
	}
}

// logged reports whether a function printed a line with all of these.
func (c *cloud) logged(function string, parts ...string) bool {
	return slices.ContainsFunc(c.fn[function].Logs(), func(line string) bool {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				return false
			}
		}
		return json.Valid([]byte(line))
	})
}
