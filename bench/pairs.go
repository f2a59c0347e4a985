package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/silenceper/wechat/v2/miniprogram/virtualpayment"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

var errWrong = errors.New("a wrong result")

func pairs() ([]pair, error) {
	vectors, err := pushVectors()
	if err != nil {
		return nil, err
	}
	xmlPush, err := openPush(vectors["C7"])
	if err != nil {
		return nil, err
	}
	jsonPush, err := openPush(vectors["C6"])
	if err != nil {
		return nil, err
	}
	calls, err := calls()
	if err != nil {
		return nil, err
	}
	xmlPush.name, xmlPush.limit = "open an AES XML push (vector C7): silenceper/wechat v2.1.9", 0.8
	jsonPush.name, jsonPush.limit = "open an AES JSON push (vector C6): silenceper/wechat v2.1.9", 1.0
	return append([]pair{sign(), xmlPush, jsonPush, signGoods()}, calls...), nil
}

// sign is vector C5b, against nothing but HMAC and hex over the same bytes.
func sign() pair {
	const (
		key, uri = "12345", "/xpay/refund_order"
		text     = `{"openid":"oABC","order_id":"ORDER20260801001","refund_order_id":"REFUND20260801001","left_fee":100,"refund_fee":30,` +
			`"biz_meta":"{\"why\":\"test\"}","refund_reason":"3","req_from":"2","env":0}`
		want = "4d0a5e0a781dd9fa0388bc5487679f2db92068318c84276f4aeff109e9996dbb"
	)
	body, whole, bareKey := []byte(text), []byte(uri+"&"+text), []byte(key)
	return pair{
		name: "sign (vector C5b): bare HMAC-SHA256 and hex", limit: 1.1,
		ours: func() error { return check(xpay.PaySig(key, uri, body) == want) },
		theirs: func() error {
			mac := hmac.New(sha256.New, bareKey)
			mac.Write(whole)
			return check(hex.EncodeToString(mac.Sum(nil)) == want)
		},
	}
}

func check(right bool) error {
	if !right {
		return errWrong
	}
	return nil
}

// openPush goes from query and body to the typed event. Ours keeps the plain bytes with the fields nobody knows.
func openPush(v pushVector) (pair, error) {
	receiver, err := miniprogram.NewPush(miniprogram.PushConfig{
		AppID: v.AppID, Tokens: []string{v.Token}, AESKeys: []string{v.EncodingAESKey}, MaxAge: -1,
	})
	if err != nil {
		return pair{}, err
	}
	query, body := v.request()
	return pair{
		ours: func() error {
			message, err := receiver.Open(query, body)
			if err != nil {
				return err
			}
			event, err := xpay.ParseEvent(message.Body)
			if err != nil {
				return err
			}
			return check(event.Goods.OutTradeNo == "ORDER20260801001" && *event.Goods.ActualPrice == 100 && len(event.Raw) > 0)
		},
		theirs: func() error {
			goods, err := v.openedBySilenceper(query, body)
			if err != nil {
				return err
			}
			return check(goods.OutTradeNo == "ORDER20260801001" && goods.GoodsInfo.ActualPrice == 100)
		},
	}, nil
}

// signGoods is vector C2: what a phone needs to pay, encoded and signed twice.
func signGoods() pair {
	const session = "9hAb/NEYUlkaMBEsmFgzig=="
	const want = "f8bf51695d026665a80a39b57e2b16c9506eb991c67b2a59dfd566a6a70775ee"
	merchant, err := xpay.NewMerchant("123", xpay.Production, "12345")
	theirs := silenceper("12345")
	theirs.SetSessionKey(session)
	return pair{
		name: "encode and sign a payment (vector C2): silenceper/wechat v2.1.9",
		ours: func() error {
			if err != nil {
				return err
			}
			p, err := merchant.SignGoods(xpay.Goods{ProductID: "testproductId", Quantity: 1, Price: 10, OutTradeNo: "xxxxxx12", Attach: "testdata"}, session)
			return errors.Join(err, check(p.PaySig == want))
		},
		theirs: func() error {
			data, err := json.Marshal(virtualpayment.SignData{OfferID: "123", BuyQuantity: 1, CurrencyType: "CNY",
				ProductID: "testproductId", GoodsPrice: 10, OutTradeNo: "xxxxxx12", Attach: "testdata"})
			if err != nil {
				return err
			}
			paySig, _, err := theirs.PaySignature("requestVirtualPayment", string(data))
			return errors.Join(err, check(paySig == want))
		},
	}
}

// calls go through net/http up to a transport that answers at once, the same for both. A long request with a short answer
// is about encoding, a short request with a long answer about decoding. v2.1.9 of silenceper/wechat forgets to sign these
// two, so ours does one HMAC more.
func calls() ([]pair, error) {
	merchant, err := xpay.NewMerchant("123", xpay.Production, "12345")
	if err != nil {
		return nil, fmt.Errorf("the merchant of the benchmark: %w", err)
	}
	ours := xpay.Client{Merchant: merchant, Tokens: fixedToken("token"), HTTP: answering()}
	theirs, ctx := silenceper("12345"), context.Background()
	refund := xpay.RefundRequest{OpenID: "oABC", Order: xpay.ByOrderID("ORDER20260801001"), RefundOrderID: "REFUND20260801001",
		LeftFee: 100, RefundFee: 30, BizMeta: `{"why":"test"}`, Reason: xpay.ReasonUser, From: xpay.FromUser}
	common := virtualpayment.CommonRequest{OpenID: "oABC"}
	return []pair{
		{
			name: "encode a request, refund_order: silenceper/wechat v2.1.9",
			ours: func() error {
				r, err := ours.RefundOrder(ctx, refund)
				return errors.Join(err, check(r.RefundOrderID == "REFUND20260801001"))
			},
			theirs: func() error {
				r, err := theirs.RefundOrder(ctx, &virtualpayment.RefundOrderRequest{CommonRequest: common, OrderID: "ORDER20260801001",
					RefundOrderID: "REFUND20260801001", LeftFee: 100, RefundFee: 30, BizMeta: `{"why":"test"}`, RefundReason: "3", ReqFrom: "2"})
				return errors.Join(err, check(r.RefundOrderID == "REFUND20260801001"))
			},
		},
		{
			name: "decode a response, query_order: silenceper/wechat v2.1.9",
			ours: func() error {
				o, err := ours.QueryOrder(ctx, "oABC", xpay.ByOrderID("ORDER20260801001"))
				return errors.Join(err, check(o.PaidFee != nil && *o.PaidFee == 100))
			},
			theirs: func() error {
				o, err := theirs.QueryOrder(ctx, &virtualpayment.QueryOrderRequest{CommonRequest: common, OrderID: "ORDER20260801001"})
				return errors.Join(err, check(o.Order != nil && o.Order.PaidFee == 100))
			},
		},
	}, nil
}

// request is what arrives: the query and the encrypted envelope.
func (v pushVector) request() (url.Values, []byte) {
	query := url.Values{"timestamp": {v.Timestamp}, "nonce": {v.Nonce}, "signature": {v.Signature}, "encrypt_type": {"aes"},
		"msg_signature": {v.MsgSignature}, "openid": {"oOfficialOpenId"}}
	if v.Format == "xml" {
		return query, []byte("<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[" + v.Encrypt + "]]></Encrypt></xml>")
	}
	return query, []byte(`{"ToUserName":"gh_0123456789ab","Encrypt":"` + v.Encrypt + `"}`)
}
