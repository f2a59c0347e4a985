package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	opRounds      = 15
	handlerRounds = 9
	sessionKey    = "HyVFkGl5F5OQWJZZaNzBBg=="
)

// ops measures what single operations cost.
func (b *bench) ops(ctx context.Context, r *report) (err error) {
	w, err := b.newWorld(ctx, "ops")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var short []subject
	for _, make := range []func(context.Context, *world) ([]subject, error){signing, opening, applying} {
		s, err := make(ctx, w)
		if err != nil {
			return err
		}
		short = append(short, s...)
	}
	rounds, err := measure(ctx, short, opRounds)
	if err != nil {
		return err
	}
	slow, err := measure(ctx, []subject{w.createHandler(), w.callbackHandler()}, handlerRounds)
	if err != nil {
		return err
	}
	r.SignRatio = ratio(rounds[paySigAt], rounds[bareAt])
	for _, one := range append(rounds, slow...) {
		r.Ops = append(r.Ops, middle(one))
	}
	r.printOps(b)
	return nil
}

// ratio is the median over the rounds, so that a disturbance hits both sides.
func ratio(a, b []opFigures) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = a[i].Ns / b[i].Ns
	}
	return median(all)
}

// Where the two that are compared stand in signing's answer: next to each other, in the first part.
const (
	paySigAt = 1
	bareAt   = 2
)

// signing is the whole payment, and one of its two signatures beside nothing but HMAC-SHA256 and hex.
func signing(_ context.Context, w *world) ([]subject, error) {
	key := w.Config.Merchant.AppKeys.Sandbox
	merchant, err := xpay.NewMerchant(w.Config.OfferID, xpay.Sandbox, key)
	if err != nil {
		return nil, err
	}
	goods := xpay.Goods{ProductID: product, Quantity: 1, Price: price, OutTradeNo: "order-20260801-1", Attach: "v1.order-20260801-1"}
	p, err := merchant.SignGoods(goods, sessionKey)
	if err != nil {
		return nil, err
	}
	const uri = "requestVirtualPayment"
	body, whole := []byte(p.SignData), []byte(uri+"&"+p.SignData)
	if xpay.PaySig(key, uri, body) != bareHMAC(key, whole) {
		return nil, errors.New("PaySig and bare HMAC sign different bytes")
	}
	return []subject{
		repeated("sign: Merchant.SignGoods", func() error { _, err := merchant.SignGoods(goods, sessionKey); return err }),
		repeated("sign: PaySig", func() error { xpay.PaySig(key, uri, body); return nil }),
		repeated("sign: bare HMAC-SHA256 + hex", func() error { bareHMAC(key, whole); return nil }),
	}, nil
}

func bareHMAC(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// opening is everything between the bytes of a push and its event.
func opening(_ context.Context, w *world) ([]subject, error) {
	now := w.Clock.Now()
	push, err := miniprogram.NewPush(miniprogram.PushConfig{
		AppID: w.Config.AppID, Tokens: w.Config.Push.Tokens, AESKeys: w.Config.Push.AESKeys, Now: w.Clock.Now,
	})
	if err != nil {
		return nil, err
	}
	var all []subject
	for _, kind := range []struct {
		name, template string
		aes            bool
	}{{"open push: AES XML", goodsXML, true}, {"open push: AES JSON", goodsJSON, true}, {"open push: plain JSON", goodsJSON, false}} {
		event := goodsEvent(kind.template, "o-user-1", order.NewID(w.Config.AppID, w.Config.Env, "o-user-1", "key-0001"), w.Config.Env, now)
		q, body, err := forge(w.Config, kind.aes, now, event)
		if err != nil {
			return nil, err
		}
		all = append(all, repeated(kind.name, func() error {
			m, err := push.Open(q, body)
			if err != nil {
				return err
			}
			e, err := xpay.ParseEvent(m.Body)
			if err == nil && e.Goods == nil {
				err = errors.New("the event has no goods")
			}
			return err
		}))
	}
	return all, nil
}

// applying is the pure core: the fact that pays for an order, and the same fact once more.
func applying(ctx context.Context, w *world) ([]subject, error) {
	b, err := w.buy(ctx)
	if err != nil {
		return nil, err
	}
	fresh, err := w.Orders.Get(ctx, b.Order.ID)
	if err != nil {
		return nil, err
	}
	paid, env := order.Fen(price), fresh.Env
	now := w.Clock.Now()
	fact := order.Fact{Kind: order.FactMoney, Source: order.SourcePush, At: now, Attempt: 1, Money: &order.Money{
		OpenID: b.openID, Env: &env, ProductID: product, Quantity: 1, Actual: &paid,
		TransactionID: "txn-1", ChannelOrderID: "mch-1", Channel: order.ChannelWeChat, PaidAt: now,
	}}
	settled, _ := order.Apply(fresh, fact)
	if again, out := order.Apply(settled, fact); again.State != order.Delivered || out.Event != order.EventKnown {
		return nil, fmt.Errorf("the order is %s after %s, expected delivered after %s", again.State, out.Event, order.EventKnown)
	}
	return []subject{
		repeated("Apply: money on a fresh order", func() error { order.Apply(fresh, fact); return nil }),
		repeated("Apply: the same on a settled one", func() error { order.Apply(settled, fact); return nil }),
	}, nil
}

func (r *report) printOps(b *bench) {
	rows := [][]string{{"", "ns/op", "B/op", "allocs/op"}}
	for _, f := range r.Ops {
		rows = append(rows, []string{f.Name, fmt.Sprintf("%.0f", f.Ns), fmt.Sprintf("%.0f", f.Bytes), fmt.Sprintf("%.0f", f.Allocs)})
	}
	table(b.out, fmt.Sprintf("Operations (medians of %d rounds, handlers of %d; handlers without network, SQLite NORMAL)", opRounds, handlerRounds), rows...)
	fmt.Fprintf(b.out, "  PaySig takes %.2f times bare HMAC-SHA256 + hex over the same bytes\n", r.SignRatio)
}
