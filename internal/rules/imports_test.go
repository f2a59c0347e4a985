package rules

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says for each package of ours which others of ours its code (tests aside) may reach, through however many
// steps. A package that is not listed fails the test: say what it may see.
//
// The direction: cmd and functions -> localenv, awsenv -> backend -> httpapi, worker -> order and its siblings -> pkg.
var allowed = map[string][]string{
	"pkg/xpay":        {},
	"pkg/miniprogram": {},
	"pkg/wechatsim":   {},

	"internal/problem": {},
	"internal/store":   {},
	"internal/catalog": {"pkg/xpay"},

	"internal/store/sqlite":    {"internal/store"},
	"internal/store/storetest": {"internal/store"},

	"internal/order":   {"internal/catalog", "internal/problem", "internal/store", "pkg/xpay"},
	"internal/session": {"internal/problem", "internal/store", "pkg/miniprogram"},
	"internal/worker":  {"internal/problem", "internal/store"},
	"internal/httpapi": {
		"internal/catalog", "internal/order", "internal/problem", "internal/session", "internal/store",
		"pkg/miniprogram", "pkg/xpay",
	},
	"internal/backend": {
		"internal/catalog", "internal/httpapi", "internal/order", "internal/problem", "internal/session",
		"internal/store", "internal/worker", "pkg/miniprogram", "pkg/xpay",
	},
	"internal/bridge":              {},
	"internal/awstest":             {},
	"internal/lambdatest":          {},
	"internal/lambdae2e":           {},
	"internal/template":            {},
	"internal/store/dynamo":        {"internal/store"},
	"internal/store/dynamo/tables": {},
	"internal/awsenv":              onLambda,

	"functions/createorder": onLambda,
	"functions/callback":    onLambda,
	"functions/refund":      onLambda,
	"functions/orders":      onLambda,
	"functions/login":       onLambda,
	"functions/reconcile":   onLambda,
	"functions/sweep":       onLambda,

	"internal/ordered":   {},
	"internal/explain":   {"internal/ordered", "pkg/xpay"},
	"internal/goodsplan": {"internal/catalog", "pkg/xpay"},
	"internal/doctor": {
		"internal/backend", "internal/catalog", "internal/goodsplan", "internal/httpapi", "internal/order", "internal/problem",
		"internal/session", "internal/store", "internal/worker", "pkg/miniprogram", "pkg/xpay",
	},

	"internal/localenv":   anyOfOurs,
	"internal/bench":      anyOfOurs,
	"internal/bench/bare": {},
	"internal/samlocal":   anyOfOurs,
	"internal/e2e":        {},
	"internal/simulation": {},
	"internal/rules":      {},
	"cmd/xpay":            anyOfOurs,
}

var anyOfOurs = []string{"*"}

// onLambda is what a Lambda is made of: nothing of SQLite, nothing of the simulated WeChat.
var onLambda = []string{
	"internal/awsenv", "internal/backend", "internal/bridge", "internal/catalog", "internal/httpapi", "internal/order",
	"internal/problem", "internal/session", "internal/store", "internal/store/dynamo", "internal/worker",
	"pkg/miniprogram", "pkg/xpay",
}

// lambdas are the packages that run there.
var lambdas = []string{
	"internal/bench/bare", "internal/awsenv", "functions/createorder", "functions/callback", "functions/refund", "functions/orders", "functions/login",
	"functions/reconcile", "functions/sweep",
}

// foreign says who may reach code that is not ours. What is not listed, nobody may: a new dependency needs a line of
// reason in docs/decisions and a line here. SQLite must never come near a Lambda.
var foreign = []struct{ code, may []string }{
	{
		code: []string{
			"database/sql", "modernc.org/", "github.com/dustin/go-humanize", "github.com/google/uuid", "github.com/mattn/go-isatty",
			"github.com/ncruces/go-strftime", "github.com/remyoudompheng/bigfft", "golang.org/x/sys",
		},
		may: append([]string{"internal/store/sqlite"}, onOneMachine...),
	},
	{
		code: []string{"go.yaml.in/yaml/v3"},
		may: slices.Concat([]string{"internal/catalog", "internal/order", "internal/httpapi", "internal/backend", "internal/template", "internal/goodsplan", "internal/doctor"},
			lambdas, onOneMachine),
	},
	{
		code: []string{"github.com/aws/aws-lambda-go"}, // its event types
		may:  slices.Concat([]string{"internal/worker", "internal/backend", "internal/bridge", "internal/doctor"}, lambdas, onOneMachine),
	},
	{
		code: []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"},
		may: slices.Concat([]string{"internal/store/dynamo", "internal/store/dynamo/tables", "internal/awstest", "internal/lambdatest"},
			lambdas, onOneMachine),
	},
	{code: []string{"github.com/alecthomas/kong"}, may: []string{"cmd/xpay"}},
	{code: []string{"github.com/google/go-cmp"}, may: []string{"internal/store/storetest"}},
	{code: []string{"testing"}, may: []string{"internal/store/storetest", "internal/bench", "internal/awstest"}},
}

// onOneMachine is what runs the whole product in one process.
var onOneMachine = []string{"internal/localenv", "internal/bench", "internal/samlocal", "cmd/xpay"}

type goPackage struct {
	ImportPath string
	Name       string
	Standard   bool
	Deps       []string
}

// TestEveryPackageReachesOnlyWhatItMay walks `go list -deps`.
func TestEveryPackageReachesOnlyWhatItMay(t *testing.T) {
	module := strings.TrimSpace(goOutput(t, "list", "-m"))
	for _, p := range listPackages(t, module+"/...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		may, known := allowed[name]
		if !known {
			t.Errorf("%s is not in the table of who may import whom", name)
			continue
		}
		for _, dep := range p.Deps {
			if ours, ok := strings.CutPrefix(dep, module+"/"); ok {
				if !slices.Contains(may, ours) && !slices.Contains(may, "*") {
					t.Errorf("%s reaches %s, which it may not see", name, ours)
				}
				continue
			}
			checkForeign(t, name, dep)
		}
	}
}

// checkForeign: who may reach a package that is not ours.
func checkForeign(t *testing.T, name, dep string) {
	t.Helper()
	for _, group := range foreign {
		for _, prefix := range group.code {
			if dep != prefix && !strings.HasPrefix(dep, strings.TrimSuffix(prefix, "/")+"/") {
				continue
			}
			if !slices.Contains(group.may, name) {
				t.Errorf("%s reaches %s, which it may not", name, dep)
			}
			return
		}
	}
	if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") {
		t.Errorf("%s reaches %s, which nobody may", name, dep)
	}
}

func listPackages(t *testing.T, pattern string) []goPackage {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(goOutput(t, "list", "-json=ImportPath,Name,Standard,Deps", pattern)))
	var all []goPackage
	for dec.More() {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}

func goOutput(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
