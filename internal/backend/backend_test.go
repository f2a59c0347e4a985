package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
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
	out := outside(t)
	out.Target = "shop"
	if _, err := Build(complete(), out); err == nil || !strings.Contains(err.Error(), "shop") {
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

func TestASecretThatIsRefusedIsReported(t *testing.T) {
	t.Parallel()
	out := outside(t)
	var stale []Groups
	out.Stale = func(g Groups) { stale = append(stale, g) }
	b, err := Build(complete(), out)
	if err != nil {
		t.Fatal(err)
	}
	seal := b.API.Sessions.Seal
	for what, does := range map[string]struct {
		act  func()
		want []Groups
	}{
		"WeChat refuses our signature":   {func() { b.Orders.WeChat.Refused(&xpay.Error{Code: 268490003}) }, []Groups{GroupMerchant}},
		"WeChat knows no such order":     {func() { b.Orders.WeChat.Refused(&xpay.Error{Code: 268490002}) }, nil},
		"WeChat refuses the AppSecret":   {func() { b.API.Sessions.App.Refused(&miniprogram.Error{Code: 40125}) }, []Groups{GroupMerchant}},
		"WeChat knows the code already":  {func() { b.API.Sessions.App.Refused(&miniprogram.Error{Code: 40163}) }, nil},
		"a phone reports a wrong paySig": {func() { b.Orders.Reported(-15006) }, []Groups{GroupMerchant}},
		"a phone reports a cancel":       {func() { b.Orders.Reported(-2) }, nil},
		"a box names an unknown key":     {func() { _, _ = seal.Open(session.Sealed{KeyID: "00000000"}, "x") }, []Groups{GroupSeal}},
		"a box of ours opens":            {func() { _, _ = seal.Open(seal.Seal("text", "x"), "x") }, nil},
	} {
		stale = nil
		does.act()
		if !slices.Equal(stale, does.want) {
			t.Errorf("%s: %v, want %v", what, stale, does.want)
		}
	}
}
