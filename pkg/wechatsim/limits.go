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

	bizMetaCharsMax = 1024 // spec 4.8
	fieldDepthMax   = 8    // nesting of events that people send themselves

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

// chinaSeconds is the offset of WeChat's day and of the dates inside its numbers.
const chinaSeconds = 8 * 3600
