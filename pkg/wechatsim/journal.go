package wechatsim

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Kinds of journal lines. A line holds the whole new record, so the last line of a record wins.
const (
	kindOrder   = "order"
	kindUser    = "user"
	kindCode    = "code"
	kindToken   = "token"
	kindPush    = "push"
	kindClock   = "clock"
	kindFaults  = "faults"
	kindCoins   = "coins"   // one entry
	kindTask    = "task"    // of the goods APIs
	kindBill    = "bill"    // a daily bill being made
	kindExport  = "export"  // a start_download_order
	kindFile    = "file"    // a URL that was given out
	kindMeter   = "meter"   // a quota and its counts
	kindCleared = "cleared" // clear_quota calls of the month
	kindAllowed = "allowed" // the IP allow list
	kindTorn    = "torn"    // the line before this one was cut off by a crash
)

// Kinds of the lines of services.
const (
	kindContract  = "contract"
	kindCase      = "case"     // of risk control
	kindWithdraw  = "withdraw" // one withdrawal
	kindComplaint = "complaint"
	kindUpload    = "upload"  // a picture for a complaint
	kindAccount   = "account" // an advert account
	kindFund      = "fund"    // an advert fund with its bills
)

// line is the envelope of every journal line.
type line struct {
	Kind  string          `json:"k"`
	Draws uint64          `json:"n"`  // draws of chance so far, so that ids never repeat
	At    instant         `json:"at"` // simulated time of the change
	Value json.RawMessage `json:"v,omitempty"`
}

type clockRecord struct {
	Offset time.Duration `json:"offset"`
}

// record appends v to the journal, before the answer that tells about it leaves. Caller holds s.mu. After the first
// failure nothing is written any more and every call is answered as a failure: what cannot be kept did not happen.
func (s *Sim) record(kind string, v any) {
	if s.cfg.Journal == nil || s.journalErr != nil {
		return
	}
	if _, err := s.cfg.Journal.Write(s.line(kind, v)); err != nil {
		s.journalErr = fmt.Errorf("journal: %w", err)
		s.cfg.Log.Error("the journal cannot be written", "error", err)
	}
}

func (s *Sim) line(kind string, v any) []byte {
	l := line{Kind: kind, Draws: s.chance.draws, At: at(s.cfg.Now())}
	if v != nil {
		l.Value = mustJSON(v)
	}
	return append(mustJSON(l), '\n')
}

// Snapshot writes a journal that restores the present state: one line for each record.
func (s *Sim) Snapshot(w io.Writer) error {
	_, err := w.Write(s.snapshot())
	return err
}

func (s *Sim) snapshot() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b bytes.Buffer
	b.Write(s.line(kindClock, clockRecord{Offset: s.offset}))
	b.Write(s.line(kindFaults, &s.faults))
	b.Write(s.line(kindToken, &s.tokens))
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		b.Write(s.line(kindUser, s.users[id]))
	}
	for _, c := range s.codeOrder {
		b.Write(s.line(kindCode, s.codes[c]))
	}
	for _, o := range s.created {
		b.Write(s.line(kindOrder, o))
	}
	for _, o := range s.created {
		for _, p := range o.pushes {
			b.Write(s.line(kindPush, p))
		}
	}
	s.snapshotServices(&b)
	s.snapshotCoinsAndGoods(&b)
	s.snapshotFilesAndQuotas(&b)
	return b.Bytes()
}

func (s *Sim) snapshotServices(b *bytes.Buffer) {
	s.contracts.snapshot(s, kindContract, b)
	s.cases.snapshot(s, kindCase, b)
	s.topics(func(_ string, t *topic) {
		for _, p := range t.pushes {
			b.Write(s.line(kindPush, p))
		}
	})
	s.withdraws.snapshot(s, kindWithdraw, b)
	s.complaints.snapshot(s, kindComplaint, b)
	s.uploads.snapshot(s, kindUpload, b)
	s.accounts.snapshot(s, kindAccount, b)
	s.funds.snapshot(s, kindFund, b)
}

func (s *Sim) snapshotCoinsAndGoods(b *bytes.Buffer) {
	for _, e := range s.coins.all {
		b.Write(s.line(kindCoins, e))
	}
	for _, t := range s.tasks {
		b.Write(s.line(kindTask, t))
	}
}

func (s *Sim) snapshotFilesAndQuotas(b *bytes.Buffer) {
	s.files.bills.snapshot(s, kindBill, b)
	s.files.exports.snapshot(s, kindExport, b)
	for _, key := range slices.Sorted(maps.Keys(s.files.links)) {
		b.Write(s.line(kindFile, s.files.links[key]))
	}
	for _, path := range slices.Sorted(maps.Keys(s.meters)) {
		b.Write(s.line(kindMeter, s.meters[path]))
	}
	b.Write(s.line(kindCleared, s.cleared))
	if s.allowed != nil {
		b.Write(s.line(kindAllowed, s.allowed))
	}
}

