package simulation_test

import (
	"encoding/json"
	"fmt"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

type reply struct {
	Order struct {
		ID, State      string
		Amount         int64
		RefundedAmount int64
		Owned          bool
	}
	Payment json.RawMessage
}

// login gives a user a token and WeChat's newest session_key.
func (p *player) login(user string) bool {
	var in struct{ Token string }
	code := p.stack.Sim.Login(user)
	if p.call("POST", "/login", user, "", fmt.Sprintf(`{"code":%q}`, code), &in) != 200 {
		return false
	}
	p.tokens[user] = in.Token
	return true
}

// order is a user who wants something new.
func (p *player) order() {
	w := &wish{user: pick(p, users...), key: fmt.Sprintf("wish-number-%d", len(p.wishes)), product: pick(p, "vip", "gem"), quantity: 1}
	if w.product == "gem" {
		w.quantity = 1 + p.rng.IntN(3)
	}
	p.tell("%s wants %d %s (%s)", w.user, w.quantity, w.product, w.key)
	if p.tokens[w.user] == "" || p.rng.IntN(4) == 0 {
		if !p.login(w.user) {
			return
		}
	}
	p.wishes = append(p.wishes, w)
	p.send(w)
}

// send sends the wish, for the first time or again.
func (p *player) send(w *wish) {
	var in reply
	body := fmt.Sprintf(`{"productId":%q,"quantity":%d}`, w.product, w.quantity)
	if code := p.call("POST", "/orders", w.user, w.key, body, &in); code < 300 {
		p.handed(w, in)
	}
}

// handed keeps what the phone was given.
func (p *player) handed(w *wish, in reply) {
	if w.id != "" && w.id != in.Order.ID {
		p.t.Errorf("one key, two orders: %s and %s", w.id, in.Order.ID)
	}
	w.id = in.Order.ID
	if len(in.Payment) == 0 {
		return
	}
	w.payment = in.Payment
	var data struct{ SignData string }
	var sign struct{ OutTradeNo string }
	if json.Unmarshal(in.Payment, &data) == nil && json.Unmarshal([]byte(data.SignData), &sign) == nil {
		p.numbers = append(p.numbers, sign.OutTradeNo)
	}
}

func (p *player) anyWish() *wish {
	if len(p.wishes) == 0 {
		return nil
	}
	return p.wishes[p.rng.IntN(len(p.wishes))]
}

func (p *player) orderAgain() {
	if w := p.anyWish(); w != nil {
		p.tell("%s sends %s again", w.user, w.key)
		p.send(w)
	}
}

func (p *player) attempt() {
	w := p.anyWish()
	if w == nil || w.id == "" {
		return
	}
	p.tell("%s tries %s again", w.user, w.id)
	var in reply
	body := fmt.Sprintf(`{"errCode":%d}`, pick(p, -2, -1, -15002, -15005, 0))
	if p.call("POST", "/orders/"+w.id+"/attempts", w.user, "", body, &in) == 200 {
		p.handed(w, in)
	}
}

// pay is the phone with the payment it was given last.
func (p *player) pay() {
	w := p.anyWish()
	if w == nil || w.payment == nil {
		return
	}
	req := wechatsim.PaymentRequest{OpenID: w.user, Action: pick(p, "pay", "pay", "pay", "cancel")}
	if err := json.Unmarshal(w.payment, &req); err != nil {
		p.t.Error(err)
	}
	res := p.stack.Sim.RequestVirtualPayment(req)
	p.tell("%s: %s of %s answers %d", w.user, req.Action, w.id, res.ErrCode)
	switch res.ErrCode {
	case 0, -2, -15002, -15005, -15007:
	default:
		p.t.Errorf("the phone's call is refused with %d %s", res.ErrCode, res.ErrMsg)
	}
}

// payLate pays some number whose cashier is still open.
func (p *player) payLate() {
	if len(p.numbers) == 0 {
		return
	}
	n := p.numbers[p.rng.IntN(len(p.numbers))]
	p.tell("late payment of %s: %v", n, p.stack.Sim.Pay(n))
}

func (p *player) poll() {
	if w := p.anyWish(); w != nil && w.id != "" {
		p.tell("%s polls %s", w.user, w.id)
		p.call("GET", "/orders/"+w.id, w.user, "", "", nil)
	}
}

func (p *player) refund() {
	w := p.anyWish()
	if w == nil || w.id == "" {
		return
	}
	r := &wanted{order: w.id, key: fmt.Sprintf("refund-number-%d", len(p.refunds)), amount: pick(p, int64(100), 600, 1800)}
	p.refunds = append(p.refunds, r)
	p.askRefund(r)
}

func (p *player) refundAgain() {
	if len(p.refunds) > 0 {
		p.askRefund(p.refunds[p.rng.IntN(len(p.refunds))])
	}
}

func (p *player) askRefund(r *wanted) {
	p.tell("the merchant refunds %d of %s (%s)", r.amount, r.order, r.key)
	var in struct{ Refund struct{ ID string } }
	p.call("POST", "/merchant/orders/"+r.order+"/refunds", "", r.key, fmt.Sprintf(`{"amount":%d,"reason":"3"}`, r.amount), &in)
	if in.Refund.ID == "" {
		return
	}
	if r.id != "" && r.id != in.Refund.ID {
		p.t.Errorf("one key, two refunds: %s and %s", r.id, in.Refund.ID)
	}
	r.id = in.Refund.ID
}

func (p *player) consoleRefund() {
	if len(p.numbers) == 0 {
		return
	}
	n := p.numbers[p.rng.IntN(len(p.numbers))]
	p.tell("console refund of %s: %v", n, p.stack.Sim.ConsoleRefund(n, 100))
}
