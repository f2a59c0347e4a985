// Package canary tries a new version of the callback before the first push of WeChat reaches it. CodeDeploy calls the hook
// (BeforeAllowTraffic); the hook invokes the new version directly, as API Gateway would, with the two requests that WeChat
// makes: the check of the URL, and a push that is signed and sealed with the newest Token and EncodingAESKey.
//
// The push is a debug_demo, the one that WeChat's own console sends for a try: it is about no order, so nothing is written.
// Nothing is counted either, but for PlainPushes in production without an EncodingAESKey. With a forward URL it goes on to that receiver, as WeChat's own would.
//
// Guarantee: CodeDeploy is told Succeeded or Failed, whatever happens. Failed, and the old version goes on serving.
package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

const (
	tryTimeout    = 20 * time.Second // of the function's 30 s: the new version may start twice
	reportTimeout = 8 * time.Second  // kept for telling CodeDeploy
)

// Deployment is the event that CodeDeploy sends to a hook.
type Deployment struct {
	ID     string `json:"DeploymentId"`
	HookID string `json:"LifecycleEventHookExecutionId"`
}

// Keys are the newest of the push secret. Without an AESKey pushes are in plain mode.
type Keys struct{ Token, AESKey string }

// Hook is the CodeDeploy hook with what it needs from outside.
type Hook struct {
	AppID    string
	Forwards bool // pushes that are not ours go to another receiver, whose answer is not ours to judge

	Keys   func(context.Context) (Keys, error)
	Invoke func(ctx context.Context, event []byte) (answer []byte, err error) // the new version
	Report func(ctx context.Context, d Deployment, healthy bool) error
	Now    func() time.Time
	Log    *slog.Logger
}

// Handle tries the new version and reports. An error means that CodeDeploy could not be told; it then waits for its own
// limit of an hour and fails the deployment.
func (h *Hook) Handle(ctx context.Context, d Deployment) error {
	problem := h.try(ctx)
	if problem != nil {
		h.Log.ErrorContext(ctx, "the new version of the callback is refused", "deployment", d.ID, "error", problem)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	if err := h.Report(ctx, d, problem == nil); err != nil {
		return fmt.Errorf("report deployment %s: %w", d.ID, err)
	}
	h.Log.InfoContext(ctx, "the new version of the callback was tried", "deployment", d.ID, "healthy", problem == nil)
	return nil
}

// try returns what is wrong with the new version.
func (h *Hook) try(ctx context.Context) (problem error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			problem = fmt.Errorf("the hook panicked: %v", p)
		}
	}()
	keys, err := h.Keys(ctx)
	if err != nil {
		return err
	}
	return errors.Join(h.tryEcho(ctx, keys), h.tryPush(ctx, keys))
}

// tryEcho is the GET with which WeChat checks the URL: echostr must come back as it was.
func (h *Hook) tryEcho(ctx context.Context, keys Keys) error {
	query, _, err := miniprogram.Forge(miniprogram.Forgery{Token: keys.Token, Time: h.Now()}, []byte("{}"))
	if err != nil {
		return err
	}
	echo := "canary" + query.Get("nonce")
	query.Set("echostr", echo)
	answer, err := h.ask(ctx, http.MethodGet, query, "")
	switch {
	case err != nil:
		return fmt.Errorf("the check of the URL: %w", err)
	case answer.StatusCode != http.StatusOK || answer.Body != echo:
		return fmt.Errorf("the check of the URL: status %d and not the echostr: compare the Token of the push secret with what the version reads",
			answer.StatusCode)
	}
	return nil
}

// tryPush is a push about nothing.
func (h *Hook) tryPush(ctx context.Context, keys Keys) error {
	now := h.Now()
	query, body, err := miniprogram.Forge(miniprogram.Forgery{
		AppID: h.AppID, Token: keys.Token, AESKey: keys.AESKey, OpenID: "canary", ToUserName: "gh_canary", Time: now,
	}, fmt.Appendf(nil, `{"ToUserName":"gh_canary","FromUserName":"canary","CreateTime":%d,"MsgType":"event","Event":"debug_demo","debug_str":"canary"}`, now.Unix()))
	if err != nil {
		return err
	}
	answer, err := h.ask(ctx, http.MethodPost, query, string(body))
	if err != nil {
		return fmt.Errorf("the signed push: %w", err)
	}
	return h.judge(answer)
}

// judge wants the acknowledgement. When the push was relayed, any answer that is not an error of our own shows that it was
// verified and opened; so does "unavailable", with which we say that the receiver did not answer.
func (h *Hook) judge(answer events.APIGatewayV2HTTPResponse) error {
	var ours struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal([]byte(answer.Body), &ours) // what is not JSON is no error of ours
	switch code := ours.Error.Code; {
	case h.Forwards && (code == "" || code == "unavailable"):
		return nil
	case !h.Forwards && answer.StatusCode == http.StatusOK && answer.Body == "success":
		return nil
	default:
		return fmt.Errorf("the signed push: answered with status %d, error code %q, and not acknowledged: look at the callback's log", answer.StatusCode, code)
	}
}

// ask invokes the new version with a request as API Gateway hands it on (payload format 2.0).
func (h *Hook) ask(ctx context.Context, method string, query url.Values, body string) (answer events.APIGatewayV2HTTPResponse, err error) {
	const path = "/wechat/push"
	event, err := json.Marshal(events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: method + " " + path, RawPath: path, RawQueryString: query.Encode(), Body: body,
		Headers: map[string]string{"host": "canary", "content-type": "application/json"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: method + " " + path, Stage: "$default", DomainName: "canary", RequestID: "canary",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: path, Protocol: "HTTP/1.1", SourceIP: "127.0.0.1"},
		},
	})
	if err != nil {
		return answer, err
	}
	raw, err := h.Invoke(ctx, event)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.StatusCode == 0 {
		return answer, errors.New("the version answered something else than a response of payload format 2.0")
	}
	return answer, nil
}
