package canary_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
	"github.com/xpay-serverless/xpay-serverless/internal/lambdatest"
	"github.com/xpay-serverless/xpay-serverless/internal/template"
)

const versionARN = "arn:aws:lambda:us-east-1:123456789012:function:xpay-CallbackFunction-1A2B3C:7"

// cloud speaks as much of the protocols of Secrets Manager, Lambda and CodeDeploy as the hook uses, and records.
type cloud struct {
	secret  string
	version bridge.Function
	fails   bool // the version answers with a function error
	denies  int  // so many calls of the version are denied, as long as IAM does not know of it

	mu       sync.Mutex
	services []string // by the scope of the signatures
	reports  []map[string]string
	used     map[string][]string // for each action the resource, as template.yaml writes it
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a broken request matches nothing below
	c.sign(r.Header.Get("Authorization"))
	target, path := r.Header.Get("X-Amz-Target"), r.URL.Path
	if c.denied(target, path) {
		w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"Message":"User: arn:aws:sts::123456789012:assumed-role/r/f is not authorized to perform: lambda:InvokeFunction"}`)
		return
	}
	switch {
	case target == "secretsmanager.GetSecretValue" && c.secret != "":
		fmt.Fprintf(w, `{"Name":"push","VersionId":"EXAMPLE1-90ab-cdef-fedc-ba987SECRET1","SecretString":%q}`, c.secret)
	case target == "secretsmanager.GetSecretValue":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"}`)
	case target == "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus":
		c.report(w, body)
	case r.Method == http.MethodPost && path == "/2015-03-31/functions/"+versionARN+"/invocations":
		c.invoke(w, r, body)
	default:
		http.Error(w, `{"__type":"UnknownOperationException"}`, http.StatusBadRequest)
	}
}

// denied notes which permission a request needs, and reports whether it is refused.
func (c *cloud) denied(target, path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	action, resource := "lambda:InvokeFunction", "!Ref CallbackFunction.Version"
	switch {
	case strings.HasPrefix(target, "secretsmanager."):
		action, resource = "secretsmanager:GetSecretValue", "!Ref PushSecret"
	case strings.HasPrefix(target, "CodeDeploy_20141006."):
		action = "codedeploy:PutLifecycleEventHookExecutionStatus"
		resource = "!Sub arn:${AWS::Partition}:codedeploy:${AWS::Region}:${AWS::AccountId}:deploymentgroup:${AWS::StackName}-ServerlessDeploymentApplication-*"
	}
	if c.used == nil {
		c.used = map[string][]string{}
	}
	c.used[action] = []string{resource}
	if path == "/" || c.denies == 0 {
		return false
	}
	c.denies--
	return true
}

// sign notes for which service a request was signed: AWS4-HMAC-SHA256 Credential=KEY/20260301/us-east-1/lambda/aws4_request, ...
func (c *cloud) sign(authorization string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if scope := strings.Split(authorization, "/"); len(scope) > 3 {
		c.services = append(c.services, scope[3])
	}
}

func (c *cloud) report(w http.ResponseWriter, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var said map[string]string
	_ = json.Unmarshal(body, &said) // what is not JSON is compared as nothing
	c.reports = append(c.reports, said)
	fmt.Fprintf(w, `{"lifecycleEventHookExecutionId":%q}`, said["lifecycleEventHookExecutionId"])
}

func (c *cloud) invoke(w http.ResponseWriter, r *http.Request, event []byte) {
	if c.fails {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		fmt.Fprint(w, `{"errorMessage":"Runtime exited with error: exit status 1","errorType":"Runtime.ExitError"}`)
		return
	}
	answer, err := c.version(r.Context(), event)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-Amz-Executed-Version", "7")
	w.Write(answer)
}

// build makes the bootstrap with the flags of the deployment, for this machine.
func build(t *testing.T) string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", bootstrap, "./functions/canary")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bootstrap
}

// TestTheBootstrapTellsCodeDeployWhatItFound runs the Lambda as it is deployed. The event and the report are those of
// CodeDeploy's documentation (AppSpec 'hooks' section, PutLifecycleEventHookExecutionStatus).
func TestTheBootstrapTellsCodeDeployWhatItFound(t *testing.T) {
	bootstrap := build(t)
	roles, err := template.Roles("../../template.yaml", "WithCanary")
	if err != nil {
		t.Fatal(err)
	}
	grants := roles["canary"]
	delete(grants, "logs:CreateLogStream") // Lambda itself writes the log
	delete(grants, "logs:PutLogEvents")
	secret := fmt.Sprintf(`{"tokens":[%q,"hunter2old"],"aesKeys":[%q,%q]}`, token, key, strings.Repeat("o", 43))
	for _, c := range []struct {
		name   string
		cloud  *cloud
		status string
	}{
		{"a healthy version", &cloud{secret: secret, version: callback(t, token, key, "")}, "Succeeded"},
		{"a version that the role may not call yet", &cloud{secret: secret, version: callback(t, token, key, ""), denies: 5}, "Succeeded"},
		{"a version with another token", &cloud{secret: secret, version: callback(t, "hunter3token", key, "")}, "Failed"},
		{"a version that cannot start", &cloud{secret: secret, fails: true}, "Failed"},
		{"no value in the secret", &cloud{version: callback(t, token, key, "")}, "Failed"},
		{"a secret of another form", &cloud{secret: `{"token":"hunter2token"}`, version: callback(t, token, key, "")}, "Failed"},
	} {
		aws := httptest.NewServer(c.cloud)
		t.Cleanup(aws.Close)
		fn := lambdatest.New(lambdatest.Config{Bootstrap: bootstrap, Name: "canary", Timeout: 30 * time.Second, Env: []string{
			"AWS_ENDPOINT_URL=" + aws.URL, "XPAY_APP_ID=" + appID, "XPAY_PUSH_SECRET=push", "XPAY_FORWARD_URL=", "XPAY_NEW_VERSION=" + versionARN,
		}})
		t.Cleanup(fn.Stop)
		if _, err := fn.Invoke(t.Context(), []byte(`{"DeploymentId":"d-EXAMPLE1A","LifecycleEventHookExecutionId":"eyJlbmNyeXB0ZWREYXRhIjoi"}`)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		want := []map[string]string{{"deploymentId": "d-EXAMPLE1A", "lifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoi", "status": c.status}}
		if diff := cmp.Diff(want, c.cloud.reports); diff != "" {
			t.Errorf("%s: reports: -want +got\n%s", c.name, diff)
		}
		for _, line := range fn.Logs() {
			if strings.Contains(line, "hunter") || strings.Contains(line, key) {
				t.Errorf("%s: the log shows a secret: %s", c.name, line)
			}
		}
		if c.status == "Succeeded" {
			if diff := cmp.Diff(grants, c.cloud.used); diff != "" {
				t.Errorf("%s: -what the role grants +what was used\n%s", c.name, diff)
			}
		}
		if c.name == "a healthy version" {
			if diff := cmp.Diff([]string{"secretsmanager", "lambda", "lambda", "codedeploy"}, c.cloud.services); diff != "" {
				t.Errorf("%s: signed for: -want +got\n%s", c.name, diff)
			}
		}
	}
}
