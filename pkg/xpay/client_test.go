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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tokens gives "T+0/", then "T+1/" after a refresh, which URLs must escape.
type tokens struct {
	serial   int
	rejected []string
	fails    error
}

func (s *tokens) AccessToken(context.Context) (string, error) {
	return fmt.Sprintf("T+%d/", s.serial), nil
}

func (s *tokens) RefreshAccessToken(_ context.Context, rejected string) (string, error) {
	s.rejected = append(s.rejected, rejected)
	s.serial++
	return fmt.Sprintf("T+%d/", s.serial), s.fails
}

type sent struct{ path, query, body, contentType, length string }

// peer answers with the given bodies in turn and keeps what came.
type peer struct {
	answers []string
	status  int
	sent    []sent
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.sent = append(p.sent, sent{r.Method + " " + r.URL.Path, r.URL.RawQuery, string(body),
		r.Header.Get("Content-Type"), r.Header.Get("Content-Length")})
	answer := p.answers[min(len(p.sent), len(p.answers))-1]
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	io.WriteString(w, answer)
}

func client(t testing.TB, answers ...string) (*Client, *peer, *tokens) {
	t.Helper()
	p, s := &peer{answers: answers}, &tokens{}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return &Client{Merchant: merchant(t, Production, vectorKey), Tokens: s, HTTP: server.Client(), BaseURL: server.URL}, p, s
}

const realOrder = `{"errcode":0,"errmsg":"OK","order":{"ext":{},"provide_time":1776852732,"create_time":1776852722,"paid_time":1776852730,"biz_type":1000,"paid_fee":1,"channel_order_id":"202604221288514046","biz_meta":"{\"attach\":\"testData\"}","token":"E-260422181155364598","sett_time":0,"update_time":1776852790,"wxpay_order_id":"4500000138202604228164730168","order_fee":1,"wx_order_id":"VPO260422181202013995807","sett_state":3,"order_id":"OTN1776852737980","order_type":0,"env_type":1,"status":4,"left_fee":1}}`

var c5bRefund = RefundRequest{OpenID: "oABC", Order: ByOrderID("ORDER20260801001"), RefundOrderID: "REFUND20260801001",
	LeftFee: 100, RefundFee: 30, BizMeta: `{"why":"test"}`, Reason: ReasonUser, From: FromUser}

