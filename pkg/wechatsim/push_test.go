package wechatsim_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// Replies of vectors C8 and C9: ErrCode 0, encrypted under the test key for timestamp 1785600000, nonce 1234567890.
const (
	c8Encrypt = "MZyXCo7ZhRNS670+xuGdJkmAnWh9gcjuafCQ1jIYylEf9Pj2073Gm7Q4iZqaT9YE2n4pxD9Q7JWVChRsd6aFjt/b69q0qex29fIVDrGZLUnSQGNFIVO9urWJ6Uw/3XAS"
	c8Sig     = "7ec2f8c4f87caceb1fe8d6651f0696a21018e200"
	c9Encrypt = "MZyXCo7ZhRNS670+xuGdJkY2R10jNvsM/Co3cvj1GNyM7W11N6iCAko1CBdpM79aCYDa5vpzpab+WHZ9h+N5RbNztJm+BNyLVQJIYROqakbA/kD41KeUR4E/ikMTg59nPjqUAJyseYnbd+mXiA9PBuZzyn76I/YdMY4PY2fRpWY="
	c9Sig     = "b2b9038bbe74aa2cf3c5171f562831edcce66a07"
)

func sha1Sorted(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// TestRepeatSchedule: one try and fifteen repeats over 65 534 s, then silence (xpay spec 7.1).
func TestRepeatSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 500, "" }
	start := w.clock.Now()
	w.buy("ORDER0001")
	sent, gap := 0, time.Duration(0)
	for due, ok := w.sim.NextPush(); ok; due, ok = w.sim.NextPush() {
		w.clock.Advance(due.Sub(w.clock.Now()))
		if sent > 0 {
			gap = max(gap, w.clock.Now().Sub(start))
		}
		sent += w.deliver()
		if w.deliver() != 0 {
			t.Fatal("a push left before its time")
		}
	}
	if sent != 16 || gap != 65534*time.Second {
		t.Errorf("%d pushes over %s, want 16 over 65534 s", sent, gap)
	}
	v := w.order("ORDER0001")
	if p := v.Pushes[0]; v.Status != 2 || p.Attempts != 16 || p.Answered || p.LastAnswer != "HTTP 500" || !p.NextAt.IsZero() {
		t.Errorf("view is %+v", v)
	}
	first := w.recv.got[0].query
	for _, g := range w.recv.got {
		if g.query.Encode() != first.Encode() {
			t.Errorf("a repeat carries %v, the first %v", g.query, first)
		}
	}
}

