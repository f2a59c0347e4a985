package lambdae2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// visibilityStep is the queue's visibility timeout in template.yaml to the next minute: after a step of virtual time as long as this, a
// message that was not finished is received again, and so runs out of receives as it would there.
const visibilityStep = 3 * time.Minute

// pass lets virtual time go by for WeChat, the functions and the queue alike, with a tick of the schedule and the worker's turn
// after each step.
func (c *cloud) pass(d, step time.Duration) {
	c.Helper()
	failed := &unfinished{Function: c.queue.Function}
	c.queue.Function = failed
	defer func() { c.queue.Function = failed.Function }()
	for end := c.ahead.Load() + int64(d); c.ahead.Load() < end; {
		c.moveOn(step)
		c.sim.DeliverDue(c.Context())
		if err := c.tick(); err != nil {
			c.Logf("the sweep: %v", err)
		}
		c.work()
		if step >= visibilityStep {
			c.show(failed.take())
		}
	}
	c.show(failed.take())
}

// moveOn sets the clocks of WeChat and of the functions ahead.
func (c *cloud) moveOn(d time.Duration) {
	c.Helper()
	ahead := time.Duration(c.ahead.Add(int64(d)))
	c.ok(os.WriteFile(c.clock, fmt.Appendf(nil, "%d\n", int64(ahead.Seconds())), 0o600))
}

// unfinished remembers the receipts of the messages that a function was given and that come again.
type unfinished struct {
	Function lambdatest.Invoker

	mu       sync.Mutex
	receipts []string
}

func (u *unfinished) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	answer, err := u.Function.Invoke(ctx, event)
	var batch events.SQSEvent
	var said events.SQSEventResponse
	_, _ = json.Unmarshal(event, &batch), json.Unmarshal(answer, &said) // an answer that is none goes with an error
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, m := range batch.Records {
		if err != nil || slices.Contains(said.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId}) {
			u.receipts = append(u.receipts, m.ReceiptHandle)
		}
	}
	return answer, err
}

func (u *unfinished) take() (receipts []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	receipts, u.receipts = u.receipts, nil
	return receipts
}

// show ends the visibility timeout of messages.
func (c *cloud) show(receipts []string) {
	c.Helper()
	for part := range slices.Chunk(receipts, 10) {
		var entries []types.ChangeMessageVisibilityBatchRequestEntry
		for i := range part {
			id := strconv.Itoa(i)
			entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: &id, ReceiptHandle: &part[i], VisibilityTimeout: 0})
		}
		_, err := c.sqs.ChangeMessageVisibilityBatch(c.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &c.queue.URL, Entries: entries})
		c.ok(err)
	}
}

// hidden is a visibility that does not end while a test runs: only virtual time shows a message again.
const hidden = "3600"

// silence does a fault to every call of every function to WeChat, and loses what WeChat pushes; without one it ends.
func (c *cloud) silence(fault *lambdatest.Fault) {
	c.ok(c.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: fault != nil}}))
	for _, w := range c.wechat {
		w.Break(func(lambdatest.Passing) (f lambdatest.Fault) {
			if fault != nil {
				f = *fault
			}
			return f
		})
	}
}

// fenBack is what a refund of these tests gives back.
const fenBack = 800

// business is what is under way when an outage begins, and what comes meanwhile.
type business struct {
	*cloud
	shop           *shopServer
	buyer, visitor *phone
	refunds        []string // delivered before; money is to go back
	accepted       []string // paid before; the target takes them meanwhile, and WeChat cannot be told
	paid           []string // meanwhile, and WeChat does not tell
	unpaid         string
	ordersOfAKind  int
}

func openBusiness(c *cloud, ordersOfAKind int) *business {
	c.Helper()
	b := &business{cloud: c, shop: &shopServer{status: 503}, ordersOfAKind: ordersOfAKind}
	b.buyer, b.visitor = c.login("oBuyer"), c.login("oVisitor")
	b.refunds = b.orders(c.login("oRegretful"))
	c.sim.DeliverDue(c.Context())
	c.aim(c.webhook(b.shop))
	b.accepted = b.orders(c.login("oPatient"))
	c.sim.DeliverDue(c.Context())
	return b
}

func (b *business) orders(p *phone) (ids []string) {
	b.Helper()
	for i := range b.ordersOfAKind {
		ids = append(ids, p.order(fmt.Sprintf("purchase-%d", i)))
	}
	return ids
}

// goesOn while WeChat is away: signing does not need it, and a refund is promised.
func (b *business) goesOn() {
	b.Helper()
	b.shop.answer(204, 0)
	b.paid = b.orders(b.buyer)
	var left orderReply
	b.visitor.buy("never-paid-1").into(b.T, 201, &left)
	b.unpaid = left.Order.ID
	for _, id := range b.refunds {
		b.refund(id, "refund-key-1", fenBack).into(b.T, 202, new(any))
	}
}

