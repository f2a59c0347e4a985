package goodsplan

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// console is a WeChat that answers what a test tells it to.
type console struct {
	upload, publish       error
	uploaded              xpay.UploadTask
	published             xpay.PublishTask
	uploads, publications []string
}

func (c *console) StartUploadGoods(_ context.Context, item xpay.GoodsItem) error {
	c.uploads = append(c.uploads, item.ID)
	return c.upload
}
func (c *console) QueryUploadGoods(context.Context) (xpay.UploadTask, error) { return c.uploaded, nil }
func (c *console) StartPublishGoods(_ context.Context, id string) error {
	c.publications = append(c.publications, id)
	return c.publish
}
func (c *console) QueryPublishGoods(context.Context) (xpay.PublishTask, error) {
	return c.published, nil
}

var vip = catalog.Product{ID: "vip", Name: "月度会员", Price: 1800}

// apply plans and works, and returns what is in the file afterwards.
func apply(t *testing.T, c *console, before map[string]Receipt) (map[string]Receipt, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "receipts.json")
	book, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	shop := book.Shop("1", 0)
	for id, r := range before {
		shop.Goods[id] = r
	}
	if err := book.Save(); err != nil {
		t.Fatal(err)
	}
	w := Work{WeChat: c, Book: book, Shop: shop, Yes: true, Now: func() time.Time { return now }, Picture: func(string) string { return "https://x/y.png" }}
	steps := Plan([]catalog.Product{vip}, shop, Tasks{c.uploaded, c.published}, now)
	err = w.Apply(t.Context(), steps)
	again, readErr := Open(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return again.Shop("1", 0).Goods, err
}

func doneUpload(price xpay.Fen) xpay.UploadTask {
	return xpay.UploadTask{Status: xpay.TaskDone, Items: []xpay.UploadedItem{{GoodsItem: xpay.GoodsItem{ID: "vip", Name: "月度会员", Price: price, Remark: "月度会员"}, Status: xpay.ItemDone}}}
}

func TestAnotherPriceAtWeChatStopsBeforePublishing(t *testing.T) {
	t.Parallel()
	c := &console{uploaded: doneUpload(1)}
	c.uploaded.Items[0].ID = "other" // nothing is known before
	steps := Plan([]catalog.Product{vip}, &Shop{Goods: map[string]Receipt{}}, Tasks{}, now)
	book, _ := Open(filepath.Join(t.TempDir(), "r.json"))
	w := Work{WeChat: c, Book: book, Shop: book.Shop("1", 0), Yes: true, Now: func() time.Time { return now }, Picture: func(string) string { return "" }}
	c.uploaded = doneUpload(1)
	if err := w.Apply(t.Context(), steps); err == nil || !strings.Contains(err.Error(), "price of 1 fen") || len(c.publications) != 0 {
		t.Errorf("%v, published %v", err, c.publications)
	}
}

func TestARefusedUploadLeavesTheReceiptAsItWas(t *testing.T) {
	t.Parallel()
	for _, before := range []map[string]Receipt{nil, {"vip": {Name: "old", Price: 1800, Remark: "old", Uploaded: now, Published: now}}} {
		c := &console{upload: &xpay.Error{Code: 268490007, API: "start_upload_goods"}}
		after, err := apply(t, c, before)
		if err == nil || len(after) != len(before) || after["vip"] != before["vip"] {
			t.Errorf("%v: %+v", err, after)
		}
	}
}

func TestARefusedPublicationIsNotTakenForAStartedOne(t *testing.T) {
	t.Parallel()
	told := Receipt{Name: vip.Name, Price: vip.Price, Remark: vip.Name, Uploaded: now}
	after, err := apply(t, &console{publish: &xpay.Error{Code: 268490012, API: "start_publish_goods"}}, map[string]Receipt{"vip": told})
	var refusal *xpay.Error
	if !errors.As(err, &refusal) || !after["vip"].PublishStarted.IsZero() != xpay.OutcomeUnknown(err) {
		t.Errorf("%v: %+v", err, after["vip"])
	}
}

// TestAPublicationOfUnknownOutcomeIsRepeated: the task of its id that has ended may be that of an older price, so it proves
// nothing. The repetition is safe: WeChat says of a price that is published already that it exists.
func TestAPublicationOfUnknownOutcomeIsRepeated(t *testing.T) {
	t.Parallel()
	started := now.Add(-time.Hour)
	told := Receipt{Name: vip.Name, Price: vip.Price, Remark: vip.Name, UploadStarted: started, Uploaded: started, PublishStarted: started}
	for _, status := range []xpay.ItemStatus{xpay.ItemDone, xpay.ItemExists} {
		c := &console{published: xpay.PublishTask{Status: xpay.TaskDone, Items: []xpay.PublishedItem{{ID: "vip", Status: status}}}}
		after, err := apply(t, c, map[string]Receipt{"vip": told})
		if err != nil || len(c.uploads) != 0 || len(c.publications) != 1 || !after["vip"].Published.Equal(now) {
			t.Errorf("%v, %v, %+v", err, c.publications, after["vip"])
		}
	}
}

