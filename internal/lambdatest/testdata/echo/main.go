// Command echo is a function for the tests of lambdatest. MODE says which.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

func main() {
	switch mode := os.Getenv("MODE"); mode {
	case "crash in init":
		fmt.Println("the configuration is wrong")
		os.Exit(3)
	case "hang in init":
		time.Sleep(time.Hour)
	case "http":
		lambda.Start(bridge.HTTP(http.HandlerFunc(serve), slog.Default()))
	case "queue":
		lambda.Start(bridge.Queue(work, slog.Default()))
	case "call":
		lambda.Start(callOut)
	default:
		lambda.Start(handle)
	}
}

type order struct {
	Do     string `json:"do"`
	Millis int    `json:"millis"`
	Bytes  int    `json:"bytes"`
}

type answer struct {
	Did      string   `json:"did"`
	Env      []string `json:"env,omitempty"`
	Deadline int64    `json:"deadline,omitempty"` // milliseconds from now
	Filling  string   `json:"filling,omitempty"`
}

func handle(ctx context.Context, o order) (answer, error) {
	switch o.Do {
	case "env":
		deadline, _ := ctx.Deadline()
		return answer{Did: o.Do, Env: os.Environ(), Deadline: time.Until(deadline).Milliseconds()}, nil
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Duration(o.Millis) * time.Millisecond)
		fmt.Println("slept")
	case "fail":
		return answer{}, errors.New("no such order")
	case "panic":
		panic("broken invariant")
	case "exit":
		os.Exit(7)
	case "end":
		os.Exit(0)
	case "fill":
		return answer{Did: o.Do, Filling: strings.Repeat("x", o.Bytes)}, nil
	}
	return answer{Did: o.Do}, nil
}

// callOut posts to TARGET and waits for the answer.
func callOut() (int, error) {
	resp, err := http.Post(os.Getenv("TARGET"), "text/plain", strings.NewReader("hello"))
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// serve answers with the body and, in headers, with what it saw.
func serve(w http.ResponseWriter, r *http.Request) {
	caller, verified := bridge.Caller(r.Context())
	w.Header().Set("X-Saw", fmt.Sprintf("%s %s %q %s", r.Method, r.RequestURI, r.URL.Path, r.Host))
	w.Header().Set("X-Saw-Headers", fmt.Sprintf("%q %q", r.Header["X-Twice"], r.Header["Cookie"]))
	w.Header().Set("X-Caller", fmt.Sprint(verified, " ", caller.UserARN))
	w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.WriteHeader(http.StatusCreated)
	if _, err := io.Copy(w, r.Body); err != nil {
		panic(err)
	}
}

// work asks for the poison again, and never finishes a batch with a bomb in it.
func work(_ context.Context, batch events.SQSEvent) (out events.SQSEventResponse, err error) {
	for _, m := range batch.Records {
		switch m.Body {
		case "poison":
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		case "bomb":
			os.Exit(9)
		}
	}
	return out, nil
}
