package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// pushCmd is about message pushes.
type pushCmd struct {
	Open  pushOpenCmd  `cmd:"" help:"Verify and decrypt a push, print its event as JSON."`
	Forge pushForgeCmd `cmd:"" help:"Make a correctly signed push: a curl command, or sent."`
}

// receiver is how the message push of a mini-program is configured.
type receiver struct {
	Token  secretText `env:"XPAY_PUSH_TOKEN" placeholder:"T" help:"Token of 消息推送; @FILE reads a file."`
	AESKey secretText `name:"aes-key" env:"XPAY_PUSH_AES_KEY" placeholder:"K" help:"EncodingAESKey of 消息推送, 43 characters; @FILE reads a file."`
	AppID  string     `name:"app-id" env:"XPAY_APP_ID" placeholder:"A" help:"AppID of the mini-program."`
}

type pushOpenCmd struct {
	receiver
	Query  string        `required:"" placeholder:"QUERY" help:"Query string of the push, or its whole URL."`
	Now    time.Time     `placeholder:"RFC3339" help:"The time to judge its age by; default: now."`
	MaxAge time.Duration `default:"24h" help:"Older pushes are refused; 0 accepts any time."`
}

// Help is printed by --help.
func (pushOpenCmd) Help() string {
	return `The body comes on stdin. Prints the event as JSON, an XML one too (its values stay text). Exit code 1 and the reason when signature,
key, AppID, age or content is wrong. With echostr in the query it checks WeChat's GET and prints the echostr.

  xpay push open --token @token --aes-key @aes.key --app-id wx123 --query "signature=...&timestamp=...&nonce=...&encrypt_type=aes&msg_signature=..." <body.xml
  xpay push open ... --now 2026-08-01T00:00:00+08:00      # an old push, judged by the time it came
  xpay push open ... --max-age 0                          # of any age

验签并解密一条推送，以 JSON 输出事件；有任何不对则退出码为 1 并说明原因。`
}

// Run verifies, decrypts and prints.
func (c pushOpenCmd) Run(o output) error {
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
	body, err := o.body()
	if err != nil {
		return err
	}
	m, err := push.Open(q, body)
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
		return nil, errors.New("--query is not a query string: copy what stands behind ? in the URL of the push")
	}
	return q, nil
}

func (c pushOpenCmd) opener() (*miniprogram.Push, error) {
	cfg := miniprogram.PushConfig{AppID: c.AppID, MaxAge: c.MaxAge}
	if c.Token != "" {
		cfg.Tokens = []string{string(c.Token)}
	}
	if c.AESKey != "" {
		cfg.AESKeys = []string{string(c.AESKey)}
	}
	if c.MaxAge == 0 {
		cfg.MaxAge = -1
	}
	if !c.Now.IsZero() {
		cfg.Now = func() time.Time { return c.Now }
	}
	return miniprogram.NewPush(cfg)
}

func (c pushOpenCmd) echo(o output, push *miniprogram.Push, q url.Values) error {
	echo, err := push.Echo(q)
	if err != nil {
		return err
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
		return err
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

// opened is what --json prints.
type opened struct {
	Event     string             `json:"event"`
	Encrypted bool               `json:"encrypted"` // false: no signature covers the body
	Format    miniprogram.Format `json:"format"`
	AppID     string             `json:"appId"`
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
		err = o.printJSON(opened{m.Event, m.Encrypted, m.Format, m.AppID, m.Time, text})
	} else {
		_, err = fmt.Fprintf(o.out, "%s\n", text)
	}
	if err != nil || !strings.HasPrefix(m.Event, "xpay_") {
		return err
	}
	_, err = xpay.ParseEvent(m.Body)
	return err
}

// eventJSON is the event as JSON: a JSON one as it came without line ends, an XML one field by field.
func eventJSON(m miniprogram.Message) ([]byte, error) {
	v, err := ordered.Parse(bytes.TrimPrefix(m.Body, []byte("\ufeff")))
	if m.Format == miniprogram.XML {
		v, err = fromXML(m.Body)
	}
	if err != nil {
		return nil, fmt.Errorf("the event is not well-formed: %w", err)
	}
	return ordered.Style{}.Write(v), nil
}

const xmlDepthMax = 32

// fromXML reads <xml>...</xml> into an object of texts; an element that comes again becomes another field of the same name.
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
			v.Fields = append(v.Fields, ordered.Field{Name: token.Name.Local, Value: inner})
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
