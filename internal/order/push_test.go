package order

import (
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

func TestATimeThatCannotBeIsNone(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]time.Time{
		1772330400: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC), 253402300799: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		0: {}, -1: {}, 253402300800: {}, 1772330400000: {}, 1<<63 - 1: {},
	} {
		if got := unix(seconds); !got.Equal(want) {
			t.Errorf("%d is %v, want %v", seconds, got, want)
		}
	}
}

// A time in milliseconds lies beyond the year 9999, which JSON does not write: the payment must be booked all the same.
func TestAPaymentWithATimeInMillisecondsIsStored(t *testing.T) {
	t.Parallel()
	p := Push{Encrypted: true, Event: xpay.Event{Goods: &xpay.GoodsDelivery{
		OpenID: testUser, OutTradeNo: testID, ProductID: "gem", Quantity: 1, ActualPrice: fen(testPrice),
		WeChatPay: &xpay.WeChatPayInfo{TransactionID: "T1", PaidTime: testStart.UnixMilli()},
	}}}
	_, f, _ := p.money(testStart)
	f.Attempt = 1
	o, _ := tell(fresh(), f)
	if asJSON(t, o); o.State != Delivered || !o.PaidAt.Equal(testStart.Add(time.Second)) && !o.PaidAt.Equal(testStart) {
		t.Errorf("%s, paid at %v", o.State, o.PaidAt)
	}
}
