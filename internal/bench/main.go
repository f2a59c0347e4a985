// Package main measures the product on this machine and says which of its requirements hold: `make bench`.
//
// Five parts: what single operations cost, how many store calls each flow makes (counted on the port, and limited),
// whole lifecycles per second through real HTTP against a stack in a process of its own together with its memory, the due
// query over stores of 1 000 to 1 000 000 documents, and the functions as they are deployed on AWS: bytes, requests of
// each flow (counted on the wire, and limited), and starts beside a bare function. Figures are medians of interleaved
// rounds, because the machine is usually shared. It leaves nothing behind.
//
// The exit code is 1 when a flow makes more calls than it may, when a function is too large, or when something could not
// be measured. A speed that is missed is only said: it may be the machine's fault.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// totalFor bounds everything: a machine that is slower than this is not worth measuring.
const totalFor = 400 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, totalFor)
	defer cancel()
	err := start(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// start is either the measuring program or, as its own child, the stack that is measured.
func start(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == stackArg {
		return serveStack(ctx, args[1:])
	}
	b := bench{out: os.Stdout}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	saveTo := flags.String("json", "", "also write the figures to this `file`")
	flags.StringVar(&b.tmp, "tmp", "", "measure on the disk of this `folder` instead of the one for temporary files")
	flags.BoolVar(&b.lambdaOnly, "lambda", false, "measure only the functions on AWS")
	flags.StringVar(&b.profiles, "profile", "", "write cpu.pprof and heap.pprof of the NORMAL stack into this `folder`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := b.run(ctx)
	if *saveTo != "" && r != nil {
		err = errors.Join(err, r.save(*saveTo))
	}
	return err
}

// bench is one run.
type bench struct {
	out        io.Writer
	dir        string // everything that is written lies in here
	tmp        string
	profiles   string
	lambdaOnly bool
}

// report is all that was measured.
type report struct {
	Machine      machine       `json:"machine"`
	Ops          []opFigures   `json:"ops"`
	SignRatio    float64       `json:"paySigToBareHMAC"`
	Calls        []flowCalls   `json:"storeCalls"`
	Lifecycles   lifecycles    `json:"lifecycles"`
	Due          []dueFigures  `json:"due"`
	Lambdas      lambdas       `json:"lambdas"`
	Requirements []requirement `json:"requirements"`
}

var errOver = errors.New("a flow makes more store calls than it may")

// run measures and prints part after part. What was measured before an error is returned with it.
func (b *bench) run(ctx context.Context) (r *report, err error) {
	if os.Getenv(awsVariable) == "" {
		return nil, errNoAWS // better now than after four minutes
	}
	if b.dir, err = os.MkdirTemp(b.tmp, "xpay-bench-"); err != nil {
		return nil, fmt.Errorf("no temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	r = &report{Machine: thisMachine(b.dir)}
	r.Machine.print(b.out)
	parts := []func(context.Context, *report) error{b.ops, b.calls, b.lifecycles, b.due, b.lambdas}
	if b.lambdaOnly {
		parts = parts[len(parts)-1:]
	}
	for _, part := range parts {
		if err := part(ctx, r); err != nil {
			return r, err
		}
	}
	progress("")
	if !b.lambdaOnly {
		r.judge()
	}
	r.judgeLambdas()
	r.printRequirements(b.out)
	switch {
	case over(r.Calls):
		return r, errOver
	case r.Lambdas.over():
		return r, errLambdasOver
	}
	return r, nil
}

func (r *report) save(path string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}
