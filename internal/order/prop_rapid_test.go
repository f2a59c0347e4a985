//go:build rapid

// The properties of prop_test.go driven by rapid, which shrinks what it finds:
//
//	go test -tags rapid ./internal/order -run Rapid
package order

import (
	"testing"

	"pgregory.net/rapid"
)

func shrinking(check func(testing.TB, pick)) func(*rapid.T) {
	return func(t *rapid.T) {
		check(rapidTB{T: t}, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") })
	}
}

// rapidTB lends rapid's T the methods of testing.TB that the properties use.
type rapidTB struct {
	testing.TB
	*rapid.T
}

func (t rapidTB) Helper()                      { t.T.Helper() }
func (t rapidTB) Fatal(args ...any)            { t.T.Fatal(args...) }
func (t rapidTB) Fatalf(f string, args ...any) { t.T.Fatalf(f, args...) }
func (t rapidTB) Errorf(f string, args ...any) { t.T.Errorf(f, args...) }
func (t rapidTB) Error(args ...any)            { t.T.Error(args...) }
func (t rapidTB) Log(args ...any)              { t.T.Log(args...) }
func (t rapidTB) Logf(f string, args ...any)   { t.T.Logf(f, args...) }

func TestRapidManyFactsInAnyOrder(t *testing.T) { rapid.Check(t, shrinking(anyOrder)) }
func TestRapidPushAndQueryCommute(t *testing.T) { rapid.Check(t, shrinking(commute)) }
