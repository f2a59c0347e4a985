package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// V1 of the spec, official.
const (
	v1URI       = "/xpay/query_user_balance"
	v1Session   = "9hAb/NEYUlkaMBEsmFgzig=="
	v1Body      = `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`
	v1PaySig    = "c37809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5"
	v1Signature = "089d9e8dc5d308977360c4b79ec600a93d736802802a807d634192328032f6c7"
)

func TestSignPrintsTheHexAndNothingElse(t *testing.T) {
	t.Parallel()
	keyFile, sessionFile := write(t, "key", "12345\n"), write(t, "session", v1Session+"\r\n")
	for name, c := range map[string]struct {
		run  tool
		args []string
		want string
	}{
		"V1 pay_sig":             {tool{stdin: v1Body}, []string{"sign", "pay", "--uri", v1URI, "--app-key", "12345"}, v1PaySig},
		"V1 signature":           {tool{stdin: v1Body}, []string{"sign", "user", "--session-key", v1Session}, v1Signature},
		"a key in a file":        {tool{stdin: v1Body}, []string{"sign", "pay", "--uri", v1URI, "--app-key", "@" + keyFile}, v1PaySig},
		"a session key in one":   {tool{stdin: v1Body}, []string{"sign", "user", "--session-key", "@" + sessionFile}, v1Signature},
		"a key in a variable":    {tool{stdin: v1Body, env: []string{"XPAY_APP_KEY=12345"}}, []string{"sign", "pay", "--uri", v1URI}, v1PaySig},
		"a variable's file":      {tool{stdin: v1Body, env: []string{"XPAY_SESSION_KEY=@" + sessionFile}}, []string{"sign", "user"}, v1Signature},
		"C1, an empty body":      {tool{}, []string{"sign", "user", "--session-key", v1Session}, "1f7605aea24c0785899e51bc4c483167a20ea7b0f5f36cfd398e89cb21c91e9c"},
		"V1-e, with a newline":   {tool{stdin: v1Body + "\n"}, []string{"sign", "pay", "--uri", v1URI, "--app-key", "12345"}, "8b6281d9b9809a0e0b1f767579e9fd447e4200711d99dee3aeeb7a6a982fdeb1"},
		"V11, Chinese":           {tool{stdin: `{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach中文"}`}, []string{"sign", "pay", "--uri", "requestVirtualPayment", "--app-key", "app_key_123"}, "52b0abda3c933b0273d328b5c5102ee9ab9249309474ddcdf5e9ce0f80b23532"},
		"a key beginning with @": {tool{stdin: `{"n":1}`}, []string{"sign", "pay", "--uri", "/xpay/query_order", "--app-key", "@@k"}, "c6c3bc6d248ba03f9fafaa0e7b4e0358b766ed69a19a5819843b4f659bec061a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.run.run(t, c.args...).want(t, 0)
			if r.out != c.want+"\n" || r.stderr != "" {
				t.Errorf("it printed %q %q, expected %s", r.out, r.stderr, c.want)
			}
		})
	}
}

func TestSignPrintsJSONOnDemand(t *testing.T) {
	t.Parallel()
	r := tool{stdin: v1Body}.run(t, "sign", "user", "--session-key", v1Session, "--json").want(t, 0)
	if r.out != `{"signature":"`+v1Signature+"\"}\n" {
		t.Errorf("it printed %s", r.out)
	}
}

