package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// market is the product in this process, and how the command reaches it.
type market struct {
	*testing.T
	stack *localenv.Stack
	url   string
	flags []string
	env   []string
	bad   atomic.Int64 // that many of the next requests are answered with 500 after they were done
	lost  atomic.Int64 // the same of the next that write
}

// openMarket serves the API as the local stack does.
func openMarket(t *testing.T, allow func(*http.Request) error) *market {
	t.Helper()
	stack, err := localenv.Open(t.Context(), localenv.Options{
		Data: t.TempDir(), Clock: localenv.Virtual(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)), Seed: 7, Synchronous: "NORMAL", AllowMerchant: allow,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stack.Close() })
	m := &market{T: t, stack: stack}
	server := httptest.NewServer(m.failing(stack.Handler))
	t.Cleanup(server.Close)
	m.url, m.flags = server.URL, []string{"--local=" + server.URL}
	return m
}

// failing answers 500 after the fact when the test wants it.
func (m *market) failing(to http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.bad.Add(-1) >= 0 || r.Method == http.MethodPost && m.lost.Add(-1) >= 0 {
			to.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		to.ServeHTTP(w, r)
	})
}

// buy is a user who pays; WeChat's push arrives unless it is lost.
func (m *market) buy(key string, lost bool) string {
	m.Helper()
	m.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: lost}})
	o, p := m.create(key)
	if r := m.cashier(p, "pay"); r.ErrCode != 0 {
		m.Fatalf("the phone says %d %s", r.ErrCode, r.ErrMsg)
	}
	if !lost {
		m.pass(time.Second)
	}
	return o.ID
}

// buyNow is a user who pays without any time going by.
func (m *market) buyNow(key string) string {
	m.Helper()
	o, p := m.create(key)
	if r := m.cashier(p, "pay"); r.ErrCode != 0 {
		m.Fatalf("the phone says %d %s", r.ErrCode, r.ErrMsg)
	}
	m.orders("recheck", o.ID).want(m.T, 0, "delivered")
	return o.ID
}

// create is a user who orders.
func (m *market) create(key string) (order.Order, *xpay.Payment) {
	m.Helper()
	ctx := m.Context()
	if _, err := m.stack.API.Sessions.Login(ctx, m.stack.Sim.Login("oUser-1")); err != nil {
		m.Fatal(err)
	}
	u, err := m.stack.API.Sessions.User(ctx, "oUser-1")
	if err != nil {
		m.Fatal(err)
	}
	o, p, _, err := m.stack.Orders.Create(ctx, order.CreateRequest{OpenID: "oUser-1", SessionKey: u.SessionKey, Key: key, ProductID: "vip_month", Quantity: 1})
	if err != nil {
		m.Fatal(err)
	}
	return o, p
}

// cashier is the phone: the user pays or cancels.
func (m *market) cashier(p *xpay.Payment, action string) wechatsim.PaymentResult {
	return m.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: "oUser-1", Mode: p.Mode, SignData: p.SignData, PaySig: p.PaySig, Signature: p.Signature, Action: action,
	})
}

func (m *market) pass(d time.Duration) {
	m.Helper()
	if err := m.stack.Pass(context.Background(), d); err != nil {
		m.Fatal(err)
	}
}

// orders runs the command against this market.
func (m *market) orders(args ...string) result {
	m.Helper()
	return tool{env: append([]string{"TZ=Asia/Shanghai"}, m.env...)}.run(m.T, slices.Concat([]string{"orders"}, args, m.flags)...)
}

func TestAnOperatorLooksAtOrdersAndActsOnThemLocally(t *testing.T) {
	t.Parallel()
	operate(t, openMarket(t, nil))
}

