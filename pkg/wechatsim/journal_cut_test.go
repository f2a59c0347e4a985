package wechatsim_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const yearData = `{"offerId":"1450000001","productId":"vip_year","goodsPrice":9900,"activitySellingPrice":0,"attach":"trial"}`

// storyOfMoney plays everything that moves money or coins: purchases, refunds that arrive and that fail, coins, an
// Android contract with a charge that fails, two Apple subscriptions of which one begins with a free trial, and
// withdrawals.
func storyOfMoney(w *world) {
	session := w.buyCoins("COIN00001", 100)
	w.give("GIFT00001", 10)
	w.spend(session, "SPEND0001", 60)
	w.cancelSpend(session, "BACK00001", "SPEND0001", 20)
	w.faults(`{"orders":{"refundFails":1},"service":{"chargeFails":1,"withdrawFails":1}}`)
	w.buy("ORDER0001")
	w.buyWith("ORDER0002", "cancel", "")
	w.refund("ORDER0001", "REFUND0001", 1800, 100) // fails
	w.later(3 * time.Second)
	w.query("REFUND0001")
	w.refund("ORDER0001", "REFUND0002", 1800, 200)
	session = w.login(testUser)
	w.appleSign(session, appleData)
	w.appleSign(session, yearData)
	w.play("sign", `{"openid":"oUser1","productId":"vip_month","outContractCode":"C-1"}`)
	w.charge("CHARGE0001", 1800) // fails
	w.later(time.Hour)
	w.charged("CHARGE0002", 1800)
	w.later(31 * 24 * time.Hour)
	w.play("appleRenew", appleUser)
	w.play("appleRenew", strings.Replace(appleUser, "vip_month", "vip_year", 1))
	w.deliver()
	for _, v := range w.sim.Orders() {
		if v.Channel == "apple" {
			if err := w.sim.ConsoleRefund(v.OutTradeNo, 500); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.play("appleUnsign", appleUser)
	w.later(32 * 24 * time.Hour)
	w.appleSign(session, appleData)
	w.later(100 * 24 * time.Hour)
	w.deliver()
	w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"WITHDRAW01","withdraw_amount":"3.00","env":0}`) // fails
	w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"WITHDRAW02","withdraw_amount":"5.00","env":0}`)
	w.later(time.Minute)
	w.xpay("/xpay/query_withdraw_order", `{"withdraw_no":"WITHDRAW02","env":0}`)
}

// sellsSubscriptions publishes vip_month and vip_year as subscriptions.
func sellsSubscriptions(c *wechatsim.Config) {
	c.Goods = append(c.Goods, wechatsim.Goods{ID: "vip_year", Price: 9900})
	c.Subscriptions = map[string]int{"vip_month": 31, "vip_year": 372}
}

// TestBooksBalanceWhereverAJournalIsCut cuts at every border of two lines, and inside and at the end of every line.
func TestBooksBalanceWhereverAJournalIsCut(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, sellsSubscriptions, func(c *wechatsim.Config) { c.Journal = &journal })
	storyOfMoney(w)
	whole := bytes.Clone(journal.Bytes())
	w.wantBooks("the whole story")
	if v := w.sim.Contracts(); len(v) != 3 || len(v[0].Orders) != 3 || len(v[1].Orders) != 1 || len(v[2].Orders) != 2 {
		t.Fatalf("the story was not played: %+v", v)
	}
	border := 0
	for line := range bytes.Lines(whole) {
		w.wantBooksAfter(whole[:border])
		w.wantBooksTwice(whole[:border+len(line)/2])
		w.wantBooksAfter(whole[:border+len(line)-1])
		border += len(line)
	}
}

// wantBooksAfter restores what a crash left.
func (w *world) wantBooksAfter(journal []byte) *bytes.Buffer {
	w.t.Helper()
	file := bytes.NewBuffer(bytes.Clone(journal))
	if err := w.restart(journal, file); err != nil {
		w.t.Fatalf("cut at %d: %v", len(journal), err)
	}
	w.wantBooks(fmt.Sprintf("cut at %d", len(journal)))
	return file
}

