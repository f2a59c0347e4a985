package order_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/deliver"
	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// told is what the target accepted: one text for each event.
func (s *shop) told() (events []string) {
	for _, d := range s.heard {
		data := deliver.DataOf(d)
		events = append(events, fmt.Sprintf("%s %d: %d of %d back, owned %t", d.Event.Type, data.Fee, data.Refunded, data.Paid, data.Owned))
	}
	return events
}

// bought is a shop whose order is paid and delivered. The pushes of what comes after it are lost.
func bought(t *testing.T, changes ...func(*localenv.Options)) *shop {
	t.Helper()
	s := openShop(t, append([]func(*localenv.Options){withTarget}, changes...)...)
	s.create()
	s.pay("pay")
	s.pass(5 * time.Minute)
	s.stack.Sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	return s
}

func (s *shop) consoleRefund(fee int64) {
	s.t.Helper()
	if err := s.stack.Sim.ConsoleRefund(s.id, fee); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) lookNow() {
	s.t.Helper()
	if _, err := s.stack.Orders.Recheck(s.t.Context(), s.id); err != nil {
		s.t.Fatal(err)
	}
}

func TestARefundThatOnlyARecheckFindsIsToldWhenItIsCertain(t *testing.T) {
	t.Parallel()
	s := bought(t)
	s.consoleRefund(500)
	s.pass(24 * time.Hour)
	s.lookNow()
	for range 5 { // looks in a row make nothing certain
		s.pass(time.Minute)
		s.lookNow()
	}
	s.pass(50 * time.Hour)
	paid := "order.paid 1800: 0 of 1800 back, owned true"
	if diff := cmp.Diff([]string{paid}, s.told()); diff != "" {
		t.Errorf("before it is certain (-want +got):\n%s", diff)
	}
	s.pass(6 * time.Hour)
	part := "order.refunded 500: 500 of 1800 back, owned true"
	if diff := cmp.Diff([]string{paid, part}, s.told()); diff != "" {
		t.Errorf("after 54 hours and a half (-want +got):\n%s", diff)
	}
	s.consoleRefund(1300)
	s.pass(time.Hour)
	s.lookNow()
	s.pass(30 * 24 * time.Hour)
	if diff := cmp.Diff([]string{paid, part, "order.refunded 1300: 1800 of 1800 back, owned false"}, s.told()); diff != "" {
		t.Errorf("after the rest went back (-want +got):\n%s", diff)
	}
	if o := s.order(); o.Owned() || len(o.Attention) != 0 {
		t.Errorf("owned %t, %+v is asked", o.Owned(), o.Attention)
	}
}

// After a restore from a point in time the same drop is found again: its event has its id again.
func TestAfterARestoreWhatLeftFeeShowsHasItsIDAgain(t *testing.T) {
	t.Parallel()
	s := bought(t)
	point, err := s.raw.Get(t.Context(), order.DocID(s.id))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if len(s.heard) == 1 {
			s.consoleRefund(500)
		}
		s.pass(time.Hour)
		s.lookNow()
		s.pass(3 * 24 * time.Hour)
		now, err := s.raw.Get(t.Context(), order.DocID(s.id))
		if err != nil {
			t.Fatal(err)
		}
		point.Version, point.Stamp = now.Version, store.NewStamp()
		if _, err := s.raw.Update(t.Context(), point); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, d := range s.heard {
		ids = append(ids, d.Event.ID(s.id))
	}
	if len(ids) != 3 || ids[1] != ids[2] || ids[0] == ids[1] || !slices.Contains(s.told(), "order.refunded 500: 500 of 1800 back, owned true") {
		t.Errorf("the target heard %q as %q", s.told(), ids)
	}
}