func TestAcknowledgedPushDelivers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(n int, _ *http.Request, _ []byte) (int, string) {
		if n < 3 {
			return 200, `{"ErrCode":1,"ErrMsg":"busy"}`
		}
		return 200, `{"ErrCode":0,"ErrMsg":"success"}`
	}
	w.buy("ORDER0001")
	w.deliver()
	if p := w.order("ORDER0001").Pushes[0]; p.LastAnswer != "ErrCode 1: busy" || p.NextAt.Sub(w.clock.Now()) != 2*time.Second {
		t.Errorf("push is %+v", p)
	}
	for range 3 {
		w.clock.Advance(10 * time.Second)
		w.deliver()
	}
	v := w.order("ORDER0001")
	if len(w.recv.got) != 3 || v.Status != 4 || v.DeliveredAt.IsZero() || !v.Pushes[0].Answered {
		t.Errorf("after %d pushes: %+v", len(w.recv.got), v)
	}
	if o := w.show("ORDER0001"); fmt.Sprint(o["provide_time"]) == "0" {
		t.Error("provide_time is not set")
	}
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	wrap := func(text, sig string) string {
		return fmt.Sprintf(`{"Encrypt":%q,"MsgSignature":%q,"TimeStamp":1785600000,"Nonce":"1234567890"}`, text, sig)
	}
	wrapXML := func(text, sig string) string {
		return fmt.Sprintf(`<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature><TimeStamp>1785600000</TimeStamp><Nonce><![CDATA[1234567890]]></Nonce></xml>`, text, sig)
	}
	tests := []struct {
		name, format, mode, reply string
		status                    int
		ok                        bool
	}{
		{"empty", "json", "plain", "", 200, true},
		{"success", "xml", "plain", "success\n", 200, true},
		{"JSON ErrCode 0", "json", "plain", `{"ErrCode":0,"ErrMsg":"success"}`, 200, true},
		{"XML ErrCode 0", "xml", "plain", `<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>`, 200, true},
		{"success with HTTP 201", "json", "plain", "success", 201, false},
		{"nobody there", "json", "plain", "", 0, false},
		{"JSON to XML", "xml", "plain", `{"ErrCode":0}`, 200, false},
		{"XML to JSON", "json", "plain", `<xml><ErrCode>0</ErrCode></xml>`, 200, false},
		{"errcode in small letters", "json", "plain", `{"errcode":0}`, 200, false},
		{"Errcode in XML", "xml", "plain", `<xml><Errcode>0</Errcode></xml>`, 200, false},
		{"ErrCode as text", "json", "plain", `{"ErrCode":"0"}`, 200, false},
		{"ErrCode 1", "xml", "plain", `<xml><ErrCode>1</ErrCode></xml>`, 200, false},
		{"an HTML page", "xml", "plain", `<html><body>502</body></html>`, 200, false},
		{"SUCCESS in capitals", "json", "plain", "SUCCESS", 200, false},
		{"empty in secure mode", "json", "aes", "", 200, true},
		{"success in secure mode", "xml", "aes", "success", 200, true},
		{"encrypted JSON (C8)", "json", "aes", wrap(c8Encrypt, c8Sig), 200, true},
		{"encrypted XML (C9)", "xml", "aes", wrapXML(c9Encrypt, c9Sig), 200, true},
		{"clear ErrCode in secure mode", "json", "aes", `{"ErrCode":0}`, 200, false},
		{"encrypted with a wrong signature", "json", "aes", wrap(c8Encrypt, c9Sig), 200, false},
		{"encrypted XML inside JSON", "json", "aes", wrap(c9Encrypt, c9Sig), 200, false},
		{"TimeStamp as text", "json", "aes", strings.Replace(wrap(c8Encrypt, c8Sig), "1785600000", `"1785600000"`, 1), 200, false},
	}
	for _, tt := range tests {
		w := newWorld(t, func(c *wechatsim.Config) { c.Push.Format, c.Push.Mode = tt.format, tt.mode })
		w.recv.answer = func(int, *http.Request, []byte) (int, string) { return tt.status, tt.reply }
		w.buy("ORDER0001")
		w.deliver()
		if p := w.order("ORDER0001").Pushes[0]; p.Answered != tt.ok || p.LastAnswer == "" {
			t.Errorf("%s: %+v, want answered %t", tt.name, p, tt.ok)
		}
	}
}

func TestPushEnvelope(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "xml"} {
		w := newWorld(t, func(c *wechatsim.Config) {
			c.Push.Format, c.Push.Mode, c.Push.URL = format, "aes", "http://shop.test/push?shop=1"
		})
		w.buy("ORDER0001")
		w.deliver()
		g := w.recv.got[0]
		q, body := g.query, g.body
		text := body[strings.Index(body, `"Encrypt":"`)+len(`"Encrypt":"`):]
		text = strings.TrimSuffix(text, `"}`)
		if format == "xml" {
			_, text, _ = strings.Cut(body, "<Encrypt><![CDATA[")
			text, _, _ = strings.Cut(text, "]]>")
		}
		if want := sha1Sorted("vp_token_1", q.Get("timestamp"), q.Get("nonce")); q.Get("signature") != want {
			t.Errorf("%s: signature is %s", format, q.Get("signature"))
		}
		if want := sha1Sorted("vp_token_1", q.Get("timestamp"), q.Get("nonce"), text); q.Get("msg_signature") != want {
			t.Errorf("%s: msg_signature is %s", format, q.Get("msg_signature"))
		}
		if q.Get("encrypt_type") != "aes" || q.Get("shop") != "1" || q.Get("openid") == testUser || strings.Contains(body, "ORDER0001") {
			t.Errorf("%s: query %v body %s", format, q, body)
		}
	}
}

func TestSlowReceiverDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	arrived := make(chan string, 16)
	w.recv.answer = func(n int, _ *http.Request, body []byte) (int, string) {
		arrived <- string(body)
		if strings.Contains(string(body), "ORDER0000") {
			<-release
		}
		return 200, ""
	}
	for i := range 5 {
		w.buy(fmt.Sprintf("ORDER%04d", i))
	}
	done := make(chan struct{})
	go func() { defer close(done); w.sim.Run(t.Context()) }()
	for range 5 {
		<-arrived
	}
	close(release)
	w.buy("ORDER0009")
	<-arrived
	t.Cleanup(func() { <-done })
}

