package operator

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// transport answers each request with an error.
type transport struct{ err error }

func (r transport) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }

func TestARegionWithoutAHostIsNoOutageAndAResolverThatFailsIsOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      *net.DNSError
		noRegion bool
	}{
		"no such host":    {&net.DNSError{Err: "no such host", Name: "cloudformation.us-east-99.amazonaws.com", IsNotFound: true}, true},
		"a resolver away": {&net.DNSError{Err: "server misbehaving", Name: "cloudformation.us-east-1.amazonaws.com", IsTemporary: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Stack{Name: "x", Region: "us-east-99", cfg: aws.Config{
				Region: "us-east-99", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
				HTTPClient: &http.Client{Transport: transport{c.err}}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
			}}
			if err := s.describe(t.Context()); errors.Is(err, ErrNoRegion) != c.noRegion || Later(err) == c.noRegion {
				t.Errorf("%v, later %t", err, Later(err))
			}
		})
	}
}

func TestEveryRegionsNameIsTakenForOne(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"us-east-1", "cn-north-1", "cn-northwest-1", "us-gov-west-1", "ap-southeast-5", "eusc-de-east-1", "us-isob-east-1", "mx-central-1"} {
		if !regionName.MatchString(name) {
			t.Errorf("%s is refused", name)
		}
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
