package store

import (
	"context"
	"sync"
	"time"
)

// Counts says how many calls were made, whatever came of them.
type Counts struct{ Create, Get, Update, Due, ByUser, Count, Find int }

// Reads is the number of calls that cannot change anything.
func (c Counts) Reads() int { return c.Get + c.Due + c.ByUser + c.Count + c.Find }

// Writes is the number of calls that may change something.
func (c Counts) Writes() int { return c.Create + c.Update }

// Counted is a Store that counts its calls: what an order, a push or a poll costs. It is safe for concurrent use.
type Counted struct {
	Store

	mu     sync.Mutex
	counts Counts
}

// Take returns the counts since the last Take and starts again at zero.
func (c *Counted) Take() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.counts
	c.counts = Counts{}
	return taken
}

func (c *Counted) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

func (c *Counted) Create(ctx context.Context, doc Doc) (Doc, error) {
	c.count(&c.counts.Create)
	return c.Store.Create(ctx, doc)
}

func (c *Counted) Get(ctx context.Context, id string) (Doc, error) {
	c.count(&c.counts.Get)
	return c.Store.Get(ctx, id)
}

// Peek counts as a Get.
func (c *Counted) Peek(ctx context.Context, id string) (Doc, error) {
	c.count(&c.counts.Get)
	return c.Store.Peek(ctx, id)
}

func (c *Counted) Update(ctx context.Context, doc Doc) (Doc, error) {
	c.count(&c.counts.Update)
	return c.Store.Update(ctx, doc)
}

func (c *Counted) Due(ctx context.Context, now time.Time, limit int) ([]Ref, error) {
	c.count(&c.counts.Due)
	return c.Store.Due(ctx, now, limit)
}

func (c *Counted) ByUser(ctx context.Context, user string, kind Kind, page Page) ([]Doc, string, error) {
	c.count(&c.counts.ByUser)
	return c.Store.ByUser(ctx, user, kind, page)
}

func (c *Counted) Count(ctx context.Context, user string, kind Kind, since time.Time, limit int) (int, error) {
	c.count(&c.counts.Count)
	return c.Store.Count(ctx, user, kind, since, limit)
}

func (c *Counted) Find(ctx context.Context, key string, page Page) ([]Doc, string, error) {
	c.count(&c.counts.Find)
	return c.Store.Find(ctx, key, page)
}
