// Command refund is the Lambda that takes the merchant's refunds and decisions, for callers with IAM credentials.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

func main() {
	env := awsenv.Start("refund")
	lambda.Start(bridge.HTTP(env.API(), env.Log))
}
