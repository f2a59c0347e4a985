package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

func TestRepeatMakesOneWriteOfTwoAttempts(t *testing.T) {
	for name, fault := range map[string]store.Fault{"lost": store.Lost, "happened": store.Happened} {
		for op, at := range map[string]int{"create": 1, "update": 2} {
			t.Run(op+" "+name, func(t *testing.T) {
				inner := open(t)
				counted := &store.Counted{Store: &store.Faulty{Store: inner, Plan: faultAt(at, fault)}}
				s := store.Repeat{Store: counted}
				doc, err := s.Create(t.Context(), order("order/a"))
				if err != nil {
					t.Fatal(err)
				}
				if doc, err = s.Update(t.Context(), doc); err != nil || doc.Version != 2 {
					t.Fatal(doc.Version, err)
				}
				if stored := versionOf(t, inner, "order/a"); stored != 2 || counted.Take().Writes() != 3 {
					t.Errorf("version %d is stored, want 2 by 3 attempts", stored)
				}
			})
		}
	}
}

func TestRepeatGivesUp(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		sentence string
		ctx      context.Context
		plan     func(store.Call) store.Fault
		err      error
		attempts int
	}{
		{"after two faults", context.Background(), func(store.Call) store.Fault { return store.Lost }, store.ErrInjected, 2},
		{"when the context has ended", ended, func(store.Call) store.Fault { return store.Lost }, store.ErrInjected, 1},
		{"when the answer is known", context.Background(), nil, store.ErrConflict, 1},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			counted := &store.Counted{Store: &store.Faulty{Store: open(t), Plan: test.plan}}
			doc := order("order/a")
			doc.Version = 1
			_, err := store.Repeat{Store: counted}.Update(test.ctx, doc)
			if got := counted.Take().Update; !errors.Is(err, test.err) || got != test.attempts {
				t.Errorf("error %v after %d attempts, want %v after %d", err, got, test.err, test.attempts)
			}
		})
	}
}
