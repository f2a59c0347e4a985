package xpay_test

import (
	"errors"
	"fmt"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// What a phone needs to pay; the values are those of a published vector.
func ExampleMerchant_SignGoods() {
	merchant, err := xpay.NewMerchant("123", xpay.Production, "12345")
	if err != nil {
		fmt.Println(err)
		return
	}
	payment, err := merchant.SignGoods(xpay.Goods{
		ProductID: "testproductId", Quantity: 1, Price: 10, OutTradeNo: "xxxxxx12", Attach: "testdata",
	}, "9hAb/NEYUlkaMBEsmFgzig==")
	fmt.Println(err)
	fmt.Println(payment.SignData)
	fmt.Println(payment.PaySig)
	// Output:
	// <nil>
	// {"offerId":"123","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"testproductId","goodsPrice":10,"outTradeNo":"xxxxxx12","attach":"testdata"}
	// f8bf51695d026665a80a39b57e2b16c9506eb991c67b2a59dfd566a6a70775ee
}

// A push is read and answered in its own format.
func ExampleParseEvent() {
	push := []byte(`<xml><Event><![CDATA[xpay_goods_deliver_notify]]></Event><OpenId><![CDATA[oUser]]></OpenId>` +
		`<OutTradeNo><![CDATA[ORDER001]]></OutTradeNo><Env>0</Env><GoodsInfo><ActualPrice>100</ActualPrice></GoodsInfo></xml>`)
	event, err := xpay.ParseEvent(push)
	if err != nil {
		fmt.Println(err)
		return
	}
	if goods := event.Goods; goods != nil {
		fmt.Println(goods.OutTradeNo, *goods.ActualPrice, "fen")
	}
	fmt.Printf("%s\n", xpay.Reply(xpay.FormatOf(push), 0, "success"))
	// Output:
	// ORDER001 100 fen
	// <xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>
}

// What WeChat answered, what a program does with it, and what a person does.
func ExampleError() {
	err := fmt.Errorf("refund: %w", &xpay.Error{API: "refund_order", Code: 268490014})
	var answer *xpay.Error
	if errors.As(err, &answer) {
		fmt.Println(answer.Class())
		fmt.Println(answer.Advice())
	}
	fmt.Println(xpay.OutcomeUnknown(err))
	// Output:
	// retry
	// repeat later with identical parameters and the same refund_order_id
	// true
}
