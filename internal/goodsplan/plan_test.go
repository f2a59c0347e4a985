package goodsplan

import (
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

var now = time.Date(2026, 8, 1, 4, 0, 0, 0, time.UTC)

func TestAPriceThatIsAHundredTimesOffIsDoubted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		price, before xpay.Fen
		says          string // "" is no doubt
	}{
		{"eighteen yuan as 18, never told", 18, 0, "write 1800"},
		{"eighteen yuan as 18, told 1800", 18, 1800, "a hundredth of the 1800"},
		{"18.50 yuan rounded down", 18, 1850, "a hundredth"},
		{"18.50 yuan rounded up", 19, 1850, "a hundredth"},
		{"a hundred times as much", 180000, 1800, "a hundred times the 1800"},
		{"the old one was in yuan", 1800, 18, "a hundred times the 18"},
		{"18.50 yuan after 18", 1850, 18, "a hundred times"},
		{"more than a thousand yuan, never told", 100000, 0, "1000.00 yuan for one piece"},
		{"half off", 900, 1800, ""},
		{"a tenth", 180, 1800, ""},
		{"one yuan, never told", 100, 0, ""},
		{"999.99 yuan, never told", 99999, 0, ""},
		{"six fen, told before", 6, 6, ""},
		{"expensive, told before", 200000, 200000, ""},
	} {
		en, zh := doubt(catalog.Product{Name: "会员", Price: c.price}, c.before)
		if (en == "") != (c.says == "") || !strings.Contains(en, c.says) || (en == "") != (zh == "") {
			t.Errorf("%s: %q %q, expected %q", c.name, en, zh, c.says)
		}
	}
}

func TestAPriceThatTheNameGivesInYuanIsDoubted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"年卡 198 元": true, "年卡198元": true, "年卡 ¥198": true, "￥198 年卡": true,
		"年卡１９８元": true, "年卡 198.00 元": true, "198块": true, "RMB198": true, "rmb 198": true, "198RMB": true, "198 Yuan": true, "CNY 198": true,
		"原价 ¥298，现价 ¥198": true, "满298，198元购": true, "¥1980 送 ¥198": true, "198元宝箱只要198元": true,
		"立省1198元大礼包": false, "年卡 1198 元": false, "年卡 1,198 元": false, "年卡１，１９８元": true, // or 1 and 198: a person looks once too often
		"年卡 ¥1980": false, "年卡 ¥198.50": false, "1.98元": false, "98.198元": false, "198 颗宝石": false, "198 ¥1.98": false, "198元宝": false, "年卡": false,
	} {
		if en, zh := doubt(catalog.Product{Name: name, Price: 198}, 0); (en != "") != want || (zh != "") != want {
			t.Errorf("%s: %q", name, en)
		}
	}
}

func TestANumberOfYuanIsComparedAsAWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		price xpay.Fen
		want  bool
	}{
		{"年卡 1,198 元", 1198, true}, {"年卡 ¥1,198.00", 1198, true}, {"立省1198元大礼包", 1198, true},
		{"首充6元，续费 600 元", 600, true}, {"年卡 198 元", 19800, false}, {"年卡 198.50 元", 19850, false}, {"99999999999999999999元", 198, false},
	} {
		if en, _ := doubt(catalog.Product{Name: "a", Remark: c.name, Price: c.price}, 0); (en != "") != c.want {
			t.Errorf("%s for %d fen: %q", c.name, c.price, en)
		}
	}
}

func TestFenAreShownInYuanToo(t *testing.T) {
	t.Parallel()
	for fen, want := range map[xpay.Fen]string{600: "600 fen = ¥6.00", 5: "5 fen = ¥0.05", 123456: "123456 fen = ¥1234.56"} {
		if got := InYuan(fen); got != want {
			t.Errorf("%s, expected %s", got, want)
		}
	}
}

func TestThePlanFollowsTheReceiptAndTheLastTasks(t *testing.T) {
	t.Parallel()
	p := catalog.Product{ID: "vip", Name: "月度会员", Price: 1800}
	told := Receipt{Name: "月度会员", Price: 1800, Remark: "月度会员", UploadStarted: now.Add(-2 * time.Hour), Uploaded: now.Add(-time.Hour)}
	at := func(change func(*Receipt)) *Receipt {
		r := told
		change(&r)
		return &r
	}
	uploaded := func(id string, price xpay.Fen, status xpay.ItemStatus) Tasks {
		item := xpay.UploadedItem{GoodsItem: xpay.GoodsItem{ID: id, Name: "月度会员", Price: price, Remark: "月度会员"}, Status: status}
		return Tasks{Upload: xpay.UploadTask{Status: xpay.TaskDone, Items: []xpay.UploadedItem{item}}}
	}
	published := Tasks{Publish: xpay.PublishTask{Status: xpay.TaskDone, Items: []xpay.PublishedItem{{ID: "vip", Status: xpay.ItemDone}}}}
	for _, c := range []struct {
		name    string
		receipt *Receipt
		last    Tasks
		want    Action
	}{
		{"nothing is known", nil, Tasks{}, Upload},
		{"somebody else uploaded it", nil, uploaded("vip", 1800, xpay.ItemDone), Publish},
		{"somebody else uploaded another price", nil, uploaded("vip", 1700, xpay.ItemDone), Upload},
		{"somebody else uploaded another product", nil, uploaded("gem", 1800, xpay.ItemDone), Upload},
		{"an upload failed", nil, uploaded("vip", 1800, xpay.ItemFailed), Upload},
		{"our upload was not seen to end", at(func(r *Receipt) { r.Uploaded = time.Time{} }), Tasks{}, Upload},
		{"the last task shows that it did", at(func(r *Receipt) { r.Uploaded = time.Time{} }), uploaded("vip", 1800, xpay.ItemDone), Publish},
		{"uploaded", &told, Tasks{}, Publish},
		{"the name is another", at(func(r *Receipt) { r.Name = "年度会员" }), Tasks{}, Upload},
		{"the price is another", at(func(r *Receipt) { r.Price = 1700 }), Tasks{}, Upload},
		{"our publishing was not seen to end", at(func(r *Receipt) { r.PublishStarted = now }), Tasks{}, Publish},
		{"a task that may be an older one shows that it did", at(func(r *Receipt) { r.PublishStarted = now }), published, Publish},
		{"published before we began to", &told, published, Publish},
		{"published 29 minutes ago", at(func(r *Receipt) { r.Published = now.Add(-29 * time.Minute) }), Tasks{}, Wait},
		{"published half an hour ago", at(func(r *Receipt) { r.Published = now.Add(-30 * time.Minute) }), Tasks{}, Keep},
	} {
		shop := &Shop{Goods: map[string]Receipt{}}
		if c.receipt != nil {
			shop.Goods["vip"] = *c.receipt
		}
		steps := Plan([]catalog.Product{p, {ID: "old", Hidden: true}}, shop, c.last, now)
		if len(steps) != 1 || steps[0].Do != c.want || steps[0].Why == "" || steps[0].WhyZH == "" {
			t.Errorf("%s: %+v, expected %s", c.name, steps, c.want)
		}
	}
}
