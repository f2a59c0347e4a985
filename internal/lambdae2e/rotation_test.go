package lambdae2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	buyers       = 4               // each with one request at a time
	regulars     = 8               // users who logged in before the load and come again
	betweenTheir = time.Second     // visits: none of them creates ten orders in a minute
	rotationLoad = 2 * time.Second // of undisturbed work before, between and after the changes
	provenGap    = 5 * time.Second // how often a function looks for newer secrets when WeChat refuses the ones it has
	gapSlack     = 2 * time.Second // for a request that was under way

	// A function looks for another push secret once a minute, and WeChat's repeats are 2, 4, 8 ... s apart.
	pushesHealed = 4 * time.Minute

	lookTimeout = provenGap // a look that is not answered in time, on a busy machine, costs as much again

	codeWrongPaySig   = 268490003
	codeWrongSecret   = 40125
	phoneWrongPaySig  = -15006
	triesOfABuyer     = 40 // 250 ms apart: longer than provenGap
	betweenTries      = 250 * time.Millisecond
	everySecondRefund = 2

	anewWithin = 30 * time.Second // each function has work in every second or two of the load

	failuresShown = 10
)

// refusals counts what WeChat refuses of each function.
type refusals struct {
	mu     sync.Mutex
	counts map[string]map[int]int // by function and code
}

func (r *refusals) door(function string, wechat http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		rec := httptest.NewRecorder()
		wechat.ServeHTTP(rec, req)
		var said struct{ ErrCode int }
		_ = json.Unmarshal(rec.Body.Bytes(), &said) // what is not JSON is no refusal
		r.add(function, said.ErrCode)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = io.Copy(w, rec.Body)
	})
}

func (r *refusals) add(function string, code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]map[int]int{}
	}
	if r.counts[function] == nil {
		r.counts[function] = map[int]int{}
	}
	r.counts[function][code]++
}

func (r *refusals) of(function string, code int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[function][code]
}

// market is a deployment under load: buyers who log in, buy, pay, look and get refunds, regulars who do so with the token that they
// have, WeChat's pushes, and the schedule.
type market struct {
	*cloud
	refused refusals
	stop    context.CancelFunc
	working sync.WaitGroup
	repeats bool // pushes may be refused, when each of them is delivered in the end

	underWay sync.RWMutex   // held to read by each who lets functions run
	ended    map[string]int // processes that were replaced, by function
	possible map[string]int // calls that may be refused for their signature, by function

	bought, returned, paid, refunded, phoneErrors atomic.Int64

	mu       sync.Mutex
	failures []failure
	orders   map[string]int64 // what each should have got back
}

// failure is a request that was not answered as it should be.
type failure struct {
	at   time.Time
	what string
	wait bool // a 503 of a route that has to ask WeChat with the AppKey
}

func openMarket(t *testing.T) *market {
	t.Helper()
	m := &market{orders: map[string]int64{}, ended: map[string]int{}, possible: map[string]int{}}
	m.cloud = deploy(t, options{door: m.refused.door})
	m.unsaid.add("secret", newAESKey)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	m.stop = cancel
	var known []*phone
	for n := range regulars {
		known = append(known, m.login(fmt.Sprintf("oRegular%d", n)))
	}
	m.working.Go(func() { m.regulars(ctx, known) })
	for n := range buyers {
		m.working.Go(func() { m.buyer(ctx, n) })
	}
	m.working.Go(func() { m.pushes(ctx) })
	m.working.Go(func() { m.schedule(ctx) })
	t.Cleanup(func() { cancel(); m.working.Wait() })
	return m
}

func (m *market) pushes(ctx context.Context) {
	for ctx.Err() == nil {
		m.underWay.RLock()
		m.sim.DeliverDue(context.WithoutCancel(ctx))
		m.underWay.RUnlock()
		time.Sleep(20 * time.Millisecond)
	}
}

func (m *market) schedule(ctx context.Context) {
	for ctx.Err() == nil {
		m.minute(ctx)
		time.Sleep(200 * time.Millisecond)
	}
}

// minute is one round of the schedule, and of the worker until the queue is empty.
func (m *market) minute(ctx context.Context) {
	m.underWay.RLock()
	defer m.underWay.RUnlock()
	if err := m.tick(); err != nil {
		m.fail("the schedule: %v", err)
	}
	for n := 1; n > 0; {
		var err error
		if n, err = m.queue.Poll(context.WithoutCancel(ctx)); err != nil {
			m.fail("the worker: %v", err)
		}
	}
}

