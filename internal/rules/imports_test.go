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
	"internal/observe": {},
	"internal/store":   {},
	"internal/catalog": {"pkg/xpay"},

	"internal/store/sqlite":    {"internal/store"},
	"internal/store/storetest": {"internal/store"},

	"internal/order":   {"internal/catalog", "internal/problem", "internal/store", "pkg/xpay"},
	"internal/deliver": {"internal/catalog", "internal/order", "internal/problem", "internal/store", "pkg/xpay"},
	"internal/deliver/eventbus": {
		"internal/catalog", "internal/deliver", "internal/order", "internal/problem", "internal/store", "pkg/xpay",
	},
	"internal/session": {"internal/problem", "internal/store", "pkg/miniprogram"},
	"internal/worker":  {"internal/observe", "internal/problem", "internal/store"},
	"internal/httpapi": {
		"internal/catalog", "internal/observe", "internal/order", "internal/problem", "internal/session", "internal/store",
		"pkg/miniprogram", "pkg/xpay",
	},
	"internal/backend": {
		"internal/catalog", "internal/deliver", "internal/httpapi", "internal/observe", "internal/order", "internal/problem", "internal/session",
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
	"functions/reconcile":   append([]string{"internal/deliver/eventbus"}, onLambda...), // alone: the other binaries do not carry it
	"functions/sweep":       onLambda,
	"functions/canary":      {"internal/canary", "pkg/miniprogram"},
	"internal/canary":       {"pkg/miniprogram"},

	"internal/ordered":   {},
	"internal/explain":   {"internal/ordered", "pkg/xpay"},
	"internal/goodsplan": {"internal/catalog", "pkg/xpay"},
	"internal/doctor": {
		"internal/backend", "internal/catalog", "internal/deliver", "internal/goodsplan", "internal/httpapi", "internal/observe", "internal/order", "internal/problem",
		"internal/session", "internal/store", "internal/worker", "pkg/miniprogram", "pkg/xpay",
	},

	"internal/cost":          {},
	"internal/cost/capacity": {},

	"internal/operator":   {},
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
	"internal/awsenv", "internal/backend", "internal/bridge", "internal/catalog", "internal/deliver", "internal/httpapi", "internal/observe", "internal/order",
	"internal/problem", "internal/session", "internal/store", "internal/store/dynamo", "internal/worker",
	"pkg/miniprogram", "pkg/xpay",
}

// lambdas are the packages that run there.
var lambdas = []string{
	"internal/bench/bare", "internal/awsenv", "functions/createorder", "functions/callback", "functions/refund", "functions/orders", "functions/login",
	"functions/reconcile", "functions/sweep", "functions/canary", "internal/canary",
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
		may: slices.Concat([]string{"internal/catalog", "internal/order", "internal/deliver", "internal/deliver/eventbus", "internal/httpapi", "internal/backend", "internal/template", "internal/goodsplan", "internal/doctor"},
			lambdas, onOneMachine),
	},
	{
		code: []string{"github.com/aws/aws-lambda-go"}, // its event types
		may:  slices.Concat([]string{"internal/worker", "internal/backend", "internal/bridge", "internal/doctor"}, lambdas, onOneMachine),
	},
	{
		code: []string{"github.com/aws/aws-sdk-go-v2/service/lambda", "github.com/aws/aws-sdk-go-v2/service/codedeploy"}, // large, and of no use while serving
		may:  []string{"internal/canary", "functions/canary"},
	},
	{code: []string{"github.com/aws/aws-sdk-go-v2/service/eventbridge"}}, // 0.6 MB for two calls: for tests only
	{ // credentials from wherever the AWS CLI has them: a Lambda has its own in the environment
		code: []string{
			"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/credentials", "github.com/aws/aws-sdk-go-v2/feature/ec2/imds",
			"github.com/aws/aws-sdk-go-v2/service/cloudformation", "github.com/aws/aws-sdk-go-v2/service/signin", "github.com/aws/aws-sdk-go-v2/service/sso",
			"github.com/aws/aws-sdk-go-v2/service/ssooidc", "github.com/aws/aws-sdk-go-v2/service/sts",
		},
		may: []string{"internal/operator", "cmd/xpay"},
	},
	{
		code: []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"},
		may: slices.Concat([]string{"internal/operator", "internal/store/dynamo", "internal/store/dynamo/tables", "internal/deliver/eventbus", "internal/awstest", "internal/lambdatest"},
			lambdas, onOneMachine),
	},
	{code: []string{"github.com/alecthomas/kong", "golang.org/x/term"}, may: []string{"cmd/xpay"}},
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
