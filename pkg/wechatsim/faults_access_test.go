package wechatsim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestASessionKeyMayDieBetweenCode2SessionAndItsUse(t *testing.T) {
	t.Parallel()
	for fault, atCashier := range map[string]int{"keyReplaced": -15005, "keyExpired": -15007} {
		w := newWorld(t)
		w.buyCoins("COIN00001", 10)
		w.faults(`{"access":{"` + fault + `":1}}`)
		dead := w.login(testUser)
		if got := w.sim.RequestVirtualPayment(payment(dead, signData("ORDER0001", 1, 1800))); got.ErrCode != atCashier {
			t.Errorf("%s: the cashier said %+v, want %d", fault, got, atCashier)
		}
		w.wantCode(w.spend(dead, "SPEND0001", 1), 268490009)
		w.wantCode(w.sessionCall("/wxa/checksession", testUser, hmacHex(dead, "")), 87009)
		live := w.login(testUser)
		w.wantCode(w.sessionCall("/wxa/checksession", testUser, hmacHex(live, "")), 0)
		w.wantCode(w.spend(live, "SPEND0001", 1), 0)
	}
}

func TestTheAppKeyOfOneEnvMayBeAWrongOneForSomeCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := [2]string{`{"openid":"oUser1","env":0,"order_id":"NOTHING01"}`, `{"openid":"oUser1","env":1,"order_id":"NOTHING01"}`}
	ask := func(env, want int) {
		t.Helper()
		key := []string{testKey, sandKey}[env]
		w.wantCode(w.object("POST", w.xpayURL("/xpay/query_order", key, body[env]), body[env]), want)
	}
	pay := func(no string, want int) {
		t.Helper()
		if got := w.sim.RequestVirtualPayment(payment(w.login(testUser), signData(no, 1, 1800))); got.ErrCode != want {
			t.Errorf("%s: %+v, want %d", no, got, want)
		}
	}
	w.faults(`{"access":{"appKeySandbox":1}}`)
	ask(0, 268490002) // the other env is as ever
	pay("ORDER0001", 0)
	ask(1, 268490003)
	ask(1, 268490002)
	w.faults(`{"access":{"appKeyProduction":3}}`)
	ask(1, 268490002)
	w.wantCode(w.object("POST", w.xpayURL("/xpay/query_order", "guessed", body[0]), body[0]), 268490003) // uses none up
	ask(0, 268490003)
	pay("ORDER0002", -15006)
	bill := `{"begin_ds":20260701,"end_ds":20260701}`
	w.wantCode(w.object("POST", w.xpayURL("/xpay/download_bill", sandKey, bill), bill), 268490011) // the key says whose bill
	w.wantCode(w.xpay("/xpay/download_bill", bill), 268490003)
	ask(0, 268490002)
	pay("ORDER0002", 0)
}

func TestTheAppKeyOfAnAppleSigningMayBeAWrongOne(t *testing.T) {
	t.Parallel()
	w, session := iphone(t)
	w.faults(`{"access":{"appKeyProduction":1}}`)
	for _, want := range []string{"-15006", "0"} {
		if got := w.appleSign(session, appleData); got != want {
			t.Errorf("the phone heard %s, want %s", got, want)
		}
	}
}

func TestTheEgressMayLeaveTheAllowListForSomeCalls(t *testing.T) {
	t.Parallel()
	const peer = "203.0.113.7:1"
	w := newWorld(t, func(c *wechatsim.Config) { c.AllowedIPs.IPs = []string{"203.0.113.7"} })
	grant := fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, w.cfg.AppID, w.cfg.AppSecret)
	w.token, _ = w.from(peer, "POST", "/cgi-bin/stable_token", grant)["access_token"].(string)
	body := `{"openid":"oUser1","env":0,"order_id":"NOTHING01"}`
	query := w.xpayURL("/xpay/query_order", testKey, body)
	leave := func() { w.faults(`{"access":{"outsideIPs":2}}`) }
	leave()
	w.wantCode(w.from(peer, "POST", query, body), 268490002) // the list guards only tokens
	for range 2 {
		a := w.from(peer, "POST", "/cgi-bin/stable_token", grant)
		w.wantCode(a, 40164)
		if !strings.HasPrefix(a["errmsg"].(string), "invalid ip 203.0.113.7, not in whitelist rid: ") {
			t.Errorf("errmsg is %q", a["errmsg"])
		}
	}
	if a := w.from(peer, "POST", "/cgi-bin/stable_token", grant); a["access_token"] != w.token {
		t.Errorf("back inside: %v", a)
	}
	w.control("/sim/allowedIPs", `{"ips":["203.0.113.7"],"everyAPI":true}`, 200)
	leave()
	w.wantCode(w.from(peer, "POST", query, body), 40164)
	w.control("/sim/allowedIPs", `{}`, 200)
	w.wantCode(w.from(peer, "POST", "/cgi-bin/stable_token", grant), 40164) // though everybody else is let in
	if f := w.sim.Faults().Access; f.OutsideIPs != 0 {
		t.Errorf("left are %+v", f)
	}
}

