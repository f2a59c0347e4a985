package xpay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Yuan is an amount as the few fields that count in yuan write it: text with at most two decimals, such as "128.50".
// Everything else in this package is Fen (trap 28).
type Yuan string

// Yuan writes f with two decimals, exactly: 1 is "0.01", 12850 is "128.50".
func (f Fen) Yuan() Yuan {
	sign, n := "", uint64(f)
	if f < 0 {
		sign, n = "-", -n
	}
	return Yuan(fmt.Sprintf("%s%d.%02d", sign, n/100, n%100))
}

// Fen is exact: "128.5" is 12850. Anything but a number with at most two decimals is an error, never a rounded amount.
func (y Yuan) Fen() (Fen, error) {
	amount, negative := strings.CutPrefix(string(y), "-")
	whole, decimals, dotted := strings.Cut(amount, ".")
	if !digits(whole) || dotted && (!digits(decimals) || len(decimals) > 2) {
		return 0, errors.New("amount in yuan is not a number with at most two decimals")
	}
	n, err := strconv.ParseInt(whole+(decimals + "00")[:2], 10, 64)
	if err != nil {
		return 0, errors.New("amount in yuan is too large")
	}
	if negative {
		n = -n
	}
	return Fen(n), nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
