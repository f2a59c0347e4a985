package order_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const alice = "arn:aws:iam::123456789012:user/alice"

// restored is a shop whose paid order is in WeChat's books and not in the store, as after a restore from a point in time.
type restored struct {
	*shop
	service *order.Service // on the restored store
	plan    func(store.Call) store.Fault
	alarms  []order.Alarm
	changes []order.Change
	paid    string // WeChat's number of the payment
}

func restore(t *testing.T, changes ...func(*localenv.Options)) *restored {
	t.Helper()
	s := openShop(t, changes...)
	s.create()
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	s.pay("pay")
	return lose(t, s, s.id)
}

// lose restores the shop to a time before its order, which was paid under a number.
func lose(t *testing.T, s *shop, number string) *restored {
	t.Helper()
	r := &restored{shop: s}
	empty, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "restored.db"), sqlite.Options{Synchronous: "NORMAL", Now: r.stack.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { empty.Close() })
	service := *r.stack.Orders
	service.Store = &store.Faulty{Store: empty, Plan: func(c store.Call) store.Fault {
		if r.plan == nil {
			return store.None
		}
		return r.plan(c)
	}}
	service.Alarm = func(_ context.Context, a order.Alarm) { r.alarms = append(r.alarms, a) }
	service.Saw = func(_ context.Context, c order.Change) { r.changes = append(r.changes, c) }
	r.service = &service
	q, err := service.WeChat.QueryOrder(t.Context(), user, xpay.ByOrderID(number))
	if err != nil {
		t.Fatal(err)
	}
	r.paid = q.WxpayOrderID
	return r
}

// adopt is what the operator does.
func (r *restored) adopt(number, by string) (order.Order, error) {
	a, err := r.service.Adopt(r.t.Context(), order.AdoptRequest{Number: number, By: by})
	return a.Order, err
}

// goods is the body of WeChat's push about a payment of our order, in the field names of its documentation.
func (r *restored) goods(changes ...string) string {
	body := fmt.Sprintf(`{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficial","CreateTime":1772330400,"MsgType":"event",`+
		`"Event":"xpay_goods_deliver_notify","OpenId":"oUser-1","OutTradeNo":"%s","Env":%d,`+
		`"WeChatPayInfo":{"MchOrderNo":"M1","TransactionId":"T1","PaidTime":1772330400},`+
		`"GoodsInfo":{"ProductId":"vip_month","Quantity":1,"OrigPrice":1800,"ActualPrice":1800,"Attach":"v1.%s"}}`,
		r.id, r.stack.Orders.Env, r.id)
	return strings.ReplaceAll(strings.NewReplacer(changes...).Replace(body), `"T1"`, `"`+r.paid+`"`)
}

// pushed is what the restored service does with a push that nobody acknowledged.
func (r *restored) pushed(body string, encrypted bool) {
	r.t.Helper()
	event, err := xpay.ParseEvent([]byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	answer, _, err := r.service.Record(r.t.Context(), order.Push{Event: event, Encrypted: encrypted, Raw: []byte(body)})
	if err != nil || answer != order.AnswerAgain {
		r.t.Fatalf("the push about an unknown order is answered %s, %v", answer, err)
	}
}

func (r *restored) waiting() int {
	r.t.Helper()
	questions, _, err := r.service.Held(r.t.Context(), store.Page{})
	if err != nil {
		r.t.Fatal(err)
	}
	return len(questions)
}

func TestAnOrderThatTheStoreLostIsRebuiltFromItsPush(t *testing.T) {
	t.Parallel()
	for name, encrypted := range map[string]bool{"in secure mode": true, "in plain mode": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := restore(t)
			was := r.order()
			r.pushed(r.goods(), encrypted)
			if r.waiting() != 1 || len(r.alarms) != 1 {
				t.Fatalf("%d questions, %d alarms", r.waiting(), len(r.alarms))
			}
			a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice, ProductID: "vip_month", Quantity: 1})
			if err != nil {
				t.Fatal(err)
			}
			o := a.Order
			if o.State != order.Delivered || !o.Owned() || o.OpenID != user || o.ProductID != "vip_month" || o.Amount != vipPrice ||
				o.Price != vipPrice || o.Fingerprint != was.Fingerprint || o.Ledger().Paid != vipPrice || r.waiting() != 0 || len(a.Left) != 0 || len(o.Attempts) != order.AttemptsMax {
				t.Errorf("%d wait, and the order is %+v", r.waiting(), o)
			}
			if first := o.History[0]; first.Event != order.EventAdopted || first.Source != order.SourceOperator || !strings.Contains(first.Detail, alice) {
				t.Errorf("its history begins with %+v", first)
			}
			if o.DueAt().IsZero() {
				t.Error("nobody will tell WeChat that it is delivered")
			}
			again, err := r.adopt(r.id, "somebody else")
			if err != nil || len(again.History) != len(o.History) {
				t.Errorf("adopted again: %v, %+v", err, again.History)
			}
		})
	}
}

