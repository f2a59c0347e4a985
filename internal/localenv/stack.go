// Package localenv is the whole product on one machine: the same handlers, worker and sweep as on AWS, on SQLite
// and a queue within the process, against a simulated WeChat. `xpay dev` serves it, `xpay demo` and the tests run it in
// virtual time.
package localenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/sqlite"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// Hosts of the two sides when they call each other within the process.
const (
	APIHost    = "xpay.local"
	WeChatHost = "wechat.local"
)

// Options say how a stack is made. The zero value is a stack within the process on the wall clock.
type Options struct {
	Data        string // the data folder
	Goods       string // goods.yaml; "": the one in the data folder
	Clock       *Clock
	Seed        uint64 // of the simulated WeChat; 0: random
	Synchronous string // of SQLite: FULL (default) or NORMAL
	PushFormat  string // xml or json (default)
	PushMode    string // plain or aes (default)
	Log         *slog.Logger
	Alarm       func(context.Context, order.Alarm)

	// APIURL and WeChatURL are where the two sides listen; empty: they call each other within the process.
	APIURL, WeChatURL string
	PushURL           string                    // where WeChat pushes to instead, when both listen; "": to this API
	AllowMerchant     func(*http.Request) error // nil: loopback peers

	// Tests put themselves between the parts.
	WrapStore     func(store.Store) store.Store
	WrapTransport func(http.RoundTripper) http.RoundTripper   // calls to WeChat
	WrapTarget    func(http.RoundTripper) http.RoundTripper   // calls to the webhook
	Deliver       func(context.Context, order.Delivery) error // hears of orders instead of the target that config.json names
}

// Stack is a running product with its WeChat.
type Stack struct {
	*backend.Backend
	Handler http.Handler // the API
	Sim     *wechatsim.Sim
	Store   store.Store
	Clock   *Clock
	Config  backend.Config
	Catalog *catalog.Catalog

	queue   *queue
	lock    *os.File
	db      *sqlite.Store
	journal *journal
	log     *slog.Logger
}

