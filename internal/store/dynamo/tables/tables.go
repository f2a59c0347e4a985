// Package tables describes the two tables of package dynamo and creates them where no stack does: in tests and for sam
// local. template.yaml describes the same tables; no function needs this package.
package tables

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// activeSeconds is how long a new table may take until it can be used: seconds as a rule, on AWS.
const activeSeconds = 300

// Create creates a table for documents that stay, and returns when it can be used.
func Create(ctx context.Context, client *dynamodb.Client, name string) error {
	if _, err := client.CreateTable(ctx, Input(name)); err != nil {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	active := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, 5*time.Second
	})
	if err := active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, activeSeconds*time.Second); err != nil {
		return fmt.Errorf("wait for table %s: %w", name, err)
	}
	return nil
}

// CreateExpiring creates a table for documents that expire: DynamoDB removes them, days late.
func CreateExpiring(ctx context.Context, client *dynamodb.Client, name string) error {
	if err := Create(ctx, client, name); err != nil {
		return err
	}
	_, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("expires"), Enabled: aws.Bool(true)},
	})
	if err != nil {
		return fmt.Errorf("enable time to live on table %s: %w", name, err)
	}
	return nil
}

// Input describes a table of either sort: both have the same keys and indexes, and differ in time to live and recovery.
func Input(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:            &name,
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: texts("id", "due_pk", "due_sk", "user_pk", "made", "key_1", "key_2", "key_3", "key_4"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			index("due", "due_pk", "due_sk", "expires"),
			index("user", "user_pk", "made"),
			index("key1", "key_1", "made"),
			index("key2", "key_2", "made"),
			index("key3", "key_3", "made"),
			index("key4", "key_4", "made"),
		},
	}
}

func texts(names ...string) (all []types.AttributeDefinition) {
	for _, name := range names {
		all = append(all, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
	}
	return all
}

// index holds the keys of the items that have its partition key, and the attributes named besides.
func index(name, pk, sk string, besides ...string) types.GlobalSecondaryIndex {
	projection := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	if len(besides) > 0 {
		projection = &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: besides}
	}
	return types.GlobalSecondaryIndex{
		IndexName: &name,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: &pk, KeyType: types.KeyTypeHash},
			{AttributeName: &sk, KeyType: types.KeyTypeRange},
		},
		Projection: projection,
	}
}