func TestRequestsAreTheBytesOfC5(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path, body, sig string
		call                  func(*Client) error
	}{
		{"C5a", "POST /xpay/query_order", c5aBody, c5aSig, func(c *Client) error {
			_, err := c.QueryOrder(t.Context(), "oABC", ByOrderID("ORDER20260801001"))
			return err
		}},
		{"C5b", "POST /xpay/refund_order", c5bBody, c5bSig, func(c *Client) error {
			_, err := c.RefundOrder(t.Context(), c5bRefund)
			return err
		}},
		{"C5c", "POST /xpay/notify_provide_goods", c5cBody, c5cSig, func(c *Client) error {
			return c.NotifyProvideGoods(t.Context(), ByOrderID("ORDER20260801001"))
		}},
	} {
		client, peer, _ := client(t, `{"errcode":0,"order":{"order_id":"ORDER20260801001","status":4}}`)
		if err := c.call(client); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		want := []sent{{c.path, "access_token=T%2B0%2F&pay_sig=" + c.sig, c.body, "application/json", fmt.Sprint(len(c.body))}}
		if diff := cmp.Diff(want, peer.sent, cmp.AllowUnexported(sent{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestWeChatsNumberGoesAlone(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, `{"errcode":0,"order":{"wx_order_id":"VPO1","status":4}}`)
	if _, err := c.QueryOrder(t.Context(), "oABC", ByWxOrderID("VPO1")); err != nil {
		t.Fatal(err)
	}
	if got := peer.sent[0].body; got != `{"openid":"oABC","env":0,"wx_order_id":"VPO1"}` {
		t.Fatal(got)
	}
	mac := hmac.New(sha256.New, []byte(vectorKey))
	io.WriteString(mac, "/xpay/query_order&"+peer.sent[0].body)
	if !strings.HasSuffix(peer.sent[0].query, "pay_sig="+hex.EncodeToString(mac.Sum(nil))) {
		t.Fatal(peer.sent[0].query)
	}
}

func TestAUserSignatureIsSentWhereTheRowSaysSo(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, `{"errcode":268490004,"errmsg":"repeated","balance":"5"}`)
	row := endpoint{name: "query_user_balance", paySig: true, userSig: true, done: []int{repeated}}
	body := map[string]int{"env": 0}
	if _, err := c.call(t.Context(), row, request{body: body}); err == nil || len(peer.sent) != 0 {
		t.Fatalf("without a session key: %v", err)
	}
	a, err := c.call(t.Context(), row, request{body: body, sessionKey: vectorSession})
	if err != nil || a.node.child("balance").text != "5" {
		t.Fatalf("a done code: %v", err)
	}
	mac := hmac.New(sha256.New, []byte(vectorSession))
	io.WriteString(mac, `{"env":0}`)
	if !strings.HasSuffix(peer.sent[0].query, "&signature="+hex.EncodeToString(mac.Sum(nil))) {
		t.Fatal(peer.sent[0].query)
	}
}

func fen(n Fen) *Fen { return &n }

func TestQueryOrderReadsARealAnswer(t *testing.T) {
	t.Parallel()
	c, _, _ := client(t, realOrder)
	got, err := c.QueryOrder(t.Context(), "oABC", ByOrderID("OTN1776852737980"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Raw) == 0 || got.Raw[0] != '{' || got.Attach() != "testData" || !got.Status.Paid() {
		t.Errorf("raw %s attach %q status %v", got.Raw, got.Attach(), got.Status)
	}
	got.Raw = nil
	want := Order{OrderID: "OTN1776852737980", WxOrderID: "VPO260422181202013995807", CreateTime: 1776852722, UpdateTime: 1776852790,
		Status: StatusDelivered, BizType: 1000, OrderFee: fen(1), PaidFee: fen(1), LeftFee: fen(1), PaidTime: 1776852730,
		ProvideTime: 1776852732, BizMeta: `{"attach":"testData"}`, EnvType: 1, Token: "E-260422181155364598",
		ChannelOrderID: "202604221288514046", WxpayOrderID: "4500000138202604228164730168", SettState: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNumbersInAnswersMayBeText(t *testing.T) {
	t.Parallel()
	c, _, _ := client(t, `{"errcode":"0","order":{"order_id":"r1","status":"8","order_type":"1","refund_fee":"30","env_type":"2","biz_meta":"mine","new":[[1],{"a":null}]}}`)
	o, err := c.QueryOrder(t.Context(), "o", ByOrderID("r1"))
	if err != nil || !o.Status.RefundDone() || o.OrderType != 1 || *o.RefundFee != 30 || o.EnvType != Sandbox.Type() ||
		o.LeftFee != nil || o.OrderFee != nil || o.Attach() != "" {
		t.Fatalf("%+v %v", o, err)
	}
}

func TestStatusesMeanWhatTheTableSays(t *testing.T) {
	t.Parallel()
	for s := Status(-1); s <= 11; s++ {
		paid, done, failed := s == 2 || s == 3 || s == 4, s == 8 || s == 9 || s == 10, s == 7
		if s.Paid() != paid || s.RefundDone() != done || s.RefundFailed() != failed {
			t.Errorf("status %d", s)
		}
	}
	if StatusPaid.String() != "paid" || Status(99).String() != "status(99)" {
		t.Error("names")
	}
}

func TestUnknownOrders(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`{"errcode":268490002,"errmsg":"数据不存在 rid: 1-2-3"}`, `{"errcode":0,"errmsg":"ok","order":null}`,
		`{"errcode":0,"errmsg":"ok"}`, `{"errcode":0,"errmsg":"ok","order":{}}`, `{"errcode":0,"errmsg":"ok","order":{"status":0}}`,
	} {
		c, _, _ := client(t, answer)
		_, err := c.QueryOrder(t.Context(), "o", ByOrderID("unknown1"))
		if !errors.Is(err, ErrNoOrder) || errors.Is(err, ErrNoAnswer) || OutcomeUnknown(err) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	c, _, _ := client(t, `{"errcode":268490002,"errmsg":"openid字段错误 rid: 1-2-3"}`)
	_, err := c.QueryOrder(t.Context(), "o", ByOrderID("unknown1"))
	var e *Error
	if errors.Is(err, ErrNoOrder) || !errors.As(err, &e) || e.RID != "1-2-3" || e.Message != "openid字段错误" || e.API != "query_order" {
		t.Errorf("%v", err)
	}
}

func TestARidIsAWordOfItsOwn(t *testing.T) {
	t.Parallel()
	for errmsg, want := range map[string][2]string{
		"system error rid: 6a-1-2":             {"system error", "6a-1-2"},
		"参数错误rid:6a-1-2":                       {"参数错误", "6a-1-2"},
		"rid: 6a-1-2":                          {"", "6a-1-2"},
		"rid: wrong, rid: 6a-1-2 and so on":    {"rid: wrong,", "6a-1-2"},
		"the field grid: must be a text":       {"the field grid: must be a text", ""},
		"the field grid: is wrong rid: 6a-1-2": {"the field grid: is wrong", "6a-1-2"},
		"my_rid: 1":                            {"my_rid: 1", ""},
		"":                                     {"", ""},
	} {
		e := newError("query_order", -1, errmsg, nil)
		if e.Message != want[0] || e.RID != want[1] {
			t.Errorf("%s: %q, %q", errmsg, e.Message, e.RID)
		}
	}
}

func TestRefusedIsToldOfEveryRefusalAndOfNoSuccess(t *testing.T) {
	t.Parallel()
	c, _, _ := client(t, `{"errcode":-1}`, `{"errcode":42001}`, `{"errcode":268490004}`,
		`{"errcode":0,"balance":5}`, "<html>", `{"errcode":268490006}`)
	var told []int
	c.Refused = func(e *Error) { told = append(told, e.Code) }
	var n naps
	c.Retry = n.retry(2, 0)
	for range 2 {
		if _, err := c.CurrencyPay(t.Context(), c5eSpend, vectorSession); err != nil { // busy, token, done; then 0
			t.Fatal(err)
		}
	}
	if _, err := c.CurrencyPay(t.Context(), c5eSpend, vectorSession); err == nil {
		t.Error("a spend of too much")
	}
	if diff := cmp.Diff([]int{-1, 42001, 268490006}, told); diff != "" {
		t.Error(diff)
	}
}

func TestARejectedTokenIsRefreshedOnceAndTheBytesRepeated(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40001, 40014, 42001} {
		c, peer, tokens := client(t, fmt.Sprintf(`{"errcode":%d,"errmsg":"expired"}`, code), `{"errcode":0,"refund_wx_order_id":7,"pay_order_id":"ORDER20260801001"}`)
		reply, err := c.RefundOrder(t.Context(), c5bRefund)
		if err != nil || reply.RefundWxOrderID != "7" || reply.PayOrderID != "ORDER20260801001" {
			t.Fatalf("%d: %+v %v", code, reply, err)
		}
		if len(peer.sent) != 2 || peer.sent[0].body != peer.sent[1].body || cmp.Diff(tokens.rejected, []string{"T+0/"}) != "" ||
			!strings.HasPrefix(peer.sent[1].query, "access_token=T%2B1%2F&") {
			t.Errorf("%d: %+v %v", code, peer.sent, tokens.rejected)
		}
	}
	c, peer, tokens := client(t, `{"errcode":40001}`)
	_, err := c.RefundOrder(t.Context(), c5bRefund)
	var e *Error
	if !errors.As(err, &e) || e.Class() != ClassRefresh || len(peer.sent) != 2 || OutcomeUnknown(err) {
		t.Errorf("rejected twice: %v, %d sent", err, len(peer.sent))
	}
	tokens.fails = errors.New("no token")
	if _, err := c.RefundOrder(t.Context(), c5bRefund); !errors.Is(err, tokens.fails) || !errors.As(err, &e) || len(peer.sent) != 3 {
		t.Errorf("no refresh: %v", err)
	}
}

func TestNothingElseIsRepeated(t *testing.T) {
	t.Parallel()
	for _, info := range Codes() {
		if info.Class == ClassRefresh || info.Code == 0 {
			continue
		}
		c, peer, _ := client(t, fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, info.Code))
		_, err := c.RefundOrder(t.Context(), c5bRefund)
		var e *Error
		if !errors.As(err, &e) || e.Code != info.Code || len(peer.sent) != 1 {
			t.Errorf("%d: %v, %d sent", info.Code, err, len(peer.sent))
		}
		if OutcomeUnknown(err) != (info.Class == ClassRetry || info.Code == -15027) { // which may mean: charged before
			t.Errorf("%d: OutcomeUnknown is %t", info.Code, OutcomeUnknown(err))
		}
	}
}

func TestNotifyProvideGoodsTakesAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	for answer, ok := range map[string]bool{
		"": true, "\n": true, "{}": true, `{"errcode":0}`: true, `{"errcode":268490004,"errmsg":"repeated"}`: true,
		`{"errcode":-1}`: false, "<html>": false, "ok": false, `{"errmsg":"ok"}`: false,
	} {
		c, _, _ := client(t, answer)
		if err := c.NotifyProvideGoods(t.Context(), ByOrderID("ORDER20260801001")); (err == nil) != ok {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

func TestNoUsableAnswerLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		answer string
		status int
		ctx    context.Context
	}{
		"HTML":                    {answer: "<html>bad gateway</html>"},
		"an empty body":           {answer: ""},
		"an empty object":         {answer: "{}"},
		"no errcode":              {answer: `{"message":"from a proxy"}`},
		"errcode as words":        {answer: `{"errcode":"none"}`},
		"two values":              {answer: `{"errcode":0}{"errcode":0}`},
		"a body above the cap":    {answer: `{"errcode":0}` + strings.Repeat(" ", answerBytesMax)},
		"HTTP 412":                {answer: "{}", status: 412},
		"HTTP 500 with errcode 0": {answer: `{"errcode":0}`, status: 500},
		"HTTP 302":                {answer: "", status: 302},
		"a cancelled context":     {answer: `{"errcode":0}`, ctx: ended},
	} {
		client, peer, _ := client(t, c.answer)
		peer.status = c.status
		if c.ctx == nil {
			c.ctx = t.Context()
		}
		_, err := client.RefundOrder(c.ctx, c5bRefund)
		if !errors.Is(err, ErrNoAnswer) || !OutcomeUnknown(err) || len(peer.sent) > 1 || errors.Is(err, context.Canceled) != (c.ctx == ended) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, _, _ := client(t, `{"errcode":0,"order":{"order_id":"1","status":2,"left_fee":1.5}}`)
	if _, err := c.QueryOrder(t.Context(), "o", ByOrderID("1")); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "left_fee") {
		t.Errorf("money that is no integer: %v", err)
	}
}

func TestATimeoutIsADeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c := Client{Merchant: merchant(t, Production, vectorKey), Tokens: &tokens{}, BaseURL: server.URL, HTTP: &http.Client{Timeout: 20 * time.Millisecond}}
	_, err := c.RefundOrder(t.Context(), c5bRefund)
	if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "access_token") {
		t.Fatal(err)
	}
}

func TestErrorsNeverHoldSecretsOrTheOpenID(t *testing.T) {
	t.Parallel()
	const openID, token = "oMARKED", "T+0/"
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	echo, _, _ := client(t, `{"errcode":-1,"errmsg":"oMARKED with T+0/ failed\nrid: 1"}`)
	refused := &Client{Merchant: echo.Merchant, Tokens: echo.Tokens, BaseURL: dead.URL}
	odd := &Client{Merchant: echo.Merchant, Tokens: echo.Tokens, BaseURL: "http://\x7f"}
	for _, c := range []*Client{echo, refused, odd} {
		_, err := c.QueryOrder(t.Context(), openID, ByOrderID("ORDER001"))
		if err == nil {
			t.Fatal("no error")
		}
		for _, secret := range []string{openID, token, "T%2B0", vectorKey, "access_token=", "pay_sig"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v holds %s", err, secret)
			}
		}
	}
}

