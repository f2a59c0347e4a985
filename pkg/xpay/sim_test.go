package xpay_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// The simulator was written apart from this client and shares no code with it: what one of them misread the other
// refuses. Each test is a piece of a merchant's life in production.

const user = "oABC"

type world struct {
	*testing.T
	sim        *wechatsim.Sim
	client     *xpay.Client
	now        time.Time
	sessionKey string
}

// newWorld is noon of 1 August 2026 in China.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 8, 1, 4, 0, 0, 0, time.UTC)}
	sim, err := wechatsim.New(wechatsim.Config{
		AppID: "wx1234567890abcdef", AppSecret: "secret", OfferID: "123", AppKeys: map[int]string{0: "12345", 1: "67890"},
		Goods:         []wechatsim.Goods{{ID: "vip_month", Price: 1800}, {ID: "ep_1", Price: 100}},
		Subscriptions: map[string]int{"vip_month": 31}, Seed: 1,
		Push: wechatsim.Push{URL: "https://shop.example/push", Token: "push"},
		Now:  func() time.Time { return w.now }, Advance: func(d time.Duration) { w.now = w.now.Add(d) },
	})
	w.must(err)
	merchant, err := xpay.NewMerchant("123", xpay.Production, "12345")
	w.must(err)
	w.sim = sim
	w.client = &xpay.Client{Merchant: merchant, Tokens: w, HTTP: &http.Client{Transport: w}, BaseURL: "https://wechat.example"}
	var login struct {
		SessionKey string `json:"session_key"`
	}
	const code2Session = "/sns/jscode2session?appid=wx1234567890abcdef&secret=secret&grant_type=authorization_code&js_code="
	w.get(code2Session+sim.Login(user), "", &login)
	w.sessionKey = login.SessionKey
	return w
}

// RoundTrip hands requests to the simulator without a network.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	w.sim.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func (w *world) AccessToken(context.Context) (string, error) {
	var token struct {
		AccessToken string `json:"access_token"`
	}
	w.get("/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"wx1234567890abcdef","secret":"secret"}`, &token)
	return token.AccessToken, nil
}

func (w *world) RefreshAccessToken(ctx context.Context, _ string) (string, error) {
	return w.AccessToken(ctx)
}

func (w *world) get(path, body string, into any) {
	w.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(http.MethodGet, path, nil)
	}
	res, _ := w.RoundTrip(r)
	w.must(json.NewDecoder(res.Body).Decode(into))
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func got[T any](w *world) func(T, error) T {
	return func(value T, err error) T {
		w.Helper()
		w.must(err)
		return value
	}
}

func (w *world) wants(ok bool, value any) {
	w.Helper()
	if !ok {
		w.Errorf("%+v", value)
	}
}

func (w *world) pay(p xpay.Payment, err error) {
	w.Helper()
	w.must(err)
	result := w.sim.RequestVirtualPayment(wechatsim.PaymentRequest{OpenID: user, Mode: p.Mode, SignData: p.SignData,
		PaySig: p.PaySig, Signature: p.Signature, Action: "pay", Channel: "wechat"})
	w.wants(result.ErrCode == 0, result)
}

func (w *world) payEpisode() {
	w.Helper()
	w.pay(w.client.Merchant.SignGoods(xpay.Goods{ProductID: "ep_1", Quantity: 1, Price: 100,
		OutTradeNo: "ORDER20260801001", Attach: "testdata"}, w.sessionKey))
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) days() xpay.Days {
	w.Helper()
	return xpay.Days{Begin: xpay.DayOf(w.now), End: xpay.DayOf(w.now)}
}