// wantBooksTwice restores twice: what the first start mends, the second must find.
func (w *world) wantBooksTwice(journal []byte) {
	w.t.Helper()
	file := w.wantBooksAfter(journal)
	want := fmt.Sprintf("%+v %+v", w.sim.Orders(), w.sim.Contracts())
	if err := w.restart(file.Bytes(), nil); err != nil {
		w.t.Fatalf("cut at %d, second start: %v", len(journal), err)
	}
	if got := fmt.Sprintf("%+v %+v", w.sim.Orders(), w.sim.Contracts()); got != want {
		w.t.Fatalf("cut at %d, second start:\n%s\nwant\n%s", len(journal), got, want)
	}
}

// wantBooks: all money that came in is refunded, withdrawn, withdrawable or the platform's; coins are those that were
// paid; each subscription has the payment of its period and each payment its subscription.
func (w *world) wantBooks(name string) {
	w.t.Helper()
	w.token = ""
	in, out, coins := int64(0), int64(0), int64(0)
	for _, v := range w.sim.Orders() {
		left := v.PaidFee
		for _, r := range v.Refunds {
			if r.Status != 7 {
				left, out = left-r.Fee, out+r.Fee
			}
		}
		rate := map[string]int64{"wechat": 1, "apple": 12}[v.Channel]
		in, out = in+v.PaidFee, out+(left*rate+99)/100
		if v.LeftFee != left || len(v.Pushes) < len(v.Payments)+len(v.Refunds) {
			w.t.Fatalf("%s: %d fen should be left, and every payment and refund told: %+v", name, left, v)
		}
		if v.Mode == "short_series_coin" && len(v.Payments) == 1 {
			coins += v.Quantity
		}
	}
	for _, v := range w.sim.Withdrawals() {
		if v.Status != 3 {
			out += v.Amount
		}
	}
	if got, want := w.money(), fmt.Sprintf("%d.%02d", (in-out)/100, (in-out)%100); got != want {
		w.t.Fatalf("%s: %s yuan can be withdrawn, want %s", name, got, want)
	}
	if v := w.sim.Coins(testUser, 0); v.SumSave != coins || v.Balance != v.SumSave+v.SumPresent-v.SumCost || v.Balance < 0 {
		w.t.Fatalf("%s: %d coins were paid: %+v", name, coins, v)
	}
	w.wantPaidPeriods(name)
}

func (w *world) wantPaidPeriods(name string) {
	w.t.Helper()
	apple := map[string]bool{}
	for _, c := range w.sim.Contracts() {
		if c.Mode != "apple" {
			continue
		}
		a := w.xpay("/xpay/query_subscribe_contract", fmt.Sprintf(`{"openid":%q,"product_id":%q,"mode":"apple"}`, c.OpenID, c.ProductID))
		info := a["apple_subscription_info"].(map[string]any)
		start := fmt.Sprint(info["recent_subscription_start_date"])
		paid := c.ProductID == "vip_year" && start == fmt.Sprint(c.SignedAt.UnixMilli()) // the free trial
		for _, no := range c.Orders {
			v := w.order(no)
			paid = paid || len(v.Payments) == 1 && start == fmt.Sprint(v.Payments[0].At.UnixMilli())
			apple[no] = true
		}
		if !paid {
			w.t.Fatalf("%s: nobody paid the period of %+v that began at %s", name, c, start)
		}
	}
	for _, v := range w.sim.Orders() {
		if v.Channel == "apple" && !apple[v.OutTradeNo] {
			w.t.Fatalf("%s: a payment without a subscription: %+v", name, v)
		}
	}
}

func TestASnapshotOfMoneyRestoresTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sellsSubscriptions)
	storyOfMoney(w)
	want := []any{w.sim.Orders(), w.sim.Contracts(), w.sim.Withdrawals(), w.sim.Coins(testUser, 0)}
	var file bytes.Buffer
	if err := w.sim.Snapshot(&file); err != nil {
		t.Fatal(err)
	}
	if err := w.restart(file.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	if got := []any{w.sim.Orders(), w.sim.Contracts(), w.sim.Withdrawals(), w.sim.Coins(testUser, 0)}; !reflect.DeepEqual(got, want) {
		t.Errorf("it is\n%+v\nwant\n%+v", got, want)
	}
	w.wantBooks("restored")
}
