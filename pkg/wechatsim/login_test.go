package wechatsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestConfigErrorsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := wechatsim.New(wechatsim.Config{Push: wechatsim.Push{Format: "yaml", Mode: "aes", EncodingAESKey: "short"}})
	if err == nil {
		t.Fatal("an empty config was accepted")
	}
	for _, want := range []string{"AppID", "AppSecret", "OfferID", "AppKeys", "Push.URL", "Push.Token", "Push.Format", "EncodingAESKey"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestCodeIsSingleUseAndExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.sim.Login(testUser)
	w.object("GET", w.sessionURL(code), "")
	w.wantCode(w.object("GET", w.sessionURL(code), ""), 40163)
	w.wantCode(w.object("GET", w.sessionURL("nonsense"), ""), 40029)
	late := w.sim.Login(testUser)
	w.clock.Advance(5*time.Minute + time.Second)
	w.wantCode(w.object("GET", w.sessionURL(late), ""), 40029)
}

func TestSessionRefusesWrongApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.sessionURL(w.sim.Login(testUser))
	for from, code := range map[string]int{w.cfg.AppID: 40013, w.cfg.AppSecret: 40125, "authorization_code": 40002} {
		w.wantCode(w.object("GET", strings.Replace(good, from, "other", 1), ""), code)
	}
	w.wantCode(w.object("GET", strings.Replace(good, "appid="+w.cfg.AppID, "", 1), ""), 41002)
	a := w.object("GET", good, "")
	if len(a["session_key"].(string)) != 24 || a["unionid"] != nil {
		t.Errorf("session is %v", a)
	}
}

func TestTokenIsSharedAndRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.accessToken(false)
	wantField(t, first, "expires_in", 7200)
	w.clock.Advance(6900 * time.Second)
	again := w.accessToken(false)
	wantField(t, again, "access_token", first["access_token"])
	wantField(t, again, "expires_in", 300)
	w.clock.Advance(time.Second)
	fresh := w.accessToken(false)
	wantField(t, fresh, "expires_in", 7200)
	if fresh["access_token"] == first["access_token"] {
		t.Error("the token was not renewed five minutes before its end")
	}
	w.token = first["access_token"].(string)
	w.wantCode(w.query("NOTHING123"), 268490002)
	w.clock.Advance(5 * time.Minute)
	w.wantCode(w.query("NOTHING123"), 42001)
}

func TestForcedRefreshIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[any]bool{w.accessToken(false)["access_token"]: true}
	w.token = w.accessToken(true)["access_token"].(string)
	seen[w.token] = true
	if w.accessToken(true)["access_token"] != w.token {
		t.Error("a second forced refresh within 30 s had an effect")
	}
	for range 30 {
		w.clock.Advance(30 * time.Second)
		seen[w.accessToken(true)["access_token"]] = true
	}
	if len(seen) != 21 {
		t.Errorf("%d tokens, want the first and 20 forced ones", len(seen))
	}
	w.wantCode(w.query("NOTHING123"), 40001) // revoked by a forced refresh
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/cgi-bin/stable_token"
	w.wantCode(w.object("GET", path, ""), 43002)
	w.wantCode(w.object("POST", path, ""), 44002)
	w.wantCode(w.object("POST", path, "{"), 47001)
	w.wantCode(w.object("POST", path, `{"grant_type":"client_credential"}`), 41002)
	w.wantCode(w.object("POST", path, `{"grant_type":"client_credential","appid":"x","secret":"y"}`), 40013)
	w.wantCode(w.object("POST", path, `{"grant_type":"client_credential","appid":"wx1234567890abcdef","secret":"y"}`), 40125)
	w.wantCode(w.object("POST", path, `{"grant_type":"x","appid":"wx1234567890abcdef","secret":"app-secret"}`), 40002)
}
