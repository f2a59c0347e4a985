package xpay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	userIP    = netip.MustParseAddr("1.1.1.1")
	august    = Days{Day{time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)}, Day{time.Date(2026, 8, 31, 0, 0, 0, 0, time.UTC)}}
	summer    = Months{Month{time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}, Month{time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)}}
	oneDay    = Span{1785513600, 1785600000}
	complaint = ComplaintInfo{
		ComplaintID: "200201820260803150000000001", ComplaintTime: "2026-08-03T15:00:00+08:00", ComplaintDetail: "未到账",
		State: ComplaintPending, PayerPhone: "13800000000", PayerOpenID: "oABC",
		Orders: []ComplaintOrder{{OrderID: "ORDER20260801001", ChannelOrderID: "202608011234567890",
			WxOrderID: "VPO260801000000000000001", TransactionID: "4500000138202608010000000001", Amount: fen(100)}},
		FullRefunded: true, IncomingUserResponse: true, UserComplaintTimes: 1,
		Media: []ComplaintMedia{{MediaUser, []string{"https://api.mch.weixin.qq.com/v3/merchant-service/images/a",
			"https://api.mch.weixin.qq.com/v3/merchant-service/images/b"}}},
		ProblemDescription: "付款后没有会员", ProblemType: ProblemRefund, ApplyRefundAmount: fen(100), UserTags: []UserTag{UserTrusted},
		ServiceOrders: []ServiceOrder{{"S1", "SO1", ServiceDoing}},
	}
)

// first cuts a range down to n days.
func (d Days) first(n int) Days { return Days{d.Begin, Day{d.Begin.midnight.AddDate(0, 0, n-1)}} }

func count(n int64) *int64 { return &n }

func silent(err error) (any, error) { return nil, err }

