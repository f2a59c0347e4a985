// Package backend puts the parts together: one configuration and one store in, handlers and worker out. The local
// stack and every Lambda call Build with their own outside; nothing else differs between them.
package backend

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/worker"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// callTimeout bounds one call to WeChat.
const callTimeout = 5 * time.Second

// Outside is what differs between a laptop, a test and AWS.
type Outside struct {
	Store         store.Store
	Catalog       *catalog.Catalog
	Transport     http.RoundTripper // to WeChat; nil: http.DefaultTransport
	Now           func() time.Time
	Log           *slog.Logger
	Send          func(ctx context.Context, docIDs []string) error // puts messages on the queue
	Alarm         func(context.Context, order.Alarm)
	AllowMerchant func(*http.Request) error
	Target        string // the delivery target; "" makes orders their own
	Deliver       func(context.Context, order.Delivery) error
}

// Backend is the whole product on one store.
type Backend struct {
	API    *httpapi.API
	Orders *order.Service
	Worker *worker.Worker
	Sweep  *worker.Sweep
}

// Build refuses to start with a configuration that is not complete, and says everything that is missing.
func Build(cfg Config, out Outside) (*Backend, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("the configuration is not complete:\n%w", err)
	}
	merchant, err := xpay.NewMerchant(cfg.OfferID, cfg.Env, cfg.appKey())
	if err != nil {
		return nil, err
	}
	seal, err := session.NewSealer(cfg.Seal.Keys...)
	if err != nil {
		return nil, err
	}
	push, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: cfg.AppID, Tokens: cfg.Push.Tokens, AESKeys: cfg.Push.AESKeys, Now: out.Now})
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: out.Transport, Timeout: callTimeout}
	app := &miniprogram.App{ID: cfg.AppID, Secret: miniprogram.Secret(cfg.Merchant.AppSecret), HTTP: client, BaseURL: cfg.WeChatURL, Now: out.Now}
	tokens := miniprogram.NewTokens(app, session.AccessTokens{AppID: cfg.AppID, Store: out.Store, Seal: seal}, out.Now)
	orders := &order.Service{
		AppID: cfg.AppID, Store: out.Store, Catalog: out.Catalog, Now: out.Now, Log: out.Log, Alarm: out.Alarm,
		WeChat: &xpay.Client{Merchant: merchant, Tokens: tokens, HTTP: client, BaseURL: cfg.WeChatURL},
		Target: out.Target, Deliver: out.Deliver, Kick: kick(out),
	}
	if err := orders.Check(); err != nil {
		return nil, fmt.Errorf("the backend is not complete:\n%w", err)
	}
	b := &Backend{
		Orders: orders,
		Worker: &worker.Worker{Kinds: map[store.Kind]worker.Advance{order.KindOrder: orders.Advance}, Log: out.Log},
		Sweep:  &worker.Sweep{Store: out.Store, Send: out.Send, Now: out.Now, Log: out.Log},
	}
	b.API = &httpapi.API{
		Orders: orders, Catalog: out.Catalog, Push: push, AllowMerchant: out.AllowMerchant, Now: out.Now, Log: out.Log,
		Sessions: &session.Service{Store: out.Store, App: app, Seal: seal, Now: out.Now},
	}
	if cfg.ForwardURL != "" {
		b.API.Forward = &httpapi.Forward{URL: cfg.ForwardURL, Client: client}
	}
	return b, nil
}

// kickDeadline is all the time a handler spends on telling the queue: the document is due anyway.
const kickDeadline = 300 * time.Millisecond

func kick(out Outside) func(context.Context, ...string) {
	if out.Send == nil {
		return nil
	}
	return func(ctx context.Context, docIDs ...string) {
		ctx, cancel := context.WithTimeout(ctx, kickDeadline)
		defer cancel()
		if err := out.Send(ctx, docIDs); err != nil {
			out.Log.WarnContext(ctx, "the queue was not told, the sweep will find it", "error", err)
		}
	}
}
