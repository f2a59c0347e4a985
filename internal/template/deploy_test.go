package template

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
)

func TestAuthModeClosesEveryRouteThatIsNotTheMerchants(t *testing.T) {
	t.Parallel()
	template := read(t)
	var closed, open []string
	signed := ifElse("SignedOnly", []any{object{"AWS_IAM": []any{}}}, "!Ref AWS::NoValue")
	paths := at(template, "Resources", "Api", "Properties", "DefinitionBody", "paths")
	for path := range paths {
		for method, operation := range at(paths, path) {
			closed = append(closed, strings.ToUpper(method)+" "+path)
			if diff := cmp.Diff(object{"security": signed}, operation); diff != "" {
				t.Errorf("%s %s: %s", method, path, diff)
			}
		}
	}
	for _, r := range httpapi.Routes() {
		if r.Auth != httpapi.AuthMerchant {
			open = append(open, r.Method+" "+r.Path)
		}
	}
	slices.Sort(closed)
	slices.Sort(open)
	if diff := cmp.Diff(open, closed); diff != "" {
		t.Errorf("-not the merchant's +closed by AuthMode iam\n%s", diff)
	}
	if diff := cmp.Diff(object{"!Equals": []any{"!Ref AuthMode", "iam"}}, template["Conditions"].(object)["SignedOnly"]); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyTheFunctionsThatCallWeChatMayBeInAVPC(t *testing.T) {
	t.Parallel()
	template := read(t)
	subnets := func(name string) object { return object{"!Split": []any{",", "!Ref " + name}} }
	inVPC := ifElse("InVpc", object{"SubnetIds": subnets("SubnetIds"), "SecurityGroupIds": subnets("SecurityGroupIds")}, "!Ref AWS::NoValue")
	for folder, f := range functions(t, template) {
		calls := slices.ContainsFunc(awsenv.Functions(), func(f awsenv.Function) bool {
			return f.Name == folder && f.Groups&backend.GroupMerchant != 0
		})
		var config, policies any
		if calls {
			config, policies = inVPC, ifElse("InVpc", []any{"!Ref NetworkPolicy"}, "!Ref AWS::NoValue")
		}
		if diff := cmp.Diff(config, at(f, "Properties")["VpcConfig"]); diff != "" {
			t.Errorf("%s: VpcConfig: -want +template\n%s", folder, diff)
		}
		if diff := cmp.Diff(policies, at(template, "Resources", roleOf(f), "Properties")["ManagedPolicyArns"]); diff != "" {
			t.Errorf("%s: ManagedPolicyArns: -want +template\n%s", folder, diff)
		}
	}
	policy := at(template, "Resources", "NetworkPolicy")
	if got := policy["Condition"]; got != "InVpc" {
		t.Errorf("the policy for a VPC is made under %q", got)
	}
	toLambda := []any{object{
		"Effect": "Allow", "Resource": "*", "Condition": object{"Null": object{"lambda:SourceFunctionArn": "true"}},
		"Action": []any{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
			"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"},
	}}
	if diff := cmp.Diff(toLambda, at(policy, "Properties", "PolicyDocument")["Statement"]); diff != "" {
		t.Errorf("what Lambda needs to put a function into subnets: -want +template\n%s", diff)
	}
}

// inText is a parameter in a text of !Sub.
var inText = regexp.MustCompile(`\$\{(\w+)\}`)

// parametersOf are the parameters that decide about a value: those it refers to, and those of its conditions.
func parametersOf(template object, v any) map[string]bool {
	found := map[string]bool{}
	eachText(v, func(text string) {
		name := strings.TrimPrefix(text, "!Ref ")
		if at(template, "Parameters")[name] != nil && name != text {
			found[name] = true
		}
		for _, m := range inText.FindAllStringSubmatch(text, -1) {
			if at(template, "Parameters")[m[1]] != nil && strings.HasPrefix(text, "!Sub ") {
				found[m[1]] = true
			}
		}
		if condition := at(template, "Conditions")[text]; condition != nil {
			maps.Copy(found, parametersOf(template, condition))
		}
	})
	return found
}

// reached adds to v every resource that it refers to, and those that these refer to.
func reached(template object, v any, found map[string]object) {
	for name := range at(template, "Resources") {
		named := regexp.MustCompile(`^!(Ref|GetAtt) ` + name + `(\.|$)|\$\{` + name + `[.}]`)
		eachText(v, func(text string) {
			if found[name] == nil && named.MatchString(text) {
				found[name] = at(template, "Resources", name)
				reached(template, found[name], found)
			}
		})
	}
}

// changedInPlace are the parameters that never make another resource of one: whoever refers to it stays right.
var changedInPlace = []string{"LogRetentionDays"}

// TestWhatTheCallbackRefersToIsNotReplacedBehindAVersion: a version also keeps the names of the resources that it was made with. So
// none may be made anew by a parameter that makes no new version, or by a name of its own.
func TestWhatTheCallbackRefersToIsNotReplacedBehindAVersion(t *testing.T) {
	t.Parallel()
	template := read(t)
	callback := maps.Clone(at(functions(t, template)["callback"], "Properties"))
	description := callback["VersionDescription"].(string)
	delete(callback, "DeploymentPreference") // is CodeDeploy's
	delete(callback, "Events")               // lead to the alias, not to a version
	found := map[string]object{}
	reached(template, []any{callback, at(template, "Globals")}, found)
	for _, needed := range []string{"OrdersTable", "ExpiringTable", "ReconcileQueue", "PushSecret", "CallbackRole", "CallbackLogs"} {
		if found[needed] == nil {
			t.Errorf("the callback does not refer to %s", needed)
		}
	}
	for id, r := range found {
		for parameter := range parametersOf(template, r) {
			if !slices.Contains(changedInPlace, parameter) && !strings.Contains(description, "${"+parameter+"}") {
				t.Errorf("%s may become another resource with another %s, and the callback's version is the same", id, parameter)
			}
		}
		for _, name := range []string{"TableName", "QueueName", "Name", "RoleName"} {
			if at(r, "Properties")[name] != nil {
				t.Errorf("%s has a name of its own", id)
			}
		}
	}
}

// TestAnotherValueOfAParameterIsAnotherVersionOfTheCallback: a version keeps its variables, and the live one would go on with
// the old values while the other functions have the new ones.
func TestAnotherValueOfAParameterIsAnotherVersionOfTheCallback(t *testing.T) {
	t.Parallel()
	template := read(t)
	callback := maps.Clone(at(functions(t, template)["callback"], "Properties"))
	description := callback["VersionDescription"].(string)
	delete(callback, "DeploymentPreference") // is CodeDeploy's
	delete(callback, "VersionDescription")
	shared := maps.Clone(at(template, "Globals", "Function"))
	delete(shared, "ReservedConcurrentExecutions") // is the function's, whatever the version
	reach := parametersOf(template, []any{callback, shared})
	var want []string
	for _, name := range slices.Sorted(maps.Keys(reach)) {
		want = append(want, "${"+name+"}")
	}
	got := strings.Fields(strings.TrimPrefix(description, "!Sub "))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-parameters that reach the callback +VersionDescription\n%s", diff)
	}
}

