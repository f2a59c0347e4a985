package order

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// CreateRequest asks for an order.
type CreateRequest struct {
	OpenID     string
	SessionKey string // signs for the phone; "" makes signing fail with problem.Unauthorized
	Key        string // Idempotency-Key, KeyCharsMin to KeyCharsMax visible ASCII characters
	ProductID  string
	Quantity   int
	Attach     string // the merchant's own, stays with us
}

// fingerprint tells a repeated request from another one with the same key. A fresh login code is no part of it.
func (r CreateRequest) fingerprint() string {
	raw, _ := json.Marshal([]any{r.ProductID, r.Quantity, r.Attach}) // strings and a number always marshal
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// Create stores an order and hands out its first payment; created is false when this request was here before,
// and then the payment is nil once the order is paid or closed. The order is stored before the payment leaves.
//
// Problems: Invalid, NotFound (product), Rejected (quantity), Limited, Conflict (same key, other request),
// PriceChanged (the order is closed), Unauthorized (no session key), Unavailable.
func (s *Service) Create(ctx context.Context, r CreateRequest) (o Order, p *xpay.Payment, created bool, err error) {
	if err := checkKey(r.Key); err != nil {
		return Order{}, nil, false, err
	}
	id := NewID(s.AppID, s.Env, r.OpenID, r.Key)
	fresh, problemNow := s.newOrder(ctx, id, r)
	if problemNow != nil {
		return s.onlyIfStored(ctx, id, r, problemNow)
	}
	payment, err := s.sign(fresh, fresh.lastAttempt(), r.SessionKey, "")
	if err != nil {
		return s.onlyIfStored(ctx, id, r, err)
	}
	fresh.lastAttempt().SigHead = sigHead(payment)
	doc, err := encode(fresh, store.Doc{})
	if err != nil {
		return Order{}, nil, false, err
	}
	kept, err := s.Store.Create(ctx, doc)
	switch {
	case errors.Is(err, store.ErrExists):
		return s.again(ctx, kept, r)
	case err != nil:
		return Order{}, nil, false, storeProblem(fmt.Errorf("create order %s: %w", id, err))
	}
	s.saw(ctx, Change{After: fresh, Event: EventSigned})
	return fresh, payment, true, nil
}

// onlyIfStored answers a request that could not create an order now: if the order is there already, the request is a
// repeat and goes on; otherwise the problem stands.
func (s *Service) onlyIfStored(ctx context.Context, id string, r CreateRequest, why error) (Order, *xpay.Payment, bool, error) {
	doc, err := s.Store.Get(ctx, DocID(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Order{}, nil, false, why
	case err != nil:
		return Order{}, nil, false, storeProblem(fmt.Errorf("read order %s: %w", id, err))
	}
	return s.again(ctx, doc, r)
}

// again answers a repeated request with the stored order, signed again as long as it is known unpaid.
func (s *Service) again(ctx context.Context, doc store.Doc, r CreateRequest) (Order, *xpay.Payment, bool, error) {
	cur, err := open(doc)
	if err != nil {
		return Order{}, nil, false, err
	}
	if cur.Fingerprint != r.fingerprint() || cur.OpenID != r.OpenID {
		return Order{}, nil, false, problem.New(problem.Conflict, "this Idempotency-Key was used for another order; use a new key for a new order")
	}
	o, p, err := s.signAgain(ctx, cur, r.SessionKey, nil)
	return o, p, false, err
}

// newOrder builds the order of a request, with its first attempt, if the catalogue and the limits allow it.
func (s *Service) newOrder(ctx context.Context, id string, r CreateRequest) (Order, error) {
	product, ok := s.Catalog.Find(r.ProductID)
	switch {
	case !ok:
		return Order{}, problem.New(problem.NotFound, "there is no product with this productId on sale")
	case r.Quantity < 1 || r.Quantity > product.MaxQuantity:
		return Order{}, problem.New(problem.Invalid, "quantity must be 1 to %d for this product", product.MaxQuantity)
	case !printable(r.Attach):
		return Order{}, problem.New(problem.Invalid, "attach must be text without control characters")
	case len(r.Attach) > AttachBytesMax:
		return Order{}, problem.New(problem.Invalid, "attach has %d bytes, at most %d are possible", len(r.Attach), AttachBytesMax)
	}
	if err := s.checkLimits(ctx, r.OpenID); err != nil {
		return Order{}, err
	}
	now := s.now()
	return Order{
		ID: id, AppID: s.AppID, Env: s.Env, OpenID: r.OpenID, Fingerprint: r.fingerprint(),
		ProductID: product.ID, Consumable: product.Consumable(), Price: product.Price, Quantity: r.Quantity,
		Amount: product.Price * Fen(r.Quantity), Attach: r.Attach, Target: s.Target,
		State: Created, CreatedAt: now, ExpiresAt: now.Add(OpenFor),
		Attempts: []Attempt{{N: 1, SignedAt: now, Signings: 1}},
		History:  []Entry{{At: now, Event: EventSigned, To: Created, Source: SourceService, Attempt: 1}},
	}, nil
}

// checkLimits counts the user's open and recent orders among the newest ones. An order that is open is younger than
// OpenFor: who has created fewer than CreatesPerMinute in that time is below both limits, and nothing need be read.
func (s *Service) checkLimits(ctx context.Context, openID string) error {
	n, err := s.Store.Count(ctx, userKey(s.Env, openID), KindOrder, s.now().Add(-OpenFor), min(CreatesPerMinute, OpenOrdersMax))
	if err != nil {
		return storeProblem(fmt.Errorf("count orders: %w", err))
	}
	if n < min(CreatesPerMinute, OpenOrdersMax) {
		return nil
	}
	docs, _, err := s.Store.ByUser(ctx, userKey(s.Env, openID), KindOrder, store.Page{Limit: recentOrders})
	if err != nil {
		return storeProblem(fmt.Errorf("list orders: %w", err))
	}
	open, recent, now := 0, 0, s.now()
	for _, doc := range docs {
		o, err := decode(doc)
		if err != nil {
			continue
		}
		if o.State == Created && now.Before(o.ExpiresAt) {
			open++
		}
		if now.Sub(o.CreatedAt) < time.Minute {
			recent++
		}
	}
	switch {
	case open >= OpenOrdersMax:
		return problem.New(problem.Limited, "%d orders are open and unpaid, pay one or let it expire", open)
	case recent >= CreatesPerMinute:
		return problem.New(problem.Limited, "%d orders were created within a minute, wait a minute", recent)
	}
	return nil
}

// sign makes the payment of one attempt: exactly the bytes that the phone passes on.
func (s *Service) sign(o Order, a *Attempt, sessionKey, refusedHead string) (*xpay.Payment, error) {
	if sessionKey == "" {
		return nil, problem.New(problem.Unauthorized, "there is no session_key for this user: call wx.login and send its code")
	}
	p, err := s.WeChat.Merchant.SignGoodsAgain(xpay.Goods{
		ProductID: o.ProductID, Quantity: o.Quantity, Price: o.Price,
		OutTradeNo: OutTradeNo(o.ID, a.N), Attach: Tag(o.ID),
	}, sessionKey, refusedHead)
	if err != nil {
		return nil, problem.Hide(problem.Internal, err, "the payment could not be signed")
	}
	return &p, nil
}

// sigHead is enough of a paySig to tell which of a few AppKeys made it.
func sigHead(p *xpay.Payment) string { return p.PaySig[:min(len(p.PaySig), sigHeadChars)] }

// checkKey checks an Idempotency-Key.
func checkKey(key string) error {
	if len(key) < KeyCharsMin || len(key) > KeyCharsMax {
		return problem.New(problem.Invalid, "Idempotency-Key must have %d to %d characters", KeyCharsMin, KeyCharsMax)
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return problem.New(problem.Invalid, "Idempotency-Key must be visible ASCII characters")
		}
	}
	return nil
}
