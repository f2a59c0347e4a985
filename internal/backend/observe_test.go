package backend

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/observe"
	"github.com/xpay-serverless/xpay-serverless/internal/order"
	"github.com/xpay-serverless/xpay-serverless/internal/store"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// metricsOf is the line of a piece of work.
func metricsOf(t *testing.T, do func(context.Context)) string {
	t.Helper()
	var b strings.Builder
	ctx, line := observe.Begin(t.Context(), time.Now())
	do(ctx)
	line.End(ctx, slog.New(slog.NewJSONHandler(&b, nil)), observe.Metrics{Service: "s", Stage: "t"}, "x", time.Now())
	return b.String()
}

// The codes and what they mean are WeChat's (auth.code2Session, getStableAccessToken).
func TestWhatWeChatRefusesForAReasonOfOursIsCounted(t *testing.T) {
	t.Parallel()
	for code, c := range map[int]struct{ login, query bool }{
		40164: {true, true},   // the IP is not in the list
		40125: {true, true},   // the AppSecret is wrong
		40243: {true, true},   // it is frozen
		45009: {true, true},   // the quota is used up
		40029: {false, false}, // the phone's code is not valid
		40163: {false, false}, // it was used
		40226: {false, false}, // the user is blocked
	} {
		out := outside(t)
		out.Transport = receiver(func(*http.Request) (int, string) { return 200, fmt.Sprintf(`{"errcode":%d,"errmsg":"refused"}`, code) })
		b, err := Build(complete(), out)
		if err != nil {
			t.Fatal(err)
		}
		login := metricsOf(t, func(ctx context.Context) { _, err = b.API.Sessions.Login(ctx, "code") })
		if err == nil || strings.Contains(login, `"WeChatErrors":1`) != c.login {
			t.Errorf("%d at the login: %v, %s", code, err, login)
		}
		query := metricsOf(t, func(ctx context.Context) {
			_, err = b.Orders.WeChat.QueryOrder(ctx, "oUser", xpay.ByOrderID("number-12345"))
		})
		if err == nil || c.query && !strings.Contains(query, `"WeChatErrors":1`) {
			t.Errorf("%d at the access token: %v, %s", code, err, query)
		}
	}
}

func TestADocumentThatCannotBeReadIsNoMismatch(t *testing.T) {
	t.Parallel()
	out := outside(t)
	var asked []string
	out.Alarm = func(_ context.Context, a order.Alarm) { asked = append(asked, a.Code) }
	b, err := Build(complete(), out)
	if err != nil {
		t.Fatal(err)
	}
	id := order.NewID("wx1", xpay.Sandbox, "oUser", "create-key-1")
	doc := store.Doc{ID: order.DocID(id), Stamp: store.NewStamp(), Created: time.Now(), Due: time.Now().Add(-time.Minute), Body: []byte(`{"v":9}`)}
	if _, err := out.Store.Create(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	line := metricsOf(t, func(ctx context.Context) { err = b.Orders.Advance(ctx, doc.ID) })
	if err != nil || strings.Contains(line, "Mismatches") || len(asked) != 1 || asked[0] != order.AttentionUnreadable {
		t.Errorf("%v, asked %q, %s", err, asked, line)
	}
}

func TestTwoRefundsAreTwoValuesAndAnAdoptedOrderIsNotNew(t *testing.T) {
	t.Parallel()
	before := order.Order{ID: "x", Attempts: []order.Attempt{{N: 1, Payments: []order.Payment{{Fee: 100}}}}}
	after := before
	after.Refunds = []order.Refund{{Attempt: 1, State: order.RefundDone, Fee: 40}, {Attempt: 1, State: order.RefundDone, Fee: 30}}
	adopted := order.Order{ID: "y", History: []order.Entry{{Event: order.EventAdopted}}}
	line := metricsOf(t, func(ctx context.Context) {
		countChange(ctx, order.Change{Before: before, After: after})
		countChange(ctx, order.Change{After: adopted})
	})
	if !strings.Contains(line, `"RefundedFen":[40,30]`) || strings.Contains(line, "OrdersCreated") {
		t.Error(line)
	}
}

// TestAQuestionAboutMoneyIsCounted: two alarms wait for these values, and a purchase that goes well writes none of them.
func TestAQuestionAboutMoneyIsCounted(t *testing.T) {
	t.Parallel()
	metric := map[string]string{
		order.AttentionMismatch: "Mismatches", order.AttentionSurplus: "Mismatches", order.AttentionImpossible: "Mismatches", order.AttentionUnproven: "Mismatches",
		order.AttentionUnknown: "UnknownOrderPushes",
		order.AttentionRefund:  "", order.AttentionUntold: "", order.AttentionReturned: "", order.AttentionUndelivered: "", order.AttentionUnreadable: "", order.AttentionNotice: "",
	}
	for code, want := range metric {
		line := metricsOf(t, func(ctx context.Context) { countAlarms(nil)(ctx, order.Alarm{Code: code}) })
		for _, name := range []string{"Mismatches", "UnknownOrderPushes"} {
			if got := strings.Contains(line, `"`+name+`":1`); got != (name == want) {
				t.Errorf("%s: %s counted %t: %s", code, name, got, line)
			}
		}
	}
}
