package xpay

import (
	"os"
	"path/filepath"
	"regexp"
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
			OriginalTransactionID: "2000001147426510", ProductID: "vip_month", AutoRenewStatus: AutoRenewOn,
			RenewalDate: 1777904465000, SignedTime: 1775226065000}}},
	EventAppleUnsigning: {CreateTime: 1776000000, FromUserName: "oUserOpenId", OpenID: "oUserOpenId", AppleSigning: &AppleSigning{
		OpenID: "oUserOpenId", Attach: "testdata", Action: "unsubscribe", Subscription: &AppleSubscriptionInfo{
			OriginalTransactionID: "2000001147426510", ProductID: "vip_month",
			RenewalDate: 1777904465000, UnsignedTime: 1775999999000}}},
	EventSubscribeSigning: {CreateTime: 1785600000, OpenID: "oUserOpenId", Subscription: &SubscriptionNotice{OpenID: "oUserOpenId"}},
	EventSubscribePayFail: {CreateTime: 1785600000, OpenID: "oUserOpenId", Subscription: &SubscriptionNotice{OpenID: "oUserOpenId"}},
	EventIOSRefundQuery:   {}, // differs between the formats, see below
}

func TestEveryExampleIsReadAlikeInXMLAndJSON(t *testing.T) {
	t.Parallel()
	for _, name := range Events() {
		want, here := wantEvents[name]
		if !here {
			t.Errorf("no example of %s", name)
		}
		if name == EventIOSRefundQuery {
			continue
		}
		for _, format := range []Format{XML, JSON} {
			got, err := ParseEvent(push(t, name, format))
			if err != nil {
				t.Errorf("%s %s: %v", name, format, err)
			}
			want.Name, want.MsgType, want.ToUserName, got.Raw = name, "event", "gh_0123456789ab", nil
			if want.FromUserName == "" {
				want.FromUserName = "oOfficialOpenId"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s: %s", name, format, diff)
			}
		}
	}
}

// Numbers may be texts and texts of digits numbers, values may stand outside CDATA, new fields may come: always the same event.
func TestEveryEventIsReadHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	quoteNumbers, bareDigits := regexp.MustCompile(`":(-?\d+)`), regexp.MustCompile(`":"([1-9]\d*)"`)
	for _, name := range Events() {
		asJSON, asXML := string(push(t, name, JSON)), string(push(t, name, XML))
		for _, c := range []struct{ how, plain, written string }{
			{"numbers as text", asJSON, quoteNumbers.ReplaceAllString(asJSON, `":"$1"`)},
			{"text as numbers", asJSON, bareDigits.ReplaceAllString(asJSON, `":$1`)},
			{"a new field in front", asJSON, `{"New":{"a":[1,null]},` + asJSON[1:]},
			{"without CDATA", asXML, strings.NewReplacer("<![CDATA[", "", "]]>", "").Replace(asXML)},
			{"a new element behind", asXML, strings.TrimSuffix(strings.TrimSpace(asXML), "</xml>") + "<New><a>1</a><a/></New></xml>"},
		} {
			want, err := ParseEvent([]byte(c.plain))
			if err != nil {
				t.Fatal(name, err)
			}
			got, err := ParseEvent([]byte(c.written))
			if c.how == "a new field in front" {
				if text, found := got.Field("New", "a"); !found || text != "1" {
					t.Errorf("%s: the new field reads %q %t", name, text, found)
				}
			}
			want.Raw, got.Raw = nil, nil
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, %s: %v %s", name, c.how, err, diff)
			}
		}
	}
}