func TestAnAdoptedOrderTellsItsTargetAndItsPhoneFindsIt(t *testing.T) {
	t.Parallel()
	r := restore(t, withTarget)
	r.pushed(r.goods(), true)
	o, err := r.adopt(r.id, alice)
	if err != nil || o.State != order.Paid || len(o.Outbox) != 1 {
		t.Fatalf("%v, %s, %+v", err, o.State, o.Outbox)
	}
	found, payment, created, err := r.service.Create(t.Context(), order.CreateRequest{
		OpenID: user, SessionKey: r.session, Key: createKey, ProductID: "vip_month", Quantity: 1,
	})
	if err != nil || created || payment != nil || found.ID != r.id {
		t.Errorf("the phone's own request: %v, created %t, payment %v", err, created, payment)
	}
}

// of is the push about another attempt of the order, with another payment.
func (r *restored) of(attempt int) string {
	return r.goods(`"OutTradeNo":"`+r.id, `"OutTradeNo":"`+order.OutTradeNo(r.id, attempt), `"T1"`, fmt.Sprintf(`"T%d"`, attempt))
}

// In WeChat's books attempt 1 is paid; the push of attempt 3 is proven by its encryption.
func TestAPaymentThatIsPushedBesideTheOneThatPaysIsSurplus(t *testing.T) {
	t.Parallel()
	surplus := func(t *testing.T, r *restored, o order.Order, attempt int) {
		t.Helper()
		if l := o.Ledger(); o.State != order.Delivered || l.Paid != vipPrice || l.Surplus != vipPrice || len(o.Attempts[attempt-1].Payments) != 1 {
			t.Errorf("%s, %+v, %+v", o.State, l, o.Attempts)
		}
		if q := r.questions(); len(q) != 1 || q[0].Code != order.AttentionSurplus {
			t.Errorf("waiting: %+v", q)
		}
	}
	t.Run("before the adoption", func(t *testing.T) {
		t.Parallel()
		r := restore(t)
		r.pushed(r.of(3), true)
		o, err := r.adopt(r.id+"-3", alice)
		if err != nil {
			t.Fatal(err)
		}
		surplus(t, r, o, 3)
	})
	t.Run("after it, under a number beyond the highest one pushed", func(t *testing.T) {
		t.Parallel()
		r := restore(t)
		r.pushed(r.goods(), true)
		if _, err := r.adopt(r.id, alice); err != nil {
			t.Fatal(err)
		}
		r.pushed(r.of(2), true)
		o, err := r.service.Get(t.Context(), r.id+"-2")
		if err != nil {
			t.Fatal(err)
		}
		surplus(t, r, o, 2)
		if _, refund, err := r.service.Refund(t.Context(), order.RefundRequest{OrderID: r.id + "-2", Key: "refund-key-1", Amount: vipPrice}); err != nil || refund.Attempt != 2 {
			t.Errorf("the number that the question names: %v, refund of attempt %d", err, refund.Attempt)
		}
	})
	t.Run("of an order that the phone made again", func(t *testing.T) {
		t.Parallel()
		r := restore(t)
		r.pushed(r.of(2), true)
		r.again()
		r.pushed(r.of(3), true) // no attempt of the new order
		o, err := r.adopt(r.id, alice)
		if err != nil || len(o.Attempts) != 3 || o.Ledger().Paid != vipPrice || o.Ledger().Surplus != 2*vipPrice {
			t.Fatalf("%v, %+v, %+v", err, o.Ledger(), o.Attempts)
		}
		for _, q := range r.questions() {
			if q.Code != order.AttentionSurplus {
				t.Errorf("waiting: %+v", q)
			}
		}
		if again, err := r.adopt(r.id, alice); err != nil || len(again.History) != len(o.History) {
			t.Errorf("adopted again: %v, %+v", err, again.History)
		}
	})
}

