package e2e_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAMissingOrWrongTokenIsUnauthorizedOnEveryUserRoute(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	routes := []struct{ method, path, body string }{
		{"POST", "/orders", wanted("vip_month", 1)},
		{"POST", "/orders/" + id + "/attempts", "{}"},
		{"GET", "/orders", ""},
		{"GET", "/orders/" + id, ""},
		{"POST", "/orders/" + id + "/consume", "{}"},
	}
	for _, r := range routes {
		for name, value := range map[string]string{"missing": "", "wrong": "Bearer " + strings.Repeat("A", 43), "long": "Bearer " + strings.Repeat("A", 5000), "basic": "Basic YTpi", "bare": "Bearer "} {
			a := w.call(r.method, r.path, r.body, "Idempotency-Key", "some-key-1", "Authorization", value)
			if a.refused(t, 401, "unauthorized"); t.Failed() {
				t.Fatalf("%s %s with a token that is %s", r.method, r.path, name)
			}
		}
	}
}

func TestATokenIsGoodForSevenDaysAndNoLonger(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	w.stack.Clock.Advance(7*24*time.Hour - time.Second)
	if a := p.get("/orders"); a.status != 200 {
		t.Errorf("one second before its end: %s", a)
	}
	w.stack.Clock.Advance(time.Second)
	p.get("/orders").refused(t, 401, "unauthorized")
}

func TestTheTokenMayComeAsXXpayToken(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	if a := w.call("GET", "/orders", "", "X-Xpay-Token", p.token, "Authorization", "AWS4-HMAC-SHA256 Credential=x"); a.status != 200 {
		t.Error(a)
	}
}

func TestAnotherUsersOrderDoesNotExist(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "gem_60", 1)
	w.settle()
	b := w.phone(bob)
	b.get("/orders/"+id).refused(t, 404, "not_found")
	b.post("/orders/"+id+"/attempts", "", "{}").refused(t, 404, "not_found")
	b.post("/orders/"+id+"/consume", "use-key-1", "{}").refused(t, 404, "not_found")
	unknown := string(b.get("/orders/aaaaaaaaaaaaaaaaaaaaaaaaaa").body)
	if foreign := string(b.get("/orders/" + id).body); foreign != unknown {
		t.Errorf("a foreign order answers %s, an unknown one %s: the difference tells that it exists", foreign, unknown)
	}
	var list struct{ Orders []orderJSON }
	b.get("/orders").into(t, 200, &list)
	if len(list.Orders) != 0 {
		t.Errorf("Bob sees %d orders", len(list.Orders))
	}
}

func TestAnOrderNumberOfAnotherFormDoesNotExist(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, _ := p.create("key-of-alice", "vip_month", 1)
	p.get("/orders/"+o.ID+"-2").refused(t, 404, "not_found") // a number at WeChat: the merchant's staff may use it
	w.call("GET", "/merchant/orders/"+o.ID+"-2", "").into(t, 200, &struct{}{})
	for _, id := range []string{"x", o.ID + "-1", strings.ToUpper(o.ID), "r" + o.ID, o.ID[:25], "..%2F..%2Fetc", "%00", strings.Repeat("a", 3000)} {
		p.get("/orders/"+id).refused(t, 404, "not_found")
		w.call("GET", "/merchant/orders/"+id, "").refused(t, 404, "not_found")
	}
}

func TestAProductThatIsUnknownOrHiddenCannotBeBought(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	for i, product := range []string{"nothing", "secret_1", "", "VIP_MONTH"} {
		p.post("/orders", fmt.Sprintf("key-number-%d", i), wanted(product, 1)).refused(t, 404, "not_found")
	}
	var list struct{ Products []struct{ ProductID string } }
	w.call("GET", "/products", "").into(t, 200, &list)
	for _, product := range list.Products {
		if product.ProductID == "secret_1" {
			t.Error("the hidden product is listed")
		}
	}
	if len(list.Products) != 2 {
		t.Errorf("%d products are listed, want 2", len(list.Products))
	}
}

func TestAQuantityOutOfRangeIsInvalid(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	for i, q := range []int{0, -1, 11, 2147483647, -9223372036854775808} {
		p.post("/orders", fmt.Sprintf("key-number-%d", i), wanted("gem_60", q)).refused(t, 400, "invalid")
	}
	p.post("/orders", "key-of-vip-2", wanted("vip_month", 2)).refused(t, 400, "invalid")
	p.post("/orders", "key-of-none-", `{"productId":"gem_60"}`).refused(t, 400, "invalid")
	if o, _ := p.create("key-of-ten-x", "gem_60", 10); o.Amount != 6000 {
		t.Errorf("ten pieces of 600 fen cost %d", o.Amount)
	}
}