func TestTheCallbackChangesGraduallyWhenCanaryIsOn(t *testing.T) {
	t.Parallel()
	template := read(t)
	all := functions(t, template)
	for folder, f := range all {
		if alias := textAt(f, "Properties", "AutoPublishAlias"); (alias == "live") != (folder == "callback") {
			t.Errorf("%s: alias %q", folder, alias)
		}
	}
	want := object{
		"Enabled": object{"!FindInMap": []any{"DeploymentPreference", "!Ref Canary", "!Ref Paused"}},
		"Type":    "Canary10Percent5Minutes",
		"Alarms":  []any{"!Ref CallbackErrorsAlarm", "!Ref CallbackSlowAlarm", "!Ref PushesNotRecordedAlarm", "!Ref PushesRefusedAlarm"},
		"Hooks":   object{"PreTraffic": ifElse("WithCanary", "!Ref CanaryFunction", "!Ref AWS::NoValue")},
	}
	if diff := cmp.Diff(want, at(all["callback"], "Properties")["DeploymentPreference"]); diff != "" {
		t.Errorf("-want +template\n%s", diff)
	}
	// A version of a paused stack cannot be tried: the hook would fail, and CloudFormation would take the pause back.
	gradual := object{"off": object{"no": "false", "yes": "false"}, "on": object{"no": "true", "yes": "false"}}
	if diff := cmp.Diff(gradual, at(template, "Mappings", "DeploymentPreference")); diff != "" {
		t.Error(diff)
	}
	hooked := object{"!And": []any{object{"!Equals": []any{"!Ref Canary", "on"}}, object{"!Equals": []any{"!Ref Paused", "no"}}}}
	if diff := cmp.Diff(hooked, at(template, "Conditions")["WithCanary"]); diff != "" {
		t.Errorf("the hook is there when CodeDeploy is not, or the other way round: %s", diff)
	}
	if got := textAt(template, "Parameters", "Canary", "Default"); got != "off" {
		t.Errorf("Canary is %q by default", got)
	}
	canary := at(all["canary"], "Properties")
	if diff := cmp.Diff(ofTheStack("CodeDeployHook_${Id}"), canary["FunctionName"]); diff != "" {
		t.Errorf("CodeDeploy may only call functions whose names begin with CodeDeployHook_: %s", diff)
	}
	variables := object{
		"XPAY_APP_ID": "!Ref AppId", "XPAY_PUSH_SECRET": "!Ref PushSecret", "XPAY_FORWARD_URL": "!Ref ForwardUrl",
		"XPAY_NEW_VERSION": "!Ref CallbackFunction.Version",
	}
	if diff := cmp.Diff(variables, at(canary, "Environment", "Variables")); diff != "" {
		t.Errorf("variables: -package canary +template\n%s", diff)
	}
	for _, id := range []string{"CanaryFunction", "CanaryRole", "CanaryLogs"} {
		if textAt(template, "Resources", id, "Condition") != "WithCanary" {
			t.Errorf("%s is made without Canary", id)
		}
	}
}

