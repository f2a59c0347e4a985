package lambdae2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

// refuses starts a function whose environment is wrong and returns the one line that says so.
func refuses(t *testing.T, function string, env ...string) (problems []string) {
	t.Helper()
	f := lambdatest.New(lambdatest.Config{Bootstrap: filepath.Join(built, function, "bootstrap"), Name: function, Env: env})
	defer f.Stop()
	_, err := f.Invoke(t.Context(), []byte(`{}`))
	var failed *lambdatest.FunctionError
	if !errors.As(err, &failed) || failed.Type != "Runtime.ExitError" {
		t.Fatalf("%s starts: %v", function, err)
	}
	var line struct {
		Level, Message, Function string
		Problems                 []string
	}
	logs := f.Logs()
	if len(logs) != 1 || json.Unmarshal([]byte(logs[0]), &line) != nil {
		t.Fatalf("%s logs %q, want one line of JSON", function, logs)
	}
	if line.Level != "ERROR" || line.Message != "the function cannot start" || line.Function != function || strings.Contains(logs[0], "hunter2") {
		t.Errorf("%s logs %s", function, logs[0])
	}
	return line.Problems
}

// env is the environment that deploy made, with some variables changed. No role is asked.
func (c *cloud) env(change map[string]string) []string {
	vars := map[string]string{"AWS_ENDPOINT_URL": awstest.Endpoint(c.T)}
	maps.Copy(vars, c.vars)
	maps.Copy(vars, change)
	var env []string
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

func TestAFunctionThatMissesItsConfigurationRefusesToStartInOneLine(t *testing.T) {
	t.Parallel()
	for _, f := range awsenv.Functions() {
		problems := refuses(t, f.Name)
		for _, name := range []string{"XPAY_ORDERS_TABLE", "XPAY_EXPIRING_TABLE"} {
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, name+" is not set") }) {
				t.Errorf("%s does not name %s: %q", f.Name, name, problems)
			}
		}
	}
}

func TestWhatIsWrongAtTheStartIsNamed(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	for _, s := range []struct {
		what, function string
		change         map[string]string
		named          []string
	}{
		{"no region", "callback", map[string]string{"AWS_REGION": ""}, []string{"AWS_REGION is not set"}},
		{"no credentials", "callback", map[string]string{"AWS_ACCESS_KEY_ID": ""}, []string{"AWS_ACCESS_KEY_ID is not set"}},
		{"a secret that is absent", "callback", map[string]string{"XPAY_PUSH_SECRET": "absent"}, []string{"XPAY_PUSH_SECRET: the secret does not exist"}},
		{"tables that are absent", "callback", map[string]string{"XPAY_ORDERS_TABLE": "no1", "XPAY_EXPIRING_TABLE": "no2"}, []string{"no2", "no1"}},
		{"everything at once", "login", map[string]string{"XPAY_ENV": "7", "XPAY_SEAL_SECRET": "absent", "XPAY_OFFER_ID": ""},
			[]string{"XPAY_OFFER_ID is not set", "XPAY_ENV must be 0", "XPAY_SEAL_SECRET: the secret does not exist"}},
	} {
		problems := refuses(t, s.function, c.env(s.change)...)
		if len(problems) != len(s.named) {
			t.Errorf("%s: %q", s.what, problems)
			continue
		}
		for i, named := range s.named {
			if !strings.Contains(problems[i], named) {
				t.Errorf("%s: %q does not say %q", s.what, problems[i], named)
			}
		}
	}
}

func TestAWSThrottlesOnceAndNobodyNotices(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	for function := range c.aws {
		c.fault(function, func(p lambdatest.Passing) lambdatest.Fault {
			if p.NOf%2 == 1 {
				return lambdatest.Fault{Refuse: lambdatest.Throttled}
			}
			return lambdatest.Fault{}
		})
	}
	id := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context())
	c.explained(id, 0)
}

