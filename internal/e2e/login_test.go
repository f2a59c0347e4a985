package e2e_test

import (
	"encoding/json"
	"testing"
	"time"
)

func (w *world) login(code string) answer {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"code": code})
	return w.call("POST", "/login", string(body))
}

func TestALoginCodeWorksOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	code := w.stack.Sim.Login(alice)
	w.login(code).into(t, 200, new(struct{}))
	w.login(code).refused(t, 401, "unauthorized")
}

func TestALoginCodeLivesFiveMinutes(t *testing.T) {
	t.Parallel()
	w := begin(t)
	code := w.stack.Sim.Login(alice)
	w.stack.Clock.Advance(5*time.Minute + time.Second)
	w.login(code).refused(t, 401, "unauthorized")
}

func TestALoginCodeThatNobodyGaveIsUnauthorizedAndAnEmptyOneInvalid(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.login("invented").refused(t, 401, "unauthorized")
	w.login("").refused(t, 400, "invalid")
	w.call("POST", "/login", "{}").refused(t, 400, "invalid")
}

func TestACodeOfAnotherUserWithAnOrderIsUnauthorizedAndMakesNoOrder(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	code := w.stack.Sim.Login(bob)
	p.post("/orders", "key-of-alice", `{"productId":"vip_month","quantity":1,"code":"`+code+`"}`).refused(t, 401, "unauthorized")
	var list struct{ Orders []orderJSON }
	if p.get("/orders").into(t, 200, &list); len(list.Orders) != 0 {
		t.Error("an order was made")
	}
	_, pay := p.create("key-of-alice", "vip_month", 1) // Alice's own key is still the one in use
	p.pay(pay)
}

func TestAFreshCodeWithAnOrderRenewsTheKeyThatSigns(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	code := w.stack.Sim.Login(alice) // wx.login on the phone: the stored key is stale now
	_, stale := p.create("key-of-stale", "vip_month", 1)
	if got := p.open(stale, "pay"); got.ErrCode != -15005 {
		t.Fatalf("a payment signed with a stale key: %+v", got)
	}
	var reply orderReply
	p.post("/orders", "key-of-fresh", `{"productId":"vip_month","quantity":1,"code":"`+code+`"}`).into(t, 201, &reply)
	p.pay(*reply.Payment)
}

func TestASpentCodeIsNoErrorWhileTheKeyIsYoungerThanFiveMinutes(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	code := w.stack.Sim.Login(alice)
	body := `{"productId":"vip_month","quantity":1,"code":"` + code + `"}`
	var first, second orderReply
	p.post("/orders", "key-of-alice", body).into(t, 201, &first)
	w.stack.Clock.Advance(5*time.Minute - time.Second)
	p.post("/orders", "key-of-alice", body).into(t, 200, &second) // the phone never saw the first answer
	if first.Order.ID != second.Order.ID {
		t.Error("another order was made")
	}
	p.pay(*second.Payment)
}

func TestASpentCodeIsUnauthorizedOnceTheKeyIsFiveMinutesOld(t *testing.T) {
	t.Parallel()
	w := begin(t)
	p := w.phone(alice)
	code := w.stack.Sim.Login(alice)
	body := `{"productId":"vip_month","quantity":1,"code":"` + code + `"}`
	p.post("/orders", "key-of-alice", body).into(t, 201, new(orderReply))
	w.stack.Clock.Advance(5 * time.Minute)
	p.post("/orders", "key-of-alice", body).refused(t, 401, "unauthorized")
	p.post("/orders", "key-of-alice", wanted("vip_month", 1)).into(t, 200, new(orderReply)) // without the code it is the same order
}

func TestALoginWhileWeChatIsDownIsUnavailable(t *testing.T) {
	t.Parallel()
	l := &wire{}
	w := begin(t, transport(l.wrap))
	code := w.stack.Sim.Login(alice)
	l.cut(true)
	a := w.login(code)
	a.refused(t, 503, "unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	l.cut(false)
	w.login(code).into(t, 200, new(struct{})) // the code was not spent
}
