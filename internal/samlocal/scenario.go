package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// scenario is one purchase and its refund, told by the events of events/.
type scenario struct {
	tools tools
	world *world

	orderID string         // of the order made by events/createorder.json
	payment map[string]any // what the phone needs to pay it
	steps   int
}

// step invokes a function with an event and checks what it answers.
type step struct {
	function, event string
	wants           string // in words
	right           func(answer) bool
}

// login does what comes before every purchase. It leaves the token of events/ usable.
func (s *scenario) login(ctx context.Context) error {
	var got struct{ Code string }
	if err := s.weChat(ctx, "/sim/login", map[string]any{"openid": openID}, &got); err != nil {
		return err
	}
	if err := freshen("login.json", func(e event) { e.setBody(`{"code":"` + got.Code + `"}`) }); err != nil {
		return err
	}
	if err := s.play(ctx, s.command, step{"LoginFunction", freshEvents + "/login.json", "200 and a token", status(200)}); err != nil {
		return err
	}
	return keepDevToken(ctx, s.world.awsURL)
}

// run plays the rest: the order by the very command of the documentation, what follows through `sam local
// start-lambda`, which keeps the containers, and a look through `sam local start-api`.
func (s *scenario) run(ctx context.Context) error {
	create := step{"CreateOrderFunction", "events/createorder.json", "201 and what the phone needs to pay", s.ordered}
	if err := s.play(ctx, s.command, create); err != nil {
		return err
	}
	lambda, stop, err := s.startSAM(ctx, "start-lambda")
	if err != nil {
		return err
	}
	defer stop()
	if err := s.play(ctx, invoker(lambda), s.beforePaying()...); err != nil {
		return err
	}
	if err := s.pay(ctx); err != nil {
		return err
	}
	if err := s.play(ctx, invoker(lambda), s.afterPaying()...); err != nil {
		return err
	}
	if err := s.lookOverHTTP(ctx); err != nil {
		return err
	}
	fmt.Printf("sam-local: all %d answers are right\n", s.steps)
	return nil
}

func (s *scenario) beforePaying() []step {
	return []step{
		{"OrdersFunction", "events/products.json", "200", status(200)},
		{"CreateOrderFunction", "events/createorder-base64.json", "200: the same order again", s.names},
		{"CreateOrderFunction", "events/attempts.json", "200: the same attempt, since it is not paid", s.names},
		{"OrdersFunction", "events/order-poll.json", "200: created", s.inState("created")},
		{"CallbackFunction", "events/callback-echo.json", "401: signed too long ago", status(401)},
		{"CallbackFunction", "events/callback-push.json", "401: signed too long ago", status(401)},
		{"CallbackFunction", "events/callback-push-xml.json", "401: signed too long ago", status(401)},
		{"CallbackFunction", freshEvents + "/callback-echo.json", "200 and the echostr", echoes},
	}
}

func (s *scenario) afterPaying() []step {
	return []step{
		{"CallbackFunction", freshEvents + "/callback-push.json", "200, encrypted", status(200)},
		{"OrdersFunction", "events/order-poll.json", "200: delivered", s.inState("delivered")},
		{"CallbackFunction", freshEvents + "/callback-push-xml.json", "200, encrypted: known already", status(200)},
		{"OrdersFunction", "events/orders-list.json", "200: the order is in it", s.names},
		{"OrdersFunction", "events/consume.json", "200: used up", s.names},
		{"RefundFunction", "events/refund.json", "202: under way", status(202)},
		{"RefundFunction", "events/refund-settle.json", "422: WeChat is still being asked", status(422)},
		{"RefundFunction", "events/refund-accept.json", "200: the order was not held", status(200)},
		{"SweepFunction", "events/sweep.json", "how many messages it sent", isNumber},
		{"ReconcileFunction", "events/reconcile.json", "no message comes again", allDone},
		{"OrdersFunction", "events/merchant-order.json", "200 and the refund", s.names},
		{"OrdersFunction", "events/merchant-user-orders.json", "200: the order is in it", s.names},
		{"OrdersFunction", "events/merchant-held.json", "200: nothing waits", status(200)},
	}
}

// play does the steps in their order and stops at the first wrong answer.
func (s *scenario) play(ctx context.Context, invoke invoke, steps ...step) error {
	for _, st := range steps {
		start := time.Now()
		a, err := invoke(ctx, st.function, st.event)
		if err != nil {
			return fmt.Errorf("%s with %s: %w", st.function, st.event, err)
		}
		if !st.right(a) {
			return fmt.Errorf("%s with %s answered\n%s\ninstead of: %s", st.function, st.event, a.raw, st.wants)
		}
		s.steps++
		fmt.Printf("%-20s %-36s %s (%.1f s)\n", st.function, st.event, st.wants, time.Since(start).Seconds())
	}
	return nil
}

func status(code int) func(answer) bool { return func(a answer) bool { return a.Status == code } }

func echoes(a answer) bool { return a.Status == http.StatusOK && a.Body == echoText }

func allDone(a answer) bool { return string(a.raw) == `{"batchItemFailures":[]}` }

func isNumber(a answer) bool {
	var n int
	return json.Unmarshal(a.raw, &n) == nil
}

func (s *scenario) names(a answer) bool {
	return a.Status == http.StatusOK && strings.Contains(a.Body, s.orderID)
}

func (s *scenario) inState(state string) func(answer) bool {
	return func(a answer) bool { return s.names(a) && strings.Contains(a.Body, `"state":"`+state+`"`) }
}

// ordered remembers the order for what follows.
func (s *scenario) ordered(a answer) bool {
	var got struct {
		Order   struct{ ID string }
		Payment map[string]any
	}
	if json.Unmarshal([]byte(a.Body), &got) != nil {
		return false
	}
	s.orderID, s.payment = got.Order.ID, got.Payment
	return a.Status == http.StatusCreated && s.orderID != "" && len(s.payment) > 0
}

// pay is the phone; then the pushes that WeChat sends about it are written.
func (s *scenario) pay(ctx context.Context) error {
	in := map[string]any{"openid": openID, "action": "pay"}
	for name, value := range s.payment {
		in[name] = value
	}
	var shown json.RawMessage
	if err := s.weChat(ctx, "/sim/requestVirtualPayment", in, &shown); err != nil {
		return err
	}
	if err := s.weChat(ctx, "/sim/orders/"+s.orderID, nil, &shown); err != nil {
		return err
	}
	paid, err := readPayment(shown)
	if err != nil {
		return err
	}
	return paid.freshPushes(time.Now())
}

// lookOverHTTP asks the HTTP API for what the phone would ask.
func (s *scenario) lookOverHTTP(ctx context.Context) error {
	api, stop, err := s.startSAM(ctx, "start-api")
	if err != nil {
		return err
	}
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/orders/"+s.orderID, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+devToken)
	var got struct{ Order struct{ State string } }
	if err := call(req, &got); err != nil {
		return fmt.Errorf("sam local start-api: %w", err)
	}
	if got.Order.State != "delivered" {
		return errors.New("sam local start-api: the order is " + got.Order.State + ", it should be delivered")
	}
	s.steps++
	fmt.Println("start-api            GET /orders/{id}                     200: delivered")
	return nil
}
