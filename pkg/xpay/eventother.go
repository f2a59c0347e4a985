package xpay

import "strconv"

// RefundNotice says how a refund ended, whoever started it: this API, the console, a complaint, Apple. Only the
// first knows your MchRefundID; WxRefundID is the identity. There is no Env (spec 7.4).
type RefundNotice struct {
	OpenID                  string
	WxRefundID, MchRefundID string
	WxOrderID, MchOrderID   string
	RefundFee               Fen // always there, else the push is an error
	RetCode                 int // 0: the money is back; always there, else the push is an error
	RetMsg                  string
	StartTime, SuccTime     int64  // Unix seconds
	TransactionID           string // WxpayRefundTransactionId
	RetryTimes              int
	Attach, WxTransactionID string // Apple refunds only
	Team                    *TeamInfo
}

// Complaint is a user's complaint (spec 7.5). get_complaint_detail tells more; MchOrderID is your number.
type Complaint struct {
	OpenID, WxOrderID, MchOrderID string
	TransactionID                 string // newer editions only, as the two below
	ComplaintID, Detail           string
	ComplaintTime                 int64 // Unix seconds
	RetryTimes                    int
	RequestID                     string
}

// IOSRefundQuestion is Apple asking through WeChat whether a refund is right; despite its name it comes for all orders of
// iOS, subscriptions or not. Answer with IOSRefundReply within 3 seconds; it is asked three times, and Apple decides. Numbers
// that can not be read are 0, so that an answer is always possible (spec 7.8).
type IOSRefundQuestion struct {
	RefundTime, OrderTime int64 // Unix seconds
	ChannelBill, BundleID string
	ProductID             string
	Quantity              int // p_count
	RefundRequestReason   string
	ProvideStatus         string // NotProvided, Provided or Providing: what WeChat thinks of the delivery
	PayOrderID            string
	ConsumptionStatus     string
	ServiceType           string
}

// The values of IOSRefundQuestion.ProvideStatus.
const (
	NotProvided = "0"
	Provided    = "1"
	Providing   = "2"
)

// AppleSigning says that a user began or ended an Apple subscription (spec 7.7). Each renewal comes as an
// EventGoodsDeliver with AppleSubscription. CONFLICT: one SDK gives the event OutTradeNo, Env, ContractId and the like, the
// official table has none of them; should they come, Event.Field reads them.
type AppleSigning struct {
	OpenID, Attach string
	Action         string // ActionUnsubscribe when it ended
	Subscription   *AppleSubscriptionInfo
}

// ActionUnsubscribe is AppleSigning.Action of an EventAppleUnsigning.
const ActionUnsubscribe = "unsubscribe"

// SubscriptionNotice says that a contract of Android or HarmonyOS was signed or ended (EventSubscribeSigning), or that a charge
// failed (EventSubscribePayFail). WeChat publishes no table of its fields. Those below are one SDK's, unverified and often
// empty; they are no reason to refuse the push and none to believe it: keep Raw, acknowledge, then ask
// query_subscribe_contract (spec 7.9).
type SubscriptionNotice struct {
	OpenID, OutTradeNo, ProductID, ContractID string
	ContractResult                            *int64 // 0: success; nil: not sent, or no number
	ContractResultMsg, Attach                 string
}

// The values of RiskNotice.EventType.
const (
	RiskDueDiligence = "due_diligence"
	RiskPunishment   = "punishment"
)

// RiskNotice is WeChat Pay's risk control about the merchant (spec 7.6). query_punishment_reasons tells more.
type RiskNotice struct {
	AppID, NickName                   string
	MerchantCode, MerchantCompanyName string
	BusinessTime                      string // RFC 3339
	BusinessCode                      string // the limitation_case_id of query_punishment_reasons
	BusinessState                     string // its values are not published
	Remark                            string
	EventType                         string // RiskDueDiligence or RiskPunishment
	RetryTimes                        int
}

func (f *fields) refund() *RefundNotice {
	return &RefundNotice{
		OpenID: f.text("OpenId"), WxRefundID: f.text("WxRefundId"), MchRefundID: f.text("MchRefundId"),
		WxOrderID: f.text("WxOrderId"), MchOrderID: f.text("MchOrderId"),
		RefundFee: Fen(f.needed("RefundFee")), RetCode: int(f.needed("RetCode")), RetMsg: f.text("RetMsg"),
		StartTime: f.loose("RefundStartTimestamp"), SuccTime: f.loose("RefundSuccTimestamp"),
		TransactionID: f.text("WxpayRefundTransactionId"), RetryTimes: int(f.loose("RetryTimes")),
		Attach: f.text("Attach"), WxTransactionID: f.text("WxTransactionId"), Team: f.team(),
	}
}

func (f *fields) complaint() *Complaint {
	return &Complaint{
		OpenID: f.text("OpenId"), WxOrderID: f.text("WxOrderId"), MchOrderID: f.text("MchOrderId"),
		TransactionID: f.text("TransactionId"), ComplaintID: f.text("ComplaintId"), Detail: f.text("ComplaintDetail"),
		ComplaintTime: f.loose("ComplaintTime"), RetryTimes: int(f.loose("RetryTimes")), RequestID: f.text("RequestId"),
	}
}

func (f *fields) iosRefund() *IOSRefundQuestion {
	return &IOSRefundQuestion{
		RefundTime: f.loose("refund_time"), OrderTime: f.loose("order_time"),
		ChannelBill: f.text("channel_bill"), BundleID: f.text("bundleid"), ProductID: f.text("product_id"),
		Quantity: int(f.loose("p_count")), RefundRequestReason: f.text("refund_request_reason"),
		ProvideStatus: f.text("provide_status"), PayOrderID: f.text("pay_order_id"),
		ConsumptionStatus: f.text("consumption_status"), ServiceType: f.text("service_type"),
	}
}

func (f *fields) appleSigning() *AppleSigning {
	return &AppleSigning{
		OpenID: f.text("OpenId"), Attach: f.text("Attach"), Action: f.text("Action"),
		Subscription: f.appleSubscription(),
	}
}

// subscription reads without errors: nothing of it is published.
func (f *fields) subscription() *SubscriptionNotice {
	text := func(name string) string {
		if n := f.node.child(name); n != nil && len(n.kids) == 0 {
			return n.text
		}
		return ""
	}
	n := SubscriptionNotice{
		OpenID: text("OpenId"), OutTradeNo: text("OutTradeNo"), ProductID: text("ProductId"), ContractID: text("ContractId"),
		ContractResultMsg: text("ContractResultMsg"), Attach: text("Attach"),
	}
	if result, err := strconv.ParseInt(text("ContractResult"), 10, 64); err == nil {
		n.ContractResult = &result
	}
	return &n
}

func (f *fields) risk() *RiskNotice {
	return &RiskNotice{
		AppID: f.text("AppId"), NickName: f.text("NickName"),
		MerchantCode: f.text("MerchantCode"), MerchantCompanyName: f.text("MerchantCompanyName"),
		BusinessTime: f.text("BusinessTime"), BusinessCode: f.text("BusinessCode"),
		BusinessState: f.text("BusinessState"), Remark: f.text("Remark"), EventType: f.text("EventType"),
		RetryTimes: int(f.loose("RetryTimes")),
	}
}
