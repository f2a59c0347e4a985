package wechatsim_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

const (
	uploadPath  = "/xpay/start_upload_goods"
	publishPath = "/xpay/start_publish_goods"
)

func uploadBody(id string, price int) string {
	return fmt.Sprintf(`{"env":0,"upload_item":[{"id":%q,"name":"一年会员","price":%d,"remark":"all episodes","item_url":"https://shop.test/year.png"}]}`, id, price)
}

func publishBody(id string) string {
	return fmt.Sprintf(`{"env":0,"publish_item":[{"id":%q}]}`, id)
}

// uploaded and published ask for the status of the newest task and the state of its item.
func (w *world) uploaded() string { w.t.Helper(); return w.taskState("upload") }

func (w *world) published() string { w.t.Helper(); return w.taskState("publish") }

func (w *world) taskState(kind string) string {
	w.t.Helper()
	a := w.xpay("/xpay/query_"+kind+"_goods", `{"env":0}`)
	items := a[kind+"_item"].([]any)
	if len(items) == 0 {
		return fmt.Sprint(a["status"])
	}
	return fmt.Sprint(a["status"], " ", items[0].(map[string]any)[kind+"_status"])
}

// sell uploads and publishes a product; the price is not in force before the publish delay.
func (w *world) sell(id string, price int) {
	w.t.Helper()
	w.wantCode(w.xpay(uploadPath, uploadBody(id, price)), 0)
	w.clock.Advance(5 * time.Second)
	w.wantCode(w.xpay(publishPath, publishBody(id)), 0)
	w.clock.Advance(5 * time.Second)
}

// tryToBuy tries to pay one unit of a product and gives the errCode of the client call.
func (w *world) tryToBuy(no, id string, price int) int {
	w.t.Helper()
	data := strings.Replace(signData(no, 1, price), "vip_month", id, 1)
	return w.sim.RequestVirtualPayment(payment(w.login(testUser), data)).ErrCode
}

func TestGoodsLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if up, pub := w.uploaded(), w.published(); up != "0" || pub != "0" {
		t.Errorf("before any task: %q, %q", up, pub)
	}
	w.wantCode(w.xpay(uploadPath, uploadBody("vip_year", 9900)), 0)
	if got := w.uploaded(); got != "1 0" {
		t.Errorf("a running upload is %q", got)
	}
	w.clock.Advance(5 * time.Second)
	if got := w.uploaded(); got != "3 2" {
		t.Errorf("a finished upload is %q", got)
	}
	const sandbox = `{"env":1}`
	wantField(t, w.object("POST", w.xpayURL("/xpay/query_upload_goods", sandKey, sandbox), sandbox), "status", 0)
	if got := w.tryToBuy("ORDER0001", "vip_year", 9900); got != -15010 {
		t.Errorf("in development it sells: %d, want -15010", got)
	}
	w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 0)
	if got := w.published(); got != "1 0" {
		t.Errorf("a running publication is %q", got)
	}
	w.clock.Advance(5 * time.Second)
	if got := w.published(); got != "3 2" {
		t.Errorf("a finished publication is %q", got)
	}
	if got := w.tryToBuy("ORDER0001", "vip_year", 9900); got != -15014 {
		t.Errorf("just published it sells: %d, want -15014", got)
	}
	w.clock.Advance(10*time.Minute - time.Second)
	if got := w.tryToBuy("ORDER0001", "vip_year", 9900); got != -15014 {
		t.Errorf("after 9:59 it sells: %d, want -15014", got)
	}
	w.clock.Advance(time.Second)
	if got := w.tryToBuy("ORDER0001", "vip_year", 9800); got != -15013 {
		t.Errorf("for another price it sells: %d, want -15013", got)
	}
	if got := w.tryToBuy("ORDER0001", "vip_year", 9900); got != 0 {
		t.Errorf("after ten minutes: %d", got)
	}
}

func TestUploadedItemIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.xpay(uploadPath, uploadBody("vip_year", 9900))
	item := w.xpay("/xpay/query_upload_goods", `{"env":0}`)["upload_item"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{"id": "vip_year", "name": "一年会员", "price": 9900, "remark": "all episodes", "upload_status": 0, "errmsg": ""} {
		wantField(t, item, name, want)
	}
	if item["item_url"] == "https://shop.test/year.png" || item["item_url"] == "" {
		t.Errorf("the picture was not hosted anew: %v", item["item_url"])
	}
	w.clock.Advance(5 * time.Second)
	goods := w.object("GET", "/sim/goods", "")["goods"].([]any)
	if len(goods) != 1 {
		t.Fatalf("goods are %v", goods)
	}
	for name, want := range map[string]any{"id": "vip_year", "env": 0, "name": "一年会员", "price": 9900, "publishedPrice": 0} {
		wantField(t, goods[0].(map[string]any), name, want)
	}
}

func TestOneGoodsTaskAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sell("vip_year", 9900)
	w.wantCode(w.xpay(uploadPath, uploadBody("vip_week", 600)), 0)
	w.wantCode(w.xpay(uploadPath, uploadBody("vip_day", 100)), 268490012)
	w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 268490012)
	sandbox := strings.Replace(uploadBody("vip_day", 100), `"env":0`, `"env":1`, 1)
	w.wantCode(w.object("POST", w.xpayURL(uploadPath, sandKey, sandbox), sandbox), 0) // the sandbox has its own
	w.clock.Advance(5 * time.Second)
	w.wantCode(w.xpay(uploadPath, uploadBody("vip_day", 100)), 0)
}

func TestGoodsThatExistAreNotReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range [][2]string{{"vip_year", "3 2"}, {"vip_year", "2 1"}, {"vip_month", "2 1"}} { // vip_month is in Config
		w.wantCode(w.xpay(uploadPath, uploadBody(tt[0], 9900)), 0)
		w.clock.Advance(5 * time.Second)
		if got := w.uploaded(); got != tt[1] {
			t.Errorf("upload of %s is %q, want %q", tt[0], got, tt[1])
		}
	}
	for _, want := range []string{"3 2", "2 1"} {
		w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 0)
		w.clock.Advance(5 * time.Second)
		if got := w.published(); got != want {
			t.Errorf("publication is %q, want %q", got, want)
		}
	}
	w.wantCode(w.xpay(publishPath, publishBody("vip_month")), 0)
	w.clock.Advance(5 * time.Second)
	if got := w.published(); got != "2 1" {
		t.Errorf("publication of what the console published is %q", got)
	}
	w.wantCode(w.xpay(publishPath, publishBody("vip_none")), 268490002)
}

// With the switch an upload changes the price in development. Published, the old price sells until the delay is over.
func TestAPriceChangeTakesEffectLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"goods":{"uploadReplaces":true}}`)
	w.sell("vip_year", 9900)
	w.clock.Advance(10 * time.Minute)
	w.sell("vip_year", 8800)
	if got := w.tryToBuy("ORDER0001", "vip_year", 8800); got != -15013 {
		t.Errorf("the new price sells at once: %d, want -15013", got)
	}
	if got := w.tryToBuy("ORDER0001", "vip_year", 9900); got != 0 {
		t.Errorf("the old price: %d, want 0", got)
	}
	w.clock.Advance(10 * time.Minute)
	if got := w.tryToBuy("ORDER0002", "vip_year", 9900); got != -15013 {
		t.Errorf("the old price after the delay: %d, want -15013", got)
	}
	if got := w.tryToBuy("ORDER0002", "vip_year", 8800); got != 0 {
		t.Errorf("the new price after the delay: %d, want 0", got)
	}
}

// A product of the console that the API publishes anew sells for the console's price meanwhile.
func TestTheConsolePriceHoldsUntilThePublicationIsInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"goods":{"uploadReplaces":true}}`)
	w.sell("vip_month", 2000)
	if got := w.tryToBuy("ORDER0001", "vip_month", 1800); got != 0 {
		t.Errorf("the console's price: %d, want 0", got)
	}
	w.clock.Advance(10 * time.Minute)
	if got := w.tryToBuy("ORDER0002", "vip_month", 2000); got != 0 {
		t.Errorf("the published price: %d, want 0", got)
	}
}

func TestGoodsBodiesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.SensitiveWords = []string{"赌博", "casino"} })
	up, pub := uploadBody("vip_year", 9900), publishBody("vip_month")
	tests := []struct {
		name, path, body, from, to string
		want                       int
	}{
		{"no list", uploadPath, up, `upload_item`, `goods_list`, 268490002},
		{"an object for the list", uploadPath, `{"env":0,"upload_item":{}}`, ``, ` `, 268490002},
		{"null in the list", uploadPath, `{"env":0,"upload_item":[null]}`, ``, ` `, 268490002},
		{"an empty list", uploadPath, `{"env":0,"upload_item":[]}`, ``, ` `, 268490002},
		{"two items", uploadPath, up, `[{`, `[{},{`, 268490002},
		{"no id", uploadPath, up, `"id":"vip_year",`, ``, 268490002},
		{"an id of 65 characters", uploadPath, up, `vip_year`, strings.Repeat("x", 65), 268490002},
		{"an id with a space", uploadPath, up, `vip_year`, `vip year`, 268490002},
		{"an empty name", uploadPath, up, `一年会员`, ``, 268490002},
		{"a name of 21 characters", uploadPath, up, `一年会员`, strings.Repeat("年", 21), 268490002},
		{"a price of 0", uploadPath, up, `9900`, `0`, 268490002},
		{"a price below 0", uploadPath, up, `9900`, `-1`, 268490002},
		{"a price in yuan", uploadPath, up, `9900`, `99.5`, 268490002},
		{"a price as text", uploadPath, up, `9900`, `"9900"`, 268490002},
		{"an empty remark", uploadPath, up, `all episodes`, ``, 268490002},
		{"a remark of 1025 characters", uploadPath, up, `all episodes`, strings.Repeat("集", 1025), 268490002},
		{"no picture", uploadPath, up, `,"item_url":"https://shop.test/year.png"`, ``, 268490002},
		{"a picture by path", uploadPath, up, `https://shop.test/year.png`, `/year.png`, 268490002},
		{"a sensitive name", uploadPath, up, `一年会员`, `赌博会员`, 268490007},
		{"a sensitive remark", uploadPath, up, `all episodes`, `our casino`, 268490007},
		{"a sensitive picture", uploadPath, up, `year.png`, `casino.png`, 268490007},
		{"publication of nothing", publishPath, pub, `[{"id":"vip_month"}]`, `[]`, 268490002},
		{"publication of two", publishPath, pub, `[{`, `[{"id":"song"},{`, 268490002},
		{"publication of a number", publishPath, pub, `"vip_month"`, `5`, 268490002},
		{"publication of what is unknown", publishPath, pub, `vip_month`, `vip_year`, 268490002},
		{"a name of 20 characters", uploadPath, up, `一年会员`, strings.Repeat("年", 20), 0},
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
	target := w.xpayURL(uploadPath, testKey, up)
	w.wantCode(w.object("POST", target[:strings.Index(target, "&pay_sig")], up), 268490003)
}

func TestGoodsFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"goods":{"uploadFails":1,"publishFails":1}}`)
	for _, want := range []string{"2 3", "3 2"} {
		w.wantCode(w.xpay(uploadPath, uploadBody("vip_year", 9900)), 0)
		w.clock.Advance(5 * time.Second)
		if got := w.uploaded(); got != want {
			t.Errorf("upload is %q, want %q", got, want)
		}
	}
	w.faults(`{"goods":{"tasksHang":true}}`)
	w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 0)
	w.clock.Advance(time.Hour)
	w.wantCode(w.xpay(publishPath, publishBody("vip_year")), 268490012)
	if got := w.published(); got != "1 0" {
		t.Errorf("a hanging publication is %q", got)
	}
	w.faults(`{"goods":{"tasksHang":false}}`)
	if got := w.published(); got != "2 3" {
		t.Errorf("a publication that fails is %q", got)
	}
	w.clock.Advance(time.Hour)
	if got := w.tryToBuy("ORDER0001", "vip_year", 9900); got != -15010 {
		t.Errorf("what failed to be published sells: %d, want -15010", got)
	}
}

// Of many that start at once, one is let in.
func TestConcurrentUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.xpayURL(uploadPath, testKey, "")
	var mu sync.Mutex
	codes := map[string]int{}
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			body := uploadBody(fmt.Sprintf("vip_%d", i), 100)
			_, text := w.do("POST", w.xpayURL(uploadPath, testKey, body), body)
			mu.Lock()
			defer mu.Unlock()
			codes[fmt.Sprint(decode(t, text)["errcode"])]++
		})
	}
	callers.Wait()
	if codes["0"] != 1 || codes["268490012"] != 15 {
		t.Errorf("codes are %v", codes)
	}
}
