package main

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
)

// TestNoLambdaMakesMoreRequestsThanItMay counts on the wires of the built functions. It does not depend on the machine.
func TestNoLambdaMakesMoreRequestsThanItMay(t *testing.T) {
	t.Parallel()
	awstest.Endpoint(t)
	var out bytes.Buffer
	b, l := bench{out: &out, dir: t.TempDir()}, lambdas{}
	built, err := b.buildLambdas(t.Context(), "here")
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCloud(t.Context(), built)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := b.cloudCalls(t.Context(), c, &l); err != nil {
		t.Fatal(err)
	}
	if l.over() || len(l.Calls) != len(cloudFlows()) {
		t.Errorf("a flow is over its limit, or was not counted:\n%s", out.String())
	}
}

func TestEveryOperationCountsAsWhatItCosts(t *testing.T) {
	t.Parallel()
	got, err := countRequests(map[string]int{
		"DynamoDB_20120810.GetItem": 1, "DynamoDB_20120810.Query": 2, "DynamoDB_20120810.BatchGetItem": 4,
		"DynamoDB_20120810.PutItem": 8, "DynamoDB_20120810.UpdateItem": 16,
		"AmazonSQS.SendMessageBatch": 32, "secretsmanager.GetSecretValue": 64,
	}, map[string]int{"/xpay/query_order": 128, "/sns/jscode2session": 256})
	if want := (requests{Reads: 7, Writes: 24, SQS: 32, Secrets: 64, WeChat: 384}); err != nil || got != want {
		t.Errorf("counted %+v, want %+v (%v)", got, want, err)
	}
	for _, unknown := range []string{"DynamoDB_20120810.Scan", "AmazonSSM.GetParameter", "/", ""} {
		if _, err := countRequests(map[string]int{unknown: 1}, nil); err == nil {
			t.Errorf("%q counts as something", unknown)
		}
	}
}

func TestARequestTooManyIsSaid(t *testing.T) {
	t.Parallel()
	limit := requests{Reads: 2, Writes: 1, SQS: 1, WeChat: 1}
	for _, c := range []struct {
		name       string
		warm, cold requests
		want       string
	}{
		{"at every limit", limit, requests{Reads: 2, Secrets: 3}, "ok"},
		{"below", requests{}, requests{}, "ok"},
		{"a read", requests{Reads: 3}, requests{}, "OVER"},
		{"a write", requests{Writes: 2}, requests{}, "OVER"},
		{"a message", requests{SQS: 2}, requests{}, "OVER"},
		{"a secret in a warm process", requests{Secrets: 1}, requests{}, "OVER"},
		{"a call to WeChat", requests{WeChat: 2}, requests{}, "OVER"},
		{"a secret in the start", limit, requests{Secrets: 4}, "OVER"},
		{"a write in the start", limit, requests{Writes: 1}, "OVER"},
	} {
		var out bytes.Buffer
		l := lambdas{Calls: []cloudCalls{{Name: c.name, Warm: c.warm, WarmMax: limit, Cold: c.cold, ColdMax: requests{Reads: 2, Secrets: 3}}}}
		l.printCalls(&bench{out: &out})
		if l.over() != (c.want == "OVER") || !strings.HasSuffix(strings.TrimSpace(out.String()), c.want) {
			t.Errorf("%s is printed as:\n%s", c.name, out.String())
		}
	}
}

func TestABootstrapThatIsTooLargeOrHoldsSQLiteIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		figures bootstrapFigures
		want    string
	}{
		{bootstrapFigures{Bytes: 10_000_000}, "ok"},
		{bootstrapFigures{Bytes: 10_000_001}, "OVER"},
		{bootstrapFigures{Bytes: 1, SQLite: []string{"modernc.org/sqlite"}}, "OVER"},
	} {
		var out bytes.Buffer
		l := lambdas{Bootstraps: []bootstrapFigures{c.figures}}
		l.printBootstraps(&out)
		if l.over() != (c.want == "OVER") || !strings.HasSuffix(strings.TrimSpace(out.String()), c.want) {
			t.Errorf("%+v is printed as:\n%s", c.figures, out.String())
		}
	}
}

// TestSQLiteIsFoundWhereItIs looks at this very program, which holds the local stack.
func TestSQLiteIsFoundWhereItIs(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if found, err := linkedSQLite(self); err != nil || !slices.Contains(found, "modernc.org/sqlite") {
		t.Errorf("found %q (%v)", found, err)
	}
}

func TestWhatIsAskedOfAWSIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target, body string
		want         asked
	}{
		{"secretsmanager.GetSecretValue", `{"SecretId":"arn:x","VersionStage":"AWSCURRENT"}`, asked{"GetSecretValue", "arn:x", "AWSCURRENT"}},
		{"DynamoDB_20120810.GetItem", `{"TableName":"t","Key":{"id":{"S":"order/a"}},"ConsistentRead":true}`, asked{"GetItem", "t", "order/a"}},
		{"DynamoDB_20120810.UpdateItem", `{"TableName":"t","Key":{"id":{"S":"order/a"}},"ExpressionAttributeValues":{":body":{"B":"eA=="}}}`,
			asked{"UpdateItem", "t", "order/a"}},
		{"DynamoDB_20120810.PutItem", `{"TableName":"t","Item":{"body":{"B":"eA=="},"id":{"S":"order/a"},"version":{"N":"1"}}}`, asked{"PutItem", "t", "order/a"}},
		{"DynamoDB_20120810.Query", `{"TableName":"t","IndexName":"user","ExpressionAttributeValues":{":before":{"S":":"},":pk":{"S":"order/u"}}}`,
			asked{"Query", "t", "order/u"}},
	} {
		if got, err := askedBy(c.target, []byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s: %v, want %v (%v)", c.target, got, c.want, err)
		}
	}
	for target, body := range map[string]string{"DynamoDB_20120810.Scan": `{"TableName":"t"}`, "DynamoDB_20120810.GetItem": `not JSON`, "": `{}`} {
		if got, err := askedBy(target, []byte(body)); err == nil {
			t.Errorf("%s %s is read as %v", target, body, got)
		}
	}
}

func TestACannedAnswerIsTheRecordedOne(t *testing.T) {
	t.Parallel()
	asks := 0
	c := newCanned(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asks++
		w.Header().Set("X-Amz-Crc32", "7")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("recorded"))
	}))
	get := func(id string) *recorder {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://aws.test/", strings.NewReader(`{"TableName":"t","Key":{"id":{"S":"`+id+`"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "DynamoDB_20120810.GetItem")
		rec := &recorder{header: http.Header{}, status: http.StatusOK}
		c.ServeHTTP(rec, req)
		return rec
	}
	get("a")
	between := time.Now()
	get("b")
	before, after := c.replay(between)
	if !slices.Equal(before, []asked{{"GetItem", "t", "a"}}) || !slices.Equal(after, []asked{{"GetItem", "t", "b"}}) {
		t.Errorf("recorded %v, then %v", before, after)
	}
	c.Reset()
	if got := get("a"); got.status != http.StatusAccepted || got.body.String() != "recorded" || got.header.Get("X-Amz-Crc32") != "7" || c.err() != nil {
		t.Errorf("replayed %d %q %v (%v)", got.status, got.body.String(), got.header, c.err())
	}
	if get("c"); c.err() == nil {
		t.Error("what was not recorded is answered")
	}
	if diff := cmp.Diff(map[string]int{"DynamoDB_20120810.GetItem": 2}, c.Counts()); diff != "" || asks != 2 {
		t.Errorf("%s; the server was asked %d times", diff, asks)
	}
}

func TestTheBareFunctionIsToldTheSameCalls(t *testing.T) {
	t.Parallel()
	calls := []asked{{"GetSecretValue", "arn:x", "AWSCURRENT"}, {"GetItem", "t", "user/a"}, {"Query", "t", "order/u"}, {"PutItem", "t", "order/a"}}
	if got, want := callLines(calls, ""), "GetSecretValue arn:x AWSCURRENT\nGetItem t user/a\nQuery t order/u\nPutItem t order/a"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := callLines(calls, "-1"), "GetSecretValue arn:x AWSCURRENT\nGetItem t user/a\nQuery t order/u-1\nPutItem t order/a-1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestStartsAreComparedByTheirMedians(t *testing.T) {
	t.Parallel()
	f := &contestant{startSubject: &startSubject{function: "callback"}, aws: onCanned, took: []startTimes{{90, 1}, {12, 5}, {10, 4}}}
	bare := &contestant{took: []startTimes{{8, 2}, {1, 2}, {80, 9}}}
	want := startFigures{
		Function: "callback", AWS: "canned", Start: 12, BareStart: 8, StartRatio: 1.5, Request: 4, BareRequest: 2, RequestRatio: 2,
	}
	if diff := cmp.Diff(want, compareStarts(f, bare)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyStartsAgainstAServerAreJudged(t *testing.T) {
	t.Parallel()
	r := report{Lambdas: lambdas{Starts: []startFigures{
		{Function: "callback", AWS: onCanned, StartRatio: 9, RequestRatio: 9},
		{Function: "callback", AWS: onMoto, StartRatio: 1.25, RequestRatio: 1.26},
	}}}
	r.judgeLambdas()
	var missed []string
	for _, q := range r.Requirements {
		if !q.Holds {
			missed = append(missed, q.What+": "+q.Found)
		}
	}
	if diff := cmp.Diff([]string{"callback answers first in at most 1.25 of a bare function: 1.26"}, missed); diff != "" {
		t.Error(diff)
	}
}
