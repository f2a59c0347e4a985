package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// binary is the command as `make build` makes it. Without the race detector it starts in a twentieth of the time, and
// the tools run one thing at a time.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryFolder, "xpay")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

var binaryFolder string

func TestMain(m *testing.M) {
	var err error
	if binaryFolder, err = os.MkdirTemp("", "xpay-binary-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(binaryFolder)
	os.Exit(code)
}

// tool is one run of the command in a folder of its own.
type tool struct {
	stdin string
	env   []string
	dir   string
}

type result struct {
	code        int
	out, stderr string
}

func (r result) all() string { return r.out + r.stderr }

func (b tool) run(t *testing.T, args ...string) result {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = b.dir
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}, b.env...)
	cmd.Stdin = strings.NewReader(b.stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// want checks the exit code and that every text is printed somewhere.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit %d, expected %d:\n%s", r.code, code, r.all())
	}
	for _, text := range texts {
		if !strings.Contains(r.all(), text) {
			t.Errorf("it does not print %q:\n%s", text, r.all())
		}
	}
	return r
}

func (r result) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), into); err != nil {
		t.Fatalf("%v: %s", err, r.all())
	}
}

// Ids and secrets of the simulated mini-program. No secret is part of another text that is printed.
const (
	testAppID      = "wx1234567890abcdef"
	testSecret     = "test-app-secret-0001"
	testOffer      = "1450000001"
	testKey        = "test-production-key-0001"
	testSandboxKey = "test-sandbox-key-0002"
	testToken      = "vp_token_1"
	testAESKey     = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

var testSecrets = []string{testSecret, testKey, testSandboxKey, testToken, consoleToken, testAESKey}

// silent checks that no secret was printed.
func (r result) silent(t *testing.T) result {
	t.Helper()
	for _, secret := range testSecrets {
		if strings.Contains(r.all(), secret) {
			t.Errorf("the secret %s is printed:\n%s", secret, r.all())
		}
	}
	return r
}

// simulated is a WeChat on loopback, and the flags that point to it.
func simulated(t *testing.T, change func(*wechatsim.Config)) (sim *wechatsim.Sim, url string) {
	t.Helper()
	cfg := wechatsim.Config{
		AppID: testAppID, AppSecret: testSecret, OfferID: testOffer, AppKeys: map[int]string{0: testKey, 1: testSandboxKey},
		Push: wechatsim.Push{URL: "http://127.0.0.1:1/", Token: testToken, EncodingAESKey: testAESKey, Mode: "aes", Format: "json"}, Seed: 1,
		GoodsTaskDelay: 20 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	sim, err := wechatsim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return sim, server.URL
}

// configured writes a configuration file and gives its path.
func configured(t *testing.T, change func(map[string]any)) string {
	t.Helper()
	cfg := map[string]any{
		"appId": testAppID, "offerId": testOffer, "env": 0,
		"merchant": map[string]any{"appSecret": testSecret, "appKeys": map[string]any{"production": testKey, "sandbox": testSandboxKey}},
		"push":     map[string]any{"tokens": []string{testToken}, "aesKeys": []string{testAESKey}},
	}
	if change != nil {
		change(cfg)
	}
	raw, err := json.Marshal(cfg)
	path := filepath.Join(t.TempDir(), "config.json")
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