// operate is what an operator does, on whatever stack.
func operate(t *testing.T, m *market) {
	id, late := m.buy("first-key-1", false), m.buy("second-key-1", true)
	shown := m.orders("show", id).want(t, 0, id, "delivered 已发货", "18.00 yuan (1800 fen)", "2026-03-01 10:00:0", "CST", "oUser-1")
	if at := regexp.MustCompile(`(?m)^state {7}delivered`); !at.MatchString(shown.out) {
		t.Errorf("not aligned:\n%s", shown.out)
	}
	m.orders("list", "--user", "oUser-1").want(t, 0, id, late, "vip_month", "  created 待支付         18.00 yuan", "  delivered 已发货       18.00 yuan")
	m.orders("list", "--from", "2026-03-01T10:00", "--to", "2026-03-01T11:00").want(t, 0, id)
	if r := m.orders("list", "--from", "2026-03-01T10:00", "--to", "2026-03-01T11:00"); strings.Contains(r.out, late) {
		t.Error("an order that is not known to be paid is listed")
	}
	m.orders("recheck", late).want(t, 0, late, "delivered")

	refund := []string{"refund", id, "--yuan", "6", "--reason", "重复购买"}
	m.orders(refund...).want(t, 2, "--yes")
	m.lost.Store(1)
	m.orders(append(refund, "--yes")...).want(t, 3, "--key xpay-cli-") // it happened, and the answer was lost
	m.orders(append(refund, "--yes")...).want(t, 0, "6.00 yuan (600 fen)")
	m.pass(time.Minute)
	m.orders(append(refund, "--yes")...).want(t, 0, "done 已退款", "refunded 6.00 yuan (600 fen)", "another one needs another --key")
	m.orders(append(refund, "--yes", "--key", "another-refund-1")...).want(t, 0, "being refunded 6.00 yuan (600 fen)")
	m.orders("refund", id, "--fen", "1900", "--yes").want(t, 1, "another refund of this payment is open", "退款未结束")
	m.pass(time.Minute)
	m.orders("refund", id, "--fen", "1900", "--yes").want(t, 1, "600 fen are left to refund, 1900 were asked", "可退 600 分，要求退 1900 分")

	if err := m.stack.Sim.ConsoleRefund(late, 300); err != nil {
		t.Fatal(err)
	}
	m.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	window := []string{"recheck", "--from", "2026-03-01T10:00", "--to", "2026-03-01T12:00", "--rate", "50"}
	m.orders(window...).want(t, 0, late, "refunded 0.00 yuan (0 fen) -> 3.00 yuan (300 fen)", "2 checked, 1 changed, 0 failed")
	lines := strings.Split(strings.TrimSpace(m.orders(append(window, "--json")...).want(t, 0).out), "\n")
	if len(lines) != 3 || lines[2] != `{"checked":2,"changed":0,"failed":0,"done":true}` {
		t.Errorf("as JSON: %q", lines)
	}

	m.orders("advance", id).want(t, 0, id)
	m.orders("accept", id).want(t, 0, id)
	m.orders("deliver", id).want(t, 0, id)
	m.orders("adopt", id).want(t, 0, id) // it is there
	m.orders("adopt", "FOREIGN-1").want(t, 1, "number of an order")
	m.orders("show", "nonsense").want(t, 1, "no such order", "没有找到")
	var raw struct{ ID, State string }
	if m.orders("show", id, "--json").want(t, 0).decode(t, &raw); raw.ID != id || raw.State != "delivered" {
		t.Errorf("as JSON: %+v", raw)
	}
	m.held(t)
}

// TestTheSameRefundInOtherWordsHappensOnce: the attempt named or not, blanks around the reason, another spelling of the amount.
func TestTheSameRefundInOtherWordsHappensOnce(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	id := m.buy("first-key-1", true) // the push is lost: nobody knows of the payment
	for _, words := range [][]string{
		{"--fen", "500", "--reason", "dup"}, {"--fen", "500", "--reason", "dup", "--attempt", "1"}, {"--yuan", "5", "--reason", " dup "}, {"--yuan", "5.00", "--reason", "dup"},
	} {
		m.orders(slices.Concat([]string{"refund", id, "--yes"}, words)...).want(t, 0)
		m.pass(time.Minute)
	}
	for _, words := range [][]string{{"--fen", "100"}, {"--fen", "100", "--reason", "0"}, {"--fen", "100", "--reason", " "}} {
		m.orders(slices.Concat([]string{"refund", id, "--yes"}, words)...).want(t, 0)
		m.pass(time.Minute)
	}
	m.orders("show", id).want(t, 0, "refunded 6.00 yuan (600 fen)")
	m.orders("refund", id, "--fen", "1", "--attempt=-1", "--yes").want(t, 2, "counts from 1")
}

