package xpay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
)

// fakeWeChat answers each path with the answers given for it, one after the other; "" is a failure after WeChat acted. For a
// WeChat that checks signatures and keeps orders see pkg/wechatsim.
func fakeWeChat(answers map[string][]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		left := answers[r.URL.Path]
		if len(left) == 0 || left[0] == "" {
			w.WriteHeader(http.StatusBadGateway)
		} else {
			fmt.Fprint(w, left[0])
		}
		if len(left) > 0 {
			answers[r.URL.Path] = left[1:]
		}
	}))
}

// fixedToken is a TokenSource for examples; miniprogram.Tokens is one for real.
type fixedToken string

func (t fixedToken) AccessToken(context.Context) (string, error) { return string(t), nil }

func (t fixedToken) RefreshAccessToken(context.Context, string) (string, error) {
	return string(t), nil
}
