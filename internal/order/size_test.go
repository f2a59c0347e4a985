package order

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// TestTheLargestOrder fills every list of an order to its limit with the longest texts that can get in.
func TestTheLargestOrder(t *testing.T) {
	t.Parallel()
	o := fresh(withAttempts(AttemptsMax), func(o *Order) {
		o.Target = "https://shop.example/" + strings.Repeat("t", 100)
		o.OpenID, o.ProductID, o.Attach = strings.Repeat("o", 64), strings.Repeat("p", 64), strings.Repeat("\"", AttachBytesMax)
		o.Fingerprint = strings.Repeat("f", 32)
	})
	number := func(kind string, n int) string { return fmt.Sprintf("%s%0*d", kind, 32-len(kind), n) }
	now := testStart
	do := func(f Fact) Outcome {
		var out Outcome
		if f.Refund != nil {
			f.Refund.OpenID = o.OpenID
		}
		now = now.Add(61*time.Second + 123*time.Millisecond)
		o, out = Apply(o, at(now.Sub(testStart), f))
		return out
	}
	for i := range paymentsMax {
		n := 1 + i%AttemptsMax
		do(shown(n, number("T", i), number("W", i), testPrice, func(m *Money) { m.ChannelOrderID = number("C", i) }))
		do(delivering())
		do(sent(1))
	}
	refunds := 0
	for i := range 2 * RefundsMax {
		n := 1 + i%AttemptsMax
		f := asked("r"+number("a", i)[6:], n, 1)
		f.Intent.Note, f.Intent.Reason, f.Intent.From = strings.Repeat("\"", ReasonBytesMax), "5", "1"
		if do(f).Event != EventReserved {
			break
		}
		refunds++
		id := f.Intent.ID
		for _, f := range []Fact{
			leftRead(id, testPrice), news(StepUnanswered, id), refused(id, 268490016), news(StepAbsent, id), news(StepAbsent, id),
			leftRead(id, testPrice), news(StepLater, id), news(StepSent, id), news(StepRunning, id), wentBack(n, id, number("V", i), 1),
		} {
			f.Attempt = n
			do(f)
			do(sent(i + 2))
		}
	}
	for i := range 2 * RefundsMax {
		do(wentBack(1+i%AttemptsMax, number("MP", i), number("X", i), 1))
	}
	for i := range 400 {
		n := 1 + i%AttemptsMax
		do(news(StepDone, number("MP", 0), func(r *RefundNews) { r.Fee = fen(Fen(1000 + i)) }))
		do(Fact{Kind: FactKind(fmt.Sprintf("kind %d", i)), Attempt: n})
		do(plainly(pushed(n, number("Y", i))))
		do(unpaid(n, SeenOpen))
		do(Fact{Kind: FactUntold, Source: SourceQuery, Attempt: n})
	}
	doc, err := encode(o, store.Doc{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes: %d payments, %d refunds (%d ours), %d lines of history, %d events, %d questions", len(doc.Body), o.payments(), len(o.Refunds), refunds, len(o.History), len(o.Outbox), len(o.Attention))
	if o.payments() != paymentsMax || refunds == 0 {
		t.Errorf("the order is not full: %d payments, %d refunds", o.payments(), refunds)
	}
}