func TestComplaintAndOwnPushes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.Push.Format = "xml" })
	w.buy("ORDER0001")
	w.deliver()
	a := w.object("POST", "/sim/complaint", `{"outTradeNo":"ORDER0001","detail":"未到账"}`)
	w.deliver()
	if body := w.recv.bodies()[1]; !strings.Contains(body, "<ComplaintId><![CDATA["+a["complaintId"].(string)+"]]></ComplaintId>") || !strings.Contains(body, "<RetryTimes>0</RetryTimes>") {
		t.Errorf("complaint is %s", body)
	}
	a = w.object("POST", "/sim/push", `{"event":"debug_demo","body":{"FromUserName":"oX","debug_str":"a]]>b","n":7,"deep":{"x":[1]}}}`)
	if a["answered"] != true {
		t.Errorf("result is %v", a)
	}
	want := `<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[debug_demo]]></Event><FromUserName><![CDATA[oX]]></FromUserName><debug_str><![CDATA[a]]]]><![CDATA[>b]]></debug_str><n>7</n><deep><x><![CDATA[[1]]]></x></deep></xml>`
	if body := w.recv.bodies()[2]; !strings.HasSuffix(body, want) {
		t.Errorf("push is %s", body)
	}
	for _, bad := range []string{`{}`, `{"event":"x"}`, `{"event":"x","body":[]}`, `{"event":"x","body":{"a b":1}}`, `{"evnt":"x"}`} {
		if status, _ := w.do("POST", "/sim/push", bad); status != 400 {
			t.Errorf("%s: HTTP %d", bad, status)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.Push.Mode = "aes" })
	w.recv.answer = func(n int, r *http.Request, _ []byte) (int, string) {
		q := r.URL.Query()
		if n == 1 && r.Method == "GET" && q.Get("signature") == sha1Sorted("vp_token_1", q.Get("timestamp"), q.Get("nonce")) {
			return 200, q.Get("echostr")
		}
		return 200, `"` + q.Get("echostr") + `"`
	}
	wantField(t, w.object("POST", "/sim/checkURL", ""), "ok", true)
	wantField(t, w.object("POST", "/sim/checkURL", ""), "ok", false)
}

// A receiver that dies loses neither its own push nor those behind it.
func TestPanickingReceiver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(n int, _ *http.Request, _ []byte) (int, string) {
		if n == 1 {
			panic("crash")
		}
		return 200, ""
	}
	w.buy("ORDER0001")
	w.buy("ORDER0002")
	func() {
		defer func() {
			if recover() != "crash" {
				t.Error("the panic was swallowed")
			}
		}()
		w.deliver()
	}()
	if n := w.deliver(); n != 1 || w.order("ORDER0002").Status != 4 {
		t.Errorf("%d pushes after the crash", n)
	}
	w.clock.Advance(2 * time.Second)
	if w.deliver(); w.order("ORDER0001").Status != 4 || w.order("ORDER0001").Pushes[0].Attempts != 2 {
		t.Errorf("order is %+v", w.order("ORDER0001"))
	}
}

// A push cut short by its own sender is not counted and stays due.
func TestEndedContextKeepsPushes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { cancel(); return 0, "" }
	w.buy("ORDER0001")
	w.buy("ORDER0002")
	w.sim.DeliverDue(ctx)
	if p := w.order("ORDER0001").Pushes[0]; p.Attempts != 0 {
		t.Errorf("push is %+v", p)
	}
	w.recv.answer = nil
	if n := w.deliver(); n != 2 {
		t.Errorf("%d pushes left, want both", n)
	}
}

// Apple's question is asked three times, and success is no answer to it.
func TestAppleQuestionIsAskedThreeTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 200, "success" }
	w.buyWith("APPLE0001", "pay", "apple")
	w.deliver()
	if err := w.sim.AskAppleRefund("APPLE0001", "OTHER"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.deliver()
		w.clock.Advance(time.Minute)
	}
	if p := w.order("APPLE0001").Pushes[1]; p.Attempts != 3 || p.Answered || !p.NextAt.IsZero() {
		t.Errorf("question is %+v", p)
	}
}
