package main

import (
	"archive/zip"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
)

const (
	bootstrapBytesMax = 10_000_000 // a cold start fetches the whole file
	sqliteModules     = "modernc.org/"
	bareName          = "bare" // the function that the others are compared with
)

// bootstrapFigures is one function's executable for linux/arm64.
type bootstrapFigures struct {
	Function string   `json:"function"`
	Bytes    int64    `json:"bytes"`
	Zipped   int64    `json:"zippedBytes"`
	SQLite   []string `json:"sqlite,omitempty"` // modules of SQLite that are linked: none may be
}

func (f bootstrapFigures) over() bool { return f.Bytes > bootstrapBytesMax || len(f.SQLite) > 0 }

// bootstraps measures what is deployed: the seven executables for linux/arm64.
func (b *bench) bootstraps(ctx context.Context, l *lambdas) error {
	progress("building the functions for linux/arm64")
	built, err := b.buildLambdas(ctx, "arm64", "GOOS=linux", "GOARCH=arm64")
	if err != nil {
		return err
	}
	for _, f := range awsenv.Functions() {
		figures, err := measureBootstrap(filepath.Join(built, f.Name))
		if err != nil {
			return fmt.Errorf("bootstrap of %s: %w", f.Name, err)
		}
		l.Bootstraps = append(l.Bootstraps, figures)
	}
	l.printBootstraps(b.out)
	return nil
}

// buildLambdas builds all functions, and the bare one, with the flags of the deployment (Makefile). It returns the folder
// that holds them, goods.yaml beside them.
func (b *bench) buildLambdas(ctx context.Context, folder string, target ...string) (built string, err error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	built = filepath.Join(b.dir, folder)
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w",
		"-o", built+string(filepath.Separator), "./functions/...", "./internal/bench/"+bareName)
	cmd.Dir, cmd.Env = root, append(append(os.Environ(), "CGO_ENABLED=0"), target...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions: %w\n%s", err, out)
	}
	goods, err := os.ReadFile(filepath.Join(root, "goods.yaml"))
	if err != nil {
		return "", err
	}
	return built, os.WriteFile(filepath.Join(built, "goods.yaml"), goods, 0o600)
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func measureBootstrap(path string) (f bootstrapFigures, err error) {
	f.Function = filepath.Base(path)
	info, err := os.Stat(path)
	if err != nil {
		return f, err
	}
	f.Bytes = info.Size()
	if f.Zipped, err = zippedBytes(path); err != nil {
		return f, err
	}
	f.SQLite, err = linkedSQLite(path)
	return f, err
}

// zippedBytes is the size of a ZIP file with nothing but this bootstrap in it.
func zippedBytes(path string) (n int64, err error) {
	in, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var count byteCount
	z := zip.NewWriter(&count)
	w, err := z.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(w, in); err != nil {
		return 0, err
	}
	err = z.Close()
	return int64(count), err
}

// byteCount counts what is written to it.
type byteCount int64

func (c *byteCount) Write(p []byte) (int, error) {
	*c += byteCount(len(p))
	return len(p), nil
}

// linkedSQLite lists the modules of SQLite that the linker says are in an executable.
func linkedSQLite(path string) (modules []string, err error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, dep := range info.Deps {
		if strings.HasPrefix(dep.Path, sqliteModules) {
			modules = append(modules, dep.Path)
		}
	}
	return modules, nil
}

func (l *lambdas) printBootstraps(w io.Writer) {
	rows := [][]string{{"", "bytes", "at most", "zipped", "SQLite", ""}}
	for _, f := range l.Bootstraps {
		sqlite, verdict := "none", "ok"
		if len(f.SQLite) > 0 {
			sqlite = strings.Join(f.SQLite, " ")
		}
		if f.over() {
			verdict = "OVER"
		}
		rows = append(rows, []string{f.Function, strconv.FormatInt(f.Bytes, 10), strconv.Itoa(bootstrapBytesMax), strconv.FormatInt(f.Zipped, 10), sqlite, verdict})
	}
	table(w, "Lambda: the bootstraps for linux/arm64", rows...)
}
