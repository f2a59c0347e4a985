package e2e_test

import (
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

// What a call costs in the store is a promise too: on AWS it is the bill.
func TestWhatCallsCostInTheStore(t *testing.T) {
	t.Parallel()
	c := &store.Counted{}
	w := begin(t, wrapped(func(s store.Store) store.Store { c.Store = s; return c }))
	p := w.phone(alice)
	costs := func(what string, reads, writes int) {
		t.Helper()
		if got := c.Take(); got.Reads() != reads || got.Writes() != writes {
			t.Errorf("%s costs %d reads and %d writes, want %d and %d: %+v", what, got.Reads(), got.Writes(), reads, writes, got)
		}
	}
	c.Take()
	o, pay := p.create("key-of-alice", "vip_month", 1)
	costs("a create", 3, 1)
	code := w.stack.Sim.Login(bob)
	c.Take()
	b := &phone{w: w, openID: bob}
	var login struct{ Token string }
	w.login(code).into(t, 200, &login)
	b.token = login.Token
	c.Take()
	code = w.stack.Sim.Login(bob)
	b.post("/orders", "key-of-bob-1", `{"productId":"vip_month","quantity":1,"code":"`+code+`"}`).into(t, 201, new(orderReply))
	costs("a create with a fresh code", 3, 2)
	p.pay(pay)
	if n := w.stack.Sim.DeliverDue(t.Context()); n != 1 {
		t.Fatalf("%d pushes", n)
	}
	costs("a push", 1, 1)
	w.push(forged{}, goodPush(o.ID, w.truth(o.ID).Payments[0].TransactionID).json())
	if got := c.Take(); got.Reads() != 1 || got.Writes() > 1 {
		t.Errorf("a repeated push costs %+v", got)
	}
	w.stack.Clock.Advance(time.Hour)
	p.poll(o.ID)
	costs("a poll of a settled order", 2, 0)
	p.get("/orders")
	costs("a list", 2, 0)
	w.call("GET", "/products", "")
	costs("the products", 0, 0)
	w.call("POST", "/wechat/push?signature=x", "{}")
	w.push(forged{token: "guessed"}, goodPush(o.ID, "1").json())
	costs("a forged push", 0, 0)
	p.post("/orders", "short", wanted("vip_month", 1))
	if got := c.Take(); got.Writes() != 0 {
		t.Errorf("a bad create costs %+v", got)
	}
}
