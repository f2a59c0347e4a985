package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestEveryFormatAndModeOfPushDelivers(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"xml", "json"} {
		for _, mode := range []string{"plain", "aes"} {
			t.Run(mode+" "+format, func(t *testing.T) {
				t.Parallel()
				w := begin(t, func(s *setup) { s.PushFormat, s.PushMode = format, mode })
				p := w.phone(alice)
				id := p.buy("key-of-alice", "gem_60", 1)
				w.pass(10 * time.Second)
				w.is(id, "delivered", true).ledger(t, 600, 0, 0, 0, 0)
				push := w.truth(id).Pushes[0]
				if !push.Answered || push.LastAnswer != "acknowledged by ErrCode 0" {
					t.Errorf("push: %+v", push)
				}
				if mode == "aes" && push.Attempts != 1 {
					t.Errorf("a secure push was sent %d times", push.Attempts)
				}
				if mode == "plain" && push.Attempts != 2 {
					t.Errorf("a plain push was sent %d times: the first is a hint, the second finds it settled", push.Attempts)
				}
				if got := w.truth(id).Status; got != 4 {
					t.Errorf("WeChat shows %d", got)
				}
			})
		}
	}
}

func TestActualPriceMayBeThePieceOrTheTotal(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{"unit", "total"} {
		for _, quantity := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s of %d", reading, quantity), func(t *testing.T) {
				t.Parallel()
				w := begin(t)
				p := w.phone(alice)
				w.faults(wechatsim.Faults{Orders: wechatsim.OrderFaults{ActualPrice: reading}})
				id := p.buy("key-of-alice", "gem_60", quantity)
				w.pass(10 * time.Second)
				w.is(id, "delivered", true).ledger(t, int64(quantity)*600, 0, 0, 0, 0)
				if push := w.truth(id).Pushes[0]; !push.Answered {
					t.Errorf("push: %+v", push)
				}
			})
		}
	}
}

func TestAPaymentWithoutWeChatPayInfoDelivers(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.faults(wechatsim.Faults{Push: wechatsim.PushFaults{OmitPayInfo: true, Duplicate: 1}})
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
}

func TestAForgedPushIsUnauthorizedAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := begin(t)
	o, _ := w.phone(alice).create("key-of-alice", "vip_month", 1)
	event := goodPush(o.ID, "4500000138202603010000000001").json()
	send := func(q url.Values, raw []byte) answer {
		return w.serve(httptest.NewRequest("POST", "/wechat/push?"+q.Encode(), strings.NewReader(string(raw))))
	}
	for _, plain := range []bool{false, true} {
		q, raw := forged{at: w.now(), token: "guessed", plain: plain}.make(event)
		send(q, raw).refused(t, 401, "unauthorized")
	}
	q, raw := forged{at: w.now()}.make(event)
	for name, change := range map[string]func(q url.Values){
		"signature of the plain mode instead": func(q url.Values) { q.Set("msg_signature", q.Get("signature")) },
		"another nonce":                       func(q url.Values) { q.Set("nonce", "1") },
		"another time":                        func(q url.Values) { q.Set("timestamp", fmt.Sprint(w.now().Unix()+1)) },
		"digits moved between the two":        func(q url.Values) { q.Set("timestamp", q.Get("timestamp")[:9]); q.Set("nonce", "0415670741") },
		"signature in capitals":               func(q url.Values) { q.Set("msg_signature", strings.ToUpper(q.Get("msg_signature"))) },
		"signature twice":                     func(q url.Values) { q.Add("msg_signature", q.Get("msg_signature")) },
		"no signature":                        func(q url.Values) { q.Del("msg_signature") },
		"encrypt_type raw":                    func(q url.Values) { q.Set("encrypt_type", "raw"); q.Set("msg_signature", strings.Repeat("0", 40)) },
	} {
		bad := url.Values{}
		for k, v := range q {
			bad[k] = append([]string{}, v...)
		}
		change(bad)
		if a := send(bad, raw); a.status != 400 && a.status != 401 {
			t.Errorf("%s: %s", name, a)
		}
	}
	flipped := []byte(strings.Replace(string(raw), `"Encrypt":"`, `"Encrypt":"AAAA`, 1))
	send(q, flipped).refused(t, 401, "unauthorized")
	w.is(o.ID, "created", false)
	if o := w.merchant(o.ID); len(o.History) != 1 {
		t.Errorf("history: %+v", o.History)
	}
}

