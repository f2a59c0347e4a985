package xpay

// subscribeCodes is spec 6.2: what the subscription APIs answer beside the codes of 6.1. -15027 looks like a code of the
// phone, but comes from the server, and from one unofficial source only.
var subscribeCodes = [...]CodeInfo{
	{674690001, ClassGiveUp, WhoDeveloper, "",
		"product type not supported, or deduct_price invalid", "不支持的商品类型或 deduct_price 无效",
		"the product is no subscription, or deduct_price is under 100 fen or above its price",
		"商品不是订阅类，或 deduct_price 低于 100 分、高于商品价格",
		"correct the product or the price", "请更正商品或价格"},
	{690000000, ClassGiveUp, WhoUser, "",
		"user is not subscribed", "用户未签约",
		"the contract was never signed or has ended", "用户从未签约，或签约已终止",
		"check with query_subscribe_contract; an ended contract needs a new contract code",
		"请用 query_subscribe_contract 核对；已终止的签约需使用新的协议号"},
	{690000001, ClassGiveUp, WhoDeveloper, "",
		"pre-notice is not allowed at this time", "当前时间不允许发送预通知",
		"it is before 07:10 or after 21:50, earlier than three days before the period ends, or an earlier charge has not ended",
		"不在 07:10 至 21:50 之间、早于本期结束前三天，或上一笔扣款尚未结束",
		"send it inside the allowed time", "请在允许的时间内发送"},
	{-15027, ClassGiveUp, WhoDeveloper, "",
		"no pre-notice, or duplicate order", "未发送预通知或订单重复",
		"submit_subscribe_pay_order was called without a pre-notice two days before, or with a number used before",
		"调用 submit_subscribe_pay_order 前两天未发送预通知，或单号已使用",
		"if this order number may have been sent before, query it and wait for the push, and use a new number only when it was not charged; else send the pre-notice first",
		"若该单号可能已提交过，请先查单并等待推送，确认未扣款后才可更换单号；否则请先发送预通知"},
}
