package wechatsim_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	account   = `{"uid":7,"name":"shop ads","orgName":"shop ltd","agencyId":9,"agencyName":"games","state":1}`
	bindBody  = `{"env":0,"transfer_account_uid":7,"transfer_account_org_name":"shop ltd"}`
	fundsAll  = `{"env":0,"page":1,"page_size":10,"filter":{"settle_begin":0,"settle_end":2000000000}}`
	billsAll  = `{"env":0,"page":1,"page_size":10,"filter":{"oper_time_begin":0,"oper_time_end":2000000000}}`
	recovered = `{"env":0,"page":1,"page_size":10,"filter":{"recover_time_begin":0,"recover_time_end":2000000000}}`
)

// advertised is a world with a bound account and a fund of 100 yuan for the seconds 1785500000 to 1785700000.
func advertised(t testing.TB) (*world, string) {
	t.Helper()
	w := newWorld(t)
	w.play("advertAccount", account)
	w.wantCode(w.xpay("/xpay/bind_transfer_accout", bindBody), 0)
	a := w.play("advertFund", `{"fundType":0,"amount":10000,"settleBegin":1785500000,"settleEnd":1785700000,"expireTime":1790000000}`)
	return w, a["fundId"].(string)
}

func fundsBill(request string, fen int) string {
	return fmt.Sprintf(`{"env":0,"transfer_amount":%d,"transfer_account_uid":7,"transfer_account_name":"shop ads","transfer_account_agency_id":9,"request_id":%q,"settle_begin":1785500000,"settle_end":1785700000,"authorize_advertise":1,"fund_type":0}`, fen, request)
}

func (w *world) transfer(request string, fen int) map[string]any {
	w.t.Helper()
	return w.xpay("/xpay/create_funds_bill", fundsBill(request, fen))
}

// only gives the one item of a list.
func (w *world) only(path, body, list string) map[string]any {
	w.t.Helper()
	a := w.xpay(path, body)
	all, _ := a[list].([]any)
	if len(all) != 1 {
		w.t.Fatalf("%s: %v, want one item", path, a)
	}
	return all[0].(map[string]any)
}

func (w *world) remain() string {
	w.t.Helper()
	return fmt.Sprint(w.only("/xpay/query_adver_funds", fundsAll, "adver_funds_list")["remain_amount"])
}

func TestAnAdvertAccountIsBoundAndApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.play("advertAccount", strings.Replace(account, `"state":1`, `"state":0`, 1))
	if a := w.xpay("/xpay/query_transfer_account", `{"env":0}`); len(a["acct_list"].([]any)) != 0 {
		t.Errorf("before it is bound: %v", a)
	}
	w.lose("/xpay/bind_transfer_accout", bindBody)
	w.wantCode(w.xpay("/xpay/bind_transfer_accout", bindBody), 0)
	for state, bound := range []int{1, 1, 2} {
		w.play("advertAccount", strings.Replace(account, `"state":1`, fmt.Sprintf(`"state":%d`, state), 1))
		a := w.only("/xpay/query_transfer_account", `{"env":0}`, "acct_list")
		for name, want := range map[string]any{
			"transfer_account_name": "shop ads", "transfer_account_uid": "7", "transfer_account_agency_id": "9",
			"transfer_account_agency_name": "games", "state": state, "bind_result": bound,
		} {
			wantField(t, a, name, want)
		}
		if (a["error_msg"] == "") == (state == 2) {
			t.Errorf("state %d: %v", state, a)
		}
	}
}

func TestBindingsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.play("advertAccount", account)
	w.play("advertAccount", `{"uid":8,"name":"x","orgName":"shop ltd","state":1,"otherApp":true}`)
	w.wantRefusals("/xpay/bind_transfer_accout", []refusal{
		{"unknown", `{"env":0,"transfer_account_uid":6,"transfer_account_org_name":"shop ltd"}`, 268490022, "无效"},
		{"of another mini-program", `{"env":0,"transfer_account_uid":8,"transfer_account_org_name":"shop ltd"}`, 268490019, "appid"},
		{"another subject", `{"env":0,"transfer_account_uid":7,"transfer_account_org_name":"shop"}`, 268490020, "主体"},
		{"uid as text", `{"env":0,"transfer_account_uid":"7","transfer_account_org_name":"shop ltd"}`, 268490002, "transfer_account_uid"},
		{"no subject", `{"env":0,"transfer_account_uid":7}`, 268490002, "transfer_account_org_name"},
	})
	for _, bad := range []string{`{"uid":7}`, `{"uid":0,"name":"x","orgName":"y"}`, `{"uid":7,"name":"x","orgName":"y","state":3}`} {
		if status, _ := w.do("POST", "/sim/advertAccount", bad); status != 400 {
			t.Errorf("%s: HTTP %d", bad, status)
		}
	}
}

