package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pushVector is a push of spec 3.9, from the files of pkg/xpay.
type pushVector struct {
	ID, Kind, AppID, Token, EncodingAESKey, Timestamp, Nonce, Signature, Format, Message, Encrypt, MsgSignature, OpenID, Echostr string
}

func pushVectors(t *testing.T) map[string]pushVector {
	t.Helper()
	raw, err := os.ReadFile("../../pkg/xpay/testdata/vectors/push.json")
	var all []pushVector
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil || len(all) < 10 {
		t.Fatalf("%d vectors: %v", len(all), err)
	}
	byID := map[string]pushVector{}
	for _, v := range all {
		byID[v.ID] = v
	}
	return byID
}

func (v pushVector) query() string {
	return fmt.Sprintf("signature=%s&timestamp=%s&nonce=%s&encrypt_type=aes&msg_signature=%s", v.Signature, v.Timestamp, v.Nonce, v.MsgSignature)
}

func (v pushVector) body() string {
	if v.Format == "xml" {
		return "<xml><ToUserName><![CDATA[gh_x]]></ToUserName><Encrypt><![CDATA[" + v.Encrypt + "]]></Encrypt></xml>"
	}
	return `{"ToUserName":"gh_x","Encrypt":"` + v.Encrypt + `"}`
}

func (v pushVector) args(more ...string) []string {
	return append([]string{"push", "open", "--token", v.Token, "--aes-key", v.EncodingAESKey, "--app-id", v.AppID}, more...)
}

// c6Time is a minute after C6 and C7 were signed.
const c6Time = "2026-08-01T16:01:00Z"

func TestOpenPrintsTheEventOfAVector(t *testing.T) {
	t.Parallel()
	vectors := pushVectors(t)
	for id, want := range map[string]string{
		"C6": vectors["C6"].Message,
		"C7": `{"ToUserName":"gh_0123456789ab","FromUserName":"oOfficialOpenId","CreateTime":"1785600000","MsgType":"event","Event":"xpay_goods_deliver_notify","OpenId":"oUserOpenId","OutTradeNo":"ORDER20260801001","Env":"0","WeChatPayInfo":{"MchOrderNo":"202608011234567890","TransactionId":"4500000138202608010000000001","PaidTime":"1785599990"},"GoodsInfo":{"ProductId":"testproductId","Quantity":"1","OrigPrice":"100","ActualPrice":"100","Attach":"testdata"}}`,
		"V7": vectors["V7"].Message,
	} {
		v := vectors[id]
		r := tool{stdin: v.body()}.run(t, v.args("--query", v.query(), "--max-age", "0")...).want(t, 0)
		if r.out != want+"\n" || r.stderr != "" {
			t.Errorf("%s: it printed\n%s%s, expected\n%s", id, r.out, r.stderr, want)
		}
	}
}

func TestOpenTakesAWholeURLAndPrintsMoreWithJSON(t *testing.T) {
	t.Parallel()
	v := pushVectors(t)["C7"]
	var got struct {
		Event, Format, AppID, SignedAt string
		Encrypted                      bool
		Message                        struct{ OutTradeNo string }
	}
	args := v.args("--query", "https://shop.example.com/wechat/push?"+v.query(), "--now", c6Time, "--json")
	tool{stdin: v.body()}.run(t, args...).want(t, 0).decode(t, &got)
	if got.Event != "xpay_goods_deliver_notify" || got.Format != "xml" || !got.Encrypted || got.AppID != v.AppID ||
		got.SignedAt != "2026-08-01T16:00:00Z" || got.Message.OutTradeNo != "ORDER20260801001" {
		t.Errorf("%+v", got)
	}
}