func TestAPlainSignatureOverAnotherBodyIsOnlyAHint(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"plain", "aes"} {
		t.Run("WeChat set to "+mode, func(t *testing.T) {
			t.Parallel()
			w := begin(t, func(s *setup) { s.PushMode = mode })
			p := w.phone(alice)
			o, _ := p.create("key-of-alice", "vip_month", 1)
			status, body := w.push(forged{plain: true}, goodPush(o.ID, "4500000138202603010000000001").json())
			if !again(status, body) {
				t.Errorf("answered %d %s", status, body)
			}
			w.pass(time.Hour)
			m := w.is(o.ID, "created", false)
			m.ledger(t, 0, 0, 0, 0, 0)
			if m.Attempts[0].Seen != "absent" {
				t.Errorf("nobody looked: %q", m.Attempts[0].Seen)
			}
			p.pay(*p.again("key-of-alice", "vip_month", 1).Payment) // the hint must not stand in the way of paying
			w.pass(10 * time.Second)
			w.is(o.ID, "delivered", true)
		})
	}
}

func TestAPlainPushOfSomebodyElsesMoneyDoesNotHoldAnOrder(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	id := p.buy("key-of-alice", "vip_month", 1)
	w.settle()
	lie := goodPush(id, "4500000138202603019999999999")
	lie.actual, lie.openID = 1, bob
	w.push(forged{plain: true}, lie.json())
	w.pass(time.Hour)
	w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
}

// refundPush is an event about a finished refund.
func refundPush(openID, number, wxRefundID, refundID string, fee int64) string {
	return fmt.Sprintf(`{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":%d,"MsgType":"event",`+
		`"Event":"xpay_refund_notify","OpenId":%q,"WxRefundId":%q,"MchRefundId":%q,"WxOrderId":"VPO1","MchOrderId":%q,`+
		`"RefundFee":%d,"RetCode":0,"RetMsg":"","RefundStartTimestamp":%d,"RefundSuccTimestamp":%d,`+
		`"WxpayRefundTransactionId":"503","RetryTimes":0}`, start.Unix(), openID, wxRefundID, refundID, number, fee, start.Unix(), start.Unix())
}

func TestAPlainPushOfARefundThatNeverWasTakesNothingBack(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	w.push(forged{plain: true}, refundPush(alice, id, "VPR260301100000000000001", "MP1", 1800))
	w.pass(time.Hour)
	w.is(id, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
}

// Whoever learned one valid triple of timestamp, nonce and signature can write any plain push (spec 3.6). One that
// names a real refund of another order of the same user must not be booked here as well: the query of a refund tells
// that it exists, not whose it is.
func TestAPlainPushThatNamesAnotherOrdersRefundTakesNothingBack(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	refunded, kept := p.buy("key-number-1", "vip_month", 1), p.buy("key-number-2", "vip_month", 1)
	w.settle()
	w.refunding(refunded, "refund-key-1", 1800)
	w.pass(time.Minute)
	r := w.is(refunded, "delivered", false).Refunds[0]
	w.push(forged{plain: true}, refundPush(alice, kept, r.WxRefundID, "MP1", 1800))
	w.pass(time.Hour)
	w.is(kept, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
}

// ... and a heap of such pushes must not keep the merchant from giving money back.
func TestPlainPushesOfInventedRefundsDoNotUseUpTheRealOnes(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	for i := range 40 {
		w.push(forged{plain: true}, refundPush(alice, id, fmt.Sprintf("VPR26030110000000000%04d", i), fmt.Sprintf("MP%d", i), 1))
	}
	w.pass(time.Hour)
	if a := w.refund(id, "refund-key-1", 1800, ""); a.status != 202 {
		t.Errorf("the refund is refused: %d %.200s", a.status, a.body)
	}
}

func TestAPushMayBe24HoursOldAndTenMinutesAhead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   time.Duration
		good bool
	}{
		{"20 hours old", -20 * time.Hour, true},
		{"30 hours old", -30 * time.Hour, false},
		{"9 minutes ahead", 9 * time.Minute, true},
		{"11 minutes ahead", 11 * time.Minute, false},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, plain %t", c.name, plain), func(t *testing.T) {
				t.Parallel()
				w := begin(t)
				w.stack.Clock.Advance(48 * time.Hour)
				w.faults(losePushes())
				id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
				event := goodPush(id, w.truth(id).Payments[0].TransactionID).json()
				f := forged{at: w.now().Add(c.at), plain: plain}
				status, body := w.push(f, event)
				switch {
				case !c.good && status != 401:
					t.Errorf("answered %d %s", status, body)
				case !c.good:
					w.is(id, "created", false)
					return
				case !plain && again(status, body):
					t.Errorf("answered %d %s", status, body)
				}
				w.settle()
				w.is(id, "delivered", true)
			})
		}
	}
}

