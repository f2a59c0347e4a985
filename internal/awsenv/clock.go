//go:build !virtualtime

package awsenv

import "time"

// wallClock has no monotonic part: that stands still while Lambda freezes the process between events, and what should have
// grown old would stay young.
func wallClock() time.Time { return time.Now().Round(0) }
