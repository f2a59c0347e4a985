package wechatsim_test

import (
	"fmt"
	"runtime"
	"testing"
)

// TestTenThousandSettledOrders holds settled orders to 3 KiB each: 30 MiB for 10 000.
func TestTenThousandSettledOrders(t *testing.T) {
	const orders, bytesMax = 10_000, 20 << 20
	w := newWorld(t)
	session := w.login(testUser)
	before := heapBytes()
	for i := range orders {
		w.sim.RequestVirtualPayment(payment(session, signData(fmt.Sprintf("order-%026d", i), 1, 1800)))
		if i%1000 == 0 {
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
