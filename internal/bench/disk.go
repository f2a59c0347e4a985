package main

import (
	"errors"
	"os"
	"time"
)

const (
	syncsTotal = 200
	blockBytes = 4 << 10
)

// appendSync appends a block and syncs, n times, and returns each time in microseconds. It is what a commit with
// synchronous=FULL waits for.
func appendSync(dir string, n int) (micros []float64, err error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, blockBytes)
	for range n {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		micros = append(micros, float64(time.Since(start))/float64(time.Microsecond))
	}
	return micros, nil
}
