package eventbus_test

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/deliver/eventbus"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

func paid() order.Delivery {
	return order.Delivery{
		Order: order.Order{
			ID: "o4ddktbswr7gdpiaohrdjhvlqe", OpenID: "oUser", ProductID: "gem_60", Quantity: 2, Amount: 1200, State: order.Delivering,
			Attempts: []order.Attempt{{N: 1, Payments: []order.Payment{{Fee: 1200}}}},
		},
		Event: order.Outgoing{Seq: 1, Type: "order.paid", Fee: 1200, At: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)},
	}
}

// TestARuleReceivesTheEvent leads a bus to a queue and looks what comes out.
func TestARuleReceivesTheEvent(t *testing.T) {
	t.Parallel()
	cfg := awstest.Config(awstest.Endpoint(t))
	client, queues, name := eventbridge.NewFromConfig(cfg), sqs.NewFromConfig(cfg), "bus-"+strings.ToLower(rand.Text()[:10])
	made, err := client.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &name, EventBusName: &name, EventPattern: aws.String(`{"source":["xpay-serverless"],"detail-type":["order.paid"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &name, Targets: []types.Target{{Id: aws.String("q"), Arn: aws.String(attributes.Attributes["QueueArn"])}}})
	if err != nil {
		t.Fatal(err)
	}
	refunded := paid()
	refunded.Event.Seq, refunded.Event.Type = 2, "order.refunded" // the rule does not want it
	for _, bus := range []string{name, aws.ToString(made.EventBusArn)} {
		tell := eventbus.Open(cfg, *cfg.BaseEndpoint, bus, time.Now)
		for _, d := range []order.Delivery{paid(), refunded} {
			if err := tell(t.Context(), d); err != nil {
				t.Errorf("%s: %v", bus, err)
			}
		}
	}
	got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10})
	if err != nil || len(got.Messages) != 2 {
		t.Fatalf("%v, %d messages", err, len(got.Messages))
	}
	for _, m := range got.Messages {
		var event struct {
			Source     string
			DetailType string `json:"detail-type"`
			Time       time.Time
			Resources  []string
			Detail     json.RawMessage
		}
		if err := json.Unmarshal([]byte(aws.ToString(m.Body)), &event); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"eventId": "o4ddktbswr7gdpiaohrdjhvlqe.1", "orderId": "o4ddktbswr7gdpiaohrdjhvlqe", "seq": 1.0, "productId": "gem_60", "quantity": 2.0, "amount": 1200.0, "fee": 1200.0, "state": "delivering",
			"attach": "", "openId": "oUser", "env": 0.0, "owned": true, "paid": 1200.0, "refunded": 0.0, "at": "2026-03-01T02:00:00Z",
		}
		detail := map[string]any{}
		if err := json.Unmarshal(event.Detail, &detail); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, detail); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if event.Source != "xpay-serverless" || event.DetailType != "order.paid" || len(event.Resources) != 0 || !event.Time.Equal(paid().Event.At) {
			t.Errorf("%+v", event)
		}
	}
}

func TestABusThatDoesNotExistTakesNothing(t *testing.T) {
	t.Parallel()
	cfg := awstest.Config(awstest.Endpoint(t))
	for _, bus := range []string{"no-such-bus", "arn:aws:events:us-east-1:123456789012:event-bus/no-such-bus"} {
		if err := eventbus.Open(cfg, *cfg.BaseEndpoint, bus, time.Now)(t.Context(), paid()); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("%s: %v", bus, err)
		}
	}
}

// bridge is an EventBridge that answers what it is told, and remembers what it was asked.
type bridge struct {
	answers map[string]string // by operation; a name of an exception begins with "!"
	asked   []string
}

func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	b.asked = append(b.asked, operation)
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	answer := b.answers[operation]
	if code, failed := strings.CutPrefix(answer, "!"); failed {
		w.WriteHeader(http.StatusBadRequest)
		answer = `{"__type":"` + code + `","message":"hunter2"}`
	}
	io.WriteString(w, answer)
}

const there, taken = `{"Name":"shop","Arn":"arn:aws:events:us-east-1:123456789012:event-bus/shop"}`, `{"FailedEntryCount":0,"Entries":[{"EventId":"11710aed-b79e-4468-a20b-bb3c0c3b4860"}]}`

// The answers are those of AWS's API reference for PutEvents.
func TestAnEventIsDeliveredOnlyWhenTheBusTookIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bus, put string
		why      string // "": it is delivered
	}{
		"it takes it":                          {there, taken, ""},
		"it does not take it":                  {there, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}]}`, "ThrottlingException"},
		"it counts no failure but gives no id": {there, `{"FailedEntryCount":0,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"x"}]}`, "InternalFailure"},
		"it answers about nothing":             {there, `{"FailedEntryCount":0,"Entries":[]}`, "without a reason"},
		"it may not be written to":             {there, "!AccessDeniedException", "AccessDeniedException"},
		"it may not be looked at":              {"!AccessDeniedException", taken, "AccessDeniedException"},
		"it is gone":                           {"!ResourceNotFoundException", taken, "does not exist"},
		"another server is looked at":          {`{"hunter2":"hunter2"}`, taken, "something else"},
		"a page is looked at":                  {`<html>hunter2</html>`, taken, "DescribeEventBus is not the JSON object"},
		"a page takes it":                      {there, `<html>hunter2</html>`, "PutEvents is not the JSON object"},
		"the answer has no end":                {there, `{"FailedEntryCount":0,"Entries":[{"EventId":"` + strings.Repeat("1", 64<<10) + `"}]}`, "PutEvents is not the JSON object"},
	} {
		b := &bridge{answers: map[string]string{"DescribeEventBus": c.bus, "PutEvents": c.put}}
		server := httptest.NewServer(b)
		err := eventbus.Open(awstest.Config(server.URL), server.URL, "shop", time.Now)(t.Context(), paid())
		server.Close()
		if (err == nil) != (c.why == "") || err != nil && (!strings.Contains(err.Error(), c.why) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// PutEvents says nothing when the bus is gone (aws/aws-cli issue 9186), so it is looked at, though not for each event.
func TestABusIsLookedAtAgainAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	b := &bridge{answers: map[string]string{"DescribeEventBus": there, "PutEvents": taken}}
	server := httptest.NewServer(b)
	defer server.Close()
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	tell := eventbus.Open(awstest.Config(server.URL), server.URL, "shop", func() time.Time { return now })
	for _, wait := range []time.Duration{0, time.Second, 5*time.Minute - 2*time.Second, time.Second, -time.Hour} {
		now = now.Add(wait)
		if err := tell(t.Context(), paid()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"DescribeEventBus", "PutEvents", "PutEvents", "PutEvents", "DescribeEventBus", "PutEvents", "DescribeEventBus", "PutEvents"}
	if diff := cmp.Diff(want, b.asked); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
