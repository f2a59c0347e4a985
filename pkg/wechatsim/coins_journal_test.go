package wechatsim_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// storyOfCoins plays most of what coins, goods, bills and quotas can record.
func storyOfCoins(w *world) {
	session := w.buyCoins("COIN00001", 100)
	w.give("GIFT00001", 10)
	w.spend(session, "SPEND0001", 60)
	w.cancelSpend(session, "BACK00001", "SPEND0001", 20)
	w.sell("vip_year", 9900)
	w.xpay(uploadPath, uploadBody("vip_week", 600))
	w.billCall(20260801, 20260801)
	w.clock.Advance(48 * time.Hour)
	w.token = ""
	w.billCall(20260801, 20260801)
	w.xpay("/xpay/start_download_order", exportBody)
	w.control("/sim/quotas", `{"path":"/xpay/query_order","daily":2}`, 200)
	w.query("COIN00001")
	w.control("/sim/allowedIPs", `{"ips":["192.0.2.0/24"]}`, 200)
	w.object("POST", "/cgi-bin/clear_quota?access_token="+w.token, `{"appid":"wx1234567890abcdef"}`)
	w.query("COIN00001")
}

func TestCoinsGoodsBillsAndQuotasSurviveARestart(t *testing.T) {
	t.Parallel()
	restart := map[string]func(*world, *bytes.Buffer) []byte{
		"from the journal": func(_ *world, journal *bytes.Buffer) []byte { return journal.Bytes() },
		"from a snapshot": func(w *world, _ *bytes.Buffer) []byte {
			var b bytes.Buffer
			if err := w.sim.Snapshot(&b); err != nil {
				w.t.Fatal(err)
			}
			return b.Bytes()
		},
	}
	for name, file := range restart {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var journal bytes.Buffer
			w := atNoon(t, func(c *wechatsim.Config) { c.Journal = &journal })
			storyOfCoins(w)
			url := w.billURL(20260801, 20260801)
			_, bill := w.do("GET", url, "")
			want := fmt.Sprintf("%+v %+v %+v %+v", w.sim.Coins(testUser, 0), w.sim.UploadedGoods(), w.sim.Quotas(), w.sim.Faults())
			if err := w.restart(file(w, &journal), nil); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%+v %+v %+v %+v", w.sim.Coins(testUser, 0), w.sim.UploadedGoods(), w.sim.Quotas(), w.sim.Faults()); got != want {
				t.Errorf("it is\n%s\nwant\n%s", got, want)
			}
			if status, got := w.do("GET", url, ""); status != 200 || got != bill || !strings.Contains(bill, "COIN00001") {
				t.Errorf("the bill is HTTP %d\n%s\nwant\n%s", status, got, bill)
			}
			session := w.login(testUser)
			w.wantCode(w.spend(session, "SPEND0001", 60), 268490004)
			w.wantCode(w.cancelSpend(session, "BACK00001", "SPEND0001", 20), 268490005)
			w.wantCode(w.give("GIFT00001", 10), 268490004)
			if got := w.uploaded() + ", " + w.published(); got != "3 2, 3 2" {
				t.Errorf("tasks are %s", got)
			}
			if got := w.tryToBuy("ORDER0001", "vip_year", 9900); got != 0 {
				t.Errorf("vip_year: %d", got)
			}
			w.wantCode(w.query("COIN00001"), 0)
			w.wantCode(w.query("COIN00001"), 45009)
			w.wantCode(w.from("203.0.113.1:1", "POST", "/cgi-bin/stable_token", "{}"), 40164)
		})
	}
}

// A crash after the line of the paid order and before the line of its coins: the coins are credited at the restart.
func TestACrashBetweenPaymentAndCoinsLosesNone(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.buyCoins("COIN00001", 100)
	lines := strings.SplitAfter(journal.String(), "\n")
	for n := range lines {
		if err := w.restart([]byte(strings.Join(lines[:n], "")), nil); err != nil {
			t.Fatalf("after %d lines: %v", n, err)
		}
		paid := int64(0)
		if v, ok := w.sim.Order("COIN00001"); ok && len(v.Payments) == 1 {
			paid = 100
		}
		if got := w.sim.Coins(testUser, 0).Balance; got != paid {
			t.Errorf("after %d lines the balance is %d, want %d", n, got, paid)
		}
	}
}

// A cut anywhere in the journal restores, and two runs with one seed write the same bytes.
func TestACutJournalOfCoinsAndGoodsRestores(t *testing.T) {
	t.Parallel()
	play := func() (*world, []byte) {
		var journal bytes.Buffer
		w := atNoon(t, func(c *wechatsim.Config) { c.Journal = &journal })
		storyOfCoins(w)
		return w, journal.Bytes()
	}
	w, journal := play()
	if _, again := play(); !bytes.Equal(again, journal) {
		t.Error("two runs with one seed differ")
	}
	for cut := 0; cut <= len(journal); cut += 97 {
		if err := w.restart(journal[:cut], nil); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if v := w.sim.Coins(testUser, 0); v.Balance < 0 || v.PresentBalance < 0 || v.Balance != v.SumSave+v.SumPresent-v.SumCost {
			t.Fatalf("cut at %d: %+v", cut, v)
		}
	}
}

func TestSnapshotOfCoinsAndGoodsRestoresTheSame(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	storyOfCoins(w)
	w.restoresTheSame()
}

func TestNegativeFaultsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{
		`{"push":{"drop":-1}}`, `{"push":{"duplicate":-1}}`, `{"push":{"delay":"-1s"}}`, `{"orders":{"refundFails":-1}}`,
		`{"orders":{"coupon":-1}}`, `{"orders":{"statusFlap":"-1s"}}`, `{"api":{"/xpay/query_order":{"hang":-1}}}`,
		`{"api":{"/xpay/query_order":{"code":{"errcode":-1,"times":-1}}}}`, `{"goods":{"uploadFails":-1}}`,
		`{"bills":{"exportFails":-1}}`, `{"coins":{"balanceLag":"-1s"}}`, `{"coins":{"creditDelay":"-1s"}}`,
	} {
		status, text := w.do("POST", "/sim/faults", body)
		if status != 400 || !strings.Contains(text, "negative") {
			t.Errorf("%s: HTTP %d %s, want 400", body, status, text)
		}
	}
	err := w.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{Drop: -1}, Coins: wechatsim.CoinFaults{Unpublished: true}})
	if !errors.Is(err, wechatsim.ErrInput) || !strings.Contains(err.Error(), "faults.push.drop") || w.sim.Faults().Coins.Unpublished {
		t.Errorf("SetFaults: %v; faults are %+v", err, w.sim.Faults())
	}
	w.faults(`{"api":{"/xpay/query_order":{"code":{"errcode":-1,"times":1}}}}`) // an errcode may be negative
	w.wantCode(w.query("NOTHING01"), -1)
}

func TestACoinEntryThatTheJournalHasTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	var journal, twice bytes.Buffer
	w := atNoon(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.give("GIFT00001", 10)
	want := w.sim.Coins(testUser, 0)
	if err := w.sim.Snapshot(&twice); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(journal.String(), "\n"), "\n")
	twice.WriteString(lines[len(lines)-1] + "\n")
	if err := w.restart(twice.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	if got := w.sim.Coins(testUser, 0); got.Balance != want.Balance || len(got.Entries) != len(want.Entries) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
