package template

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
)

// route is a row of the table of routes, in words.
func route(method, path, function string, iam bool) string {
	return fmt.Sprintf("%s %s -> %s, IAM %t", method, path, function, iam)
}

func TestTheAPIHasTheRoutesOfTheCodeAndNoOthers(t *testing.T) {
	t.Parallel()
	var template, code []string
	for folder, f := range functions(t, read(t)) {
		events := at(f, "Properties", "Events")
		for name := range events {
			if e := at(events, name); e["Type"] == "HttpApi" {
				p := at(e, "Properties")
				template = append(template, route(textAt(p, "Method"), textAt(p, "Path"), folder, textAt(p, "Auth", "Authorizer") == "AWS_IAM"))
			}
		}
	}
	for _, r := range httpapi.Routes() {
		code = append(code, route(r.Method, r.Path, r.Function, r.Auth == httpapi.AuthMerchant))
	}
	slices.Sort(template)
	slices.Sort(code)
	if diff := cmp.Diff(code, template); diff != "" {
		t.Errorf("routes: -code +template\n%s", diff)
	}
}

func TestAThrottleNamesARouteThatExists(t *testing.T) {
	t.Parallel()
	settings := at(read(t), "Resources", "Api", "Properties", "RouteSettings")
	if settings["POST /wechat/push"] == nil {
		t.Error("the push has no throttle of its own")
	}
	for key := range settings {
		if !slices.ContainsFunc(httpapi.Routes(), func(r httpapi.Route) bool { return r.Method+" "+r.Path == key }) {
			t.Errorf("there is no route %q", key)
		}
	}
}

func TestEachFolderOfFunctionsIsAFunctionOfTheTemplateAndOfTheCode(t *testing.T) {
	t.Parallel()
	template := read(t)
	entries, err := os.ReadDir(root + "functions")
	if err != nil {
		t.Fatal(err)
	}
	var folders, code []string
	for _, e := range entries {
		folders = append(folders, e.Name())
	}
	for _, f := range awsenv.Functions() {
		code = append(code, f.Name)
	}
	code = append(code, "canary") // serves nobody: CodeDeploy calls it
	slices.Sort(code)
	if diff := cmp.Diff(folders, code); diff != "" {
		t.Errorf("-folders +code\n%s", diff)
	}
	if diff := cmp.Diff(folders, slices.Sorted(maps.Keys(functions(t, template)))); diff != "" {
		t.Errorf("-folders +template\n%s", diff)
	}
	for folder, f := range functions(t, template) {
		if property(template, f, "Runtime") != "provided.al2023" || property(template, f, "Handler") != "bootstrap" ||
			property(template, f, "CodeUri") != "." || textAt(f, "Metadata", "BuildMethod") != "makefile" {
			t.Errorf("%s is not built by the Makefile for provided.al2023", folder)
		}
	}
	if got := textAt(template, "Parameters", "Architecture", "Default"); got != "arm64" {
		t.Errorf("the architecture is %q by default", got)
	}
}

// ifElse is an !If of the template.
func ifElse(condition string, then, otherwise any) object {
	return object{"!If": []any{condition, then, otherwise}}
}

