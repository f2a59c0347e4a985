package xpay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func envOf(e Env) *Env { return &e }

// wantEvents are the pushes in testdata/push, the examples of spec 7, typed by hand.
var wantEvents = map[string]Event{
	EventGoodsDeliver: {CreateTime: 1785600000, OpenID: "oUserOpenId", Goods: &GoodsDelivery{
		OpenID: "oUserOpenId", OutTradeNo: "ORDER20260801001", Env: envOf(Production),
		WeChatPay: &WeChatPayInfo{"202608011234567890", "4500000138202608010000000001", 1785599990},
		ProductID: "testproductId", Quantity: 1, OrigPrice: fen(100), ActualPrice: fen(100), Attach: "testdata"}},
	EventCoinPay: {CreateTime: 1785600100, OpenID: "oUserOpenId", Coins: &CoinPayment{
		OpenID: "oUserOpenId", OutTradeNo: "COIN20260801001", Env: envOf(Production),
		WeChatPay: &WeChatPayInfo{"202608011234567891", "4500000138202608010000000002", 1785600090},
		Quantity:  100, OrigPrice: fen(1000), ActualPrice: fen(1000), Attach: "testdata"}},
	EventRefund: {CreateTime: 1785700000, OpenID: "oUserOpenId", Refund: &RefundNotice{
		OpenID: "oUserOpenId", WxRefundID: "VPR260802000000000000001", MchRefundID: "REFUND20260801001",
		WxOrderID: "VPO260801000000000000001", MchOrderID: "ORDER20260801001", RefundFee: 30,
		StartTime: 1785699900, SuccTime: 1785699990, TransactionID: "50300000012026080200000000001"}},
	EventComplaint: {CreateTime: 1785800000, OpenID: "oUserOpenId", Complaint: &Complaint{
		OpenID: "oUserOpenId", WxOrderID: "VPO260801000000000000001", MchOrderID: "ORDER20260801001",
		TransactionID: "4500000138202608010000000001", ComplaintID: "200201820260803150000000001", Detail: "未到账",
		ComplaintTime: 1785799990, RequestID: "req-0001"}},
	EventWxpayCallback: {CreateTime: 1785900000, Risk: &RiskNotice{
		AppID: "wx1234567890abcdef", NickName: "demo", MerchantCode: "1111636273", MerchantCompanyName: "demo company",
		BusinessTime: "2026-08-05T11:20:00+08:00", BusinessCode: "CASE0001", BusinessState: "PROCESSING", EventType: "punishment"}},
	EventAppleSigning: {CreateTime: 1775226066, FromUserName: "oUserOpenId", OpenID: "oUserOpenId", AppleSigning: &AppleSigning{
		OpenID: "oUserOpenId", Attach: "testdata", Subscription: &AppleSubscriptionInfo{
			OriginalTransactionID: "2000001147426510", ProductID: "vip_month", AutoRenewStatus: 1,
			RenewalDate: 1777904465000, SignedTime: 1775226065000}}},
	EventAppleUnsigning: {CreateTime: 1776000000, FromUserName: "oUserOpenId", OpenID: "oUserOpenId", AppleSigning: &AppleSigning{
		OpenID: "oUserOpenId", Attach: "testdata", Action: "unsubscribe", Subscription: &AppleSubscriptionInfo{
			OriginalTransactionID: "2000001147426510", ProductID: "vip_month",
			RenewalDate: 1777904465000, UnsignedTime: 1775999999000}}},
	EventSubscribeSigning: {CreateTime: 1785600000, OpenID: "oUserOpenId"},
}

func TestEveryExampleIsReadAlikeInXMLAndJSON(t *testing.T) {
	t.Parallel()
	for name, want := range wantEvents {
		for _, format := range []Format{XML, JSON} {
			got, err := ParseEvent(push(t, name, format))
			if err != nil {
				t.Errorf("%s %s: %v", name, format, err)
			}
			want.Name, want.ToUserName, got.Raw = name, "gh_0123456789ab", nil
			if want.FromUserName == "" {
				want.FromUserName = "oOfficialOpenId"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s: %s", name, format, diff)
			}
		}
	}
}

