package wechatsim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Sentinels for callers that decide: the control endpoints answer 404, 409 and 400.
var (
	ErrUnknown = errors.New("nothing by that name exists")
	ErrState   = errors.New("the state does not allow it")
	ErrInput   = errors.New("the input is wrong")
)

// Sim is one simulated WeChat for one mini-program. It is safe for concurrent use. It starts no goroutine of its
// own; pushes leave only inside DeliverDue and Run.
type Sim struct {
	cfg    Config
	aesKey []byte
	mux    *http.ServeMux
	wake   chan struct{} // tells Run to look again

	mu         sync.Mutex // guards everything below; never held while a push is under way
	chance     chance
	cashier    map[int]string // by env: the AppKeys of the phones, where the API's are others
	goods      map[string]int64
	users      map[string]*user
	codes      map[string]*loginCode
	codeOrder  []string // oldest first, for forgetting
	tokens     tokens
	orders     map[string]*order
	created    []*order         // in creation order
	byWx       map[string]place // wx_order_id of payments and refunds
	byRefund   map[string]place // the merchant's refund numbers, newest use
	queue      queue            // pushes that wait for their time
	pushSeq    int64            // of the newest push
	faults     Faults
	coins      coins
	tasks      []*goodsTask            // of every env, in order of their start
	products   map[productKey]*product // what the tasks made
	files      files
	meters     map[string]*meter // by path
	cleared    window            // clear_quota calls of the month
	allowed    *AllowedIPs       // nil: Config.AllowedIPs
	contracts  book[contract]
	cases      book[punishment]
	withdraws  book[withdrawal]
	complaints book[complaint]
	uploads    book[upload]
	accounts   book[AdvertAccount]
	funds      book[advertFund]
	offset     time.Duration // how far the clock was moved by AdvanceClock
	journalErr error         // the first; from then on no answer leaves
	restored   bool
}

// place points at a payment or a refund inside an order.
type place struct {
	order  *order
	index  int
	refund bool
}

// New checks cfg and builds a Sim with no users and no orders. It keeps no slice or map of cfg: changing one later
// changes nothing. The error names every missing or malformed field.
func New(cfg Config) (*Sim, error) {
	cfg = cfg.own().withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	key, err := cfg.Push.aesKey()
	if err != nil {
		return nil, fmt.Errorf("wechatsim: Config.Push.EncodingAESKey: %w", err)
	}
	c, err := newChance(cfg.Seed)
	if err != nil {
		return nil, fmt.Errorf("wechatsim: seed: %w", err)
	}
	s := &Sim{
		cfg: cfg, aesKey: key, chance: c, wake: make(chan struct{}, 1),
		cashier: map[int]string{}, users: map[string]*user{}, codes: map[string]*loginCode{}, orders: map[string]*order{},
		byWx: map[string]place{}, byRefund: map[string]place{},
		coins: newCoins(), products: map[productKey]*product{}, files: files{links: map[string]*billFile{}}, meters: publishedQuotas(),
	}
	s.SetGoods(cfg.Goods)
	s.mux = s.routes()
	return s, nil
}

// SetGoods replaces what is published through Config; what the goods APIs published stands before it. Entries that New
// would refuse are left out. Orders keep the price they were placed at.
func (s *Sim) SetGoods(goods []Goods) {
	prices := make(map[string]int64, len(goods))
	for _, g := range goods {
		if goodsIDForm.MatchString(g.ID) && g.Price > 0 {
			prices[g.ID] = g.Price
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goods = prices
}

// ServeHTTP answers WeChat's own paths and the control paths under /sim. It redirects nobody: a path that is not clean,
// such as //xpay/query_order, is an unknown one.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch p := r.URL.EscapedPath(); {
	case path.Clean(p) == strings.TrimSuffix(p, "/"):
		s.mux.ServeHTTP(w, r)
	case strings.HasPrefix(p, "/sim/"):
		noEndpoint(w, r)
	default:
		s.api(s.invalidURL)(w, r)
	}
}

// Now is the simulated time, in UTC.
func (s *Sim) Now() time.Time { return s.cfg.Now().UTC() }

const lastYear = 2200 // nanoseconds since 1970 end in 2262

// AdvanceClock moves simulated time forward through Config.Advance. It fails with ErrState when the clock cannot be
// moved and with ErrInput when d is not positive or leads beyond the year 2200.
func (s *Sim) AdvanceClock(d time.Duration) error {
	if s.cfg.Advance == nil {
		return fmt.Errorf("the clock of this simulator cannot be moved: %w", ErrState)
	}
	if d <= 0 {
		return fmt.Errorf("the clock only moves forward: %w", ErrInput)
	}
	if s.cfg.Now().Add(d).Year() > lastYear {
		return fmt.Errorf("the clock does not go beyond the year %d: %w", lastYear, ErrInput)
	}
	s.cfg.Advance(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.record(kindClock, clockRecord{Offset: s.offset})
	s.signal()
	return s.journalErr
}

// signal makes Run look at the queue again.
func (s *Sim) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run sends pushes as they fall due, at most 8 at once so that a slow receiver holds up nobody else, until ctx ends.
// It returns when the last one under way has ended; those cut short by ctx are still due afterwards.
func (s *Sim) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	tick := time.NewTicker(runPoll)
	defer tick.Stop()
	slots := make(chan struct{}, runConcurrent)
	for ctx.Err() == nil {
		s.startDue(ctx, slots, &running)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// startDue starts every push that is due now, waiting for a free slot before each.
func (s *Sim) startDue(ctx context.Context, slots chan struct{}, running *sync.WaitGroup) {
	for {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		p := s.takeOne()
		if p == nil {
			<-slots
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			s.attempt(ctx, p)
		})
	}
}
