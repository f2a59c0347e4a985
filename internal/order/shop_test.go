package order_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	user      = "oUser-1"
	createKey = "create-key-1"
	vipPrice  = 1800 // localenv/goods.yaml
)

// trouble strikes one outside call, the n-th while it is armed, and everything after it when it is a crash.
type trouble struct {
	mu    sync.Mutex
	side  string // "store" or "outside" (WeChat, the delivery target)
	n     int
	fault store.Fault

	armed bool
	dead  bool           // the process has crashed: nothing leaves it any more
	calls map[string]int // while armed, by side
}

// next counts a call and says what happens to it.
func (tr *trouble) next(side string) store.Fault {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.dead {
		return store.CrashBefore
	}
	if !tr.armed {
		return store.None
	}
	tr.calls[side]++
	if tr.side != side || tr.calls[side] != tr.n {
		return store.None
	}
	tr.dead = tr.fault == store.CrashBefore || tr.fault == store.CrashAfter
	return tr.fault
}

// die is called after the effect of a call that crashes behind it.
func (tr *trouble) die() { tr.mu.Lock(); tr.dead = true; tr.mu.Unlock() }

func (tr *trouble) crashed() bool { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.dead }

var errLost = errors.New("the connection was lost")

// around does a call as the trouble wants it.
func (tr *trouble) around(side string, do func() error) error {
	switch tr.next(side) {
	case store.Lost:
		return errLost
	case store.Happened:
		_ = do()
		return errLost
	case store.CrashBefore:
		panic("crash before a call")
	case store.CrashAfter:
		_ = do()
		panic("crash after a call")
	default:
		return do()
	}
}

// shop is the product on a data folder, with a phone and a merchant around it.
type shop struct {
	t       testing.TB
	opt     localenv.Options
	stack   *localenv.Stack
	raw     store.Store // behind the trouble
	trouble trouble
	onCall  func(path string) // before each call to WeChat
	heard   []order.Delivery  // what the target accepted
	down    bool              // the target refuses
	alarms  []order.Alarm
	session string
	id      string // the order
	payment *xpay.Payment
}

// open makes a shop; the changes see its options before it begins.
func openShop(t testing.TB, changes ...func(*localenv.Options)) *shop {
	t.Helper()
	s := &shop{t: t}
	s.trouble.calls = map[string]int{}
	s.opt = localenv.Options{
		Data: t.TempDir(), Clock: localenv.Virtual(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)), Seed: 7, Synchronous: "NORMAL",
		Alarm:         func(_ context.Context, a order.Alarm) { s.alarms = append(s.alarms, a) },
		WrapTransport: func(to http.RoundTripper) http.RoundTripper { return wire{s, to} },
		WrapStore: func(to store.Store) store.Store {
			s.raw = to
			return &store.Faulty{Store: to, Plan: func(store.Call) store.Fault { return s.trouble.next("store") }}
		},
	}
	for _, change := range changes {
		change(&s.opt)
	}
	if s.opt.Deliver != nil {
		s.opt.Deliver = s.deliver
	}
	s.begin()
	t.Cleanup(func() { s.stack.Close() })
	token, err := s.stack.API.Sessions.Login(t.Context(), s.stack.Sim.Login(user))
	if err != nil || token.Value == "" {
		t.Fatalf("login: %v", err)
	}
	u, err := s.stack.API.Sessions.User(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	s.session = u.SessionKey
	return s
}

// wire is the way to WeChat.
type wire struct {
	*shop
	to http.RoundTripper
}

