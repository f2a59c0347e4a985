package operator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// Stack is a deployed stack, reached with the operator's AWS credentials.
type Stack struct {
	Name       string
	Region     string
	Outputs    map[string]string
	Parameters map[string]string

	cfg     aws.Config
	secrets *secretsmanager.Client
}

// callTimeout is longer than an API Gateway waits for a function.
const callTimeout = 35 * time.Second

// ErrNoStack: there is no such stack in this account and region.
var ErrNoStack = errors.New("there is no such stack in this account and region")

// ErrNoCredentials: neither environment nor configuration has any that work.
var ErrNoCredentials = errors.New("there are no usable AWS credentials: `aws sts get-caller-identity` must answer; --profile names others")

// ErrNoRegion: AWS has no region of this name, and asking again finds none either.
var ErrNoRegion = errors.New("there is no such AWS region: is the region right? It is written as us-east-1 or cn-north-1")

// regionName is the form of every region's name. The SDK takes any other for a part of a host name.
var regionName = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]{1,2}$`)

// regions are those that the SDK's table of partitions names. Where the host of one cannot be found, it is the network that is away.
var regions = strings.Fields(`
	af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2
	ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1
	eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2
	us-west-1 us-west-2
	cn-north-1 cn-northwest-1
	eusc-de-east-1
	us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 eu-isoe-west-1 us-isof-east-1 us-isof-south-1
	us-gov-east-1 us-gov-west-1
`)

// Open reads what the stack says of itself. Credentials and region come from where the AWS CLI has them; region and
// profile, unless empty, stand before.
func Open(ctx context.Context, name, region, profile string) (*Stack, error) {
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // errors say it; warnings would stand beside --json
	if region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	if profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	if err := checkEndpoints(cfg, os.Environ()); err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("no AWS region is set: give --region, or set AWS_REGION")
	}
	if !regionName.MatchString(cfg.Region) {
		return nil, fmt.Errorf("%q: %w", cfg.Region, ErrNoRegion)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoCredentials, err)
	}
	s := &Stack{Name: name, Region: cfg.Region, Outputs: map[string]string{}, Parameters: map[string]string{}, cfg: cfg, secrets: secretsmanager.NewFromConfig(cfg)}
	return s, s.describe(ctx)
}

// checkEndpoints names the variable that leads to no server: the SDK would take it for one that does not answer.
func checkEndpoints(cfg aws.Config, environ []string) error {
	if ignored := slices.Contains(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"); ignored {
		return nil
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL") && value != "" && !isURL(value) {
			return fmt.Errorf("%s is no http or https URL: correct or unset it", name)
		}
	}
	if cfg.BaseEndpoint != nil && !isURL(*cfg.BaseEndpoint) {
		return errors.New("endpoint_url of the AWS profile is no http or https URL: correct or remove it")
	}
	return nil
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (s *Stack) describe(ctx context.Context) error {
	found, err := cloudformation.NewFromConfig(s.cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &s.Name})
	var no smithy.APIError
	var lookup *net.DNSError
	switch {
	case errors.As(err, &no) && no.ErrorCode() == "ValidationError", err == nil && len(found.Stacks) == 0:
		return fmt.Errorf("%s in %s: %w", s.Name, s.Region, ErrNoStack)
	case errors.As(err, &lookup) && lookup.IsNotFound && !slices.Contains(regions, s.Region):
		return fmt.Errorf("%s, whose host is %s: %w", s.Region, lookup.Name, ErrNoRegion)
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return fmt.Errorf("%w: %s cannot be found: is there a network?", ErrNoAnswer, lookup.Name)
	case err != nil:
		return answered(fmt.Errorf("the stack %s cannot be read: %w", s.Name, err))
	}
	for _, o := range found.Stacks[0].Outputs {
		s.Outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, p := range found.Stacks[0].Parameters {
		s.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	return nil
}

// answered marks an error for which no server has spoken.
func answered(err error) error {
	var said smithy.APIError
	if errors.As(err, &said) && said.ErrorFault() != smithy.FaultServer {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoAnswer, err)
}

// Output is one output of the stack, or says that the stack is not one of ours.
func (s *Stack) Output(key string) (string, error) {
	if v := s.Outputs[key]; v != "" {
		return v, nil
	}
	return "", fmt.Errorf("the stack %s has no output %s: is it a stack of this template, and deployed to its end?", s.Name, key)
}

// Client calls the stack's API. Each request is signed anew.
func (s *Stack) Client() (*Client, error) {
	address, err := s.Output("ApiUrl")
	if err != nil {
		return nil, err
	}
	return &Client{BaseURL: address, HTTP: &http.Client{Timeout: callTimeout}, Sign: s.sign}, nil
}

// sign signs a request with SigV4 for API Gateway.
func (s *Stack) sign(ctx context.Context, r *http.Request, body []byte) error {
	credentials, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrNoCredentials, err)
	}
	sum := sha256.Sum256(body)
	return v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "execute-api", s.Region, time.Now())
}
