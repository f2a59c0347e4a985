package cost_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/cost"
)

// expected is a line of this release's bill, reckoned by hand: no figure of it is computed by this package.
type expected struct {
	name     string
	quantity float64
	unit     string
	price    float64 // USD, us-east-1, on demand, first tier
	within   float64 // share by which the quantity may be off: of bytes, which change with every word of a log line
}

const (
	bytesMayDiffer = 0.06
	gb             = 1 << 30
	minutes        = 43_800 // of a month: 730 hours
)

// A million paid orders and a million carts. A line that is new, gone, or of another size has to be reckoned here anew: neither
// -update of the counts nor one of the page makes this test pass.
func TestEachLineOfTheBillIsAsReckonedByHand(t *testing.T) {
	t.Parallel()
	_, b := thisRelease(t)
	for _, c := range []struct {
		part  cost.Part
		lines []expected
	}{
		{b.Paid, []expected{
			{"API Gateway requests", 4, "million", 1.00, 0},                                                // login, create, push, poll
			{"Lambda requests", 4, "million", 0.20, 0},                                                     //
			{"Lambda duration", 1000 * (310.8*128 + (40.8+40.8+10.8)*256) / 1024, "GB-s", 0.0000133334, 0}, // login; create, push, poll: each with 0.8 ms of cold start
			{"DynamoDB writes, with indexes", 2 + 3 + 3, "million units", 0.625, 0},                        // login: user, token. create: order, its entries in the indexes user and due. push: order, its entry in due goes, one among the paid ones comes
			{"DynamoDB reads", 0.5 + 2 + 1 + 1.5 + 0.01*(1+2+2+2), "million units", 0.125, 0},              // login, create, push, poll, and of a hundred cold starts of each
			{"calls for secrets at cold starts", 0.01 * (2 + 2 + 1 + 2) * 100, "10 thousand", 0.05, 0},     // the callback reads one secret
			{"CloudWatch Logs", 1e6 * (400 + 710 + 820 + 450) / gb, "GB", 0.50, bytesMayDiffer},            // a line of the function and one of the API each
			{"answers to the internet", 1e6 * (320 + 1040 + 490 + 690) / gb, "GB", 0.09, bytesMayDiffer},
			{"calls to WeChat, as data to the internet", 1e6 * (237 + 0.1*1591) / gb, "GB", 0.09, bytesMayDiffer}, // code2Session, and a handshake for each tenth
		}},
		{b.Late, []expected{ // 100,000 orders; 7.1 million looks in 43,800 minutes: each batch is full, with ten
			{"Lambda requests", 0.01, "million", 0.20, 0},
			{"Lambda duration", (10_000*300.8 + 90_000*15) / 1000 / 4, "GB-s", 0.0000133334, 0},
			{"DynamoDB writes, with indexes", 0.1 * 6, "million units", 0.625, 0},
			{"DynamoDB reads", 0.1 + 0.01*0.01*2, "million units", 0.125, 0},
			{"SQS requests", 0.01 * 3, "million", 0.40, 0}, // send, receive, delete
			{"calls for secrets at cold starts", 10_000 * 0.01 * 2 / 1e4, "10 thousand", 0.05, 0},
			{"CloudWatch Logs", 1e5 * 445.0 / gb, "GB", 0.50, bytesMayDiffer},
			{"calls to WeChat, as data to the internet", 1e5 * (479 + 0.1*1591) / gb, "GB", 0.09, bytesMayDiffer},
		}},
		{b.Abandoned, []expected{ // create, and seven looks of which ten share an invocation
			{"API Gateway requests", 1, "million", 1.00, 0},
			{"Lambda requests", 1 + 0.7, "million", 0.20, 0},
			{"Lambda duration", (1e6*40.8 + 0.7e6*300.8 + 6.3e6*15) / 1000 / 4, "GB-s", 0.0000133334, 0},
			{"DynamoDB writes, with indexes", 3 + 6*6 + 5, "million units", 0.625, 0}, // a look: the claim and its end, each the order and two of due's entry; the last look leaves no entry
			{"DynamoDB reads", 2 + 7*1 + 0.01*2 + 0.7*0.01*2, "million units", 0.125, 0},
			{"SQS requests", 0.7 * 3, "million", 0.40, 0},
			{"calls for secrets at cold starts", (1 + 0.7) * 0.01 * 2 * 100, "10 thousand", 0.05, 0},
			{"CloudWatch Logs", 1e6 * (710 + 7*448.0) / gb, "GB", 0.50, bytesMayDiffer},
			{"answers to the internet", 1e6 * 1040.0 / gb, "GB", 0.09, bytesMayDiffer},
			{"calls to WeChat, as data to the internet", 7e6 * (479 + 0.1*1591) / gb, "GB", 0.09, bytesMayDiffer},
		}},
		{b.Month, []expected{
			{"Scheduler", 0.0438, "million ticks", 1.00, 0},
			{"sweep: Lambda requests", 0.0438, "million", 0.20, 0},
			{"sweep: Lambda duration", minutes * 40.8 / 1000 / 4, "GB-s", 0.0000133334, 0},
			{"sweep: DynamoDB reads", 0.0438 * 4, "million units", 0.125, 0}, // four shards of the index in each of two tables, at half a unit
			{"sweep: CloudWatch Logs", minutes * 174.0 / gb, "GB", 0.50, bytesMayDiffer},
			{"SQS polls of an idle queue", 5 * 3 * 0.0438, "million", 0.40, 0},
			{"secrets", 3, "secrets", 0.40, 0}, // push, merchant, seal
			{"calls for secrets that are read again", 20 * 2 * 4 * 730 / 1e4, "10 thousand", 0.05, 0},
			{"alarms, by the metric they read", 48, "alarm metrics", 0.10, 0},
			{"metrics", 10 + 5, "metrics", 0.30, 0}, // of the functions, and counted out of log lines
			{"dashboard", 1, "dashboards", 3.00, 0},
		}},
		{b.Kept, []expected{
			{"DynamoDB storage", 1e6 * (1231 + 937) / gb, "GB", 0.25, bytesMayDiffer},
			{"point-in-time recovery", 1e6 * (1231 + 937) / gb, "GB", 0.20, bytesMayDiffer},
		}},
	} {
		agrees(t, c.part, c.lines)
	}
}

