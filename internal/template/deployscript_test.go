package template

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// savedStage is what `sam deploy --guided` writes into samconfig.toml.
const savedStage = `version = 0.1

[other.deploy.parameters]
parameter_overrides = "Stage=\"other\""

[ENV.deploy.parameters]
stack_name = "shop-dev"
region = "cn-northwest-1"
parameter_overrides = "Stage=\"dev\" Architecture=\"x86_64\" WebhookUrl=\"\""
`

// falseSAM notes how it was called. When it is to ask, it saves the ANSWERS of the test.
const falseSAM = `#!/bin/sh
echo "${LAMBDA_ARCH:-} $*" >>calls
case "$*" in *--guided*) [ -z "${ANSWERS:-}" ] || echo "$ANSWERS" >>samconfig.toml ;; esac
`

// deployWith runs tools/deploy in a folder of its own, with a sam that only notes how it was called.
func deployWith(t *testing.T, samconfig string, args ...string) (calls []string, err error) {
	t.Helper()
	calls, _, err = deployIn(t, nil, samconfig, args...)
	return calls, err
}

// deployIn does so with further variables, and returns what was printed, too.
func deployIn(t *testing.T, env []string, samconfig string, args ...string) (calls []string, out string, err error) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import tomllib").Run(); err != nil && os.Getenv("CI") == "" {
		t.Skip("it needs python3, 3.11 or later")
	}
	dir := t.TempDir()
	script, readErr := os.ReadFile(root + "tools/deploy")
	if readErr != nil {
		t.Fatal(readErr)
	}
	for name, text := range map[string]string{
		"tools/deploy": string(script), "samconfig.toml": samconfig,
		"sam":    falseSAM,
		"python": "#!/bin/sh\nexec python3 \"$@\"\n", // it stands beside sam
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(dir, "tools/deploy"), args...)
	// No file of the AWS CLI but that of the test.
	cmd.Env = append([]string{"PATH=" + dir + ":" + os.Getenv("PATH"), "SAM=" + filepath.Join(dir, "sam"), "AWS_CONFIG_FILE=" + filepath.Join(dir, "none")}, env...)
	printed, err := cmd.Output()
	raw, readErr := os.ReadFile(filepath.Join(dir, "calls"))
	if readErr == nil {
		calls = strings.Split(strings.TrimSpace(string(raw)), "\n")
	}
	return calls, string(printed), err
}

func TestTheFirstDeploymentOfAStageAsksAndTheNextOnesDoNot(t *testing.T) {
	t.Parallel()
	const flags = " --confirm-changeset --no-fail-on-empty-changeset --capabilities CAPABILITY_IAM --resolve-s3 --tags app=xpay stage=dev"
	for name, c := range map[string]struct {
		samconfig string
		args      []string
		want      []string
	}{
		"the first time": {"version = 0.1\n", []string{"dev"}, []string{
			"arm64 build --parameter-overrides Architecture=arm64",
			" deploy --config-env dev" + flags + " --guided --stack-name xpay-dev --region us-east-1 --parameter-overrides Stage=dev Architecture=arm64",
		}},
		"another stage was deployed": {strings.ReplaceAll(savedStage, "ENV", "staging"), []string{"dev"}, []string{
			"arm64 build --parameter-overrides Architecture=arm64",
			" deploy --config-env dev" + flags + " --guided --stack-name xpay-dev --region us-east-1 --parameter-overrides Stage=dev Architecture=arm64",
		}},
		"the next time": {strings.ReplaceAll(savedStage, "ENV", "dev"), []string{"dev"}, []string{
			"x86_64 build --parameter-overrides Architecture=x86_64",
			" deploy --config-env dev" + flags,
		}},
		"the first time in China": {strings.ReplaceAll(savedStage, "ENV", "dev"), []string{"dev", "cn"}, []string{
			"arm64 build --parameter-overrides Architecture=arm64",
			" deploy --config-env cn-dev" + flags + " --guided --stack-name xpay-dev --region cn-north-1 --parameter-overrides Stage=dev Architecture=arm64",
		}},
		"the next time in China": {strings.ReplaceAll(savedStage, "ENV", "cn-dev"), []string{"dev", "cn"}, []string{
			"x86_64 build --parameter-overrides Architecture=x86_64",
			" deploy --config-env cn-dev" + flags,
		}},
	} {
		got, err := deployWith(t, c.samconfig, c.args...)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v: -want +calls of sam\n%s", name, err, diff)
		}
	}
}

