package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// goodsJSON and goodsXML are xpay_goods_deliver_notify (spec 7.2) as WeChat writes it: time, openid, number, env,
// transaction id, time of payment, product, prices, attach.
const (
	goodsJSON = `{"ToUserName":"gh_0123456789ab","FromUserName":"op_official","CreateTime":%[1]d,"MsgType":"event",` +
		`"Event":"xpay_goods_deliver_notify","OpenId":"%[2]s","OutTradeNo":"%[3]s","Env":%[4]d,` +
		`"WeChatPayInfo":{"MchOrderNo":"mch%[3]s","TransactionId":"txn%[3]s","PaidTime":%[1]d},` +
		`"GoodsInfo":{"ProductId":"%[5]s","Quantity":1,"OrigPrice":%[6]d,"ActualPrice":%[6]d,"Attach":"%[7]s"}}`
	goodsXML = `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[op_official]]></FromUserName>` +
		`<CreateTime>%[1]d</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[xpay_goods_deliver_notify]]></Event>` +
		`<OpenId><![CDATA[%[2]s]]></OpenId><OutTradeNo><![CDATA[%[3]s]]></OutTradeNo><Env>%[4]d</Env>` +
		`<WeChatPayInfo><MchOrderNo><![CDATA[mch%[3]s]]></MchOrderNo><TransactionId><![CDATA[txn%[3]s]]></TransactionId>` +
		`<PaidTime>%[1]d</PaidTime></WeChatPayInfo><GoodsInfo><ProductId><![CDATA[%[5]s]]></ProductId><Quantity>1</Quantity>` +
		`<OrigPrice>%[6]d</OrigPrice><ActualPrice>%[6]d</ActualPrice><Attach><![CDATA[%[7]s]]></Attach></GoodsInfo></xml>`
)

func goodsEvent(template, openID, orderID string, env xpay.Env, at time.Time) []byte {
	number := order.OutTradeNo(orderID, 1)
	return fmt.Appendf(nil, template, at.Unix(), openID, number, int(env), product, price, order.Tag(orderID))
}

// forge signs an event as WeChat would, in AES mode or in plain.
func forge(cfg backend.Config, aes bool, at time.Time, event []byte) (url.Values, []byte, error) {
	f := miniprogram.Forgery{AppID: cfg.AppID, Token: cfg.Push.Tokens[0], Time: at, ToUserName: "gh_0123456789ab"}
	if aes {
		f.AESKey = cfg.Push.AESKeys[0]
	}
	return miniprogram.Forge(f, event)
}

// goodsPush is the AES JSON push that says an order was paid, as a request to the API.
func (w *world) goodsPush(ctx context.Context, b bought) (*http.Request, error) {
	now := w.Clock.Now()
	q, body, err := forge(w.Config, true, now, goodsEvent(goodsJSON, b.openID, b.Order.ID, w.Config.Env, now))
	if err != nil {
		return nil, err
	}
	target := "http://" + localenv.APIHost + "/wechat/push?" + q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}
