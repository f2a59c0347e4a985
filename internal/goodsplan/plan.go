package goodsplan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/catalog"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// CoolDown is how long a product that was just published may be refused with -15014: the documents say ten minutes to
// half an hour (spec 1.5).
const CoolDown = 30 * time.Minute

// Action is the next thing to do with a product.
type Action string

const (
	Upload  Action = "upload"  // WeChat was not told, or was told something else
	Publish Action = "publish" // it is in the development version and can not be bought
	Wait    Action = "wait"    // published a moment ago
	Keep    Action = "keep"    // nothing to do
)

// Step is what is to be done with one product, and why.
type Step struct {
	ID      string    `json:"id"`
	Do      Action    `json:"do"`
	Price   xpay.Fen  `json:"price"`                // fen, from goods.yaml
	First   bool      `json:"firstPrice,omitempty"` // we never told WeChat a price of it, so that nothing can be compared; it needs a yes
	Why     string    `json:"why"`
	WhyZH   string    `json:"whyZh"`
	Doubt   string    `json:"doubt,omitempty"` // why the price may be wrong; it needs a yes
	DoubtZH string    `json:"doubtZh,omitempty"`
	Ready   time.Time `json:"ready,omitzero"` // end of the cool-down

	product catalog.Product
}

// NeedsYes tells whether somebody must look at the price before it is sent.
func (s Step) NeedsYes() bool { return s.First || s.Doubt != "" }

// InYuan shows fen both ways, so that a slip is seen: 600 fen = ¥6.00.
func InYuan(f xpay.Fen) string { return fmt.Sprintf("%d fen = ¥%d.%02d", f, f/yuan, f%yuan) }

// Picture is the product's own picture; "" when goods.yaml has none.
func (s Step) Picture() string { return s.product.Picture }

// Plan compares what is sold with the receipts and the last tasks. Products that are hidden are left alone. A receipt
// of an upload whose outcome never came is settled by the task that names its product.
func Plan(products []catalog.Product, shop *Shop, last Tasks, now time.Time) []Step {
	var steps []Step
	for _, p := range products {
		if p.Hidden {
			continue
		}
		r, known := last.settle(p, shop.Goods[p.ID], now)
		s := Step{ID: p.ID, Price: p.Price, product: p}
		s.decide(p, r, known, now)
		if s.Do == Upload || s.Do == Publish {
			s.First = shop.Goods[p.ID].Price == 0
			s.Doubt, s.DoubtZH = doubt(p, told(shop.Goods[p.ID], last, p.ID))
		}
		steps = append(steps, s)
	}
	return steps
}

