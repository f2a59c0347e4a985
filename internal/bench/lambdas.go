package main

import (
	"context"
	"errors"
)

// lambdas is all that was measured of the functions on AWS.
type lambdas struct {
	Bootstraps []bootstrapFigures `json:"bootstraps"`
	Calls      []cloudCalls       `json:"requests"`
	Starts     []startFigures     `json:"starts"`
}

var errLambdasOver = errors.New("a function makes more requests than it may, or is too large")

// lambdas measures the functions as they are deployed, against the server that speaks AWS's protocol.
func (b *bench) lambdas(ctx context.Context, r *report) error {
	l := &r.Lambdas
	if err := b.bootstraps(ctx, l); err != nil {
		return err
	}
	progress("building the functions for this machine")
	built, err := b.buildLambdas(ctx, "here")
	if err != nil {
		return err
	}
	c, err := newCloud(ctx, built)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := b.cloudCalls(ctx, c, l); err != nil {
		return err
	}
	return b.starts(ctx, c, l)
}

// over reports whether a limit that does not depend on the machine is exceeded.
func (l *lambdas) over() bool {
	for _, f := range l.Bootstraps {
		if f.over() {
			return true
		}
	}
	for _, c := range l.Calls {
		if c.over() {
			return true
		}
	}
	return false
}
