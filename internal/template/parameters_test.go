package template

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/deliver"
)

// pattern is what CloudFormation compares the whole of a parameter's value with.
func pattern(t *testing.T, template object, parameter string) *regexp.Regexp {
	t.Helper()
	text := textAt(template, "Parameters", parameter, "AllowedPattern")
	if text == "" {
		t.Fatalf("%s takes anything", parameter)
	}
	return regexp.MustCompile(`^(?:` + text + `)$`)
}

// configured reports whether the functions start with a value of the configuration.
func configured(cfg backend.Config, name string) bool {
	return cfg.Check() == nil || !strings.Contains(cfg.Check().Error(), name)
}

// urls are values that somebody types: which of the webhook and of the other addresses are taken.
var urls = map[string]struct{ webhook, other bool }{
	"https://shop.example/hook": {true, true}, "https://shop.example": {true, true}, "https://shop.example:8443/hook?a=b&c=%E6%8E%A8": {true, true},
	"https://10.0.0.1/x": {true, true}, "https://shop.example?a=b": {true, true}, "https://shop.example/a@b": {true, true},
	"http://shop.example/hook": {false, true}, "http://host.docker.internal:8090": {false, true},
	"shop.example/hook": {}, "//shop.example": {}, "ftp://shop.example": {}, "https:/shop.example": {}, "https://": {}, "https:///hook": {}, "https://?x": {},
	"https://#x": {}, "https://u:p@shop.example/x": {}, "https://u@shop.example": {}, "https://shop.example/%zz": {}, "https://shop.example/%": {}, "https://shop.example/a%2": {},
	"https://shop.example/ ": {}, "https://shop example/": {}, "https://shop.example/推送": {}, "https://shop.example:port/": {}, "https://shop.example/\n": {},
	"https://shop.example/x#part": {}, `https://shop.example"/`: {}, "https://%zz/": {}, "javascript:alert(1)": {}, "\thttps://shop.example": {},
}

// TestAnAddressThatTheFunctionsRefuseIsRefusedAsAParameter: otherwise the stack deploys, and a function does not start.
func TestAnAddressThatTheFunctionsRefuseIsRefusedAsAParameter(t *testing.T) {
	t.Parallel()
	template := read(t)
	for _, p := range []struct {
		name    string
		webhook bool
		check   func(url string) bool
	}{
		{"WebhookUrl", true, func(url string) bool { return deliver.CheckURL(url) == nil }},
		{"ForwardUrl", false, func(url string) bool { return configured(backend.Config{ForwardURL: url}, "forwardUrl") }},
		{"WeChatUrl", false, func(url string) bool { return configured(backend.Config{WeChatURL: url}, "weChatUrl") }},
		{"AwsEndpointUrl", false, func(string) bool { return true }}, // the SDK's
	} {
		allowed := pattern(t, template, p.name)
		if !allowed.MatchString("") {
			t.Errorf("%s cannot be left empty", p.name)
		}
		for url, want := range urls {
			taken := want.other
			if p.webhook {
				taken = want.webhook
			}
			if got := allowed.MatchString(url); got != taken {
				t.Errorf("%s: %q: taken %t", p.name, url, got)
			} else if got && !p.check(url) {
				t.Errorf("%s: %q passes, and a function refuses it at its start", p.name, url)
			}
		}
		if !slices.ContainsFunc([]string{"shop.example/hook", "https://shop.example/%zz"}, func(url string) bool { return !p.check(url) }) && p.name != "AwsEndpointUrl" {
			t.Errorf("%s: the code's check refuses nothing", p.name)
		}
	}
}
