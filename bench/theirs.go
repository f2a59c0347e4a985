package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/url"

	"github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/miniprogram/context"
	"github.com/silenceper/wechat/v2/miniprogram/message"
	"github.com/silenceper/wechat/v2/miniprogram/virtualpayment"
	"github.com/silenceper/wechat/v2/util"
)

// silenceper is the client of silenceper/wechat. It sends through util.DefaultHTTPClient.
func silenceper(appKey string) *virtualpayment.VirtualPayment {
	return virtualpayment.NewVirtualPayment(&context.Context{Config: &config.Config{AppKey: appKey}, AccessTokenContextHandle: sameToken{}})
}

type encrypted struct {
	ToUserName string
	Encrypt    string
}

// openedBySilenceper does what ours does with the parts of silenceper/wechat: envelope, signature, decryption, typed event. Its
// own receiver decodes the event twice, once to learn its name; here it is once.
func (v pushVector) openedBySilenceper(query url.Values, body []byte) (*message.PushDataXpayGoodsDeliverNotify, error) {
	decode := json.Unmarshal
	if v.Format == "xml" {
		decode = xml.Unmarshal
	}
	var e encrypted
	if err := decode(body, &e); err != nil {
		return nil, err
	}
	if query.Get("msg_signature") != util.Signature(v.Token, query.Get("timestamp"), query.Get("nonce"), e.Encrypt) {
		return nil, errors.New("the signature does not fit")
	}
	_, plain, err := util.DecryptMsg(v.AppID, e.Encrypt, v.EncodingAESKey)
	if err != nil {
		return nil, err
	}
	var goods message.PushDataXpayGoodsDeliverNotify
	return &goods, decode(plain, &goods)
}
