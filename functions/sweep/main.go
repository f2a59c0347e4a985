// Command sweep is the Lambda that finds every minute what is due and puts it on the queue.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

func main() {
	env := awsenv.Start("sweep")
	lambda.Start(bridge.Schedule(env.Tick, env.Log))
}
