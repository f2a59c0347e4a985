package xpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	busy   = `{"errcode":-1,"errmsg":"系统错误,请稍后重试"}`
	often  = `{"errcode":268490015,"errmsg":"frequency"}`
	minute = `{"errcode":45011,"errmsg":"minute"}`
	day    = `{"errcode":45009,"errmsg":"day"}`
	paid   = `{"errcode":0,"order":{"order_id":"1","status":2}}`
)

// naps keeps how long it was asked to sleep. From the nap that refuses on, it says that the context ends before.
type naps struct {
	taken   []time.Duration
	refuses int
}

func (n *naps) retry(attempts int, random float64) Retry {
	return Retry{Attempts: attempts, Wait: time.Second, Random: func() float64 { return random },
		Sleep: func(_ context.Context, d time.Duration) error {
			if n.refuses > 0 && len(n.taken)+1 >= n.refuses {
				return context.DeadlineExceeded
			}
			n.taken = append(n.taken, d)
			return nil
		}}
}

func TestAQueryIsRepeatedWithIdenticalBytesAndGrowingWaits(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answers []string
		random  float64
		waits   []time.Duration
		fails   bool
	}{
		"busy, then done":           {[]string{busy, paid}, 0, []time.Duration{500 * time.Millisecond}, false},
		"too often, three times":    {[]string{often, often, often, paid}, 0.5, []time.Duration{750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second}, false},
		"no usable answer":          {[]string{"<html>", "", paid}, 0, []time.Duration{500 * time.Millisecond, time.Second}, false},
		"the quota of a minute":     {[]string{minute, paid}, 0, []time.Duration{60*time.Second + 500*time.Millisecond}, false},
		"two minutes are too long":  {[]string{minute, minute, paid}, 0, []time.Duration{60*time.Second + 500*time.Millisecond}, true},
		"the quota of a day":        {[]string{day, paid}, 0, nil, true},
		"an answer that is final":   {[]string{`{"errcode":268490001}`, paid}, 0, nil, true},
		"a file that is being made": {[]string{`{"errcode":268490011}`, paid}, 0, nil, true},
		"busy for ever":             {[]string{busy}, 0, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}, true},
	} {
		c, peer, _ := client(t, row.answers...)
		var n naps
		c.Retry = n.retry(4, row.random)
		_, err := c.QueryOrder(t.Context(), "o", ByOrderID("1"))
		if diff := cmp.Diff(row.waits, n.taken); diff != "" || (err != nil) != row.fails || len(peer.sent) != len(row.waits)+1 {
			t.Errorf("%s: %v, %d sent, waits %s", name, err, len(peer.sent), diff)
		}
		for _, s := range peer.sent {
			if s != peer.sent[0] {
				t.Errorf("%s: sent %+v after %+v", name, s, peer.sent[0])
			}
		}
	}
}

func TestASpendIsRepeatedUntilWeChatSaysItHappened(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, "<html>", `{"errcode":268490004,"errmsg":"repeated"}`)
	var n naps
	c.Retry = n.retry(3, 0)
	reply, err := c.CurrencyPay(t.Context(), c5eSpend, vectorSession)
	if err != nil || !reply.Repeated || len(peer.sent) != 2 || peer.sent[0] != peer.sent[1] {
		t.Errorf("%+v %v, sent %+v", reply, err, peer.sent)
	}
}

func TestWhatIsNotDocumentedAsRepeatableIsSentOnce(t *testing.T) {
	t.Parallel()
	for i, e := range Endpoints() {
		for _, answer := range []string{"<html>", busy, often, minute} {
			c, peer, _ := client(t, answer)
			var n naps
			c.Retry = n.retry(2, 0)
			_, err := calls[i].call(t.Context(), c)
			want := 1
			if e.Repeatable {
				want = 2
			}
			if err == nil || len(peer.sent) != want {
				t.Errorf("%s after %s: %d sent, %v", e.Name, answer, len(peer.sent), err)
			}
		}
	}
}

func TestTheZeroRetryRepeatsNothing(t *testing.T) {
	t.Parallel()
	for i, e := range Endpoints() {
		c, peer, _ := client(t, busy)
		if _, err := calls[i].call(t.Context(), c); err == nil || len(peer.sent) != 1 {
			t.Errorf("%s: %d sent, %v", e.Name, len(peer.sent), err)
		}
	}
}

func TestALaterRefusalDoesNotHideThatAnEarlierAttemptMayHaveActed(t *testing.T) {
	t.Parallel()
	const expired = `{"errcode":268490009,"errmsg":"session_key expired"}`
	c, _, _ := client(t, "<html>", expired)
	var n naps
	c.Retry = n.retry(3, 0)
	_, err := c.CurrencyPay(t.Context(), c5eSpend, vectorSession)
	var e *Error
	if !errors.As(err, &e) || e.Code != 268490009 || !OutcomeUnknown(err) || !errors.Is(err, ErrNoAnswer) {
		t.Errorf("a spend: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "errcode 268490009") || !strings.Contains(text, "an earlier attempt of this call may have acted") {
		t.Errorf("a spend: %s", text)
	}
	c, _, _ = client(t, expired)
	c.Retry = n.retry(3, 0)
	if _, err = c.CurrencyPay(t.Context(), c5eSpend, vectorSession); OutcomeUnknown(err) {
		t.Errorf("a spend that was refused at once: %v", err)
	}
	c, _, _ = client(t, "<html>", expired)
	c.Retry = n.retry(3, 0)
	if _, err = c.QueryUserBalance(t.Context(), BalanceRequest{"o", userIP}, "k"); OutcomeUnknown(err) {
		t.Errorf("a query: %v", err)
	}
}

func TestARepetitionAsksForTheTokenAgain(t *testing.T) {
	t.Parallel()
	c, peer, tokens := client(t, busy, `{"errcode":42001}`, paid)
	var n naps
	c.Retry = n.retry(2, 0)
	if _, err := c.QueryOrder(t.Context(), "o", ByOrderID("1")); err != nil || len(peer.sent) != 3 || len(tokens.rejected) != 1 {
		t.Errorf("%v, %d sent, %v rejected", err, len(peer.sent), tokens.rejected)
	}
}

func TestTheClientGivesUpWhenTheContextEndsBeforeTheWait(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, busy, busy, paid)
	n := naps{refuses: 2}
	c.Retry = n.retry(5, 0)
	_, err := c.QueryOrder(t.Context(), "o", ByOrderID("1"))
	var e *Error
	if !errors.As(err, &e) || e.Code != -1 || len(peer.sent) != 2 {
		t.Errorf("%v, %d sent", err, len(peer.sent))
	}
}

func TestTheClientGivesUpRatherThanWaitLongerThanAllowed(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, busy)
	var n naps
	c.Retry = n.retry(9, 0)
	c.Retry.WaitMax = 4 * time.Second
	_, err := c.QueryOrder(t.Context(), "o", ByOrderID("1"))
	if diff := cmp.Diff([]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}, n.taken); diff != "" || err == nil || len(peer.sent) != 4 {
		t.Errorf("%v, %d sent, waits %s", err, len(peer.sent), diff)
	}
}

func TestTheTimerKnowsTheDeadline(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	if err := (Retry{}).sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an hour within a minute: %v", err)
	}
	if err := (Retry{}).sleep(ctx, time.Microsecond); err != nil {
		t.Error(err)
	}
	cancel()
	if err := (Retry{}).sleep(ctx, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}

func TestWaitsAreSpreadBetweenHalfAndWhole(t *testing.T) {
	t.Parallel()
	p := Retry{Attempts: 2}
	for range 200 {
		if d := p.backoff(1); d < 250*time.Millisecond || d > 500*time.Millisecond {
			t.Fatal(d)
		}
	}
	if d := p.backoff(1000); d <= 0 || d > 512*time.Second {
		t.Errorf("the thousandth: %v", d)
	}
}

func TestEveryCallHasADeadline(t *testing.T) {
	t.Parallel()
	var c Client
	if d := c.httpClient(t.Context(), queryOrder).Timeout; d != 5*time.Second {
		t.Errorf("no HTTP: %v", d)
	}
	c.HTTP = &http.Client{}
	if d := c.httpClient(t.Context(), uploadVPFile).Timeout; d != 30*time.Second {
		t.Errorf("HTTP without a timeout: %v", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if d := c.httpClient(ctx, queryOrder).Timeout; d != 0 {
		t.Errorf("the context has a deadline: %v", d)
	}
	c.HTTP.Timeout = time.Second
	if d := c.httpClient(t.Context(), queryOrder).Timeout; d != time.Second {
		t.Errorf("HTTP has a timeout: %v", d)
	}
}

func TestADeadHostIsTriedAgain(t *testing.T) {
	t.Parallel()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	c, _, _ := client(t, paid)
	var n naps
	c.BaseURL, c.Retry = dead.URL, n.retry(3, 0)
	_, err := c.QueryOrder(t.Context(), "o", ByOrderID("1"))
	if !errors.Is(err, ErrNoAnswer) || len(n.taken) != 2 || strings.Contains(fmt.Sprint(err), "access_token") {
		t.Errorf("%v, %v", err, n.taken)
	}
}
