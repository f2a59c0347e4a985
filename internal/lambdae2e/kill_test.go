package lambdae2e_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// A fate is what happens to a function in the middle of a call to AWS or WeChat.
type fate struct {
	name string
	does func(*lambdatest.Function) lambdatest.Fault
}

var fates = []fate{
	{"killed, the call is lost", func(f *lambdatest.Function) lambdatest.Fault {
		return lambdatest.Fault{Before: f.Kill, CutBefore: true}
	}},
	{"killed, the call happened", func(f *lambdatest.Function) lambdatest.Fault {
		return lambdatest.Fault{After: f.Kill, CutAfter: true}
	}},
	{"cut off, the call is lost", func(*lambdatest.Function) lambdatest.Fault { return lambdatest.Fault{CutBefore: true} }},
	{"cut off, the call happened", func(*lambdatest.Function) lambdatest.Fault { return lambdatest.Fault{CutAfter: true} }},
}

// everyCall plays a scenario once for each call that a freshly started function makes in it, and each fate. A scenario is
// given its number, so that it can be somebody else's. It ends with the first call that the function does not make.
func (c *cloud) everyCall(function string, atLeast int, play func(n int)) {
	c.Helper()
	n := 0
	for _, fate := range fates {
		for call := 1; ; call++ {
			n++
			c.fn[function].Kill()
			met := c.breakAt(function, call, fate)
			play(n)
			c.mend(function)
			if !met() {
				if call <= atLeast {
					c.Errorf("%s makes %d calls only", function, call-1)
				}
				break
			}
		}
	}
	c.Logf("%s: %d scenarios", function, n)
}

// breakAt lets the fate meet the nth call of the function from now on.
func (c *cloud) breakAt(function string, nth int, fate fate) (met func() bool) {
	var calls atomic.Int32
	hook := func(lambdatest.Passing) lambdatest.Fault {
		if calls.Add(1) != int32(nth) {
			return lambdatest.Fault{}
		}
		return fate.does(c.fn[function])
	}
	c.fault(function, hook)
	c.wechat[function].Break(hook)
	return func() bool { return calls.Load() >= int32(nth) }
}

func (c *cloud) mend(function string) {
	c.fault(function, nil)
	c.wechat[function].Break(nil)
}

func TestALoginThatIsKilledCanBeRepeated(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	c.everyCall("login", 5, func(n int) {
		openID := fmt.Sprintf("oLogin%d", n)
		a := c.call("POST", "/login", `{"code":"`+c.sim.Login(openID)+`"}`)
		c.mend("login")
		var reply struct{ Token string }
		if a.status != 200 { // wx.login again
			a = c.call("POST", "/login", `{"code":"`+c.sim.Login(openID)+`"}`)
		}
		a.into(t, 200, &reply)
		if a := c.call("GET", "/orders", "", "Authorization", "Bearer "+reply.Token); a.status != 200 {
			t.Errorf("the token is not good: %s", a)
		}
	})
}

func TestAnOrderWhoseCreationIsKilledIsCreatedOnce(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	c.everyCall("createorder", 8, func(n int) {
		p := c.login(fmt.Sprintf("oCreate%d", n))
		a, want := p.buy("purchase-1"), 201
		c.mend("createorder")
		if a.status != 201 {
			if a = p.buy("purchase-1"); a.status == 200 { // it was stored, only the answer was lost
				want = 200
			}
		}
		var reply orderReply
		a.into(t, want, &reply)
		p.pay(reply.Payment)
		c.sim.DeliverDue(t.Context())
		c.explained(reply.Order.ID, 0)
		var list struct{ Orders []orderJSON }
		if c.call("GET", "/orders", "", "Authorization", "Bearer "+p.token).into(t, 200, &list); len(list.Orders) != 1 {
			t.Errorf("the user has %d orders", len(list.Orders))
		}
	})
}

func TestAPushThatKillsTheCallbackIsRepeatedAndBookedOnce(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	p := c.login("oAlice")
	c.everyCall("callback", 6, func(n int) {
		if n%9 == 0 {
			p = c.login(fmt.Sprintf("oCallback%d", n)) // one user may create ten orders a minute
		}
		id := p.order(fmt.Sprintf("purchase-%d", n))
		c.push()
		c.mend("callback")
		c.until("the push is answered", 20*time.Second, func() bool {
			v, _ := c.sim.Order(id)
			if v.Pushes[0].Answered {
				return true
			}
			c.push()
			return false
		})
		c.explained(id, 0)
		c.ahead.Store(0)
	})
}