// variables is what each must be set to.
var variables = object{
	"XPAY_STACK": "!Ref AWS::StackName", "XPAY_STAGE": "!Ref Stage",
	"XPAY_TARGET": ifElse("Delivers", "!Ref DeliveryTarget", ""), "XPAY_WEBHOOK_URL": "!Ref WebhookUrl",
	"XPAY_WEBHOOK_SECRET": ifElse("ToWebhook", "!Ref DeliverySecret", ""), "XPAY_EVENT_BUS": ifElse("ToEventBus", "!Ref EventBusName", ""),
	"XPAY_APP_ID": "!Ref AppId", "XPAY_OFFER_ID": "!Ref OfferId", "XPAY_ENV": "!Ref WeChatEnv",
	"XPAY_ORDERS_TABLE":   ifElse("RestoredOrders", "!Ref OrdersTableName", "!Ref OrdersTable"),
	"XPAY_EXPIRING_TABLE": "!Ref ExpiringTable", "XPAY_QUEUE_URL": "!Ref ReconcileQueue",
	"XPAY_PUSH_SECRET": "!Ref PushSecret", "XPAY_MERCHANT_SECRET": "!Ref MerchantSecret", "XPAY_SEAL_SECRET": "!Ref SealSecret",
	"XPAY_WECHAT_URL": "!Ref WeChatUrl", "XPAY_FORWARD_URL": "!Ref ForwardUrl", "AWS_ENDPOINT_URL": "!Ref AwsEndpointUrl",
	"AWS_ENDPOINT_URL_EVENTBRIDGE": ifElse("OtherAws", "!Ref AwsEndpointUrl", "!Sub https://events.${AWS::Region}.${AWS::URLSuffix}"),
	// The standard library's: the certificates of Amazon Linux, read once.
	"SSL_CERT_FILE": "/etc/pki/tls/certs/ca-bundle.crt", "SSL_CERT_DIR": "/nonexistent",
}

func TestAFunctionHasTheVariablesThatItsCodeReadsAndNoOthers(t *testing.T) {
	t.Parallel()
	template := read(t)
	for _, f := range awsenv.Functions() {
		want := object{"SSL_CERT_FILE": variables["SSL_CERT_FILE"], "SSL_CERT_DIR": variables["SSL_CERT_DIR"]}
		for _, s := range awsenv.Settings() {
			if (s.ReadBy == nil || s.ReadBy(f)) && !s.SetByLambda() {
				want[s.Name] = variables[s.Name]
			}
		}
		set := maps.Clone(at(template, "Globals", "Function", "Environment", "Variables"))
		maps.Copy(set, at(functions(t, template)[f.Name], "Properties", "Environment", "Variables"))
		if diff := cmp.Diff(want, set); diff != "" {
			t.Errorf("%s: -code +template\n%s", f.Name, diff)
		}
	}
}

// secretNames are the logical ids of the secrets.
var secretNames = map[backend.Groups]string{
	backend.GroupPush: "!Ref PushSecret", backend.GroupMerchant: "!Ref MerchantSecret", backend.GroupSeal: "!Ref SealSecret",
	backend.GroupDelivery: "!Ref DeliverySecret",
}

// delivering are the conditions under which roles grant most.
var delivering = []string{"ToWebhook", "ToEventBus"}

// may is what a function is allowed to do: for each action the resources.
type may = map[string][]string

func permissions(t *testing.T, template, function object) may {
	t.Helper()
	role := at(template, "Resources", roleOf(function), "Properties")
	policies, _ := role["Policies"].([]any)
	if len(policies) != 1 || function["Properties"].(object)["Policies"] != nil {
		t.Fatalf("%s is not a role of the function's own with one inline policy", roleOf(function))
	}
	statements, _ := at(policies[0].(object), "PolicyDocument")["Statement"].([]any)
	for _, each := range statements {
		if s := chosen(each, delivering).(object); s["Effect"] != "Allow" || s["NotAction"] != nil || s["NotResource"] != nil {
			t.Errorf("%s has a statement that is not a plain Allow: %v", roleOf(function), s)
		}
	}
	return allowed(at(template, "Resources", roleOf(function)), delivering)
}