func TestARecheckTellsARefusalFromSilence(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	id := m.buy("first-key-1", false)
	query := func(f wechatsim.APIFault) {
		m.stack.Sim.SetFaults(wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": f}})
	}
	query(wechatsim.APIFault{ErrorBeforeEffect: 1})
	m.orders("recheck", id).want(t, 3, "WeChat does not answer")
	query(wechatsim.APIFault{Code: wechatsim.CodeFault{ErrCode: 268490003, Times: 10}})
	refused := m.orders("recheck", id).want(t, 3, "refuses the query with 268490003", "AppKey", "微信拒绝查询（268490003）：检查 AppKey")
	if strings.Contains(refused.stderr, "重试") {
		t.Errorf("a refusal is said to be mended by a repeat: %s", refused.stderr)
	}
	m.orders("show", id).want(t, 0, "after 2 tries without an answer", "orders recheck says why")
	query(wechatsim.APIFault{})
	m.pass(time.Minute)
	m.orders("recheck", id).want(t, 0, "delivered")
}

func TestNobodyRefundsAnOrderThatWasNotPaid(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	o, _ := m.create("first-key-1")
	m.orders("refund", o.ID, "--fen", "1", "--yes").want(t, 1, "shows no payment", "无款可退")
	m.orders("refund", o.ID, "--fen", "1", "--attempt", "1", "--yes").want(t, 1, "the order is not paid", "订单未支付")
}

// TestADoublePaymentGoesBackAndNotTheOneThatPays: the later number pays, the first one is paid behind it.
func TestADoublePaymentGoesBackAndNotTheOneThatPays(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	o, first := m.create("first-key-1")
	if got := m.cashier(first, "cancel"); got.ErrCode != -2 {
		t.Fatalf("the phone says %d %s", got.ErrCode, got.ErrMsg)
	}
	u, err := m.stack.API.Sessions.User(t.Context(), "oUser-1")
	if err != nil {
		t.Fatal(err)
	}
	_, next, err := m.stack.Orders.Attempt(t.Context(), "oUser-1", o.ID, u.SessionKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.cashier(next, "pay"); got.ErrCode != 0 {
		t.Fatalf("the phone says %d %s", got.ErrCode, got.ErrMsg)
	}
	m.pass(time.Second)
	if err := m.stack.Sim.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	m.pass(time.Second)
	m.orders("held").want(t, 0, "surplus", "the one that pays for the order. 重复付款\n", "--attempt N")
	m.orders("show", o.ID).want(t, 0, "SURPLUS", "QUESTION    surplus 重复付款: a payment beyond", "(attempt 1)")
	m.orders("accept", o.ID).want(t, 2, "--yes")
	m.orders("refund", o.ID, "--yuan", "18", "--yes").want(t, 2, "paid more than once", "--attempt")
	m.orders("refund", o.ID, "--yuan", "18", "--attempt", "1", "--yes").want(t, 0)
	m.pass(time.Minute)
	shown := m.orders("show", o.ID, "--json").want(t, 0)
	var got struct {
		Owned     bool
		Attention []any
	}
	if shown.decode(t, &got); !got.Owned || len(got.Attention) != 0 {
		t.Errorf("owned %t, asked %v", got.Owned, got.Attention)
	}
	if v, _ := m.stack.Sim.Order(o.ID + "-2"); v.LeftFee != 1800 {
		t.Errorf("of the payment that pays %d fen are left", v.LeftFee)
	}
}

// TestAPersonSeesWhatWeChatSaysBeforeHeldMoneyIsLetGo: a push names other goods, and WeChat knows no payment.
func TestAPersonSeesWhatWeChatSaysBeforeHeldMoneyIsLetGo(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	o, _ := m.create("first-key-1")
	body := fmt.Sprintf(`{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":1772330400,"MsgType":"event","Event":"xpay_goods_deliver_notify","OpenId":"oUser-1","OutTradeNo":%q,"Env":1,`+
		`"WeChatPayInfo":{"MchOrderNo":"M1","TransactionId":"T1"},"GoodsInfo":{"ProductId":"gem_60","Quantity":1,"OrigPrice":1800,"ActualPrice":1800,"Attach":""}}`, o.ID)
	event, err := parseEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.stack.Orders.Record(t.Context(), order.Push{Event: event, Encrypted: true, Raw: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	m.pass(10 * time.Minute)
	m.orders("show", o.ID).want(t, 0, "held 待人工处理", "NOT PAID", "NOT BELIEVED")
	m.orders("accept", o.ID).want(t, 2, "--yes")
	m.orders("show", o.ID).want(t, 0, "held 待人工处理")
	m.orders("accept", o.ID, "--yes").want(t, 0, "delivered")
}

func TestAPersonSettlesARefundOfWhichWeChatCannotTell(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	id := m.buy("first-key-1", false)
	m.stack.Sim.SetFaults(wechatsim.Faults{
		API:  map[string]wechatsim.APIFault{"/xpay/refund_order": {CutBeforeEffect: 1}},
		Push: wechatsim.PushFaults{DropAll: true},
	})
	out := m.orders("refund", id, "--fen", "300", "--yes").want(t, 0).out
	number := regexp.MustCompile(`(?m)^refund +(\S+)$`).FindStringSubmatch(out)
	if number == nil {
		t.Fatalf("no refund:\n%s", out)
	}
	m.orders("settle", id, number[1], "--happened", "no", "--yes").want(t, 1, "under way")
	if err := m.stack.Sim.ConsoleRefund(id, 300); err != nil {
		t.Fatal(err)
	}
	for range 27 {
		m.pass(time.Hour)
	}
	m.orders("held").want(t, 0, id, "orders settle "+id, "--happened")
	m.orders("settle", id, number[1], "--happened", "maybe", "--yes").want(t, 2, "yes")
	m.orders("settle", id, number[1], "--happened", "yes").want(t, 2, "--yes")
	m.orders("settle", id, "rnothing", "--happened", "yes", "--yes").want(t, 1, "no such refund")
	m.orders("settle", id, number[1], "--happened", "no", "--yes").want(t, 1, "300 fen less", "it has happened", "微信的剩余可退金额少了 300 分")
	m.stack.Sim.SetFaults(wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1}}})
	m.orders("settle", id, number[1], "--happened", "no", "--yes").want(t, 3, "nothing was booked", "可原样重试")
	m.stack.Sim.SetFaults(wechatsim.Faults{})
	m.orders("settle", id, number[1], "--happened", "yes", "--yes").want(t, 0, "done 已退款", "refunded 3.00 yuan (300 fen)")
	m.orders("settle", id, number[1], "--happened", "yes", "--yes").want(t, 0, "done 已退款") // again
	m.orders("settle", id, number[1], "--happened", "no", "--yes").want(t, 1, "nothing was changed")
}

func TestAWalkMayBeLongerThanOneList(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	first := m.buy("march-key-1", false)
	m.pass(40 * 24 * time.Hour)
	second := m.buy("april-key-1", false)
	window := []string{"recheck", "--from", "2026-01-01", "--to", "2026-05-01", "--rate", "50", "--json"}
	out := m.orders(window...).want(t, 0, first, second).out
	if !strings.HasSuffix(out, `{"checked":2,"changed":0,"failed":0,"done":true}`+"\n") {
		t.Errorf("as JSON: %s", out)
	}
	m.bad.Store(1)
	out = m.orders(window...).want(t, 3).out
	var end struct {
		Done        bool
		From, To    string
		Error, Code string
	}
	decodeLast(t, out, &end)
	if end.Done || end.From != "2026-01-01T00:00:00+08:00" || end.To != "2026-05-01T00:00:00+08:00" || end.Error == "" || end.Code != "later" {
		t.Errorf("as JSON: %+v", end)
	}
}

// decodeLast reads the last line of an output.
func decodeLast(t *testing.T, out string, into any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
		t.Errorf("the last line is not JSON: %q", out)
	}
}