// The parts that the examples of spec 7 lack: group buying, Apple's renewals and refunds.
func TestThePartsThatComeSeldomAreRead(t *testing.T) {
	t.Parallel()
	const team, apple = `"TeamInfo":{"ActivityId":"a1","TeamId":"t1","TeamType":1,"TeamAction":"1"}`,
		`"AppleSubscriptionInfo":{"OriginalTransactionId":"2000001147426510","AutoRenewStatus":1,"RenewalDate":1777904465000}`
	wantTeam := &TeamInfo{ActivityID: "a1", TeamID: "t1", TeamType: TeamPayAll, TeamAction: TeamJoin}
	for msg, want := range map[string]Event{
		`"Event":"xpay_goods_deliver_notify","RetryTimes":3,` + team + "," + apple: {Goods: &GoodsDelivery{RetryTimes: 3, Team: wantTeam,
			AppleSubscription: &AppleSubscriptionInfo{OriginalTransactionID: "2000001147426510", AutoRenewStatus: 1, RenewalDate: 1777904465000}}},
		`"Event":"xpay_coin_pay_notify","RetryTimes":"15",` + team: {Coins: &CoinPayment{RetryTimes: 15, Team: wantTeam}},
		`"Event":"xpay_refund_notify","RetCode":7,"RetMsg":"余额不足","RefundFee":100,"Attach":"a","WxTransactionId":"w","RetryTimes":2,` + team: {
			Refund: &RefundNotice{RetCode: 7, RetMsg: "余额不足", RefundFee: 100, Attach: "a", WxTransactionID: "w", RetryTimes: 2, Team: wantTeam}},
		`"Event":"xpay_wxpay_callback_notify","Remark":"r","EventType":"due_diligence","RetryTimes":1`: {
			Risk: &RiskNotice{Remark: "r", EventType: RiskDueDiligence, RetryTimes: 1}},
	} {
		got, err := ParseEvent([]byte("{" + msg + "}"))
		want.Name, got.Raw = got.Name, nil
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", msg, err, diff)
		}
	}
}

func TestAnEventThatSaysLittleIsNoError(t *testing.T) {
	t.Parallel()
	for _, name := range append(Events(), "xpay_something_new_notify") {
		if name == EventRefund {
			continue // without a result it says nothing at all
		}
		for _, msg := range []string{`{"Event":"` + name + `"}`, "<xml><Event>" + name + "</Event></xml>"} {
			if got, err := ParseEvent([]byte(msg)); err != nil || got.Name != name {
				t.Errorf("%s: %v", msg, err)
			}
		}
	}
}

func TestTheUnpublishedSubscriptionEventsNeverFail(t *testing.T) {
	t.Parallel()
	for msg, want := range map[string]SubscriptionNotice{
		`"OutTradeNo":"o1","Env":0,"ProductId":"p","ContractResult":0,"ContractResultMsg":"ok","ContractId":"c1","Attach":"a"`: {
			OutTradeNo: "o1", ProductID: "p", ContractResult: new(int64(0)), ContractResultMsg: "ok", ContractID: "c1", Attach: "a"},
		`"ContractResult":"-3"`: {ContractResult: new(int64(-3))},
		`"ContractResult":"no","ContractId":{"a":1},"Attach":"x","Attach":"y"`: {Attach: "x"},
	} {
		got, err := ParseEvent([]byte(`{"Event":"` + EventSubscribeSigning + `",` + msg + `}`))
		if err != nil || got.Subscription == nil {
			t.Errorf("%s: %v", msg, err)
			continue
		}
		if diff := cmp.Diff(want, *got.Subscription); diff != "" {
			t.Errorf("%s: %s", msg, diff)
		}
	}
}

