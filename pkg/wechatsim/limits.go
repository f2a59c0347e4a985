package wechatsim

import "time"

// Every limit of the simulator, with its reason.
const (
	codeLife   = 5 * time.Minute // WeChat docs: code2Session; a code of wx.login lives five minutes
	codeMemory = time.Hour       // how long a dead code still answers 40163 rather than 40029

	tokenLife          = 7200 * time.Second // WeChat docs: stable_token, expires_in
	tokenRenewBefore   = 5 * time.Minute    // a token with less life left is replaced
	tokenOverlap       = 5 * time.Minute    // the replaced token still works so long
	tokenForcedGap     = 30 * time.Second   // between two forced refreshes
	tokenForcedPerDay  = 20                 // forced refreshes a day, counted in China time
	tokenRememberedMax = 16                 // dead tokens that still answer 42001; older ones answer 40001

	bodyBytesMax     = 1 << 20  // request bodies; beyond it 45002
	signDataBytesMax = 64 << 10 // signData has no published limit; this one only protects memory
	replyBytesMax    = 64 << 10 // what is read of a receiver's answer to a push
	excerptBytesMax  = 120      // what is kept of it for OrderView

	orderFenMax = 1 << 50 // an order above this is an overflow, not a purchase

	refundDelayDefault = 3 * time.Second      // from refund_order to the money's arrival
	refundWindow       = 365 * 24 * time.Hour // spec 4.8
	settleAfter        = 3 * 24 * time.Hour   // spec 5.5: T+3
	appleFenMin        = 100                  // spec 1.5: iOS payments start at 1 yuan

	pushRepeatsMax   = 15              // spec 7.1: after the first try, 2, 4, 8 ... 32768 s apart
	pushTimeout      = 5 * time.Second // spec 7.1
	questionTriesMax = 3               // spec 7.8: Apple's refund question is asked three times
	questionTimeout  = 3 * time.Second // spec 7.8

	bizMetaCharsMax     = 1024                // spec 4.8
	coinsMax            = 1 << 50             // of one change, and ever given to one user: beyond it is an overflow
	staleKeysMax        = 4                   // replaced session_keys that still answer 268490009; older ones 268490003
	goodsNameCharsMax   = 20                  // spec 4.11, the current edition; an older one had 1024
	goodsRemarkCharsMax = 1024                // spec 4.11
	goodsTaskDefault    = 5 * time.Second     // from start_upload_goods or start_publish_goods to its end
	publishDelayDefault = 10 * time.Minute    // spec 1.5: about ten minutes until a publication is in force
	billDelayDefault    = 10 * time.Second    // from the first download_bill, or start_download_order, to the file
	fileLife            = 30 * time.Minute    // spec 4.9
	fileMemory          = 24 * time.Hour      // how long a dead URL still answers 403 rather than 404
	exportSpanMax       = 31 * 24 * time.Hour // spec 4.15: begin_ds and end_ds are at most 31 days apart
	iosSettleAfter      = 45 * 24 * time.Hour // spec 5.5: from the end of the month
	dayMax              = 99991231            // begin_ds and end_ds are YYYYMMDD
	clearsPerMonth      = 10                  // WeChat docs: clear_quota

	fieldDepthMax = 8 // nesting of events that people send themselves

	runPoll       = 100 * time.Millisecond // real time between two looks of Run at the clock
	runConcurrent = 8                      // pushes that Run keeps under way at once
	deliverMax    = 100_000                // pushes of one DeliverDue; more is a receiver that feeds itself

	listMax       = 100 // GET /sim/orders
	idCounterMax  = 1e6 // low digits of ids count draws, so that ids of one second differ
	coinFenUnset  = 10  // price of one coin when Config.CoinFen is 0: ten coins a yuan
	platformShare = 1   // percent taken as platform_fee_fen
	appleShare    = 12  // percent of an Apple payment
	originalIDDef = "gh_0123456789ab"
	officialFrom  = "oOfficialOpenId" // FromUserName of xpay events: never the payer, spec 7.1
)

// Limits of withdrawals, advert funds, complaints and subscriptions.
const (
	oneDay       = 24 * time.Hour
	weekDays     = 7
	countMax     = 1 << 30 // pages, offsets and sizes of lists have no published limit; this one prevents overflow
	textCharsMax = 1024    // spec 4.13 for request_id; other texts have no published limit

	withdrawDelayDefault = 3 * time.Second      // from create_withdraw_order to its end
	feeReturnWindow      = 180 * 24 * time.Hour // spec 4.8: a later refund does not bring the service fee back
	settleAfterWeek      = 7 * 24 * time.Hour   // spec 5.5: subscriptions of a week
	settleAfterLonger    = 31 * 24 * time.Hour  // spec 5.5: of a month, a quarter, a year
	fundsDelay           = 3 * time.Second      // a transfer of advert money, and the making of a fund's file

	responseCharsMax   = 200              // of response_content, as in WeChat Pay's own complaint API
	responseImagesMax  = 4                // of response_images, likewise
	pictureBytesMax    = 1 << 20          // spec 4.14
	uploadBodyBytesMax = 2 << 20          // a picture in base64 and what is around it
	cosLife            = 30 * time.Minute // spec 4.14

	chargeDelayDefault  = 3 * time.Second    // from submit_subscribe_pay_order to its result
	chargeFromMinute    = 7*60 + 10          // spec 4.17: 07:10 in China
	chargeToMinute      = 21*60 + 50         // 21:50, excluded
	deductFenMin        = 100                // spec 4.17: the business rules have 1 yuan, one table has 1 fen
	deductFenMax        = 500_000            // spec 1.5: subscription goods cost at most 5000 yuan
	noticeDays          = 2                  // a charge comes two days after its pre-notice
	noticeEarly         = 3 * 24 * time.Hour // a pre-notice comes this long before the period's end at the earliest
	cycleDays           = 8                  // an unpaid charge blocks the next pre-notice until T+8 is over
	retryDays           = 6                  // a charge may be tried on days t to t+6
	retryGap            = time.Hour          // between two tries
	firstChargeLimit    = 12 * time.Hour     // after the signing, without pre-notice
	appleAttachCharsMax = 200                // spec 2.4

	merchantCode    = "1111636273" // of the secondary merchant (二级商户)
	merchantNick    = "demo"
	merchantCompany = "demo company"
	wxpayImages     = "https://api.mch.weixin.qq.com/v3/merchant-service/images/"
)

// chinaSeconds is the offset of WeChat's day and of the dates inside its numbers.
const chinaSeconds = 8 * 3600
