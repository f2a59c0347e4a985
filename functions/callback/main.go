// Command callback is the Lambda that receives everything WeChat posts. It verifies and stores; it never calls WeChat.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

func main() {
	env := awsenv.Start("callback")
	lambda.Start(bridge.HTTP(env.API(), env.Log))
}
