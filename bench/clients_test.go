package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/miniprogram/config"
	wechatcontext "github.com/silenceper/wechat/v2/miniprogram/context"
	"github.com/silenceper/wechat/v2/miniprogram/virtualpayment"
	"github.com/silenceper/wechat/v2/util"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// Other people's clients talk to the simulated WeChat: what they sign wrongly is refused as WeChat refuses it, what they sign
// right is accepted. silenceper/wechat runs itself. go-pay/wechat-sdk is not loaded: what it sends is in testdata/gopay.json, written
// down after its published source, with signatures made by openssl.

const appKey = "production-key"

// paidWorld is a simulated WeChat with one paid order, order-0001 of oAlice, whose payment silenceper/wechat signed.
func paidWorld(t *testing.T) (base, session string) {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "success") }))
	t.Cleanup(backend.Close)
	sim, err := wechatsim.New(wechatsim.Config{
		AppID: "wx1234567890abcdef", AppSecret: "secret", OfferID: "1450000001", AppKeys: map[int]string{0: appKey, 1: "sandbox-key"},
		Goods: []wechatsim.Goods{{ID: "vip_month", Price: 1800}}, Push: wechatsim.Push{URL: backend.URL, Token: "push_token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wechat := httptest.NewServer(sim)
	t.Cleanup(wechat.Close)
	login := "/sns/jscode2session?appid=wx1234567890abcdef&secret=secret&grant_type=authorization_code&js_code=" + sim.Login("oAlice")
	session = text(t, get(t, wechat.URL+login), "session_key")

	data := `{"offerId":"1450000001","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"vip_month","goodsPrice":1800,"outTradeNo":"order-0001","attach":"a<b>&c"}`
	client := silenceper(appKey)
	client.SetSessionKey(session)
	paySig, signature, err := client.PaySignature("requestVirtualPayment", data)
	if err != nil {
		t.Fatal(err)
	}
	result := sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: "oAlice", Mode: "short_series_goods", SignData: data, Action: "pay", PaySig: paySig, Signature: signature,
	})
	if result.ErrMsg != "requestVirtualPayment:ok" {
		t.Fatalf("a payment that silenceper/wechat signs right is refused: %+v", result)
	}
	return wechat.URL, session
}

func get(t *testing.T, address string) map[string]any {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, resp)
}

func decoded(t *testing.T, resp *http.Response) (answer map[string]any) {
	t.Helper()
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func accessToken(t *testing.T, base string) string {
	t.Helper()
	resp, err := http.Post(base+"/cgi-bin/stable_token", "application/json",
		strings.NewReader(`{"grant_type":"client_credential","appid":"wx1234567890abcdef","secret":"secret"}`))
	if err != nil {
		t.Fatal(err)
	}
	return text(t, decoded(t, resp), "access_token")
}

func text(t *testing.T, answer map[string]any, name string) string {
	t.Helper()
	value, ok := answer[name].(string)
	if !ok {
		t.Fatalf("no %s in %v", name, answer)
	}
	return value
}

// realToken gives silenceper/wechat the token of the simulated WeChat.
type realToken string

func (r realToken) GetAccessToken() (string, error) { return string(r), nil }

func (r realToken) GetAccessTokenContext(context.Context) (string, error) { return string(r), nil }

// v2.1.9 lists the paths in a switch whose cases are empty but for the last of each kind: it sends most calls without any
// signature, and signs the two others over a body without the newline that it then sends.
func TestSilenceperIsRefusedWhereItSignsWrongly(t *testing.T) {
	base, session := paidWorld(t)
	util.DefaultHTTPClient = http.DefaultClient
	util.SetURIModifier(func(uri string) string { return strings.Replace(uri, "https://api.weixin.qq.com", base, 1) })
	t.Cleanup(func() { util.SetURIModifier(nil) })
	client := virtualpayment.NewVirtualPayment(&wechatcontext.Context{Config: &config.Config{AppKey: appKey},
		AccessTokenContextHandle: realToken(accessToken(t, base))})
	client.SetSessionKey(session)
	ctx, user := t.Context(), virtualpayment.CommonRequest{OpenID: "oAlice"}
	const missing, wrong = "签名字段[pay_sig]为空", "支付签名(pay_sig)校验失败"
	for _, c := range []struct {
		api, want string
		call      func() error
	}{
		{"query_order", missing, func() error {
			_, err := client.QueryOrder(ctx, &virtualpayment.QueryOrderRequest{CommonRequest: user, OrderID: "order-0001"})
			return err
		}},
		{"refund_order", missing, func() error {
			_, err := client.RefundOrder(ctx, &virtualpayment.RefundOrderRequest{CommonRequest: user, OrderID: "order-0001",
				RefundOrderID: "refund-0001", LeftFee: 1800, RefundFee: 1, RefundReason: "3", ReqFrom: "2"})
			return err
		}},
		{"query_publish_goods", wrong, func() error {
			_, err := client.QueryPublishGoods(ctx, &virtualpayment.QueryPublishGoodsRequest{})
			return err
		}},
		{"cancel_currency_pay", wrong, func() error {
			_, err := client.CancelCurrencyPay(ctx, &virtualpayment.CancelCurrencyPayRequest{CommonRequest: user, UserIP: "127.0.0.1",
				PayOrderID: "spend-0001", OrderID: "back-0001", Amount: 1})
			return err
		}},
		{"query_user_balance", missing, func() error {
			_, err := client.QueryUserBalance(ctx, &virtualpayment.QueryUserBalanceRequest{CommonRequest: user, UserIP: "127.0.0.1"})
			return err
		}},
		{"notify_provide_goods", "", func() error { // the documents contradict each other: let pass without
			_, err := client.NotifyProvideGoods(ctx, &virtualpayment.NotifyProvideGoodsRequest{OrderID: "order-0001"})
			return err
		}},
	} {
		err := c.call()
		var answer *util.CommonError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.api, err)
		case c.want != "" && (!errors.As(err, &answer) || answer.ErrCode != 268490003 || !strings.HasPrefix(answer.ErrMsg, c.want)):
			t.Errorf("%s: %v, want 268490003 %s", c.api, err, c.want)
		}
	}
}

