package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var races = []test{
	{"many who create one document have one winner", createRace},
	{"many who change one document lose no change", updateRace},
}

// racing runs one function in many goroutines and returns when all have.
func racing(run func(racer int)) {
	var all sync.WaitGroup
	for racer := range racers {
		all.Go(func() { run(racer) })
	}
	all.Wait()
}

func createRace(s *suite) {
	var seen [racers]string // the body that each racer saw as the stored one
	var won [racers]bool
	racing(func(racer int) {
		doc := s.doc("order/a")
		doc.Body = fmt.Append(nil, racer)
		got, err := s.Store.Create(s.Context(), doc)
		seen[racer], won[racer] = string(got.Body), err == nil
		if err != nil && !errors.Is(err, store.ErrExists) {
			s.Error(err)
		}
	})
	stored, winners := string(s.get("order/a").Body), 0
	for racer := range racers {
		if won[racer] {
			winners++
		}
		s.same("what a racer saw", seen[racer], stored)
	}
	s.same("winners", winners, 1)
}

// updateRace: each racer adds its byte to the body once, working from what the conflict returned.
func updateRace(s *suite) {
	s.create(store.Doc{ID: "order/a", Created: s.now})
	var version [racers]int64
	racing(func(racer int) {
		doc, err := s.Store.Get(s.Context(), "order/a")
		for range 50 * racers {
			doc.Body = append(doc.Body, byte(racer))
			if doc, err = s.Store.Update(s.Context(), doc); !errors.Is(err, store.ErrConflict) {
				break
			}
		}
		version[racer] = doc.Version
		if err != nil {
			s.Error(err)
		}
	})
	stored := s.get("order/a")
	s.same("version", stored.Version, int64(1+racers))
	s.same("length", len(stored.Body), racers)
	for racer, version := range version { // the writer of version n put byte n-1: one winner per version, none lost
		if i := int(version) - 2; i < 0 || i >= racers || stored.Body[i] != byte(racer) {
			s.Errorf("racer %d wrote version %d, but the body is %v", racer, version, stored.Body)
		}
	}
}
