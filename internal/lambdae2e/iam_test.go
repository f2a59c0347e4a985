package lambdae2e_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/internal/template"
)

// roles is what template.yaml allows each function. In every test of this package the wire lets pass that and nothing
// else: a permission that is missing fails the test that needs it.
var roles = rolesWith()

// targetRoles is what it allows when the stack has a delivery target.
var targetRoles = map[string]map[string]map[string][]string{
	"": roles, "webhook": rolesWith("Delivers", "ToWebhook"), "eventbus": rolesWith("Delivers", "ToEventBus"),
}

func rolesWith(conditions ...string) map[string]map[string][]string {
	all, err := template.Roles("../../template.yaml", conditions...)
	if err != nil {
		panic(err)
	}
	return all
}

// fault sets what happens to a function's calls to AWS, after its role has been asked.
func (c *cloud) fault(function string, hook func(lambdatest.Passing) lambdatest.Fault) {
	c.aws[function].Break(func(p lambdatest.Passing) lambdatest.Fault {
		if action, resource := c.wanted(p); !slices.Contains(targetRoles[c.vars["XPAY_TARGET"]][function][action], resource) {
			c.Errorf("%s does %s on %s, which its role does not allow", function, action, resource)
			return lambdatest.Fault{Refuse: &lambdatest.AWSError{Code: "AccessDeniedException", Message: "not allowed"}}
		} else {
			used.add(function, action, resource)
		}
		if hook == nil {
			return lambdatest.Fault{}
		}
		return hook(p)
	})
}

// used is every grant that a function of any test has needed: a permission that no test needs is one too many.
var used grants

// grants are permissions, each as "function action resource".
type grants struct {
	mu  sync.Mutex
	set map[string]bool
}

func (g *grants) add(function, action, resource string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.set == nil {
		g.set = map[string]bool{}
	}
	g.set[function+" "+action+" "+resource] = true
}

// lambdasOwn reports whether Lambda itself takes an action with a function's role, so that no wire of the function sees it: it
// writes the logs, and it polls the queue, for reconcile alone.
func lambdasOwn(function, action string) bool {
	return slices.Contains([]string{"logs:CreateLogStream", "logs:PutLogEvents"}, action) ||
		function == "reconcile" && slices.Contains([]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, action)
}

// idle lists what roles grant and g has not seen. The canary runs in its own package's tests.
func (g *grants) idle(all ...map[string]map[string][]string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	idle := map[string]bool{}
	for _, roles := range all {
		for function, may := range roles {
			for action, resources := range may {
				for _, resource := range resources {
					grant := function + " " + action + " " + resource
					idle[grant] = function != "canary" && !lambdasOwn(function, action) && !g.set[grant]
				}
			}
		}
	}
	maps.DeleteFunc(idle, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(idle))
}

// TestAGrantThatNobodyUsesIsFound: TestMain asks the same after a run of the whole suite.
func TestAGrantThatNobodyUsesIsFound(t *testing.T) {
	t.Parallel()
	var g grants
	g.add("sweep", "dynamodb:Query", "due")
	got := g.idle(map[string]map[string][]string{
		"sweep":     {"dynamodb:Query": {"due", "user"}, "logs:PutLogEvents": {"own"}, "sqs:DeleteMessage": {"queue"}},
		"callback":  {"sqs:GetQueueAttributes": {"queue"}},
		"canary":    {"lambda:InvokeFunction": {"version"}},
		"reconcile": {"sqs:ReceiveMessage": {"queue"}, "sqs:SendMessage": {"queue"}},
	})
	want := []string{
		"callback sqs:GetQueueAttributes queue", "reconcile sqs:SendMessage queue", "sweep dynamodb:Query user", "sweep sqs:DeleteMessage queue",
	}
	if !slices.Equal(got, want) {
		t.Errorf("idle: %q, want %q", got, want)
	}
}