func TestQuotasMayBeSpentForSomeCalls(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]int{"dailyQuota": 45009, "minuteQuota": 45011, "secondQuota": 268490015} {
		w := newWorld(t)
		token := w.accessToken(false)["access_token"]
		w.faults(`{"access":{"` + fault + `":2}}`)
		if a := w.object("POST", "/xpay/no_such_api", `{}`); fmt.Sprint(a["errcode"]) != "40066" {
			t.Errorf("%s: an unknown path has a quota: %v", fault, a)
		}
		if fault == "secondQuota" { // which only /xpay has
			if a := w.accessToken(false); a["access_token"] != token {
				t.Errorf("%s: %v", fault, a)
			}
		} else {
			w.wantCode(w.accessToken(false), want)
			w.faults(`{"access":{"` + fault + `":2}}`)
		}
		w.token = token.(string)
		w.wantCode(w.query("NOTHING01"), want)
		w.wantCode(w.refund("NOTHING01", "REFUND001", 1, 1), want)
		w.wantCode(w.query("NOTHING01"), 268490002)
	}
}

func TestFaultsOfPhoneAndAccessSurviveARestart(t *testing.T) {
	t.Parallel()
	var journal strings.Builder
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.faults(`{"cashier":{"code":{"errcode":-15020,"times":2,"errmsg":"slow"},"pushFirst":1},"access":{"keyReplaced":2,"dailyQuota":1}}`)
	w.wantCode(w.accessToken(false), 45009)
	dead := w.login(testUser)
	if err := w.restart([]byte(journal.String()), nil); err != nil {
		t.Fatal(err)
	}
	w.wantCode(w.sessionCall("/wxa/checksession", testUser, hmacHex(dead, "")), 87009)
	f := w.sim.Faults()
	if f.Access != (wechatsim.AccessFaults{KeyReplaced: 1}) || f.Cashier.PushFirst != 1 ||
		f.Cashier.Code != (wechatsim.CodeFault{ErrCode: -15020, Times: 2, ErrMsg: "slow"}) {
		t.Errorf("faults are %+v", f)
	}
}

func TestMappedIPv4PrefixesCountAsIPv4(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	grant := fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, w.cfg.AppID, w.cfg.AppSecret)
	for entry, inside := range map[string]bool{
		"::ffff:203.0.113.0/120": true, "::ffff:203.0.113.7/128": true, "::ffff:203.0.113.7": true, "::ffff:0.0.0.0/96": true,
		"::ffff:203.0.114.0/120": false, "::ffff:203.0.113.8/128": false,
	} {
		w.control("/sim/allowedIPs", `{"ips":["`+entry+`"]}`, 200)
		for _, peer := range []string{"203.0.113.7:1", "[::ffff:203.0.113.7]:1"} {
			if a := w.from(peer, "POST", "/cgi-bin/stable_token", grant); (a["access_token"] != nil) != inside {
				t.Errorf("%s with %s: %v", peer, entry, a)
			}
		}
	}
	for _, entry := range []string{"::ffff:203.0.113.0/95", "::ffff:0:0/0"} {
		err := w.sim.SetAllowedIPs(wechatsim.AllowedIPs{IPs: []string{entry}})
		if err == nil || !strings.Contains(err.Error(), entry) || !strings.Contains(err.Error(), "write the IPv4 prefix instead") {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

func TestPublishingIsRefusedWhileTheUploadOfTheSameProductRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 268490002) // nothing runs: the product is unknown
	w.wantCode(w.xpay(uploadPath, uploadBody("vip_year", 3000)), 0)
	w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 268490012)
	w.wantCode(w.xpay(publishPath, publishBody("vip_decade")), 268490012)
	w.clock.Advance(5 * time.Second)
	w.wantCode(w.xpay(publishPath, publishBody("vip_decade")), 268490002)
	w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 0)
}
