package xpay

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// bank is a WeChat that knows one AppKey at a time, and keeps with which key each call was signed.
type bank struct {
	mu      sync.Mutex
	key     string   // "" refuses everything
	signers []string // of each call: one of keys, or "?"
	bodies  []string
	refusal string // the answer to a wrong signature
	answer  string // the answer to a right one
}

var someKeys = []string{"key-old", "key-new", "key-newest", "key-sandbox"}

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	signer := "?"
	for _, key := range someKeys {
		mac := hmac.New(sha256.New, []byte(key))
		io.WriteString(mac, r.URL.Path+"&"+string(body))
		if hex.EncodeToString(mac.Sum(nil)) == r.URL.Query().Get("pay_sig") {
			signer = key
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.signers, b.bodies = append(b.signers, signer), append(b.bodies, string(body))
	if signer != b.key {
		io.WriteString(w, b.refusal)
		return
	}
	io.WriteString(w, b.answer)
}

// change makes the bank know another key.
func (b *bank) change(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.key = key
}

// taken are the signers since the last call.
func (b *bank) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.signers
	b.signers, b.bodies = nil, nil
	return got
}

func rotating(t *testing.T, keys *AppKeys) (*Client, *bank) {
	t.Helper()
	b := &bank{refusal: `{"errcode":268490003,"errmsg":"支付签名(pay_sig)校验失败"}`, answer: realOrder}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	m, err := NewRotatingMerchant("123", Production, keys)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Merchant: m, Tokens: &tokens{}, HTTP: server.Client(), BaseURL: server.URL}, b
}

func askOrder(c *Client) error {
	_, err := c.QueryOrder(context.Background(), "oABC", ByOrderID("OTN1776852737980"))
	return err
}

// phoneKey is the key that signs for the phone.
func phoneKey(t *testing.T, m Merchant) string {
	t.Helper()
	p, err := m.SignGoods(Goods{ProductID: "p", Quantity: 1, Price: 100, OutTradeNo: "ORDER20260801001", Attach: "a"}, "session")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range someKeys {
		mac := hmac.New(sha256.New, []byte(key))
		io.WriteString(mac, "requestVirtualPayment&"+p.SignData)
		if hex.EncodeToString(mac.Sum(nil)) == p.PaySig {
			return key
		}
	}
	return "?"
}

func TestAChangedAppKeyCostsOneRepeatedCall(t *testing.T) {
	t.Parallel()
	const o, n = "key-old", "key-new"
	type step struct {
		name   string
		do     func(*AppKeys, *bank)
		want   []string // who signs the next call, and its repetition
		failed bool
	}
	both := func(k *AppKeys, _ *bank) { k.Set(n, o) }
	console := func(_ *AppKeys, b *bank) { b.change(n) }
	secretBehind := func(k *AppKeys, _ *bank) { k.Renew = func(context.Context) { k.Set(n, o) } }
	nothing := func(*AppKeys, *bank) {}
	for name, steps := range map[string][]step{
		"the secret first, and it was read in between": {
			{"before", nothing, []string{o}, false}, {"in the window", both, []string{o}, false},
			{"the console", console, []string{o, n}, false}, {"after", nothing, []string{n}, false},
		},
		"the secret first, and it is read when WeChat refuses": {
			{"before", nothing, []string{o}, false}, {"in the window", secretBehind, []string{o}, false},
			{"the console", console, []string{o, n}, false}, {"after", nothing, []string{n}, false},
		},
		"the console first": {
			{"before", nothing, []string{o}, false}, {"the console", console, []string{o}, true},
			{"the secret", secretBehind, []string{o, n}, false}, {"after", nothing, []string{n}, false},
		},
		"a start in the window": {
			{"start", both, []string{o}, false},
			{"the console", console, []string{o, n}, false}, {"after", nothing, []string{n}, false},
		},
	} {
		keys := &AppKeys{}
		keys.Set(o)
		c, b := rotating(t, keys)
		b.change(o)
		for _, s := range steps {
			s.do(keys, b)
			err := askOrder(c)
			if got := b.taken(); !slices.Equal(got, s.want) || (err != nil) != s.failed {
				t.Errorf("%s, %s: signed with %v, want %v; %v", name, s.name, got, s.want, err)
			}
			if last := s.want[len(s.want)-1]; phoneKey(t, c.Merchant) != last {
				t.Errorf("%s, %s: the phone gets %s", name, s.name, phoneKey(t, c.Merchant))
			}
		}
	}
}

