package awsenv

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestEveryFunctionStartsWithWhatItIsGivenAndAsksForNothingElse(t *testing.T) {
	w := newWorld(t)
	given := map[string]struct {
		secrets []string
		asks    map[string]int
	}{
		"createorder": {[]string{"MERCHANT", "SEAL"}, map[string]int{"GetSecretValue": 4, "GetItem": 2}},
		"callback":    {[]string{"PUSH"}, map[string]int{"GetSecretValue": 2, "GetItem": 2}},
		"refund":      {[]string{"MERCHANT", "SEAL"}, map[string]int{"GetSecretValue": 4, "GetItem": 2}},
		"orders":      {[]string{"MERCHANT", "SEAL"}, map[string]int{"GetSecretValue": 4, "GetItem": 2}},
		"login":       {[]string{"MERCHANT", "SEAL"}, map[string]int{"GetSecretValue": 4, "GetItem": 1}},
		"reconcile":   {[]string{"MERCHANT", "SEAL"}, map[string]int{"GetSecretValue": 4, "GetItem": 2}},
		"sweep":       {nil, map[string]int{}},
	}
	for _, f := range Functions() {
		want := given[f.Name]
		change := map[string]string{}
		for _, s := range []string{"PUSH", "MERCHANT", "SEAL"} {
			if !slices.Contains(want.secrets, s) {
				change["XPAY_"+s+"_SECRET"] = ""
			}
		}
		w.taken()
		if _, err := Open(t.Context(), f.Name, w.with(change), discard); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if got := w.taken(); !maps.Equal(got, want.asks) {
			t.Errorf("%s asks %v, want %v", f.Name, got, want.asks)
		}
	}
}

func TestEverythingThatIsNotSetIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	always := []string{"XPAY_ORDERS_TABLE", "XPAY_EXPIRING_TABLE", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	serving := append([]string{"XPAY_APP_ID", "XPAY_OFFER_ID", "XPAY_ENV"}, always...)
	paying := append([]string{"XPAY_MERCHANT_SECRET", "XPAY_SEAL_SECRET"}, serving...)
	for function, want := range map[string][]string{
		"createorder": paying, "refund": append(paying, "XPAY_QUEUE_URL"), "orders": append(paying, "XPAY_QUEUE_URL"),
		"login": paying, "reconcile": paying,
		"callback": append([]string{"XPAY_PUSH_SECRET", "XPAY_QUEUE_URL"}, serving...),
		"sweep":    append([]string{"XPAY_QUEUE_URL"}, always...),
	} {
		_, err := Open(t.Context(), function, func(string) string { return "" }, discard)
		var said []string
		for _, p := range joined(err) {
			if name, _, ok := strings.Cut(p.Error(), " is not set: "); ok {
				said = append(said, name)
			} else if function != "createorder" && function != "orders" || !strings.Contains(p.Error(), "goods.yaml") {
				t.Errorf("%s: %v", function, p)
			}
		}
		slices.Sort(said)
		slices.Sort(want)
		if !slices.Equal(said, want) {
			t.Errorf("%s says %v, want %v", function, said, want)
		}
	}
	if _, err := Open(t.Context(), "typo", func(string) string { return "" }, discard); err == nil {
		t.Error("a function that does not exist opens")
	}
}

