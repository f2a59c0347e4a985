package cost_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/cost"
)

var update = flag.Bool("update", false, "write docs/reference/cost.md")

// prices are round, so that a bill can be done in the head.
const prices = `{"region": "here", "currency": "CNY", "dated": "2026-01-01", "source": "made up",
"apiMillionRequests": 10, "lambdaMillionRequests": 100, "lambdaGBSecond": 1, "dynamoMillionWriteUnits": 1000,
"dynamoMillionReadUnits": 2000, "dynamoGBMonth": 1, "dynamoRecoveryGBMonth": 2, "sqsMillionRequests": 30, "logsGB": 7, "transferOutGB": 8,
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
			{Name: "b", Work: cost.Work{APIRequests: 1, Invocations: map[string]float64{"createorder": 1}, WriteUnits: 1, ReadUnits: 1, LogBytes: 1 << 29, WeChatCalls: 2, WeChatBytes: 1 << 20}},
		},
		Cart:       []cost.Step{{Name: "look", Work: cost.Work{Invocations: map[string]float64{"reconcile": 1}, WriteUnits: 4, SQSRequests: 3}}},
		Tick:       cost.Work{Invocations: map[string]float64{"sweep": 1}, ReadUnits: 4},
		PaidStored: 1 << 20, CartStored: 1 << 20,
		Starts:       map[string]cost.Start{"createorder": {SecretReads: 2, ReadUnits: 3}, "reconcile": {SecretReads: 5}},
		RefreshReads: 4, HandshakeBytes: 1 << 20,
		Template: cost.Template{
			MemoryMB: map[string]int{"createorder": 1024, "reconcile": 512, "sweep": 256}, BatchSize: 10, Secrets: 2, Alarms: 2, AlarmMetrics: 3, Metrics: 4, Dashboards: 1,
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
		{b.Paid, "API Gateway requests", 0.02},                      // 2000 at 10 a million
		{b.Paid, "Lambda requests", 0.2},                            // 2000 at 100 a million
		{b.Paid, "Lambda duration", 2 * 40.8},                       // 40 ms and a hundredth of 80, with 1 GB, 2000 times
		{b.Paid, "DynamoDB writes, with indexes", 3},                // 3000 at 1000 a million
		{b.Paid, "DynamoDB reads", 3.12},                            // 1500 at 2000 a million, and 3 at each of 20 cold starts
		{b.Paid, "calls for secrets at cold starts", 0.012},         // 2 at each of 20 cold starts
		{b.Paid, "calls to WeChat, as data to the internet", 9.375}, // 1000 MB, and a fifth for 200 connections
		{b.Paid, "CloudWatch Logs", 7000},                           // 1000 GB
		{b.Late, "DynamoDB writes, with indexes", 0.4},              // a tenth of the orders
		{b.Late, "SQS requests", 0.009},
		{b.Late, "calls for secrets at cold starts", 0.0015},
		{b.Abandoned, "calls for secrets at cold starts", 0.015}, // 5 at each of 10 cold starts
		{b.Abandoned, "DynamoDB writes, with indexes", 4},        // as many carts as orders
		{b.Abandoned, "SQS requests", 0.09},                      // 1000 looks in a month: each alone
		{b.Abandoned, "Lambda duration", 150.4},                  // 300.8 ms with half a GB
		{b.Month, "secrets", 4},
		{b.Month, "alarms, by the metric they read", 12},
		{b.Month, "metrics", 20},
		{b.Month, "dashboard", 6},
		{b.Month, "calls for secrets that are read again", 70.08}, // 20 environments, 4 reads every 15 minutes of 730 hours: 233 600
		{b.Kept, "DynamoDB storage", 2000.0 / 1024},
		{b.Kept, "point-in-time recovery", 4000.0 / 1024},
	} {
		if got := line(t, c.part, c.name); !near(got.Amount, c.amount) || !near(got.Quantity*got.Price, got.Amount) {
			t.Errorf("%s: %s: %+v, want %v", c.part.Title, c.name, got, c.amount)
		}
	}
	if !near(b.MillionPaid, b.Paid.Total*1000) || !near(b.MillionWithCarts, (b.Paid.Total+b.Late.Total+b.Abandoned.Total)*1000) {
		t.Errorf("a million orders cost %v, with carts %v", b.MillionPaid, b.MillionWithCarts)
	}
	for _, p := range []cost.Part{b.Paid, b.Late, b.Abandoned, b.Month, b.Kept} {
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
	for orders, batch := range map[int]float64{1: 1, 39_818: 1, 79_640: 79_640 * 1.1 / 43_800, 438_000: 10, 4_380_000: 10} {
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

// quoteTolerance: a few bytes of log more or less, which no two counts agree on, are a cent.
const quoteTolerance = 0.02

// TestTheDecisionQuotesTheBill: the columns "after" of its table are those of this release.
func TestTheDecisionQuotesTheBill(t *testing.T) {
	t.Parallel()
	_, b := thisRelease(t)
	raw, err := os.ReadFile("../../docs/decisions/0029-cost.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, line := range strings.Split(string(raw), "\n") {
		if cells := strings.Split(strings.ReplaceAll(line, "*", ""), "|"); len(cells) == 7 {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows[cells[1]] = cells[2:6]
		}
	}
	for column, p := range map[int]cost.Part{1: b.Paid, 3: b.Abandoned} {
		for _, l := range append(p.Lines, cost.Line{Name: "total", Amount: p.Total}) {
			if row := rows[l.Name]; len(row) != 4 || !quotes(row[column], l.Amount) {
				t.Errorf("%s: the row %q is %q, want %.2f in its column %d", p.Title, l.Name, row, l.Amount, column+1)
			}
		}
	}
	all := regexp.MustCompile(`([0-9.]+) USD in all`).FindSubmatch(raw)
	if all == nil || !quotes(string(all[1]), b.MillionWithCarts) || !strings.Contains(string(raw), b.Dated) {
		t.Errorf("the decision says %q, want %.2f, at prices of %s", all, b.MillionWithCarts, b.Dated)
	}
}

// quotes reports whether a text is a figure, but for the tolerance.
func quotes(text string, figure float64) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && math.Abs(f-figure) < quoteTolerance
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

// natMonthUSD is a NAT gateway for 730 hours, at 0.045 USD an hour, and its public address, at 0.005.
const natMonthUSD = 730 * (0.045 + 0.005)

// A guide that compares with the bill changes with it.
func TestTheGuideComparesANATGatewayWithTheBill(t *testing.T) {
	t.Parallel()
	_, b := thisRelease(t)
	raw, err := os.ReadFile("../../docs/how-to/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	if millions := natMonthUSD / b.MillionPaid; millions < 2.5 || millions >= 3 {
		t.Errorf("a NAT gateway costs as much as %.2f million paid orders: correct docs/how-to/deploy.md", millions)
	}
	for _, want := range []string{fmt.Sprintf("\n%.2f USD a month", natMonthUSD), "as much as nearly three million paid orders"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("docs/how-to/deploy.md lacks %q", want)
		}
	}
}

func page(t *testing.T) string {
	c, bill := thisRelease(t)
	look := c.Cart[slices.IndexFunc(c.Cart, func(s cost.Step) bool { return s.Invocations["reconcile"] > 0 })]
	var b strings.Builder
	fmt.Fprintf(&b, `# What it costs