func TestATransferTakesFromTheFund(t *testing.T) {
	t.Parallel()
	w, fund := advertised(t)
	a := w.transfer("REQ-1", 3000)
	w.wantCode(a, 0)
	f := w.only("/xpay/query_adver_funds", fundsAll, "adver_funds_list")
	for name, want := range map[string]any{
		"settle_begin": 1785500000, "settle_end": 1785700000, "total_amount": 10000, "remain_amount": 7000,
		"expire_time": 1790000000, "fund_type": 0, "fund_id": fund,
	} {
		wantField(t, f, name, want)
	}
	b := w.only("/xpay/query_funds_bill", billsAll, "bill_list")
	for name, want := range map[string]any{
		"bill_id": a["bill_id"], "oper_time": 1785600000, "settle_begin": 1785500000, "settle_end": 1785700000, "fund_id": fund,
		"transfer_account_name": "shop ads", "transfer_account_uid": 7, "transfer_amount": 3000, "status": 0, "request_id": "REQ-1",
	} {
		wantField(t, b, name, want)
	}
	w.clock.Advance(3 * time.Second)
	wantField(t, w.only("/xpay/query_funds_bill", billsAll, "bill_list"), "status", 1)
	if got := w.remain(); got != "7000" {
		t.Errorf("%s fen remain", got)
	}
}

func TestAFailedTransferGivesTheMoneyBack(t *testing.T) {
	t.Parallel()
	w, _ := advertised(t)
	w.faults(`{"service":{"fundsBillFails":1}}`)
	w.wantCode(w.transfer("REQ-1", 10000), 0)
	w.wantCode(w.transfer("REQ-2", 1), 268490023)
	w.clock.Advance(3 * time.Second)
	wantField(t, w.only("/xpay/query_funds_bill", billsAll, "bill_list"), "status", 2)
	w.wantCode(w.transfer("REQ-2", 10000), 0)
}

func TestARepeatedTransferAnswers268490004(t *testing.T) {
	t.Parallel()
	w, _ := advertised(t)
	w.lose("/xpay/create_funds_bill", fundsBill("REQ-1", 3000))
	w.wantCode(w.transfer("REQ-1", 3000), 268490004)
	w.wantCode(w.transfer("REQ-1", 4000), 268490004)
	if got := w.remain(); got != "7000" {
		t.Errorf("%s fen remain, want 7000", got)
	}
}

func TestTransfersAreRefused(t *testing.T) {
	t.Parallel()
	w, _ := advertised(t)
	for uid, state := range map[int]int{10: 0, 11: 2} {
		w.play("advertAccount", fmt.Sprintf(`{"uid":%d,"name":"shop ads","orgName":"shop ltd","agencyId":9,"state":%d}`, uid, state))
		w.wantCode(w.xpay("/xpay/bind_transfer_accout", strings.Replace(bindBody, "7", fmt.Sprint(uid), 1)), 0)
	}
	w.play("advertAccount", `{"uid":12,"name":"shop ads","orgName":"shop ltd","agencyId":9,"state":1,"otherApp":true}`)
	w.play("advertAccount", `{"uid":13,"name":"shop ads","orgName":"shop ltd","agencyId":9,"state":1}`)
	good := fundsBill("REQ-1", 3000)
	with := func(was, is string) string { return strings.Replace(good, was, is, 1) }
	tests := []refusal{
		{"unknown account", with(`uid":7`, `uid":99`), 268490022, "无效"},
		{"pending account", with(`uid":7`, `uid":10`), 268490021, "进件"},
		{"rejected account", with(`uid":7`, `uid":11`), 268490022, "无效"},
		{"account of another mini-program", with(`uid":7`, `uid":12`), 268490019, "appid"},
		{"account never bound", with(`uid":7`, `uid":13`), 268490021, "进件"},
		{"another name", with(`shop ads`, `shop`), 268490020, "主体"},
		{"another industry", with(`agency_id":9`, `agency_id":8`), 268490018, "行业"},
		{"nothing", with(`3000`, `0`), 268490024, "大于0"},
		{"less than nothing", with(`3000`, `-1`), 268490024, "大于0"},
		{"more than there is", with(`3000`, `10001`), 268490023, "不足"},
		{"another period", with(`1785700000`, `1785700001`), 268490002, "数据不存在"},
		{"another kind", with(`fund_type":0`, `fund_type":1`), 268490002, "数据不存在"},
		{"no such kind", with(`fund_type":0`, `fund_type":3`), 268490002, "fund_type"},
		{"amount as text", with(`3000`, `"3000"`), 268490002, "transfer_amount"},
		{"authorize 2", with(`advertise":1`, `advertise":2`), 268490002, "authorize_advertise"},
		{"a request_id of 1025", with(`REQ-1`, strings.Repeat("R", 1025)), 268490002, "request_id"},
		{"upside down", with(`1785700000`, `1785400000`), 268490002, "settle_end"},
	}
	w.wantRefusals("/xpay/create_funds_bill", tests)
	w.later(time.Unix(1790000000, 0).Sub(w.clock.Now()))
	w.wantRefusals("/xpay/create_funds_bill", []refusal{{"expired", good, 268490023, "不足"}})
}

