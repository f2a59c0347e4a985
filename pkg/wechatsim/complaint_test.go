package wechatsim_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/wechatsim"
)

// onePixel is a GIF of one pixel.
const onePixel = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

const wxpayImage = "https://api.mch.weixin.qq.com/v3/merchant-service/images/ChsyMDAwMDAw"

// complained is a world with a complaint about ORDER0001 of 18 yuan, made on 2026-08-02 at 00:00 in China.
func complained(t testing.TB) (*world, string) {
	t.Helper()
	w := newWorld(t)
	w.buy("ORDER0001")
	w.deliver()
	a := w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"未到账","problemType":"REFUND","problemDescription":"没有收到","applyRefundAmount":1800,"images":["`+wxpayImage+`"]}`)
	return w, a["complaintId"].(string)
}

// about calls a complaint API with the id and more fields.
func (w *world) about(api, id, more string) map[string]any {
	w.t.Helper()
	return w.xpay("/xpay/"+api, fmt.Sprintf(`{"env":0,"complaint_id":%q%s}`, id, more))
}

func (w *world) complaint(id string) map[string]any {
	w.t.Helper()
	a := w.about("get_complaint_detail", id, "")
	w.wantCode(a, 0)
	return a["complaint"].(map[string]any)
}

func (w *world) answer(id, text string) map[string]any {
	w.t.Helper()
	return w.about("response_complaint", id, fmt.Sprintf(`,"response_content":%q,"response_images":[]`, text))
}

// list gives the complaint ids of a list, and its total.
func (w *world) list(begin, end string, offset, limit int) (ids []string, total string) {
	w.t.Helper()
	a := w.xpay("/xpay/get_complaint_list", fmt.Sprintf(`{"env":0,"begin_date":%q,"end_date":%q,"offset":%d,"limit":%d}`, begin, end, offset, limit))
	w.wantCode(a, 0)
	for _, c := range a["complaints"].([]any) {
		ids = append(ids, c.(map[string]any)["complaint_id"].(string))
	}
	return ids, fmt.Sprint(a["total"])
}

// operations gives the types of the negotiation history.
func (w *world) operations(id string) (types []string) {
	w.t.Helper()
	a := w.about("get_negotiation_history", id, `,"offset":0,"limit":50`)
	w.wantCode(a, 0)
	for _, h := range a["history"].([]any) {
		types = append(types, h.(map[string]any)["operate_type"].(string))
	}
	return types
}

func (w *world) wantOperations(id string, want string) {
	w.t.Helper()
	if got := w.operations(id); !reflect.DeepEqual(got, strings.Fields(want)) {
		w.t.Errorf("history is %v, want %s", got, want)
	}
}

func TestAComplaintIsShownWhole(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	c := w.complaint(id)
	o := w.show("ORDER0001")
	for name, want := range map[string]any{
		"complaint_id": id, "complaint_time": "2026-08-02T00:00:00+08:00", "complaint_detail": "未到账",
		"complaint_state": "PENDING", "payer_openid": "oUser1", "complaint_full_refunded": "false",
		"incoming_user_response": "false", "user_complaint_times": "1", "problem_description": "没有收到",
		"problem_type": "REFUND", "apply_refund_amount": "1800", "user_tag_list": "[]", "service_order_info": "[]",
		"complaint_media_list": "[map[media_type:USER_COMPLAINT_IMAGE media_url:[" + wxpayImage + "]]]",
	} {
		wantField(t, c, name, want)
	}
	info := c["complaint_order_info"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"transaction_id": o["wxpay_order_id"], "out_trade_no": o["channel_order_id"], "amount": "1800",
		"wxa_out_trade_no": "ORDER0001", "wx_order_id": o["wx_order_id"],
	} {
		wantField(t, info, name, want)
	}
	w.deliver()
	p := w.lastPush()
	wantField(t, p, "Event", "xpay_complaint_notify")
	wantField(t, p, "ComplaintId", id)
	wantField(t, p, "ComplaintDetail", "未到账")
}

func TestAComplaintGoesFromPendingToProcessed(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	w.deliver()
	w.wantRefusals("/xpay/complete_complaint", []refusal{{"before an answer", fmt.Sprintf(`{"env":0,"complaint_id":%q}`, id), 268490002, "投诉单状态错误"}})
	w.wantCode(w.answer(id, "已为您处理"), 0)
	wantField(t, w.complaint(id), "complaint_state", "PROCESSING")
	w.play("complaintUser", `{"complaintId":"`+id+`","action":"respond","detail":"还是没有","images":["`+wxpayImage+`"]}`)
	c := w.complaint(id)
	wantField(t, c, "complaint_state", "PROCESSING")
	wantField(t, c, "incoming_user_response", true)
	w.wantCode(w.answer(id, "请再看一下"), 0)
	wantField(t, w.complaint(id), "incoming_user_response", false)
	for range 2 { // ending what has ended is fine
		w.wantCode(w.about("complete_complaint", id, ""), 0)
	}
	wantField(t, w.complaint(id), "complaint_state", "PROCESSED")
	w.wantCode(w.answer(id, "再见"), 268490002)
	w.wantOperations(id, `USER_CREATE_COMPLAINT USER_CREATE_COMPLAINT_SYSTEM_MESSAGE MERCHANT_RESPONSE USER_RESPONSE MERCHANT_RESPONSE MERCHANT_CONFIRM_COMPLETE`)
	w.play("complaintUser", `{"complaintId":"`+id+`","action":"continue","detail":"又没有了"}`)
	c = w.complaint(id)
	wantField(t, c, "complaint_state", "PENDING")
	wantField(t, c, "user_complaint_times", 2)
	if w.deliver() != 1 || w.lastPush()["ComplaintId"] != id {
		t.Error("the second complaint was not pushed")
	}
	w.wantCode(w.answer(id, "抱歉"), 0)
	w.play("complaintUser", `{"complaintId":"`+id+`","action":"confirm"}`)
	wantField(t, w.complaint(id), "complaint_state", "PROCESSED")
}

func TestUserStepsAreRefusedInTheWrongState(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	step := func(id, action string) int {
		status, _ := w.do("POST", "/sim/complaintUser", fmt.Sprintf(`{"complaintId":%q,"action":%q}`, id, action))
		return status
	}
	for _, tt := range []struct {
		id, action string
		want       int
	}{
		{"200", "respond", 404}, {id, "shout", 400}, {id, "continue", 409}, {id, "revoke", 200},
		{id, "revoke", 409}, {id, "confirm", 409}, {id, "respond", 409}, {id, "continue", 200},
	} {
		if got := step(tt.id, tt.action); got != tt.want {
			t.Errorf("%s: HTTP %d, want %d", tt.action, got, tt.want)
		}
	}
	for body, want := range map[string]int{
		`{"outTradeNo":"ORDER0009","detail":"x"}`:                        404,
		`{"outTradeNo":"ORDER0001","detail":"x","problemType":"REFUSE"}`: 400,
	} {
		if status, _ := w.do("POST", "/sim/complaint", body); status != want {
			t.Errorf("%s: HTTP %d, want %d", body, status, want)
		}
	}
}

func TestRefundsShowInTheHistory(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	w.wantCode(w.refund("ORDER0001", "REFUND0001", 1800, 800), 0)
	w.clock.Advance(3 * time.Second)
	wantField(t, w.complaint(id), "complaint_full_refunded", false)
	w.clock.Advance(time.Minute)
	w.wantCode(w.refund("ORDER0001", "REFUND0002", 1000, 1000), 0)
	wantField(t, w.complaint(id), "complaint_full_refunded", false) // the money is still on its way
	w.clock.Advance(3 * time.Second)
	wantField(t, w.complaint(id), "complaint_full_refunded", true)
	w.wantOperations(id, `USER_CREATE_COMPLAINT USER_CREATE_COMPLAINT_SYSTEM_MESSAGE COMPLAINT_PARTIAL_REFUNDED_SYSTEM_MESSAGE COMPLAINT_FULL_REFUNDED_SYSTEM_MESSAGE`)
}

func TestARefundBeforeTheComplaintIsNotInItsHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.buy("ORDER0001")
	w.refund("ORDER0001", "REFUND0001", 1800, 800)
	w.clock.Advance(time.Minute)
	id := w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"x"}`)["complaintId"].(string)
	w.refund("ORDER0001", "REFUND0002", 1000, 1000)
	w.clock.Advance(time.Minute)
	w.wantOperations(id, `USER_CREATE_COMPLAINT USER_CREATE_COMPLAINT_SYSTEM_MESSAGE COMPLAINT_FULL_REFUNDED_SYSTEM_MESSAGE`)
}

