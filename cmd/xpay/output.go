package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

const stdinBytesMax = 2 << 20

// output is where a command reads and writes: answers to out, everything else to err.
type output struct {
	in       io.Reader
	out, err io.Writer
	json     bool
}

// body reads stdin, byte for byte.
func (o output) body() ([]byte, error) {
	if isTerminal(o.in) {
		fmt.Fprintln(o.err, "reading the body from the terminal; Ctrl-D ends it. 从终端读取包体，Ctrl-D 结束。")
	}
	raw, err := io.ReadAll(io.LimitReader(o.in, stdinBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("the body on stdin cannot be read: %w", err)
	}
	if len(raw) > stdinBytesMax {
		return nil, fmt.Errorf("the body on stdin is larger than %d bytes", stdinBytesMax)
	}
	return raw, nil
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
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
