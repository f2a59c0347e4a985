package xpay

// RefundNotice says how a refund ended, whoever started it: this API, the console, a complaint, Apple. Only the
// first knows your MchRefundID; WxRefundID is the identity. There is no Env (spec 7.4).
type RefundNotice struct {
	OpenID                  string
	WxRefundID, MchRefundID string
	WxOrderID, MchOrderID   string
	RefundFee               Fen // always there, else the push is an error
	RetCode                 int // 0 success; always there, else the push is an error
	RetMsg                  string
	StartTime, SuccTime     int64  // Unix seconds
	TransactionID           string // WxpayRefundTransactionId
	RetryTimes              int
	Attach, WxTransactionID string // Apple refunds only
	Team                    *TeamInfo
}

// Complaint is a user's complaint (spec 7.5).
type Complaint struct {
	OpenID, WxOrderID, MchOrderID string
	TransactionID                 string
	ComplaintID, Detail           string // newer editions only
	ComplaintTime                 int64  // Unix seconds
	RetryTimes                    int
	RequestID                     string
}

// IOSRefundQuestion is Apple asking through WeChat whether a refund is right. Answer with IOSRefundReply within
// 3 seconds. Numbers that can not be read are 0, so that an answer is always possible (spec 7.8).
type IOSRefundQuestion struct {
	RefundTime, OrderTime int64 // Unix seconds
	ChannelBill, BundleID string
	ProductID             string
	Quantity              int // p_count
	RefundRequestReason   string
	ProvideStatus         string // "0" not delivered, "1" delivered, "2" delivering
	PayOrderID            string
	ConsumptionStatus     string
	ServiceType           string
}

// AppleSigning says that a user began or ended an Apple subscription (spec 7.7).
type AppleSigning struct {
	OpenID, Attach string
	Action         string // "unsubscribe" when it ended
	Subscription   *AppleSubscriptionInfo
}

// RiskNotice is WeChat Pay's risk control about the merchant (spec 7.6).
type RiskNotice struct {
	AppID, NickName                   string
	MerchantCode, MerchantCompanyName string
	BusinessTime                      string // RFC 3339
	BusinessCode, BusinessState       string
	Remark                            string
	EventType                         string // due_diligence or punishment
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

func (f *fields) risk() *RiskNotice {
	return &RiskNotice{
		AppID: f.text("AppId"), NickName: f.text("NickName"),
		MerchantCode: f.text("MerchantCode"), MerchantCompanyName: f.text("MerchantCompanyName"),
		BusinessTime: f.text("BusinessTime"), BusinessCode: f.text("BusinessCode"),
		BusinessState: f.text("BusinessState"), Remark: f.text("Remark"), EventType: f.text("EventType"),
		RetryTimes: int(f.loose("RetryTimes")),
	}
}
