package awsenv

import (
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
)

// A push that does not fit just after a look comes again: the minute is left to its repeat. Other secrets have no such second try.
func TestAPushThatDoesNotFitJustAfterALookLeavesTheMinuteToItsRepeat(t *testing.T) {
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		group backend.Groups
		after time.Duration
		asks  bool
	}{
		{backend.GroupPush, lookGap - time.Millisecond, false},
		{backend.GroupPush, lookGap, true},
		{backend.GroupSeal, lookGap - time.Millisecond, true},
	} {
		s := &secrets{looked: now}
		s.doubt(backend.Doubt{Group: c.group})
		if got := s.force(now.Add(c.after)) == c.group; got != c.asks {
			t.Errorf("group %v, %s after a look: asks %t, want %t", c.group, c.after, got, c.asks)
		}
		if !c.asks && s.force(now.Add(lookGap)) != c.group {
			t.Errorf("group %v: its repeat does not ask", c.group)
		}
	}
}

// What WeChat has refused is not asked for more slowly because a phone claims the same.
func TestAProvenDoubtIsNotWeakenedByAClaim(t *testing.T) {
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	s := &secrets{}
	s.doubt(backend.Doubt{Group: backend.GroupMerchant})
	if s.force(now) != backend.GroupMerchant {
		t.Fatal("the first doubt does not ask")
	}
	s.doubt(backend.Doubt{Group: backend.GroupMerchant})
	if s.force(now.Add(provenGap)) != 0 {
		t.Error("a claim asks again within its minute")
	}
	s.doubt(backend.Doubt{Group: backend.GroupMerchant, Proven: true})
	s.doubt(backend.Doubt{Group: backend.GroupMerchant})
	if s.force(now.Add(provenGap)) != backend.GroupMerchant {
		t.Error("a proven doubt waits for the minute of a claim")
	}
}

// A Lambda is frozen between invocations, and the monotonic clock may stand still meanwhile.
func TestTheClockIsTheWallsOwn(t *testing.T) {
	if now := wallClock().String(); strings.Contains(now, "m=") {
		t.Errorf("%s carries a monotonic reading", now)
	}
}
