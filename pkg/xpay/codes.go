package xpay

// CodeInfo is one row of the catalogue of error codes.
type CodeInfo struct {
	Code               int
	Class              Class
	Meaning, MeaningZH string
	Advice, AdviceZH   string
}

// CodeWrongSignature is WeChat's answer to a pay_sig or signature that does not fit: a wrong or rotated AppKey, most often.
const CodeWrongSignature = 268490003

// ClientCodeWrongPaySig is what wx.requestVirtualPayment fails with when paySig does not fit.
const ClientCodeWrongPaySig = -15006

// Lookup finds a server code of spec 6.
func Lookup(code int) (CodeInfo, bool) { return lookup(serverCodes[:], code) }

// Codes is a copy of the catalogue of server codes, in the order of spec 6.1, 6.2, 6.3.
func Codes() []CodeInfo { return append([]CodeInfo(nil), serverCodes[:]...) }

// ClientCodes is a copy of the catalogue of what wx.requestVirtualPayment fails with (spec 2.3). The same numbers
// mean other things elsewhere, so Lookup does not search it.
func ClientCodes() []CodeInfo { return append([]CodeInfo(nil), clientCodes[:]...) }

// LookupClient finds an errCode of wx.requestVirtualPayment.
func LookupClient(code int) (CodeInfo, bool) { return lookup(clientCodes[:], code) }

func lookup(rows []CodeInfo, code int) (CodeInfo, bool) {
	for _, row := range rows {
		if row.Code == code {
			return row, true
		}
	}
	return CodeInfo{}, false
}

