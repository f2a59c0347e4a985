package xpay

import (
	"math"
	"testing"
)

func TestYuanIsWrittenWithTwoDecimalsAndReadExactly(t *testing.T) {
	t.Parallel()
	for f, y := range map[Fen]Yuan{
		0: "0.00", 1: "0.01", 10: "0.10", 99: "0.99", 100: "1.00", 12850: "128.50", -5: "-0.05", -12345: "-123.45",
		math.MaxInt64: "92233720368547758.07", -math.MaxInt64: "-92233720368547758.07",
	} {
		if got := f.Yuan(); got != y {
			t.Errorf("%d fen are %s, want %s", f, got, y)
		}
		if got, err := y.Fen(); err != nil || got != f {
			t.Errorf("%s yuan are %d, want %d (%v)", y, got, f, err)
		}
	}
	if got := Fen(math.MinInt64).Yuan(); got != "-92233720368547758.08" {
		t.Error(got)
	}
}

func TestYuanIsReadWithFewerDecimals(t *testing.T) {
	t.Parallel()
	for y, f := range map[Yuan]Fen{"128.5": 12850, "128": 12800, "0": 0, "007": 700, "-1.5": -150} {
		if got, err := y.Fen(); err != nil || got != f {
			t.Errorf("%s yuan are %d, want %d (%v)", y, got, f, err)
		}
	}
}

func TestYuanIsNeverRoundedOrGuessed(t *testing.T) {
	t.Parallel()
	for _, y := range []Yuan{"", "-", ".", "1.", ".5", "0.005", "1.000", "1e2", "+1", "--1", "1,000.00", " 1", "１", "NaN", "92233720368547758.08"} {
		if got, err := y.Fen(); err == nil {
			t.Errorf("%q is read as %d fen", y, got)
		}
	}
}
