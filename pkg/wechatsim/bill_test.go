package wechatsim_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	billPath   = "/xpay/download_bill"
	exportBody = `{"begin_ds":20260801,"end_ds":20260831,"order_type":2,"is_provided":true,"env":0,"pay_channel":1}`
)

// atNoon starts the world at noon of 2026-08-01 in China.
func atNoon(t testing.TB, change ...func(*wechatsim.Config)) *world {
	w := newWorld(t, change...)
	w.clock.Advance(time.Date(2026, 8, 1, 4, 0, 0, 0, time.UTC).Sub(w.clock.Now()))
	return w
}

func (w *world) pass(d time.Duration) { w.clock.Advance(d); w.token = "" }

func (w *world) billCall(begin, end int) map[string]any {
	w.t.Helper()
	return w.xpay(billPath, fmt.Sprintf(`{"begin_ds":%d,"end_ds":%d}`, begin, end))
}

func (w *world) billURL(begin, end int) string {
	w.t.Helper()
	a := w.billCall(begin, end)
	w.wantCode(a, 0)
	return a["url"].(string)
}

// fetch gives the rows of a file by column name, and checks header and status.
func (w *world) fetch(url string) (rows []map[string]string) {
	w.t.Helper()
	status, text := w.do("GET", url, "")
	if status != 200 {
		w.t.Fatalf("GET %s: HTTP %d", url, status)
	}
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, cell := range cells {
			row[all[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// orderIDs joins the order_id column.
func orderIDs(rows []map[string]string) string {
	ids := []string{}
	for _, r := range rows {
		ids = append(ids, r["order_id"])
	}
	return strings.Join(ids, " ")
}

func TestABillIsMadeFirst(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	w.buy("ORDER0001")
	w.wantCode(w.billCall(20260801, 20260801), 268490011)
	w.pass(11 * time.Hour)
	w.wantCode(w.billCall(20260801, 20260801), 268490011) // the day still runs
	w.pass(time.Hour + 9*time.Second)
	w.wantCode(w.billCall(20260801, 20260801), 268490011)
	w.pass(time.Second)
	w.billURL(20260801, 20260801)
	w.pass(24 * time.Hour)
	w.wantCode(w.billCall(20260801, 20260802), 268490011) // another span is another bill
	w.pass(10 * time.Second)
	if got := orderIDs(w.fetch(w.billURL(20260801, 20260802))); got != "ORDER0001" {
		t.Errorf("rows are %q", got)
	}
}

func TestABillURLDiesAfterHalfAnHour(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	w.buy("ORDER0001")
	w.billCall(20260801, 20260801)
	w.pass(24 * time.Hour)
	url := w.billURL(20260801, 20260801)
	if !strings.HasPrefix(url, "http://example.com/download/") { // the Host of httptest.NewRequest
		t.Errorf("url is %q", url)
	}
	w.pass(30*time.Minute - time.Second)
	w.fetch(url)
	w.pass(time.Second)
	if status, _ := w.do("GET", url, ""); status != 403 {
		t.Errorf("after half an hour: HTTP %d, want 403", status)
	}
	if fresh := w.billURL(20260801, 20260801); fresh == url || len(w.fetch(fresh)) != 1 {
		t.Errorf("asking again gives %q", fresh)
	}
	w.pass(24*time.Hour + time.Second)
	if status, _ := w.do("GET", url, ""); status != 404 {
		t.Errorf("a day later: HTTP %d, want 404", status)
	}
	if status, _ := w.do("GET", "/download/0123456789abcdef0123456789abcdef", ""); status != 404 {
		t.Errorf("an invented key: HTTP %d, want 404", status)
	}
}

// The URL leads back to wherever the simulator is served.
func TestABillIsFetchedOverTheNetwork(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	w.buy("ORDER0001")
	w.billCall(20260801, 20260801)
	w.pass(24 * time.Hour)
	server := httptest.NewServer(w.sim)
	defer server.Close()
	const body = `{"begin_ds":20260801,"end_ds":20260801}`
	status, _, text := overHTTP(t, "POST", server.URL+w.xpayURL(billPath, testKey, body), body)
	url := decode(t, text)["url"].(string)
	if status != 200 || !strings.HasPrefix(url, server.URL+"/download/") {
		t.Fatalf("HTTP %d, url %q", status, url)
	}
	status, mime, text := overHTTP(t, "GET", url, "")
	if status != 200 || mime != "text/csv; charset=utf-8" || !strings.Contains(text, "ORDER0001") {
		t.Errorf("HTTP %d, %s:\n%s", status, mime, text)
	}
}

func overHTTP(t *testing.T, method, url, body string) (status int, mime, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(raw)
}

func TestABillHasPaymentsAndRefundsOfItsDays(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	w.buy("ORDER0001")
	w.buyWith("ORDER0002", "cancel", "") // never paid
	w.deliver()
	w.pass(12 * time.Hour) // midnight: the second
	w.buy("ORDER0003")
	w.refund("ORDER0001", "REFUND0001", 1800, 500)
	w.pass(24 * time.Hour)
	w.billCall(20260801, 20260801)
	w.billCall(20260802, 20260802)
	w.pass(10 * time.Second)
	first, second := w.fetch(w.billURL(20260801, 20260801)), w.fetch(w.billURL(20260802, 20260802))
	if got := orderIDs(first); got != "ORDER0001" {
		t.Errorf("the first day has %q", got)
	}
	if got := orderIDs(second); got != "REFUND0001 ORDER0003" {
		t.Errorf("the second day has %q", got)
	}
	for name, want := range map[string]string{
		"order_type": "0", "paid_fee": "1800", "left_fee": "1300", "refund_fee": "", "openid": "oUser1", "product_id": "vip_month",
		"quantity": "1", "status": "4", "sett_state": "3", "paid_time": "1785556800",
	} {
		if first[0][name] != want {
			t.Errorf("payment: %s = %q, want %q", name, first[0][name], want)
		}
	}
	for name, want := range map[string]string{"order_type": "1", "refund_fee": "500", "status": "8", "left_fee": ""} {
		if second[0][name] != want {
			t.Errorf("refund: %s = %q, want %q", name, second[0][name], want)
		}
	}
	w.pass(48 * time.Hour)
	if row := w.fetch(w.billURL(20260801, 20260801))[0]; row["platform_fee_fen"] != "18" || row["sett_state"] != "2" {
		t.Errorf("the settled row is %v", row)
	}
}

// There is no env: the key that signed decides whose bill it is.
func TestTheKeyChoosesTheBill(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	w.buy("ORDER0001")
	data := strings.Replace(signData("SANDBOX01", 1, 1800), `"env":0`, `"env":1`, 1)
	session := w.login(testUser)
	r := payment(session, data)
	r.PaySig = hmacHex(sandKey, "requestVirtualPayment&"+data)
	if got := w.sim.RequestVirtualPayment(r); got.ErrCode != 0 {
		t.Fatal(got)
	}
	w.pass(24 * time.Hour)
	const body = `{"begin_ds":20260801,"end_ds":20260801}`
	for key, want := range map[string]string{testKey: "ORDER0001", sandKey: "SANDBOX01"} {
		w.wantCode(w.object("POST", w.xpayURL(billPath, key, body), body), 268490011)
		w.clock.Advance(10 * time.Second)
		a := w.object("POST", w.xpayURL(billPath, key, body), body)
		w.wantCode(a, 0)
		if got := orderIDs(w.fetch(a["url"].(string))); got != want {
			t.Errorf("the bill of %s has %q, want %q", key, got, want)
		}
	}
	w.wantCode(w.object("POST", w.xpayURL(billPath, "another key", body), body), 268490003)
}

func TestBillBodiesRefused(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	const start, query, ios = "/xpay/start_download_order", "/xpay/query_download_order", "/xpay/download_ios_settlement_bill"
	months := `{"start_month":"202606","end_month":"202607"}`
	tests := []struct {
		name, path, body, from, to string
		want                       int
	}{
		{"a bill by the names of a wrong guide", billPath, `{"bill_date":20260801,"bill_type":1}`, ``, ` `, 268490002},
		{"a bill with days as text", billPath, `{"begin_ds":"20260801","end_ds":"20260801"}`, ``, ` `, 268490002},
		{"a bill without its end", billPath, `{"begin_ds":20260801}`, ``, ` `, 268490002},
		{"a bill that ends before it begins", billPath, `{"begin_ds":20260802,"end_ds":20260801}`, ``, ` `, 268490002},
		{"a bill of 30 February", billPath, `{"begin_ds":20260230,"end_ds":20260301}`, ``, ` `, 268490002},
		{"a bill of a short date", billPath, `{"begin_ds":2026081,"end_ds":2026081}`, ``, ` `, 268490002},
		{"an export without order_type", start, exportBody, `"order_type":2,`, ``, 268490002},
		{"an export of order_type 0", start, exportBody, `"order_type":2`, `"order_type":0`, 268490002},
		{"an export of order_type 5", start, exportBody, `"order_type":2`, `"order_type":5`, 268490002},
		{"an export of 32 days' distance", start, exportBody, `20260831`, `20260902`, 268490002},
		{"an export with is_provided as a number", start, exportBody, `true`, `1`, 268490002},
		{"an export of channel 3", start, exportBody, `"pay_channel":1`, `"pay_channel":3`, 268490002},
		{"an export of refund_status 1", start, exportBody, `"env":0`, `"env":0,"refund_status":1`, 268490002},
		{"an export of order_info as a number", start, exportBody, `"env":0`, `"env":0,"order_info":1`, 268490002},
		{"an export without env", start, exportBody, `"env":0,`, ``, 268490002},
		{"a question about no task", query, `{"env":0}`, ``, ` `, 268490002},
		{"a question about a number", query, `{"env":0,"task_id":5}`, ``, ` `, 268490002},
		{"a month with the slip of the official sample", ios, months, `202606`, `20266`, 268490002},
		{"month 13", ios, months, `202607`, `202613`, 268490002},
		{"months as numbers", ios, months, `"202606"`, `202606`, 268490002},
		{"months in the wrong order", ios, months, `202606`, `202608`, 268490002},
		{"an export of 31 days' distance", start, exportBody, `20260831`, `20260901`, 0},
	}
	for _, tt := range tests {
		body := strings.Replace(tt.body, tt.from, tt.to, 1)
		if body == tt.body {
			t.Fatalf("%s: the body did not change", tt.name)
		}
		if a := w.xpay(tt.path, body); fmt.Sprint(a["errcode"]) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %d", tt.name, a, tt.want)
		}
	}
	for _, path := range []string{billPath, start, query, ios} {
		target := w.xpayURL(path, testKey, "{}")
		w.wantCode(w.object("POST", target[:strings.Index(target, "&pay_sig")], "{}"), 268490003)
		w.wantCode(w.object("GET", target, ""), 43002)
	}
}

// export starts a task, waits for it and gives its rows.
func (w *world) export(changes ...string) []map[string]string {
	w.t.Helper()
	id := w.xpay("/xpay/start_download_order", strings.NewReplacer(changes...).Replace(exportBody))["task_id"]
	ask := fmt.Sprintf(`{"task_id":%q,"env":0}`, id)
	wantField(w.t, w.xpay("/xpay/query_download_order", ask), "status", 1)
	w.clock.Advance(10 * time.Second)
	a := w.xpay("/xpay/query_download_order", ask)
	wantField(w.t, a, "status", 2)
	wantField(w.t, a, "expire_at", w.clock.Now().Add(30*time.Minute).Unix())
	return w.fetch(a["download_url"].(string))
}

func TestExportsFilter(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	w.buy("ORDER0001")
	w.deliver()
	w.faults(`{"push":{"dropAll":true}}`)
	w.buy("ORDER0002")
	w.buyWith("APPLE0001", "pay", "apple")
	w.buyCoins("COIN00001", 5)
	w.refund("ORDER0001", "REFUND0001", 1800, 100)
	w.show("REFUND0001") // asking ends it
	w.faults(`{"orders":{"refundFails":1}}`)
	w.refund("ORDER0002", "REFUND0002", 1800, 100)
	w.show("REFUND0002")
	if err := w.sim.ConsoleRefund("APPLE0001", 100); err != nil {
		t.Fatal(err)
	}
	appleRefund := w.order("APPLE0001").Refunds[0].RefundID
	txn := w.order("ORDER0001").Payments[0].TransactionID
	for _, tt := range []struct {
		name, want string
		changes    []string
	}{
		{"delivered goods", "ORDER0001", nil},
		{"goods not delivered", "ORDER0002", []string{"true", "false"}},
		{"Apple's goods not delivered", "APPLE0001", []string{"true", "false", `"pay_channel":1`, `"pay_channel":2`}},
		{"coins", "COIN00001", []string{`"order_type":2`, `"order_type":1`}},
		{"subscriptions", "", []string{`"order_type":2`, `"order_type":3`}},
		{"all refunds", "REFUND0001 REFUND0002", []string{`"order_type":2`, `"order_type":4`}},
		{"Apple's refunds", appleRefund, []string{`"order_type":2`, `"order_type":4`, `"pay_channel":1`, `"pay_channel":2`}},
		{"refunds that arrived", "REFUND0001", []string{`"order_type":2`, `"order_type":4,"refund_status":2`}},
		{"refunds that run", "", []string{`"order_type":2`, `"order_type":4,"refund_status":4`}},
		{"refunds that failed", "REFUND0002", []string{`"order_type":2`, `"order_type":4,"refund_status":5`}},
		{"part of a transaction number", "ORDER0001", []string{`"env":0`, `"env":0,"order_info":"` + txn[8:] + `"`}},
		{"a user", "ORDER0001", []string{`"env":0`, `"env":0,"order_info":"User1"`}},
		{"what nobody has", "", []string{`"env":0`, `"env":0,"order_info":"nobody"`}},
		{"another month", "", []string{"20260801", "20260701", "20260831", "20260731"}},
	} {
		if got := orderIDs(w.export(tt.changes...)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAnUnknownExportIsNone(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	a := w.xpay("/xpay/query_download_order", `{"task_id":"123456789012345678","env":0}`)
	w.wantCode(a, 0)
	wantField(t, a, "status", 0)
	id := w.xpay("/xpay/start_download_order", exportBody)["task_id"]
	body := fmt.Sprintf(`{"task_id":%q,"env":1}`, id)
	wantField(t, w.object("POST", w.xpayURL("/xpay/query_download_order", sandKey, body), body), "status", 0)
}

func TestBillFaults(t *testing.T) {
	t.Parallel()
	w := atNoon(t)
	w.faults(`{"bills":{"neverReady":true,"exportFails":1}}`)
	failing := w.xpay("/xpay/start_download_order", exportBody)["task_id"]
	w.pass(72 * time.Hour)
	w.billCall(20260801, 20260801)
	w.pass(time.Hour)
	w.wantCode(w.billCall(20260801, 20260801), 268490011)
	ask := fmt.Sprintf(`{"task_id":%q,"env":0}`, failing)
	wantField(t, w.xpay("/xpay/query_download_order", ask), "status", 1)
	w.faults(`{"bills":{"emptyURL":true}}`)
	a := w.billCall(20260801, 20260801)
	w.wantCode(a, 0)
	wantField(t, a, "url", "")
	w.faults(`{"bills":{"neverReady":false}}`)
	w.billURL(20260801, 20260801)
	a = w.xpay("/xpay/query_download_order", ask)
	wantField(t, a, "status", 3)
	if a["download_url"] != nil {
		t.Errorf("a failed export has a URL: %v", a)
	}
}

func TestIOSBills(t *testing.T) {
	t.Parallel()
	const path, body = "/xpay/download_ios_settlement_bill", `{"start_month":"202607","end_month":"202612"}`
	w := atNoon(t)
	w.buy("ORDER0001")
	w.buyWith("APPLE0001", "pay", "apple")
	list := func() []any { t.Helper(); return w.xpay(path, body)["bill_list"].([]any) }
	w.refund("ORDER0001", "REFUND0001", 1800, 100)
	w.show("REFUND0001")                   // it arrives in August, but is not Apple's
	w.pass(30*24*time.Hour + 12*time.Hour) // 2026-09-01 00:00: the month is over
	if err := w.sim.ConsoleRefund("APPLE0001", 1800); err != nil {
		t.Fatal(err)
	}
	w.pass(45*24*time.Hour - time.Second)
	if got := list(); len(got) != 0 {
		t.Errorf("before it is settled: %v", got)
	}
	w.pass(time.Second)
	got := list()
	if len(got) != 1 {
		t.Fatalf("bills are %v", got)
	}
	wantField(t, got[0].(map[string]any), "month", "202608")
	rows := w.fetch(got[0].(map[string]any)["bill_url"].(string))
	if orderIDs(rows) != "APPLE0001" || rows[0]["order_type"] != "7" || rows[0]["platform_fee_fen"] != "216" {
		t.Errorf("rows are %v", rows)
	}
	w.pass(30 * 24 * time.Hour)
	if got := list(); len(got) != 2 {
		t.Errorf("a month later: %v", got)
	}
	if got := w.object("POST", w.xpayURL(path, sandKey, body), body)["bill_list"].([]any); len(got) != 0 {
		t.Errorf("the sandbox has Apple bills: %v", got)
	}
}