func (m *market) fail(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures = append(m.failures, failure{at: time.Now(), what: fmt.Sprintf(format, args...)})
}

// refusedTo notes an answer that a request should not have had.
func (m *market) refusedTo(method, path string, status int, body []byte) {
	asksWeChat := method == "POST" && (strings.HasSuffix(path, "/attempts") || strings.HasSuffix(path, "/refunds"))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures = append(m.failures, failure{time.Now(), fmt.Sprintf("%s %s: %d %s", method, path, status, body), status == 503 && asksWeChat})
}

func (m *market) buyer(ctx context.Context, n int) {
	for i := 0; ctx.Err() == nil; i++ {
		if err := m.purchase(fmt.Sprintf("oBuyer%d-%d", n, i), i%everySecondRefund == 1); err != nil {
			m.fail("%v", err)
		}
		m.bought.Add(1)
	}
}

// regulars come again in turn. Their session_keys are in the boxes of their first login.
func (m *market) regulars(ctx context.Context, known []*phone) {
	for i := 0; ctx.Err() == nil; i++ {
		p := known[i%len(known)]
		if err := m.visit(p.openID, p.token, fmt.Sprintf("%s-%d", p.openID, i), false); err != nil {
			m.fail("%v", err)
		}
		m.returned.Add(1)
		time.Sleep(betweenTheir)
	}
}

// purchase is a new user's login and visit.
func (m *market) purchase(openID string, refund bool) error {
	var login struct{ Token string }
	err := m.ask(200, &login, "POST", "/login", func() string { return `{"code":"` + m.sim.Login(openID) + `"}` })
	if err != nil {
		return err
	}
	return m.visit(openID, login.Token, openID, refund)
}

// visit is a user's order, payment, a look, and perhaps the merchant's refund. No two visits have the same name.
func (m *market) visit(openID, token, name string, refund bool) error {
	bearer := "Bearer " + token
	var order orderReply
	err := m.ask(201, &order, "POST", "/orders", func() string { return `{"productId":"vip_month","quantity":1}` },
		"Authorization", bearer, "Idempotency-Key", "key-of-"+name)
	if err != nil {
		return err
	}
	if err := m.payAt(openID, bearer, order); err != nil {
		return err
	}
	m.paid.Add(1)
	back := int64(0)
	if refund {
		back = price
		if err := m.refundOf(order.Order.ID); err != nil {
			return err
		}
		m.refunded.Add(1)
	}
	m.mu.Lock()
	m.orders[order.Order.ID] = back
	m.mu.Unlock()
	return m.ask(200, nil, "GET", "/orders/"+order.Order.ID, nil, "Authorization", bearer)
}

