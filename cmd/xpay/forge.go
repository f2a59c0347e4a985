package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/doctor"
	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// pushForgeCmd makes a push as WeChat would sign it.
type pushForgeCmd struct {
	receiver
	Event  string    `required:"" placeholder:"E" help:"An event of virtual payment, or debug_demo; goods_deliver stands for xpay_goods_deliver_notify. 事件名，可简写。"`
	Format string    `enum:"xml,json" default:"json" help:"${enum}: format of the push. 数据格式。"`
	Mode   string    `enum:"plain,aes" default:"aes" help:"${enum}: plain or encrypted. 消息加密方式。"`
	Set    []string  `sep:"none" placeholder:"FIELD=VALUE" help:"A field of the event, as OutTradeNo=ORDER1 or GoodsInfo.ActualPrice=100; may be repeated, in this order. 设置事件字段，可重复，按给出的顺序。"`
	URL    string    `name:"url" default:"http://127.0.0.1:8080/wechat/push" help:"The receiver in the printed curl command. curl 命令中的接收地址。"`
	To     string    `placeholder:"URL" help:"Send it there and print the answer, decrypted. 直接发送到该地址并打印应答。"`
	Now    time.Time `placeholder:"RFC3339" help:"When it was signed; default: now. 签名时间，默认现在。"`
}

// Help is printed by --help.
func (pushForgeCmd) Help() string {
	return `Prints a ready curl command, or sends the push with --to and judges the answer as WeChat does.

  xpay push forge --event debug_demo --token @token --aes-key @aes.key --app-id wx123
  xpay push forge --event xpay_goods_deliver_notify --set OutTradeNo=ORDER1 --set GoodsInfo.ActualPrice=1800 --token @token --mode plain --format xml
  xpay push forge --event refund --token @token --aes-key @aes.key --app-id wx123 --to http://127.0.0.1:8080/wechat/push

生成一条签名正确的推送：输出 curl 命令，或用 --to 直接发送，打印（解密后的）应答，并按微信的规则判断。

Events: ` + strings.Join(eventNames(), ", ") +
		exits("printed, or acknowledged by the receiver. 已输出，或接收端已确认。", "the receiver did not acknowledge it: WeChat would push again. 接收端未确认，微信会重复推送。")
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
	name, event, err := c.event()
	if err != nil {
		return usageError{err}
	}
	q, body, err := miniprogram.Forge(c.forgery(), event)
	if err != nil {
		return usageError{fmt.Errorf("%w; --token is needed, and in mode aes --aes-key and --app-id. 请检查 --token；加密模式还要检查 --aes-key 和 --app-id", err)}
	}
	if c.To != "" {
		return c.send(ctx, o, name, q, body)
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

// event fills the template and gives the whole name of the event.
func (c pushForgeCmd) event() (full string, event []byte, err error) {
	if c.Mode == "aes" && c.AESKey == "" {
		return "", nil, errors.New("mode aes needs --aes-key; --mode plain does without. 加密模式需要 --aes-key，或使用 --mode plain")
	}
	all := eventTemplates()
	name := c.Event
	for _, full := range []string{"xpay_" + name + "_notify", "xpay_" + name, name} {
		if v, ok := all.Get(full); ok {
			event, err = c.render(full, v)
			return full, event, err
		}
	}
	return "", nil, fmt.Errorf("%s is no event: it is one of %s. 没有这个事件", hidden(name), strings.Join(eventNames(), ", "))
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
	seen := map[string]bool{}
	for _, given := range c.Set {
		path, value, both := strings.Cut(given, "=")
		if !both || !fieldPath.MatchString(path) {
			return nil, fmt.Errorf("--set %.60q: write it as OutTradeNo=ORDER1 or GoodsInfo.ActualPrice=100. 请写成 字段=值", given)
		}
		if seen[path] {
			return nil, fmt.Errorf("--set %.60s is given twice: keep one. 同一字段设置了两次", path)
		}
		seen[path] = true
		if c.Format == "xml" && strings.ContainsFunc(value, notXML) {
			return nil, fmt.Errorf("--set %.60s: its value has a control character, which XML cannot hold. 值含 XML 不允许的控制字符", path)
		}
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

// fieldPath is what can be the name of an element, too.
var fieldPath = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)

// notXML are the characters that XML 1.0 does not have.
func notXML(r rune) bool {
	return r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == '\ufffe' || r == '\uffff'
}

// set puts a value at a path. A number of the template stays one, and is written as JSON has it: 7 for 007.
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
	if len(path) > 1 && field.Kind != ordered.Object {
		return v, fmt.Errorf("%s is no object, it has no fields. %[1]s 不是对象，没有下级字段", path[0])
	}
	if len(path) > 1 {
		inner, err := set(*field, path[1:], value)
		*field = inner
		return v, err
	}
	if field.Kind == ordered.Object {
		return v, errors.New("it is an object: name one of its fields, as GoodsInfo.ActualPrice. 这是对象，请写明下级字段")
	}
	if field.Kind == ordered.Number {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return v, errors.New("it is a number in this event. 该字段应为数字")
		}
		value = strconv.FormatInt(n, 10)
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

const answerBytesMax = 1 << 20

// patience is how long WeChat waits for the answer. Spec 7.1, 7.8.
func patience(event string) time.Duration {
	if event == xpay.EventIOSRefundQuery {
		return 3 * time.Second
	}
	return 5 * time.Second
}

func (c pushForgeCmd) send(ctx context.Context, o output, event string, q url.Values, body []byte) error {
	limit := patience(event)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, withQuery(c.To, q), bytes.NewReader(body))
	if err != nil {
		return usageError{errors.New("--to is not a usable URL: write it as http://127.0.0.1:8080/wechat/push. --to 不是可用的 URL")}
	}
	req.Header.Set("Content-Type", c.mime())
	resp, err := noRedirects().Do(req)
	if err != nil {
		return fmt.Errorf("the receiver did not answer within %s, WeChat would push again: %w. 接收端 %.0f 秒内没有应答，微信会重复推送", limit, reasonOf(err), limit.Seconds())
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("the answer did not end within %s, or broke off: %w. 应答未在 %.0f 秒内完成，或中断", limit, err, limit.Seconds())
	}
	a, err := c.judge(event, resp.StatusCode, raw)
	if err != nil {
		return err
	}
	return c.report(o, a)
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
	return errors.New("WeChat would push again 微信会重复推送: " + a.Why)
}

// judge is WeChat's: HTTP 200, and what doctor.Pushed says of the rest.
func (c pushForgeCmd) judge(event string, status int, raw []byte) (answered, error) {
	a := answered{Status: status, Answer: string(raw)}
	if status != http.StatusOK {
		a.Why = fmt.Sprintf("the status is %d, not 200. 状态码应为 200", status)
		return a, nil
	}
	p := doctor.Pushed{Event: event, Format: c.Format}
	if c.Mode == "aes" {
		var err error
		if p.Opener, err = (pushOpenCmd{receiver: c.receiver}).opener(); err != nil {
			return a, usageError{err}
		}
	}
	v := p.Judge(raw)
	a.Answer, a.Encrypted, a.Acknowledged = string(v.Answer), v.Encrypted, v.Why == ""
	if v.Why != "" {
		a.Why = v.Why + ". " + v.WhyZH
	}
	return a, nil
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
