package xpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCallSendsExactlyTheGivenBytesToAnyAPI(t *testing.T) {
	t.Parallel()
	signatures := signaturesOnFile(t)
	for _, e := range Endpoints() {
		body := onFile(t, e.Name+".json")
		c, peer, _ := client(t, `{"errcode":0,"new":1}`)
		got, err := c.Call(t.Context(), e.Name, json.RawMessage(body), vectorSession)
		query := "access_token=T%2B0%2F&pay_sig=" + signatures[e.Name][0]
		if e.UserSig {
			query += "&signature=" + signatures[e.Name][1]
		}
		want := []sent{{"POST /xpay/" + e.Name, query, body, "application/json", fmt.Sprint(len(body))}}
		if diff := cmp.Diff(want, peer.sent, cmp.AllowUnexported(sent{})); diff != "" || err != nil || string(got) != `{"errcode":0,"new":1}` {
			t.Errorf("%s: %s %v %s", e.Name, got, err, diff)
		}
	}
}

// V1 has spaces that a second serialization would lose.
func TestCallSignsV1(t *testing.T) {
	t.Parallel()
	const body = `{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}`
	c, peer, _ := client(t, `{"errcode":0}`)
	_, err := c.Call(t.Context(), "query_user_balance", json.RawMessage(body), vectorSession)
	if err != nil || peer.sent[0].body != body || peer.sent[0].query != "access_token=T%2B0%2F"+
		"&pay_sig=c37809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5"+
		"&signature=089d9e8dc5d308977360c4b79ec600a93d736802802a807d634192328032f6c7" {
		t.Errorf("%v %+v", err, peer.sent)
	}
}

func TestCallRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		api, body, sessionKey string
		env                   Env
		says                  string
	}{
		"an unknown name":                   {"create_order", `{}`, "", Production, "Endpoints"},
		"an unofficial name":                {"present_goods", `{"env":0}`, "", Production, "Endpoints"},
		"a path":                            {"/xpay/query_order", `{"env":0}`, "", Production, "Endpoints"},
		"the other env":                     {"query_order", `{"openid":"o","env":1}`, "", Production, `"env":0`},
		"no env in the sandbox":             {"query_order", `{"openid":"o"}`, "", Sandbox, `"env":1`},
		"env null in the sandbox":           {"query_order", `{"env":null}`, "", Sandbox, `"env":1`},
		"env twice":                         {"query_order", `{"env":0,"env":1}`, "", Production, "twice"},
		"an env that contradicts the key":   {"download_bill", `{"begin_ds":20260801,"end_ds":20260801,"env":1}`, "", Production, "env"},
		"no session key":                    {"currency_pay", `{"env":0}`, "", Production, "session key"},
		"a subscription in the sandbox":     {"query_subscribe_contract", `{"env":1}`, "", Sandbox, "production"},
		"an empty body":                     {"query_order", ``, "", Production, "not a JSON object"},
		"a list":                            {"query_order", `[]`, "", Production, "not a JSON object"},
		"two objects":                       {"query_order", `{"env":0}{"env":1}`, "", Production, "follows"},
		"half an object":                    {"query_order", `{"env":0`, "", Production, "well-formed"},
		"a body of more than two megabytes": {"upload_vp_file", `{"env":0,"a":"` + strings.Repeat("a", 2<<20) + `"}`, "", Production, "2 MiB"},
	} {
		c, peer, _ := client(t, `{"errcode":0}`)
		c.Merchant = merchant(t, row.env, vectorKey)
		_, err := c.Call(t.Context(), row.api, json.RawMessage(row.body), row.sessionKey)
		if err == nil || !strings.Contains(err.Error(), row.says) || len(peer.sent) != 0 || OutcomeUnknown(err) {
			t.Errorf("%s: %v, %d sent", name, err, len(peer.sent))
		}
	}
}

func TestCallTakesAMissingEnvForProduction(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, `{"errcode":0}`)
	if _, err := c.Call(t.Context(), "query_order", json.RawMessage(`{"openid":"o","order_id":"1"}`), ""); err != nil || len(peer.sent) != 1 {
		t.Error(err)
	}
	c.Merchant = merchant(t, Sandbox, vectorKey)
	if _, err := c.Call(t.Context(), "download_bill", json.RawMessage(`{"begin_ds":20260801,"end_ds":20260801}`), ""); err != nil {
		t.Errorf("an API without env: %v", err)
	}
}

func TestCallGivesTheErrorsOfTheTypedMethods(t *testing.T) {
	t.Parallel()
	c, _, _ := client(t, `{"errcode":268490002,"errmsg":"数据不存在 of oMARKED rid: 1-2-3"}`)
	_, err := c.Call(t.Context(), "query_order", json.RawMessage(`{"openid":"oMARKED","env":0,"order_id":"1"}`), "")
	var e *Error
	if !errors.Is(err, ErrNoOrder) || !errors.As(err, &e) || e.RID != "1-2-3" || strings.Contains(err.Error(), "oMARKED") {
		t.Error(err)
	}
	c, _, _ = client(t, "")
	if got, err := c.Call(t.Context(), "notify_provide_goods", json.RawMessage(`{"order_id":"1","env":0}`), ""); err != nil || string(got) != "{}" {
		t.Errorf("an empty answer: %s %v", got, err)
	}
	c, _, _ = client(t, `{"errcode":268490004,"errmsg":"repeated"}`)
	got, err := c.Call(t.Context(), "present_currency", json.RawMessage(`{"openid":"o","env":0,"order_id":"1","amount":1}`), "")
	if err != nil || string(got) != `{"errcode":268490004,"errmsg":"repeated"}` {
		t.Errorf("a done code: %s %v", got, err)
	}
}
