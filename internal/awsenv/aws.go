package awsenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// The SDK has no time limit of its own. A call that answers at all answers in milliseconds; the handlers' own
// deadlines are behind these.
const (
	dialTimeout  = time.Second
	tlsTimeout   = 2 * time.Second // a starting function has little of a CPU
	tryTimeout   = 2 * time.Second
	triesMax     = 3
	backoffMax   = 200 * time.Millisecond
	idleTimeout  = 60 * time.Second
	idlePerHost  = 16
	endpointPart = "AWS_ENDPOINT_URL_"
)

// awsConfig does by hand what LoadDefaultConfig would do for a Lambda: region, the role's credentials, which live as
// long as the sandbox does, and the endpoint variables. LoadDefaultConfig would link four more services (aws.md 8d).
func awsConfig(get func(string) string, transport http.RoundTripper) aws.Config {
	credentials := aws.Credentials{
		AccessKeyID: get(setKeyID), SecretAccessKey: get(setKey), SessionToken: get(setToken), Source: "environment",
	}
	return aws.Config{
		Region:      get(setRegion),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
		HTTPClient:  &http.Client{Transport: transport, Timeout: tryTimeout},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = triesMax, backoffMax })
		},
	}
}

// endpoint is where a service is asked instead of AWS, as the SDKs' own variables say; nil: at AWS.
func endpoint(get func(string) string, service string) *string {
	if get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == "true" {
		return nil
	}
	for _, name := range []string{endpointPart + service, setEndpoint} {
		if url := get(name); url != "" {
			return &url
		}
	}
	return nil
}

// newTransport loads the system's root certificates: 15 ms at the full speed of the start, 180 ms in the first
// request of a small function (aws.md 2).
func newTransport() *http.Transport {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = nil // the first call will say so
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: tlsTimeout,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: idlePerHost,
		ForceAttemptHTTP2:   true,
	}
}
