package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

	// ProductID and Quantity are the operator's word for what was ordered, both or none. It is needed where only pushes in plain
	// mode tell, whose body nobody vouches for; a push in secure mode must say the same.
	ProductID string
	Quantity  int
}

// Adoption is what came of it.
type Adoption struct {
	Order Order
	Left  []string // evidence that stays, because the order does not show its payment or refund; by name, see Dismiss
}

// Adopt brings an order up to the kept pushes about its payments and refunds, as after a restore from a point in time. One that the
// store does not have is rebuilt, with all the numbers it may ever have had: who paid, for what and how many comes from the push
// (for what and how many from the operator, where only pushes in plain mode tell), what was ordered and paid from query_order, asked
// with the push's openid, and only money that WeChat shows makes it paid. One that is there, because the phone made it again, learns
// the numbers that were paid. Then WeChat is asked about each, refunds that were pushed meanwhile are taken in as if they came now,
// and evidence whose payment or refund the order shows leaves the list of what waits for a person; other evidence stays. What a
// person has dismissed is left out, unless all of it is.
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
	pushes, err := s.keptPushes(ctx, n.OrderID)
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

// dismissShown takes the evidence off the list whose payment or refund the order shows.
func (s *Service) dismissShown(ctx context.Context, o Order, pushes []keptPush, by string) (Adoption, error) {
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
		s.Log.WarnContext(ctx, "evidence stays: the order does not show what it tells", "order", o.ID, "evidence", a.Left)
	}
	return a, nil
}

// keptPush is a kept push about a payment of a number that we did not know, or about a refund of an order that we did not have.
type keptPush struct {
	doc     store.Doc
	kept    evidence
	attempt int
	money   *Money      // nil: it is about a refund, or it was not kept whole
	back    *RefundNews // nil: it is about a payment, or it was not kept whole
}

// vouched reports whether the push is proven to be WeChat's and tells of a payment.
func (p keptPush) vouched() bool { return p.kept.Source == SourcePush && p.money != nil }

// hinted reports whether the push tells of a payment, although nobody vouches for it.
func (p keptPush) hinted() bool { return p.kept.Source != SourcePush && p.money != nil }

// pays reports whether the push tells of a payment.
func (p keptPush) pays() bool { return p.money != nil }

// standing reports whether no person has dismissed the push.
func (p keptPush) standing() bool { return p.kept.DismissedAt.IsZero() }

// fact is what the push says, as far as it is believed when it comes.
func (p keptPush) fact(now time.Time) Fact {
	f := Fact{Kind: FactMoney, Source: p.kept.Source, At: now, Attempt: p.attempt, Money: p.money}
	if p.back != nil {
		f.Kind, f.Refund = FactRefund, p.back
	}
	return f
}

// shows reports whether the order knows the payment or the refund that a push speaks of.
func (o *Order) shows(p keptPush) bool {
	a := o.Attempt(p.attempt)
	switch {
	case a == nil:
		return false
	case p.back != nil:
		return o.booked(p.attempt, p.back)
	default:
		return p.money != nil && a.match(p.money) != nil
	}
}

// lacks reports whether a push speaks of a payment or a refund that the order does not know, and no person has dismissed it.
func (o *Order) lacks(p keptPush) bool {
	return (p.money != nil || p.back != nil) && p.standing() && !o.shows(p)
}

// keptPushes finds the evidence about payments and refunds that no order, or none with that number, was there for, by attempt. The
// names of the documents follow from the numbers, so nothing is searched.
func (s *Service) keptPushes(ctx context.Context, id string) ([]keptPush, error) {
	var all []keptPush
	for n := 1; n <= AttemptsMax; n++ {
		for _, source := range []Source{SourcePush, SourcePlain} {
			for _, sought := range []evidence{
				{Event: xpay.EventGoodsDeliver, Reason: reasonNoOrder},
				{Event: xpay.EventGoodsDeliver, Reason: reasonNoAttempt(n)},
				{Event: xpay.EventRefund, Reason: reasonNoOrderBack},
			} {
				sought.Number, sought.Source = OutTradeNo(id, n), source
				docs, err := s.piecesOf(ctx, sought)
				if err != nil {
					return nil, err
				}
				for _, doc := range docs {
					all = append(all, openKeptPush(doc, n))
				}
			}
		}
	}
	return all, nil
}

// openKeptPush reads the push out of its evidence.
func openKeptPush(doc store.Doc, attempt int) keptPush {
	e, ok := openEvidence(doc)
	p := keptPush{doc: doc, kept: e, attempt: attempt}
	event, err := xpay.ParseEvent(e.Body)
	switch {
	case !ok || err != nil || e.Bytes != len(e.Body):
	case event.Goods != nil:
		_, f, _ := Push{Event: event}.money(e.At)
		p.money = f.Money
	case event.Refund != nil:
		p.back = Push{Event: event}.refund(e.At).Refund
	}
	return p
}