func TestHistoryEntriesAreWhole(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	w.clock.Advance(time.Minute)
	file := w.xpay("/xpay/upload_vp_file", `{"env":0,"base64_img":"`+onePixel+`","file_name":"a.gif"}`)["file_id"].(string)
	w.wantCode(w.about("response_complaint", id, `,"response_content":"看图","response_images":["`+file+`"]`), 0)
	a := w.about("get_negotiation_history", id, `,"offset":2,"limit":5`)
	wantField(t, a, "total", 3)
	h := a["history"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"operator": "商户", "operate_time": "2026-08-02T00:01:00+08:00", "operate_type": "MERCHANT_RESPONSE", "operate_details": "看图",
		"complaint_media_list": "[map[media_type:OPERATION_IMAGE media_url:[https://api.mch.weixin.qq.com/v3/merchant-service/images/" + file + "]]]",
	} {
		wantField(t, h, name, want)
	}
	if h["log_id"] == "" || len(w.about("get_negotiation_history", id, `,"offset":3,"limit":5`)["history"].([]any)) != 0 {
		t.Errorf("history is %v", a)
	}
}

func TestComplaintsAreListedByDaysOfChina(t *testing.T) {
	t.Parallel()
	w, first := complained(t) // 2026-08-01 16:00 UTC is the 2nd in China
	w.later(24*time.Hour - time.Second)
	second := w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"x"}`)["complaintId"].(string)
	w.later(time.Second)
	third := w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"x"}`)["complaintId"].(string)
	for _, tt := range []struct {
		begin, end    string
		offset, limit int
		want          []string
		total         string
	}{
		{"2026-08-01", "2026-08-01", 0, 10, nil, "0"},
		{"2026-08-02", "2026-08-02", 0, 10, []string{second, first}, "2"},
		{"2026-08-01", "2026-08-03", 0, 10, []string{third, second, first}, "3"},
		{"2026-08-01", "2026-08-03", 1, 1, []string{second}, "3"},
		{"2026-08-01", "2026-08-03", 3, 1, nil, "3"},
	} {
		ids, total := w.list(tt.begin, tt.end, tt.offset, tt.limit)
		if !reflect.DeepEqual(ids, tt.want) || total != tt.total {
			t.Errorf("%+v: %v of %s", tt, ids, total)
		}
	}
}

