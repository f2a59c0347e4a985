package canary_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
	"github.com/xpay-serverless/xpay-serverless/internal/canary"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	appID = "wx1234567890abcdef"
	token = "hunter2token"
	key   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

var deployment = canary.Deployment{ID: "d-ABCDEF123", HookID: "eyJhbGciOi"}

// callback is the callback's own code with a Token, an EncodingAESKey and a forward URL. It has no store: what would write panics.
func callback(t *testing.T, token, key, forward string) bridge.Function {
	t.Helper()
	push, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: appID, Tokens: []string{token}, AESKeys: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	discard := slog.New(slog.DiscardHandler)
	api := &httpapi.API{Push: push, Now: time.Now, Log: discard}
	if forward != "" {
		api.Forward = &httpapi.Forward{URL: forward, Client: http.DefaultClient}
	}
	return bridge.HTTP(api.Handler(httpapi.RoutesOf("callback")...), discard)
}

// hook tries a version, and notes what CodeDeploy is told.
func hook(version func(context.Context, []byte) ([]byte, error)) (h *canary.Hook, log *strings.Builder, reports *[]bool) {
	reports, log = new([]bool), new(strings.Builder)
	return &canary.Hook{
		AppID:  appID,
		Keys:   func(context.Context) (canary.Keys, error) { return canary.Keys{Token: token, AESKey: key}, nil },
		Invoke: version,
		Report: func(_ context.Context, d canary.Deployment, healthy bool) error {
			if d != deployment {
				return errors.New("another deployment")
			}
			*reports = append(*reports, healthy)
			return nil
		},
		Now: time.Now, Log: slog.New(slog.NewJSONHandler(log, nil)),
	}, log, reports
}

// told is what CodeDeploy was told, exactly once.
func told(t *testing.T, h *canary.Hook, reports *[]bool) (healthy bool) {
	t.Helper()
	if err := h.Handle(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	if len(*reports) != 1 {
		t.Fatalf("CodeDeploy was told %d times", len(*reports))
	}
	return (*reports)[0]
}

func TestAVersionThatVerifiesAndAcknowledgesIsHealthy(t *testing.T) {
	t.Parallel()
	h, _, reports := hook(callback(t, token, key, ""))
	if !told(t, h, reports) {
		t.Error("a healthy version was refused")
	}
}

// TestInPlainModeTheVersionIsTriedToo: without an EncodingAESKey the push is only signed. It is written nowhere; in production it
// is one of the plain pushes that an alarm counts, once for each deployment.
func TestInPlainModeTheVersionIsTriedToo(t *testing.T) {
	t.Parallel()
	for env, counted := range map[xpay.Env]int{xpay.Production: 1, xpay.Sandbox: 0} {
		push, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: appID, Tokens: []string{token}})
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		callbacks := slog.New(slog.NewJSONHandler(&log, nil))
		api := &httpapi.API{Push: push, Now: time.Now, Log: callbacks, Orders: &order.Service{Env: env}} // no store: what would write panics
		h, _, reports := hook(bridge.HTTP(api.Handler(httpapi.RoutesOf("callback")...), callbacks))
		h.Keys = func(context.Context) (canary.Keys, error) { return canary.Keys{Token: token}, nil }
		if !told(t, h, reports) {
			t.Errorf("env %d: a healthy version was refused: %s", env, &log)
		}
		if got := strings.Count(log.String(), `"a push came in plain mode"`); got != counted {
			t.Errorf("env %d: counted %d times as plain: %s", env, got, &log)
		}
	}
}

func TestAVersionThatReadsAnotherSecretIsRefused(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]bridge.Function{
		"another token": callback(t, "hunter3token", key, ""),
		"another key":   callback(t, token, strings.Repeat("a", 42)+"A", ""),
	} {
		h, log, reports := hook(version)
		if told(t, h, reports) {
			t.Errorf("%s: the version was accepted", name)
		}
		if strings.Contains(log.String(), "hunter") || strings.Contains(log.String(), key) {
			t.Errorf("%s: the log shows a secret: %s", name, log)
		}
	}
}

