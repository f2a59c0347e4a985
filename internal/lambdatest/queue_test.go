package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

// queue makes a queue whose messages come again after a second, twice at most, and then end in its dead-letter queue.
func queue(t *testing.T, f lambdatest.Invoker) (q *lambdatest.Queue, deadLetters string) {
	t.Helper()
	client := sqs.NewFromConfig(awstest.Config(awstest.Endpoint(t)))
	name := fmt.Sprintf("queue-%d", time.Now().UnixNano())
	deadLetters, arn := newQueue(t, client, name+"-dlq", nil)
	url, own := newQueue(t, client, name, map[string]string{
		"VisibilityTimeout": "1", "RedrivePolicy": `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":2}`,
	})
	return &lambdatest.Queue{Client: client, URL: url, ARN: own, Function: f}, deadLetters
}

func newQueue(t *testing.T, client *sqs.Client, name string, attributes map[string]string) (url, arn string) {
	t.Helper()
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.QueueUrl, got.Attributes["QueueArn"]
}

func send(t *testing.T, q *lambdatest.Queue, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := q.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
}

// left counts what is in a queue, in flight or not.
func left(t *testing.T, q *lambdatest.Queue, url string) int {
	t.Helper()
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	}
	got, err := q.Client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, name := range names {
		n, err := strconv.Atoi(got.Attributes[string(name)])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

func TestABatchBecomesTheEventOfSQS(t *testing.T) {
	t.Parallel()
	var got events.SQSEvent
	q, _ := queue(t, invokerFunc(func(_ context.Context, raw []byte) ([]byte, error) {
		return nil, json.Unmarshal(raw, &got)
	}))
	_, err := q.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: aws.String("Message Body"),
		MessageAttributes: map[string]types.MessageAttributeValue{"Kind": {DataType: aws.String("String"), StringValue: aws.String("order")}}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := q.Poll(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	m := got.Records[0]
	if m.MessageId == "" || m.ReceiptHandle == "" || m.Body != "Message Body" || m.Attributes["ApproximateReceiveCount"] != "1" ||
		m.Attributes["SentTimestamp"] == "" || m.EventSource != "aws:sqs" || m.EventSourceARN != q.ARN || m.AWSRegion != "us-east-1" ||
		m.Md5OfBody != "77a3cf88eba293be44f5fd5c61835a43" || aws.ToString(m.MessageAttributes["Kind"].StringValue) != "order" {
		t.Errorf("%+v", m)
	}
	if n := left(t, q, q.URL); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// The rows are those of "Success and failure conditions" in AWS's documentation of partial batch responses.
func TestTheAnswerToABatchDecidesWhatComesAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string // %s is the id of the first message
		err    error
		left   int
	}{
		"an empty list":                 {`{"batchItemFailures":[]}`, nil, 0},
		"a null list":                   {`{"batchItemFailures":null}`, nil, 0},
		"an empty answer":               {`{}`, nil, 0},
		"a null answer":                 {`null`, nil, 0},
		"no answer":                     {``, nil, 0},
		"one again":                     {`{"batchItemFailures":[{"itemIdentifier":"%s"}]}`, nil, 1},
		"one again, twice":              {`{"batchItemFailures":[{"itemIdentifier":"%[1]s"},{"itemIdentifier":"%[1]s"}]}`, nil, 1},
		"a list under another name":     {`{"BatchItemFailures":[{"itemIdentifier":"%s"}]}`, nil, 0},
		"an error of the function":      {``, errors.New("away"), 3},
		"no JSON":                       {`{"batchItemFailures":[`, nil, 3},
		"a list alone":                  {`[]`, nil, 3},
		"a text":                        {`"done"`, nil, 3},
		"an empty identifier":           {`{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, 3},
		"a null identifier":             {`{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, 3},
		"an identifier of another name": {`{"batchItemFailures":[{"ItemIdentifier":"%s"}]}`, nil, 3},
		"a message that is not there":   {`{"batchItemFailures":[{"itemIdentifier":"other"}]}`, nil, 3},
		"one there and one that is not": {`{"batchItemFailures":[{"itemIdentifier":"%s"},{"itemIdentifier":"other"}]}`, nil, 3},
		"identifiers without objects":   {`{"batchItemFailures":["%s"]}`, nil, 3},
		"a number for a list":           {`{"batchItemFailures":1}`, nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, _ := queue(t, invokerFunc(func(_ context.Context, raw []byte) ([]byte, error) {
				var e events.SQSEvent
				if err := json.Unmarshal(raw, &e); err != nil || len(e.Records) != 3 {
					t.Errorf("%d records, %v", len(e.Records), err)
				}
				answer := c.answer
				if strings.Contains(answer, "%") {
					answer = fmt.Sprintf(answer, e.Records[0].MessageId)
				}
				return []byte(answer), c.err
			}))
			send(t, q, "a", "b", "c")
			n, err := q.Poll(t.Context())
			if got := left(t, q, q.URL); n != 3 || got != c.left || (err != nil) != (c.left == 3) {
				t.Errorf("received %d, %d are left, want %d; error %v", n, got, c.left, err)
			}
		})
	}
}

func TestAPoisonedMessageEndsInTheDeadLetterQueueAndTheRestIsDone(t *testing.T) {
	t.Parallel()
	f := function(t, "queue", lambdatest.Config{})
	q, deadLetters := queue(t, f)
	q.Wait = time.Second
	send(t, q, "good", "poison", "fine")
	if n, err := q.Poll(t.Context()); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if n := left(t, q, q.URL); n != 1 {
		t.Fatalf("%d messages are left, want the poisoned one", n)
	}
	runUntil(t, q, func() bool { return left(t, q, deadLetters) == 1 && left(t, q, q.URL) == 0 })
}

func TestABatchWhoseFunctionDiesComesAgainAsAWhole(t *testing.T) {
	t.Parallel()
	f := function(t, "queue", lambdatest.Config{})
	q, deadLetters := queue(t, f)
	q.Wait = time.Second
	send(t, q, "good", "bomb")
	var failed *lambdatest.FunctionError
	if n, err := q.Poll(t.Context()); n != 2 || !errors.As(err, &failed) || left(t, q, q.URL) != 2 {
		t.Errorf("%d %v", n, err)
	}
	runUntil(t, q, func() bool { return left(t, q, deadLetters) == 2 }) // the good one shares the fate of its batch
}

// runUntil runs the mapping until something is so, and until Run has returned.
func runUntil(t *testing.T, q *lambdatest.Queue, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		q.Run(ctx)
	}()
	eventually(t, "the queue is where it should be", ok)
	cancel()
	<-ended
}

func TestTheEventOfASchedule(t *testing.T) {
	t.Parallel()
	raw := lambdatest.ScheduledEvent("sweep", "cn-north-1", time.Date(2026, 6, 13, 20, 30, 0, 0, time.FixedZone("CST", 8*3600)))
	var e events.EventBridgeEvent
	var names object
	if err := errors.Join(json.Unmarshal([]byte(strings.Replace(string(raw), `"{}"`, `{}`, 1)), &e), json.Unmarshal(raw, &names)); err != nil {
		t.Fatal(err)
	}
	if e.DetailType != "Scheduled Event" || e.Source != "aws.scheduler" || e.Region != "cn-north-1" || len(e.ID) != 36 ||
		!e.Time.Equal(time.Date(2026, 6, 13, 12, 30, 0, 0, time.UTC)) || names["detail"] != "{}" ||
		!slices.Equal(e.Resources, []string{"arn:aws:scheduler:cn-north-1:123456789012:schedule/default/sweep"}) {
		t.Errorf("%s", raw)
	}
}