// TestAnErrorIsJSONForPrograms: stdout says it, stderr too, once each.
func TestAnErrorIsJSONForPrograms(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "not_found", []string{"orders", "show", "nonsense", "--local", m.url}},
		{2, "usage", []string{"orders", "show", "x"}},
		{2, "usage", []string{"orders", "show", "--nonsense"}},
		{2, "usage", []string{"outputs"}},
		{2, "usage", []string{"secrets", "check"}},
		{3, "later", []string{"orders", "show", "x", "--local=http://127.0.0.1:1"}},
		{2, "usage", []string{"sign", "pay"}},
		{1, "failed", []string{"orders", "show", "x", "--local", "http://" + silent(t)}},
	} {
		r := tool{}.run(t, append(c.args, "--json")...).want(t, c.code)
		var said struct{ Error, Code string }
		decodeLast(t, r.out, &said)
		if said.Code != c.says || said.Error == "" || !strings.Contains(r.stderr, said.Error) || strings.Count(r.out, "\n") != 1 {
			t.Errorf("%v: %q\n%s", c.args, r.out, r.stderr)
		}
	}
}

// silent is the address of a server that is not the API.
func silent(t *testing.T) string {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// held is evidence that waits, is looked at, and leaves the list.
func (m *market) held(t *testing.T) {
	t.Helper()
	lost := order.NewID("wx", 1, "oUser-1", "lost-key-1")
	body := `{"MsgType":"event","Event":"xpay_complaint_notify","OpenId":"oUser-1","MchOrderId":"` + lost + `","ComplaintId":"C1"}`
	event, err := parseEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.stack.Orders.Record(t.Context(), order.Push{Event: event, Encrypted: true, Raw: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	m.orders("held").want(t, 0, lost, "orders dismiss ", "移出列表")
	m.orders("dismiss", lost).want(t, 0, "1 off the list")
	m.orders("dismiss", lost).want(t, 0, "1 off the list") // again
	m.orders("dismiss", "nobody-1").want(t, 1, "no evidence")
	var list struct{ Held []any }
	if m.orders("held", "--json").want(t, 0).decode(t, &list); list.Held == nil || len(list.Held) != 0 {
		t.Errorf("still waiting: %v", list.Held)
	}
}

// What is now, the backend says: this machine's clock may be behind it, or ahead.
func TestWithoutToAListAndAWalkEndAtTheBackendsNow(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"a backend that is ahead": 20 * 365 * 24 * time.Hour, "a backend that is behind": 0} {
		m := openMarket(t, nil)
		m.stack.Clock.Advance(ahead + 300*time.Millisecond)
		day := m.stack.Clock.Now().Format(time.DateOnly)
		old := m.buy("march-key-1", false)
		m.stack.Clock.Advance(40 * 24 * time.Hour)
		late := m.stack.Clock.Now().Format(time.DateOnly)
		fresh := m.buyNow("april-key-1") // the clock stands still: it was paid in the second that runs
		out := m.orders("recheck", "--from", day, "--rate", "50", "--json").want(t, 0, old, fresh).out
		if !strings.HasSuffix(out, `{"checked":2,"changed":0,"failed":0,"done":true}`+"\n") {
			t.Errorf("%s: as JSON: %s", name, out)
		}
		m.orders("list", "--from", late).want(t, 0, fresh)
		m.orders("list", "--from", day).want(t, 1, "31", "give --to", "请给出 --to")
		m.bad.Store(1)
		m.orders("recheck", "--from", day).want(t, 3, "go on with --from "+day+"T00:00:00+08:00 未完成")
	}
}

func TestAWalkThatIsInterruptedSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	for i := range 7 {
		m.buy(fmt.Sprintf("walk-key-%d", i), false)
	}
	m.stack.Sim.SetFaults(wechatsim.Faults{API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1000}}})
	window := []string{"recheck", "--from", "2026-03-01T10:00", "--to", "2026-03-01T12:00", "--rate", "50"}
	m.orders(window...).want(t, 3, "five orders in a row", "go on with --from 2026-03-01T10:00:00+08:00 --to 2026-03-01T12:00:00+08:00", "0 checked, 0 changed, 5 failed")
	m.stack.Sim.SetFaults(wechatsim.Faults{})
	m.stack.Clock.Advance(time.Minute)
	m.orders(append(window, "--cursor", "2026-03-01T03.")...).want(t, 0, "0 checked")
	m.orders(window...).want(t, 0, "7 checked, 0 changed, 0 failed")
	m.orders(append(window, "--cursor", "nonsense")...).want(t, 1, "cursor")
}

func TestAWalkThatAPersonStopsSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	for i := range 7 {
		m.buy(fmt.Sprintf("stop-key-%d", i), false)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "orders", "recheck", m.flags[0], "--json", "--rate", "2",
		"--from", "2026-03-01T02:00:00Z", "--to", "2026-03-01T03:00:00Z")
	cmd.Dir = t.TempDir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // the first order is done
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	last := lines.Text()
	for lines.Scan() {
		last = lines.Text()
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(last, `"done":false`) || !strings.Contains(stderr.String(), "go on with --from 2026-03-01T02:00:00Z") {
		t.Errorf("exit %d, at last %s\n%s", code, last, stderr.String())
	}
}

func TestWhatCannotBeMeantIsAWrongCommandLine(t *testing.T) {
	t.Parallel()
	m := openMarket(t, nil)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"show"}, "<id>"},
		{[]string{"refund", "x", "--yes"}, "--fen"},
		{[]string{"refund", "x", "--yes", "--fen", "0"}, "above 0"},
		{[]string{"refund", "x", "--yes", "--fen=-5"}, "above 0"},
		{[]string{"refund", "x", "--yes", "--yuan", "6.005"}, "yuan"},
		{[]string{"refund", "x", "--yes", "--yuan", "-6"}, "yuan"},
		{[]string{"refund", "x", "--yes", "--yuan", "0.00"}, "above 0"},
		{[]string{"refund", "x", "--yes", "--yuan", "6", "--fen", "600"}, "--yuan"},
		{[]string{"recheck"}, "--from"},
		{[]string{"recheck", "x", "--from", "2026-03-01"}, "--from"},
		{[]string{"recheck", "--from", "yesterday"}, "no time"},
		{[]string{"recheck", "--from", "2026-03-01", "--rate", "0"}, "--rate"},
		{[]string{"recheck", "--from", "2026-03-01", "--rate", "1000"}, "--rate"},
		{[]string{"list"}, "--user"},
		{[]string{"list", "--user", "u", "--from", "2026-03-01"}, "--user"},
		{[]string{"show", "x", "--stack", "s"}, "--stack NAME or --local"},
		{[]string{"show", "x", "y"}, "unexpected argument"},
		{[]string{"refund", "x", "--yes", "--yuan", "six"}, "--yuan"},
		{[]string{"recheck", "x", "--cursor", "c"}, "--cursor"},
		{[]string{"recheck", "x", "--to", "2026-03-01"}, "--to"},
		{[]string{"recheck", "--from", "2026-03-01", "--rate", "NaN"}, "--rate"},
		{[]string{"recheck", "--from", "2026-03-02", "--to", "2026-03-01"}, "not before"},
		{[]string{"list", "--from", "2026-03-01", "--to", "2026-03-01"}, "not before"},
		{[]string{"list", "--user", "u", "--to", "2026-03-01"}, "--to"},
		{[]string{"list", "--from", "2026-03-01", "--state", "paid"}, "--state"},
		{[]string{"list", "--user", "u", "--state", "nonsense"}, "delivered"},
		{[]string{"list", "--user", "u", "--limit", "101"}, "1 to 100"},
		{[]string{"held", "--limit=-1"}, "1 to 100"},
		{[]string{"held", "--limit", "0"}, "1 to 100"},
		{[]string{"show", ""}, "must not be empty"},
		{[]string{"refund", "", "--fen", "1", "--yes"}, "must not be empty"},
		{[]string{"settle", "x", "", "--happened", "no", "--yes"}, "must not be empty"},
		{[]string{"dismiss", ""}, "must not be empty"},
		{[]string{"recheck", ""}, "--from"},
		{[]string{"list", "--user", "u", "--state", "x"}, `must be one of "created","paid"`},
	} {
		r := m.orders(c.args...).want(t, 2, c.says)
		if first, _, _ := strings.Cut(r.stderr, "\n"); !chinese.MatchString(first) {
			t.Errorf("%v: the first line is not in both languages: %s", c.args, r.stderr)
		}
	}
	tool{}.run(t, "orders", "show", "x").want(t, 2, "--stack NAME or --local")
	tool{}.run(t, "orders", "show", "x", "--local=ftp://here").want(t, 2, "address")
	tool{}.run(t, "orders", "show", "x", "--local=http://127.0.0.1:1").want(t, 3, "nothing was done")
	m.orders("list", "--from", "2026-01-01", "--to", "2026-03-01").want(t, 1, "31", "请求有误")
	m.orders("list", "--from", "2999-01-01").want(t, 1, "before to, which is now", "请求有误")
	m.orders("recheck", "--from", "2999-01-01").want(t, 1, "before to, which is now", "请求有误")
	tool{}.run(t, "orders", "held", "--local", m.url).want(t, 0, "没有记录") // behind a space, too
	_, weChat := simulated(t, nil)
	for _, args := range [][]string{{"held"}, {"show", "x"}, {"list", "--user", "u"}, {"list", "--from", "2026-11-21"}, {"accept", "x"}, {"dismiss", "x"}, {"refund", "x", "--fen", "1", "--yes"}} {
		tool{}.run(t, slices.Concat([]string{"orders"}, args, []string{"--local", weChat})...).want(t, 1, "address of the API")
	}
}

