package wechatsim_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// FuzzRestore replays any bytes as a journal: it is restored or refused, once, and what was restored can be asked and pushed.
func FuzzRestore(f *testing.F) {
	var journal bytes.Buffer
	w := newWorld(f, func(c *wechatsim.Config) { c.Journal = &journal })
	w.buy("ORDER0001")
	whole := journal.String()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(strings.ReplaceAll(whole, ":1800", ":-1"))
	f.Add(strings.ReplaceAll(whole, "\"at\"", "\"at\":9223372036854775807,\"b\""))
	f.Add(strings.ReplaceAll(whole, "\"payments\"", "\"other\""))
	f.Add(strings.ReplaceAll(whole, "\"Payments\"", "\"Other\""))
	f.Add("null\n{}\n[]\n")
	f.Fuzz(func(t *testing.T, journal string) {
		w := newWorld(t)
		if err := w.sim.Restore(strings.NewReader(journal)); err != nil && !strings.HasPrefix(err.Error(), "wechatsim: restore: ") {
			t.Error(err)
		}
		for _, o := range w.sim.Orders() {
			w.sim.Order(o.OutTradeNo)
		}
		w.sim.DeliverDue(t.Context())
		if err := w.sim.Restore(strings.NewReader("")); err == nil {
			t.Error("restored twice")
		}
	})
}
