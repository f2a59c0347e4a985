package template

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
)

// keys, attributes and indexes say what package tables makes in the words of CloudFormation.
func keys(schema []types.KeySchemaElement) []any {
	list := []any{}
	for _, k := range schema {
		list = append(list, object{"AttributeName": *k.AttributeName, "KeyType": string(k.KeyType)})
	}
	return list
}

func attributes(definitions []types.AttributeDefinition) []any {
	list := []any{}
	for _, a := range definitions {
		list = append(list, object{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
	}
	return list
}

func indexes(all []types.GlobalSecondaryIndex) []any {
	list := []any{}
	for _, i := range all {
		projection := object{"ProjectionType": string(i.Projection.ProjectionType)}
		if names := i.Projection.NonKeyAttributes; len(names) > 0 {
			besides := []any{}
			for _, name := range names {
				besides = append(besides, name)
			}
			projection["NonKeyAttributes"] = besides
		}
		list = append(list, object{"IndexName": *i.IndexName, "KeySchema": keys(i.KeySchema), "Projection": projection})
	}
	return list
}

func TestTheTablesAreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	in := tables.Input("any")
	want := object{
		"BillingMode": string(in.BillingMode), "KeySchema": keys(in.KeySchema),
		"AttributeDefinitions": attributes(in.AttributeDefinitions), "GlobalSecondaryIndexes": indexes(in.GlobalSecondaryIndexes),
	}
	for id, table := range ofType(t, read(t), "AWS::DynamoDB::Table") {
		got := object{}
		for name := range want {
			got[name] = at(table, "Properties")[name]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -package tables +template\n%s", id, diff)
		}
	}
	if aws.ToString(in.TableName) != "any" {
		t.Error("package tables makes another table")
	}
}

func TestOrdersCanBeRestoredAndWhatExpiresIsForgotten(t *testing.T) {
	t.Parallel()
	template := read(t)
	orders := at(template, "Resources", "OrdersTable", "Properties")
	if textAt(orders, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != "true" ||
		orders["DeletionProtectionEnabled"] != "true" || textAt(orders, "SSESpecification", "SSEEnabled") != "true" {
		t.Errorf("the table of orders: %v", orders)
	}
	if orders["TimeToLiveSpecification"] != nil {
		t.Error("orders would expire")
	}
	expiring := at(template, "Resources", "ExpiringTable", "Properties")
	ttl := at(expiring, "TimeToLiveSpecification")
	if ttl["AttributeName"] != "expires" || ttl["Enabled"] != "true" {
		t.Errorf("the expiring table forgets by %v", ttl)
	}
	if expiring["PointInTimeRecoverySpecification"] != nil {
		t.Error("what has expired could be restored")
	}
}