func TestAPushForAnotherAppIDInsideAESIsNotOurs(t *testing.T) {
	t.Parallel()
	w := begin(t)
	o, _ := w.phone(alice).create("key-of-alice", "vip_month", 1)
	status, body := w.push(forged{appID: "wxsomebodyelse0000"}, goodPush(o.ID, "4500000138202603010000000001").json())
	if status != 200 || body != "success" {
		t.Errorf("answered %d %s", status, body)
	}
	w.pass(time.Hour)
	w.is(o.ID, "created", false).ledger(t, 0, 0, 0, 0, 0)
}

func TestAPushForAnotherEnvOfAnUnknownOrderIsNotOurs(t *testing.T) {
	t.Parallel()
	w := begin(t)
	event := goodPush("aaaaaaaaaaaaaaaaaaaaaaaaaa", "4500000138202603010000000001")
	event.env = 0
	if status, body := w.push(forged{}, event.json()); status != 200 || body != "success" {
		t.Errorf("answered %d %s", status, body)
	}
	if len(w.held()) != 0 {
		t.Errorf("held: %+v", w.held())
	}
}

func TestAPaidPushForAnUnknownOrderIsKeptAndCallsOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	number := "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	for i := range 16 {
		event := goodPush(number, "4500000138202603010000000001").json()
		status, body := w.push(forged{nonce: fmt.Sprint(1000 + i)}, event)
		if !again(status, body) {
			t.Fatalf("answered %d %s", status, body)
		}
		w.stack.Clock.Advance(time.Second << i)
	}
	held := w.held()
	if len(held) != 1 || held[0].Number != number || held[0].Code != "unknown" || held[0].Order != nil {
		t.Errorf("held: %+v", held)
	}
	if n := w.alarms.about("unknown"); n != 1 {
		t.Errorf("%d alarms", n)
	}
}

func TestAPaidPushUnderANumberThatIsNotOfOurFormIsAcknowledged(t *testing.T) {
	t.Parallel()
	w := begin(t)
	for _, number := range []string{"ORDER20260801001", "", "_", strings.Repeat("x", 5000), "aaaaaaaaaaaaaaaaaaaaaaaaaa-1", "raaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if status, body := w.push(forged{}, goodPush(number, "1").json()); status != 200 || body != "success" {
			t.Errorf("%.30q answered %d %s", number, status, body)
		}
	}
}

func TestAPushOfAnAttemptThatWasNeverSignedDoesNotDeliver(t *testing.T) {
	t.Parallel()
	w := begin(t)
	o, _ := w.phone(alice).create("key-of-alice", "vip_month", 1)
	status, body := w.push(forged{}, goodPush(o.ID+"-2", "4500000138202603010000000001").json())
	if !again(status, body) {
		t.Errorf("answered %d %s", status, body)
	}
	w.is(o.ID, "created", false)
	if held := w.held(); len(held) != 1 || held[0].Code != "impossible" {
		t.Errorf("held: %+v", held)
	}
}

func TestAPushThatCannotBeReadIsKeptAndPushedAgain(t *testing.T) {
	t.Parallel()
	w := begin(t)
	for _, event := range []string{
		`{"Event":"xpay_goods_deliver_notify","OutTradeNo":"x","GoodsInfo":{"ActualPrice":"much"}}`,
		`{"Event":"xpay_refund_notify","MchOrderId":"x"}`,
	} {
		if status, body := w.push(forged{}, event); !again(status, body) || status != 200 {
			t.Errorf("answered %d %s", status, body)
		}
	}
	if len(w.held()) != 2 || len(w.alarms.all) != 2 {
		t.Errorf("held %+v, alarms %+v", w.held(), w.alarms.all)
	}
}

