package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

// stackFlags name a deployed stack.
type stackFlags struct {
	Stack   string `placeholder:"NAME" help:"Name of the deployed stack. Credentials are those of the AWS CLI. 已部署的栈名，凭证同 AWS CLI。"`
	Region  string `placeholder:"R" help:"AWS region of the stack; default: as the AWS CLI has it. 栈所在区域，默认同 AWS CLI。"`
	Profile string `placeholder:"P" help:"Profile of the AWS configuration. AWS 配置的 profile。"`
}

// open reads what the stack says of itself. Unless AWS does not answer, what fails is the configuration: no such stack, no
// region, no credentials or none that may read it.
func (f stackFlags) open(ctx context.Context) (*operator.Stack, error) {
	if f.Stack == "" {
		return nil, usageError{errors.New("which stack? --stack NAME. 请用 --stack 给出栈名")}
	}
	s, err := operator.Open(ctx, f.Stack, f.Region, f.Profile)
	if err != nil && !operator.Later(err) {
		return nil, usageError{inBoth(err, "请核对 --stack、--region、--profile 和 AWS 凭证")}
	}
	return s, err
}

// backendFlags say whose orders are meant: those of a deployed stack, or of the local one.
type backendFlags struct {
	stackFlags
	Local localURL   `placeholder:"URL" help:"The stack that xpay dev runs here, ${localURL} unless --local=URL says otherwise. 本机 xpay dev 的地址。"`
	Token secretText `env:"XPAY_MERCHANT_TOKEN" placeholder:"T" help:"Token of the merchant routes that xpay dev prints when it does not listen on loopback; @FILE reads a file. 商户接口令牌，非本机监听时由 xpay dev 打印。"`
}

const defaultLocalURL = "http://127.0.0.1:8080"

func (f backendFlags) client(ctx context.Context) (*operator.Client, error) {
	if (f.Stack == "") == (f.Local == "") {
		return nil, usageError{errors.New("whose orders? Either --stack NAME or --local. 请给出 --stack 或 --local 之一")}
	}
	if f.Local != "" {
		return &operator.Client{BaseURL: string(f.Local), HTTP: &http.Client{Timeout: callTimeout}, Token: string(f.Token)}, nil
	}
	s, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Client()
}

// localURL is a flag that may stand without a value.
type localURL string

// IsBool lets kong take the flag without a value.
func (localURL) IsBool() bool { return true }

// Decode is kong's.
func (u *localURL) Decode(ctx *kong.DecodeContext) error {
	*u = defaultLocalURL
	next := ctx.Scan.Peek()
	given := fmt.Sprint(next.Value)
	isURL := strings.HasPrefix(given, "http://") || strings.HasPrefix(given, "https://")
	switch {
	case isURL: // behind = or a space: no order has such a number
		ctx.Scan.Pop()
		*u = localURL(given)
	case next.Type == kong.FlagValueToken:
		return errors.New("it must be an address as " + defaultLocalURL + ". 应为这样的地址")
	}
	return nil
}

// outcome turns an error of an operator's call into one in both languages with its exit code: what may succeed when it is
// repeated is apart.
func outcome(err error) error {
	if operator.Later(err) {
		return laterError{inBoth(err, "服务无应答或暂不可用，可原样重试")}
	}
	if errors.Is(err, operator.ErrNoCredentials) {
		return usageError{inBoth(err, "没有可用的 AWS 凭证")}
	}
	return inBoth(err, outcomeZH(err))
}

// outcomeZH says in Chinese why an operator's call was refused.
func outcomeZH(err error) string {
	var no *operator.Problem
	if !errors.As(err, &no) {
		return ""
	}
	switch no.Status {
	case http.StatusBadRequest:
		return "请求有误"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "没有权限"
	case http.StatusNotFound:
		return "没有找到"
	}
	return "被拒绝"
}

// inBoth adds Chinese to an error that has none.
func inBoth(err error, zh string) error {
	if err == nil || zh == "" || hasChinese(err.Error()) {
		return err
	}
	return fmt.Errorf("%w%s", err, behind(err.Error(), zh))
}

// bothTexts is a sentence and its Chinese, if any.
func bothTexts(text, zh string) string {
	return text + behind(text, zh)
}

// behind is the Chinese of a sentence with what divides the two.
func behind(text, zh string) string {
	switch {
	case zh == "":
		return ""
	case strings.HasSuffix(text, "?"):
		return " " + zh
	}
	return ". " + zh
}

// laterError is an outcome that is not known, or a service that does not answer now.
type laterError struct{ error }

func (e laterError) Unwrap() error { return e.error }