func push(t testing.TB, name string, format Format) []byte {
	t.Helper()
	msg, err := os.ReadFile(filepath.Join("testdata", "push", name+"."+string(format)))
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func TestARealAppleQuestionIsRead(t *testing.T) {
	t.Parallel()
	got, err := ParseEvent(push(t, EventIOSRefundQuery, JSON))
	want := &IOSRefundQuestion{RefundTime: 1773806490, OrderTime: 1773733827, BundleID: "com.tencent.xin", Quantity: 1,
		RefundRequestReason: "UNINTENDED_PURCHASE", ProvideStatus: "1", PayOrderID: "2", ConsumptionStatus: "0", ServiceType: "unipdt"}
	if diff := cmp.Diff(want, got.IOSRefund); err != nil || diff != "" {
		t.Error(err, diff)
	}
	got, err = ParseEvent(push(t, EventIOSRefundQuery, XML))
	if err != nil || got.IOSRefund.PayOrderID != "ORDER20260801001" || got.IOSRefund.ChannelBill != "bill" {
		t.Errorf("%+v %v", got.IOSRefund, err)
	}
}

func TestWrittenVariationsAreTheSameEvent(t *testing.T) {
	t.Parallel()
	plain, err := ParseEvent([]byte(c6Message))
	if err != nil {
		t.Fatal(err)
	}
	quoted := strings.NewReplacer(`:1785600000`, `:"1785600000"`, `"Env":0`, `"Env":"0"`, `:100`, `:"100"`, `:1,`, `:"1",`,
		`"PaidTime":1785599990`, `"PaidTime":"1785599990"`).Replace(c6Message)
	for name, msg := range map[string]string{
		"XML": c7Message, "numbers as text": quoted, "a byte order mark": "\xef\xbb\xbf" + c6Message,
		"space around": " \r\n" + c6Message + "\n", "no CDATA": strings.NewReplacer("<![CDATA[", "", "]]>", "").Replace(c7Message),
		"an XML declaration": `<?xml version="1.0"?>` + "\n" + c7Message,
		"unknown fields":     strings.Replace(c6Message, `"Env"`, `"New":{"a":[1,[2],{}]},"Null":null,"Env"`, 1),
	} {
		got, err := ParseEvent([]byte(msg))
		if string(got.Raw) != msg {
			t.Errorf("%s: raw is %q", name, got.Raw)
		}
		got.Raw = plain.Raw
		if diff := cmp.Diff(plain, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestMissingFieldsStayUnknown(t *testing.T) {
	t.Parallel()
	got, err := ParseEvent([]byte(`{"Event":"xpay_goods_deliver_notify","OutTradeNo":"1","Env":null,"GoodsInfo":{"ProductId":"p"}}`))
	if g := got.Goods; err != nil || g.Env != nil || g.WeChatPay != nil || g.ActualPrice != nil || g.OrigPrice != nil || g.ProductID != "p" {
		t.Fatalf("%+v %v", got.Goods, err)
	}
	got, err = ParseEvent([]byte(`<xml><Event>something_new</Event><A><B>1</B></A></xml>`))
	if err != nil || got.Name != "something_new" || got.Goods != nil {
		t.Fatalf("%+v %v", got, err)
	}
	got, err = ParseEvent([]byte(`{"Event":"xpay_goods_deliver_notify","RetryTimes":"x","TeamInfo":{"ActivityId":"a","TeamId":"t","TeamType":1,"TeamAction":1},"AppleSubscriptionInfo":{"OriginalTransactionId":"1","RenewalDate":1777904465000}}`))
	if g := got.Goods; err != nil || *g.Team != (TeamInfo{"a", "t", 1, 1}) || g.AppleSubscription.RenewalDate != 1777904465000 {
		t.Fatalf("%+v %v", got.Goods, err)
	}
}

func TestParseEventRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20)
	for name, c := range map[string]struct{ msg, want string }{
		"nothing":                         {"", "neither"},
		"a text":                          {"success", "neither"},
		"an array":                        {`[{"Event":"x"}]`, "neither"},
		"broken JSON":                     {`{"Event":"x"`, "JSON"},
		"two JSON objects":                {`{"Event":"x"}{}`, "follows"},
		"broken XML":                      {`<xml><Event>x</Event>`, "XML"},
		"crossed XML":                     {`<xml><a><b></a></b></xml>`, "not open"},
		"two XML elements":                {`<xml></xml><xml></xml>`, "one XML element"},
		"text after XML":                  {`<xml></xml>x`, "outside"},
		"a DOCTYPE":                       {`<!DOCTYPE x><xml></xml>`, "DOCTYPE"},
		"an entity":                       {`<xml><Event>&x;</Event></xml>`, "XML"},
		"no event":                        {`{"MsgType":"text"}`, "Event"},
		"deep XML":                        {`<xml><Event>x</Event>` + deep + `</xml>`, "levels"},
		"deep JSON":                       {`{"Event":"x","a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}", "levels"},
		"deep JSON objects":               {strings.Repeat(`{"a":`, 99) + "1" + strings.Repeat("}", 99), "levels"},
		"too many fields":                 {`<xml>` + strings.Repeat("<a/>", treeNodesMax) + `</xml>`, "fields"},
		"too many pieces of text":         {`<xml>` + strings.Repeat("x<!---->", 4*treeNodesMax+1) + `</xml>`, "pieces"},
		"a huge push":                     {"{" + strings.Repeat(" ", treeBytesMax), "1 MiB"},
		"Event twice":                     {`{"Event":"x","Event":"y"}`, "Event comes twice"},
		"Event as an object":              {`{"Event":{"a":1}}`, "single"},
		"a price with a point":            {`{"Event":"xpay_goods_deliver_notify","GoodsInfo":{"ActualPrice":1.0}}`, "ActualPrice is not an integer"},
		"a price in words":                {`<xml><Event>xpay_coin_pay_notify</Event><CoinInfo><OrigPrice>free</OrigPrice></CoinInfo></xml>`, "OrigPrice is not an integer"},
		"an empty price":                  {`<xml><Event>xpay_coin_pay_notify</Event><CoinInfo><ActualPrice></ActualPrice></CoinInfo></xml>`, "ActualPrice is not an integer"},
		"a price that overflows":          {`{"Event":"xpay_goods_deliver_notify","GoodsInfo":{"ActualPrice":9223372036854775808}}`, "ActualPrice"},
		"a price twice":                   {`{"Event":"xpay_goods_deliver_notify","GoodsInfo":{"ActualPrice":1,"ActualPrice":2}}`, "ActualPrice comes twice"},
		"a quantity in words":             {`{"Event":"xpay_goods_deliver_notify","GoodsInfo":{"Quantity":"two"}}`, "Quantity"},
		"an Env in words":                 {`{"Event":"xpay_goods_deliver_notify","Env":"sandbox"}`, "Env"},
		"a refund without a fee":          {`{"Event":"xpay_refund_notify","RetCode":0}`, "RefundFee is missing"},
		"a refund without its result":     {`{"Event":"xpay_refund_notify","RefundFee":1}`, "RetCode is missing"},
		"a refund with a result in words": {`{"Event":"xpay_refund_notify","RefundFee":1,"RetCode":"ok"}`, "RetCode"},
	} {
		got, err := ParseEvent([]byte(c.msg))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if string(got.Raw) != c.msg {
			t.Errorf("%s: the evidence is lost", name)
		}
	}
}

func TestRepliesAreThePublishedBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ got, want string }{
		"C8":                   {string(Reply(JSON, 0, "success")), `{"ErrCode":0,"ErrMsg":"success"}`},
		"C9":                   {string(Reply(XML, 0, "success")), `<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>`},
		"unknown format":       {string(Reply("", 1, "later")), `<xml><ErrCode>1</ErrCode><ErrMsg><![CDATA[later]]></ErrMsg></xml>`},
		"CDATA stays closed":   {string(Reply(XML, 1, "a]]>b\x00")), `<xml><ErrCode>1</ErrCode><ErrMsg><![CDATA[a]]]]><![CDATA[>b]]></ErrMsg></xml>`},
		"no HTML escapes":      {string(Reply(JSON, 1, "a<b>&")), `{"ErrCode":1,"ErrMsg":"a<b>&"}`},
		"iOS refund, spec 7.8": {string(IOSRefundReply(JSON, 0, "建议退款", "订单未发货")), `{"result_code":0,"result_info":"建议退款","evidence":"订单未发货"}`},
		"iOS refund as XML":    {string(IOSRefundReply(XML, 0, "建议退款", "订单未发货")), `<xml><result_code>0</result_code><result_info><![CDATA[建议退款]]></result_info><evidence><![CDATA[订单未发货]]></evidence></xml>`},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s", name, c.got)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	files, err := filepath.Glob("testdata/push/*")
	if err != nil || len(files) == 0 {
		f.Fatal(err, "no seeds")
	}
	for _, name := range files {
		msg, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg)
	}
	f.Add([]byte(c6Message))
	f.Add([]byte(c7Message))
	f.Fuzz(func(t *testing.T, msg []byte) {
		event, err := ParseEvent(msg)
		if err == nil && (event.Name == "" || FormatOf(msg) == "") {
			t.Fatalf("accepted %q", msg)
		}
		if string(event.Raw) != string(msg) {
			t.Fatal("the evidence is lost")
		}
	})
}

func BenchmarkParseEvent(b *testing.B) {
	for name, msg := range map[string]string{"XML": c7Message, "JSON": c6Message} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseEvent([]byte(msg)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