func TestAnAdoptedPriceThatLooksWrongNeedsAYes(t *testing.T) {
	t.Parallel()
	book, _ := Open(filepath.Join(t.TempDir(), "r.json"))
	w := Work{Book: book, Shop: book.Shop("1", 0), Now: func() time.Time { return now }}
	s := Step{ID: "vip", product: catalog.Product{ID: "vip", Name: "a", Price: 18}}
	if err := w.Adopt(s); !errors.Is(err, ErrDoubt) {
		t.Errorf("without a yes: %v", err)
	}
	w.Yes = true
	if err := w.Adopt(s); err != nil {
		t.Errorf("with a yes: %v", err)
	}
}

func TestAReceiptThatSaysTheSameIsNotReplacedByAdopting(t *testing.T) {
	t.Parallel()
	hour := now.Add(-time.Hour)
	same := Receipt{Name: vip.Name, Price: vip.Price, Remark: vip.Name, UploadStarted: hour, Uploaded: hour, PublishStarted: hour, Published: hour}
	for _, c := range []struct {
		name   string
		change func(*Receipt)
		kept   bool
	}{
		{"the same", func(*Receipt) {}, true},
		{"another price", func(r *Receipt) { r.Price = 1700 }, false},
		{"another name", func(r *Receipt) { r.Name = "old" }, false},
		{"not published", func(r *Receipt) { r.Published = time.Time{} }, false},
		{"not known to be uploaded", func(r *Receipt) { r.Uploaded, r.Published = time.Time{}, time.Time{} }, false},
	} {
		book, _ := Open(filepath.Join(t.TempDir(), "r.json"))
		w := Work{Book: book, Shop: book.Shop("1", 0), Now: func() time.Time { return now }}
		before := same
		c.change(&before)
		w.Shop.Goods["vip"] = before
		if err := w.Adopt(Step{ID: "vip", product: vip}); err != nil || (w.Shop.Goods["vip"] == before) != c.kept || w.Shop.Goods["vip"].Adopted == c.kept {
			t.Errorf("%s: %v, %+v", c.name, err, w.Shop.Goods["vip"])
		}
	}
}

func TestAFirstPriceIsSentOnlyAfterAYes(t *testing.T) {
	t.Parallel()
	sold := Receipt{Name: "old name", Price: 1800, Remark: "old name", Uploaded: now.Add(-time.Hour), Published: now.Add(-time.Hour)}
	for _, c := range []struct {
		name    string
		receipt Receipt
		price   xpay.Fen
		yes     bool
		want    error
	}{
		{"never uploaded", Receipt{}, 600, false, ErrFirstPrice},
		{"never uploaded, and looks wrong", Receipt{}, 18, false, ErrDoubt},
		{"never uploaded, with a yes", Receipt{}, 600, true, nil},
		{"uploaded before", sold, 1700, false, nil},
	} {
		book, _ := Open(filepath.Join(t.TempDir(), "r.json"))
		shop := book.Shop("1", 0)
		if c.receipt != (Receipt{}) {
			shop.Goods["vip"] = c.receipt
		}
		weChat := &console{published: xpay.PublishTask{Status: xpay.TaskDone, Items: []xpay.PublishedItem{{ID: "vip", Status: xpay.ItemDone}}}}
		w := Work{WeChat: weChat, Book: book, Shop: shop, Yes: c.yes, Now: func() time.Time { return now }, Picture: func(string) string { return "" }}
		steps := Plan([]catalog.Product{{ID: "vip", Name: "vip", Price: c.price}}, shop, Tasks{}, now)
		weChat.uploaded = doneUpload(c.price)
		err := w.Apply(t.Context(), steps)
		if !errors.Is(err, c.want) || (len(weChat.uploads) == 0) != (c.want != nil) {
			t.Errorf("%s: %v, %v was sent", c.name, err, weChat.uploads)
		}
		if c.want == ErrFirstPrice && !strings.Contains(err.Error(), "600 fen = ¥6.00") {
			t.Errorf("%s: the price is not shown: %v", c.name, err)
		}
	}
}

func TestAnAdoptedProductDoesNotCoolDown(t *testing.T) {
	t.Parallel()
	book, _ := Open(filepath.Join(t.TempDir(), "r.json"))
	shop := book.Shop("1", 0)
	w := Work{Book: book, Shop: shop, Now: func() time.Time { return now }}
	plan := func() Step { return Plan([]catalog.Product{vip}, shop, Tasks{}, now.Add(time.Minute))[0] }
	if err := w.Adopt(plan()); err != nil {
		t.Fatal(err)
	}
	if s := plan(); s.Do != Keep || !s.Ready.IsZero() || s.First || !strings.Contains(s.Why, "-15014") {
		t.Errorf("%+v", s)
	}
}

func TestTheReceiptsAreOneProcessesAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.json")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); err == nil {
		t.Error("locked twice")
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err := Lock(path); err != nil || unlock() != nil {
		t.Errorf("after it was unlocked: %v", err)
	}
}
