package wechatsim

// apiTexts is what WeChat says beside its errcodes where one text is known for each (spec section 6). Several codes
// have more: 268490002 names the field that is wrong, or says as here that nothing was found, by which callers tell the
// one from the other.
var apiTexts = map[int]string{
	-1:        "system error detail:[系统错误,请稍后重试]",
	268490001: "openid错误",
	268490002: "数据不存在",
	268490003: "支付签名(pay_sig)校验失败",
	268490004: "重复操作",
	268490005: "订单已经退款",
	268490006: "代币金额不足",
	268490007: "存在敏感内容",
	268490008: "代币未发布",
	268490009: "session_key不存在或已过期",
	268490011: "数据生成中,请稍后再试",
	268490012: "批量任务正在运行中",
	268490013: "核销状态的订单禁止退款",
	268490014: "退款操作进行中",
	268490015: "操作过于频繁,请稍后重试",
	268490016: "left_fee与实际不符",
	268490018: "广告账户行业id不匹配",
	268490019: "广告账户已绑定其他appid",
	268490020: "广告账户主体名称错误",
	268490021: "账户进件未完成",
	268490022: "广告账户无效",
	268490023: "广告金余额不足",
	268490024: "充值金额必须大于0",

	674690001: "商品类型不支持或扣费金额非法",
	690000000: "用户未签约",
	690000001: "当前不允许发送预扣费通知",
	-15027:    "未发送预扣费通知或重复订单",

	40001: "invalid credential, access_token is invalid or not latest",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40013: "invalid appid",
	40014: "invalid access_token",
	40029: "invalid code",
	40066: "invalid url",
	40125: "invalid appsecret",
	40163: "code been used",
	40226: "code blocked",
	40243: "AppSecret frozen",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	42001: "access_token expired",
	43001: "require GET method",
	43002: "require POST method",
	43003: "require https",
	44002: "empty post data",
	45002: "content size out of limit",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	47001: "data format error",
	48001: "api unauthorized",
	48004: "api forbidden for irregularities",
	48006: "forbid to clear quota because of reaching the limit",
	50002: "user limited",
	61004: "access clientip is not registered",
	61007: "api is unauthorized to component",
	87008: "invalid sig_method",
	87009: "invalid signature",
}

// phoneTexts is the same for the calls on the phone (spec 2.3): the fragment that was seen in errMsg, and the meaning
// where none was.
var phoneTexts = map[int]string{
	1001:   "parameter error: parameter.signature should be String instead of Undefined",
	-1:     "payment failed",
	-2:     "cancel",
	-4:     "风控拦截",
	-5:     "开通签约结果未知",
	-15001: "当前商户尚未开启iOS支付",
	-15002: "outTradeNo is used already",
	-15003: "system error",
	-15004: "currencyType is not CNY",
	-15005: "SIGNATURE_INVALID",
	-15006: "PAY_SIG_INVALID",
	-15007: "session_key expired",
	-15008: "the onboarding of the secondary merchant is unfinished",
	-15009: "the coin is not published",
	-15010: "PRODUCT_ID_NOT_PUBLISH",
	-15011: "PAYMENT_ILLEGAL_IN_SANDBOX",
	-15012: "the payment failed and the order was closed",
	-15013: "GOODS_PRICE_INVALID",
	-15014: "COIN_OR_PRODUCT_ID_CREATED_IN_RECENTLY",
	-15016: "signData is malformed",
	-15017: "the merchant is restricted for a suspected violation",
	-15018: "the coin or the goods failed the review",
	-15019: "the merchant is restricted by WeChat Pay",
	-15020: "too fast",
	-15021: "the mini-program is throttled",
}

// refusal is the answer that c orders. 40164 names the caller's address.
func (c CodeFault) refusal(in request) *refusal {
	if c.ErrCode == 40164 && c.ErrMsg == "" {
		return errIP(in)
	}
	return refuse(c.ErrCode, c.text(apiTexts))
}

// text is what c says: what it was given, else WeChat's own words.
func (c CodeFault) text(own map[int]string) string {
	return orElse(orElse(c.ErrMsg, own[c.ErrCode]), "unknown error")
}
