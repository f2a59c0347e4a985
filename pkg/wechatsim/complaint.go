package wechatsim

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// States of a complaint, spec 4.14.
const (
	complaintPending    = "PENDING"
	complaintProcessing = "PROCESSING"
	complaintProcessed  = "PROCESSED"
)

// Operations in the negotiation history that the simulator plays, spec 4.14; the odd spelling is WeChat's.
const (
	opCreate          = "USER_CREATE_COMPLAINT"
	opCreateSystem    = "USER_CREATE_COMPLAINT_SYSTEM_MESSAGE"
	opContinue        = "USER_CONTINUE_COMPLAINT"
	opContinueSystem  = "USER_CONTINUE_COMPLAINT_SYSTEM_MESSAGE"
	opUserResponse    = "USER_RESPONSE"
	opRevoke          = "USER_REVOKE_COMPLAINT"
	opConfirm         = "USER_COMFIRM_COMPLAINT"
	opResponse        = "MERCHANT_RESPONSE"
	opComplete        = "MERCHANT_CONFIRM_COMPLETE"
	opFullRefunded    = "COMPLAINT_FULL_REFUNDED_SYSTEM_MESSAGE"
	opPartialRefunded = "COMPLAINT_PARTIAL_REFUNDED_SYSTEM_MESSAGE"
)

// ComplaintRequest is what a user writes into the complaint form about a paid order. ProblemType is REFUND,
// SERVICE_NOT_WORK or OTHERS (or ""); Images are media_url values.
type ComplaintRequest struct {
	OutTradeNo         string   `json:"outTradeNo"`
	Detail             string   `json:"detail"`
	ProblemType        string   `json:"problemType"`
	ProblemDescription string   `json:"problemDescription"`
	ApplyRefundAmount  int64    `json:"applyRefundAmount"` // fen
	Images             []string `json:"images"`
}

// complaint is one complaint about one payment. Refunds are not kept in History: the order knows them.
type complaint struct {
	ID      string  `json:"id"`
	Payment int     `json:"payment,omitempty"`
	At      instant `json:"at"`
	ComplaintRequest
	State    string    `json:"state"`
	Times    int       `json:"times"`              // the user complained, the first time included
	Answered bool      `json:"answered,omitempty"` // the user wrote again after the merchant's last answer
	Lagged   int       `json:"lagged,omitempty"`   // lists that ComplaintListLag kept it from
	History  []opEntry `json:"history"`

	order *order
}

// opEntry is one entry of the negotiation history.
type opEntry struct {
	ID     string   `json:"id"`
	Who    string   `json:"who"`
	Type   string   `json:"type"`
	Text   string   `json:"text,omitempty"`
	Images []string `json:"images,omitempty"`
	At     instant  `json:"at"`
}

// Complain plays a user's complaint about a paid order: it is PENDING, and xpay_complaint_notify is queued (spec 7.5).
// It answers the complaint id, and fails with ErrUnknown, or with ErrState on an order that is not paid.
func (s *Sim) Complain(outTradeNo, detail string) (complaintID string, err error) {
	return s.FileComplaint(ComplaintRequest{OutTradeNo: outTradeNo, Detail: detail})
}