// payAt pays as the client library does: -15006 is reported, and the payment of the answer is tried.
func (m *market) payAt(openID, bearer string, order orderReply) error {
	for range 3 {
		p := order.Payment
		if p == nil {
			return fmt.Errorf("order %s has no payment", order.Order.ID)
		}
		got := m.sim.RequestVirtualPayment(wechatsim.PaymentRequest{
			OpenID: openID, Mode: p.Mode, SignData: p.SignData, PaySig: p.PaySig, Signature: p.Signature, Action: "pay",
		})
		switch got.ErrCode {
		case 0:
			return nil
		case phoneWrongPaySig:
			m.phoneErrors.Add(1)
		default:
			return fmt.Errorf("the phone: %+v", got)
		}
		order.Payment = nil
		err := m.ask(200, &order, "POST", "/orders/"+order.Order.ID+"/attempts", func() string { return `{"errCode":-15006}` }, "Authorization", bearer)
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("order %s: -15006 three times", order.Order.ID)
}

func (m *market) refundOf(id string) error {
	return m.ask(202, nil, "POST", "/merchant/orders/"+id+"/refunds", func() string { return fmt.Sprintf(`{"amount":%d,"reason":"0"}`, price) },
		"Authorization", sigV4, "X-Amz-Date", "20260301T020000Z", "Idempotency-Key", "refund-of-"+id)
}

// ask sends a request until it is answered with the status. Every other answer is noted; one that a repetition cannot
// change is an error.
func (m *market) ask(status int, into any, method, path string, body func() string, headers ...string) error {
	for range triesOfABuyer {
		text := ""
		if body != nil {
			text = body()
		}
		got, raw, err := m.send(method, path, text, headers...)
		switch {
		case err != nil:
			return err
		case got == status || got == 200:
			if into == nil {
				return nil
			}
			return json.Unmarshal(raw, into)
		}
		m.refusedTo(method, path, got, raw)
		if got < 500 {
			return nil
		}
		time.Sleep(betweenTries)
	}
	return fmt.Errorf("%s %s is not answered", method, path)
}

func (m *market) send(method, path, body string, headers ...string) (int, []byte, error) {
	req, err := http.NewRequest(method, m.gateway.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	m.underWay.RLock()
	defer m.underWay.RUnlock()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// put gives a secret a new value.
func (m *market) put(variable, value string) {
	m.Helper()
	id := m.vars[variable]
	_, err := m.secrets.PutSecretValue(m.Context(), &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &value})
	m.ok(err)
}

// replace ends the processes of functions between two events, as Lambda does: the next ones read the secrets anew.
func (m *market) replace(functions ...string) {
	m.underWay.Lock()
	defer m.underWay.Unlock()
	for _, function := range functions {
		m.fn[function].Kill()
		m.ended[function] = m.starts(function)
	}
}

// starts counts the processes that were started of a function.
func (m *market) starts(function string) int { return len(m.fn[function].Starts()) }

// living counts those that were not replaced since.
func (m *market) living(function string) int { return m.starts(function) - m.ended[function] }

// close ends the load and looks at everything from outside: each paid order was delivered once and refunded as asked, every
// push was taken, at once or, where that is allowed, after it was refused, and no request failed; only what has to ask WeChat with the
// AppKey may be told to wait between the given times.
func (m *market) close(from, until time.Time) {
	m.Helper()
	m.stop()
	m.working.Wait()
	m.noneFailed(from, until)
	m.until("all is pushed and done", pushesHealed, func() bool {
		m.sim.DeliverDue(m.Context())
		_ = m.tick()
		m.work()
		_, more := m.sim.NextPush()
		return !more
	})
	repeated := 0
	for _, o := range m.sim.Orders() {
		for _, p := range o.Pushes {
			if p.Attempts > 1 {
				repeated++
			}
			if !p.Answered || p.Attempts != 1 && !m.repeats {
				m.Errorf("order %s: %s took %d pushes: %s", o.OutTradeNo, p.Event, p.Attempts, p.LastAnswer)
			}
		}
	}
	if m.repeats && repeated == 0 {
		m.Error("no push was refused: the change was none")
	}
	m.Logf("%d pushes were refused and taken later", repeated)
	for id, back := range m.orders {
		m.until("order "+id+" is settled", time.Minute, func() bool {
			_ = m.tick()
			m.work()
			m.sim.DeliverDue(m.Context())
			return m.merchant(id).Order.Ledger.Refunded == back
		})
		m.explained(id, back)
	}
	m.Logf("%d visits, %d of regulars, %d paid, %d refunded; %d times -15006 on a phone, %d requests asked again", m.bought.Load(), m.returned.Load(),
		m.paid.Load(), m.refunded.Load(), m.phoneErrors.Load(), len(m.failures))
	if m.paid.Load()-m.returned.Load() < 2*buyers || m.refunded.Load() < buyers {
		m.Error("the load was no load")
	}
}

// noneFailed shows the requests that failed until now, without those that may have had to wait between the given times.
func (m *market) noneFailed(from, until time.Time) {
	m.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	failures := slices.DeleteFunc(slices.Clone(m.failures), func(f failure) bool { return f.wait && !f.at.Before(from) && !f.at.After(until) })
	for _, f := range failures[:min(len(failures), failuresShown)] {
		m.Errorf("at %s: %s", f.at.Format(time.TimeOnly), f.what)
	}
	if len(failures) > 0 {
		m.Errorf("%d requests failed; only from %s to %s may some have had to wait", len(failures), from.Format(time.TimeOnly), until.Format(time.TimeOnly))
	}
}

const (
	newAppKey = "hunter2-new-app-key"
	newSecret = "hunter2-new-app-secret"
	newToken  = "hunter2newtoken"
	newAESKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

	thirdAppKey = "hunter2-third-app-key"
	thirdToken  = "hunter2thirdtoken"
	thirdAESKey = "hunter2thirdAESkeyhunter2thirdAESkeyhunter2"
)

func merchantSecretOf(secret, key string) string {
	return fmt.Sprintf(`{"appSecret":%q,"appKeys":{"production":%q,"sandbox":"hunter2-sandbox"}}`, secret, key)
}

func pushSecretOf(tokens, keys []string) string {
	return fmt.Sprintf(`{"tokens":["%s"],"aesKeys":["%s"]}`, strings.Join(tokens, `","`), strings.Join(keys, `","`))
}

// console is the page 消息推送 with other secrets.
func (m *market) console(token, key string) error {
	return m.sim.ChangePush(wechatsim.Push{URL: m.gateway.URL + "/wechat/push", Token: token, EncodingAESKey: key, Format: "json", Mode: "aes"})
}

// callers are the functions that call WeChat with the merchant's secrets; each process serves one event at a time, except
// that reconcile works on the ten messages of a batch at once.
var callers = map[string]int{"createorder": 1, "orders": 1, "refund": 1, "login": 1, "reconcile": 10}

// changeAppKey puts a key into the secret and, after what happens meanwhile, into the console.
func (m *market) changeAppKey(key string, meanwhile func()) {
	m.Helper()
	before := m.allStarts()
	m.put("XPAY_MERCHANT_SECRET", merchantSecretOf(appSecret, key))
	meanwhile()
	for function, atOnce := range callers {
		early := min(m.starts(function)-before[function], m.living(function)) // they find out that the console is older
		m.possible[function] += (early + m.living(function)) * atOnce
	}
	m.ok(m.sim.ChangeAppKey(0, key))
}

// boundOfAppKey checks how often WeChat refused a signature: with each change once for each process that was there before it, for
// each call that it had under way, and once more for a process that started between the secret and the console.
func (m *market) boundOfAppKey() {
	m.Helper()
	for function := range callers {
		if got, bound := m.refused.of(function, codeWrongPaySig), m.possible[function]; got > bound {
			m.Errorf("%s: %d calls with a wrong signature, at most %d are possible in %d processes", function, got, bound, m.starts(function))
		}
	}
	m.Logf("%d calls were refused for their signature", m.wrongSignatures())
}

// wrongSignatures counts all calls that WeChat refused for their signature.
func (m *market) wrongSignatures() (total int) {
	for function := range callers {
		total += m.refused.of(function, codeWrongPaySig)
	}
	return total
}

func (m *market) allStarts() map[string]int {
	starts := map[string]int{}
	for function := range callers {
		starts[function] = m.starts(function)
	}
	return starts
}

// Each secret is changed once while the processes live on, and must look for it; the AppKey and the push secrets once more while they
// are replaced, and the new ones must look for the version before, the boxes of the regulars included.
func TestPushSecretsTheSealAndTheAppKeyAreRotatedUnderLoadTheSecretFirst(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	time.Sleep(2 * rotationLoad)

	m.put("XPAY_PUSH_SECRET", pushSecretOf([]string{newToken, pushToken}, []string{newAESKey, aesKey}))
	holdOldKey := m.starts("createorder")
	m.put("XPAY_SEAL_SECRET", `{"key":"hunter2hunter2hunter2hunter2hunter2hunter3h"}`)
	m.replace("login") // its boxes are of the new key from now on, and who opens them still holds the old one
	time.Sleep(rotationLoad)
	if m.living("login") == 0 || holdOldKey == 0 {
		t.Errorf("no box of the new key met a process that holds the old one: %d processes of createorder", holdOldKey)
	}
	m.ok(m.console(newToken, newAESKey))
	time.Sleep(rotationLoad)
	m.changeAppKey(newAppKey, func() { time.Sleep(rotationLoad) })
	time.Sleep(rotationLoad)

	m.put("XPAY_PUSH_SECRET", pushSecretOf([]string{thirdToken}, []string{thirdAESKey}))
	m.changeAppKey(thirdAppKey, func() { m.serveAnew("createorder", "orders", "refund", "reconcile", "callback") })
	m.ok(m.console(thirdToken, thirdAESKey))
	time.Sleep(2 * rotationLoad)
	late := m.phoneErrors.Load()
	time.Sleep(rotationLoad)

	m.close(time.Time{}, time.Time{})
	m.boundOfAppKey()
	if got := m.phoneErrors.Load(); got == 0 || got > late+1 {
		t.Errorf("%d times -15006, %d of them seconds after the change", got, got-late)
	}
}

// serveAnew replaces the processes of functions and lets the new ones work, until each has served and a regular has come.
func (m *market) serveAnew(functions ...string) {
	m.Helper()
	m.replace(functions...)
	returned := m.returned.Load()
	time.Sleep(rotationLoad)
	idle := func(function string) bool { return m.living(function) == 0 }
	for deadline := time.Now().Add(anewWithin); slices.ContainsFunc(functions, idle) || m.returned.Load() < returned+2; time.Sleep(betweenTries) {
		if time.Now().After(deadline) { // one regular may have been under way
			m.noneFailed(time.Time{}, time.Time{})
			m.Fatalf("not within %s: a new process of each of %v, and a regular", anewWithin, functions)
		}
	}
}

func TestPushSecretsTheAppSecretAndTheAppKeyAreRotatedUnderLoadTheConsoleFirst(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	time.Sleep(2 * rotationLoad)

	m.repeats = true
	m.ok(m.console(newToken, newAESKey))
	time.Sleep(rotationLoad) // a person pastes it here, too; pushes are refused meanwhile
	m.put("XPAY_PUSH_SECRET", pushSecretOf([]string{newToken, pushToken}, []string{newAESKey, aesKey}))
	time.Sleep(rotationLoad)

	from := time.Now()
	beforeConsole := m.allStarts()
	m.ok(m.sim.ChangeAppKey(0, newAppKey))
	time.Sleep(time.Second) // nobody here knows the new key
	m.put("XPAY_MERCHANT_SECRET", merchantSecretOf(appSecret, newAppKey))
	healed := provenGap + lookTimeout + gapSlack
	until := time.Now().Add(healed)
	time.Sleep(healed)
	refusedUntil := map[string]int{}
	for function := range callers {
		refusedUntil[function] = m.refused.of(function, codeWrongPaySig)
	}
	time.Sleep(rotationLoad)

	m.ok(m.sim.ChangeAppSecret(newSecret)) // known the instant it is changed: WeChat shows it once
	m.put("XPAY_MERCHANT_SECRET", merchantSecretOf(newSecret, newAppKey))
	time.Sleep(provenGap + rotationLoad)

	m.close(from, until)
	for function, atOnce := range callers { // a process that had nothing to do meanwhile learns it with its first call
		late, asleep := m.refused.of(function, codeWrongPaySig)-refusedUntil[function], beforeConsole[function]*atOnce
		if late > asleep {
			t.Errorf("%s: %d calls were refused for their signature when every process that was awake knew the key, at most %d are possible", function, late, asleep)
		}
	}
	if m.wrongSignatures() == 0 {
		t.Error("no call was refused: the change was none")
	}
	if got, bound := m.refused.of("login", codeWrongSecret), 2*m.starts("login"); got == 0 || got > bound {
		t.Errorf("%d logins met the old AppSecret, at most %d are possible", got, bound)
	}
	m.Logf("%d processes of createorder, %d before the change", m.starts("createorder"), beforeConsole["createorder"])
}

// TestAUserWithABoxOfTwoSealingKeysAgoLogsInAgain: the reply asks for wx.login, as with any session_key that is gone.
func TestAUserWithABoxOfTwoSealingKeysAgoLogsInAgain(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	m := &market{cloud: c}
	alice, bob := c.login("oAlice"), c.login("oBob")
	m.put("XPAY_SEAL_SECRET", `{"key":"hunter2hunter2hunter2hunter2hunter2hunter3h"}`)
	c.fn["createorder"].Kill() // as when Lambda replaces it; it reads the newest and the one before
	var reply orderReply
	alice.buy("one-rotation").into(t, 201, &reply)
	alice.pay(reply.Payment)
	m.put("XPAY_SEAL_SECRET", `{"key":"hunter2hunter2hunter2hunter2hunter2hunter4h"}`)
	var got answer
	c.until("the sealing keys are read", time.Minute, func() bool { // on a busy machine the look for newer ones may come too late: 503
		c.fn["createorder"].Kill()
		got = bob.buy("two-rotations")
		return got.status != 503
	})
	if got.status != 401 || !bytes.Contains(got.body, []byte("wx.login")) {
		t.Errorf("a box of two keys ago: %s", got)
	}
	body := `{"productId":"vip_month","quantity":1,"code":"` + c.sim.Login("oBob") + `"}`
	c.call("POST", "/orders", body, "Authorization", "Bearer "+bob.token, "Idempotency-Key", "two-rotations").into(t, 201, &reply)
	bob.pay(reply.Payment)
}