func TestCoinsAtTheSimulator(t *testing.T) {
	t.Parallel()
	w, ctx, ip := newWorld(t), t.Context(), netip.MustParseAddr("1.1.1.1")
	w.pay(w.client.Merchant.SignCoins(xpay.Coins{Quantity: 10, OutTradeNo: "COIN20260801001", Attach: "testdata"}, w.sessionKey))
	spend := xpay.CurrencyPayRequest{OpenID: user, UserIP: ip, Amount: 5, OrderID: "SPEND20260801001",
		Items: []xpay.PayItem{{ProductID: "ep_1", UnitPrice: 5, Quantity: 1}}, Remark: "第1集"}
	spent := got[xpay.CurrencyPayReply](w)(w.client.CurrencyPay(ctx, spend, w.sessionKey))
	w.wants(*spent.Balance == 5 && !spent.Repeated, spent)
	again := got[xpay.CurrencyPayReply](w)(w.client.CurrencyPay(ctx, spend, w.sessionKey))
	w.wants(again.Repeated, again)
	_, err := w.client.CancelCurrencyPay(ctx, xpay.CancelCurrencyPayRequest{OpenID: user, UserIP: ip,
		PayOrderID: "SPEND20260801001", OrderID: "BACK20260801001", Amount: 2}, w.sessionKey)
	w.must(err)
	given := got[xpay.PresentCurrencyReply](w)(w.client.PresentCurrency(ctx,
		xpay.PresentCurrencyRequest{OpenID: user, OrderID: "GIFT20260801001", Amount: 20}))
	w.wants(*given.Balance == 27 && *given.PresentBalance == 20, given)
	balance := got[xpay.Balance](w)(w.client.QueryUserBalance(ctx, xpay.BalanceRequest{OpenID: user, UserIP: ip}, w.sessionKey))
	w.wants(balance.Balance == 27 && *balance.SumSave == 10, balance)
	_, err = w.client.QueryUserBalance(ctx, xpay.BalanceRequest{OpenID: user, UserIP: ip}, "AAAAAAAAAAAAAAAAAAAAAA==")
	var e *xpay.Error
	w.wants(errors.As(err, &e) && e.API == "query_user_balance", err)
}

func TestOrdersBillsAndExportsAtTheSimulator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.payEpisode()
	ref := xpay.ByOrderID("ORDER20260801001")
	w.must(w.client.NotifyProvideGoods(ctx, ref))
	order := got[xpay.Order](w)(w.client.QueryOrder(ctx, user, ref))
	w.wants(order.Status == xpay.StatusDelivered && order.Attach() == "testdata", order)
	_, err := w.client.RefundOrder(ctx, xpay.RefundRequest{OpenID: user, Order: ref, RefundOrderID: "REFUND20260801001",
		LeftFee: *order.LeftFee, RefundFee: 30, Reason: xpay.ReasonUser, From: xpay.FromUser})
	w.must(err)
	_, err = w.client.QueryOrder(ctx, user, xpay.ByOrderID("ORDER20260801002"))
	w.wants(errors.Is(err, xpay.ErrNoOrder), err)

	days := w.days()
	_, err = w.client.DownloadBill(ctx, days)
	w.wants(errors.Is(err, xpay.ErrNotReady), err)
	export := got[xpay.ExportTask](w)(w.client.StartDownloadOrder(ctx,
		xpay.ExportRequest{Days: days, Of: xpay.ExportGoods(true), Channel: xpay.ChannelWeChat}))
	w.pass(time.Minute)
	file := got[xpay.Export](w)(w.client.QueryDownloadOrder(ctx, export.TaskID))
	w.wants(file.Status == xpay.ExportDone && file.DownloadURL != "", file)
	w.pass(24 * time.Hour) // a day that runs has no bill yet
	got[xpay.BillFile](w)(w.client.DownloadBill(ctx, days))
	june := got[xpay.Month](w)(xpay.NewMonth(2026, time.June))
	got[xpay.IOSBills](w)(w.client.DownloadIOSSettlementBill(ctx, xpay.Months{Begin: june, End: june}))
}

func TestGoodsAtTheSimulator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	item := xpay.GoodsItem{ID: "vip_year", Name: "年度会员<VIP>", Price: 18000, Remark: "一年", ItemURL: "https://img.example/vip.png"}
	w.must(w.client.StartUploadGoods(ctx, item))
	err := w.client.StartUploadGoods(ctx, item)
	var e *xpay.Error
	w.wants(errors.As(err, &e) && e.Code == 268490012, err)
	w.pass(time.Minute)
	uploaded := got[xpay.UploadTask](w)(w.client.QueryUploadGoods(ctx))
	w.wants(uploaded.Status == xpay.TaskDone && uploaded.Items[0].Name == item.Name && uploaded.Items[0].Price == 18000, uploaded)
	w.must(w.client.StartPublishGoods(ctx, "vip_year"))
	w.pass(time.Minute)
	published := got[xpay.PublishTask](w)(w.client.QueryPublishGoods(ctx))
	w.wants(published.Status == xpay.TaskDone && published.Items[0].Status == xpay.ItemDone, published)
}

