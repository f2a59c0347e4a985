package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	callFor  = 10 * time.Second      // one request
	pollFor  = 10 * time.Second      // until the order is delivered
	pollWait = 2 * time.Millisecond  // before the second poll, doubled for each further one
	pollMax  = 64 * time.Millisecond // and at most
)

// phones are the users of one stack. They keep their connections.
type phones struct {
	urls
	client *http.Client
}

func newPhones(at urls, users int) *phones {
	t := &http.Transport{MaxIdleConnsPerHost: 2 * users, DisableCompression: true}
	return &phones{urls: at, client: &http.Client{Transport: t, Timeout: callFor}}
}

// live is one lifecycle: log in, order, pay, be pushed to, see it delivered. It returns how often it had to poll.
// Every lifecycle is another user's, because one user may make ten orders a minute.
func (p *phones) live(ctx context.Context, openID string) (polls int, err error) {
	var code struct{ Code string }
	if err := p.call(ctx, "POST", p.WeChat+"/sim/login", "", map[string]string{"openid": openID}, &code); err != nil {
		return 0, err
	}
	var session struct{ Token string }
	if err := p.call(ctx, "POST", p.API+"/login", "", map[string]string{"code": code.Code}, &session); err != nil {
		return 0, err
	}
	var c created
	if err := p.call(ctx, "POST", p.API+"/orders", session.Token, createBody{ProductID: product, Quantity: 1}, &c); err != nil {
		return 0, err
	}
	var paid wechatsim.PaymentResult
	payment := wechatsim.PaymentRequest{
		OpenID: openID, Mode: c.Payment.Mode, SignData: c.Payment.SignData, PaySig: c.Payment.PaySig, Signature: c.Payment.Signature, Action: "pay",
	}
	if err := p.call(ctx, "POST", p.WeChat+"/sim/requestVirtualPayment", "", payment, &paid); err != nil {
		return 0, err
	}
	if paid.ErrCode != 0 {
		return 0, fmt.Errorf("wx.requestVirtualPayment answered %d %s", paid.ErrCode, paid.ErrMsg)
	}
	return p.pollUntilDelivered(ctx, session.Token, c.Order.ID)
}

// pollUntilDelivered polls at once; the push is on its way meanwhile.
func (p *phones) pollUntilDelivered(ctx context.Context, token, id string) (polls int, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollFor)
	defer cancel()
	for wait := pollWait; ; wait = min(2*wait, pollMax) {
		var c created
		if err := p.call(ctx, "GET", p.API+"/orders/"+id, token, nil, &c); err != nil {
			return polls, err
		}
		if polls++; c.Order.State == order.Delivered {
			return polls, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return polls, fmt.Errorf("order %s is %s after %s: %w", id, c.Order.State, pollFor, ctx.Err())
		}
	}
}

// call sends one request and reads its answer to the end, so that the connection is kept.
func (p *phones) call(ctx context.Context, method, url, token string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Idempotency-Key", "bench-order-1")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusMultipleChoices {
		return errors.Join(err, fmt.Errorf("%s %s answered %d: %s", method, req.URL.Path, resp.StatusCode, answer))
	}
	return json.Unmarshal(answer, into)
}
