package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// cloudFlow is one thing that happens, the function that serves it, and the most requests it may make: in a process that
// has served before, and on top of these in a new one.
type cloudFlow struct {
	name, function string
	warm, cold     requests
	prepare        func(ctx context.Context, c *cloud) error // not counted, on whatever functions it takes
	run            func(ctx context.Context, c *cloud) error
	check          func(ctx context.Context, c *cloud) error // not counted; nil: the answer was proof enough
}

const (
	earlierOrders = 3
	sweptOrders   = 10
	repairAfter   = 3100 * time.Millisecond // a poll asks WeChat when the last look is older than 3 s
)

// What a start asks for. A secret that may be rotated is read in two versions; a table is tried by one read.
var (
	withMerchant = requests{Reads: 2, Secrets: 4} // merchant and seal, now and before: both can be rotated
	withPush     = requests{Reads: 2, Secrets: 2} // push, now and before
	askingWeChat = requests{Reads: 3, Secrets: 4} // the access token besides, which a process keeps
)

// cloudFlows lists what is counted. The sweep comes first, while nothing else is due: an order is due a minute after it
// was signed.
func cloudFlows() []cloudFlow {
	var b bought
	var key string
	buy := func(ctx context.Context, c *cloud) (err error) { b, err = c.buy(ctx); return err }
	pay := func(ctx context.Context, c *cloud) (err error) { b, err = c.buyPaid(ctx); return err }
	push := func(ctx context.Context, c *cloud) error { return c.push(ctx, b, true) }
	work := func(ctx context.Context, c *cloud) error { return c.work(ctx, b.Order.ID) }
	delivered := func(ctx context.Context, c *cloud) error { return c.mustBe(ctx, b.Order.ID, order.Delivered) }
	create := func(status int) func(context.Context, *cloud) error {
		return func(ctx context.Context, c *cloud) error { _, err := c.create(ctx, b.token, key, status); return err }
	}
	logIn := func(earlier int) func(context.Context, *cloud) error {
		return func(ctx context.Context, c *cloud) (err error) {
			b.openID, b.token, err = c.login(ctx)
			for range earlier {
				if key = c.fresh("key"); err == nil {
					_, err = c.create(ctx, b.token, key, http.StatusCreated)
				}
			}
			key = c.fresh("key")
			return err
		}
	}
	deliver := func(ctx context.Context, c *cloud) error {
		if err := pay(ctx, c); err != nil {
			return err
		}
		return push(ctx, c)
	}
	return []cloudFlow{
		{name: "sweep, nothing due", function: "sweep", warm: requests{Reads: 8},
			run: func(ctx context.Context, c *cloud) error { return c.tick(ctx, 0) }},
		{name: "sweep, 10 due", function: "sweep", warm: requests{Reads: 8, SQS: 1}, prepare: tenDue(),
			run: func(ctx context.Context, c *cloud) error { return c.tick(ctx, sweptOrders) }},
		{name: "login", function: "login", warm: requests{Reads: 1, Writes: 2, WeChat: 1}, cold: requests{Reads: 1, Secrets: 4},
			run: func(ctx context.Context, c *cloud) error { _, _, err := c.login(ctx); return err }},
		{name: "create, a user's first order", function: "createorder", warm: requests{Reads: 3, Writes: 1}, cold: withMerchant,
			prepare: logIn(0), run: create(http.StatusCreated)},
		{name: "create, after 3 others", function: "createorder", warm: requests{Reads: 3, Writes: 1}, cold: withMerchant,
			prepare: logIn(earlierOrders), run: create(http.StatusCreated)},
		{name: "create, the same key again", function: "createorder", warm: requests{Reads: 3, Writes: 3, WeChat: 1}, cold: askingWeChat,
			prepare: func(ctx context.Context, c *cloud) error {
				if err := logIn(0)(ctx, c); err != nil {
					return err
				}
				return create(http.StatusCreated)(ctx, c)
			}, run: create(http.StatusOK)},
		{name: "push, AES: the first", function: "callback", warm: requests{Reads: 1, Writes: 1}, cold: withPush,
			prepare: buy, run: push, check: delivered},
		{name: "push, AES: a repeat", function: "callback", warm: requests{Reads: 1, Writes: 1}, cold: withPush,
			prepare: deliver, run: push, check: delivered},
		{name: "poll of a delivered order", function: "orders", warm: requests{Reads: 2}, cold: withMerchant,
			prepare: deliver, run: func(ctx context.Context, c *cloud) error { return c.mustShow(ctx, b, order.Delivered) }},
		{name: "poll that repairs: the push is lost", function: "orders", warm: requests{Reads: 2, Writes: 2, SQS: 1, WeChat: 1}, cold: askingWeChat,
			prepare: func(ctx context.Context, c *cloud) error {
				if err := pay(ctx, c); err != nil {
					return err
				}
				return sleep(ctx, repairAfter)
			}, run: func(ctx context.Context, c *cloud) error { return c.mustShow(ctx, b, order.Delivered) }},
		{name: "refund: the merchant's call", function: "refund", warm: requests{Reads: 3, Writes: 4, WeChat: 3}, cold: askingWeChat,
			prepare: deliver, run: func(ctx context.Context, c *cloud) error { return c.refund(ctx, b.Order.ID) }},
		{name: "reconcile, not due: a duplicate", function: "reconcile", warm: requests{Reads: 1}, cold: withMerchant,
			prepare: deliver, run: work},
		{name: "reconcile, due: a hint is settled", function: "reconcile", warm: requests{Reads: 1, Writes: 2, WeChat: 1}, cold: askingWeChat,
			prepare: func(ctx context.Context, c *cloud) (err error) { b, err = c.hint(ctx); return err }, run: work, check: delivered},
	}
}

// warm asks WeChat about one order, so that the access token is stored: it is fetched once in two hours.
func (c *cloud) warm(ctx context.Context) error {
	_, token, err := c.login(ctx)
	if err != nil {
		return err
	}
	key := c.fresh("key")
	_, err = c.create(ctx, token, key, http.StatusCreated)
	if err == nil {
		_, err = c.create(ctx, token, key, http.StatusOK)
	}
	return err
}

// hint leaves an order that is due now: paid, and told by a plain push, which the query must bear out.
func (c *cloud) hint(ctx context.Context) (bought, error) {
	b, err := c.buyPaid(ctx)
	if err != nil {
		return b, err
	}
	return b, c.push(ctx, b, false)
}

// tenDue makes 10 documents due, once: the sweep settles none.
func tenDue() func(context.Context, *cloud) error {
	made := 0
	return func(ctx context.Context, c *cloud) error {
		for ; made < sweptOrders; made++ {
			if _, err := c.hint(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// mustShow polls an order as its user, who must see a state.
func (c *cloud) mustShow(ctx context.Context, b bought, state order.State) error {
	seen, err := c.poll(ctx, b)
	if err == nil && seen.Order.State != state {
		err = fmt.Errorf("the user sees %s, expected %s", seen.Order.State, state)
	}
	return err
}

// refund asks for a third of the money back.
func (c *cloud) refund(ctx context.Context, id string) error {
	return c.send(ctx, "POST", "/merchant/orders/"+id+"/refunds", map[string]any{"amount": price / 3, "reason": "3"}, http.StatusAccepted, nil,
		"Authorization", signature, "X-Amz-Date", "20260301T020000Z", "Idempotency-Key", c.fresh("refund"))
}
