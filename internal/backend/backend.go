// Package backend puts the parts together: one configuration and one store in, handlers and worker out. The local
// stack and every Lambda call Build with their own outside; nothing else differs between them.
package backend

import (
	"context"
	"errors"
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
	Stale         func(Groups) // is told that WeChat, or a sealed box, does not know a secret of ours: there may be newer ones
}

// Backend is the whole product on one store.
type Backend struct {
	API    *httpapi.API
	Orders *order.Service
	Worker *worker.Worker
	Sweep  *worker.Sweep
}

// Build refuses to start with a configuration that is not complete, and says everything that is missing. A part that
// needs a group of secrets which this process was not given (Config.Groups) is left out: the API has no Push, or no
// Sessions, and WeChat cannot be called.
func Build(cfg Config, out Outside) (*Backend, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("the configuration is not complete:\n%w", err)
	}
	p := &parts{cfg: cfg, out: out, http: &http.Client{Transport: out.Transport, Timeout: callTimeout}}
	orders, err := p.orders()
	if err != nil {
		return nil, err
	}
	b := &Backend{
		Orders: orders,
		Worker: &worker.Worker{Kinds: map[store.Kind]worker.Advance{order.KindOrder: orders.Advance}, Log: out.Log},
		Sweep:  &worker.Sweep{Store: out.Store, Send: out.Send, Now: out.Now, Log: out.Log},
	}
	b.API = &httpapi.API{Orders: orders, Catalog: out.Catalog, AllowMerchant: out.AllowMerchant, Now: out.Now, Log: out.Log}
	if cfg.has(GroupPush) {
		if b.API.Push, err = p.push(); err != nil {
			return nil, err
		}
	}
	if cfg.has(GroupMerchant) && cfg.has(GroupSeal) {
		b.API.Sessions = &session.Service{Store: out.Store, App: p.app, Seal: p.seal, Now: out.Now}
	}
	if cfg.ForwardURL != "" {
		b.API.Forward = &httpapi.Forward{URL: cfg.ForwardURL, Client: p.http}
	}
	return b, nil
}

// parts is what Build has made so far.
type parts struct {
	cfg  Config
	out  Outside
	http *http.Client
	app  *miniprogram.App // nil without the merchant's secrets
	seal *session.Sealer  // nil without the sealing keys
}

func (p *parts) push() (*miniprogram.Push, error) {
	return miniprogram.NewPush(miniprogram.PushConfig{AppID: p.cfg.AppID, Tokens: p.cfg.Push.Tokens, AESKeys: p.cfg.Push.AESKeys, Now: p.out.Now})
}

func (p *parts) orders() (*order.Service, error) {
	client, err := p.client()
	if err != nil {
		return nil, err
	}
	orders := &order.Service{
		AppID: p.cfg.AppID, Env: p.cfg.Env, Store: p.out.Store, Catalog: p.out.Catalog, WeChat: client,
		Now: p.out.Now, Log: p.out.Log, Alarm: p.out.Alarm, Target: p.out.Target, Deliver: p.out.Deliver, Kick: kick(p.out),
		Reported: func(errCode int) {
			if errCode == xpay.ClientCodeWrongPaySig {
				p.stale(GroupMerchant)
			}
		},
	}
	if err := orders.Check(); err != nil {
		return nil, fmt.Errorf("the backend is not complete:\n%w", err)
	}
	return orders, nil
}

// client signs and asks; without the merchant's secrets it refuses to.
func (p *parts) client() (_ *xpay.Client, err error) {
	if !p.cfg.has(GroupMerchant) || !p.cfg.has(GroupSeal) {
		return &xpay.Client{}, nil
	}
	merchant, err := xpay.NewMerchant(p.cfg.OfferID, p.cfg.Env, p.cfg.appKey())
	if err != nil {
		return nil, err
	}
	if p.seal, err = session.NewSealer(p.cfg.Seal.Keys...); err != nil {
		return nil, err
	}
	p.seal.Unknown = func() { p.stale(GroupSeal) }
	p.app = &miniprogram.App{
		ID: p.cfg.AppID, Secret: miniprogram.Secret(p.cfg.Merchant.AppSecret), HTTP: p.http, BaseURL: p.cfg.WeChatURL, Now: p.out.Now,
		Refused: func(e *miniprogram.Error) {
			if errors.Is(e, miniprogram.ErrConfig) {
				p.stale(GroupMerchant)
			}
		},
	}
	tokens := miniprogram.NewTokens(p.app, session.AccessTokens{AppID: p.cfg.AppID, Store: p.out.Store, Seal: p.seal}, p.out.Now)
	return &xpay.Client{
		Merchant: merchant, Tokens: tokens, HTTP: p.http, BaseURL: p.cfg.WeChatURL,
		Refused: func(e *xpay.Error) {
			if e.Code == xpay.CodeWrongSignature {
				p.stale(GroupMerchant)
			}
		},
	}, nil
}

func (p *parts) stale(g Groups) {
	if p.out.Stale != nil {
		p.out.Stale(g)
	}
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