// TestAWSFailsForAWhileAndNothingIsLost: throttling, expired credentials, a table that is gone and a server that is ill are
// each answered with a clear error, and the same request is good once it is over.
func TestAWSFailsForAWhileAndNothingIsLost(t *testing.T) {
	t.Parallel()
	for _, ill := range []*lambdatest.AWSError{
		lambdatest.Throttled,
		{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"},
		{Code: "ResourceNotFoundException", Message: "Requested resource not found"},
		{Code: "AccessDeniedException", Message: "User is not authorized"},
		{Code: "InternalServerError", Status: 500},
	} {
		t.Run(ill.Code, func(t *testing.T) {
			t.Parallel()
			c := deploy(t, options{})
			alice := c.login("oAlice")
			warm := alice.order("purchase-1")
			c.sim.DeliverDue(t.Context())
			c.explained(warm, 0)
			breakAll := func(hook func(lambdatest.Passing) lambdatest.Fault) {
				for function := range c.aws {
					c.fault(function, hook)
				}
			}
			breakAll(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{Refuse: ill} })
			if a := alice.buy("purchase-2"); a.status != 503 || !strings.Contains(string(a.body), `"unavailable"`) {
				t.Errorf("an order is answered %s", a)
			}
			if a := alice.poll(warm); a.status != 503 {
				t.Errorf("a poll is answered %s", a)
			}
			if !c.logged("createorder", `"ERROR"`, ill.Code) {
				t.Errorf("the log does not say why: %q", c.fn["createorder"].Logs())
			}
			breakAll(nil)
			id := alice.order("purchase-2")
			breakAll(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{Refuse: ill} })
			c.sim.DeliverDue(t.Context())
			if v, _ := c.sim.Order(id); v.Pushes[0].Answered {
				t.Error("a push is acknowledged that was not stored")
			}
			breakAll(nil)
			c.push()
			c.sim.DeliverDue(t.Context())
			c.explained(id, 0)
			c.explained(warm, 0)
		})
	}
}

// TestEventsOfTheWrongKindAreErrorsThatSayWhatCame: to every function, every kind that is not its own, and no kind at all.
func TestEventsOfTheWrongKindAreErrorsThatSayWhatCame(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	http := `{"version":"2.0","routeKey":"GET /x","rawPath":"/x","requestContext":{"http":{"method":"GET","path":"/x"}}}`
	queue := `{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":"{}"}]}`
	schedule := string(lambdatest.ScheduledEvent("sweep", "us-east-1", time.Now()))
	rest := `{"resource":"/x","path":"/x","httpMethod":"GET","requestContext":{"stage":"prod"}}`
	stream := `{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{}}]}`
	for function, own := range map[string]string{
		"createorder": http, "callback": http, "refund": http, "orders": http, "login": http, "reconcile": queue, "sweep": schedule,
	} {
		for _, event := range []string{
			http, queue, schedule, rest, stream, `[]`, `null`, `"text"`, `5`, `{"requestContext":5}`, `{"Records":{}}`,
			`{`, ``, strings.Repeat("[", 100_000), `{"version":"2.0","requestContext":{"http":{}}}`,
		} {
			if event == own {
				continue
			}
			_, err := c.fn[function].Invoke(t.Context(), []byte(event))
			var failed *lambdatest.FunctionError
			if !errors.As(err, &failed) || !strings.Contains(failed.Message, "this function takes") {
				t.Errorf("%s, given %.60s: %v", function, event, err)
			}
		}
		if n := len(c.fn[function].Starts()); n != 1 {
			t.Errorf("%s was started %d times: an event ended it", function, n)
		}
		if !c.logged(function, "event refused", `"ERROR"`, `"requestId"`) {
			t.Errorf("%s does not log it", function)
		}
	}
}

