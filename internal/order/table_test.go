package order

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that are printed from the code")

func TestTheTableHasEveryEventInEveryState(t *testing.T) {
	t.Parallel()
	if len(table) != len(Events()) {
		t.Errorf("the table has %d events, Events lists %d", len(table), len(Events()))
	}
	for _, e := range Events() {
		if len(table[e]) != len(States()) {
			t.Errorf("%s: the table has %d states, States lists %d", e, len(table[e]), len(States()))
		}
		for _, s := range States() {
			to, there := table[e][s]
			if !there {
				t.Errorf("%s in %s is missing", e, s)
			}
			if to != never && !slices.Contains(States(), to) {
				t.Errorf("%s in %s leads to %q, which is no state", e, s, to)
			}
		}
	}
}

func TestTheListsNameEveryConstant(t *testing.T) {
	t.Parallel()
	states, events := described(t)
	if got := keys(states); !slices.Equal(got, texts(States())) {
		t.Errorf("the constants are %v, States lists %v", got, States())
	}
	if got := keys(events); !slices.Equal(got, texts(Events())) {
		t.Errorf("the constants are %v, Events lists %v", got, Events())
	}
}

func TestWhatTheTableNeverAllows(t *testing.T) {
	t.Parallel()
	for _, e := range Events() {
		for _, from := range States() {
			to, ok := Next(from, e)
			if !ok {
				continue
			}
			switch {
			case from == Delivered && to != Delivered:
				t.Errorf("%s takes a delivery back", e)
			case from == Held && to != Held && e != EventAccepted && e != EventEmptied:
				t.Errorf("%s lets held money go", e)
			case to == Delivered && from != Delivered && from != Delivering:
				t.Errorf("%s delivers without an intent, from %s", e, from)
			case to == Paid && from != Paid && e != EventPaid && e != EventAccepted:
				t.Errorf("%s pays for an order", e)
			case to == Created && from != Created:
				t.Errorf("%s makes an order as if nothing had happened", e)
			}
		}
	}
	if _, ok := Next("no such state", EventHint); ok {
		t.Error("an unknown state can be left")
	}
	if _, ok := Next(Created, "no such event"); ok {
		t.Error("an unknown event can happen")
	}
}

const (
	docFile  = "../../docs/state-machine.md"
	docBegin = "<!-- printed by go test ./internal/order -run TestTheStateMachineIsPrinted -update: do not edit below -->\n"
	docEnd   = "<!-- end of the printed part -->\n"
)

// TestTheStateMachineIsPrinted keeps docs/state-machine.md equal to the table and its comments.
func TestTheStateMachineIsPrinted(t *testing.T) {
	t.Parallel()
	have, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := bytes.Cut(have, []byte(docBegin))
	_, after, ended := bytes.Cut(rest, []byte(docEnd))
	if !found || !ended {
		t.Fatalf("%s has lost the marks of its printed part", docFile)
	}
	want := slices.Concat(before, []byte(docBegin), printed(t), []byte(docEnd), after)
	switch {
	case bytes.Equal(have, want):
	case *update:
		if err := os.WriteFile(docFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the code says: run go test ./internal/order -run TestTheStateMachineIsPrinted -update", docFile)
	}
}

// TestTheDiagramShowsEveryChangeOfState: the hand-drawn diagram has exactly the arrows of the table.
func TestTheDiagramShowsEveryChangeOfState(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		arrow, label, ok := strings.Cut(strings.TrimSpace(line), ": ")
		from, to, isArrow := strings.Cut(arrow, " --> ")
		if !ok || !isArrow {
			continue
		}
		for _, e := range strings.Split(label, ", ") {
			drawn[from+" "+e+" "+to] = true
		}
	}
	for _, from := range States() {
		for _, e := range Events() {
			to, ok := Next(from, e)
			if arrow := fmt.Sprintf("%s %s %s", from, e, to); ok && to != from && !drawn[arrow] {
				t.Errorf("%s lacks the arrow %s", docFile, arrow)
			} else {
				delete(drawn, arrow)
			}
		}
	}
	for arrow := range drawn {
		t.Errorf("%s draws %s, which cannot be", docFile, arrow)
	}
}

// printed is the part of the page that comes from the code.
func printed(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	states, events := described(t)
	b.WriteString("\n## States\n\n")
	for _, s := range states {
		fmt.Fprintf(&b, "- **%s**: %s\n", s.key, s.text)
	}
	b.WriteString("\n## Events\n\n| event | what it means |\n|---|---|\n")
	for _, e := range events {
		fmt.Fprintf(&b, "| %s | %s |\n", e.key, e.text)
	}
	b.WriteString("\n## What follows what\n\nA dash: it cannot be. The fact is kept, a person is called, the order stays.\n\n| event |")
	for _, s := range States() {
		fmt.Fprintf(&b, " %s |", s)
	}
	b.WriteString("\n|---" + strings.Repeat("|---", len(States())) + "|\n")
	for _, e := range Events() {
		fmt.Fprintf(&b, "| %s |", e)
		for _, s := range States() {
			fmt.Fprintf(&b, " %s |", cell(s, e))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	return b.Bytes()
}

func cell(from State, e Event) string {
	switch to, ok := Next(from, e); {
	case !ok:
		return "–"
	case to == from:
		return "stays"
	default:
		return "**" + string(to) + "**"
	}
}

type description struct{ key, text string }

// described reads the constants of table.go with their comments, in their order.
func described(t *testing.T) (states, events []description) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "table.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for _, spec := range gen.Specs {
			v := spec.(*ast.ValueSpec)
			kind, _ := v.Type.(*ast.Ident)
			text, ok := v.Values[0].(*ast.BasicLit)
			if kind == nil || !ok {
				continue
			}
			d := description{strings.Trim(text.Value, `"`), comment(v)}
			switch {
			case d.key == "": // never
			case d.text == "":
				t.Errorf("%s has no comment", v.Names[0])
			case kind.Name == "State":
				d.text = strings.TrimPrefix(d.text, v.Names[0].Name+": ")
				states = append(states, d)
			case kind.Name == "Event":
				events = append(events, d)
			}
		}
	}
	return states, events
}

func comment(v *ast.ValueSpec) string {
	if v.Doc != nil {
		return strings.Join(strings.Fields(v.Doc.Text()), " ")
	}
	return strings.Join(strings.Fields(v.Comment.Text()), " ")
}

func keys(all []description) (out []string) {
	for _, d := range all {
		out = append(out, d.key)
	}
	return out
}

func texts[T ~string](all []T) (out []string) {
	for _, v := range all {
		out = append(out, string(v))
	}
	return out
}
