package cost_test

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/cost"
)

var update = flag.Bool("update", false, "write docs/reference/cost.md")

// prices are round, so that a bill can be done in the head.
const prices = `{"region": "here", "currency": "CNY", "dated": "2026-01-01", "source": "made up",
"apiMillionRequests": 10, "lambdaMillionRequests": 100, "lambdaGBSecond": 1, "dynamoMillionWriteUnits": 1000,
"dynamoMillionReadUnits": 2000, "dynamoGBMonth": 1, "dynamoRecoveryGBMonth": 2, "sqsMillionRequests": 30, "logsGB": 7, "transferOutGB": 0,
"schedulerMillionTicks": 1, "secretMonth": 2, "secretTenThousandCalls": 3, "alarmMonth": 4, "metricMonth": 5, "dashboardMonth": 6}`

func read(t *testing.T, raw string) cost.Prices {
	t.Helper()
	p, err := cost.ReadPrices([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// line finds the amount of a line.
func line(t *testing.T, p cost.Part, name string) cost.Line {
	t.Helper()
	i := slices.IndexFunc(p.Lines, func(l cost.Line) bool { return l.Name == name })
	if i < 0 {
		t.Fatalf("there is no line %q in %+v", name, p)
	}
	return p.Lines[i]
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6*math.Max(1, math.Abs(b)) }

func counts() cost.Counts {
	return cost.Counts{
		Paid: []cost.Step{
			{Name: "a", Work: cost.Work{APIRequests: 1, Invocations: map[string]float64{"createorder": 1}, WriteUnits: 2, ReadUnits: 0.5, LogBytes: 1 << 29}},
			{Name: "b", Work: cost.Work{APIRequests: 1, Invocations: map[string]float64{"createorder": 1}, WriteUnits: 1, ReadUnits: 1, LogBytes: 1 << 29}},
		},
		Cart:       []cost.Step{{Name: "look", Work: cost.Work{Invocations: map[string]float64{"reconcile": 1}, WriteUnits: 4, SQSRequests: 3}}},
		Tick:       cost.Work{Invocations: map[string]float64{"sweep": 1}, ReadUnits: 4},
		PaidStored: 1 << 20, CartStored: 1 << 20, SecretReads: 4,
		Template: cost.Template{
			MemoryMB: map[string]int{"createorder": 1024, "reconcile": 512, "sweep": 256}, BatchSize: 10, Secrets: 2, Alarms: 3, Metrics: 4, Dashboards: 1,
		},
	}
}

func TestABillIsQuantityTimesPrice(t *testing.T) {
	t.Parallel()
	b, err := cost.Compute(counts(), read(t, prices), 1000, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		part   cost.Part
		name   string
		amount float64
	}{
		{b.Paid, "API Gateway requests", 0.02},  // 2000 at 10 a million
		{b.Paid, "Lambda requests", 0.2},        // 2000 at 100 a million
		{b.Paid, "Lambda duration", 2 * 40.8},   // 40 ms and a hundredth of 80, with 1 GB, 2000 times
		{b.Paid, "DynamoDB writes", 3},          // 3000 at 1000 a million
		{b.Paid, "DynamoDB reads", 3},           // 1500 at 2000 a million
		{b.Paid, "CloudWatch Logs", 7000},       // 1000 GB
		{b.Abandoned, "DynamoDB writes", 4},     // as many carts as orders
		{b.Abandoned, "SQS requests", 0.09},     // 1000 looks in a month: each alone
		{b.Abandoned, "Lambda duration", 150.4}, // 300.8 ms with half a GB
		{b.Month, "secrets", 4},
		{b.Month, "alarms", 12},
		{b.Month, "metrics", 20},
		{b.Month, "dashboard", 6},
		{b.Month, "calls for secrets", 70.08}, // 20 environments, 4 reads every 15 minutes of 730 hours: 233 600
		{b.Kept, "DynamoDB storage", 2000.0 / 1024},
		{b.Kept, "point-in-time recovery", 4000.0 / 1024},
	} {
		if got := line(t, c.part, c.name); !near(got.Amount, c.amount) || !near(got.Quantity*got.Price, got.Amount) {
			t.Errorf("%s: %s: %+v, want %v", c.part.Title, c.name, got, c.amount)
		}
	}
	if !near(b.MillionPaid, b.Paid.Total*1000) || !near(b.MillionWithCarts, (b.Paid.Total+b.Abandoned.Total)*1000) {
		t.Errorf("a million orders cost %v, with carts %v", b.MillionPaid, b.MillionWithCarts)
	}
	for _, p := range []cost.Part{b.Paid, b.Abandoned, b.Month, b.Kept} {
		sum := 0.0
		for _, l := range p.Lines {
			sum += l.Amount
		}
		if !near(sum, p.Total) {
			t.Errorf("%s: the lines make %v, the total is %v", p.Title, sum, p.Total)
		}
	}
}

// A sweep that finds more at once fills larger batches, up to what one invocation takes.
func TestManyLooksShareInvocationsAndRequests(t *testing.T) {
	t.Parallel()
	for orders, batch := range map[int]float64{1: 1, 43_800: 1, 87_600: 2, 438_000: 10, 4_380_000: 10} {
		b, err := cost.Compute(counts(), read(t, prices), orders, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		carts := float64(orders)
		if got := line(t, b.Abandoned, "SQS requests").Quantity * 1e6; !near(got, 3*carts/batch) {
			t.Errorf("%d orders: %v requests to the queue, want %v", orders, got, 3*carts/batch)
		}
		want := (carts/batch*0.3008 + (carts-carts/batch)*0.015) / 2
		if got := line(t, b.Abandoned, "Lambda duration").Quantity; !near(got, want) {
			t.Errorf("%d orders: %v GB-s, want %v", orders, got, want)
		}
	}
}

func TestTheShareOfAbandonedCarts(t *testing.T) {
	t.Parallel()
	for share, carts := range map[float64]float64{0: 0, 0.5: 300, 0.75: 900} {
		if b, err := cost.Compute(counts(), read(t, prices), 300, share); err != nil || !near(b.Carts, carts) {
			t.Errorf("%v: %v carts, %v", share, b.Carts, err)
		}
	}
	for _, share := range []float64{-0.1, 1, 2, math.NaN()} {
		if _, err := cost.Compute(counts(), read(t, prices), 300, share); !errors.Is(err, cost.ErrShare) {
			t.Errorf("%v: %v", share, err)
		}
	}
	if _, err := cost.Compute(counts(), read(t, prices), 0, 0.5); err == nil {
		t.Error("no orders have a bill")
	}
}

func TestATableOfPricesThatLacksSomethingIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"no JSON":          {`{`, "unexpected EOF"},
		"two":              {prices + prices, "more than one"},
		"a missing price":  {strings.Replace(prices, `"logsGB": 7, `, "", 1), "logsGB is missing, it is a number"},
		"null":             {strings.Replace(prices, `"logsGB": 7`, `"logsGB": null`, 1), "logsGB is missing"},
		"a missing date":   {strings.Replace(prices, `"dated": "2026-01-01", `, "", 1), "dated is missing, it is a text"},
		"an empty source":  {strings.Replace(prices, `made up`, "", 1), "source is empty"},
		"a negative price": {strings.Replace(prices, `"logsGB": 7`, `"logsGB": -7`, 1), "logsGB is below 0"},
		"a text":           {strings.Replace(prices, `"logsGB": 7`, `"logsGB": "7"`, 1), "logsGB"},
		"another field":    {strings.Replace(prices, `"logsGB": 7`, `"logsGB": 7, "logsMB": 7`, 1), "logsMB"},
	} {
		if _, err := cost.ReadPrices([]byte(c.raw)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if p := read(t, prices); read(t, p.String()) != p {
		t.Errorf("printed and read again it is another table: %s", p)
	}
}

// thisRelease is the bill of this release.
func thisRelease(t *testing.T) (cost.Counts, cost.Bill) {
	t.Helper()
	c, err := cost.Counted()
	if err != nil {
		t.Fatal(err)
	}
	p, err := cost.ListPrices()
	if err != nil {
		t.Fatal(err)
	}
	b, err := cost.Compute(c, p, 1_000_000, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	return c, b
}

func TestAMillionPaidOrdersCostAtMostThirteenDollars(t *testing.T) {
	t.Parallel()
	if _, b := thisRelease(t); b.MillionPaid > 13 || b.MillionPaid < 5 { // the API alone asks for 4
		t.Errorf("a million paid orders cost %.2f %s", b.MillionPaid, b.Currency)
	}
}

// TestSecretsAreKeptAsLongAsTheBillSays: the age is a constant of another package.
func TestSecretsAreKeptAsLongAsTheBillSays(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../awsenv/secrets.go")
	if err != nil || !strings.Contains(string(raw), "= 15 * time.Minute ") {
		t.Errorf("secrets are not kept for 15 minutes (%v): correct secretsMinutes", err)
	}
}

const costPage = "../../docs/reference/cost.md"

// TestTheCostPageSaysWhatTheCodeComputes: -update writes the page.
func TestTheCostPageSaysWhatTheCodeComputes(t *testing.T) {
	want := page(t)
	if *update {
		if err := os.WriteFile(costPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(costPage)
	if err != nil || string(got) != want {
		t.Errorf("the page is not what the code computes (%v): go test ./internal/cost -run CostPage -update", err)
	}
}

func page(t *testing.T) string {
	c, bill := thisRelease(t)
	var b strings.Builder
	fmt.Fprintf(&b, `# What it costs

Printed from the code: `+"`go test ./internal/cost -run CostPage -update`"+`. `+"`xpay cost`"+` prints the bill for any number of orders, share of abandoned carts and
table of prices (`+"`--show-prices`, `--prices FILE`"+`).

`+"```text\n%s```"+`

A share of 0.5 is one abandoned cart beside each paid order: half of all carts. Whether they belong to the price of a paid order is for
the reader to decide, so both totals are there.

## What was counted

A test runs the built functions against a server that speaks AWS's protocol, with the roles and settings of template.yaml, and sees every request on
the wire: `+"`tools/with-moto go test ./internal/lambdae2e -run Cost`"+`. Units of DynamoDB follow from the size of the items before and after each
write, and of the entries that the indexes hold of them. Bytes of the log are those that the functions wrote at level INFO and those of the access log,
with the 26 that CloudWatch adds to each event.

| order | step | invocations | write units | read units | SQS requests | bytes of log |
|---|---|---|---|---|---|---|
`, bill)
	rows(&b, "paid", c.Paid)
	rows(&b, "abandoned", c.Cart)
	fmt.Fprintf(&b, `
A paid order leaves %d bytes in the table and its indexes, an abandoned one %d.

## What was assumed

| figure | | why |
|---|---|---|
`, c.PaidStored, c.CartStored)
	for _, a := range cost.Assumptions() {
		fmt.Fprintf(&b, "| %s | %g | %s |\n", a.Name, a.Value, a.Why)
	}
	b.WriteString(`
The orders are taken for those of one month, evenly spread: looks that are due in the same minute are sent, received and looked at together, up to ten.

## What is left out

Free tiers (they would take some dollars off), taxes, a NAT gateway (33 USD a month for each zone, with ` + "`SubnetIds`" + `), a custom domain, pushes that WeChat
repeats, refunds, lists of orders, requests of the merchant's own backend, the delivery target, the storage of logs (0.03 USD for a GB and month), requests to
KMS (a few cents), and what hides in a sweep that finds something: a fiftieth of a read unit for each order that is due.
`)
	return b.String()
}

func rows(b *strings.Builder, order string, steps []cost.Step) {
	for _, s := range steps {
		invoked := 0.0
		for _, n := range s.Invocations {
			invoked += n
		}
		fmt.Fprintf(b, "| %s | %s | %g | %d | %g | %g | %d |\n", order, s.Name, invoked, s.WriteUnits, s.ReadUnits, s.SQSRequests, s.LogBytes)
	}
}
