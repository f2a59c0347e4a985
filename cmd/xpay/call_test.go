package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestCallPrintsTheAnswer(t *testing.T) {
	t.Parallel()
	_, url := simulated(t, nil)
	account := []string{"--config", configured(t, nil), "--wechat-url", url}
	r := tool{}.run(t, append([]string{"--json", "call", "query_biz_balance", `{"env":0}`}, account...)...).want(t, 0).silent(t)
	if want := `{"errcode":0,"errmsg":"OK","balance_available":{"amount":"0.00","currency_code":"CNY"}}` + "\n"; r.out != want {
		t.Errorf("it printed %s, expected %s", r.out, want)
	}
	tool{stdin: `{"env": 1}`}.run(t, append([]string{"call", "/xpay/query_upload_goods"}, account...)...).want(t, 0, `"status": 0`).silent(t)
}

func TestCallExplainsARefusalInBothLanguages(t *testing.T) {
	t.Parallel()
	_, url := simulated(t, nil)
	account := []string{"--config", configured(t, nil), "--wechat-url", url}
	query := append([]string{"call", "query_order", `{"openid":"oABC","env":0,"order_id":"ORDER0001"}`}, account...)
	r := tool{}.run(t, query...).want(t, 1, "268490002", "数据不存在", "read errmsg", "请确认").silent(t)
	if r.out != "" {
		t.Errorf("a refusal is no answer: %s", r.out)
	}
	var no struct {
		ErrCode                      int
		ErrMsg, RID, AdviceZH, Class string
		Error                        string
		Unknown                      bool
		Advice, Meaning, MeaningZH   string
	}
	tool{}.run(t, append(query, "--json")...).want(t, 1).decode(t, &no)
	if no.ErrCode != 268490002 || no.RID == "" || no.AdviceZH == "" || no.Class != "give up" || no.Unknown || no.Error == "" {
		t.Errorf("%+v", no)
	}
	tool{}.run(t, append(query, "--app-key", testSandboxKey)...).want(t, 1, "268490003", "AppKey").silent(t)
}

// TestABillThatIsBeingMadeIsNoUnknownOutcome: a read has no outcome that could be doubted.
func TestABillThatIsBeingMadeIsNoUnknownOutcome(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/xpay/") {
			w.Write([]byte(`{"access_token":"T","expires_in":7200}`))
			return
		}
		w.Write([]byte(`{"errcode":268490011,"errmsg":"数据生成中,请稍后再试"}`))
	}))
	defer proxy.Close()
	account := []string{"--config", configured(t, nil), "--wechat-url", proxy.URL}
	for api, unknown := range map[string]bool{"download_bill": false, "query_order": false, "refund_order": true, "currency_pay": true} {
		args := append([]string{"call", api, `{"env":0,"begin_ds":20260801,"end_ds":20260801}`, "--session-key", "k"}, account...)
		r := tool{}.run(t, args...).want(t, 1, "268490011").silent(t)
		if strings.Contains(r.stderr, "not known") != unknown || strings.Contains(r.stderr, "不确定") != unknown {
			t.Errorf("%s: %s", api, r.stderr)
		}
		var no struct{ Unknown *bool }
		tool{}.run(t, append(args, "--json")...).want(t, 1).decode(t, &no)
		if no.Unknown == nil || *no.Unknown != unknown {
			t.Errorf("%s: %+v", api, no)
		}
	}
}

func TestCallTakesTheUsersSignature(t *testing.T) {
	t.Parallel()
	sim, url := simulated(t, nil)
	code := sim.Login("oAlice")
	resp, err := http.Get(url + "/sns/jscode2session?appid=" + testAppID + "&secret=" + testSecret + "&js_code=" + code + "&grant_type=authorization_code")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var session struct {
		SessionKey string `json:"session_key"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&session); err != nil {
		t.Fatal(err)
	}
	args := []string{"call", "query_user_balance", `{"openid":"oAlice","env":0,"user_ip":"127.0.0.1"}`, "--config", configured(t, nil), "--wechat-url", url}
	tool{env: []string{"XPAY_SESSION_KEY=" + session.SessionKey}}.run(t, args...).want(t, 0, `"balance": 0`).silent(t)
	tool{env: []string{"XPAY_SESSION_KEY=c3RhbGU="}}.run(t, args...).want(t, 1, "errcode").silent(t)
}

func TestCallSaysWhenTheOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	sim, url := simulated(t, nil)
	f := sim.Faults()
	f.API = map[string]wechatsim.APIFault{"/xpay/present_currency": {CutAfterEffect: 1}}
	sim.SetFaults(f)
	args := []string{"call", "present_currency", `{"openid":"oAlice","env":0,"order_id":"GIFT0001","amount":1}`, "--config", configured(t, nil), "--wechat-url", url}
	r := tool{}.run(t, args...).want(t, 1, "not known", "不确定").silent(t)
	if strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("not one line: %s", r.stderr)
	}
}

// TestNoAnswerIsPrintedAsUnknown: an answer that is cut off, and a WeChat that nobody reaches.
func TestNoAnswerIsPrintedAsUnknown(t *testing.T) {
	t.Parallel()
	type failure struct {
		Error    *string
		AdviceZH string
		Unknown  *bool
		ErrCode  *int
	}
	sim, url := simulated(t, nil)
	f := sim.Faults()
	f.API = map[string]wechatsim.APIFault{"/xpay/present_currency": {CutAfterEffect: 1}}
	sim.SetFaults(f)
	gift := []string{"--json", "call", "present_currency", `{"openid":"oAlice","env":0,"order_id":"GIFT0001","amount":1}`, "--config", configured(t, nil), "--wechat-url"}
	var cut, refused failure
	tool{}.run(t, append(gift, url)...).want(t, 1).silent(t).decode(t, &cut)
	if cut.Unknown == nil || !*cut.Unknown || cut.Error == nil || *cut.Error == "" || cut.ErrCode != nil || !chinese.MatchString(cut.AdviceZH) {
		t.Errorf("no answer is %+v", cut)
	}
	tool{}.run(t, append(gift, url, "--app-secret", "another")...).want(t, 1).silent(t).decode(t, &refused)
	if refused.Unknown == nil || *refused.Unknown || refused.Error == nil || !strings.Contains(*refused.Error, "AppSecret") {
		t.Errorf("a token that was refused is %+v", refused)
	}
}

func TestCallGivesUpOnAServerThatAnswersNoJSON(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	defer proxy.Close()
	tool{}.run(t, "call", "query_order", `{"env":0}`, "--config", configured(t, nil), "--wechat-url", proxy.URL).want(t, 1, "no usable answer").silent(t)
}
