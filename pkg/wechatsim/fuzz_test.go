package wechatsim_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzXpayBody sends arbitrary bodies, correctly signed with either key, to every API. Nothing may panic, and no
// order may end with more refunded than paid.
func FuzzXpayBody(f *testing.F) {
	f.Add(`{"openid":"oUser1","env":0,"order_id":"ORDER0001"}`)
	f.Add(refundBody("ORDER0001", "REFUND0001", 1800, 100))
	f.Add(`{"order_id":"ORDER0001","env":1}`)
	f.Add(`{"env":1e400}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		w.buy("ORDER0001")
		for _, path := range []string{"/xpay/query_order", "/xpay/refund_order", "/xpay/notify_provide_goods"} {
			for _, key := range []string{testKey, sandKey} {
				r := httptest.NewRequest("POST", w.xpayURL(path, key, body), strings.NewReader(body))
				rec := httptest.NewRecorder()
				w.sim.ServeHTTP(rec, r)
				if rec.Code != http.StatusOK {
					t.Errorf("%s: HTTP %d", path, rec.Code)
				}
			}
		}
		if v, _ := w.sim.Order("ORDER0001"); v.LeftFee < 0 || v.LeftFee > v.PaidFee {
			t.Errorf("order is %+v", v)
		}
	})
}

// FuzzControlBody sends arbitrary bodies to the control endpoints. Faults that cut or hang are never set by it.
func FuzzControlBody(f *testing.F) {
	paths := strings.Fields("login logout requestVirtualPayment pay close consoleRefund complaint appleRefundQuestion push clock faults")
	for i, body := range []string{`{"openid":"o"}`, `null`, `{"outTradeNo":"ORDER0001","refundFee":1}`, `{"event":"x","body":{"a":{"b":[1,"c"]}}}`, `{"advance":"1h"}`, `{"reset":true}`, `{"signData":5}`} {
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		w := newWorld(t)
		w.buy("ORDER0001")
		path := "/sim/" + paths[int(which)%len(paths)]
		if status, text := w.do("POST", path, body); status >= 500 {
			t.Errorf("%s: HTTP %d %s", path, status, text)
		}
		w.deliver()
		w.sim.Orders()
	})
}

// FuzzSignData signs arbitrary data correctly: it is accepted or refused, never more.
func FuzzSignData(f *testing.F) {
	f.Add(signData("ORDER0001", 1, 1800))
	f.Add(`{"env":9223372036854775807}`)
	f.Fuzz(func(t *testing.T, data string) {
		w := newWorld(t)
		r := payment(w.login(testUser), data)
		for _, r.Mode = range []string{"short_series_goods", "short_series_coin"} {
			if got := w.sim.RequestVirtualPayment(r); got.ErrCode > 0 && got.ErrCode != 1001 {
				t.Errorf("%+v", got)
			}
		}
		w.deliver()
	})
}

// FuzzReceiverAnswer feeds arbitrary answers to the judge, in every format and mode.
func FuzzReceiverAnswer(f *testing.F) {
	f.Add("success")
	f.Add(`{"ErrCode":0}`)
	f.Add(`<xml><ErrCode>0</ErrCode></xml>`)
	f.Add(`{"Encrypt":"AAAA","MsgSignature":"x","TimeStamp":1,"Nonce":"n"}`)
	f.Fuzz(func(t *testing.T, reply string) {
		for _, mode := range []string{"plain", "aes"} {
			for _, format := range []string{"json", "xml"} {
				w := newWorld(t)
				w.cfg.Push.Mode, w.cfg.Push.Format = mode, format
				if err := w.restart(nil, nil); err != nil {
					t.Fatal(err)
				}
				w.recv.answer = func(int, *http.Request, []byte) (int, string) { return 200, reply }
				w.buy("ORDER0001")
				w.deliver()
			}
		}
	})
}
