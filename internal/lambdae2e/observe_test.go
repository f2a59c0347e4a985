package lambdae2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
)

// metrics adds up what the functions counted: how many values each metric has, and their sum.
func (c *cloud) metrics() (values map[string]int, sum map[string]float64) {
	c.Helper()
	values, sum = map[string]int{}, map[string]float64{}
	for _, f := range c.fn {
		for _, text := range f.Logs() {
			var line struct {
				AWS *struct {
					CloudWatchMetrics []struct {
						Namespace  string
						Dimensions [][]string
						Metrics    []struct{ Name string }
					}
				} `json:"_aws"`
			}
			var fields map[string]any
			if json.Unmarshal([]byte(text), &line) != nil || line.AWS == nil {
				continue
			}
			c.ok(json.Unmarshal([]byte(text), &fields))
			if fields["service"] != stackName || fields["stage"] != "test" {
				c.Errorf("metrics without their dimensions: %s", text)
			}
			for _, m := range line.AWS.CloudWatchMetrics[0].Metrics {
				list, many := fields[m.Name].([]any)
				if !many {
					list = []any{fields[m.Name]}
				}
				for _, v := range list {
					values[m.Name]++
					sum[m.Name] += v.(float64)
				}
			}
		}
	}
	return values, sum
}

func TestAPurchaseAndItsRefundAreCountedOnce(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	alice := c.login("oAlice")
	id := alice.order("purchase-1")
	c.sim.DeliverDue(t.Context())
	alice.buy("purchase-1") // the same again
	c.refund(id, "refund-key-1", 800)
	c.until("refunded", 30*time.Second, func() bool {
		c.ok(c.tick())
		c.work()
		c.push()
		return c.merchant(id).Order.Ledger.Refunded == 800
	})
	c.call("POST", "/wechat/push?signature=0000&timestamp=1&nonce=2", "{}")
	values, sum := c.metrics()
	for name, want := range map[string]int{
		"OrdersCreated": 1, "OrdersPaid": 1, "OrdersDelivered": 1, "RefundedFen": 1, "PushesRefused": 1, "Mismatches": 0, "UnknownOrderPushes": 0, "WeChatErrors": 0, "Repairs": 0,
	} {
		if values[name] != want {
			t.Errorf("%s has %d values, want %d", name, values[name], want)
		}
	}
	if sum["RefundedFen"] != 800 {
		t.Errorf("%v fen refunded, want 800", sum["RefundedFen"])
	}
	if !c.logged("createorder", `"message":"request"`, `"route":"POST /orders"`, `"status":201`, `"order":"`+id+`"`, `"to":"created"`, `"ms":`, `"requestId":"`) {
		t.Errorf("no line about the order that was created: %q", c.fn["createorder"].Logs())
	}
	if !c.logged("callback", `"message":"request"`, `"order":"`+id+`"`, `"from":"created"`, `"to":"delivered"`, `"event":"paid"`, `"push":"xpay_goods_deliver_notify"`) {
		t.Errorf("no line about the push: %q", c.fn["callback"].Logs())
	}
}

// Every route is called as its users call it, wrongly and rightly; what they send is marked.
func TestNoRouteLogsWhatItsUsersSend(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	const openID = "oMARKED-openid"
	alice := c.login(openID)
	var bought orderReply
	alice.buy("purchase-MARKED-key").into(t, 201, &bought)
	alice.pay(bought.Payment)
	c.sim.DeliverDue(t.Context())
	id := bought.Order.ID
	marked := []string{"MARKED", alice.token, bought.Payment.PaySig, bought.Payment.Signature}
	called := 0
	for _, r := range httpapi.Routes() {
		path := strings.NewReplacer("{id}", id, "{openid}", openID, "{refund}", "rMARKED", "{number}", id).Replace(r.Path)
		for _, body := range []string{"", `{"MARKED":"MARKED"}`, `{"code":"MARKED-code","productId":"MARKED","quantity":1,"attach":"MARKED"}`, "MARKED{"} {
			for _, auth := range []string{"", "Bearer " + alice.token, "Bearer MARKED-token", sigV4} {
				if r.Method == "GET" && body != "" {
					continue
				}
				c.call(r.Method, path+"?signature=MARKED&msg_signature=MARKED&echostr=MARKED&cursor=MARKED&from=MARKED", body,
					"Authorization", auth, "X-Amz-Date", "20260301T020000Z", "Idempotency-Key", fmt.Sprintf("MARKED-key-%03d", called))
				called++
			}
		}
	}
	if called < 100 {
		t.Fatalf("%d calls only", called)
	}
	_, err := c.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &c.queue.URL, MessageBody: aws.String("MARKED")})
	c.ok(err)
	c.ok(c.tick())
	c.work()
	for name, f := range c.fn {
		lines := f.Logs()
		if len(lines) == 0 {
			t.Errorf("%s logged nothing: this test would not see a leak", name)
		}
		for _, line := range lines {
			for _, secret := range marked {
				if strings.Contains(line, secret) {
					t.Errorf("%s logs %q: %s", name, secret[:min(len(secret), 8)], line)
				}
			}
		}
	}
}