func TestDuplicatedAndReorderedPushesDeliverOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	w.faults(wechatsim.Faults{Push: wechatsim.PushFaults{Duplicate: 20, Reorder: true, FreshTimestamp: true}})
	first, second := p.buy("key-number-1", "gem_60", 1), p.buy("key-number-2", "gem_60", 1)
	w.settle()
	w.refunding(first, "refund-key-1", 200)
	if err := w.stack.Sim.ConsoleRefund(second, 100); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.is(first, "delivered", true).ledger(t, 600, 0, 0, 200, 0)
	w.is(second, "delivered", true).ledger(t, 600, 0, 0, 100, 0)
	for range 3 { // the whole day of repeats once more
		w.push(forged{}, paid{number: first, openID: alice, product: "gem_60", txn: w.truth(first).Payments[0].TransactionID, env: 1, quantity: 1, actual: 600}.json())
	}
	w.is(first, "delivered", true).ledger(t, 600, 0, 0, 200, 0)
	if len(w.alarms.all) != 0 {
		t.Errorf("alarms: %+v", w.alarms.all)
	}
}

func TestARefundPushBeforeThePaymentsPushIsNotLost(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	w.faults(wechatsim.Faults{Push: wechatsim.PushFaults{Drop: 1}})
	id := p.buy("key-of-alice", "vip_month", 1)
	w.stack.Sim.DeliverDue(context.Background()) // lost; its repeat comes in 2 s
	if err := w.stack.Sim.ConsoleRefund(id, 1800); err != nil {
		t.Fatal(err)
	}
	refund := refundPush(alice, id, w.truth(id).Refunds[0].WxRefundID, w.truth(id).Refunds[0].RefundID, 1800)
	if status, body := w.push(forged{}, refund); again(status, body) {
		t.Errorf("answered %d %s", status, body)
	}
	w.pass(time.Hour)
	w.merchant(id).ledger(t, 1800, 0, 0, 1800, 0)
	if o := w.merchant(id); o.Owned {
		t.Error("the user owns what was paid back")
	}
}

func TestTheCheckOfThePushURLIsAnswered(t *testing.T) {
	t.Parallel()
	w := begin(t)
	if got := w.stack.Sim.CheckURL(context.Background()); !got.OK {
		t.Errorf("check: %+v", got)
	}
	ts := fmt.Sprint(w.now().Unix())
	good := url.Values{"timestamp": {ts}, "nonce": {"1"}, "echostr": {"<b>&\"4375120948345356249"}, "signature": {sha1Of(pushToken, ts, "1")}}
	a := w.call("GET", "/wechat/push?"+good.Encode(), "")
	if a.status != 200 || string(a.body) != `<b>&"4375120948345356249` || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("echo: %s, %s", a, a.header.Get("Content-Type"))
	}
	good.Set("signature", sha1Of("guessed", ts, "1"))
	w.call("GET", "/wechat/push?"+good.Encode(), "").refused(t, 401, "unauthorized")
	w.call("GET", "/wechat/push", "").refused(t, 400, "invalid")
}

func TestAMessageThatIsNotOursIsAcknowledged(t *testing.T) {
	t.Parallel()
	w := begin(t)
	for _, event := range []string{
		`{"ToUserName":"gh","FromUserName":"o","CreateTime":1,"MsgType":"text","Content":"hello"}`,
		`{"ToUserName":"gh","FromUserName":"o","CreateTime":1,"MsgType":"event","Event":"subscribe"}`,
		`<xml><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[user_enter_tempsession]]></Event></xml>`,
	} {
		for _, plain := range []bool{false, true} {
			if status, body := w.push(forged{plain: plain}, event); status != 200 || body != "success" {
				t.Errorf("answered %d %s", status, body)
			}
		}
	}
	if len(w.held())+len(w.alarms.all) != 0 {
		t.Error("somebody was called")
	}
}