// calls is one call of each typed method: with these inputs the bytes of testdata/requests/<api>.json are sent, and of
// <api>.answer.json this is read. Raw is compared apart.
var calls = []struct {
	api  string
	call func(context.Context, *Client) (any, error)
	want any
}{
	{"query_user_balance", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryUserBalance(ctx, BalanceRequest{OpenID: "oABC", UserIP: userIP}, vectorSession)
	}, Balance{Balance: 150, PresentBalance: count(50), SumSave: count(1000), SumPresent: count(80), SumBalance: count(1080),
		SumCost: count(930), FirstSaveFlag: true}},
	{"currency_pay", func(ctx context.Context, c *Client) (any, error) {
		return c.CurrencyPay(ctx, c5eSpend, vectorSession)
	}, CurrencyPayReply{OrderID: "SPEND20260801001", Balance: count(145), UsedPresentAmount: count(5)}},
	{"cancel_currency_pay", func(ctx context.Context, c *Client) (any, error) {
		return c.CancelCurrencyPay(ctx, CancelCurrencyPayRequest{OpenID: "oABC", UserIP: netip.MustParseAddr("::ffff:1.1.1.1"),
			PayOrderID: "SPEND20260801001", OrderID: "BACK20260801001", Amount: 5}, vectorSession)
	}, CancelCurrencyPayReply{OrderID: "BACK20260801001"}},
	{"present_currency", func(ctx context.Context, c *Client) (any, error) {
		return c.PresentCurrency(ctx, PresentCurrencyRequest{OpenID: "oABC", OrderID: "GIFT20260801001", Amount: 20})
	}, PresentCurrencyReply{OrderID: "GIFT20260801001", Balance: count(165), PresentBalance: count(100)}},
	{"query_order", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryOrder(ctx, "oABC", ByOrderID("ORDER20260801001"))
	}, Order{OrderID: "ORDER20260801001", WxOrderID: "VPO260801000000000000001", CreateTime: 1785599900, UpdateTime: 1785599990,
		Status: StatusDelivered, BizType: 1000, OrderType: TypeApplePayment, OrderFee: fen(105), CouponFee: 5, PaidFee: fen(100),
		RefundFee: fen(30), LeftFee: fen(70), PaidTime: 1785599990,
		ProvideTime: 1785600000, BizMeta: `{"attach":"testdata"}`, EnvType: 1, Token: "E-260801",
		ChannelOrderID: "202608011234567890", WxpayOrderID: "4500000138202608010000000001", SettTime: 1785686400, SettState: 2, PlatformFee: 10, CPSFee: 1}},
	{"notify_provide_goods", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.NotifyProvideGoods(ctx, ByOrderID("ORDER20260801001")))
	}, nil},
	{"refund_order", func(ctx context.Context, c *Client) (any, error) {
		return c.RefundOrder(ctx, c5bRefund)
	}, RefundReply{RefundOrderID: "REFUND20260801001", RefundWxOrderID: "VPR260801000000000000001",
		PayOrderID: "ORDER20260801001", PayWxOrderID: "VPO260801000000000000001"}},
	{"download_bill", func(ctx context.Context, c *Client) (any, error) {
		return c.DownloadBill(ctx, august.first(10))
	}, BillFile{URL: "https://bill.example/20260801.csv?a=1&b=2"}},
	{"create_withdraw_order", func(ctx context.Context, c *Client) (any, error) {
		return c.CreateWithdrawOrder(ctx, "WITHDRAW20260801", WithdrawFen(1))
	}, WithdrawReply{WithdrawNo: "WITHDRAW20260801", WxWithdrawNo: "WX20260801"}},
	{"query_withdraw_order", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryWithdrawOrder(ctx, "WITHDRAW20260801")
	}, Withdrawal{WithdrawNo: "WITHDRAW20260801", WxWithdrawNo: "WX20260801", Status: WithdrawDone, Amount: "128.50",
		SuccessTime: 1785600000, CreateTime: "2026-08-01 12:00:00", FailReason: "银行退回"}},
	{"start_upload_goods", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.StartUploadGoods(ctx, GoodsItem{ID: "vip_month", Name: "月度会员<VIP>&", Price: 1800,
			Remark: "全站会员一个月", ItemURL: "https://img.example/vip.png"}))
	}, nil},
	{"query_upload_goods", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryUploadGoods(ctx)
	}, UploadTask{Status: TaskFailed, Items: []UploadedItem{
		{GoodsItem{"vip_month", "月度会员", 1800, "一个月", "https://wx.example/1"}, ItemDone, ""},
		{GoodsItem{"vip_year", "年度会员", 18000, "一年", ""}, ItemFailed, "图片格式错误"}}}},
	{"start_publish_goods", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.StartPublishGoods(ctx, "vip_month"))
	}, nil},
	{"query_publish_goods", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryPublishGoods(ctx)
	}, PublishTask{Status: TaskDone, Items: []PublishedItem{{"vip_month", ItemDone, ""}, {"vip_year", ItemFailed, "未通过审核"}}}},
	{"query_biz_balance", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryBizBalance(ctx)
	}, BizBalance{Amount: "128.50", CurrencyCode: "CNY"}},
	{"query_transfer_account", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryTransferAccount(ctx)
	}, TransferAccounts{Accounts: []TransferAccount{
		{"推广一部", 40012345, 7001, "代理", AccountApproved, BindFailed, "主体不一致"}}}},
	{"query_adver_funds", func(ctx context.Context, c *Client) (any, error) {
		general := FundGeneral
		return c.QueryAdverFunds(ctx, AdverFundsRequest{Page: Page{1, 20}, Settle: oneDay, Type: &general})
	}, AdverFunds{TotalPage: 3, Funds: []AdverFund{{FundID: "F1", Type: FundTargeted, SettleBegin: 1785513600,
		SettleEnd: 1785600000, TotalAmount: 5000, RemainAmount: 3000, ExpireTime: 1793376000}}}},
	{"create_funds_bill", func(ctx context.Context, c *Client) (any, error) {
		return c.CreateFundsBill(ctx, fundsBill)
	}, FundsBillReply{BillID: "B1"}},
	{"bind_transfer_accout", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.BindTransferAccount(ctx, 40012345, "某某科技有限公司"))
	}, nil},
	{"query_funds_bill", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryFundsBill(ctx, FundsBillsRequest{Page: Page{2, 10}, OperTime: oneDay, BillID: "B1", RequestID: "CHARGE20260801001"})
	}, FundsBills{TotalPage: 1, Bills: []FundsBill{{BillID: "B1", RequestID: "CHARGE20260801001", OperTime: 1785590000,
		SettleBegin: 1785513600, SettleEnd: 1785600000, FundID: "F1", AccountName: "推广一部", AccountUID: 40012345,
		Amount: 2000, Status: FundsBillDone}}}},
	{"query_recover_bill", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryRecoverBill(ctx, RecoverBillsRequest{Page: Page{1, 10}, RecoverTime: oneDay})
	}, RecoverBills{TotalPage: 1, Bills: []RecoverBill{{BillID: "R1", RecoverTime: 1785590000, SettleBegin: 1785513600,
		SettleEnd: 1785600000, FundID: "F1", AccountName: "推广一部", Amount: 30,
		RefundOrders: []string{"REFUND20260801001", "REFUND20260801002"}}}}},
	{"download_adverfunds_order", func(ctx context.Context, c *Client) (any, error) {
		return c.DownloadAdverfundsOrder(ctx, "F1")
	}, BillFile{URL: "https://bill.example/F1"}},
	{"get_complaint_list", func(ctx context.Context, c *Client) (any, error) {
		return c.GetComplaintList(ctx, august.first(3), Window{0, 10})
	}, ComplaintList{Total: 1, Complaints: []ComplaintInfo{complaint}}},
	{"get_complaint_detail", func(ctx context.Context, c *Client) (any, error) {
		return c.GetComplaintDetail(ctx, "200201820260803150000000001")
	}, ComplaintReply{Complaint: complaint}},
	{"get_negotiation_history", func(ctx context.Context, c *Client) (any, error) {
		return c.GetNegotiationHistory(ctx, "200201820260803150000000001", Window{0, 10})
	}, Negotiation{Total: 1, History: []NegotiationEntry{{"L1", "用户", "2026-08-03T15:00:00+08:00", OperateUserConfirm, "确认",
		[]ComplaintMedia{{MediaOperation, []string{"https://api.mch.weixin.qq.com/v3/merchant-service/images/c"}}}}}}},
	{"response_complaint", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.ResponseComplaint(ctx, "200201820260803150000000001", "已补发", "FILE1"))
	}, nil},
	{"complete_complaint", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.CompleteComplaint(ctx, "200201820260803150000000001"))
	}, nil},
	{"upload_vp_file", func(ctx context.Context, c *Client) (any, error) {
		return c.UploadVPFile(ctx, "proof.png", ImageBytes([]byte{1, 2, 0xff, 0xfe}))
	}, UploadedFile{FileID: "FILE1"}},
	{"get_upload_file_sign", func(ctx context.Context, c *Client) (any, error) {
		return c.GetUploadFileSign(ctx, "200201820260803150000000001",
			"https://api.mch.weixin.qq.com/v3/merchant-service/images/a", true)
	}, FileSign{Sign: "WECHATPAY2-SHA256-RSA2048 x", CosURL: "https://cos.example/a"}},
	{"start_download_order", func(ctx context.Context, c *Client) (any, error) {
		return c.StartDownloadOrder(ctx, ExportRequest{Days: august, Of: ExportGoods(false), OrderInfo: "oABC", Channel: ChannelWeChat})
	}, ExportTask{TaskID: "12345678901234567890"}},
	{"query_download_order", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryDownloadOrder(ctx, "TASK1")
	}, Export{Status: ExportDone, DownloadURL: "https://bill.example/t", ExpireAt: "1785686400"}},
	{"download_ios_settlement_bill", func(ctx context.Context, c *Client) (any, error) {
		return c.DownloadIOSSettlementBill(ctx, summer)
	}, IOSBills{Bills: []IOSBill{{"202606", "https://bill.example/6"}, {"202607", ""}}}},
	{"query_punishment_reasons", func(ctx context.Context, c *Client) (any, error) {
		return c.QueryPunishmentReasons(ctx)
	}, Punishment{AppID: "wx1234567890abcdef", Nickname: "demo", MerchantCode: "1111636273",
		LimitedFunctions: []string{"WITHDRAW", "PAY"}, OtherLimitedFunctions: "直播", Recoveries: []Recovery{{
			LimitationCaseID: "CASE0001", LimitationReasonType: "COMPLAINT", LimitationReason: "投诉过多",
			LimitationReasonDescribe: "见通知", RelateLimitations: []string{"WITHDRAW"}, OtherRelateLimitations: "投放", RecoverWay: "APPEAL", RecoverWayParam: "p",
			RecoverHelpURL: "https://help.example", LimitationActionType: "LIMIT", LimitationStartDate: "2026-08-01",
			LimitationDate: "2026-09-01"}}}},
	{"query_subscribe_contract", func(ctx context.Context, c *Client) (any, error) {
		return c.QuerySubscribeContract(ctx, "oABC", "vip_month", AndroidContract("CONTRACT001"))
	}, SubscribeContract{State: AuthorizationSigned}},
	{"send_subscribe_pre_payment", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.SendSubscribePrePayment(ctx, PrePaymentRequest{"oABC", 1800, "vip_month", "CONTRACT001"}))
	}, nil},
	{"submit_subscribe_pay_order", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.SubmitSubscribePayOrder(ctx, subscribePay))
	}, nil},
	{"cancel_subscribe_contract", func(ctx context.Context, c *Client) (any, error) {
		return silent(c.CancelSubscribeContract(ctx, CancelContractRequest{"oABC", "用户申请", "vip_month", "CONTRACT001"}))
	}, nil},
}

