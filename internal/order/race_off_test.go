//go:build !race

package order_test

// raceEnabled thins out the slowest tests: the detector makes SQLite many times slower.
const raceEnabled = false
