package template

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var inBackticks = regexp.MustCompile("`([A-Z][A-Za-z]+)`")

// guide is the page that says how to deploy.
func guide(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(root + "docs/how-to/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// parameterTable is the guide's table: the defaults of the parameters that have a row, and all names that it mentions.
func parameterTable(t *testing.T) (defaults map[string]string, mentioned []string) {
	t.Helper()
	_, table, _ := strings.Cut(guide(t), "| parameter | default | |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	defaults = map[string]string{}
	for row := range strings.Lines(table) {
		cells := strings.SplitN(row, "|", 5)
		values := strings.Split(strings.TrimSpace(cells[2]), ", ")
		for i, name := range inBackticks.FindAllStringSubmatch(cells[1], -1) {
			defaults[name[1]] = values[min(i, len(values)-1)]
		}
		for _, name := range inBackticks.FindAllStringSubmatch(row, -1) {
			mentioned = append(mentioned, name[1])
		}
	}
	return defaults, mentioned
}

func TestTheGuideHasEachParameterWithItsDefault(t *testing.T) {
	t.Parallel()
	parameters := at(read(t), "Parameters")
	defaults, mentioned := parameterTable(t)
	for name := range parameters {
		if !slices.Contains(mentioned, name) {
			t.Errorf("the guide lacks the parameter %s", name)
		}
	}
	for name, value := range defaults {
		if parameters[name] == nil {
			t.Errorf("the guide has %s, which is no parameter", name)
		} else if want := defaultOf(parameters, name); value != want {
			t.Errorf("the guide says that %s is %q by default, the template %q", name, value, want)
		}
	}
	if len(defaults) < 20 {
		t.Errorf("%d parameters found", len(defaults))
	}
}

func defaultOf(parameters object, name string) string {
	if v := at(parameters, name)["Default"]; v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

func TestTheGuideCountsWhatTheTemplateMakes(t *testing.T) {
	t.Parallel()
	template := read(t)
	made := func(kind string) (n int) {
		for _, r := range ofType(t, template, kind) {
			if r["Condition"] == nil {
				n++
			}
		}
		return n
	}
	words := []string{2: "two", 3: "three", 7: "Seven"}
	for kind, says := range map[string]string{
		"AWS::Serverless::Function":   "%s functions with a role each",
		"AWS::DynamoDB::Table":        "%s DynamoDB tables",
		"AWS::SecretsManager::Secret": "%s secrets, a log group",
	} {
		if n := made(kind); n >= len(words) || !strings.Contains(guide(t), fmt.Sprintf(says, words[n])) {
			t.Errorf("the template makes %d of %s, the guide has another number before %q", n, kind, says)
		}
	}
	readme, err := os.ReadFile(root + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	alarms := made("AWS::CloudWatch::Alarm")
	if !strings.Contains(guide(t), fmt.Sprintf("%d alarms and a dashboard", alarms)) || !strings.Contains(string(readme), fmt.Sprintf("%d alarms, a dashboard", alarms)) {
		t.Errorf("the template makes %d alarms, the guide or the README another number", alarms)
	}
}
