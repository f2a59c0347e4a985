package wechatsim

import "net/http"

// routes is every path there is. WeChat's own take any method, because a wrong one has an errcode of its own.
func (s *Sim) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/sns/jscode2session", s.api(s.code2Session))
	mux.HandleFunc("/cgi-bin/stable_token", s.api(s.stableToken))
	mux.HandleFunc("/xpay/query_order", s.api(s.xpay(true, s.queryOrder)))
	mux.HandleFunc("/xpay/refund_order", s.api(s.xpay(true, s.refundOrder)))
	mux.HandleFunc("/xpay/notify_provide_goods", s.api(s.xpay(false, s.notifyProvideGoods)))
	mux.HandleFunc("/", s.api(s.invalidURL))

	mux.HandleFunc("POST /sim/login", control(s.controlLogin))
	mux.HandleFunc("POST /sim/logout", control(s.controlLogout))
	mux.HandleFunc("POST /sim/requestVirtualPayment", control(s.controlPayment))
	mux.HandleFunc("POST /sim/pay", control(s.controlPay))
	mux.HandleFunc("POST /sim/close", control(s.controlClose))
	mux.HandleFunc("POST /sim/consoleRefund", control(s.controlConsoleRefund))
	mux.HandleFunc("POST /sim/complaint", control(s.controlComplaint))
	mux.HandleFunc("POST /sim/appleRefundQuestion", control(s.controlQuestion))
	mux.HandleFunc("POST /sim/push", control(s.controlPush))
	mux.HandleFunc("POST /sim/checkURL", control(s.controlCheckURL))
	mux.HandleFunc("GET /sim/orders", control(s.controlOrders))
	mux.HandleFunc("GET /sim/orders/{outTradeNo}", s.controlOrder)
	mux.HandleFunc("GET /sim/faults", control(s.controlShowFaults))
	mux.HandleFunc("POST /sim/faults", control(s.controlSetFaults))
	mux.HandleFunc("GET /sim/clock", control(s.controlShowClock))
	mux.HandleFunc("POST /sim/clock", control(s.controlSetClock))
	mux.HandleFunc("/sim/", func(w http.ResponseWriter, r *http.Request) {
		writeControl(w, nil, errNoEndpoint(r.Method, r.URL.Path))
	})
	return mux
}
