package lambdatest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
)

// beParent plays Lambda in a process of its own, says the pid of its function, and waits to be killed. The function hangs,
// so that it cannot notice by itself that its Runtime API is gone.
func beParent(path string) {
	f := lambdatest.New(lambdatest.Config{Bootstrap: path, Env: []string{"MODE=hang in init"}, InitTimeout: time.Minute})
	go func() {
		for len(f.Starts()) == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println(f.Starts()[0].PID)
	}()
	_, err := f.Invoke(context.Background(), []byte(`{}`))
	panic(err) // the process should have been killed by now
}

func TestAFunctionDiesWithTheProcessThatPlaysLambda(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "LAMBDATEST_PARENT_OF="+bootstrap)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !alive(strings.TrimSpace(pid)) {
		t.Fatalf("pid %q: %v", pid, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	eventually(t, "the function is gone", func() bool { return !alive(strings.TrimSpace(pid)) })
}

// alive says whether a process runs: one that nobody has reaped yet does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
