package lambdae2e_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

// signed are the headers of a request that AWS has authenticated.
var signed = []string{"Authorization", sigV4, "X-Amz-Date", "20260301T020000Z"}

// signedOnly is the API of a stack with AuthMode iam: before the functions of c stands a gateway that closes every route.
func (c *cloud) signedOnly() {
	g := &lambdatest.Gateway{}
	for _, r := range httpapi.Routes() {
		g.Routes = append(g.Routes, lambdatest.Route{Key: r.Method + " " + r.Path, Function: c.fn[r.Function], IAM: true})
	}
	c.gateway = httptest.NewServer(c.unsaid.hear(g))
	c.Cleanup(c.gateway.Close)
}

// TestWithAuthModeIAMTheSessionTokenTravelsInItsOwnHeader: Authorization belongs to SigV4, which the functions must not take for
// a token.
func TestWithAuthModeIAMTheSessionTokenTravelsInItsOwnHeader(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	c.signedOnly()
	for _, r := range httpapi.Routes() {
		if got := c.call(r.Method, r.Path, ""); got.status != http.StatusForbidden {
			t.Errorf("%s %s, not signed: %v", r.Method, r.Path, got)
		}
	}
	var alice struct{ Token string }
	c.call("POST", "/login", `{"code":"`+c.sim.Login("oAlice")+`"}`, signed...).into(t, 200, &alice)
	buy := func(headers ...string) answer {
		return c.call("POST", "/orders", one, append(headers, "Idempotency-Key", "purchase-1")...)
	}
	if got := buy("Authorization", "Bearer "+alice.Token); got.status != http.StatusForbidden {
		t.Errorf("a token without a signature: %v", got)
	}
	if got := buy(signed...); got.status != http.StatusUnauthorized {
		t.Errorf("a signature without a token: %v", got)
	}
	var bought, seen orderReply
	buy(append(signed[:4:4], "X-Xpay-Token", alice.Token)...).into(t, 201, &bought)
	c.call("GET", "/orders/"+bought.Order.ID, "", append(signed[:4:4], "X-Xpay-Token", alice.Token)...).into(t, 200, &seen)
	if bought.Payment == nil || seen.Order.ID != bought.Order.ID {
		t.Errorf("bought %+v, seen %+v", bought, seen)
	}
	c.merchant(bought.Order.ID) // signed as ever
}
