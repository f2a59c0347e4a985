package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// pushForgeCmd makes a push as WeChat would sign it.
type pushForgeCmd struct {
	receiver
	Event  string            `required:"" placeholder:"E" help:"An event of virtual payment, or debug_demo; goods_deliver stands for xpay_goods_deliver_notify."`
	Format string            `enum:"xml,json" default:"json" help:"${enum}: 数据格式 of 消息推送."`
	Mode   string            `enum:"plain,aes" default:"aes" help:"${enum}: 消息加密方式 of 消息推送."`
	Set    map[string]string `mapsep:"none" placeholder:"FIELD=VALUE" help:"A field of the event, as OutTradeNo=ORDER1 or GoodsInfo.ActualPrice=100; may be repeated."`
	URL    string            `name:"url" default:"http://127.0.0.1:8080/wechat/push" help:"The receiver in the printed curl command."`
	To     string            `placeholder:"URL" help:"Send it there and print the answer, decrypted."`
	Now    time.Time         `placeholder:"RFC3339" help:"When it was signed; default: now."`
}

// Help is printed by --help.
func (pushForgeCmd) Help() string {
	return `Prints a ready curl command, or sends the push with --to. A receiver that does not acknowledge it makes the exit code 1, as WeChat
would repeat the push.

  xpay push forge --event debug_demo --token @token --aes-key @aes.key --app-id wx123
  xpay push forge --event xpay_goods_deliver_notify --set OutTradeNo=ORDER1 --set GoodsInfo.ActualPrice=1800 --token @token --mode plain --format xml
  xpay push forge --event refund --token @token --aes-key @aes.key --app-id wx123 --to http://127.0.0.1:8080/wechat/push

生成一条签名正确的推送：输出 curl 命令，或用 --to 直接发送并打印（解密后的）应答。

Events: ` + strings.Join(eventNames(), ", ")
}

//go:embed events.json
var eventsJSON []byte

// eventTemplates are the fields that each event is documented to have, spec 7, with invented values.
func eventTemplates() ordered.Value {
	v, err := ordered.Parse(eventsJSON)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return v
}

func eventNames() (names []string) {
	for _, f := range eventTemplates().Fields {
		names = append(names, f.Name)
	}
	return names
}

// Run prints or sends.
func (c pushForgeCmd) Run(ctx context.Context, o output) error {
	event, err := c.event()
	if err != nil {
		return usageError{err}
	}
	q, body, err := miniprogram.Forge(c.forgery(), event)
	if err != nil {
		return usageError{fmt.Errorf("%w: give --token, and in mode aes --aes-key and --app-id", err)}
	}
	if c.To != "" {
		return c.send(ctx, o, q, body)
	}
	target := withQuery(c.URL, q)
	if o.json {
		return o.printJSON(map[string]string{"url": target, "contentType": c.mime(), "body": string(body), "event": string(event)})
	}
	_, err = fmt.Fprintf(o.out, "curl -sS %s -H %s --data-binary %s\n", quoteShell(target), quoteShell("Content-Type: "+c.mime()), quoteShell(string(body)))
	return err
}

func (c pushForgeCmd) forgery() miniprogram.Forgery {
	f := miniprogram.Forgery{AppID: c.AppID, Token: string(c.Token), OpenID: "oOfficialOpenId", ToUserName: "gh_0123456789ab", Time: c.now()}
	if c.Mode == "aes" {
		f.AESKey = string(c.AESKey)
	}
	return f
}

func (c pushForgeCmd) now() time.Time {
	if c.Now.IsZero() {
		return time.Now()
	}
	return c.Now
}

// event fills the template.
func (c pushForgeCmd) event() ([]byte, error) {
	if c.Mode == "aes" && c.AESKey == "" {
		return nil, errors.New("mode aes needs --aes-key; --mode plain does without")
	}
	all := eventTemplates()
	name := c.Event
	for _, full := range []string{"xpay_" + name + "_notify", "xpay_" + name, name} {
		if v, ok := all.Get(full); ok {
			return c.render(full, v)
		}
	}
	return nil, fmt.Errorf("no event is called %.60q: it is one of %s", name, strings.Join(eventNames(), ", "))
}

func (c pushForgeCmd) render(name string, fields ordered.Value) ([]byte, error) {
	text := func(name, value string) ordered.Field {
		return ordered.Field{Name: name, Value: ordered.Value{Kind: ordered.String, Text: value}}
	}
	created := ordered.Value{Kind: ordered.Number, Text: strconv.FormatInt(c.now().Unix(), 10)}
	v := ordered.Value{Kind: ordered.Object, Fields: []ordered.Field{
		text("ToUserName", "gh_0123456789ab"), text("FromUserName", "oOfficialOpenId"), {Name: "CreateTime", Value: created},
		text("MsgType", "event"), text("Event", name),
	}}
	v.Fields = append(v.Fields, fields.Fields...)
	for path, value := range c.Set {
		var err error
		if v, err = set(v, strings.Split(path, "."), value); err != nil {
			return nil, fmt.Errorf("--set %.60s: %w", path, err)
		}
	}
	if c.Format == "json" {
		return ordered.Style{}.Write(v), nil
	}
	return toXML(v), nil
}