func TestWhoStartsWithTwoKeysFindsOutWhichWeChatKnows(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("key-new", "key-old")
	c, b := rotating(t, keys)
	b.change("key-old")
	for i, want := range [][]string{{"key-new", "key-old"}, {"key-old"}} {
		if err := askOrder(c); err != nil || !slices.Equal(b.signers, want) {
			t.Errorf("call %d: %v, %v", i+1, b.signers, err)
		}
		b.taken()
	}
}

func TestTheRepeatedCallHasTheSameBytes(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("key-new", "key-old")
	c, b := rotating(t, keys)
	b.change("key-old")
	if _, err := c.RefundOrder(t.Context(), c5bRefund); err != nil {
		t.Fatal(err)
	}
	if len(b.bodies) != 2 || b.bodies[0] != b.bodies[1] || !strings.Contains(b.bodies[0], `"refund_order_id":"REFUND20260801001"`) {
		t.Errorf("%q", b.bodies)
	}
}

func TestWhenWeChatTakesNeitherKeyNothingLoops(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("key-new", "key-old")
	renewals := 0
	keys.Renew = func(context.Context) { renewals++ }
	c, b := rotating(t, keys)
	var told []int
	c.Refused = func(e *Error) { told = append(told, e.Code) }
	b.change("nobody's")
	for range 10 {
		var refusal *Error
		if err := askOrder(c); !errors.As(err, &refusal) || refusal.Code != 268490003 || OutcomeUnknown(err) {
			t.Fatal(err)
		}
	}
	if got := b.taken(); len(got) != 11 || renewals != 10 || len(told) != 11 {
		t.Errorf("ten calls were sent %d times, want 11: %v; %d renewals, %d refusals told", len(got), got, renewals, len(told))
	}
	b.change("key-old")
	for range 2 { // the keys sign in turn: the second call at the latest succeeds
		_ = askOrder(c)
	}
	b.taken()
	if err := askOrder(c); err != nil || !slices.Equal(b.taken(), []string{"key-old"}) {
		t.Errorf("after WeChat takes the old key again: %v", err)
	}
	b.change("key-new") // a change is a change again: the other key is tried at once
	if err := askOrder(c); err != nil || !slices.Equal(b.taken(), []string{"key-old", "key-new"}) {
		t.Errorf("the other key is not tried any more: %v", err)
	}
	b.change("key-newest")
	keys.Renew = func(context.Context) { keys.Set("key-newest", "key-new") }
	if err := askOrder(c); err != nil || !slices.Equal(b.taken(), []string{"key-new", "key-newest"}) {
		t.Errorf("a newer key is not tried: %v", err)
	}
}

// TestAKeyThatWorkedIsNotForgottenWithItsSecret: two rotations, or a slip and its correction, before WeChat hears of one.
func TestAKeyThatWorkedIsNotForgottenWithItsSecret(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("key-old")
	c, b := rotating(t, keys)
	keys.Set("key-newest", "key-new") // two rotations, and WeChat has heard of none
	b.change("key-old")
	if err := askOrder(c); err != nil || !slices.Equal(b.taken(), []string{"key-old"}) {
		t.Errorf("before WeChat changes: %v", err)
	}
	keys.Set("key-newest", "key-new") // another secret was read anew
	if err := askOrder(c); err != nil || !slices.Equal(b.taken(), []string{"key-old"}) || phoneKey(t, c.Merchant) != "key-old" {
		t.Errorf("before WeChat changes, Set once more: %v", err)
	}
	b.change("nobody's")
	for range 5 {
		_ = askOrder(c)
	}
	b.change("key-old")
	b.taken()
	for range 3 { // the keys sign in turn
		_ = askOrder(c)
	}
	if !slices.Contains(b.taken(), "key-old") || phoneKey(t, c.Merchant) != "key-old" {
		t.Error("the key that worked is not tried any more")
	}
}

