package wechatsim_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// restart makes a second simulator from a journal, on the same clock and receiver.
func (w *world) restart(journal []byte, into *bytes.Buffer) error {
	w.t.Helper()
	cfg := w.cfg
	if into != nil {
		cfg.Journal = into
	}
	sim, err := wechatsim.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sim = sim
	return sim.Restore(bytes.NewReader(journal))
}

// story plays a purchase with most things that can be recorded.
func story(w *world) {
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 500, "" }
	w.faults(`{"orders":{"coupon":3}}`)
	w.buy("ORDER0001")
	w.buyWith("ORDER0002", "cancel", "")
	w.deliver()
	w.refund("ORDER0001", "REFUND0001", 1797, 100)
	w.clock.Advance(3 * time.Second)
	w.deliver()
	w.sim.Login("oUser2")
}

func TestRestoreContinues(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	story(w)
	want, next, faults := w.sim.Orders(), due(w), w.sim.Faults()
	token := w.accessToken(false)["access_token"]
	if err := w.restart(journal.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	if got := w.sim.Orders(); !reflect.DeepEqual(got, want) {
		t.Errorf("orders are\n%+v\nwant\n%+v", got, want)
	}
	if due(w) != next || !reflect.DeepEqual(w.sim.Faults(), faults) || w.accessToken(false)["access_token"] != token {
		t.Errorf("queue, faults or token differ")
	}
	w.recv.answer = nil
	w.clock.Advance(time.Hour)
	w.deliver()
	if v := w.order("ORDER0001"); v.Status != 4 || !v.Pushes[1].Answered {
		t.Errorf("after the restart: %+v", v)
	}
	if err := w.sim.Pay("ORDER0002"); err != nil {
		t.Error(err)
	}
	seen := map[string]bool{}
	for _, v := range w.sim.Orders() {
		for _, p := range v.Payments {
			if seen[p.TransactionID] {
				t.Error("an id was given out twice")
			}
			seen[p.TransactionID] = true
		}
	}
}

func due(w *world) time.Time { d, _ := w.sim.NextPush(); return d }

func TestSnapshotRestoresTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	story(w)
	w.restoresTheSame()
}

// restoresTheSame restarts from a snapshot, and wants the same bytes in the next one.
func (w *world) restoresTheSame() {
	t := w.t
	t.Helper()
	var first, second bytes.Buffer
	if err := w.sim.Snapshot(&first); err != nil {
		t.Fatal(err)
	}
	if err := w.restart(first.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Snapshot(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("snapshots differ:\n%s\n%s", first.Bytes(), second.Bytes())
	}
}

// TestTornJournalRestores cuts the journal of a purchase all over: what was whole is there, a paid order always
// has its push, and the journal goes on behind the torn line and restores once more.
func TestTornJournalRestores(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.buy("ORDER0001")
	w.refund("ORDER0001", "REFUND0001", 1800, 100)
	whole := journal.Bytes()
	for cut := 0; cut <= len(whole); cut += 31 {
		file := bytes.NewBuffer(bytes.Clone(whole[:cut]))
		if err := w.restart(bytes.Clone(whole[:cut]), file); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for _, v := range w.sim.Orders() {
			if len(v.Pushes) != len(v.Payments)+len(v.Refunds) {
				t.Fatalf("cut at %d: %+v", cut, v)
			}
		}
		w.sim.Login("oUser2")
		if err := w.restart(file.Bytes(), nil); err != nil {
			t.Fatalf("cut at %d, second restart: %v", cut, err)
		}
	}
}

func TestRestoreNamesTheDamagedLine(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.buy("ORDER0001")
	lines := strings.SplitAfter(journal.String(), "\n")
	lines[1] = lines[1][:10] + "\n"
	if err := w.restart([]byte(strings.Join(lines, "")), nil); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error is %v", err)
	}
	if err := w.restart(journal.Bytes(), nil); err != nil {
		t.Error(err)
	}
	if err := w.sim.Restore(&journal); err == nil {
		t.Error("a second Restore was accepted")
	}
}

func TestClockOffsetSurvives(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	if err := w.sim.AdvanceClock(time.Hour); err != nil {
		t.Fatal(err)
	}
	then := w.sim.Now()
	if err := w.restart(journal.Bytes(), nil); err != nil || !w.sim.Now().Equal(then) {
		t.Errorf("a clock that kept its time moved to %s, %v", w.sim.Now(), err)
	}
	w.clock.Advance(-time.Hour) // what a new process on real time sees
	if err := w.restart(journal.Bytes(), nil); err != nil || !w.sim.Now().Equal(then) {
		t.Errorf("a clock that lost its offset stands at %s, %v", w.sim.Now(), err)
	}
}

type brokenDisk struct{}

func (brokenDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestNothingIsAnsweredWithoutJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = brokenDisk{} })
	if status, _ := w.do("POST", "/sim/login", `{"openid":"o"}`); status != 500 {
		t.Errorf("login: HTTP %d", status)
	}
	if status, _ := w.do("POST", "/cgi-bin/stable_token", `{}`); status != 500 {
		t.Errorf("token: HTTP %d", status)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	play := func(seed uint64) (string, []string) {
		var journal bytes.Buffer
		w := newWorld(t, func(c *wechatsim.Config) { c.Journal, c.Seed, c.Push.Mode = &journal, seed, "aes" })
		story(w)
		return journal.String(), w.recv.bodies()
	}
	j1, b1 := play(42)
	j2, b2 := play(42)
	if j1 != j2 || !reflect.DeepEqual(b1, b2) {
		t.Error("two runs with one seed differ")
	}
	if j3, _ := play(43); j3 == j1 {
		t.Error("another seed gives the same bytes")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.accessToken(false)
	w.xpayURL("/xpay/query_order", testKey, "")
	session := w.login(testUser)
	stop := make(chan struct{})
	var senders, buyers sync.WaitGroup
	senders.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.sim.DeliverDue(t.Context())
			}
		}
	})
	for g := range 8 {
		buyers.Go(func() {
			for i := range 20 {
				no := fmt.Sprintf("ORDER-%d-%03d", g, i)
				w.sim.RequestVirtualPayment(payment(session, signData(no, 1, 1800)))
				w.query(no)
				w.refund(no, "R-"+no, 1800, 1+i)
				w.sim.Orders()
				w.sim.SetGoods(w.cfg.Goods)
				w.sim.NextPush()
			}
		})
	}
	buyers.Wait()
	close(stop)
	senders.Wait()
	w.clock.Advance(time.Minute)
	w.deliver()
	for _, v := range w.sim.Orders() {
		if v.Status != 4 || len(v.Refunds) != 1 || len(v.Pushes) != 2 || !v.Pushes[1].Answered {
			t.Fatalf("order is %+v", v)
		}
	}
	want := w.sim.Orders()
	if err := w.restart(journal.Bytes(), nil); err != nil || !reflect.DeepEqual(w.sim.Orders(), want) {
		t.Errorf("the journal tells another story: %v", err)
	}
}
