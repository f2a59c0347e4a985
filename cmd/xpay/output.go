package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

const stdinBytesMax = 2 << 20

// output is where a command reads and writes: answers to out, everything else to err.
type output struct {
	in       io.Reader
	out, err io.Writer
	json     bool
}

// body reads stdin, byte for byte.
func (o output) body(ctx context.Context) ([]byte, error) {
	if isTerminal(o.in) {
		fmt.Fprintln(o.err, "reading the body from the terminal; Ctrl-D ends it. 从终端读取包体，Ctrl-D 结束。")
	}
	raw, err := unlessInterrupted(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(o.in, stdinBytesMax+1)) })
	if err != nil {
		return nil, fmt.Errorf("the body on stdin cannot be read: %w. 无法从标准输入读取包体", err)
	}
	if len(raw) > stdinBytesMax {
		return nil, fmt.Errorf("the body on stdin is larger than %d bytes. 标准输入的包体过大", stdinBytesMax)
	}
	return raw, nil
}

// confirms asks a person a question; without a terminal the answer is no.
func (o output) confirms(ctx context.Context, question string) (bool, error) {
	if !isTerminal(o.in) || !isTerminal(o.err) {
		return false, nil
	}
	fmt.Fprint(o.err, question, " [y/N] ")
	line, err := unlessInterrupted(ctx, func() (string, error) { return bufio.NewReader(o.in).ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("no answer was given: %w. 没有得到回答", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes" || answer == "是", nil
}

// unlessInterrupted reads until ctx ends: Ctrl-C breaks off no read from a terminal. The process ends next.
func unlessInterrupted[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// printJSON writes one value on one line, as it is: without HTML escapes.
func (o output) printJSON(v any) error {
	enc := json.NewEncoder(o.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// progress tells a person what goes on; a pipe is left in peace.
func (o output) progress(format string, args ...any) {
	if isTerminal(o.err) {
		fmt.Fprintf(o.err, format+"\n", args...)
	}
}

// isTerminal tells whether a person sits at the other end.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
