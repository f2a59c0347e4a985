package xpay

import (
	"slices"
	"time"
)

// EnvUse is what env means to an API (spec 4.0).
type EnvUse int

const (
	EnvSelects    EnvUse = iota // env is in the body and selects both the data and the AppKey
	EnvKeyOnly                  // env is in the body and selects the AppKey alone: the data is always production
	EnvAbsent                   // there is no env in the body: the AppKey that signed decides
	EnvProduction               // subscriptions know production only: a sandbox merchant is refused before sending
)

// Endpoint describes one API: its row of the signature matrix of spec 4.1, and what is published about repeating it.
type Endpoint struct {
	Name, Path      string
	PaySig, UserSig bool // which signatures the query carries; UserSig needs the user's session key
	Env             EnvUse
	EmptyAnswer     bool  // HTTP 200 with no body is success
	Done            []int // codes that mean: an earlier call with the same Number succeeded, with what it said
	// Repeatable: the identical request may be sent again. Of APIs that change something, only those of which WeChat
	// says so are.
	Repeatable bool
	// Number is the body field by which WeChat knows the operation or what it is about; "" where there is none. Keep its
	// value until the outcome is known, and never try with another. Only where Repeatable is it documented that the same
	// value makes a second request the same operation. How a second cancel_currency_pay, create_withdraw_order or
	// notify_provide_goods ends is not (spec 4.4, 4.10, 4.7): ask query_user_balance, query_withdraw_order or query_order
	// first. notify_provide_goods takes wx_order_id instead as well.
	Number string
	// Limits is what is published about rates and sizes. No numbers are published for calls per time (spec 4.0):
	// 268490015, 45011 and 45009 tell.
	Limits []string
}

// endpoint is one row per API: another API is another row and a typed method, never a change of call.
type endpoint struct {
	name        string // the path is /xpay/ + name
	paySig      bool   // send pay_sig, see the matrix of spec 4.1
	userSig     bool   // send signature; the request then needs a session key
	env         EnvUse
	emptyAnswer bool  // HTTP 200 with no body is success
	done        []int // see Endpoint.Done
	repeatable  bool
	number      string
	limits      []string
	timeout     time.Duration // of one request; 0: defaultTimeout
}

func (e endpoint) path() string { return "/xpay/" + e.name }

func (e endpoint) patience() time.Duration {
	if e.timeout == 0 {
		return defaultTimeout
	}
	return e.timeout
}

const (
	repeated      = 268490004        // "repeated operation": the earlier one succeeded, spec 6.1
	uploadTimeout = 30 * time.Second // a picture goes up, or WeChat fetches it first
)

var once = []int{repeated}