func agrees(t *testing.T, part cost.Part, lines []expected) {
	t.Helper()
	for _, l := range part.Lines {
		if !slices.ContainsFunc(lines, func(e expected) bool { return e.name == l.Name }) {
			t.Errorf("%s: %q is new: reckon it by hand", part.Title, l.Name)
		}
	}
	total, mayDiffer := 0.0, 0.005
	for _, e := range lines {
		total += e.quantity * e.price
		mayDiffer += e.within * e.quantity * e.price
		i := slices.IndexFunc(part.Lines, func(l cost.Line) bool { return l.Name == e.name })
		if i < 0 {
			t.Errorf("%s: %q is missing", part.Title, e.name)
			continue
		}
		l := part.Lines[i]
		if math.Abs(l.Quantity-e.quantity) > max(e.within, 1e-6)*e.quantity || l.Unit != e.unit || l.Price != e.price {
			t.Errorf("%s: %s: %v %s at %v, by hand %v %s at %v", part.Title, l.Name, l.Quantity, l.Unit, l.Price, e.quantity, e.unit, e.price)
		}
	}
	if math.Abs(part.Total-total) > mayDiffer {
		t.Errorf("%s: %.2f in all, by hand %.2f", part.Title, part.Total, total)
	}
}

// The requirement is about production: all that the template makes with its defaults, at log levels below which the metrics would be
// missing, and above which every invocation would write two lines more.
func TestTheCountIsOfProduction(t *testing.T) {
	t.Parallel()
	c, b := thisRelease(t)
	if c.Template.LogLevel != "INFO" || c.Template.SystemLogLevel != "WARN" {
		t.Errorf("counted at %s, and %s of Lambda's own lines; production has INFO and WARN", c.Template.LogLevel, c.Template.SystemLogLevel)
	}
	if b.Region != "us-east-1" || b.Currency != "USD" || !dated(b.Dated) || b.Source == "" {
		t.Errorf("the bill is of %q in %q, at prices of %q", b.Region, b.Currency, b.Dated)
	}
	if names := namesOf(c.Paid); !slices.Equal(names, []string{"login", "create", "push", "poll"}) {
		t.Errorf("a paid order is %q", names)
	}
	ladder := []string{"create", "look 1, after 1m0s", "look 2, after 3m0s", "look 3, after 10m0s", "look 4, after 30m0s", "look 5, after 2h0m0s", "look 6, after 24h0m0s", "look 7, after 168h0m0s"}
	if names := namesOf(c.Cart); !slices.Equal(names, ladder) {
		t.Errorf("an abandoned cart is %q, want %q", names, ladder)
	}
	if b.Orders != 1_000_000 || b.Carts != 1_000_000 {
		t.Errorf("half of all carts are abandoned: %d orders, %v carts", b.Orders, b.Carts)
	}
}

func dated(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

func namesOf(steps []cost.Step) (names []string) {
	for _, s := range steps {
		names = append(names, s.Name)
	}
	return names
}