Printed from the code: `+"`go test ./internal/cost -run CostPage -update`"+`. `+"`xpay cost`"+` prints the bill for any number of orders, share of abandoned carts and
table of prices (`+"`--show-prices`, `--prices FILE`"+`).

`+"```text\n%s```"+`

A share of 0.5 is one abandoned cart beside each paid order: half of all carts. Whether they belong to the price of a paid order is for
the reader to decide, so both totals are there. What was taken out of the bill, with each line before and after: [decision 29](../decisions/0029-cost.md).

A paid order is one that is paid within a minute after it was signed, and polled once when it is. One that is paid later is looked at before, as a cart is:
%d write units, %g read units and a call to WeChat, %.2f %s for a million of them. The bill takes one paid order in %.0f for such a one. Each further step of
the ladder that passes before the payment costs about as much again.

CloudWatch charges an alarm by the metric that it reads: %d alarms read %d.

## Prices

The table was written down on %s; no page of AWS was read for it. What others say that AWS says, and agrees: a transcript of Secrets Manager's page of
2026-09, an article on DynamoDB's requests of 2025-07, notes on Lambda's of 2026-05. All other prices are general knowledge. `+"`--prices`"+` takes another table.

## What was counted

A test runs the built functions against a server that speaks AWS's protocol, with the roles and settings of template.yaml, and sees every request on
the wire: `+"`tools/with-moto go test ./internal/lambdae2e -run Cost`"+`. Units of DynamoDB follow from the size of the items before and after each
write, and of the entries that the indexes hold of them. Bytes of the log are those that the functions wrote at level %s, those that Lambda itself writes at level %s (none at WARN),
and those of the access log, with the 26 that CloudWatch adds to each event: the levels are the template's own.

