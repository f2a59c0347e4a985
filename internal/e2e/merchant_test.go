package e2e_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/localenv"
)

func merchantRoutes(id string) [][2]string {
	return [][2]string{
		{"GET", "/merchant/orders/" + id}, {"GET", "/merchant/users/" + alice + "/orders"}, {"GET", "/merchant/held"},
		{"POST", "/merchant/orders/" + id + "/refunds"}, {"POST", "/merchant/orders/" + id + "/accept"},
	}
}

func TestMerchantRoutesAnswerThisMachineOnly(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	for _, r := range merchantRoutes(id) {
		for name, from := range map[string][2]string{
			"another machine":                       {"192.0.2.7:40000", "127.0.0.1:8080"},
			"another machine over IPv6":             {"[2001:db8::1]:40000", "[::1]:8080"},
			"a web page under its own name":         {"127.0.0.1:40000", "evil.example:8080"},
			"a name that only looks like localhost": {"127.0.0.1:40000", "localhost.evil.example"},
			"an address that only looks local":      {"127.0.0.1:40000", "127.0.0.1.evil.example:8080"},
			"no Host":                               {"127.0.0.1:40000", ""},
			"no peer":                               {"", "127.0.0.1:8080"},
		} {
			a := w.callFrom(from[0], from[1], r[0], r[1], "")
			if a.refused(t, 401, "unauthorized"); t.Failed() {
				t.Fatalf("%s %s from %s", r[0], r[1], name)
			}
		}
	}
	for _, host := range []string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.0.0.1"} {
		if a := w.callFrom("[::1]:40000", host, "GET", "/merchant/orders/"+id, ""); a.status != 200 {
			t.Errorf("Host %s: %s", host, a)
		}
	}
	// A forwarded header of a proxy opens nothing.
	a := w.callFrom("192.0.2.7:40000", "127.0.0.1:8080", "GET", "/merchant/held", "", "X-Forwarded-For", "127.0.0.1", "Forwarded", "for=127.0.0.1")
	a.refused(t, 401, "unauthorized")
	w.back(id, 0, 0)
}

func TestMerchantRoutesBehindATokenWantThatToken(t *testing.T) {
	t.Parallel()
	w := begin(t, func(s *setup) { s.AllowMerchant = localenv.AllowToken("printed-at-the-start") })
	p := w.phone(alice)
	id := p.buy("key-of-alice", "vip_month", 1)
	w.settle()
	for _, r := range merchantRoutes(id) {
		for _, header := range []string{"", "Bearer ", "Bearer printed", "Bearer printed-at-the-start ", "printed-at-the-start", "Basic printed-at-the-start", "Bearer " + p.token} {
			w.call(r[0], r[1], "", "Authorization", header).refused(t, 401, "unauthorized")
		}
	}
	if a := w.callFrom("192.0.2.7:40000", "shop.example", "GET", "/merchant/orders/"+id, "", "Authorization", "Bearer printed-at-the-start"); a.status != 200 {
		t.Error(a)
	}
}

func TestAUsersTokenOpensNoMerchantRouteAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	w := begin(t, func(s *setup) { s.AllowMerchant = localenv.AllowToken("printed-at-the-start") })
	p := w.phone(alice)
	id := p.buy("key-of-alice", "vip_month", 1)
	p.get("/merchant/orders/"+id).refused(t, 401, "unauthorized")
	w.call("GET", "/orders/"+id, "", "Authorization", "Bearer printed-at-the-start").refused(t, 401, "unauthorized")
}

func TestAConsumableIsConsumedOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	id := p.buy("key-of-alice", "gem_60", 1)
	use := func(key string) answer { return p.post("/orders/"+id+"/consume", key, "") }
	use("use-key-1").refused(t, 422, "rejected") // not delivered yet
	w.settle()
	var reply orderReply
	use("use-key-1").into(t, 200, &reply)
	if reply.Order.ConsumedAt == nil || reply.Payment != nil {
		t.Errorf("consumed: %+v", reply)
	}
	use("use-key-2").refused(t, 409, "conflict")
	w.stack.Clock.Advance(time.Hour)
	var again orderReply
	use("use-key-1").into(t, 200, &again)
	if !again.Order.ConsumedAt.Equal(*reply.Order.ConsumedAt) {
		t.Errorf("consumed again at %s", again.Order.ConsumedAt)
	}
	use("").refused(t, 409, "conflict")
}

func TestADurableIsNotConsumed(t *testing.T) {
	t.Parallel()
	w, id := delivered(t)
	w.phone(alice).post("/orders/"+id+"/consume", "use-key-1", "{}").refused(t, 422, "rejected")
}

func TestWhatWasRefundedIsNotConsumed(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	id, part := p.buy("key-of-alice", "gem_60", 1), p.buy("key-of-part-", "gem_60", 1)
	w.settle()
	w.refunding(id, "refund-key-1", 600)
	p.post("/orders/"+id+"/consume", "use-key-1", "").refused(t, 422, "rejected") // on its way back
	w.pass(time.Minute)
	p.post("/orders/"+id+"/consume", "use-key-1", "").refused(t, 422, "rejected")
	w.refunding(part, "refund-key-1", 599)
	w.pass(time.Minute)
	p.post("/orders/"+part+"/consume", "use-key-1", "").into(t, 200, new(orderReply)) // a part went back, it is still owned
}