// toldBy are the facts of the pushes: the payments that those in secure mode prove, as they are taken in when they come, and the
// refunds. A payment that only a push in plain mode tells of is for the query to show.
func toldBy(pushes []keptPush, now time.Time) (facts []Fact) {
	for _, p := range pushes {
		if p.vouched() || p.back != nil {
			facts = append(facts, p.fact(now))
		}
	}
	return facts
}

// takeIn tells an order that is there of the pushes that it lacks, and asks WeChat about all its numbers.
func (s *Service) takeIn(ctx context.Context, cur stored, pushes []keptPush, by string) (stored, error) {
	pushes = only(pushes, cur.lacks)
	var facts []Fact
	for _, p := range pushes {
		facts = append(facts, Fact{
			Kind: FactAdopted, Source: SourceOperator, At: s.now(), Attempt: p.attempt, PushedAt: p.paidAt(), Reason: fromPush(by),
		})
	}
	cur, _, err := s.take(ctx, cur, append(facts, toldBy(pushes, s.now())...)...)
	if err != nil {
		return stored{}, err
	}
	return s.recheck(ctx, cur)
}

// paidAt is when the push of a payment came; zero for a refund's.
func (p keptPush) paidAt() time.Time {
	if p.back != nil {
		return time.Time{}
	}
	return p.kept.At
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
func (s *Service) rebuild(ctx context.Context, id string, pushes []keptPush, r AdoptRequest) (stored, error) {
	if len(pushes) == 0 {
		return stored{}, problem.New(problem.NotFound,
			"there is no such order, and no push about a payment of it is kept: there is nothing to rebuild it from")
	}
	if standing := only(pushes, keptPush.standing); slices.ContainsFunc(standing, keptPush.pays) {
		pushes = standing // else a person has dismissed every payment, and thinks better of it
	}
	told, err := s.told(ctx, id, pushes, r)
	if err != nil {
		return stored{}, err
	}
	o := s.outline(id, told, pushes)
	facts, err := s.queryEach(ctx, o)
	if err != nil {
		s.logUnanswered(ctx, o, err)
		return stored{}, notSaidPaid(err)
	}
	if err := o.priced(told, facts); err != nil {
		return stored{}, err
	}
	o.History = []Entry{{At: s.now(), Event: EventAdopted, To: Created, Source: SourceOperator, Detail: fromPush(r.By)}}
	return s.createWith(ctx, o, append(facts, toldBy(pushes, s.now())...))
}

func notSaidPaid(why error) error {
	return problem.Hide(problem.Unavailable, why, "WeChat does not say whether the order is paid, try again")
}

// createWith stores a new order together with facts about it. An order that somebody else has stored meanwhile is
// returned as it is.
func (s *Service) createWith(ctx context.Context, o Order, facts []Fact) (stored, error) {
	var t telling
	o = s.apply(ctx, &t, o, facts)
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
	s.saw(ctx, Change{After: o, Event: t.out.Event})
	return stored{Order: o, doc: kept}, nil
}

// ordered is what an order is rebuilt from: all but the amount.
type ordered struct {
	payer    string
	product  catalog.Product
	quantity int
	vouched  bool      // by a push in secure mode
	at       time.Time // when the first push came
}

// told is what the pushes say: those in secure mode; only when there is none of those the others, and of them only who paid.
func (s *Service) told(ctx context.Context, id string, pushes []keptPush, r AdoptRequest) (ordered, error) {
	if vouched := only(pushes, keptPush.vouched); len(vouched) > 0 {
		return s.vouchedFor(vouched, r)
	}
	hints := only(pushes, keptPush.hinted)
	switch {
	case len(hints) == 0:
		return ordered{}, problem.New(problem.Rejected, "the evidence is not a whole push about paid goods, nothing can be rebuilt from it")
	case r.ProductID == "":
		return ordered{}, problem.New(problem.Rejected, "the pushes came in plain mode, so nobody vouches for what was bought: "+
			"ask the user, and say it with productId and quantity (xpay orders adopt --product ID --quantity N)")
	}
	product, err := s.sold(r.ProductID)
	if err != nil {
		return ordered{}, err
	}
	if r.Quantity > product.MaxQuantity {
		return ordered{}, problem.New(problem.Rejected, "%d of %s were never sold in one order: goods.yaml allows %d", r.Quantity, product.ID, product.MaxQuantity)
	}
	payer, err := s.payer(ctx, id, hints)
	return ordered{payer: payer, product: product, quantity: r.Quantity, at: hints[0].kept.At}, err
}

// vouchedFor is what pushes in secure mode say. The operator can only say the same.
func (s *Service) vouchedFor(pushes []keptPush, r AdoptRequest) (ordered, error) {
	if err := s.agree(pushes); err != nil {
		return ordered{}, err
	}
	m := pushes[0].money
	switch {
	case r.ProductID != "" && (m.ProductID != r.ProductID || m.Quantity != r.Quantity):
		return ordered{}, problem.New(problem.Rejected, "WeChat's push names other goods: %d of %s", m.Quantity, m.ProductID)
	case m.Quantity < 1 || m.OpenID == "":
		return ordered{}, problem.New(problem.Rejected, "the push names no payer or no quantity, nothing can be rebuilt from it")
	}
	product, err := s.sold(m.ProductID)
	return ordered{payer: m.OpenID, product: product, quantity: m.Quantity, vouched: true, at: pushes[0].kept.At}, err
}

// sold finds a product, also one that is hidden.
func (s *Service) sold(id string) (catalog.Product, error) {
	products := s.Catalog.All()
	if at := slices.IndexFunc(products, func(p catalog.Product) bool { return p.ID == id }); at >= 0 {
		return products[at], nil
	}
	return catalog.Product{}, problem.New(problem.Rejected,
		"goods.yaml has no such product: one that is not sold any more belongs there, with hidden: true")
}

// payer is whom pushes in plain mode name. Where they name several, all but one are forged: it is the one for whom WeChat shows a
// payment of the number that the push names.
func (s *Service) payer(ctx context.Context, id string, hints []keptPush) (string, error) {
	var named []string
	for _, p := range hints {
		if p.money.OpenID != "" && !slices.Contains(named, p.money.OpenID) {
			named = append(named, p.money.OpenID)
		}
	}
	switch {
	case len(named) == 0:
		return "", problem.New(problem.Rejected, "the push names no payer, nothing can be rebuilt from it")
	case len(named) == 1:
		return named[0], nil
	case len(named) > payersMax:
		return "", errPayers(hints)
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var shown []string
	for _, payer := range named {
		paid, err := s.paidBy(ctx, id, payer, only(hints, func(p keptPush) bool { return p.money.OpenID == payer }))
		if err != nil {
			return "", notSaidPaid(err)
		}
		if paid {
			shown = append(shown, payer)
		}
	}
	if len(shown) != 1 {
		return "", errPayers(hints)
	}
	return shown[0], nil
}

// errPayers: it cannot be told who paid. The payers themselves are nobody's business.
func errPayers(hints []keptPush) error {
	var evidence []string
	for _, p := range hints {
		evidence = append(evidence, evidenceName(p.doc))
	}
	return problem.New(problem.Rejected, "the kept pushes came in plain mode and name different payers: dismiss those that are forged, each by its own name: %s",
		strings.Join(evidence, " "))
}

// paidBy asks WeChat whether this payer paid for a number that one of the pushes names.
func (s *Service) paidBy(ctx context.Context, id, payer string, hints []keptPush) (bool, error) {
	o := s.outline(id, ordered{payer: payer}, nil)
	var asked []int
	for _, p := range hints {
		if slices.Contains(asked, p.attempt) {
			continue
		}
		asked = append(asked, p.attempt)
		f, err := s.query(ctx, o, p.attempt)
		if err != nil || f.Kind == FactMoney {
			return err == nil, err
		}
	}
	return false, nil
}

func only(pushes []keptPush, which func(keptPush) bool) []keptPush {
	return slices.DeleteFunc(slices.Clone(pushes), func(p keptPush) bool { return !which(p) })
}

// agree refuses pushes of WeChat that cannot be of one order of this deployment.
func (s *Service) agree(pushes []keptPush) error {
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
func (s *Service) outline(id string, told ordered, pushes []keptPush) Order {
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
		a.PushedAt = earliest(a.PushedAt, p.paidAt())
	}
	return o
}

// priced completes the order by what WeChat says was ordered. We signed that, so it stands before the catalogue, whose
// price may have changed since; but goods that only an operator names must cost what the catalogue says.
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
	if !told.vouched && o.Price != told.product.Price {
		return problem.New(problem.Rejected, "%d fen a piece were ordered, goods.yaml says %d, and the push came in plain mode, so nobody vouches for its product",
			o.Price, told.product.Price)
	}
	o.CreatedAt = earliest(told.at, m.PaidAt)
	o.ExpiresAt = o.CreatedAt.Add(OpenFor)
	for i := range o.Attempts {
		o.Attempts[i].SignedAt = o.CreatedAt
	}
	return nil
}
