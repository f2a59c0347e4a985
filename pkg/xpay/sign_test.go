package xpay

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const (
	vectorKey     = "12345"
	vectorSession = "9hAb/NEYUlkaMBEsmFgzig=="
	v11Body       = `{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach中文"}`
	c2Body        = `{"offerId":"123","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"testproductId","goodsPrice":10,"outTradeNo":"xxxxxx12","attach":"testdata"}`
	c3Body        = `{"offerId":"123","buyQuantity":10,"env":1,"currencyType":"CNY","outTradeNo":"COIN20260801001","attach":"testdata"}`
	c5aBody       = `{"openid":"oABC","env":0,"order_id":"ORDER20260801001"}`
	c5bBody       = `{"openid":"oABC","order_id":"ORDER20260801001","refund_order_id":"REFUND20260801001","left_fee":100,"refund_fee":30,"biz_meta":"{\"why\":\"test\"}","refund_reason":"3","req_from":"2","env":0}`
	c5cBody       = `{"order_id":"ORDER20260801001","env":0}`
	c5aSig        = "42982df0e7915301051372ed711dc402eacb58e846e2437b4b14c47e41fd4fd8"
	c5bSig        = "4d0a5e0a781dd9fa0388bc5487679f2db92068318c84276f4aeff109e9996dbb"
	c5cSig        = "cc2bb14c7a65df8204747dadad7356ff859f81eb67d0fef5f532b0e0416b9211"
)

