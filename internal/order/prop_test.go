package order

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// pick draws a number from 0 to n-1. The properties below see nothing else of chance, so that they can be driven by
// seeds here and by a shrinking library in prop_rapid_test.go.
type pick func(n int) int

func oneOf[T any](p pick, choices ...T) T { return choices[p(len(choices))] }

// property runs a property for many seeds. A failure names its seed; XPAY_SEED replays it alone.
func property(t *testing.T, seeds uint64, check func(t testing.TB, p pick)) {
	t.Helper()
	t.Parallel()
	if testing.Short() || RaceEnabled {
		seeds /= 10
	}
	from, to := uint64(1), seeds
	if s := os.Getenv("XPAY_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		from, to = seed, seed
	}
	for seed := from; seed <= to; seed++ {
		if !t.Run(fmt.Sprintf("XPAY_SEED=%d", seed), func(t *testing.T) { check(t, rand.New(rand.NewPCG(seed, 0)).IntN) }) {
			return
		}
	}
}

func TestManyFactsInAnyOrder(t *testing.T)      { property(t, 400, anyOrder) }
func TestPushAndQueryCommute(t *testing.T)      { property(t, 300, commute) }
func TestAnOrderStaysUnderItsSize(t *testing.T) { property(t, 10, staysSmall) }

// truth is a payment as WeChat knows it.
type truth struct {
	attempt int
	id      string
	fee     Fen
	wrong   bool // of the other env: not the order's
}

// model is what the sources told, kept in another way than the order keeps it.
type model struct {
	pool    []truth
	pieces  int
	told    map[string]Fen // of each payment that a believed source told: its fee
	asked   int            // refunds asked
	console int            // refunds of others so far
}

// facts draws the next fact.
func (m *model) fact(p pick, o Order, now time.Time) Fact {
	attempt := 1 + p(len(o.Attempts)+1) // one more than there are, sometimes
	f := Fact{Kind: FactUnpaid, Source: SourceQuery, Attempt: attempt, Seen: oneOf(p, SeenAbsent, SeenOpen, SeenDead)}
	switch p(16) {
	case 0, 1, 2, 3:
		f = m.push(oneOf(p, m.pool...))
	case 4, 5, 6:
		f = m.query(p, oneOf(p, m.pool...))
	case 7:
		f = plainly(m.push(oneOf(p, m.pool...)))
	case 8:
		f = signed(attempt)
	case 9:
		f = oneOf(p, accepted(), delivering(), Fact{Kind: FactWithdrawn, Source: SourceService}, Fact{Kind: FactConsumed, Source: SourcePhone, Key: "k"})
	case 10:
		f = oneOf(p, sent(1+p(3)), Fact{Kind: oneOf(p, FactTold, FactUntold), Source: SourceQuery, Attempt: attempt}, Fact{Kind: FactReported, Source: SourcePhone, Attempt: attempt, Code: -15002})
	case 11:
		m.asked++
		f = asked("r"+strconv.Itoa(1+p(m.asked)), attempt, 1+Fen(p(int(o.Amount))))
	case 12:
		f = m.foreignRefund(p, attempt)
	case 13, 14:
		f = m.ownRefund(p, o)
	}
	f.At = now
	return f
}

// push is the push about a payment; one about several pieces leaves open what was paid and is a hint.
func (m *model) push(t truth) Fact {
	return pushed(t.attempt, "T"+t.id, func(money *Money) {
		money.Quantity, money.Actual = m.pieces, fen(Fen(m.pieces)*testPrice)
		if t.wrong {
			money.Env = new(xpay.Production)
		}
	})
}

func (m *model) query(p pick, t truth) Fact {
	return shown(t.attempt, "T"+t.id, "W"+t.id, Fen(p(int(t.fee)+1)), total(Fen(m.pieces)*testPrice), paidFee(t.fee), func(money *Money) {
		money.Provided = p(2) == 0
		if t.wrong {
			money.Env = new(xpay.Production)
		}
	})
}

func (m *model) foreignRefund(p pick, attempt int) Fact {
	if m.console < 6 {
		m.console++
	}
	n := 1 + p(m.console)
	f := wentBack(attempt, "MP"+strconv.Itoa(n), "V"+strconv.Itoa(n), Fen(10*n))
	if p(4) == 0 {
		return plainly(f)
	}
	return f
}