func TestAVersionThatAnswersAnythingElseIsRefused(t *testing.T) {
	t.Parallel()
	good := callback(t, token, key, "")
	replace := func(method, answer string) func(context.Context, []byte) ([]byte, error) {
		return func(ctx context.Context, event []byte) ([]byte, error) {
			if strings.Contains(string(event), `"routeKey":"`+method) {
				return []byte(answer), nil
			}
			return good(ctx, event)
		}
	}
	for name, version := range map[string]func(context.Context, []byte) ([]byte, error){
		"it cannot be invoked":         func(context.Context, []byte) ([]byte, error) { return nil, errors.New("throttled") },
		"no response":                  replace("POST", `null`),
		"not JSON":                     replace("POST", `<html>`),
		"no status":                    replace("POST", `{"body":"success"}`),
		"an error for the push":        replace("POST", `{"statusCode":500,"body":"success"}`),
		"a push that is not confirmed": replace("POST", `{"statusCode":200,"body":"{\"ErrCode\":1}"}`),
		"another echo":                 replace("GET", `{"statusCode":200,"body":"hello"}`),
		"an error for the echo":        replace("GET", `{"statusCode":401,"body":""}`),
		"a panic":                      func(context.Context, []byte) ([]byte, error) { panic("the client") },
	} {
		h, _, reports := hook(version)
		if told(t, h, reports) {
			t.Errorf("%s: the version was accepted", name)
		}
	}
}

func TestWithoutKeysOrTimeTheDeploymentIsRefusedAndCodeDeployIsTold(t *testing.T) {
	t.Parallel()
	h, _, reports := hook(callback(t, token, key, ""))
	h.Keys = func(context.Context) (canary.Keys, error) { return canary.Keys{}, errors.New("the secret is empty") }
	if told(t, h, reports) {
		t.Error("accepted without a secret")
	}
	h, _, reports = hook(func(ctx context.Context, _ []byte) ([]byte, error) { return nil, ctx.Err() })
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Handle(over, deployment); err != nil || len(*reports) != 1 || (*reports)[0] {
		t.Errorf("with its time over: %v, told %v", err, *reports)
	}
}

func TestThatCodeDeployCannotBeToldIsAnError(t *testing.T) {
	t.Parallel()
	h, _, _ := hook(callback(t, token, key, ""))
	h.Report = func(context.Context, canary.Deployment, bool) error { return errors.New("access denied") }
	if err := h.Handle(t.Context(), deployment); err == nil || !strings.Contains(err.Error(), deployment.ID) {
		t.Errorf("error %v", err)
	}
}

func TestARelayedPushIsJudgedByOurErrorsAlone(t *testing.T) {
	t.Parallel()
	var got url.Values
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Query()
		http.Error(w, "who are you", http.StatusForbidden)
	}))
	t.Cleanup(receiver.Close)
	for name, c := range map[string]struct {
		token, forward string
		healthy        bool
	}{
		"a receiver that refuses":      {token, receiver.URL, true},
		"a receiver that is away":      {token, "http://127.0.0.1:1", true},
		"a token that does not verify": {"hunter3token", receiver.URL, false},
	} {
		h, _, reports := hook(callback(t, c.token, key, c.forward))
		h.Forwards = true
		if healthy := told(t, h, reports); healthy != c.healthy {
			t.Errorf("%s: healthy %t", name, healthy)
		}
	}
	if got.Get("msg_signature") == "" {
		t.Error("the push was not sealed")
	}
}

// TestTheRequestIsOneThatAPIGatewaySends compares the fields with those of the captured event.
func TestTheRequestIsOneThatAPIGatewaySends(t *testing.T) {
	t.Parallel()
	good := callback(t, token, key, "")
	h, _, reports := hook(func(ctx context.Context, event []byte) ([]byte, error) {
		var e struct {
			Version, RouteKey, RawPath string
			RequestContext             struct {
				Stage string
				HTTP  struct{ Method, Path string }
			}
		}
		if err := json.Unmarshal(event, &e); err != nil {
			t.Error(err)
		}
		http := e.RequestContext.HTTP
		if e.Version != "2.0" || e.RouteKey != http.Method+" /wechat/push" || e.RawPath != "/wechat/push" || http.Path != e.RawPath || e.RequestContext.Stage != "$default" {
			t.Errorf("event %+v", e)
		}
		return good(ctx, event)
	})
	told(t, h, reports)
}

// TestAnErrorOfOurOwnIsNoRelayedAnswer: only "unavailable" is what we say of a receiver that is away.
func TestAnErrorOfOurOwnIsNoRelayedAnswer(t *testing.T) {
	t.Parallel()
	good := callback(t, token, key, "")
	for code, want := range map[string]bool{"unavailable": true, "internal": false, "invalid": false, "unauthorized": false} {
		h, _, reports := hook(func(ctx context.Context, event []byte) ([]byte, error) {
			if strings.Contains(string(event), `"routeKey":"GET `) {
				return good.Invoke(ctx, event)
			}
			return fmt.Appendf(nil, `{"statusCode":500,"body":"{\"error\":{\"code\":\"%s\"}}"}`, code), nil
		})
		h.Forwards = true
		if healthy := told(t, h, reports); healthy != want {
			t.Errorf("%s: healthy %t", code, healthy)
		}
	}
}
