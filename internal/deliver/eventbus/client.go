package eventbus

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const answerBytesMax = 64 << 10 // a bus with the longest policy has 11 kB

// client makes calls of EventBridge in its own protocol, AWS JSON 1.1, each signed with SigV4.
type client struct {
	cfg      aws.Config
	http     aws.HTTPClient
	signer   *v4.Signer
	endpoint string
	now      func() time.Time
}

func newClient(cfg aws.Config, endpoint string, now func() time.Time) *client {
	c := &client{cfg: cfg, http: cfg.HTTPClient, signer: v4.NewSigner(), endpoint: strings.TrimSuffix(endpoint, "/") + "/", now: now}
	if c.http == nil {
		c.http = http.DefaultClient
	}
	return c
}

// call decodes the answer of one operation into out. What may pass is tried once more, at once: a connection that broke while
// the function was frozen, a throttle, an error of AWS's own. The operation may then have happened twice. An error of AWS is an
// *exception; no error holds the body of an answer.
func (c *client) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode %s: %w", operation, err)
	}
	passing, err := c.try(ctx, operation, body, out)
	if passing && ctx.Err() == nil {
		_, err = c.try(ctx, operation, body, out)
	}
	return err
}

// try makes one call and reports whether its error may pass.
func (c *client) try(ctx context.Context, operation string, body []byte, out any) (passing bool, err error) {
	req, err := c.request(ctx, operation, body)
	if err != nil {
		return false, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax))
	if err != nil {
		return true, fmt.Errorf("read the answer of EventBridge: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		e := exceptionOf(resp, answer)
		return e.passing(), e
	}
	if json.Unmarshal(answer, out) != nil { // what it says may quote the answer
		return false, fmt.Errorf("EventBridge's answer to %s is not the JSON object that it should be", operation)
	}
	return false, nil
}

func (c *client) request(ctx context.Context, operation string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address of EventBridge cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("User-Agent", "xpay-serverless")
	req.Header.Set("X-Amz-Target", "AWSEvents."+operation)
	credentials, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("the credentials for EventBridge: %w", err)
	}
	hash := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, credentials, req, hex.EncodeToString(hash[:]), "events", c.cfg.Region, c.now()); err != nil {
		return nil, fmt.Errorf("sign %s: %w", operation, err)
	}
	return req, nil
}

// exception is an answer of AWS that is an error.
type exception struct {
	status int
	code   string // "ResourceNotFoundException"; "": it has none
}

func (e *exception) Error() string {
	return fmt.Sprintf("EventBridge answers with status %d, %.100s", e.status, cmp.Or(e.code, "without a reason"))
}

// passing reports whether the same call may succeed.
func (e *exception) passing() bool {
	_, throttled := retry.DefaultThrottleErrorCodes[e.code]
	return throttled || e.status == http.StatusTooManyRequests || e.status >= 500
}

// exceptionOf reads the name of an exception where AWS JSON has it: in a header, which may add a URL after a colon, or in the
// body, where a namespace and # may stand before it.
func exceptionOf(resp *http.Response, answer []byte) *exception {
	var body struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(answer, &body) // what is not JSON has no name
	code, _, _ := strings.Cut(cmp.Or(resp.Header.Get("X-Amzn-Errortype"), body.Type), ":")
	return &exception{status: resp.StatusCode, code: code[strings.LastIndexByte(code, '#')+1:]}
}
