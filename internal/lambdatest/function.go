// Package lambdatest plays the parts of AWS's cloud that have no server of their own to test against, so that the built
// bootstrap of a function runs end to end on one machine, without Docker and without an account:
//
//   - Function is Lambda: it starts the bootstrap and serves it the Runtime API.
//   - Gateway is an API Gateway HTTP API with payload format 2.0.
//   - Queue is the event source mapping between an SQS queue and a function.
//   - ScheduledEvent is what EventBridge Scheduler sends.
//   - Wire stands in front of any HTTP server, counts what passes, and breaks it on demand.
//
// It knows nothing of what the functions do. What it does not play: extensions, response streaming, layers, more than
// one invocation at a time in one process, CPU and memory limits, and checking SigV4 signatures.
package lambdatest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	requestBytesMax  = 6_291_456 // the largest event of a synchronous invocation
	responseBytesMax = 6_291_556 // and the largest answer
	accountID        = "123456789012"
)

// Errors of Lambda itself: the function did not run.
var (
	ErrTooLarge  = errors.New("lambda: RequestTooLargeException: an event has at most 6291456 bytes")
	ErrThrottled = errors.New("lambda: TooManyRequestsException: all environments are busy")
	ErrStopped   = errors.New("lambda: the function has been stopped")
)

// FunctionError is what Lambda reports when a function ran and failed: it returned an error ("errorString"), died
// ("Runtime.ExitError"), or took too long ("Sandbox.Timedout").
type FunctionError struct {
	Type    string
	Message string
	Payload []byte // the JSON with which the invocation is answered
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

func functionError(kind, format string, args ...any) *FunctionError {
	e := &FunctionError{Type: kind, Message: fmt.Sprintf(format, args...)}
	e.Payload, _ = json.Marshal(map[string]string{"errorType": e.Type, "errorMessage": e.Message}) // strings always marshal
	return e
}

// Invoker runs one event through a function. Function is one, and so is any lambda.Handler in this process.
type Invoker interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Config describes a function.
type Config struct {
	Bootstrap string // the executable
	Name      string // AWS_LAMBDA_FUNCTION_NAME; default: the name of the folder of the bootstrap
	Region    string // default us-east-1

	// Env ("KEY=value") is added to the variables that Lambda sets, and wins over them. Nothing else is inherited: a
	// function sees no variable of this process.
	Env []string

	Timeout     time.Duration // of one invocation; default 3 s, as in Lambda. Who takes longer is killed
	InitTimeout time.Duration // from the start of the process to its first request for work; default 10 s, as in Lambda
	MemoryMB    int           // is only told to the function; default 128
	Concurrency int           // environments at most, each a process that handles one event at a time; default 10
}

// Function is one Lambda function. A process is started when an event finds none idle, and is kept for the next one.
type Function struct {
	cfg     Config
	logs    logs
	running sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	idle    []*environment // the most recently used last
	live    map[*environment]bool
	starts  []*Start
}

// Start is what was observed of one process. The durations count from the start of the process and are 0 until then.
type Start struct {
	PID           int
	At            time.Time
	Init          time.Duration // to its first request for work
	FirstResponse time.Duration // to its first answer
}

// New returns a function; its first process starts with the first event. Stop ends it.
func New(cfg Config) *Function {
	cfg.Name = cmp.Or(cfg.Name, filepath.Base(filepath.Dir(cfg.Bootstrap)))
	cfg.Region = cmp.Or(cfg.Region, "us-east-1")
	cfg.Timeout = cmp.Or(cfg.Timeout, 3*time.Second)
	cfg.InitTimeout = cmp.Or(cfg.InitTimeout, 10*time.Second)
	cfg.MemoryMB = cmp.Or(cfg.MemoryMB, 128)
	cfg.Concurrency = cmp.Or(cfg.Concurrency, 10)
	return &Function{cfg: cfg, live: map[*environment]bool{}}
}

// Invoke runs an event and returns the answer, when the process is ready for the next event. A function that fails is a
// *FunctionError. When ctx ends first, the function goes on, as it does in Lambda; only its answer is lost.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	if len(event) > requestBytesMax {
		return nil, ErrTooLarge
	}
	env, fresh, err := f.take()
	if err != nil {
		return nil, err
	}
	inv := &invocation{id: rand.Text(), event: event}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer f.running.Done() // begun by take
		env.serve(inv, fresh)
		f.giveBack(env)
	}()
	select {
	case <-done:
		return inv.answer, inv.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// take returns an idle environment or starts one, and counts an invocation as running.
func (f *Function) take() (env *environment, fresh bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return nil, false, ErrStopped
	}
	if n := len(f.idle); n > 0 {
		env, f.idle = f.idle[n-1], f.idle[:n-1]
		f.running.Add(1)
		return env, false, nil
	}
	if len(f.live) >= f.cfg.Concurrency {
		return nil, false, ErrThrottled
	}
	env, err = f.start()
	if err != nil {
		return nil, false, fmt.Errorf("lambda: start %s: %w", f.cfg.Bootstrap, err)
	}
	f.live[env] = true
	f.starts = append(f.starts, &env.start)
	f.running.Add(1)
	return env, true, nil
}

// giveBack keeps an environment for the next event, unless it has died.
func (f *Function) giveBack(env *environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live[env] {
		f.idle = append(f.idle, env)
	}
}

// forget drops an environment whose process has ended.
func (f *Function) forget(env *environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live, env)
	f.idle = slices.DeleteFunc(f.idle, func(e *environment) bool { return e == env })
}

// Kill sends SIGKILL to all processes, also in the middle of an invocation, and returns when they are gone. The next
// event starts a new one.
func (f *Function) Kill() {
	f.mu.Lock()
	var envs []*environment
	for env := range f.live {
		envs = append(envs, env)
	}
	f.mu.Unlock()
	for _, env := range envs {
		env.kill()
	}
}

// Stop kills all processes and returns when nothing of the function is left.
func (f *Function) Stop() {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	f.Kill()
	f.running.Wait()
}

// Starts returns what was observed of each process, the oldest first.
func (f *Function) Starts() []Start {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Start, len(f.starts))
	for i, s := range f.starts {
		all[i] = *s
	}
	return all
}

// observe notes something in a Start.
func (f *Function) observe(note func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	note()
}

// Logs returns the lines that all processes wrote to stdout and stderr: the newest 10,000, of at most 64 KiB each.
func (f *Function) Logs() []string { return f.logs.all() }