// The rows, in the order of spec 4. The rows with a CONFLICT in the matrix (notify_provide_goods, present_currency,
// advert funds, subscriptions) carry pay_sig, as the matrix advises.
var (
	queryUserBalance = endpoint{name: "query_user_balance", paySig: true, userSig: true, repeatable: true}
	currencyPay      = endpoint{name: "currency_pay", paySig: true, userSig: true, done: once, repeatable: true, number: "order_id"}
	// How a repeated cancel_currency_pay ends is not documented: it is not repeated.
	cancelCurrencyPay = endpoint{name: "cancel_currency_pay", paySig: true, userSig: true, number: "order_id"}
	presentCurrency   = endpoint{name: "present_currency", paySig: true, done: once, repeatable: true, number: "order_id"}

	queryOrder = endpoint{name: "query_order", paySig: true, repeatable: true}
	// 268490004 is not documented of a delivery. Should it come, WeChat was told before.
	notifyProvideGoods = endpoint{name: "notify_provide_goods", paySig: true, emptyAnswer: true, done: once, number: "order_id"}
	// refund_order may be repeated with identical parameters, but only somebody who asks for the refund number first
	// can tell what the repetition did: the caller repeats it, not the client.
	refundOrder = endpoint{name: "refund_order", paySig: true, number: "refund_order_id",
		limits: []string{"until 365 days after payment", "several partial refunds, their number is not published"}}

	downloadBill = endpoint{name: "download_bill", paySig: true, env: EnvAbsent, repeatable: true,
		limits: []string{"the file is made at the first call: ask again after seconds to a minute", "url lives 30 minutes"}}

	createWithdrawOrder = endpoint{name: "create_withdraw_order", paySig: true, number: "withdraw_no"}
	queryWithdrawOrder  = endpoint{name: "query_withdraw_order", paySig: true, repeatable: true}

	startUploadGoods  = endpoint{name: "start_upload_goods", paySig: true, limits: []string{"one item per call", oneTask}}
	queryUploadGoods  = endpoint{name: "query_upload_goods", paySig: true, repeatable: true}
	startPublishGoods = endpoint{name: "start_publish_goods", paySig: true, limits: []string{"one item per call", oneTask}}
	queryPublishGoods = endpoint{name: "query_publish_goods", paySig: true, repeatable: true}

	queryBizBalance = endpoint{name: "query_biz_balance", paySig: true, env: EnvKeyOnly, repeatable: true}

	queryTransferAccount = endpoint{name: "query_transfer_account", paySig: true, env: EnvKeyOnly, repeatable: true}
	queryAdverFunds      = endpoint{name: "query_adver_funds", paySig: true, env: EnvKeyOnly, repeatable: true}
	createFundsBill      = endpoint{name: "create_funds_bill", paySig: true, env: EnvKeyOnly, done: once, repeatable: true,
		number: "request_id"}
	bindTransferAccount     = endpoint{name: "bind_transfer_accout", paySig: true, env: EnvKeyOnly} // WeChat spells it so
	queryFundsBill          = endpoint{name: "query_funds_bill", paySig: true, env: EnvKeyOnly, repeatable: true}
	queryRecoverBill        = endpoint{name: "query_recover_bill", paySig: true, env: EnvKeyOnly, repeatable: true}
	downloadAdverfundsOrder = endpoint{name: "download_adverfunds_order", paySig: true, env: EnvKeyOnly, repeatable: true,
		limits: []string{"fund_type 0 only", "the file is made at the first call: ask again after seconds to a minute"}}

	getComplaintList      = endpoint{name: "get_complaint_list", paySig: true, env: EnvKeyOnly, repeatable: true}
	getComplaintDetail    = endpoint{name: "get_complaint_detail", paySig: true, env: EnvKeyOnly, repeatable: true}
	getNegotiationHistory = endpoint{name: "get_negotiation_history", paySig: true, env: EnvKeyOnly, repeatable: true}
	responseComplaint     = endpoint{name: "response_complaint", paySig: true, env: EnvKeyOnly}
	completeComplaint     = endpoint{name: "complete_complaint", paySig: true, env: EnvKeyOnly, number: "complaint_id"}
	uploadVPFile          = endpoint{name: "upload_vp_file", paySig: true, env: EnvKeyOnly, timeout: uploadTimeout,
		limits: []string{"base64_img at most 1 MB", "img_url at most 2 MB, without a redirect"}}
	getUploadFileSign = endpoint{name: "get_upload_file_sign", paySig: true, env: EnvKeyOnly, repeatable: true,
		limits: []string{"cos_url lives 30 minutes"}}

	startDownloadOrder = endpoint{name: "start_download_order", paySig: true,
		limits: []string{"begin_ds and end_ds at most 31 days apart"}}
	queryDownloadOrder        = endpoint{name: "query_download_order", paySig: true, repeatable: true}
	downloadIOSSettlementBill = endpoint{name: "download_ios_settlement_bill", paySig: true, env: EnvAbsent, repeatable: true,
		limits: []string{"bill_url expires, when is not published"}}

	queryPunishmentReasons = endpoint{name: "query_punishment_reasons", paySig: true, env: EnvAbsent, repeatable: true}

	querySubscribeContract = endpoint{name: "query_subscribe_contract", paySig: true, env: EnvProduction, repeatable: true,
		limits: []string{"up to 10 seconds behind Apple"}}
	// Only -1 is documented as "repeat" for the pre-notice, silence is not: it is not repeated.
	sendSubscribePrePayment = endpoint{name: "send_subscribe_pre_payment", paySig: true, env: EnvProduction,
		limits: []string{"07:10 to 21:50 in China", "two days before the charge", "deduct_price at least 100 fen"}}
	submitSubscribePayOrder = endpoint{name: "submit_subscribe_pay_order", paySig: true, env: EnvProduction, number: "order_id",
		limits: []string{"07:10 to 21:50 in China", "once per hour, user and product", "a failed charge for six more days"}}
	cancelSubscribeContract = endpoint{name: "cancel_subscribe_contract", paySig: true, env: EnvProduction,
		number: "out_contract_code", limits: []string{"not for third-party platforms"}}
)

const oneTask = "one task at a time, else 268490012"

// endpoints are all rows, in the order of spec 4.
var endpoints = [...]endpoint{
	queryUserBalance, currencyPay, cancelCurrencyPay, presentCurrency,
	queryOrder, notifyProvideGoods, refundOrder,
	downloadBill, createWithdrawOrder, queryWithdrawOrder,
	startUploadGoods, queryUploadGoods, startPublishGoods, queryPublishGoods, queryBizBalance,
	queryTransferAccount, queryAdverFunds, createFundsBill, bindTransferAccount, queryFundsBill, queryRecoverBill,
	downloadAdverfundsOrder,
	getComplaintList, getComplaintDetail, getNegotiationHistory, responseComplaint, completeComplaint, uploadVPFile,
	getUploadFileSign,
	startDownloadOrder, queryDownloadOrder, downloadIOSSettlementBill, queryPunishmentReasons,
	querySubscribeContract, sendSubscribePrePayment, submitSubscribePayOrder, cancelSubscribeContract,
}

// Endpoints is a copy of the table of all 37 server APIs, in the order of spec 4.
func Endpoints() []Endpoint {
	rows := make([]Endpoint, len(endpoints))
	for i, e := range endpoints {
		rows[i] = Endpoint{
			Name: e.name, Path: e.path(), PaySig: e.paySig, UserSig: e.userSig, Env: e.env, EmptyAnswer: e.emptyAnswer,
			Done: slices.Clone(e.done), Repeatable: e.repeatable, Number: e.number, Limits: slices.Clone(e.limits),
		}
	}
	return rows
}

func endpointNamed(name string) (endpoint, bool) {
	i := slices.IndexFunc(endpoints[:], func(e endpoint) bool { return e.name == name })
	if i < 0 {
		return endpoint{}, false
	}
	return endpoints[i], true
}
