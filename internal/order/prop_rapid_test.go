// The properties of prop_test.go driven by rapid, which shrinks what it finds:
//
//	go test ./internal/order -run Rapid -rapid.checks=10000
package order

import (
	"testing"

	"pgregory.net/rapid"
)

func shrinking(check func(testing.TB, pick)) func(*rapid.T) {
	return func(t *rapid.T) {
		check(shrinkingTB{t: t}, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") })
	}
}

// shrinkingTB is rapid's T as the testing.TB that the properties report to.
type shrinkingTB struct {
	testing.TB
	t *rapid.T
}

func (s shrinkingTB) Helper()                           { s.t.Helper() }
func (s shrinkingTB) Fatal(args ...any)                 { s.t.Fatal(args...) }
func (s shrinkingTB) Fatalf(format string, args ...any) { s.t.Fatalf(format, args...) }

func TestRapidManyFactsInAnyOrder(t *testing.T) { rapid.Check(t, shrinking(anyOrder)) }
func TestRapidPushAndQueryCommute(t *testing.T) { rapid.Check(t, shrinking(commute)) }
