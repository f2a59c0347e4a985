package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// pushCmd is about message pushes.
type pushCmd struct {
	Open  pushOpenCmd  `cmd:"" help:"Verify and decrypt a push, print its event as JSON. 验签、解密并输出事件。"`
	Forge pushForgeCmd `cmd:"" help:"Make a correctly signed push: a curl command, or sent. 构造一条签名正确的推送。"`
}

// receiver is how the message push of a mini-program is configured.
type receiver struct {
	Token  secretText `env:"XPAY_PUSH_TOKEN" placeholder:"T" help:"Token of 消息推送; @FILE reads a file. 消息推送的 Token。"`
	AESKey secretText `name:"aes-key" env:"XPAY_PUSH_AES_KEY" placeholder:"K" help:"EncodingAESKey of 消息推送, 43 characters; @FILE reads a file. 消息加密密钥，43 位。"`
	AppID  string     `name:"app-id" env:"XPAY_APP_ID" placeholder:"A" help:"AppID, needed for encrypted pushes only. 小程序 AppID，仅加密推送需要。"`
}

type pushOpenCmd struct {
	receiver
	Query  string        `required:"" placeholder:"QUERY" help:"Query string of the push, or its whole URL. 推送的查询参数或完整 URL。"`
	Now    time.Time     `placeholder:"RFC3339" help:"The time to judge its age by; default: now. 判断是否过期所用的时间，默认现在。"`
	MaxAge time.Duration `default:"24h" help:"Older pushes are refused; 0 accepts any time. 拒绝更早的推送，0 表示不限。"`
}

// Help is printed by --help.
func (pushCmd) Help() string {
	return strings.TrimSpace(exits("as asked. 按要求完成。", "the push or the answer to it is wrong. 推送或应答有误。"))
}

// Help is printed by --help.
func (pushOpenCmd) Help() string {
	return `The body comes on stdin. Prints the event as JSON, an XML one too (values stay text, elements of one name become an array), or the reason when signature, key,
AppID, age or content is wrong. With echostr in the query it checks WeChat's GET and prints the echostr. A plain push needs the Token alone.

  xpay push open --token @token --aes-key @aes.key --app-id wx123 --query "signature=...&timestamp=...&nonce=...&encrypt_type=aes&msg_signature=..." <body.xml
  xpay push open ... --now 2026-08-01T00:00:00+08:00      # an old push, judged by the time it came
  xpay push open ... --max-age 0                          # of any age

验签并解密一条推送，以 JSON 输出事件，有任何不对则说明原因。明文推送只需要 Token。` +
		exits("the push is genuine. 推送有效。", "signature, key, AppID, age or content is wrong. 签名、密钥、AppID、时间或内容有误。")
}

// Run verifies, decrypts and prints.
func (c pushOpenCmd) Run(ctx context.Context, o output) error {
	q, err := c.query()
	if err != nil {
		return usageError{err}
	}
	push, err := c.opener()
	if err != nil {
		return usageError{err}
	}
	if q.Has("echostr") {
		return c.echo(o, push, q)
	}
	body, err := o.body(ctx)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return inChinese(fmt.Errorf("%w: nothing came on stdin: feed it the body of the push", miniprogram.ErrMalformed))
	}
	m, err := push.Open(q, body)
	if errors.Is(err, miniprogram.ErrAppID) && c.AppID == "" {
		return usageError{errors.New("the push is encrypted, and its AppID must be checked: give --app-id. 推送已加密，需要 --app-id 核对 AppID")}
	}
	if err != nil {
		return c.reason(push, q, err)
	}
	return c.print(o, m)
}

func (c pushOpenCmd) query() (url.Values, error) {
	text := c.Query
	if _, query, ok := strings.Cut(text, "?"); ok {
		text = query
	}
	q, err := url.ParseQuery(text)
	if err != nil || len(q) == 0 {
		return nil, errors.New("--query is not a query string: copy what stands behind ? in the URL of the push. --query 不是查询参数，请复制推送 URL 中 ? 之后的部分")
	}
	return q, nil
}

// noAppID stands for an AppID that was not given. Only what is encrypted carries one, and no mini-program has this.
const noAppID = "-"

func (c pushOpenCmd) opener() (*miniprogram.Push, error) {
	if c.Token == "" {
		return nil, errors.New("the Token is missing: give --token, as 消息推送 has it. 缺少 Token，请用 --token 给出")
	}
	if c.MaxAge < 0 {
		return nil, fmt.Errorf("--max-age is %s: give a time, or 0 to accept any. --max-age 不能为负，0 表示不限", c.MaxAge)
	}
	cfg := miniprogram.PushConfig{AppID: cmp.Or(c.AppID, noAppID), Tokens: []string{string(c.Token)}, MaxAge: c.MaxAge}
	if c.AESKey != "" {
		cfg.AESKeys = []string{string(c.AESKey)}
	}
	if c.MaxAge == 0 {
		cfg.MaxAge = -1
	}
	if !c.Now.IsZero() {
		cfg.Now = func() time.Time { return c.Now }
	}
	push, err := miniprogram.NewPush(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: correct --aes-key. EncodingAESKey 有误，请更正", err)
	}
	return push, nil
}

func (c pushOpenCmd) echo(o output, push *miniprogram.Push, q url.Values) error {
	echo, err := push.Echo(q)
	if err != nil {
		return inChinese(err)
	}
	if o.json {
		return o.printJSON(map[string]string{"echostr": echo})
	}
	_, err = fmt.Fprintln(o.out, echo)
	return err
}

