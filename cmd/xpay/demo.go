package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// demoCmd plays one purchase in virtual time, through the same handlers that `xpay dev` serves.
type demoCmd struct{}

// Help is printed by --help.
func (demoCmd) Help() string {
	return `Plays a login, an order, a payment whose notification is lost, the reconciliation, the delivery and a partial refund, against the
simulated WeChat, in virtual time. Nothing is left behind.

  xpay demo
  xpay demo --json

用虚拟时间在模拟微信上演示：登录、下单、支付但通知丢失、对账、发货、部分退款。不留下任何文件。` +
		exits("everything came out right. 全部符合预期。", "a step did not. 有步骤不符合预期。")
}

// Run plays the demo in a folder of its own, which is gone afterwards.
func (d *demoCmd) Run(ctx context.Context, o output) (err error) {
	dir, err := os.MkdirTemp("", "xpay-demo-")
	if err != nil {
		return fmt.Errorf("no temporary folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	clock := localenv.Virtual(time.Date(2026, 8, 1, 4, 0, 0, 0, time.UTC))
	stack, err := localenv.Open(ctx, localenv.Options{Data: dir, Clock: clock, Seed: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	return (&demo{stack: stack, start: clock.Now(), out: o.out, json: o.json}).play(ctx)
}

// demo is one run: a phone, a merchant and the stack between them.
type demo struct {
	stack *localenv.Stack
	start time.Time
	out   io.Writer
	json  bool
	token string
	order demoOrder
	pay   xpay.Payment
}

type demoOrder struct {
	ID             string `json:"id"`
	State          string `json:"state"`
	Amount         int64  `json:"amount"`
	RefundedAmount int64  `json:"refundedAmount"`
	Owned          bool   `json:"owned"`
}

const (
	demoUser    = "o-demo-user"
	demoProduct = "vip_month"
	demoPrice   = 1800
	demoRefund  = 600
)

// play does every step and stops at the first that does not come out right.
func (d *demo) play(ctx context.Context) error {
	steps := []struct {
		say string
		do  func(context.Context) error
	}{
		{"the user logs in: wx.login, POST /login", d.login},
		{"POST /orders: 1800 fen, the server's price; the payment is signed", d.create},
		{"the user pays; WeChat's notification is lost", d.payUnheard},
		{"our order still says created: nobody told us", d.expect("created", 0, false)},
		{"a minute later the sweep finds it due; query_order finds the payment", d.wait(time.Minute + time.Second)},
		{"the order is delivered; notify_provide_goods told WeChat (status 4)", d.delivered},
		{"the merchant refunds 600 fen", d.refund},
		{"WeChat carries it out and says so", d.wait(time.Minute)},
		{"1200 of 1800 fen are left; the user keeps what was bought", d.expect("delivered", demoRefund, true)},
		{"WeChat's own books say the same: paid once, 600 fen back", d.audit},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.say, err)
		}
		d.tell(s.say)
	}
	return nil
}

// tell prints one line of the timeline.
func (d *demo) tell(what string) {
	at := d.stack.Clock.Now().Sub(d.start).Truncate(time.Second)
	if d.json {
		json.NewEncoder(d.out).Encode(map[string]any{"seconds": int(at.Seconds()), "step": what, "state": d.order.State, "refunded": d.order.RefundedAmount}) // a closed pipe ends the demo's point
		return
	}
	fmt.Fprintf(d.out, "%02d:%02d  %-10s  %s\n", int(at.Minutes()), int(at.Seconds())%60, d.order.State, what)
}

func (d *demo) login(ctx context.Context) error {
	var in struct {
		Token string `json:"token"`
	}
	code := d.stack.Sim.Login(demoUser)
	if err := d.call(ctx, "POST", "/login", map[string]string{"code": code}, "", http.StatusOK, &in); err != nil {
		return err
	}
	d.token = in.Token
	return nil
}

func (d *demo) create(ctx context.Context) error {
	var in struct {
		Order   demoOrder    `json:"order"`
		Payment xpay.Payment `json:"payment"`
	}
	body := map[string]any{"productId": demoProduct, "quantity": 1}
	if err := d.call(ctx, "POST", "/orders", body, "demo-order-1", http.StatusCreated, &in); err != nil {
		return err
	}
	d.order, d.pay = in.Order, in.Payment
	if in.Order.Amount != demoPrice {
		return fmt.Errorf("the order costs %d fen, expected %d", in.Order.Amount, demoPrice)
	}
	return nil
}

// payUnheard pays on the phone while no push leaves WeChat.
func (d *demo) payUnheard(ctx context.Context) error {
	d.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	res := d.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: demoUser, Mode: d.pay.Mode, SignData: d.pay.SignData, PaySig: d.pay.PaySig, Signature: d.pay.Signature, Action: "pay",
	})
	if res.ErrCode != 0 {
		return fmt.Errorf("wx.requestVirtualPayment answered %d %s", res.ErrCode, res.ErrMsg)
	}
	return d.stack.Now(ctx)
}