// possible is every action that any function may have, and the form of its resources.
var possible = map[string][]string{
	"logs:CreateLogStream":          {"!GetAtt *Logs.Arn"},
	"logs:PutLogEvents":             {"!GetAtt *Logs.Arn"},
	"secretsmanager:GetSecretValue": {"!Ref *Secret"},
	"dynamodb:GetItem":              {"!GetAtt OrdersTable.Arn", "!GetAtt ExpiringTable.Arn"},
	"dynamodb:PutItem":              {"!GetAtt OrdersTable.Arn", "!GetAtt ExpiringTable.Arn"},
	"dynamodb:UpdateItem":           {"!GetAtt OrdersTable.Arn", "!GetAtt ExpiringTable.Arn"},
	"dynamodb:BatchGetItem":         {"!GetAtt OrdersTable.Arn", "!GetAtt ExpiringTable.Arn"},
	"dynamodb:Query":                {"!Sub ${OrdersTable.Arn}/index/*", "!Sub ${ExpiringTable.Arn}/index/*"},
	"sqs:SendMessage":               {"!GetAtt ReconcileQueue.Arn"},
	"sqs:ReceiveMessage":            {"!GetAtt ReconcileQueue.Arn"},
	"sqs:DeleteMessage":             {"!GetAtt ReconcileQueue.Arn"},
	"sqs:GetQueueAttributes":        {"!GetAtt ReconcileQueue.Arn"},
	"events:DescribeEventBus":       {"!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"},
	"events:PutEvents":              {"!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"},
	"lambda:InvokeFunction":         {"!Ref CallbackFunction.Version"},
	"codedeploy:PutLifecycleEventHookExecutionStatus": {
		"!Sub arn:${AWS::Partition}:codedeploy:${AWS::Region}:${AWS::AccountId}:deploymentgroup:${AWS::StackName}-ServerlessDeploymentApplication-*",
	},
}

// fits matches a resource with a form: they are the same, or one * of the form stands for a name.
func fits(form, resource string) bool {
	if form == resource {
		return true
	}
	before, after, open := strings.Cut(form, "*")
	name, ok := strings.CutPrefix(resource, before)
	name, end := strings.CutSuffix(name, after)
	return open && ok && end && name != "" && !strings.ContainsAny(name, "*?/. $")
}

func TestNoRoleScansDeletesOrReachesBeyondItsResources(t *testing.T) {
	t.Parallel()
	template := read(t)
	for folder, f := range functions(t, template) {
		allowed := permissions(t, template, f)
		for action, resources := range allowed {
			for _, r := range resources {
				if !slices.ContainsFunc(possible[action], func(form string) bool { return fits(form, r) }) {
					t.Errorf("%s may %s on %q", folder, action, r)
				}
			}
		}
		group := strings.TrimPrefix(textAt(f, "Properties", "LoggingConfig", "LogGroup"), "!Ref ")
		for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
			if diff := cmp.Diff([]string{"!GetAtt " + group + ".Arn"}, allowed[action]); diff != "" {
				t.Errorf("%s: %s: -own group +role\n%s", folder, action, diff)
			}
		}
	}
}

func TestARoleGrantsWhatTheCodeOfItsFunctionNeeds(t *testing.T) {
	t.Parallel()
	template := read(t)
	for _, f := range awsenv.Functions() {
		allowed := permissions(t, template, functions(t, template)[f.Name])
		var secrets []string
		for group, id := range secretNames {
			if f.Groups&group != 0 {
				secrets = append(secrets, id)
			}
		}
		slices.Sort(secrets)
		if diff := cmp.Diff(secrets, slices.Sorted(slices.Values(allowed["secretsmanager:GetSecretValue"]))); diff != "" {
			t.Errorf("%s: secrets: -code +role\n%s", f.Name, diff)
		}
		if sends := len(allowed["sqs:SendMessage"]) > 0; sends != f.Sends {
			t.Errorf("%s: may send %t, sends %t", f.Name, sends, f.Sends)
		}
		var polls []string // Lambda's own poller does, with the role of reconcile
		if f.Name == "reconcile" {
			polls = []string{"!GetAtt ReconcileQueue.Arn"}
		}
		for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} {
			if diff := cmp.Diff(polls, allowed[action]); diff != "" {
				t.Errorf("%s: %s: -wanted +role\n%s", f.Name, action, diff)
			}
		}
		var reads []string
		if f.Name != "sweep" { // which only asks the index
			if reads = []string{"!GetAtt ExpiringTable.Arn"}; f.Orders {
				reads = []string{"!GetAtt OrdersTable.Arn", "!GetAtt ExpiringTable.Arn"}
			}
		}
		if diff := cmp.Diff(reads, allowed["dynamodb:GetItem"]); diff != "" {
			t.Errorf("%s: dynamodb:GetItem: -code +role\n%s", f.Name, diff)
		}
	}
}

