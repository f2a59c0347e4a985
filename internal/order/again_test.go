package order_test

import (
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	cancelled   = -2
	wrongPaySig = -15006
)

// rotateAppKey makes the shop know a newer AppKey beside the one it has. WeChat has heard of nothing.
func (s *shop) rotateAppKey(newest string) {
	s.t.Helper()
	cfg := s.stack.Config
	keys := &xpay.AppKeys{}
	keys.Set(cfg.Merchant.AppKeys.Production)
	m, err := xpay.NewRotatingMerchant(cfg.OfferID, cfg.Env, keys)
	if err != nil {
		s.t.Fatal(err)
	}
	keys.Set(newest, cfg.Merchant.AppKeys.Production)
	s.stack.Orders.WeChat.Merchant = m
}

// show shows a payment to the cashier, whose user leaves, and returns the code.
func (s *shop) show(p *xpay.Payment) int {
	s.t.Helper()
	return s.stack.Sim.RequestVirtualPayment(wechatsim.PaymentRequest{
		OpenID: user, Mode: p.Mode, SignData: p.SignData, PaySig: p.PaySig, Signature: p.Signature, Action: "cancel",
	}).ErrCode
}

// report asks for the payment again with what the phone was told.
func (s *shop) report(code int) *xpay.Payment {
	s.t.Helper()
	_, p, err := s.stack.Orders.Attempt(s.t.Context(), user, s.id, s.session, &code)
	if err != nil || p == nil {
		s.t.Fatalf("%v, payment %v", err, p)
	}
	return p
}

// TestAPhoneWhoseCashierKnowsAnotherAppKeyThanTheAPIGetsThatOne: whichever of the two WeChat changes first, one report of -15006 is
// enough, and nobody else is signed for with another key.
func TestAPhoneWhoseCashierKnowsAnotherAppKeyThanTheAPIGetsThatOne(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *shop, old string) error{
		"the cashier first": func(s *shop, _ string) error { return s.stack.Sim.ChangeCashierAppKey(0, "newer-key") },
		"the API first": func(s *shop, old string) error {
			if err := s.stack.Sim.ChangeAppKey(0, "newer-key"); err != nil {
				return err
			}
			return s.stack.Sim.ChangeCashierAppKey(0, old)
		},
	} {
		s := openShop(t)
		old := s.stack.Config.Merchant.AppKeys.Production
		s.rotateAppKey("newer-key")
		if err := change(s, old); err != nil {
			t.Fatal(err)
		}
		if name == "the API first" {
			_, _ = s.stack.Orders.WeChat.QueryOrder(t.Context(), user, xpay.ByOrderID("NUMBER0001")) // it finds out what the API takes
		}
		before := s.stack.Orders.WeChat.Merchant.PaySig("any", nil)
		s.create()
		if got := s.show(s.payment); got != wrongPaySig {
			t.Fatalf("%s: the first signature: the phone says %d", name, got)
		}
		if got := s.show(s.report(wrongPaySig)); got != cancelled {
			t.Errorf("%s: the second signature: the phone says %d", name, got)
		}
		if s.stack.Orders.WeChat.Merchant.PaySig("any", nil) != before {
			t.Errorf("%s: the key that signs for everybody was changed on a phone's word", name)
		}
	}
}

// TestAPhoneThatHasAnotherProcessesSignatureGetsThatOfTheKeyThatWeChatTakes: -15006 is about the key that signed what the phone has,
// which need not be the one that this process would sign with.
func TestAPhoneThatHasAnotherProcessesSignatureGetsThatOfTheKeyThatWeChatTakes(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.create() // by a process that knows the old key alone
	if err := s.stack.Sim.ChangeAppKey(0, "newer-key"); err != nil {
		t.Fatal(err)
	}
	s.rotateAppKey("newer-key") // another process
	_, _ = s.stack.Orders.WeChat.QueryOrder(t.Context(), user, xpay.ByOrderID("NUMBER0001"))
	if got := s.show(s.payment); got != wrongPaySig {
		t.Fatalf("the phone says %d", got)
	}
	if got := s.show(s.report(wrongPaySig)); got != cancelled {
		t.Errorf("asked again: the phone says %d", got)
	}
}

// TestOnlyAWrongPaySigChangesWhoSigns: a phone that lies gets each key in turn, and what it gets is good for nothing else.
func TestOnlyAWrongPaySigChangesWhoSigns(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.rotateAppKey("newer-key")
	s.create()
	right := s.payment.PaySig
	for _, code := range []int{-15005, -15003, cancelled} {
		if got := s.report(code); got.PaySig != right {
			t.Errorf("after %d another key signs", code)
		}
	}
	for i, wantRight := range []bool{false, true, false} {
		got := s.report(wrongPaySig)
		if (got.PaySig == right) != wantRight || got.SignData != s.payment.SignData {
			t.Errorf("report %d of -15006: the right key signs: %t", i+1, got.PaySig == right)
		}
	}
	if o := s.order(); !strings.HasPrefix(s.report(wrongPaySig).PaySig, right[:8]) || len(o.Attempts) != 1 || len(o.Attempts[0].SigHead) != 8 {
		t.Errorf("%+v", o.Attempts)
	}
}