// TestWhatIsDeployedWasBuiltForTheProcessorThatWasAnswered: SAM asks for it after the functions were built.
func TestWhatIsDeployedWasBuiltForTheProcessorThatWasAnswered(t *testing.T) {
	t.Parallel()
	const answers = "[dev.deploy.parameters]\nstack_name = \"shop\"\nregion = \"eu-west-1\"\nparameter_overrides = \"Stage=\\\"dev\\\" Architecture=\\\"%s\\\"\"\n"
	for _, c := range []struct{ built, answered string }{{"arm64", "arm64"}, {"arm64", "x86_64"}, {"x86_64", "x86_64"}, {"x86_64", "arm64"}} {
		env := []string{"LAMBDA_ARCH=" + c.built, "ANSWERS=" + fmt.Sprintf(answers, c.answered)}
		calls, out, err := deployIn(t, env, "version = 0.1\n", "dev")
		if err != nil || !strings.HasSuffix(strings.TrimSpace(out), "each with --stack shop --region eu-west-1 (make build makes bin/xpay)") {
			t.Errorf("%v: %v: %s", c, err, out)
		}
		if c.built == c.answered {
			if len(calls) != 2 {
				t.Errorf("%v: deployed more than once: %q", c, calls)
			}
			continue
		}
		again := c.answered + " build --parameter-overrides Architecture=" + c.answered
		if len(calls) != 4 || calls[2] != again || !strings.Contains(calls[3], " deploy --config-env dev ") || strings.Contains(calls[3], "--guided") {
			t.Errorf("%v: %q", c, calls)
		}
	}
}

func TestAnswersThatWereNotSavedCannotBeLookedAtAndThatIsSaid(t *testing.T) {
	t.Parallel()
	if _, out, err := deployIn(t, nil, "version = 0.1\n", "dev"); err != nil || !strings.Contains(out, "not in samconfig.toml") || !strings.Contains(out, "with LAMBDA_ARCH=") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestWhatWasSavedIsReadHoweverItIsWritten: SAM reads any TOML, and people edit the file as the runbook tells them to.
func TestWhatWasSavedIsReadHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	const section = "version = 0.1\n[dev.deploy.parameters]\n"
	for name, c := range map[string]struct{ samconfig, arch, next string }{
		"no spaces": {section + "stack_name=\"shop\"\nregion=\"eu-west-1\"\nparameter_overrides=\"Stage=dev Architecture=x86_64\"\n", "x86_64", "shop --region eu-west-1"},
		"a list":    {section + "stack_name = \"shop\"\nregion = \"eu-west-1\"\nparameter_overrides = [\n  \"Stage=dev\",\n  \"Architecture=x86_64\", # old\n]\n", "x86_64", "shop --region eu-west-1"},
		"single quotes and comments": {section + "stack_name = 'shop' # the \"real\" one\nregion = 'eu-west-1'   # near\nparameter_overrides = 'Stage=\"dev\" Architecture=\"x86_64\"'\n",
			"x86_64", "shop --region eu-west-1"},
		"SAM's long form": {section + "stack_name = \"shop\"\nregion = \"eu-west-1\"\nparameter_overrides = \"ParameterKey=Stage,ParameterValue=dev ParameterKey=Architecture,ParameterValue=x86_64\"\n",
			"x86_64", "shop --region eu-west-1"},
		"the word elsewhere": {section + "stack_name = \"shop\"\nregion = \"eu-west-1\"\nparameter_overrides = \"Architecture=arm64 ForwardUrl=https://x86_64.example\"\n", "arm64", "shop --region eu-west-1"},
		"for every command": {"version = 0.1\n[dev.global.parameters]\nstack_name = \"shop\"\nregion = \"eu-west-1\"\n[dev.deploy.parameters]\nparameter_overrides = \"Stage=dev\"\n",
			"arm64", "shop --region eu-west-1"},
	} {
		calls, out, err := deployIn(t, nil, c.samconfig, "dev")
		want := c.arch + " build --parameter-overrides Architecture=" + c.arch
		if err != nil || len(calls) != 2 || calls[0] != want || strings.Contains(calls[1], "--guided") || !strings.Contains(out, "--stack "+c.next+" ") {
			t.Errorf("%s: %v: %q, printed %q", name, err, calls, out)
		}
	}
}