func TestAWrongCommandLineIsExitTwoAndShowsNoKey(t *testing.T) {
	t.Parallel()
	const key = "a-key-that-nobody-may-see"
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no key":                   {[]string{"sign", "pay", "--uri", v1URI}, "--app-key"},
		"no uri":                   {[]string{"sign", "pay", "--app-key", key}, "--uri"},
		"a uri with a query":       {[]string{"sign", "pay", "--uri", v1URI + "?access_token=" + key, "--app-key", key}, "the path alone"},
		"a key in a wrong place":   {[]string{"sign", "pay", key, "--uri", v1URI, "--app-key", key}, "unexpected argument"},
		"an empty key":             {[]string{"sign", "user", "--session-key", ""}, "empty"},
		"a file that is not there": {[]string{"sign", "user", "--session-key", "@" + key}, "behind @"},
		"half a command":           {[]string{"sign"}, "pay"},
		"half another":             {[]string{"push"}, "open"},
		"no value to explain":      {[]string{"explain", "--uri", v1URI, "--app-key", key}, "--got"},
		"no key to explain":        {[]string{"explain", "--uri", v1URI, "--got", "aa"}, "no key"},
		"no query":                 {[]string{"push", "open", "--token", "T"}, "--query"},
		"no token":                 {[]string{"push", "open", "--query", "a=b", "--app-id", "wx1"}, "Token"},
		"a time that is none":      {[]string{"push", "open", "--query", "a=b", "--now", "yesterday"}, "--now"},
		"an unknown event":         {[]string{"push", "forge", "--event", "birthday", "--token", "T", "--mode", "plain"}, "debug_demo"},
		"no AES key":               {[]string{"push", "forge", "--event", "debug_demo", "--token", "T"}, "--aes-key"},
		"an unknown API":           {[]string{"call", "query_birthday", "{}"}, "query_order"},
		"no JSON":                  {[]string{"call", "query_order", "env=0"}, "JSON object"},
		"an env that is none":      {[]string{"call", "query_order", `{"env":2}`}, "env"},
		"no session key":           {[]string{"call", "query_user_balance", `{"env":0}`}, "--session-key"},
		"no account":               {[]string{"call", "query_order", `{"env":0}`}, "appId is missing"},
		"no configuration":         {[]string{"doctor", "--config", "/nowhere/config.json"}, "--config"},
		"an env of words":          {[]string{"goods", "plan", "--env", "staging"}, "--env"},
		"a token in the path":      {[]string{"sign", "pay", "--uri", v1URI + "&access_token=" + key, "--app-key", key}, "the path alone"},
		"no configuration at all":  {[]string{"call", "query_order", `{"env":0}`, "--config", "/nowhere/config.json"}, "--config"},
		"no time to wait":          {[]string{"goods", "apply", "--timeout", "0s"}, "--timeout"},
		"a negative time to wait":  {[]string{"goods", "apply", "--timeout=-1m"}, "--timeout"},
		"no pause between looks":   {[]string{"goods", "apply", "--poll", "0s"}, "--poll"},
		"a negative pause":         {[]string{"goods", "apply", "--poll=-3s"}, "--poll"},
		"a negative age":           {[]string{"push", "open", "--token", "T", "--query", "a=b", "--max-age=-1h"}, "--max-age"},
		"a time without a unit":    {[]string{"goods", "apply", "--poll", "3"}, "--poll"},
		"a field set twice":        {[]string{"push", "forge", "--event", "refund", "--mode", "plain", "--token", "T", "--set", "A=1", "--set", "A=2"}, "given twice"},
		"a field without a value":  {[]string{"push", "forge", "--event", "refund", "--mode", "plain", "--token", "T", "--set", "A"}, "OutTradeNo=ORDER1"},
		"a field without a name":   {[]string{"push", "forge", "--event", "refund", "--mode", "plain", "--token", "T", "--set", "=1"}, "OutTradeNo=ORDER1"},
		"a field that is markup":   {[]string{"push", "forge", "--event", "refund", "--mode", "plain", "--token", "T", "--set", "a><b=1"}, "OutTradeNo=ORDER1"},
		"a letter as a number":     {[]string{"push", "forge", "--event", "refund", "--mode", "plain", "--token", "T", "--set", "RetCode=0x1"}, "number"},
		"a control character":      {[]string{"push", "forge", "--event", "refund", "--mode", "plain", "--format", "xml", "--token", "T", "--set", "RetMsg=a\x01b"}, "--set RetMsg"},
		"a name that is no XML":    {[]string{"push", "forge", "--event", "refund", "--mode", "plain", "--format", "xml", "--token", "T", "--set", "1a=1"}, "OutTradeNo=ORDER1"},
		"a nameless inner field":   {[]string{"push", "forge", "--event", "goods_deliver", "--mode", "plain", "--token", "T", "--set", "GoodsInfo.=1"}, "OutTradeNo=ORDER1"},
		"a field of a text":        {[]string{"push", "forge", "--event", "goods_deliver", "--mode", "plain", "--token", "T", "--set", "OutTradeNo.A=1"}, "no object"},
		"half a command of orders": {[]string{"orders"}, "show"},
		"whose orders":             {[]string{"orders", "held"}, "--local"},
		"no stack":                 {[]string{"secrets", "check"}, "--stack"},
		"no region":                {[]string{"outputs", "--stack", "s"}, "--region"},
		"no orders to pay for":     {[]string{"cost", "--orders", "0"}, "--orders"},
		"a share that is none":     {[]string{"cost", "--abandoned", "1"}, "--abandoned"},
		"no such prices":           {[]string{"cost", "--prices", "/nowhere/prices.json"}, "--prices"},
		"a stack and a file":       {[]string{"doctor", "--stack", "s", "--config", "c.json"}, "--config"},
		"an AES key too short":     {[]string{"push", "forge", "--event", "goods_deliver", "--token", "T", "--aes-key", "short", "--app-id", "wx1"}, "--aes-key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tool{stdin: v1Body}.run(t, c.args...).want(t, 2, c.says)
			if strings.Contains(r.all(), key) {
				t.Errorf("the key is printed: %s", r.all())
			}
			if first, _, _ := strings.Cut(r.stderr, "\n"); !chinese.MatchString(first) || !strings.HasPrefix(first, "xpay: ") {
				t.Errorf("the first line is not in both languages: %s", r.stderr)
			}
		})
	}
}

