package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheBillIsPrintedLineByLine(t *testing.T) {
	t.Parallel()
	code, out, stderr := call(t, "cost")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{"1000000 paid orders, 1000000 abandoned", "us-east-1, prices written down 2026-", "not read from AWS's pages", "calls for secrets at cold starts", "\none look at each order that is paid after a minute", "API Gateway requests", "DynamoDB writes", "CloudWatch Logs", "\nabandoned carts", "48.000 alarm metrics", "\nA million paid orders: ", "每百万笔"} {
		if !strings.Contains(out, want) {
			t.Errorf("the bill lacks %q:\n%s", want, out)
		}
	}
}

func TestABillOfOtherPricesAndQuantities(t *testing.T) {
	t.Parallel()
	code, table, stderr := call(t, "cost", "--show-prices")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	file := filepath.Join(t.TempDir(), "prices.json")
	table = strings.Replace(strings.Replace(table, `"USD"`, `"CNY"`, 1), `"apiMillionRequests": 1`, `"apiMillionRequests": 8`, 1)
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := call(t, "cost", "--json", "--orders", "500000", "--abandoned", "0", "--prices", file)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var bill struct {
		Currency string
		Orders   int
		Carts    float64
		Paid     struct {
			Lines []struct {
				Name                    string
				Quantity, Price, Amount float64
			}
		}
		Abandoned struct{ Total float64 }
	}
	if err := json.Unmarshal([]byte(out), &bill); err != nil {
		t.Fatal(err)
	}
	api := bill.Paid.Lines[0] // four requests: login, create, push, poll
	if bill.Currency != "CNY" || bill.Orders != 500_000 || bill.Carts != 0 || bill.Abandoned.Total != 0 || api.Quantity != 2 || api.Price != 8 || api.Amount != 16 {
		t.Errorf("the bill is %+v", bill)
	}
}

func TestABillThatCannotBeMadeIsRefused(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no orders":          {[]string{"--orders", "0"}, exitUsage, "1 or more"},
		"all abandoned":      {[]string{"--abandoned", "1"}, exitUsage, "less than 1"},
		"a missing file":     {[]string{"--prices", "/nonexistent"}, exitUsage, "/nonexistent"},
		"a table of nothing": {[]string{"--prices", empty}, exitFailed, "logsGB is missing"},
	} {
		code, out, stderr := call(t, append([]string{"cost"}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, stderr)
		}
	}
}
