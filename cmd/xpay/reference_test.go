package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/reference/cli.md")

const referencePage = "../../docs/reference/cli.md"

// TestTheReferenceSaysWhatTheCommandReads: -update writes the page.
func TestTheReferenceSaysWhatTheCommandReads(t *testing.T) {
	want := reference(t)
	if *update {
		if err := os.WriteFile(referencePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil || string(got) != want {
		t.Errorf("the page is not what the command reads (%v): go test ./cmd/xpay -run Reference -update", err)
	}
}

const referenceIntro = `# xpay on the command line

Printed from the code: ` + "`go test ./cmd/xpay -run Reference -update`" + `. Run it as ` + "`go run ./cmd/xpay ...`" + `, or after ` + "`make build`" + ` as ` + "`bin/xpay ...`" + `.

| exit code | means |
|---|---|
| 0 | as asked |
| 1 | something is wrong or was refused: a push that does not fit, something the doctor would fix, a doubtful price, a price that needs a yes, a file of goods or receipts that cannot be used, an error of WeChat or no answer, a value that no known mistake produces |
| 2 | the command line or the configuration is wrong: a flag, a --config file that is missing, malformed or readable by others, an account that is not complete. Nothing was changed |
| 3 | orders, outputs, secrets, doctor --stack: a service does not answer, or whether something was done is not known: the same command again is harmless and may succeed |

Each command says below what its exit codes mean. 每个命令的退出码见下文：0 按要求完成，1 有问题或被拒绝，2 命令行或配置有误（未做任何改动），3 服务无应答或结果未知（可原样重试）。

**Secrets** need not stand on the command line, where other users of the machine and the shell's history see them: ` + "`--app-key @FILE`" + ` reads a file (its
last line end is cut), and each has an environment variable, for which @FILE works too; a key that begins with @ is written @@. No secret is ever
printed.

` + "`--json`" + ` before or after any command prints JSON for programs. Answers go to stdout, everything else to stderr. Progress is shown on a terminal only.
With ` + "`--json`" + ` an error is an answer, too: the last line of stdout is ` + "`{\"error\":\"...\",\"code\":\"...\"}`" + `; the code is ` + "`usage`" + ` (exit code 2), ` + "`later`" + ` (3), a code of
the API (README, Errors) or ` + "`failed`" + ` (1). ` + "`call`" + ` gives WeChat's code instead, and the sums of ` + "`orders recheck`" + ` carry both names.
`

func reference(t *testing.T) string {
	t.Helper()
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(referenceIntro)
	for _, command := range parser.Model.Leaves(true) {
		describe(&b, command)
	}
	return b.String()
}

func describe(b *strings.Builder, command *kong.Node) {
	fmt.Fprintf(b, "\n## xpay %s\n\n%s\n", command.Path(), command.Help)
	if command.Detail != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", command.Detail)
	}
	if len(command.Positional)+len(command.Flags) == 0 {
		return
	}
	b.WriteString("\n| flag | variable | default | meaning |\n|---|---|---|---|\n")
	for _, arg := range command.Positional {
		fmt.Fprintf(b, "| `%s` | | | %s |\n", arg.Summary(), arg.Help)
	}
	for _, f := range command.Flags {
		if f.Name == "help" {
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name(f), quotedList(f.Envs), defaultOf(f), strings.ReplaceAll(f.Help, "|", `\|`))
	}
}

func name(f *kong.Flag) string {
	return strings.TrimSpace("--" + f.Name + " " + f.PlaceHolder)
}

func defaultOf(f *kong.Flag) string {
	switch {
	case f.Required:
		return "required"
	case f.Default != "":
		return "`" + f.Default + "`"
	}
	return ""
}

func quotedList(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
