package awsenv

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/xpay-serverless/xpay-serverless/internal/worker"
)

// queue puts messages on the queue that reconcile receives.
type queue struct {
	client *sqs.Client
	url    string
}

// send tells the queue that documents are due, at most 10 at once. An error says how many messages were not taken.
func (q queue) send(ctx context.Context, docIDs []string) error {
	in := &sqs.SendMessageBatchInput{QueueUrl: &q.url}
	for i, id := range docIDs {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(worker.Message{ID: id}.Encode()),
		})
	}
	out, err := q.client.SendMessageBatch(ctx, in)
	switch {
	case err != nil:
		return fmt.Errorf("send to the queue: %w", err)
	case len(out.Failed) > 0:
		return fmt.Errorf("the queue did not take %d of %d messages: %s", len(out.Failed), len(docIDs), aws.ToString(out.Failed[0].Code))
	}
	return nil
}