// again is the phone repeating its own request after the restore.
func (r *restored) again() {
	r.t.Helper()
	_, payment, created, err := r.service.Create(r.t.Context(), order.CreateRequest{OpenID: user, SessionKey: r.session, Key: createKey, ProductID: "vip_month", Quantity: 1})
	if err != nil || !created || payment == nil {
		r.t.Fatalf("created %t, %v", created, err)
	}
}

func TestEvidenceOfAPaymentThatTheOrderDoesNotShowStays(t *testing.T) {
	t.Parallel()
	r := restore(t)
	r.pushed(r.goods(), true)
	r.pushed(r.of(2), false) // in plain mode, and WeChat shows no such payment
	for range 2 {
		a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice})
		if q := r.questions(); err != nil || a.Order.Ledger().Surplus != 0 || len(q) != 1 || len(a.Left) != 1 || a.Left[0] != q[0].Evidence {
			t.Fatalf("%v, left %v, waiting %+v, %+v", err, a.Left, q, a.Order.Ledger())
		}
	}
}

func TestAPlainPushNeitherShutsOutNorOverrulesWeChatsOwn(t *testing.T) {
	t.Parallel()
	for name, forged := range map[string][]string{
		"other goods":       {"vip_month", "gem_60", `"Quantity":1`, `"Quantity":3`},
		"another payer":     {"oUser-1", "oUser-2"},
		"more than is kept": {`"MchOrderNo":"M1"`, `"MchOrderNo":"` + strings.Repeat("M", 9000) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := restore(t)
			r.pushed(r.goods(forged...), false)
			r.pushed(r.goods(), true)
			o, err := r.adopt(r.id, alice)
			if err != nil || o.State != order.Delivered || o.ProductID != "vip_month" || o.Quantity != 1 || o.OpenID != user {
				t.Errorf("%v, %s, %d of %s for %s", err, o.State, o.Quantity, o.ProductID, o.OpenID)
			}
		})
	}
}

// query_order shows neither product nor quantity: vip_month costs what three gem_60 cost, and 1800 coins, had so many ever been sold.
func TestGoodsThatOnlyAPlainPushNamesNeedAPersonsWord(t *testing.T) {
	t.Parallel()
	goods, err := catalog.New([]catalog.Product{
		{ID: "vip_month", Name: "月度会员", Price: vipPrice},
		{ID: "gem_60", Name: "60 宝石", Price: 600, Kind: "consumable", MaxQuantity: 99},
		{ID: "coin", Name: "金币", Price: 1, Kind: "consumable", MaxQuantity: 10},
	})
	if err != nil {
		t.Fatal(err)
	}
	forged := []string{"vip_month", "coin", `"Quantity":1`, `"Quantity":1800`}
	for _, c := range []struct {
		product   string
		quantity  int
		encrypted bool
		push      []string
		want      error
	}{
		{"", 0, false, nil, problem.Rejected},
		{"", 0, false, forged, problem.Rejected},
		{"vip_month", 1, false, nil, nil},
		{"vip_month", 1, false, forged, nil},
		{"gem_60", 3, false, nil, nil},
		{"gem_60", 2, false, nil, problem.Rejected},
		{"coin", 1800, false, forged, problem.Rejected},
		{"unheard_of", 1, false, nil, problem.Rejected},
		{"vip_month", 0, false, nil, problem.Invalid},
		{"", 1, false, nil, problem.Invalid},
		{"vip_month", -1, false, nil, problem.Invalid},
		{"", 0, true, nil, nil},
		{"vip_month", 1, true, nil, nil},
		{"gem_60", 3, true, nil, problem.Rejected},
	} {
		r := restore(t)
		r.service.Catalog = goods
		r.pushed(r.goods(c.push...), c.encrypted)
		a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice, ProductID: c.product, Quantity: c.quantity})
		o := a.Order
		if !errors.Is(err, c.want) || err == nil && (o.ProductID != cmp.Or(c.product, "vip_month") || o.State != order.Delivered) {
			t.Errorf("%d of %q, encrypted %t: %v, %s of %d %s", c.quantity, c.product, c.encrypted, err, o.State, o.Quantity, o.ProductID)
		}
		if c.product == "" && err != nil && c.quantity == 0 && !strings.Contains(err.Error(), "--product") {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
}

