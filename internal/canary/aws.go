package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	deploy "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// New makes the hook of a deployment out of the variables that template.yaml sets. It never fails: what is missing is found
// when the hook is called, so that it is reported.
func New(getenv func(string) string, log *slog.Logger) *Hook {
	cfg := awsConfig(getenv)
	return &Hook{
		AppID: getenv("XPAY_APP_ID"), Forwards: getenv("XPAY_FORWARD_URL") != "",
		Keys:   secret{secretsmanager.NewFromConfig(cfg), getenv("XPAY_PUSH_SECRET")}.keys,
		Invoke: version{lambda.NewFromConfig(cfg), getenv("XPAY_NEW_VERSION")}.invoke,
		Report: deployments{codedeploy.NewFromConfig(cfg)}.report,
		Now:    time.Now, Log: log,
	}
}

// awsConfig is the region and the role's credentials, which Lambda sets. AWS_ENDPOINT_URL leads tests elsewhere.
func awsConfig(getenv func(string) string) aws.Config {
	credentials := aws.Credentials{
		AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN"),
	}
	cfg := aws.Config{
		Region:      getenv("AWS_REGION"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
		Retryer:     patience,
	}
	if url := getenv("AWS_ENDPOINT_URL"); url != "" {
		cfg.BaseEndpoint = &url
	}
	return cfg
}

// patience repeats what is denied, too, until the time for it is over: the deployment has just granted the role the new version,
// and it takes seconds until IAM knows everywhere.
func patience() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 30 // the context ends it before
		o.MaxBackoff = 2 * time.Second
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{"AccessDeniedException": {}}})
	})
}

// secret is the push secret.
type secret struct {
	client *secretsmanager.Client
	id     string
}

// keys reads the newest Token and EncodingAESKey. An error quotes nothing of the secret.
func (s secret) keys(ctx context.Context) (Keys, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id})
	if err != nil {
		return Keys{}, fmt.Errorf("the push secret cannot be read: %w", err)
	}
	var lists struct{ Tokens, AESKeys []string }
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &lists) != nil || len(lists.Tokens) == 0 {
		return Keys{}, errors.New(`the push secret is not {"tokens":[...],"aesKeys":[...]} with a token`)
	}
	keys := Keys{Token: lists.Tokens[0]}
	if len(lists.AESKeys) > 0 {
		keys.AESKey = lists.AESKeys[0]
	}
	return keys, nil
}

// version is one published version of the callback, by its ARN.
type version struct {
	client *lambda.Client
	arn    string
}

func (v version) invoke(ctx context.Context, event []byte) ([]byte, error) {
	out, err := v.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &v.arn, Payload: event})
	if err != nil {
		return nil, fmt.Errorf("the version cannot be invoked: %w", err)
	}
	if out.FunctionError != nil {
		return nil, fmt.Errorf("the version failed (%s): look at the callback's log", *out.FunctionError)
	}
	return out.Payload, nil
}

// deployments is CodeDeploy.
type deployments struct{ client *codedeploy.Client }

func (d deployments) report(ctx context.Context, of Deployment, healthy bool) error {
	status := deploy.LifecycleEventStatusFailed
	if healthy {
		status = deploy.LifecycleEventStatusSucceeded
	}
	_, err := d.client.PutLifecycleEventHookExecutionStatus(ctx, &codedeploy.PutLifecycleEventHookExecutionStatusInput{
		DeploymentId: &of.ID, LifecycleEventHookExecutionId: &of.HookID, Status: status,
	})
	return err
}
