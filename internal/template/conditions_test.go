package template

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAConditionHoldsWhenItsParameterSaysSo: the other tests, and the roles of package lambdae2e, choose by the names of conditions.
func TestAConditionHoldsWhenItsParameterSaysSo(t *testing.T) {
	t.Parallel()
	is := func(parameter, value string) object { return object{"!Equals": []any{"!Ref " + parameter, value}} }
	isNot := func(parameter, value string) object { return object{"!Not": []any{is(parameter, value)}} }
	want := object{
		"SignedOnly": is("AuthMode", "iam"), "IsPaused": is("Paused", "yes"), "RestoredOrders": isNot("OrdersTableName", ""),
		"WithCanary":    object{"!And": []any{is("Canary", "on"), is("Paused", "no")}},
		"HasAlarmTopic": isNot("AlarmTopicArn", ""), "HasDomain": isNot("DomainName", ""), "InVpc": isNot("SubnetIds", ""), "OtherAws": isNot("AwsEndpointUrl", ""),
		"Delivers": isNot("DeliveryTarget", "none"), "ToWebhook": is("DeliveryTarget", "webhook"), "ToEventBus": is("DeliveryTarget", "eventbus"),
		"LimitsCreateOrder": isNot("CreateOrderConcurrency", "0"), "LimitsRefund": isNot("RefundConcurrency", "0"),
	}
	if diff := cmp.Diff(want, at(read(t), "Conditions")); diff != "" {
		t.Errorf("-want +template\n%s", diff)
	}
}

// TestTheThrottlesAreThoseThatWereChosen, in requests a second and at once.
func TestTheThrottlesAreThoseThatWereChosen(t *testing.T) {
	t.Parallel()
	limit := func(rate, burst string) object {
		return object{"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}
	}
	api := at(read(t), "Resources", "Api", "Properties")
	want := []any{limit("500", "1000"), object{
		"POST /login": limit("200", "400"), "POST /orders": limit("100", "200"), "POST /orders/{id}/attempts": limit("100", "200"),
		"POST /merchant/orders/{id}/refunds": limit("10", "20"), "POST /merchant/orders/{id}/adopt": limit("10", "20"),
		"POST /wechat/push": limit("2000", "4000"),
	}}
	if diff := cmp.Diff(want, []any{api["DefaultRouteSettings"], api["RouteSettings"]}); diff != "" {
		t.Errorf("-want +template\n%s", diff)
	}
}

// TestTheOutputsLeadWhereTheyPromise: the operator's commands, the console and the runbook go by them.
func TestTheOutputsLeadWhereTheyPromise(t *testing.T) {
	t.Parallel()
	outputs := at(read(t), "Outputs")
	for name, want := range map[string]any{
		"ApiUrl":             ifElse("HasDomain", "!Sub https://${DomainName}", "!GetAtt Api.ApiEndpoint"),
		"PushUrl":            ifElse("HasDomain", "!Sub https://${DomainName}/wechat/push", "!Sub ${Api.ApiEndpoint}/wechat/push"),
		"DeadLetterQueueUrl": "!Ref DeadLetterQueue", "DeadLetterQueueArn": "!GetAtt DeadLetterQueue.Arn", "ReconcileQueueUrl": "!Ref ReconcileQueue",
		"PushSecretArn": "!Ref PushSecret", "MerchantSecretArn": "!Ref MerchantSecret", "SealSecretArn": "!Ref SealSecret", "DeliverySecretArn": "!Ref DeliverySecret",
		"AppId": "!Ref AppId", "WeChatEnv": "!Ref WeChatEnv", "Stage": "!Ref Stage",
	} {
		if diff := cmp.Diff(want, at(outputs, name)["Value"]); diff != "" {
			t.Errorf("%s: -want +template\n%s", name, diff)
		}
	}
}

// TestWhatAloneKeepsAPromise: metrics are lines of level INFO; a version is published for another property, too; the next tick does
// what a failed one did not.
func TestWhatAloneKeepsAPromise(t *testing.T) {
	t.Parallel()
	template := read(t)
	all := functions(t, template)
	got := []any{
		at(template, "Parameters", "LogLevel")["AllowedValues"], at(all["callback"], "Properties")["AutoPublishAliasAllProperties"],
		at(all["sweep"], "Properties")["EventInvokeConfig"],
	}
	want := []any{[]any{"DEBUG", "INFO"}, "true", object{"MaximumEventAgeInSeconds": "60", "MaximumRetryAttempts": "0"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +template\n%s", diff)
	}
}
