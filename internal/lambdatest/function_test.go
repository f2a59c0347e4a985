package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

// bootstrap is testdata/echo, built as functions are.
var bootstrap string

func TestMain(m *testing.M) {
	if path := os.Getenv("LAMBDATEST_PARENT_OF"); path != "" {
		beParent(path)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lambdatest-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	bootstrap = filepath.Join(dir, "echo", "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bootstrap, "./testdata/echo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build testdata/echo: %v\n%s", err, out)
		return 1
	}
	os.Setenv("LAMBDATEST_OF_THE_PARENT", "1")
	return m.Run()
}

// function is echo in one of its modes, stopped at the end of the test.
func function(t testing.TB, mode string, cfg lambdatest.Config) *lambdatest.Function {
	t.Helper()
	cfg.Bootstrap = bootstrap
	cfg.Env = append(cfg.Env, "MODE="+mode)
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second // tests are slow on a busy machine
	}
	f := lambdatest.New(cfg)
	t.Cleanup(func() {
		f.Stop()
		if t.Failed() {
			t.Logf("log of the function:\n%s", strings.Join(f.Logs(), "\n"))
		}
	})
	return f
}

func mustInvoke(t testing.TB, f *lambdatest.Function, event string) string {
	t.Helper()
	out, err := f.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// failsWith invokes and checks the type of the error and a part of its message.
func failsWith(t *testing.T, f *lambdatest.Function, event, kind, message string) {
	t.Helper()
	out, err := f.Invoke(t.Context(), []byte(event))
	var failed *lambdatest.FunctionError
	if !errors.As(err, &failed) || failed.Type != kind || !strings.Contains(failed.Message, message) || out != nil {
		t.Errorf("%s: %s, error %v, want %s with %q", event, out, err, kind, message)
		return
	}
	var payload struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(failed.Payload, &payload); err != nil || payload.ErrorMessage != failed.Message {
		t.Errorf("payload %s (%v)", failed.Payload, err)
	}
}

// logged waits until a line was written so many times.
func logged(t *testing.T, f *lambdatest.Function, line string, times int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d lines %q", times, line), func() bool {
		n := 0
		for _, l := range f.Logs() {
			if l == line {
				n++
			}
		}
		return n >= times
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("after 20 s still not: %s", what)
		}
	}
}

func TestOneProcessServesOneEventAfterTheOther(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{})
	for _, do := range []string{"one", "two", "three"} {
		if got, want := mustInvoke(t, f, `{"do":"`+do+`"}`), `{"did":"`+do+`"}`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	starts := f.Starts()
	if len(starts) != 1 || starts[0].PID == 0 || starts[0].Init <= 0 || starts[0].FirstResponse <= starts[0].Init {
		t.Errorf("%+v", starts)
	}
}

func TestAFunctionSeesWhatLambdaSetsAndNothingElse(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{Name: "Callback", Region: "cn-north-1", MemoryMB: 256, Timeout: time.Minute,
		Env: []string{"TABLE=orders", "AWS_ACCESS_KEY_ID=mine"}})
	var got struct {
		Env      []string
		Deadline int64
	}
	if err := json.Unmarshal([]byte(mustInvoke(t, f, `{"do":"env"}`)), &got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"AWS_REGION=cn-north-1", "AWS_LAMBDA_FUNCTION_NAME=Callback", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "_HANDLER=bootstrap",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "TZ=:UTC", "LAMBDA_TASK_ROOT=" + filepath.Dir(bootstrap), "AWS_LAMBDA_LOG_FORMAT=JSON",
		"AWS_SESSION_TOKEN=test", "TABLE=orders", "AWS_ACCESS_KEY_ID=mine",
	} {
		if !slices.Contains(got.Env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, v := range got.Env {
		if strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "LAMBDATEST_") {
			t.Errorf("%s leaked into the function", v)
		}
	}
	if got.Deadline <= 30_000 || got.Deadline > 60_000 {
		t.Errorf("the deadline is in %d ms, want just under a minute", got.Deadline)
	}
}

func TestAFunctionThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode, event, kind, message string
		starts                     int // after the event and a good one
	}{
		"returns an error, and lives": {"", `{"do":"fail"}`, "errorString", "no such order", 1},
		"takes another event":         {"", `"text"`, "UnmarshalTypeError", "cannot unmarshal", 1},
		"panics, and dies":            {"", `{"do":"panic"}`, "string", "broken invariant", 2},
		"exits with a code":           {"", `{"do":"exit"}`, "Runtime.ExitError", "Runtime exited with error: exit status 7", 2},
		"exits without one":           {"", `{"do":"end"}`, "Runtime.ExitError", "Runtime exited without providing a reason", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := function(t, c.mode, lambdatest.Config{Concurrency: 1})
			failsWith(t, f, c.event, c.kind, c.message)
			mustInvoke(t, f, `{}`)
			if n := len(f.Starts()); n != c.starts {
				t.Errorf("%d processes were started, want %d", n, c.starts)
			}
		})
	}
}

