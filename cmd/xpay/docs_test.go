package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestACommandOfThePagesForOperatorsRunsAsItIsPrinted: each command parses; one that is for a deployed stack or the local one says for
// which, has all it needs, and fails of nothing but an AWS that does not answer.
func TestACommandOfThePagesForOperatorsRunsAsItIsPrinted(t *testing.T) {
	nobodyAnswers(t)
	for page, least := range operatorPages(t) {
		printed := printedCommands(t, page)
		if len(printed) < least {
			t.Errorf("%s: %d commands found", page, len(printed))
		}
		for _, command := range printed {
			if why := whyItDoesNotRun(t, shellWords(command)); why != "" {
				t.Errorf("%s: xpay %s: %s", page, command, why)
			}
		}
	}
}

// operatorPages are the pages with at least so many different commands.
func operatorPages(t *testing.T) map[string]int {
	t.Helper()
	pages := map[string]int{"../../docs/operating/runbook.md": 25, "../../docs/operating/operator.md": 12, "../../README.md": 10}
	howTo, err := filepath.Glob("../../docs/how-to/*.md")
	if err != nil || len(howTo) < 4 {
		t.Fatalf("%q, %v", howTo, err)
	}
	for _, page := range howTo {
		pages[page] = 0
	}
	return pages
}

// inACode begins a line of a block, stands behind a pipe, or begins a piece of code within a line.
var inACode = regexp.MustCompile("(?m)(?:^ *|`|\\| )(?:bin/)?xpay ([a-z][^`\n]*)")

// printedCommands are the different commands of a page, without xpay and without the comment behind them.
func printedCommands(t *testing.T, page string) []string {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, found := range inACode.FindAllStringSubmatch(string(raw), -1) {
		command, _, _ := strings.Cut(found[1], " #")
		command, _, _ = strings.Cut(command, " <") // what stdin is
		all = append(all, strings.TrimSpace(command))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var shellWord = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)

// shellWords takes a command apart as a shell does, as far as the pages need it. Files of keys are not there: a word stands for them.
func shellWords(command string) []string {
	words := shellWord.FindAllString(command, -1)
	for i, w := range words {
		words[i] = strings.Trim(w, `'"`)
		if strings.HasPrefix(w, "@") {
			words[i] = "key"
		}
	}
	return words
}

// whyItDoesNotRun is "" for a command that does.
func whyItDoesNotRun(t *testing.T, args []string) string {
	t.Helper()
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(args, "--help") {
		return ""
	}
	parsed, err := parser.Parse(args)
	switch {
	case err != nil && len(args) == 1 && strings.Contains(err.Error(), "expected one of"):
		return "" // the name of a group, in a sentence
	case err != nil:
		return err.Error()
	}
	reachesAStack := false
	for _, flag := range parsed.Flags() {
		reachesAStack = reachesAStack || flag.Name == "stack"
	}
	named := slices.Contains(args, "--stack") || slices.Contains(args, "--local")
	if !reachesAStack || parsed.Command() == "doctor" && !named {
		return ""
	}
	return whyItIsRefused(t, args)
}

// whyItIsRefused runs a command where nobody answers, which is all that may stop it.
func whyItIsRefused(t *testing.T, args []string) string {
	t.Helper()
	if at := slices.Index(args, "--local"); at >= 0 {
		args = slices.Replace(slices.Clone(args), at, at+1, "--local=http://127.0.0.1:1")
	}
	var out, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &out, &stderr)
	if code == exitLater || code == exitUsage && strings.Contains(stderr.String(), "shown on a terminal only") {
		return ""
	}
	return stderr.String()
}

// nobodyAnswers gives the AWS SDK credentials, and an address where nobody listens.
func nobodyAnswers(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": testSecretKey, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
}

func TestACommandOfAPageThatLacksSomethingIsFound(t *testing.T) {
	nobodyAnswers(t)
	for command, want := range map[string]string{
		"orders held":                            "--stack NAME or --local",
		"orders refund ORDER --stack STACK":      "how much?",
		"orders dismiss --stack STACK":           "<name>",
		"orders recheck --stack STACK":           "which orders?",
		"orders settle ORDER REFUND --stack S":   "--happened",
		"secrets put push|seal --stack STACK":    "push",
		"secrets check":                          "which stack?",
		"orders show ORDER --stack STACK --hard": "unknown flag",
		"order show ORDER --stack STACK":         "unexpected argument",
	} {
		if why := whyItDoesNotRun(t, shellWords(command)); !strings.Contains(why, want) {
			t.Errorf("xpay %s: %q, want %q", command, why, want)
		}
	}
}