var (
	c5eSpend = CurrencyPayRequest{OpenID: "oABC", UserIP: userIP, Amount: 5, OrderID: "SPEND20260801001",
		Items: []PayItem{{"ep_1", 5, 1}}, Remark: "第1集"}
	fundsBill = FundsBillRequest{Amount: 2000, AccountUID: 40012345, AccountName: "推广一部", AgencyID: 7001,
		RequestID: "CHARGE20260801001", Settle: oneDay, Authorize: true, Type: FundTargeted}
	subscribePay = SubscribePayRequest{OpenID: "oABC", ProductID: "vip_month", DeductPrice: 1800, OrderID: "SUB20260801001",
		Attach: "testdata"}
)

func onFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "requests", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// signaturesOnFile gives pay_sig and signature by API, as openssl made them.
func signaturesOnFile(t testing.TB) map[string][2]string {
	t.Helper()
	all := map[string][2]string{}
	for line := range strings.Lines(onFile(t, "signatures.txt")) {
		if f := strings.Fields(line); !strings.HasPrefix(line, "#") {
			all[f[0]] = [2]string{f[1], f[2]}
		}
	}
	return all
}

var exceptRaw = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Raw" }, cmp.Ignore())

func TestEveryAPISendsTheBytesOnFileAndReadsTheAnswerOnFile(t *testing.T) {
	t.Parallel()
	signatures := signaturesOnFile(t)
	if len(calls) != len(Endpoints()) {
		t.Fatalf("%d calls for %d endpoints", len(calls), len(Endpoints()))
	}
	for i, e := range Endpoints() {
		api := calls[i]
		if api.api != e.Name {
			t.Fatalf("row %d calls %s instead of %s", i, api.api, e.Name)
		}
		body, reply := onFile(t, e.Name+".json"), onFile(t, e.Name+".answer.json")
		client, peer, _ := client(t, reply)
		got, err := api.call(t.Context(), client)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		query := "access_token=T%2B0%2F&pay_sig=" + signatures[e.Name][0]
		if e.UserSig {
			query += "&signature=" + signatures[e.Name][1]
		}
		want := []sent{{"POST /xpay/" + e.Name, query, body, "application/json", fmt.Sprint(len(body))}}
		if diff := cmp.Diff(want, peer.sent, cmp.AllowUnexported(sent{})); diff != "" {
			t.Errorf("%s sent: %s", e.Name, diff)
		}
		if diff := cmp.Diff(api.want, got, exceptRaw); diff != "" {
			t.Errorf("%s read: %s", e.Name, diff)
		}
		checkRaw(t, e.Name, reply, got)
	}
}

// checkRaw finds the whole answer in Raw, and in an Order the order alone.
func checkRaw(t *testing.T, api, reply string, got any) {
	t.Helper()
	if got == nil {
		return
	}
	raw := string(reflect.ValueOf(got).FieldByName("Raw").Bytes())
	if api == "query_order" {
		reply = strings.TrimSuffix(strings.TrimPrefix(reply, `{"errcode":0,"errmsg":"OK","order":`), "}")
	}
	if raw != reply {
		t.Errorf("%s: Raw is %s", api, raw)
	}
}

func TestASandboxMerchantSendsEnv1AndNoSubscription(t *testing.T) {
	t.Parallel()
	for i, e := range Endpoints() {
		c, peer, _ := client(t, onFile(t, e.Name+".answer.json"))
		c.Merchant = merchant(t, Sandbox, "67890")
		_, err := calls[i].call(t.Context(), c)
		if e.Env == EnvProduction {
			if err == nil || len(peer.sent) != 0 || !strings.Contains(err.Error(), "production") {
				t.Errorf("%s: %v", e.Name, err)
			}
			continue
		}
		want := strings.Replace(onFile(t, e.Name+".json"), `"env":0`, `"env":1`, 1)
		if err != nil || peer.sent[0].body != want {
			t.Errorf("%s: %v, sent %s", e.Name, err, peer.sent[0].body)
		}
	}
}

func TestWhatIsOptionalIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		call func(*Client) error
		want string
	}{
		"everything is withdrawn": {func(c *Client) error {
			_, err := c.CreateWithdrawOrder(t.Context(), "WITHDRAW20260801", WithdrawAll())
			return err
		}, `{"withdraw_no":"WITHDRAW20260801","env":0}`},
		"coins are exported": {func(c *Client) error {
			_, err := c.StartDownloadOrder(t.Context(), ExportRequest{Days: august, Of: ExportCoins(), Channel: ChannelApple})
			return err
		}, `{"begin_ds":20260801,"end_ds":20260831,"order_type":1,"env":0,"pay_channel":2}`},
		"delivered subscriptions are exported": {func(c *Client) error {
			_, err := c.StartDownloadOrder(t.Context(), ExportRequest{Days: august, Of: ExportSubscriptions(true), Channel: ChannelApple})
			return err
		}, `{"begin_ds":20260801,"end_ds":20260831,"order_type":3,"is_provided":true,"env":0,"pay_channel":2}`},
		"all refunds are exported": {func(c *Client) error {
			_, err := c.StartDownloadOrder(t.Context(), ExportRequest{Days: august, Of: ExportRefunds(RefundsAll), Channel: ChannelWeChat})
			return err
		}, `{"begin_ds":20260801,"end_ds":20260831,"order_type":4,"refund_status":0,"env":0,"pay_channel":1}`},
		"every type of funds is listed": {func(c *Client) error {
			_, err := c.QueryAdverFunds(t.Context(), AdverFundsRequest{Page: Page{1, 20}, Settle: oneDay})
			return err
		}, `{"page":1,"page_size":20,"filter":{"settle_begin":1785513600,"settle_end":1785600000},"env":0}`},
		"nothing is authorized": {func(c *Client) error {
			r := fundsBill
			r.Authorize, r.Type = false, FundGeneral
			_, err := c.CreateFundsBill(t.Context(), r)
			return err
		}, `{"transfer_amount":2000,"transfer_account_uid":40012345,"transfer_account_name":"推广一部","transfer_account_agency_id":7001,"request_id":"CHARGE20260801001","settle_begin":1785513600,"settle_end":1785600000,"env":0,"authorize_advertise":0,"fund_type":0}`},
		"a picture is fetched": {func(c *Client) error {
			_, err := c.UploadVPFile(t.Context(), "proof.png", ImageURL("https://img.example/proof.png?a=1&b=2"))
			return err
		}, `{"env":0,"img_url":"https://img.example/proof.png?a=1&b=2","file_name":"proof.png"}`},
		"a complaint is answered without pictures": {func(c *Client) error {
			return c.ResponseComplaint(t.Context(), "2002", "已补发")
		}, `{"env":0,"complaint_id":"2002","response_content":"已补发"}`},
		"Apple is asked": {func(c *Client) error {
			_, err := c.QuerySubscribeContract(t.Context(), "oABC", "vip_month", AppleContract())
			return err
		}, `{"openid":"oABC","product_id":"vip_month","mode":"apple"}`},
		"WeChat's number is refunded": {func(c *Client) error {
			r := c5bRefund
			r.Order = ByWxOrderID("VPO1")
			_, err := c.RefundOrder(t.Context(), r)
			return err
		}, `{"openid":"oABC","wx_order_id":"VPO1","refund_order_id":"REFUND20260801001","left_fee":100,"refund_fee":30,"biz_meta":"{\"why\":\"test\"}","refund_reason":"3","req_from":"2","env":0}`},
		"WeChat's number is notified": {func(c *Client) error {
			return c.NotifyProvideGoods(t.Context(), ByWxOrderID("VPO1"))
		}, `{"wx_order_id":"VPO1","env":0}`},
	} {
		client, peer, _ := client(t, `{"errcode":0,"task_id":"1","file_id":"1","bill_id":"1","authorization_state":"SIGNED"}`)
		if err := c.call(client); err != nil || peer.sent[0].body != c.want {
			t.Errorf("%s: %v, sent %+v", name, err, peer.sent)
		}
	}
}

func TestWrongRequestsAreRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, `{"errcode":0}`)
	ctx := t.Context()
	spend := func(f func(*CurrencyPayRequest)) error {
		r := c5eSpend
		f(&r)
		_, err := c.CurrencyPay(ctx, r, vectorSession)
		return err
	}
	cancel := func(f func(*CancelCurrencyPayRequest)) error {
		r := CancelCurrencyPayRequest{OpenID: "o", UserIP: userIP, PayOrderID: "p", OrderID: "c", Amount: 1}
		f(&r)
		_, err := c.CancelCurrencyPay(ctx, r, vectorSession)
		return err
	}
	upload := func(f func(*GoodsItem)) error {
		r := GoodsItem{ID: "vip", Name: "会员", Price: 1, Remark: "一个月", ItemURL: "https://img.example/1"}
		f(&r)
		return c.StartUploadGoods(ctx, r)
	}
	export := func(f func(*ExportRequest)) error {
		r := ExportRequest{Days: august, Of: ExportCoins(), Channel: ChannelApple}
		f(&r)
		_, err := c.StartDownloadOrder(ctx, r)
		return err
	}
	charge := func(f func(*FundsBillRequest)) error {
		r := fundsBill
		f(&r)
		_, err := c.CreateFundsBill(ctx, r)
		return err
	}
	subscribe := func(f func(*SubscribePayRequest)) error {
		r := subscribePay
		f(&r)
		return c.SubmitSubscribePayOrder(ctx, r)
	}
	second := func(_ any, err error) error { return err }
	oddType := FundType(3)
	for name, row := range map[string]struct {
		err  error
		says string
	}{
		"a balance of nobody":               {second(c.QueryUserBalance(ctx, BalanceRequest{UserIP: userIP}, "k")), "openid"},
		"a balance without an address":      {second(c.QueryUserBalance(ctx, BalanceRequest{OpenID: "o"}, "k")), "user_ip"},
		"a balance without a session key":   {second(c.QueryUserBalance(ctx, BalanceRequest{"o", userIP}, "")), "session key"},
		"a spend of nothing":                {spend(func(r *CurrencyPayRequest) { r.Amount = 0 }), "amount"},
		"a spend without a number":          {spend(func(r *CurrencyPayRequest) { r.OrderID = "" }), "order_id"},
		"a spend on nothing":                {spend(func(r *CurrencyPayRequest) { r.Items = nil }), "payitem"},
		"a spend on a nameless item":        {spend(func(r *CurrencyPayRequest) { r.Items = []PayItem{{"", 1, 1}} }), "productid"},
		"a spend on no pieces":              {spend(func(r *CurrencyPayRequest) { r.Items = []PayItem{{"a", 1, 0}} }), "quantity"},
		"a spend below nothing":             {spend(func(r *CurrencyPayRequest) { r.Items = []PayItem{{"a", -1, 1}} }), "unit_price"},
		"a spend that is not UTF-8":         {spend(func(r *CurrencyPayRequest) { r.Remark = "\xff" }), "remark"},
		"a taking back of nothing":          {cancel(func(r *CancelCurrencyPayRequest) { r.Amount = -1 }), "amount"},
		"a taking back of no spend":         {cancel(func(r *CancelCurrencyPayRequest) { r.PayOrderID = "" }), "pay_order_id"},
		"a taking back without a number":    {cancel(func(r *CancelCurrencyPayRequest) { r.OrderID = "" }), "order_id"},
		"a taking back by the spend's name": {cancel(func(r *CancelCurrencyPayRequest) { r.OrderID = "p" }), "order_id"},
		"a gift to nobody":                  {second(c.PresentCurrency(ctx, PresentCurrencyRequest{OrderID: "1", Amount: 1})), "openid"},
		"a gift without a number":           {second(c.PresentCurrency(ctx, PresentCurrencyRequest{OpenID: "o", Amount: 1})), "order_id"},
		"a gift of nothing":                 {second(c.PresentCurrency(ctx, PresentCurrencyRequest{OpenID: "o", OrderID: "1"})), "amount"},
		"a bill of no days":                 {second(c.DownloadBill(ctx, Days{})), "begin_ds"},
		"a bill of days in reverse":         {second(c.DownloadBill(ctx, Days{august.End, august.Begin})), "swap"},
		"a bill of no months":               {second(c.DownloadIOSSettlementBill(ctx, Months{})), "start_month"},
		"a bill of months in reverse":       {second(c.DownloadIOSSettlementBill(ctx, Months{summer.End, summer.Begin})), "swap"},
		"a withdrawal with a short number":  {second(c.CreateWithdrawOrder(ctx, "w1", WithdrawAll())), "withdraw_no"},
		"a withdrawal of an unsaid amount":  {second(c.CreateWithdrawOrder(ctx, "WITHDRAW1", WithdrawAmount{})), "withdraw_amount"},
		"a withdrawal of nothing":           {second(c.CreateWithdrawOrder(ctx, "WITHDRAW1", WithdrawFen(0))), "withdraw_amount"},
		"a withdrawal below nothing":        {second(c.CreateWithdrawOrder(ctx, "WITHDRAW1", WithdrawFen(-1))), "withdraw_amount"},
		"a query of no withdrawal":          {second(c.QueryWithdrawOrder(ctx, "")), "withdraw_no"},
		"goods without an id":               {upload(func(g *GoodsItem) { g.ID = "" }), "id"},
		"goods with a long id":              {upload(func(g *GoodsItem) { g.ID = strings.Repeat("a", 65) }), "id"},
		"goods with a dotted id":            {upload(func(g *GoodsItem) { g.ID = "vip.month" }), "id"},
		"goods with a long name":            {upload(func(g *GoodsItem) { g.Name = strings.Repeat("会", 21) }), "name"},
		"goods for free":                    {upload(func(g *GoodsItem) { g.Price = 0 }), "price"},
		"goods without a remark":            {upload(func(g *GoodsItem) { g.Remark = "" }), "remark"},
		"goods with a picture on disk":      {upload(func(g *GoodsItem) { g.ItemURL = "/tmp/1.png" }), "item_url"},
		"a publishing of nothing":           {c.StartPublishGoods(ctx, ""), "id"},
		"an export of nothing":              {export(func(r *ExportRequest) { r.Of = ExportOf{} }), "order_type"},
		"an export of odd refunds":          {export(func(r *ExportRequest) { r.Of = ExportRefunds(1) }), "refund_status"},
		"an export of 32 days":              {export(func(r *ExportRequest) { r.Days = august.first(33) }), "31"},
		"an export without a channel":       {export(func(r *ExportRequest) { r.Channel = 0 }), "pay_channel"},
		"a query of no export":              {second(c.QueryDownloadOrder(ctx, "")), "task_id"},
		"page 0":                            {second(c.QueryAdverFunds(ctx, AdverFundsRequest{Page: Page{0, 1}, Settle: oneDay})), "page"},
		"funds of an odd type":              {second(c.QueryAdverFunds(ctx, AdverFundsRequest{Page{1, 1}, oneDay, &oddType})), "fund_type"},
		"an export of no days":              {export(func(r *ExportRequest) { r.Days = Days{} }), "begin_ds"},
		"funds of no time":                  {second(c.QueryAdverFunds(ctx, AdverFundsRequest{Page: Page{1, 1}})), "settle_begin"},
		"a charge of nothing":               {charge(func(r *FundsBillRequest) { r.Amount = 0 }), "transfer_amount"},
		"a charge of no account":            {charge(func(r *FundsBillRequest) { r.AccountUID = 0 }), "transfer_account_uid"},
		"a charge without a number":         {charge(func(r *FundsBillRequest) { r.RequestID = "" }), "request_id"},
		"a charge with a long number":       {charge(func(r *FundsBillRequest) { r.RequestID = strings.Repeat("1", 1025) }), "request_id"},
		"a charge of odd funds":             {charge(func(r *FundsBillRequest) { r.Type = 3 }), "fund_type"},
		"a binding for nobody":              {c.BindTransferAccount(ctx, 1, ""), "transfer_account_org_name"},
		"charges of no time":                {second(c.QueryFundsBill(ctx, FundsBillsRequest{Page: Page{1, 1}})), "oper_time_begin"},
		"recoveries of no time":             {second(c.QueryRecoverBill(ctx, RecoverBillsRequest{Page: Page{1, 1}})), "recover_time_begin"},
		"orders of no fund":                 {second(c.DownloadAdverfundsOrder(ctx, "")), "fund_id"},
		"complaints of no days":             {second(c.GetComplaintList(ctx, Days{}, Window{0, 1})), "begin_date"},
		"no complaints at all":              {second(c.GetComplaintList(ctx, august, Window{0, 0})), "limit"},
		"no complaint":                      {second(c.GetComplaintDetail(ctx, "")), "complaint_id"},
		"a history before its begin":        {second(c.GetNegotiationHistory(ctx, "1", Window{-1, 1})), "offset"},
		"an answer that says nothing":       {c.ResponseComplaint(ctx, "1", ""), "response_content"},
		"an answer with a lost picture":     {c.ResponseComplaint(ctx, "1", "好", ""), "file_id"},
		"no complaint to complete":          {c.CompleteComplaint(ctx, ""), "complaint_id"},
		"no picture":                        {second(c.UploadVPFile(ctx, "a.png", Image{})), "picture"},
		"an empty picture":                  {second(c.UploadVPFile(ctx, "a.png", ImageBytes(nil))), "picture"},
		"a huge picture":                    {second(c.UploadVPFile(ctx, "a.png", ImageBytes(make([]byte, 786433)))), "base64_img"},
		"a picture without a name":          {second(c.UploadVPFile(ctx, "", ImageURL("https://a.example/1"))), "file_name"},
		"a picture of somebody else":        {second(c.GetUploadFileSign(ctx, "1", "https://evil.example/images/1", false)), "wxpay_url"},
		"a contract without a code":         {second(c.QuerySubscribeContract(ctx, "o", "p", AndroidContract(""))), "out_contract_code"},
		"a pre-notice of 99 fen":            {c.SendSubscribePrePayment(ctx, PrePaymentRequest{"o", 99, "p", "c"}), "deduct_price"},
		"a pre-notice of 5000.01 yuan":      {c.SendSubscribePrePayment(ctx, PrePaymentRequest{"o", 500_001, "p", "c"}), "deduct_price"},
		"a charge of 99 fen":                {subscribe(func(r *SubscribePayRequest) { r.DeductPrice = 99 }), "deduct_price"},
		"a charge with a short number":      {subscribe(func(r *SubscribePayRequest) { r.OrderID = "s1" }), "order_id"},
		"a charge with a long attach":       {subscribe(func(r *SubscribePayRequest) { r.Attach = strings.Repeat("长", 201) }), "attach"},
		"an ending without a reason":        {c.CancelSubscribeContract(ctx, CancelContractRequest{"o", "", "p", "c"}), "termination_reason"},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.says) || !strings.HasPrefix(row.err.Error(), "xpay ") ||
			OutcomeUnknown(row.err) {
			t.Errorf("%s: %v", name, row.err)
		}
	}
	if len(peer.sent) != 0 {
		t.Errorf("sent %+v", peer.sent)
	}
}