func TestOpenSaysWhatIsWrongAndPrintsNoSecret(t *testing.T) {
	t.Parallel()
	all := pushVectors(t)
	v, c11 := all["C6"], all["C11"]
	otherKey := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for name, c := range map[string]struct {
		body string
		args []string
		says []string
	}{
		"an old push":          {v.body(), v.args("--query", v.query(), "--now", "2026-08-03T16:00:00Z"), []string{"too old"}},
		"one from the future":  {v.body(), v.args("--query", v.query(), "--now", "2026-08-01T15:00:00Z"), []string{"from the future"}},
		"another token":        {v.body(), append(v.args("--query", v.query(), "--now", c6Time), "--token", "another"), []string{"does not fit", "the Token is another"}},
		"another AES key":      {v.body(), append(v.args("--query", v.query(), "--now", c6Time), "--aes-key", otherKey), []string{"EncodingAESKey"}},
		"a changed body":       {strings.Replace(v.body(), "qCBG", "qCBH", 1), v.args("--query", v.query(), "--now", c6Time), []string{"the Token is right", "the body was changed"}},
		"another AppID":        {v.body(), append(v.args("--query", v.query(), "--now", c6Time), "--app-id", "wxother"), []string{"another AppID"}},
		"the wrong signature":  {v.body(), v.args("--query", strings.ReplaceAll(v.query(), "&msg_signature=", "&x="), "--now", c6Time), []string{"msg_signature"}},
		"no body":              {"", v.args("--query", v.query(), "--now", c6Time), []string{"malformed"}},
		"an HTML page":         {"<html><body>", v.args("--query", v.query(), "--now", c6Time), []string{"malformed"}},
		"an event that is bad": {badEvent, append(v.args("--query", badQuery, "--now", c6Time), "--json"), []string{"RefundFee"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tool{stdin: c.body}.run(t, c.args...).want(t, 1, c.says...)
			if r.stderr == "" || strings.Contains(r.all(), v.Token) || strings.Contains(r.all(), v.EncodingAESKey) {
				t.Errorf("it printed %s", r.all())
			}
		})
	}
	tool{stdin: c11.body()}.run(t, c11.args("--query", c11.query(), "--now", c6Time)...).want(t, 0, `{"a":1}`)
}

// badEvent is correctly signed in plain mode, but its money is no number. C6's time, nonce and plain signature.
const (
	badEvent = `{"Event":"xpay_refund_notify","RefundFee":"much","RetCode":0}`
	badQuery = "signature=03c8d7cba68ef772d1370d5e36fb48821a7b63ec&timestamp=1785600000&nonce=1234567890"
)

func TestElementsThatComeAgainArePrintedAsAList(t *testing.T) {
	t.Parallel()
	const body = "<xml><Event>debug_demo</Event><A>1</A><B><C>x</C><C>y</C></B><A>2</A><A><D>z</D></A></xml>"
	r := tool{stdin: body}.run(t, "push", "open", "--token", "vp_token_1", "--query", badQuery, "--now", c6Time).want(t, 0)
	if want := `{"Event":"debug_demo","A":["1","2",{"D":"z"}],"B":{"C":["x","y"]}}` + "\n"; r.out != want {
		t.Errorf("it printed %s, expected %s", r.out, want)
	}
}

func TestOpenWarnsThatAPlainBodyIsNotSigned(t *testing.T) {
	t.Parallel()
	r := tool{stdin: `{"Event":"debug_demo"}`}.run(t, "push", "open", "--token", "vp_token_1", "--app-id", "wx1", "--query", badQuery, "--now", c6Time).want(t, 0, "does not cover this body")
	if r.out != `{"Event":"debug_demo"}`+"\n" {
		t.Errorf("it printed %s", r.out)
	}
}

