package xpay

// endpoint is one row per API: another API is another row and a typed method, never a change of call.
type endpoint struct {
	name        string // the path is /xpay/ + name
	paySig      bool   // send pay_sig, see the matrix of spec 4.1
	userSig     bool   // send signature; the request then needs a session key
	emptyAnswer bool   // HTTP 200 with no body is success
	done        []int  // codes that mean: an earlier identical call succeeded
}

func (e endpoint) path() string { return "/xpay/" + e.name }

var (
	queryOrder         = endpoint{name: "query_order", paySig: true}
	refundOrder        = endpoint{name: "refund_order", paySig: true}
	notifyProvideGoods = endpoint{name: "notify_provide_goods", paySig: true, emptyAnswer: true, done: []int{repeated}}
)

const repeated = 268490004 // "repeated operation": the earlier one succeeded, spec 6.1
