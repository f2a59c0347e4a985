package e2e_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo"
	"github.com/xpay-serverless/xpay-serverless/internal/store/dynamo/tables"
)

// onDynamoDB puts the whole suite on DynamoDB instead of SQLite, if XPAY_E2E_STORE says so:
//
//	XPAY_E2E_STORE=dynamodb tools/with-moto go test ./internal/e2e
func onDynamoDB(t testing.TB, opt *setup) {
	t.Helper()
	if os.Getenv("XPAY_E2E_STORE") != "dynamodb" {
		return
	}
	client := dynamodb.NewFromConfig(awstest.Config(awstest.Endpoint(t)))
	name := "e2e-" + strings.ToLower(rand.Text()[:12])
	for _, table := range []string{name + "-orders", name + "-expiring"} {
		if err := tables.Create(t.Context(), client, table); err != nil {
			t.Fatal(err)
		}
	}
	clock, wrap := opt.Clock, opt.WrapStore
	db := dynamo.New(client, dynamo.Tables{
		Orders: name + "-orders", Expiring: name + "-expiring",
		ExpiringKinds: awsenv.ExpiringKinds(),
	}, func() time.Time { return clock.Now() })
	opt.WrapStore = func(store.Store) store.Store {
		if wrap != nil {
			return wrap(db)
		}
		return db
	}
}
