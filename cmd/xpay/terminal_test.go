package main

import (
	"io"
	"strings"
	"testing"
)

// promptWatch types the next line whenever a prompt ends, as a person does: what is typed too early would be shown.
type promptWatch struct {
	t     *testing.T
	to    io.Writer
	lines []string
	in    io.WriteCloser
}

func (p *promptWatch) Write(b []byte) (int, error) {
	if strings.HasSuffix(string(b), ": ") && len(p.lines) > 0 {
		if _, err := io.WriteString(p.in, p.lines[0]); err != nil {
			p.t.Error(err)
		}
		p.lines = p.lines[1:]
	}
	return p.to.Write(b)
}
