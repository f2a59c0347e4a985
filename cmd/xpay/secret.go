package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// secretText is a key on the command line: the text itself, or @FILE for what a file holds without its last line end, or
// @@... for a text that begins with @. It prints as [redacted].
type secretText string

const redacted = "[redacted]"

func (secretText) String() string             { return redacted }
func (secretText) GoString() string           { return redacted }
func (secretText) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
func (secretText) LogValue() slog.Value       { return slog.StringValue(redacted) }

// Decode is kong's. Its errors name neither value nor file: a key may begin with @.
func (s *secretText) Decode(ctx *kong.DecodeContext) error {
	var given string
	if err := ctx.Scan.PopValueInto("secret", &given); err != nil {
		return errors.New("a value is missing. 缺少值")
	}
	file, isFile := strings.CutPrefix(given, "@")
	switch {
	case !isFile:
		*s = secretText(given)
	case strings.HasPrefix(file, "@"):
		*s = secretText(file)
	default:
		raw, err := os.ReadFile(file)
		if err != nil {
			return errors.New("the file named behind @ cannot be read (a key that begins with @ is written @@...). 无法读取 @ 后面的文件（以 @ 开头的密钥写作 @@...）")
		}
		*s = secretText(strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"))
	}
	if *s == "" {
		return errors.New("it is empty. 内容为空")
	}
	return nil
}
