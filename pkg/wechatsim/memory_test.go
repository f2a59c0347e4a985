package wechatsim_test

import (
	"fmt"
	"runtime"
	"testing"
)

// TestSettledOrdersAreCompact holds settled orders to 2 KiB each: 20 MiB for 10 000.
func TestSettledOrdersAreCompact(t *testing.T) {
	const orders, bytesMax = 2_000, 2_000 * 2048
	w := newWorld(t)
	session := w.login(testUser)
	before := heapBytes()
	for i := range orders {
		w.sim.RequestVirtualPayment(payment(session, signData(fmt.Sprintf("order-%026d", i), 1, 1800)))
		if i%500 == 0 {
			w.deliver()
			w.recv.got = nil
		}
	}
	w.deliver()
	w.recv.got = nil
	grown := heapBytes() - before
	t.Logf("%d orders take %d KiB", orders, grown>>10)
	if grown > bytesMax {
		t.Errorf("%d orders take %d bytes, more than %d", orders, grown, bytesMax)
	}
	if v := w.order(fmt.Sprintf("order-%026d", orders-1)); v.Status != 4 {
		t.Errorf("the last order is %+v", v)
	}
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