func TestADomainOfItsOwnIsTheOnlyDoor(t *testing.T) {
	t.Parallel()
	template := read(t)
	if diff := cmp.Diff(ifElse("HasDomain", "true", "false"), at(template, "Resources", "Api", "Properties")["DisableExecuteApiEndpoint"]); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{"Domain", "DomainMapping"} {
		if textAt(template, "Resources", id, "Condition") != "HasDomain" {
			t.Errorf("%s is made without a domain", id)
		}
	}
}

// TestCombinationsThatMakeNoSenseAreRefused: each row is a parameter that needs another.
func TestCombinationsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	given := func(name string) object { return object{"!Not": []any{object{"!Equals": []any{"!Ref " + name, ""}}}} }
	is := func(name, v string) object { return object{"!Equals": []any{"!Ref " + name, v}} }
	want := [][2]object{
		{is("DeliveryTarget", "webhook"), given("WebhookUrl")}, {given("WebhookUrl"), is("DeliveryTarget", "webhook")},
		{given("SubnetIds"), given("SecurityGroupIds")}, {given("SecurityGroupIds"), given("SubnetIds")},
		{given("DomainName"), given("CertificateArn")}, {given("CertificateArn"), given("DomainName")},
	}
	rules := at(read(t), "Rules")
	if len(rules) != len(want) {
		t.Errorf("%d rules, want %d", len(rules), len(want))
	}
	for _, w := range want {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(rules)), func(name string) bool {
			rule := at(rules, name)
			asserted := rule["Assertions"].([]any)[0].(object)
			return cmp.Equal(w[0], rule["RuleCondition"]) && cmp.Equal(w[1], asserted["Assert"]) && asserted["AssertDescription"] != ""
		}) {
			t.Errorf("no rule says that %v needs %v", w[0], w[1])
		}
	}
}

// TestPushesHaveRoomAndWhatMovesMoneyIsTight compares the throttles, in requests a second.
func TestPushesHaveRoomAndWhatMovesMoneyIsTight(t *testing.T) {
	t.Parallel()
	api := at(read(t), "Resources", "Api", "Properties")
	usual := number(t, textAt(api, "DefaultRouteSettings", "ThrottlingRateLimit"))
	rate := func(route string) int { return number(t, textAt(api, "RouteSettings", route, "ThrottlingRateLimit")) }
	if push := rate("POST /wechat/push"); push < 2*usual {
		t.Errorf("pushes are limited to %d, everything else to %d", push, usual)
	}
	for route := range at(api, "RouteSettings") {
		if burst := number(t, textAt(api, "RouteSettings", route, "ThrottlingBurstLimit")); burst < rate(route) {
			t.Errorf("%s is limited to %d a second, and to %d at once", route, rate(route), burst)
		}
	}
	for _, route := range []string{"POST /orders", "POST /orders/{id}/attempts", "POST /merchant/orders/{id}/refunds", "POST /merchant/orders/{id}/adopt"} {
		if r := rate(route); 2*r > usual {
			t.Errorf("%s is limited to %d, others to %d", route, r, usual)
		}
	}
}