func TestThePriceIsTheServersAndNeverThePhones(t *testing.T) {
	t.Parallel()
	p := begin(t).phone(alice)
	p.post("/orders", "key-of-alice", `{"productId":"vip_month","quantity":1,"price":1}`).refused(t, 400, "invalid")
	p.post("/orders", "key-of-alice", `{"productId":"vip_month","quantity":1,"env":0}`).refused(t, 400, "invalid")
}

func TestAnAttachOfTwoHundredBytesIsTheLongest(t *testing.T) {
	t.Parallel()
	p := begin(t).phone(alice)
	body := func(attach string) string { return `{"productId":"vip_month","quantity":1,"attach":"` + attach + `"}` }
	p.post("/orders", "key-of-alice", body(strings.Repeat("a", 201))).refused(t, 400, "invalid")
	p.post("/orders", "key-of-alice", body(strings.Repeat("道", 67))).refused(t, 400, "invalid")
	var reply orderReply
	p.post("/orders", "key-of-alice", body(strings.Repeat("a", 200))).into(t, 201, &reply)
	if strings.Contains(reply.Payment.SignData, "aaaa") {
		t.Error("the merchant's attach leaves for WeChat")
	}
}

func TestTheTwentyFirstOpenOrderIsLimited(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	first, pay := orderJSON{}, paymentJSON{}
	for i := range 20 {
		o, payment := p.create(fmt.Sprintf("key-number-%02d", i), "vip_month", 1)
		if i == 0 {
			first, pay = o, payment
		}
		w.stack.Clock.Advance(10 * time.Second)
	}
	a := p.post("/orders", "key-number-20", wanted("vip_month", 1))
	a.refused(t, 429, "limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	p.post("/orders", "key-number-00", wanted("vip_month", 1)).into(t, 200, new(orderReply)) // a repeat is no new order
	w.phone(bob).create("key-of-bob-1", "vip_month", 1)                                      // others are not limited
	p.pay(pay)
	w.settle()
	w.is(first.ID, "delivered", true)
	p.create("key-number-20", "vip_month", 1) // one was paid: there is room again
}

func TestTheEleventhOrderWithinAMinuteIsLimited(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	for i := range 10 {
		p.create(fmt.Sprintf("key-number-%02d", i), "vip_month", 1)
	}
	p.post("/orders", "key-number-10", wanted("vip_month", 1)).refused(t, 429, "limited")
	w.stack.Clock.Advance(59 * time.Second)
	p.post("/orders", "key-number-10", wanted("vip_month", 1)).refused(t, 429, "limited")
	w.stack.Clock.Advance(time.Second)
	p.create("key-number-10", "vip_month", 1)
}

func TestABodyOver64KiBIsTooLargeEverywhere(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, _ := p.create("key-of-alice", "vip_month", 1)
	pad := func(n int) string { return wanted("vip_month", 1) + strings.Repeat(" ", n-len(wanted("vip_month", 1))) }
	p.post("/orders", "key-of-alice", pad(64<<10)).into(t, 200, new(orderReply))
	for _, path := range []string{"/login", "/orders", "/orders/" + o.ID + "/attempts", "/orders/" + o.ID + "/consume", "/merchant/orders/" + o.ID + "/refunds", "/merchant/orders/" + o.ID + "/accept", "/wechat/push"} {
		p.post(path, "key-of-alice", pad(64<<10+1)).refused(t, 413, "invalid")
	}
	// A body of unknown length is cut off as well.
	req := httptest.NewRequest("POST", "/orders", strings.NewReader(pad(1<<20)))
	req.ContentLength = -1
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.token)
	w.serve(req).refused(t, 413, "invalid")
}

