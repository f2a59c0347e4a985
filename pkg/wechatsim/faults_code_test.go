package wechatsim_test

import (
	"fmt"
	"strings"
	"testing"
)

// The codes are those of the xpay spec, section 6, and the texts too where it has one; of the others the test wants the
// word that tells them apart.
func TestAnOrderedErrcodeComesWithWeChatsOwnText(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		-1: "system error", 268490001: "openid错误", 268490002: "数据不存在", 268490003: "支付签名(pay_sig)校验失败", 268490004: "重复操作",
		268490005: "订单已经退款", 268490006: "代币金额不足", 268490007: "存在敏感内容", 268490008: "代币未发布",
		268490009: "session_key不存在或已过期", 268490011: "数据生成中", 268490012: "批量任务正在运行中", 268490013: "核销",
		268490014: "退款操作进行中", 268490015: "频繁", 268490016: "left_fee", 268490018: "行业", 268490019: "appid",
		268490020: "主体名称", 268490021: "进件", 268490022: "广告账户无效", 268490023: "广告金余额不足", 268490024: "充值金额必须大于0",
		674690001: "商品类型", 690000000: "用户未签约", 690000001: "预扣费通知", -15027: "预扣费通知",
		40001: "invalid credential, access_token is invalid or not latest", 40002: "invalid grant_type", 40003: "invalid openid",
		40013: "invalid appid", 40014: "invalid access_token", 40029: "invalid code", 40066: "invalid url", 40125: "invalid appsecret",
		40163: "code been used", 40164: "invalid ip 192.0.2.1, not in whitelist", 40226: "code blocked", 40243: "AppSecret frozen",
		41001: "access_token missing", 41002: "appid missing", 42001: "access_token expired", 43002: "require POST",
		43003: "require https", 44002: "empty post data", 45002: "content size out of limit", 45009: "reach max api daily quota limit",
		45011: "api minute-quota reach limit", 47001: "data format error", 48001: "api unauthorized",
		48004: "api forbidden for irregularities", 50002: "user limited", 61004: "access clientip is not registered",
		61007: "api is unauthorized to component", 87008: "invalid sig_method", 87009: "invalid signature", 268499999: "unknown error",
	} {
		w := newWorld(t)
		w.faults(fmt.Sprintf(`{"api":{"/xpay/query_order":{"code":{"errcode":%d,"times":1}}}}`, code))
		a := w.query("ORDER0001")
		w.wantCode(a, code)
		if msg, rid, _ := strings.Cut(a["errmsg"].(string), " rid: "); !strings.Contains(msg, want) || len(rid) != 26 {
			t.Errorf("%d says %q, want %q and a rid", code, a["errmsg"], want)
		}
	}
}

func TestAnOrderedErrcodeMayHaveAnotherText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	w.faults(`{"api":{"/xpay/query_order":{"code":{"errcode":268490002,"times":2,"errmsg":"openid字段错误"}}}}`)
	for range 2 {
		if a := w.query("ORDER0001"); !strings.HasPrefix(a["errmsg"].(string), "openid字段错误 rid: ") {
			t.Errorf("answer is %v", a)
		}
	}
	w.wantCode(w.query("ORDER0001"), 0)
}

func TestFaultsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"push":{"drop":2}}`)
	for body, want := range map[string]string{
		`{"api":{"/xpay/qurey_order":{"hang":1}}}`:                              `"/xpay/qurey_order"`,
		`{"api":{"xpay/query_order":{"hang":1}}}`:                               `"xpay/query_order"`,
		`{"api":{"//xpay/query_order":{"hang":1}}}`:                             `"//xpay/query_order"`,
		`{"api":{"/":{"hang":1}}}`:                                              `"/"`,
		`{"api":{"/sim":{"hang":1}}}`:                                           `"/sim"`,
		`{"api":{"/sim/requestVirtualPayment":{"hang":1}}}`:                     `cashier`,
		`{"api":{"/xpay/query_order":{"code":{"errcode":0,"times":1}}}}`:        `errcode 0`,
		`{"cashier":{"code":{"times":1}}}`:                                      `errcode 0`,
		`{"appleSign":{"code":{"times":1}}}`:                                    `errcode 0`,
		`{"cashier":{"lostCallback":-1}}`:                                       `faults.cashier.lostCallback is negative`,
		`{"access":{"outsideIPs":-1}}`:                                          `faults.access.outsideIPs is negative`,
		`{"orders":{"omitFields":["left_fee","leftFee"]}}`:                      `"leftFee"`,
		`{"orders":{"omitFields":[""]}}`:                                        `omitFields`,
		`{"reset":"true"}`:                                                      `reset is neither true nor false`,
		`{"reset":1,"push":{}}`:                                                 `reset is neither true nor false`,
		`{"reset":null}`:                                                        `reset is neither true nor false`,
		`{"reset":true,"api":{"/xpay/query_order":{"code":{"errcod":1}}}}`:      `errcod`,
		`{"reset":true,"api":{"/xpay/query_order":{"hang":1},"/xpay/no":null}}`: `"/xpay/no"`,
	} {
		if status, text := w.do("POST", "/sim/faults", body); status != 400 || !strings.Contains(strings.ReplaceAll(text, `\"`, `"`), want) {
			t.Errorf("%s: HTTP %d %s, want 400 and %s", body, status, text, want)
		}
	}
	if f := w.sim.Faults(); f.Push.Drop != 2 || len(f.API) != 0 || len(f.Orders.OmitFields) != 0 {
		t.Errorf("a refused change left %+v", f)
	}
	w.faults(`{"reset":false,"orders":{"omitFields":["left_fee","platform_fee_fen"]},"api":{"/sns/jscode2session":{"hang":1}}}`)
	if f := w.sim.Faults(); f.Push.Drop != 2 || f.API["/sns/jscode2session"].Hang != 1 {
		t.Errorf("faults are %+v", f)
	}
}

// Every one of these changes names its own path, so none may be missing in the end.
func TestFaultsMergedAtOnceAreAllKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paths := strings.Fields(`query_user_balance currency_pay cancel_currency_pay present_currency query_order refund_order
		notify_provide_goods download_bill start_upload_goods query_upload_goods start_publish_goods query_publish_goods`)
	for round := range 20 {
		w.faults(`{"reset":true}`)
		done := make(chan bool)
		for _, path := range paths {
			go func() {
				w.do("POST", "/sim/faults", `{"api":{"/xpay/`+path+`":{"hang":1}}}`)
				done <- true
			}()
		}
		for range paths {
			<-done
		}
		if got := len(w.sim.Faults().API); got != len(paths) {
			t.Fatalf("round %d: %d of %d changes are there", round, got, len(paths))
		}
	}
}

func TestUncleanPathsAreUnknownOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range strings.Fields(`//xpay/query_order /xpay//query_order /xpay/./query_order /xpay/../xpay/query_order
		/download/../x /xpay/query_order// /download// /..`) {
		for _, method := range []string{"GET", "POST"} {
			status, text := w.do(method, "http://wechat.test"+path, `{}`)
			if status != 200 || !strings.Contains(text, `"errcode":40066,"errmsg":"invalid url rid: `) {
				t.Errorf("%s %s: HTTP %d %s", method, path, status, text)
			}
		}
	}
	for _, path := range []string{"/sim", "/sim//orders", "/sim/orders/..", "/sim/./faults"} {
		if status, text := w.do("GET", "http://wechat.test"+path, ""); status != 404 || !strings.Contains(text, "control endpoint GET "+path) {
			t.Errorf("%s: HTTP %d %s", path, status, text)
		}
	}
}