func TestMalformedAndOversizedRequestsAreRefusedInOurWords(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	event := func(method, path, body string, base64 bool) []byte {
		raw, _ := json.Marshal(map[string]any{
			"version": "2.0", "routeKey": method + " " + path, "rawPath": path, "rawQueryString": "", "isBase64Encoded": base64, "body": body,
			"headers":        map[string]string{"content-type": "application/json", "host": "x"},
			"requestContext": map[string]any{"http": map[string]string{"method": method, "path": path, "sourceIp": "192.0.2.1"}, "stage": "$default"},
		})
		return raw
	}
	large := strings.Repeat("a", 70_000)
	for _, s := range []struct {
		what, function string
		event          []byte
		status         int
		code           string
	}{
		{"base64 that is none", "login", event("POST", "/login", "%%%", true), 400, "invalid"},
		{"a body that is not JSON", "login", event("POST", "/login", "{", false), 400, "invalid"},
		{"a large body", "login", event("POST", "/login", large, false), 413, "invalid"},
		{"a large body in base64", "callback", event("POST", "/wechat/push", base64.StdEncoding.EncodeToString([]byte(large)), true), 413, "invalid"},
		{"a route of another function", "login", event("POST", "/orders", "{}", false), 404, "not_found"},
		{"a method that the route has not", "login", event("GET", "/login", "", false), 405, "invalid"},
		{"no token", "createorder", event("POST", "/orders", "{}", false), 401, "unauthorized"},
		{"a push that is not signed", "callback", event("POST", "/wechat/push", "{}", false), 400, "invalid"},
		{"a merchant without IAM", "refund", event("POST", "/merchant/orders/aaaaaaaaaaaaaaaaaaaaaaaaaa/refunds", "{}", false), 401, "unauthorized"},
	} {
		raw, err := c.fn[s.function].Invoke(t.Context(), s.event)
		var reply struct {
			StatusCode int
			Body       string
		}
		if err != nil || json.Unmarshal(raw, &reply) != nil || reply.StatusCode != s.status || !strings.Contains(reply.Body, fmt.Sprintf("%q", s.code)) {
			t.Errorf("%s: %s, %v", s.what, raw, err)
		}
	}
	for path, want := range map[string]int{"/": 404, "/nowhere": 404, "/merchant/held": 403} {
		if a := c.call("GET", path, ""); a.status != want {
			t.Errorf("GET %s: %s", path, a)
		}
	}
}

// TestAWeChatThatHangsIsAnsweredInTime: the callback never calls WeChat, and a poll gives up on it in time.
func TestAWeChatThatHangsIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	alice := c.login("oAlice")
	id := alice.order("purchase-1")
	time.Sleep(3100 * time.Millisecond) // a poll asks WeChat when the last look is 3 s old
	hung := 0
	c.wechat["orders"].Break(func(lambdatest.Passing) lambdatest.Fault { hung++; return lambdatest.Fault{Hang: true} })
	c.wechat["callback"].Break(func(lambdatest.Passing) lambdatest.Fault {
		t.Error("the callback calls WeChat")
		return lambdatest.Fault{}
	})
	start := time.Now()
	if a := alice.poll(id); a.status != 200 || time.Since(start) > 5*time.Second {
		t.Errorf("a poll is answered %s after %s", a, time.Since(start))
	}
	if hung == 0 {
		t.Error("the poll did not ask WeChat")
	}
	c.sim.DeliverDue(context.WithoutCancel(t.Context()))
	c.wechat["orders"].Break(nil)
	c.explained(id, 0)
}

// TestAStoreThatHangsIsAnsweredByTheCallbackItselfBeforeAppleStopsWaiting: Apple's question has 3 s, Lambda would end the callback
// after 4. A busy machine may need several pushes to answer one in time.
func TestAStoreThatHangsIsAnsweredByTheCallbackItselfBeforeAppleStopsWaiting(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	id := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context()) // warms the callback
	c.fault("callback", func(p lambdatest.Passing) lambdatest.Fault {
		return lambdatest.Fault{Hang: strings.HasPrefix(p.Operation, "DynamoDB_")}
	})
	var took time.Duration
	for range 5 {
		began := time.Now()
		sent, err := c.sim.SendPush(context.WithoutCancel(t.Context()), "xpay_subscribe_ios_refund_query_notify", json.RawMessage(`{"pay_order_id":"`+id+`"}`))
		c.ok(err)
		if sent.Status != 200 {
			t.Fatalf("the callback was ended by Lambda, or failed: %+v", sent)
		}
		if took = time.Since(began); took < 3*time.Second {
			break
		}
	}
	if took < 2*time.Second || took >= 3*time.Second {
		t.Errorf("answered after %s, want about 2.5 s", took)
	}
	if !c.logged("callback", "push not recorded, WeChat will repeat it", "deadline exceeded") {
		t.Errorf("the log does not say why: %q", c.fn["callback"].Logs())
	}
}

// TestARotatedPushSecretServesTheFirstPush: the function runs with another secret than WeChat has, until it is put in.
func TestARotatedPushSecretServesTheFirstPush(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	value := func(token string) *string {
		return aws.String(fmt.Sprintf(`{"tokens":[%q],"aesKeys":[%q]}`, token, aesKey))
	}
	id := c.vars["XPAY_PUSH_SECRET"]
	put := func(token string) {
		_, err := c.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: value(token)})
		c.ok(err)
	}
	put("hunter2first")
	put("hunter2second")
	order := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context())
	if v, _ := c.sim.Order(order); v.Pushes[0].Answered {
		t.Fatal("a push with another token is believed")
	}
	time.Sleep(2100 * time.Millisecond) // a look just after the start is not repeated at once
	put(pushToken)
	c.push()
	c.sim.DeliverDue(t.Context())
	if v, _ := c.sim.Order(order); !v.Pushes[0].Answered || v.Pushes[0].Attempts != 2 {
		t.Errorf("the first push after the rotation: %+v", v.Pushes[0])
	}
	c.explained(order, 0)
}

