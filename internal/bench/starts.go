package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

const (
	startRounds   = 31
	startRatioMax = 1.25
)

// The servers that the functions are started against.
const (
	onMoto   = "moto"   // a few milliseconds for each call
	onCanned = "canned" // answers at once what moto answered before
)

// startFigures is a function beside the bare one: medians in milliseconds.
type startFigures struct {
	Function     string  `json:"function"`
	AWS          string  `json:"aws"`
	Start        float64 `json:"startMillis"` // of the process, to its first request for work
	BareStart    float64 `json:"bareStartMillis"`
	StartRatio   float64 `json:"startRatio"`
	Request      float64 `json:"firstRequestMillis"` // from then to the answer
	BareRequest  float64 `json:"bareFirstRequestMillis"`
	RequestRatio float64 `json:"firstRequestRatio"`
}

// startSubject is a function whose start is measured, with its first request.
type startSubject struct {
	function string
	fresh    func(ctx context.Context, c *cloud) (*http.Request, error) // a request that can be made once
	status   int                                                        // of its answer

	canned          *canned
	fixed           *http.Request // the one whose calls were recorded
	atStart, inTurn []asked       // what the function asks for: before its first request for work, and then
	counts          map[string]int
}

func startSubjects() []*startSubject {
	return []*startSubject{
		{function: "callback", status: http.StatusOK, fresh: func(ctx context.Context, c *cloud) (*http.Request, error) {
			b, err := c.buy(ctx)
			if err != nil {
				return nil, err
			}
			return c.pushRequest(ctx, b, true)
		}},
		{function: "createorder", status: http.StatusCreated, fresh: func(ctx context.Context, c *cloud) (*http.Request, error) {
			_, token, err := c.login(ctx)
			if err != nil {
				return nil, err
			}
			body, _ := json.Marshal(createBody{ProductID: product, Quantity: 1}) // always marshals
			return request(ctx, "POST", "/orders", token, c.fresh("key"), body)
		}},
	}
}

// starts measures starts in turns: each function and the bare one, on both servers. A round that is not counted goes first.
func (b *bench) starts(ctx context.Context, c *cloud, l *lambdas) error {
	var all []*contestant
	for _, s := range startSubjects() {
		if err := s.record(ctx, c); err != nil {
			return fmt.Errorf("start of %s: %w", s.function, err)
		}
		four, err := s.contestants(c)
		if err != nil {
			return err
		}
		all = append(all, four...)
	}
	for round := range startRounds + 1 {
		for k := range all {
			one := all[(k+round)%len(all)]
			progress("starts, round %d of %d: %s on %s", round, startRounds, one.function, one.aws)
			took, err := one.start(ctx, c)
			if err != nil {
				return fmt.Errorf("start of %s on %s: %w", one, one.aws, err)
			}
			if round > 0 {
				one.took = append(one.took, took)
			}
		}
	}
	for pair := range slices.Chunk(all, 2) {
		l.Starts = append(l.Starts, compareStarts(pair[0], pair[1]))
	}
	l.printStarts(b)
	return nil
}

// record starts the function once on a server that keeps what was asked and answered.
func (s *startSubject) record(ctx context.Context, c *cloud) error {
	wire, err := lambdatest.NewWire(c.aws)
	if err != nil {
		return err
	}
	s.canned = newCanned(wire)
	if s.fixed, err = s.fresh(ctx, c); err != nil {
		return err
	}
	start, err := s.once(c.config(s.of(), c.listen(s.canned), c.wechat), s.fixed, s.status)
	if err = errors.Join(err, s.canned.err()); err != nil {
		return err
	}
	s.atStart, s.inTurn = s.canned.replay(start.At.Add(start.Init))
	s.counts = s.canned.Counts()
	return nil
}

func (s *startSubject) of() awsenv.Function {
	all := awsenv.Functions()
	return all[slices.IndexFunc(all, func(f awsenv.Function) bool { return f.Name == s.function })]
}

// once starts a process, makes one request through an API of its own, and ends the process.
func (s *startSubject) once(cfg lambdatest.Config, req *http.Request, status int) (lambdatest.Start, error) {
	fn := lambdatest.New(cfg)
	defer fn.Stop()
	g := &lambdatest.Gateway{Routes: []lambdatest.Route{{Key: req.Method + " " + req.URL.Path, Function: fn}}}
	body, err := req.GetBody()
	if err != nil {
		return lambdatest.Start{}, err
	}
	again := req.Clone(req.Context())
	again.Body = body
	if _, err := serve(g, again, status); err != nil {
		return lambdatest.Start{}, fmt.Errorf("%w; its log: %q", err, fn.Logs())
	}
	return fn.Starts()[0], nil
}

