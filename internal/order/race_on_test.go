//go:build race

package order

// RaceEnabled thins out the slowest tests: the detector makes SQLite many times slower.
const RaceEnabled = true
