package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

// pairJSON is a push secret of these tokens, with an AES key that does not change.
func pairJSON(tokens ...string) string {
	raw, _ := json.Marshal(pushValue{tokens, []string{testAESKey}})
	return string(raw)
}

// put stores a value as whoever else may.
func (d deployment) put(t *testing.T, output, value string) {
	t.Helper()
	if _, err := d.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String(d.arns[output]), SecretString: &value}); err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptyAnswerKeepsWhatIsStoredAndOnlyNamesOfFieldsAreSaid(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	const stored = `{"appSecret":"` + testSecret + `","appKeys":{"production":"` + testKey + `","sandbox":"` + testSandboxKey + `"}}`
	d.xpay(t, stored, "secrets", "put", "merchant", "--file", "-").want(t, 0)

	said := d.onTerminal(t, "another-app-secret\n\n\n", "secrets", "put", "merchant")
	if want := strings.Replace(stored, testSecret, "another-app-secret", 1); d.stored(t, "MerchantSecretArn", "AWSCURRENT") != want {
		t.Errorf("something was dropped: %s", d.stored(t, "MerchantSecretArn", "AWSCURRENT"))
	}
	if !strings.Contains(said, "changed: appSecret. ") || strings.Contains(said, "dropped") || strings.Contains(said, testKey) || strings.Contains(said, "another-app-secret") {
		t.Errorf("it says\n%s", said)
	}
	d.put(t, "MerchantSecretArn", strings.NewReplacer(":", ": ", testSecret, "another-app-secret").Replace(stored)) // as somebody wrote it by hand
	if said = d.onTerminal(t, "\n\n\n", "secrets", "put", "merchant"); !strings.Contains(said, "has this value already") {
		t.Errorf("nothing was typed, and it says\n%s", said)
	}
	d.xpay(t, merchantJSON, "secrets", "put", "merchant", "--file", "-").want(t, 0, "changed: appSecret; dropped: appKeys.sandbox", "删除：appKeys.sandbox").silent(t)

	d.put(t, "PushSecretArn", `{"tokens":["`+consoleToken+`"]}`) // plain mode, which ends now
	if said = d.onTerminal(t, "\n"+testAESKey+"\n", "secrets", "put", "push"); !strings.Contains(said, "changed: aesKeys. ") || d.stored(t, "PushSecretArn", "AWSCURRENT") != pushJSON {
		t.Errorf("stored is %s, and it says\n%s", d.stored(t, "PushSecretArn", "AWSCURRENT"), said)
	}
}

func TestASlipAtThePromptLosesNoPair(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.xpay(t, pairJSON("inWeChat"), "secrets", "put", "push", "--file", "-").want(t, 0)
	d.onTerminal(t, "slipOfTheHand\n\n", "secrets", "put", "push")
	if said := d.onTerminal(t, "asWasMeant\n\n", "secrets", "put", "push"); !strings.Contains(said, "changed: tokens. ") {
		t.Errorf("it says\n%s", said)
	}
	current, before := d.stored(t, "PushSecretArn", "AWSCURRENT"), d.stored(t, "PushSecretArn", "AWSPREVIOUS")
	if current != pairJSON("asWasMeant", "slipOfTheHand") || before != pairJSON("slipOfTheHand", "inWeChat") {
		t.Errorf("current %s, before %s", current, before)
	}
}

func TestAFileThatWouldLoseThePairOfWeChatIsRefused(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.xpay(t, pairJSON("inWeChat"), "secrets", "put", "push", "--file", "-").want(t, 0)
	d.xpay(t, pairJSON("slipOfTheHand"), "secrets", "put", "push", "--file", "-").want(t, 0, "changed: tokens")
	d.xpay(t, pairJSON("asWasMeant"), "secrets", "put", "push", "--file", "-").want(t, 1, "would be lost", "--again", "丢失").silent(t)
	if d.stored(t, "PushSecretArn", "AWSPREVIOUS") != pairJSON("inWeChat") {
		t.Fatal("the pair that WeChat holds is lost")
	}
	d.xpay(t, pairJSON("slipOfTheHand"), "secrets", "put", "push", "--file", "-").want(t, 0, "has this value already") // after a lost answer
	d.xpay(t, pairJSON("asWasMeant", "inWeChat"), "secrets", "put", "push", "--file", "-").want(t, 0, "is put")
	d.xpay(t, pairJSON("third"), "secrets", "put", "push", "--file", "-").want(t, 1)
	d.xpay(t, pairJSON("third"), "secrets", "put", "push", "--file", "-", "--again").want(t, 0, "is put")

	key := func(c string) string { return `{"key":"` + strings.Repeat(c, 43) + `"}` }
	d.xpay(t, key("A"), "secrets", "put", "seal", "--file", "-").want(t, 0)
	d.xpay(t, key("Q"), "secrets", "put", "seal", "--file", "-").want(t, 0)
	d.xpay(t, key("g"), "secrets", "put", "seal", "--file", "-").want(t, 1, "would not open any more", "--again").silent(t)
	d.xpay(t, key("g"), "secrets", "put", "seal", "--file", "-", "--again").want(t, 0)
}