// reason adds what the other signature of the query tells: it is over the Token, the time and the nonce alone.
func (c pushOpenCmd) reason(push *miniprogram.Push, q url.Values, err error) error {
	if !errors.Is(err, miniprogram.ErrSignature) || q.Get("msg_signature") == "" || q.Get("signature") == "" {
		return inChinese(err)
	}
	plain := url.Values{"signature": q["signature"], "timestamp": q["timestamp"], "nonce": q["nonce"], "echostr": {"x"}}
	if _, no := push.Echo(plain); errors.Is(no, miniprogram.ErrSignature) {
		return fmt.Errorf("%w: the plain signature does not fit either, so that the Token is another (or the query was changed). Token 不一致", err)
	}
	switch { // msg_signature covers the body and needs no AES key: it fails first where the body was changed
	case strings.Contains(err.Error(), "EncodingAESKey") && c.AESKey == "":
		return fmt.Errorf("%w: the push is encrypted: give --aes-key. 推送已加密，请提供 --aes-key", err)
	case strings.Contains(err.Error(), "EncodingAESKey"):
		return fmt.Errorf("%w: the Token is right and the body unchanged. Token 正确且包体未改动：EncodingAESKey 或 AppID 不一致", err)
	}
	return fmt.Errorf("%w: the plain signature fits, so that the Token is right: the body was changed on its way. Token 正确：包体在传输中被改动", err)
}

// inChinese adds what pkg/miniprogram says in English.
func inChinese(err error) error {
	for _, kind := range []struct {
		is error
		zh string
	}{
		{miniprogram.ErrSignature, "签名不符：请核对 Token、EncodingAESKey 和查询参数"},
		{miniprogram.ErrTooOld, "推送过旧：可用 --now 指定时间，或 --max-age 0 不限"},
		{miniprogram.ErrTooNew, "推送时间晚于当前时间：请检查时钟，或用 --now 指定"},
		{miniprogram.ErrAppID, "推送属于另一个 AppID"},
		{miniprogram.ErrMalformed, "推送的参数或包体格式有误"},
	} {
		if errors.Is(err, kind.is) {
			return fmt.Errorf("%w. %s", err, kind.zh)
		}
	}
	return err
}

// opened is what --json prints.
type opened struct {
	Event     string             `json:"event"`
	Encrypted bool               `json:"encrypted"` // false: no signature covers the body
	Format    miniprogram.Format `json:"format"`
	AppID     string             `json:"appId,omitempty"` // of a plain push the one that was given
	SignedAt  time.Time          `json:"signedAt"`
	Message   rawJSON            `json:"message"`
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// print writes the event. One that pkg/xpay cannot read is printed and counts as wrong.
func (c pushOpenCmd) print(o output, m miniprogram.Message) error {
	text, err := eventJSON(m)
	if err != nil {
		return err
	}
	if !m.Encrypted {
		fmt.Fprintln(o.err, "xpay: plain mode: the signature does not cover this body, confirm it with query_order.",
			"明文模式的签名不覆盖包体，请用 query_order 确认。")
	}
	if o.json {
		err = o.printJSON(opened{m.Event, m.Encrypted, m.Format, c.AppID, m.Time, text})
	} else {
		_, err = fmt.Fprintf(o.out, "%s\n", text)
	}
	if err != nil || !strings.HasPrefix(m.Event, "xpay_") {
		return err
	}
	if _, err = xpay.ParseEvent(m.Body); err != nil {
		return fmt.Errorf("%w. 事件内容不符合文档", err)
	}
	return nil
}

// eventJSON is the event as JSON: a JSON one as it came without line ends, an XML one field by field.
func eventJSON(m miniprogram.Message) ([]byte, error) {
	v, err := ordered.Parse(bytes.TrimPrefix(m.Body, []byte("\ufeff")))
	if m.Format == miniprogram.XML {
		v, err = fromXML(m.Body)
	}
	if err != nil {
		return nil, fmt.Errorf("the event is not well-formed: %w. 事件不是合法的 JSON 或 XML", err)
	}
	return ordered.Style{}.Write(v), nil
}

const xmlDepthMax = 32

// fromXML reads <xml>...</xml> into an object of texts; elements of one name become an array.
func fromXML(msg []byte) (ordered.Value, error) {
	dec := xml.NewDecoder(bytes.NewReader(msg))
	for {
		token, err := dec.Token()
		if err != nil {
			return ordered.Value{}, errors.New("not well-formed XML")
		}
		if _, ok := token.(xml.StartElement); ok {
			return element(dec, 0)
		}
	}
}

func element(dec *xml.Decoder, depth int) (ordered.Value, error) {
	var text strings.Builder
	v := ordered.Value{Kind: ordered.Object}
	if depth > xmlDepthMax {
		return v, errors.New("nested too deeply")
	}
	for {
		token, err := dec.Token()
		if err != nil || errors.Is(err, io.EOF) {
			return v, errors.New("not well-formed XML")
		}
		switch token := token.(type) {
		case xml.StartElement:
			inner, err := element(dec, depth+1)
			if err != nil {
				return v, err
			}
			v.Fields = with(v.Fields, token.Name.Local, inner)
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			if len(v.Fields) == 0 {
				return ordered.Value{Kind: ordered.String, Text: text.String()}, nil
			}
			return v, nil
		}
	}
}

// with adds a field; one that is there already becomes an array, in its place. No element is an array before.
func with(fields []ordered.Field, name string, v ordered.Value) []ordered.Field {
	at := slices.IndexFunc(fields, func(f ordered.Field) bool { return f.Name == name })
	switch {
	case at < 0:
		return append(fields, ordered.Field{Name: name, Value: v})
	case fields[at].Value.Kind == ordered.Array:
		fields[at].Value.Items = append(fields[at].Value.Items, v)
	default:
		fields[at].Value = ordered.Value{Kind: ordered.Array, Items: []ordered.Value{fields[at].Value, v}}
	}
	return fields
}
