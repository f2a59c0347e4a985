package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// invoke gives an event to a function.
type invoke func(ctx context.Context, function, eventFile string) (answer, error)

// answer is what a function returned: an HTTP reply, a batch result, or a number.
type answer struct {
	Status int    `json:"statusCode"`
	Body   string `json:"body"`
	raw    []byte // all of it, without spaces: SAM writes the JSON anew
}

func readAnswer(out []byte) (answer, error) {
	var raw bytes.Buffer
	if err := json.Compact(&raw, out); err != nil {
		return answer{}, fmt.Errorf("the answer is no JSON: %s", out)
	}
	a := answer{raw: raw.Bytes()}
	_ = json.Unmarshal(a.raw, &a) // a number is no reply: raw has it
	return a, nil
}

// command is `sam local invoke` exactly as the documentation tells the user to call it.
func (s *scenario) command(ctx context.Context, function, eventFile string) (answer, error) {
	fmt.Printf("$ sam local invoke %s -e %s\n", function, eventFile)
	cmd := s.tools.sam(ctx, "local", "invoke", function, "-e", eventFile)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return answer{}, ctx.Err()
	case err != nil:
		return answer{}, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return readAnswer(out)
}

// startSAM starts one of SAM's servers on a free port. Call stop when it is not needed any more.
func (s *scenario) startSAM(ctx context.Context, server string) (url string, stop context.CancelFunc, err error) {
	port, err := freePort("127.0.0.1")
	if err != nil {
		return "", nil, err
	}
	fmt.Printf("$ sam local %s --port %s\n", server, port)
	ctx, stop = context.WithCancel(ctx)
	err = s.world.start(s.tools.sam(ctx, "local", server, "--port", port), server+".log")
	if err == nil {
		err = waitFor(ctx, "127.0.0.1:"+port)
	}
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("sam local %s: %w: see %s/%s.log", server, err, workFolder, server)
	}
	return "http://127.0.0.1:" + port, stop, nil
}

// invoker calls functions as the AWS SDKs do, at `sam local start-lambda`.
func invoker(url string) invoke {
	return func(ctx context.Context, function, eventFile string) (answer, error) {
		raw, err := os.ReadFile(eventFile)
		if err != nil {
			return answer{}, err
		}
		target := url + "/2015-03-31/functions/" + function + "/invocations"
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(raw))
		if err != nil {
			return answer{}, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return answer{}, err
		}
		defer resp.Body.Close()
		out, err := io.ReadAll(resp.Body)
		if err != nil {
			return answer{}, err
		}
		if failed := resp.Header.Get("X-Amz-Function-Error"); resp.StatusCode != http.StatusOK || failed != "" {
			return answer{}, fmt.Errorf("%s %s: %s: see %s/start-lambda.log", resp.Status, failed, out, workFolder)
		}
		return readAnswer(out)
	}
}

// weChat calls the control side of the simulated WeChat: GET without a body.
func (s *scenario) weChat(ctx context.Context, path string, in, out any) error {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		method, body = http.MethodPost, bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.world.weChatURL+path, body)
	if err == nil {
		err = call(req, out)
	}
	if err != nil {
		return fmt.Errorf("simulated WeChat: %w", err)
	}
	return nil
}

// call reads the JSON of an answer; any but 200 is an error.
func call(req *http.Request, out any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status + ": " + strings.TrimSpace(string(raw)))
	}
	if err == nil {
		err = json.Unmarshal(raw, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	return nil
}
