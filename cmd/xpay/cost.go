package main

import (
	"fmt"
	"os"

	"github.com/xpay-serverless/xpay-serverless/internal/cost"
)

// costCmd prints what AWS asks for a number of orders.
type costCmd struct {
	Orders    int     `default:"1000000" help:"How many orders are paid. 支付的订单数。"`
	Abandoned float64 `default:"0.5" help:"Which share of all carts is never paid; 0.5 is one for each paid order. 下单后未支付的比例。"`
	Prices    string  `placeholder:"FILE" type:"existingfile" help:"Another table of prices than that of us-east-1, in the form that --show-prices prints. 换用另一份价目表。"`
	Show      bool    `name:"show-prices" help:"Print the table of prices instead of a bill. 输出价目表而不是账单。"`
}

// Help is printed by --help.
func (costCmd) Help() string {
	return `Prints the bill of AWS line by line. The requests were counted when the functions of this release served an order; the prices are a table
that says when it was written down. Nothing is asked of AWS, no credentials are needed. docs/reference/cost.md says what was counted, what was
assumed, and how far the prices were checked.

  xpay cost
  xpay cost --orders 50000 --abandoned 0.8
  xpay cost --show-prices >prices.json; xpay cost --prices prices.json

按行列出 AWS 费用：请求数由测试实际计数，单价来自注明抄录日期的价目表，未逐项与 AWS 官网核对，可用 --prices 换成别的地区或日期的。` +
		exits("the bill is printed. 已输出账单。", "the table of prices cannot be used. 价目表无法使用。")
}

// Run prints the bill.
func (c costCmd) Run(o output) error {
	counts, err := cost.Counted()
	if err != nil {
		return err
	}
	prices, err := c.prices()
	if err != nil {
		return err
	}
	if c.Show {
		_, err := fmt.Fprintln(o.out, prices)
		return err
	}
	bill, err := cost.Compute(counts, prices, c.Orders, c.Abandoned)
	if err != nil {
		return usageError{fmt.Errorf("%w. --orders 应不小于 1，--abandoned 应在 0 到 1 之间（不含 1）", err)}
	}
	if o.json {
		return o.printJSON(bill)
	}
	_, err = fmt.Fprint(o.out, bill)
	return err
}

func (c costCmd) prices() (cost.Prices, error) {
	if c.Prices == "" {
		return cost.ListPrices()
	}
	raw, err := os.ReadFile(c.Prices)
	if err != nil {
		return cost.Prices{}, fmt.Errorf("the table of prices %s cannot be read. 价目表无法读取", c.Prices)
	}
	p, err := cost.ReadPrices(raw)
	if err != nil {
		return p, fmt.Errorf("%s: %w. 价目表有误", c.Prices, err)
	}
	return p, nil
}
