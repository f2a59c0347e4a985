package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// echoText is the echostr of events/callback-echo.json.
const echoText = "4375120948345356249"

// event is an event of API Gateway, of which a part is replaced.
type event map[string]any

// freshen writes a copy of an event of events/ for today.
func freshen(name string, change func(event)) error {
	raw, err := os.ReadFile(filepath.Join(eventsFolder, name))
	if err != nil {
		return err
	}
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("events/%s: %w", name, err)
	}
	change(e)
	if raw, err = json.MarshalIndent(e, "", "  "); err != nil {
		return err
	}
	if err := os.MkdirAll(freshEvents, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(freshEvents, name), append(raw, '\n'), 0o600)
}

func (e event) setBody(body string) { e["body"], e["isBase64Encoded"] = body, false }

func (e event) setQuery(q url.Values) {
	single := map[string]string{}
	for name := range q {
		single[name] = q.Get(name)
	}
	e["rawQueryString"], e["queryStringParameters"] = q.Encode(), single
}

// freshEcho signs the check of the URL anew: WeChat's signatures are good for a day.
func freshEcho(now time.Time) error {
	query, _, err := forge("", now, `{}`)
	if err != nil {
		return err
	}
	query.Set("echostr", echoText)
	return freshen("callback-echo.json", func(e event) { e.setQuery(query) })
}

// payment is what the simulated WeChat tells of a paid order.
type payment struct {
	OutTradeNo string `json:"outTradeNo"`
	ProductID  string `json:"productId"`
	Quantity   int64  `json:"quantity"`
	OrderFee   int64  `json:"orderFee"` // fen
	Attach     string `json:"attach"`
	Payments   []struct {
		TransactionID string    `json:"transactionId"`
		MchOrderNo    string    `json:"mchOrderNo"`
		At            time.Time `json:"at"`
	} `json:"payments"`
}

func readPayment(raw []byte) (payment, error) {
	var p payment
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, err
	}
	if len(p.Payments) != 1 {
		return p, errors.New("the simulated WeChat did not take the money")
	}
	return p, nil
}

// freshPushes writes the pushes about a payment, signed now.
func (p payment) freshPushes(now time.Time) error {
	var errs []error
	for name, message := range map[string]string{"callback-push.json": p.json(now), "callback-push-xml.json": p.xml(now)} {
		query, body, err := forge(aesKey, now, message)
		errs = append(errs, err, freshen(name, func(e event) { e.setQuery(query); e.setBody(string(body)) }))
	}
	return errors.Join(errs...)
}

func forge(key string, now time.Time, message string) (url.Values, []byte, error) {
	return miniprogram.Forge(miniprogram.Forgery{
		AppID: appID, Token: pushToken, AESKey: key, OpenID: "oOfficialOpenId", ToUserName: "gh_0123456789ab", Time: now,
	}, []byte(message))
}

// json is the message of spec 7.2 about this payment.
func (p payment) json(now time.Time) string {
	paid := p.Payments[0]
	return fmt.Sprintf(`{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":%d,"MsgType":"event",`+
		`"Event":"xpay_goods_deliver_notify","OpenId":%q,"OutTradeNo":%q,"Env":0,`+
		`"WeChatPayInfo":{"MchOrderNo":%q,"TransactionId":%q,"PaidTime":%d},`+
		`"GoodsInfo":{"ProductId":%q,"Quantity":%d,"OrigPrice":%d,"ActualPrice":%d,"Attach":%q}}`,
		now.Unix(), openID, p.OutTradeNo, paid.MchOrderNo, paid.TransactionID, paid.At.Unix(),
		p.ProductID, p.Quantity, p.OrderFee, p.OrderFee, p.Attach)
}

// xml is the same in WeChat's other format.
func (p payment) xml(now time.Time) string {
	paid := p.Payments[0]
	return fmt.Sprintf(`<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>`+
		`<FromUserName><![CDATA[oOfficialOpenId]]></FromUserName><CreateTime>%d</CreateTime>`+
		`<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[xpay_goods_deliver_notify]]></Event>`+
		`<OpenId><![CDATA[%s]]></OpenId><OutTradeNo><![CDATA[%s]]></OutTradeNo><Env>0</Env><WeChatPayInfo>`+
		`<MchOrderNo><![CDATA[%s]]></MchOrderNo><TransactionId><![CDATA[%s]]></TransactionId><PaidTime>%d</PaidTime></WeChatPayInfo>`+
		`<GoodsInfo><ProductId><![CDATA[%s]]></ProductId><Quantity>%d</Quantity><OrigPrice>%d</OrigPrice>`+
		`<ActualPrice>%d</ActualPrice><Attach><![CDATA[%s]]></Attach></GoodsInfo></xml>`,
		now.Unix(), openID, p.OutTradeNo, paid.MchOrderNo, paid.TransactionID, paid.At.Unix(),
		p.ProductID, p.Quantity, p.OrderFee, p.OrderFee, p.Attach)
}