// server is an AWS that counts what it is asked.
type server interface {
	http.Handler
	Counts() map[string]int
	Reset()
}

// contestant is a function or the bare one in its place, on one server.
type contestant struct {
	*startSubject
	bare   bool
	aws    string
	server server
	cfg    lambdatest.Config
	took   []startTimes
}

func (c *contestant) String() string {
	if c.bare {
		return "the bare function for " + c.function
	}
	return c.function
}

// startTimes is one start, in milliseconds.
type startTimes struct{ start, request float64 }

// contestants are the function and the bare one, on moto and on canned answers.
func (s *startSubject) contestants(c *cloud) (all []*contestant, err error) {
	wire, err := lambdatest.NewWire(c.aws)
	if err != nil {
		return nil, err
	}
	for _, on := range []struct {
		aws    string
		server server
	}{{onMoto, wire}, {onCanned, s.canned}} {
		cfg := c.config(s.of(), c.listen(on.server), c.wechat)
		for _, bare := range []bool{false, true} {
			all = append(all, &contestant{startSubject: s, bare: bare, aws: on.aws, server: on.server, cfg: cfg})
		}
	}
	return all, nil
}

// start measures one start, in which exactly the recorded number of requests must be made.
func (c *contestant) start(ctx context.Context, in *cloud) (startTimes, error) {
	cfg, req, status := c.cfg, c.fixed, c.status
	var err error
	switch {
	case c.bare:
		cfg, status = c.bareConfig(in), http.StatusOK
	case c.aws == onMoto:
		req, err = c.fresh(ctx, in)
	}
	if err != nil {
		return startTimes{}, err
	}
	c.server.Reset()
	start, err := c.once(cfg, req, status)
	if err = errors.Join(err, c.canned.err()); err != nil {
		return startTimes{}, err
	}
	if counts := c.server.Counts(); !maps.Equal(counts, c.counts) {
		return startTimes{}, fmt.Errorf("it makes the calls %v, but the function was seen to make %v", counts, c.counts)
	}
	millis := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return startTimes{millis(start.Init), millis(start.FirstResponse - start.Init)}, nil
}

// bareConfig has the bare function make the recorded calls. On moto it creates a document of its own each time, and looks
// for those of a user who has none, as the function did.
func (c *contestant) bareConfig(in *cloud) lambdatest.Config {
	cfg := c.cfg
	cfg.Bootstrap = strings.TrimSuffix(cfg.Bootstrap, c.function) + bareName
	own := ""
	if c.aws == onMoto {
		own = "-" + in.fresh(bareName)
	}
	cfg.Env = append(slices.Clone(cfg.Env), "BARE_START="+callLines(c.atStart, own), "BARE_REQUEST="+callLines(c.inTurn, own))
	return cfg
}

// callLines writes calls as the bare function reads them.
func callLines(calls []asked, own string) string {
	var b bytes.Buffer
	for i, a := range calls {
		if a.operation == "PutItem" || a.operation == "Query" {
			a.which += own
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s %s %s", a.operation, a.where, a.which)
	}
	return b.String()
}

// compareStarts makes the figures of a function and the bare one on the same server.
func compareStarts(f, bare *contestant) startFigures {
	start := func(t startTimes) float64 { return t.start }
	request := func(t startTimes) float64 { return t.request }
	out := startFigures{
		Function: f.function, AWS: f.aws,
		Start: medianOf(f.took, start), BareStart: medianOf(bare.took, start),
		Request: medianOf(f.took, request), BareRequest: medianOf(bare.took, request),
	}
	out.StartRatio, out.RequestRatio = out.Start/out.BareStart, out.Request/out.BareRequest
	return out
}

func (l *lambdas) printStarts(b *bench) {
	rows := [][]string{{"", "AWS", "start ms", "bare", "ratio", "1st request ms", "bare", "ratio"}}
	ms := func(v float64) string { return fmt.Sprintf("%.1f", v) }
	for _, f := range l.Starts {
		rows = append(rows, []string{
			f.Function, f.AWS, ms(f.Start), ms(f.BareStart), fmt.Sprintf("%.2f", f.StartRatio),
			ms(f.Request), ms(f.BareRequest), fmt.Sprintf("%.2f", f.RequestRatio),
		})
	}
	table(b.out, fmt.Sprintf("Lambda: process start to first request for work, and from there to the first answer (medians of %d, interleaved)", startRounds), rows...)
	fmt.Fprintln(b.out, "  bare: a function with the same clients and root certificates that makes the same calls and does nothing else")
}
