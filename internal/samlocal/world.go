package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// startTimeout is how long a server may take until it listens.
const startTimeout = 30 * time.Second

// world is what the functions see: a WeChat and an AWS, both simulated, at addresses that containers can reach.
type world struct {
	weChatURL, awsURL string // as this machine reaches them
	servers           sync.WaitGroup
}

// startWorld starts both and fills them. The servers end with the context. WeChat pushes to pushURL.
func startWorld(ctx context.Context, t tools, pushURL string) (*world, error) {
	w := &world{}
	listen, seen, err := bridgeAddress(ctx, t)
	if err != nil {
		return w, err
	}
	if err := writeConfig(); err != nil {
		return w, err
	}
	var ports [3]string
	for i := range ports {
		if ports[i], err = freePort(listen); err != nil {
			return w, err
		}
	}
	say("starting a simulated AWS and a simulated WeChat on %s", listen)
	weChat, aws := net.JoinHostPort(listen, ports[0]), net.JoinHostPort(listen, ports[1])
	w.weChatURL, w.awsURL = "http://"+weChat, "http://"+aws
	err = errors.Join(
		w.start(t.command(ctx, t.motoPath, "-H", listen, "-p", ports[1]), "moto.log"),
		w.start(t.command(ctx, xpayPath, "dev", "--addr", "127.0.0.1:"+ports[2], "--wechat-addr", weChat,
			"--data", devFolder, "--goods", "goods.yaml", "--push-url", pushURL, "--quiet"), "xpay-dev.log"),
	)
	if err != nil {
		return w, err
	}
	if err := errors.Join(waitFor(ctx, weChat), waitFor(ctx, aws)); err != nil {
		return w, fmt.Errorf("%w: see the logs in %s", err, workFolder)
	}
	made, err := seed(ctx, w.awsURL)
	if err != nil {
		return w, fmt.Errorf("fill the simulated AWS: %w", err)
	}
	return w, writeVariables(variables(made, "http://"+net.JoinHostPort(seen, ports[0]), "http://"+net.JoinHostPort(seen, ports[1])))
}

// start runs a server in the background, its output in a log file.
func (w *world) start(cmd *exec.Cmd, log string) error {
	if err := os.MkdirAll(workFolder, 0o700); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(workFolder, log))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return errors.Join(err, out.Close())
	}
	w.servers.Go(func() {
		_ = cmd.Wait() // it was told to end; what it said is in its log
		_ = out.Close()
	})
	return nil
}

// wait returns when the servers have ended.
func (w *world) wait() { w.servers.Wait() }

// bridgeAddress is where this machine must listen, and the name under which containers reach it. On Linux that is the
// gateway of Docker's bridge, which no other machine reaches; Docker Desktop forwards a name to loopback.
func bridgeAddress(ctx context.Context, t tools) (listen, seen string, err error) {
	if runtime.GOOS != "linux" {
		return "127.0.0.1", "host.docker.internal", nil
	}
	out, err := t.docker(ctx, "network", "inspect", "bridge", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) == 0 || net.ParseIP(fields[0]) == nil {
		return "", "", errors.New("the gateway of Docker's bridge is unknown: does `docker network inspect bridge` show one?")
	}
	return fields[0], fields[0], nil
}

func freePort(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("this machine cannot listen on %s: %w", host, err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func waitFor(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing listens on %s", addr)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