// TestARoleReachesTheTablesAsItsFunctionDoes says by hand what each function does with the tables beyond reading an
// item: the indexes that it asks and what it writes.
func TestARoleReachesTheTablesAsItsFunctionDoes(t *testing.T) {
	t.Parallel()
	const orders, expiring = "!GetAtt OrdersTable.Arn", "!GetAtt ExpiringTable.Arn"
	index := func(name string) string { return "!Sub ${OrdersTable.Arn}/index/" + name }
	expiringIndex := func(name string) string { return "!Sub ${ExpiringTable.Arn}/index/" + name }
	both := []string{orders, expiring}
	template := read(t)
	for folder, want := range map[string]struct{ puts, updates, batches, asks []string }{
		"createorder": {both, both, []string{orders}, []string{index("user")}},
		"callback":    {[]string{expiring}, []string{orders}, nil, nil}, // evidence is put once, an order is never made
		"refund":      {both, both, nil, nil},                           // an adopted order is put
		"orders": {[]string{expiring}, both, both, []string{index("user"), index("key1"), index("key2"), index("key3"), index("key4"),
			expiringIndex("key1"), expiringIndex("key2"), expiringIndex("key3"), expiringIndex("key4")}},
		"login":     {[]string{expiring}, []string{expiring}, nil, nil},
		"reconcile": {[]string{expiring}, both, nil, nil},
		"sweep":     {nil, nil, nil, []string{index("due"), expiringIndex("due")}},
	} {
		allowed := permissions(t, template, functions(t, template)[folder])
		for action, resources := range map[string][]string{
			"dynamodb:PutItem": want.puts, "dynamodb:UpdateItem": want.updates,
			"dynamodb:BatchGetItem": want.batches, "dynamodb:Query": want.asks,
		} {
			if diff := cmp.Diff(resources, allowed[action]); diff != "" {
				t.Errorf("%s: %s: -wanted +role\n%s", folder, action, diff)
			}
		}
	}
}

func TestEachFunctionLogsJSONToAGroupOfItsOwnThatForgets(t *testing.T) {
	t.Parallel()
	template := read(t)
	taken := map[string]string{}
	for folder, f := range functions(t, template) {
		id := strings.TrimPrefix(textAt(f, "Properties", "LoggingConfig", "LogGroup"), "!Ref ")
		group := at(template, "Resources", id)
		if group["Type"] != "AWS::Logs::LogGroup" || textAt(group, "Properties", "RetentionInDays") != "!Ref LogRetentionDays" {
			t.Errorf("%s logs to %q, which is no log group with a retention", folder, id)
		}
		if other := taken[id]; other != "" {
			t.Errorf("%s and %s log to the same group", folder, other)
		}
		taken[id] = folder
	}
	if got := textAt(template, "Parameters", "LogRetentionDays", "Default"); got != "90" {
		t.Errorf("logs are kept for %s days", got)
	}
	if got := textAt(template, "Globals", "Function", "LoggingConfig", "LogFormat"); got != "JSON" {
		t.Errorf("the format of the logs is %q", got)
	}
}