| order | step | invocations | write units | read units | SQS requests | bytes of log |
|---|---|---|---|---|---|---|
`, bill, look.WriteUnits, look.ReadUnits, bill.Late.Total/bill.LateOnes*1e6, bill.Currency, float64(bill.Orders)/bill.LateOnes, c.Template.Alarms,
		c.Template.AlarmMetrics, bill.Dated, c.Template.LogLevel, c.Template.SystemLogLevel)
	rows(&b, "paid", c.Paid)
	rows(&b, "abandoned", c.Cart)
	b.WriteString(`
| function | reads of secrets at a cold start | read units |
|---|---|---|
`)
	for _, name := range slices.Sorted(maps.Keys(c.Starts)) {
		fmt.Fprintf(&b, "| %s | %d | %g |\n", name, c.Starts[name].SecretReads, c.Starts[name].ReadUnits)
	}
	fmt.Fprintf(&b, `
So many when no secret was changed within a week; after a change up to twice as many. Fifteen minutes later a function reads its secrets again, %d calls at
most. A connection to WeChat costs %d bytes, a login %d more, a look %d.

A paid order leaves %d bytes in the table and its indexes, an abandoned one %d.

## What was assumed

| figure | | why |
|---|---|---|
`, c.RefreshReads, c.HandshakeBytes, c.Paid[0].WeChatBytes, look.WeChatBytes, c.PaidStored, c.CartStored)
	for _, a := range cost.Assumptions() {
		fmt.Fprintf(&b, "| %s | %g | %s |\n", a.Name, a.Value, a.Why)
	}
	fmt.Fprintf(&b, `
How near a million paid orders come to the 13 USD that are wanted rests on such figures: where twice as many starts are cold, 2 %% instead of 1 %%, %.2f %s become %.2f.

The orders are taken for those of one month, evenly spread: looks that are due in the same minute are sent, received and looked at together, up to ten.

## What is left out

Free tiers (they would take some dollars off), taxes, a NAT gateway (with `+"`SubnetIds`"+`; %.2f USD a month for each zone with its public address, as much as %.1f
million paid orders, and 0.045 USD for each GB), a custom domain, pushes that WeChat repeats, polls beyond the one (of an order that is not paid yet a poll asks
WeChat, when the last look is 3 s ago, and costs as much as a look), refunds, lists of orders, requests of the merchant's own backend, the delivery target, the
storage of logs (0.03 USD for a GB and month) and of sessions (cents: they live for a week), requests to KMS (a few cents), and what hides in a sweep that finds
something: a fiftieth of a read unit for each order that is due.
`, bill.MillionPaid, bill.Currency, bill.MillionPaid+coldStarts(t, c), natMonthUSD, natMonthUSD/bill.MillionPaid)
	return b.String()
}

// coldStarts is what the cold starts of a million paid orders cost: twice as many add as much again.
func coldStarts(t *testing.T, c cost.Counts) (sum float64) {
	t.Helper()
	p, err := cost.ListPrices()
	if err != nil {
		t.Fatal(err)
	}
	assumed := map[string]float64{}
	for _, a := range cost.Assumptions() {
		assumed[a.Name] = a.Value
	}
	share, seconds := assumed["share of cold starts"], assumed["ms billed for a cold start"]/1000
	if share != 0.01 || seconds == 0 {
		t.Fatalf("of each start %g are cold, for %g s: correct the page", share, seconds)
	}
	for name, times := range cost.Sum(c.Paid).Invocations {
		s, memoryGB := c.Starts[name], float64(c.Template.MemoryMB[name])/1024
		each := float64(s.SecretReads)*p.SecretTenThousandCalls/1e4 + s.ReadUnits*p.DynamoMillionReadUnits/1e6 + seconds*memoryGB*p.LambdaGBSecond
		sum += times * share * 1e6 * each
	}
	return sum
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
