package order

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Fen is 1/100 yuan.
type Fen = xpay.Fen

// Order is one purchase of one product. It changes only through Apply.
type Order struct {
	ID          string      `json:"id"`
	AppID       string      `json:"appId"`
	Env         xpay.Env    `json:"env"` // frozen here, used in every later call, never taken from the phone
	OpenID      string      `json:"openId"`
	Fingerprint string      `json:"fingerprint"` // of the request that created it
	ProductID   string      `json:"productId"`
	Consumable  bool        `json:"consumable,omitempty"`
	Price       Fen         `json:"price"` // of one piece, frozen from the catalogue
	Quantity    int         `json:"quantity"`
	Amount      Fen         `json:"amount"`           // Price * Quantity
	Attach      string      `json:"attach,omitempty"` // the phone's; stays with us
	Target      string      `json:"target,omitempty"` // somebody must accept the delivery, and who it was then; "" means the order itself
	State       State       `json:"state"`
	CreatedAt   time.Time   `json:"createdAt"`
	ExpiresAt   time.Time   `json:"expiresAt"`
	PaidAt      time.Time   `json:"paidAt,omitzero"`
	DeliveredAt time.Time   `json:"deliveredAt,omitzero"`
	ClosedAt    time.Time   `json:"closedAt,omitzero"`
	ConsumedAt  time.Time   `json:"consumedAt,omitzero"`
	ConsumedBy  string      `json:"consumedBy,omitempty"` // the Idempotency-Key of the call that consumed it
	Attempts    []Attempt   `json:"attempts"`
	Refunds     []Refund    `json:"refunds,omitempty"`
	Attention   []Attention `json:"attention,omitempty"` // what only a person can settle
	History     []Entry     `json:"history"`
	Outbox      []Outgoing  `json:"outbox,omitempty"` // events for Target, in the order they must be sent
	Lease       Lease       `json:"lease,omitzero"`
	RetryAt     time.Time   `json:"retryAt,omitzero"` // no call to WeChat before this: the last one was not answered
	Tries       int         `json:"tries,omitempty"`  // calls in a row that were not answered
}

// Attempt is one number that was handed out to the phone for this order.
type Attempt struct {
	N          int       `json:"n"`
	SignedAt   time.Time `json:"signedAt"` // last time the number was handed out
	Signings   int       `json:"signings"`
	SigHead    string    `json:"sigHead,omitempty"`   // how the paySig of the last hand-out begins: tells which AppKey the phone was refused for
	LookedAt   time.Time `json:"lookedAt,omitzero"`   // last definite answer of WeChat about it
	Seen       Seen      `json:"seen,omitempty"`      // what that answer was
	HintAt     time.Time `json:"hintAt,omitzero"`     // somebody says that there is news; cleared by the next look
	UsedHints  int       `json:"usedHints,omitempty"` // the phone was told "number used" although WeChat knows none
	PushedAt   time.Time `json:"pushedAt,omitzero"`   // first push about a payment of it, believed or not
	Doubts     int       `json:"doubts,omitempty"`    // hints about another payment of a number that is paid
	ToldAt     time.Time `json:"toldAt,omitzero"`     // WeChat knows that it is delivered
	Tells      int       `json:"tells,omitempty"`     // notify_provide_goods calls without that effect
	TellAt     time.Time `json:"tellAt,omitzero"`     // when to tell WeChat (again)
	Payments   []Payment `json:"payments,omitempty"`
	LeftFee    *Fen      `json:"leftFee,omitempty"` // refundable rest at WeChat, last seen with no refund of ours in flight
	LeftSeenAt time.Time `json:"leftSeenAt,omitzero"`
	DropAt     time.Time `json:"dropAt,omitzero"`     // since when less is left than we can explain, by the same amount
	DropLooks  int       `json:"dropLooks,omitempty"` // looks of dropLadder that have shown it, the first one included
	DropTold   Fen       `json:"dropTold,omitempty"`  // of what only left_fee shows: what the target was told
	BackMax    Fen       `json:"backMax,omitempty"`   // the most that ever was refunded of it as far as we saw: what is counted already
}

