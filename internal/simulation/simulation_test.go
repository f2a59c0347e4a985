package simulation_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

const seedsDefault = 60

// TestPromisesHoldUnderTrouble plays many seeds. A failing one prints its seed and its story.
func TestPromisesHoldUnderTrouble(t *testing.T) {
	t.Parallel()
	if s := os.Getenv("XPAY_SEED"); s != "" {
		play(t, number(t, s))
		return
	}
	seeds := uint64(seedsDefault)
	if s := os.Getenv("XPAY_SEEDS"); s != "" {
		seeds = number(t, s)
	}
	if testing.Short() {
		seeds = min(seeds, 10)
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { play(t, seed) })
	}
}

// TestASeedReplays plays one seed twice and expects the same story.
func TestASeedReplays(t *testing.T) {
	t.Parallel()
	first, second := newPlay(t, 3), newPlay(t, 3)
	first.act(t)
	second.act(t)
	if len(first.story) < 20 || len(first.story) != len(second.story) {
		t.Fatalf("stories of %d and %d lines", len(first.story), len(second.story))
	}
	for i := range first.story {
		if first.story[i] != second.story[i] {
			t.Fatalf("line %d: %q and %q", i, first.story[i], second.story[i])
		}
	}
}

func play(t *testing.T, seed uint64) {
	p := newPlay(t, seed)
	defer p.end()
	p.act(t)
	p.peace(t)
	p.audit(t)
	if t.Failed() {
		t.Logf("replay with XPAY_SEED=%d; its story:", seed)
		for _, line := range p.story {
			t.Log(line)
		}
	}
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("not a number: %s", s)
	}
	return n
}
