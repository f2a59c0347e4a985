// Package awstest leads tests to a server that speaks AWS's protocol. `tools/with-moto COMMAND` starts one and says where
// it listens in XPAY_TEST_AWS; `make unit` does so for all tests.
package awstest

import (
	"context"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Endpoint is the server's address. Without one the test is skipped, except where CI is set: there it fails.
func Endpoint(t testing.TB) string {
	t.Helper()
	endpoint := os.Getenv("XPAY_TEST_AWS")
	switch {
	case endpoint != "":
	case os.Getenv("CI") != "":
		t.Fatal("XPAY_TEST_AWS is not set: CI does not pass without a server that speaks AWS's protocol (make unit)")
	default:
		t.Skip("SKIPPED: needs a server that speaks AWS's protocol: tools/with-moto go test ./...")
	}
	return endpoint
}

// Config reaches the server at an endpoint with credentials that no real AWS knows.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
}
