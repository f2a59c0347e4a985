package template

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/observe"
)

// alarmText is two sentences and a place in the runbook.
var alarmText = regexp.MustCompile(`^([^。]+。) ([A-Z].*\.) docs/operating/runbook\.md#([a-z0-9]+(?:-[a-z0-9]+)*)$`)

func TestEachAlarmSaysWhatHappenedInTwoLanguagesAndWhereTheRunbookGoesOn(t *testing.T) {
	t.Parallel()
	for id, alarm := range ofType(t, read(t), "AWS::CloudWatch::Alarm") {
		text := textAt(alarm, "Properties", "AlarmDescription")
		parts := alarmText.FindStringSubmatch(text)
		if parts == nil || !strings.ContainsFunc(parts[1], func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s: %q", id, text)
		}
		for _, when := range []string{"AlarmActions", "OKActions"} {
			want := ifElse("HasAlarmTopic", []any{"!Ref AlarmTopicArn"}, "!Ref AWS::NoValue")
			if diff := cmp.Diff(want, at(alarm, "Properties")[when]); diff != "" {
				t.Errorf("%s: %s: %s", id, when, diff)
			}
		}
	}
}

// TestTheAlarmsWatchWhatTheyAreMeantTo says by hand when each alarm that has one metric rings, and what silence means.
func TestTheAlarmsWatchWhatTheyAreMeantTo(t *testing.T) {
	t.Parallel()
	const over, from, under = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold"
	const ours, counted = observe.Namespace, "!Sub " + observe.Namespace + "/${AWS::StackName}" // written by the code; counted in the log
	const service = "service !Ref AWS::StackName, stage !Ref Stage"
	// namespace, metric, of what, statistic, comparison, threshold, what silence means, "alarming of evaluated periods x seconds"
	type row [8]string
	want := map[string]row{
		"CallbackErrorsAlarm":     {"AWS/Lambda", "Errors", "FunctionName !Ref CallbackFunction", "Sum", from, "1", "notBreaching", "1 of 1 x 60"},
		"CallbackSlowAlarm":       {"AWS/Lambda", "Duration", "FunctionName !Ref CallbackFunction", "p99", over, "2500", "notBreaching", "3 of 5 x 60"}, // milliseconds
		"CreateOrderErrorsAlarm":  {"AWS/Lambda", "Errors", "FunctionName !Ref CreateOrderFunction", "Sum", from, "1", "notBreaching", "1 of 1 x 300"},
		"LoginErrorsAlarm":        {"AWS/Lambda", "Errors", "FunctionName !Ref LoginFunction", "Sum", from, "1", "notBreaching", "1 of 1 x 300"},
		"OrdersErrorsAlarm":       {"AWS/Lambda", "Errors", "FunctionName !Ref OrdersFunction", "Sum", from, "1", "notBreaching", "1 of 1 x 300"},
		"RefundErrorsAlarm":       {"AWS/Lambda", "Errors", "FunctionName !Ref RefundFunction", "Sum", from, "1", "notBreaching", "1 of 1 x 300"},
		"ReconcileErrorsAlarm":    {"AWS/Lambda", "Errors", "FunctionName !Ref ReconcileFunction", "Sum", from, "1", "notBreaching", "1 of 1 x 300"},
		"SweepErrorsAlarm":        {"AWS/Lambda", "Errors", "FunctionName !Ref SweepFunction", "Sum", from, "1", "notBreaching", "1 of 1 x 300"},
		"SweepMissingAlarm":       {"AWS/Lambda", "Invocations", "FunctionName !Ref SweepFunction", "Sum", under, "1", "breaching", "1 of 1 x 300"},
		"ServerErrorsAlarm":       {"AWS/ApiGateway", "5xx", "ApiId !Ref Api", "Sum", from, "5", "notBreaching", "1 of 1 x 300"},
		"DeadLettersAlarm":        {"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName !GetAtt DeadLetterQueue.QueueName", "Maximum", over, "0", "notBreaching", "1 of 1 x 60"},
		"QueueAgeAlarm":           {"AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName !GetAtt ReconcileQueue.QueueName", "Maximum", over, "600", "notBreaching", "5 of 5 x 60"},
		"DueBacklogAlarm":         {ours, "DueSeconds", service, "Maximum", over, "900", "notBreaching", "3 of 3 x 60"},
		"MismatchesAlarm":         {ours, "Mismatches", service, "Sum", over, "0", "notBreaching", "1 of 1 x 300"},
		"UnknownOrderPushesAlarm": {ours, "UnknownOrderPushes", service, "Sum", over, "0", "notBreaching", "1 of 1 x 300"},
		"PushesRefusedAlarm":      {ours, "PushesRefused", service, "Sum", from, "3", "notBreaching", "1 of 1 x 300"},
		"WeChatErrorsAlarm":       {ours, "WeChatErrors", service, "Sum", from, "20", "notBreaching", "2 of 3 x 300"},
		"PlainPushesAlarm":        {counted, "PlainPushes", "", "Sum", over, "0", "notBreaching", "1 of 1 x 300"},
		"QuestionsAlarm":          {counted, "Questions", "", "Sum", over, "0", "notBreaching", "1 of 1 x 300"},
		"PushesNotRecordedAlarm":  {counted, "PushesNotRecorded", "", "Sum", over, "0", "notBreaching", "1 of 1 x 60"},
		"CallsRefusedAlarm":       {counted, "CallsRefused", "", "Sum", over, "0", "notBreaching", "1 of 1 x 300"},
		"RepairsAlarm":            {ours, "Repairs", service, "Sum", from, "3", "notBreaching", "1 of 1 x 3600"},
		"SecretUnusableAlarm":     {counted, "SecretUnusable", "", "Sum", over, "0", "notBreaching", "1 of 1 x 300"},
	}
	got := map[string]row{}
	for id, alarm := range ofType(t, read(t), "AWS::CloudWatch::Alarm") {
		p := at(alarm, "Properties")
		if p["Metrics"] != nil {
			continue // the next test's
		}
		text := func(name string) string { return textAt(p, name) }
		when := orElse(text("DatapointsToAlarm"), text("EvaluationPeriods")) + " of " + text("EvaluationPeriods") + " x " + text("Period")
		got[id] = row{
			text("Namespace"), text("MetricName"), dimensions(p), text("Statistic") + text("ExtendedStatistic"), text("ComparisonOperator"), text("Threshold"), text("TreatMissingData"), when,
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +template\n%s", diff)
	}
}

// dimensions are all of a metric, in words.
func dimensions(metric object) string {
	var words []string
	all, _ := metric["Dimensions"].([]any)
	for _, each := range all {
		d := each.(object)
		words = append(words, fmt.Sprint(d["Name"], " ", chosen(d["Value"], nil)))
	}
	return strings.Join(words, ", ")
}

func TestThrottlesOfAllFunctionsAndErrorsOfBothTablesAreSummed(t *testing.T) {
	t.Parallel()
	template := read(t)
	watched := func(alarm string) (all []string) {
		metrics, _ := at(template, "Resources", alarm, "Properties")["Metrics"].([]any)
		for _, m := range metrics {
			if m := m.(object); m["Expression"] != nil {
				all = append(all, textAt(m, "Expression"))
				continue
			}
			metric := at(m.(object), "MetricStat", "Metric")
			name := textAt(metric, "Namespace") + " " + textAt(metric, "MetricName") + " " + dimensions(metric)
			if stat := at(m.(object), "MetricStat"); stat["Stat"] != "Sum" || stat["Period"] != "300" {
				t.Errorf("%s: %s: %v of %v s", alarm, name, stat["Stat"], stat["Period"])
			}
			all = append(all, name)
		}
		p := at(template, "Resources", alarm, "Properties")
		if got := []any{p["EvaluationPeriods"], p["DatapointsToAlarm"], p["ComparisonOperator"], p["Threshold"], p["TreatMissingData"]}; !slices.Equal(got,
			[]any{"2", "1", "GreaterThanOrEqualToThreshold", "1", "notBreaching"}) {
			t.Errorf("%s rings by %v", alarm, got)
		}
		slices.Sort(all)
		return all
	}
	sum := []string{"SUM(FILL(METRICS(), 0))"}
	throttles := slices.Clone(sum)
	for folder := range functions(t, template) {
		if folder != "canary" {
			throttles = append(throttles, folder)
		}
	}
	got := watched("ThrottlesAlarm")
	for i, name := range got {
		name, ok := strings.CutPrefix(name, "AWS/Lambda Throttles FunctionName !Ref ")
		if ok {
			got[i] = folderOf(name)
		}
	}
	slices.Sort(got)
	slices.Sort(throttles)
	if diff := cmp.Diff(throttles, got); diff != "" {
		t.Errorf("throttles: -want +template\n%s", diff)
	}
	for _, table := range []string{"OrdersTable", "ExpiringTable"} {
		want := slices.Clone(sum)
		for _, operation := range []string{"GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem"} { // what roles may do
			want = append(want, "AWS/DynamoDB SystemErrors TableName !Ref "+table+", Operation "+operation)
		}
		for _, kind := range []string{"ReadThrottleEvents", "WriteThrottleEvents"} { // an index throttles by itself; everything that is due lies in one
			of := "AWS/DynamoDB " + kind + " TableName !Ref " + table
			want = append(want, of, of+", GlobalSecondaryIndexName due")
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, watched(table+"ErrorsAlarm")); diff != "" {
			t.Errorf("%s: -want +template\n%s", table, diff)
		}
	}
}

// TestTheMetricsOfTheCodeAreThoseOfTheAlarmsAndTheDashboard: a misspelt name would be an alarm that never rings.
func TestTheMetricsOfTheCodeAreThoseOfTheAlarmsAndTheDashboard(t *testing.T) {
	t.Parallel()
	template := read(t)
	for id, alarm := range ofType(t, template, "AWS::CloudWatch::Alarm") { // the hand-written table holds namespaces and dimensions
		p := at(alarm, "Properties")
		if _, ok := observe.MetricNames()[observe.Metric(textAt(p, "MetricName"))]; !ok && p["Namespace"] == observe.Namespace {
			t.Errorf("%s watches %v, which nobody writes", id, p["MetricName"])
		}
	}
	var board struct {
		Widgets []struct {
			Properties struct {
				Region  string
				Metrics [][]any
			}
		}
	}
	text := strings.TrimPrefix(textAt(template, "Resources", "Dashboard", "Properties", "DashboardBody"), "!Sub ")
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	shown := map[observe.Metric]bool{}
	for _, w := range board.Widgets {
		if w.Properties.Region != "${AWS::Region}" {
			t.Errorf("a widget shows the region %q", w.Properties.Region)
		}
		for _, m := range w.Properties.Metrics {
			if m[0] == observe.Namespace && cmp.Equal(m[2:6], []any{"service", "${AWS::StackName}", "stage", "${Stage}"}) {
				shown[observe.Metric(m[1].(string))] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(observe.MetricNames())), slices.Sorted(maps.Keys(shown))); diff != "" {
		t.Errorf("-metrics of the code +dashboard\n%s", diff)
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// message is what a filter compares the message of a line of log with; * stands for its rest.
var message = regexp.MustCompile(`\$\.message = "([^"*]+)(\*?)"`)

// writes reports whether code has a text that a filter's words find: the whole of it, or its beginning where a * follows.
func writes(code []byte, words, star string) bool {
	if star == "" {
		words += `"`
	}
	return bytes.Contains(code, []byte(`"`+words))
}

func TestAFilterFindsAWholeTextUnlessItEndsInAStar(t *testing.T) {
	t.Parallel()
	code := []byte(`log.Info("refused, tried again later", "order", id)`)
	for _, s := range []struct {
		words, star string
		want        bool
	}{
		{"refused, tried again later", "", true}, {"refused, tried again", "", false}, {"refused, tried again", "*", true},
		{"tried again later", "", false}, {"tried again later", "*", false}, {"refused, tried again later, or not", "*", false},
	} {
		if writes(code, s.words, s.star) != s.want {
			t.Errorf("%q with %q: found %t", s.words, s.star, !s.want)
		}
	}
}

// TestALineThatIsCountedIsWritten: the filters know the words of the code.
func TestALineThatIsCountedIsWritten(t *testing.T) {
	t.Parallel()
	template := read(t)
	code := sources(t)
	counted := map[string]bool{}
	for id, filter := range ofType(t, template, "AWS::Logs::MetricFilter") {
		p := at(filter, "Properties")
		words := message.FindAllStringSubmatch(textAt(p, "FilterPattern"), -1)
		if len(words) == 0 {
			t.Errorf("%s compares no message: %s", id, textAt(p, "FilterPattern"))
		}
		for _, w := range words {
			if !writes(code, w[1], w[2]) {
				t.Errorf("%s: no code logs %q", id, w[1]+w[2])
			}
		}
		group := strings.TrimPrefix(textAt(p, "LogGroupName"), "!Ref ")
		all, _ := p["MetricTransformations"].([]any)
		if len(all) != 1 {
			t.Fatalf("%s writes %d metrics", id, len(all))
		}
		metric := textAt(all[0].(object), "MetricName")
		one := object{"MetricNamespace": "!Sub " + observe.Namespace + "/${AWS::StackName}", "MetricName": metric, "MetricValue": "1"}
		if diff := cmp.Diff(one, all[0]); diff != "" {
			t.Errorf("%s does not count one where the alarms look: %s", id, diff)
		}
		counted[metric+" "+group] = true
	}
	want := map[string]bool{"PlainPushes CallbackLogs": true, "PushesNotRecorded CallbackLogs": true}
	for folder, f := range functions(t, template) {
		group := strings.TrimPrefix(textAt(f, "Properties", "LoggingConfig", "LogGroup"), "!Ref ")
		switch folder {
		case "createorder", "callback", "orders", "refund", "reconcile": // they record what is known about payments
			want["Questions "+group] = true
			want["CallsRefused "+group] = true
			want["SecretUnusable "+group] = true
		case "login":
			want["SecretUnusable "+group] = true
		case "sweep", "canary":
		default:
			t.Errorf("does %s ask a person, or read secrets?", folder)
		}
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("-want +template\n%s", diff)
	}
}

// sources is the code of the functions.
func sources(t *testing.T) []byte {
	t.Helper()
	var all []byte
	err := fs.WalkDir(os.DirFS(root+"internal"), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(root + "internal/" + path)
		all = append(all, raw...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
