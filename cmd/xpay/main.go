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
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

// Exit codes: 0 as asked, 1 something is wrong or was refused, 2 the command line or the configuration is wrong, 3 a service
// does not answer or the outcome is not known: the same command again may succeed.
const (
	exitFailed = 1
	exitUsage  = 2
	exitLater  = 3
)

// cli is every command with its flags; kong prints the help from the tags.
type cli struct {
	JSON bool `help:"Print JSON for programs. 输出 JSON。"`

	Dev  devCmd  `cmd:"" help:"Run the backend and a simulated WeChat on this machine. 在本机运行后端和模拟微信。"`
	Demo demoCmd `cmd:"" help:"Buy, lose the notification, reconcile, deliver, refund a part, in virtual time. 演示一次完整的购买。"`

	Sign    signCmd    `cmd:"" help:"Sign the bytes on stdin. 对标准输入签名。"`
	Explain explainCmd `cmd:"" help:"Say which mistake produces a wrong signature. 解释错误的签名从何而来。"`
	Push    pushCmd    `cmd:"" help:"Open or forge a message push. 解开或构造一条消息推送。"`
	Doctor  doctorCmd  `cmd:"" help:"Check a configuration and say what to fix. 检查配置并给出修复办法。"`
	Goods   goodsCmd   `cmd:"" help:"Bring goods.yaml to WeChat. 把 goods.yaml 同步到微信。"`
	Call    callCmd    `cmd:"" help:"Call any of the 37 APIs. 调用任一虚拟支付接口。"`

	Orders  ordersCmd  `cmd:"" help:"Look at orders and act on them, deployed or local. 查看和处理订单。"`
	Outputs outputsCmd `cmd:"" help:"Print the addresses of a deployed stack, and where to paste them. 查看部署输出。"`
	Secrets secretsCmd `cmd:"" help:"Put, check and rotate the secrets of a deployed stack. 写入、检查、轮换密钥。"`
	Cost    costCmd    `cmd:"" help:"Print what AWS asks for a number of orders. 计算 AWS 费用。"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what does not heed the first
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

const about = `WeChat mini-program virtual payment: local stack and tools. 小程序虚拟支付：本地环境与工具。

Secrets need not stand on the command line: --app-key @FILE reads a file, and each has an environment variable.

密钥不必写在命令行：--app-key @文件 从文件读取，也可以用环境变量。

Exit codes 退出码:

  0  as asked. 按要求完成。
  1  something is wrong or was refused. 有问题，或被拒绝。
  2  the command line or the configuration is wrong. 命令行或配置有误。
  3  a service does not answer, or the outcome is unknown: the same command again is harmless. 服务无应答或结果未知，可原样重试。`

// exits ends the help of a command with what its exit codes mean.
func exits(zero, one string) string {
	return `

Exit codes 退出码:

  0  ` + zero + `
  1  ` + one + `
  2  the command line or the configuration is wrong. 命令行或配置有误。`
}

// exitsLater is exits for a command that asks a deployed stack or the local one: without an answer it ends with 3.
func exitsLater(zero, one string) string {
	return exits(zero, one) + `
  3  a service does not answer, or the outcome is unknown: the same command again is harmless. 服务无应答或结果未知，可原样重试。`
}

// newParser knows the commands; exit is called by --help.
func newParser(c *cli, stdout, stderr io.Writer, exit func(int)) (*kong.Kong, error) {
	parser, err := kong.New(c, kong.Name("xpay"), kong.Description(about), kong.Writers(stdout, stderr), kong.Exit(exit),
		kong.Vars{"receipts": defaultReceipts, "localURL": defaultLocalURL}, kong.NamedMapper("filled", kong.MapperFunc(filled)), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err == nil {
		parser.Model.HelpFlag.Help = "Show this help. 显示帮助。"
	}
	return parser, err
}

// filled reads a word that must not be empty, as that of a variable which a script has not set.
func filled(ctx *kong.DecodeContext, target reflect.Value) error {
	var word string
	if err := ctx.Scan.PopValueInto("string", &word); err != nil {
		return err
	}
	if word == "" {
		return errors.New("it must not be empty. 不能为空")
	}
	target.SetString(word)
	return nil
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
	o := output{in: stdin, out: stdout, err: stderr}
	cmd, err := parser.Parse(args)
	if err != nil {
		o.json = slices.Contains(args, "--json") // the parser may not have come to it
		text := bothTexts(withoutSecrets(err, args), usageZH(err))
		fmt.Fprintf(stderr, "xpay: %s\n`%s --help` says more. 用法见 `%[2]s --help`。\n", text, commandOf(err))
		o.printFailure(usageError{errors.New(text)})
		return exitUsage
	}
	o.json = c.JSON
	cmd.BindTo(ctx, (*context.Context)(nil))
	return o.end(cmd.Run(o))
}

// end says what went wrong, unless the command has said it, and returns the exit code.
func (o output) end(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, errTold) {
		return exitFailed
	}
	fmt.Fprintln(o.err, "xpay:", err)
	if !errors.As(err, new(inJSON)) {
		o.printFailure(err)
	}
	switch shortOf(err).Code {
	case codeUsage:
		return exitUsage
	case codeLater:
		return exitLater
	}
	return exitFailed
}

// Codes of a failure that is not the API's own.
const (
	codeUsage  = "usage"  // the command line or the configuration is wrong
	codeLater  = "later"  // no answer, or an unknown outcome
	codeFailed = "failed" // anything else
)

// inShort is what --json prints of an error.
type inShort struct {
	Error string `json:"error"`
	Code  string `json:"code"`
}

func shortOf(err error) inShort {
	var api *operator.Problem
	switch {
	case errors.As(err, new(usageError)):
		return inShort{err.Error(), codeUsage}
	case errors.As(err, new(laterError)):
		return inShort{err.Error(), codeLater}
	case errors.As(err, &api) && api.Code != "":
		return inShort{err.Error(), api.Code}
	}
	return inShort{err.Error(), codeFailed}
}

// printFailure ends what --json prints with the error, so that a program need not read stderr.
func (o output) printFailure(err error) {
	if o.json {
		_ = o.printJSON(shortOf(err)) // a reader that has gone has the exit code
	}
}

// inJSON is an error that the command has put into its JSON; stderr still says it.
type inJSON struct{ error }

func (e inJSON) Unwrap() error { return e.error }

// usageZH says in Chinese what kind of mistake the parser found. Its own words are English; ours are in both languages.
func usageZH(err error) string {
	if hasChinese(err.Error()) {
		return ""
	}
	for _, kind := range [][2]string{
		{"missing flags", "缺少必需的参数"}, {`expected "<`, "缺少必需的内容"}, {"unknown flag", "没有这个参数"},
		{"unexpected argument", "多余的内容，或没有这个命令"}, {"expected one of", "缺少子命令"}, {"must be one of", "参数的值不在可选范围内"},
		{"can't be used together", "这些参数不能同时使用"}, {"no such file", "文件不存在"},
		{"expected", "参数的值格式不对"},
	} {
		if strings.Contains(err.Error(), kind[0]) {
			return kind[1]
		}
	}
	return "命令行有误"
}

