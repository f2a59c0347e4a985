package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// AdoptRequest names an order whose payments were pushed while the store did not know it.
type AdoptRequest struct {
	Number string // any number of the order
	By     string // who asks, for the history

	// ProductID and Quantity are the operator's word for what was ordered, both or none. It counts where only pushes in plain
	// mode tell, whose body nobody vouches for; a push in secure mode must say the same.
	ProductID string
	Quantity  int
}

// Adoption is what came of it.
type Adoption struct {
	Order Order
	Left  []string // evidence that stays, because the order does not show its payment; by name, see Dismiss
}

// Adopt brings an order up to the kept pushes about its payments, as after a restore from a point in time. One that the store
// does not have is rebuilt, with all the numbers it may ever have had: who paid, for what and how many comes from the push,
// what was ordered and paid from query_order, asked with the push's openid, and only money that WeChat shows makes it paid. One
// that is there, because the phone made it again, learns the numbers that were paid. Then WeChat is asked about each, and
// evidence whose payment the order shows leaves the list of what waits for a person; other evidence stays.
//
// An order that shows all of them is returned as it is, so repeating it is harmless. What only the merchant knew, the attach, is
// lost; a phone that repeats its own request for the order with an attach gets problem.Conflict.
//
// Problems: Invalid for a number that is not of our form, NotFound without order and evidence, Rejected when evidence, WeChat
// and catalogue do not make an order, Unavailable.
func (s *Service) Adopt(ctx context.Context, r AdoptRequest) (Adoption, error) {
	n, ok := ParseNumber(r.Number)
	switch {
	case !ok || n.Refund:
		return Adoption{}, problem.New(problem.Invalid, "this is not the number of an order of this backend")
	case r.Quantity < 0 || (r.ProductID == "") != (r.Quantity == 0):
		return Adoption{}, problem.New(problem.Invalid, "productId and quantity say together what was ordered: give both or none")
	}
	pushes, err := s.paidPushes(ctx, n.OrderID)
	if err != nil {
		return Adoption{}, err
	}
	cur, err := s.load(ctx, n.OrderID)
	switch {
	case errors.Is(err, problem.NotFound):
		cur, err = s.rebuild(ctx, n.OrderID, pushes, r)
	case err == nil && slices.ContainsFunc(pushes, cur.lacks):
		cur, err = s.takeIn(ctx, cur, pushes, r.By)
	}
	if err != nil {
		return Adoption{}, err
	}
	s.kick(ctx, cur.Order)
	return s.dismissShown(ctx, cur.Order, pushes, r.By)
}

// dismissShown takes the evidence off the list whose payment the order shows.
func (s *Service) dismissShown(ctx context.Context, o Order, pushes []paidPush, by string) (Adoption, error) {
	a := Adoption{Order: o}
	for _, p := range pushes {
		switch {
		case o.shows(p):
			if err := s.dismiss(ctx, p.doc, by); err != nil {
				return Adoption{}, err
			}
		case p.kept.DismissedAt.IsZero():
			a.Left = append(a.Left, evidenceName(p.doc))
		}
	}
	if len(a.Left) > 0 {
		s.Log.WarnContext(ctx, "evidence stays: the order does not show its payment", "order", o.ID, "evidence", a.Left)
	}
	return a, nil
}

// paidPush is the kept push about a payment of a number that we did not know.
type paidPush struct {
	doc     store.Doc
	kept    evidence
	attempt int
	money   *Money // nil: it was not kept whole
}

// vouched reports whether the push is proven to be WeChat's.
func (p paidPush) vouched() bool { return p.kept.Source == SourcePush && p.money != nil }

// hinted reports whether the push can be read, although nobody vouches for it.
func (p paidPush) hinted() bool { return p.kept.Source != SourcePush && p.money != nil }

// shows reports whether the order knows the payment that a push speaks of.
func (o *Order) shows(p paidPush) bool {
	a := o.Attempt(p.attempt)
	return p.money != nil && a != nil && a.match(p.money) != nil
}

// lacks reports whether a push speaks of a payment that the order does not know, and no person has dismissed it.
func (o *Order) lacks(p paidPush) bool {
	return p.money != nil && p.kept.DismissedAt.IsZero() && !o.shows(p)
}

// paidPushes finds the evidence about payments that no order, or none with that number, was there for, by attempt. The names
// of the documents follow from the numbers, so nothing is searched.
func (s *Service) paidPushes(ctx context.Context, id string) ([]paidPush, error) {
	var all []paidPush
	for n := 1; n <= AttemptsMax; n++ {
		for _, source := range []Source{SourcePush, SourcePlain} {
			for _, reason := range []string{reasonNoOrder, reasonNoAttempt(n)} {
				sought := evidence{Event: xpay.EventGoodsDeliver, Number: OutTradeNo(id, n), Reason: reason, Source: source}
				doc, err := s.Store.Get(ctx, sought.docID())
				if errors.Is(err, store.ErrNotFound) {
					continue
				}
				if err != nil {
					return nil, storeProblem(fmt.Errorf("read evidence: %w", err))
				}
				all = append(all, openPaidPush(doc, n))
			}
		}
	}
	return all, nil
}

