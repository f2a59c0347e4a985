package doctor

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// skewMax is how far a clock may be off before signatures and tokens suffer: a push may be ten minutes from the future.
const skewMax = 2 * time.Minute

// dates collects what the servers' Date headers say, against this machine's clock.
type dates struct {
	mu   sync.Mutex
	skew map[string]time.Duration // by host
}

type watcher struct {
	next  http.RoundTripper
	dates *dates
	now   func() time.Time
}

func (d *dates) watch(next http.RoundTripper, now func() time.Time) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	d.skew = map[string]time.Duration{}
	return watcher{next, d, now}
}

func (w watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		w.dates.mu.Lock()
		w.dates.skew[r.URL.Host] = w.now().Sub(at)
		w.dates.mu.Unlock()
	}
	return resp, nil
}

// apart is how far the clock of a host was seen to be from this machine's; 0 when it did not tell.
func (d *dates) apart(host string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.skew[host].Abs()
}

// clock compares with the Date of every answer so far. Only WeChat's can say that all is well.
func (e *examination) clock(context.Context) {
	e.dates.mu.Lock()
	defer e.dates.mu.Unlock()
	for host, skew := range e.dates.skew {
		if skew.Abs() > skewMax {
			apart := skew.Abs().Round(time.Second)
			e.fix("clock", fmt.Sprintf("this machine's clock and that of %s are %s apart", host, apart), fmt.Sprintf("本机与 %s 的时钟相差 %s", host, apart),
				"synchronise the clock (NTP)", "用 NTP 同步时钟")
			return
		}
	}
	if _, told := e.dates.skew[e.weChatHost()]; !told {
		e.notTested("clock", "no answer of WeChat told the time", "微信没有返回可用于比对的时间")
		return
	}
	e.ok("clock", "this machine's clock agrees with WeChat's", "本机时钟与微信一致")
}
