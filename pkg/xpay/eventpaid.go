package xpay

// GoodsDelivery says that a goods order was paid: deliver now (spec 7.2). Whether the prices are per piece or per
// order is not published: compare with both, or believe QueryOrder's PaidFee.
type GoodsDelivery struct {
	OpenID, OutTradeNo     string
	Env                    *Env // nil: not sent, which is no mismatch
	WeChatPay              *WeChatPayInfo
	ProductID              string
	Quantity               int
	OrigPrice, ActualPrice *Fen
	Attach                 string
	RetryTimes             int
	Team                   *TeamInfo
	AppleSubscription      *AppleSubscriptionInfo
}

// CoinPayment says that a recharge was paid. WeChat credits the coins itself (spec 7.3). CONFLICT: the cloud page explains the
// event as "after buying goods with coins"; the table of its fields has money and a payment, so it is the recharge. CONFLICT: one
// SDK reads its fields out of GoodsInfo; the table has CoinInfo, which is read.
type CoinPayment struct {
	OpenID, OutTradeNo     string
	Env                    *Env
	WeChatPay              *WeChatPayInfo
	Quantity               int
	OrigPrice, ActualPrice *Fen
	Attach                 string
	RetryTimes             int
	Team                   *TeamInfo
}

// WeChatPayInfo is nil for payments that did not go through WeChat Pay.
type WeChatPayInfo struct {
	MchOrderNo    string // 商户单号, not your number
	TransactionID string // 交易单号
	PaidTime      int64  // Unix seconds
}

// TeamInfo comes with group buying only.
type TeamInfo struct {
	ActivityID, TeamID   string
	TeamType, TeamAction int // TeamPayAll; TeamCreate or TeamJoin
}

// The one documented value of TeamInfo.TeamType, and those of TeamInfo.TeamAction. Spec 7.2.
const (
	TeamPayAll = 1 // everybody pays in full and gets money back when the group forms
	TeamCreate = 0
	TeamJoin   = 1
)

// AppleSubscriptionInfo comes with Apple subscriptions only. Times are Unix milliseconds.
type AppleSubscriptionInfo struct {
	OriginalTransactionID, ProductID      string
	AutoRenewStatus                       int // AutoRenewOff or AutoRenewOn
	RenewalDate, SignedTime, UnsignedTime int64
}

// What AutoRenewStatus says, in pushes and in AppleContractInfo. Spec 4.17, 7.7.
const (
	AutoRenewOff = 0
	AutoRenewOn  = 1
)

func (f *fields) goods() *GoodsDelivery {
	g := &GoodsDelivery{
		OpenID: f.text("OpenId"), OutTradeNo: f.text("OutTradeNo"), Env: f.env(),
		WeChatPay: f.weChatPay(), RetryTimes: int(f.loose("RetryTimes")),
		Team: f.team(), AppleSubscription: f.appleSubscription(),
	}
	f.inside("GoodsInfo", func(f *fields) {
		g.ProductID, g.Quantity = f.text("ProductId"), int(f.whole("Quantity"))
		g.OrigPrice, g.ActualPrice, g.Attach = f.fen("OrigPrice"), f.fen("ActualPrice"), f.text("Attach")
	})
	return g
}

func (f *fields) coins() *CoinPayment {
	c := &CoinPayment{
		OpenID: f.text("OpenId"), OutTradeNo: f.text("OutTradeNo"), Env: f.env(),
		WeChatPay: f.weChatPay(), RetryTimes: int(f.loose("RetryTimes")), Team: f.team(),
	}
	f.inside("CoinInfo", func(f *fields) {
		c.Quantity = int(f.whole("Quantity"))
		c.OrigPrice, c.ActualPrice, c.Attach = f.fen("OrigPrice"), f.fen("ActualPrice"), f.text("Attach")
	})
	return c
}

func (f *fields) env() *Env {
	n, ok := f.integer("Env")
	if !ok {
		return nil
	}
	env := Env(n)
	return &env
}

func (f *fields) weChatPay() (info *WeChatPayInfo) {
	f.inside("WeChatPayInfo", func(f *fields) {
		info = &WeChatPayInfo{
			MchOrderNo: f.text("MchOrderNo"), TransactionID: f.text("TransactionId"), PaidTime: f.loose("PaidTime"),
		}
	})
	return info
}

func (f *fields) team() (info *TeamInfo) {
	f.inside("TeamInfo", func(f *fields) {
		info = &TeamInfo{
			ActivityID: f.text("ActivityId"), TeamID: f.text("TeamId"),
			TeamType: int(f.loose("TeamType")), TeamAction: int(f.loose("TeamAction")),
		}
	})
	return info
}

func (f *fields) appleSubscription() (info *AppleSubscriptionInfo) {
	f.inside("AppleSubscriptionInfo", func(f *fields) {
		info = &AppleSubscriptionInfo{
			OriginalTransactionID: f.text("OriginalTransactionId"), ProductID: f.text("ProductId"),
			AutoRenewStatus: int(f.loose("AutoRenewStatus")), RenewalDate: f.loose("RenewalDate"),
			SignedTime: f.loose("SignedTime"), UnsignedTime: f.loose("UnsignedTime"),
		}
	})
	return info
}
