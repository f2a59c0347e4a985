package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
		OutcomeUnknown               bool
		Advice, Meaning, MeaningZH   string
	}
	tool{}.run(t, append(query, "--json")...).want(t, 1).decode(t, &no)
	if no.ErrCode != 268490002 || no.RID == "" || no.AdviceZH == "" || no.Class != "give up" || no.OutcomeUnknown {
		t.Errorf("%+v", no)
	}
	tool{}.run(t, append(query, "--app-key", testSandboxKey)...).want(t, 1, "268490003", "AppKey").silent(t)
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
	tool{}.run(t, args...).want(t, 1, "not known", "不确定").silent(t)
}

func TestCallGivesUpOnAServerThatAnswersNoJSON(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	defer proxy.Close()
	tool{}.run(t, "call", "query_order", `{"env":0}`, "--config", configured(t, nil), "--wechat-url", proxy.URL).want(t, 1, "no usable answer").silent(t)
}
