package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

func complete() Config {
	c := Config{AppID: "wx1", OfferID: "1450000001", Env: xpay.Sandbox}
	c.Merchant.AppSecret = "hunter2-secret"
	c.Merchant.AppKeys.Sandbox = "hunter2-appkey"
	c.Push.Tokens = []string{"hunter2-token"}
	c.Push.AESKeys = []string{strings.Repeat("h", 43)}
	c.Seal.Keys = [][]byte{[]byte("hunter2-hunter2-hunter2-hunter2-")}
	return c
}

// toWebhook is complete, and tells a webhook.
func toWebhook() Config {
	c := complete()
	c.Delivery = Delivery{Target: "webhook", URL: "https://shop.example/hook", DeliverySecrets: DeliverySecrets{Keys: []string{publishedKey}}}
	return c
}

const publishedKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the specification

func outside(t *testing.T) Outside {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	goods, err := catalog.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Outside{Store: db, Catalog: goods, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func TestACompleteConfigurationBuilds(t *testing.T) {
	t.Parallel()
	c := complete()
	for name, change := range map[string]func(){
		"as it is":          func() {},
		"with two tokens":   func() { c.Push.Tokens = append(c.Push.Tokens, "older") },
		"plain pushes only": func() { c.Push.AESKeys = nil },
		"production":        func() { c.Env, c.Merchant.AppKeys.Production, c.Merchant.AppKeys.Sandbox = 0, "k", "" },
	} {
		change()
		if b, err := Build(c, outside(t)); err != nil || b.API == nil || b.Worker == nil || b.Sweep == nil || b.Orders == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEverySecretThatIsMissingOrEmptyKeepsTheBackendFromStarting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spoil func(*Config)
		named string
	}{
		{func(c *Config) { c.AppID = "" }, "appId"},
		{func(c *Config) { c.OfferID = "" }, "offerId"},
		{func(c *Config) { c.Env = 2 }, "env"},
		{func(c *Config) { c.Env = -1 }, "env"},
		{func(c *Config) { c.Merchant.AppSecret = "" }, "merchant.appSecret"},
		{func(c *Config) { c.Merchant.AppKeys.Sandbox = "" }, "merchant.appKeys.sandbox"},
		{func(c *Config) { c.Env = 0 }, "merchant.appKeys.production"},
		{func(c *Config) { c.Push.Tokens = nil }, "push.tokens"},
		{func(c *Config) { c.Push.Tokens = []string{"good", ""} }, "push.tokens[1]"},
		{func(c *Config) { c.Push.AESKeys = []string{""} }, "push.aesKeys[0]"},
		{func(c *Config) { c.Push.AESKeys = []string{strings.Repeat("h", 44)} }, "push.aesKeys[0]"},
		{func(c *Config) { c.Seal.Keys = nil }, "seal.keys"},
		{func(c *Config) { c.Seal.Keys = [][]byte{{}} }, "seal.keys[0]"},
		{func(c *Config) { c.Seal.Keys = append(c.Seal.Keys, []byte("short")) }, "seal.keys[1]"},
		{func(c *Config) { c.WeChatURL = "api.weixin.qq.com" }, "weChatUrl"},
		{func(c *Config) { c.ForwardURL = "ftp://x" }, "forwardUrl"},
		{func(c *Config) { c.Delivery.Target = "sms" }, "delivery.target"},
		{func(c *Config) { *c = toWebhook(); c.Delivery.URL = "" }, "delivery.url"},
		{func(c *Config) { *c = toWebhook(); c.Delivery.URL = "http://shop.example/hook" }, "delivery.url must begin with https"},
		{func(c *Config) { *c = toWebhook(); c.Delivery.Keys = nil }, "delivery.keys"},
		{func(c *Config) { *c = toWebhook(); c.Delivery.Keys = append(c.Delivery.Keys, "whsec_hunter2") }, "delivery.keys[1]"},
	} {
		cfg := complete()
		c.spoil(&cfg)
		b, err := Build(cfg, outside(t))
		if b != nil || err == nil || !strings.Contains(err.Error(), c.named) {
			t.Errorf("without %s: %v", c.named, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "hhhh") {
			t.Errorf("the error shows a secret: %v", err)
		}
		if n := strings.Count(err.Error(), "\n"); n != 1 {
			t.Errorf("one thing is wrong, %d lines: %v", n, err)
		}
	}
}

func TestAllThatIsMissingIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Build(Config{}, Outside{})
	if err == nil {
		t.Fatal("it builds")
	}
	for _, want := range []string{"appId", "offerId", "merchant.appSecret", "merchant.appKeys.production", "push.tokens", "seal.keys"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if _, err := Build(complete(), Outside{}); err == nil || !strings.Contains(err.Error(), "store") || !strings.Contains(err.Error(), "clock") {
		t.Errorf("with nothing outside: %v", err)
	}
	bus := complete()
	bus.Delivery.Target = "eventbus"
	if _, err := Build(bus, outside(t)); err == nil || !strings.Contains(err.Error(), "eventbus") {
		t.Errorf("with a target that nobody can reach: %v", err)
	}
}

func TestAConfigurationPrintsWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	c := complete()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "pointer", &c)
	texts := []string{log.String(), c.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		texts = append(texts, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c), fmt.Sprintf(verb, struct{ C Config }{c}), fmt.Sprintf(verb, []Config{c}))
	}
	for _, text := range texts {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "hhhh") || strings.Contains(text, "68756e74657232") {
			t.Errorf("it prints %s", text)
		}
	}
}

