package simulation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

var start = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

const (
	actions = 70
	config  = `{"appId":"wx0123456789abcdef","offerId":"1450009999","env":0,
"merchant":{"appSecret":"app-secret","appKeys":{"production":"key-production","sandbox":"key-sandbox"}},
"push":{"tokens":["pushtoken"],"aesKeys":["abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"]},
"seal":{"keys":["ZTJlLXNlYWwta2V5LW9mLWV4YWN0bHktMzItYnl0ZXM="]}}`
)

var users = []string{"oUserOne", "oUserTwo", "oUserThree"}

// player is one seeded run.
type player struct {
	t     testing.TB
	rng   *rand.Rand
	dir   string
	opt   localenv.Options
	stack *localenv.Stack
	story []string

	tokens  map[string]string // by user
	wishes  []*wish
	refunds []*wanted
	numbers []string // every number ever handed out, in order

	trouble  trouble
	twice    bool // some number was paid twice
	lost     bool // some push never left
	deaf     bool // no push comes in peace either
	nameless bool // some push had no transaction id
	console  map[string]int64
}

// wish is one thing that a user wants: one Idempotency-Key.
type wish struct {
	user, key, product string
	quantity           int
	id                 string
	payment            json.RawMessage
}

// wanted is one refund that the merchant asked for.
type wanted struct {
	order, key, id string
	amount         int64
}

// trouble is what happens at the border of the process.
type trouble struct {
	at    int         // the call from now on that is hit; 0: none
	fault store.Fault // what happens to it
	dead  bool        // the process has crashed: nothing reaches the outside until it is started again
}

func newPlay(t testing.TB, seed uint64) *player {
	t.Helper()
	p := &player{
		t: t, rng: rand.New(rand.NewPCG(seed, seed)), dir: t.TempDir(),
		tokens: map[string]string{}, console: map[string]int64{},
	}
	p.file("config.json", config)
	p.file("goods.yaml", "products:\n  - {id: vip, name: 会员, price: 1800}\n  - {id: gem, name: 宝石, price: 600, kind: consumable, maxQuantity: 10}\n")
	p.opt = localenv.Options{
		Data: p.dir, Clock: localenv.Virtual(start), Seed: seed, Synchronous: "NORMAL", Log: slog.New(slog.DiscardHandler),
		PushFormat: pick(p, "json", "xml"), PushMode: pick(p, "aes", "aes", "plain"),
		WrapStore:     func(s store.Store) store.Store { return &store.Faulty{Store: s, Plan: p.plan} },
		WrapTransport: func(next http.RoundTripper) http.RoundTripper { return border{p, next} },
	}
	p.open()
	return p
}

func pick[T any](p *player, from ...T) T { return from[p.rng.IntN(len(from))] }

func (p *player) file(name, text string) {
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) open() {
	stack, err := localenv.Open(context.Background(), p.opt)
	if err != nil {
		p.t.Fatal(err)
	}
	p.stack = stack
}

// restart is a new process on the same store.
func (p *player) restart() {
	p.tell("restart")
	p.trouble = trouble{}
	faults := p.stack.Sim.Faults()
	p.opt.Clock = localenv.Virtual(p.stack.Clock.Now())
	p.end()
	p.open()
	p.stack.Sim.SetFaults(faults)
}

func (p *player) end() {
	if err := p.stack.Close(); err != nil {
		p.t.Error(err)
	}
}

func (p *player) tell(format string, args ...any) {
	p.story = append(p.story, p.stack.Clock.Now().Sub(start).Round(time.Millisecond).String()+" "+fmt.Sprintf(format, args...))
}

// plan is asked before every store call.
func (p *player) plan(c store.Call) store.Fault {
	if p.trouble.dead {
		return store.CrashBefore
	}
	fault := p.strike(c.Write)
	if fault == store.CrashBefore || fault == store.CrashAfter {
		p.trouble.dead = true
	}
	if fault != store.None {
		p.tell("  store call %s hit by fault %d", c.Op, fault)
	}
	return fault
}

// strike counts calls to the outside and says what happens to this one.
func (p *player) strike(write bool) store.Fault {
	if p.trouble.at == 0 {
		return store.None
	}
	if p.trouble.at--; p.trouble.at > 0 {
		return store.None
	}
	if !write && p.trouble.fault == store.Happened {
		return store.Lost
	}
	return p.trouble.fault
}

// border is the way to WeChat: the process can die before or after a call.
type border struct {
	p    *player
	next http.RoundTripper
}

func (b border) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.p.trouble.dead {
		return nil, store.ErrInjected
	}
	fault := b.p.strike(true)
	if fault != store.None {
		b.p.tell("  call of %s hit by fault %d", req.URL.Path, fault)
	}
	switch fault {
	case store.CrashBefore:
		b.p.trouble.dead = true
		panic(store.Crash{})
	case store.Lost:
		return nil, store.ErrInjected
	}
	resp, err := b.next.RoundTrip(req)
	switch fault {
	case store.CrashAfter:
		b.p.trouble.dead = true
		panic(store.Crash{})
	case store.Happened:
		return nil, store.ErrInjected
	}
	return resp, err
}

