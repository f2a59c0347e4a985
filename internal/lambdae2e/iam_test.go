package lambdae2e_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/internal/template"
)

// roles is what template.yaml allows each function. In every test of this package the wire lets pass that and nothing
// else: a permission that is missing fails the test that needs it.
var roles = func() map[string]map[string][]string {
	all, err := template.Roles("../../template.yaml")
	if err != nil {
		panic(err)
	}
	return all
}()

// fault sets what happens to a function's calls to AWS, after its role has been asked.
func (c *cloud) fault(function string, hook func(lambdatest.Passing) lambdatest.Fault) {
	c.aws[function].Break(func(p lambdatest.Passing) lambdatest.Fault {
		if action, resource := c.wanted(p); !slices.Contains(roles[function][action], resource) {
			c.Errorf("%s does %s on %s, which its role does not allow", function, action, resource)
			return lambdatest.Fault{Refuse: &lambdatest.AWSError{Code: "AccessDeniedException", Message: "not allowed"}}
		}
		if hook == nil {
			return lambdatest.Fault{}
		}
		return hook(p)
	})
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
		for variable, id := range map[string]string{"PUSH": "PushSecret", "MERCHANT": "MerchantSecret", "SEAL": "SealSecret"} {
			if body.SecretID == c.vars["XPAY_"+variable+"_SECRET"] {
				resource = "!Ref " + id
			}
		}
		return "secretsmanager:" + operation, resource
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
