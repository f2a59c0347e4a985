package wechatsim

import (
	"container/heap"
	"context"
	"slices"
	"time"
)

// push is one event on its way to the receiver, repeats included. Its body is made when it is sent, so a waiting or
// finished push is small.
type push struct {
	Seq      int64   `json:"seq"`
	Order    string  `json:"order"`
	Event    string  `json:"event"`
	Index    int     `json:"index,omitempty"` // payment or refund it tells about
	Note     string  `json:"note,omitempty"`  // reason of an Apple refund
	Ref      string  `json:"ref,omitempty"`   // complaint id
	About    string  `json:"about,omitempty"` // what it tells about when that is no order: see topic
	Queued   instant `json:"queued"`
	Due      instant `json:"due"`
	First    instant `json:"first,omitempty"` // when the first try left: CreateTime and timestamp
	Nonce    string  `json:"nonce,omitempty"`
	Attempts int     `json:"attempts,omitempty"`
	Answered bool    `json:"answered,omitempty"`
	Done     bool    `json:"done,omitempty"` // answered, stopped, or out of tries
	Last     string  `json:"last,omitempty"` // what came back, in words

	order *order // nil when it is about a topic
}

func (p *push) paid() bool { return p.Event == eventGoods || p.Event == eventCoin }

// triesMax is how often p is sent at most, the first time included.
func (p *push) triesMax() int {
	if p.Event == eventQuestion {
		return questionTriesMax
	}
	return 1 + pushRepeatsMax
}

func (p *push) timeout() time.Duration {
	if p.Event == eventQuestion {
		return questionTimeout
	}
	return pushTimeout
}

// queue is a heap of pushes by due time, then by age.
type queue []*push

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].Due < q[j].Due || q[i].Due == q[j].Due && q[i].Seq < q[j].Seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*push)) }
func (q *queue) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return p
}

// enqueue adds a new push of o.
func (s *Sim) enqueue(o *order, p *push) {
	p.Order, p.order = o.No, o
	o.pushes = append(o.pushes, p)
	s.send(p)
}

// send numbers a new push, writes it down and lets it wait for its time.
func (s *Sim) send(p *push) {
	s.pushSeq++
	_, now := s.clock()
	p.Seq, p.Queued = s.pushSeq, now
	heap.Push(&s.queue, p)
	s.record(kindPush, p)
	s.signal()
}

// pop takes the first push that is due at now, nil if none is. It is nobody else's until it is put back or concluded.
func (s *Sim) pop(now instant) *push {
	for len(s.queue) > 0 && (s.queue[0].Done || s.queue[0].Due <= now) {
		if p := heap.Pop(&s.queue).(*push); !p.Done {
			return p
		}
	}
	return nil
}

// takeOne takes one due push for Run. With the fault reorder it is the newest due.
func (s *Sim) takeOne() *push {
	s.mu.Lock()
	if !s.faults.Push.Reorder {
		defer s.mu.Unlock()
		return s.pop(at(s.cfg.Now()))
	}
	s.mu.Unlock()
	batch := s.takeDue(at(s.cfg.Now()))
	if len(batch) == 0 {
		return nil
	}
	s.putBack(batch[1:])
	return batch[0]
}

// takeDue takes everything due at now, in the order of sending.
func (s *Sim) takeDue(now instant) (batch []*push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := s.pop(now); p != nil; p = s.pop(now) {
		batch = append(batch, p)
	}
	if s.faults.Push.Reorder {
		slices.Reverse(batch)
	}
	return batch
}

func (s *Sim) putBack(batch []*push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batch {
		heap.Push(&s.queue, p)
	}
}

// NextPush tells when the next push is due; false when none waits. Pushes under way are not counted.
func (s *Sim) NextPush() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && s.queue[0].Done {
		heap.Pop(&s.queue)
	}
	if len(s.queue) == 0 {
		return time.Time{}, false
	}
	return s.queue[0].Due.time(), true
}

// DeliverDue sends every push that is due at this moment, one after the other in due order (ties: order of
// creation), including those the receiver causes meanwhile, and returns how many requests left. A push cut short by
// the end of ctx does not count as tried and stays due.
func (s *Sim) DeliverDue(ctx context.Context) (sent int) {
	now := at(s.cfg.Now())
	for tried := 0; tried < deliverMax && ctx.Err() == nil; {
		batch := s.takeDue(now)
		if len(batch) == 0 {
			return sent
		}
		tried += len(batch)
		sent += s.sendAll(ctx, batch)
	}
	return sent
}

// sendAll sends a batch. What it cannot send, because ctx ended or the receiver panicked, goes back.
func (s *Sim) sendAll(ctx context.Context, batch []*push) (sent int) {
	defer func() { s.putBack(batch) }()
	for len(batch) > 0 && ctx.Err() == nil {
		p := batch[0]
		batch = batch[1:]
		sent += s.attempt(ctx, p)
	}
	return sent
}
