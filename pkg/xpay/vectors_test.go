package xpay

// The messages inside vectors C6 and C7 of spec 3.9.
const (
	c6Message = `{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":1785600000,"MsgType":"event","Event":"xpay_goods_deliver_notify","OpenId":"oUserOpenId","OutTradeNo":"ORDER20260801001","Env":0,"WeChatPayInfo":{"MchOrderNo":"202608011234567890","TransactionId":"4500000138202608010000000001","PaidTime":1785599990},"GoodsInfo":{"ProductId":"testproductId","Quantity":1,"OrigPrice":100,"ActualPrice":100,"Attach":"testdata"}}`
	c7Message = `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oOfficialOpenId]]></FromUserName><CreateTime>1785600000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[xpay_goods_deliver_notify]]></Event><OpenId><![CDATA[oUserOpenId]]></OpenId><OutTradeNo><![CDATA[ORDER20260801001]]></OutTradeNo><Env>0</Env><WeChatPayInfo><MchOrderNo><![CDATA[202608011234567890]]></MchOrderNo><TransactionId><![CDATA[4500000138202608010000000001]]></TransactionId><PaidTime>1785599990</PaidTime></WeChatPayInfo><GoodsInfo><ProductId><![CDATA[testproductId]]></ProductId><Quantity>1</Quantity><OrigPrice>100</OrigPrice><ActualPrice>100</ActualPrice><Attach><![CDATA[testdata]]></Attach></GoodsInfo></xml>`
)
