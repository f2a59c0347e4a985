package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// openTerminal gives both ends of a new terminal: what a person types goes into the first.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		noTerminal(t, err)
	}
	t.Cleanup(func() { person.Close() })
	var locked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		noTerminal(t, err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// noTerminal skips a test where the machine gives none, except where CI is set: there it fails.
func noTerminal(t *testing.T, why error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("MISSING: this machine gives no terminals: %v", why)
	}
	t.Skipf("SKIPPED: this machine gives no terminals: %v", why)
}

func TestOnlyATerminalIsTakenForOne(t *testing.T) {
	t.Parallel()
	_, program := openTerminal(t)
	if !isTerminal(program) {
		t.Error("a terminal is not taken for one")
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	for _, name := range []string{os.DevNull, "/dev/zero", "terminal_linux_test.go"} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if isTerminal(f) {
			t.Errorf("%s is taken for a terminal", name)
		}
	}
	if isTerminal(read) || isTerminal(strings.NewReader("")) {
		t.Error("a pipe or a reader is taken for a terminal")
	}
}

// TestOnATerminalApplyAsksAndHeedsTheAnswer: nothing is sent after a no, and Ctrl-C ends the question.
func TestOnATerminalApplyAsksAndHeedsTheAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer string
		code   int
		sent   int
	}{{"y\n", 0, 2}, {"是\n", 0, 2}, {"n\n", 1, 0}, {"\n", 1, 0}, {"", 1, 0}} {
		t.Run(fmt.Sprintf("%q", c.answer), func(t *testing.T) {
			t.Parallel()
			s, sim := newShop(t, twoGoods, nil)
			person, program := openTerminal(t)
			path, err := binary()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, append([]string{"goods", "apply", "--picture", "https://cdn.example.com/{id}.png", "--poll", "10ms"}, s.args...)...)
			cmd.Dir, cmd.Stdin, cmd.Stderr, cmd.Env = s.dir, program, program, []string{"PATH=" + os.Getenv("PATH")}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			shown := untilAsked(t, person)
			if !strings.Contains(shown, "600 fen = ¥6.00") || len(sim.UploadedGoods()) != 0 {
				t.Errorf("before the question %d products were sent, and it said: %s", len(sim.UploadedGoods()), shown)
			}
			if _, err := person.WriteString(c.answer); err != nil {
				t.Fatal(err)
			}
			if c.answer == "" {
				_ = cmd.Process.Signal(os.Interrupt)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != c.code || len(sim.UploadedGoods()) != c.sent {
				t.Errorf("exit %d and %d products sent, expected %d and %d", got, len(sim.UploadedGoods()), c.code, c.sent)
			}
		})
	}
}

// untilAsked reads what the person sees up to the question, and then goes on reading, so that nobody waits for it.
func untilAsked(t *testing.T, person *os.File) string {
	t.Helper()
	asked := make(chan string, 1)
	go func() {
		var all strings.Builder
		for r := bufio.NewReader(person); ; {
			b, err := r.ReadByte()
			if err != nil {
				return
			}
			if all.WriteByte(b); strings.HasSuffix(all.String(), "[y/N]") {
				asked <- all.String()
			}
		}
	}()
	select {
	case text := <-asked:
		return text
	case <-time.After(20 * time.Second):
		t.Fatal("there was no question")
		return ""
	}
}
