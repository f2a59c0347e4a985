package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
)

// stackArg makes this program the stack that is measured: API, SQLite and the simulated WeChat in one process, as
// `xpay dev` serves them. It prints where it listens, answers each line of its input with the memory it holds, and
// ends with its input, so it never outlives its parent.
const stackArg = "internal-stack"

type urls struct{ API, WeChat string }

func serveStack(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(stackArg, flag.ContinueOnError)
	data := flags.String("data", "", "")
	synchronous := flags.String("synchronous", "", "")
	profiles := flags.String("profile", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	loopback := localenv.Addrs{API: "127.0.0.1:0", WeChat: "127.0.0.1:0"}
	s, err := localenv.Listen(ctx, loopback, localenv.Options{Data: *data, Synchronous: *synchronous})
	if err != nil {
		return err
	}
	stopProfile, err := startProfile(*profiles)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer stop()
		obey(s, os.Stdin, os.Stdout)
		http.DefaultClient.CloseIdleConnections() // a server waits 5 s for a connection that was dialled and never used
	}()
	if err := s.Serve(ctx); err != nil {
		return fmt.Errorf("the stack (%s) ended: %w", *synchronous, err)
	}
	return nil
}

func obey(s *localenv.Server, in io.Reader, out io.Writer) {
	say := json.NewEncoder(out)
	var at urls
	at.API, at.WeChat = s.URLs()
	if say.Encode(at) != nil {
		return
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if say.Encode(ownMemory()) != nil {
			return
		}
	}
}

// startProfile profiles until the returned function is called; "" does nothing.
func startProfile(dir string) (stop func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		heap, err := os.Create(filepath.Join(dir, "heap.pprof"))
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(pprof.WriteHeapProfile(heap), heap.Close(), cpu.Close())
	}, nil
}

// child is a stack in another process, seen from here.
type child struct {
	urls
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// stopFor is how long a stack may take to end.
const stopFor = 10 * time.Second

func startChild(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, append([]string{stackArg}, args...)...)}
	c.cmd.Stderr, c.cmd.WaitDelay = os.Stderr, stopFor
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := c.out.Decode(&c.urls); err != nil {
		return nil, errors.Join(fmt.Errorf("the stack does not start: %w", err), c.stop())
	}
	return c, nil
}

// memory asks the stack what it holds now.
func (c *child) memory() (m memory, err error) {
	if _, err := io.WriteString(c.in, "memory\n"); err != nil {
		return m, err
	}
	return m, c.out.Decode(&m)
}

// stop ends the stack and waits for it.
func (c *child) stop() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }
