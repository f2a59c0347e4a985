package lambdatest

import (
	"bytes"
	"slices"
	"sync"
)

const (
	linesMax     = 10_000
	lineBytesMax = 64 << 10
)

// logs keeps the newest lines.
type logs struct {
	mu    sync.Mutex
	lines []string
}

func (l *logs) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == linesMax {
		l.lines = slices.Delete(l.lines, 0, linesMax/10)
	}
	l.lines = append(l.lines, string(line))
}

func (l *logs) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// lineWriter cuts what one process writes into lines. One goroutine writes.
type lineWriter struct {
	to   *logs
	part []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		w.part = append(w.part, line[:min(len(line), lineBytesMax-len(w.part))]...)
		if whole {
			w.to.add(w.part)
			w.part = w.part[:0]
		}
		rest = after
	}
	return len(p), nil
}

// flush keeps a last line that has no end.
func (w *lineWriter) flush() {
	if len(w.part) > 0 {
		w.to.add(w.part)
		w.part = nil
	}
}