// TestEveryQuestionHasItsChinese: the codes are the constants of package order.
func TestEveryQuestionHasItsChinese(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/order/apply.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		for i := 0; ok && i < len(spec.Names) && i < len(spec.Values); i++ {
			if value, isText := spec.Values[i].(*ast.BasicLit); isText && strings.HasPrefix(spec.Names[i].Name, "Attention") {
				codes[strings.Trim(value.Value, `"`)] = true
			}
		}
		return true
	})
	if !codes[order.AttentionSurplus] || !codes[order.AttentionNotice] {
		t.Fatalf("the codes were not found: %v", codes)
	}
	for code := range codes {
		if !hasChinese(questionsZH[code]) {
			t.Errorf("%s has no Chinese", code)
		}
	}
	for code := range questionsZH {
		if !codes[code] {
			t.Errorf("%s is no question", code)
		}
	}
}

// TestTheKeyOfARefundDoesNotChangeWithTheDay: a command that is repeated at eight in the morning, China time, is no second
// refund. The key is that of the text by sha256sum(1): printf 'id\n1\n600\nreason' | sha256sum.
func TestTheKeyOfARefundDoesNotChangeWithTheDay(t *testing.T) {
	t.Parallel()
	same := refundKey("id", 1, 600, "reason")
	if same != "xpay-cli-c754f9517aa54be86909af9eff04ff5d" || len(same) < order.KeyCharsMin || len(same) > order.KeyCharsMax {
		t.Errorf("the key is %s", same)
	}
	for i, other := range []string{
		refundKey("id", 2, 600, "reason"), refundKey("id", 1, 601, "reason"), refundKey("id", 1, 600, "other"), refundKey("other", 1, 600, "reason"),
	} {
		if other == same {
			t.Errorf("%d: the same key for another refund", i)
		}
	}
}

