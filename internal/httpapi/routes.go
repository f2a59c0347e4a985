// Package httpapi is the HTTP side: one table of routes, one file per group of handlers, one writer of errors. It is
// plain net/http; the local server and every Lambda mount the same handlers.
//
// A handler does five things in this order: cap, decode, validate, call the service, reply. It knows nothing of
// money: that is package order.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// API holds what the handlers call.
type API struct {
	Orders   *order.Service
	Sessions *session.Service
	Catalog  *catalog.Catalog
	Push     Push

	// AllowMerchant decides whether a request may use the /merchant routes; nil refuses all of them.
	AllowMerchant func(*http.Request) error
	// Caller names who uses a /merchant route, for the history; nil: nobody knows.
	Caller func(*http.Request) string
	// Forward hands pushes that are not ours to another receiver; nil answers them with success.
	Forward *Forward
	Metrics observe.Metrics
	Now     func() time.Time
	Log     *slog.Logger
}

// Push is *miniprogram.Push, or one that knows where to get newer secrets when a signature does not fit.
type Push interface {
	Echo(query url.Values) (string, error)
	Open(query url.Values, body []byte) (miniprogram.Message, error)
	Seal(to miniprogram.Message, plain []byte) (sealed []byte, contentType string, err error)
}

// Auth is who may call a route.
type Auth string

const (
	AuthNone     Auth = "none"
	AuthUser     Auth = "token"     // Authorization: Bearer, or X-Xpay-Token
	AuthMerchant Auth = "merchant"  // IAM on AWS; loopback or a printed token locally
	AuthWeChat   Auth = "signature" // the message push's own
)

// Route is one row of the table.
type Route struct {
	Method string
	Path   string
	Auth   Auth
	// Function is the Lambda that serves the route on AWS: the folder under functions/.
	Function string
	serve    func(*API, call) (reply, error)
}

// Routes is the whole API of this backend.
func Routes() []Route {
	return []Route{
		{"POST", "/login", AuthNone, "login", (*API).login},
		{"GET", "/products", AuthNone, "orders", (*API).products},

		{"POST", "/orders", AuthUser, "createorder", (*API).createOrder},
		{"POST", "/orders/{id}/attempts", AuthUser, "createorder", (*API).attempt},
		{"GET", "/orders", AuthUser, "orders", (*API).listOrders},
		{"GET", "/orders/{id}", AuthUser, "orders", (*API).pollOrder},
		{"POST", "/orders/{id}/consume", AuthUser, "orders", (*API).consume},

		{"GET", "/merchant/orders/{id}", AuthMerchant, "orders", (*API).merchantOrder},
		{"GET", "/merchant/users/{openid}/orders", AuthMerchant, "orders", (*API).merchantUserOrders},
		{"POST", "/merchant/orders/{id}/refunds", AuthMerchant, "refund", (*API).merchantRefund},
		{"POST", "/merchant/orders/{id}/refunds/{refund}", AuthMerchant, "refund", (*API).merchantSettle},
		{"POST", "/merchant/orders/{id}/accept", AuthMerchant, "refund", (*API).merchantAccept},
		{"POST", "/merchant/orders/{id}/delivery", AuthMerchant, "refund", (*API).merchantDelivery},
		{"POST", "/merchant/orders/{id}/advance", AuthMerchant, "refund", (*API).merchantAdvance},
		{"POST", "/merchant/orders/{id}/recheck", AuthMerchant, "refund", (*API).merchantRecheck},
		{"POST", "/merchant/orders/{id}/adopt", AuthMerchant, "refund", (*API).merchantAdopt},
		{"GET", "/merchant/held", AuthMerchant, "orders", (*API).merchantHeld},
		{"POST", "/merchant/held/{number}/dismiss", AuthMerchant, "orders", (*API).merchantDismiss},
		{"GET", "/merchant/paid", AuthMerchant, "orders", (*API).merchantPaid},

		{"GET", "/wechat/push", AuthWeChat, "callback", (*API).echo},
		{"POST", "/wechat/push", AuthWeChat, "callback", (*API).push},
	}
}

// RoutesOf is the part of the table that one Lambda serves.
func RoutesOf(function string) []Route {
	return slices.DeleteFunc(Routes(), func(r Route) bool { return r.Function != function })
}

// call is one request that has passed its authentication.
type call struct {
	*http.Request
	w      http.ResponseWriter
	openID string // AuthUser: who calls
}

// Handler mounts the routes; without any, all of them.
func (a *API) Handler(routes ...Route) http.Handler {
	if len(routes) == 0 {
		routes = Routes()
	}
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range routes {
		mux.Handle(r.Method+" "+r.Path, a.serve(r))
		methods[r.Path] = append(methods[r.Path], r.Method)
	}
	for path, allowed := range methods {
		mux.Handle(path, refuse(http.StatusMethodNotAllowed, errorBody{problem.Invalid, "this route has another method"}, allowed))
	}
	mux.Handle("/", refuse(http.StatusNotFound, errorBody{problem.NotFound, "there is no such route"}, nil))
	return mux
}

// refuse answers what no route serves.
func refuse(status int, e errorBody, allowed []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
		}
		reply{status: status, body: e.wrap()}.write(w)
	})
}

// serve authenticates, calls the handler, writes its reply or error, and the one line of log about it. A panic answers 500 and is logged: what was
// stored before it stands.
func (a *API) serve(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, line := observe.Begin(req.Context(), a.Now())
		req = req.WithContext(ctx)
		r, err := a.guarded(route, call{Request: req, w: w})
		if err != nil {
			r = a.failure(ctx, route, err)
		}
		if id := req.PathValue("id"); order.ValidID(id) {
			observe.SetFirst(ctx, "order", id)
		}
		r.write(w)
		line.End(ctx, a.Log, a.Metrics, "request", a.Now(), slog.String("route", route.Method+" "+route.Path), slog.Int("status", r.status))
	})
}

// guarded turns a panic into an error, except the one by which net/http is asked to cut the connection.
func (a *API) guarded(route Route, c call) (r reply, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = panicked(p)
		}
	}()
	if err := a.authenticate(route.Auth, &c); err != nil {
		return reply{}, err
	}
	return route.serve(a, c)
}

func (a *API) authenticate(auth Auth, c *call) (err error) {
	switch auth {
	case AuthUser:
		c.openID, err = a.Sessions.Authenticate(c.Context(), bearer(c.Request))
		return err
	case AuthMerchant:
		if a.AllowMerchant == nil {
			return problem.New(problem.Unauthorized, "the merchant routes are closed here")
		}
		return a.AllowMerchant(c.Request)
	case AuthNone, AuthWeChat:
		return nil
	default:
		return problem.New(problem.Internal, "route with the unknown auth %q", auth)
	}
}

// bearer reads the session token. X-Xpay-Token comes first, since Authorization may be occupied by SigV4.
func bearer(r *http.Request) string {
	if token := r.Header.Get("X-Xpay-Token"); token != "" {
		return token
	}
	return bearerOf(r.Header.Get("Authorization"))
}

func bearerOf(header string) string {
	const scheme = "Bearer "
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return ""
	}
	return header[len(scheme):]
}

// within gives a handler less time than its caller has, so that it can still answer.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
