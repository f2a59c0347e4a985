package simulation_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	peaceFor     = 9 * 24 * time.Hour // longer than the ladder and all repeats
	refundDone   = 8
	shownDone    = 4
	leapsMax     = 5000
	settleRounds = 20
)

// peace lets nine days pass without any trouble, jumping from event to event.
func (p *player) peace(t *testing.T) {
	t.Helper()
	p.trouble = trouble{}
	p.stack.Sim.SetFaults(wechatsim.Faults{})
	p.restart()
	calm := wechatsim.Faults{}
	if p.deaf = p.rng.IntN(3) == 0; p.deaf { // no push ever comes: the ladder and the queries must find everything
		calm.Push.DropAll, p.lost = true, true
	}
	p.stack.Sim.SetFaults(calm)
	p.tell("peace, deaf %t", p.deaf)
	end := p.stack.Clock.Now().Add(peaceFor)
	for range leapsMax {
		p.rest(t)
		next := p.nextEvent(t, end)
		if next.After(end) {
			return
		}
		p.stack.Clock.Advance(max(next.Sub(p.stack.Clock.Now()), time.Millisecond))
	}
	t.Errorf("after %d leaps something still happens", leapsMax)
}

// rest does everything that is due now: pushes, messages, sweep.
func (p *player) rest(t *testing.T) {
	t.Helper()
	for range settleRounds {
		n, err := p.stack.Sweep.Tick(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.stack.Now(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	t.Errorf("at %s something stays due", p.stack.Clock.Now())
}

// nextEvent is when the next push or document is due.
func (p *player) nextEvent(t *testing.T, end time.Time) time.Time {
	t.Helper()
	next := end.Add(time.Second)
	if push, ok := p.stack.Sim.NextPush(); ok && push.Before(next) {
		next = push
	}
	refs, err := p.stack.Store.Due(context.Background(), end, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(refs) > 0 && refs[0].Due.Before(next) {
		next = refs[0].Due
	}
	return next
}

// audit checks the promises in WeChat's own books.
func (p *player) audit(t *testing.T) {
	t.Helper()
	for _, w := range p.wishes {
		if w.id == "" {
			continue
		}
		o, err := p.stack.Orders.Get(context.Background(), w.id)
		if err != nil {
			t.Errorf("%s was answered and is gone: %v", w.id, err)
			continue
		}
		p.auditOrder(t, o)
	}
	p.auditRefunds(t)
}

// books is what WeChat has for one order, over all its numbers.
type books struct {
	paid, back    int64
	payments      int
	several       bool // a number was paid twice
	pushesHeard   bool // every push was answered
	refundsOfOurs map[string]int64
	mainShown     int
	latest        time.Time // payment
}

func (p *player) books(o order.Order) books {
	b := books{pushesHeard: true, refundsOfOurs: map[string]int64{}}
	for _, a := range o.Attempts {
		v, ok := p.stack.Sim.Order(order.OutTradeNo(o.ID, a.N))
		if !ok {
			continue
		}
		b.several = b.several || len(v.Payments) > 1
		for _, pay := range v.Payments {
			b.paid += pay.Fee
			b.latest = latest(b.latest, pay.At)
			b.payments++
		}
		for _, r := range v.Refunds {
			if r.Status == refundDone {
				b.back += r.Fee
				if !r.Console {
					b.refundsOfOurs[r.RefundID] += r.Fee
				}
			}
		}
		for _, push := range v.Pushes {
			b.pushesHeard = b.pushesHeard && push.Answered
		}
		if main, _ := o.MainPayment(); main != nil && main.N == a.N {
			b.mainShown = v.Status
		}
	}
	return b
}

func (p *player) auditOrder(t *testing.T, o order.Order) {
	t.Helper()
	b, l := p.books(o), o.Ledger()
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("order %s (%s): "+format+"\nWeChat: %+v\nledger: %+v\nattention: %+v\nhistory: %+v", append([]any{o.ID, o.State}, append(args, b, l, o.Attention, o.History)...)...)
	}
	if p.deaf && b.latest.After(lastSigning(o).Add(6*24*time.Hour)) {
		return // paid after the ladder's end, and no push told
	}
	if known := int64(l.Paid + l.Surplus + l.Held); known != b.paid && !(b.several && p.hidden(o)) {
		bad("%d fen are in the ledger, %d were paid", known, b.paid)
	}
	if (b.payments > 0) != (l.Paid > 0) {
		bad("%d payments at WeChat, %d fen believed", b.payments, l.Paid)
	}
	if o.State == order.Held {
		bad("money is held although everybody paid what was asked")
	}
	if delivered := o.State == order.Delivered; delivered != (b.payments > 0) && b.back == 0 {
		bad("delivered is %t", delivered)
	}
	if int64(l.Refunded) > b.paid || b.back > b.paid {
		bad("more went back than came in: %d of ours, %d at WeChat", l.Refunded, b.back)
	}
	if int64(l.Refunded) != b.back && b.pushesHeard && !b.several {
		bad("%d fen are booked as refunded, %d went back", l.Refunded, b.back)
	}
	if l.Reserved != 0 && len(o.Attention) == 0 {
		bad("%d fen are still reserved and nobody was told", l.Reserved)
	}
	if o.State == order.Delivered && b.back == 0 && b.mainShown != shownDone && !b.several {
		bad("WeChat shows status %d for what is delivered", b.mainShown)
	}
	for _, q := range o.Attention {
		if q.Code == order.AttentionImpossible {
			bad("an honest WeChat is called impossible: %s", q.Reason)
		}
	}
	if due := o.DueAt(); !due.IsZero() && l.Reserved == 0 && due.Before(p.stack.Clock.Now().Add(time.Second)) {
		bad("still due at %s", due)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func lastSigning(o order.Order) (last time.Time) {
	for _, a := range o.Attempts {
		last = latest(last, a.SignedAt)
	}
	return last
}

// hidden reports whether the second payment of a number could not be known: no push told of it, or none that could be
// told from the first one's, and the query shows one payment only. Or a person was asked.
func (p *player) hidden(o order.Order) bool {
	return p.lost || p.nameless || p.opt.PushMode == "plain" && asked(o)
}

// asked reports whether a person was called about money that plain pushes cannot prove.
func asked(o order.Order) bool {
	return slices.ContainsFunc(o.Attention, func(q order.Attention) bool { return q.Code == order.AttentionUnproven })
}

// auditRefunds: every refund that was answered happened at most once, with its amount, and our books say which.
func (p *player) auditRefunds(t *testing.T) {
	t.Helper()
	for _, r := range p.refunds {
		if r.id == "" {
			continue
		}
		o, err := p.stack.Orders.Get(context.Background(), r.order)
		if err != nil {
			t.Error(err)
			continue
		}
		happened := p.books(o).refundsOfOurs[r.id]
		state := order.RefundState("gone")
		for _, kept := range o.Refunds {
			if kept.ID == r.id {
				state = kept.State
			}
		}
		switch {
		case happened != 0 && happened != r.amount:
			t.Errorf("refund %s of %d fen: %d went back", r.id, r.amount, happened)
		case happened != 0 && state != order.RefundDone, happened == 0 && state == order.RefundDone:
			t.Errorf("refund %s is %s, %d fen went back", r.id, state, happened)
		case happened == 0 && state != order.RefundFailed && len(o.Attention) == 0:
			t.Errorf("refund %s is %s for nine days and nobody was told", r.id, state)
		}
	}
}
