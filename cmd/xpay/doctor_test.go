package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// clinic is a whole backend of ours behind a push URL, with the configuration that the doctor is given.
type clinic struct {
	push   string
	writes *countedStore
	alarms *int
}

// countedStore counts what would change something.
type countedStore struct {
	store.Store
	writes int
}

func (c *countedStore) Create(ctx context.Context, d store.Doc) (store.Doc, error) {
	c.writes++
	return c.Store.Create(ctx, d)
}

func (c *countedStore) Update(ctx context.Context, d store.Doc) (store.Doc, error) {
	c.writes++
	return c.Store.Update(ctx, d)
}

// backendFor runs our backend with the configuration in a file.
func backendFor(t *testing.T, config string) clinic {
	t.Helper()
	data := t.TempDir()
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var cfg map[string]any
	if err := json.Unmarshal(raw, &cfg); err != nil {
		t.Fatal(err)
	}
	cfg["seal"] = map[string]any{"keys": []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
	if raw, err = json.Marshal(cfg); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "config.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c := clinic{writes: &countedStore{}, alarms: new(int)}
	stack, err := localenv.Open(t.Context(), localenv.Options{
		Data:      data,
		Alarm:     func(context.Context, order.Alarm) { *c.alarms++ },
		WrapStore: func(s store.Store) store.Store { c.writes.Store = s; return c.writes },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stack.Handler)
	t.Cleanup(func() { server.Close(); stack.Close() })
	c.push = server.URL + "/wechat/push"
	return c
}

// finding is one line of doctor --json.
type finding struct{ Check, Status, What, WhatZH, Fix, FixZH string }

func examine(t *testing.T, code int, args ...string) map[string]finding {
	t.Helper()
	r := tool{}.run(t, append([]string{"--json", "doctor"}, args...)...).want(t, code).silent(t)
	found := map[string]finding{}
	for line := range strings.Lines(r.out) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if was, twice := found[f.Check]; !twice || was.Status != "fix" {
			found[f.Check] = f
		}
		if f.WhatZH == "" || f.Status == "fix" && (f.Fix == "" || f.FixZH == "") {
			t.Errorf("not complete: %+v", f)
		}
	}
	return found
}

func TestTheDoctorFindsAHealthyAccountHealthyAndChangesNothing(t *testing.T) {
	t.Parallel()
	_, weChat := simulated(t, nil)
	config := configured(t, nil)
	backend := backendFor(t, config)
	found := examine(t, 0, "--config", config, "--wechat-url", weChat, "--push-url", backend.push)
	for check, want := range map[string]string{
		"config": "ok", "appid-secret": "ok", "ip-allow-list": "ok", "app-key-production": "ok", "app-key-sandbox": "ok", "offer-id": "not tested",
		"push-url": "ok", "push-event-json": "ok", "push-event-xml": "ok", "push-forged": "ok", "push-mode": "not tested", "clock": "ok",
		"address": "not tested", "goods": "not tested",
	} {
		if found[check].Status != want {
			t.Errorf("%s is %+v, expected %s", check, found[check], want)
		}
	}
	if backend.writes.writes != 0 || *backend.alarms != 0 {
		t.Errorf("the doctor caused %d writes and %d alarms", backend.writes.writes, *backend.alarms)
	}
	text := tool{}.run(t, "doctor", "--config", config, "--wechat-url", weChat, "--push-url", backend.push, "--deployed").want(t, 0, "ok          appid-secret", "配置完整", "ok          address", "not tested  offer-id").silent(t)
	order := []string{"appid-secret", "ip-allow-list", "app-key-production", "offer-id", "push-url", "push-event-json", "push-mode", "clock", "address", "goods"}
	at := -1
	for _, check := range order {
		next := strings.Index(text.out, "  "+check+" ")
		if next < at {
			t.Errorf("%s comes too early:\n%s", check, text.out)
		}
		at = next
	}
}

func TestTheDoctorSaysWhatToFix(t *testing.T) {
	t.Parallel()
	_, weChat := simulated(t, nil)
	_, closed := simulated(t, func(c *wechatsim.Config) { c.AllowedIPs.IPs = []string{"203.0.113.7"} })
	backend := backendFor(t, configured(t, nil))
	merchant := func(secret, production string) func(map[string]any) {
		return func(c map[string]any) {
			c["merchant"] = map[string]any{"appSecret": secret, "appKeys": map[string]any{"production": production, "sandbox": testSandboxKey}}
		}
	}
	push := func(token, key string) func(map[string]any) {
		return func(c map[string]any) {
			c["push"] = map[string]any{"tokens": []string{token}, "aesKeys": []string{key}}
		}
	}
	other := strings.Repeat("A", 43)
	for name, c := range map[string]struct {
		change      func(map[string]any)
		args        []string
		check, says string
	}{
		"a wrong AppID":             {func(c map[string]any) { c["appId"] = "wx0000000000000000" }, nil, "appid-secret", "AppID"},
		"a wrong AppSecret":         {merchant("wrong-secret", testKey), nil, "appid-secret", "AppSecret"},
		"an address not allowed":    {nil, []string{"--wechat-url", closed}, "ip-allow-list", "127.0.0.1"},
		"no WeChat":                 {nil, []string{"--wechat-url", "http://127.0.0.1:1"}, "appid-secret", "does not answer"},
		"a wrong production key":    {merchant(testSecret, testSandboxKey), nil, "app-key-production", "268490003"},
		"a wrong sandbox key":       {nil, []string{"--sandbox-app-key", "something-else"}, "app-key-sandbox", "沙箱"},
		"no key of the env":         {merchant(testSecret, ""), nil, "app-key-production", "missing"},
		"an OfferID of letters":     {func(c map[string]any) { c["offerId"] = testAppID }, nil, "offer-id", "digits"},
		"a wrong token":             {push("other_token", testAESKey), nil, "push-url", "Token"},
		"a wrong AES key":           {push(testToken, other), nil, "push-event-json", "EncodingAESKey"},
		"no AES key":                {func(c map[string]any) { c["push"] = map[string]any{"tokens": []string{testToken}} }, nil, "push-mode", "EncodingAESKey"},
		"plain mode":                {nil, []string{"--push-mode", "plain"}, "push-mode", "安全模式"},
		"a wrong path":              {nil, []string{"--push-url", strings.Replace(backend.push, "/wechat/push", "/nowhere", 1)}, "push-url", "path"},
		"nobody behind the URL":     {nil, []string{"--push-url", "http://127.0.0.1:1/wechat/push"}, "push-url", "start the backend"},
		"a URL that is none":        {nil, []string{"--push-url", "shop.example.com"}, "push-url", "http"},
		"no secret at all":          {merchant("", testKey), nil, "config", "appSecret"},
		"a price in yuan":           {nil, []string{"--goods", write(t, "goods.yaml", "products:\n  - {id: vip, name: vip, price: 18}\n")}, "goods", "write 1800"},
		"a receiver that says 1":    {nil, []string{"--push-url", stranger(t, `{"ErrCode":1}`, true)}, "push-event-json", "acknowledge"},
		"a page with the word":      {nil, []string{"--push-url", stranger(t, "<html>Secured by Let's Encrypt</html>", true)}, "push-event-json", "acknowledge"},
		"an answer left open":       {nil, []string{"--push-url", stranger(t, `{"ErrCode":0}`, true)}, "push-event-json", "acknowledge"},
		"a receiver that trusts":    {nil, []string{"--push-url", stranger(t, "success", false)}, "push-forged", "wrong signature"},
		"a receiver that quotes":    {nil, []string{"--push-url", stranger(t, "", false)}, "push-url", "echostr"},
		"a receiver an hour behind": {nil, []string{"--push-url", stranger(t, "late", false)}, "clock", "apart"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--config", configured(t, c.change), "--wechat-url", weChat, "--push-url", backend.push}, c.args...)
			found := examine(t, 1, args...)[c.check]
			if found.Status != "fix" || !strings.Contains(found.What+found.WhatZH+found.Fix+found.FixZH, c.says) {
				t.Errorf("%s is %+v, expected to read %q", c.check, found, c.says)
			}
		})
	}
}