// openPaidPush reads the push out of its evidence.
func openPaidPush(doc store.Doc, attempt int) paidPush {
	e, ok := openEvidence(doc)
	p := paidPush{doc: doc, kept: e, attempt: attempt}
	event, err := xpay.ParseEvent(e.Body)
	if ok && err == nil && e.Bytes == len(e.Body) && event.Goods != nil {
		_, f, _ := Push{Event: event}.money(e.At)
		p.money = f.Money
	}
	return p
}

// proven are the payments that the pushes in secure mode prove, as they are taken in when they come.
func proven(pushes []paidPush, now time.Time) (facts []Fact) {
	for _, p := range pushes {
		if p.vouched() {
			facts = append(facts, Fact{Kind: FactMoney, Source: SourcePush, At: now, Attempt: p.attempt, Money: p.money})
		}
	}
	return facts
}

// takeIn tells an order that is there of the pushes that it lacks, and asks WeChat about all its numbers.
func (s *Service) takeIn(ctx context.Context, cur stored, pushes []paidPush, by string) (stored, error) {
	pushes = only(pushes, cur.lacks)
	var facts []Fact
	for _, p := range pushes {
		facts = append(facts, Fact{
			Kind: FactAdopted, Source: SourceOperator, At: s.now(), Attempt: p.attempt, PushedAt: p.kept.At, Reason: fromPush(by),
		})
	}
	cur, _, err := s.take(ctx, cur, append(facts, proven(pushes, s.now())...)...)
	if err != nil {
		return stored{}, err
	}
	return s.recheck(ctx, cur)
}

// fromPush is what the history says.
func fromPush(by string) string { return "from the kept push, by " + nameOf(by) }

// judgeAdopted takes in that a push spoke of a number which was handed out before the store forgot it.
func judgeAdopted(o *Order, f Fact) verdict {
	if f.Attempt < 1 || f.Attempt > AttemptsMax {
		return impossible(fmt.Sprintf("there is no attempt %d", f.Attempt))
	}
	return verdict{event: EventAdopted, reason: f.Reason, do: func() {
		for n := len(o.Attempts) + 1; n <= f.Attempt; n++ {
			o.Attempts = append(o.Attempts, Attempt{N: n, SignedAt: f.At, Signings: 1})
		}
		if a := o.Attempt(f.Attempt); a.PushedAt.IsZero() {
			a.PushedAt = f.PushedAt
		}
	}}
}

// rebuild makes the order and stores it, paid or held, in one write.
func (s *Service) rebuild(ctx context.Context, id string, pushes []paidPush, r AdoptRequest) (stored, error) {
	told, err := s.told(pushes, r)
	if err != nil {
		return stored{}, err
	}
	o := s.outline(id, told, pushes)
	facts, err := s.queryEach(ctx, o)
	if err != nil {
		s.logUnanswered(ctx, o, err)
		return stored{}, problem.Hide(problem.Unavailable, err, "WeChat does not say whether the order is paid, try again")
	}
	if err := o.priced(told, facts); err != nil {
		return stored{}, err
	}
	o.History = []Entry{{At: s.now(), Event: EventAdopted, To: Created, Source: SourceOperator, Detail: fromPush(r.By)}}
	return s.createWith(ctx, o, append(facts, proven(pushes, s.now())...))
}

// createWith stores a new order together with facts about it. An order that somebody else has stored meanwhile is
// returned as it is.
func (s *Service) createWith(ctx context.Context, o Order, facts []Fact) (stored, error) {
	var out Outcome
	var alarms []Attention
	for _, f := range facts {
		o, out = Apply(o, f)
		alarms = append(alarms, out.Alarms...)
	}
	doc, err := encode(o, store.Doc{})
	if err != nil {
		return stored{}, err
	}
	kept, err := s.Store.Create(ctx, doc)
	switch {
	case errors.Is(err, store.ErrExists):
		return open(kept)
	case err != nil:
		return stored{}, storeProblem(fmt.Errorf("create order %s: %w", o.ID, err))
	}
	s.report(ctx, Change{After: o, Event: out.Event}, alarms)
	return stored{Order: o, doc: kept}, nil
}

// ordered is what an order is rebuilt from: all but the amount.
type ordered struct {
	payer     string
	product   catalog.Product
	quantity  int
	vouched   bool // by a push in secure mode
	confirmed bool // by the operator
	catalogue *catalog.Catalog
	at        time.Time // when the first push came
}