var chinese = regexp.MustCompile(`\p{Han}{2}`)

// TestAStrayWordIsNeverPrinted: it may be a key, and some keys are short.
func TestAStrayWordIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const key = "k7Q"
	for name, args := range map[string][]string{
		"behind a command":         {"sign", "pay", "--uri", v1URI, "--app-key", "x", key},
		"instead of a command":     {key, "sign"},
		"instead of a subcommand":  {"push", key},
		"near a subcommand":        {"goods", "pla"},
		"instead of an API":        {"call", key, "{}"},
		"instead of a format":      {"push", "forge", "--event", "refund", "--format", key},
		"instead of a mode":        {"push", "forge", "--event", "refund", "--mode=" + key},
		"instead of an env":        {"goods", "plan", "--env", key},
		"instead of a time":        {"goods", "apply", "--poll", key},
		"instead of a moment":      {"push", "open", "--query", "a=b", "--now", key},
		"instead of an amount":     {"orders", "refund", "ID", "--local", "--yes", "--yuan", key},
		"instead of a day":         {"orders", "recheck", "--local", "--from", key},
		"instead of a state":       {"orders", "list", "--local", "--user", "u", "--state", key},
		"instead of a secret":      {"secrets", "put", key, "--stack", "s"},
		"instead of an event":      {"push", "forge", "--token", "T", "--mode", "plain", "--event", key},
		"a word that the text has": {"sign", "pay", "--uri", v1URI, "--app-key", "x", "argument"},
	} {
		r := tool{}.run(t, args...).want(t, 2)
		stray := key
		if name == "near a subcommand" {
			stray = "pla,"
		}
		if first, _, _ := strings.Cut(r.stderr, "\n"); strings.Contains(first, stray) || !strings.Contains(first, "characters]") {
			t.Errorf("%s: %s", name, first)
		}
	}
}

// TestHelpIsInBothLanguages walks every command and every flag.
func TestHelpIsInBothLanguages(t *testing.T) {
	t.Parallel()
	parser, err := newParser(new(cli), io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	both := func(of, text string) {
		t.Helper()
		if english := regexp.MustCompile(`[A-Za-z]{2}`); !chinese.MatchString(text) || !english.MatchString(text) {
			t.Errorf("%s is not in both languages: %s", of, text)
		}
	}
	_ = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		switch node := node.(type) {
		case *kong.Application:
			both("xpay", node.Help)
		case *kong.Node:
			both(node.Path(), node.Help)
			if both(node.Path(), node.Detail); !strings.Contains(node.Detail, "Exit codes 退出码") {
				t.Errorf("the help of %s has no exit codes", node.Path())
			}
		case *kong.Flag:
			both("--"+node.Name, node.Help)
		case *kong.Value:
			both(node.Name, node.Help)
		}
		return next(nil)
	})
}

func TestHelpTeachesWithExamples(t *testing.T) {
	t.Parallel()
	for _, command := range toolNames {
		r := tool{}.run(t, append(strings.Fields(command), "--help")...).want(t, 0)
		if example := "xpay " + command; strings.Count(r.out, example) < 2 { // the usage line is one
			t.Errorf("the help of %s shows no example:\n%s", command, r.out)
		}
	}
}

var toolNames = []string{
	"dev", "demo", "sign pay", "sign user", "explain", "push open", "push forge", "doctor", "goods plan", "goods apply", "goods status", "call",
	"orders show", "orders list", "orders held", "orders accept", "orders dismiss", "orders advance", "orders recheck", "orders adopt", "orders deliver",
	"orders refund", "outputs", "secrets put", "secrets check", "secrets rotate", "cost",
}

func TestAURIThatWeChatDoesNotSignIsSaid(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"xpay/query_order":                           `"/xpay/query_order"`,
		"/xpay/requestVirtualPayment":                `"requestVirtualPayment"`,
		"/requestVirtualPayment":                     `"requestVirtualPayment"`,
		"requestvirtualpayment":                      `"requestVirtualPayment"`,
		"https://api.weixin.qq.com/xpay/query_order": `"/xpay/query_order"`,
		"/xpay/queryorder":                           "documented",
	} {
		r := tool{stdin: "{}"}.run(t, "sign", "pay", "--uri", uri, "--app-key", "k").want(t, 0)
		if !strings.Contains(r.stderr, want) || len(r.out) != 65 {
			t.Errorf("%s: %q", uri, r.stderr)
		}
	}
}
