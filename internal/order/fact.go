package order

import (
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Source is who told a fact, and with it how far it is believed.
type Source string

const (
	SourceService  Source = "service"    // this backend: what it decided or did
	SourcePhone    Source = "phone"      // the mini-program: a hint, never a fact
	SourcePlain    Source = "push-plain" // a push whose body no signature covers: a hint
	SourcePush     Source = "push"       // a push in secure mode
	SourceQuery    Source = "query"      // query_order, asked with the order's own openid and env
	SourceOperator Source = "operator"   // the merchant's staff or backend
	SourceTarget   Source = "target"     // the delivery target
)

// Fact is something that a source told us about one order. Exactly one of the pointers, or none, goes with a kind.
type Fact struct {
	Kind    FactKind
	Source  Source
	At      time.Time // when we learned it
	Attempt int       // which number it speaks of; 0 where it speaks of the order

	Money  *Money      // FactMoney
	Seen   Seen        // FactUnpaid
	Refund *RefundNews // FactRefund
	Intent *Refund     // FactRefundAsked
	Code   int         // FactReported: the phone's errCode
	Key    string      // FactConsumed
	Head   string      // FactSigned: how the paySig begins
	Seq    int         // FactSent, FactUnsent: the event's number
	Reason string      // FactWithdrawn, FactUnsent; of an operator: by whom

	PushedAt time.Time // FactAdopted: when the push came
}

// FactKind says what a fact speaks of.
type FactKind string

const (
	FactSigned      FactKind = "signed"       // the attempt's number is handed out; Attempt may be one more than there are
	FactReported    FactKind = "reported"     // the phone reports a result code
	FactMoney       FactKind = "money"        // a payment
	FactUnpaid      FactKind = "unpaid"       // a query that shows no payment
	FactWithdrawn   FactKind = "withdrawn"    // the price is not the catalogue's any more
	FactAdopted     FactKind = "adopted"      // an operator takes in a kept push about a payment of the attempt
	FactAccepted    FactKind = "accepted"     // an operator accepts held money
	FactDelivering  FactKind = "delivering"   // we are about to tell the target
	FactSent        FactKind = "sent"         // the target accepted event Seq
	FactUnsent      FactKind = "unsent"       // the target did not accept event Seq; Reason: it cannot, now or later
	FactTold        FactKind = "told"         // notify_provide_goods was called, or our answer told WeChat
	FactUntold      FactKind = "untold"       // WeChat does not show it as delivered after notify_provide_goods
	FactRefundAsked FactKind = "refund-asked" // an operator asks for a refund
	FactRefund      FactKind = "refund"       // news of a refund
	FactConsumed    FactKind = "consumed"     // the user uses the consumable
)

// Money is what a source says about a payment. A field that the source does not carry is nil or empty and is no
// mismatch.
type Money struct {
	OpenID    string
	Env       *xpay.Env
	ProductID string
	Quantity  int
	Actual    *Fen   // push: ActualPrice, per piece or in total (spec 7.2 leaves it open)
	OrderFee  *Fen   // query: what was ordered
	PaidFee   *Fen   // query: what was paid
	LeftFee   *Fen   // query: refundable rest
	Tag       string // query: the attach that came back

	TransactionID  string
	WxOrderID      string
	ChannelOrderID string
	Channel        Channel
	PaidAt         time.Time
	Provided       bool // WeChat shows it as delivered
}

// RefundStep is what news of a refund says.
type RefundStep string

const (
	StepLeftRead   RefundStep = "left-read"  // left_fee was read before the first send
	StepSent       RefundStep = "sent"       // WeChat accepted the send
	StepUnanswered RefundStep = "unanswered" // a send got no answer
	StepLater      RefundStep = "later"      // WeChat said: later, with the same parameters
	StepRefused    RefundStep = "refused"    // WeChat said no, with Code
	StepAbsent     RefundStep = "absent"     // a query does not know the refund number
	StepRunning    RefundStep = "running"    // a query shows it running
	StepDone       RefundStep = "done"       // money is back
	StepFailed     RefundStep = "failed"     // it ended without moving money
	StepTooMuch    RefundStep = "too-much"   // left_fee is smaller than the refund: not sent
	StepApple      RefundStep = "apple"      // it was paid through Apple: not sent
	StepUnclear    RefundStep = "unclear"    // left_fee fell by as much as an unanswered send would take: not sent again
)

// RefundNews is what a source says about one refund.
type RefundNews struct {
	Step       RefundStep
	ID         string // merchant's number, ours or not
	WxRefundID string
	OpenID     string
	Fee        *Fen
	Left       *Fen   // StepLeftRead; SourceOperator: what WeChat showed when a person settled it
	LeftOf     string // beside Left: WeChat's number of the payment of which it is left
	Code       int    // StepRefused, StepFailed
	At         time.Time
}