// stranger is somebody else's receiver. It answers the check of the URL, quoted where answer is "", and an hour behind
// where it is "late".
func stranger(t *testing.T, answer string, verifies bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		echo := r.URL.Query().Get("echostr")
		if answer == "late" {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		}
		switch {
		case echo != "" && answer == "":
			io.WriteString(w, `"`+echo+`"`)
		case echo != "":
			io.WriteString(w, echo)
		case verifies && strings.HasPrefix(r.URL.Query().Get("signature"), "0000"):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			io.WriteString(w, answer)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheDoctorSaysWhenWeChatDoesNotLookAtTheSignature(t *testing.T) {
	t.Parallel()
	sim, _ := simulated(t, nil)
	blind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/xpay/") {
			io.WriteString(w, `{"errcode":268490002,"errmsg":"数据不存在"}`)
			return
		}
		sim.ServeHTTP(w, r)
	}))
	defer blind.Close()
	if f := examine(t, 0, "--config", configured(t, nil), "--wechat-url", blind.URL)["app-key-production"]; f.Status != "unknown" {
		t.Errorf("it says %+v", f)
	}
}

func TestAConfigurationThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	config := configured(t, nil)
	if err := os.Chmod(config, 0o644); err != nil {
		t.Fatal(err)
	}
	tool{}.run(t, "doctor", "--config", config).want(t, 2, "chmod 600", "请执行").silent(t)
	tool{}.run(t, "doctor", "--config", write(t, "c.json", `{"appSecretX":"`+testSecret+`"}`)).want(t, 2, "unknown field", "配置文件").silent(t)
	tool{}.run(t, "doctor", "--config", write(t, "c.json", `{"merchant":"`+testSecret+`"}`)).want(t, 2, "malformed", "配置文件").silent(t)
}
