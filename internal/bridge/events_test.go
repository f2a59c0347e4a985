package bridge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

const order = "/orders/o4ddktbswr7gdpiaohrdjhvlqe"

// The events that users invoke the functions with (events/README.md), as a handler must see them: method and URI, whether
// API Gateway verified a caller, and the body's beginning.
var requests = map[string]string{
	"login.json":                `POST /login false {"code":"`,
	"products.json":             `GET /products false `,
	"createorder.json":          `POST /orders false {"productId":"`,
	"createorder-base64.json":   `POST /orders false {"productId":"`,
	"attempts.json":             `POST ` + order + `/attempts false {"errCode":-2}`,
	"order-poll.json":           `GET ` + order + ` false `,
	"orders-list.json":          `GET /orders?state=delivered&limit=10 false `,
	"consume.json":              `POST ` + order + `/consume false {}`,
	"merchant-order.json":       `GET /merchant` + order + ` true `,
	"merchant-user-orders.json": `GET /merchant/users/oUserOpenId/orders true `,
	"merchant-held.json":        `GET /merchant/held true `,
	"refund.json":               `POST /merchant` + order + `/refunds true {"amount":200`,
	"refund-settle.json":        `POST /merchant` + order + `/refunds/rxjmpxjryeif34265bofbh6nbsq true {"happened":`,
	"refund-accept.json":        `POST /merchant` + order + `/accept true {}`,
	"refund-advance.json":       `POST /merchant` + order + `/advance true {}`,
	"refund-recheck.json":       `POST /merchant` + order + `/recheck true {}`,
	"refund-adopt.json":         `POST /merchant` + order + `/adopt true {}`,
	"merchant-dismiss.json":     `POST /merchant/held/ABC20260801/dismiss true {}`,
	"merchant-paid.json":        `GET /merchant/paid?from=2026-08-01T00:00:00Z&to=2026-08-02T00:00:00Z true `,
	"refund-delivery.json":      `POST /merchant` + order + `/delivery true {"seq":1}`,
	"callback-echo.json":        `GET /wechat/push?signature=03c8d7cba68ef772d1370d5e36fb48`,
	"callback-push.json":        `POST /wechat/push?signature=03c8d7cba68ef772d1370d5e36fb48`,
	"callback-push-xml.json":    `POST /wechat/push?signature=03c8d7cba68ef772d1370d5e36fb48`,
}

func TestTheEventsOfTheRepositoryBecomeTheRequestsTheyStandFor(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) != len(requests)+2 {
		t.Fatalf("%d events, %d known, %v", len(files), len(requests)+2, err)
	}
	for name, want := range requests {
		seen := ""
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, signed := Caller(r.Context())
			body, _ := io.ReadAll(r.Body)
			seen = fmt.Sprintf("%s %s %t %s", r.Method, r.RequestURI, signed, body)
		})
		if _, err := HTTP(handler, slog.New(slog.DiscardHandler)).Invoke(t.Context(), repositoryEvent(t, name)); err != nil || !strings.HasPrefix(seen, want) {
			t.Errorf("%s: %.150q, %v, want %q", name, seen, err, want)
		}
	}
}

func TestTheQueueAndScheduleEventsOfTheRepositoryAreTaken(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	var ids []string
	queue := Queue(func(_ context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
		for _, m := range batch.Records {
			ids = append(ids, m.Body)
		}
		return events.SQSEventResponse{}, nil
	}, log)
	if _, err := queue.Invoke(t.Context(), repositoryEvent(t, "reconcile.json")); err != nil || len(ids) != 2 || !strings.HasPrefix(ids[0], `{"id":"order/`) {
		t.Errorf("%q, %v", ids, err)
	}
	tick := Schedule(func(context.Context) (int, error) { return 7, nil }, log)
	if got, err := tick.Invoke(t.Context(), repositoryEvent(t, "sweep.json")); err != nil || string(got) != "7" {
		t.Errorf("%s, %v", got, err)
	}
}

func repositoryEvent(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../events", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