func TestFieldsThisPackageDoesNotKnowCanBeRead(t *testing.T) {
	t.Parallel()
	for _, msg := range []string{
		`{"Event":"xpay_new_notify","A":{"B":{"C":"deep"},"N":1.50},"L":["x","y"],"Nothing":null,"Yes":true}`,
		`<xml><Event>xpay_new_notify</Event><A><B><C><![CDATA[deep]]></C></B><N>1.50</N></A><L>x</L><L>y</L><Yes>true</Yes></xml>`,
	} {
		e, err := ParseEvent([]byte(msg))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			path []string
			want string
			here bool
		}{
			{[]string{"A", "B", "C"}, "deep", true}, {[]string{"A", "N"}, "1.50", true}, {[]string{"L"}, "x", true}, {[]string{"Yes"}, "true", true},
			{[]string{"A"}, "", false}, {[]string{"a", "N"}, "", false}, {[]string{"Nothing"}, "", false}, {[]string{"A", "B", "C", "D"}, "", false}, {nil, "", false},
		} {
			if got, here := e.Field(c.path...); got != c.want || here != c.here {
				t.Errorf("%v: %q %t", c.path, got, here)
			}
		}
		var all []string
		for path, text := range e.Fields() {
			all = append(all, path+"="+text)
		}
		want := []string{"Event=xpay_new_notify", "A.B.C=deep", "A.N=1.50", "L=x", "L=y", "Yes=true"}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Error(diff)
		}
		for range e.Fields() {
			break // stopping early is allowed
		}
	}
	if _, here := (Event{Raw: []byte("no event")}).Field("Event"); here {
		t.Error("a field of nothing")
	}
}

func TestPayEventSigIsVerifiedOnlyWhereItIs(t *testing.T) {
	t.Parallel()
	m, err := NewMerchant("123", Production, "test_app_key_1234567890")
	if err != nil {
		t.Fatal(err)
	}
	// The outer push may be XML although the payload is JSON; the values are those of V3e.
	const payload, sig = `{"outTradeNo":"ORDER20260101001","productId":"prod_001"}`, "fda68ccc3f2ac30a11aee40584ea021e1999026fbbb432875070ef1ce46074f0"
	game := func(payload, sig string) string {
		return "<xml><Event>xpay_goods_deliver_notify</Event><MiniGame><Payload><![CDATA[" + payload + "]]></Payload><PayEventSig>" + sig + "</PayEventSig></MiniGame></xml>"
	}
	for _, c := range []struct {
		name, msg     string
		carried, fits bool
	}{
		{"right", game(payload, sig), true, true},
		{"another payload", game(payload+" ", sig), true, false},
		{"an empty signature", game(payload, ""), true, false},
		{"none", string(push(t, EventGoodsDeliver, JSON)), false, false},
	} {
		e, err := ParseEvent([]byte(c.msg))
		carried, fits := m.PayEventSigFits(e)
		if err != nil || carried != c.carried || fits != c.fits {
			t.Errorf("%s: carried %t fits %t %v", c.name, carried, fits, err)
		}
	}
	if _, fits := (Merchant{}).PayEventSigFits(Event{Name: "e", Raw: []byte(`{"MiniGame":{"PayEventSig":""}}`)}); fits {
		t.Error("the zero Merchant believes an empty signature")
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
	c6Message, c7Message := pushMessage(t, "C6"), pushMessage(t, "C7")
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
	for _, v := range readVectors[struct{ Message string }](f, "push.json") {
		f.Add([]byte(v.Message))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		event, err := ParseEvent(msg)
		if err == nil && (event.Name == "" || FormatOf(msg) == "") {
			t.Fatalf("accepted %q", msg)
		}
		if string(event.Raw) != string(msg) {
			t.Fatal("the evidence is lost")
		}
		for path, text := range event.Fields() {
			if got, here := event.Field(strings.Split(path, ".")...); here && got != text && !strings.Contains(path, ".") && strings.Count(string(msg), path) < 2 {
				t.Fatalf("%s is %q, and %q", path, text, got)
			}
		}
		if reply, err := ReplyFor(event, true, Verdict{Evidence: "x"}); err != nil || len(reply.Body) == 0 {
			t.Fatalf("no reply: %v", err)
		}
	})
}

func BenchmarkParseEvent(b *testing.B) {
	for name, msg := range map[string]string{"XML": pushMessage(b, "C7"), "JSON": pushMessage(b, "C6")} {
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