func TestThePairBeforeIsGuardedAsLongAsTheFunctionsTakeIt(t *testing.T) {
	t.Parallel()
	held := func(name string, age time.Duration, before, current string) heldSecret {
		return heldSecret{secretGroups[name], operator.SecretVersion{ID: "2", Value: current, Made: time.Now().Add(-age)}, operator.SecretVersion{ID: "1", Value: before}}
	}
	for name, c := range map[string]struct {
		held    heldSecret
		next    string
		refused bool
	}{
		"within the day":                    {held("push", 23*time.Hour, pairJSON("a1a"), pairJSON("b2b")), pairJSON("c3c", "b2b"), true},
		"a day later":                       {held("push", 25*time.Hour, pairJSON("a1a"), pairJSON("b2b")), pairJSON("c3c", "b2b"), false},
		"the current one has it":            {held("push", time.Minute, pairJSON("a1a"), pairJSON("b2b", "a1a")), pairJSON("c3c", "b2b"), false},
		"the new one has it":                {held("push", time.Minute, pairJSON("a1a"), pairJSON("b2b")), pairJSON("c3c", "a1a"), false},
		"the one before is no secret":       {held("push", time.Minute, "a slip", pairJSON("b2b")), pairJSON("c3c"), false},
		"there is none before":              {heldSecret{secretGroup: secretGroups["push"]}, pairJSON("c3c"), false},
		"a sealing key after an hour":       {held("seal", 61*time.Minute, `{"key":"a"}`, `{"key":"b"}`), `{"key":"c"}`, false},
		"WeChat's keys are WeChat's to say": {held("merchant", time.Minute, `{"appSecret":"a"}`, `{"appSecret":"b"}`), `{"appSecret":"c"}`, false},
	} {
		if err := c.held.wouldLose(c.next); (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// before does something once, just before the first request that puts a secret reaches AWS.
func (d deployment) before(t *testing.T, once func()) deployment {
	t.Helper()
	to, err := url.Parse(awstest.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	var first sync.Once
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutSecretValue") {
			first.Do(once)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.env = append(slices.Clone(d.env), "AWS_ENDPOINT_URL="+server.URL)
	return d
}

func TestOfTwoWhoPutAtTheSameMomentOneIsTold(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.put(t, "PushSecretArn", pairJSON("inWeChat"))
	d.put(t, "MerchantSecretArn", merchantJSON)
	d.before(t, func() { d.put(t, "PushSecretArn", pairJSON("theirs")) }).xpay(t, pairJSON("ours"), "secrets", "put", "push", "--file", "-").
		want(t, 1, "at the same moment", "outputs --stack "+d.name+" --show-secrets", "有人同时写入").silent(t)
	other := strings.Replace(merchantJSON, testSecret, "another-app-secret", 1)
	d.before(t, func() { d.put(t, "MerchantSecretArn", other) }).xpay(t, strings.Replace(other, testKey, "another-key", 1), "secrets", "put", "merchant", "--file", "-").
		want(t, 1, "at the same moment", "once more").silent(t)
}

// cutOff lets so many requests that put a secret reach AWS, and fails the others.
func (d deployment) cutOff(t *testing.T, after, status int, body string) deployment {
	t.Helper()
	to, err := url.Parse(awstest.Endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	var puts atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutSecretValue") && puts.Add(1) > int64(after) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.env = append(slices.Clone(d.env), "AWS_ENDPOINT_URL="+server.URL, "AWS_MAX_ATTEMPTS=1")
	return d
}

// TestALeakedPairThatIsHalfReplacedIsSaidToBeSo: the version before still holds it, and the same command again drops it.
func TestALeakedPairThatIsHalfReplacedIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.put(t, "PushSecretArn", pairJSON("leaked"))
	rotate := []string{"secrets", "rotate", "push", "--leaked", "--json"}
	for status, exit := range map[int]int{400: 1, 500: 3} {
		said := map[int]string{400: `{"__type":"AccessDeniedException"}`, 500: `{"__type":"InternalServiceError"}`}[status]
		none := d.cutOff(t, 0, status, said).xpay(t, "", rotate...).want(t, exit)
		half := d.cutOff(t, 1, status, said).xpay(t, "", rotate...).want(t, exit, "repeat the command", "请重新执行同一命令")
		if strings.Contains(none.all(), "repeat the command") || strings.Contains(half.all(), "all the same") {
			t.Errorf("status %d: before the first put it says\n%s\nafter it\n%s", status, none.all(), half.all())
		}
	}
	current := d.stored(t, "PushSecretArn", "AWSCURRENT")
	d.xpay(t, "", rotate...).want(t, 0)
	if now := d.stored(t, "PushSecretArn", "AWSCURRENT"); now == current || d.stored(t, "PushSecretArn", "AWSPREVIOUS") != now {
		t.Error("the same command again leaves something behind")
	}
}

func TestAPairThatCameWhileSomebodyTypedIsNotPutOver(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	const stored = `{"appSecret":"` + testSecret + `","appKeys":{"production":"` + testKey + `"}}`
	d.put(t, "MerchantSecretArn", stored)
	theirs := strings.Replace(stored, testKey, "another-key", 1)
	typist := &onPrompt{t: t, do: func() { d.put(t, "MerchantSecretArn", theirs) }}
	if said := typist.run(d, "another-app-secret\n\n\n", "secrets", "put", "merchant"); !strings.Contains(said, "nothing was put over it") || !strings.Contains(said, "重新执行") {
		t.Errorf("it says\n%s", said)
	}
	if got := d.stored(t, "MerchantSecretArn", "AWSCURRENT"); got != theirs {
		t.Errorf("the other value is lost: %s", got)
	}
}

// onPrompt runs a command that fails, and does something when it first asks.
type onPrompt struct {
	t    *testing.T
	do   func()
	once sync.Once
}

func (p *onPrompt) run(d deployment, typed string, args ...string) string {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), "script", "-qec", path+" "+strings.Join(append(args, "--stack", d.name), " "), "/dev/null")
	cmd.Dir, cmd.Env = p.t.TempDir(), append([]string{"PATH=/usr/bin:/bin"}, d.env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	var out strings.Builder
	watch := &promptWatch{t: p.t, to: &out, lines: strings.SplitAfter(typed, "\n"), in: stdin}
	cmd.Stdout = writerFunc(func(b []byte) (int, error) {
		if strings.HasSuffix(string(b), ": ") {
			p.once.Do(p.do)
		}
		return watch.Write(b)
	})
	if err := cmd.Run(); err == nil {
		p.t.Errorf("it ends well:\n%s", out.String())
	}
	return out.String()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestAFirstSealingKeyIsMadeByRotateSeal(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.xpay(t, "", "secrets", "rotate", "seal", "--json").want(t, 0, `{"secret":"seal","rotated":true}`)
	d.xpay(t, "", "secrets", "check").want(t, 1, "ok   seal")
}

func TestARotationAsJSONShowsNoSecretAndARepetitionSaysWhereThePairIs(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	d.xpay(t, "", "secrets", "rotate", "push", "--json").want(t, 1, "no value yet")
	d.put(t, "PushSecretArn", pushJSON)
	shown := strings.TrimSpace(d.onTerminal(t, "", "--json", "secrets", "rotate", "push"))
	var said struct {
		Secret, Shows string
		Rotated       bool
	}
	if err := json.Unmarshal([]byte(shown), &said); err != nil || said.Secret != "push" || !said.Rotated || said.Shows != "xpay outputs --stack "+d.name+" --show-secrets" {
		t.Errorf("%v: it shows %s", err, shown)
	}
	now := storedAs[pushValue](d.stored(t, "PushSecretArn", "AWSCURRENT"))
	if len(now.Tokens) != 2 || strings.Contains(shown, now.Tokens[0]) || strings.Contains(shown, now.AESKeys[0]) {
		t.Errorf("%d tokens, and it shows %s", len(now.Tokens), shown)
	}
	d.xpay(t, "", "secrets", "rotate", "push", "--json").want(t, 1, "nothing was rotated", said.Shows, "--again").silent(t)
}

func TestAnAnswerThatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	d := deployed(t, "https://api.example", "")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"outputs"}, {"outputs", "--json"}} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		var stderr strings.Builder
		cmd := exec.CommandContext(t.Context(), path, append(args, "--stack", d.name)...)
		cmd.Env, cmd.Stdout, cmd.Stderr = d.env, full, &stderr
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "无法输出") {
			t.Errorf("%v: %v, it says %s", args, err, stderr.String())
		}
	}
}

func TestARegionThatIsNoneIsAMistakeAndNoOutage(t *testing.T) {
	t.Parallel()
	env := []string{"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=" + testSecretKey, "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent"}
	for _, region := range []string{"us east 1", "mars-1", "us-east-1.evil.example", "us_east_1"} {
		tool{env: append(slices.Clone(env), "AWS_REGION="+region)}.run(t, "outputs", "--stack", "x").want(t, 2, "is the region right?", "请核对").silent(t)
	}
}