// FileComplaint is Complain with the whole form. It also fails with ErrInput when ProblemType is unknown or the amount is negative.
func (s *Sim) FileComplaint(r ComplaintRequest) (complaintID string, err error) {
	r.ProblemType, r.Images = orElse(r.ProblemType, "OTHERS"), slices.Clone(r.Images)
	if !slices.Contains([]string{"REFUND", "SERVICE_NOT_WORK", "OTHERS"}, r.ProblemType) {
		return "", fmt.Errorf("problemType is none of REFUND, SERVICE_NOT_WORK, OTHERS: %w", ErrInput)
	}
	if r.ApplyRefundAmount < 0 {
		return "", fmt.Errorf("applyRefundAmount is negative: %w", ErrInput)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, i, err := s.paidOrder(r.OutTradeNo)
	if err != nil {
		return "", err
	}
	now, when := s.clock()
	c := &complaint{
		ID: s.chance.complaintID(now), Payment: i, At: when, ComplaintRequest: r,
		State: complaintPending, Times: 1, order: o,
	}
	s.note(c, "用户", opCreate, r.Detail, r.Images)
	s.note(c, "系统", opCreateSystem, "用户发起投诉", nil)
	s.complaints.put(c.ID, c)
	s.record(kindComplaint, c)
	s.tellComplaint(c)
	return c.ID, s.journalErr
}

// note adds an entry to the history; the caller writes the complaint down.
func (s *Sim) note(c *complaint, who, op, text string, images []string) {
	now, i := s.clock()
	e := opEntry{ID: s.chance.logID(now), Who: who, Type: op, Text: text, Images: slices.Clone(images), At: i}
	c.History = append(c.History, e)
}

// tellComplaint queues one push for each time the user complained that has none yet; it also repairs.
func (s *Sim) tellComplaint(c *complaint) {
	told := 0
	for _, p := range c.order.pushes {
		if p.Event == eventComplaint && p.Ref == c.ID {
			told++
		}
	}
	_, now := s.clock()
	for ; told < c.Times; told++ {
		due := now.add(time.Duration(s.faults.Push.Delay))
		s.enqueue(c.order, &push{Event: eventComplaint, Index: c.Payment, Due: due, Ref: c.ID})
	}
}

// UserActs plays what the user does in an open complaint: "respond" writes more, "revoke" and "confirm" end it
// (PROCESSED). After the end, "continue" complains again: PENDING once more, and pushed. It fails with ErrUnknown,
// with ErrState when the state has no such step, and with ErrInput for another action.
func (s *Sim) UserActs(complaintID, action, text string, images []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.complaints.get(complaintID)
	op, known := map[string]string{
		"respond": opUserResponse, "revoke": opRevoke, "confirm": opConfirm, "continue": opContinue,
	}[action]
	switch {
	case c == nil:
		return fmt.Errorf("complaint %q: %w", excerpt(complaintID), ErrUnknown)
	case !known:
		return fmt.Errorf("action is none of respond, revoke, confirm, continue: %w", ErrInput)
	case (c.State == complaintProcessed) != (op == opContinue):
		return fmt.Errorf("complaint %q is %s: %w", c.ID, c.State, ErrState)
	}
	s.note(c, "用户", op, text, images)
	switch op {
	case opUserResponse:
		c.Answered = true
	case opContinue:
		c.State, c.Answered = complaintPending, true
		c.Times++
		s.note(c, "系统", opContinueSystem, "用户继续投诉", nil)
	default:
		c.State = complaintProcessed
	}
	s.record(kindComplaint, c)
	s.tellComplaint(c)
	return s.journalErr
}

// The answers of the complaint APIs, spec 4.14.
type (
	complaintBody struct {
		ID            string               `json:"complaint_id"`
		Time          string               `json:"complaint_time"`
		Detail        string               `json:"complaint_detail"`
		State         string               `json:"complaint_state"`
		PayerPhone    string               `json:"payer_phone"`
		PayerOpenID   string               `json:"payer_openid"`
		Orders        []complaintOrderBody `json:"complaint_order_info"`
		FullRefunded  bool                 `json:"complaint_full_refunded"`
		UserAnswered  bool                 `json:"incoming_user_response"`
		Times         int                  `json:"user_complaint_times"`
		Media         []mediaBody          `json:"complaint_media_list"`
		Problem       string               `json:"problem_description"`
		ProblemType   string               `json:"problem_type"`
		ApplyRefund   int64                `json:"apply_refund_amount"`
		UserTags      []string             `json:"user_tag_list"`
		ServiceOrders []struct{}           `json:"service_order_info"`
	}
	complaintOrderBody struct {
		TransactionID string `json:"transaction_id"`
		ChannelNo     string `json:"out_trade_no"` // channel_order_id, not the merchant's number
		Amount        int64  `json:"amount"`
		OutTradeNo    string `json:"wxa_out_trade_no"`
		WxOrderID     string `json:"wx_order_id"`
	}
	mediaBody struct {
		Type string   `json:"media_type"`
		URLs []string `json:"media_url"`
	}
	complaintsAnswer struct {
		ErrCode    int             `json:"errcode"`
		ErrMsg     string          `json:"errmsg"`
		Total      int             `json:"total"`
		Complaints []complaintBody `json:"complaints"`
	}
	complaintAnswer struct {
		ErrCode   int           `json:"errcode"`
		ErrMsg    string        `json:"errmsg"`
		Complaint complaintBody `json:"complaint"`
	}
	historyBody struct {
		ID      string      `json:"log_id"`
		Who     string      `json:"operator"`
		Time    string      `json:"operate_time"`
		Type    string      `json:"operate_type"`
		Details string      `json:"operate_details"`
		Media   []mediaBody `json:"complaint_media_list"`
	}
	historyAnswer struct {
		ErrCode int           `json:"errcode"`
		ErrMsg  string        `json:"errmsg"`
		Total   int           `json:"total"`
		History []historyBody `json:"history"`
	}
	fileAnswer struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		FileID  string `json:"file_id"`
	}
	fileSignAnswer struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		Sign    string `json:"sign"`
		CosURL  string `json:"cos_url,omitempty"`
	}
)