func TestOpenAnswersTheCheckOfTheURL(t *testing.T) {
	t.Parallel()
	v := pushVectors(t)["V5"]
	q := fmt.Sprintf("signature=%s&timestamp=%s&nonce=%s&echostr=%s", v.Signature, v.Timestamp, v.Nonce, v.Echostr)
	if r := (tool{}).run(t, "push", "open", "--token", v.Token, "--app-id", "wx1", "--query", q, "--max-age", "0").want(t, 0); r.out != "4375120948345356249\n" {
		t.Errorf("it printed %s", r.out)
	}
	tool{}.run(t, "push", "open", "--token", "BBBBB", "--app-id", "wx1", "--query", q, "--max-age", "0").want(t, 1, "does not fit")
}

// TestOpenNeedsAnAppIDForWhatIsEncryptedOnly uses V5, C6 and a plain push with C6's signature.
func TestOpenNeedsAnAppIDForWhatIsEncryptedOnly(t *testing.T) {
	t.Parallel()
	v5, c6 := pushVectors(t)["V5"], pushVectors(t)["C6"]
	echo := fmt.Sprintf("signature=%s&timestamp=%s&nonce=%s&echostr=%s", v5.Signature, v5.Timestamp, v5.Nonce, v5.Echostr)
	tool{}.run(t, "push", "open", "--token", v5.Token, "--query", echo, "--max-age", "0").want(t, 0, "4375120948345356249")
	plain := tool{stdin: `{"Event":"debug_demo"}`}
	plain.run(t, "push", "open", "--token", "vp_token_1", "--query", badQuery, "--now", c6Time).want(t, 0, "debug_demo")
	plain.run(t, "push", "open", "--token", "vp_token_1", "--aes-key", c6.EncodingAESKey, "--query", badQuery, "--now", c6Time).want(t, 0, "debug_demo")
	if r := plain.run(t, "push", "open", "--token", "vp_token_1", "--query", badQuery, "--now", c6Time, "--json").want(t, 0); strings.Contains(r.out, "appId") {
		t.Errorf("an AppID that nobody gave is printed: %s", r.out)
	}
	sealed := tool{stdin: c6.body()}
	sealed.run(t, "push", "open", "--token", c6.Token, "--aes-key", c6.EncodingAESKey, "--query", c6.query(), "--now", c6Time).want(t, 2, "--app-id", "核对 AppID")
	sealed.run(t, "push", "open", "--token", "another", "--aes-key", c6.EncodingAESKey, "--query", c6.query(), "--now", c6Time).want(t, 1, "the Token is another")
}

// forged is what forge --json prints.
type forged struct{ URL, ContentType, Body, Event string }

func forge(t *testing.T, args ...string) forged {
	t.Helper()
	var f forged
	args = append([]string{"--json", "push", "forge", "--token", testToken, "--app-id", testAppID, "--aes-key", testAESKey, "--now", "2026-08-01T16:00:00Z"}, args...)
	tool{}.run(t, args...).want(t, 0).decode(t, &f)
	return f
}

// needs skips a test whose programs are not installed, except where CI is set: there it fails.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("MISSING: %s; CI does not pass without it", name)
		}
		t.Skipf("SKIPPED: this test needs %s", name)
	}
}