func TestAPollThatIsKilledWhileItRepairsLosesNothing(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{visibility: "300"})
	c.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	bought := map[string]*phone{}
	var ids []string
	for n := range 72 {
		p := c.login(fmt.Sprintf("oPoll%d", n))
		ids = append(ids, p.order("purchase-1"))
		bought[ids[n]] = p
	}
	time.Sleep(3100 * time.Millisecond) // a poll asks WeChat when the last look is 3 s old
	c.everyCall("orders", 12, func(n int) {
		if n > len(ids) {
			t.Fatalf("more than %d scenarios", len(ids))
		}
		bought[ids[n-1]].poll(ids[n-1])
	})
	for id, p := range bought { // a licence to ask WeChat that a dead process holds ends after 30 s
		c.until("delivered", 60*time.Second, func() bool {
			var reply orderReply
			p.poll(id).into(t, 200, &reply)
			return reply.Order.State == "delivered"
		})
		c.explained(id, 0)
	}
}

func TestARefundThatIsKilledHappensOnce(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{visibility: "300"})
	var delivered []string
	c.everyCall("refund", 14, func(n int) {
		id := c.delivered(n)
		delivered = append(delivered, id)
		a := c.refund(id, "refund-key-1", 800)
		c.mend("refund")
		if a.status != 202 {
			a = c.refund(id, "refund-key-1", 800)
		}
		if a.status != 202 && a.status != 200 {
			t.Errorf("the repeat is answered %s", a)
		}
	})
	c.settle(delivered, 800)
}

func TestAWorkerThatIsKilledLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{pushMode: "plain", visibility: "300"})
	var paid []string
	c.everyCall("reconcile", 10, func(n int) {
		id := c.login(fmt.Sprintf("oWorker%d", n)).order("purchase-1")
		paid = append(paid, id)
		c.sim.DeliverDue(t.Context()) // only a hint: the order is due, and on the queue
		c.queue.Poll(t.Context())     // fails where the worker is killed; its message stays invisible for this test
	})
	c.settle(paid, 0)
}

func TestAWorkerThatIsKilledWhileItRefundsRefundsOnce(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{visibility: "300"})
	c.wechat["refund"].Break(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{CutBefore: true} })
	var asked []string
	for n := range 72 { // intents that are stored and not sent
		id := c.delivered(n)
		asked = append(asked, id)
		if a := c.refund(id, "refund-key-1", 800); a.status != 202 {
			t.Fatalf("the refund is answered %s", a)
		}
	}
	time.Sleep(5 * time.Second) // until the last is due again
	c.everyCall("reconcile", 10, func(n int) {
		if n > len(asked) {
			t.Fatalf("more than %d scenarios", len(asked))
		}
		message := fmt.Sprintf(`{"id":"order/%s"}`, asked[n-1])
		_, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &c.queue.URL, MessageBody: &message})
		c.ok(err)
		c.queue.Poll(t.Context())
	})
	c.settle(asked, 800)
}

func TestASweepThatIsKilledIsRepeatedByTheNext(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{pushMode: "plain"})
	c.everyCall("sweep", 9, func(n int) {
		id := c.login(fmt.Sprintf("oSweep%d", n)).order("purchase-1")
		c.sim.DeliverDue(t.Context())
		_, err := c.sqs.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &c.queue.URL})
		c.ok(err)
		_ = c.tick()
		c.mend("sweep")
		c.ok(c.tick())
		c.until("delivered", 20*time.Second, func() bool {
			c.work()
			return c.merchant(id).Order.State == "delivered"
		})
		c.explained(id, 0)
	})
}

// delivered is an order that was bought and delivered.
func (c *cloud) delivered(n int) string {
	c.Helper()
	id := c.login(fmt.Sprintf("oBuyer%d", n)).order("purchase-1")
	c.sim.DeliverDue(c.Context())
	return id
}

// settle lets the schedule and WeChat go on until all orders are delivered and refunded as wanted. The licences of killed
// processes end after 30 s.
func (c *cloud) settle(ids []string, refunded int64) {
	c.Helper()
	open := ids
	c.until(fmt.Sprintf("all of %d orders are settled", len(ids)), 180*time.Second, func() bool {
		c.ok(c.tick())
		c.work()
		c.push()
		var still []string
		for _, id := range open {
			if o := c.merchant(id).Order; o.State != "delivered" || o.Ledger.Refunded != refunded || o.Ledger.Reserved != 0 {
				still = append(still, id)
			}
		}
		open = still
		return len(open) == 0
	})
	for _, id := range ids {
		c.explained(id, refunded)
	}
}