// getComplaintList answers POST /xpay/get_complaint_list: the production complaints of whole days in China, newest
// first. env chooses the key only.
func (s *Sim) getComplaintList(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	begin, end := r.date("begin_date"), r.date("end_date")
	r.need("end_date", begin <= end)
	offset, limit := r.number("offset", 0, countMax), r.number("limit", 1, countMax)
	if r.no != nil {
		return nil, r.no
	}
	var all []*complaint
	for _, c := range slices.Backward(s.complaints.list) {
		if day := inChina(c.At.time()).Format(time.DateOnly); c.order.Env == 0 && day >= begin && day <= end && !s.lags(c) {
			all = append(all, c)
		}
	}
	answer := complaintsAnswer{ErrMsg: "OK", Total: len(all), Complaints: []complaintBody{}}
	for _, c := range slice(all, offset, limit) {
		answer.Complaints = append(answer.Complaints, s.complaintBody(c))
	}
	return answer, nil
}

// lags takes the fault that keeps a complaint out of its first lists.
func (s *Sim) lags(c *complaint) bool {
	if c.Lagged >= s.faults.Service.ComplaintListLag {
		return false
	}
	c.Lagged++
	s.record(kindComplaint, c)
	return true
}

// getComplaintDetail answers POST /xpay/get_complaint_detail.
func (s *Sim) getComplaintDetail(f fields, _ int) (any, *refusal) {
	c, no := s.complaint(&reader{fields: f})
	if no != nil {
		return nil, no
	}
	return complaintAnswer{ErrMsg: "OK", Complaint: s.complaintBody(c)}, nil
}

// complaint finds the production complaint of the body, after every other field was read.
func (s *Sim) complaint(r *reader) (*complaint, *refusal) {
	id := r.filled("complaint_id", textCharsMax)
	if r.no != nil {
		return nil, r.no
	}
	c := s.complaints.get(id)
	if c == nil || c.order.Env != 0 {
		return nil, errNoData()
	}
	return c, nil
}

func (s *Sim) complaintBody(c *complaint) complaintBody {
	s.settle(c.order)
	p := c.order.Payments[c.Payment]
	return complaintBody{
		ID: c.ID, Time: inChina(c.At.time()).Format(time.RFC3339), Detail: c.Detail, State: c.State,
		PayerPhone: "138****0000", PayerOpenID: c.order.OpenID,
		Orders: []complaintOrderBody{{
			TransactionID: p.Txn, ChannelNo: p.MchNo, Amount: p.Fee, OutTradeNo: c.order.No, WxOrderID: p.WxID,
		}},
		FullRefunded: p.Left == 0 && !c.order.running(c.Payment), UserAnswered: c.Answered, Times: c.Times,
		Media: media("USER_COMPLAINT_IMAGE", c.Images), Problem: c.ProblemDescription, ProblemType: c.ProblemType,
		ApplyRefund: c.ApplyRefundAmount, UserTags: []string{}, ServiceOrders: []struct{}{},
	}
}

func media(kind string, urls []string) []mediaBody {
	if len(urls) == 0 {
		return []mediaBody{}
	}
	return []mediaBody{{Type: kind, URLs: urls}}
}

// getNegotiationHistory answers POST /xpay/get_negotiation_history, oldest entry first.
func (s *Sim) getNegotiationHistory(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	offset, limit := r.number("offset", 0, countMax), r.number("limit", 1, countMax)
	c, no := s.complaint(r)
	if no != nil {
		return nil, no
	}
	all := s.history(c)
	answer := historyAnswer{ErrMsg: "OK", Total: len(all), History: []historyBody{}}
	for _, e := range slice(all, offset, limit) {
		kind := "USER_COMPLAINT_IMAGE"
		if e.Who == "商户" {
			kind = "OPERATION_IMAGE"
		}
		answer.History = append(answer.History, historyBody{
			ID: e.ID, Who: e.Who, Time: inChina(e.At.time()).Format(time.RFC3339), Type: e.Type, Details: e.Text,
			Media: media(kind, e.Images),
		})
	}
	return answer, nil
}

// history adds the system's words about refunds that arrived since the complaint.
func (s *Sim) history(c *complaint) []opEntry {
	s.settle(c.order)
	all := slices.Clone(c.History)
	left := c.order.Payments[c.Payment].Fee
	for _, r := range c.order.Refunds {
		if r.Payment != c.Payment || r.Status != statusRefundArrived {
			continue
		}
		e := opEntry{ID: "LOG" + r.WxID, Who: "系统", Type: opPartialRefunded, Text: "部分退款成功", At: r.Done}
		if left -= r.Fee; left == 0 {
			e.Type, e.Text = opFullRefunded, "全额退款成功"
		}
		if r.Done >= c.At {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b opEntry) int { return cmp.Compare(a.At, b.At) })
	return all
}

