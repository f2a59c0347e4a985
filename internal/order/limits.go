package order

import "time"

// codeLeftFee is WeChat's code for a left_fee that is not the real one (spec 6.1).
const codeLeftFee = 268490016

// Every limit of the core, with its reason.
const (
	AttemptsMax       = 9   // one digit in the number; nobody cancels more often in good faith
	SigningsMax       = 60  // payments handed out for one order, each after queries to WeChat; nobody needs as many in good faith
	OpenOrdersMax     = 20  // unpaid orders one user may have
	CreatesPerMinute  = 10  // orders one user may create in a minute
	recentOrders      = 50  // newest orders of a user that the two limits above look at
	AttachBytesMax    = 200 // spec 2.2: no limit is published for the call, its sister allows 200
	KeyCharsMin       = 8   // Idempotency-Key
	KeyCharsMax       = 64
	ReasonBytesMax    = 300 // a refund's note; WeChat takes 1024 characters of biz_meta
	paymentsMax       = 12  // payments kept in one order; more become evidence and an alarm
	RefundsMax        = 12  // refunds of ours, and as many of others, kept in one order: for the 32 KiB it may have
	doubtsBefore      = 3   // hints that no query bears out before a person is asked
	dropEventsMax     = 12  // events of an order before a refund without a number adds none: for the 32 KiB, too
	attentionMax      = 16  // different open questions kept in one order
	historyMax        = 96  // entries; state changes and money facts stay far below it
	BodyBytesMax      = 32 << 10
	logTextBytesMax   = 200 // of a number or a reason in a line of the log
	numberBytesMax    = 64  // WeChat's numbers in a fact; real ones have up to 32 characters
	sigHeadChars      = 8   // of a paySig kept with the order: 32 bits tell two AppKeys apart
	conflictsMax      = 16  // lost compare-and-swaps before we give up and let the caller retry
	stepsMax          = 8   // outside calls one Advance makes before it leaves the rest to the next
	refundSendsBefore = 10  // sends of one intent before a person is asked to look
	tellsBefore       = 8   // notify_provide_goods calls without effect before a person is asked
	evidenceBytesMax  = 8 << 10
	piecesMax         = 12  // different pushes kept of one kind about one number: parts that went back of a lost order, forgeries in plain mode
	payersMax         = 4   // whom forged pushes in plain mode may name before a person sorts them out: each takes a query or more
	heldPagesMax      = 20  // parts of the list of what waits for a person that one search reads
	paidHoursMax      = 48  // hours that one part of the list of paid orders looks at
	operatorBytesMax  = 128 // of the name of whoever adopts an order or dismisses evidence
)

const (
	OpenFor          = 24 * time.Hour       // from created to expiresAt
	lease            = 30 * time.Second     // longer than a step takes: two or three calls of at most 5 s, or a delivery of 10 s, and their writes
	lookTimeout      = 2 * time.Second      // a phone waits for this query
	recheckTimeout   = 6 * time.Second      // an operator waits for these queries, and a Lambda has 10 s
	PaidWindowMax    = 31 * 24 * time.Hour  // that one list of paid orders spans
	repairAfter      = 3 * time.Second      // a poll looks at WeChat again when the last look is older
	provideAfterPush = time.Minute          // a push was seen: let its repeat take our answer first
	refundWindow     = 365 * 24 * time.Hour // spec 4.8
	refundAbsentGap  = time.Minute          // between the two absences that allow a new intent version
	undeliveredAfter = 6 * time.Hour        // a person is asked: a night's outage heals itself, and WeChat still repeats its push for 12 h
	refundAlarmAfter = 24 * time.Hour       // a refund that is still open after this needs a person
	evidenceFor      = 90 * 24 * time.Hour  // raw bodies are kept this long
	pushOverdue      = time.Minute          // after the payment: WeChat pushes within seconds
	setAsideFor      = time.Hour            // a document that cannot be read
	backoffMin       = 5 * time.Second      // after the first unanswered call
	backoffMax       = 10 * time.Minute     // and at most
)

// ladder is when an attempt that was handed out is looked at, counted from its last signing.
var ladder = [...]time.Duration{
	time.Minute, 3 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
}

// dropLadder is when a payment of which more went back than we can explain is looked at again, counted from the first look
// that showed it.
var dropLadder = [...]time.Duration{30 * time.Minute, 6*time.Hour + 30*time.Minute, 54*time.Hour + 30*time.Minute}

// refundLadder is the wait before the next look at a running refund, by the number of looks so far; the last
// one repeats.
var refundLadder = [...]time.Duration{
	5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 3 * time.Minute, 10 * time.Minute,
	30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour,
}