func TestAFunctionThatDiesInInitFailsEachEvent(t *testing.T) {
	t.Parallel()
	f := function(t, "crash in init", lambdatest.Config{})
	failsWith(t, f, `{}`, "Runtime.ExitError", "Runtime exited with error: exit status 3")
	failsWith(t, f, `{}`, "Runtime.ExitError", "Runtime exited with error: exit status 3")
	if got := f.Logs(); !slices.Equal(got, []string{"the configuration is wrong", "the configuration is wrong"}) {
		t.Errorf("log %q", got)
	}
	if s := f.Starts(); len(s) != 2 || s[0].Init != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAFunctionThatHangsInInitIsKilled(t *testing.T) {
	t.Parallel()
	f := function(t, "hang in init", lambdatest.Config{InitTimeout: 100 * time.Millisecond})
	failsWith(t, f, `{}`, "Sandbox.Timedout", "Init timed out after 0.10 seconds")
	gone(t, f.Starts()[0].PID)
}

func TestAFunctionThatTakesTooLongIsKilled(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{Timeout: 300 * time.Millisecond})
	failsWith(t, f, `{"do":"sleep","millis":60000}`, "Sandbox.Timedout", "Task timed out after 0.30 seconds")
	gone(t, f.Starts()[0].PID)
	eventually(t, "an event that is served in time", func() bool {
		_, err := f.Invoke(t.Context(), []byte(`{}`))
		return err == nil
	})
}

func TestAFunctionThatIsKilledInTheMiddleFailsAndTheNextEventStartsAnew(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*lambdatest.Function){
		"by Kill":      (*lambdatest.Function).Kill,
		"from outside": func(f *lambdatest.Function) { _ = syscall.Kill(f.Starts()[0].PID, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := function(t, "", lambdatest.Config{Concurrency: 1})
			var wait sync.WaitGroup
			wait.Go(func() {
				failsWith(t, f, `{"do":"sleep","millis":60000}`, "Runtime.ExitError", "Runtime exited with error: signal: killed")
			})
			logged(t, f, "sleeping", 1)
			kill(f)
			wait.Wait()
			gone(t, f.Starts()[0].PID)
			mustInvoke(t, f, `{}`)
		})
	}
}

func TestAProcessThatDiesWhileItIsIdleIsReplaced(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{Concurrency: 1})
	for range 5 {
		mustInvoke(t, f, `{}`)
		f.Kill()
	}
	mustInvoke(t, f, `{}`)
	if n := len(f.Starts()); n != 6 {
		t.Errorf("%d processes, want 6", n)
	}
}

func TestAProcessThatIsKilledFromOutsideWhileItIsIdleFailsAtMostOneEvent(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{Concurrency: 1})
	for range 20 {
		mustInvoke(t, f, `{}`)
		starts := f.Starts()
		if err := syscall.Kill(starts[len(starts)-1].PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var failed *lambdatest.FunctionError
		if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil && !errors.As(err, &failed) {
			t.Error(err)
		}
	}
	mustInvoke(t, f, `{}`)
}

func TestEventsAtTheSameTimeStartMoreProcessesUpToTheLimit(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{Concurrency: 3})
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if _, err := f.Invoke(t.Context(), []byte(`{"do":"sleep","millis":1000}`)); err != nil {
				t.Error(err)
			}
		})
	}
	logged(t, f, "sleeping", 3)
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, lambdatest.ErrThrottled) {
		t.Errorf("error %v, want %v", err, lambdatest.ErrThrottled)
	}
	wait.Wait()
	mustInvoke(t, f, `{}`)
	if n := len(f.Starts()); n != 3 {
		t.Errorf("%d processes, want 3", n)
	}
}

func TestAFunctionGoesOnWhenItsCallerGivesUp(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{})
	mustInvoke(t, f, `{}`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`{"do":"sleep","millis":300}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	logged(t, f, "slept", 1)
}

// The limits are those of Lambda's documented quota and of its error messages.
func TestEventsAndAnswersHaveLambdasLimits(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{})
	frame := len(`{"did":"fill","filling":""}`)
	if got := mustInvoke(t, f, fmt.Sprintf(`{"do":"fill","bytes":%d}`, 6_291_556-frame)); len(got) != 6_291_556 {
		t.Errorf("%d bytes", len(got))
	}
	failsWith(t, f, fmt.Sprintf(`{"do":"fill","bytes":%d}`, 6_291_556-frame+1), "Function.ResponseSizeTooLarge",
		"Response payload size exceeded maximum allowed payload size (6291556 bytes).")
	event := `{"do":"` + strings.Repeat("x", 6_291_456-len(`{"do":""}`)) + `"}`
	mustInvoke(t, f, event)
	if _, err := f.Invoke(t.Context(), []byte(event+" ")); !errors.Is(err, lambdatest.ErrTooLarge) {
		t.Errorf("error %v, want %v", err, lambdatest.ErrTooLarge)
	}
}

func TestStopLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	f := function(t, "", lambdatest.Config{})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if _, err := f.Invoke(t.Context(), []byte(`{"do":"sleep","millis":60000}`)); err == nil {
				t.Error("the event of a stopped function was served")
			}
		})
	}
	logged(t, f, "sleeping", 2)
	f.Stop()
	wait.Wait()
	for _, s := range f.Starts() {
		gone(t, s.PID)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, lambdatest.ErrStopped) {
		t.Errorf("error %v, want %v", err, lambdatest.ErrStopped)
	}
}

func TestABootstrapThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	f := lambdatest.New(lambdatest.Config{Bootstrap: filepath.Join(t.TempDir(), "bootstrap")})
	defer f.Stop()
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// gone checks that a process has been reaped.
func gone(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}

// BenchmarkInvoke is one event through an idle process.
func BenchmarkInvoke(b *testing.B) {
	f := function(b, "", lambdatest.Config{})
	mustInvoke(b, f, `{}`)
	for b.Loop() {
		mustInvoke(b, f, `{"do":"x"}`)
	}
}
