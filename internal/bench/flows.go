package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// noLimit: counted for information.
const noLimit = -1

// flow is one thing that happens, and the most calls it may make.
type flow struct {
	name          string
	reads, writes int
	prepare       func(ctx context.Context, w *world) error // not counted
	run           func(ctx context.Context, w *world) error
	check         func(ctx context.Context, w *world) error // not counted; nil: the answer was proof enough
}

// warm makes one purchase that is found by a query, so that the access token is there: it is fetched once in two hours.
func (w *world) warm(ctx context.Context) error {
	var b bought
	return errors.Join(w.lose(ctx, &b), w.findLost(ctx))
}

// lose pays an order of which WeChat's push never arrives.
func (w *world) lose(ctx context.Context, b *bought) (err error) {
	if err := w.quiet(ctx); err != nil {
		return err
	}
	if *b, err = w.buy(ctx); err != nil {
		return err
	}
	w.Sim.SetFaults(wechatsim.Faults{
		Push:   wechatsim.PushFaults{DropAll: true},
		Orders: wechatsim.OrderFaults{NotifyStopsPush: true}, // else it would arrive in the middle of a later flow
	})
	if err := w.pay(*b); err != nil {
		return err
	}
	if err := w.Now(ctx); err != nil {
		return err
	}
	w.Clock.Advance(time.Minute + time.Second) // the first look is due
	return nil
}

// quiet lets the unpaid orders of earlier flows be looked at, so that none of them falls due for the next minutes.
func (w *world) quiet(ctx context.Context) error {
	w.Clock.Advance(4 * time.Minute) // between the third minute of the ladder and the tenth
	if _, err := w.Sweep.Tick(ctx); err != nil {
		return err
	}
	return w.Now(ctx)
}

// findLost is what the schedule and the queue do about it.
func (w *world) findLost(ctx context.Context) error {
	if _, err := w.Sweep.Tick(ctx); err != nil {
		return err
	}
	if err := w.Now(ctx); err != nil {
		return err
	}
	w.Sim.SetFaults(wechatsim.Faults{})
	return nil
}

// flows lists what is counted, in the order of an order's life. Later ones go on with the order of earlier ones.
func flows() []flow {
	var b bought
	buy := func(ctx context.Context, w *world) (err error) { b, err = w.buy(ctx); return err }
	push := func(ctx context.Context, w *world) error { return w.pushGoods(ctx, b) }
	delivered := func(ctx context.Context, w *world) error { return w.mustBeDelivered(ctx, b.Order.ID) }
	code := ""
	return []flow{
		{name: "create", reads: 3, writes: 1, prepare: buy, run: func(ctx context.Context, w *world) error {
			_, err := w.create(ctx, b.token, "")
			return err
		}},
		{name: "create with a fresh code", reads: 3, writes: 2, prepare: func(ctx context.Context, w *world) error {
			code = w.Sim.Login(b.openID)
			return nil
		}, run: func(ctx context.Context, w *world) error { _, err := w.create(ctx, b.token, code); return err }},
		{name: "push, AES: the first", reads: 1, writes: 1, prepare: buy, run: push, check: delivered},
		{name: "push, AES: a repeat", reads: 1, writes: 1, run: push, check: delivered},
		{name: "poll of a settled order", reads: 2, writes: 0, run: func(ctx context.Context, w *world) error {
			return w.call(ctx, "GET", "/orders/"+b.Order.ID, b.token, nil, http.StatusOK, nil)
		}},
		{name: "lost push: sweep and worker", reads: noLimit, writes: noLimit,
			prepare: func(ctx context.Context, w *world) error { return w.lose(ctx, &b) },
			run:     func(ctx context.Context, w *world) error { return w.findLost(ctx) }, check: delivered},
		{name: "refund: the merchant's call", reads: noLimit, writes: noLimit, run: func(ctx context.Context, w *world) error {
			return w.call(ctx, "POST", "/merchant/orders/"+b.Order.ID+"/refunds", "", map[string]any{"amount": price / 3, "reason": "3"}, http.StatusAccepted, nil)
		}},
		{name: "refund: WeChat's push", reads: 1, writes: 1, prepare: refundRuns,
			run:   func(ctx context.Context, w *world) error { return w.Now(ctx) },
			check: func(ctx context.Context, w *world) error { return w.mustBeRefunded(ctx, b.Order.ID) }},
	}
}

// pushGoods delivers a forged push, since the simulator repeats one only when it was not answered, and lets the worker
// run: what the push leaves to it counts as well.
func (w *world) pushGoods(ctx context.Context, b bought) error {
	req, err := w.goodsPush(ctx, b)
	if err != nil {
		return err
	}
	if _, err := w.serve(req, http.StatusOK); err != nil {
		return err
	}
	return w.Now(ctx)
}

// refundRuns waits until WeChat has carried the refund out and its push is due.
func refundRuns(_ context.Context, w *world) error {
	due, ok := w.Sim.NextPush()
	if !ok {
		return errors.New("WeChat has no push about the refund")
	}
	w.Clock.Advance(due.Sub(w.Clock.Now()))
	return nil
}

func (w *world) mustBeRefunded(ctx context.Context, id string) error {
	o, err := w.Orders.Get(ctx, id)
	if err == nil && o.Ledger().Refunded != price/3 {
		err = fmt.Errorf("%d fen of order %s are back, expected %d", o.Ledger().Refunded, id, price/3)
	}
	return err
}