func (m *model) ownRefund(p pick, o Order) Fact {
	if len(o.Refunds) == 0 {
		return news(StepAbsent, "r1")
	}
	r := oneOf(p, o.Refunds...)
	step := oneOf(p, StepLeftRead, StepSent, StepUnanswered, StepLater, StepRefused, StepAbsent, StepRunning, StepDone, StepFailed, StepTooMuch, StepUnclear)
	f := news(step, r.ID, func(n *RefundNews) {
		n.Left, n.Code = fen(r.Fee+Fen(p(100))), oneOf(p, 268490016, 268490013)
		if p(2) == 0 {
			n.Fee = fen(r.Fee)
		}
	})
	f.Attempt = r.Attempt
	return f
}

// learn keeps what a fact told, as design 3 says: an identity counts once, paid_fee outranks ActualPrice.
func (m *model) learn(before Order, f Fact) {
	if f.Kind != FactMoney || f.Source == SourcePlain || before.Attempt(f.Attempt) == nil {
		return
	}
	id := fmt.Sprintf("%d/%s", f.Attempt, f.Money.TransactionID)
	_, known := m.told[id]
	ambiguous := f.Source == SourcePush && m.pieces > 1
	switch {
	case f.Source == SourceQuery:
		m.told[id] = *f.Money.PaidFee
	case !known && ambiguous && *f.Money.Env == before.Env:
		// A second payment of a number of a paid order counts at once, at the first one's fee.
		if _, main := before.MainPayment(); main == nil {
			return
		}
		for _, first := range before.Attempts[f.Attempt-1].Payments {
			if first.Mismatch == "" {
				m.told[id] = first.Fee
				return
			}
		}
	case !known && (!ambiguous || *f.Money.Env != before.Env):
		m.told[id] = *f.Money.Actual
	}
}

// anyOrder: whatever is told in whatever order, the promises hold after each fact.
func anyOrder(t testing.TB, p pick) {
	m := &model{pieces: 1 + 2*p(2), told: map[string]Fen{}}
	o := fresh(withAttempts(1+p(3)), func(o *Order) {
		o.Quantity, o.Amount = m.pieces, Fen(m.pieces)*testPrice
		if p(2) == 0 {
			withTarget(o)
		}
	})
	for i := range 1 + p(5) {
		m.pool = append(m.pool, truth{attempt: 1 + p(3), id: strconv.Itoa(i), fee: o.Amount - Fen(p(2)*20), wrong: p(5) == 0})
	}
	now := testStart
	var story []string
	for range 10 + p(40) {
		now = now.Add(oneOf(p, time.Second, time.Minute, time.Hour, 26*time.Hour))
		f := m.fact(p, o, now)
		m.learn(o, f)
		next := applied(t, o, f)
		story = append(story, fmt.Sprintf("%s %s attempt %d %s -> %s", f.Kind, f.Source, f.Attempt, detail(t, f), next.State))
		if wrong := m.broken(t, o, next, f); wrong != "" {
			t.Fatalf("%s\nafter\n  %s", wrong, strings.Join(story, "\n  "))
		}
		o = next
	}
}

func detail(t testing.TB, f Fact) string {
	switch {
	case f.Money != nil:
		return mustJSON(t, f.Money)
	case f.Refund != nil:
		return mustJSON(t, f.Refund)
	case f.Intent != nil:
		return fmt.Sprintf("%s %d", f.Intent.ID, f.Intent.Fee)
	default:
		return string(f.Seen)
	}
}

// applied applies a fact, and checks that Apply is a function of its arguments and leaves them alone.
func applied(t testing.TB, o Order, f Fact) Order {
	t.Helper()
	before, fact := asJSON(t, o), fmt.Sprintf("%+v %s", f, detail(t, f))
	next, out := Apply(o, f)
	again, out2 := Apply(o, f)
	if asJSON(t, o) != before || fmt.Sprintf("%+v %s", f, detail(t, f)) != fact {
		t.Fatalf("Apply changed what it was given: %s", fact)
	}
	if asJSON(t, again) != asJSON(t, next) || !reflect.DeepEqual(out, out2) {
		t.Fatalf("Apply gave two results for %s", fact)
	}
	if out.From != o.State || out.To != next.State {
		t.Fatalf("the outcome says %s to %s, the order went %s to %s", out.From, out.To, o.State, next.State)
	}
	return next
}

