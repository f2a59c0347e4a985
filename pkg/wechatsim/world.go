package wechatsim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// AskAppleRefund queues Apple's question about a refund the user asked for (spec 7.8). It is put three times at most;
// the answer shows in OrderView. It moves no money: play Apple's decision with ConsoleRefund. It fails with
// ErrUnknown, or with ErrState unless the order is paid through Apple.
func (s *Sim) AskAppleRefund(outTradeNo, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, i, err := s.paidOrder(outTradeNo)
	if err != nil {
		return err
	}
	if o.Channel != channelApple {
		return fmt.Errorf("order %q was not paid through Apple: %w", outTradeNo, ErrState)
	}
	_, due := s.clock()
	s.enqueue(o, &push{Event: eventQuestion, Index: i, Due: due, Note: orElse(excerpt(reason), "UNINTENDED_PURCHASE")})
	return s.journalErr
}

func (s *Sim) paidOrder(no string) (*order, int, error) {
	o := s.orders[no]
	switch {
	case o == nil:
		return nil, 0, fmt.Errorf("order %q: %w", no, ErrUnknown)
	case !o.paid():
		return nil, 0, fmt.Errorf("order %q is not paid: %w", no, ErrState)
	}
	return o, o.shown(s.faults.Orders), nil
}

// PushResult is what came back for one push sent by hand.
type PushResult struct {
	Status   int    `json:"status"` // HTTP, 0 when nothing came back
	Body     string `json:"body"`   // as received, encrypted or not
	Answered bool   `json:"answered"`
	Reason   string `json:"reason"`
}

// SendPush sends one event, correctly signed in the configured format and mode, once and now. body is a JSON object
// with the fields of the event; the common ones of spec 7.1 are put in front unless body has them. Faults do not
// touch it and no order changes. It fails with ErrInput when body is no such object.
func (s *Sim) SendPush(ctx context.Context, event string, body json.RawMessage) (PushResult, error) {
	if event == "" {
		return PushResult{}, fmt.Errorf("event is missing: %w", ErrInput)
	}
	own, err := parseEvent(body)
	if err != nil {
		return PushResult{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	m := s.signNow(event, own)
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	status, reply, err := s.exchange(ctx, http.MethodPost, m)
	if err != nil {
		return PushResult{Reason: excerpt("no answer: " + err.Error())}, nil
	}
	v := verdict{last: fmt.Sprintf("HTTP %d", status)}
	if status == http.StatusOK {
		v = s.judge(m, reply)
	}
	return PushResult{Status: status, Body: string(reply), Answered: v.ok, Reason: v.last}, nil
}

func (s *Sim) signNow(event string, own []field) message {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, _ := s.clock()
	given := make(map[string]bool, len(own))
	for _, f := range own {
		given[f.name] = true
	}
	var all []field
	for _, f := range envelope(s.cfg.OriginalID, officialFrom, now.Unix(), event) {
		if !given[f.name] {
			all = append(all, f)
		}
	}
	m := s.sign(append(all, own...), now.Unix(), s.chance.nonce())
	m.question = event == eventQuestion
	return m
}

// CheckResult says whether the push URL passed WeChat's check.
type CheckResult struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason"`
}

// CheckURL plays the check that WeChat makes when the push URL is saved: a signed GET whose echostr must come back
// verbatim with HTTP 200 (spec 3.5, vector V5). The plain signature is used in every mode.
func (s *Sim) CheckURL(ctx context.Context) CheckResult {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	m, echo := s.checkMessage()
	status, body, err := s.exchange(ctx, http.MethodGet, m)
	switch {
	case err != nil:
		return CheckResult{Reason: excerpt("no answer: " + err.Error())}
	case status != http.StatusOK:
		return CheckResult{Reason: fmt.Sprintf("HTTP %d", status)}
	case string(body) != echo:
		return CheckResult{Reason: excerpt(fmt.Sprintf("the answer is not the echostr but %q", body))}
	}
	return CheckResult{OK: true, Reason: "echostr came back"}
}

func (s *Sim) checkMessage() (m message, echo string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, _ := s.clock()
	ts, nonce := strconv.FormatInt(now.Unix(), 10), s.chance.nonce()
	echo = s.chance.digits(19)
	q := url.Values{
		"signature": {pushSig(s.cfg.Push.Token, ts, nonce)},
		"timestamp": {ts}, "nonce": {nonce}, "echostr": {echo},
	}
	return message{url: s.pushURL(q)}, echo
}