// The market as a deployed stack: behind an API Gateway that asks for IAM on the merchant routes, described by CloudFormation.
func TestAnOperatorActsOnADeployedStackWithSignedRequests(t *testing.T) {
	t.Parallel()
	m := openMarket(t, func(r *http.Request) error {
		if who, ok := bridge.Caller(r.Context()); ok && who.UserARN != "" {
			return nil
		}
		return problem.New(problem.Unauthorized, "not through API Gateway")
	})
	var routes []lambdatest.Route
	for _, r := range httpapi.Routes() {
		routes = append(routes, lambdatest.Route{Key: r.Method + " " + r.Path, IAM: r.Auth == httpapi.AuthMerchant, Function: bridge.HTTP(m.failing(m.stack.Handler), m.stack.API.Log)})
	}
	var requests atomic.Int64
	gateway := httptest.NewServer(verifying(t, &requests, &lambdatest.Gateway{Routes: routes}))
	t.Cleanup(gateway.Close)
	d := deployed(t, gateway.URL, "")
	m.flags, m.env = []string{"--stack", d.name}, d.env
	operate(t, m)
	if requests.Load() < 20 {
		t.Errorf("only %d requests came through the gateway", requests.Load())
	}
	m.env = append(slices.Clone(d.env), "AWS_SECRET_ACCESS_KEY=stolen-and-wrong")
	m.orders("held").want(t, 1, "403", "execute-api:Invoke")
	m.env = d.env
	tool{env: d.env}.run(t, "orders", "held", "--stack", "nowhere").want(t, 2, "there is no such stack")
	tool{env: append(slices.Clone(d.env), "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1")}.run(t, "orders", "held", "--stack", d.name, "--region", "us-east-1").want(t, 0)
}