// What it signs with its exported functions is right when exactly those bytes are sent, with one signature and with both.
func TestWhatSilenceperSignsOverTheSentBodyIsTaken(t *testing.T) {
	base, session := paidWorld(t)
	client, token := silenceper(appKey), accessToken(t, base)
	client.SetSessionKey(session)
	for _, c := range []struct {
		path, body string
		both       bool
	}{
		{"/xpay/refund_order", `{"openid":"oAlice","order_id":"order-0001","refund_order_id":"refund-0001","left_fee":1800,"refund_fee":1,"biz_meta":"","refund_reason":"3","req_from":"2","env":0}`, false},
		{"/xpay/query_user_balance", `{"openid":"oAlice","env":0,"user_ip":"127.0.0.1"}`, true},
	} {
		paySig, signature, err := client.PaySignature(c.path, c.body)
		if err != nil {
			t.Fatal(err)
		}
		address := base + c.path + "?access_token=" + url.QueryEscape(token) + "&pay_sig=" + paySig
		post := func(address, body string) float64 {
			t.Helper()
			resp, err := http.Post(address, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			code, _ := decoded(t, resp)["errcode"].(float64)
			return code
		}
		if c.both {
			if got := post(address, c.body); got == 0 {
				t.Errorf("%s without the user's signature is taken", c.path)
			}
			address += "&signature=" + signature
		}
		if got := post(address, c.body+"\n"); got != 268490003 {
			t.Errorf("%s with a newline: %v", c.path, got)
		}
		if got := post(address, c.body); got != 0 {
			t.Errorf("%s: %v", c.path, got)
		}
	}
}

func TestWhatGoPaySendsIsJudgedByItsSignature(t *testing.T) {
	base, _ := paidWorld(t)
	raw, err := os.ReadFile("testdata/gopay.json")
	if err != nil {
		t.Fatal(err)
	}
	var requests []struct {
		Name, Path, Body, PaySig, ErrMsg string
		Unsigned                         bool
		ErrCode                          float64
	}
	if err := json.Unmarshal(raw, &requests); err != nil || len(requests) != 6 {
		t.Fatal(err, len(requests))
	}
	token := accessToken(t, base)
	for _, r := range requests {
		query := "?access_token=" + url.QueryEscape(token)
		if !r.Unsigned {
			query += "&pay_sig=" + r.PaySig
		}
		resp, err := http.Post(base+r.Path+query, "application/json", strings.NewReader(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		answer := decoded(t, resp)
		if message, _ := answer["errmsg"].(string); answer["errcode"] != r.ErrCode || !strings.HasPrefix(message, r.ErrMsg) {
			t.Errorf("%s: %v", r.Name, answer)
		}
	}
}

// The operations that are measured give the right results, which main only panics about.
func TestEveryPairGivesTheRightResult(t *testing.T) {
	all, err := pairs()
	if err != nil || len(all) != 6 {
		t.Fatal(err, len(all))
	}
	for _, p := range all {
		if err := p.ours(); err != nil {
			t.Errorf("ours, %s: %v", p.name, err)
		}
		if err := p.theirs(); err != nil {
			t.Errorf("theirs, %s: %v", p.name, err)
		}
	}
}