func hasChinese(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// commandOf is the command whose help is to be read.
func commandOf(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context.Selected() != nil {
		return wrong.Context.Selected().FullPath()
	}
	return "xpay"
}

// withoutSecrets is an error of the parser without words of the command line that stand in a wrong place: one may be a key.
func withoutSecrets(err error, args []string) string {
	text := err.Error()
	if head, tail, ok := strings.Cut(text, " (from envar "); ok { // kong quotes the variable's value
		name, _, _ := strings.Cut(tail, "=")
		text = head + " (from " + name + ")"
	}
	text = strings.Replace(text, `must be one of "",`, "must be one of ", 1) // nothing is not to be typed
	const unexpected = "unexpected argument "
	if head, stray, ok := strings.Cut(text, unexpected); ok {
		hint := ""
		if at := strings.LastIndex(stray, ", did you mean"); at >= 0 {
			stray, hint = stray[:at], stray[at:]
		}
		return head + unexpected + hidden(stray) + hint
	}
	for _, arg := range args { // every other word stands in quotes
		if _, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(arg, "-") {
			arg = value
		}
		if arg != "" {
			text = strings.NewReplacer(strconv.Quote(arg), hidden(arg), `"`+arg+`"`, hidden(arg)).Replace(text)
		}
	}
	return text
}

// hidden stands for a word that may be a key.
func hidden(word string) string { return fmt.Sprintf("[a word of %d characters]", len(word)) }

// errExit carries kong's wish to exit (after --help) out of its parser.
var errExit = errors.New("exit")

// errTold: the command has said what is wrong; only the exit code is left.
var errTold = errors.New("told")

// usageError is a mistake on the command line or in the configuration that kong cannot see. It is said in both languages.
type usageError struct{ error }

// positive refuses a time that would end at once, or never.
func positive(flag string, d time.Duration) error {
	if d > 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s is %s: give a time above 0, as 3s or 15m. %[1]s 必须大于 0，如 3s 或 15m", flag, d)}
}