// verifying lets pass only what is signed as AWS documents it, for execute-api, by the keys of these tests.
func verifying(t *testing.T, requests *atomic.Int64, to http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Header.Get("X-Amz-Security-Token") != "test-session" {
			t.Error("the session token of the credentials is not sent")
		}
		if want := signature(r, body, "us-east-1/execute-api", testSecretKey); !strings.HasSuffix(r.Header.Get("Authorization"), "Signature="+want) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"message":"Forbidden"}`)
			return
		}
		to.ServeHTTP(w, r)
	})
}

var signedHeaders = regexp.MustCompile(`SignedHeaders=([a-z0-9;-]+)`)

// signature is SigV4 as AWS documents it, step by step, over the headers that the request says are signed.
func signature(r *http.Request, body []byte, scope, secret string) string {
	at := r.Header.Get("X-Amz-Date")
	m := signedHeaders.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || len(at) < 8 {
		return "unsigned"
	}
	canonical := r.Method + "\n" + strings.ReplaceAll(r.URL.EscapedPath(), "%", "%25") + "\n" + strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n"
	for _, name := range strings.Split(m[1], ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(len(body))
		}
		canonical += name + ":" + value + "\n"
	}
	canonical += "\n" + m[1] + "\n" + hexHash(body)
	region, service, _ := strings.Cut(scope, "/")
	text := "AWS4-HMAC-SHA256\n" + at + "\n" + at[:8] + "/" + region + "/" + service + "/aws4_request\n" + hexHash([]byte(canonical))
	key := []byte("AWS4" + secret)
	for _, part := range []string{at[:8], region, service, "aws4_request", text} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func hexHash(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }

// TestTheVerifierKnowsThePublishedSignature: the example of AWS's documentation of Signature Version 4.
func TestTheVerifierKnowsThePublishedSignature(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=")
	const want = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
	if got := signature(r, nil, "us-east-1/iam", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
