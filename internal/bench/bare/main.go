// Package main is the Lambda that `make bench` compares the functions with: the least that loads the same root
// certificates, has the same three clients and makes the same calls to AWS as a function does, and nothing else. Only the
// bench runs it.
//
// It is told the calls in two variables, one call a line: BARE_START, all made at once before the first request for work,
// and BARE_REQUEST, made one after the other by each request. A call is one of
//
//	GetSecretValue SECRET STAGE
//	GetItem TABLE ID
//	Query TABLE USER
//	PutItem TABLE ID
//	UpdateItem TABLE ID
//
// GetItem keeps the document that it read, and the writes write the one back that was read last. The expressions are those
// of package dynamo, because a server takes longer for longer ones.
package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// answer is a reply in payload format 2.0.
const answer = `{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{}"}`

func main() {
	f, err := connect()
	if err == nil {
		err = f.atOnce(context.Background(), calls("BARE_START"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
	lambda.Start(f)
}

func calls(variable string) []string { return strings.Split(os.Getenv(variable), "\n") }

type item = map[string]types.AttributeValue

// function is the Lambda and its clients.
type function struct {
	db      *dynamodb.Client
	queue   *sqs.Client // is never asked: a function that has one makes it, too
	secrets *secretsmanager.Client
	request []string
	item    item // what was read last
}

func connect() (*function, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	credentials := aws.Credentials{
		AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
	}
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	cfg := aws.Config{
		Region:       os.Getenv("AWS_REGION"),
		BaseEndpoint: &endpoint,
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
		HTTPClient: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: true,
		}},
	}
	return &function{
		db: dynamodb.NewFromConfig(cfg), queue: sqs.NewFromConfig(cfg), secrets: secretsmanager.NewFromConfig(cfg), request: calls("BARE_REQUEST"),
	}, nil
}

// Invoke implements lambda.Handler.
func (f *function) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	for _, call := range f.request {
		if err := f.call(ctx, call); err != nil {
			return nil, err
		}
	}
	return []byte(answer), nil
}

func (f *function) atOnce(ctx context.Context, calls []string) error {
	failed := make([]error, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() { failed[i] = f.call(ctx, call) })
	}
	all.Wait()
	return cmp.Or(failed...)
}

func (f *function) call(ctx context.Context, call string) error {
	words := strings.Fields(call)
	if len(words) != 3 {
		return fmt.Errorf("%q is not a call: OPERATION WHERE WHICH", call)
	}
	where, which := words[1], words[2]
	switch words[0] {
	case "GetSecretValue":
		return f.getSecretValue(ctx, where, which)
	case "GetItem":
		return f.getItem(ctx, where, which)
	case "Query":
		return f.query(ctx, where, which)
	case "PutItem":
		return f.putItem(ctx, where, which)
	case "UpdateItem":
		return f.updateItem(ctx, where, which)
	}
	return fmt.Errorf("there is no call %q", words[0])
}

// getSecretValue: a stage that is absent is no error.
func (f *function) getSecretValue(ctx context.Context, secret, stage string) error {
	_, err := f.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &secret, VersionStage: &stage})
	var absent *smtypes.ResourceNotFoundException
	if errors.As(err, &absent) {
		return nil
	}
	return err
}

func (f *function) getItem(ctx context.Context, table, id string) error {
	out, err := f.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key(id), ConsistentRead: aws.Bool(true)})
	if err == nil && out.Item != nil {
		f.item = out.Item
	}
	return err
}

func (f *function) query(ctx context.Context, table, user string) error {
	_, err := f.db.Query(ctx, &dynamodb.QueryInput{
		TableName:                 &table,
		IndexName:                 aws.String("user"),
		KeyConditionExpression:    aws.String("#pk = :pk AND #sk < :before"),
		ExpressionAttributeNames:  map[string]string{"#pk": "user_pk", "#sk": "made"},
		ExpressionAttributeValues: item{":pk": text(user), ":before": text(":")},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(51),
	})
	return err
}

func (f *function) putItem(ctx context.Context, table, id string) error {
	written := maps.Clone(f.item)
	written["id"] = text(id)
	_, err := f.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           &table,
		Item:                                written,
		ConditionExpression:                 aws.String("attribute_not_exists(#id) OR #expires <= :now"),
		ExpressionAttributeNames:            map[string]string{"#id": "id", "#expires": "expires"},
		ExpressionAttributeValues:           item{":now": now()},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return err
}

// updateItem sets what is there and removes what is not, under the condition that nobody else has: as a store does that
// knows nothing of what has changed.
func (f *function) updateItem(ctx context.Context, table, id string) error {
	var set, remove []string
	names, values := map[string]string{}, item{":was": f.item["version"], ":now": now()}
	for _, name := range replaced {
		names["#"+name] = name
		if value := f.item[name]; value != nil {
			set, values[":"+name] = append(set, "#"+name+" = :"+name), value
		} else {
			remove = append(remove, "#"+name)
		}
	}
	_, err := f.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                           &table,
		Key:                                 key(id),
		UpdateExpression:                    aws.String("SET " + strings.Join(set, ", ") + " REMOVE " + strings.Join(remove, ", ")),
		ConditionExpression:                 aws.String("#version = :was AND (attribute_not_exists(#expires) OR #expires > :now)"),
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return err
}

// replaced is every attribute of a document that may change.
var replaced = []string{"version", "stamp", "user_pk", "due_pk", "due_sk", "expires", "body", "key_1", "key_2", "key_3", "key_4"}

func now() types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Unix(), 10)}
}

func key(id string) item {
	return item{"id": text(id)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