// TestAPhoneThatWasRefusedGetsTheOtherKeyOnce: the cashier has changed, the API has not.
func TestAPhoneThatWasRefusedGetsTheOtherKeyOnce(t *testing.T) {
	t.Parallel()
	goods := Goods{ProductID: "p", Quantity: 1, Price: 100, OutTradeNo: "ORDER20260801001", Attach: "a"}
	keys := &AppKeys{}
	keys.Set("key-old")
	m, err := NewRotatingMerchant("123", Production, keys)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(refused string) Payment {
		p, err := m.SignGoodsAgain(goods, "session", refused)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	old := sign("")
	if got := sign(old.PaySig); got != old {
		t.Error("there is no other key, and something else signed")
	}
	keys.Set("key-new", "key-old")
	other := sign(old.PaySig[:8])
	if want := PaySig("key-new", "requestVirtualPayment", []byte(old.SignData)); other.PaySig != want || other.SignData != old.SignData || other.Signature != old.Signature {
		t.Errorf("%+v", other)
	}
	if got := phoneKey(t, m); got != "key-old" {
		t.Errorf("%s signs for everybody else", got)
	}
	for refused, why := range map[string]string{other.PaySig: "the other key was refused, too", "": "which was refused is not known", "00000000": "nobody here made it"} {
		if got := sign(refused); got != old {
			t.Errorf("%s: another key than the one that signs", why)
		}
	}
}

// TestOnlyWhoLookedAtTheSignatureSaysThatItTookTheKey: the call that is repeated with the other key is answered so.
func TestOnlyWhoLookedAtTheSignatureSaysThatItTookTheKey(t *testing.T) {
	t.Parallel()
	for answer, took := range map[string]bool{
		realOrder: true,
		`{"errcode":268490001,"errmsg":"openid"}`: true,
		`{"errcode":268490002,"errmsg":"数据不存在"}`:  true,
		`{"errcode":268490014,"errmsg":"refund"}`: true,
		`{"errcode":268490016,"errmsg":"left"}`:   true,
		`{"errcode":690000000,"errmsg":"user"}`:   true,
		`{"errcode":-1,"errmsg":"busy"}`:          false,
		`{"errcode":268490009,"errmsg":"key"}`:    false,
		`{"errcode":268490015,"errmsg":"often"}`:  false,
		`{"errcode":268490021,"errmsg":"acct"}`:   false,
		`{"errcode":40001,"errmsg":"token"}`:      false,
		`{"errcode":40003,"errmsg":"openid"}`:     false,
		`{"errcode":40164,"errmsg":"ip"}`:         false,
		`{"errcode":45009,"errmsg":"quota"}`:      false,
		`{"errcode":45011,"errmsg":"quota"}`:      false,
		`{"errcode":48001,"errmsg":"api"}`:        false,
		`{"errcode":268490099,"errmsg":"?"}`:      false,
		`not JSON`:                                false,
	} {
		keys := &AppKeys{}
		keys.Set("key-new", "key-old")
		c, b := rotating(t, keys)
		b.change("key-old")
		b.answer = answer
		_ = askOrder(c)
		if got := phoneKey(t, c.Merchant); (got == "key-old") != took {
			t.Errorf("%.40s: %s signs from then on", answer, got)
		}
	}
}

// TestAnAnswerThatSaysNothingAboutTheKeyForgetsNoRefusal: neither does one to a call that is not signed.
func TestAnAnswerThatSaysNothingAboutTheKeyForgetsNoRefusal(t *testing.T) {
	t.Parallel()
	signed, unsigned := endpoint{name: "query_order", paySig: true}, endpoint{name: "query_order"}
	for name, c := range map[string]struct {
		row     endpoint
		answer  string
		forgets bool
	}{
		"a signed call":       {signed, realOrder, true},
		"a fault of the call": {signed, `{"errcode":268490002,"errmsg":"数据不存在"}`, true},
		"one that was busy":   {signed, `{"errcode":-1,"errmsg":"busy"}`, false},
		"one without pay_sig": {unsigned, realOrder, false},
	} {
		keys := &AppKeys{}
		keys.Set("key-new", "key-old")
		client, b := rotating(t, keys)
		keys.refuse("key-old")
		if b.change("key-new"); !c.row.paySig {
			b.change("?")
		}
		b.answer = c.answer
		_, _ = client.call(t.Context(), c.row, request{body: map[string]int{"env": 0}})
		if got := len(keys.keys.refused) == 0; got != c.forgets {
			t.Errorf("%s: the refusal of the other key is forgotten: %t", name, got)
		}
	}
}

func TestOnlyARefusedPaySigIsRepeatedWithAnotherKey(t *testing.T) {
	t.Parallel()
	for refusal, want := range map[string]int{
		`{"errcode":268490003,"errmsg":"支付签名(pay_sig)校验失败"}`: 2,
		`{"errcode":268490003,"errmsg":"签名校验失败"}`:            1, // the user's signature
		`{"errcode":268490002,"errmsg":"参数错误"}`:              1,
		`{"errcode":268490009,"errmsg":"session_key"}`:       1,
		`{"errcode":-1,"errmsg":"system error"}`:             1,
		`{`:                                                  1,
	} {
		keys := &AppKeys{}
		keys.Set("key-new", "key-old")
		c, b := rotating(t, keys)
		b.refusal = refusal
		b.change("key-old")
		row := endpoint{name: "query_user_balance", paySig: true, userSig: true}
		_, err := c.call(t.Context(), row, request{body: map[string]int{"env": 0}, sessionKey: "session"})
		if got := b.taken(); len(got) != want || (err == nil) != (want == 2) {
			t.Errorf("%s: sent %d times, want %d; %v", refusal, len(got), want, err)
		}
	}
}

func TestARepeatedCallWithoutAnAnswerMayHaveHappened(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("key-new", "key-old")
	c, b := rotating(t, keys)
	b.answer = "not JSON"
	b.change("key-old")
	if _, err := c.RefundOrder(t.Context(), c5bRefund); !OutcomeUnknown(err) {
		t.Errorf("%v", err)
	}
}

func TestManyCallersAgreeOnTheKey(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("key-new", "key-old")
	c, b := rotating(t, keys)
	b.change("key-old")
	if err := askOrder(c); err != nil {
		t.Fatal(err)
	}
	b.taken()
	b.change("key-new")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if err := askOrder(c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	wrong := len(slices.DeleteFunc(b.taken(), func(key string) bool { return key == "key-new" }))
	if wrong < 1 || wrong > 8 {
		t.Errorf("%d calls were signed with the old key, want one at most of each of 8 callers", wrong)
	}
}

// slowBank answers each call when the test says so.
type slowBank struct {
	bank
	arrived int
	answers chan struct{}
}

func (b *slowBank) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	b.arrived++
	b.mu.Unlock()
	select {
	case <-b.answers:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestOneCallFindsOutTheKeyAndTheOthersWait: of the calls under way at the change each is refused once, none of those that
// begin later, and neither tries a key that another call has found to be wrong.
func TestOneCallFindsOutTheKeyAndTheOthersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := &AppKeys{}
		keys.Set("key-newest", "key-new", "key-old")
		keys.took("key-old")
		m, err := NewRotatingMerchant("123", Production, keys)
		if err != nil {
			t.Fatal(err)
		}
		b := &slowBank{answers: make(chan struct{}), bank: bank{key: "key-newest", answer: realOrder,
			refusal: `{"errcode":268490003,"errmsg":"支付签名(pay_sig)校验失败"}`}}
		c := &Client{Merchant: m, Tokens: &tokens{}, HTTP: &http.Client{Transport: b}, BaseURL: "http://wechat.example"}
		var all sync.WaitGroup
		ask := func() {
			all.Go(func() {
				if err := askOrder(c); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		ask() // three are under way at the change
		ask()
		ask()
		for range 3 {
			b.answers <- struct{}{}
			synctest.Wait()
		}
		ask() // these begin after it
		ask()
		if b.arrived != 4 {
			t.Errorf("%d calls were sent while one finds out, want 4", b.arrived)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.QueryOrder(ctx, "oABC", ByOrderID("OTN1776852737980")); err == nil {
			t.Error("a call that was given up waits on")
		}
		close(b.answers)
		all.Wait()
		want := slices.Concat(slices.Repeat([]string{"key-old"}, 3), slices.Repeat([]string{"key-newest"}, 5))
		if got := b.taken(); !slices.Equal(got, want) {
			t.Errorf("signed with %v", got)
		}
	})
}

func TestAppKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("MARKED-SECRET", "MARKED-OTHER")
	m, err := NewRotatingMerchant("123", Production, keys)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&text, verb+verb+verb, keys, m, struct{ m Merchant }{m})
	}
	if strings.Contains(text.String(), "MARKED") || strings.Contains(text.String(), hex.EncodeToString([]byte("MARKED"))) {
		t.Error(text.String())
	}
	if keys.Set("", ""); phoneKey(t, m) != "?" { // which is none of the bank's, but one
		t.Error("to Set no key changes the key")
	}
	if _, err := NewRotatingMerchant("123", Production, &AppKeys{}); err == nil {
		t.Error("a merchant without a key")
	}
}

func TestARefusalOfTheTokenSaysNothingAboutTheKey(t *testing.T) {
	t.Parallel()
	keys := &AppKeys{}
	keys.Set("key-new", "key-old")
	c, b := rotating(t, keys)
	b.answer = `{"errcode":40001,"errmsg":"invalid credential"}`
	b.change("key-old")
	_ = askOrder(c)
	if got := phoneKey(t, c.Merchant); got != "key-new" {
		t.Errorf("%s signs: WeChat looks at the token first", got)
	}
}