// TestARestoredTableTakesThePlaceOfTheStacksOwnEverywhere: every function and every role has the one or the other, never both.
func TestARestoredTableTakesThePlaceOfTheStacksOwnEverywhere(t *testing.T) {
	t.Parallel()
	template := read(t)
	if diff := cmp.Diff(object{"!Not": []any{object{"!Equals": []any{"!Ref OrdersTableName", ""}}}}, at(template, "Conditions")["RestoredOrders"]); diff != "" {
		t.Error(diff)
	}
	const restored = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${OrdersTableName}"
	words := strings.NewReplacer("!GetAtt OrdersTable.Arn", "!Sub "+restored, "${OrdersTable.Arn}", restored)
	own, err := Roles(root + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	moved, err := Roles(root+"template.yaml", "RestoredOrders")
	if err != nil {
		t.Fatal(err)
	}
	replaced := 0
	for _, may := range own {
		for _, resources := range may {
			for i, r := range resources {
				if resources[i] = words.Replace(r); resources[i] != r {
					replaced++
				}
			}
		}
	}
	if diff := cmp.Diff(own, moved); diff != "" || replaced < 10 {
		t.Errorf("%d resources: -the stack's own table, renamed +the restored one\n%s", replaced, diff)
	}
	either := ifElse("RestoredOrders", "!Ref OrdersTableName", "!Ref OrdersTable")
	if diff := cmp.Diff(either, at(template, "Outputs", "OrdersTableName")["Value"]); diff != "" {
		t.Errorf("output: %s", diff)
	}
	// Beside those there is no word of the stack's own table but in itself.
	eachText(template, func(text string) {
		if text != "OrdersTable" && strings.Contains(text, "OrdersTable") && !strings.Contains(text, "OrdersTableName") && !strings.Contains(text, "OrdersTableErrorsAlarm") &&
			text != "!Ref OrdersTable" && text != "!GetAtt OrdersTable.Arn" && !strings.HasPrefix(text, "!Sub ${OrdersTable.Arn}/index/") {
			t.Errorf("%q", text)
		}
	})
}

// reserve is how many of a function may run at once when the named conditions hold: nil is as many as the account allows.
func reserve(template, function object, holds ...string) any {
	const name = "ReservedConcurrentExecutions"
	if own, ok := at(function, "Properties")[name]; ok {
		return chosen(own, holds)
	}
	return chosen(at(template, "Globals", "Function")[name], holds)
}

// TestInAPausedStackNothingRuns: whatever reads or writes the tables, the merchant's routes too, would go on with the table that
// is being replaced.
func TestInAPausedStackNothingRuns(t *testing.T) {
	t.Parallel()
	template := read(t)
	if diff := cmp.Diff(object{"!Equals": []any{"!Ref Paused", "yes"}}, at(template, "Conditions")["IsPaused"]); diff != "" || textAt(template, "Parameters", "Paused", "Default") != "no" {
		t.Errorf("paused by default, or never: %s", diff)
	}
	all := functions(t, template)
	for folder, f := range all {
		if folder == "canary" {
			continue // only where the stack is not paused
		}
		for _, limited := range [][]string{{"IsPaused"}, {"IsPaused", "LimitsCreateOrder", "LimitsRefund"}} {
			if got := reserve(template, f, limited...); got != "0" {
				t.Errorf("%s: %v of a paused stack may run at once, %v", folder, got, limited)
			}
		}
	}
	tick := at(all["sweep"], "Properties", "Events", "EveryMinute", "Properties")
	if diff := cmp.Diff(ifElse("IsPaused", "DISABLED", "ENABLED"), tick["State"]); diff != "" {
		t.Errorf("the schedule: %s", diff)
	}
	messages := at(all["reconcile"], "Properties", "Events", "Messages", "Properties")
	if diff := cmp.Diff(ifElse("IsPaused", "false", "true"), messages["Enabled"]); diff != "" {
		t.Errorf("the queue would spend its five receives: %s", diff)
	}
}

// TestOnlyWhatAParameterLimitsHasAReserve: a reserve of the callback would turn pushes away, one of the worker would let messages
// die unread.
func TestOnlyWhatAParameterLimitsHasAReserve(t *testing.T) {
	t.Parallel()
	template := read(t)
	limits := map[string]any{"createorder": "!Ref CreateOrderConcurrency", "refund": "!Ref RefundConcurrency"}
	for folder, f := range functions(t, template) {
		if got := reserve(template, f, "LimitsCreateOrder", "LimitsRefund"); got != limits[folder] {
			t.Errorf("%s has a reserve of %v", folder, got)
		}
		if got := reserve(template, f); got != nil {
			t.Errorf("%s has a reserve of %v that nobody asked for", folder, got)
		}
	}
}
