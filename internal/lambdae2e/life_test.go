package lambdae2e_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestAPurchaseIsDeliveredAndRefunded(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	alice := c.login("oAlice")
	var products struct{ Products []struct{ ID string } }
	if c.call("GET", "/products", "").into(t, 200, &products); len(products.Products) != 1 {
		t.Errorf("%d products", len(products.Products))
	}
	id := alice.order("purchase-1")
	if n := c.sim.DeliverDue(t.Context()); n != 1 {
		t.Errorf("%d pushes", n)
	}
	c.explained(id, 0)
	var seen orderReply
	if alice.poll(id).into(t, 200, &seen); seen.Order.State != "delivered" || !seen.Order.Owned {
		t.Errorf("the phone sees %+v", seen.Order)
	}

	var asked struct{ Refund struct{ State string } }
	c.refund(id, "refund-key-1", 800).into(t, 202, &asked)
	c.until("refunded", 30*time.Second, func() bool {
		c.work()
		c.push()
		return c.merchant(id).Order.Ledger.Refunded == 800
	})
	c.explained(id, 800)
	c.refund(id, "refund-key-1", 800).into(t, 200, &asked) // the same again
	c.explained(id, 800)
	if c.logged("callback", "plain mode") {
		t.Error("an encrypted push is taken for a plain one")
	}
}

func TestALostPushIsFoundBySweepAndReconcile(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	c.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	id := c.login("oAlice").order("purchase-1")
	c.until("delivered", 100*time.Second, func() bool { // an order is first looked at a minute after it was signed
		time.Sleep(time.Second)
		c.ok(c.tick())
		c.work()
		return c.merchant(id).Order.State == "delivered"
	})
	c.explained(id, 0)
	c.until("WeChat is told", 100*time.Second, func() bool {
		time.Sleep(time.Second)
		c.ok(c.tick())
		c.work()
		v, _ := c.sim.Order(id)
		return !v.DeliveredAt.IsZero()
	})
}

func TestAPoisonedMessageEndsInTheDeadLetterQueueAlone(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{pushMode: "plain"})
	id := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context()) // a plain push is a hint: the order is due now, and on the queue
	for _, body := range []string{`{"id":"nonsense/1"}`, `not JSON`} {
		_, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &c.queue.URL, MessageBody: aws.String(body)})
		c.ok(err)
	}
	c.until("both poisoned messages are set aside", 60*time.Second, func() bool {
		c.work()
		time.Sleep(300 * time.Millisecond)
		return c.depth(c.dlq) == 2 && c.depth(c.queue.URL) == 0
	})
	c.explained(id, 0)
	if !c.logged("reconcile", "message not done", "nonsense", `"ERROR"`) {
		t.Errorf("the log does not say which message: %q", c.fn["reconcile"].Logs())
	}
	if !c.logged("callback", `"message":"a push came in plain mode"`, `"level":"WARN"`) {
		t.Errorf("the log does not say that pushes are plain: %q", c.fn["callback"].Logs())
	}
}

// depth is how many messages a queue holds, the invisible ones included.
func (c *cloud) depth(url string) int {
	c.Helper()
	out, err := c.sqs.GetQueueAttributes(c.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	c.ok(err)
	n := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
		k, err := strconv.Atoi(out.Attributes[name])
		c.ok(err)
		n += k
	}
	return n
}