func TestWithdrawalsAtTheSimulator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.payEpisode()
	w.must(w.client.NotifyProvideGoods(ctx, xpay.ByOrderID("ORDER20260801001")))
	w.pass(10 * 24 * time.Hour)
	balance := got[xpay.BizBalance](w)(w.client.QueryBizBalance(ctx))
	left, err := balance.Amount.Fen()
	w.wants(err == nil && left > 1 && left <= 100, balance)
	_, err = w.client.QueryWithdrawOrder(ctx, "WITHDRAW20260801")
	w.wants(errors.Is(err, xpay.ErrAbsent), err)
	got[xpay.WithdrawReply](w)(w.client.CreateWithdrawOrder(ctx, "WITHDRAW20260801", xpay.WithdrawFen(1)))
	got[xpay.WithdrawReply](w)(w.client.CreateWithdrawOrder(ctx, "WITHDRAW20260802", xpay.WithdrawAll()))
	w.pass(time.Hour)
	one := got[xpay.Withdrawal](w)(w.client.QueryWithdrawOrder(ctx, "WITHDRAW20260801"))
	w.wants(one.Status == xpay.WithdrawDone && one.Amount == "0.01" && one.SuccessTime > 0, one)
	rest := got[xpay.Withdrawal](w)(w.client.QueryWithdrawOrder(ctx, "WITHDRAW20260802"))
	fen, err := rest.Amount.Fen()
	w.wants(err == nil && fen == left-1, rest)
}

func TestAdvertFundsAtTheSimulator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.must(w.sim.SetAdvertAccount(wechatsim.AdvertAccount{UID: 7, Name: "推广", OrgName: "某某公司", AgencyID: 9,
		AgencyName: "代理", State: 1}))
	now := w.now.Unix()
	settle := xpay.Span{Begin: now - 86400, End: now}
	fund := got[string](w)(w.sim.GrantAdvertFund(wechatsim.AdvertFund{Amount: 5000, SettleBegin: settle.Begin,
		SettleEnd: settle.End, ExpireTime: now + 86400}))
	w.must(w.client.BindTransferAccount(ctx, 7, "某某公司"))
	accounts := got[xpay.TransferAccounts](w)(w.client.QueryTransferAccount(ctx))
	w.wants(len(accounts.Accounts) == 1 && accounts.Accounts[0].BindResult == xpay.BindDone, accounts)
	charge := xpay.FundsBillRequest{Amount: 2000, AccountUID: 7, AccountName: "推广", AgencyID: 9, RequestID: "CHARGE1", Settle: settle}
	first := got[xpay.FundsBillReply](w)(w.client.CreateFundsBill(ctx, charge))
	again := got[xpay.FundsBillReply](w)(w.client.CreateFundsBill(ctx, charge))
	w.wants(first.BillID != "" && !first.Repeated && again.Repeated, again)
	funds := got[xpay.AdverFunds](w)(w.client.QueryAdverFunds(ctx,
		xpay.AdverFundsRequest{Page: xpay.Page{Number: 1, Size: 10}, Settle: settle}))
	w.wants(len(funds.Funds) == 1 && funds.Funds[0].FundID == fund && funds.Funds[0].RemainAmount == 3000, funds)
	got[string](w)(w.sim.RecoverAdvertFund(fund, 30, []string{"REFUND20260801001"}))
	span := xpay.Span{Begin: now - 10, End: now + 10}
	bills := got[xpay.FundsBills](w)(w.client.QueryFundsBill(ctx,
		xpay.FundsBillsRequest{Page: xpay.Page{Number: 1, Size: 10}, OperTime: span, RequestID: "CHARGE1"}))
	w.wants(len(bills.Bills) == 1 && bills.Bills[0].Amount == 2000, bills)
	recovered := got[xpay.RecoverBills](w)(w.client.QueryRecoverBill(ctx,
		xpay.RecoverBillsRequest{Page: xpay.Page{Number: 1, Size: 10}, RecoverTime: span}))
	w.wants(len(recovered.Bills) == 1 && recovered.Bills[0].Amount == 30 &&
		recovered.Bills[0].RefundOrders[0] == "REFUND20260801001", recovered)
	_, err := w.client.DownloadAdverfundsOrder(ctx, fund)
	w.wants(errors.Is(err, xpay.ErrNotReady), err)
}