func TestABodyMustBeOneJSONObjectOfKnownFields(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	for name, body := range map[string]string{
		"bad JSON":         `{"productId":"vip_month","quantity":1`,
		"no JSON":          `productId=vip_month`,
		"unknown field":    `{"productId":"vip_month","quantity":1,"discount":1}`,
		"trailing garbage": `{"productId":"vip_month","quantity":1} x`,
		"two values":       `{"productId":"vip_month","quantity":1}{}`,
		"trailing bracket": `{"productId":"vip_month","quantity":1}]`,
		"an array":         `[{"productId":"vip_month","quantity":1}]`,
		"quantity as text": `{"productId":"vip_month","quantity":"1"}`,
		"half a piece":     `{"productId":"vip_month","quantity":1.5}`,
		"a huge quantity":  `{"productId":"vip_month","quantity":1e40}`,
	} {
		t.Run(name, func(t *testing.T) {
			p.post("/orders", "key-of-alice", body).refused(t, 400, "invalid")
		})
	}
	p.post("/orders", "key-of-alice", "").refused(t, 415, "invalid")
	p.post("/orders", "key-of-alice", "", "Content-Type", "application/json").refused(t, 400, "invalid")
	p.post("/orders", "key-of-alice", "null").refused(t, 404, "not_found") // an object of nothing: no product
	var list struct{ Orders []orderJSON }
	if p.get("/orders").into(t, 200, &list); len(list.Orders) != 0 {
		t.Errorf("%d orders came of bad bodies", len(list.Orders))
	}
}

func TestAnErrorDoesNotQuoteTheBody(t *testing.T) {
	t.Parallel()
	p := begin(t).phone(alice)
	for _, body := range []string{`{"productId":"vip_month","hunter2":1}`, `{"productId":hunter2}`, `{"quantity":"hunter2"}`} {
		if a := p.post("/orders", "key-of-alice", body); strings.Contains(string(a.body), "hunter2") {
			t.Errorf("the error quotes the body: %s", a)
		}
	}
}

func TestAWrongContentTypeIsRefused(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data; boundary=x"} {
		p.post("/orders", "key-of-alice", wanted("vip_month", 1), "Content-Type", kind).refused(t, 415, "invalid")
	}
	p.post("/orders", "key-of-alice", wanted("vip_month", 1), "Content-Type", "Application/JSON; charset=UTF-8").into(t, 201, new(orderReply))
}

func TestAnIdempotencyKeyHasEightTo64VisibleCharacters(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	id := p.buy("key-of-alice", "vip_month", 1)
	w.settle()
	for name, key := range map[string]string{
		"missing": "", "7 characters": "1234567", "65 characters": strings.Repeat("k", 65), "a space inside": "key with space", "not ASCII": "key-道具-key", "a tab": "key\twith-tab",
	} {
		t.Run(name, func(t *testing.T) {
			p.post("/orders", key, wanted("vip_month", 1)).refused(t, 400, "invalid")
			w.refund(id, key, 100, "").refused(t, 400, "invalid")
		})
	}
	for i, key := range []string{"12345678", strings.Repeat("k", 64), "!~#$%&'()*+"} {
		if a := p.post("/orders", key, wanted("vip_month", 1)); a.status != 201 {
			t.Errorf("key %d: %s", i, a)
		}
	}
}

func TestRoutesAndMethodsThatDoNotExistAreSaidInJSON(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.call("GET", "/nothing", "").refused(t, 404, "not_found")
	w.call("GET", "/login", "").refused(t, 405, "invalid")
	w.call("DELETE", "/orders", "").refused(t, 405, "invalid")
	w.call("PUT", "/wechat/push", "").refused(t, 405, "invalid")
	w.call("GET", "/merchant/orders/x/refunds", "").refused(t, 405, "invalid")
	if got := w.call("DELETE", "/orders", "").header.Get("Allow"); got != "POST, GET" {
		t.Errorf("Allow is %q", got)
	}
}

func TestAWebPageElsewhereCannotReachTheMerchantRoutes(t *testing.T) {
	t.Parallel()
	w := begin(t)
	id := w.phone(alice).buy("key-of-alice", "vip_month", 1)
	w.call("POST", "/merchant/orders/"+id+"/accept", "", "Origin", "https://shop.example").refused(t, 401, "unauthorized")
	w.call("POST", "/merchant/orders/"+id+"/accept", "", "Origin", "null").refused(t, 401, "unauthorized")
	if a := w.call("GET", "/merchant/orders/"+id, "", "Origin", "http://127.0.0.1:3000"); a.status != 200 {
		t.Error(a)
	}
}

func TestRepliesAreJSONThatNobodyKeeps(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	p.create("key-of-alice", "vip_month", 1)
	w.call("GET", "/products", "")
	p.get("/orders")
	p.get("/nothing")
	p.post("/orders", "short", "{")
	for _, a := range w.seen { // Content-Length and no-store are checked at every answer, see serve
		if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("Content-Type is %q: %s", got, a)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("no nosniff: %s", a)
		}
	}
}
