package wechatsim_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func (w *world) control(path, body string, want int) {
	w.t.Helper()
	if status, text := w.do("POST", path, body); status != want {
		w.t.Fatalf("%s %s: HTTP %d %s, want %d", path, body, status, text, want)
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { // noon in China, a whole minute
		now := time.Date(2026, 8, 1, 4, 0, 0, 0, time.UTC)
		c.Now, c.Advance = func() time.Time { return now }, func(d time.Duration) { now = now.Add(d) }
	})
	pass := func(d time.Duration) {
		if err := w.sim.AdvanceClock(d); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(want int) { t.Helper(); w.wantCode(w.query("NOTHING01"), want) } // 268490002 is WeChat's own answer
	w.control("/sim/quotas", `{"path":"/xpay/query_order","daily":5,"perMinute":4,"perSecond":2}`, 200)
	ask(268490002)
	ask(268490002)
	ask(268490015)
	pass(time.Second)
	ask(268490002)
	ask(268490002)
	pass(time.Second)
	ask(45011)
	pass(58 * time.Second)
	ask(268490002)
	ask(45009)
	w.wantCode(w.xpay("/xpay/notify_provide_goods", `{"order_id":"NOTHING01","env":0}`), 268490002) // another path
	pass(12*time.Hour - 61*time.Second)
	w.token = ""
	ask(45009)
	pass(time.Second) // midnight in China
	ask(268490002)
	w.control("/sim/quotas", `{"path":"/xpay/query_order"}`, 200)
	for range 10 {
		ask(268490002)
	}
}

func TestQuotasRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, want := range map[string]int{
		`{"path":"/xpay/no_such_thing","daily":1}`:           404,
		`{"path":"/sim/login","daily":1}`:                    404,
		`{"path":"/","daily":1}`:                             404,
		`{"path":"/sim/","daily":1}`:                         404,
		`{"daily":1}`:                                        404,
		`{"path":"/xpay/query_order","daily":-1}`:            400,
		`{"path":"/xpay/query_order","perMinute":-1}`:        400,
		`{"path":"/xpay/query_order","perSecond":-1}`:        400,
		`{"path":"/cgi-bin/stable_token","perSecond":1}`:     400,
		`{"path":"/xpay/query_order","perHour":1}`:           400,
		`{"path":"/xpay/query_order","daily":"1"}`:           400,
		`{"path":"/xpay/query_order","daily":1}`:             200,
		`{"path":"/sns/jscode2session","perMinute":1}`:       200,
		`{"path":"/xpay/query_user_balance","perSecond":10}`: 200,
	} {
		w.control("/sim/quotas", body, want)
	}
	if q := w.sim.Quotas()["/xpay/query_order"]; q != (wechatsim.Quota{Daily: 1}) {
		t.Errorf("the quota is %+v", q)
	}
}

// The numbers are those of the xpay spec, 8.3 and 8.4.
func TestPublishedQuotas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.object("GET", "/sim/quotas", "")
	for path, want := range map[string]string{
		"/cgi-bin/stable_token": "map[daily:500000 perMinute:10000 perSecond:0]", "/wxa/resetusersessionkey": "map[daily:0 perMinute:60000 perSecond:0]",
	} {
		wantField(t, a, path, want)
	}
	if len(a) != 2 {
		t.Errorf("quotas are %v", a)
	}
	w.accessToken(false)
	for range 9_999 {
		w.do("POST", "/cgi-bin/stable_token", `{}`)
	}
	w.wantCode(w.accessToken(false), 45011)
	w.clock.Advance(time.Minute)
	if a := w.accessToken(false); a["access_token"] == nil {
		t.Errorf("in the next minute: %v", a)
	}
}

func TestQuotaIsExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.xpayURL("/xpay/query_order", testKey, "")
	w.control("/sim/quotas", `{"path":"/xpay/query_order","perMinute":10}`, 200)
	var mu sync.Mutex
	codes := map[string]int{}
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			a := w.query("NOTHING01")
			mu.Lock()
			defer mu.Unlock()
			codes[fmt.Sprint(a["errcode"])]++
		})
	}
	callers.Wait()
	if codes["268490002"] != 10 || codes["45011"] != 22 {
		t.Errorf("codes are %v", codes)
	}
}

func TestClearQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.control("/sim/quotas", `{"path":"/xpay/query_order","daily":1}`, 200)
	token := w.accessToken(false)["access_token"].(string)
	clear := func(appid string) map[string]any {
		return w.object("POST", "/cgi-bin/clear_quota?access_token="+token, fmt.Sprintf(`{"appid":%q}`, appid))
	}
	w.wantCode(clear(""), 41002)
	w.wantCode(clear("wx0000000000000000"), 40013)
	for range 10 {
		w.wantCode(w.query("NOTHING01"), 268490002)
		w.wantCode(w.query("NOTHING01"), 45009)
		w.wantCode(clear(w.cfg.AppID), 0)
	}
	w.wantCode(clear(w.cfg.AppID), 48006)
	w.wantCode(w.query("NOTHING01"), 268490002)
	w.wantCode(w.query("NOTHING01"), 45009)
	w.clock.Advance(31 * 24 * time.Hour)
	token = w.accessToken(false)["access_token"].(string)
	w.wantCode(clear(w.cfg.AppID), 0)
}

// from sends a request from an address; headers claim another one and are not believed.
func (w *world) from(peer, method, target, body string) map[string]any {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = peer
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	rec := httptest.NewRecorder()
	w.sim.ServeHTTP(rec, r)
	return decode(w.t, rec.Body.String())
}

func TestIPAllowList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) {
		c.AllowedIPs = wechatsim.AllowedIPs{IPs: []string{"203.0.113.7", "198.51.100.0/24", "2001:db8::1"}}
	})
	grant := fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, w.cfg.AppID, w.cfg.AppSecret)
	token := func(peer string) map[string]any { return w.from(peer, "POST", "/cgi-bin/stable_token", grant) }
	for peer, let := range map[string]bool{
		"203.0.113.7:4711": true, "203.0.113.8:4711": false, "198.51.100.200:1": true, "198.51.101.1:1": false,
		"[2001:db8::1]:443": true, "[2001:db8::2]:443": false, "[::ffff:203.0.113.7]:1": true, "": false, "pipe": false,
	} {
		a := token(peer)
		if let && a["access_token"] == nil {
			t.Errorf("%q: %v", peer, a)
		}
		if !let {
			w.wantCode(a, 40164)
		}
	}
	if a := token("192.0.2.9:1"); !strings.HasPrefix(a["errmsg"].(string), "invalid ip 192.0.2.9, not in whitelist rid: ") {
		t.Errorf("errmsg is %q", a["errmsg"])
	}
	w.token = token("203.0.113.7:1")["access_token"].(string)
	const path, body = "/xpay/query_order", `{"openid":"oUser1","env":0,"order_id":"NOTHING01"}`
	w.wantCode(w.from("192.0.2.9:1", "POST", w.xpayURL(path, testKey, body), body), 268490002) // only tokens are guarded
	w.control("/sim/allowedIPs", `{"ips":["203.0.113.7"],"everyAPI":true}`, 200)
	w.wantCode(w.from("192.0.2.9:1", "POST", w.xpayURL(path, testKey, body), body), 40164)
	w.wantCode(w.from("203.0.113.7:1", "POST", w.xpayURL(path, testKey, body), body), 268490002)
	w.wantCode(w.from("198.51.100.1:1", "POST", "/cgi-bin/stable_token", grant), 40164)
	if a := w.from("192.0.2.9:1", "GET", w.sessionURL(w.sim.Login(testUser)), ""); a["session_key"] == nil {
		t.Errorf("login is guarded: %v", a)
	}
	w.control("/sim/allowedIPs", `{}`, 200)
	if a := token("192.0.2.9:1"); a["access_token"] == nil {
		t.Errorf("an empty list refuses: %v", a)
	}
	w.control("/sim/allowedIPs", `{"ips":["localhost"]}`, 400)
}

func TestConfigNamesWhatIsWrongWithDelaysWordsAndIPs(t *testing.T) {
	t.Parallel()
	_, err := wechatsim.New(wechatsim.Config{
		GoodsTaskDelay: -1, PublishDelay: -1, BillDelay: -1, SensitiveWords: []string{""}, AllowedIPs: wechatsim.AllowedIPs{IPs: []string{"everybody"}},
	})
	for _, want := range []string{"GoodsTaskDelay", "PublishDelay", "BillDelay", "SensitiveWords[0]", "AllowedIPs", "everybody"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
