package store

import "context"

// Repeat is a Store that makes a write whose outcome is unknown once more, with the same stamp, while the context
// lives. The stamp makes that safe: if the first one happened, the second succeeds without writing, unless somebody
// else wrote in between: then it is a conflict, as for everyone who finds a newer version, and the stored document shows
// what to decide next. An error of both is returned as it came, its outcome unknown as before.
type Repeat struct{ Store }

func (r Repeat) Create(ctx context.Context, doc Doc) (Doc, error) {
	return repeat(ctx, doc, r.Store.Create)
}

func (r Repeat) Update(ctx context.Context, doc Doc) (Doc, error) {
	return repeat(ctx, doc, r.Store.Update)
}

func repeat(ctx context.Context, doc Doc, write func(context.Context, Doc) (Doc, error)) (Doc, error) {
	if doc.Stamp == "" {
		doc.Stamp = NewStamp()
	}
	got, err := write(ctx, doc)
	if Unknown(err) && ctx.Err() == nil {
		got, err = write(ctx, doc)
	}
	return got, err
}
