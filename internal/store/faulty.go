package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Fault is what goes wrong with one call.
type Fault int

const (
	None        Fault = iota
	Lost              // ErrInjected; the call did not reach the store
	Happened          // ErrInjected; the call reached the store, its answer was lost
	CrashBefore       // panic with a Crash before the call reached the store
	CrashAfter        // panic with a Crash after the store carried it out
)

// ErrInjected is the error of Lost and Happened. It is no sentinel of the port, so its outcome is unknown.
var ErrInjected = errors.New("injected store fault")

// Call describes one call to a Plan.
type Call struct {
	Op    string // the method's name: "Create", "Get", "Update", "Due", "ByUser", "Count", "Find"
	N     int    // the how manieth call of this Faulty it is, from 1
	ID    string // the document's id; the user of ByUser and Count, the key of Find, "" for Due
	Write bool   // Create and Update
}

// Crash is the value that a planned crash panics with; a test that plans crashes recovers it.
type Crash struct {
	Op string
	N  int
}

func (c Crash) String() string { return fmt.Sprintf("planned crash at store call %d, %s", c.N, c.Op) }

// Faulty is a Store whose calls fail as planned. It is safe for concurrent use if its Plan is.
type Faulty struct {
	Store
	Plan func(Call) Fault // nil plans None

	calls atomic.Int64
}

// faulty runs one call under the plan. A method cannot have type parameters, hence a function.
func faulty[T any](f *Faulty, call Call, run func() (T, error)) (T, error) {
	call.N = int(f.calls.Add(1))
	fault := None
	if f.Plan != nil {
		fault = f.Plan(call)
	}
	var none T
	switch fault {
	case Lost:
		return none, ErrInjected
	case CrashBefore:
		panic(Crash{call.Op, call.N})
	}
	got, err := run()
	switch fault {
	case Happened:
		return none, ErrInjected
	case CrashAfter:
		panic(Crash{call.Op, call.N})
	}
	return got, err
}

// part is a list and its cursor.
type part struct {
	docs []Doc
	next string
}

func partOf(docs []Doc, next string, err error) (part, error) { return part{docs, next}, err }

func (f *Faulty) Create(ctx context.Context, doc Doc) (Doc, error) {
	return faulty(f, Call{Op: "Create", ID: doc.ID, Write: true}, func() (Doc, error) { return f.Store.Create(ctx, doc) })
}

func (f *Faulty) Get(ctx context.Context, id string) (Doc, error) {
	return faulty(f, Call{Op: "Get", ID: id}, func() (Doc, error) { return f.Store.Get(ctx, id) })
}

// Peek fails as a Get.
func (f *Faulty) Peek(ctx context.Context, id string) (Doc, error) {
	return faulty(f, Call{Op: "Get", ID: id}, func() (Doc, error) { return f.Store.Peek(ctx, id) })
}

func (f *Faulty) Update(ctx context.Context, doc Doc) (Doc, error) {
	return faulty(f, Call{Op: "Update", ID: doc.ID, Write: true}, func() (Doc, error) { return f.Store.Update(ctx, doc) })
}

func (f *Faulty) Due(ctx context.Context, now time.Time, limit int) ([]Ref, error) {
	return faulty(f, Call{Op: "Due"}, func() ([]Ref, error) { return f.Store.Due(ctx, now, limit) })
}

func (f *Faulty) ByUser(ctx context.Context, user string, kind Kind, page Page) ([]Doc, string, error) {
	p, err := faulty(f, Call{Op: "ByUser", ID: user}, func() (part, error) {
		return partOf(f.Store.ByUser(ctx, user, kind, page))
	})
	return p.docs, p.next, err
}

func (f *Faulty) Count(ctx context.Context, user string, kind Kind, since time.Time, limit int) (int, error) {
	return faulty(f, Call{Op: "Count", ID: user}, func() (int, error) { return f.Store.Count(ctx, user, kind, since, limit) })
}

func (f *Faulty) Find(ctx context.Context, key string, page Page) ([]Doc, string, error) {
	p, err := faulty(f, Call{Op: "Find", ID: key}, func() (part, error) { return partOf(f.Store.Find(ctx, key, page)) })
	return p.docs, p.next, err
}
