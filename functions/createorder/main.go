// Command createorder is the Lambda that freezes prices, stores orders and signs payments: POST /orders and its attempts.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

func main() {
	env := awsenv.Start("createorder")
	lambda.Start(bridge.HTTP(env.API(), env.Log))
}
