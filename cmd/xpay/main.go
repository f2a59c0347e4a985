// Command xpay is the tool of whoever builds with xpay-serverless: `xpay dev` runs the whole product on this machine,
// `xpay demo` shows one purchase that survives a lost notification.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes: 0 as asked, 1 it could not be done, 2 the command line is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

// cli is every command with its flags; kong prints the help from the tags.
type cli struct {
	Dev  devCmd  `cmd:"" help:"Run the backend and a simulated WeChat on this machine. 在本机运行后端和模拟微信。"`
	Demo demoCmd `cmd:"" help:"Buy, lose the notification, reconcile, deliver, refund a part, in virtual time. 演示一次完整的购买。"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	exited := -1
	var c cli
	parser, err := kong.New(&c, kong.Name("xpay"),
		kong.Description("WeChat mini-program virtual payment (小程序虚拟支付): local stack and tools."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code; panic(errExit) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(output{stdout, stderr}), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
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
		fmt.Fprintf(stderr, "xpay: %v\n`xpay --help` lists the commands.\n", err)
		return exitUsage
	}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(stderr, "xpay:", err)
		return exitFailed
	}
	return 0
}

// errExit carries kong's wish to exit (after --help) out of its parser.
var errExit = errors.New("exit")

// output is where a command writes: answers to stdout, everything else to stderr.
type output struct{ out, err io.Writer }
