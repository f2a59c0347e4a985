package lambdatest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Queue is the event source mapping between a standard SQS queue and a function, with ReportBatchItemFailures. It
// deletes the messages that are done and leaves the others to the queue's visibility timeout, and so to its redrive
// policy.
type Queue struct {
	Client    *sqs.Client
	URL       string // of the queue
	ARN       string // of the queue, as eventSourceARN
	Region    string // as awsRegion; default us-east-1
	Function  Invoker
	BatchSize int32         // 1 to 10; default 10
	Wait      time.Duration // how long one Poll waits for a first message: whole seconds, at most 20
	Failed    func(error)   // hears of the errors of Run; nil: nobody does
}

// Run polls until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := q.Poll(ctx); err != nil && ctx.Err() == nil {
			if q.Failed != nil {
				q.Failed(err)
			}
			pause(ctx, 50*time.Millisecond) // an error must not spin
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Poll receives one batch, invokes the function with it, and deletes what is done. It returns how many messages came.
// With an error of the function, or an answer that Lambda takes for one, none of them is deleted.
func (q *Queue) Poll(ctx context.Context) (received int, err error) {
	got, err := q.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: cmp.Or(q.BatchSize, 10), WaitTimeSeconds: int32(q.Wait / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil || len(got.Messages) == 0 {
		return 0, err
	}
	event, err := json.Marshal(map[string]any{"Records": q.records(got.Messages)})
	if err != nil {
		return len(got.Messages), err
	}
	answer, err := q.Function.Invoke(ctx, event)
	if err != nil {
		return len(got.Messages), err
	}
	again, err := batchItemFailures(answer, got.Messages)
	if err != nil {
		return len(got.Messages), err
	}
	return len(got.Messages), q.delete(ctx, got.Messages, again)
}

type sqsRecord struct {
	MessageID              string                         `json:"messageId"`
	ReceiptHandle          string                         `json:"receiptHandle"`
	Body                   string                         `json:"body"`
	Attributes             map[string]string              `json:"attributes"`
	MessageAttributes      map[string]sqsMessageAttribute `json:"messageAttributes"`
	MD5OfBody              string                         `json:"md5OfBody"`
	MD5OfMessageAttributes string                         `json:"md5OfMessageAttributes,omitempty"`
	EventSource            string                         `json:"eventSource"`
	EventSourceARN         string                         `json:"eventSourceARN"`
	AWSRegion              string                         `json:"awsRegion"`
}

type sqsMessageAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues [][]byte `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

func (q *Queue) records(messages []types.Message) []sqsRecord {
	records := make([]sqsRecord, len(messages))
	for i, m := range messages {
		attributes := map[string]sqsMessageAttribute{}
		for name, a := range m.MessageAttributes {
			attributes[name] = sqsMessageAttribute{
				StringValue: a.StringValue, BinaryValue: a.BinaryValue, StringListValues: []string{}, BinaryListValues: [][]byte{},
				DataType: aws.ToString(a.DataType),
			}
		}
		records[i] = sqsRecord{
			MessageID: aws.ToString(m.MessageId), ReceiptHandle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body),
			Attributes: m.Attributes, MessageAttributes: attributes,
			MD5OfBody: aws.ToString(m.MD5OfBody), MD5OfMessageAttributes: aws.ToString(m.MD5OfMessageAttributes),
			EventSource: "aws:sqs", EventSourceARN: q.ARN, AWSRegion: cmp.Or(q.Region, "us-east-1"),
		}
	}
	return records
}

// batchItemFailures reads which messages come again. Lambda takes an empty or null list, and an empty or null answer,
// for "all done"; everything that it does not understand, or that names no message of the batch, for "none done".
func batchItemFailures(answer []byte, messages []types.Message) (again map[string]bool, err error) {
	if answer = bytes.TrimSpace(answer); len(answer) == 0 {
		return nil, nil
	}
	var fields map[string]json.RawMessage // Lambda tells case apart, encoding/json would not
	if err := json.Unmarshal(answer, &fields); err != nil {
		return nil, errors.New("the answer to the batch is no JSON object: all messages come again")
	}
	var items []map[string]*string
	if raw := fields["batchItemFailures"]; raw != nil {
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, errors.New("batchItemFailures is no list of objects with an itemIdentifier: all messages come again")
		}
	}
	again = map[string]bool{}
	for _, item := range items {
		id := aws.ToString(item["itemIdentifier"])
		if id == "" || !inBatch(id, messages) {
			return nil, fmt.Errorf("the itemIdentifier %q is in no message of the batch: all messages come again", id)
		}
		again[id] = true
	}
	return again, nil
}

func inBatch(id string, messages []types.Message) bool {
	for _, m := range messages {
		if aws.ToString(m.MessageId) == id {
			return true
		}
	}
	return false
}

func (q *Queue) delete(ctx context.Context, messages []types.Message, again map[string]bool) error {
	var done []types.DeleteMessageBatchRequestEntry
	for i, m := range messages {
		if !again[aws.ToString(m.MessageId)] {
			done = append(done, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
	}
	if len(done) == 0 {
		return nil
	}
	out, err := q.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.URL, Entries: done})
	if err == nil && len(out.Failed) > 0 {
		err = fmt.Errorf("%d of %d messages could not be deleted, they come again", len(out.Failed), len(done))
	}
	return err
}
