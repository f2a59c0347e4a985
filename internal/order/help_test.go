package order

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// The order of these tests: one piece for 100 fen, in the sandbox. Its id is known to nobody else.
const (
	testID    = "7p3iymnhnu63cjxre3rykwovsm"
	testUser  = "oUser-1"
	testPrice = Fen(100)
)

var testStart = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// fresh is an order as Create stores it.
func fresh(changes ...func(*Order)) Order {
	o := Order{
		ID: testID, AppID: "wx0123456789abcdef", Env: xpay.Sandbox, OpenID: testUser, Fingerprint: "f",
		ProductID: "gem", Consumable: true, Price: testPrice, Quantity: 1, Amount: testPrice, State: Created,
		CreatedAt: testStart, ExpiresAt: testStart.Add(24 * time.Hour),
		Attempts: []Attempt{{N: 1, SignedAt: testStart, Signings: 1}},
		History:  []Entry{{At: testStart, Event: EventSigned, To: Created, Source: SourceService, Attempt: 1}},
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

// withTarget gives the order somebody who must accept its delivery.
func withTarget(o *Order) { o.Target = "shop" }

// of3 makes it an order of three pieces: ActualPrice may then be one piece or the total.
func of3(o *Order) { o.Quantity, o.Amount = 3, 3*testPrice }

// withAttempts hands out more numbers.
func withAttempts(n int) func(*Order) {
	return func(o *Order) {
		for len(o.Attempts) < n {
			o.Attempts = append(o.Attempts, Attempt{N: len(o.Attempts) + 1, SignedAt: testStart, Signings: 1})
		}
	}
}

func fen(n Fen) *Fen { return &n }

// pushed is a push in secure mode about a payment of one piece.
func pushed(attempt int, transaction string, changes ...func(*Money)) Fact {
	m := Money{OpenID: testUser, Env: new(xpay.Sandbox), ProductID: "gem", Quantity: 1, Actual: fen(testPrice), TransactionID: transaction}
	for _, change := range changes {
		change(&m)
	}
	return Fact{Kind: FactMoney, Source: SourcePush, Attempt: attempt, Money: &m}
}

// plainly makes a push one whose body nothing signs.
func plainly(f Fact) Fact {
	f.Source = SourcePlain
	return f
}

// queried is query_order's answer about a paid number.
func shown(attempt int, transaction, wxOrder string, left Fen, changes ...func(*Money)) Fact {
	m := Money{
		Env: new(xpay.Sandbox), OrderFee: fen(testPrice), PaidFee: fen(testPrice), LeftFee: fen(left), Tag: "v1." + testID,
		TransactionID: transaction, WxOrderID: wxOrder, Channel: ChannelWeChat,
	}
	for _, change := range changes {
		change(&m)
	}
	return Fact{Kind: FactMoney, Source: SourceQuery, Attempt: attempt, Money: &m}
}

// unpaid is query_order's answer about a number that is not paid.
func unpaid(attempt int, seen Seen) Fact {
	return Fact{Kind: FactUnpaid, Source: SourceQuery, Attempt: attempt, Seen: seen}
}

func signed(attempt int) Fact { return Fact{Kind: FactSigned, Source: SourceService, Attempt: attempt} }
func accepted() Fact          { return Fact{Kind: FactAccepted, Source: SourceOperator} }
func delivering() Fact        { return Fact{Kind: FactDelivering, Source: SourceService} }
func sent(seq int) Fact       { return Fact{Kind: FactSent, Source: SourceTarget, Seq: seq} }

func unsent(seq int) Fact { return Fact{Kind: FactUnsent, Source: SourceTarget, Seq: seq} }

// asked is the intent to refund.
func asked(id string, attempt int, fee Fen) Fact {
	return Fact{Kind: FactRefundAsked, Source: SourceOperator, Attempt: attempt, Intent: &Refund{ID: id, Attempt: attempt, Asked: fee, Fee: fee}}
}

// news is what a query says about a refund.
func news(step RefundStep, id string, changes ...func(*RefundNews)) Fact {
	n := RefundNews{Step: step, ID: id}
	for _, change := range changes {
		change(&n)
	}
	return Fact{Kind: FactRefund, Source: SourceQuery, Attempt: 1, Refund: &n}
}

func leftRead(id string, left Fen) Fact {
	return news(StepLeftRead, id, func(n *RefundNews) { n.Left = fen(left) })
}

// refused is WeChat's "no" to a send.
func refused(id string, code int) Fact {
	return news(StepRefused, id, func(n *RefundNews) { n.Code = code })
}

// wentBack is a refund push in secure mode.
func wentBack(attempt int, id, wx string, fee Fen) Fact {
	f := news(StepDone, id, func(n *RefundNews) { n.WxRefundID, n.OpenID, n.Fee = wx, testUser, fen(fee) })
	f.Source, f.Attempt = SourcePush, attempt
	return f
}

// at sets when a fact is learned.
func at(after time.Duration, f Fact) Fact {
	f.At = testStart.Add(after)
	return f
}

// tell applies facts one after the other, a second apart where they have no time of their own.
func tell(o Order, facts ...Fact) (Order, Outcome) {
	var out Outcome
	now := testStart
	for _, f := range facts {
		if now = now.Add(time.Second); f.At.IsZero() {
			f.At = now
		}
		now = f.At
		o, out = Apply(o, f)
	}
	return o, out
}

// asJSON is an order as it is stored.
func asJSON(t testing.TB, o Order) string {
	t.Helper()
	doc, err := encode(o, store.Doc{})
	if err != nil {
		t.Fatal(err)
	}
	return string(doc.Body)
}

// codes lists the open questions.
func codes(questions []Attention) []string {
	var out []string
	for _, q := range questions {
		out = append(out, q.Code)
	}
	return out
}

func sameCodes(got []Attention, want []string) bool { return slices.Equal(codes(got), want) }

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
