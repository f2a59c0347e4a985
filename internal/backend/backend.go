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
	"github.com/xpay-serverless/xpay-serverless/internal/observe"
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
	Store           store.Store
	Catalog         *catalog.Catalog
	Transport       http.RoundTripper // to WeChat; nil: http.DefaultTransport
	TargetTransport http.RoundTripper // to the webhook; nil: http.DefaultTransport
	Now             func() time.Time
	Log             *slog.Logger
	Send            func(ctx context.Context, docIDs []string) error // puts messages on the queue
	Alarm           func(context.Context, order.Alarm)
	AllowMerchant   func(*http.Request) error
	Caller          func(*http.Request) string                  // names who uses the merchant routes
	Deliver         func(context.Context, order.Delivery) error // the way to a delivery target that is no webhook
	Metrics         observe.Metrics                             // the zero value writes none

	// Renew is told that a secret did not fit. It looks for newer ones, no oftener than the doubt allows, and returns the
	// configuration with the newest that it has, also beside an error: there may be newer ones, and they cannot be read just
	// now. nil: there are never newer ones.
	Renew func(context.Context, Doubt) (Config, error)
	// AppKeys knows which AppKey WeChat took last. It outlives the Backend, which Sets its keys. nil: a new one.
	AppKeys *xpay.AppKeys
}

// Doubt says that a group has no secret that fits.
type Doubt struct {
	Group  Groups
	Proven bool   // WeChat says so, which answered a call of ours; else anybody may: a phone, a push with a wrong signature, an old box
	KeyID  string // of the sealing key that a box of ours names: one that is looked for in vain keeps nobody from looking for another
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
	p := &parts{cfg: cfg, out: out, http: &http.Client{Transport: countErrors(out.Transport), Timeout: callTimeout}}
	orders, err := p.orders()
	if err != nil {
		return nil, err
	}
	b := &Backend{
		Orders: orders,
		Worker: &worker.Worker{Kinds: map[store.Kind]worker.Advance{order.KindOrder: orders.Advance}, Metrics: out.Metrics, Now: out.Now, Log: out.Log},
		Sweep:  &worker.Sweep{Store: out.Store, Send: out.Send, Now: out.Now, Metrics: out.Metrics, Log: out.Log},
	}
	served := *orders
	served.Deliver = nil // a user, or WeChat, would wait for the target: it is the worker's
	b.API = &httpapi.API{Orders: &served, Catalog: out.Catalog, AllowMerchant: out.AllowMerchant, Caller: out.Caller, Now: out.Now, Log: out.Log, Metrics: out.Metrics}
	if cfg.has(GroupPush) {
		if b.API.Push, err = p.push(); err != nil {
			return nil, err
		}
	}
	if cfg.has(GroupMerchant) && cfg.has(GroupSeal) {
		b.API.Sessions = &session.Service{Store: out.Store, App: p.app, Seal: p.seal, Now: out.Now}
	}
	if cfg.ForwardURL != "" {
		b.API.Forward = &httpapi.Forward{URL: cfg.ForwardURL, Client: &http.Client{Transport: out.Transport, Timeout: callTimeout}}
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
		Now: p.out.Now, Log: p.out.Log, Alarm: countAlarms(p.out.Alarm), Saw: seeOrders(p.out.Log),
		Target: p.cfg.Delivery.Target, Kick: kick(p.out),
		Refused: func(ctx context.Context, _ error) { observe.Count(ctx, observe.WeChatErrors) },
		Reported: func(ctx context.Context, errCode int) {
			if errCode == xpay.ClientCodeWrongPaySig {
				_, _ = p.renew(ctx, Doubt{Group: GroupMerchant}) // what cannot be read is in the log
			}
		},
	}
	if orders.Deliver, err = p.deliverer(); err != nil {
		return nil, err
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
	merchant, err := xpay.NewRotatingMerchant(p.cfg.OfferID, p.cfg.Env, p.appKeys())
	if err != nil {
		return nil, err
	}
	if p.seal, err = session.NewSealer(p.cfg.Seal.Keys...); err != nil {
		return nil, err
	}
	p.seal.Renew = p.newerSealer
	p.app = &miniprogram.App{
		ID: p.cfg.AppID, Secret: miniprogram.Secret(p.cfg.Merchant.AppSecret), Another: p.anotherAppSecret, Refused: countRefusal,
		HTTP: p.http, BaseURL: p.cfg.WeChatURL, Now: p.out.Now,
	}
	tokens := miniprogram.NewTokens(p.app, session.AccessTokens{AppID: p.cfg.AppID, Store: p.out.Store, Seal: p.seal}, p.out.Now)
	return &xpay.Client{Merchant: merchant, Tokens: tokens, HTTP: p.http, BaseURL: p.cfg.WeChatURL}, nil
}

// appKeys are those of the env that is served, and of no other.
func (p *parts) appKeys() *xpay.AppKeys {
	keys := p.out.AppKeys
	if keys == nil {
		keys = &xpay.AppKeys{Renew: func(ctx context.Context) { _, _ = p.renew(ctx, Doubt{Group: GroupMerchant, Proven: true}) }}
	}
	keys.Set(p.cfg.appKey(), p.cfg.Merchant.before().appKey(p.cfg.Env))
	return keys
}

// anotherAppSecret is the newest AppSecret, or, when WeChat refuses that one, the one before it.
func (p *parts) anotherAppSecret(ctx context.Context, refused miniprogram.Secret) miniprogram.Secret {
	cfg, _ := p.renew(ctx, Doubt{Group: GroupMerchant, Proven: true})
	m := cfg.Merchant
	if newest := miniprogram.Secret(m.AppSecret); newest != refused {
		return newest
	}
	return miniprogram.Secret(m.before().AppSecret)
}

// newerSealer has today's sealing keys. An error beside it says that there may be newer ones.
func (p *parts) newerSealer(keyID string) (*session.Sealer, error) {
	cfg, unread := p.renew(context.Background(), Doubt{Group: GroupSeal, KeyID: keyID})
	s, err := session.NewSealer(cfg.Seal.Keys...)
	return s, errors.Join(unread, err)
}

func (p *parts) renew(ctx context.Context, d Doubt) (Config, error) {
	if p.out.Renew == nil {
		return p.cfg, nil
	}
	return p.out.Renew(ctx, d)
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
