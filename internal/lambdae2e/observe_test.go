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
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
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
	alice.buys(one, "purchase-1").into(t, 200, new(any)) // the same again
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
	for _, level := range []string{"DEBUG", "INFO"} {
		t.Run(level, func(t *testing.T) { t.Parallel(); callEveryRoute(deploy(t, options{logLevel: level})) })
	}
}

func callEveryRoute(c *cloud) {
	const openID = "oMARKED-openid"
	c.unsaid.add("mark", "MARKED")
	alice := c.login(openID)
	id := alice.order("purchase-MARKED-key")
	c.sim.DeliverDue(c.Context())
	called := 0
	for _, r := range httpapi.Routes() {
		path := strings.NewReplacer("{id}", id, "{openid}", openID, "{refund}", "rMARKED", "{number}", id).Replace(r.Path)
		for _, body := range []string{"", `{"MARKED":"MARKED"}`, `{"code":"MARKED-code","productId":"MARKED","quantity":1,"attach":"MARKED"}`, "MARKED{"} {
			for _, auth := range []string{"", "Bearer " + alice.token, "Bearer MARKED-token", sigV4} {
				if r.Method == "GET" && body != "" {
					continue
				}
				c.call(r.Method, path+"?signature=MARKED&msg_signature=MARKED&nonce=MARKED&openid=MARKED&echostr=MARKED&cursor=MARKED&from=MARKED", body,
					"Authorization", auth, "X-Amz-Date", "20260301T020000Z", "Idempotency-Key", fmt.Sprintf("MARKED-key-%03d", called))
				called++
			}
		}
	}
	if called < 100 {
		c.Fatalf("%d calls only", called)
	}
	_, err := c.sqs.SendMessage(c.Context(), &sqs.SendMessageInput{QueueUrl: &c.queue.URL, MessageBody: aws.String("MARKED")})
	c.ok(err)
	c.ok(c.tick())
	c.work()
	for name, f := range c.fn { // the end of the test reads every line
		if len(f.Logs()) == 0 {
			c.Errorf("%s logged nothing: a leak would not be seen", name)
		}
	}
}

// TestALifeWithAllThatGoesWrongLogsNoSecretAtLevelDebug passes by every line that the code can write about an order, and looks at a few
// of them: its end reads all.
func TestALifeWithAllThatGoesWrongLogsNoSecretAtLevelDebug(t *testing.T) {
	t.Parallel()
	c, shop := deploy(t, options{logLevel: "DEBUG"}), &shopServer{status: 503}
	c.aim(c.webhook(shop))
	alice, bob := c.login("oAlice"), c.login("oBobby")
	bad := alice.call("POST", "/login", `{"code":"a-code-that-nobody-gave-out"}`)
	id := alice.order("purchase-1")
	var unpaid orderReply
	bob.buys(one, "purchase-2").into(t, 201, &unpaid)
	again := bob.call("POST", "/orders/"+unpaid.Order.ID+"/attempts", `{"errCode":-15006}`, "Authorization", "Bearer "+bob.token)
	c.sim.DeliverDue(t.Context())
	c.until("the target refuses", time.Minute, func() bool {
		c.ok(c.tick())
		c.work()
		return c.logged("reconcile", "the delivery target did not accept an event", id)
	})
	c.ok(c.sim.SetFaults(wechatsim.Faults{API: map[string]wechatsim.APIFault{
		"/xpay/query_order": {ErrorBeforeEffect: 1, Code: wechatsim.CodeFault{ErrCode: 268490001, Times: 1}},
	}}))
	shop.answer(204, 0)
	c.pass(10*time.Minute, time.Minute)
	if state := c.merchant(id).Order.State; state != "delivered" {
		t.Errorf("the order is %s", state)
	}
	c.refund(id, "refund-key-1", 800).into(t, 202, new(any))
	c.pass(5*time.Minute, time.Minute)
	_, err := c.sim.Complain(id, "hunter2-complaint")
	c.ok(err)
	_, err = c.sim.SendPush(t.Context(), "xpay_subscribe_ios_refund_query_notify", json.RawMessage(`{"pay_order_id":"`+id+`","refund_request_reason":"hunter2-question",
		"refund_time":"1772330400","order_time":"1772330400","channel_bill":"hunter2-bill","bundleid":"com.tencent.xin","product_id":"vip_month","p_count":"1","provide_status":"1"}`))
	c.ok(err)
	c.pass(time.Minute, time.Minute)
	lost := bob.order("purchase-3")
	c.lose(lost)
	c.sim.DeliverDue(t.Context())
	c.operator("POST", "/merchant/held/"+lost+"/dismiss").into(t, 200, new(any))
	c.operator("POST", "/merchant/orders/"+id+"/recheck").into(t, 200, new(any))
	alice.poll(id).into(t, 200, new(any))
	consumed := alice.call("POST", "/orders/"+id+"/consume", "", "Authorization", "Bearer "+alice.token)
	if bad.status != 401 || again.status != 200 || consumed.status == 500 {
		t.Errorf("a bad login: %s; another signature: %s; used: %s", bad, again, consumed)
	}
	if !c.logged("login", `"DEBUG"`) || !c.logged("orders", "evidence dismissed") || !c.logged("callback", "a person must look") {
		t.Error("the lines that this test is about are not written")
	}
}