func TestAComplaintIsKeptForAPersonAndAcknowledged(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	if _, err := w.stack.Sim.Complain(id, "nothing came"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if push := w.truth(id).Pushes[1]; !push.Answered || push.LastAnswer != "acknowledged by ErrCode 0" {
		t.Errorf("push: %+v", push)
	}
	if held := w.held(); len(held) != 1 || held[0].Number != id || len(w.alarms.all) != 1 {
		t.Errorf("held %+v, alarms %+v", held, w.alarms.all)
	}
}

func TestTwoComplaintsAboutOneOrderAreTwo(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	for _, why := range []string{"nothing came", "I was never answered"} {
		if _, err := w.stack.Sim.Complain(id, why); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
	}
	if held := w.held(); len(held) != 2 || len(w.alarms.all) != 2 {
		t.Errorf("%d questions and %d alarms, want 2 of each: a complaint must be answered within days", len(held), len(w.alarms.all))
	}
}

func TestAQuestionOfAppleIsAnsweredInItsOwnShape(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"xml", "json"} {
		for _, mode := range []string{"plain", "aes"} {
			t.Run(mode+" "+format, func(t *testing.T) {
				t.Parallel()
				w := begin(t, inProduction, func(s *setup) { s.PushFormat, s.PushMode = format, mode })
				p := w.phone(alice)
				o, pay := p.create("key-of-alice", "vip_month", 1)
				got := w.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{
					OpenID: alice, Mode: pay.Mode, SignData: pay.SignData, PaySig: pay.PaySig, Signature: pay.Signature, Channel: "apple",
				})
				if got.ErrCode != 0 {
					t.Fatalf("%+v", got)
				}
				w.pass(10 * time.Second)
				w.is(o.ID, "delivered", true)
				if err := w.stack.Sim.AskAppleRefund(o.ID, "UNINTENDED_PURCHASE"); err != nil {
					t.Fatal(err)
				}
				w.settle()
				pushes := w.truth(o.ID).Pushes
				push := pushes[len(pushes)-1]
				var said struct {
					Code     *int   `json:"result_code"`
					Info     string `json:"result_info"`
					Evidence string `json:"evidence"`
				}
				if err := json.Unmarshal([]byte(push.LastAnswer), &said); err != nil || !push.Answered {
					t.Fatalf("push: %+v", push)
				}
				if said.Code == nil || *said.Code != 1 || !strings.Contains(said.Evidence, "2026-03-01T02:00:0") {
					t.Errorf("said %s: the user has the goods, so we object with when they came", push.LastAnswer)
				}
				// A push does not say that it is Apple's (in plain mode a query has said so already); the query before the
				// first send does, so nothing is sent.
				a := w.refund(o.ID, "refund-key-1", 1800, "")
				if !strings.Contains(string(a.body), "it was paid through Apple") || a.status != 200 && a.status != 422 {
					t.Errorf("the refund is answered %s", a)
				}
				if n := w.truth(o.ID).Calls.RefundOrder; n != 0 {
					t.Errorf("%d refunds were sent to WeChat", n)
				}
				w.pass(time.Minute)
				w.is(o.ID, "delivered", true).ledger(t, 1800, 0, 0, 0, 0)
				w.refund(o.ID, "refund-key-2", 1800, "").refused(t, 422, "rejected") // by now we know that it is Apple's
				if err := w.stack.Sim.ConsoleRefund(o.ID, 1800); err != nil {
					t.Fatal(err)
				}
				w.pass(10 * time.Minute)
				w.is(o.ID, "delivered", false).ledger(t, 1800, 0, 0, 1800, 0)
			})
		}
	}
}

func TestAQuestionOfAppleAboutNoOrderOfOursIsAnsweredAllTheSame(t *testing.T) {
	t.Parallel()
	w := begin(t)
	// A real push, identifiers blank as received (spec 7.8).
	const question = `{"CreateTime":1773806490,"Event":"xpay_subscribe_ios_refund_query_notify","FromUserName":"","MsgType":"event","ToUserName":"","bundleid":"com.tencent.xin","channel_bill":"","consumption_status":"0","order_time":"1773733827","p_count":"1","pay_order_id":"2","product_id":"","provide_status":"1","refund_request_reason":"UNINTENDED_PURCHASE","refund_time":"1773806490","service_type":"unipdt"}`
	for _, plain := range []bool{false, true} {
		status, body := w.push(forged{plain: plain}, question)
		if want := `{"result_code":0,"result_info":"建议退款","evidence":"未找到对应的订单"}`; status != 200 || body != want {
			t.Errorf("answered %d %s, want %s", status, body, want)
		}
	}
}
