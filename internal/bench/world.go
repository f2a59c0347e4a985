package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	product = "vip_month" // of the example goods
	price   = 1800
)

// world is a stack within this process, in virtual time, on SQLite with synchronous=NORMAL, whose store calls are
// counted. No network is in it.
type world struct {
	*localenv.Stack
	counted *store.Counted
	serial  int
}

func (b *bench) newWorld(ctx context.Context, name string) (*world, error) {
	w := &world{}
	clock := localenv.Virtual(time.Date(2026, 8, 1, 4, 0, 0, 0, time.UTC))
	opt := localenv.Options{Data: filepath.Join(b.dir, name), Clock: clock, Seed: 1, Synchronous: "NORMAL"}
	opt.WrapStore = func(inner store.Store) store.Store {
		w.counted = &store.Counted{Store: inner}
		return w.counted
	}
	var err error
	w.Stack, err = localenv.Open(ctx, opt)
	return w, err
}

// recorder is the least http.ResponseWriter.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// serve has the API answer a request in this goroutine.
func (w *world) serve(req *http.Request, status int) ([]byte, error) {
	return serve(w.Handler, req, status)
}

func serve(h http.Handler, req *http.Request, status int) ([]byte, error) {
	rec := recorder{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(&rec, req)
	if rec.status != status {
		return nil, fmt.Errorf("%s %s answered %d, expected %d: %s", req.Method, req.URL.Path, rec.status, status, rec.body.Bytes())
	}
	return rec.body.Bytes(), nil
}

func request(ctx context.Context, method, path, token, key string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+localenv.APIHost+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.RemoteAddr = "127.0.0.1:1" // the merchant routes serve loopback
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Idempotency-Key", key)
	return req, nil
}

// call makes a request and reads its answer.
func (w *world) call(ctx context.Context, method, path, token string, body any, status int, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := request(ctx, method, path, token, w.fresh("key"), raw)
	if err != nil {
		return err
	}
	answer, err := w.serve(req, status)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// fresh returns a name that was not used before.
func (w *world) fresh(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s-%08d", prefix, w.serial)
}

// user logs a new user in.
func (w *world) user(ctx context.Context) (openID, token string, err error) {
	openID = w.fresh("o-user")
	var in struct {
		Token string `json:"token"`
	}
	err = w.call(ctx, "POST", "/login", "", map[string]string{"code": w.Sim.Login(openID)}, http.StatusOK, &in)
	return openID, in.Token, err
}

// created is the answer to POST /orders.
type created struct {
	Order struct {
		ID    string      `json:"id"`
		State order.State `json:"state"`
	} `json:"order"`
	Payment xpay.Payment `json:"payment"`
}

type createBody struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
	Code      string `json:"code,omitempty"`
}

func (w *world) create(ctx context.Context, token, code string) (created, error) {
	var in created
	err := w.call(ctx, "POST", "/orders", token, createBody{product, 1, code}, http.StatusCreated, &in)
	return in, err
}

// bought is a new user with an order.
type bought struct {
	openID, token string
	created
}

func (w *world) buy(ctx context.Context) (bought, error) {
	openID, token, err := w.user(ctx)
	if err != nil {
		return bought{}, err
	}
	c, err := w.create(ctx, token, "")
	return bought{openID, token, c}, err
}

// pay pays on the simulated phone.
func (w *world) pay(b bought) error { return payAt(w.Sim, b) }

func payAt(sim *wechatsim.Sim, b bought) error {
	res := sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: b.openID, Mode: b.Payment.Mode, SignData: b.Payment.SignData, PaySig: b.Payment.PaySig, Signature: b.Payment.Signature,
	})
	if res.ErrCode != 0 {
		return fmt.Errorf("wx.requestVirtualPayment answered %d %s", res.ErrCode, res.ErrMsg)
	}
	return nil
}

// mustBeDelivered makes sure that what was measured is what was meant.
func (w *world) mustBeDelivered(ctx context.Context, id string) error {
	o, err := w.Orders.Get(ctx, id)
	if err == nil && o.State != order.Delivered {
		err = errors.New("the order " + id + " is " + string(o.State) + ", expected delivered")
	}
	return err
}