// told is what the pushes say: those in secure mode, and the others only when there is none of those.
func (s *Service) told(pushes []paidPush, r AdoptRequest) (ordered, error) {
	believed := only(pushes, paidPush.vouched)
	vouched := len(believed) > 0
	if !vouched {
		believed = only(pushes, paidPush.hinted)
	}
	switch {
	case len(pushes) == 0:
		return ordered{}, problem.New(problem.NotFound,
			"there is no such order, and no push about a payment of it is kept: there is nothing to rebuild it from")
	case len(believed) == 0:
		return ordered{}, problem.New(problem.Rejected, "the evidence is not a whole push about paid goods, nothing can be rebuilt from it")
	}
	if err := s.agree(believed); err != nil {
		return ordered{}, err
	}
	m, said := *believed[0].money, r.ProductID != ""
	switch {
	case said && vouched && (m.ProductID != r.ProductID || m.Quantity != r.Quantity):
		return ordered{}, problem.New(problem.Rejected, "WeChat's push names other goods: %d of %s", m.Quantity, m.ProductID)
	case said:
		m.ProductID, m.Quantity = r.ProductID, r.Quantity
	}
	products := s.Catalog.All()
	at := slices.IndexFunc(products, func(p catalog.Product) bool { return p.ID == m.ProductID })
	if at < 0 || m.Quantity < 1 || m.OpenID == "" {
		return ordered{}, problem.New(problem.Rejected,
			"the push names no payer, no quantity or no product of goods.yaml: a product that is not sold any more belongs there, with hidden: true")
	}
	return ordered{
		payer: m.OpenID, product: products[at], quantity: m.Quantity,
		vouched: vouched, confirmed: said, catalogue: s.Catalog, at: believed[0].kept.At,
	}, nil
}

func only(pushes []paidPush, which func(paidPush) bool) []paidPush {
	return slices.DeleteFunc(slices.Clone(pushes), func(p paidPush) bool { return !which(p) })
}

// agree refuses pushes that cannot be of one order of this deployment.
func (s *Service) agree(pushes []paidPush) error {
	first := pushes[0].money
	for _, p := range pushes {
		m := p.money
		if m.OpenID != first.OpenID || m.ProductID != first.ProductID || m.Quantity != first.Quantity {
			return problem.New(problem.Rejected, "the kept pushes name different payers or goods")
		}
		if m.Env != nil && *m.Env != s.Env {
			return problem.New(problem.Rejected, "the push is of another env than this deployment's")
		}
	}
	return nil
}

// outline is the order with every number that may have been handed out for it: which of them were, nobody knows any more.
func (s *Service) outline(id string, told ordered, pushes []paidPush) Order {
	o := Order{
		ID: id, AppID: s.AppID, Env: s.Env, OpenID: told.payer, Target: s.Target, State: Created,
		Fingerprint: CreateRequest{ProductID: told.product.ID, Quantity: told.quantity}.fingerprint(),
		ProductID:   told.product.ID, Consumable: told.product.Consumable(), Quantity: told.quantity,
	}
	for n := range AttemptsMax {
		o.Attempts = append(o.Attempts, Attempt{N: n + 1, Signings: 1})
	}
	for _, p := range pushes {
		a := o.Attempt(p.attempt)
		a.PushedAt = earliest(a.PushedAt, p.kept.At)
	}
	return o
}

// priced completes the order by what WeChat says was ordered. We signed that, so it stands before the catalogue, whose
// price may have changed since; but goods that only a push in plain mode names must agree with the catalogue, and nothing else in
// it may cost the same, unless the operator says that it was them.
func (o *Order) priced(told ordered, facts []Fact) error {
	at := slices.IndexFunc(facts, func(f Fact) bool { return f.Kind == FactMoney })
	if at < 0 {
		return problem.New(problem.Rejected, "WeChat shows no payment of this order by the user whom the push names")
	}
	m := facts[at].Money
	switch {
	case m.Tag != "" && m.Tag != Tag(o.ID):
		return problem.New(problem.Rejected, "what was paid under this number is not an order of this backend: its attach is another one's")
	case m.OrderFee == nil || *m.OrderFee <= 0 || *m.OrderFee%Fen(o.Quantity) != 0:
		return problem.New(problem.Rejected, "WeChat does not say that the ordered amount is that of %d pieces", o.Quantity)
	}
	o.Amount, o.Price = *m.OrderFee, *m.OrderFee/Fen(o.Quantity)
	switch {
	case told.vouched:
	case o.Price != told.product.Price:
		return problem.New(problem.Rejected, "%d fen a piece were ordered, goods.yaml says %d, and the push came in plain mode, so nobody vouches for its product",
			o.Price, told.product.Price)
	case !told.confirmed && ways(told.catalogue, o.Amount) > 1:
		return problem.New(problem.Rejected, "the push came in plain mode, so nobody vouches for its product, and goods.yaml has several goods for %d fen: "+
			"ask the user what was bought and say it with productId and quantity", o.Amount)
	}
	o.CreatedAt = earliest(told.at, m.PaidAt)
	o.ExpiresAt = o.CreatedAt.Add(OpenFor)
	for i := range o.Attempts {
		o.Attempts[i].SignedAt = o.CreatedAt
	}
	return nil
}

// ways counts the orders that the catalogue allows for an amount.
func ways(c *catalog.Catalog, amount Fen) (n int) {
	for _, p := range c.All() {
		if amount%p.Price == 0 && amount/p.Price <= Fen(p.MaxQuantity) {
			n++
		}
	}
	return n
}