func (d *demo) wait(t time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := d.stack.Pass(ctx, t); err != nil {
			return err
		}
		return d.read(ctx)
	}
}

// read fetches the order as the merchant sees it, which asks nobody.
func (d *demo) read(ctx context.Context) error {
	var in struct {
		Order demoOrder `json:"order"`
	}
	err := d.call(ctx, "GET", "/merchant/orders/"+d.order.ID, nil, "", http.StatusOK, &in)
	d.order = in.Order
	return err
}

func (d *demo) expect(state string, refunded int64, owned bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := d.read(ctx); err != nil {
			return err
		}
		want := demoOrder{ID: d.order.ID, State: state, Amount: demoPrice, RefundedAmount: refunded, Owned: owned}
		if d.order != want {
			return fmt.Errorf("the order is %+v, expected %+v", d.order, want)
		}
		return nil
	}
}

const statusDelivered = 4 // spec 5.1

func (d *demo) delivered(ctx context.Context) error {
	if err := d.expect("delivered", 0, true)(ctx); err != nil {
		return err
	}
	seen, _ := d.stack.Sim.Order(d.order.ID)
	if seen.Status != statusDelivered || seen.Calls.NotifyProvideGoods != 1 {
		return fmt.Errorf("WeChat shows status %d after %d notices, expected %d after 1", seen.Status, seen.Calls.NotifyProvideGoods, statusDelivered)
	}
	return nil
}

func (d *demo) refund(ctx context.Context) error {
	d.stack.Sim.SetFaults(wechatsim.Faults{})
	body := map[string]any{"amount": demoRefund, "reason": "3"}
	return d.call(ctx, "POST", "/merchant/orders/"+d.order.ID+"/refunds", body, "demo-refund-1", http.StatusAccepted, nil)
}

// audit compares with what the simulated WeChat did.
func (d *demo) audit(context.Context) error {
	seen, ok := d.stack.Sim.Order(d.order.ID)
	if !ok || len(seen.Payments) != 1 || len(seen.Refunds) != 1 {
		return fmt.Errorf("WeChat has %d payments and %d refunds, expected one of each", len(seen.Payments), len(seen.Refunds))
	}
	if seen.PaidFee != demoPrice || seen.LeftFee != demoPrice-demoRefund || seen.Refunds[0].Fee != demoRefund {
		return fmt.Errorf("WeChat has %d fen paid, %d left, %d refunded", seen.PaidFee, seen.LeftFee, seen.Refunds[0].Fee)
	}
	return nil
}

// call sends one request to the API and reads the answer.
func (d *demo) call(ctx context.Context, method, path string, body any, key string, status int, into any) error {
	var raw []byte
	if body != nil {
		raw, _ = json.Marshal(body) // maps of strings and numbers always marshal
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+localenv.APIHost+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+d.token)
	req.Header.Set("Idempotency-Key", key)
	resp, err := localenv.Inproc{localenv.APIHost: d.stack.Handler}.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		return errors.Join(err, fmt.Errorf("answered %d, expected %d: %s", resp.StatusCode, status, answer))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