// set puts a value at a path. A number of the template stays one.
func set(v ordered.Value, path []string, value string) (ordered.Value, error) {
	v.Fields = slices.Clone(v.Fields)
	at := slices.IndexFunc(v.Fields, func(f ordered.Field) bool { return f.Name == path[0] })
	if at < 0 {
		kind := ordered.String
		if len(path) > 1 {
			kind = ordered.Object
		}
		v.Fields = append(v.Fields, ordered.Field{Name: path[0], Value: ordered.Value{Kind: kind}})
		at = len(v.Fields) - 1
	}
	field := &v.Fields[at].Value
	if len(path) > 1 {
		inner, err := set(*field, path[1:], value)
		*field = inner
		return v, err
	}
	if field.Kind == ordered.Object {
		return v, errors.New("it is an object: name one of its fields, as GoodsInfo.ActualPrice")
	}
	if _, err := strconv.ParseInt(value, 10, 64); field.Kind == ordered.Number && err != nil {
		return v, errors.New("it is a number in this event")
	}
	field.Text = value
	return v, nil
}

// toXML writes texts as CDATA and numbers bare, as WeChat does.
func toXML(v ordered.Value) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	writeXML(&b, v)
	b.WriteString("</xml>")
	return b.Bytes()
}

func writeXML(b *bytes.Buffer, v ordered.Value) {
	for _, f := range v.Fields {
		b.WriteString("<" + f.Name + ">")
		switch f.Value.Kind {
		case ordered.Object:
			writeXML(b, f.Value)
		case ordered.String:
			b.WriteString("<![CDATA[" + strings.ReplaceAll(f.Value.Text, "]]>", "]]]]><![CDATA[>") + "]]>")
		default:
			b.WriteString(f.Value.Text)
		}
		b.WriteString("</" + f.Name + ">")
	}
}

func (c pushForgeCmd) mime() string {
	if c.Format == "json" {
		return "application/json"
	}
	return "text/xml"
}

// answered is what a receiver said to a push that was sent.
type answered struct {
	Status       int    `json:"status"`
	Answer       string `json:"answer"` // decrypted, if it was encrypted
	Encrypted    bool   `json:"encrypted"`
	Acknowledged bool   `json:"acknowledged"`
	Why          string `json:"why,omitempty"` // why not
}

const (
	pushTimeout    = 5 * time.Second // WeChat waits no longer
	answerBytesMax = 1 << 20
)

func (c pushForgeCmd) send(ctx context.Context, o output, q url.Values, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, withQuery(c.To, q), bytes.NewReader(body))
	if err != nil {
		return usageError{errors.New("--to is not a usable URL: write it as http://127.0.0.1:8080/wechat/push")}
	}
	req.Header.Set("Content-Type", c.mime())
	resp, err := noRedirects().Do(req)
	if err != nil {
		return fmt.Errorf("the receiver did not answer within 5 s, WeChat would push again: %w", reasonOf(err))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return c.report(o, c.judge(resp.StatusCode, raw))
}

func (c pushForgeCmd) report(o output, a answered) (err error) {
	if o.json {
		err = o.printJSON(a)
	} else {
		_, err = fmt.Fprintf(o.out, "HTTP %d\n%s\n", a.Status, a.Answer)
	}
	if err != nil || a.Acknowledged {
		return err
	}
	return errors.New("WeChat would push again: " + a.Why)
}

// judge is WeChat's: HTTP 200 with nothing, success, or ErrCode 0 in the push's own format and mode. Spec 7.1, 7.8.
func (c pushForgeCmd) judge(status int, raw []byte) answered {
	a := answered{Status: status, Answer: string(raw)}
	if status != http.StatusOK {
		a.Why = fmt.Sprintf("the status is %d, not 200", status)
		return a
	}
	if text := strings.TrimSpace(string(raw)); text == "" || text == "success" {
		a.Acknowledged = true
		return a
	}
	if plain, err := c.unseal(raw); c.Mode == "aes" {
		if err != nil {
			a.Why = "an answer to an encrypted push must be encrypted, or success: " + err.Error()
			return a
		}
		raw, a.Answer, a.Encrypted = plain, string(plain), true
	}
	a.Acknowledged, a.Why = c.accepts(raw)
	return a
}

// unseal opens an encrypted answer. It is signed as a push is.
func (c pushForgeCmd) unseal(raw []byte) ([]byte, error) {
	v, err := ordered.Parse(raw)
	if c.Format == "xml" {
		v, err = fromXML(raw)
	}
	if err != nil {
		return nil, err
	}
	get := func(name string) string { f, _ := v.Get(name); return f.Text }
	push, err := pushOpenCmd{receiver: c.receiver}.opener()
	if err != nil {
		return nil, err
	}
	m, err := push.Open(url.Values{
		"encrypt_type": {"aes"}, "msg_signature": {get("MsgSignature")}, "timestamp": {get("TimeStamp")}, "nonce": {get("Nonce")},
	}, raw)
	return m.Body, err
}

func (c pushForgeCmd) accepts(raw []byte) (bool, string) {
	var code struct {
		ErrCode *int   `xml:"ErrCode"`
		ErrMsg  string `xml:"ErrMsg"`
		Result  *int   `json:"result_code" xml:"result_code"`
	}
	err := json.Unmarshal(raw, &code)
	if c.Format == "xml" {
		err = xml.Unmarshal(raw, &code)
	}
	switch {
	case err != nil:
		return false, "the answer is not in the format of the push, " + c.Format
	case code.Result != nil:
		return true, ""
	case code.ErrCode == nil:
		return false, "the answer has no ErrCode"
	case *code.ErrCode != 0:
		return false, fmt.Sprintf("ErrCode is %d %.200s", *code.ErrCode, code.ErrMsg)
	}
	return true, ""
}

// withQuery adds q to a URL that may have parameters of its own.
func withQuery(target string, q url.Values) string {
	if strings.Contains(target, "?") {
		return target + "&" + q.Encode()
	}
	return target + "?" + q.Encode()
}

// quoteShell makes one word for a POSIX shell.
func quoteShell(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func noRedirects() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reasonOf is an error of a request without its address, which may hold a signature or a token.
func reasonOf(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return withURL.Err
	}
	return err
}
