package wechatsim

import (
	"cmp"
	"container/heap"
	"slices"
)

// callOnPhone is a call whose result a phone hears, and the faults that trouble it.
type callOnPhone struct {
	name   string
	faults *PhoneFaults
}

func (s *Sim) cashierCall() callOnPhone {
	return callOnPhone{"requestVirtualPayment", &s.faults.Cashier}
}

func (s *Sim) appleSignCall() callOnPhone { return callOnPhone{appleSignURI, &s.faults.AppleSign} }

func (c callOnPhone) fail(code int, text string) PaymentResult {
	return PaymentResult{ErrCode: code, ErrMsg: c.name + ":fail " + text}
}

// orderedCode takes the errCode that a fault ordered for c; ErrCode 0 is none.
func (s *Sim) orderedCode(c callOnPhone) PaymentResult {
	if !s.takeFault(&c.faults.Code.Times) {
		return PaymentResult{}
	}
	return c.fail(c.faults.Code.ErrCode, c.faults.Code.text(phoneTexts))
}

// codeOrderClosed is the one code that closes the order it leaves (spec 2.3).
const codeOrderClosed = -15012

// leavesOrder: a payment that failed, was cancelled or caught by risk control after the cashier had opened leaves its
// order; any other code is WeChat's refusal to open it.
func leavesOrder(code int) bool { return slices.Contains([]int{-1, -2, -4, codeOrderClosed}, code) }

// callback ends a call that had its effect. It gives what the phone hears, and the pushes that have to be sent before
// it does; newest is the number of the newest push before the effect.
func (s *Sim) callback(c callOnPhone, newest int64) (heard PaymentResult, first []*push) {
	heard = PaymentResult{ErrMsg: c.name + ":ok"}
	switch {
	case s.takeFault(&c.faults.LostCallback):
		heard = PaymentResult{ErrCode: -1, NoCallback: true}
	case s.takeFault(&c.faults.FailedCallback):
		heard = c.fail(-1, phoneTexts[-1])
	}
	pushFirst := s.takeFault(&c.faults.PushFirst)
	if s.journalErr != nil {
		return c.fail(-15003, phoneTexts[-15003]), nil
	}
	if pushFirst {
		first = s.takeNewer(newest)
	}
	return heard, first
}

// takeNewer takes the due pushes numbered above newest out of the queue, in order of creation, so that nobody else
// sends them.
func (s *Sim) takeNewer(newest int64) (batch []*push) {
	_, now := s.clock()
	s.queue = slices.DeleteFunc(s.queue, func(p *push) bool {
		taken := p.Seq > newest && p.Due <= now && !p.Done
		if taken {
			batch = append(batch, p)
		}
		return taken
	})
	heap.Init(&s.queue)
	slices.SortFunc(batch, func(a, b *push) int { return cmp.Compare(a.Seq, b.Seq) })
	return batch
}
