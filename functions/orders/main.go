// Command orders is the Lambda that shows products and orders, to users and to the merchant. Reading an unpaid order repairs it.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

func main() {
	env := awsenv.Start("orders")
	lambda.Start(bridge.HTTP(env.API(), env.Log))
}
