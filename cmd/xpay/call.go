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
	SessionKey secretText `env:"XPAY_SESSION_KEY" placeholder:"KEY" help:"session_key of the user, for the APIs with the user's signature."`
	API        string     `arg:"" name:"api" help:"Name of the API, as query_order."`
	Body       string     `arg:"" optional:"" help:"JSON body; default: stdin."`
}

// Help is printed by --help.
func (callCmd) Help() string {
	return `Signs and sends exactly these bytes, once, and prints the answer. The env in the body chooses the AppKey. A refusal makes the exit
code 1 and says what the error code means. Calls that move money move it: there is no question first.

  xpay call query_order '{"openid":"oABC","env":0,"order_id":"ORDER1"}'
  xpay call query_biz_balance '{"env":0}' --json
  xpay call query_user_balance --session-key @session.key <body.json

对包体原样签名、发送一次并打印应答；env 决定使用哪个 AppKey。涉及资金的接口会真实生效，不会再次询问。

APIs: ` + strings.Join(apiNames(), ", ")
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
		return usageError{fmt.Errorf("no API is called %.60q: it is one of %s", c.API, strings.Join(apiNames(), ", "))}
	}
	if e.UserSig && c.SessionKey == "" {
		return usageError{fmt.Errorf("%s carries the user's signature: give --session-key, fresh from code2Session", name)}
	}
	body := []byte(c.Body)
	if c.Body == "" {
		var err error
		if body, err = o.body(); err != nil {
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
		return c.refused(o, err)
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

// envOf is the env in the body, nil if it has none.
func envOf(body []byte) (*xpay.Env, error) {
	v, err := ordered.Parse(body)
	if err != nil || v.Kind != ordered.Object {
		return nil, errors.New(`the body is not a JSON object: give it as '{"env":0}', or on stdin`)
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
		return nil, errors.New("env in the body is neither the number 0 (production) nor 1 (sandbox)")
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
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	_, err = fmt.Fprintf(o.out, "%s\n", style.Write(v))
	return err
}

// refusal is what --json prints when WeChat says no.
type refusal struct {
	ErrCode   int    `json:"errcode"`
	ErrMsg    string `json:"errmsg"`
	RID       string `json:"rid,omitempty"`
	Meaning   string `json:"meaning,omitempty"`
	MeaningZH string `json:"meaningZh,omitempty"`
	Advice    string `json:"advice"`
	AdviceZH  string `json:"adviceZh"`
	Class     string `json:"class"`
	Unknown   bool   `json:"outcomeUnknown"`
}

func (c callCmd) refused(o output, err error) error {
	var no *xpay.Error
	if !o.json || !errors.As(err, &no) {
		return advise(o, err)
	}
	info, _ := xpay.Lookup(no.Code)
	r := refusal{
		ErrCode: no.Code, ErrMsg: no.Message, RID: no.RID, Meaning: info.Meaning, MeaningZH: info.MeaningZH,
		Advice: no.Advice(), AdviceZH: no.AdviceZH(), Class: no.Class().String(), Unknown: xpay.OutcomeUnknown(err),
	}
	return errors.Join(o.printJSON(r), errTold)
}
