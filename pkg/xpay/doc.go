// Package xpay speaks WeChat's mini-program virtual payment (小程序虚拟支付): it signs what a phone passes to
// wx.requestVirtualPayment, calls the /xpay/* server APIs, and reads the xpay_* message pushes. It knows
// nothing of how an application keeps its orders, and needs the standard library only.
//
// # Taking a payment
//
// There is no server call that creates an order. The server signs, the phone pays (spec 1.3):
//
//	merchant, err := xpay.NewMerchant(offerID, xpay.Sandbox, sandboxAppKey)
//	payment, err := merchant.SignGoods(xpay.Goods{
//		ProductID: "vip_month", Quantity: 1, Price: 1800, OutTradeNo: "order-20260801-1", Attach: "v1",
//	}, sessionKey)
//
// Payment goes to the phone as JSON and into wx.requestVirtualPayment unchanged: the signatures cover the very
// bytes of SignData. The session key must be fresh; wx.login right before ordering is the safe habit.
//
// # Learning that it was paid
//
// WeChat pushes xpay_goods_deliver_notify; ParseEvent reads it once the push envelope was verified and opened
// (miniprogram.Push does both). Client.QueryOrder asks. Do both: pushes can be late and phones die. ReplyFor says how each
// event is answered, in which format, whether encrypted, and how soon. Client.NotifyProvideGoods tells WeChat "delivered" when no
// push could be answered.
//
// All events of virtual payment are typed (Events lists them). What WeChat adds later is kept: Event.Raw has the push as it came,
// Event.Field and Event.Fields read it.
//
// # Giving money back
//
// Client.RefundOrder starts a refund; the money is back only when the refund order says so (Status.RefundDone)
// or an xpay_refund_notify arrives. LeftFee must come from a QueryOrder made just before.
//
// # The other APIs
//
// Endpoints lists all 37, with what each signs, whether it may be repeated and by which number. Each has a typed method;
// Client.Call sends any of them by name with a body of your own. Client.Retry makes the client repeat what may be
// repeated; its zero value repeats nothing. ErrAbsent says that what was asked for is not there, ErrNotReady that WeChat
// has not made it yet.
//
// # Errors
//
// *Error is WeChat's answer: its Class says whether to retry, its Advice what to do. ErrNoAnswer means nothing usable
// came back and WeChat may or may not have acted. ErrNoOrder, ErrAbsent and ErrNotReady are answers, too. Anything else
// was refused before sending, or comes from the token source. For calls that move money ask OutcomeUnknown: if true, query or repeat the identical
// call with the same number; never invent a new number.
//
// Lookup, LookupClient and LookupText are the catalogue of error codes, of the server, of the phone, and of errors told in words
// only: meaning, usual cause, what to do and who has to, in English and Chinese. docs/reference/errors.md is printed from it.
//
// Amounts are Fen (1/100 yuan), times are Unix seconds unless a comment says milliseconds. AppKeys and session
// keys never appear in errors or when values are printed; what WeChat hands out, such as signed URLs, is plain text.
package xpay
