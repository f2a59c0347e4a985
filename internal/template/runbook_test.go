package template

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An alarm that says nothing wakes a person for nothing: each leads to its section of the runbook, and each section says
// what not to do or what to do.
func TestEveryAlarmLeadsToItsSectionOfTheRunbook(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operating/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(page), "\n## ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		sections[anchor(name)] = body
	}
	alarms := strings.Split(string(template), "Type: AWS::CloudWatch::Alarm")[1:]
	if len(alarms) < 20 {
		t.Fatalf("%d alarms found", len(alarms))
	}
	for _, alarm := range alarms {
		_, rest, _ := strings.Cut(alarm, "AlarmDescription: ")
		said, _, _ := strings.Cut(rest, "\n")
		_, at, found := strings.Cut(strings.TrimSuffix(said, `"`), "docs/operating/runbook.md#")
		body := sections[at]
		if !found || !strings.Contains(body, "- *Do*") && !strings.Contains(body, "do |") {
			t.Errorf("no section of the runbook says what to do: %s", said)
		}
		if !hasChinese.MatchString(said) || !hasChinese.MatchString(body) {
			t.Errorf("not in Chinese: %s", said)
		}
	}
}

var hasChinese = regexp.MustCompile(`\p{Han}`)

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")
}

func TestTheRunbooksLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/operating/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for line := range strings.Lines(string(raw)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			anchors = append(anchors, anchor(heading))
		}
	}
	links := regexp.MustCompile(`\]\(#([a-z0-9-]+)\)`).FindAllStringSubmatch(string(raw), -1)
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
	if len(want) < 9 || !slices.Equal(got, want) {
		t.Errorf("the runbook has %q, the core %q", got, want)
	}
}

// A command that does not exist, or a flag that it does not know, is found out at three in the morning.
func TestTheCommandsOfTheRunbookExist(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/reference/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(raw), "\n## xpay ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		sections[name] = body
	}
	commands := regexp.MustCompile("(?m)(?:`|^ +)xpay ([a-z]+(?: [a-z_]+)*)([^`\n]*)").FindAllStringSubmatch(runbook(t), -1)
	if len(commands) < 20 {
		t.Fatalf("%d commands found", len(commands))
	}
	for _, c := range commands {
		body, known := "", false
		for words := strings.Fields(c[1]); len(words) > 0 && !known; words = words[:len(words)-1] {
			body, known = sections[strings.Join(words, " ")]
		}
		if !known && c[1] != "orders" { // the group as a whole
			t.Errorf("xpay %s is no command", c[1])
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(c[2], -1) {
			if !strings.Contains(body, "| `"+flag) {
				t.Errorf("xpay %s does not know %s", c[1], flag)
			}
		}
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
	if len(named) < 2 {
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
