package sqlite

import (
	"context"
	"errors"

	"github.com/xpay-serverless/xpay-serverless/internal/store"
)

var errClosed = errors.New("the store is closed")

// write is one queued write.
type write struct {
	ctx  context.Context
	run  func() error // inside the owner's transaction; runs again if that was rolled back for another write's sake
	done chan error   // buffered; answered after the commit
}

// submit has the owner run a write and waits for its commit. If the context ends first, the write has happened whole,
// will do so, or never will (the owner begins none whose context has ended); what run returned is not touched again.
func submit[T any](ctx context.Context, s *Store, run func() (T, error)) (T, error) {
	var got, none T
	w := write{ctx, func() (err error) { got, err = run(); return err }, make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-s.quit:
		return none, errClosed
	}
	select {
	case err := <-w.done:
		return got, err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// own carries out writes until Close. Those that wait while one commits share the next commit, and so its fsync.
func (s *Store) own() {
	defer close(s.stopped)
	for {
		select {
		case w := <-s.writes:
			s.answer(s.gather(w))
		case <-s.quit:
			return
		}
	}
}

func (s *Store) gather(first write) []write {
	batch := []write{first}
	for len(batch) < batchMax {
		select {
		case w := <-s.writes:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// answer commits a batch. If one write breaks the transaction, all are made again, each in its own.
func (s *Store) answer(batch []write) {
	answers, broken := s.transact(batch)
	if broken && len(batch) > 1 {
		for _, w := range batch {
			s.answer([]write{w})
		}
		return
	}
	for i, w := range batch {
		w.done <- answers[i]
	}
}

// transact runs the writes in order in one transaction; each sees what those before it wrote. A refused condition is
// an answer like any other, since it wrote nothing. Broken: a statement failed, and nothing at all was written.
func (s *Store) transact(batch []write) (answers []error, broken bool) {
	answers = make([]error, len(batch))
	if _, err := s.begin.Exec(); err != nil {
		return fill(answers, err), false
	}
	for i, w := range batch {
		if answers[i] = w.ctx.Err(); answers[i] != nil {
			continue
		}
		if answers[i] = w.run(); store.Unknown(answers[i]) {
			_, _ = s.rollback.Exec() // fails when SQLite has rolled back by itself
			return answers, true
		}
	}
	if _, err := s.commit.Exec(); err != nil {
		_, _ = s.rollback.Exec()
		return fill(answers, err), false
	}
	return answers, false
}

func fill(answers []error, err error) []error {
	for i := range answers {
		answers[i] = err
	}
	return answers
}