// act plays the actions, with a new process after every crash.
func (p *player) act(t testing.TB) {
	t.Helper()
	for range actions {
		p.one()
		if p.trouble.dead {
			p.restart()
		}
	}
}

// one does one random thing.
func (p *player) one() {
	switch n := p.rng.IntN(100); {
	case n < 14:
		p.order()
	case n < 22:
		p.orderAgain()
	case n < 30:
		p.attempt()
	case n < 46:
		p.pay()
	case n < 52:
		p.payLate()
	case n < 60:
		p.poll()
	case n < 68:
		p.refund()
	case n < 72:
		p.refundAgain()
	case n < 75:
		p.consoleRefund()
	case n < 82:
		p.faults()
	case n < 87:
		p.hit()
	default:
		p.pass()
	}
}

// pass lets time go by, guarded as a process is: a crash ends it.
func (p *player) pass() {
	d := pick(p, time.Second, 5*time.Second, time.Minute, 4*time.Minute, 31*time.Minute, 3*time.Hour, 26*time.Hour)
	p.tell("pass %s", d)
	p.guard(func() {
		if err := p.stack.Pass(context.Background(), d); err != nil {
			p.tell("  %v", err)
		}
	})
}

// guard turns the panic of a crash into the end of the process.
func (p *player) guard(do func()) {
	defer func() {
		if v := recover(); v != nil {
			if !p.trouble.dead {
				panic(v)
			}
			p.tell("  crashed")
		}
	}()
	do()
}

// hit lets the n-th call to the outside from now on fail in some way.
func (p *player) hit() {
	p.trouble.at = 1 + p.rng.IntN(8)
	p.trouble.fault = pick(p, store.Lost, store.Happened, store.CrashBefore, store.CrashAfter)
	p.tell("call %d from now will be hit by fault %d", p.trouble.at, p.trouble.fault)
}

// faults makes WeChat misbehave, or stop it.
func (p *player) faults() {
	f := p.stack.Sim.Faults()
	path := pick(p, "/xpay/query_order", "/xpay/refund_order", "/xpay/notify_provide_goods", "/sns/jscode2session", "/cgi-bin/stable_token")
	if f.API == nil {
		f.API = map[string]wechatsim.APIFault{}
	}
	switch p.rng.IntN(24) {
	case 0, 1, 2:
		f = wechatsim.Faults{}
	case 3:
		f.Push.DropAll, p.lost = true, true
	case 4:
		f.Push.Drop = 3
	case 5:
		f.Push.Duplicate = 3
	case 6:
		f.Push.Delay = wechatsim.Duration(10 * time.Minute)
	case 7:
		f.Push.Reorder = true
	case 8:
		f.Push.FreshTimestamp = !f.Push.FreshTimestamp
	case 9:
		f.Push.OmitPayInfo, p.nameless = !f.Push.OmitPayInfo, true
	case 10:
		f.API[path] = wechatsim.APIFault{ErrorAfterEffect: 2}
	case 11:
		f.API[path] = wechatsim.APIFault{CutAfterEffect: 2}
	case 12:
		f.API[path] = wechatsim.APIFault{ErrorBeforeEffect: 2}
	case 13:
		f.Orders.StatusFlap = wechatsim.Duration(30 * time.Minute)
	case 14:
		f.Orders.RefundRunningQueries, f.Orders.RefundQueryLag = p.rng.IntN(3), p.rng.IntN(4)
	case 15:
		f.Orders.OrderQueryLag, f.Orders.Absent = 1+p.rng.IntN(2), p.rng.IntN(2) == 0
	case 16:
		f.Orders.RefundNotDeduplicated = !f.Orders.RefundNotDeduplicated
	case 17:
		f.Orders.PayTwice, p.twice = 1, true
	case 18:
		f.Orders.ActualPrice = pick(p, "unit", "total")
		f.Orders.NotifyNotRepeatable = !f.Orders.NotifyNotRepeatable
	case 19:
		f.Orders.RefundFails = 1
	default: // a refund whose answer is lost, that cannot be found for a while, and would happen again if it were sent again
		f.API["/xpay/refund_order"] = wechatsim.APIFault{CutAfterEffect: 1 + p.rng.IntN(2)}
		f.Orders.RefundQueryLag, f.Orders.RefundNotDeduplicated = 2+p.rng.IntN(3), true
	}
	p.tell("faults %+v", f)
	p.stack.Sim.SetFaults(f)
}

// call sends one request to the API.
func (p *player) call(method, path, user, key, body string, into any) int {
	req := httptest.NewRequest(method, "http://"+localenv.APIHost+path, bytes.NewReader([]byte(body)))
	req.RemoteAddr = "127.0.0.1:1"
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("X-Xpay-Token", p.tokens[user])
	rec := httptest.NewRecorder()
	p.stack.Handler.ServeHTTP(rec, req)
	raw, _ := io.ReadAll(rec.Body)
	p.tell("  %s %s: %d", method, path, rec.Code)
	if rec.Code == http.StatusInternalServerError && !p.trouble.dead {
		p.t.Errorf("%s %s: %s", method, path, raw)
	}
	if into != nil && rec.Code < 300 {
		if err := json.Unmarshal(raw, into); err != nil {
			p.t.Errorf("%s: %v", raw, err)
		}
	}
	return rec.Code
}
