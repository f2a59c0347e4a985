package wechatsim

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// message is a push ready to leave: complete, signed, encrypted where configured.
type message struct {
	url      string
	mime     string
	body     []byte
	question bool // answered by result_code rather than ErrCode

	push   Push // how it was signed and sealed: the answer to it is, too, whatever the console says by then
	aesKey []byte
}

// verdict is what the simulator thinks of an answer.
type verdict struct {
	ok   bool
	last string
}

// attempt sends p once, or twice by the fault duplicate, and books the result. It returns how many requests left.
// A receiver that panics counts as a broken connection; the panic goes on.
func (s *Sim) attempt(ctx context.Context, p *push) (sent int) {
	m, copies := s.prepare(p)
	v := verdict{last: "the connection broke"}
	defer func() { s.conclude(ctx, p, v) }()
	if copies == 0 {
		v.last = "never left: dropped by a fault"
	}
	for range copies {
		sent++
		if got := s.post(ctx, m, p.timeout()); got.ok || !v.ok {
			v = got
		}
	}
	return sent
}

// prepare makes the message of p and takes the push faults; copies is 0 when the push must vanish.
func (s *Sim) prepare(p *push) (m message, copies int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(p.order)
	if !s.tellable(p) {
		return m, 0
	}
	_, now := s.clock()
	if p.First == 0 || s.faults.Push.FreshTimestamp {
		p.First, p.Nonce = now, s.chance.nonce()
	}
	if p.Event == eventRefund { // the money is there when WeChat says so
		s.finishRefund(p.order, &p.order.Refunds[p.Index])
	}
	m = s.sign(s.render(p), p.First.unix(), p.Nonce)
	switch {
	case s.faults.Push.DropAll || s.takeFault(&s.faults.Push.Drop):
		return m, 0
	case s.takeFault(&s.faults.Push.Duplicate):
		return m, 2
	}
	return m, 1
}

// sign puts an event into its envelope: query parameters of spec 3.6, or 3.7 in secure mode.
func (s *Sim) sign(event []field, unix int64, nonce string) message {
	m := message{mime: "text/xml", body: renderXML(event), push: s.cfg.Push, aesKey: s.aesKey}
	if s.cfg.Push.Format == "json" {
		m.mime, m.body = "application/json", renderJSON(event)
	}
	ts := strconv.FormatInt(unix, 10)
	q := url.Values{
		"signature": {pushSig(s.cfg.Push.Token, ts, nonce)},
		"timestamp": {ts}, "nonce": {nonce}, "openid": {textOf(event, "FromUserName")},
	}
	if s.cfg.Push.Mode == "aes" {
		text, err := seal(s.aesKey, s.chance.bytes16(), m.body, s.cfg.AppID)
		if err != nil {
			panic("wechatsim: New let a bad AES key pass: " + err.Error())
		}
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", pushSig(s.cfg.Push.Token, ts, nonce, text))
		m.body = s.wrap([]field{{"ToUserName", s.cfg.OriginalID}, {"Encrypt", text}})
	}
	m.url = s.pushURL(q)
	m.question = textOf(event, "Event") == eventQuestion
	return m
}

func (s *Sim) wrap(f []field) []byte {
	if s.cfg.Push.Format == "json" {
		return renderJSON(f)
	}
	return renderXML(f)
}

// pushURL adds q to the configured URL, which may have parameters of its own.
func (s *Sim) pushURL(q url.Values) string {
	u, err := url.Parse(s.cfg.Push.URL)
	if err != nil {
		panic("wechatsim: New let a bad push URL pass: " + err.Error())
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += q.Encode()
	return u.String()
}

// post sends m and judges the answer. Only HTTP 200 within the time limit can be right.
func (s *Sim) post(ctx context.Context, m message, limit time.Duration) verdict {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	status, body, err := s.exchange(ctx, http.MethodPost, m)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{last: fmt.Sprintf("no answer within %s", limit)}
	case err != nil:
		return verdict{last: excerpt("no answer: " + err.Error())}
	case status != http.StatusOK:
		return verdict{last: fmt.Sprintf("HTTP %d", status)}
	}
	return s.judge(m, body)
}

func (s *Sim) exchange(ctx context.Context, method string, m message) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, m.url, bytes.NewReader(m.body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("User-Agent", "Mozilla/4.0")
	if m.mime != "" {
		req.Header.Set("Content-Type", m.mime)
	}
	resp, err := s.cfg.Transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, replyBytesMax))
	return resp.StatusCode, body, err
}

// conclude books an attempt: done, or due again 2, 4, 8 ... seconds later (spec 7.1). An acknowledged paid push is
// what moves an order from 2 to 4.
func (s *Sim) conclude(ctx context.Context, p *push, v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !v.ok && ctx.Err() != nil {
		heap.Push(&s.queue, p)
		return
	}
	if p.Done { // stopped while it was under way
		return
	}
	_, now := s.clock()
	p.Attempts++
	p.Answered, p.Last = v.ok, v.last
	p.Done = v.ok || p.Attempts >= p.triesMax()
	if !p.Done {
		p.Due = now.add(time.Second << p.Attempts)
		heap.Push(&s.queue, p)
		s.signal()
	}
	if v.ok && p.paid() && p.order.Payments[p.Index].Provided == 0 {
		p.order.Payments[p.Index].Provided = now
		s.touch(p.order)
	}
	s.record(kindPush, p)
	s.cfg.Log.Info("wechat push", "event", p.Event, "attempt", p.Attempts, "answered", p.Answered)
}

func excerpt(text string) string {
	if len(text) > excerptBytesMax {
		return string(bytes.ToValidUTF8([]byte(text[:excerptBytesMax]), nil)) + "..."
	}
	return text
}
