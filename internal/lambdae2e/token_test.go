package lambdae2e_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// TestTheWorkerReplacesAnAccessTokenThatSomebodyElseHasRefreshed: the AppSecret is another program's, too, and WeChat knows one
// token for both.
func TestTheWorkerReplacesAnAccessTokenThatSomebodyElseHasRefreshed(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	c.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	alice := c.login("oAlice")
	first, second := alice.order("purchase-1"), alice.order("purchase-2")
	delivered := func(id string) func() bool {
		return func() bool { c.pass(time.Minute, time.Minute); return c.merchant(id).Order.State == "delivered" }
	}
	c.until("delivered", time.Minute, delivered(first)) // with a token that is cached from then on
	for range 2 {                                       // WeChat keeps the one before for a moment
		rec := httptest.NewRecorder()
		c.sim.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/cgi-bin/stable_token",
			strings.NewReader(`{"grant_type":"client_credential","appid":"`+appID+`","secret":"`+appSecret+`","force_refresh":true}`)))
		if !strings.Contains(rec.Body.String(), "access_token") {
			t.Fatal(rec.Body)
		}
		c.ahead.Add(int64(10 * time.Minute))
	}
	third := alice.order("purchase-3")
	c.until("delivered", time.Minute, delivered(second))
	c.until("delivered", time.Minute, delivered(third))
}
