// Package awsenv makes a Lambda's part of the backend out of its environment: the variables, the secrets, the tables,
// the queue. Everything slow happens once per cold start, at the same time: the root certificates are read, the
// connection to DynamoDB is opened, the secrets are fetched.
package awsenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/problem"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo"
	"github.com/xpay-serverless/xpay-serverless/internal/worker"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	secretTriesMax = 5               // a start asks for several at once, and all of them must come
	startTimeout   = 8 * time.Second // Lambda gives a start 10 s
	workParallel   = 10              // messages of a batch: all of them
	workReserve    = 2 * time.Second // of the worker's time, for its answer
	goodsFile      = "goods.yaml"
)

// Env is one Lambda's part of the backend. It is safe for concurrent use.
type Env struct {
	Log *slog.Logger

	function Function
	config   backend.Config // without secrets
	outside  backend.Outside
	secrets  *secrets
	openBus  OpenBus // nil: the function cannot reach one

	renewing sync.Mutex
	serving  *generation
}

// generation is the backend as the secrets of one time make it.
type generation struct {
	*backend.Backend
	handler http.Handler
}

// Start makes the named function's Env, or ends the process after one structured line that names everything that is
// wrong. Lambda tries a start that failed again with the next invocation.
func Start(function string, options ...Option) *Env {
	debug.SetGCPercent(gcPercent)
	log := lambdacontext.NewLogger()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	e, err := Open(ctx, function, os.Getenv, log, options...)
	if err != nil {
		var problems []string
		for _, p := range joined(err) {
			problems = append(problems, p.Error())
		}
		log.Error("the function cannot start", "function", function, "problems", problems)
		os.Exit(1)
	}
	return e
}

// Open reads everything a function needs. The error joins everything that is wrong.
func Open(ctx context.Context, function string, getenv func(string) string, log *slog.Logger, options ...Option) (*Env, error) {
	f, ok := functionNamed(function)
	if !ok {
		return nil, fmt.Errorf("there is no function %q", function)
	}
	f = f.forTarget(getenv(setTarget))
	vars := &environment{get: getenv}
	vars.readAll(f)
	e := &Env{Log: log, function: f, config: vars.config(f)}
	for _, option := range options {
		option(e)
	}
	e.checkTarget(vars)
	e.connect(getenv)
	vars.add(e.loadGoods(getenv(setTaskRoot)))
	if getenv(setRegion) != "" && getenv(setKeyID) != "" && getenv(setKey) != "" {
		vars.add(e.reach(ctx, vars)...)
	}
	cfg := e.config
	if e.secrets.fill(&cfg); f.serves() {
		vars.check(cfg)
	}
	if err := errors.Join(vars.problems...); err != nil {
		return nil, err
	}
	if err := e.build(cfg); err != nil {
		return nil, err
	}
	return e, nil
}

// connect makes the clients; nothing is called yet.
func (e *Env) connect(getenv func(string) string) {
	transport := newTransport()
	cfg := awsConfig(getenv, transport)
	tables := dynamo.Tables{
		Orders: getenv(setOrders), Expiring: getenv(setExpiring),
		ExpiringKinds: ExpiringKinds(),
	}
	client := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = endpoint(getenv, "DYNAMODB") })
	documents := dynamo.New(client, tables, wallClock)
	documents.Malformed = func(ctx context.Context, err error) { e.Log.ErrorContext(ctx, "left out of a list", "error", err) }
	e.outside = backend.Outside{
		Store: documents, Transport: transport, TargetTransport: transport, Now: wallClock, Log: e.Log,
		Metrics:       observe.Metrics{Service: getenv(setStack), Stage: cmp.Or(getenv(setStage), "prod")},
		AllowMerchant: allowIAM, Caller: callerOf, Renew: e.renew,
		AppKeys: &xpay.AppKeys{Renew: func(ctx context.Context) {
			_, _ = e.renew(ctx, backend.Doubt{Group: backend.GroupMerchant, Proven: true}) // what cannot be read is in the log
		}},
	}
	e.connectTarget(cfg, getenv)
	if e.function.Sends {
		q := queue{url: getenv(setQueue)}
		q.client = sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = endpoint(getenv, "SQS") })
		e.outside.Send = q.send
	}
	e.secrets = &secrets{ids: secretIDs(getenv, e.function.Groups), env: e.config.Env, now: wallClock, log: e.Log, wait: refreshWait(e.function.Groups)}
	e.secrets.client = secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) {
		o.BaseEndpoint = endpoint(getenv, "SECRETS_MANAGER")
		o.Retryer = retry.AddWithMaxAttempts(o.Retryer, secretTriesMax)
	})
}

// ExpiringKinds are the documents that live in the expiring table: they expire, or, as a user's sealed session key, must
// not come back from a backup. A kind never moves to the other table.
func ExpiringKinds() []store.Kind {
	return []store.Kind{session.KindToken, session.KindUser, session.KindAccessToken, order.KindEvidence}
}

