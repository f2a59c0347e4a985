package lambdae2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
)

// aim gives the deployment a delivery target: every function starts again with what the template would then give it.
func (c *cloud) aim(vars map[string]string) {
	for name, value := range vars {
		c.vars[name] = value
	}
	for _, f := range awsenv.Functions() {
		c.fn[f.Name].Stop()
		c.start(f)
	}
	c.queue.Function = c.fn["reconcile"]
	c.gateway.Config.Handler = c.routes()
}

// webhook is what the template gives for a target of this kind.
func (c *cloud) webhook(shop http.Handler) map[string]string {
	name := strings.TrimSuffix(c.vars["XPAY_ORDERS_TABLE"], "-orders") + "-hook"
	return map[string]string{"XPAY_TARGET": "webhook", "XPAY_WEBHOOK_URL": c.serve(c.unsaid.hear(shop)), "XPAY_WEBHOOK_SECRET": c.secret(name, hookSecret)}
}

// shopServer is the merchant's: it answers with a status, after a while.
type shopServer struct {
	mu     sync.Mutex
	status int
	late   time.Duration
	ids    []string
	heard  []string
	forged int // events whose signature is not that of hookSecret
}

func (s *shopServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct{ Type string }
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &m) // what is no event is heard as ""
	s.mu.Lock()
	if !signedBy(r.Header, body) {
		s.forged++
	}
	s.ids, s.heard = append(s.ids, r.Header.Get("webhook-id")), append(s.heard, m.Type)
	status, late := s.status, s.late
	s.mu.Unlock()
	select {
	case <-time.After(late):
	case <-r.Context().Done():
	}
	w.WriteHeader(status)
}

func (s *shopServer) answer(status int, late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.late = status, late
}

func (s *shopServer) told() (ids, heard []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids), slices.Compact(slices.Clone(s.heard))
}

// The signing key is these bytes in base64, as Standard Webhooks writes it.
const (
	hookKey    = "hunter2hunter2hunter2hunter2hunt"
	hookSecret = `{"keys":["whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ="]}`
)