// waits checks that nothing is taken for done, and nothing for lost, of which WeChat has not spoken.
func (b *business) waits() {
	b.Helper()
	if n := b.depth(b.dlq); n != 0 {
		b.Errorf("%d dead letters: a WeChat that does not answer is no failure of ours", n)
	}
	if b.logged("reconcile", "message not done") { // a later message about the same order may be done before this one is a dead letter
		b.Error("a message comes again because WeChat did not answer: the due time should have moved")
	}
	for _, id := range b.paid {
		if o := b.merchant(id).Order; o.State != "created" {
			b.Errorf("an order is %s before WeChat has said anything", o.State)
		}
	}
	for _, id := range b.refunds {
		if o := b.merchant(id).Order; o.Ledger.Refunded != 0 || o.Ledger.Reserved != fenBack {
			b.Errorf("a refund that WeChat has not heard of: %+v", o.Ledger)
		}
	}
	if _, sum := b.metrics(); sum["WeChatErrors"] == 0 {
		b.Error("nobody counted that WeChat is away")
	}
}

// isExplained checks everything from both sides.
func (b *business) isExplained() {
	b.Helper()
	for _, id := range slices.Concat(b.paid, b.accepted) {
		b.explained(id, 0)
		if v, _ := b.sim.Order(id); v.DeliveredAt.IsZero() {
			b.Errorf("WeChat was not told that %s is delivered", id)
		}
	}
	for _, id := range b.refunds {
		b.explained(id, fenBack)
	}
	if o := b.merchant(b.unpaid).Order; o.State != "created" {
		b.Errorf("the order that nobody paid is %s", o.State)
	}
	if n := b.depth(b.dlq) + b.depth(b.queue.URL); n != 0 {
		b.Errorf("%d messages are left", n)
	}
}

func TestSixHoursWithoutWeChatLoseNothingAndLeaveNoDeadLetter(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{visibility: hidden})
	b := openBusiness(c, 4)
	c.silence(&lambdatest.Fault{CutBefore: true})
	b.goesOn()
	c.pass(6*time.Hour, visibilityStep)
	b.waits()
	for _, id := range b.accepted {
		if v, _ := c.sim.Order(id); c.merchant(id).Order.State != "delivered" || !v.DeliveredAt.IsZero() {
			t.Errorf("the target has it, and WeChat was not to be reached: %+v", v)
		}
	}
	c.silence(nil)
	c.pass(3*time.Hour, visibilityStep)
	b.isExplained()
}

// A WeChat that takes calls and does not answer them holds the worker up: each call lasts as long as it waits.
func TestAWeChatThatHangsLosesNothingAndLeavesNoDeadLetter(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{visibility: hidden})
	b := openBusiness(c, 1)
	c.silence(&lambdatest.Fault{Hang: true})
	b.goesOn()
	c.pass(8*visibilityStep, visibilityStep) // more than a message has receives
	b.waits()
	c.silence(nil)
	c.pass(3*time.Hour, visibilityStep)
	b.isExplained()
}

// failing is a worker that finishes no message and moves no due time.
type failing struct{}

func (failing) Invoke(_ context.Context, event []byte) ([]byte, error) {
	var batch events.SQSEvent
	var answer events.SQSEventResponse
	if err := json.Unmarshal(event, &batch); err != nil {
		return nil, err
	}
	for _, m := range batch.Records {
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	return json.Marshal(answer)
}

// TestAWorkerThatReturnsWhatWeChatDoesNotAnswerFillsTheDeadLetterQueue: the two tests above would see one that does.
func TestAWorkerThatReturnsWhatWeChatDoesNotAnswerFillsTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{visibility: hidden})
	c.login("oAlice").order("purchase-1")
	c.silence(&lambdatest.Fault{CutBefore: true})
	c.queue.Function = failing{}
	c.pass(30*time.Minute, visibilityStep)
	if c.depth(c.dlq) == 0 {
		t.Error("no message runs out of receives within half an hour")
	}
}

// tablesRefuse all calls to DynamoDB that end so for all functions, as a service that is ill does; with none it is well again.
func (c *cloud) tablesRefuse(endings ...string) {
	for function := range c.aws {
		c.fault(function, func(p lambdatest.Passing) lambdatest.Fault {
			operation, isTable := strings.CutPrefix(p.Operation, "DynamoDB_20120810.")
			if isTable && slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(operation, end) }) {
				return lambdatest.Fault{Refuse: &lambdatest.AWSError{Code: "InternalServerError", Status: 500}}
			}
			return lambdatest.Fault{}
		})
	}
}

// illness is what is under way when the tables fall ill.
type illness struct {
	*cloud
	buyer    *phone
	paid     []string // WeChat has not told yet
	refunded string   // promised, and WeChat has not heard of it
	kept     string   // delivered, and nothing is asked of it
}