func TestAConsumptionWithAnEndlessKeyDoesNotSpoilTheOrder(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	for i, n := range []int{65, 30 << 10, 60 << 10} {
		id := p.buy(fmt.Sprintf("key-number-%d", i), "gem_60", 1)
		w.settle()
		a := p.post("/orders/"+id+"/consume", strings.Repeat("k", n), "")
		a.refused(t, 400, "invalid")
		w.refund(id, "refund-key-1", 600, "")
		w.pass(time.Minute)
		if back, _ := moneyBack(w.truth(id)); back != 600 {
			t.Errorf("after a key of %d bytes %d fen went back, want 600", n, back)
		}
		w.merchant(id).ledger(t, 600, 0, 0, 600, 0)
	}
}

func TestOrdersAreListedNewestFirstToTheEnd(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	var ids []string
	for i := range 7 {
		o, pay := p.create(fmt.Sprintf("key-number-%d", i), "gem_60", 1)
		if i%2 == 0 {
			p.pay(pay)
		}
		ids = append(ids, o.ID)
		w.pass(time.Second)
	}
	w.phone(bob).create("key-of-bob-1", "gem_60", 1)
	slices.Reverse(ids)
	for _, from := range []struct {
		path string
		get  func(string) answer
	}{
		{"/orders", p.get},
		{"/merchant/users/" + alice + "/orders", func(path string) answer { return w.call("GET", path, "") }},
	} {
		list := func(query string) (got []string) {
			t.Helper()
			cursor := ""
			for range 20 {
				var part struct {
					Orders []orderJSON
					Cursor string
				}
				from.get(from.path+"?"+query+"&cursor="+url.QueryEscape(cursor)).into(t, 200, &part)
				for _, o := range part.Orders {
					got = append(got, o.ID)
				}
				if cursor = part.Cursor; cursor == "" {
					return got
				}
			}
			t.Fatal("the list has no end")
			return nil
		}
		if got := list("limit=3"); !slices.Equal(got, ids) {
			t.Errorf("%s in parts of 3: %v, want %v", from.path, got, ids)
		}
		if got := list("limit=100"); !slices.Equal(got, ids) {
			t.Errorf("%s: %v, want %v", from.path, got, ids)
		}
		if got, want := list("limit=2&state=delivered"), []string{ids[0], ids[2], ids[4], ids[6]}; !slices.Equal(got, want) {
			t.Errorf("%s, delivered: %v, want %v", from.path, got, want)
		}
		if got, want := list("limit=1&state=created"), []string{ids[1], ids[3], ids[5]}; !slices.Equal(got, want) {
			t.Errorf("%s, created: %v, want %v", from.path, got, want)
		}
		for _, bad := range []string{"cursor=nonsense", "cursor=%00", "limit=0", "limit=101", "limit=-1", "limit=ten", "state=nonsense", "state=Delivered"} {
			from.get(from.path+"?"+bad).refused(t, 400, "invalid")
		}
	}
	w.call("GET", "/merchant/held?cursor=nonsense", "").refused(t, 400, "invalid")
	var none struct {
		Orders []orderJSON
		Cursor *string
	}
	if w.call("GET", "/merchant/users/oNobody/orders", "").into(t, 200, &none); none.Orders == nil || none.Cursor == nil {
		t.Error("an empty list is not an empty list")
	}
}

func TestHeldIsListedInParts(t *testing.T) {
	t.Parallel()
	w := begin(t)
	for i := range 5 {
		w.push(forged{}, goodPush(strings.Repeat(string(rune('b'+i)), 24)+"aa", "1").json())
		w.stack.Clock.Advance(time.Second)
	}
	want := len(w.held())
	if want != 5 {
		t.Fatalf("%d are held", want)
	}
	seen, cursor := map[string]bool{}, ""
	for range 10 {
		var part struct {
			Held   []questionJSON
			Cursor string
		}
		w.call("GET", "/merchant/held?limit=2&cursor="+cursor, "").into(t, 200, &part)
		for _, q := range part.Held {
			seen[q.Number] = true
		}
		if cursor = part.Cursor; cursor == "" {
			break
		}
	}
	if len(seen) != want || cursor != "" {
		t.Errorf("%d of %d seen, cursor %q", len(seen), want, cursor)
	}
}

func TestAnAcceptOfAnOrderThatIsNotHeldChangesNoMoney(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	o, _ := p.create("key-of-alice", "vip_month", 1)
	w.call("POST", "/merchant/orders/"+o.ID+"/accept", "")
	w.is(o.ID, "created", false).ledger(t, 0, 0, 0, 0, 0)
	w.call("POST", "/merchant/orders/aaaaaaaaaaaaaaaaaaaaaaaaaa/accept", "").refused(t, 404, "not_found")
	w.call("POST", "/merchant/orders/"+o.ID+"/accept", `{"amount":1}`).refused(t, 400, "invalid")
}

func TestAStrangeOpenIDIsNoErrorOfOurs(t *testing.T) {
	t.Parallel()
	w := begin(t)
	for _, openID := range []string{"%00", "%0a", "%ff%fe", strings.Repeat("o", 300), strings.Repeat("o", 5000), "a%2Fb", "%E9%81%93"} {
		if a := w.call("GET", "/merchant/users/"+openID+"/orders", ""); a.status >= 500 {
			t.Errorf("%.20s answers %s", openID, a)
		}
	}
}