// wanted is what a request wants to do to what, in the words of the template.
func (c *cloud) wanted(p lambdatest.Passing) (action, resource string) {
	var body struct {
		TableName, IndexName, QueueURL, SecretID string
		RequestItems                             map[string]json.RawMessage
	}
	_ = json.Unmarshal([]byte(p.Body), &body) // what names no resource is allowed to nobody
	service, operation, _ := strings.Cut(p.Operation, ".")
	switch service {
	case "DynamoDB_20120810":
		tables := slices.Collect(maps.Keys(body.RequestItems))
		if body.TableName != "" {
			tables = append(tables, body.TableName)
		}
		return "dynamodb:" + operation, c.table(tables, body.IndexName)
	case "AmazonSQS":
		if body.QueueURL == c.vars["XPAY_QUEUE_URL"] {
			resource = "!GetAtt ReconcileQueue.Arn"
		}
		return "sqs:" + strings.TrimSuffix(operation, "Batch"), resource
	case "secretsmanager":
		for variable, id := range map[string]string{"PUSH": "PushSecret", "MERCHANT": "MerchantSecret", "SEAL": "SealSecret", "WEBHOOK": "DeliverySecret"} {
			if body.SecretID == c.vars["XPAY_"+variable+"_SECRET"] {
				resource = "!Ref " + id
			}
		}
		return "secretsmanager:" + operation, resource
	case "AWSEvents":
		if strings.Contains(p.Body, `"`+c.vars["XPAY_EVENT_BUS"]+`"`) {
			resource = "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"
		}
		return "events:" + operation, resource
	}
	return p.Operation, ""
}

func (c *cloud) table(names []string, index string) string {
	if len(names) != 1 {
		return ""
	}
	id := map[string]string{c.vars["XPAY_ORDERS_TABLE"]: "OrdersTable", c.vars["XPAY_EXPIRING_TABLE"]: "ExpiringTable"}[names[0]]
	if index != "" {
		return "!Sub ${" + id + ".Arn}/index/" + index
	}
	return "!GetAtt " + id + ".Arn"
}

// TestTheWireRefusesWhatARoleDoesNotAllow shows that the wire does refuse.
func TestTheWireRefusesWhatARoleDoesNotAllow(t *testing.T) {
	t.Parallel()
	c := &cloud{vars: map[string]string{
		"XPAY_ORDERS_TABLE": "o", "XPAY_EXPIRING_TABLE": "e", "XPAY_QUEUE_URL": "http://q", "XPAY_PUSH_SECRET": "p", "XPAY_MERCHANT_SECRET": "m",
	}}
	for _, s := range []struct {
		function, operation, body string
		allowed                   bool
	}{
		{"callback", "secretsmanager.GetSecretValue", `{"SecretId":"p"}`, true},
		{"callback", "secretsmanager.GetSecretValue", `{"SecretId":"m"}`, false},
		{"callback", "DynamoDB_20120810.UpdateItem", `{"TableName":"o"}`, true},
		{"callback", "DynamoDB_20120810.Scan", `{"TableName":"o"}`, false},
		{"callback", "DynamoDB_20120810.DeleteItem", `{"TableName":"o"}`, false},
		{"callback", "DynamoDB_20120810.GetItem", `{"TableName":"other"}`, false},
		{"sweep", "DynamoDB_20120810.Query", `{"TableName":"o","IndexName":"due"}`, true},
		{"sweep", "DynamoDB_20120810.Query", `{"TableName":"o","IndexName":"user"}`, false},
		{"sweep", "DynamoDB_20120810.Query", `{"TableName":"o"}`, false},
		{"sweep", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"http://q"}`, true},
		{"reconcile", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"http://q"}`, false},
		{"login", "DynamoDB_20120810.GetItem", `{"TableName":"o"}`, false},
		{"orders", "DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"o":{}}}`, true},
		{"orders", "nonsense", `{`, false},
	} {
		action, resource := c.wanted(lambdatest.Passing{Operation: s.operation, Body: s.body})
		if got := slices.Contains(roles[s.function][action], resource); got != s.allowed {
			t.Errorf("%s: %s %s: allowed %t", s.function, s.operation, s.body, got)
		}
	}
}