func merchant(t testing.TB, env Env, key string) Merchant {
	t.Helper()
	m, err := NewMerchant("123", env, key)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSignGoodsMakesTheBytesOfC2(t *testing.T) {
	t.Parallel()
	got, err := merchant(t, Production, vectorKey).SignGoods(Goods{"testproductId", 1, 10, "xxxxxx12", "testdata", nil}, vectorSession)
	want := Payment{"short_series_goods", c2Body, "f8bf51695d026665a80a39b57e2b16c9506eb991c67b2a59dfd566a6a70775ee",
		"6607cf76f271848d6fd894c6c864d95e677f9ed1f736979d632fe073dea00025"}
	if err != nil || got != want {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestSignCoinsMakesTheBytesOfC3(t *testing.T) {
	t.Parallel()
	got, err := merchant(t, Sandbox, "67890").SignCoins(Coins{10, "COIN20260801001", "testdata"}, vectorSession)
	want := Payment{"short_series_coin", c3Body, "c5fe6c5cde69e032008e8bf342f912ab6fb90ed618f236b171d7f5a5175e6145",
		"86df5fa96d0e4df10b8a960c2af81ed2b2550f0277ec71efb14cc14bcb76b1be"}
	if err != nil || got != want {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestSignGoodsEscapesNoHTMLAndKeepsChinese(t *testing.T) {
	t.Parallel()
	m, err := NewMerchant("1450019686", Production, "app_key_123")
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.SignGoods(Goods{"product_001", 1, 100, "order12345", "attach中文", nil}, "session_key_123")
	if err != nil || got.SignData != v11Body || got.PaySig != "52b0abda3c933b0273d328b5c5102ee9ab9249309474ddcdf5e9ce0f80b23532" {
		t.Fatalf("V11: %+v %v", got, err)
	}
	got, err = m.SignGoods(Goods{"a<b>&c", 1, 100, "order12345", "x&y", nil}, "session_key_123")
	if err != nil || !strings.Contains(got.SignData, `"productId":"a<b>&c"`) || !strings.Contains(got.SignData, `"attach":"x&y"`) {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestPaymentHasTheNamesOfTheClientCall(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(Payment{"m", "d", "p", "s"})
	if err != nil || string(b) != `{"mode":"m","signData":"d","paySig":"p","signature":"s"}` {
		t.Fatalf("%s %v", b, err)
	}
}

func TestSignGoodsRefuses(t *testing.T) {
	t.Parallel()
	good := Goods{"p", 1, 1, "ORDER001", "a", nil}
	for name, c := range map[string]struct {
		change  func(*Goods)
		session string
		want    string
	}{
		"no product":                   {func(g *Goods) { g.ProductID = "" }, "k", "productId"},
		"a product that is not UTF-8":  {func(g *Goods) { g.ProductID = "\xff" }, "k", "productId"},
		"no quantity":                  {func(g *Goods) { g.Quantity = 0 }, "k", "buyQuantity"},
		"a negative quantity":          {func(g *Goods) { g.Quantity = -1 }, "k", "buyQuantity"},
		"no price":                     {func(g *Goods) { g.Price = 0 }, "k", "goodsPrice"},
		"a negative price":             {func(g *Goods) { g.Price = -1 }, "k", "goodsPrice"},
		"a total that overflows":       {func(g *Goods) { g.Price, g.Quantity = 1<<40, 1<<20 }, "k", "too large"},
		"no attach":                    {func(g *Goods) { g.Attach = "" }, "k", "attach"},
		"an attach of 201 characters":  {func(g *Goods) { g.Attach = strings.Repeat("字", 201) }, "k", "attach"},
		"an attach that is not UTF-8":  {func(g *Goods) { g.Attach = "\xff" }, "k", "attach"},
		"a number of seven characters": {func(g *Goods) { g.OutTradeNo = "1234567" }, "k", "outTradeNo"},
		"no session key":               {func(*Goods) {}, "", "session key"},
	} {
		g := good
		c.change(&g)
		got, err := merchant(t, Production, vectorKey).SignGoods(g, c.session)
		if err == nil || !strings.Contains(err.Error(), c.want) || got != (Payment{}) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if _, err := (Merchant{}).SignGoods(good, "k"); err == nil {
		t.Error("the zero Merchant signed")
	}
	good.Attach = strings.Repeat("字", 200)
	if _, err := merchant(t, Production, vectorKey).SignGoods(good, "k"); err != nil {
		t.Errorf("200 characters: %v", err)
	}
}

func TestOrderNumbers(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"ORDER001": true, "a_-|*@09": true, strings.Repeat("a", 32): true, "-leading": true,
		"": false, "1234567": false, strings.Repeat("a", 33): false, "_leading": false, "with space": false,
		"order.001": false, "order001\n": false, "订单订单": false, "order/001": false,
	} {
		if err := ValidOutTradeNo(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
	if ValidRefundOrderID("refund|001") == nil || ValidRefundOrderID("_refund-001") != nil {
		t.Error("refund numbers allow letters, digits, _ and - only")
	}
}

func TestNewMerchantFailsClosed(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func() (Merchant, error){
		"empty offer": func() (Merchant, error) { return NewMerchant("", Production, "k") },
		"empty key":   func() (Merchant, error) { return NewMerchant("1", Sandbox, "") },
		"unknown env": func() (Merchant, error) { return NewMerchant("1", 2, "k") },
	} {
		if m, err := make(); err == nil || m != (Merchant{}) {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
	if PaySig("", "/xpay/x", nil) != "" || UserSignature("", nil) != "" || (Merchant{}).PaySig("u", nil) != "" {
		t.Error("an empty key signed")
	}
	if Production.Type() != 1 || Sandbox.Type() != 2 || Env(2).Type() != 0 {
		t.Error("env and env_type are mixed up")
	}
}

func TestAMerchantPrintsWithoutItsKey(t *testing.T) {
	t.Parallel()
	const marked = "MARKED-SECRET"
	m := merchant(t, Production, marked)
	for _, v := range []any{m, &m, Client{Merchant: m}, struct{ m Merchant }{m}, []Merchant{m}} {
		var out strings.Builder
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		if strings.Contains(out.String(), marked) || strings.Contains(out.String(), fmt.Sprintf("%x", marked)) {
			t.Errorf("%T: %s", v, out.String())
		}
	}
}
