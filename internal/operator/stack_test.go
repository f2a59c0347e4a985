package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

// transport answers each request with an error.
type transport struct{ err error }

func (r transport) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }

func TestARegionThatNobodyKnowsIsNoOutageAndANetworkThatIsAwayIsOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		region   string
		err      *net.DNSError
		noRegion bool
		says     string
	}{
		"no such region":                      {"us-east-99", &net.DNSError{Err: "no such host", Name: "host.example", IsNotFound: true}, true, "is the region right?"},
		"no network":                          {"us-east-1", &net.DNSError{Err: "no such host", Name: "host.example", IsNotFound: true}, false, "host.example cannot be found: is there a network?"},
		"no network in China":                 {"cn-northwest-1", &net.DNSError{Err: "no such host", Name: "host.example", IsNotFound: true}, false, "is there a network?"},
		"a resolver away":                     {"us-east-1", &net.DNSError{Err: "server misbehaving", Name: "host.example", IsTemporary: true}, false, "server misbehaving"},
		"a resolver away, and no such region": {"us-east-99", &net.DNSError{Err: "server misbehaving", Name: "host.example", IsTemporary: true}, false, "server misbehaving"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Stack{Name: "x", Region: c.region, cfg: aws.Config{
				Region: c.region, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
				HTTPClient: &http.Client{Transport: transport{c.err}}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
			}}
			err := s.describe(t.Context())
			if errors.Is(err, ErrNoRegion) != c.noRegion || Later(err) == c.noRegion || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, later %t", err, Later(err))
			}
		})
	}
}

func TestEveryRegionsNameIsTakenForOne(t *testing.T) {
	t.Parallel()
	for _, name := range regions {
		if !regionName.MatchString(name) {
			t.Errorf("%s is refused", name)
		}
	}
}

// TestTheRegionsAreThoseOfTheSDK: its table stands in a package that only the SDK may import.
func TestTheRegionsAreThoseOfTheSDK(t *testing.T) {
	t.Parallel()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal/endpoints/awsrulesfn/partitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Partitions []struct{ Regions map[string]any }
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range table.Partitions {
		for name := range p.Regions {
			if !strings.HasSuffix(name, "-global") { // no region, but where what has none is signed for
				want = append(want, name)
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(regions))); diff != "" {
		t.Errorf("-the SDK's table +ours\n%s", diff)
	}
}

func TestASecretVersionPrintsAsRedacted(t *testing.T) {
	t.Parallel()
	v := SecretVersion{ID: "1", Value: "hunter2"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, v); got != "[redacted]" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