func TestAnExportMayCover31DaysApart(t *testing.T) {
	t.Parallel()
	c, _, _ := client(t, `{"errcode":0,"task_id":"1"}`)
	if _, err := c.StartDownloadOrder(t.Context(), ExportRequest{Days: august.first(32), Of: ExportCoins(), Channel: ChannelApple}); err != nil {
		t.Error(err)
	}
}

func TestARepeatedCallSaysSoAndMayKnowLess(t *testing.T) {
	t.Parallel()
	c, _, _ := client(t, `{"errcode":268490004,"errmsg":"repeated"}`)
	spent, err := c.CurrencyPay(t.Context(), c5eSpend, vectorSession)
	if err != nil || !spent.Repeated || spent.Balance != nil {
		t.Errorf("%+v %v", spent, err)
	}
	given, err := c.PresentCurrency(t.Context(), PresentCurrencyRequest{"o", "GIFT1", 1})
	if err != nil || !given.Repeated || given.Balance != nil {
		t.Errorf("%+v %v", given, err)
	}
	charged, err := c.CreateFundsBill(t.Context(), fundsBill)
	if err != nil || !charged.Repeated || charged.BillID != "" {
		t.Errorf("%+v %v", charged, err)
	}
	_, err = c.CancelCurrencyPay(t.Context(), CancelCurrencyPayRequest{"o", userIP, "p", "c", 1}, vectorSession)
	var e *Error
	if !errors.As(err, &e) || e.Code != 268490004 {
		t.Errorf("cancel_currency_pay does not document it: %v", err)
	}
}

