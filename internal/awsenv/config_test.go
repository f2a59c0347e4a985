package awsenv

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/reference/config.md")

const configPage = "../../docs/reference/config.md"

// TestTheConfigurationPageSaysWhatTheCodeReads: -update writes the page.
func TestTheConfigurationPageSaysWhatTheCodeReads(t *testing.T) {
	want := configText()
	if *update {
		if err := os.WriteFile(configPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(configPage)
	if err != nil || string(got) != want {
		t.Errorf("the page is not what the code reads (%v): go test ./internal/awsenv -run ConfigurationPage -update", err)
	}
}

func configText() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Printed from the code: ` + "`go test ./internal/awsenv -run ConfigurationPage -update`" + `. template.yaml sets all of it; a function that misses
something refuses to start and says everything that is wrong in one line of its log.

## What each function is given

| function | secrets | tables | queue |
|---|---|---|---|
`)
	for _, f := range Functions() {
		var groups []string
		for _, s := range Settings() {
			if strings.HasSuffix(s.Name, "_SECRET") && s.ReadBy(f) {
				groups = append(groups, s.Config)
			}
		}
		tables, sends := "expiring", "–"
		if f.Orders {
			tables = "orders, expiring"
		}
		if f.Sends {
			sends = "sends"
		}
		if len(groups) == 0 {
			groups = []string{"–"}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.Name, strings.Join(groups, ", "), tables, sends)
	}
	b.WriteString("\n## Environment variables\n\n| variable | needed | read by | meaning |\n|---|---|---|---|\n")
	for _, s := range Settings() {
		needed := "no"
		if s.Required {
			needed = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, needed, readers(s), s.Meaning)
	}
	fmt.Fprintf(&b, `
Secrets are read at the start and again after %s to %s, at once when one does not fit: at most once in %s, and once in %s when it
is WeChat that refuses ours. The version before the current one serves too, a push secret's for %.0f hours. Products and prices come from %s, which is deployed with the functions.
`, short(secretsTTL), short(secretsTTL*5/4), short(claimedGap), short(provenGap), pushOverlap.Hours(), "`goods.yaml`")
	return b.String()
}

// short prints a duration without parts that are zero.
func short(d time.Duration) string { return strings.TrimSuffix(d.String(), "0s") }

func readers(s Setting) string {
	var names []string
	for _, f := range Functions() {
		if s.ReadBy == nil || s.ReadBy(f) {
			names = append(names, f.Name)
		}
	}
	if len(names) == len(Functions()) {
		return "all"
	}
	return strings.Join(names, ", ")
}

// TestNoVariableIsReadThatTheTableDoesNotName opens every function with an environment that takes notes.
func TestNoVariableIsReadThatTheTableDoesNotName(t *testing.T) {
	t.Parallel()
	named := []string{
		setKey, setToken, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", // on their neighbours' lines
		"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SECRETS_MANAGER",
	}
	for _, s := range Settings() {
		named = append(named, s.Name)
	}
	for _, f := range Functions() {
		_, err := Open(t.Context(), f.Name, func(name string) string {
			if !slices.Contains(named, name) {
				t.Errorf("%s reads %s", f.Name, name)
			}
			return ""
		}, discard)
		if err == nil {
			t.Errorf("%s opens without anything", f.Name)
		}
	}
}