func TestRecoveredMoneyIsListed(t *testing.T) {
	t.Parallel()
	w, fund := advertised(t)
	a := w.play("advertRecover", `{"fundId":"`+fund+`","amount":1000,"orderIds":["REFUND0001"]}`)
	b := w.only("/xpay/query_recover_bill", recovered, "bill_list")
	for name, want := range map[string]any{
		"bill_id": a["billId"], "recover_time": 1785600000, "settle_begin": 1785500000, "settle_end": 1785700000, "fund_id": fund,
		"recover_amount": 1000, "refund_order_list": "[REFUND0001]",
	} {
		wantField(t, b, name, want)
	}
	if got := w.remain(); got != "9000" {
		t.Errorf("%s fen remain, want 9000", got)
	}
	for body, want := range map[string]int{`{"fundId":"AF","amount":1}`: 404, `{"fundId":"` + fund + `","amount":9001}`: 400} {
		if status, _ := w.do("POST", "/sim/advertRecover", body); status != want {
			t.Errorf("%s: HTTP %d, want %d", body, status, want)
		}
	}
}

func TestAdvertListsAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	w, _ := advertised(t)
	w.play("advertFund", `{"fundType":2,"amount":1,"settleBegin":1785500000,"settleEnd":1785700000,"expireTime":1790000000}`)
	for i := range 5 {
		w.wantCode(w.transfer(fmt.Sprintf("REQ-%d", i), 100), 0)
		w.clock.Advance(time.Second)
	}
	count := func(path, body, list string) string {
		a := w.xpay(path, body)
		return fmt.Sprintf("%d of %v", len(a[list].([]any)), a["total_page"])
	}
	for _, tt := range []struct{ path, list, page, filter, want string }{
		{"query_adver_funds", "adver_funds_list", `"page":1,"page_size":10`, `"settle_begin":1785500000,"settle_end":1785700000`, "2 of 1"},
		{"query_adver_funds", "adver_funds_list", `"page":1,"page_size":10`, `"settle_begin":1785500001,"settle_end":1785700000`, "0 of 0"},
		{"query_adver_funds", "adver_funds_list", `"page":1,"page_size":10`, `"settle_begin":0,"settle_end":1785699999`, "0 of 0"},
		{"query_adver_funds", "adver_funds_list", `"page":1,"page_size":10`, `"settle_begin":0,"settle_end":1785700000,"fund_type":2`, "1 of 1"},
		{"query_funds_bill", "bill_list", `"page":1,"page_size":2`, `"oper_time_begin":0,"oper_time_end":1785700000`, "2 of 3"},
		{"query_funds_bill", "bill_list", `"page":3,"page_size":2`, `"oper_time_begin":0,"oper_time_end":1785700000`, "1 of 3"},
		{"query_funds_bill", "bill_list", `"page":4,"page_size":2`, `"oper_time_begin":0,"oper_time_end":1785700000`, "0 of 3"},
		{"query_funds_bill", "bill_list", `"page":1,"page_size":9`, `"oper_time_begin":1785600001,"oper_time_end":1785600003`, "3 of 1"},
		{"query_funds_bill", "bill_list", `"page":1,"page_size":9`, `"oper_time_begin":0,"oper_time_end":1785700000,"request_id":"REQ-3"`, "1 of 1"},
		{"query_funds_bill", "bill_list", `"page":1,"page_size":9`, `"oper_time_begin":0,"oper_time_end":1785700000,"bill_id":"none"`, "0 of 0"},
		{"query_recover_bill", "bill_list", `"page":1,"page_size":9`, `"recover_time_begin":0,"recover_time_end":1785700000`, "0 of 0"},
	} {
		body := fmt.Sprintf(`{"env":0,%s,"filter":{%s}}`, tt.page, tt.filter)
		if got := count("/xpay/"+tt.path, body, tt.list); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.path, body, got, tt.want)
		}
	}
}

