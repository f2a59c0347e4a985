package xpay

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The events of spec 7.10; Events lists them. One URL gets every message of the mini-program, also those of other features.
const (
	EventGoodsDeliver     = "xpay_goods_deliver_notify"
	EventCoinPay          = "xpay_coin_pay_notify"
	EventRefund           = "xpay_refund_notify"
	EventComplaint        = "xpay_complaint_notify"
	EventWxpayCallback    = "xpay_wxpay_callback_notify"
	EventAppleSigning     = "xpay_apple_subscribe_signing_result_notify"
	EventAppleUnsigning   = "xpay_apple_subscribe_unsigning_result_notify"
	EventIOSRefundQuery   = "xpay_subscribe_ios_refund_query_notify"
	EventSubscribeSigning = "xpay_subscribe_signing_result_notify" // Android, HarmonyOS
	EventSubscribePayFail = "xpay_subscribe_pay_fail_notify"       // Android, HarmonyOS
)

// Events is the list of all events that this package knows.
func Events() []string {
	return []string{
		EventGoodsDeliver, EventCoinPay, EventRefund, EventComplaint, EventWxpayCallback, EventAppleSigning, EventAppleUnsigning,
		EventIOSRefundQuery, EventSubscribeSigning, EventSubscribePayFail,
	}
}

// Format is how a push is written. The answer must be written likewise.
type Format string

const (
	XML  Format = "xml"
	JSON Format = "json"
)

// FormatOf looks at the first byte that is not space; "" if it begins neither XML nor a JSON object.
func FormatOf(msg []byte) Format {
	msg = trimStart(msg)
	switch {
	case bytes.HasPrefix(msg, []byte("<")):
		return XML
	case bytes.HasPrefix(msg, []byte("{")):
		return JSON
	}
	return ""
}

func trimStart(msg []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(msg, []byte("\xef\xbb\xbf")), " \t\r\n")
}

// Event is a push. Name says which of the pointers is set; none is for events that this package does not know, so
// acknowledge those. ReplyFor says how and within which time. To recognise a repetition use the numbers inside (OutTradeNo,
// WxRefundID, ComplaintID): FromUserName and CreateTime, which are advised for other messages, do not tell (spec 7.1).
type Event struct {
	Name         string
	CreateTime   int64  // Unix seconds
	MsgType      string // event
	ToUserName   string // gh_..., the mini-program's original id
	FromUserName string // not the payer (trap 33)
	OpenID       string // the user, where the event names one
	Goods        *GoodsDelivery
	Coins        *CoinPayment
	Refund       *RefundNotice
	Complaint    *Complaint
	IOSRefund    *IOSRefundQuestion
	AppleSigning *AppleSigning
	Subscription *SubscriptionNotice
	Risk         *RiskNotice
	Raw          []byte // the push as given; Field and Fields read what this package does not know
}

// ParseEvent reads a push that was verified and opened already, XML or JSON, numbers as numbers or text. It does not
// judge: missing fields are zero or nil, unknown ones stay in Raw. Errors: no Event field, more than 1 MiB or 16 levels,
// malformed input, a field that comes twice, money or a deciding number that is no integer, a refund without RetCode or
// RefundFee. With such an error Name, the envelope and Raw are filled as far as they could be read, as evidence.
func ParseEvent(msg []byte) (Event, error) {
	event := Event{Raw: msg}
	root, err := parse(msg)
	if err != nil {
		return event, fmt.Errorf("xpay event: %w", err)
	}
	f := fields{node: root}
	event.envelope(&f)
	if f.err == nil && event.Name == "" {
		f.err = errors.New("field Event is missing")
	}
	if f.err == nil {
		event.content(&f)
	}
	if f.err != nil {
		return event, fmt.Errorf("xpay event %.64q: %w", event.Name, f.err)
	}
	return event, nil
}

func parse(msg []byte) (*node, error) {
	switch FormatOf(msg) {
	case XML:
		return parseXML(trimStart(msg))
	case JSON:
		return parseJSON(trimStart(msg))
	}
	return nil, errors.New("neither XML nor a JSON object")
}

func (e *Event) envelope(f *fields) {
	e.Name = strings.TrimSpace(f.text("Event")) // space around it, as in pretty-printed XML, makes no other event
	e.CreateTime, e.MsgType = f.loose("CreateTime"), f.text("MsgType")
	e.ToUserName, e.FromUserName = f.text("ToUserName"), f.text("FromUserName")
	if slices.Contains(Events(), e.Name) { // of others it may mean anything
		e.OpenID = f.text("OpenId")
	}
}

func (e *Event) content(f *fields) {
	switch e.Name {
	case EventGoodsDeliver:
		e.Goods = f.goods()
	case EventCoinPay:
		e.Coins = f.coins()
	case EventRefund:
		e.Refund = f.refund()
	case EventComplaint:
		e.Complaint = f.complaint()
	case EventIOSRefundQuery:
		e.IOSRefund = f.iosRefund()
	case EventAppleSigning, EventAppleUnsigning:
		e.AppleSigning = f.appleSigning()
	case EventSubscribeSigning, EventSubscribePayFail:
		e.Subscription = f.subscription()
	case EventWxpayCallback:
		e.Risk = f.risk()
	}
}
