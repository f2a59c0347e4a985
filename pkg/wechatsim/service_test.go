package wechatsim_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// services plays a story with every record of withdrawals, advert funds, complaints, subscriptions and punishments.
func services(w *world) (complaintID string) {
	w.buy("ORDER0001")
	session := w.login(testUser)
	w.later(72 * time.Hour)
	w.faults(`{"service":{"chargeFails":1,"withdrawFails":1,"complaintListLag":1}}`)
	w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000001","withdraw_amount":"5.00","env":0}`)
	w.xpay("/xpay/create_withdraw_order", `{"withdraw_no":"W-000002","withdraw_amount":"2.00","env":0}`)
	w.play("advertAccount", account)
	w.xpay("/xpay/bind_transfer_accout", bindBody)
	fund := w.play("advertFund", `{"fundType":0,"amount":10000,"settleBegin":1785500000,"settleEnd":1785700000,"expireTime":1790000000}`)["fundId"].(string)
	w.play("advertRecover", `{"fundId":"`+fund+`","amount":1000,"orderIds":["REFUND0001"]}`)
	w.transfer("REQ-1", 3000)
	complaintID = w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"未到账"}`)["complaintId"].(string)
	w.xpay("/xpay/upload_vp_file", `{"env":0,"base64_img":"`+onePixel+`","file_name":"a.gif"}`)
	w.answer(complaintID, "x")
	w.list("2026-08-01", "2026-08-31", 0, 1)
	w.refund("ORDER0001", "REFUND0001", 1800, 1800)
	w.play("sign", `{"openid":"oUser1","productId":"vip_month","outContractCode":"C-1"}`)
	w.charge("CHARGE01", 1800)
	w.clock.Advance(time.Hour)
	w.charge("CHARGE02", 1700)
	w.charge("CHARGE02", 1800)
	w.play("sign", `{"openid":"oUser2","productId":"vip_month","outContractCode":"C-2"}`)
	w.play("unsign", `{"outContractCode":"C-2"}`)
	w.appleSign(session, appleData)
	w.play("appleUnsign", appleUser)
	w.play("punishment", punished)
	return complaintID
}

func subscriptions(c *wechatsim.Config) { c.Subscriptions = map[string]int{"vip_month": 31} }

// state is everything that the services answer.
func (w *world) state(id string) (all []string) {
	for _, call := range [][2]string{
		{"query_biz_balance", `{"env":0}`}, {"query_withdraw_order", `{"withdraw_no":"W-000001","env":0}`},
		{"query_withdraw_order", `{"withdraw_no":"W-000002","env":0}`}, {"query_transfer_account", `{"env":0}`},
		{"query_adver_funds", fundsAll}, {"query_funds_bill", billsAll}, {"query_recover_bill", recovered},
		{"get_complaint_list", `{"env":0,"begin_date":"2026-08-01","end_date":"2026-08-31","offset":0,"limit":9}`},
		{"get_negotiation_history", `{"env":0,"complaint_id":"` + id + `","offset":0,"limit":50}`},
		{"query_subscribe_contract", contractQuery}, {"query_subscribe_contract", appleQuery},
		{"query_punishment_reasons", `{}`},
	} {
		body := call[1]
		_, text := w.do("POST", w.xpayURL("/xpay/"+call[0], testKey, body), body)
		all = append(all, call[0]+" "+text)
	}
	return append(all, fmt.Sprintf("%+v %+v %+v", w.sim.Contracts(), w.sim.Withdrawals(), w.sim.Faults()))
}

func TestRestoreBringsTheServicesBack(t *testing.T) {
	t.Parallel()
	var journal, snapshot, second bytes.Buffer
	w := newWorld(t, subscriptions, func(c *wechatsim.Config) { c.Journal = &journal })
	id := services(w)
	if err := w.sim.Snapshot(&snapshot); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Clone(journal.Bytes())
	want := w.state(id)
	for name, from := range map[string][]byte{"journal": lines, "snapshot": snapshot.Bytes()} {
		if err := w.restart(from, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := w.state(id); !reflect.DeepEqual(got, want) {
			t.Errorf("from the %s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if err := w.restart(snapshot.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Snapshot(&second); err != nil || !bytes.Equal(snapshot.Bytes(), second.Bytes()) {
		t.Errorf("the snapshot of a snapshot differs: %v\n%s\n%s", err, snapshot.Bytes(), second.Bytes())
	}
}

func TestPushesOfServicesSurviveARestart(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, subscriptions, func(c *wechatsim.Config) { c.Journal = &journal })
	w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 500, "" }
	services(w)
	w.clock.Advance(3 * time.Second)
	first := w.deliver()
	if err := w.restart(journal.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	w.recv.answer, w.recv.got = nil, nil
	w.clock.Advance(2 * time.Second)
	if again := w.deliver(); again != first || first == 0 {
		t.Errorf("%d pushes again, want %d", again, first)
	}
	count := map[string]int{}
	for _, body := range w.recv.bodies() {
		count[decode(t, body)["Event"].(string)]++
	}
	want := map[string]int{
		"xpay_goods_deliver_notify": 3, "xpay_refund_notify": 1, "xpay_complaint_notify": 1, "xpay_subscribe_pay_fail_notify": 1,
		"xpay_subscribe_signing_result_notify": 3, "xpay_apple_subscribe_signing_result_notify": 1,
		"xpay_apple_subscribe_unsigning_result_notify": 1, "xpay_wxpay_callback_notify": 1,
	}
	if !reflect.DeepEqual(count, want) {
		t.Errorf("pushes are %v, want %v", count, want)
	}
	if o := w.order("CHARGE02"); o.Status != 4 || o.PaidFee != 1800 {
		t.Errorf("the charge is %+v", o)
	}
}

func TestAComplaintWhosePushWasLostIsPushedAfterARestart(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.buy("ORDER0001")
	w.deliver()
	w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"x"}`)
	kept, _, _ := strings.Cut(journal.String(), `{"k":"push","n":`+fmt.Sprint(lastDraws(t, journal.String())))
	if !strings.Contains(kept, `"k":"complaint"`) || w.restart([]byte(kept), nil) != nil || w.deliver() != 1 {
		t.Fatalf("after %s the push did not come", kept)
	}
	wantField(t, w.lastPush(), "Event", "xpay_complaint_notify")
}

