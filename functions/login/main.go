// Command login is the Lambda that exchanges the code of wx.login for a session token.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/xpay-serverless/xpay-serverless/internal/awsenv"
	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
)

func main() {
	env := awsenv.Start("login")
	lambda.Start(bridge.HTTP(env.API(), env.Log))
}