func (w wire) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	if w.onCall != nil {
		w.onCall(path.Base(req.URL.Path))
	}
	err = w.trouble.around("outside", func() error {
		var err error
		resp, err = w.to.RoundTrip(req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (s *shop) deliver(_ context.Context, d order.Delivery) error {
	return s.trouble.around("outside", func() error {
		if s.down {
			return errors.New("the target is down")
		}
		s.heard = append(s.heard, d)
		return nil
	})
}

// withTarget makes the shop hear of its orders; openShop puts in its own ear.
func withTarget(o *localenv.Options) { o.Deliver = (&shop{}).deliver }

func (s *shop) begin() {
	s.t.Helper()
	stack, err := localenv.Open(context.Background(), s.opt)
	if err != nil {
		s.t.Fatal(err)
	}
	s.stack = stack
}

// try does something in the process. A crash ends the process, and a new one begins on the same folder.
func (s *shop) try(do func() error) (err error) {
	s.t.Helper()
	func() {
		defer func() {
			if p := recover(); p != nil {
				s.trouble.die()
				err = fmt.Errorf("crashed: %v", p)
			}
		}()
		err = do()
	}()
	if s.trouble.crashed() {
		if err := s.stack.Close(); err != nil {
			s.t.Fatal(err)
		}
		s.trouble = trouble{calls: map[string]int{}}
		s.begin()
		err = cmpErr(err, errors.New("crashed"))
	}
	return err
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// insist repeats a client's call, with the same key, until it is answered.
func (s *shop) insist(what string, do func(ctx context.Context) error) {
	s.t.Helper()
	var err error
	for range 20 {
		if err = s.try(func() error { return do(context.Background()) }); err == nil {
			return
		}
		s.pass(20 * time.Second)
	}
	s.t.Fatalf("%s: after twenty tries: %v", what, err)
}

func (s *shop) create() {
	s.t.Helper()
	s.insist("create", func(ctx context.Context) error {
		o, p, _, err := s.stack.Orders.Create(ctx, order.CreateRequest{OpenID: user, SessionKey: s.session, Key: createKey, ProductID: "vip_month", Quantity: 1})
		if err == nil && p == nil {
			s.t.Fatalf("the order is %s and there is no payment", o.State)
		}
		s.id, s.payment = o.ID, p
		return err
	})
}

// pay is the user on the phone.
func (s *shop) pay(action string) {
	s.t.Helper()
	p := s.payment
	r := s.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{OpenID: user, Mode: p.Mode, SignData: p.SignData, PaySig: p.PaySig, Signature: p.Signature, Action: action})
	if want := map[string]int{"pay": 0, "cancel": -2}[action]; r.ErrCode != want {
		s.t.Fatalf("the phone says %d %s", r.ErrCode, r.ErrMsg)
	}
}

func (s *shop) refund(key string, fee order.Fen) {
	s.t.Helper()
	s.insist("refund", func(ctx context.Context) error {
		_, _, err := s.stack.Orders.Refund(ctx, order.RefundRequest{OrderID: s.id, Key: key, Amount: fee})
		return err
	})
}

// order reads what is stored, past the trouble.
func (s *shop) order() order.Order {
	s.t.Helper()
	was := s.trouble.armed
	s.trouble.armed = false
	defer func() { s.trouble.armed = was }()
	o, err := s.stack.Orders.Get(context.Background(), s.id)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// now does everything that is due.
func (s *shop) now() {
	s.t.Helper()
	for range 60 {
		n := 0
		_ = s.try(func() (err error) { n, err = s.stack.Sweep.Tick(context.Background()); return err })
		_ = s.try(func() error { return s.stack.Now(context.Background()) })
		if due := s.due(); n == 0 && (due.IsZero() || due.After(s.stack.Clock.Now())) {
			return
		}
	}
	s.t.Fatalf("at %v something stays due: %v", s.stack.Clock.Now(), s.due())
}

// due is when our order is due.
func (s *shop) due() time.Time {
	doc, err := s.raw.Get(context.Background(), order.DocID(s.id))
	if err != nil {
		return time.Time{}
	}
	return doc.Due
}

// pass lets time go by, from one event to the next.
func (s *shop) pass(d time.Duration) {
	s.t.Helper()
	end := s.stack.Clock.Now().Add(d)
	for range 2000 {
		s.now()
		now, next := s.stack.Clock.Now(), end
		if push, ok := s.stack.Sim.NextPush(); ok && push.Before(next) {
			next = push
		}
		if due := s.due(); !due.IsZero() && due.Before(next) {
			next = due
		}
		if !now.Before(end) {
			return
		}
		s.stack.Clock.Advance(max(next.Sub(now), time.Millisecond))
	}
	s.t.Fatalf("after 2000 events something still happens, due %v", s.due())
}

// wechat is the order as WeChat's own books have it.
func (s *shop) wechat() wechatsim.OrderView {
	s.t.Helper()
	v, ok := s.stack.Sim.Order(s.id)
	if !ok {
		s.t.Fatal("WeChat does not know the order")
	}
	return v
}

// back adds up what WeChat gave back, and counts the refunds.
func back(v wechatsim.OrderView) (sum int64, refunds int) {
	for _, r := range v.Refunds {
		if r.Status == 8 {
			sum += r.Fee
		}
	}
	return sum, len(v.Refunds)
}
