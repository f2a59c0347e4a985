// Command samlocal runs the Lambda functions in Docker with the SAM CLI, against a simulated WeChat (`xpay dev`) and a
// simulated AWS (moto). Without flags it invokes each function with the events of events/ and checks the answers;
// with -api it keeps the HTTP API open until it is interrupted. `make sam-local` and `make sam-api` call it.
//
// What it writes lies in .xpay/sam, new at each start, and in .aws-sam/local. Nothing in it is secret: the keys are the
// published ones of the protocol's test vectors, so that the signed events of events/ fit them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Folders and files, from the root of the repository.
const (
	workFolder   = ".xpay/sam"
	devFolder    = workFolder + "/dev"    // the data folder of `xpay dev`
	freshEvents  = workFolder + "/events" // what had to be signed or filled in today
	envFile      = workFolder + "/env.json"
	buildFolder  = ".aws-sam/local"
	builtSAM     = buildFolder + "/template.yaml"
	eventsFolder = "events"
)

func main() {
	api := flag.Bool("api", false, "keep the HTTP API open on -port until it is interrupted")
	port := flag.Int("port", 3000, "port of the HTTP API")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *api, *port); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "sam-local:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, api bool, port int) error {
	tools, err := findTools(ctx)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(workFolder); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	world, err := startWorld(ctx, tools, fmt.Sprintf("http://127.0.0.1:%d/wechat/push", port))
	defer world.wait()
	defer stop()
	if err != nil {
		return err
	}
	if err := build(ctx, tools); err != nil {
		return err
	}
	if err := haveImage(ctx, tools); err != nil {
		return err
	}
	s := &scenario{tools: tools, world: world}
	if err := errors.Join(s.login(ctx), freshEcho(time.Now())); err != nil {
		return err
	}
	if api {
		return serve(ctx, tools, world, port)
	}
	return s.run(ctx)
}

// architecture is this machine's, in Lambda's words.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// build builds the functions for this machine. `sam deploy` takes another folder, so that it never takes these.
func build(ctx context.Context, t tools) error {
	say("building the functions for %s", architecture())
	cmd := t.sam(ctx, "build", "--build-dir", buildFolder, "--parameter-overrides", "Architecture="+architecture())
	cmd.Env = append(cmd.Env, "LAMBDA_ARCH="+architecture())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sam build: %w\n%s", err, out)
	}
	raw, err := os.ReadFile(builtSAM)
	if err != nil {
		return err
	}
	built, err := withArchitecture(string(raw), architecture())
	if err != nil {
		return err
	}
	return os.WriteFile(builtSAM, []byte(built), 0o644)
}

// haveImage makes sure that the image is there in which SAM runs the functions: AWS's own where it can be had.
func haveImage(ctx context.Context, t tools) error {
	const repository = "public.ecr.aws/lambda/provided:al2023-"
	base, run := repository+architecture(), repository+"rapid-"+architecture()
	if t.docker(ctx, "image", "inspect", run).Run() == nil || t.docker(ctx, "pull", "--quiet", base).Run() == nil {
		return nil
	}
	say("the registry public.ecr.aws cannot be reached: making a stand-in for its image")
	if out, err := t.command(ctx, filepath.Join("tools", "standin", "image"), architecture()).CombinedOutput(); err != nil {
		return fmt.Errorf("tools/standin/image: %w\n%s", err, out)
	}
	return nil
}

// serve keeps the HTTP API open.
func serve(ctx context.Context, t tools, w *world, port int) error {
	fmt.Printf(`
API               http://127.0.0.1:%d   (the first call of each function takes a few seconds)
simulated WeChat  %s
simulated AWS     %s

In another terminal:
  curl http://127.0.0.1:%d/products
  curl http://127.0.0.1:%d/orders -H 'Authorization: Bearer %s' \
    -H 'Idempotency-Key: my-first-order' -H 'Content-Type: application/json' -d '{"productId":"gem_60","quantity":1}'
  %s local invoke CreateOrderFunction -e events/createorder.json

The /merchant routes need SigV4, which sam local does not imitate: invoke them with events/refund.json and the like.
Ctrl-C stops; nothing is kept.
`, port, w.weChatURL, w.awsURL, port, port, devToken, t.samPath)
	cmd := t.sam(ctx, "local", "start-api", "--port", fmt.Sprint(port))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func say(format string, args ...any) { fmt.Printf(format+" ...\n", args...) }
