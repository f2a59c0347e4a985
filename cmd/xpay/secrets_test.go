package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

func parseEvent(body string) (xpay.Event, error) { return xpay.ParseEvent([]byte(body)) }

const testSecretKey = "test-secret-access-key"

// deployment is a stack that CloudFormation knows, with the outputs and parameters of template.yaml.
type deployment struct {
	name    string
	env     []string
	secrets *secretsmanager.Client
	arns    map[string]string
}

// stackTemplate has a resource because one must be there. moto makes no secrets from a template, so they are parameters.
const stackTemplate = `{
"Parameters":{"AppId":{"Type":"String"},"OfferId":{"Type":"String"},"WeChatEnv":{"Type":"String"},"WeChatUrl":{"Type":"String"},"Address":{"Type":"String"},
"Push":{"Type":"String"},"Merchant":{"Type":"String"},"Delivery":{"Type":"String"},"Seal":{"Type":"String"}},
"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}},
"Outputs":{"ApiUrl":{"Value":{"Ref":"Address"}},"PushUrl":{"Value":{"Fn::Sub":"${Address}/wechat/push"}},
"PushSecretArn":{"Value":{"Ref":"Push"}},"MerchantSecretArn":{"Value":{"Ref":"Merchant"}},"DeliverySecretArn":{"Value":{"Ref":"Delivery"}},"SealSecretArn":{"Value":{"Ref":"Seal"}}}}`

// deployed makes a stack whose API is at an address and whose WeChat is at another.
func deployed(t *testing.T, address, weChat string) deployment {
	t.Helper()
	endpoint := awstest.Endpoint(t)
	cfg := awstest.Config(endpoint)
	d := deployment{
		name: "xpay-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())), secrets: secretsmanager.NewFromConfig(cfg), arns: map[string]string{},
		env: []string{
			"AWS_ENDPOINT_URL=" + endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=" + testSecretKey,
			"AWS_SESSION_TOKEN=test-session", "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true",
		},
	}
	parameter := func(key, value string) types.Parameter {
		return types.Parameter{ParameterKey: &key, ParameterValue: &value}
	}
	parameters := []types.Parameter{
		parameter("AppId", testAppID), parameter("OfferId", testOffer), parameter("WeChatEnv", "0"), parameter("WeChatUrl", weChat), parameter("Address", address),
	}
	for _, name := range []string{"Push", "Merchant", "Delivery", "Seal"} {
		made, err := d.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(d.name + "-" + name)})
		if err != nil {
			t.Fatal(err)
		}
		d.arns[name+"SecretArn"] = *made.ARN
		parameters = append(parameters, parameter(name, *made.ARN))
	}
	_, err := cloudformation.NewFromConfig(cfg).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &d.name, TemplateBody: aws.String(stackTemplate), Parameters: parameters,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// xpay runs the command on the stack.
func (d deployment) xpay(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return tool{env: d.env, stdin: stdin}.run(t, append(args, "--stack", d.name)...)
}

// stored is a secret as Secrets Manager has it.
func (d deployment) stored(t *testing.T, output, stage string) string {
	t.Helper()
	got, err := d.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(d.arns[output]), VersionStage: &stage})
	if err != nil {
		t.Fatal(err)
	}
	return *got.SecretString
}

const (
	consoleToken = "consoleToken1" // testToken has a character that WeChat's console does not take
	pushJSON     = `{"tokens":["` + consoleToken + `"],"aesKeys":["` + testAESKey + `"]}`
	merchantJSON = `{"appSecret":"` + testSecret + `","appKeys":{"production":"` + testKey + `"}}`
)