// Seen is WeChat's word about a number that is not paid.
type Seen string

const (
	SeenNothing Seen = ""       // never looked
	SeenAbsent  Seen = "absent" // WeChat does not know the number (yet)
	SeenOpen    Seen = "open"   // the number is used at WeChat and not paid: status 0 or 1
	SeenDead    Seen = "dead"   // WeChat closed it: status 6
	SeenPaid    Seen = "paid"
)

// Channel is how a payment was made.
type Channel string

const (
	ChannelUnknown Channel = ""
	ChannelWeChat  Channel = "wechat"
	ChannelApple   Channel = "apple" // cannot be refunded by us
)

// Payment is money that arrived for an attempt. Its identity is TransactionID, else WxOrderID, else the attempt.
type Payment struct {
	TransactionID  string    `json:"transactionId,omitempty"`
	WxOrderID      string    `json:"wxOrderId,omitempty"`
	ChannelOrderID string    `json:"channelOrderId,omitempty"` // 商户单号, what the user sees
	Channel        Channel   `json:"channel,omitempty"`
	Fee            Fen       `json:"fee"` // paid_fee where a query told it
	At             time.Time `json:"at"`
	Source         Source    `json:"source"`
	Surplus        bool      `json:"surplus,omitempty"`  // the order was paid already
	Mismatch       string    `json:"mismatch,omitempty"` // why we do not believe it
	Accepted       bool      `json:"accepted,omitempty"` // a person accepted it all the same
}

// believed reports whether the payment pays for the order.
func (p Payment) believed() bool { return !p.Surplus && (p.Mismatch == "" || p.Accepted) }

// RefundState is how far one refund has come.
type RefundState string

const (
	RefundReserved RefundState = "reserved" // intent stored, nothing read or sent yet, unless a restore forgot it
	RefundReady    RefundState = "ready"    // every parameter stored: it may have been sent, look before sending
	RefundRunning  RefundState = "running"  // WeChat accepted it
	RefundDone     RefundState = "done"     // the user has the money
	RefundFailed   RefundState = "failed"   // WeChat refused it for good; nothing moved
)

// Refund is one refund of one attempt, ours or somebody else's (console, complaint, Apple).
type Refund struct {
	ID         string            `json:"id"` // the merchant's refund number; not ours when Foreign
	WxRefundID string            `json:"wxRefundId,omitempty"`
	Attempt    int               `json:"attempt"`
	State      RefundState       `json:"state"`
	Foreign    bool              `json:"foreign,omitempty"`
	Key        string            `json:"key,omitempty"`   // hash of the Idempotency-Key that asked for it
	Asked      Fen               `json:"asked,omitempty"` // what we asked for; Fee is what counts
	Fee        Fen               `json:"fee"`
	LeftFee    *Fen              `json:"leftFee,omitempty"` // read once before the first send of this version
	LeftOf     string            `json:"leftOf,omitempty"`  // of which payment: WeChat's order number
	Known      Fen               `json:"known,omitzero"`    // what was known to be back of the number when it was read
	Reason     xpay.RefundReason `json:"reason,omitempty"`
	From       xpay.RefundFrom   `json:"from,omitempty"`
	Note       string            `json:"note,omitempty"`    // sent as biz_meta
	Version    int               `json:"version,omitempty"` // of the intent; a new one only after a proven "no"
	Sends      int               `json:"sends,omitempty"`
	Unanswered bool              `json:"unanswered,omitempty"` // some send of it was not answered: it may have happened
	Refused    int               `json:"refused,omitempty"`    // WeChat's code for the last send
	AbsentAt   time.Time         `json:"absentAt,omitzero"`    // first look after the refusal that found nothing
	Proven     bool              `json:"proven,omitempty"`     // the "no" is proven: left_fee may be read again
	Failure    string            `json:"failure,omitempty"`
	Looks      int               `json:"looks,omitempty"`
	NextAt     time.Time         `json:"nextAt,omitzero"`
	AskedAt    time.Time         `json:"askedAt"`
	DoneAt     time.Time         `json:"doneAt,omitzero"`
}

