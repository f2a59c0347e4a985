package awsenv

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/xpay-serverless/xpay-serverless/internal/bridge"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
)

// gcPercent lets the heap of a start grow to a few times what stays, some 16 MB, before it is collected: otherwise one
// collection falls into the start or the first request, which has a fraction of a processor.
const gcPercent = 400

// warmEvent is the least event that the bridge takes.
const warmEvent = `{"version":"2.0","rawPath":"/","headers":{"host":"x"},"requestContext":{"http":{"method":"GET"}}}`

// warm does while the start waits for AWS what the first request would do slowly: encoding/json meets the types of orders,
// events and replies.
func warm() {
	order.Warm()
	_, _ = bridge.HTTP(http.NotFoundHandler(), slog.New(slog.DiscardHandler)).Invoke(context.Background(), []byte(warmEvent)) // only its work is wanted
}