// TestEveryEventIsForgedInEveryFormat is checked with sha1sum and openssl.
func TestEveryEventIsForgedInEveryFormat(t *testing.T) {
	t.Parallel()
	needs(t, "sha1sum", "openssl", "sh")
	events := []string{
		"xpay_goods_deliver_notify", "xpay_coin_pay_notify", "xpay_refund_notify", "xpay_complaint_notify", "xpay_wxpay_callback_notify",
		"xpay_apple_subscribe_signing_result_notify", "xpay_apple_subscribe_unsigning_result_notify", "xpay_subscribe_ios_refund_query_notify",
		"xpay_subscribe_signing_result_notify", "xpay_subscribe_pay_fail_notify", "debug_demo",
	}
	for i, event := range events {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			format := []string{"json", "xml"}[i%2]
			f := forge(t, "--event", event, "--format", format)
			u, err := url.Parse(f.URL)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			encrypt := between(f.Body, `"Encrypt":"`, `"`)
			if format == "xml" {
				encrypt = between(f.Body, "<Encrypt><![CDATA[", "]]>")
			}
			if got := outside(t, "", "printf %s \"$(printf '%s\\n' '"+testToken+"' '"+q.Get("timestamp")+"' '"+q.Get("nonce")+"' '"+encrypt+"' | LC_ALL=C sort | tr -d '\\n')\" | sha1sum | cut -c1-40"); got != q.Get("msg_signature")+"\n" {
				t.Errorf("msg_signature is %s, sha1sum says %s", q.Get("msg_signature"), got)
			}
			plain := outside(t, encrypt, "openssl enc -d -aes-256-cbc -nopad -A -base64 -K 3031323334353637383961626364656630313233343536373839616263646566 -iv 30313233343536373839616263646566")
			if !strings.Contains(plain, f.Event+testAppID) || !strings.Contains(f.Event, event) || !strings.Contains(f.Event, "1785600000") {
				t.Errorf("openssl finds %q, expected %s", plain, f.Event)
			}
		})
	}
	if got := eventNames(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(events))) {
		t.Errorf("the events are %v", got)
	}
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

func outside(t *testing.T, stdin, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return string(out)
}

func TestForgeSetsFieldsAndKeepsTheirTypes(t *testing.T) {
	t.Parallel()
	set := []string{"--mode", "plain", "--event", "goods_deliver", "--set", "OutTradeNo=123", "--set", "GoodsInfo.ActualPrice=5", "--set", "TeamInfo.TeamId=T]]>1"}
	f := forge(t, append(set, "--format", "json")...)
	for _, want := range []string{`"OutTradeNo":"123"`, `"ActualPrice":5,`, `"TeamInfo":{"TeamId":"T]]>1"}`, `"Event":"xpay_goods_deliver_notify"`} {
		if !strings.Contains(f.Body, want) {
			t.Errorf("the event lacks %s: %s", want, f.Body)
		}
	}
	f = forge(t, append(set, "--format", "xml")...)
	for _, want := range []string{"<OutTradeNo><![CDATA[123]]></OutTradeNo>", "<ActualPrice>5</ActualPrice>", "<TeamId><![CDATA[T]]]]><![CDATA[>1]]></TeamId>"} {
		if !strings.Contains(f.Body, want) {
			t.Errorf("the event lacks %s: %s", want, f.Body)
		}
	}
	tool{}.run(t, "push", "forge", "--token", "T", "--mode", "plain", "--event", "refund", "--set", "RefundFee=much").want(t, 2, "number")
	tool{}.run(t, "push", "forge", "--token", "T", "--mode", "plain", "--event", "goods_deliver", "--set", "GoodsInfo=1").want(t, 2, "object")
}

func TestANumberIsWrittenAsJSONHasIt(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"007": `"RefundFee":7,`, "+5": `"RefundFee":5,`, "-0": `"RefundFee":0,`, "-3": `"RefundFee":-3,`} {
		if f := forge(t, "--mode", "plain", "--event", "refund", "--set", "RefundFee="+given); !strings.Contains(f.Body, want) || !json.Valid([]byte(f.Body)) {
			t.Errorf("%s: %s", given, f.Body)
		}
	}
}

func TestFieldsAreSetInTheOrderGiven(t *testing.T) {
	t.Parallel()
	args := []string{"--mode", "plain", "--event", "debug_demo"}
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("Field%02d", (i*7)%20)
		args, want = append(args, "--set", name+"=a,b="+name), append(want, `"`+name+`":"a,b=`+name+`"`)
	}
	if f := forge(t, args...); !strings.Contains(f.Body, strings.Join(want, ",")) {
		t.Errorf("%s is not in the order given: %v", f.Body, want)
	}
}

