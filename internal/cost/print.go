package cost

import (
	"fmt"
	"strings"
)

// String is the bill line by line.
func (b Bill) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d paid orders, %.0f abandoned carts beside them. %s, prices written down %s.\n%s.\n\n", b.Orders, b.Carts, b.Region, b.Dated, b.Source)
	fmt.Fprintf(&text, row, "", "quantity", "unit", "price", b.Currency)
	for _, p := range []Part{b.Paid, b.Late, b.Abandoned, b.Month, b.Kept} {
		p.print(&text)
	}
	fmt.Fprintf(&text, "\nA million paid orders: %.2f %s (at most %d USD are wanted). 每百万笔已支付订单。\n", b.MillionPaid, b.Currency, requirementUSD)
	fmt.Fprintf(&text, "With the looks at those that are paid late, and the abandoned carts beside them: %.2f %s. 含迟付与未支付订单的查询。\n", b.MillionWithCarts, b.Currency)
	fmt.Fprintf(&text, "The month comes once, however much is sold: %.2f %s. 每月固定费用。\n", b.Month.Total, b.Currency)
	return text.String()
}

const row = "%-56s %12s %-14s %13s %10s\n"

func (p Part) print(text *strings.Builder) {
	if len(p.Lines) == 0 {
		return
	}
	fmt.Fprintf(text, "\n"+row, p.Title, "", "", "", fmt.Sprintf("%.2f", p.Total))
	for _, l := range p.Lines {
		fmt.Fprintf(text, row, "  "+l.Name, figure(l.Quantity), l.Unit, price(l.Price), fmt.Sprintf("%.2f", l.Amount))
	}
}

func figure(f float64) string {
	if f >= 1000 {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3f", f)
}

func price(f float64) string {
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.10f", f), "0"), ".")
}