func TestAConfigurationIsWrittenAndReadAsJSON(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(complete())
	if err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := json.Unmarshal(raw, &back); err != nil || back.Check() != nil || string(back.Seal.Keys[0]) != "hunter2-hunter2-hunter2-hunter2-" {
		t.Errorf("%v, %v", err, back.Check())
	}
}

func TestAQueueThatFailsOrHangsDoesNotKeepTheCaller(t *testing.T) {
	t.Parallel()
	var got time.Duration
	k := kick(Outside{Log: slog.New(slog.DiscardHandler), Send: func(ctx context.Context, ids []string) error {
		deadline, _ := ctx.Deadline()
		got = time.Until(deadline)
		return context.DeadlineExceeded
	}})
	k(t.Context(), order.DocID("aaaaaaaaaaaaaaaaaaaaaaaaaa"))
	if got <= 0 || got > 300*time.Millisecond {
		t.Errorf("the queue is given %s", got)
	}
	if kick(Outside{}) != nil {
		t.Error("without a queue there is one")
	}
}

func TestAProcessWithThePushSecretsOnlyRecordsAndCannotCallWeChat(t *testing.T) {
	t.Parallel()
	c := complete()
	c.Groups, c.Merchant, c.Seal = GroupPush, MerchantSecrets{}, SealSecrets{}
	b, err := Build(c, outside(t))
	if err != nil || b.API.Push == nil || b.API.Sessions != nil {
		t.Fatalf("%v", err)
	}
	if b.Orders.Env != xpay.Sandbox {
		t.Errorf("it serves env %d", b.Orders.Env)
	}
	if _, err := b.Orders.WeChat.QueryOrder(t.Context(), "o", xpay.ByOrderID("number-1")); err == nil {
		t.Error("it calls WeChat")
	}
	c.Groups = GroupMerchant | GroupSeal
	if _, err := Build(c, outside(t)); err == nil || strings.Contains(err.Error(), "push.") || !strings.Contains(err.Error(), "seal.keys") {
		t.Errorf("without the secrets it should have: %v", err)
	}
}

func TestASecretThatDoesNotFitIsAskedForAgain(t *testing.T) {
	t.Parallel()
	out := outside(t)
	var renewed []Doubt
	out.Renew = func(_ context.Context, d Doubt) (Config, error) {
		renewed = append(renewed, d)
		return complete(), nil
	}
	wechat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/cgi-bin/stable_token":
			io.WriteString(w, `{"access_token":"T","expires_in":7200}`)
		case r.URL.Path == "/xpay/query_biz_balance":
			io.WriteString(w, `{"errcode":268490003,"errmsg":"支付签名(pay_sig)校验失败"}`)
		case r.URL.Query().Get("js_code") == "used":
			io.WriteString(w, `{"errcode":40163,"errmsg":"code been used"}`)
		default:
			io.WriteString(w, `{"errcode":40125,"errmsg":"invalid appsecret"}`)
		}
	}))
	t.Cleanup(wechat.Close)
	cfg := complete()
	cfg.WeChatURL = wechat.URL
	b, err := Build(cfg, out)
	if err != nil {
		t.Fatal(err)
	}
	seal, app := b.API.Sessions.Seal, b.API.Sessions.App
	proven, claimed := []Doubt{{Group: GroupMerchant, Proven: true}}, []Doubt{{Group: GroupMerchant}}
	for what, does := range map[string]struct {
		act  func()
		want []Doubt
	}{
		"WeChat refuses our signature":   {func() { _, _ = b.Orders.WeChat.QueryBizBalance(t.Context()) }, proven},
		"WeChat refuses the AppSecret":   {func() { _, _ = app.Code2Session(t.Context(), "new") }, proven},
		"WeChat knows the code already":  {func() { _, _ = app.Code2Session(t.Context(), "used") }, nil},
		"a phone reports a wrong paySig": {func() { b.Orders.Reported(t.Context(), -15006) }, claimed},
		"a phone reports a cancel":       {func() { b.Orders.Reported(t.Context(), -2) }, nil},
		"a box names an unknown key":     {func() { _, _ = seal.Open(session.Sealed{KeyID: "00000000"}, "x") }, []Doubt{{Group: GroupSeal, KeyID: "00000000"}}},
		"a box of ours opens":            {func() { _, _ = seal.Open(seal.Seal("text", "x"), "x") }, nil},
	} {
		renewed = nil
		does.act()
		if !slices.Equal(renewed, does.want) {
			t.Errorf("%s: %v, want %v", what, renewed, does.want)
		}
	}
}
