package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// tools are the programs of others that are needed.
type tools struct {
	samPath, motoPath string
}

const xpayPath = "bin/xpay"

// findTools names everything that is missing at once, and how to get it.
func findTools(ctx context.Context) (t tools, err error) {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, errors.New("MISSING: "+what))
		}
	}
	for _, program := range []struct{ name, how string }{
		{"docker", "docker (apt-get install docker.io)"},
		{"python3", "python3 (apt-get install python3 python3-venv)"},
		{"make", "make (apt-get install make)"},
	} {
		_, err := exec.LookPath(program.name)
		need(err == nil, program.how)
	}
	_, err = os.Stat(xpayPath)
	need(err == nil, "bin/xpay (make build)")
	if len(missing) > 0 {
		return t, errors.Join(missing...)
	}
	need(t.docker(ctx, "info").Run() == nil,
		"a Docker daemon that answers `docker info` (systemctl start docker, or dockerd as root), and the right to use it")
	t.samPath, err = t.venv(ctx, "sam", "sam")
	need(err == nil, fmt.Sprint("the SAM CLI: ", err))
	t.motoPath, err = t.venv(ctx, "moto", "moto_server")
	need(err == nil, fmt.Sprint("moto: ", err))
	return t, errors.Join(missing...)
}

// venv installs a Python environment, unless it is there, and returns the path of a program in it.
func (t tools) venv(ctx context.Context, name, program string) (string, error) {
	cmd := t.command(ctx, filepath.Join("tools", "venv"), name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return filepath.Join(strings.TrimSpace(string(out)), program), err
}

// command is a program that ends with the context: asked to, and after a while killed.
func (t tools) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us: we end the others in order
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second // SAM removes its containers
	return cmd
}

func (t tools) docker(ctx context.Context, args ...string) *exec.Cmd {
	return t.command(ctx, "docker", args...)
}

// sam is the SAM CLI with nothing of the user's AWS: variables of his shell would go before the template's, and his
// credentials into the containers. Without any, SAM makes some up and asks no server who they are.
func (t tools) sam(ctx context.Context, args ...string) *exec.Cmd {
	cmd := t.command(ctx, t.samPath, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "XPAY_") && !strings.HasPrefix(v, "SSL_CERT_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "AWS_DEFAULT_REGION="+region, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true", "SAM_CLI_TELEMETRY=0")
	return cmd
}

// architectureDefault finds the default of the template's parameter.
var architectureDefault = regexp.MustCompile(`(?m)^(  Architecture:\n(?:    .*\n)*?    Default: )\w+$`)

// withArchitecture makes a built template run for an architecture without being told.
func withArchitecture(template, arch string) (string, error) {
	if !architectureDefault.MatchString(template) {
		return "", fmt.Errorf("%s has no parameter Architecture with a default", builtSAM)
	}
	return architectureDefault.ReplaceAllString(template, "${1}"+arch), nil
}
