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
	LateOnes  float64 `json:"lateOnes"` // of the paid orders, which are paid after their first look
	Carts     float64 `json:"carts"`
	Paid      Part    `json:"paid"`
	Late      Part    `json:"late"` // what the paid orders cost besides that are paid after their first look
	Abandoned Part    `json:"abandoned"`
	Month     Part    `json:"month"`
	Kept      Part    `json:"kept"` // for each month from then on

	// A million paid orders, without the month.
	MillionPaid      float64 `json:"millionPaid"`      // alone
	MillionWithCarts float64 `json:"millionWithCarts"` // with the late ones, and the carts that are abandoned beside them
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
	carts, late := float64(orders)*abandoned/(1-abandoned), float64(orders)*lateShare
	b := Bill{Region: p.Region, Currency: p.Currency, Dated: p.Dated, Source: p.Source, Orders: orders, LateOnes: late, Carts: carts}
	batch := c.batch(late, carts)
	b.Paid = p.of("paid orders: login, create, push, poll", Sum(c.Paid), c, float64(orders))
	b.Late = p.of("one look at each order that is paid after a minute", c.firstLook().batched(batch), c, late)
	b.Abandoned = p.of("abandoned carts: create and the look-again ladder", Sum(c.Cart).batched(batch), c, carts)
	b.Month = p.month(c)
	b.Kept = p.kept(c, float64(orders), carts)
	b.MillionPaid = b.Paid.Total / float64(orders) * millionOrders
	b.MillionWithCarts = (b.Paid.Total + b.Late.Total + b.Abandoned.Total) / float64(orders) * millionOrders
	return b, nil
}

// batch is how many looks an invocation takes when so many orders are paid late, and carts abandoned, in a month.
func (c Counts) batch(late, carts float64) float64 {
	looks := c.firstLook().Invocations[worker]*late + Sum(c.Cart).Invocations[worker]*carts
	return min(max(looks/minutesOfMonth, 1), float64(c.Template.BatchSize))
}

// firstLook is that at an order whose payment nobody has told of: it is the same whether the order is paid later or never.
func (c Counts) firstLook() Work {
	for _, s := range c.Cart {
		if s.Invocations[worker] > 0 {
			return s.Work
		}
	}
	return Work{}
}

// of is what a number of pieces of the same work cost.
func (p Prices) of(title string, w Work, c Counts, times float64) Part {
	part := Part{Title: title}
	millions := times / 1e6
	secretReads, readUnits := w.startsOf(c.Starts)
	part.add("API Gateway requests", float64(w.APIRequests)*millions, "million", p.APIMillionRequests)
	part.add("Lambda requests", w.invocations()*millions, "million", p.LambdaMillionRequests)
	part.add("Lambda duration", w.gbSeconds(c.Template.MemoryMB)*times, "GB-s", p.LambdaGBSecond)
	part.add("DynamoDB writes, with indexes", float64(w.WriteUnits)*millions, "million units", p.DynamoMillionWriteUnits)
	part.add("DynamoDB reads", (w.ReadUnits+readUnits)*millions, "million units", p.DynamoMillionReadUnits)
	part.add("SQS requests", w.SQSRequests*millions, "million", p.SQSMillionRequests)
	part.add("calls for secrets at cold starts", secretReads*times/1e4, "10 thousand", p.SecretTenThousandCalls)
	part.add("CloudWatch Logs", float64(w.LogBytes)*times/bytesOfGB, "GB", p.LogsGB)
	part.add("answers to the internet", float64(w.OutBytes)*times/bytesOfGB, "GB", p.TransferOutGB)
	part.add("calls to WeChat, as data to the internet", w.toWeChat(c.HandshakeBytes)*times/bytesOfGB, "GB", p.TransferOutGB)
	return part
}

// month is what a month costs although nobody buys.
func (p Prices) month(c Counts) Part {
	part := Part{Title: "a month, whatever is sold"}
	part.add("Scheduler", minutesOfMonth/1e6, "million ticks", p.SchedulerMillionTicks)
	sweep := p.of("", c.Tick, c, minutesOfMonth)
	for _, l := range sweep.Lines {
		part.add("sweep: "+l.Name, l.Quantity, l.Unit, l.Price)
	}
	part.add("SQS polls of an idle queue", queuePollers*pollsOfMinute*minutesOfMonth/1e6, "million", p.SQSMillionRequests)
	part.add("secrets", float64(c.Template.Secrets), "secrets", p.SecretMonth)
	calls := float64(environments*c.RefreshReads) * minutesOfMonth / secretsMinutes
	part.add("calls for secrets that are read again", calls/1e4, "10 thousand", p.SecretTenThousandCalls)
	part.add("alarms, by the metric they read", float64(c.Template.AlarmMetrics), "alarm metrics", p.AlarmMonth)
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
