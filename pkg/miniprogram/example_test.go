package miniprogram_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// A receiver's own test: forge a push as WeChat would sign it, then open it.
func ExampleForge() {
	now := time.Unix(1785600000, 0)
	const token, key = "vp_token_1", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	push, err := miniprogram.NewPush(miniprogram.PushConfig{
		AppID: "wx1234567890abcdef", Tokens: []string{token}, AESKeys: []string{key},
		Now: func() time.Time { return now },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	query, body, err := miniprogram.Forge(miniprogram.Forgery{
		AppID: "wx1234567890abcdef", Token: token, AESKey: key, Time: now,
	}, []byte(`{"MsgType":"event","Event":"xpay_goods_deliver_notify"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := push.Open(query, body)
	fmt.Println(message.Event, message.Encrypted, err)

	query.Set("nonce", "1")
	_, err = push.Open(query, body)
	fmt.Println(errors.Is(err, miniprogram.ErrSignature))
	// Output:
	// xpay_goods_deliver_notify true <nil>
	// true
}

// The check that the console makes when the URL is saved; the values are WeChat's own sample.
func ExamplePush_Echo() {
	push, err := miniprogram.NewPush(miniprogram.PushConfig{
		AppID: "wxba5fad812f8e6fb9", Tokens: []string{"AAAAA"},
		Now: func() time.Time { return time.Unix(1714036504, 0) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(push.Echo(map[string][]string{
		"signature": {"f464b24fc39322e44b38aa78f5edd27bd1441696"}, "timestamp": {"1714036504"},
		"nonce": {"1514711492"}, "echostr": {"4375120948345356249"},
	}))
	// Output: 4375120948345356249 <nil>
}