// Gone lists receipts of products that goods.yaml no longer sells: WeChat goes on selling what is published.
func Gone(products []catalog.Product, shop *Shop) []string {
	var ids []string
	for id := range shop.Goods {
		if !slices.ContainsFunc(products, func(p catalog.Product) bool { return p.ID == id && !p.Hidden }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (s *Step) decide(p catalog.Product, r Receipt, known bool, now time.Time) {
	switch {
	case !known:
		s.Do, s.Why, s.WhyZH = Upload, "there is no receipt of an upload", "没有上传回执"
	case r.Uploaded.IsZero():
		s.Do, s.Why, s.WhyZH = Upload, "an upload was started and its end is not known", "上传已开始，结果未知"
	case differs(p, r) != "":
		field := differs(p, r)
		s.Do = Upload
		s.Why = fmt.Sprintf("%s differs from what WeChat was told at the last upload", field)
		s.WhyZH = fmt.Sprintf("%s 与上次上传的不同", field)
	case r.Published.IsZero():
		s.Do, s.Why, s.WhyZH = Publish, "it is uploaded and not published", "已上传，尚未发布"
	case r.Adopted: // published at a time that nobody noted, most likely long ago: there is no end to count to
		s.Do, s.Why = Keep, "adopted as it is in goods.yaml; if it was published in the console within half an hour, WeChat may still answer -15014"
		s.WhyZH = "已采用：与 goods.yaml 一致；若半小时内才在后台发布，微信可能仍返回 -15014"
	case now.Before(r.Published.Add(CoolDown)):
		s.Do, s.Ready = Wait, r.Published.Add(CoolDown).UTC()
		s.Why, s.WhyZH = "published; until the cool-down ends WeChat may answer -15014", "已发布；冷却期内微信可能返回 -15014"
	default:
		s.Do, s.Why, s.WhyZH = Keep, "uploaded and published as it is in goods.yaml", "已按 goods.yaml 上传并发布"
	}
}

// differs names the first field that is not what WeChat was told.
func differs(p catalog.Product, r Receipt) string {
	switch {
	case p.Price != r.Price:
		return fmt.Sprintf("price (%d fen, was %d)", p.Price, r.Price)
	case p.Name != r.Name:
		return "name"
	case remark(p) != r.Remark:
		return "remark"
	}
	return ""
}

// remark is what WeChat is told: it refuses an empty one.
func remark(p catalog.Product) string { return cmp.Or(p.Remark, p.Name) }

// Tasks are the last upload and the last publishing that WeChat knows of.
type Tasks struct {
	Upload  xpay.UploadTask
	Publish xpay.PublishTask
}

// settle completes a receipt by the last upload: one that was not seen to end, or somebody else's. A publish task names no
// price, so that one that has ended may be of an older price: a publication of unknown outcome is repeated instead.
func (t Tasks) settle(p catalog.Product, r Receipt, now time.Time) (_ Receipt, known bool) {
	known = !r.UploadStarted.IsZero() || !r.Uploaded.IsZero()
	for _, item := range t.Upload.Items {
		if item.ID == p.ID && item.Status == xpay.ItemDone && r.Uploaded.IsZero() {
			r = Receipt{Name: item.Name, Price: item.Price, Remark: item.Remark, Uploaded: now.UTC(), PublishStarted: r.PublishStarted}
			known = true
		}
	}
	return r, known
}

// told is the price that WeChat knows, 0 if none.
func told(r Receipt, last Tasks, id string) xpay.Fen {
	for _, item := range last.Upload.Items {
		if item.ID == id && r.Price == 0 {
			return item.Price
		}
	}
	return r.Price
}

const (
	yuan        = 100
	smallestFen = 1 * yuan    // what iOS takes at least; a price below is most often one in yuan
	largestFen  = 1000 * yuan // most often fen multiplied by 100 once more
)

// doubt says why a price looks like yuan where fen are meant, or the reverse. before is the price that WeChat was told,
// 0 for none.
func doubt(p catalog.Product, before xpay.Fen) (en, zh string) {
	price := p.Price
	switch {
	case price != before && namesYuan(p):
		return fmt.Sprintf("name or remark says %d 元, and the price is %d fen: that is %d.%02d yuan", price, price, price/yuan, price%yuan),
			fmt.Sprintf("名称或说明写着 %d 元，而价格为 %d 分，即 %d.%02d 元", price, price, price/yuan, price%yuan)
	case before > 0 && hundredfold(before, price):
		return fmt.Sprintf("%d fen is a hundredth of the %d fen before: is it a price in yuan?", price, before),
			fmt.Sprintf("%d 分是之前 %d 分的百分之一：是不是写成了元？", price, before)
	case before > 0 && hundredfold(price, before):
		return fmt.Sprintf("%d fen is a hundred times the %d fen before: was the old one in yuan, or is this one multiplied twice?", price, before),
			fmt.Sprintf("%d 分是之前 %d 分的一百倍：之前写成了元，还是这次多乘了 100？", price, before)
	case price < smallestFen && price != before:
		return fmt.Sprintf("%d fen are %d.%02d yuan: if %d yuan are meant, write %d", price, price/yuan, price%yuan, price, price*yuan),
			fmt.Sprintf("%d 分即 %d.%02d 元：若为 %d 元，应写 %d", price, price/yuan, price%yuan, price, price*yuan)
	case price >= largestFen && price != before:
		return fmt.Sprintf("%d fen are %d.%02d yuan for one piece: is it really in fen?", price, price/yuan, price%yuan),
			fmt.Sprintf("%d 分即每件 %d.%02d 元：单位确定是分吗？", price, price/yuan, price%yuan)
	}
	return "", ""
}

// hundredfold allows for rounding: 18.50 yuan written as 18 or as 19.
func hundredfold(large, small xpay.Fen) bool {
	return large >= yuan && (small == large/yuan || small == (large+yuan-1)/yuan)
}