// TestAPaidPushOfAnUnknownOrderIsKeptForAPerson: it is evidence, and no order appears.
func TestAPaidPushOfAnUnknownOrderIsKeptForAPerson(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	sent, err := c.sim.SendPush(t.Context(), "xpay_goods_deliver_notify", json.RawMessage(`{"OpenId":"oAlice","OutTradeNo":"aaaaaaaaaaaaaaaaaaaaaaaaaa","Env":0,
		"WeChatPayInfo":{"MchOrderNo":"m1","TransactionId":"4500000001","PaidTime":1772330400},
		"GoodsInfo":{"ProductId":"vip_month","Quantity":1,"OrigPrice":1800,"ActualPrice":1800,"Attach":"v1.aaaaaaaaaaaaaaaaaaaaaaaaaa"}}`))
	c.ok(err)
	if sent.Answered {
		t.Errorf("it is acknowledged: %+v", sent)
	}
	var reply struct {
		Held []struct{ Number, Reason string }
	}
	c.call("GET", "/merchant/held", "", "Authorization", sigV4, "X-Amz-Date", "20260301T020000Z").into(t, 200, &reply)
	if len(reply.Held) != 1 || reply.Held[0].Number != "aaaaaaaaaaaaaaaaaaaaaaaaaa" {
		t.Errorf("held: %+v", reply.Held)
	}
}

// TestTheCapturedEventsAreTaken runs every file of events/ through the function it is for. Nobody is logged in here and
// nothing is bought, so most answers are refusals; the README of events/ says what a prepared deployment answers.
func TestTheCapturedEventsAreTaken(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	known := map[string]struct{ function, answer string }{
		"login.json":                {"login", `"statusCode":401`},
		"products.json":             {"orders", `"statusCode":200`},
		"createorder.json":          {"createorder", `"statusCode":401`},
		"createorder-base64.json":   {"createorder", `"statusCode":401`},
		"attempts.json":             {"createorder", `"statusCode":401`},
		"order-poll.json":           {"orders", `"statusCode":401`},
		"orders-list.json":          {"orders", `"statusCode":401`},
		"consume.json":              {"orders", `"statusCode":401`},
		"merchant-order.json":       {"orders", `"statusCode":404`},
		"merchant-user-orders.json": {"orders", `"statusCode":200`},
		"merchant-held.json":        {"orders", `"statusCode":200`},
		"refund.json":               {"refund", `"statusCode":404`},
		"refund-settle.json":        {"refund", `"statusCode":404`},
		"refund-accept.json":        {"refund", `"statusCode":404`},
		"refund-delivery.json":      {"refund", `"statusCode":404`},
		"callback-echo.json":        {"callback", `"statusCode":401`},
		"callback-push.json":        {"callback", `"statusCode":401`},
		"callback-push-xml.json":    {"callback", `"statusCode":401`},
		"refund-advance.json":       {"refund", `"statusCode":404`},
		"refund-recheck.json":       {"refund", `"statusCode":404`},
		"refund-adopt.json":         {"refund", `"statusCode":404`},
		"merchant-dismiss.json":     {"orders", `"statusCode":404`},
		"merchant-paid.json":        {"orders", `"statusCode":200`},
		"reconcile.json":            {"reconcile", `{"batchItemFailures":[]}`},
		"sweep.json":                {"sweep", `0`},
	}
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) != len(known) {
		t.Fatalf("%d files, %d known, %v", len(files), len(known), err)
	}
	for _, file := range files {
		event, err := os.ReadFile(file)
		c.ok(err)
		want, ok := known[filepath.Base(file)]
		if !ok {
			t.Errorf("nobody knows %s", file)
			continue
		}
		if got, err := c.fn[want.function].Invoke(t.Context(), event); err != nil || !strings.Contains(string(got), want.answer) {
			t.Errorf("%s: %s, %v", filepath.Base(file), got, err)
		}
	}
}