// In plain mode anybody who has seen one signature can push: neither first nor last may a forgery keep WeChat's push from being kept.
func TestAForgedPlainPushDoesNotShutOutWeChatsPlainPush(t *testing.T) {
	t.Parallel()
	vip := func(r *restored) order.AdoptRequest {
		return order.AdoptRequest{Number: r.id, By: alice, ProductID: "vip_month", Quantity: 1}
	}
	for _, genuineFirst := range []bool{true, false} {
		for _, number := range []string{"", "-7"} {
			for _, dismissed := range []bool{true, false} {
				r := restore(t)
				forged := r.goods("oUser-1", "oMallory", `"OutTradeNo":"`+r.id, `"OutTradeNo":"`+r.id+number)
				bodies := []string{forged, r.goods()}
				if genuineFirst {
					slices.Reverse(bodies)
				}
				for _, body := range append(bodies, bodies...) { // and WeChat's repeats
					r.pushed(body, false)
				}
				if r.waiting() != 2 || len(r.alarms) != 2 {
					t.Fatalf("%d wait, %d alarms", r.waiting(), len(r.alarms))
				}
				if dismissed {
					r.dismissed(t, forged)
				}
				a, err := r.service.Adopt(t.Context(), vip(r))
				if err != nil || a.Order.OpenID != user || a.Order.State != order.Delivered {
					t.Errorf("genuine first %t, number %q, dismissed %t: %v, %s for %s", genuineFirst, number, dismissed, err, a.Order.State, a.Order.OpenID)
				}
			}
		}
	}
}

func TestAnOrderIsNotAdoptedWhenWeChatShowsItForNoneOfThePayers(t *testing.T) {
	t.Parallel()
	r := restore(t)
	for _, payer := range []string{"oMallory-1", "oMallory-2"} {
		r.pushed(r.goods("oUser-1", payer), false)
	}
	if _, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice, ProductID: "vip_month", Quantity: 1}); !errors.Is(err, problem.Rejected) {
		t.Errorf("%v", err)
	}
}

// dismissed is a person who knows which evidence is of this body.
func (r *restored) dismissed(t *testing.T, body string) {
	t.Helper()
	for _, q := range r.questions() {
		doc, err := r.service.Store.Get(t.Context(), "evidence/"+q.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(doc.Body), base64.StdEncoding.EncodeToString([]byte(body))) {
			continue
		}
		if n, err := r.service.Dismiss(t.Context(), q.Evidence, alice); err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

func TestAForgerFillsNoMoreThanTwelvePiecesOfOneNumber(t *testing.T) {
	t.Parallel()
	r := restore(t)
	for i := range 30 {
		r.pushed(r.goods("oUser-1", fmt.Sprintf("oMallory-%d", i)), false)
	}
	if r.waiting() != 12 || len(r.alarms) != 12 {
		t.Errorf("%d wait, %d alarms", r.waiting(), len(r.alarms))
	}
	asked := 0
	r.onCall = func(string) { asked++ }
	_, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice, ProductID: "vip_month", Quantity: 1})
	if asked != 0 || !errors.Is(err, problem.Rejected) || !strings.Contains(err.Error(), r.questions()[0].Evidence) || strings.Contains(err.Error(), "oMallory") {
		t.Errorf("so many payers: %v, after %d calls to WeChat", err, asked)
	}
	r.pushed(r.goods(), true) // WeChat's own has a name of its own
	if o, err := r.adopt(r.id, alice); err != nil || o.OpenID != user {
		t.Errorf("%v, for %s", err, o.OpenID)
	}
}

// What a person has dismissed is not taken in, and not forgotten: who adopts the order after all thinks better of it.
func TestADismissedPushIsLeftOutUnlessThereIsNoOther(t *testing.T) {
	t.Parallel()
	t.Run("beside another", func(t *testing.T) {
		t.Parallel()
		r := restore(t)
		r.pushed(r.goods(), true)
		r.pushed(r.of(3), true)
		r.dismissed(t, r.of(3))
		a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice})
		if err != nil || a.Order.Ledger().Surplus != 0 || a.Order.State != order.Delivered || len(a.Left) != 0 {
			t.Errorf("%v, %+v, left %v", err, a.Order.Ledger(), a.Left)
		}
	})
	t.Run("of an order that the phone made again", func(t *testing.T) {
		t.Parallel()
		r := restore(t)
		r.pushed(r.of(3), true)
		r.dismissed(t, r.of(3))
		r.again()
		o, err := r.adopt(r.id, alice)
		if err != nil || len(o.Attempts) != 1 || o.Ledger() != (order.Ledger{}) {
			t.Errorf("%v, %d attempts, %+v", err, len(o.Attempts), o.Ledger())
		}
	})
	t.Run("the only one", func(t *testing.T) {
		t.Parallel()
		r := restore(t)
		r.pushed(r.goods(), true)
		r.refunded500(true)
		r.dismissed(t, r.goods())
		if o, err := r.adopt(r.id, alice); err != nil || o.State != order.Delivered || r.waiting() != 0 {
			t.Errorf("%v, %s, %d wait", err, o.State, r.waiting())
		}
	})
}

