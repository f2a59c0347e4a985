package lambdae2e_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/xpay-serverless/xpay-serverless/internal/awstest"
	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// operator sends a signed request without a body.
func (c *cloud) operator(method, path string) answer {
	c.Helper()
	return c.call(method, path, "", "Authorization", sigV4, "X-Amz-Date", "20260301T020000Z")
}

// lose deletes an order, as a restore to a point in time before it does.
func (c *cloud) lose(id string) {
	c.Helper()
	db := dynamodb.NewFromConfig(awstest.Config(awstest.Endpoint(c.T)))
	_, err := db.DeleteItem(c.Context(), &dynamodb.DeleteItemInput{
		TableName: aws.String(c.vars["XPAY_ORDERS_TABLE"]), Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "order/" + id}},
	})
	c.ok(err)
}

type heldReply struct {
	Held []struct{ Number, Evidence, Code string }
}

// The roles of template.yaml are enforced on the wire.
func TestAnOperatorAdoptsALostOrderFindsAConsoleRefundAndListsWhatWasPaid(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	id := c.login("oAlice").order("purchase-1")
	c.lose(id)
	c.sim.DeliverDue(t.Context()) // WeChat pushes, and goes on to: nobody knows the order
	var held heldReply
	if c.operator("GET", "/merchant/held").into(t, 200, &held); len(held.Held) != 1 || held.Held[0].Number != id || held.Held[0].Evidence == "" {
		t.Fatalf("waiting: %+v", held)
	}
	var adopted merchantReply
	if c.operator("POST", "/merchant/orders/"+id+"/adopt").into(t, 200, &adopted); adopted.Order.State != "delivered" || !adopted.Order.Owned {
		t.Errorf("adopted as %+v", adopted.Order)
	}
	c.operator("POST", "/merchant/orders/"+id+"/adopt").into(t, 200, &adopted) // again
	if c.operator("GET", "/merchant/held").into(t, 200, &held); len(held.Held) != 0 {
		t.Errorf("still waiting: %+v", held)
	}
	c.push() // the repeat finds it delivered
	c.explained(id, 0)

	c.sim.SetFaults(wechatsim.Faults{Push: wechatsim.PushFaults{DropAll: true}})
	c.ok(c.sim.ConsoleRefund(id, 500))
	c.until("the console's refund is found", 30*time.Second, func() bool {
		var seen merchantReply
		c.operator("POST", "/merchant/orders/"+id+"/recheck").into(t, 200, &seen)
		return seen.Order.Ledger.Refunded == 500
	})
	c.operator("POST", "/merchant/orders/"+id+"/advance").into(t, 200, new(merchantReply))

	now := time.Now().UTC()
	window := url.Values{"from": {now.Add(-time.Hour).Format(time.RFC3339)}, "to": {now.Add(time.Hour).Format(time.RFC3339)}}
	var paid struct {
		Orders []struct {
			ID     string
			PaidAt time.Time
		}
		Cursor string
	}
	if c.operator("GET", "/merchant/paid?"+window.Encode()).into(t, 200, &paid); len(paid.Orders) != 1 || paid.Orders[0].ID != id || paid.Cursor != "" {
		t.Errorf("paid: %+v", paid)
	}
}

func TestEvidenceThatWasLookedAtLeavesTheListAndSaysWhoLooked(t *testing.T) {
	t.Parallel()
	c := deploy(t, options{})
	id := c.login("oAlice").order("purchase-1")
	c.lose(id)
	c.sim.DeliverDue(t.Context())
	var held heldReply
	c.operator("GET", "/merchant/held").into(t, 200, &held)
	var reply struct{ Dismissed int }
	for range 2 {
		if c.operator("POST", "/merchant/held/"+id+"/dismiss").into(t, 200, &reply); reply.Dismissed != 1 {
			t.Errorf("%d dismissed", reply.Dismissed)
		}
	}
	if c.operator("GET", "/merchant/held").into(t, 200, &held); len(held.Held) != 0 {
		t.Errorf("still waiting: %+v", held)
	}
	if !c.logged("orders", "evidence dismissed", "arn:aws:iam::123456789012:user/AKIDEXAMPLE") {
		t.Errorf("the log does not say who: %q", c.fn["orders"].Logs())
	}
}