// Restore replays a journal into a Sim that was just made. A torn last line is ignored; any other damage is an error
// that names the line. Pushes that were waiting wait again. If the clock stands before the last line, as after a
// restart of a process that had moved its clock, it is moved by the journaled offset through Config.Advance.
func (s *Sim) Restore(r io.Reader) error {
	last, err := s.restore(r)
	if err != nil {
		return fmt.Errorf("wechatsim: restore: %w", err)
	}
	s.moveClock(last)
	s.repair()
	return nil
}

// restore puts the records back and answers the time of the last line.
func (s *Sim) restore(r io.Reader) (instant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restored || len(s.users) > 0 || len(s.created) > 0 || len(s.tasks) > 0 {
		return 0, errors.New("it works once, on a fresh simulator")
	}
	s.restored = true
	last, whole, err := s.replay(r)
	if err != nil {
		return 0, err
	}
	s.index()
	if !whole && s.cfg.Journal != nil {
		if _, err := s.cfg.Journal.Write(append([]byte("\n"), s.line(kindTorn, nil)...)); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// moveClock applies the journaled offset unless the clock carries it already.
func (s *Sim) moveClock(last instant) {
	s.mu.Lock()
	d := s.offset
	if at(s.cfg.Now()) >= last || s.cfg.Advance == nil {
		d = 0
	}
	s.offset = d
	s.mu.Unlock()
	if d > 0 {
		s.cfg.Advance(d) // not under the lock: it is the caller's code
	}
}

// replay reads every line. whole tells whether the journal ended in a line break.
func (s *Sim) replay(r io.Reader) (last instant, whole bool, err error) {
	in := bufio.NewReader(r)
	var bad error // the line before this one; forgiven if it was torn
	for n := 1; ; n++ {
		text, readErr := in.ReadBytes('\n')
		if readErr != nil && readErr != io.EOF {
			return last, false, readErr
		}
		if len(text) == 0 {
			return last, true, bad
		}
		var l line
		err := json.Unmarshal(text, &l)
		switch {
		case len(bytes.TrimSpace(text)) == 0:
			continue
		case err == nil && l.Kind == kindTorn:
			bad = nil
		case bad != nil:
			return last, false, bad
		case err == nil:
			err = s.apply(l)
		}
		last = max(last, l.At)
		if err != nil {
			bad = fmt.Errorf("line %d: %w", n, err)
		}
		if readErr == io.EOF { // no line break: whatever is there, more must start on a line of its own
			return last, false, nil
		}
	}
}

// apply puts one record in its place.
func (s *Sim) apply(l line) error {
	s.chance.draws = max(s.chance.draws, l.Draws)
	switch l.Kind {
	case kindOrder:
		return s.applyOrder(l.Value)
	case kindPush:
		return s.applyPush(l.Value)
	case kindUser:
		u := &user{}
		err := json.Unmarshal(l.Value, u)
		s.users[u.OpenID] = u
		return err
	case kindCode:
		return s.applyCode(l.Value)
	case kindToken:
		s.tokens = tokens{}
		return json.Unmarshal(l.Value, &s.tokens)
	case kindFaults:
		s.faults = Faults{}
		return json.Unmarshal(l.Value, &s.faults)
	case kindClock:
		var c clockRecord
		err := json.Unmarshal(l.Value, &c)
		s.offset = c.Offset
		return err
	}
	return s.applyMore(l)
}

// applyMore puts back coins, goods, bills and quotas.
func (s *Sim) applyMore(l line) error {
	switch l.Kind {
	case kindCoins:
		return put(l.Value, func(e *coinEntry) {
			if s.coins.byNumber[e.number()] == nil { // an entry never changes, so one seen twice is the same
				s.coins.add(e)
			}
		})
	case kindTask:
		return s.applyTask(l.Value)
	case kindBill:
		return put(l.Value, func(b *bill) { s.files.bills.put(b.key(), b) })
	case kindExport:
		return put(l.Value, func(t *exportTask) { s.files.exports.put(t.ID, t) })
	case kindFile:
		return put(l.Value, func(f *billFile) { s.files.links[f.Key] = f })
	case kindMeter:
		return put(l.Value, func(m *meter) { s.meters[m.Path] = m })
	case kindCleared:
		return json.Unmarshal(l.Value, &s.cleared)
	case kindAllowed:
		return put(l.Value, func(a *AllowedIPs) { s.allowed = a })
	}
	return s.applyService(l)
}

// applyService puts back contracts, cases, withdrawals, complaints and advert funds.
func (s *Sim) applyService(l line) error {
	switch l.Kind {
	case kindContract:
		return put(l.Value, func(c *contract) {
			if old := s.contracts.get(c.Key); old != nil {
				c.pushes = old.pushes
			}
			s.contracts.put(c.Key, c)
		})
	case kindCase:
		return put(l.Value, func(c *punishment) {
			if old := s.cases.get(c.CaseID); old != nil {
				c.pushes = old.pushes
			}
			s.cases.put(c.CaseID, c)
		})
	case kindWithdraw:
		return put(l.Value, func(w *withdrawal) { s.withdraws.put(w.No, w) })
	case kindComplaint:
		return s.applyComplaint(l.Value)
	case kindUpload:
		return put(l.Value, func(u *upload) { s.uploads.put(u.ID, u) })
	case kindAccount:
		return put(l.Value, func(a *AdvertAccount) { s.accounts.put(accountKey(a.UID), a) })
	case kindFund:
		return put(l.Value, func(a *advertFund) { s.funds.put(a.ID, a) })
	}
	return fmt.Errorf("unknown kind %q", l.Kind)
}

// put reads one record and gives it to its place.
func put[T any](v json.RawMessage, place func(*T)) error {
	record := new(T)
	if err := json.Unmarshal(v, record); err != nil {
		return err
	}
	place(record)
	return nil
}

// applyTask puts a task back; the line of its end replaces the line of its start.
func (s *Sim) applyTask(v json.RawMessage) error {
	t := &goodsTask{}
	if err := json.Unmarshal(v, t); err != nil {
		return err
	}
	switch {
	case t.Seq == len(s.tasks)+1:
		s.tasks = append(s.tasks, t)
	case t.Seq >= 1 && t.Seq <= len(s.tasks):
		s.tasks[t.Seq-1] = t
	default:
		return fmt.Errorf("goods task %d is out of order", t.Seq)
	}
	return nil
}

func (s *Sim) applyOrder(v json.RawMessage) error {
	fresh := &order{}
	if err := json.Unmarshal(v, fresh); err != nil {
		return err
	}
	if old := s.orders[fresh.No]; old != nil {
		fresh.pushes = old.pushes
		*old = *fresh
		return nil
	}
	s.orders[fresh.No] = fresh
	s.created = append(s.created, fresh)
	return nil
}

// applyPush finds the order of the push; the line of the order always comes first.
func (s *Sim) applyPush(v json.RawMessage) error {
	fresh := &push{}
	if err := json.Unmarshal(v, fresh); err != nil {
		return err
	}
	s.pushSeq = max(s.pushSeq, fresh.Seq)
	if fresh.About != "" {
		return s.applyTopicPush(fresh)
	}
	o := s.orders[fresh.Order]
	if o == nil {
		return fmt.Errorf("push %d belongs to no order", fresh.Seq)
	}
	fresh.order = o
	o.pushes = replacePush(o.pushes, fresh)
	return nil
}

// applyComplaint finds the order of the complaint; its line always comes first.
func (s *Sim) applyComplaint(v json.RawMessage) error {
	fresh := &complaint{}
	if err := json.Unmarshal(v, fresh); err != nil {
		return err
	}
	if fresh.order = s.orders[fresh.OutTradeNo]; fresh.order == nil {
		return fmt.Errorf("complaint %s belongs to no order", fresh.ID)
	}
	s.complaints.put(fresh.ID, fresh)
	return nil
}

func (s *Sim) applyTopicPush(fresh *push) error {
	t := s.topic(fresh.About)
	if t == nil || fresh.Index < 0 || fresh.Index >= len(t.Happened) {
		return fmt.Errorf("push %d belongs to nothing", fresh.Seq)
	}
	t.pushes = replacePush(t.pushes, fresh)
	return nil
}

// replacePush puts fresh in the place of its older line, or at the end.
func replacePush(pushes []*push, fresh *push) []*push {
	for _, p := range pushes {
		if p.Seq == fresh.Seq {
			*p = *fresh
			return pushes
		}
	}
	return append(pushes, fresh)
}

func (s *Sim) applyCode(v json.RawMessage) error {
	c := &loginCode{}
	if err := json.Unmarshal(v, c); err != nil {
		return err
	}
	if s.codes[c.Code] == nil {
		s.codeOrder = append(s.codeOrder, c.Code)
	}
	s.codes[c.Code] = c
	return nil
}

// index rebuilds what is derived from the records.
func (s *Sim) index() {
	for _, t := range s.tasks {
		s.takeEffect(t)
	}
	for _, o := range s.created {
		s.byWx[o.WxID] = place{order: o, index: -1}
		for i, p := range o.Payments {
			s.byWx[p.WxID] = place{order: o, index: i}
		}
		for i, r := range o.Refunds {
			s.byWx[r.WxID] = place{order: o, index: i, refund: true}
			s.byRefund[r.ID] = place{order: o, index: i, refund: true}
		}
		s.queueAgain(o.pushes)
		if c := s.contracts.get(o.Contract); c != nil {
			c.charges = append(c.charges, o)
		}
	}
	s.topics(func(_ string, t *topic) { s.queueAgain(t.pushes) })
}

func (s *Sim) queueAgain(pushes []*push) {
	for _, p := range pushes {
		if !p.Done {
			heap.Push(&s.queue, p)
		}
	}
}

// repair makes what a crash lost between two lines that belong together: the order that paid a period of Apple's, the
// coins of a payment, and pushes.
func (s *Sim) repair() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal()
	for _, c := range s.contracts.list {
		s.payApple(c)
	}
	for _, o := range s.created {
		s.creditCoins(o)
		s.tellPayments(o)
		s.tellRefunds(o)
		s.tellCharge(o)
	}
	for _, c := range s.complaints.list {
		s.tellComplaint(c)
	}
	s.topics(s.tellTopic)
}