// secretIDs leaves out what is not set: that has been said.
func secretIDs(getenv func(string) string, groups backend.Groups) map[backend.Groups]string {
	ids := map[backend.Groups]string{}
	for group, variable := range secretVariables {
		if id := getenv(variable); groups&group != 0 && id != "" {
			ids[group] = id
		}
	}
	return ids
}

// loadGoods reads the catalogue that was deployed with the function; who needs none, or can do without, has an empty one.
func (e *Env) loadGoods(folder string) (err error) {
	if e.function.Sells || e.function.Adopts {
		e.outside.Catalog, err = catalog.Load(filepath.Join(folder, goodsFile))
		if err == nil || e.function.Sells {
			return err
		}
		e.Log.Error("no order can be adopted until the catalogue is mended", "error", err)
	}
	e.outside.Catalog, err = catalog.New(nil)
	return err
}

// reach fetches the secrets and opens the connection to every table, all at once. The sweep may only query, and its
// first tick does so at once.
func (e *Env) reach(ctx context.Context, vars *environment) []error {
	reads := []func() []error{func() []error { return e.secrets.load(ctx) }}
	table := func(variable string, kind store.Kind) {
		if vars.get(variable) != "" {
			reads = append(reads, func() []error { return []error{e.readTable(ctx, kind)} })
		}
	}
	if e.function.serves() {
		table(setExpiring, session.KindToken)
	}
	if e.function.serves() && e.function.Orders {
		table(setOrders, order.KindOrder)
	}
	found := make([][]error, len(reads))
	var all sync.WaitGroup
	all.Go(warm)
	for i, read := range reads {
		all.Go(func() { found[i] = read() })
	}
	all.Wait()
	return slices.Concat(found...)
}

// readTable reads a document that is not there, from the table that holds its kind: a table that is absent, or that
// the role may not read, is better found now than by a customer.
func (e *Env) readTable(ctx context.Context, kind store.Kind) error {
	_, err := e.outside.Store.Get(ctx, string(kind)+"/start")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// build makes the generation that serves from now on.
func (e *Env) build(cfg backend.Config) error {
	if !e.function.serves() {
		return nil
	}
	b, err := backend.Build(cfg, e.outside)
	if err != nil {
		return err
	}
	b.Worker.Parallel = workParallel
	if p, ok := b.API.Push.(*miniprogram.Push); ok {
		b.API.Push = &livePush{Push: p, env: e}
	}
	e.serving = &generation{Backend: b, handler: b.API.Handler(httpapi.RoutesOf(e.function.Name)...)}
	return nil
}

// now returns what serves, after a look whether the secrets were rotated when it is time for one. Who comes while another
// looks waits for the outcome.
func (e *Env) now(ctx context.Context) *generation {
	e.renewing.Lock()
	defer e.renewing.Unlock()
	if e.secrets.refresh(ctx) {
		cfg := e.config
		e.secrets.fill(&cfg)
		if err := e.build(cfg); err != nil {
			e.Log.ErrorContext(ctx, "the new secrets are not usable, the old ones serve on", "error", err)
		}
	}
	return e.serving
}

// renew looks for newer secrets because one of a group did not fit, and returns when they serve. It has a time limit of its
// own: a look that a caller breaks off would be lost for all.
func (e *Env) renew(ctx context.Context, d backend.Doubt) (backend.Config, error) {
	e.secrets.doubt(d)
	e.now(context.WithoutCancel(ctx))
	cfg := e.config
	e.secrets.fill(&cfg)
	return cfg, e.secrets.unreadNow(d.Group)
}

// API serves the function's routes.
func (e *Env) API() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.now(r.Context()).handler.ServeHTTP(w, r) })
}

// Work advances one document for each message of a batch. It ends before Lambda ends it, so that what was done is
// acknowledged and only the rest comes again.
func (e *Env) Work(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-workReserve))
		defer cancel()
	}
	return e.now(ctx).Worker.Handle(ctx, batch)
}

// Tick sends what is due to the queue and returns how many documents that were.
func (e *Env) Tick(ctx context.Context) (int, error) {
	return (&worker.Sweep{Store: e.outside.Store, Send: e.outside.Send, Now: e.outside.Now, Log: e.Log, Metrics: e.outside.Metrics}).Tick(ctx)
}

// callerOf names who signed a request, as IAM does.
func callerOf(r *http.Request) string {
	who, _ := bridge.Caller(r.Context())
	return who.UserARN
}

// allowIAM opens the merchant routes to callers whose SigV4 signature API Gateway has verified.
func allowIAM(r *http.Request) error {
	if _, ok := bridge.Caller(r.Context()); ok {
		return nil
	}
	return problem.New(problem.Unauthorized, "the merchant routes need a request signed with SigV4, through API Gateway")
}