// broken says which promise an order breaks; "" when none.
func (m *model) broken(t testing.TB, before, o Order, f Fact) string {
	sum, l := Fen(0), o.Ledger()
	for _, fee := range m.told {
		sum += fee
	}
	if got := l.Paid + l.Surplus + l.Held; got != sum && len(m.told) <= paymentsMax {
		return fmt.Sprintf("the ledger has %d fen, %d were told: %+v", got, sum, m.told)
	}
	return cmp.Or(movedByTable(before, o), neverUndone(before, o), refundsFit(before, o), due(o), again(t, o, f), small(t, o))
}

// movedByTable: every step that the history shows is one of the table, and they join.
func movedByTable(before, o Order) string {
	state := before.State
	for _, e := range o.History[len(before.History):] {
		if e.To == "" {
			continue
		}
		if to, ok := Next(e.From, e.Event); !ok || to != e.To || e.From != state {
			return fmt.Sprintf("%s took the order from %s to %s, it was %s", e.Event, e.From, e.To, state)
		}
		state = e.To
	}
	if state != o.State {
		return fmt.Sprintf("the history ends at %s, the order is %s", state, o.State)
	}
	return ""
}

func neverUndone(before, o Order) string {
	_, main := o.MainPayment()
	switch {
	case before.State == Delivered && o.State != Delivered:
		return "a delivery was taken back"
	case !before.ConsumedAt.IsZero() && !o.ConsumedAt.Equal(before.ConsumedAt):
		return "it was used twice"
	case main == nil && (o.State == Paid || o.State == Delivering || o.State == Delivered):
		return "nobody paid for it"
	case o.State == Held && len(o.Attention) == 0:
		return "it is held and listed nowhere"
	case before.State != Delivered && before.State != Delivering && o.State == Delivered && o.promisedBack():
		return "it was delivered although the money goes back"
	}
	return ""
}

// refundsFit: an intent is stored only within what is left, and what went back beyond what came calls a person.
func refundsFit(before, o Order) string {
	own := map[int]Fen{}
	for _, r := range o.Refunds {
		if !r.Foreign && r.State != RefundFailed {
			own[r.Attempt] += r.Fee
		}
	}
	if n := len(o.Refunds); n > len(before.Refunds) && !o.Refunds[n-1].Foreign {
		if a := o.Attempt(o.Refunds[n-1].Attempt); own[a.N] > a.paid() {
			return fmt.Sprintf("%d fen are asked back of attempt %d, %d were paid", own[a.N], a.N, a.paid())
		}
	}
	flying := map[int]int{}
	for _, r := range o.Refunds {
		if r.open() {
			flying[r.Attempt]++
		}
		if flying[r.Attempt] > 1 {
			return fmt.Sprintf("two refunds of attempt %d are open", r.Attempt)
		}
	}
	for i := range o.Attempts {
		a := &o.Attempts[i]
		was := before.Attempt(a.N)
		over := len(a.Payments) > 0 && o.refundedByNumber(a.N) > a.paid()
		if over && was != nil && before.refundedByNumber(a.N) < o.refundedByNumber(a.N) && !slices.Contains(codes(o.Attention), AttentionImpossible) {
			return fmt.Sprintf("%d fen went back of attempt %d, %d were paid, and nobody is called", o.refundedByNumber(a.N), a.N, a.paid())
		}
	}
	return ""
}

func due(o Order) string {
	if len(o.agenda()) > 0 && o.DueAt().IsZero() {
		return fmt.Sprintf("it has %v to do and is never due", o.agenda())
	}
	if o.State == Paid && o.Target != "" && !o.promisedBack() && o.deliverAt().IsZero() {
		return "it is paid and nobody will deliver it"
	}
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.open() && r.task(i).at.IsZero() {
			return "an open refund is never looked at"
		}
	}
	return ""
}

// again: the same fact a second time changes neither money nor state, and calls nobody.
func again(t testing.TB, o Order, f Fact) string {
	next := applied(t, o, f)
	_, out := Apply(o, f)
	switch {
	case next.State != o.State:
		return fmt.Sprintf("told again it goes from %s to %s", o.State, next.State)
	case next.Ledger() != o.Ledger():
		return fmt.Sprintf("told again the ledger goes from %+v to %+v", o.Ledger(), next.Ledger())
	case len(out.Alarms) > 0 && f.Kind != FactUntold && f.Kind != FactRefund && f.Kind != FactMoney:
		return fmt.Sprintf("told again it calls a person: %v", out.Alarms)
	}
	return ""
}

func small(t testing.TB, o Order) string {
	if n := len(asJSON(t, o)); n >= BodyBytesMax {
		return fmt.Sprintf("it takes %d bytes", n)
	}
	return ""
}