// refunded500 gives 500 fen back in WeChat's console and tells the restored service.
func (r *restored) refunded500(encrypted bool) {
	r.t.Helper()
	if err := r.stack.Sim.ConsoleRefund(r.id, 500); err != nil {
		r.t.Fatal(err)
	}
	r.refundPushed("V1", 500, encrypted)
}

// refundPushed is WeChat's push about a refund. It is answered "done", so it is never repeated.
func (r *restored) refundPushed(number string, fee int, encrypted bool) {
	r.t.Helper()
	if answer, err := r.tellsOfRefund(number, fee, encrypted); err != nil || answer != order.AnswerDone {
		r.t.Fatalf("the push about a refund of an unknown order is answered %s, %v", answer, err)
	}
}

func (r *restored) tellsOfRefund(number string, fee int, encrypted bool) (order.Answer, error) {
	r.t.Helper()
	r.stack.Clock.Advance(time.Minute)
	body := fmt.Sprintf(`{"MsgType":"event","Event":"xpay_refund_notify","OpenId":"oUser-1","WxRefundId":"%s","MchRefundId":"C%s","WxOrderId":"W","MchOrderId":"%s",`+
		`"RefundFee":%d,"RetCode":0,"RefundStartTimestamp":%d,"RefundSuccTimestamp":%[5]d}`, number, number, r.id, fee, r.stack.Clock.Now().Unix())
	event, err := xpay.ParseEvent([]byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	answer, _, err := r.service.Record(r.t.Context(), order.Push{Event: event, Encrypted: encrypted, Raw: []byte(body)})
	return answer, err
}

func TestARefundThatWasPushedWhileTheOrderWasLostIsTakenIn(t *testing.T) {
	t.Parallel()
	for _, madeAgain := range []bool{false, true} {
		for _, encrypted := range []bool{true, false} {
			r := restore(t, withTarget)
			r.pushed(r.goods(), true)
			r.refunded500(encrypted)
			if err := r.stack.Sim.ConsoleRefund(r.id, 300); err != nil {
				t.Fatal(err)
			}
			r.refundPushed("V2", 300, encrypted)
			r.refundPushed("V2", 300, encrypted) // a repeat; in plain mode its bytes differ
			if want := map[bool]int{true: 3, false: 4}[encrypted]; r.waiting() != want {
				t.Fatalf("encrypted %t: %d wait, want %d", encrypted, r.waiting(), want)
			}
			if madeAgain {
				r.again()
			}
			a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice})
			o := a.Order
			if want := (order.Ledger{Paid: vipPrice, Refunded: 800}); err != nil || o.Ledger() != want || len(a.Left) != 0 || len(r.questions()) != 0 {
				t.Fatalf("made again %t, encrypted %t: %v, %+v, left %v, waiting %+v", madeAgain, encrypted, err, o.Ledger(), a.Left, r.questions())
			}
			if encrypted {
				r.hears(t, "order.paid 1800", "order.refunded 500", "order.refunded 300")
			}
			before, err := r.service.Get(t.Context(), r.id)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := r.adopt(r.id, alice); err != nil || len(again.History) != len(before.History) || again.Ledger() != before.Ledger() {
				t.Errorf("adopted again: %v, %+v", err, again.Ledger())
			}
		}
	}
}

// hears wants the target to hear these events, and no others.
func (r *restored) hears(t *testing.T, want ...string) {
	t.Helper()
	r.heard = nil
	r.tell(r.service)
	var got []string
	for _, d := range r.heard {
		got = append(got, fmt.Sprintf("%s %d", d.Event.Type, d.Event.Fee))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the target heard %q, want %q", got, want)
	}
}

// In plain mode only left_fee tells whether the money went back.
func TestARefundThatOnlyAPlainPushTellsOfStaysForAPerson(t *testing.T) {
	t.Parallel()
	r := restore(t)
	r.pushed(r.goods(), true)
	r.refundPushed("V1", 500, false)
	for range 2 {
		a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice})
		if err != nil || a.Order.Ledger().Refunded != 0 || len(a.Left) != 1 || r.waiting() != 1 {
			t.Errorf("%v, %+v, left %v, %d wait", err, a.Order.Ledger(), a.Left, r.waiting())
		}
	}
}

