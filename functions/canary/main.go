// Command canary is the hook that CodeDeploy calls before pushes reach a new version of the callback: it sends it a signed one.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/xpay-serverless/xpay-serverless/internal/canary"
)

func main() {
	lambda.Start(canary.New(os.Getenv, lambdacontext.NewLogger()).Handle)
}
