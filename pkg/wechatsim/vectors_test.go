package wechatsim

import (
	"encoding/base64"
	"strings"
	"testing"
)

// The vectors below are published ones, or were computed with other programs; none comes from this package. The ids
// are those of the xpay spec, section 3.9.

const (
	v1Key     = "12345"
	v1Session = "9hAb/NEYUlkaMBEsmFgzig=="
)

func TestPaySigVectors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, key, uri, body, want string }{
		{"V1 official", v1Key, "/xpay/query_user_balance", `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`, "c37809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5"},
		{"V1-a without leading slash is another value", v1Key, "xpay/query_user_balance", `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`, "8e3b0b28b12177813cd7d2e063c7f8b65e520553fd7f6adcf39423b6859300c5"},
		{"V1-e with a line break is another value", v1Key, "/xpay/query_user_balance", `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}` + "\n", "8b6281d9b9809a0e0b1f767579e9fd447e4200711d99dee3aeeb7a6a982fdeb1"},
		{"V11 UTF-8", "app_key_123", clientURI, `{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach中文"}`, "52b0abda3c933b0273d328b5c5102ee9ab9249309474ddcdf5e9ce0f80b23532"},
		{"D1 escaped", "app_key_123", clientURI, `{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach\u4e2d\u6587"}`, "db98dfcac8f401a75ef57275b76b2ea8bf70a5bfe4cf0bfc2440bfabfdb40dce"},
		{"C2", v1Key, clientURI, `{"offerId":"123","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"testproductId","goodsPrice":10,"outTradeNo":"xxxxxx12","attach":"testdata"}`, "f8bf51695d026665a80a39b57e2b16c9506eb991c67b2a59dfd566a6a70775ee"},
		{"C5a", v1Key, "/xpay/query_order", `{"openid":"oABC","env":0,"order_id":"ORDER20260801001"}`, "42982df0e7915301051372ed711dc402eacb58e846e2437b4b14c47e41fd4fd8"},
		{"C5b", v1Key, "/xpay/refund_order", `{"openid":"oABC","order_id":"ORDER20260801001","refund_order_id":"REFUND20260801001","left_fee":100,"refund_fee":30,"biz_meta":"{\"why\":\"test\"}","refund_reason":"3","req_from":"2","env":0}`, "4d0a5e0a781dd9fa0388bc5487679f2db92068318c84276f4aeff109e9996dbb"},
		{"C5c", v1Key, "/xpay/notify_provide_goods", `{"order_id":"ORDER20260801001","env":0}`, "cc2bb14c7a65df8204747dadad7356ff859f81eb67d0fef5f532b0e0416b9211"},
	}
	for _, tt := range tests {
		if got := paySig(tt.key, tt.uri, []byte(tt.body)); got != tt.want {
			t.Errorf("%s: paySig = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestUserSigVectors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, key, body, want string }{
		{"V1 official", v1Session, `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`, "089d9e8dc5d308977360c4b79ec600a93d736802802a807d634192328032f6c7"},
		{"V11", "session_key_123", `{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach中文"}`, "602f76d9cadf36c232f7f6c1faa5fe295b0f955d188049997d0df699c0619c86"},
		{"C1 empty", v1Session, "", "1f7605aea24c0785899e51bc4c483167a20ea7b0f5f36cfd398e89cb21c91e9c"},
	}
	for _, tt := range tests {
		if got := userSig(tt.key, []byte(tt.body)); got != tt.want {
			t.Errorf("%s: userSig = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPushSigVectors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		parts []string
		want  string
	}{
		{"V5 URL check", []string{"AAAAA", "1714036504", "1514711492"}, "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"V6 plain push", []string{"AAAAA", "1714037059", "486452656"}, "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{"V7 plain signature", []string{"AAAAA", "1714112445", "415670741"}, "6c5c811b55cc85e0e1b54100749188c20beb3f5d"},
		{"V9 XML push", []string{"AAAAA", "1715943329", "1590219412"}, "cc0c594499c1634947d5b502f158ee518947db27"},
		{"V12", []string{"token", "1700000000", "nonce"}, "bf37e74fc61ce5974ce58c68e55130b79b2578b9"},
		{"C6 plain signature", []string{"vp_token_1", "1785600000", "1234567890"}, "03c8d7cba68ef772d1370d5e36fb48821a7b63ec"},
	}
	for _, tt := range tests {
		if got := pushSig(tt.parts...); got != tt.want {
			t.Errorf("%s: pushSig = %s, want %s", tt.name, got, tt.want)
		}
	}
}

type cryptVector struct{ name, key, appid, token, ts, nonce, random, msg, text, sig string }

func cryptVectors() []cryptVector {
	zero, key := strings.Repeat("A", 43), "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	v := func(name, random, msg, text, sig string) cryptVector {
		return cryptVector{name, key, "wx1234567890abcdef", "vp_token_1", "1785600000", "1234567890", random, msg, text, sig}
	}
	return []cryptVector{
		{"V7 official push", zero, "wxba5fad812f8e6fb9", "AAAAA", "1714112445", "415670741", "a8eedb185eb2fecf",
			`{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`,
			"+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"},
		{"V8 official reply", zero, "wxba5fad812f8e6fb9", "AAAAA", "1713424427", "415670741", "707722b803182950",
			`{"demo_resp":"good luck"}`, "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==", "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"},
		v("C6 JSON push", "0011223344556677", c6Message, "qCBGQmdP8qrdr41oxy1AOQzX0VZgZdwKNnHCclut3iExzwNfMzSuczKF1aqPOSMo6c+pXSWeSRawgd6YYCOQ4QvDmaNj8PH+6JD8dm5nlE0rBoSYVE3QgT0/iePyTR8UOP1R+ZsitDGEXgYB10W53d8ZK/Xf6jBd/ga8J4s9j8GBIAaD2WYNlmEqraWBTpz20kZ5v3ZJs6E/hdGwIdo/PyDZ6KCt8uYjlvGgPYRTQRpGSwQdFNR31QfnbYiROufHeoIjBOpY3sHjtBR47VWoYRLhDQrwHYieyZn81yUV/VHTMaVikRqhA1JFkSk3bxDm1siSrbhhGdZPkaGIuhoGaAXQtRikhjrC7EfjXWVE6pQVh/Vf+fDhxIATwqXscrvZuRc4hhdj+ku2F9AUXOrMEzANA2wmOtYhgbxwCLX8t6gQqr7DyZLWjSzwSvoy+OlYwgOPjh3l2s+BrfJwvSY686nN/ReuBLv+F4iMPCnsqgZQ/jGIGrR0T9y1A4G9bRwtu6rXE91uH5pj/gspsZ9UX612hg/x5hEevTXHDzBuu7WGE6kB7kJ0DqmFhjy7MpFS3x4qSlJYpLqwE/xXPrgRNu1zzyXVCKbuY9wLhyLPbx4riP1T2dtiKDZEkSPGaVaB", "f4ba18f3ad1293b137d57257810b0a6fbfa26027"),
		v("C7 XML push", "8899aabbccddeeff", c7Message, "QeucWmXTDXxBdDZqAWMmHg3cKaC7h6NkBg2TruZKa6aFamZRfihDrjhvyiYad74YF/ojdDoNQDWszgI/uS6WPXnkYKgEPBH+bTWxpjumxS2/ct1aNOQ77lsVpnYSU4hCSHx/BYckW9JPP427/DkNOVn5yJZtZAksDf3mCwJRTlVG2Kzz8ENF7u6LsteJJ2PYtGbSnJ7Wguz0cHFdnnfv1BV+D+KZPY99OcHas5Ho9VJZe5/kYZEMtoD8hZXBTf65nNURIB5poJ+qJzmqsZhFpeZdT9T9E7m9cowMFh6I+Qg6Nsce3EMUHvx/EWReWh7eBL7F57r8DxyP1afR0b7OkUXuC+gBWE0Ve+VSURxQFNFM6TjYZOFxw71MG1ehu9H5gMvFjeeKn190tP5ebfxchVTWNdhX0zdVWGTy7BsGK2Sqy949UAzE2tf99bKXkVGxdJH9qws6J+mDoB5KZGzHgQCIvOMJ3c8yxfN53wai10YB1d9GFWihUF82kII+ej9RjkZZtS/rGAzbA7j8FNhx0pqD63LcSqqDM7d8JXQspcD6F+4rce++kFOvarasOxEVRvTGUIHQluboGiO6nwlvsSWgv6mbU8h2QTNlwPiOKGzZdSiQ2C+W33oMg+LL/w976r8GumtjfDnPO6Qa+egSIL6ZHfNgWgYERSO2eJ5YNGW8DgPBhc9apz/pRUVZLxO06NOhzLqTdooK4eZyue/bPICIUlTb48pZqfh9A6bRBVkBpXCbzcGoiE8Pb1y25K7elaJ4LL9yhTT6jo1KFaJZh2617z9SFt9qCyDGeAXw4dvGb+YdqHBHD7SwuPP7wu0O+dP5xTcTcoi7k8vTd05chhHHazjxCVxyFSi/e4r3kt+pmKsYtbIlnqRTgJmNraQ8ONfiIgCAB2l7rfSyIxGQdXrAIIpFMgXoM0ZkzPksWDKbj34UkQr4Ddi/8huTtSkxA6uvWxNS7kZgytS6Nt62BlNRDO11L55w/LulAItirpTpAv19VgXZDMOZa8F5Hf50", "9a0973f1bee17a3411f05c811c2bfae6ac4c27f0"),
		v("C8 JSON reply", "ffeeddccbbaa9988", `{"ErrCode":0,"ErrMsg":"success"}`, "MZyXCo7ZhRNS670+xuGdJkmAnWh9gcjuafCQ1jIYylEf9Pj2073Gm7Q4iZqaT9YE2n4pxD9Q7JWVChRsd6aFjt/b69q0qex29fIVDrGZLUnSQGNFIVO9urWJ6Uw/3XAS", "7ec2f8c4f87caceb1fe8d6651f0696a21018e200"),
		v("C9 XML reply", "ffeeddccbbaa9988", `<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>`, "MZyXCo7ZhRNS670+xuGdJkY2R10jNvsM/Co3cvj1GNyM7W11N6iCAko1CBdpM79aCYDa5vpzpab+WHZ9h+N5RbNztJm+BNyLVQJIYROqakbA/kD41KeUR4E/ikMTg59nPjqUAJyseYnbd+mXiA9PBuZzyn76I/YdMY4PY2fRpWY=", "b2b9038bbe74aa2cf3c5171f562831edcce66a07"),
		v("C10 full block of padding", "0011223344556677", strings.Repeat("x", 26), "qCBGQmdP8qrdr41oxy1AOVeqhkJulxz7VNannYIAiRNjbH2oPQJVeC9dOWCbkJ8wPCBqycBJsTJuseM+yKbWTagsU2TJvcowXXwZv0HLt3/79ZZF677V16xJwNYtvHJO", "ccb34d76b20056f3d1e304ab1a82e9e4f85ac468"),
		v("C11 padding above 16", "0011223344556677", `{"a":1}`, "qCBGQmdP8qrdr41oxy1AObvYxtAd4qqIVvp6TyzLTR4N2ZgsTlHzWfGmOAjAkpQYBpv+WUsgfy72A/6Gzw8+Ag==", "9870b88298e2dcf285f3f7c68e3aa04a2cd6c68e"),
	}
}

const (
	c6Message = `{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":1785600000,"MsgType":"event","Event":"xpay_goods_deliver_notify","OpenId":"oUserOpenId","OutTradeNo":"ORDER20260801001","Env":0,"WeChatPayInfo":{"MchOrderNo":"202608011234567890","TransactionId":"4500000138202608010000000001","PaidTime":1785599990},"GoodsInfo":{"ProductId":"testproductId","Quantity":1,"OrigPrice":100,"ActualPrice":100,"Attach":"testdata"}}`
	c7Message = `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oOfficialOpenId]]></FromUserName><CreateTime>1785600000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[xpay_goods_deliver_notify]]></Event><OpenId><![CDATA[oUserOpenId]]></OpenId><OutTradeNo><![CDATA[ORDER20260801001]]></OutTradeNo><Env>0</Env><WeChatPayInfo><MchOrderNo><![CDATA[202608011234567890]]></MchOrderNo><TransactionId><![CDATA[4500000138202608010000000001]]></TransactionId><PaidTime>1785599990</PaidTime></WeChatPayInfo><GoodsInfo><ProductId><![CDATA[testproductId]]></ProductId><Quantity>1</Quantity><OrigPrice>100</OrigPrice><ActualPrice>100</ActualPrice><Attach><![CDATA[testdata]]></Attach></GoodsInfo></xml>`
)

func TestSealAndUnsealVectors(t *testing.T) {
	t.Parallel()
	for _, v := range cryptVectors() {
		key, err := base64.StdEncoding.DecodeString(v.key + "=")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal(key, []byte(v.random), []byte(v.msg), v.appid); err != nil || got != v.text {
			t.Errorf("%s: seal = %s, %v", v.name, got, err)
		}
		if got, err := unseal(key, v.text, v.appid); err != nil || string(got) != v.msg {
			t.Errorf("%s: unseal = %s, %v", v.name, got, err)
		}
		if _, err := unseal(key, v.text, "wx0000000000000000"); err == nil {
			t.Errorf("%s: a foreign appid was accepted", v.name)
		}
		if got := pushSig(v.token, v.ts, v.nonce, v.text); got != v.sig {
			t.Errorf("%s: msg_signature = %s, want %s", v.name, got, v.sig)
		}
	}
}

// The bodies of paid pushes are byte for byte those of vectors C6 and C7.
func TestRenderedPushEqualsVectors(t *testing.T) {
	t.Parallel()
	o := &order{No: "ORDER20260801001", OpenID: "oUserOpenId", Mode: modeGoods, Channel: channelWeChat, Product: "testproductId", Quantity: 1, Price: 100, Actual: 100, Attach: "testdata"}
	o.Payments = []payment{{MchNo: "202608011234567890", Txn: "4500000138202608010000000001", Fee: 100, At: instant(1785599990e9)}}
	s := &Sim{cfg: Config{OriginalID: "gh_0123456789ab"}}
	event := s.render(&push{Event: eventGoods, First: instant(1785600000e9), order: o})
	if got := string(renderJSON(event)); got != c6Message {
		t.Errorf("JSON is\n%s\nwant\n%s", got, c6Message)
	}
	if got := string(renderXML(event)); got != c7Message {
		t.Errorf("XML is\n%s\nwant\n%s", got, c7Message)
	}
}

func TestUnsealRefusesDamage(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef0123456789abcdef")
	for _, text := range []string{"", "!", "AAAA", base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		if _, err := unseal(key, text, "wx"); err == nil {
			t.Errorf("unseal(%q) succeeded", text)
		}
	}
}
