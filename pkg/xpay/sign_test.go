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
	v1Body        = `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`
	v3aBody       = `{"offerId":"1234567890","buyQuantity":1,"env":0,"currencyType":"CNY","platform":"android","productId":"prod_001","goodsPrice":100,"outTradeNo":"ORDER20260101001","attach":"test"}`
	v3bBody       = `{"offerId":"1234567890","buyQuantity":1,"env":0,"currencyType":"CNY","platform":"ios","productId":"a<b>&c","goodsPrice":100,"outTradeNo":"ORDER20260101002","attach":"x&y"}`
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

// escaped is what Go's default HTML escaping makes of v3bBody.
var escaped = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`)

func TestSignaturesReproduceThePublishedVectors(t *testing.T) {
	t.Parallel()
	const v3Key, v3Session = "test_app_key_1234567890", "test_session_key_abcdef"
	for _, v := range []struct{ name, key, session, uri, body, paySig, signature string }{
		{"V1", vectorKey, vectorSession, "/xpay/query_user_balance", v1Body, "c37809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5", "089d9e8dc5d308977360c4b79ec600a93d736802802a807d634192328032f6c7"},
		{"V2", vectorKey, vectorSession, "/wxa/game/getbalance", `{"offer_id": "12345678", "openid": "oUrsfxxxxxxxxxx", "ts": 1668136271, "zone_id": "1", "env": 0}`, "11bac6388871d29c055c7d16fbe42e8d646855b666faf89b15c815218b1b23bd", "42fe1d3341fb1c8bd6f5014ba735ab04eacc80a2deb3ab4669eab4700b5b6729"},
		{"V2b", vectorKey, vectorSession, "/wxa/game/getbalance", `{"offer_id":"12345678","zone_id":"1","openid":"oUrsfxxxxxxxxxx","env":0,"ts":1668136271}`, "5fc5460b23b2589efb8adbc2cf08d7a9cd8892b33e084249a26455b7880741a8", "7ec6d737f118b0c898de39ef1b6b199c48290e699495364fe9d069597a7da125"},
		{"V3a, V3d", v3Key, v3Session, "requestVirtualPayment", v3aBody, "62a944504dbabe280e5a559280baecb11ee2b92237bb87eadd338a3bdf429d54", "4a375c7d1497aae1a17ba060589add5f65a65351f048716818d957ff6434952f"},
		{"V3b", v3Key, "", "requestVirtualPayment", v3bBody, "f9c7c448b71263a3b8b302e095cd62a169e4090ec5160b563fa75ad982491ba9", ""},
		{"D2", v3Key, "", "requestVirtualPayment", escaped.Replace(v3bBody), "9e5bc8602188cd5ff0657af644bdb1730e851707fb4ed5d71c69023da5ec3259", ""},
		{"V3c", v3Key, "", "/xpay/start_upload_goods", `{"productId":"prod_001","price":100}`, "a81508a31914fccf57699c96e5207ca1c93739b942ecd891aaec469caa41b97e", ""},
		{"V11", "app_key_123", "session_key_123", "requestVirtualPayment", v11Body, "52b0abda3c933b0273d328b5c5102ee9ab9249309474ddcdf5e9ce0f80b23532", "602f76d9cadf36c232f7f6c1faa5fe295b0f955d188049997d0df699c0619c86"},
		{"D1", "app_key_123", "session_key_123", "requestVirtualPayment", strings.Replace(v11Body, "中文", `\u4e2d\u6587`, 1), "db98dfcac8f401a75ef57275b76b2ea8bf70a5bfe4cf0bfc2440bfabfdb40dce", "db4051165677a8e6e5f87fc9665506b9ae6e956a3c0f411b90cb6794be837b30"},
		{"C1", vectorKey, vectorSession, "", "", "", "1f7605aea24c0785899e51bc4c483167a20ea7b0f5f36cfd398e89cb21c91e9c"},
		{"C2", vectorKey, vectorSession, "requestVirtualPayment", c2Body, "f8bf51695d026665a80a39b57e2b16c9506eb991c67b2a59dfd566a6a70775ee", "6607cf76f271848d6fd894c6c864d95e677f9ed1f736979d632fe073dea00025"},
		{"C3", "67890", vectorSession, "requestVirtualPayment", c3Body, "c5fe6c5cde69e032008e8bf342f912ab6fb90ed618f236b171d7f5a5175e6145", "86df5fa96d0e4df10b8a960c2af81ed2b2550f0277ec71efb14cc14bcb76b1be"},
		{"C3 with the wrong key", vectorKey, "", "requestVirtualPayment", c3Body, "79e59552f180f49b14b4991746f91410462b4d3e1747db4944369fe757005ec1", ""},
		{"C4", vectorKey, vectorSession, "requestAppleSubscribeSign", `{"offerId":"123","productId":"testproductId","goodsPrice":1800,"activitySellingPrice":0,"attach":"testdata"}`, "852ccebf1d346a4dc8bd2e0c61f849d45e4045fde59e8189e992578e6069839a", "44b1b7e24b4bc1995faa657dfd90f95e195c3ae56b7b1589ef5638c703cbd992"},
		{"C5a", vectorKey, vectorSession, "/xpay/query_order", c5aBody, c5aSig, "616724ca3dcb606036880482a7c19b5fcac9f708f1f2b9aaf228f2f07b72fa3d"},
		{"C5b", vectorKey, vectorSession, "/xpay/refund_order", c5bBody, c5bSig, "73959729845710be5616eb71c0fb83180b0dd873b880d03289e327cd50598d04"},
		{"C5c", vectorKey, vectorSession, "/xpay/notify_provide_goods", c5cBody, c5cSig, "946ab40a918f1bd1ea11bfae7da97ab0545cfafaceffa184b4c2fa2099ec93a2"},
		{"C5d", vectorKey, vectorSession, "/xpay/download_bill", `{"begin_ds":20260801,"end_ds":20260810}`, "ed0415d51b8ceb65ea2a792a01380b9ecdc3592b7ab708891ff12dff17ca4835", "4b48c49a30f1e12dbbcbc518a8964ac5d2fc3fe12a25204fd0034c53ce03a096"},
		{"C5e", vectorKey, vectorSession, "/xpay/currency_pay", `{"openid":"oABC","env":0,"user_ip":"1.1.1.1","amount":5,"order_id":"SPEND20260801001","payitem":"[{\"productid\":\"ep_1\",\"unit_price\":5,\"quantity\":1}]","remark":"第1集"}`, "c67d4fcf69046ef9a9aaa648041deb12916c2f49f1d190c8d61b59ccf0bdb83a", "68d839a69b93db0212d6b0fb2291f05bfb099e10912f4950ed160b138d5341b5"},
		{"C5f", vectorKey, vectorSession, "/xpay/query_punishment_reasons", `{}`, "c8103435748a63a6dc4b00f04d4dbdcd884464bae9676f4c51d16b8b390cfa99", "36ba2bdeab3912b3fac1296ca1c39c745938f27b4309a064bde168dac4c79b82"},
		{"V1-a, no leading slash", vectorKey, "", "xpay/query_user_balance", v1Body, "8e3b0b28b12177813cd7d2e063c7f8b65e520553fd7f6adcf39423b6859300c5", ""},
		{"V1-b, a query in the uri", vectorKey, "", "/xpay/query_user_balance?access_token=x", v1Body, "cf53c4ac903ee4fe48773b4ae7c7d8972dff018630e85eadfce4aee9fbc0eb09", ""},
		{"V1-c, serialized again", vectorKey, vectorSession, "/xpay/query_user_balance", `{"openid":"xxx","user_ip":"127.0.0.1","env":0}`, "bf7d8464010d1f3766c937d75ba269e79365001595eb35291d8e45b60c50c2c1", "0752c249c2ebd270340899457a403941e1513800e29eb78afa67bd367ca273b1"},
		{"V1-e, a newline at the end", vectorKey, "", "/xpay/query_user_balance", v1Body + "\n", "8b6281d9b9809a0e0b1f767579e9fd447e4200711d99dee3aeeb7a6a982fdeb1", ""},
	} {
		if got := PaySig(v.key, v.uri, []byte(v.body)); got != v.paySig {
			t.Errorf("%s: pay_sig %s, want %s", v.name, got, v.paySig)
		}
		if got := UserSignature(v.session, []byte(v.body)); got != v.signature {
			t.Errorf("%s: signature %s, want %s", v.name, got, v.signature)
		}
	}
	if UserSignature(vectorSession, []byte(v1Body)) == "d54d8b90dc3287658edc2b9f6392c168d7fb649d5783be31d111c00260ad851b" {
		t.Error("V1-d: the session key was decoded")
	}
}

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
	got, err := merchant(t, Production, vectorKey).SignGoods(Goods{"testproductId", 1, 10, "xxxxxx12", "testdata"}, vectorSession)
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
	got, err := m.SignGoods(Goods{"product_001", 1, 100, "order12345", "attach中文"}, "session_key_123")
	if err != nil || got.SignData != v11Body || got.PaySig != "52b0abda3c933b0273d328b5c5102ee9ab9249309474ddcdf5e9ce0f80b23532" {
		t.Fatalf("V11: %+v %v", got, err)
	}
	got, err = m.SignGoods(Goods{"a<b>&c", 1, 100, "order12345", "x&y"}, "session_key_123")
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
	good := Goods{"p", 1, 1, "ORDER001", "a"}
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