func TestTheCurlCommandSendsWhatWasForged(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	type request struct{ query, body, kind string }
	came := make(chan request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- request{r.URL.RawQuery, string(body), r.Header.Get("Content-Type")}
	}))
	defer server.Close()
	r := tool{}.run(t, "push", "forge", "--event", "complaint", "--set", "ComplaintDetail=it's \"$HOME\" `x`", "--mode", "plain", "--format", "xml",
		"--token", testToken, "--url", server.URL+"/wechat/push").want(t, 0).silent(t)
	outside(t, "", r.out)
	got := <-came
	if !strings.Contains(got.body, "<![CDATA[it's \"$HOME\" `x`]]>") || !strings.Contains(got.query, "signature=") || got.kind != "text/xml" {
		t.Errorf("%+v came", got)
	}
}

// TestForgeJudgesTheAnswerAsWeChatDoes: C8 and C9 of the spec are the encrypted answers.
func TestForgeJudgesTheAnswerAsWeChatDoes(t *testing.T) {
	t.Parallel()
	c8, c9 := pushVectors(t)["C8"], pushVectors(t)["C9"]
	sealedJSON := `{"Encrypt":"` + c8.Encrypt + `","MsgSignature":"` + c8.MsgSignature + `","TimeStamp":1785600000,"Nonce":"1234567890"}`
	sealedXML := "<xml><Encrypt><![CDATA[" + c9.Encrypt + "]]></Encrypt><MsgSignature><![CDATA[" + c9.MsgSignature + "]]></MsgSignature><TimeStamp>1785600000</TimeStamp><Nonce><![CDATA[1234567890]]></Nonce></xml>"
	const question, evidence = "subscribe_ios_refund_query", `"result_info":"x","evidence":"y"`
	for name, c := range map[string]struct {
		mode, format, event string // no event is goods_deliver
		status              int
		answer              string
		code                int
		says                string
	}{
		"success":             {"aes", "json", "", 200, "success", 0, "success"},
		"nothing":             {"aes", "xml", "", 200, "", 0, "HTTP 200"},
		"C8":                  {"aes", "json", "", 200, sealedJSON, 0, `{"ErrCode":0,"ErrMsg":"success"}`},
		"C9":                  {"aes", "xml", "", 200, sealedXML, 0, "<ErrCode>0</ErrCode>"},
		"C8 with a bad sum":   {"aes", "json", "", 200, strings.Replace(sealedJSON, c8.MsgSignature, c9.MsgSignature, 1), 1, "must be encrypted"},
		"C8 in wrong case":    {"aes", "json", "", 200, strings.Replace(sealedJSON, `"Nonce"`, `"nonce"`, 1), 1, "must be encrypted"},
		"C8 to XML":           {"aes", "xml", "", 200, sealedJSON, 1, "must be encrypted"},
		"clear to encrypted":  {"aes", "json", "", 200, `{"ErrCode":0}`, 1, "must be encrypted"},
		"plain JSON":          {"plain", "json", "", 200, `{"ErrCode":0,"ErrMsg":"success"}`, 0, "ErrCode"},
		"plain XML":           {"plain", "xml", "", 200, "<xml><ErrCode>0</ErrCode></xml>", 0, "ErrCode"},
		"JSON to XML":         {"plain", "xml", "", 200, `{"ErrCode":0}`, 1, "not in the format of the push"},
		"XML to JSON":         {"plain", "json", "", 200, "<xml><ErrCode>0</ErrCode></xml>", 1, "not in the format of the push"},
		"another root":        {"plain", "xml", "", 200, "<html><ErrCode>0</ErrCode></html>", 1, "not in the format of the push"},
		"another field":       {"plain", "json", "", 200, `{"code":0}`, 1, "no ErrCode"},
		"errcode":             {"plain", "json", "", 200, `{"errcode":0}`, 1, "no ErrCode"},
		"Errcode in XML":      {"plain", "xml", "", 200, "<xml><Errcode>0</Errcode></xml>", 1, "no ErrCode"},
		"a text":              {"plain", "json", "", 200, `{"ErrCode":"0"}`, 1, "ErrCode"},
		"null":                {"plain", "json", "", 200, `{"ErrCode":null}`, 1, "ErrCode"},
		"an empty element":    {"plain", "xml", "", 200, "<xml><ErrCode></ErrCode></xml>", 1, "ErrCode"},
		"again":               {"plain", "json", "", 200, `{"ErrCode":1,"ErrMsg":"not settled yet"}`, 1, "not settled yet"},
		"an error page":       {"plain", "json", "", 502, "<html>", 1, "502"},
		"a redirect":          {"plain", "json", "", 302, "", 1, "302"},
		"an answer for Apple": {"plain", "json", "", 200, `{"result_code":1,` + evidence + `}`, 1, "no ErrCode"},
		"some result_code":    {"plain", "json", "", 200, `{"result_code":7}`, 1, "no ErrCode"},

		"Apple, to pass":                {"plain", "json", question, 200, `{"result_code":0,` + evidence + `}`, 0, "result_code"},
		"Apple, to object":              {"plain", "json", question, 200, `{"result_code":1,` + evidence + `}`, 0, "result_code"},
		"Apple, in XML":                 {"plain", "xml", question, 200, "<xml><result_code>1</result_code><evidence><![CDATA[y]]></evidence></xml>", 0, "result_code"},
		"Apple, success":                {"plain", "json", question, 200, "success", 1, "result_code"},
		"Apple, success to encrypted":   {"aes", "json", question, 200, "success", 1, "result_code"},
		"Apple, nothing":                {"plain", "xml", question, 200, "", 1, "result_code"},
		"Apple, ErrCode":                {"plain", "json", question, 200, `{"ErrCode":0}`, 1, "no result_code"},
		"Apple, sealed ErrCode":         {"aes", "json", question, 200, sealedJSON, 1, "no result_code"},
		"Apple, neither":                {"plain", "json", question, 200, `{"result_code":7,` + evidence + `}`, 1, "neither 0"},
		"Apple, a text":                 {"plain", "json", question, 200, `{"result_code":"0",` + evidence + `}`, 1, "neither 0"},
		"Apple, without evidence":       {"plain", "json", question, 200, `{"result_code":0}`, 1, "evidence"},
		"Apple, with empty evidence":    {"plain", "xml", question, 200, "<xml><result_code>0</result_code><evidence></evidence></xml>", 1, "evidence"},
		"Apple, evidence in wrong case": {"plain", "json", question, 200, `{"result_code":0,"Evidence":"y"}`, 1, "evidence"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
			}))
			defer server.Close()
			event := cmp.Or(c.event, "goods_deliver")
			tool{}.run(t, "push", "forge", "--event", event, "--mode", c.mode, "--format", c.format, "--token", testToken,
				"--app-id", testAppID, "--aes-key", testAESKey, "--to", server.URL).want(t, c.code, c.says).silent(t)
		})
	}
}

// TestForgeWaitsAsLongAsWeChatDoes: five seconds, for Apple's question three (spec 7.8).
func TestForgeWaitsAsLongAsWeChatDoes(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	defer server.Close()
	defer close(ended)
	for event, want := range map[string]string{"subscribe_ios_refund_query": "3s", "debug_demo": "5s"} {
		r := tool{}.run(t, "push", "forge", "--event", event, "--mode", "plain", "--token", testToken, "--to", server.URL).want(t, 1, "within "+want)
		if !strings.Contains(r.stderr, strings.TrimSuffix(want, "s")+" 秒") {
			t.Errorf("%s: %s", event, r.stderr)
		}
	}
}

func TestForgeSaysThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	tool{}.run(t, "push", "forge", "--event", "debug_demo", "--mode", "plain", "--token", testToken, "--to", "http://127.0.0.1:1/x").want(t, 1, "did not answer").silent(t)
}