// commute: a push and a query about one payment give the same money and the same state in both orders. (Not when the
// query shows that all of it went back: then the push alone delivers, which the query first would have prevented.)
func commute(t testing.TB, p pick) {
	m := &model{pieces: 1 + 2*p(2), told: map[string]Fen{}}
	o := fresh(withAttempts(3), func(o *Order) {
		o.Quantity, o.Amount = m.pieces, Fen(m.pieces)*testPrice
		if p(2) == 0 {
			withTarget(o)
		}
	})
	for i := range 3 {
		m.pool = append(m.pool, truth{attempt: 1 + p(3), id: strconv.Itoa(i), fee: o.Amount - Fen(p(2)*20), wrong: p(5) == 0})
	}
	now := testStart
	for range p(12) {
		now = now.Add(time.Minute)
		o, _ = Apply(o, m.fact(p, o, now))
	}
	it := oneOf(p, m.pool...)
	push, query := at(400*time.Hour, m.push(it)), at(400*time.Hour, m.query(p, it))
	query.Money.LeftFee = query.Money.PaidFee
	one, two := applied(t, applied(t, o, push), query), applied(t, applied(t, o, query), push)
	if one.State != two.State || one.Ledger() != two.Ledger() {
		t.Fatalf("push first: %s %+v\nquery first: %s %+v\nof %s", one.State, one.Ledger(), two.State, two.Ledger(), asJSON(t, o))
	}
}

// staysSmall: everything that strangers and merchants may write, at its longest, and as often as they like.
func staysSmall(t testing.TB, p pick) {
	long := func(n int) string { return strings.Repeat(oneOf(p, "\"", "<", "\u2028", "钱", "x"), n)[:n] }
	o := fresh(func(o *Order) {
		withTarget(o)
		o.Target = "https://shop.example/" + strings.Repeat("t", 200)
		o.OpenID, o.ProductID, o.Attach = strings.Repeat("o", 128), strings.Repeat("p", 64), long(AttachBytesMax)
		o.Fingerprint, o.ConsumedBy = strings.Repeat("f", 32), strings.Repeat("k", KeyCharsMax)
	})
	now := testStart
	id := func(kind string, n int) string { return fmt.Sprintf("%s%0*d", kind, 63, n) }
	for i := range 600 {
		now = now.Add(time.Duration(1+p(90)) * time.Minute)
		n := 1 + p(len(o.Attempts))
		money := func(m *Money) {
			m.OpenID, m.ProductID, m.WxOrderID, m.ChannelOrderID = o.OpenID, o.ProductID, id("W", i), id("C", i)
			if p(3) == 0 {
				m.OpenID = "oSomebody" + strconv.Itoa(i)
			}
			if p(3) == 0 {
				m.Quantity = i
			}
		}
		var f Fact
		switch p(9) {
		case 0:
			f = signed(len(o.Attempts) + 1)
		case 1, 2:
			f = pushed(n, id("T", i), money)
		case 3:
			f = wentBack(n, id("MP", i), id("V", i), 1+Fen(p(5)))
			f.Refund.OpenID = o.OpenID
		case 4:
			f = asked("r"+strings.Repeat("a", 22)+fmt.Sprintf("%04d", i), n, 1)
			f.Intent.Note, f.Intent.Reason, f.Intent.From = long(ReasonBytesMax), "5", "1"
		case 5, 6:
			f = (&model{}).ownRefund(p, o)
			f.Refund.WxRefundID = id("V", i)
		case 7:
			f = oneOf(p, plainly(pushed(n, id("T", i), money)), plainly(wentBack(n, id("MP", i), id("V", i), 1)), delivering(), sent(1+p(40)), accepted())
		case 8:
			f = oneOf(p, unpaid(n, SeenOpen), Fact{Kind: FactUntold, Source: SourceQuery, Attempt: n}, Fact{Kind: FactReported, Source: SourcePhone, Attempt: n, Code: i},
				Fact{Kind: FactConsumed, Key: "k"}, Fact{Kind: FactKind(fmt.Sprint("k", i))})
		}
		f.At = now
		o, _ = Apply(o, f)
		if _, err := encode(o, store.Doc{}); err != nil {
			t.Fatalf("after %d facts (%d payments, %d refunds, %d history, %d events, %d questions): %v",
				i, o.payments(), len(o.Refunds), len(o.History), len(o.Outbox), len(o.Attention), err)
		}
	}
}
