// Command reconcile is the Lambda that advances one order for each message of the queue: it queries, delivers, refunds, tells WeChat.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
	"github.com/xpay-serverless/xpay-serverless/internal/deliver/eventbus"
)

func main() {
	env := awsenv.Start("reconcile", awsenv.EventBus(eventbus.Open))
	lambda.Start(bridge.Queue(env.Work, env.Log))
}
