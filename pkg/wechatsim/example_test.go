package wechatsim_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// A purchase from login to delivery. The receiver stands for your backend; a real one would also have signed the
// data that this example signs itself.
func Example() {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "success") // believe the push, deliver, acknowledge
	}))
	defer backend.Close()

	sim, err := wechatsim.New(wechatsim.Config{
		AppID: "wx1234567890abcdef", AppSecret: "secret", OfferID: "1450000001",
		AppKeys: map[int]string{0: "production-key", 1: "sandbox-key"},
		Goods:   []wechatsim.Goods{{ID: "vip_month", Price: 1800}},
		Push:    wechatsim.Push{URL: backend.URL, Token: "push_token", Format: "json"},
	})
	if err != nil {
		log.Fatal(err)
	}
	wechat := httptest.NewServer(sim) // your backend's base URL for WeChat
	defer wechat.Close()

	code := sim.Login("oAlice")
	session := sessionKey(wechat.URL, code)
	data := `{"offerId":"1450000001","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"vip_month","goodsPrice":1800,"outTradeNo":"order-0001","attach":"hello"}`
	result := sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: "oAlice", Mode: "short_series_goods", SignData: data, Action: "pay",
		PaySig:    hmacHex("production-key", "requestVirtualPayment&"+data),
		Signature: hmacHex(session, data),
	})
	fmt.Println(result.ErrMsg)

	sim.DeliverDue(context.Background())
	order, _ := sim.Order("order-0001")
	fmt.Println(order.Status, order.PaidFee, order.Pushes[0].LastAnswer)
	// Output:
	// requestVirtualPayment:ok
	// 4 1800 acknowledged by success
}