// lastDraws is the number of draws in the last line of a journal.
func lastDraws(t *testing.T, journal string) any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(journal), "\n")
	return decode(t, lines[len(lines)-1])["n"]
}

func TestAPictureSurvivesARestart(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, func(c *wechatsim.Config) { c.Journal = &journal })
	w.buy("ORDER0001")
	id := w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"x"}`)["complaintId"].(string)
	file := w.xpay("/xpay/upload_vp_file", `{"env":0,"base64_img":"`+onePixel+`","file_name":"a.gif"}`)["file_id"].(string)
	if err := w.restart(journal.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	w.wantCode(w.about("response_complaint", id, `,"response_content":"x","response_images":["`+file+`"]`), 0)
}

// TestATornJournalOfServicesRestores cuts the journal all over: every happening that was written down has its push.
func TestATornJournalOfServicesRestores(t *testing.T) {
	t.Parallel()
	var journal bytes.Buffer
	w := newWorld(t, subscriptions, func(c *wechatsim.Config) { c.Journal = &journal })
	services(w)
	whole := journal.Bytes()
	for cut := 0; cut <= len(whole); cut += 97 {
		file := bytes.NewBuffer(bytes.Clone(whole[:cut]))
		if err := w.restart(bytes.Clone(whole[:cut]), file); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for _, c := range w.sim.Contracts() {
			events := 1
			if c.State == "TERMINATED" {
				events = 2
			}
			if len(c.Pushes) != events {
				t.Fatalf("cut at %d: %+v", cut, c)
			}
		}
		if o, there := w.sim.Order("CHARGE01"); there && len(o.Pushes) != 1 {
			t.Fatalf("cut at %d: %+v", cut, o)
		}
		w.deliver()
		if err := w.restart(file.Bytes(), nil); err != nil {
			t.Fatalf("cut at %d, second restart: %v", cut, err)
		}
	}
}

func TestServicesOfOneSeedAreTheSame(t *testing.T) {
	t.Parallel()
	play := func(seed uint64) (string, []string) {
		var journal bytes.Buffer
		w := newWorld(t, subscriptions, func(c *wechatsim.Config) { c.Journal, c.Seed = &journal, seed })
		services(w)
		w.clock.Advance(time.Minute)
		w.deliver()
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

// FuzzServiceBody sends arbitrary bodies, correctly signed, to every service. Nothing may panic, and no fund and no
// balance may be overdrawn.
func FuzzServiceBody(f *testing.F) {
	paths := strings.Fields(`query_biz_balance create_withdraw_order query_withdraw_order query_transfer_account bind_transfer_accout
		query_adver_funds create_funds_bill query_funds_bill query_recover_bill download_adverfunds_order get_complaint_list
		get_complaint_detail get_negotiation_history response_complaint complete_complaint upload_vp_file get_upload_file_sign
		query_subscribe_contract send_subscribe_pre_payment submit_subscribe_pay_order cancel_subscribe_contract query_punishment_reasons`)
	for _, seed := range []string{
		`{"withdraw_no":"W-000003","env":0}`, fundsAll, billsAll, fundsBill("REQ-2", 1), contractQuery, contractEnd, appleQuery,
		chargeBody("CHARGE03", 1800), `{"env":0,"page":9223372036854775807,"page_size":2,"filter":{}}`, `{"env":0,"response_images":[1]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t, subscriptions)
		services(w)
		for _, path := range paths {
			r := httptest.NewRequest("POST", w.xpayURL("/xpay/"+path, testKey, body), strings.NewReader(body))
			rec := httptest.NewRecorder()
			if w.sim.ServeHTTP(rec, r); rec.Code != http.StatusOK {
				t.Errorf("%s: HTTP %d", path, rec.Code)
			}
		}
		w.clock.Advance(time.Minute)
		w.deliver()
		if left := w.remain(); strings.HasPrefix(left, "-") {
			t.Errorf("%s fen remain in the fund", left)
		}
	})
}
