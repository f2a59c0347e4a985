// Package observe makes one line of log out of one piece of work, a request, a message or a tick of the schedule, and
// writes the metrics into the same line. Whoever does a part of the work adds to the line that the context carries; without
// one in the context, as in a test of that part alone, nothing is kept.
//
// Nothing secret may be added: no body, token, query string, signature, key or openid. A test drives every route with
// marked secrets and reads every line.
package observe

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

type contextKey struct{}

// Line is the line of one piece of work. It is safe for concurrent use.
type Line struct {
	began time.Time

	mu      sync.Mutex
	attrs   []slog.Attr
	figures []figure
}

// Begin gives the work a line; now is a clock of the caller's.
func Begin(ctx context.Context, now time.Time) (context.Context, *Line) {
	l := &Line{began: now}
	return context.WithValue(ctx, contextKey{}, l), l
}

func lineOf(ctx context.Context) *Line {
	l, _ := ctx.Value(contextKey{}).(*Line)
	return l
}

// Set adds to the line; a key that it has already takes the new value. It reports whether there is a line.
func Set(ctx context.Context, key string, value any) bool { return lineOf(ctx).set(key, value, true) }

// SetFirst adds to the line unless it has the key already.
func SetFirst(ctx context.Context, key string, value any) bool {
	return lineOf(ctx).set(key, value, false)
}

func (l *Line) set(key string, value any, again bool) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.attrs, func(a slog.Attr) bool { return a.Key == key })
	switch {
	case at < 0:
		l.attrs = append(l.attrs, slog.Any(key, value))
	case again:
		l.attrs[at].Value = slog.AnyValue(value)
	}
	return true
}

// End writes the line with all that was added since Begin, the duration in milliseconds, and the metrics, if m has a name
// to write them under. Metrics with more values than CloudWatch takes at once go on in further lines.
func (l *Line) End(ctx context.Context, log *slog.Logger, m Metrics, msg string, now time.Time, attrs ...slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Concat(attrs, l.attrs, []slog.Attr{slog.Int64("ms", now.Sub(l.began).Milliseconds())})
	part, rest := cut(l.figures)
	log.LogAttrs(ctx, slog.LevelInfo, msg, append(all, m.emf(part, now)...)...)
	for len(rest) > 0 && m.Service != "" {
		part, rest = cut(rest)
		log.LogAttrs(ctx, slog.LevelInfo, "more metrics", m.emf(part, now)...)
	}
}

// Quiet reports whether nothing was added: a line that would say nothing.
func (l *Line) Quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.attrs) == 0 && len(l.figures) == 0
}
