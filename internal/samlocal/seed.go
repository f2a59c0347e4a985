package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// The mini-program of events/: none of it is real. Token and EncodingAESKey are those of the published vectors.
const (
	appID    = "wx1234567890abcdef"
	openID   = "oUserOpenId"
	devToken = "sam-local-development-token"
	region   = "us-east-1"

	pushToken = "vp_token_1"
	aesKey    = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

// Names in the simulated AWS.
const (
	ordersTable    = "xpay-orders"
	expiringTable  = "xpay-expiring"
	queueName      = "xpay-reconcile"
	pushSecret     = "xpay-push"
	merchantSecret = "xpay-merchant"
	sealSecret     = "xpay-seal"
)

// config is the mini-program as its owner sees it in WeChat's consoles.
func config() backend.Config {
	c := backend.Config{AppID: appID, OfferID: "1450000001", Env: xpay.Production}
	c.Push.Tokens, c.Push.AESKeys = []string{pushToken}, []string{aesKey}
	c.Merchant.AppSecret = "0123456789abcdef0123456789abcdef"
	c.Merchant.AppKeys.Production, c.Merchant.AppKeys.Sandbox = "12345", "67890"
	c.Seal.Keys = [][]byte{[]byte("0123456789abcdef0123456789abcdef")}
	return c
}

// writeConfig puts the mini-program where `xpay dev` finds it.
func writeConfig() error {
	if err := os.MkdirAll(devFolder, 0o700); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(config(), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(devFolder, "config.json"), raw, 0o600)
}

// made is what seed made and cannot be known before.
type made struct{ queuePath string }

func awsConfig(endpoint string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
}

// seed makes in the simulated AWS what template.yaml makes in a real one.
func seed(ctx context.Context, endpoint string) (made, error) {
	cfg := awsConfig(endpoint)
	db := dynamodb.NewFromConfig(cfg)
	if err := errors.Join(tables.Create(ctx, db, ordersTable), tables.CreateExpiring(ctx, db, expiringTable)); err != nil {
		return made{}, err
	}
	if err := seedSecrets(ctx, secretsmanager.NewFromConfig(cfg)); err != nil {
		return made{}, err
	}
	queue, err := sqs.NewFromConfig(cfg).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(queueName)})
	if err != nil {
		return made{}, fmt.Errorf("create the queue: %w", err)
	}
	return made{queuePath: (*queue.QueueUrl)[len(endpoint):]}, nil
}

func seedSecrets(ctx context.Context, client *secretsmanager.Client) error {
	c := config()
	for name, value := range map[string]any{
		pushSecret: c.Push, merchantSecret: c.Merchant,
		sealSecret: map[string]string{"key": base64.RawStdEncoding.EncodeToString(c.Seal.Keys[0])},
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		_, err = client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
		if err != nil {
			return fmt.Errorf("create the secret %s: %w", name, err)
		}
	}
	return nil
}

// variables are the environment of the functions. Every variable of the template is set, since SAM would take those of
// the user's shell otherwise.
func variables(m made, weChatURL, awsURL string) map[string]string {
	c := config()
	return map[string]string{
		"XPAY_APP_ID": c.AppID, "XPAY_OFFER_ID": c.OfferID, "XPAY_ENV": fmt.Sprint(int(c.Env)),
		"XPAY_ORDERS_TABLE": ordersTable, "XPAY_EXPIRING_TABLE": expiringTable, "XPAY_QUEUE_URL": awsURL + m.queuePath,
		"XPAY_PUSH_SECRET": pushSecret, "XPAY_MERCHANT_SECRET": merchantSecret, "XPAY_SEAL_SECRET": sealSecret,
		"XPAY_WECHAT_URL": weChatURL, "XPAY_FORWARD_URL": "", "AWS_ENDPOINT_URL": awsURL, "AWS_ENDPOINT_URL_EVENTBRIDGE": awsURL,
		"XPAY_STACK": "xpay-local", "XPAY_STAGE": "dev",
		"XPAY_TARGET": "", "XPAY_WEBHOOK_URL": "", "XPAY_WEBHOOK_SECRET": "", "XPAY_EVENT_BUS": "",
		"SSL_CERT_FILE": "/etc/pki/tls/certs/ca-bundle.crt", "SSL_CERT_DIR": "/nonexistent",
	}
}

// writeVariables writes the file that --env-vars names.
func writeVariables(all map[string]string) error {
	raw, err := json.MarshalIndent(map[string]any{"Parameters": all}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(envFile, append(raw, '\n'), 0o600)
}

// keepDevToken makes the token of events/ one of the logged-in user's.
func keepDevToken(ctx context.Context, endpoint string) error {
	s := dynamo.New(dynamodb.NewFromConfig(awsConfig(endpoint)),
		dynamo.Tables{Orders: ordersTable, Expiring: expiringTable, ExpiringKinds: []store.Kind{session.KindToken}}, time.Now)
	_, err := s.Create(ctx, devTokenDoc(time.Now()))
	return err
}

// devTokenDoc is what package session stores for a token.
func devTokenDoc(now time.Time) store.Doc {
	sum := sha256.Sum256([]byte(devToken))
	return store.Doc{
		ID: string(session.KindToken) + "/" + hex.EncodeToString(sum[:]), Created: now, Expires: now.Add(session.TokenFor),
		Body: []byte(`{"v":1,"openId":"` + openID + `"}`),
	}
}
