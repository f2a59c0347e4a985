package wechatsim_test

import (
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

func TestWhatTheCallerChangesInItsConfigAfterNewChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) {
		c.Subscriptions = map[string]int{"vip_month": 31}
		c.SensitiveWords = []string{"episodes"}                            // stands in the remark
		c.AllowedIPs = wechatsim.AllowedIPs{IPs: []string{"192.0.2.0/24"}} // the peer of httptest
	})
	w.cfg.AppKeys[0], w.cfg.Subscriptions["song"], w.cfg.Goods[0].Price = "another", 31, 1
	w.cfg.SensitiveWords[0], w.cfg.AllowedIPs.IPs[0] = "nothing", "203.0.113.1"
	w.buy("ORDER0001") // by the old key, at the old price
	if err := w.sim.Sign(testUser, "song", "C-1"); err == nil {
		t.Error("song became a subscription")
	}
	w.wantCode(w.xpay(uploadPath, uploadBody("vip_year", 9900)), 268490007)
}