func TestWhatIsWrongIsNamedByItsVariable(t *testing.T) {
	w := newWorld(t)
	name := w.vars["XPAY_ORDERS_TABLE"]
	for _, c := range []struct {
		function, variable, value string
		named                     []string // one problem for each
	}{
		{"callback", "XPAY_ENV", "2", []string{"XPAY_ENV must be 0"}},
		{"callback", "XPAY_ENV", "sandbox", []string{"XPAY_ENV must be 0"}},
		{"callback", "XPAY_ENV", "00", []string{"XPAY_ENV must be 0"}},
		{"callback", "XPAY_ENV", "+1", []string{"XPAY_ENV must be 0"}},
		{"callback", "XPAY_ORDERS_TABLE", w.vars["XPAY_EXPIRING_TABLE"], []string{"XPAY_ORDERS_TABLE and XPAY_EXPIRING_TABLE name the same table"}},
		{"callback", "AWS_SECRET_ACCESS_KEY", "", []string{"AWS_SECRET_ACCESS_KEY is not set"}},
		{"callback", "AWS_REGION", "", []string{"AWS_REGION is not set"}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"0", pushSecret+"}"), []string{"not the expected JSON"}},
		{"callback", "XPAY_FORWARD_URL", "ftp://x", []string{"XPAY_FORWARD_URL is not an http"}},
		{"createorder", "XPAY_WECHAT_URL", "api.weixin.qq.com", []string{"XPAY_WECHAT_URL is not an http"}},
		{"createorder", "XPAY_ENV", "1", []string{"XPAY_MERCHANT_SECRET: appKeys.sandbox is missing"}},
		{"createorder", "LAMBDA_TASK_ROOT", "/nowhere", []string{"goods.yaml"}},
		{"callback", "XPAY_ORDERS_TABLE", "absent", []string{"absent"}},
		{"login", "XPAY_EXPIRING_TABLE", "absent", []string{"absent"}},
		{"callback", "XPAY_PUSH_SECRET", "absent", []string{"XPAY_PUSH_SECRET: the secret does not exist"}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"1", ""), []string{"XPAY_PUSH_SECRET: the secret does not exist or has no value yet"}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"2", "hunter2"), []string{"XPAY_PUSH_SECRET: the secret is not the expected JSON"}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"3", `{"token":"hunter2"}`), []string{`unknown field "token"`}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"4", `{"tokens":"hunter2"}`), []string{`a string where "tokens" must be`}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"5", `{"tokens":["hunter2"],"aesKeys":["hunter2"]}`), []string{"aesKeys[0]"}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"6", `{}`), []string{"XPAY_PUSH_SECRET: tokens is missing: the Token"}},
		{"callback", "XPAY_PUSH_SECRET", w.secret(name+"7", `{"tokens":["hunter2"]} {}`), []string{"not the expected JSON"}},
		{"login", "XPAY_MERCHANT_SECRET", w.secret(name+"8", `{"appSecret":5,"appKeys":{}}`), []string{`a number where "appSecret"`}},
		{"login", "XPAY_MERCHANT_SECRET", w.secret(name+"9", `{"appKeys":{"sandbox":"hunter2"}}`),
			[]string{"XPAY_MERCHANT_SECRET: appSecret is missing", "XPAY_MERCHANT_SECRET: appKeys.production is missing"}},
		{"login", "XPAY_SEAL_SECRET", w.secret(name+"10", `{"key":"hunter2"}`), []string{"XPAY_SEAL_SECRET: key must be 32 bytes"}},
		{"login", "XPAY_SEAL_SECRET", w.secret(name+"11", `{"key":""}`), []string{"XPAY_SEAL_SECRET: key must be 32 bytes"}},
	} {
		problems := w.refused(c.function, map[string]string{c.variable: c.value})
		if len(problems) != len(c.named) {
			t.Errorf("%s with %s %s: %q", c.function, c.variable, c.named, problems)
			continue
		}
		for i, named := range c.named {
			if !strings.Contains(problems[i], named) {
				t.Errorf("%s: %q does not say %q", c.variable, problems[i], named)
			}
		}
	}
}

func TestExpiredCredentialsAreNamed(t *testing.T) {
	w := newWorld(t)
	w.fail(func(string) (int, string) {
		return http.StatusBadRequest, `{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token included in the request is expired"}`
	})
	for _, f := range Functions() {
		if f.Name == "sweep" { // asks nothing at its start
			if _, err := w.open("sweep").Tick(t.Context()); err == nil || !strings.Contains(err.Error(), "ExpiredTokenException") {
				t.Errorf("sweep: %v", err)
			}
			continue
		}
		problems := w.refused(f.Name, nil)
		for _, p := range problems {
			if !strings.Contains(p, "ExpiredTokenException") {
				t.Errorf("%s: %q", f.Name, p)
			}
		}
	}
}

func TestAStartThatIsThrottledOnceStarts(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	w.fail(func(operation string) (int, string) {
		if seen[operation] {
			return 0, ""
		}
		seen[operation] = true
		return http.StatusBadRequest, `{"__type":"ThrottlingException","message":"Rate exceeded"}`
	})
	w.open("callback")
	if !seen["GetItem"] || !seen["GetSecretValue"] {
		t.Errorf("only %v was throttled", seen)
	}
}

func TestTheEndpointVariablesAreThoseOfTheSDKs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vars map[string]string
		want string
	}{
		{nil, ""},
		{map[string]string{"AWS_ENDPOINT_URL": "http://all"}, "http://all"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_SQS": "http://sqs"}, "http://sqs"},
		{map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": "http://db"}, ""},
		{map[string]string{"AWS_ENDPOINT_URL_SQS": "http://sqs", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""},
	} {
		got := ""
		if url := endpoint(func(name string) string { return c.vars[name] }, "SQS"); url != nil {
			got = *url
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.vars, got, c.want)
		}
	}
}