func TestASecretIsPutFromAFileOrStdinWhenItIsUsable(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.xpay(t, pushJSON, "secrets", "put", "push", "--file", "-").want(t, 0, "已写入").silent(t)
	d.xpay(t, "", "secrets", "put", "merchant", "--file", write(t, "merchant.json", merchantJSON)).want(t, 0).silent(t)
	if got := d.stored(t, "PushSecretArn", "AWSCURRENT"); got != pushJSON {
		t.Errorf("stored is %s", got)
	}
	for name, c := range map[string]struct {
		which, value, says string
		code               int
	}{
		"no JSON":               {"push", consoleToken, "not the expected JSON", 1},
		"nothing":               {"push", "", "not the expected JSON", 1},
		"no token":              {"push", `{"tokens":[],"aesKeys":["` + testAESKey + `"]}`, "tokens", 1},
		"a short key":           {"push", `{"tokens":["` + consoleToken + `"],"aesKeys":["` + testAESKey[:42] + `"]}`, "43", 1},
		"a key that is no key":  {"push", `{"tokens":["` + consoleToken + `"],"aesKeys":["` + strings.Repeat("!", 43) + `"]}`, "43", 1},
		"a token of two":        {"push", strings.Replace(pushJSON, consoleToken, "ab", 1), "tokens[0] must be 3 to 32 letters and digits", 1},
		"a token with a space":  {"push", strings.Replace(pushJSON, consoleToken, "abc def", 1), "tokens[0]", 1},
		"a token in Chinese":    {"push", strings.Replace(pushJSON, consoleToken, "我们的口令", 1), "tokens[0]", 1},
		"a token of 33":         {"push", strings.Replace(pushJSON, consoleToken, strings.Repeat("a", 33), 1), "tokens[0]", 1},
		"a token named TOKENS":  {"push", `{"TOKENS":["ab"],"aesKeys":["` + testAESKey + `"]}`, "tokens[0]", 1},
		"a key with a plus":     {"push", strings.Replace(pushJSON, testAESKey, "+"+testAESKey[1:], 1), "aesKeys[0] must be 43 letters and digits", 1},
		"a misspelt name":       {"push", `{"token":"` + consoleToken + `"}`, "unknown field", 1},
		"two values":            {"push", pushJSON + pushJSON, "not the expected JSON", 1},
		"a number":              {"merchant", `{"appSecret":1234567890123}`, "another type", 1},
		"the other env's key":   {"merchant", `{"appSecret":"` + testSecret + `","appKeys":{"sandbox":"` + testSandboxKey + `"}}`, "production", 1},
		"no webhook key":        {"delivery", `{"keys":[]}`, "keys", 1},
		"a secret not of ours":  {"stack", `{}`, "must be one of", 2},
		"a short sealing key":   {"seal", `{"key":"c2hvcnQ"}`, "32 bytes", 1},
		"on the command line":   {"push=" + consoleToken, pushJSON, "must be one of", 2},
		"merchant's as push's":  {"push", merchantJSON, "unknown field", 1},
		"a webhook key unknown": {"delivery", `{"keys":["` + testSecret + `"]}`, "", 1},
	} {
		if r := d.xpay(t, c.value, "secrets", "put", c.which, "--file", "-").want(t, c.code, c.says).silent(t); r.out != "" {
			t.Errorf("%s: it prints %q", name, r.out)
		}
	}
	if got := d.stored(t, "PushSecretArn", "AWSCURRENT"); got != pushJSON {
		t.Errorf("what is not usable was stored: %s", got)
	}
	d.xpay(t, pushJSON, "secrets", "put", "push").want(t, 2, "nobody is there to ask").silent(t)
	d.xpay(t, "", "secrets", "put", "push", "--file", "/nonexistent").want(t, 2, "cannot be read")
	open := write(t, "push.json", pushJSON)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	d.xpay(t, "", "secrets", "put", "push", "--file", open).want(t, 2, "chmod 600").silent(t)
}