func TestErrcode0AboutNothingIsNoSuccess(t *testing.T) {
	t.Parallel()
	second := func(_ any, err error) error { return err }
	for name, row := range map[string]struct {
		answer string
		call   func(*Client) error
		want   error
	}{
		"no withdrawal": {`{"errcode":0}`, func(c *Client) error { return second(c.QueryWithdrawOrder(t.Context(), "WITHDRAW1")) }, ErrAbsent},
		"a withdrawal WeChat does not know": {`{"errcode":268490002,"errmsg":"数据不存在 rid: 1-2"}`,
			func(c *Client) error { return second(c.QueryWithdrawOrder(t.Context(), "WITHDRAW1")) }, ErrAbsent},
		"a balance that is null": {`{"errcode":0,"balance_available":null}`,
			func(c *Client) error { return second(c.QueryBizBalance(t.Context())) }, ErrAbsent},
		"a balance without an amount": {`{"errcode":0,"balance_available":{}}`,
			func(c *Client) error { return second(c.QueryBizBalance(t.Context())) }, ErrAbsent},
		"a complaint that is null": {`{"errcode":0,"complaint":null}`,
			func(c *Client) error { return second(c.GetComplaintDetail(t.Context(), "1")) }, ErrAbsent},
		"a contract without a state": {`{"errcode":0}`,
			func(c *Client) error {
				return second(c.QuerySubscribeContract(t.Context(), "o", "p", AppleContract()))
			}, ErrAbsent},
		"a bill without an address": {`{"errcode":0,"url":""}`,
			func(c *Client) error { return second(c.DownloadBill(t.Context(), august)) }, ErrNotReady},
		"a bill that is null": {`{"errcode":0,"url":null}`,
			func(c *Client) error { return second(c.DownloadBill(t.Context(), august)) }, ErrNotReady},
		"a bill in the making": {`{"errcode":268490011,"errmsg":"数据生成中"}`,
			func(c *Client) error { return second(c.DownloadBill(t.Context(), august)) }, ErrNotReady},
		"an export that is done without its file": {`{"errcode":0,"status":2,"download_url":""}`,
			func(c *Client) error { return second(c.QueryDownloadOrder(t.Context(), "TASK1")) }, ErrNotReady},
		"an export that is done and lacks the field": {`{"errcode":0,"status":2}`,
			func(c *Client) error { return second(c.QueryDownloadOrder(t.Context(), "TASK1")) }, ErrNotReady},
		"orders of funds in the making": {`{"errcode":0,"errmsg":"ok"}`,
			func(c *Client) error { return second(c.DownloadAdverfundsOrder(t.Context(), "F1")) }, ErrNotReady},
		"coins without a number": {`{"errcode":0}`,
			func(c *Client) error {
				return second(c.QueryUserBalance(t.Context(), BalanceRequest{"o", userIP}, "k"))
			}, ErrNoAnswer},
		"an export without a task": {`{"errcode":0}`, func(c *Client) error {
			return second(c.StartDownloadOrder(t.Context(), ExportRequest{Days: august, Of: ExportCoins(), Channel: ChannelApple}))
		}, ErrNoAnswer},
		"a charge without a number of WeChat's": {`{"errcode":0}`,
			func(c *Client) error { return second(c.CreateFundsBill(t.Context(), fundsBill)) }, ErrNoAnswer},
		"an order of another number": {`{"errcode":0,"order":{"order_id":"OTHER","status":2,"paid_fee":1}}`,
			func(c *Client) error { return second(c.QueryOrder(t.Context(), "o", ByOrderID("MINE"))) }, ErrNoAnswer},
		"an order of another number of WeChat's": {`{"errcode":0,"order":{"order_id":"MINE","wx_order_id":"VPO2","status":2}}`,
			func(c *Client) error { return second(c.QueryOrder(t.Context(), "o", ByWxOrderID("VPO1"))) }, ErrNoAnswer},
		"a refund of another number": {`{"errcode":0,"refund_order_id":"REFUND2"}`,
			func(c *Client) error { return second(c.RefundOrder(t.Context(), c5bRefund)) }, ErrNoAnswer},
		"a refund of another order": {`{"errcode":0,"refund_order_id":"REFUND20260801001","pay_order_id":"OTHER"}`,
			func(c *Client) error { return second(c.RefundOrder(t.Context(), c5bRefund)) }, ErrNoAnswer},
		"a refund of another order of WeChat's": {`{"errcode":0,"pay_wx_order_id":"VPO2"}`, func(c *Client) error {
			r := c5bRefund
			r.Order = ByWxOrderID("VPO1")
			return second(c.RefundOrder(t.Context(), r))
		}, ErrNoAnswer},
		"a list of texts": {`{"errcode":0,"total":1,"complaints":["2002"]}`,
			func(c *Client) error { return second(c.GetComplaintList(t.Context(), august, Window{0, 10})) }, ErrNoAnswer},
		"an upload without a file": {`{"errcode":0}`,
			func(c *Client) error {
				return second(c.UploadVPFile(t.Context(), "a", ImageURL("https://a.example/a")))
			}, ErrNoAnswer},
		"a task without a status": {`{"errcode":0}`, func(c *Client) error { return second(c.QueryUploadGoods(t.Context())) }, ErrNoAnswer},
		"a withdrawal of half a fen": {`{"errcode":0,"withdraw_no":"WITHDRAW1","status":2,"withdraw_amount":"0.005"}`,
			func(c *Client) error { return second(c.QueryWithdrawOrder(t.Context(), "WITHDRAW1")) }, ErrNoAnswer},
	} {
		c, _, _ := client(t, row.answer)
		err := row.call(c)
		for _, sentinel := range []error{ErrAbsent, ErrNotReady, ErrNoAnswer} {
			if errors.Is(err, sentinel) != (sentinel == row.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestEmptyListsAreEmptyResults(t *testing.T) {
	t.Parallel()
	for _, empty := range []string{`[]`, `null`, `{}`, `""`, `[""]`, `[{}]`, `[null]`} {
		c, _, _ := client(t, `{"errcode":0,"status":0,"total":0,"complaints":`+empty+`,"bill_list":`+empty+`,"upload_item":`+empty+`}`)
		list, err := c.GetComplaintList(t.Context(), august, Window{0, 10})
		bills, err2 := c.DownloadIOSSettlementBill(t.Context(), summer)
		task, err3 := c.QueryUploadGoods(t.Context())
		punishment, err4 := c.QueryPunishmentReasons(t.Context())
		export, err5 := c.QueryDownloadOrder(t.Context(), "1")
		if errors.Join(err, err2, err3, err4, err5) != nil || list.Complaints != nil || bills.Bills != nil ||
			task.Status != TaskNone || task.Items != nil || punishment.Recoveries != nil || export.Status != ExportNone {
			t.Errorf("%s: %v", empty, errors.Join(err, err2, err3, err4, err5))
		}
	}
}

func TestAnswersMayVaryInType(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]bool{`true`: true, `1`: true, `"1"`: true, `"true"`: true, `false`: false, `0`: false, `null`: false} {
		c, _, _ := client(t, `{"errcode":0,"balance":"7","first_save_flag":`+flag+`}`)
		b, err := c.QueryUserBalance(t.Context(), BalanceRequest{"o", userIP}, "k")
		if err != nil || b.FirstSaveFlag != want || b.Balance != 7 || b.SumCost != nil {
			t.Errorf("%s: %+v %v", flag, b, err)
		}
	}
	c, _, _ := client(t, `{"errcode":0,"recovery_specifications":[{"relate_limitations":"PAY"}],"limited_functions":"PAY"}`)
	p, err := c.QueryPunishmentReasons(t.Context())
	if err != nil || cmp.Diff([]Recovery{{RelateLimitations: []string{"PAY"}}}, p.Recoveries) != "" || p.LimitedFunctions[0] != "PAY" {
		t.Errorf("%+v %v", p, err)
	}
	c, _, _ = client(t, `{"errcode":0,"limited_functions":[],
		"recovery_specifications":[{"relate_limitations":""},{"relate_limitations":["","PAY"]}]}`)
	p, err = c.QueryPunishmentReasons(t.Context())
	diff := cmp.Diff([]Recovery{{}, {RelateLimitations: []string{"PAY"}}}, p.Recoveries)
	if err != nil || diff != "" || p.LimitedFunctions != nil {
		t.Errorf("%s %v", diff, err)
	}
	c, _, _ = client(t, `{"errcode":0,"withdraw_no":"WITHDRAW1","status":"1","withdraw_amount":128.5,"withdraw_success_timestamp":5}`)
	w, err := c.QueryWithdrawOrder(t.Context(), "WITHDRAW1")
	if amount, _ := w.Amount.Fen(); err != nil || amount != 12850 || w.SuccessTime != 5 || w.Status != WithdrawRunning {
		t.Errorf("%+v %v", w, err)
	}
	c, _, _ = client(t, `{"errcode":0,"bill_list":[{"status":1,"refund_order_list":[{"id":"x"},"R2",null]}]}`)
	bills, err := c.QueryRecoverBill(t.Context(), RecoverBillsRequest{Page: Page{1, 1}, RecoverTime: oneDay})
	if err != nil || cmp.Diff([]string{"R2"}, bills.Bills[0].RefundOrders) != "" {
		t.Errorf("%+v %v", bills, err)
	}
	c, _, _ = client(t, `{"errcode":0,"authorization_state":"SIGNED","apple_subscription_info":{"original_transaction_id":"2000001147426510","auto_renew_status":1,"recent_subscription_start_date":1775226065000,"renewal_date":"1777904465000"}}`)
	contract, err := c.QuerySubscribeContract(t.Context(), "o", "p", AppleContract())
	if diff := cmp.Diff(&AppleContractInfo{"2000001147426510", AutoRenewOn, 1775226065000, 1777904465000}, contract.Apple); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
}

func TestALargePageOfComplaintsIsRead(t *testing.T) {
	t.Parallel()
	one := strings.TrimSuffix(strings.TrimPrefix(onFile(t, "get_complaint_detail.answer.json"), `{"errcode":0,"errmsg":"ok","complaint":`), "}")
	c, _, _ := client(t, `{"errcode":0,"total":500,"complaints":[`+strings.TrimSuffix(strings.Repeat(one+",", 500), ",")+`]}`)
	got, err := c.GetComplaintList(t.Context(), august, Window{0, 500})
	if err != nil || len(got.Complaints) != 500 || cmp.Diff(complaint, got.Complaints[499]) != "" {
		t.Error(len(got.Complaints), err)
	}
}

func TestAnAnswerThatCanNotBeReadNamesTheFieldAndNotTheValue(t *testing.T) {
	t.Parallel()
	for field, complaint := range map[string]string{
		"amount":                  `{"complaint_order_info":[{"amount":"SECRETVALUE"}]}`,
		"complaint_full_refunded": `{"complaint_full_refunded":"SECRETVALUE"}`,
		"user_tag_list":           `{"user_tag_list":[{"SECRETNAME":"SECRETVALUE"}]}`,
		"payer_phone":             `{"payer_phone":{"SECRETNAME":"SECRETVALUE"}}`,
	} {
		c, _, _ := client(t, `{"errcode":0,"total":1,"complaints":[`+complaint+`]}`)
		_, err := c.GetComplaintList(t.Context(), august, Window{0, 10})
		if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "field "+field) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestPayItemsAreTextInsideTheBody(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, `{"errcode":0}`)
	r := c5eSpend
	r.Items = []PayItem{{`a"<b>`, 2, 3}, {"第2集", 0, 1}}
	if _, err := c.CurrencyPay(t.Context(), r, vectorSession); err != nil {
		t.Fatal(err)
	}
	var body struct{ PayItem string }
	if err := json.Unmarshal([]byte(peer.sent[0].body), &body); err != nil {
		t.Fatal(err)
	}
	if want := `[{"productid":"a\"<b>","unit_price":2,"quantity":3},{"productid":"第2集","unit_price":0,"quantity":1}]`; body.PayItem != want {
		t.Error(body.PayItem)
	}
}

// Spec 4.3 does not say that remark is required, so it is WeChat's to refuse.
func TestASpendMayHaveAnEmptyRemark(t *testing.T) {
	t.Parallel()
	c, peer, _ := client(t, `{"errcode":0}`)
	r := c5eSpend
	r.Remark = ""
	if _, err := c.CurrencyPay(t.Context(), r, vectorSession); err != nil || !strings.HasSuffix(peer.sent[0].body, `,"remark":""}`) {
		t.Errorf("%v, sent %+v", err, peer.sent)
	}
}

func TestASessionKeyThatWeChatEchoesStaysOutOfErrors(t *testing.T) {
	t.Parallel()
	c, _, _ := client(t, `{"errcode":268490009,"errmsg":"session_key 9hAb/NEYUlkaMBEsmFgzig== of oABC expired"}`)
	_, err := c.CurrencyPay(t.Context(), c5eSpend, vectorSession)
	if err == nil || strings.Contains(err.Error(), vectorSession) || strings.Contains(err.Error(), "oABC") {
		t.Error(err)
	}
}