// One number can be refunded in many parts while nobody knows the order; what is not kept must come again.
func TestARefundPushThatIsNotKeptIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	r := restore(t)
	for i := range 12 {
		r.refundPushed(fmt.Sprintf("V%d", i), 100, true)
	}
	if _, err := r.tellsOfRefund("V12", 100, true); !errors.Is(err, problem.Limited) || r.waiting() != 12 {
		t.Errorf("the thirteenth: %v, %d wait", err, r.waiting())
	}
}

func TestAnAdoptedOrderIsNeitherNewNorARepair(t *testing.T) {
	t.Parallel()
	r := restore(t)
	r.pushed(r.goods(), true)
	r.stack.Clock.Advance(time.Hour)
	if _, err := r.adopt(r.id, alice); err != nil {
		t.Fatal(err)
	}
	if len(r.changes) != 1 || r.changes[0].Created() || r.changes[0].Repaired() || !r.changes[0].Paid() {
		t.Errorf("%d changes", len(r.changes))
	}
}

// tell does what is due for the target.
func (r *restored) tell(s *order.Service) {
	for range 12 {
		_ = s.Advance(r.t.Context(), order.DocID(r.id))
		r.stack.Clock.Advance(time.Minute)
	}
}

func TestAfterAnAdoptionTheSameEventHasItsIDAgainAndNoOtherHas(t *testing.T) {
	t.Parallel()
	r := restore(t, withTarget)
	refund := func(s *order.Service, key string, fee order.Fen) {
		if _, _, err := s.Refund(t.Context(), order.RefundRequest{OrderID: r.id, Key: key, Amount: fee, Reason: "0"}); err != nil {
			t.Fatal(err)
		}
		r.tell(s)
	}
	r.tell(r.stack.Orders)
	refund(r.stack.Orders, "refund-key-1", 300)
	r.pushed(r.goods(), true) // the table is lost
	if _, err := r.adopt(r.id, alice); err != nil {
		t.Fatal(err)
	}
	r.tell(r.service)
	refund(r.service, "refund-key-2", 500)
	var heard []string
	ids := map[string]string{}
	for _, d := range r.heard {
		e := fmt.Sprintf("%d %s %d", d.Event.Seq, d.Event.Type, d.Event.Fee)
		heard, ids[e] = append(heard, e), d.Event.ID(d.Order.ID)
	}
	want := []string{"1 order.paid 1800", "2 order.refunded 300", "1 order.paid 1800", "2 order.refunded 500"}
	if !slices.Equal(heard, want) {
		t.Fatalf("the target heard %q", heard)
	}
	first, last := r.heard[0], r.heard[2]
	if first.Event.ID(r.id) != last.Event.ID(r.id) || ids["2 order.refunded 300"] == ids["2 order.refunded 500"] {
		t.Errorf("the events are %v", ids)
	}
}

func TestWhatDoesNotMakeAnOrderIsNotAdopted(t *testing.T) {
	t.Parallel()
	foreign := strings.Repeat("a", 25) + "b" // of the form of a digest, but none: its last bits are not 0
	for _, c := range []struct {
		name   string
		number func(r *restored) string
		push   func(r *restored) string
		plain  bool
		break_ func(r *restored)
		want   problem.Code
	}{
		{name: "no number", number: func(*restored) string { return "" }, want: problem.Invalid},
		{name: "a foreign number", number: func(*restored) string { return foreign }, want: problem.Invalid},
		{name: "a refund's number", number: func(r *restored) string { return "r" + r.id }, want: problem.Invalid},
		{name: "an attempt that cannot be", number: func(r *restored) string { return r.id + "-1" }, want: problem.Invalid},
		{name: "no evidence", want: problem.NotFound},
		{
			name: "another payer", push: func(r *restored) string { return r.goods("oUser-1", "oUser-2") }, want: problem.Rejected,
		},
		{
			name: "no payer", push: func(r *restored) string { return r.goods(`"OpenId":"oUser-1",`, "") }, want: problem.Rejected,
		},
		{
			name: "a product that nobody knows", push: func(r *restored) string { return r.goods("vip_month", "unheard_of") }, want: problem.Rejected,
		},
		{
			name: "no quantity", push: func(r *restored) string { return r.goods(`"Quantity":1,`, "") }, want: problem.Rejected,
		},
		{
			name: "a quantity that does not divide the amount", push: func(r *restored) string { return r.goods(`"Quantity":1,`, `"Quantity":7,`) }, want: problem.Rejected,
		},
		{
			name: "in plain mode, without a person's word", push: func(r *restored) string { return r.goods() }, plain: true, want: problem.Rejected,
		},
		{
			name: "a push too large to be kept whole", push: func(r *restored) string {
				return r.goods(`"MchOrderNo":"M1"`, `"MchOrderNo":"`+strings.Repeat("M", 9000)+`"`)
			},
			want: problem.Rejected,
		},
		{
			name: "WeChat does not answer", push: func(r *restored) string { return r.goods() },
			break_: func(r *restored) {
				r.trouble = trouble{calls: map[string]int{}, side: "outside", n: 1, fault: store.Lost, armed: true}
			}, want: problem.Unavailable,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := restore(t)
			if c.push != nil {
				r.pushed(c.push(r), !c.plain)
			}
			if c.break_ != nil {
				c.break_(r)
			}
			number := r.id
			if c.number != nil {
				number = c.number(r)
			}
			waiting := r.waiting()
			if _, err := r.adopt(number, alice); !errors.Is(err, c.want) {
				t.Errorf("adopted with %v, want %s", err, c.want)
			}
			if _, err := r.service.Get(t.Context(), r.id); !errors.Is(err, problem.NotFound) || r.waiting() != waiting {
				t.Errorf("something was stored (%v), or a question is gone", err)
			}
		})
	}
}