func TestAComplaintListLags(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	w.faults(`{"service":{"complaintListLag":2}}`)
	for i, want := range []string{"0", "0", "1"} {
		if _, total := w.list("2026-08-02", "2026-08-02", 0, 10); total != want {
			t.Errorf("list %d has %s, want %s", i, total, want)
		}
	}
	wantField(t, w.complaint(id), "complaint_id", id)
}

func TestComplaintCallsAreRefused(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	w.wantRefusals("/xpay/get_complaint_list", []refusal{
		{"no begin", `{"env":0,"end_date":"2026-08-02","offset":0,"limit":10}`, 268490002, "begin_date"},
		{"a number as date", `{"env":0,"begin_date":20260802,"end_date":"2026-08-02","offset":0,"limit":10}`, 268490002, "begin_date"},
		{"a day that does not exist", `{"env":0,"begin_date":"2026-02-30","end_date":"2026-08-02","offset":0,"limit":10}`, 268490002, "begin_date"},
		{"upside down", `{"env":0,"begin_date":"2026-08-03","end_date":"2026-08-02","offset":0,"limit":10}`, 268490002, "end_date"},
		{"offset -1", `{"env":0,"begin_date":"2026-08-02","end_date":"2026-08-02","offset":-1,"limit":10}`, 268490002, "offset"},
		{"limit 0", `{"env":0,"begin_date":"2026-08-02","end_date":"2026-08-02","offset":0,"limit":0}`, 268490002, "limit"},
		{"limit as text", `{"env":0,"begin_date":"2026-08-02","end_date":"2026-08-02","offset":0,"limit":"10"}`, 268490002, "limit"},
	})
	more := map[string]string{
		"get_complaint_detail": "", "complete_complaint": "", "get_negotiation_history": `,"offset":0,"limit":1`,
		"response_complaint":   `,"response_content":"x","response_images":[]`,
		"get_upload_file_sign": `,"wxpay_url":"` + wxpayImage + `","convert_cos":false`,
	}
	for api, fields := range more {
		w.wantRefusals("/xpay/"+api, []refusal{
			{"unknown id", `{"env":0,"complaint_id":"200"` + fields + `}`, 268490002, "数据不存在"},
			{"no id", `{"env":0` + fields + `}`, 268490002, "complaint_id"},
		})
	}
	say := func(content, images string) string {
		return fmt.Sprintf(`{"env":0,"complaint_id":%q,"response_content":%s,"response_images":%s}`, id, content, images)
	}
	w.wantRefusals("/xpay/response_complaint", []refusal{
		{"no text", say(`""`, `[]`), 268490002, "response_content"},
		{"201 characters", say(`"`+strings.Repeat("谢", 201)+`"`, `[]`), 268490002, "response_content"},
		{"a picture never uploaded", say(`"x"`, `["vpf_0"]`), 268490002, "response_images"},
		{"images as text", say(`"x"`, `"vpf_0"`), 268490002, "response_images"},
		{"images null", say(`"x"`, `null`), 268490002, "response_images"},
	})
	file := w.xpay("/xpay/upload_vp_file", `{"env":0,"base64_img":"`+onePixel+`","file_name":"a.gif"}`)["file_id"].(string)
	w.wantRefusals("/xpay/response_complaint", []refusal{
		{"five pictures", say(`"x"`, `["`+strings.Repeat(file+`","`, 4)+file+`"]`), 268490002, "response_images"},
		{"four pictures and 200 characters", say(`"`+strings.Repeat("谢", 200)+`"`, `["`+strings.Repeat(file+`","`, 3)+file+`"]`), 0, ""},
	})
}

func TestSensitiveAnswersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *wechatsim.Config) { c.SensitiveWords = []string{"赌博"} })
	w.buy("ORDER0001")
	id := w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"x"}`)["complaintId"].(string)
	w.wantCode(w.answer(id, "去赌博吧"), 268490007)
	wantField(t, w.complaint(id), "complaint_state", "PENDING")
	w.wantCode(w.answer(id, "抱歉"), 0)
}

func TestPicturesAreUploaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	picture := func(size int) string { // a GIF of that many bytes
		raw, err := base64.StdEncoding.DecodeString(onePixel)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(append(raw, make([]byte, size-len(raw))...))
	}
	w.wantRefusals("/xpay/upload_vp_file", []refusal{
		{"a link", `{"env":0,"img_url":"https://shop.example/a.png","file_name":"a.png"}`, 0, ""},
		{"a link wins over what is no picture", `{"env":0,"img_url":"https://shop.example/a.png","base64_img":"x","file_name":"a.png"}`, 0, ""},
		{"1 MB", `{"env":0,"base64_img":"` + picture(1<<20) + `","file_name":"a.gif"}`, 0, ""},
		{"more than 1 MB", `{"env":0,"base64_img":"` + picture(1<<20+1) + `","file_name":"a.gif"}`, 268490002, "base64_img"},
		{"neither", `{"env":0,"file_name":"a.gif"}`, 268490002, "base64_img"},
		{"no base64", `{"env":0,"base64_img":"data:image/gif;base64,` + onePixel + `","file_name":"a.gif"}`, 268490002, "base64_img"},
		{"no picture", `{"env":0,"base64_img":"aGVsbG8=","file_name":"a.gif"}`, 268490002, "base64_img"},
		{"no name", `{"env":0,"base64_img":"` + onePixel + `"}`, 268490002, "file_name"},
		{"a path", `{"env":0,"img_url":"/a.png","file_name":"a.png"}`, 268490002, "img_url"},
		{"a link as number", `{"env":0,"img_url":1,"file_name":"a.png"}`, 268490002, "img_url"},
		{"more than 2 MB of body", `{"env":0,"base64_img":"` + picture(2<<20) + `","file_name":"a.gif"}`, 45002, "content size"},
	})
}

func TestAPictureOfAComplaintIsSigned(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	a := w.about("get_upload_file_sign", id, `,"wxpay_url":"`+wxpayImage+`","convert_cos":false`)
	if sign := fmt.Sprint(a["sign"]); !strings.HasPrefix(sign, "WECHATPAY2-SHA256-RSA2048 mchid=") || a["cos_url"] != nil {
		t.Errorf("answer is %v", a)
	}
	a = w.about("get_upload_file_sign", id, `,"wxpay_url":"`+wxpayImage+`","convert_cos":true`)
	if link := fmt.Sprint(a["cos_url"]); !strings.HasSuffix(link, "ChsyMDAwMDAw?expires=1785601800") { // half an hour
		t.Errorf("cos_url is %s", link)
	}
	body := func(link, cos string) string {
		return fmt.Sprintf(`{"env":0,"complaint_id":%q,"wxpay_url":%q,"convert_cos":%s}`, id, link, cos)
	}
	w.wantRefusals("/xpay/get_upload_file_sign", []refusal{
		{"another address", body("https://shop.example/a.png", "false"), 268490002, "wxpay_url"},
		{"no picture", body("https://api.mch.weixin.qq.com/v3/merchant-service/images/", "false"), 268490002, "wxpay_url"},
		{"convert_cos as number", body(wxpayImage, "1"), 268490002, "convert_cos"},
	})
}

func TestSandboxComplaintsAreNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := strings.Replace(signData("ORDER0001", 1, 1800), `"env":0`, `"env":1`, 1)
	r := payment(w.login(testUser), data)
	r.PaySig = hmacHex(sandKey, "requestVirtualPayment&"+data)
	w.sim.RequestVirtualPayment(r)
	id := w.play("complaint", `{"outTradeNo":"ORDER0001","detail":"x"}`)["complaintId"].(string)
	if _, total := w.list("2026-08-02", "2026-08-02", 0, 10); total != "0" {
		t.Errorf("the list has %s", total)
	}
	w.wantCode(w.about("get_complaint_detail", id, ""), 268490002)
}

func TestALostAnswerLeavesItsEntry(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	w.lose("/xpay/response_complaint", fmt.Sprintf(`{"env":0,"complaint_id":%q,"response_content":"x"}`, id))
	w.wantCode(w.answer(id, "x"), 0) // a second entry: the API has no number of its own
	w.lose("/xpay/complete_complaint", fmt.Sprintf(`{"env":0,"complaint_id":%q}`, id))
	w.wantOperations(id, `USER_CREATE_COMPLAINT USER_CREATE_COMPLAINT_SYSTEM_MESSAGE MERCHANT_RESPONSE MERCHANT_RESPONSE MERCHANT_CONFIRM_COMPLETE`)
}

func TestConcurrentComplaintAnswersAreAllKept(t *testing.T) {
	t.Parallel()
	w, id := complained(t)
	w.complaint(id)
	body := fmt.Sprintf(`{"env":0,"complaint_id":%q,"response_content":"x"}`, id)
	target := w.xpayURL("/xpay/response_complaint", testKey, body)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			w.sim.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", target, strings.NewReader(body)))
			w.deliver()
		})
	}
	all.Wait()
	if got := len(w.operations(id)); got != 18 {
		t.Errorf("the history has %d entries, want 18", got)
	}
}