// responseComplaint answers POST /xpay/response_complaint: PENDING becomes PROCESSING. Every call adds an entry, a
// repeated one too.
func (s *Sim) responseComplaint(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	text := r.filled("response_content", responseCharsMax)
	images := r.texts("response_images")
	r.need("response_images", len(images) <= responseImagesMax && s.uploaded(images))
	c, no := s.complaint(r)
	if no != nil {
		return nil, no
	}
	switch {
	case c.State == complaintProcessed:
		return nil, refuse(268490002, "投诉单状态错误")
	case s.sensitive(text):
		return nil, refuse(268490007, "存在敏感内容")
	}
	c.State, c.Answered = complaintProcessing, false
	for i, id := range images {
		images[i] = wxpayImages + id
	}
	s.note(c, "商户", opResponse, text, images)
	s.record(kindComplaint, c)
	return okAnswer{ErrMsg: "OK"}, nil
}

func (s *Sim) sensitive(text string) bool {
	return slices.ContainsFunc(s.cfg.SensitiveWords, func(word string) bool { return strings.Contains(text, word) })
}

func (s *Sim) uploaded(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return s.uploads.get(id) == nil })
}

// completeComplaint answers POST /xpay/complete_complaint: PROCESSING becomes PROCESSED.
func (s *Sim) completeComplaint(f fields, _ int) (any, *refusal) {
	c, no := s.complaint(&reader{fields: f})
	switch {
	case no != nil:
		return nil, no
	case c.State == complaintPending:
		return nil, refuse(268490002, "投诉单状态错误,请先回复用户")
	case c.State == complaintProcessed:
		return okAnswer{ErrMsg: "OK"}, nil
	}
	c.State = complaintProcessed
	s.note(c, "商户", opComplete, "", nil)
	s.record(kindComplaint, c)
	return okAnswer{ErrMsg: "OK"}, nil
}

// uploadPath takes pictures in base64, so its bodies may be longer than others.
const uploadPath = "/xpay/upload_vp_file"

// upload is an uploaded picture; its bytes are not kept.
type upload struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// uploadVpFile answers POST /xpay/upload_vp_file. img_url wins over base64_img; it is not fetched.
func (s *Sim) uploadVpFile(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	name := r.filled("file_name", textCharsMax)
	link, picture := r.perhaps("img_url"), r.perhaps("base64_img")
	if link != "" {
		u, err := url.Parse(link)
		r.need("img_url", err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"))
	} else {
		r.need("base64_img", isPicture(picture))
	}
	if r.no != nil {
		return nil, r.no
	}
	v := &upload{ID: "vpf_" + s.chance.hex(32), Name: name}
	s.uploads.put(v.ID, v)
	s.record(kindUpload, v)
	return fileAnswer{ErrMsg: "OK", FileID: v.ID}, nil
}

// isPicture reports whether text is base64 of a picture of at most 1 MB.
func isPicture(text string) bool {
	raw, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(raw) <= pictureBytesMax && strings.HasPrefix(http.DetectContentType(raw), "image/")
}

// getUploadFileSign answers POST /xpay/get_upload_file_sign: the Authorization header for a picture of a complaint,
// made up, since no WeChat Pay stands behind it.
func (s *Sim) getUploadFileSign(f fields, _ int) (any, *refusal) {
	r := &reader{fields: f}
	link := r.filled("wxpay_url", textCharsMax)
	id, ours := strings.CutPrefix(link, wxpayImages)
	r.need("wxpay_url", ours && id != "")
	convert := r.flag("convert_cos")
	c, no := s.complaint(r)
	if no != nil {
		return nil, no
	}
	now, i := s.clock()
	a := fileSignAnswer{ErrMsg: "OK"}
	a.Sign = fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%d",serial_no="%s",signature="%s"`,
		merchantCode, s.chance.hex(32), i.unix(), strings.ToUpper(s.chance.hex(40)), s.chance.hex(64))
	if convert {
		expires := now.Add(cosLife).Unix()
		a.CosURL = fmt.Sprintf("https://cos.wechatsim.invalid/%s/%s?expires=%d", c.ID, url.PathEscape(id), expires)
	}
	return a, nil
}

// date is a required yyyy-mm-dd.
func (r *reader) date(name string) string {
	v, ok := r.text(name)
	_, err := time.Parse(time.DateOnly, v)
	r.need(name, ok && err == nil && utf8.RuneCountInString(v) == len(time.DateOnly))
	return v
}
