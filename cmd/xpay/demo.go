package main

import "context"

type demoCmd struct{}

func (d *demoCmd) Run(ctx context.Context, o output) error { return nil }