func TestCallsRefuseBeforeSending(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, realOrder)
	change := func(f func(*RefundRequest)) error {
		r := c5bRefund
		f(&r)
		_, err := c.RefundOrder(t.Context(), r)
		return err
	}
	query := func(c *Client, openID string, ref OrderRef) error {
		_, err := c.QueryOrder(t.Context(), openID, ref)
		return err
	}
	for name, err := range map[string]error{
		"a query without openid":           query(c, "", ByOrderID("1")),
		"a query without a number":         query(c, "o", OrderRef{}),
		"a query with an empty number":     query(c, "o", ByOrderID("")),
		"a client without merchant":        query(&Client{Tokens: &tokens{}}, "o", ByOrderID("1")),
		"a client without tokens":          query(&Client{Merchant: c.Merchant}, "o", ByOrderID("1")),
		"a notice without a number":        c.NotifyProvideGoods(t.Context(), OrderRef{}),
		"a refund without openid":          change(func(r *RefundRequest) { r.OpenID = "" }),
		"a refund of no order":             change(func(r *RefundRequest) { r.Order = OrderRef{} }),
		"a refund with a short number":     change(func(r *RefundRequest) { r.RefundOrderID = "r1" }),
		"a refund of nothing":              change(func(r *RefundRequest) { r.RefundFee = 0 }),
		"a refund of more than is left":    change(func(r *RefundRequest) { r.RefundFee = 101 }),
		"a refund for a reason in words":   change(func(r *RefundRequest) { r.Reason = "price" }),
		"a refund for reason 6":            change(func(r *RefundRequest) { r.Reason = "6" }),
		"a refund from nobody":             change(func(r *RefundRequest) { r.From = "" }),
		"a refund with a long explanation": change(func(r *RefundRequest) { r.BizMeta = strings.Repeat("x", 1025) }),
	} {
		if err == nil || OutcomeUnknown(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(peer.sent) != 0 {
		t.Errorf("sent %+v", peer.sent)
	}
}

func TestAnAnswerThatIsNotOneOrderIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`{"errcode":0,"order":{"order_id":"A2345678","status":2},"order":{"order_id":"B2345678","status":6}}`,
		`{"errcode":0,"order":{"status":2,"paid_fee":100}}`,
		`{"errcode":0,"order":{"order_id":{"x":1},"status":2}}`,
	} {
		c, _, _ := client(t, answer)
		if _, err := c.QueryOrder(t.Context(), "o", ByOrderID("A2345678")); !errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrNoOrder) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	c, _, _ := client(t, `{"errcode":0,"Order":{"order_id":"other","status":6},"order":{"order_id":"A2345678","status":2}}`)
	o, err := c.QueryOrder(t.Context(), "o", ByOrderID("A2345678"))
	if err != nil || o.OrderID != "A2345678" || !strings.Contains(string(o.Raw), "A2345678") {
		t.Errorf("%+v, %v", o, err)
	}
}
