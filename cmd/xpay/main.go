// Command xpay is the tool of whoever builds with xpay-serverless, or with WeChat's virtual payment at all: `xpay dev` runs
// the whole product on this machine, `xpay demo` shows one purchase that survives a lost notification, and the tools sign,
// explain wrong signatures, open and forge pushes, examine a configuration, bring goods to WeChat and call its APIs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes: 0 as asked, 1 something is wrong or was refused, 2 the command line is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

// cli is every command with its flags; kong prints the help from the tags.
type cli struct {
	JSON bool `help:"Print JSON for programs. 输出 JSON。"`

	Dev  devCmd  `cmd:"" help:"Run the backend and a simulated WeChat on this machine. 在本机运行后端和模拟微信。"`
	Demo demoCmd `cmd:"" help:"Buy, lose the notification, reconcile, deliver, refund a part, in virtual time. 演示一次完整的购买。"`

	Sign    signCmd    `cmd:"" help:"Sign the bytes on stdin. 对标准输入签名。"`
	Explain explainCmd `cmd:"" help:"Say which mistake produces a wrong signature. 解释错误的签名从何而来。"`
	Push    pushCmd    `cmd:"" help:"Open or forge a message push. 解开或伪造一条消息推送。"`
	Doctor  doctorCmd  `cmd:"" help:"Check a configuration and say what to fix. 检查配置并给出修复办法。"`
	Goods   goodsCmd   `cmd:"" help:"Bring goods.yaml to WeChat. 把 goods.yaml 同步到微信。"`
	Call    callCmd    `cmd:"" help:"Call any of the 37 APIs. 调用任一虚拟支付接口。"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	forgetEmptyVariables()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// forgetEmptyVariables: a variable that is set to nothing, as in many an .env file, is one that is not set.
func forgetEmptyVariables() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && strings.HasPrefix(name, "XPAY_") {
			_ = os.Unsetenv(name) // fails for impossible names only
		}
	}
}

const about = `WeChat mini-program virtual payment (小程序虚拟支付): local stack and tools.

Secrets need not stand on the command line: --app-key @FILE reads a file, and each has an environment variable.
Exit codes: 0 as asked, 1 something is wrong or was refused, 2 the command line is wrong.`

// newParser knows the commands; exit is called by --help.
func newParser(c *cli, stdout, stderr io.Writer, exit func(int)) (*kong.Kong, error) {
	return kong.New(c, kong.Name("xpay"), kong.Description(about), kong.Writers(stdout, stderr), kong.Exit(exit),
		kong.Vars{"receipts": defaultReceipts}, kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	exited := -1
	var c cli
	parser, err := newParser(&c, stdout, stderr, func(code int) { exited = code; panic(errExit) })
	if err != nil {
		fmt.Fprintln(stderr, "xpay:", err)
		return exitFailed
	}
	defer func() {
		if p := recover(); p != nil {
			if p != errExit { //nolint:errorlint // our own value
				panic(p)
			}
			code = exited
		}
	}()
	cmd, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "xpay: %s\n`xpay --help` lists the commands.\n", withoutSecrets(err, args))
		return exitUsage
	}
	cmd.BindTo(ctx, (*context.Context)(nil))
	return codeOf(cmd.Run(output{in: stdin, out: stdout, err: stderr, json: c.JSON}), stderr)
}

// codeOf says what went wrong, unless the command has said it.
func codeOf(err error, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errTold):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "xpay:", err)
		return exitUsage
	}
	fmt.Fprintln(stderr, "xpay:", err)
	return exitFailed
}

// secretBytesMin is the least length of a word that might be a key; commands and flags are shorter.
const secretBytesMin = 12

// withoutSecrets is an error of the parser without words of the command line that stand in a wrong place: one may be a key.
func withoutSecrets(err error, args []string) string {
	text := err.Error()
	if head, tail, ok := strings.Cut(text, " (from envar "); ok { // kong quotes the variable's value
		name, _, _ := strings.Cut(tail, "=")
		text = head + " (from " + name + ")"
	}
	for _, arg := range slices.Backward(args) {
		if _, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(arg, "-") {
			arg = value
		}
		if len(arg) >= secretBytesMin && !strings.HasPrefix(arg, "-") {
			text = strings.ReplaceAll(text, arg, "[a word of "+fmt.Sprint(len(arg))+" characters]")
		}
	}
	return text
}

// errExit carries kong's wish to exit (after --help) out of its parser.
var errExit = errors.New("exit")

// errTold: the command has said what is wrong; only the exit code is left.
var errTold = errors.New("told")

// usageError is a mistake on the command line that kong cannot see.
type usageError struct{ error }
