package operator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
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

// Open reads what the stack says of itself. Credentials and region come from where the AWS CLI has them; region and
// profile, unless empty, stand before.
func Open(ctx context.Context, name, region, profile string) (*Stack, error) {
	var opts []func(*config.LoadOptions) error
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
	if cfg.Region == "" {
		return nil, errors.New("no AWS region is set: give --region, or set AWS_REGION")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoCredentials, err)
	}
	s := &Stack{Name: name, Region: cfg.Region, Outputs: map[string]string{}, Parameters: map[string]string{}, cfg: cfg, secrets: secretsmanager.NewFromConfig(cfg)}
	return s, s.describe(ctx)
}

func (s *Stack) describe(ctx context.Context) error {
	found, err := cloudformation.NewFromConfig(s.cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &s.Name})
	var no smithy.APIError
	switch {
	case errors.As(err, &no) && no.ErrorCode() == "ValidationError", err == nil && len(found.Stacks) == 0:
		return fmt.Errorf("%s in %s: %w", s.Name, s.Region, ErrNoStack)
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

// ErrNoValue: the secret is there, and nothing was put in yet.
var ErrNoValue = errors.New("the secret has no value yet: xpay secrets put")

// Secret reads the current value of the secret to which an output leads.
func (s *Stack) Secret(ctx context.Context, output string) (string, error) {
	id, err := s.Output(output)
	if err != nil {
		return "", err
	}
	got, err := s.version(ctx, output, id, "AWSCURRENT")
	if err != nil {
		return "", err
	}
	return aws.ToString(got.SecretString), nil
}

func (s *Stack) version(ctx context.Context, output, id, stage string) (*secretsmanager.GetSecretValueOutput, error) {
	got, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: &stage})
	var absent *types.ResourceNotFoundException
	switch {
	case errors.As(err, &absent):
		return nil, fmt.Errorf("%s: %w", output, ErrNoValue)
	case err != nil:
		return nil, answered(fmt.Errorf("the secret %s cannot be read: %w", output, err))
	}
	return got, nil
}

// SecretReplaced is when the current value took the place of another; zero when it is the first one.
func (s *Stack) SecretReplaced(ctx context.Context, output string) (time.Time, error) {
	id, err := s.Output(output)
	if err != nil {
		return time.Time{}, err
	}
	if _, err := s.version(ctx, output, id, "AWSPREVIOUS"); err != nil {
		if errors.Is(err, ErrNoValue) {
			err = nil
		}
		return time.Time{}, err
	}
	current, err := s.version(ctx, output, id, "AWSCURRENT")
	if err != nil {
		return time.Time{}, err
	}
	return aws.ToTime(current.CreatedDate), nil
}

// PutSecret makes value the current one; what was current before is kept as AWSPREVIOUS. It reports false when value is
// current already: then both stay as they are, so that it may be repeated after an unknown outcome. The caller has checked
// value.
func (s *Stack) PutSecret(ctx context.Context, output, value string) (put bool, err error) {
	id, err := s.Output(output)
	if err != nil {
		return false, err
	}
	current, err := s.version(ctx, output, id, "AWSCURRENT")
	if err != nil && !errors.Is(err, ErrNoValue) {
		return false, err
	}
	if err == nil && aws.ToString(current.SecretString) == value {
		return false, nil
	}
	return true, s.put(ctx, output, id, current, value)
}

// ReplaceSecret makes value the current one and AWSPREVIOUS, too: nothing that was known before is left. The caller has
// checked value.
func (s *Stack) ReplaceSecret(ctx context.Context, output, value string) error {
	id, err := s.Output(output)
	if err != nil {
		return err
	}
	for range 2 {
		current, err := s.version(ctx, output, id, "AWSCURRENT")
		if err != nil {
			return err
		}
		if err := s.put(ctx, output, id, current, value); err != nil {
			return err
		}
	}
	return nil
}

// put puts value behind the version that was read, nil for none. The name of the new version is made of both, so that
// Secrets Manager takes a repetition for what it is.
func (s *Stack) put(ctx context.Context, output, id string, behind *secretsmanager.GetSecretValueOutput, value string) error {
	before := ""
	if behind != nil {
		before = aws.ToString(behind.VersionId)
	}
	sum := sha256.Sum256([]byte(before + "\n" + value))
	_, err := s.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &id, SecretString: &value, ClientRequestToken: aws.String(hex.EncodeToString(sum[:])),
	})
	if err != nil {
		return answered(fmt.Errorf("the secret %s cannot be written: %w", output, err))
	}
	return nil
}
