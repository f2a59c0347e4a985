package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/ordered"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// callCmd calls one API for an operator.
type callCmd struct {
	account
	SessionKey secretText `env:"XPAY_SESSION_KEY" placeholder:"KEY" help:"session_key of the user, for the APIs with the user's signature. 需要用户态签名的接口使用。"`
	API        string     `arg:"" name:"api" help:"Name of the API, as query_order. 接口名。"`
	Body       string     `arg:"" optional:"" help:"JSON body; default: stdin. JSON 包体，默认读标准输入。"`
}

// Help is printed by --help.
func (callCmd) Help() string {
	return `Signs and sends exactly these bytes, once, and prints the answer. The env in the body chooses the AppKey. A refusal says what the error
code means. Calls that move money move it: there is no question first. With --json a call that failed prints an object with "error" and
"unknown"; "unknown": true, of a call that changes something, says that WeChat may have acted all the same: query, or repeat the identical call with the same number.

  xpay call query_order '{"openid":"oABC","env":0,"order_id":"ORDER1"}'
  xpay call query_biz_balance '{"env":0}' --json
  xpay call query_user_balance --session-key @session.key <body.json

对包体原样签名、发送一次并打印应答；env 决定使用哪个 AppKey。涉及资金的接口会真实生效，不会再次询问。
--json 时失败也输出 JSON；"unknown": true 表示结果未知：先查询，或用相同单号原样重试。

APIs: ` + strings.Join(apiNames(), ", ") +
		exits("WeChat did as asked. 微信已执行。", "WeChat refused, or gave no answer: the outcome is unknown, not no. 被拒绝，或没有应答（结果未知，不等于失败）。")
}

func apiNames() (names []string) {
	for _, e := range xpay.Endpoints() {
		names = append(names, e.Name)
	}
	return names
}

// Run calls and prints.
func (c callCmd) Run(ctx context.Context, o output) error {
	name := strings.TrimPrefix(strings.TrimPrefix(c.API, "/"), "xpay/")
	e, ok := endpoint(name)
	if !ok {
		return usageError{fmt.Errorf("%s is no API: it is one of %s. 没有这个接口", hidden(c.API), strings.Join(apiNames(), ", "))}
	}
	if e.UserSig && c.SessionKey == "" {
		return usageError{fmt.Errorf("%s carries the user's signature: give --session-key, fresh from code2Session. 该接口需要用户态签名，请给出 --session-key", name)}
	}
	body := []byte(c.Body)
	if c.Body == "" {
		var err error
		if body, err = o.body(ctx); err != nil {
			return err
		}
	}
	env, err := envOf(body)
	if err != nil {
		return usageError{err}
	}
	client, _, err := c.client(env)
	if err != nil {
		return err
	}
	o.progress("calling %s (%s) ...", e.Path, client.Merchant.Env())
	answer, err := client.Call(ctx, name, body, string(c.SessionKey))
	if err != nil {
		return refused(o, err, changes(e))
	}
	return c.print(o, answer)
}

func endpoint(name string) (xpay.Endpoint, bool) {
	for _, e := range xpay.Endpoints() {
		if e.Name == name {
			return e, true
		}
	}
	return xpay.Endpoint{}, false
}

// changes tells whether a call may change something at WeChat, so that its outcome can be unknown: a read may be repeated
// and has no number.
func changes(e xpay.Endpoint) bool { return !e.Repeatable || e.Number != "" }

// envOf is the env in the body, nil if it has none.
func envOf(body []byte) (*xpay.Env, error) {
	v, err := ordered.Parse(body)
	if err != nil || v.Kind != ordered.Object {
		return nil, errors.New(`the body is not a JSON object: give it as '{"env":0}', or on stdin. 包体不是 JSON 对象`)
	}
	text, there := v.Get("env")
	var env xpay.Env
	switch {
	case !there:
		return nil, nil
	case text.Kind == ordered.Number && text.Text == "0":
		env = xpay.Production
	case text.Kind == ordered.Number && text.Text == "1":
		env = xpay.Sandbox
	default:
		return nil, errors.New("env in the body is neither the number 0 (production) nor 1 (sandbox). 包体的 env 应为数字 0（现网）或 1（沙箱）")
	}
	return &env, nil
}

// print writes the answer: as it came with --json, indented for people.
func (c callCmd) print(o output, answer json.RawMessage) error {
	v, err := ordered.Parse(answer)
	style := ordered.Style{Indent: "  "}
	if o.json {
		style = ordered.Style{}
	}
	if err != nil {
		return fmt.Errorf("the answer is not JSON: %w. 应答不是 JSON", err)
	}
	_, err = fmt.Fprintf(o.out, "%s\n", style.Write(v))
	return err
}

// failure is what --json prints when a call failed: WeChat said no, or nothing.
type failure struct {
	Error    string `json:"error"`
	AdviceZH string `json:"adviceZh,omitempty"`
	Unknown  bool   `json:"unknown"` // WeChat may have acted all the same: the outcome is not no
	*refusal
}

// refusal is what WeChat's error code means.
type refusal struct {
	ErrCode   int    `json:"errcode"`
	ErrMsg    string `json:"errmsg"`
	RID       string `json:"rid,omitempty"`
	Meaning   string `json:"meaning,omitempty"`
	MeaningZH string `json:"meaningZh,omitempty"`
	Advice    string `json:"advice"`
	Class     string `json:"class"`
}

func refused(o output, err error, changes bool) error {
	if !o.json {
		return advise(err, changes)
	}
	f := failure{Error: err.Error(), AdviceZH: adviceZH(err), Unknown: changes && xpay.OutcomeUnknown(err)}
	var no *xpay.Error
	if errors.As(err, &no) {
		info, _ := xpay.Lookup(no.Code)
		f.refusal = &refusal{
			ErrCode: no.Code, ErrMsg: no.Message, RID: no.RID, Meaning: info.Meaning, MeaningZH: info.MeaningZH,
			Advice: no.Advice(), Class: no.Class().String(),
		}
	}
	return errors.Join(o.printJSON(f), errTold)
}