func TestAConfigurationThatCannotBeReadIsNotDeployed(t *testing.T) {
	t.Parallel()
	for _, samconfig := range []string{"version = \n", "[dev.deploy.parameters]\nparameter_overrides = 7\n", "dev = 1\n"} {
		if calls, err := deployWith(t, samconfig, "dev"); err == nil || calls != nil {
			t.Errorf("%q: deployed: %v", samconfig, calls)
		}
	}
}

// TestTheProposedRegionIsTheCLIsUnlessItIsOfTheOtherPartition: China has other credentials.
func TestTheProposedRegionIsTheCLIsUnlessItIsOfTheOtherPartition(t *testing.T) {
	t.Parallel()
	const cli = "#!/bin/sh\n[ \"$*\" = \"configure get region\" ] && echo ap-southeast-1\n"
	for _, c := range []struct {
		name, env string
		args      []string
		want      string
	}{
		{"the CLI's own", "", []string{"dev"}, "ap-southeast-1"},
		{"a variable goes before it", "AWS_REGION=eu-west-1", []string{"dev"}, "eu-west-1"},
		{"the older variable, too", "AWS_DEFAULT_REGION=eu-west-2", []string{"dev"}, "eu-west-2"},
		{"one of China for the world", "AWS_REGION=cn-north-1", []string{"dev"}, "us-east-1"},
		{"one of the world for China", "", []string{"dev", "cn"}, "cn-north-1"},
		{"Ningxia", "AWS_REGION=cn-northwest-1", []string{"dev", "cn"}, "cn-northwest-1"},
	} {
		bin := t.TempDir()
		if err := os.WriteFile(filepath.Join(bin, "aws"), []byte(cli), 0o755); err != nil {
			t.Fatal(err)
		}
		calls, out, err := deployIn(t, []string{"PATH=" + bin + ":" + os.Getenv("PATH"), c.env}, "version = 0.1\n", c.args...)
		if err != nil || !strings.Contains(calls[len(calls)-1], " --region "+c.want+" ") || !strings.Contains(out, "--stack xpay-dev --region "+c.want+" ") {
			t.Errorf("%s: %v: %q, printed %q", c.name, err, calls, out)
		}
	}
}

// TestTheNextStepsNameTheStackThatWasTypedTheFirstTime: both may differ from what is proposed.
func TestTheNextStepsNameTheStackThatWasTypedTheFirstTime(t *testing.T) {
	t.Parallel()
	_, out, err := deployIn(t, nil, strings.ReplaceAll(savedStage, "ENV", "cn-dev"), "dev", "cn")
	if err != nil || !strings.Contains(out, "--stack shop-dev --region cn-northwest-1 ") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAStageWithoutANameIsNotDeployed(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {""}, {"Dev"}, {"a b"}, {"-x"}, {"default"}, {"cn-dev"}, {"averyveryverylongname"}, {"dev", "us"}} {
		if calls, err := deployWith(t, "", args...); err == nil || calls != nil {
			t.Errorf("%q: deployed: %v", args, calls)
		}
	}
}