// inFlight reports whether the refund is ours, not over, and may be known to WeChat.
func (r Refund) inFlight() bool {
	return !r.Foreign && (r.State == RefundReady || r.State == RefundRunning)
}

// open reports whether the refund is ours and not over: its fee is reserved.
func (r Refund) open() bool { return !r.Foreign && (r.State == RefundReserved || r.inFlight()) }

// Attention is a question that only a person can answer. It is listed under /merchant/held.
type Attention struct {
	Code    string    `json:"code"`
	Reason  string    `json:"reason"`
	Attempt int       `json:"attempt,omitempty"`
	At      time.Time `json:"at"`
}

// Entry is one line of the order's history. State changes and money facts stay for ever; what repeats raises a
// counter.
type Entry struct {
	At      time.Time `json:"at"`
	Event   Event     `json:"event"`
	From    State     `json:"from,omitempty"`
	To      State     `json:"to,omitempty"`
	Source  Source    `json:"source"`
	Attempt int       `json:"attempt,omitempty"`
	Fee     Fen       `json:"fee,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Repeats int       `json:"repeats,omitempty"`
	LastAt  time.Time `json:"lastAt,omitzero"`
}

// Outgoing is an event for the delivery target. They are numbered from 1 and sent one after the other.
type Outgoing struct {
	Seq    int       `json:"seq"`
	Key    string    `json:"key,omitempty"` // of type and number: the same event has it again in an order that was lost; "" in old ones
	Type   string    `json:"type"`          // order.paid, order.refunded
	Fee    Fen       `json:"fee,omitempty"`
	At     time.Time `json:"at"`
	SentAt time.Time `json:"sentAt,omitzero"`
	// AskedAt is when a person was asked because the target does not accept it: once.
	AskedAt time.Time `json:"askedAt,omitzero"`
	RetryAt time.Time `json:"retryAt,omitzero"` // no try before this: the target did not accept it
	Tries   int       `json:"tries,omitempty"`  // that the target did not accept
}

// ID names the event: it is the same for every try, also from an order that was lost and adopted.
func (e Outgoing) ID(orderID string) string {
	return orderID + "." + cmp.Or(e.Key, strconv.Itoa(e.Seq))
}

// Lease is the licence to call out for this order until a time. Token tells its holder from a later one.
type Lease struct {
	Until time.Time `json:"until,omitzero"`
	Token int64     `json:"token,omitempty"`
}

// Attempt returns attempt n, or nil.
func (o *Order) Attempt(n int) *Attempt {
	if n < 1 || n > len(o.Attempts) {
		return nil
	}
	return &o.Attempts[n-1]
}

// lastAttempt is the number that was handed out last; every order has one.
func (o *Order) lastAttempt() *Attempt { return &o.Attempts[len(o.Attempts)-1] }

// refund returns the refund with this number, or nil.
func (o *Order) refund(id string) *Refund {
	for i := range o.Refunds {
		if o.Refunds[i].ID == id {
			return &o.Refunds[i]
		}
	}
	return nil
}

// MainPayment is the payment that pays for the order, and its attempt; nil while there is none.
func (o *Order) MainPayment() (*Attempt, *Payment) {
	for i := range o.Attempts {
		a := &o.Attempts[i]
		for j := range a.Payments {
			if a.Payments[j].believed() {
				return a, &a.Payments[j]
			}
		}
	}
	return nil, nil
}

// Owned reports whether the user has what was bought: delivered and not fully refunded.
func (o *Order) Owned() bool { return o.State == Delivered && !o.takenBack() }

// Unpaid reports whether, as far as we know, nobody has paid.
func (o *Order) Unpaid() bool { return o.State == Created || o.State == Closed }

// clone copies everything that Apply may change.
func (o Order) clone() Order {
	o.Attempts = slices.Clone(o.Attempts)
	for i := range o.Attempts {
		o.Attempts[i].Payments = slices.Clone(o.Attempts[i].Payments)
	}
	o.Refunds = slices.Clone(o.Refunds)
	o.Attention = slices.Clone(o.Attention)
	o.History = slices.Clone(o.History)
	o.Outbox = slices.Clone(o.Outbox)
	return o
}