// Another backend with the same AppKey may use numbers of the same form. What WeChat gives back as attach tells them apart.
func TestMoneyThatAnotherBackendTookUnderOurNumberIsNotAdopted(t *testing.T) {
	t.Parallel()
	r := restore(t)
	o, _, _, err := r.stack.Orders.Create(t.Context(), order.CreateRequest{OpenID: user, SessionKey: r.session, Key: "create-key-2", ProductID: "vip_month", Quantity: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.stack.Orders.WeChat.Merchant.SignGoods(xpay.Goods{ProductID: "vip_month", Quantity: 1, Price: vipPrice, OutTradeNo: o.ID, Attach: "v1." + r.id}, r.session)
	if err != nil {
		t.Fatal(err)
	}
	r.id, r.payment = o.ID, &p
	r.pay("pay")
	r.pushed(r.goods(), true)
	if _, err := r.adopt(r.id, alice); !errors.Is(err, problem.Rejected) || r.waiting() != 1 {
		t.Errorf("%v, %d wait", err, r.waiting())
	}
}

func TestAPriceThatChangedSinceDoesNotKeepAnOrderFromBeingAdopted(t *testing.T) {
	t.Parallel()
	dearer, err := catalog.New([]catalog.Product{{ID: "vip_month", Name: "月度会员", Price: 2500, Hidden: true}})
	if err != nil {
		t.Fatal(err)
	}
	for encrypted, want := range map[bool]error{true: nil, false: problem.Rejected} {
		r := restore(t)
		r.service.Catalog = dearer
		r.pushed(r.goods(), encrypted)
		a, err := r.service.Adopt(t.Context(), order.AdoptRequest{Number: r.id, By: alice, ProductID: "vip_month", Quantity: 1})
		o := a.Order
		if !errors.Is(err, want) || want == nil && (o.Price != vipPrice || o.State != order.Delivered) {
			t.Errorf("encrypted %t: %v, %d fen, %s", encrypted, err, o.Price, o.State)
		}
	}
}

// Every call to the store fails once, lost or behind its effect, and the operator repeats the command.
func TestAnAdoptionThatFailedIsRepeated(t *testing.T) {
	t.Parallel()
	for _, fault := range []store.Fault{store.Lost, store.Happened} {
		for _, n := range []int{1, 27, 54, 55, 56, 57} { // 54 names of evidence, the order twice, the evidence
			r := restore(t)
			r.pushed(r.goods(), true)
			calls := 0
			r.plan = func(store.Call) store.Fault {
				if calls++; calls == n {
					return fault
				}
				return store.None
			}
			if _, err := r.adopt(r.id, alice); err != nil && !errors.Is(err, problem.Unavailable) {
				t.Fatalf("fault %d at call %d: %v", fault, n, err)
			}
			if r.plan = nil; calls < n {
				t.Errorf("there was no call %d", n)
			}
			o, err := r.adopt(r.id, alice)
			if err != nil || o.State != order.Delivered || o.Ledger().Paid != vipPrice || r.waiting() != 0 {
				t.Fatalf("fault %d at call %d, then again: %v, %s, %+v, %d wait", fault, n, err, o.State, o.Ledger(), r.waiting())
			}
			adoptions := 0
			for _, e := range o.History {
				if e.Event == order.EventAdopted {
					adoptions++
				}
			}
			if adoptions != 1 {
				t.Fatalf("adopted %d times", adoptions)
			}
		}
	}
}

// refunded is how much went back as far as the stored order knows.
func (s *shop) refunded() order.Fen {
	o := s.order()
	return o.Ledger().Refunded
}

func TestAConsoleRefundWhosePushWasLostIsFoundByARecheck(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	if due := s.due(); !due.IsZero() {
		t.Fatalf("the delivered order is due at %v by itself", due)
	}
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	if err := s.stack.Sim.ConsoleRefund(s.id, 800); err != nil {
		t.Fatal(err)
	}
	s.pass(48 * time.Hour)
	if got := s.refunded(); got != 0 {
		t.Fatalf("%d fen are known to have gone back before anybody looked", got)
	}
	for range 2 {
		o, err := s.stack.Orders.Recheck(t.Context(), s.id)
		if err != nil || o.Ledger().Refunded != 800 || o.State != order.Delivered {
			t.Errorf("%v, %s, %+v", err, o.State, o.Ledger())
		}
	}
}

func TestAPaymentIsFoundByARecheckBeforeItsLadder(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	s.pay("pay")
	if o, err := s.stack.Orders.Recheck(t.Context(), s.id); err != nil || o.State != order.Delivered {
		t.Errorf("%v, %s", err, o.State)
	}
}

func TestARecheckThatWeChatDoesNotAnswerIsMadeUpForByItself(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}, API: map[string]wechatsim.APIFault{"/xpay/query_order": {ErrorBeforeEffect: 1}}})
	if err := s.stack.Sim.ConsoleRefund(s.id, 800); err != nil {
		t.Fatal(err)
	}
	if _, err := s.stack.Orders.Recheck(t.Context(), s.id); !errors.Is(err, problem.Unavailable) {
		t.Fatalf("WeChat is down: %v", err)
	}
	if o := s.order(); o.State != order.Delivered || o.DueAt().IsZero() {
		t.Fatalf("the order is %s and due at %v", o.State, o.DueAt())
	}
	s.pass(time.Minute)
	if got := s.refunded(); got != 800 {
		t.Errorf("%d fen are known to have gone back", got)
	}
}

