package awsenv

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// TestAWorkerAnswersBeforeLambdaEndsIt: ten documents hang, each of them has its turn, and the answer is in time.
func TestAWorkerAnswersBeforeLambdaEndsIt(t *testing.T) {
	e := newWorld(t).open("reconcile")
	var begun atomic.Int32
	e.serving.Worker.Kinds["slow"] = func(ctx context.Context, _ string) error {
		begun.Add(1)
		<-ctx.Done()
		return ctx.Err()
	}
	var batch events.SQSEvent
	for i := range 10 {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: fmt.Sprintf(`{"id":"slow/%d"}`, i)})
	}
	deadline := time.Now().Add(2500 * time.Millisecond)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	out, err := e.Work(ctx, batch)
	if left := time.Until(deadline); err != nil || left < time.Second {
		t.Errorf("%s before Lambda's end, %v", left, err)
	}
	if len(out.BatchItemFailures) != 10 || begun.Load() != 10 {
		t.Errorf("%d failures, %d were begun", len(out.BatchItemFailures), begun.Load())
	}
}

func TestMessagesThatTheQueueDoesNotTakeAreAnError(t *testing.T) {
	w := newWorld(t)
	e := w.open("refund")
	if err := e.outside.Send(t.Context(), []string{"order/a", "order/b"}); err != nil {
		t.Fatal(err)
	}
	w.fail(func(string) (int, string) {
		return http.StatusOK, `{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"d39e0c9ba11b0ecc4cd234e473c370ca"}],` +
			`"Failed":[{"Id":"1","SenderFault":false,"Code":"InternalError"}]}`
	})
	if err := e.outside.Send(t.Context(), []string{"order/a", "order/b"}); err == nil || !strings.Contains(err.Error(), "1 of 2") {
		t.Errorf("one of two was not taken: %v", err)
	}
}

func TestASlipInTheGoodsStopsSalesAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.vars["LAMBDA_TASK_ROOT"] = t.TempDir() // without goods.yaml
	for _, f := range Functions() {
		_, err := Open(t.Context(), f.Name, w.with(nil), discard)
		if sells := f.Name == "createorder" || f.Name == "orders"; (err != nil) != sells {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
