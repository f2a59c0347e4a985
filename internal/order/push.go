package order

import (
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Push is a verified push of WeChat.
type Push struct {
	Event     xpay.Event
	Encrypted bool   // secure mode: the body is WeChat's. Otherwise it is a hint
	AppID     string // the AppID the message was made for; "" in plain mode
	Raw       []byte // the plain event, kept as evidence when nobody understands it
}

func (p Push) source() Source {
	if p.Encrypted {
		return SourcePush
	}
	return SourcePlain
}

// money turns a paid push into a fact about the number it names.
func (p Push) money(at time.Time) (number string, f Fact, ok bool) {
	switch {
	case p.Event.Goods != nil:
		g := p.Event.Goods
		m := Money{OpenID: g.OpenID, Env: g.Env, ProductID: g.ProductID, Quantity: g.Quantity, Actual: g.ActualPrice}
		m.from(g.WeChatPay)
		return g.OutTradeNo, Fact{Kind: FactMoney, Source: p.source(), At: at, Money: &m}, true
	case p.Event.Coins != nil:
		c := p.Event.Coins
		m := Money{OpenID: c.OpenID, Env: c.Env, Quantity: c.Quantity, Actual: c.ActualPrice}
		m.from(c.WeChatPay)
		return c.OutTradeNo, Fact{Kind: FactMoney, Source: p.source(), At: at, Money: &m}, true
	default:
		return "", Fact{}, false
	}
}

// from takes over WeChatPayInfo, which is absent for other channels than WeChat Pay (spec 5.2).
func (m *Money) from(info *xpay.WeChatPayInfo) {
	if info == nil {
		return
	}
	m.TransactionID, m.ChannelOrderID = info.TransactionID, info.MchOrderNo
	m.PaidAt = unix(info.PaidTime)
	if m.TransactionID != "" {
		m.Channel = ChannelWeChat
	}
}

// refund turns a refund push into a fact.
func (p Push) refund(at time.Time) Fact {
	n := p.Event.Refund
	news := RefundNews{Step: StepDone, ID: n.MchRefundID, WxRefundID: n.WxRefundID, OpenID: n.OpenID, Fee: &n.RefundFee, At: unix(n.SuccTime)}
	if n.RetCode != 0 {
		news.Step, news.Code = StepFailed, n.RetCode
	}
	return Fact{Kind: FactRefund, Source: p.source(), At: at, Refund: &news}
}

// queried turns query_order's answer for an attempt into a fact.
func (o *Order) queried(a *Attempt, q xpay.Order, at time.Time) Fact {
	f := Fact{Source: SourceQuery, At: at, Attempt: a.N}
	switch {
	case q.Status.Paid(), wasPaid(q):
		f.Kind, f.Money = FactMoney, moneyOf(q)
	case q.Status == xpay.StatusClosed:
		f.Kind, f.Seen = FactUnpaid, SeenDead
	default:
		f.Kind, f.Seen = FactUnpaid, SeenOpen
	}
	return f
}

// wasPaid reports whether a number that is neither open nor paid was paid once: status 5 proves nothing about how
// much of it went back (spec 5.1).
func wasPaid(q xpay.Order) bool {
	past := q.Status == xpay.StatusRefunded || q.Status.RefundDone()
	return past && (q.PaidTime > 0 || q.PaidFee != nil && *q.PaidFee > 0)
}

// moneyOf reads a payment out of a query's answer. The query was asked with the order's own openid.
func moneyOf(q xpay.Order) *Money {
	m := Money{
		OrderFee: q.OrderFee, PaidFee: q.PaidFee, LeftFee: q.LeftFee, Tag: q.Attach(),
		TransactionID: q.WxpayOrderID, WxOrderID: q.WxOrderID, ChannelOrderID: q.ChannelOrderID,
		Channel: channelOf(q), PaidAt: unix(q.PaidTime),
		Provided: q.ProvideTime > 0 || q.Status == xpay.StatusDelivered, // 5 proves nothing, it flaps
	}
	switch q.EnvType {
	case xpay.Production.Type():
		m.Env = new(xpay.Production)
	case xpay.Sandbox.Type():
		m.Env = new(xpay.Sandbox)
	}
	return &m
}

// unix reads WeChat's seconds. What is no time of ours, as milliseconds would be, is no time: no document can hold a year beyond 9999.
func unix(seconds int64) time.Time {
	if seconds <= 0 || seconds > secondsMax {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// secondsMax is the end of the year 9999.
const secondsMax = 253402300799