func TestTheAccessLogShowsNoQueryAndNoBody(t *testing.T) {
	t.Parallel()
	format := textAt(read(t), "Resources", "Api", "Properties", "AccessLogSettings", "Format")
	// The function's log has the request id of the integration, which is Lambda's own; $context.requestId is the gateway's.
	for _, want := range []string{"$context.requestId", `"lambdaRequestId":"$context.integration.requestId"`, "$context.routeKey", "$context.status"} {
		if !strings.Contains(format, want) {
			t.Errorf("the access log does not show %s", want)
		}
	}
	for _, leak := range []string{"query", "path", "header", "authorizer", "body"} { // a path may hold an openid
		if strings.Contains(strings.ToLower(format), leak) {
			t.Errorf("the access log shows something of the %s", leak)
		}
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheQueueRepeatsAMessageFiveTimesAndKeepsWhatStaysUndone(t *testing.T) {
	t.Parallel()
	template := read(t)
	reconcile := functions(t, template)["reconcile"]
	source := at(reconcile, "Properties", "Events", "Messages", "Properties")
	queue := at(template, "Resources", "ReconcileQueue", "Properties")
	dead := at(template, "Resources", "DeadLetterQueue", "Properties")

	if got := textAt(source, "Queue"); got != "!GetAtt ReconcileQueue.Arn" {
		t.Errorf("reconcile receives from %q", got)
	}
	if got := texts(source["FunctionResponseTypes"]); !slices.Equal(got, []string{"ReportBatchItemFailures"}) {
		t.Errorf("reconcile answers with %v", got)
	}
	if n := number(t, textAt(source, "BatchSize")); n < 1 || n > 10 {
		t.Errorf("a batch of %d", n)
	}
	if n := number(t, textAt(source, "ScalingConfig", "MaximumConcurrency")); n < 2 || n > 10 { // 2 is SQS's limit, 10 is for WeChat's rate limits
		t.Errorf("%d batches at once", n)
	}
	// AWS advises six times the function's timeout, and the wait for a batch.
	hidden, timeout := number(t, textAt(queue, "VisibilityTimeout")), number(t, property(template, reconcile, "Timeout"))
	if wait := number(t, textAt(source, "MaximumBatchingWindowInSeconds")); hidden < 6*timeout+wait {
		t.Errorf("a message is hidden for %d s, the function may take %d s after %d s of waiting", hidden, timeout, wait)
	}
	redrive := at(queue, "RedrivePolicy")
	if textAt(redrive, "deadLetterTargetArn") != "!GetAtt DeadLetterQueue.Arn" {
		t.Errorf("redrive policy %v", redrive)
	}
	const fourteenDays = 14 * 24 * 3600
	alive, kept := number(t, textAt(queue, "MessageRetentionPeriod")), number(t, textAt(dead, "MessageRetentionPeriod"))
	if kept != fourteenDays || kept <= alive {
		t.Errorf("dead letters are kept for %d s, messages for %d s", kept, alive)
	}
	for id, q := range ofType(t, template, "AWS::SQS::Queue") {
		if textAt(q, "Properties", "SqsManagedSseEnabled") != "true" {
			t.Errorf("%s is not encrypted", id)
		}
	}
	policy := at(template, "Resources", "QueuesTakeTLSOnly", "Properties")
	plainHTTP := []any{object{
		"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*", "Condition": object{"Bool": object{"aws:SecureTransport": "false"}},
	}}
	if diff := cmp.Diff(plainHTTP, at(policy, "PolicyDocument")["Statement"]); diff != "" {
		t.Errorf("what the queues refuse: -want +template\n%s", diff)
	}
	// A message that is not finished must have been received for the last time long before the queue forgets it, or it never is a dead
	// letter; and not before an outage of a few minutes, a failover, is over.
	const shortestOutage = 10 * 60
	if tried := hidden * number(t, textAt(redrive, "maxReceiveCount")); tried < shortestOutage || tried > alive/2 {
		t.Errorf("a message is tried for %d s, want from %d to half of the %d that the queue keeps it", tried, shortestOutage, alive)
	}
	if alive != 3600 {
		t.Errorf("messages are kept for %d s: what is older than an hour only repeats what the sweep sends again", alive)
	}
	if diff := cmp.Diff([]string{"!Ref ReconcileQueue", "!Ref DeadLetterQueue"}, texts(policy["Queues"])); diff != "" {
		t.Errorf("queues that refuse plain HTTP: %s", diff)
	}
}

func TestTheSweepRunsEveryMinuteOnTheMinute(t *testing.T) {
	t.Parallel()
	tick := at(functions(t, read(t))["sweep"], "Properties", "Events", "EveryMinute")
	p := at(tick, "Properties")
	onTime := p["ScheduleExpression"] == "rate(1 minute)" && textAt(p, "FlexibleTimeWindow", "Mode") == "OFF"
	if tick["Type"] != "ScheduleV2" || !onTime {
		t.Errorf("schedule %v", tick)
	}
	if diff := cmp.Diff(ofTheStack("xpay-sweep-${Id}"), p["Name"]); diff != "" {
		t.Errorf("two stacks would share the schedule's name, or a stack with a long one would have none: %s", diff)
	}
}

// ofTheStack is a name with the 36 characters that are a stack's own, whatever the stack is called.
func ofTheStack(name string) object {
	id := object{"!Select": []any{"2", object{"!Split": []any{"/", "!Ref AWS::StackId"}}}}
	return object{"!Sub": []any{name, object{"Id": id}}}
}

func TestTheCallbackEndsBeforeWeChatStopsWaiting(t *testing.T) {
	t.Parallel()
	template := read(t)
	const weChatSeconds, handlerSeconds = 5, 2.5    // spec 3; httpapi's deadline of a push
	for _, name := range []string{"Echo", "Push"} { // the gateway waits for the function to the end, and no longer than WeChat
		event := at(functions(t, template)["callback"], "Properties", "Events", name, "Properties")
		if got := textAt(event, "TimeoutInMillis"); got != "4500" {
			t.Errorf("%s: the gateway waits for %s ms", name, got)
		}
	}
	timeout := number(t, property(template, functions(t, template)["callback"], "Timeout"))
	if timeout >= weChatSeconds || float64(timeout) <= handlerSeconds {
		t.Errorf("the callback may take %d s", timeout)
	}
}

func TestNothingThatHoldsMoneyOrKeysGoesWithTheStack(t *testing.T) {
	t.Parallel()
	template := read(t)
	kept := ofType(t, template, "AWS::DynamoDB::Table")
	maps.Copy(kept, ofType(t, template, "AWS::SecretsManager::Secret"))
	kept["DeadLetterQueue"] = at(template, "Resources", "DeadLetterQueue") // somebody must look at what lies in it
	for id, r := range kept {
		if r["DeletionPolicy"] != "Retain" || r["UpdateReplacePolicy"] != "Retain" {
			t.Errorf("%s would be deleted", id)
		}
	}
}

func TestNoSecretIsAParameterOrLiesInTheTemplate(t *testing.T) {
	t.Parallel()
	template := read(t)
	for id, r := range ofType(t, template, "AWS::SecretsManager::Secret") {
		p := at(r, "Properties")
		if p["SecretString"] != nil {
			t.Errorf("%s has its value in the template", id)
		}
		var want object // the operator's
		if id == "SealSecret" {
			want = object{"PasswordLength": "43", "ExcludePunctuation": "true", "GenerateStringKey": "key", "SecretStringTemplate": "{}"}
		}
		if diff := cmp.Diff(want, at(p, "GenerateSecretString")); diff != "" {
			t.Errorf("%s: made by CloudFormation: %s", id, diff)
		}
	}
	for name := range at(template, "Parameters") {
		for _, word := range []string{"secret", "token", "key", "password"} {
			if strings.Contains(strings.ToLower(name), word) {
				t.Errorf("the parameter %s looks like a secret", name)
			}
		}
	}
}

func TestTheTemplateNamesNoPartition(t *testing.T) {
	t.Parallel()
	principals := []string{"lambda.amazonaws.com"} // the same in China
	consoles := []string{"console.aws.amazon.com", "console.amazonaws.cn"}
	eachText(read(t), func(text string) {
		if strings.Contains(text, "arn:aws") || strings.Contains(text, "amazonaws.com") && !slices.Contains(principals, text) && !slices.Contains(consoles, text) {
			t.Errorf("%q is right in one partition only", text)
		}
	})
}
