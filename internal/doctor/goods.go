package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/goodsplan"
)

// goods compares goods.yaml with our own receipts. No API lists goods, so what nobody uploaded through this tool is unknown.
func (e *examination) goods(context.Context) {
	if e.Catalog == nil || e.Book == nil {
		e.notTested("goods", "no goods.yaml was given (--goods)", "没有给出 goods.yaml（--goods）")
		return
	}
	shop := e.Book.Shop(e.Config.OfferID, e.Config.Env)
	steps := goodsplan.Plan(e.Catalog.Products(), shop, goodsplan.Tasks{}, e.Now())
	var unknown []string
	good := 0
	for _, s := range steps {
		_, told := shop.Goods[s.ID]
		switch {
		case s.Doubt != "":
			e.fix("goods", s.ID+": "+s.Doubt, s.ID+"："+s.DoubtZH, "correct the price in goods.yaml; it is in fen", "修改 goods.yaml 中的价格，单位为分")
		case s.Do == goodsplan.Keep || s.Do == goodsplan.Wait:
			good++
		case !told:
			unknown = append(unknown, s.ID)
		default:
			e.fix("goods", s.ID+": "+s.Why, s.ID+"："+s.WhyZH, "run: xpay goods plan, then xpay goods apply", "运行 xpay goods plan，然后 xpay goods apply")
		}
	}
	if good > 0 {
		e.ok("goods", fmt.Sprintf("by our own receipts %d of %d products are at WeChat as goods.yaml says; WeChat cannot be asked", good, len(steps)),
			fmt.Sprintf("按本地回执，%d / %d 个道具已按 goods.yaml 发布（无法向微信查询）", good, len(steps)))
	}
	if len(unknown) > 0 {
		ids := strings.Join(unknown[:min(len(unknown), 5)], ", ")
		e.unknown("goods", fmt.Sprintf("%d products have no receipt (%s): no API lists goods, so look into 虚拟支付 → 道具管理, or run xpay goods apply", len(unknown), ids),
			fmt.Sprintf("%d 个道具没有回执（%s）：没有接口可以列出道具，请查看 虚拟支付 → 道具管理，或运行 xpay goods apply", len(unknown), ids))
	}
}