// signedBy reports whether an event is signed with hookKey as Standard Webhooks says: HMAC-SHA256 of id.timestamp.body.
func signedBy(h http.Header, body []byte) bool {
	mac := hmac.New(sha256.New, []byte(hookKey))
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	return slices.Contains(strings.Fields(h.Get("webhook-signature")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func TestAWebhookThatFailsAndIsLateAcceptsInTheEnd(t *testing.T) {
	t.Parallel()
	c, shop := deploy(t, options{}), &shopServer{status: 503}
	c.aim(c.webhook(shop))
	id := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context())
	if ids, _ := shop.told(); len(ids) != 0 {
		t.Errorf("the callback calls the target: %q", ids)
	}
	turn := func(state string) {
		t.Helper()
		c.until(state, 90*time.Second, func() bool {
			c.ok(c.tick())
			c.work()
			return c.merchant(id).Order.State == state
		})
	}
	turn("delivering")
	if v, _ := c.sim.Order(id); v.Pushes[0].Answered || !v.DeliveredAt.IsZero() {
		t.Errorf("WeChat is told before the target accepted: %+v", v.Pushes[0])
	}
	shop.answer(200, 11*time.Second) // later than we wait
	c.until("a try that is answered late", 90*time.Second, func() bool {
		c.ok(c.tick())
		c.work()
		ids, _ := shop.told()
		return len(ids) >= 2
	})
	if state := c.merchant(id).Order.State; state != "delivering" {
		t.Errorf("after a late answer the order is %s", state)
	}
	shop.answer(204, 0)
	turn("delivered")
	c.refund(id, "refund-key-1", 800)
	c.until("the refund is told", 90*time.Second, func() bool {
		c.push()
		c.ok(c.tick())
		c.work()
		_, heard := shop.told()
		return slices.Equal(heard, []string{"order.paid", "order.refunded"})
	})
	c.until("WeChat is told", 90*time.Second, func() bool {
		c.push()
		v, _ := c.sim.Order(id)
		return !v.DeliveredAt.IsZero()
	})
	if ids, _ := shop.told(); len(slices.Compact(ids)) != 2 || c.depth(c.dlq) != 0 {
		t.Errorf("the webhook-ids are %q, %d dead letters", ids, c.depth(c.dlq))
	}
	if shop.forged != 0 {
		t.Errorf("%d events are not signed with the secret", shop.forged)
	}
}

// TestAReceiverThatAnswersTwice confirms the event while we wait for its answer, answers when we have gone, and confirms again.
func TestAReceiverThatAnswersTwice(t *testing.T) {
	t.Parallel()
	c, shop := deploy(t, options{}), &shopServer{status: 200, late: 11 * time.Second}
	c.aim(c.webhook(shop))
	id := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for ids, _ := shop.told(); len(ids) == 0; ids, _ = shop.told() {
			if c.tick() != nil {
				return
			}
			c.work() // waits for the answer
		}
	}()
	c.until("the event is sent", 90*time.Second, func() bool { ids, _ := shop.told(); return len(ids) == 1 })
	confirm := func() {
		t.Helper()
		var reply merchantReply
		if c.operator("POST", "/merchant/orders/"+id+"/delivery").into(t, 200, &reply); reply.Order.State != "delivered" {
			t.Errorf("confirmed, and %s", reply.Order.State)
		}
	}
	confirm()
	<-sent // the late answer found nobody
	confirm()
	c.until("WeChat is told", 90*time.Second, func() bool {
		c.push()
		c.ok(c.tick())
		c.work()
		v, _ := c.sim.Order(id)
		return !v.DeliveredAt.IsZero()
	})
	c.explained(id, 0)
	ids, heard := shop.told()
	if v, _ := c.sim.Order(id); len(ids) != 1 || !slices.Equal(heard, []string{"order.paid"}) || v.Calls.NotifyProvideGoods > 1 || c.depth(c.dlq) != 0 {
		t.Errorf("sent as %q, WeChat told %d times, %d dead letters", ids, v.Calls.NotifyProvideGoods, c.depth(c.dlq))
	}
}

func TestAnEventBusThatRefusesAndTakes(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	name := strings.TrimSuffix(c.vars["XPAY_ORDERS_TABLE"], "-orders") + "-bus"
	c.aim(map[string]string{"XPAY_TARGET": "eventbus", "XPAY_EVENT_BUS": name})
	id := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context())
	c.until("it refuses", 90*time.Second, func() bool {
		c.ok(c.tick())
		c.work()
		return c.merchant(id).Order.State == "delivering" && c.logged("reconcile", "the event bus does not exist")
	})
	heard := c.listen(name)
	c.until("it takes", 90*time.Second, func() bool {
		c.ok(c.tick())
		c.work()
		return c.merchant(id).Order.State == "delivered"
	})
	if got := heard(); len(got) != 1 || !strings.Contains(got[0], `"order.paid"`) || !strings.Contains(got[0], id) {
		t.Errorf("the bus heard %q", got)
	}
}

// listen makes a bus, and returns what it heard of us.
func (c *cloud) listen(name string) func() []string {
	c.Helper()
	client := eventbridge.NewFromConfig(awstest.Config(awstest.Endpoint(c.T)))
	_, err := client.CreateEventBus(c.Context(), &eventbridge.CreateEventBusInput{Name: &name})
	c.ok(err)
	queue, err := c.sqs.CreateQueue(c.Context(), &sqs.CreateQueueInput{QueueName: &name})
	c.ok(err)
	_, err = client.PutRule(c.Context(), &eventbridge.PutRuleInput{Name: &name, EventBusName: &name, EventPattern: aws.String(`{"source":["xpay-serverless"]}`)})
	c.ok(err)
	_, err = client.PutTargets(c.Context(), &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &name, Targets: []types.Target{
		{Id: aws.String("q"), Arn: aws.String("arn:aws:sqs:us-east-1:123456789012:" + name)},
	}})
	c.ok(err)
	return func() (bodies []string) {
		got, err := c.sqs.ReceiveMessage(c.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10})
		c.ok(err)
		for _, m := range got.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
		}
		return bodies
	}
}