// serverCodes is spec 6. 268490010 and 268490017 are not assigned.
var serverCodes = [...]CodeInfo{
	{0, ClassDone, "ok", "成功", "nothing to do", "无需处理"},
	{-1, ClassRetry, "system error", "系统错误", "repeat later with the same parameters and number; if it stays, check that onboarding is finished and goods or coins are published", "稍后用相同参数和单号重试；若持续出现，请检查商户进件以及道具、代币是否已发布"},
	{268490001, ClassGiveUp, "wrong openid", "openid 错误", "use the openid of this AppID", "请使用本 AppID 下的 openid"},
	{268490002, ClassGiveUp, "parameter error; 数据不存在 means that the order is unknown", "参数错误；“数据不存在”表示微信没有该订单", "read errmsg; for an unknown order check that only one number is sent, in the right field, with the right env and openid", "查看 errmsg；若为数据不存在，请确认只传了一个单号、字段正确，且 env 与 openid 正确"},
	{268490003, ClassGiveUp, "wrong signature", "签名错误", "check AppKey against env, the path with its leading slash, and that the signed bytes are the sent bytes", "检查 AppKey 与 env 是否对应、路径是否以斜杠开头、签名内容与发送内容是否逐字节一致"},
	{268490004, ClassDone, "repeated operation, the earlier one succeeded", "重复操作，之前的操作已成功", "treat as success", "按成功处理"},
	{268490005, ClassGiveUp, "order already reversed through cancel_currency_pay", "订单已通过 cancel_currency_pay 退款", "check the order, then treat it as refunded", "核对订单后按已退款处理"},
	{268490006, ClassGiveUp, "not enough coins", "代币余额不足", "show the balance to the user", "向用户展示余额"},
	{268490007, ClassGiveUp, "sensitive picture or text", "图片或文字包含敏感内容", "change the content", "请修改内容"},
	{268490008, ClassGiveUp, "coin not published", "代币未发布", "publish the coin in 虚拟支付", "请在虚拟支付中发布代币"},
	{268490009, ClassGiveUp, "session_key missing or expired", "session_key 不存在或已过期", "call wx.login and code2Session again, then sign again", "重新 wx.login 和 code2Session，再重新签名"},
	{268490011, ClassRetry, "data is being generated", "数据生成中", "ask again after some seconds", "数秒后再次查询"},
	{268490012, ClassRetry, "a batch goods task is running", "批量任务运行中", "wait for query_upload_goods or query_publish_goods to finish, then repeat", "等待 query_upload_goods 或 query_publish_goods 完成后重试"},
	{268490013, ClassGiveUp, "order is being written off, refund forbidden", "订单处于核销状态，禁止退款", "settle it by hand", "请人工处理"},
	{268490014, ClassRetry, "refund in progress", "退款进行中", "repeat later with identical parameters and the same refund_order_id", "稍后用完全相同的参数和 refund_order_id 重试"},
	{268490015, ClassRetry, "called too often", "频率限制", "wait, then repeat more slowly", "降低频率后重试"},
	{268490016, ClassGiveUp, "left_fee differs from the real value", "left_fee 与实际值不一致", "query the refund number first, then the order, and try with its fresh left_fee", "先查询退款单，再查询订单，用最新的 left_fee 重新发起"},
	{268490018, ClassGiveUp, "advert account: industry id does not match", "广告账户行业 id 不匹配", "correct the industry id", "请更正行业 id"},
	{268490019, ClassGiveUp, "advert account is bound to another appid", "广告账户已绑定其他 appid", "unbind it there or use another account", "请先解绑或更换账户"},
	{268490020, ClassGiveUp, "advert account: wrong subject name", "广告账户主体名称错误", "correct the subject name", "请更正主体名称"},
	{268490021, ClassGiveUp, "account onboarding is not finished", "账户未完成进件", "finish onboarding in the console", "请在后台完成进件"},
	{268490022, ClassGiveUp, "advert account is invalid", "广告账户无效", "use a valid account", "请使用有效账户"},
	{268490023, ClassGiveUp, "not enough advert funds", "广告金余额不足", "lower the amount", "请降低金额"},
	{268490024, ClassGiveUp, "advert recharge must be above 0", "广告金充值金额必须大于 0", "correct the amount", "请更正金额"},

	{674690001, ClassGiveUp, "product type not supported, or deduct_price invalid", "不支持的商品类型或 deduct_price 无效", "correct the product or the price", "请更正商品或价格"},
	{690000000, ClassGiveUp, "user is not subscribed", "用户未签约", "check with query_subscribe_contract", "请用 query_subscribe_contract 核对"},
	{690000001, ClassGiveUp, "pre-notice is not allowed at this time", "当前时间不允许发送预通知", "send it inside the allowed time", "请在允许的时间内发送"},
	{-15027, ClassGiveUp, "no pre-notice, or duplicate order", "未发送预通知或订单重复", "send the pre-notice first, and use a new order number", "请先发送预通知，并使用新的订单号"},

	{40001, ClassRefresh, "access_token is invalid or not the latest, or AppSecret is wrong", "access_token 无效或不是最新，或 AppSecret 错误", "if it stays after a refresh, another process overwrites the token: use stable_token everywhere", "若刷新后仍出现，说明有其他进程在覆盖 token：请统一使用 stable_token"},
	{40002, ClassGiveUp, "invalid grant_type", "grant_type 无效", "fix the request", "请修正请求"},
	{40003, ClassGiveUp, "invalid openid", "openid 无效", "use the openid of this AppID", "请使用本 AppID 下的 openid"},
	{40013, ClassGiveUp, "invalid AppID", "AppID 无效", "correct the AppID", "请更正 AppID"},
	{40014, ClassRefresh, "invalid access_token", "access_token 无效", "if it stays after a refresh, check whose token is sent", "若刷新后仍出现，请检查 token 所属的小程序"},
	{40029, ClassGiveUp, "invalid code", "code 无效", "call wx.login again: a code lives 5 minutes, works once, for one AppID", "重新 wx.login：code 五分钟内有效，仅可用一次且只属于一个 AppID"},
	{40066, ClassGiveUp, "invalid url", "url 无效", "correct the path", "请更正路径"},
	{40125, ClassGiveUp, "invalid AppSecret", "AppSecret 无效", "correct the AppSecret", "请更正 AppSecret"},
	{40163, ClassGiveUp, "code has been used", "code 已被使用", "use the session stored for that code, or call wx.login again", "使用该 code 已换取的会话，或重新 wx.login"},
	{40164, ClassGiveUp, "server address is not in the IP whitelist", "服务器 IP 不在白名单", "add the egress IP in the console, 开发管理 → IP 白名单", "请在后台 IP 白名单中加入服务器出口 IP"},
	{40226, ClassGiveUp, "high-risk user, login blocked", "高风险用户，登录被拦截", "refuse the login", "拒绝登录"},
	{40243, ClassGiveUp, "AppSecret is frozen", "AppSecret 已冻结", "unfreeze it in the console", "请在后台解冻"},
	{41001, ClassGiveUp, "access_token is missing", "缺少 access_token", "fix the token source", "请修正 token 来源"},
	{41002, ClassGiveUp, "appid is missing", "缺少 appid", "set the AppID", "请配置 AppID"},
	{42001, ClassRefresh, "access_token has expired", "access_token 已过期", "if it stays after a refresh, check the clock and the token cache", "若刷新后仍出现，请检查时钟和 token 缓存"},
	{43002, ClassGiveUp, "POST is required", "需要 POST 请求", "send POST", "请使用 POST"},
	{43003, ClassGiveUp, "https is required", "需要 https", "use https", "请使用 https"},
	{44002, ClassGiveUp, "empty body", "请求体为空", "send the JSON as a body with a Content-Length", "请以带 Content-Length 的请求体发送 JSON"},
	{45002, ClassGiveUp, "content is too long", "内容超过限制", "send less", "请缩短内容"},
	{45009, ClassGiveUp, "daily quota reached", "达到每日调用上限", "wait until tomorrow or clear the quota", "等待次日或清空调用额度"},
	{45011, ClassRetry, "minute quota reached", "达到每分钟调用上限", "repeat after a minute", "一分钟后重试"},
	{47001, ClassGiveUp, "data format error", "数据格式错误", "fix the JSON", "请修正 JSON"},
	{48001, ClassGiveUp, "API not authorized", "接口未授权", "open the capability in the console", "请在后台开通该能力"},
	{48004, ClassGiveUp, "API forbidden because of irregularities", "接口因违规被封禁", "see the notices in the console", "请查看后台通知"},
	{50002, ClassGiveUp, "user is limited", "用户受限", "refuse, or see the notices in the console", "拒绝该请求，或查看后台通知"},
	{61004, ClassGiveUp, "address is not registered at the third-party platform", "IP 未在第三方平台登记", "register the egress IP", "请登记服务器出口 IP"},
	{61007, ClassGiveUp, "API not authorized to the component", "接口未授权给第三方平台", "ask for permission set 157", "请申请权限集 157"},
	{87008, ClassGiveUp, "invalid sig_method", "sig_method 无效", "use hmac_sha256", "请使用 hmac_sha256"},
	{87009, ClassGiveUp, "invalid signature, or session_key no longer valid", "签名无效或 session_key 已失效", "call wx.login again; the signature is hex", "重新 wx.login；签名须为十六进制"},
	{90010, ClassGiveUp, "signature invalid (mini-game Midas 2.0, not virtual payment)", "签名无效（小游戏米大师 2.0，与虚拟支付无关）", "call an /xpay path", "请调用 /xpay 接口"},
}