// Open makes a stack on a data folder. Everything that was there goes on where it stood.
func Open(ctx context.Context, opt Options) (*Stack, error) {
	opt = opt.withDefaults()
	f, err := openFolder(opt.Data, opt.Goods == "")
	if err != nil {
		return nil, err
	}
	s := &Stack{Clock: opt.Clock, log: opt.Log, queue: newQueue(opt.Log)}
	if s.lock, err = f.lock(); err != nil {
		return nil, err
	}
	if s.Config, err = f.config(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.Catalog, err = catalog.Load(opt.goods(f)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.open(ctx, f, opt); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (opt Options) withDefaults() Options {
	if opt.Clock == nil {
		opt.Clock = NewClock(nil)
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.PushFormat == "" {
		opt.PushFormat = "json"
	}
	if opt.PushMode == "" {
		opt.PushMode = "aes"
	}
	if opt.AllowMerchant == nil {
		opt.AllowMerchant = AllowLoopback
	}
	return opt
}

func (opt Options) goods(f folder) string {
	if opt.Goods != "" {
		return opt.Goods
	}
	return f.path(goodsFile)
}

func (s *Stack) open(ctx context.Context, f folder, opt Options) (err error) {
	if s.db, err = sqlite.Open(ctx, f.path(ordersFile), sqlite.Options{Synchronous: opt.Synchronous, Now: s.Clock.Now}); err != nil {
		return err
	}
	s.Store = s.db
	if opt.WrapStore != nil {
		s.Store = opt.WrapStore(s.db)
	}
	between := Inproc{}
	if err := s.openSim(f, opt, between); err != nil {
		return err
	}
	return s.openBackend(opt, between)
}

// openBackend wires our side, with its WeChat behind it.
func (s *Stack) openBackend(opt Options, between Inproc) (err error) {
	cfg, transport := s.Config, loopback()
	cfg.WeChatURL = opt.WeChatURL
	if opt.WeChatURL == "" {
		cfg.WeChatURL, transport = "http://"+WeChatHost, between
	}
	if opt.WrapTransport != nil {
		transport = opt.WrapTransport(transport)
	}
	target := http.RoundTripper(loopback())
	if opt.WrapTarget != nil {
		target = opt.WrapTarget(target)
	}
	if opt.Deliver != nil {
		cfg.Delivery = backend.Delivery{Target: backend.TargetEventBus}
	}
	s.Backend, err = backend.Build(cfg, backend.Outside{
		Store: s.Store, Catalog: s.Catalog, Transport: transport, Now: s.Clock.Now, Log: s.log, Send: s.queue.Send,
		Alarm: opt.Alarm, AllowMerchant: opt.AllowMerchant, TargetTransport: target, Deliver: opt.Deliver,
	})
	if err != nil {
		return err
	}
	s.queue.worker = s.Worker
	s.Handler = dated(s.Clock, s.API.Handler())
	between[APIHost], between[WeChatHost] = s.Handler, s.Sim
	return nil
}

// dated tells the stack's time in every answer: after its clock was moved it refuses what was signed at another time, and says why.
func dated(clock *Clock, to http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", clock.Now().Format(http.TimeFormat))
		to.ServeHTTP(w, r)
	})
}

// openSim wires WeChat, and lets it go on where its journal ends.
func (s *Stack) openSim(f folder, opt Options, between Inproc) (err error) {
	cfg := wechatsim.Config{
		AppID: s.Config.AppID, AppSecret: s.Config.Merchant.AppSecret, OfferID: s.Config.OfferID,
		AppKeys: map[int]string{0: s.Config.Merchant.AppKeys.Production, 1: s.Config.Merchant.AppKeys.Sandbox},
		Goods:   simGoods(s.Catalog), Seed: opt.Seed, Now: s.Clock.Now, Advance: s.Clock.Advance, Log: s.log,
		Push: wechatsim.Push{
			URL: cmp.Or(opt.PushURL, opt.APIURL+"/wechat/push"), Token: s.Config.Push.Tokens[0], Format: opt.PushFormat, Mode: opt.PushMode,
		},
	}
	if keys := s.Config.Push.AESKeys; len(keys) > 0 { // none is enough for plain mode
		cfg.Push.EncodingAESKey = keys[0]
	}
	cfg.Transport = loopback()
	if opt.APIURL == "" {
		cfg.Push.URL, cfg.Transport = "http://"+APIHost+"/wechat/push", between
	}
	s.journal = &journal{path: f.path(journalFile)}
	cfg.Journal = s.journal
	if s.Sim, err = wechatsim.New(cfg); err != nil {
		return err
	}
	return s.journal.open(s.Sim)
}

// loopback keeps enough connections open between the two sides that a busy stack need not dial anew.
func loopback() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.MaxIdleConnsPerHost = nil, 64
	return t
}

func simGoods(c *catalog.Catalog) []wechatsim.Goods {
	var goods []wechatsim.Goods
	for _, p := range c.All() {
		goods = append(goods, wechatsim.Goods{ID: p.ID, Price: int64(p.Price)})
	}
	return goods
}

// Close ends the stack. What was answered is on disk.
func (s *Stack) Close() error {
	var errs []error
	if s.journal != nil {
		errs = append(errs, s.journal.close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Now does everything that is due without waiting: pushes, messages, sweep. It returns when nothing is due any more,
// or after a bound, so that it always ends.
func (s *Stack) Now(ctx context.Context) error {
	for range 100 {
		n := s.Sim.DeliverDue(ctx)
		n += s.queue.Drain(ctx)
		if n == 0 {
			return nil
		}
	}
	return nil
}

// sweepEvery is the schedule's interval.
const sweepEvery = time.Minute

// Pass lets virtual time go by, event after event: pushes when they are due, the sweep every minute.
func (s *Stack) Pass(ctx context.Context, d time.Duration) error {
	end := s.Clock.Now().Add(d)
	for {
		if err := s.Now(ctx); err != nil {
			return err
		}
		now := s.Clock.Now()
		next := now.Truncate(sweepEvery).Add(sweepEvery)
		if push, ok := s.Sim.NextPush(); ok && push.Before(next) {
			next = push
		}
		if next.After(end) {
			s.Clock.Advance(end.Sub(now))
			return s.Now(ctx)
		}
		s.Clock.Advance(max(next.Sub(now), time.Millisecond))
		if err := s.tick(ctx, s.Clock.Now()); err != nil {
			return err
		}
	}
}

func (s *Stack) tick(ctx context.Context, now time.Time) error {
	if !now.Equal(now.Truncate(sweepEvery)) {
		return nil
	}
	_, err := s.Sweep.Tick(ctx)
	return err
}

// journal keeps the simulated WeChat on disk: one line for each change, rewritten short at every start.
type journal struct {
	path string
	file *os.File
}

// Write appends; before open it forgets, because what is restored is on disk already.
func (j *journal) Write(p []byte) (int, error) {
	if j.file == nil {
		return len(p), nil
	}
	return j.file.Write(p)
}

func (j *journal) open(sim *wechatsim.Sim) error {
	if err := j.restore(sim); err != nil {
		return err
	}
	fresh := j.path + ".new"
	err := writeFile(fresh, sim.Snapshot)
	if err == nil {
		err = os.Rename(fresh, j.path)
	}
	if err == nil {
		j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", j.path, cause(err))
	}
	return nil
}

func (j *journal) restore(sim *wechatsim.Sim) error {
	old, err := os.Open(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", j.path, cause(err))
	}
	defer old.Close()
	if err := sim.Restore(old); err != nil {
		return fmt.Errorf("%s is damaged; delete it to start with an empty WeChat: %w", j.path, err)
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Sync(), file.Close())
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
