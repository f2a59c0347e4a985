package xpay

import (
	"strings"
	"testing"
)

func TestAnAppleSubscriptionIsSignedAsVectorC4(t *testing.T) {
	t.Parallel()
	m, err := NewMerchant("123", Production, "12345")
	if err != nil {
		t.Fatal(err)
	}
	free := Fen(0)
	a := AppleSubscription{ProductID: "testproductId", Price: 1800, FirstPrice: &free, Attach: "testdata"}
	got, err := m.SignAppleSubscribe(a, "9hAb/NEYUlkaMBEsmFgzig==")
	want := AppleSign{
		SignData:  `{"offerId":"123","productId":"testproductId","goodsPrice":1800,"activitySellingPrice":0,"attach":"testdata"}`,
		PaySig:    "852ccebf1d346a4dc8bd2e0c61f849d45e4045fde59e8189e992578e6069839a",
		Signature: "44b1b7e24b4bc1995faa657dfd90f95e195c3ae56b7b1589ef5638c703cbd992",
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	dear := AppleSubscription{ProductID: "p", Price: 500_000, Attach: "会员_A-1|*@"}
	if _, err := m.SignAppleSubscribe(dear, "k"); err != nil {
		t.Error(err)
	}
	a.FirstPrice = nil
	if got, _ := m.SignAppleSubscribe(a, "k"); got.SignData != `{"offerId":"123","productId":"testproductId","goodsPrice":1800,"attach":"testdata"}` {
		t.Errorf("at the full price: %s", got.SignData)
	}
}

func TestAnAppleSubscriptionThatWeChatWouldRefuseIsNotSigned(t *testing.T) {
	t.Parallel()
	m, _ := NewMerchant("123", Production, "12345")
	sandbox, _ := NewMerchant("123", Sandbox, "12345")
	good := AppleSubscription{ProductID: "p", Price: 1800, Attach: "a"}
	below, above := Fen(-1), Fen(1801)
	attach := func(s string) func(*AppleSubscription) { return func(a *AppleSubscription) { a.Attach = s } }
	for name, c := range map[string]struct {
		merchant Merchant
		change   func(*AppleSubscription)
		key      string
	}{
		"no session key":  {m, func(*AppleSubscription) {}, ""},
		"sandbox":         {sandbox, func(*AppleSubscription) {}, "k"},
		"nobody":          {Merchant{}, func(*AppleSubscription) {}, "k"},
		"no product":      {m, func(a *AppleSubscription) { a.ProductID = "" }, "k"},
		"no price":        {m, func(a *AppleSubscription) { a.Price = 0 }, "k"},
		"below nothing":   {m, func(a *AppleSubscription) { a.FirstPrice = &below }, "k"},
		"dearer at first": {m, func(a *AppleSubscription) { a.FirstPrice = &above }, "k"},
		"no attach":       {m, func(a *AppleSubscription) { a.Attach = "" }, "k"},
		"dearer than any": {m, func(a *AppleSubscription) { a.Price = 500_001 }, "k"},
		"markup":          {m, attach("<a>"), "k"},
		"a quote":         {m, attach(`a"`), "k"},
		"a line break":    {m, attach("a\nb"), "k"},
		"a NUL":           {m, attach("a\x00"), "k"},
		"a percent sign":  {m, attach("a%20"), "k"},
		"not UTF-8":       {m, attach("a\xff"), "k"},
		"a long attach":   {m, func(a *AppleSubscription) { a.Attach = strings.Repeat("长", 201) }, "k"},
	} {
		a := good
		c.change(&a)
		if got, err := c.merchant.SignAppleSubscribe(a, c.key); err == nil || got != (AppleSign{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestADiscountIsSignedBesideThePrice(t *testing.T) {
	t.Parallel()
	m, _ := NewMerchant("123", Production, "12345")
	half, none, more := Fen(900), Fen(0), Fen(1801)
	g := Goods{ProductID: "p", Quantity: 1, Price: 1800, ActivityPrice: &half, OutTradeNo: "order-20260801-1", Attach: "a"}
	got, err := m.SignGoods(g, "k")
	want := `{"offerId":"123","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"p","goodsPrice":1800,"activitySellingPrice":900,"outTradeNo":"order-20260801-1","attach":"a"}`
	if err != nil || got.SignData != want {
		t.Errorf("%s, %v", got.SignData, err)
	}
	for _, wrong := range []*Fen{&none, &more} {
		g.ActivityPrice = wrong
		if _, err := m.SignGoods(g, "k"); err == nil || !strings.Contains(err.Error(), "activitySellingPrice") {
			t.Errorf("%d: %v", *wrong, err)
		}
	}
}
