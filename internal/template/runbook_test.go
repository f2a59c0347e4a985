package template

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An alarm that says nothing wakes a person for nothing: each leads to its section of the runbook, and each section says what the
// alarm means, what to look at, what to do and what not to do.
func TestEveryAlarmLeadsToItsSectionOfTheRunbook(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for _, part := range strings.Split(runbook(t), "\n## ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		sections[anchor(name)] = body
	}
	alarms := ofType(t, read(t), "AWS::CloudWatch::Alarm")
	if len(alarms) < 20 {
		t.Fatalf("%d alarms found", len(alarms))
	}
	for id, alarm := range alarms {
		said := textAt(alarm, "Properties", "AlarmDescription")
		_, at, _ := strings.Cut(said, "docs/operating/runbook.md#")
		body, found := sections[at]
		if !found {
			t.Errorf("%s leads to no section of the runbook: %s", id, said)
		}
		for _, label := range []string{"Means", "Look at", "Do", "Not"} {
			if !strings.Contains(body, "\n- *"+label+"* ") {
				t.Errorf("%s: the section %s does not say *%s*", id, at, label)
			}
		}
		if !hasChinese.MatchString(said) || !hasChinese.MatchString(body) {
			t.Errorf("%s: not in Chinese: %s", id, said)
		}
	}
}

// logLine is a message of the log as the runbook quotes it: small words, at least two, that are no command.
var logLine = regexp.MustCompile("`([a-z]+ [a-z]+[a-z ,]*)`")

// A line that nobody writes is looked for in vain.
func TestTheLinesOfLogThatTheRunbookQuotesAreWritten(t *testing.T) {
	t.Parallel()
	code := sources(t)
	command := regexp.MustCompile(`^(xpay|orders|make|aws|openssl) `)
	quoted := 0
	for _, line := range logLine.FindAllStringSubmatch(runbook(t), -1) {
		if command.MatchString(line[1]) {
			continue
		}
		quoted++
		if !bytes.Contains(code, []byte(`"`+line[1])) {
			t.Errorf("no code logs %q", line[1])
		}
	}
	if quoted < 15 {
		t.Errorf("%d lines found", quoted)
	}
}

var hasChinese = regexp.MustCompile(`\p{Han}`)

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")
}

func TestTheRunbooksLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	var anchors []string
	for line := range strings.Lines(runbook(t)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			anchors = append(anchors, anchor(heading))
		}
	}
	links := regexp.MustCompile(`\]\(#([a-z0-9-]+)\)`).FindAllStringSubmatch(runbook(t), -1)
	if len(links) < 10 {
		t.Fatalf("%d links found", len(links))
	}
	for _, link := range links {
		if !slices.Contains(anchors, link[1]) {
			t.Errorf("#%s is no heading", link[1])
		}
	}
}

// Constants of the core that are codes of questions: their values are what `xpay orders held` prints.
var attentionCode = regexp.MustCompile(`(?m)^\tAttention\w+ += "(\w+)"`)

func TestTheRunbookAnswersEveryCodeOfAQuestion(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../order/apply.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, code := range attentionCode.FindAllStringSubmatch(string(source), -1) {
		want = append(want, code[1])
	}
	_, table, _ := strings.Cut(runbook(t), "| code | what | do |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for row := range strings.Lines(table) {
		codes, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		got = append(got, strings.Split(codes, ", ")...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 10 || !slices.Equal(got, want) {
		t.Errorf("the runbook has %q, the core %q", got, want)
	}
}

func TestTheOutputsThatTheRunbookNamesExist(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, outputs, _ := strings.Cut(string(raw), "\nOutputs:\n")
	named := regexp.MustCompile("outputs? `?([A-Z][A-Za-z]+)").FindAllStringSubmatch(runbook(t), -1)
	if len(named) < 4 {
		t.Fatalf("%d outputs found", len(named))
	}
	for _, output := range named {
		if !strings.Contains(outputs, "\n  "+output[1]+":\n") {
			t.Errorf("%s is no output of template.yaml", output[1])
		}
	}
}

func runbook(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/operating/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