func (c *cloud) beforeTheIllness() *illness {
	c.Helper()
	i := &illness{cloud: c, buyer: c.login("oAlice")}
	i.refunded, i.kept = i.buyer.order("bought-before-1"), i.buyer.order("bought-before-2")
	c.sim.DeliverDue(c.Context())
	c.explained(i.refunded, 0)
	c.wechat["refund"].Break(func(lambdatest.Passing) lambdatest.Fault { return lambdatest.Fault{CutBefore: true} })
	c.refund(i.refunded, "refund-key-1", fenBack).into(c.T, 202, new(any))
	c.wechat["refund"].Break(nil)
	for n := range 3 {
		i.paid = append(i.paid, i.buyer.order(fmt.Sprintf("paid-meanwhile-%d", n)))
	}
	c.moveOn(2 * time.Minute) // all of it is due
	c.ok(c.tick())            // and on the queue
	return i
}

// turnsAway checks what those hear who want something meanwhile.
func (i *illness) turnsAway() {
	i.Helper()
	if a := i.buyer.buy("turned-away-1"); a.status != 503 {
		i.Errorf("an order is answered %s", a)
	}
	if a := i.refund(i.kept, "refund-key-2", 100); a.status != 503 {
		i.Errorf("a refund is answered %s", a)
	}
}

// recordsOrSaysNo checks that nobody was told of a success that is not stored, and that no money moved without its record.
func (i *illness) recordsOrSaysNo() {
	i.Helper()
	for _, id := range i.paid {
		if v, _ := i.sim.Order(id); v.Pushes[0].Attempts == 0 || v.Pushes[0].Answered || !v.DeliveredAt.IsZero() {
			i.Errorf("a payment that was not stored is acknowledged, or was never told: %+v", v.Pushes[0])
		}
	}
	if v, _ := i.sim.Order(i.refunded); len(v.Refunds) != 0 {
		i.Errorf("money goes back of which no number is stored: %+v", v.Refunds)
	}
	if i.depth(i.dlq) == 0 {
		i.Error("no dead letter: a message that cannot be worked off for an hour is a failure of ours, and somebody must hear of it")
	}
}

func (i *illness) recovers() {
	i.Helper()
	i.tablesRefuse()
	i.pass(3*time.Hour, visibilityStep) // no dead letter is sent again: what they named stays due
	for _, id := range i.paid {
		i.explained(id, 0)
	}
	i.explained(i.refunded, fenBack)
	i.explained(i.kept, 0)
}

// Nothing can be read, so the sweep finds nothing; the messages that it sent before run out of receives.
func TestAnHourWithoutDynamoDBLosesNothing(t *testing.T) {
	t.Parallel()
	i := deploy(t, options{visibility: hidden}).beforeTheIllness()
	i.tablesRefuse("")
	i.turnsAway()
	i.pass(time.Hour, visibilityStep)
	i.recordsOrSaysNo()
	i.recovers()
}

// TestAnHourInWhichDynamoDBWritesNothingLosesNothing: everything is still read, the sweep goes on to send what is due, WeChat
// answers, and nothing of it can be stored.
func TestAnHourInWhichDynamoDBWritesNothingLosesNothing(t *testing.T) {
	t.Parallel()
	i := deploy(t, options{visibility: hidden}).beforeTheIllness()
	const unknown = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	ofUnknown := func() wechatsim.PushResult {
		sent, err := i.sim.SendPush(t.Context(), "xpay_refund_notify", json.RawMessage(`{"OpenId":"oAlice","WxRefundId":"hunter2-refund","MchRefundId":"","WxOrderId":"w1",
			"MchOrderId":"`+unknown+`","RefundFee":100,"RetCode":0,"RetMsg":"ok","RefundStartTimestamp":1772330400,"RefundSuccTimestamp":1772330460}`))
		i.ok(err)
		return sent
	}
	i.tablesRefuse("PutItem", "UpdateItem") // no role may write otherwise
	i.turnsAway()
	if sent := ofUnknown(); sent.Status != 200 || sent.Answered {
		t.Errorf("evidence that was not stored is acknowledged: %+v", sent)
	}
	i.pass(time.Hour, visibilityStep)
	i.recordsOrSaysNo()
	for _, id := range i.paid {
		if o := i.merchant(id).Order; o.State != "created" || o.Ledger.Paid != 0 { // read while nothing is written
			t.Errorf("stored after all: %+v", o)
		}
	}
	i.recovers()
	var held heldReply
	if sent := ofUnknown(); !sent.Answered {
		t.Errorf("the repeat is not taken: %+v", sent)
	}
	if i.operator("GET", "/merchant/held").into(t, 200, &held); len(held.Held) != 1 || held.Held[0].Number != unknown {
		t.Errorf("waiting: %+v", held)
	}
}
