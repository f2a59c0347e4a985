package xpay_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// What a phone needs to pay; the values are those of a published vector.
func ExampleMerchant_SignGoods() {
	merchant, err := xpay.NewMerchant("123", xpay.Production, "12345")
	if err != nil {
		log.Fatal(err)
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

// A push is verified and opened, read, believed because it was encrypted, and answered in its own format and mode.
func ExampleReplyFor() {
	now := func() time.Time { return time.Unix(1785600000, 0) }
	receiver, err := miniprogram.NewPush(miniprogram.PushConfig{
		AppID: "wx1234567890abcdef", Tokens: []string{"vp_token_1"},
		AESKeys: []string{"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}, Now: now,
	})
	if err != nil {
		log.Fatal(err)
	}
	query, body := paidPush(now())

	message, err := receiver.Open(query, body)
	if err != nil {
		log.Fatal(err) // not from WeChat: answer 401
	}
	event, err := xpay.ParseEvent(message.Body)
	if err != nil {
		log.Fatal(err)
	}
	if goods := event.Goods; goods != nil && message.Encrypted {
		fmt.Println(goods.OutTradeNo, *goods.ActualPrice, "fen by", goods.OpenID) // store it, deliver, then answer
	}
	reply, err := xpay.ReplyFor(event, message.Encrypted, xpay.Verdict{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s encrypt=%t within %s\n", reply.Body, reply.Encrypt, reply.Within)
	sealed, contentType, err := receiver.Seal(message, reply.Body)
	fmt.Println(len(sealed) > 0, contentType, err)
	// Output:
	// ORDER20260801001 100 fen by oUserOpenId
	// <xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml> encrypt=true within 5s
	// true application/xml; charset=utf-8 <nil>
}

// paidPush plays WeChat.
func paidPush(now time.Time) (url.Values, []byte) {
	query, body, err := miniprogram.Forge(miniprogram.Forgery{
		AppID: "wx1234567890abcdef", Token: "vp_token_1", AESKey: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", Time: now,
	}, []byte(`<xml><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[xpay_goods_deliver_notify]]></Event><OpenId><![CDATA[oUserOpenId]]></OpenId>`+
		`<OutTradeNo><![CDATA[ORDER20260801001]]></OutTradeNo><Env>0</Env><GoodsInfo><ActualPrice>100</ActualPrice></GoodsInfo></xml>`))
	if err != nil {
		log.Fatal(err)
	}
	return query, body
}

// Asking about an order whose push did not come. That WeChat knows no such order is an answer, too, and never a final one.
func ExampleClient_QueryOrder() {
	wechat := fakeWeChat(map[string][]string{"/xpay/query_order": {
		`{"errcode":0,"errmsg":"OK","order":{"order_id":"ORDER20260801001","status":2,"paid_fee":100,"left_fee":100,"env_type":1}}`,
		`{"errcode":268490002,"errmsg":"数据不存在 rid: 6889f2a1-5b1f1c2d-1a2b3c4d"}`,
	}})
	defer wechat.Close()
	client := newClient(wechat.URL)

	for _, number := range []string{"ORDER20260801001", "ORDER20260801002"} {
		order, err := client.QueryOrder(context.Background(), "oUserOpenId", xpay.ByOrderID(number))
		switch {
		case errors.Is(err, xpay.ErrNoOrder):
			fmt.Println(number, "is not known yet: ask again later")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(number, "paid:", order.Status.Paid(), *order.PaidFee, "fen")
		}
	}
	// Output:
	// ORDER20260801001 paid: true 100 fen
	// ORDER20260801002 is not known yet: ask again later
}

func newClient(baseURL string) *xpay.Client {
	merchant, err := xpay.NewMerchant("1450000001", xpay.Production, "production-key")
	if err != nil {
		log.Fatal(err)
	}
	return &xpay.Client{Merchant: merchant, Tokens: fixedToken("access-token"), BaseURL: baseURL}
}

// A refund whose answer is lost. It may have started, so the refund number is looked up; only if WeChat does not know it is the
// identical request sent again. A new number could give the money back twice.
func ExampleClient_RefundOrder() {
	wechat := fakeWeChat(map[string][]string{
		"/xpay/refund_order": {""}, // WeChat acted, the answer broke off
		"/xpay/query_order": {
			`{"errcode":0,"order":{"order_id":"ORDER20260801001","status":4,"paid_fee":100,"left_fee":100}}`,
			`{"errcode":0,"order":{"order_id":"REFUND20260801001","order_type":1,"status":8,"refund_fee":30}}`,
		},
	})
	defer wechat.Close()
	client, ctx := newClient(wechat.URL), context.Background()

	paid, err := client.QueryOrder(ctx, "oUserOpenId", xpay.ByOrderID("ORDER20260801001"))
	if err != nil {
		log.Fatal(err)
	}
	request := xpay.RefundRequest{ // store it before the first call
		OpenID: "oUserOpenId", Order: xpay.ByOrderID("ORDER20260801001"), RefundOrderID: "REFUND20260801001",
		LeftFee: *paid.LeftFee, RefundFee: 30, Reason: xpay.ReasonUser, From: xpay.FromUser,
	}
	_, err = client.RefundOrder(ctx, request)
	if xpay.OutcomeUnknown(err) {
		fmt.Println("no answer: look the refund number up")
		var refund xpay.Order
		refund, err = client.QueryOrder(ctx, request.OpenID, xpay.ByOrderID(request.RefundOrderID))
		if errors.Is(err, xpay.ErrNoOrder) {
			_, err = client.RefundOrder(ctx, request) // the identical request
		} else if err == nil {
			fmt.Println("found, the user has the money:", refund.Status.RefundDone())
		}
	}
	fmt.Println(err)
	// Output:
	// no answer: look the refund number up
	// found, the user has the money: true
	// <nil>
}

// An error code looked up: on the server, on the phone, and one that comes in words only.
func ExampleLookup() {
	if info, ok := xpay.Lookup(268490016); ok {
		fmt.Printf("%d %s: %s (%s must act)\n", info.Code, info.Meaning, info.Advice, info.Who)
	}
	if info, ok := xpay.LookupClient(-15013); ok {
		fmt.Printf("%d %s：%s\n", info.Code, info.MeaningZH, info.AdviceZH)
	}
	if info, ok := xpay.LookupText("签名字段[pay_sig]为空"); ok {
		fmt.Println(info.Advice)
	}
	// Output:
	// 268490016 left_fee differs from the real value: query the refund number first, then the order, and try with its fresh left_fee (developer must act)
	// -15013 goodsPrice 与配置价格不一致：请更正价格，单位为分
	// send pay_sig in the query
}

// What a failed call says to a program and to a person.
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
