package lambdatest

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// environment is one process of a function and the Runtime API that it talks to.
type environment struct {
	f     *Function
	cmd   *exec.Cmd
	api   *http.Server
	start Start // guarded by f.mu

	asks chan struct{}    // the process asks for work: it is initialised, or done with the last event
	work chan *invocation // what it is given
	dead chan struct{}    // closed when the process is gone
	exit error            // how it ended; read after dead

	mu      sync.Mutex
	current *invocation // given to the process and not answered yet
}

// invocation is one event and what became of it. The environment that serves it writes answer and err.
type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answer   []byte
	err      error
}

// start starts a process. It holds f.mu.
func (f *Function) start() (*environment, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	bootstrap, err := filepath.Abs(f.cfg.Bootstrap)
	if err != nil {
		return nil, err
	}
	e := &environment{f: f, asks: make(chan struct{}, 1), work: make(chan *invocation), dead: make(chan struct{})}
	e.api = &http.Server{Handler: e.routes()}
	e.cmd = exec.Command(bootstrap)
	e.cmd.Dir = filepath.Dir(bootstrap)
	e.cmd.Env = append(f.environ(listener.Addr().String(), e.cmd.Dir), f.cfg.Env...)
	e.cmd.SysProcAttr = dieWithParent()
	e.cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	out := &lineWriter{to: &f.logs}
	e.cmd.Stdout, e.cmd.Stderr = out, out
	e.start.At = time.Now()
	if err := e.cmd.Start(); err != nil {
		_ = listener.Close()
		return nil, err
	}
	e.start.PID = e.cmd.Process.Pid
	f.running.Go(func() { _ = e.api.Serve(listener) }) // ends when the process has ended
	f.running.Go(func() {
		e.exit = e.cmd.Wait()
		out.flush()
		f.forget(e)
		close(e.dead)
		_ = e.api.Close()
	})
	return e, nil
}

// environ is what Lambda sets for an OS-only runtime.
func (f *Function) environ(api, task string) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"AWS_REGION=" + f.cfg.Region,
		"AWS_DEFAULT_REGION=" + f.cfg.Region,
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"AWS_SESSION_TOKEN=test",
		"AWS_LAMBDA_FUNCTION_NAME=" + f.cfg.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(f.cfg.MemoryMB),
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
		"AWS_LAMBDA_LOG_FORMAT=JSON",
		"AWS_LAMBDA_LOG_LEVEL=INFO",
		"_HANDLER=bootstrap",
		"LAMBDA_TASK_ROOT=" + task,
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"LANG=en_US.UTF-8",
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"TZ=:UTC",
	}
}

// serve gives an invocation to the process and returns when the process asks for more, is gone, or has been killed for
// taking too long.
func (e *environment) serve(inv *invocation, fresh bool) {
	if fresh && !e.initialised(inv) {
		return
	}
	e.begin(inv)
	select {
	case e.work <- inv:
	case <-e.dead: // since it asked
	}
	timeout := time.NewTimer(e.f.cfg.Timeout)
	defer timeout.Stop()
	select {
	case <-e.asks:
		e.end(inv, functionError("Runtime.InvalidResponse", "the runtime asked for the next event without an answer"))
	case <-e.dead:
		e.end(inv, e.exited(inv))
	case <-timeout.C:
		e.end(inv, timedOut(inv, "Task", e.f.cfg.Timeout))
		e.kill()
	}
}

// initialised waits until the process asks for work. A process that does not fails the invocation.
func (e *environment) initialised(inv *invocation) bool {
	timeout := time.NewTimer(e.f.cfg.InitTimeout)
	defer timeout.Stop()
	select {
	case <-e.asks:
		return true
	case <-e.dead:
		inv.err = e.exited(inv)
	case <-timeout.C:
		inv.err = timedOut(inv, "Init", e.f.cfg.InitTimeout)
		e.kill()
	}
	return false
}

func (e *environment) begin(inv *invocation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	inv.deadline = time.Now().Add(e.f.cfg.Timeout)
	e.current = inv
}

// end gives an invocation the error, unless the process has answered it.
func (e *environment) end(inv *invocation, err *FunctionError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == inv {
		inv.err, e.current = err, nil
	}
}

func timedOut(inv *invocation, what string, after time.Duration) *FunctionError {
	return functionError("Sandbox.Timedout", "RequestId: %s Error: %s timed out after %.2f seconds", inv.id, what, after.Seconds())
}

func (e *environment) exited(inv *invocation) *FunctionError {
	if e.exit == nil {
		return functionError("Runtime.ExitError", "RequestId: %s Error: Runtime exited without providing a reason", inv.id)
	}
	return functionError("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %v", inv.id, e.exit)
}

func (e *environment) kill() {
	_ = e.cmd.Process.Kill() // fails only when it has ended
	<-e.dead
}

// routes is the Runtime API, version 2018-06-01.
func (e *environment) routes() http.Handler {
	const v = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+v+"invocation/next", e.next)
	mux.HandleFunc("POST "+v+"invocation/{id}/response", e.response)
	mux.HandleFunc("POST "+v+"invocation/{id}/error", e.failure)
	mux.HandleFunc("POST "+v+"init/error", func(w http.ResponseWriter, _ *http.Request) { accepted(w) }) // the process exits next
	return mux
}

func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	e.f.observe(func() {
		if e.start.Init == 0 {
			e.start.Init = time.Since(e.start.At)
		}
	})
	select {
	case e.asks <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	select {
	case inv := <-e.work:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:"+e.f.cfg.Region+":"+accountID+":function:"+e.f.cfg.Name)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c;Sampled=0")
		_, _ = w.Write(inv.event) // a process that is gone does not need it
	case <-r.Context().Done():
	}
}

func (e *environment) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, responseBytesMax+1))
	if err != nil {
		return // the process died while it answered
	}
	e.f.observe(func() {
		if e.start.FirstResponse == 0 {
			e.start.FirstResponse = time.Since(e.start.At)
		}
	})
	if len(body) > responseBytesMax {
		e.answer(w, r, http.StatusRequestEntityTooLarge, nil, functionError("Function.ResponseSizeTooLarge",
			"Response payload size exceeded maximum allowed payload size (%d bytes).", responseBytesMax))
		return
	}
	e.answer(w, r, http.StatusAccepted, body, nil)
}

func (e *environment) failure(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, responseBytesMax))
	if err != nil {
		return
	}
	var said struct{ ErrorType, ErrorMessage string }
	_ = json.Unmarshal(body, &said) // an error of another form has no type
	e.answer(w, r, http.StatusAccepted, nil, &FunctionError{Type: said.ErrorType, Message: said.ErrorMessage, Payload: body})
}

// answer notes what the process said about the current invocation.
func (e *environment) answer(w http.ResponseWriter, r *http.Request, status int, body []byte, failed *FunctionError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == nil || e.current.id != r.PathValue("id") {
		http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"there is no such invocation"}`, http.StatusBadRequest)
		return
	}
	e.current.answer = body
	if failed != nil {
		e.current.err = failed
	}
	e.current = nil
	if status == http.StatusAccepted {
		accepted(w)
		return
	}
	http.Error(w, `{"errorType":"RequestEntityTooLarge","errorMessage":"the answer is too large"}`, status)
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}
