package main

import (
	"context"
	"encoding/json"
	"net/http"
)

// handlerOps is how often a handler is called in one round. Each call has a user of its own, because a user may make ten
// orders in a minute and the clock stands.
const handlerOps = 150

// createHandler is POST /orders by a user who is logged in.
func (w *world) createHandler() subject {
	return subject{name: "create handler: POST /orders", n: handlerOps, prepare: func(ctx context.Context, n int) (func() error, error) {
		body, err := json.Marshal(createBody{ProductID: product, Quantity: 1})
		if err != nil {
			return nil, err
		}
		requests := make([]*http.Request, n)
		for i := range requests {
			_, token, err := w.user(ctx)
			if err != nil {
				return nil, err
			}
			if requests[i], err = request(ctx, "POST", "/orders", token, w.fresh("key"), body); err != nil {
				return nil, err
			}
		}
		return func() error { return w.serveAll(requests, http.StatusCreated) }, nil
	}}
}

// callbackHandler is POST /wechat/push, AES JSON, the first about its order, which becomes delivered.
func (w *world) callbackHandler() subject {
	return subject{name: "callback handler: AES goods push", n: handlerOps, prepare: func(ctx context.Context, n int) (func() error, error) {
		requests := make([]*http.Request, n)
		var last bought
		for i := range requests {
			var err error
			if last, err = w.buy(ctx); err != nil {
				return nil, err
			}
			if requests[i], err = w.goodsPush(ctx, last); err != nil {
				return nil, err
			}
		}
		return func() error {
			if err := w.serveAll(requests, http.StatusOK); err != nil {
				return err
			}
			return w.mustBeDelivered(ctx, last.Order.ID)
		}, nil
	}}
}

func (w *world) serveAll(requests []*http.Request, status int) error {
	for _, req := range requests {
		if _, err := w.serve(req, status); err != nil {
			return err
		}
	}
	return nil
}
