package lambdae2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// pass lets virtual time go by for WeChat and for the functions alike, with a tick of the schedule and the worker's turn
// after each step.
func (c *cloud) pass(d, step time.Duration) {
	c.Helper()
	for end := c.ahead.Load() + int64(d); c.ahead.Load() < end; {
		ahead := time.Duration(c.ahead.Add(int64(step)))
		c.ok(os.WriteFile(c.clock, fmt.Appendf(nil, "%d\n", int64(ahead.Seconds())), 0o600))
		c.sim.DeliverDue(c.Context())
		if err := c.tick(); err != nil {
			c.Logf("the sweep: %v", err)
		}
		c.work()
	}
}

// silence cuts every connection of every function to WeChat, and loses what WeChat pushes.
func (c *cloud) silence(on bool) {
	c.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: on}})
	for _, w := range c.wechat {
		w.Break(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{CutBefore: on} })
	}
}

func TestSixHoursWithoutWeChatLoseNothingAndLeaveNoDeadLetter(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	alice, bob := c.login("oAlice"), c.login("oBob")
	refunded := alice.order("bought-before")
	c.sim.DeliverDue(t.Context())
	c.explained(refunded, 0)

	c.silence(true)
	var paid []string
	for i := range 4 {
		paid = append(paid, alice.order(fmt.Sprintf("paid-meanwhile-%d", i))) // signing needs no WeChat
	}
	var left orderReply
	bob.buy("never-paid-1").into(t, 201, &left)
	c.refund(refunded, "refund-key-1", 800).into(t, 202, new(any))
	c.pass(6*time.Hour, 3*time.Minute)
	if n := c.depth(c.dlq); n != 0 {
		t.Errorf("%d dead letters: a WeChat that does not answer is no failure of ours", n)
	}
	for _, id := range paid {
		if o := c.merchant(id).Order; o.State != "created" {
			t.Errorf("an order is %s before WeChat has said anything", o.State)
		}
	}
	if _, sum := c.metrics(); sum["WeChatErrors"] == 0 {
		t.Error("nobody counted that WeChat is away")
	}

	c.silence(false)
	c.pass(3*time.Hour, 3*time.Minute)
	for _, id := range paid {
		c.explained(id, 0)
		if v, _ := c.sim.Order(id); v.DeliveredAt.IsZero() {
			t.Errorf("WeChat was not told that %s is delivered", id)
		}
	}
	c.explained(refunded, 800)
	if o := c.merchant(left.Order.ID).Order; o.State != "created" {
		t.Errorf("the order that nobody paid is %s", o.State)
	}
	if n := c.depth(c.dlq) + c.depth(c.queue.URL); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// An outage of DynamoDB is not told from one of all of AWS by a function; SQS stays up here, so that messages do run out of
// tries. What they named stays due.
func TestAnHourWithoutDynamoDBLosesNothing(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	alice := c.login("oAlice")
	warm := alice.order("bought-before")
	c.sim.DeliverDue(t.Context())
	c.explained(warm, 0)
	meanwhile := alice.order("paid-meanwhile")
	c.refund(warm, "refund-key-1", 800).into(t, 202, new(any))

	for function := range c.aws {
		c.fault(function, func(p lambdatest.Passing) lambdatest.Fault {
			if _, isTable := strings.CutPrefix(p.Operation, "DynamoDB_20120810."); isTable {
				return lambdatest.Fault{Refuse: &lambdatest.AWSError{Code: "InternalServerError", Status: 500}}
			}
			return lambdatest.Fault{}
		})
	}
	if a := alice.buy("turned-away-1"); a.status != 503 {
		t.Errorf("an order is answered %s", a)
	}
	if a := c.refund(warm, "refund-key-2", 100); a.status != 503 {
		t.Errorf("a refund is answered %s", a)
	}
	c.pass(time.Hour, 3*time.Minute)
	if v, _ := c.sim.Order(meanwhile); v.Pushes[0].Answered {
		t.Error("a push is acknowledged that was not stored")
	}
	for function := range c.aws {
		c.fault(function, nil)
	}
	c.pass(3*time.Hour, 3*time.Minute)
	c.explained(meanwhile, 0)
	c.explained(warm, 800)
}