func TestTheSecretsOfAStackAreCheckedWithoutBeingShown(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.xpay(t, "", "secrets", "check").want(t, 1, "FIX  push", "FIX  merchant", "FIX  delivery", "no value yet")
	d.xpay(t, pushJSON, "secrets", "put", "push", "--file", "-").want(t, 0)
	d.xpay(t, merchantJSON, "secrets", "put", "merchant", "--file", "-").want(t, 0)
	_, err := d.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String(d.arns["DeliverySecretArn"]), SecretString: aws.String(`{"keys":["` + testSecret + `"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	d.xpay(t, "", "secrets", "check").want(t, 1, "ok   push", "ok   merchant", "FIX  delivery").silent(t)
	lines := strings.Split(strings.TrimSpace(d.xpay(t, "", "secrets", "check", "--json").want(t, 1).silent(t).out), "\n")
	if len(lines) != 4 || lines[0] != `{"secret":"push","ok":true}` {
		t.Errorf("as JSON: %q", lines)
	}
}

func TestASealingKeyIsRotatedAndSeenByNobody(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	const first = `{"key":"hunter2hunter2hunter2hunter2hunter2hunter2h"}`
	d.xpay(t, first, "secrets", "put", "seal", "--file", "-").want(t, 0)
	said := d.xpay(t, "", "secrets", "rotate", "seal").want(t, 0, "已轮换")
	var now struct{ Key string }
	if err := json.Unmarshal([]byte(d.stored(t, "SealSecretArn", "AWSCURRENT")), &now); err != nil {
		t.Fatal(err)
	}
	if len(now.Key) != 43 || strings.Contains(first, now.Key) || strings.Contains(said.all(), now.Key) || d.stored(t, "SealSecretArn", "AWSPREVIOUS") != first {
		t.Errorf("a key of %d characters, or the old one is not kept, or it is shown:\n%s", len(now.Key), said.all())
	}
	d.xpay(t, "", "secrets", "check").want(t, 1, "ok   seal")

	d.xpay(t, "", "secrets", "rotate", "seal").want(t, 1, "--again") // as after an answer that was lost
	if d.stored(t, "SealSecretArn", "AWSPREVIOUS") != first {
		t.Error("a repeated command rotates again: what the first key has sealed does not open any more")
	}
	d.xpay(t, "", "secrets", "rotate", "seal", "--again").want(t, 0, "已轮换")
	if before := d.stored(t, "SealSecretArn", "AWSPREVIOUS"); !strings.Contains(before, now.Key) {
		t.Error("--again does not rotate")
	}
	d.xpay(t, "", "secrets", "rotate", "seal", "--leaked").want(t, 2, "push")
}

func TestAValueThatIsCurrentIsNotPutAgain(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	second := strings.Replace(pushJSON, consoleToken, "anotherToken", 1)
	for _, step := range []struct{ value, says, current, previous string }{
		{pushJSON, "is put", pushJSON, ""},
		{second, "is put", second, pushJSON},
		{second + "\n", "has this value already", second, pushJSON},
		{pushJSON, "is put", pushJSON, second}, // back to the first
	} {
		d.xpay(t, step.value, "secrets", "put", "push", "--file", "-").want(t, 0, step.says).silent(t)
		if got := d.stored(t, "PushSecretArn", "AWSCURRENT"); got != step.current {
			t.Errorf("current is %s", got)
		}
		if step.previous != "" && d.stored(t, "PushSecretArn", "AWSPREVIOUS") != step.previous {
			t.Error("the value before is lost")
		}
	}
}

func TestTheOutputsSayWhatToPasteAndWhereAndKeepSecretsFromPipes(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.xpay(t, pushJSON, "secrets", "put", "push", "--file", "-").want(t, 0)
	d.xpay(t, "", "outputs").want(t, 0, "https://api.example/wechat/push", "开发管理 → 消息推送", "安全模式", "服务器域名").silent(t)
	var got struct{ APIURL, PushURL string }
	if d.xpay(t, "", "outputs", "--json").want(t, 0).silent(t).decode(t, &got); got.APIURL != "https://api.example" || got.PushURL != "https://api.example/wechat/push" {
		t.Errorf("as JSON: %+v", got)
	}
	d.xpay(t, "", "outputs", "--show-secrets").want(t, 2, "terminal").silent(t)
	d.xpay(t, "", "outputs", "--show-secrets", "--json").want(t, 2, "terminal").silent(t)
	d.xpay(t, "", "secrets", "rotate", "push").want(t, 2, "terminal").silent(t)
	if got := d.stored(t, "PushSecretArn", "AWSCURRENT"); got != pushJSON {
		t.Errorf("something was rotated: %s", got)
	}
	tool{env: d.env}.run(t, "outputs").want(t, 2, "--stack")
	tool{env: []string{"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent"}}.
		run(t, "outputs", "--stack", "x").want(t, 2, "no usable AWS credentials")
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDFORMATION"} {
		for _, address := range []string{"127.0.0.1:4566", "localhost", "http://", "ftp://x", "http://%zz"} {
			tool{env: append(slices.Clone(d.env), variable+"="+address)}.run(t, "outputs", "--stack", "x").want(t, 2, variable+" is no http or https URL", "请核对")
		}
	}
	tool{env: append(slices.Clone(d.env), "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_MAX_ATTEMPTS=1")}.run(t, "outputs", "--stack", "x").want(t, 3)
}

// On a terminal, made by script(1) of util-linux.
func TestOnATerminalSecretsAreAskedForAndShownWhenWanted(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("script"); err != nil {
		t.Fatal("MISSING: script(1) of util-linux")
	}
	d := deployed(t, "https://api.example", "")
	asked := d.onTerminal(t, consoleToken+"\n"+testAESKey+"\n", "secrets", "put", "push")
	if !strings.Contains(asked, "EncodingAESKey") || strings.Contains(asked, consoleToken) || strings.Contains(asked, testAESKey) {
		t.Errorf("it shows what is typed, or does not ask:\n%s", asked)
	}
	if got := d.stored(t, "PushSecretArn", "AWSCURRENT"); got != pushJSON {
		t.Fatalf("stored is %s, it said\n%s", got, asked)
	}
	if shown := d.onTerminal(t, "", "outputs", "--show-secrets"); !strings.Contains(shown, consoleToken) || !strings.Contains(shown, testAESKey) {
		t.Errorf("asked for on a terminal, it does not show them:\n%s", shown)
	}
	shown := d.onTerminal(t, "", "secrets", "rotate", "push")
	var now backend.PushSecrets
	if err := json.Unmarshal([]byte(d.stored(t, "PushSecretArn", "AWSCURRENT")), &now); err != nil {
		t.Fatal(err)
	}
	if len(now.Tokens) != 2 || len(now.AESKeys) != 2 || now.Tokens[1] != consoleToken || now.AESKeys[1] != testAESKey ||
		!strings.Contains(shown, now.Tokens[0]) || !strings.Contains(shown, now.AESKeys[0]) || strings.Contains(shown, testAESKey) {
		t.Errorf("it put %d tokens and showed\n%s", len(now.Tokens), shown)
	}
	if before := d.stored(t, "PushSecretArn", "AWSPREVIOUS"); before != pushJSON {
		t.Error("the old value is not kept")
	}
	leaked := now.Tokens[0]
	shown = d.onTerminal(t, "", "secrets", "rotate", "push", "--leaked")
	for _, stage := range []string{"AWSCURRENT", "AWSPREVIOUS"} { // the functions believe both
		var alone backend.PushSecrets
		if err := json.Unmarshal([]byte(d.stored(t, "PushSecretArn", stage)), &alone); err != nil {
			t.Fatal(err)
		}
		if len(alone.Tokens) != 1 || len(alone.AESKeys) != 1 || alone.Tokens[0] == leaked || alone.AESKeys[0] == now.AESKeys[0] ||
			!strings.Contains(shown, alone.Tokens[0]) || !strings.Contains(shown, "refused") {
			t.Errorf("%s has %d tokens, and it showed\n%s", stage, len(alone.Tokens), shown)
		}
	}
}

// onTerminal runs the command on a terminal of its own, where somebody types.
func (d deployment) onTerminal(t *testing.T, typed string, args ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "script", "-qec", path+" "+strings.Join(append(args, "--stack", d.name), " "), "/dev/null")
	cmd.Dir, cmd.Env = t.TempDir(), append([]string{"PATH=/usr/bin:/bin"}, d.env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &promptWatch{t: t, to: &out, lines: strings.SplitAfter(typed, "\n"), in: stdin}, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	return out.String()
}

func TestTheDoctorExaminesADeployedStack(t *testing.T) {
	t.Parallel()
	_, weChat := simulated(t, nil)
	receiver := backendFor(t, configured(t, nil))
	d := deployed(t, strings.TrimSuffix(receiver.push, "/wechat/push"), weChat)
	d.xpay(t, "", "doctor").want(t, 1, "no value yet", "FIX         secret-push", "FIX         secret-merchant", "secrets put merchant --stack "+d.name, "-> xpay secrets rotate seal --stack "+d.name)
	known := strings.Replace(pushJSON, consoleToken, testToken, 1) // to the receiver
	d.put(t, "PushSecretArn", known)
	d.xpay(t, merchantJSON, "secrets", "put", "merchant", "--file", "-").want(t, 0)
	d.xpay(t, "", "doctor").want(t, 1, "FIX         secret-seal", "FIX         secret-delivery", "ok          secret-push").silent(t)
	d.xpay(t, `{"key":"hunter2hunter2hunter2hunter2hunter2hunter2h"}`, "secrets", "put", "seal", "--file", "-").want(t, 0)
	d.xpay(t, `{"keys":["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}`, "secrets", "put", "delivery", "--file", "-").want(t, 0)
	d.xpay(t, "", "doctor").want(t, 0, "ok          secret-seal", "ok          plain-pushes", "ok          appid-secret", "ok          app-key-production", "ok          push-url", "ok          push-event-json", "ok          clock").silent(t)
	_, err := cloudwatch.NewFromConfig(awstest.Config(awstest.Endpoint(t))).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
		Namespace:  aws.String("XpayServerless/" + d.name),
		MetricData: []cloudwatchtypes.MetricDatum{{MetricName: aws.String("PlainPushes"), Value: aws.Float64(1), Timestamp: aws.Time(time.Now().Add(-2 * time.Hour))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.xpay(t, "", "doctor").want(t, 1, "FIX         plain-pushes", "1 pushes came in plain mode", "安全模式").silent(t)
	d.xpay(t, `{"tokens":["`+testToken+`"]}`, "secrets", "put", "push", "--file", "-").want(t, 0, "dropped: aesKeys") // stored already, so it may stay
	d.xpay(t, "", "doctor").want(t, 1, "FIX         secret-push", "EncodingAESKey").silent(t)
	d.xpay(t, strings.Replace(pushJSON, consoleToken, "anotherToken", 1), "secrets", "put", "push", "--file", "-").want(t, 0)
	d.xpay(t, "", "doctor").want(t, 1, "FIX         push-url").silent(t)
	d.xpay(t, "", "doctor", "--push-url", "https://other.example/").want(t, 2, "--push-url")
}
