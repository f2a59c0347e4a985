package wechatsim_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func (w *world) sessionCall(path, openid, signature string) map[string]any {
	w.t.Helper()
	w.xpayURL("", "", "") // fetches a token
	q := url.Values{"access_token": {w.token}, "openid": {openid}, "signature": {signature}, "sig_method": {"hmac_sha256"}}
	return w.object("GET", path+"?"+q.Encode(), "")
}

func TestCheckSessionKey(t *testing.T) {
	t.Parallel()
	const path = "/wxa/checksession"
	w := newWorld(t)
	// The key and the signature of the empty text are vector C1 (xpay spec 3.9).
	const key, sig = "9hAb/NEYUlkaMBEsmFgzig==", "1f7605aea24c0785899e51bc4c483167a20ea7b0f5f36cfd398e89cb21c91e9c"
	if err := w.sim.Restore(strings.NewReader(`{"k":"user","n":1,"at":1,"v":{"openid":"oUser1","key":"` + key + `"}}` + "\n")); err != nil {
		t.Fatal(err)
	}
	w.wantCode(w.sessionCall(path, testUser, sig), 0)
	w.wantCode(w.sessionCall(path, testUser, strings.ToUpper(sig)), 87009)
	w.wantCode(w.sessionCall(path, "oNobody", sig), 40003)
	good := path + "?access_token=" + w.token + "&openid=oUser1&signature=" + sig
	w.wantCode(w.object("GET", good, ""), 87008)
	w.wantCode(w.object("GET", good+"&sig_method=hmac_sha1", ""), 87008)
	w.wantCode(w.object("POST", good+"&sig_method=hmac_sha256", "{}"), 43001)
	w.wantCode(w.object("GET", strings.Replace(good, w.token, "other", 1)+"&sig_method=hmac_sha256", ""), 40001)
	w.login(testUser)
	w.wantCode(w.sessionCall(path, testUser, sig), 87009)
}

func TestResetUserSessionKey(t *testing.T) {
	t.Parallel()
	const path = "/wxa/resetusersessionkey"
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	old := w.buyCoins("COIN00001", 10)
	a := w.sessionCall(path, testUser, hmacHex(old, ""))
	w.wantCode(a, 0)
	wantField(t, a, "openid", testUser)
	fresh := a["session_key"].(string)
	if fresh == old || len(fresh) != 24 {
		t.Errorf("session_key is %q, the old one %q", fresh, old)
	}
	w.wantCode(w.sessionCall(path, testUser, hmacHex(old, "")), 87009)
	w.wantCode(w.sessionCall("/wxa/checksession", testUser, hmacHex(fresh, "")), 0)
	w.wantCode(w.spend(old, "SPEND0001", 1), 268490009)
	w.wantCode(w.spend(fresh, "SPEND0001", 1), 0)
	if err := w.restart(journal.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	w.wantCode(w.spend(old, "SPEND0002", 1), 268490009)
	w.wantCode(w.spend(fresh, "SPEND0002", 1), 0)
}

func TestOnlyTheLastStaleKeysAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	oldest := w.buyCoins("COIN00001", 10)
	for range 4 {
		w.login(testUser)
		w.wantCode(w.spend(oldest, "SPEND0001", 1), 268490009)
	}
	w.login(testUser)
	w.wantCode(w.spend(oldest, "SPEND0001", 1), 268490003)
}