func TestAdvertListsAreRefused(t *testing.T) {
	t.Parallel()
	w, _ := advertised(t)
	for path, body := range map[string]string{"query_adver_funds": fundsAll, "query_funds_bill": billsAll, "query_recover_bill": recovered} {
		w.wantRefusals("/xpay/"+path, []refusal{
			{"page 0", strings.Replace(body, `"page":1`, `"page":0`, 1), 268490002, "page"},
			{"page as text", strings.Replace(body, `"page":1`, `"page":"1"`, 1), 268490002, "page"},
			{"size 0", strings.Replace(body, `size":10`, `size":0`, 1), 268490002, "page_size"},
			{"no filter", strings.Replace(body, `filter`, `filters`, 1), 268490002, "filter"},
			{"no begin", strings.Replace(body, `_begin`, `_start`, 1), 268490002, "_begin"},
			{"no end", strings.Replace(body, `_end`, `_stop`, 1), 268490002, "_end"},
		})
	}
	for _, bad := range []string{
		`{"fundType":3,"amount":1,"settleBegin":1,"settleEnd":2,"expireTime":1790000000}`,
		`{"fundType":0,"amount":0,"settleBegin":1,"settleEnd":2,"expireTime":1790000000}`,
		`{"fundType":0,"amount":1,"settleBegin":2,"settleEnd":1,"expireTime":1790000000}`,
		`{"fundType":0,"amount":1,"settleBegin":1,"settleEnd":2,"expireTime":1}`,
		`{"fundType":0,"amount":1,"settleBegin":1785500000,"settleEnd":1785700000,"expireTime":1790000000}`,
	} {
		if status, _ := w.do("POST", "/sim/advertFund", bad); status != 400 {
			t.Errorf("%s: HTTP %d", bad, status)
		}
	}
}

func TestTheOrdersOfAFundAreDownloaded(t *testing.T) {
	t.Parallel()
	w, fund := advertised(t)
	server := httptest.NewServer(w.sim)
	defer server.Close()
	w.buy("ORDER0001")
	body := `{"env":0,"fund_id":"` + fund + `"}`
	w.wantCode(w.xpay("/xpay/download_adverfunds_order", body), 268490011)
	w.clock.Advance(3 * time.Second)
	target := w.xpayURL("/xpay/download_adverfunds_order", testKey, body)
	status, text := w.do("POST", target, body)
	link := fmt.Sprint(decode(t, text)["url"])
	_, path, ok := strings.Cut(link, "://example.com") // the host of httptest's requests
	if status != 200 || !ok {
		t.Fatalf("answer is %s", text)
	}
	get := func() (int, string) {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if status, csv := get(); status != 200 || !strings.Contains(csv, "ORDER0001") {
		t.Errorf("the file is HTTP %d %s", status, csv)
	}
	w.later(30 * time.Minute)
	if status, _ := get(); status != 403 {
		t.Errorf("after half an hour: HTTP %d", status)
	}
	other := w.play("advertFund", `{"fundType":1,"amount":1,"settleBegin":1,"settleEnd":2,"expireTime":1790000000}`)["fundId"].(string)
	w.wantRefusals("/xpay/download_adverfunds_order", []refusal{
		{"of another kind", `{"env":0,"fund_id":"` + other + `"}`, 268490002, "fund_id"},
		{"unknown", `{"env":0,"fund_id":"AF"}`, 268490002, "数据不存在"},
		{"no id", `{"env":0}`, 268490002, "fund_id"},
	})
}

func TestConcurrentTransfersNeverTakeMoreThanThereIs(t *testing.T) {
	t.Parallel()
	w, _ := advertised(t)
	var all sync.WaitGroup
	for i := range 16 {
		body := fundsBill(fmt.Sprintf("REQ-%d", i%8), 3000) // each number twice
		target := w.xpayURL("/xpay/create_funds_bill", testKey, body)
		all.Go(func() {
			w.sim.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", target, strings.NewReader(body)))
		})
	}
	all.Wait()
	if got := w.remain(); got != "1000" {
		t.Errorf("%s fen remain, want 1000", got)
	}
}
