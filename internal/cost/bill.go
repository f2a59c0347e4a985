package cost

import (
	"errors"
	"fmt"
)

// ErrShare is a share of abandoned carts that no number of carts has.
var ErrShare = errors.New("the share of abandoned carts is 0 or more, and less than 1")

// Line is one line of a bill: Amount = Quantity * Price.
type Line struct {
	Name     string  `json:"name"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Price    float64 `json:"price"` // of one unit
	Amount   float64 `json:"amount"`
}

// Part is several lines with a title.
type Part struct {
	Title string  `json:"title"`
	Lines []Line  `json:"lines"`
	Total float64 `json:"total"`
}

func (p *Part) add(name string, quantity float64, unit string, price float64) {
	if quantity == 0 {
		return
	}
	p.Lines = append(p.Lines, Line{name, quantity, unit, price, quantity * price})
	p.Total += quantity * price
}

// Bill is what a number of paid orders costs, and what a month costs besides.
type Bill struct {
	Region   string `json:"region"`
	Currency string `json:"currency"`
	Dated    string `json:"dated"`
	Source   string `json:"source"`

	Orders    int     `json:"orders"`
	Carts     float64 `json:"carts"`
	Paid      Part    `json:"paid"`
	Abandoned Part    `json:"abandoned"`
	Month     Part    `json:"month"`
	Kept      Part    `json:"kept"` // for each month from then on

	// A million paid orders, without the month.
	MillionPaid      float64 `json:"millionPaid"`      // alone
	MillionWithCarts float64 `json:"millionWithCarts"` // with the carts that are abandoned beside them
}

// Compute makes the bill of paid orders beside which a share of all carts is abandoned: 0.5 is one abandoned cart for each
// paid order.
func Compute(c Counts, p Prices, orders int, abandoned float64) (Bill, error) {
	if orders < 1 {
		return Bill{}, fmt.Errorf("the number of orders is %d, it must be 1 or more", orders)
	}
	if !(abandoned >= 0 && abandoned < 1) {
		return Bill{}, ErrShare
	}
	carts := float64(orders) * abandoned / (1 - abandoned)
	b := Bill{Region: p.Region, Currency: p.Currency, Dated: p.Dated, Source: p.Source, Orders: orders, Carts: carts}
	b.Paid = p.of("paid orders: login, create, push, poll", Sum(c.Paid), c.Template.MemoryMB, float64(orders))
	b.Abandoned = p.of("abandoned carts: create and the look-again ladder", c.cart(carts), c.Template.MemoryMB, carts)
	b.Month = p.month(c)
	b.Kept = p.kept(c, float64(orders), carts)
	b.MillionPaid = b.Paid.Total / float64(orders) * millionOrders
	b.MillionWithCarts = (b.Paid.Total + b.Abandoned.Total) / float64(orders) * millionOrders
	return b, nil
}

// cart is the work of one abandoned cart when so many of them come in a month.
func (c Counts) cart(carts float64) Work {
	w := Sum(c.Cart)
	return w.batched(min(max(w.Invocations[worker]*carts/minutesOfMonth, 1), float64(c.Template.BatchSize)))
}

// of is what a number of pieces of the same work cost.
func (p Prices) of(title string, w Work, memoryMB map[string]int, times float64) Part {
	part := Part{Title: title}
	millions := times / 1e6
	part.add("API Gateway requests", float64(w.APIRequests)*millions, "million", p.APIMillionRequests)
	part.add("Lambda requests", w.invocations()*millions, "million", p.LambdaMillionRequests)
	part.add("Lambda duration", w.gbSeconds(memoryMB)*times, "GB-s", p.LambdaGBSecond)
	part.add("DynamoDB writes", float64(w.WriteUnits)*millions, "million units", p.DynamoMillionWriteUnits)
	part.add("DynamoDB reads", w.ReadUnits*millions, "million units", p.DynamoMillionReadUnits)
	part.add("SQS requests", w.SQSRequests*millions, "million", p.SQSMillionRequests)
	part.add("CloudWatch Logs", float64(w.LogBytes)*times/bytesOfGB, "GB", p.LogsGB)
	part.add("data to the internet", float64(w.OutBytes)*times/bytesOfGB, "GB", p.TransferOutGB)
	return part
}

// month is what a month costs although nobody buys.
func (p Prices) month(c Counts) Part {
	part := Part{Title: "a month, whatever is sold"}
	part.add("Scheduler", minutesOfMonth/1e6, "million ticks", p.SchedulerMillionTicks)
	sweep := p.of("", c.Tick, c.Template.MemoryMB, minutesOfMonth)
	for _, l := range sweep.Lines {
		part.add("sweep: "+l.Name, l.Quantity, l.Unit, l.Price)
	}
	part.add("SQS polls of an idle queue", queuePollers*pollsOfMinute*minutesOfMonth/1e6, "million", p.SQSMillionRequests)
	part.add("secrets", float64(c.Template.Secrets), "secrets", p.SecretMonth)
	calls := float64(environments*c.SecretReads) * minutesOfMonth / secretsMinutes
	part.add("calls for secrets", calls/1e4, "10 thousand", p.SecretTenThousandCalls)
	part.add("alarms", float64(c.Template.Alarms), "alarms", p.AlarmMonth)
	part.add("metrics", float64(c.Template.Metrics), "metrics", p.MetricMonth)
	part.add("dashboard", float64(c.Template.Dashboards), "dashboards", p.DashboardMonth)
	return part
}

// kept is what each further month costs for what these orders left behind.
func (p Prices) kept(c Counts, orders, carts float64) Part {
	part := Part{Title: "what these orders leave behind, each month from then on"}
	gb := (float64(c.PaidStored)*orders + float64(c.CartStored)*carts) / bytesOfGB
	part.add("DynamoDB storage", gb, "GB", p.DynamoGBMonth)
	part.add("point-in-time recovery", gb, "GB", p.DynamoRecoveryGBMonth)
	return part
}