// A payment is counted once however many steps follow, and the delivery when the target has it.
func TestAPurchaseWithADeliveryTargetIsCountedOnce(t *testing.T) {
	t.Parallel()
	c, shop := deploy(t, options{}), &shopServer{status: 503}
	c.aim(c.webhook(shop))
	id := c.login("oAlice").order("purchase-1")
	c.sim.DeliverDue(t.Context())
	c.pass(2*time.Minute, time.Minute)
	counted := func(metric string, want int) {
		t.Helper()
		if values, sum := c.metrics(); values[metric] != want || sum[metric] != float64(want) {
			t.Errorf("%s: %d values with the sum %v, want %d", metric, values[metric], sum[metric], want)
		}
	}
	if state := c.merchant(id).Order.State; state != "delivering" {
		t.Fatalf("the order is %s", state)
	}
	counted("OrdersPaid", 1)
	counted("OrdersDelivered", 0)
	shop.answer(204, 0)
	c.pass(10*time.Minute, time.Minute)
	c.explained(id, 0)
	counted("OrdersPaid", 1)
	counted("OrdersDelivered", 1)
	counted("WeChatErrors", 0) // the target is not WeChat
}

func TestTheBacklogIsCountedInSeconds(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	c.ok(c.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}}))
	alice := c.login("oAlice")
	alice.order("purchase-1")
	alice.order("purchase-2")
	c.pass(20*time.Minute, 20*time.Minute) // they were due a minute after they were signed
	values, sum := c.metrics()
	if due := sum["DueSeconds"] / 2; values["DueSeconds"] != 2 || due < 19*60-1 || due > 21*60 {
		t.Errorf("%d documents, each due for %v s, want 2 and 19 minutes", values["DueSeconds"], due)
	}
	if values["Repairs"] != 2 {
		t.Errorf("%d repairs, want 2", values["Repairs"])
	}
}

// A refusal is an answer with HTTP 200, which no transport can count.
func TestWhatWeChatRefusesOfTheWorkerIsCounted(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	id := c.login("oAlice").order("purchase-1")
	c.ok(c.sim.SetFaults(wechatsim.Faults{
		Push: wechatsim.PushFaults{DropAll: true},
		API:  map[string]wechatsim.APIFault{"/xpay/query_order": {Code: wechatsim.CodeFault{ErrCode: 268490001, Times: 1}}},
	}))
	c.pass(2*time.Minute, 2*time.Minute)
	if values, _ := c.metrics(); values["WeChatErrors"] != 1 {
		t.Errorf("%d errors of WeChat, want 1", values["WeChatErrors"])
	}
	c.pass(20*time.Minute, time.Minute)
	c.explained(id, 0)
	if values, _ := c.metrics(); values["WeChatErrors"] != 1 {
		t.Errorf("%d errors of WeChat after it answers, want 1", values["WeChatErrors"])
	}
}
