package xpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

const operateBytesMax = 2 << 20 // upload_vp_file takes 1 MB in base64

// Call calls any of the 37 APIs by its name, for operators and tools: programs use the typed methods. body is a JSON
// object; exactly its bytes are signed and sent, nothing in it is checked but env. sessionKey is for the APIs with the
// user's signature, "" for the others.
//
// Refused before sending: a name that Endpoints does not list, a body that is not one JSON object of at most 2 MiB, and
// an env in it that is not the Merchant's. Where the API has env and the body has none WeChat takes production (trap 8),
// so that a sandbox merchant is refused.
//
// The answer is what came, including that of a call which says 268490004: an earlier one succeeded. Errors are those of
// the typed methods.
func (c *Client) Call(ctx context.Context, api string, body json.RawMessage, sessionKey string) (json.RawMessage, error) {
	e, ok := endpointNamed(api)
	if !ok {
		return nil, fmt.Errorf("xpay: there is no API %.40q: use a name of Endpoints, such as query_order", api)
	}
	openID, err := c.inspect(e, body)
	a, err := c.call(ctx, e, request{wrong: err, body: body, openID: openID, sessionKey: sessionKey})
	if err != nil {
		return nil, err
	}
	return a.raw, nil
}

// inspect checks a body and finds the openid in it, which is kept out of errors.
func (c *Client) inspect(e endpoint, body []byte) (openID string, _ error) {
	if len(body) > operateBytesMax {
		return "", errors.New("the body is larger than 2 MiB")
	}
	root, err := parseJSONOf(body, answerNodesMax)
	if err != nil {
		return "", fmt.Errorf("the body is not to be sent: %w", err)
	}
	f := fields{node: root}
	env, sent := f.find("env"), strconv.Itoa(int(c.Merchant.env))
	if f.err != nil {
		return "", f.err
	}
	if env == nil && e.env != EnvAbsent && c.Merchant.env != Production {
		return "", fmt.Errorf(`the body has no env, which means production, the merchant is of %s: add "env":%s`, c.Merchant.env, sent)
	}
	if env != nil && env.text != sent {
		return "", fmt.Errorf(`env in the body is not that of the merchant, whose AppKey signs: write "env":%s`, sent)
	}
	return f.text("openid"), nil
}