func TestARecheckWaitsForWhoeverWorksOnTheOrder(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create()
	s.pay("pay")
	s.pass(time.Minute)
	var inner error
	s.onCall = func(path string) {
		if path == "query_order" {
			s.onCall = nil
			_, inner = s.stack.Orders.Recheck(context.Background(), s.id)
		}
	}
	if _, err := s.stack.Orders.Recheck(t.Context(), s.id); err != nil || !errors.Is(inner, problem.Unavailable) {
		t.Errorf("the first %v, the second %v", err, inner)
	}
}

func TestARecheckOfNoOrderIsNotFound(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, id := range []string{"", "x", strings.Repeat("a", 26), strings.Repeat("a", 26) + "-2", "../held", "r" + strings.Repeat("a", 26)} {
		if _, err := s.stack.Orders.Recheck(t.Context(), id); !errors.Is(err, problem.NotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// Every call to the store fails once, lost or behind its effect. A claim whose answer was lost ends with its lease.
func TestARecheckThatFailedIsRepeatedAfterTheLease(t *testing.T) {
	t.Parallel()
	for _, fault := range []store.Fault{store.Lost, store.Happened} {
		refused := 0
		for n := 1; n <= 6; n++ {
			s := openShop(t)
			s.create()
			s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
			s.pay("pay")
			s.trouble = trouble{calls: map[string]int{}, side: "store", n: n, fault: fault, armed: true}
			_, err := s.stack.Orders.Recheck(t.Context(), s.id)
			if err != nil && !errors.Is(err, problem.Unavailable) {
				t.Fatalf("fault %d at call %d: %v", fault, n, err)
			}
			if err != nil {
				refused++
			}
			s.trouble.armed = false
			s.stack.Clock.Advance(31 * time.Second)
			if o, err := s.stack.Orders.Recheck(t.Context(), s.id); err != nil || o.State != order.Delivered || o.Ledger().Paid != vipPrice {
				t.Errorf("fault %d at call %d, then again: %v, %s", fault, n, err, o.State)
			}
		}
		if refused != 3 { // to read, to claim, to conclude; the access token is got without the store, too
			t.Errorf("fault %d: %d of six calls that failed were told", fault, refused)
		}
	}
}