func TestComplaintsAtTheSimulator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.payEpisode()
	id := got[string](w)(w.sim.Complain("ORDER20260801001", "未到账"))
	list := got[xpay.ComplaintList](w)(w.client.GetComplaintList(ctx, w.days(), xpay.Window{Limit: 10}))
	w.wants(list.Total == 1 && list.Complaints[0].ComplaintID == id &&
		list.Complaints[0].Orders[0].OrderID == "ORDER20260801001", list)
	file := got[xpay.UploadedFile](w)(w.client.UploadVPFile(ctx, "proof.png", xpay.ImageURL("https://img.example/proof.png")))
	w.must(w.client.ResponseComplaint(ctx, id, "已补发", file.FileID))
	history := got[xpay.Negotiation](w)(w.client.GetNegotiationHistory(ctx, id, xpay.Window{Limit: 10}))
	last := history.History[len(history.History)-1]
	w.wants(last.OperateType == xpay.OperateMerchantResponse && last.OperateDetails == "已补发" && len(last.Media) == 1, history)
	sign := got[xpay.FileSign](w)(w.client.GetUploadFileSign(ctx, id, last.Media[0].URLs[0], true))
	w.wants(sign.Sign != "" && sign.CosURL != "", sign)
	w.must(w.client.CompleteComplaint(ctx, id))
	detail := got[xpay.ComplaintReply](w)(w.client.GetComplaintDetail(ctx, id))
	w.wants(detail.Complaint.State == xpay.ComplaintProcessed, detail)
	_, err := w.client.GetComplaintDetail(ctx, "0")
	w.wants(errors.Is(err, xpay.ErrAbsent), err)
}

func TestSubscriptionsAndPunishmentsAtTheSimulator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	contract := xpay.AndroidContract("CONTRACT001")
	before := got[xpay.SubscribeContract](w)(w.client.QuerySubscribeContract(ctx, user, "vip_month", contract))
	w.wants(before.State == xpay.AuthorizationUnbound, before)
	w.must(w.sim.Sign(user, "vip_month", "CONTRACT001"))
	w.must(w.client.SubmitSubscribePayOrder(ctx, xpay.SubscribePayRequest{OpenID: user, ProductID: "vip_month",
		DeductPrice: 1800, OrderID: "SUB20260801001", Attach: "testdata"}))
	w.pass(29 * 24 * time.Hour)
	w.must(w.client.SendSubscribePrePayment(ctx, xpay.PrePaymentRequest{OpenID: user, DeductPrice: 1800,
		ProductID: "vip_month", OutContractCode: "CONTRACT001"}))
	w.must(w.client.CancelSubscribeContract(ctx, xpay.CancelContractRequest{OpenID: user, TerminationReason: "用户申请",
		ProductID: "vip_month", OutContractCode: "CONTRACT001"}))
	after := got[xpay.SubscribeContract](w)(w.client.QuerySubscribeContract(ctx, user, "vip_month", contract))
	w.wants(after.State == xpay.AuthorizationTerminated, after)

	w.must(w.sim.SetPunishment(wechatsim.PunishmentCase{CaseID: "CASE0001", LimitedFunctions: []string{"WITHDRAW"},
		RelateLimitations: []string{"WITHDRAW"}, Reason: "投诉过多"}))
	punishment := got[xpay.Punishment](w)(w.client.QueryPunishmentReasons(ctx))
	w.wants(len(punishment.Recoveries) == 1 && punishment.Recoveries[0].LimitationCaseID == "CASE0001", punishment)
}
