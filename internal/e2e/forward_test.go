package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
)

// receiver is whoever gets the messages that are not ours.
type receiver struct {
	status      int
	reply, kind string
	got         []string // query and body
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.got = append(r.got, req.Method+" "+req.URL.Path+"?"+req.URL.RawQuery+" "+req.Header.Get("Content-Type")+"\n"+string(body))
	if r.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", r.kind)
	w.WriteHeader(r.status)
	io.WriteString(w, r.reply)
}

func withReceiver(t *testing.T, r *receiver) *world {
	l := &wire{hosts: localenv.Inproc{"receiver.local": r}}
	return begin(t, forwardTo, transport(l.wrap))
}

const subscribeEvent = `{"ToUserName":"gh","FromUserName":"o","CreateTime":1,"MsgType":"event","Event":"subscribe"}`

func TestWhatIsNotOursIsForwardedAsItCameAndTheReceiversAnswerReturned(t *testing.T) {
	t.Parallel()
	for _, c := range []receiver{
		{status: 200, reply: "success", kind: "text/plain"},
		{status: 200, reply: "<xml><MsgType>text</MsgType></xml>", kind: "text/xml; charset=utf-8"},
		{status: 200, reply: "", kind: ""},
		{status: 500, reply: "down", kind: "text/plain"},
	} {
		r := c
		w := withReceiver(t, &r)
		q, raw := forged{at: w.now()}.make(subscribeEvent)
		a := w.call("POST", "/wechat/push?"+q.Encode(), string(raw), "Content-Type", "text/xml")
		if a.status != c.status || string(a.body) != c.reply || a.header.Get("Content-Type") != c.kind {
			t.Errorf("answered %s as %q, want %+v", a, a.header.Get("Content-Type"), c)
		}
		want := "POST /hook?who=xpay&" + q.Encode() + " text/xml\n" + string(raw)
		if len(r.got) != 1 || r.got[0] != want {
			t.Errorf("the receiver got %q, want %q", r.got, want)
		}
	}
}

func TestAReceiverThatIsDownIsNoAcknowledgement(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	w := withReceiver(t, r)
	if status, body := w.push(forged{}, subscribeEvent); status != 502 && status != 503 && status != 504 {
		t.Errorf("answered %d %s", status, body)
	}
	if len(r.got) != 1 {
		t.Errorf("the receiver was called %d times", len(r.got))
	}
}

func TestWhatIsOursIsNotForwardedAndWhatIsForgedNeither(t *testing.T) {
	t.Parallel()
	r := &receiver{status: 200, reply: "success"}
	w := withReceiver(t, r)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.settle()
	w.is(id, "delivered", true)
	w.push(forged{token: "guessed"}, subscribeEvent)
	w.push(forged{token: "guessed", plain: true}, subscribeEvent)
	w.push(forged{}, goodPush("aaaaaaaaaaaaaaaaaaaaaaaaaa", "1").json())
	if len(r.got) != 0 {
		t.Errorf("forwarded: %q", r.got)
	}
}

func TestPaidPushesOfSomebodyElseAreForwarded(t *testing.T) {
	t.Parallel()
	r := &receiver{status: 200, reply: `{"ErrCode":0}`, kind: "application/json"}
	w := withReceiver(t, r)
	foreign, otherEnv := goodPush("ORDER20260801001", "1"), goodPush("aaaaaaaaaaaaaaaaaaaaaaaaaa", "1")
	otherEnv.env = 0
	for i, push := range []paid{foreign, otherEnv} {
		if status, body := w.push(forged{}, push.json()); status != 200 || body != `{"ErrCode":0}` {
			t.Errorf("%d answered %d %s", i, status, body)
		}
	}
	w.push(forged{appID: "wxsomebodyelse0000"}, goodPush("aaaaaaaaaaaaaaaaaaaaaaaaaa", "1").json())
	if len(r.got) != 3 {
		t.Errorf("forwarded %d of 3", len(r.got))
	}
}

func TestTheReceiverIsNotHandedOurSecrets(t *testing.T) {
	t.Parallel()
	r := &receiver{status: 200, reply: "success"}
	w := withReceiver(t, r)
	w.push(forged{}, subscribeEvent)
	for _, secret := range []string{appSecret, keyProd, keySandbox, pushToken, aesKey, sealKey} {
		if strings.Contains(strings.Join(r.got, ""), secret) {
			t.Errorf("the receiver got %s", secret)
		}
	}
}
