package xpay

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Complaints (投诉) always live in production: env selects the AppKey alone. Spec 4.14.

// Window is a part of a list: Limit elements from Offset on, which counts from 0. No largest Limit is published.
type Window struct{ Offset, Limit int }

func (w Window) validate() error {
	if w.Offset < 0 || w.Limit < 1 {
		return errors.New("offset must not be negative and limit must be above 0")
	}
	return nil
}

// ComplaintState is how far a complaint is.
type ComplaintState string

const (
	ComplaintPending    ComplaintState = "PENDING"
	ComplaintProcessing ComplaintState = "PROCESSING"
	ComplaintProcessed  ComplaintState = "PROCESSED"
)

// ProblemType is what a complaint is about.
type ProblemType string

const (
	ProblemRefund         ProblemType = "REFUND"
	ProblemServiceNotWork ProblemType = "SERVICE_NOT_WORK"
	ProblemOthers         ProblemType = "OTHERS"
)

// UserTag is what WeChat says about the one who complains.
type UserTag string

const (
	UserTrusted  UserTag = "TRUSTED"
	UserHighRisk UserTag = "HIGH_RISK"
)

// ComplaintInfo is a complaint as the server APIs give it (spec 4.14); Complaint is the push about one. It holds
// personal data: do not log it.
type ComplaintInfo struct {
	ComplaintID          string
	ComplaintTime        string // RFC 3339 with offset
	ComplaintDetail      string
	State                ComplaintState
	PayerPhone           string
	PayerOpenID          string
	Orders               []ComplaintOrder
	FullRefunded         bool
	IncomingUserResponse bool // the user waits for an answer
	UserComplaintTimes   int
	Media                []ComplaintMedia
	ProblemDescription   string
	ProblemType          ProblemType
	ApplyRefundAmount    *Fen // nil when not sent
	UserTags             []UserTag
	ServiceOrders        []ServiceOrder
}

// ComplaintOrder is an order that a complaint is about. WeChat's out_trade_no is not your number here (trap 27): it is
// ChannelOrderID, and yours is OrderID. CONFLICT in spec 4.14: one library reads transaction_id, mch_order_no and refund_id
// instead; the official fields are read, and Raw keeps the others.
type ComplaintOrder struct {
	OrderID        string // wxa_out_trade_no: yours
	ChannelOrderID string // out_trade_no: 商户单号, as in Order.ChannelOrderID
	WxOrderID      string
	TransactionID  string // 交易单号
	Amount         *Fen   // nil when not sent
}

// ComplaintMedia are pictures of one kind. GetUploadFileSign helps to download them.
type ComplaintMedia struct {
	Type MediaType
	URLs []string
}

// MediaType is whose pictures they are.
type MediaType string

const (
	MediaUser      MediaType = "USER_COMPLAINT_IMAGE"
	MediaOperation MediaType = "OPERATION_IMAGE"
)

// ServiceOrder is a service order of a complaint.
type ServiceOrder struct {
	OrderID, OutOrderNo string
	State               ServiceOrderState
}

// ServiceOrderState is how far a service order is.
type ServiceOrderState string

const (
	ServiceDoing   ServiceOrderState = "DOING"
	ServiceRevoked ServiceOrderState = "REVOKED"
	ServiceWaitPay ServiceOrderState = "WAITPAY"
	ServiceDone    ServiceOrderState = "DONE"
)

// ComplaintList is a part of the complaints of some days.
type ComplaintList struct {
	Total      int // of all days asked for
	Complaints []ComplaintInfo
	Raw        json.RawMessage
}

// GetComplaintList lists the complaints of some days. CONFLICT in spec 4.1: a note on WeChat's page asks for both signatures,
// its table for pay_sig alone, which is sent: no user is there who could sign. Spec 4.14.
func (c *Client) GetComplaintList(ctx context.Context, days Days, w Window) (ComplaintList, error) {
	return ask(ctx, c, getComplaintList, request{
		wrong: cmp.Or(days.validate("begin_date", "end_date"), w.validate()),
		body: struct {
			Env       Env    `json:"env"`
			BeginDate string `json:"begin_date"`
			EndDate   string `json:"end_date"`
			Offset    int    `json:"offset"`
			Limit     int    `json:"limit"`
		}{c.Merchant.env, days.Begin.String(), days.End.String(), w.Offset, w.Limit},
	}, func(f *fields, a answer) ComplaintList {
		return ComplaintList{Total: int(f.whole("total")), Complaints: list(f, "complaints", readComplaint), Raw: a.raw}
	})
}

func readComplaint(f *fields) ComplaintInfo {
	info := ComplaintInfo{
		ComplaintID: f.text("complaint_id"), ComplaintTime: f.text("complaint_time"),
		ComplaintDetail: f.text("complaint_detail"), State: ComplaintState(f.text("complaint_state")),
		PayerPhone: f.text("payer_phone"), PayerOpenID: f.text("payer_openid"),
		Orders: list(f, "complaint_order_info", readComplaintOrder), FullRefunded: f.flag("complaint_full_refunded"),
		IncomingUserResponse: f.flag("incoming_user_response"), UserComplaintTimes: int(f.loose("user_complaint_times")),
		Media: list(f, "complaint_media_list", readMedia), ProblemDescription: f.text("problem_description"),
		ProblemType: ProblemType(f.text("problem_type")), ApplyRefundAmount: f.fen("apply_refund_amount"),
		ServiceOrders: list(f, "service_order_info", readServiceOrder),
	}
	for _, tag := range f.texts("user_tag_list") {
		info.UserTags = append(info.UserTags, UserTag(tag))
	}
	return info
}

func readComplaintOrder(f *fields) ComplaintOrder {
	return ComplaintOrder{
		OrderID: f.text("wxa_out_trade_no"), ChannelOrderID: f.text("out_trade_no"), WxOrderID: f.text("wx_order_id"),
		TransactionID: f.text("transaction_id"), Amount: f.fen("amount"),
	}
}

func readMedia(f *fields) ComplaintMedia {
	return ComplaintMedia{Type: MediaType(f.text("media_type")), URLs: f.texts("media_url")}
}

func readServiceOrder(f *fields) ServiceOrder {
	return ServiceOrder{
		OrderID: f.text("order_id"), OutOrderNo: f.text("out_order_no"), State: ServiceOrderState(f.text("state")),
	}
}

// ComplaintReply is one complaint.
type ComplaintReply struct {
	Complaint ComplaintInfo
	Raw       json.RawMessage
}

// GetComplaintDetail asks for one complaint. ErrAbsent: WeChat knows none. Spec 4.14.
func (c *Client) GetComplaintDetail(ctx context.Context, complaintID string) (ComplaintReply, error) {
	return ask(ctx, c, getComplaintDetail, request{
		wrong: checkComplaintID(complaintID), body: complaintBody{c.Merchant.env, complaintID},
	}, func(f *fields, a answer) ComplaintReply {
		sub := fields{node: f.find("complaint"), err: f.err}
		sub.present("complaint_id", ErrAbsent)
		reply := ComplaintReply{Complaint: readComplaint(&sub), Raw: a.raw}
		f.err = sub.err
		return reply
	})
}

type complaintBody struct {
	Env         Env    `json:"env"`
	ComplaintID string `json:"complaint_id"`
}

func checkComplaintID(id string) error {
	return checkText("complaint_id", id, "use the one of GetComplaintList or of the push")
}

// Negotiation is a part of the history of a complaint.
type Negotiation struct {
	Total   int
	History []NegotiationEntry
	Raw     json.RawMessage
}

// NegotiationEntry is something that happened to a complaint.
type NegotiationEntry struct {
	LogID          string
	Operator       string
	OperateTime    string // as WeChat writes it
	OperateType    OperateType
	OperateDetails string
	Media          []ComplaintMedia
}

// OperateType is what happened. New ones may come.
type OperateType string

const (
	OperateUserCreate            OperateType = "USER_CREATE_COMPLAINT"
	OperateUserContinue          OperateType = "USER_CONTINUE_COMPLAINT"
	OperateUserResponse          OperateType = "USER_RESPONSE"
	OperatePlatformResponse      OperateType = "PLATFORM_RESPONSE"
	OperateMerchantResponse      OperateType = "MERCHANT_RESPONSE"
	OperateMerchantComplete      OperateType = "MERCHANT_CONFIRM_COMPLETE"
	OperateSystemCreated         OperateType = "USER_CREATE_COMPLAINT_SYSTEM_MESSAGE"
	OperateSystemFullRefunded    OperateType = "COMPLAINT_FULL_REFUNDED_SYSTEM_MESSAGE"
	OperateSystemContinued       OperateType = "USER_CONTINUE_COMPLAINT_SYSTEM_MESSAGE"
	OperateUserRevoke            OperateType = "USER_REVOKE_COMPLAINT"
	OperateUserConfirm           OperateType = "USER_COMFIRM_COMPLAINT" // WeChat spells it so
	OperatePlatformHelp          OperateType = "PLATFORM_HELP_APPLICATION"
	OperateUserApplyHelp         OperateType = "USER_APPLY_PLATFORM_HELP"
	OperateMerchantApprove       OperateType = "MERCHANT_APPROVE_REFUND"
	OperateMerchantRefuse        OperateType = "MERCHANT_REFUSE_RERUND" // WeChat spells it so
	OperateUserSatisfaction      OperateType = "USER_SUBMIT_SATISFACTION"
	OperateServiceCancel         OperateType = "SERVICE_ORDER_CANCEL"
	OperateServiceComplete       OperateType = "SERVICE_ORDER_COMPLETE"
	OperateSystemPartialRefunded OperateType = "COMPLAINT_PARTIAL_REFUNDED_SYSTEM_MESSAGE"
	OperateSystemRefundReceived  OperateType = "COMPLAINT_REFUND_RECEIVED_SYSTEM_MESSAGE"
	OperateSystemEntrusted       OperateType = "COMPLAINT_ENTRUSTED_REFUND_SYSTEM_MESSAGE"
)

// GetNegotiationHistory lists what happened to a complaint. Spec 4.14.
func (c *Client) GetNegotiationHistory(ctx context.Context, complaintID string, w Window) (Negotiation, error) {
	return ask(ctx, c, getNegotiationHistory, request{
		wrong: cmp.Or(checkComplaintID(complaintID), w.validate()),
		body: struct {
			complaintBody
			Offset int `json:"offset"`
			Limit  int `json:"limit"`
		}{complaintBody{c.Merchant.env, complaintID}, w.Offset, w.Limit},
	}, func(f *fields, a answer) Negotiation {
		return Negotiation{Total: int(f.whole("total")), History: list(f, "history", readNegotiationEntry), Raw: a.raw}
	})
}

func readNegotiationEntry(f *fields) NegotiationEntry {
	return NegotiationEntry{
		LogID: f.text("log_id"), Operator: f.text("operator"), OperateTime: f.text("operate_time"),
		OperateType: OperateType(f.text("operate_type")), OperateDetails: f.text("operate_details"),
		Media: list(f, "complaint_media_list", readMedia),
	}
}

// ResponseComplaint answers the user. fileIDs are pictures that UploadVPFile took. A repetition says it twice, so the
// client never repeats it. Spec 4.14.
func (c *Client) ResponseComplaint(ctx context.Context, complaintID, content string, fileIDs ...string) error {
	for _, id := range fileIDs {
		if id == "" {
			return errors.New("xpay response_complaint: response_images has an empty file_id: use those UploadVPFile gave")
		}
	}
	_, err := c.call(ctx, responseComplaint, request{
		wrong: cmp.Or(checkComplaintID(complaintID), checkText("response_content", content, "say something to the user")),
		body: struct {
			complaintBody
			Content string   `json:"response_content"`
			Images  []string `json:"response_images,omitempty"`
		}{complaintBody{c.Merchant.env, complaintID}, content, fileIDs},
	})
	return err
}

// CompleteComplaint says that a complaint is settled. Spec 4.14.
func (c *Client) CompleteComplaint(ctx context.Context, complaintID string) error {
	_, err := c.call(ctx, completeComplaint, request{
		wrong: checkComplaintID(complaintID), body: complaintBody{c.Merchant.env, complaintID},
	})
	return err
}

const base64Max = 1 << 20 // bytes of base64_img; "1 MB", taken as the size of the text that is sent

// Image is a picture to upload. Make it with ImageBytes or ImageURL: if both were sent WeChat would take the address.
type Image struct{ base64, url string }

// ImageBytes is a picture at hand, of at most 768 KiB, which is 1 MB in base64.
func ImageBytes(picture []byte) Image {
	return Image{base64: base64.StdEncoding.EncodeToString(picture)}
}

// ImageURL is a picture of at most 2 MB that WeChat can download without a redirect. WeChat prefers this way.
func ImageURL(address string) Image { return Image{url: address} }

func (i Image) validate() error {
	if i == (Image{}) {
		return errors.New("picture is empty: use ImageBytes or ImageURL")
	}
	if i.url != "" {
		return checkWebAddress("img_url", i.url)
	}
	if len(i.base64) > base64Max {
		return fmt.Errorf("base64_img has %d bytes: use ImageURL above %d", len(i.base64), base64Max)
	}
	return nil
}

// UploadedFile names a picture for ResponseComplaint.
type UploadedFile struct {
	FileID string
	Raw    json.RawMessage
}

// UploadVPFile uploads a picture. Spec 4.14.
func (c *Client) UploadVPFile(ctx context.Context, fileName string, i Image) (UploadedFile, error) {
	return ask(ctx, c, uploadVPFile, request{
		wrong: cmp.Or(i.validate(), checkText("file_name", fileName, "name the file")),
		body: struct {
			Env       Env    `json:"env"`
			Base64Img string `json:"base64_img,omitempty"`
			ImgURL    string `json:"img_url,omitempty"`
			FileName  string `json:"file_name"`
		}{c.Merchant.env, i.base64, i.url, fileName},
	}, func(f *fields, a answer) UploadedFile {
		return UploadedFile{FileID: f.promised("file_id"), Raw: a.raw}
	})
}

const wxpayImages = "https://api.mch.weixin.qq.com/v3/merchant-service/images/"

// FileSign opens one picture of a complaint. Sign is the value of the Authorization header: do not log it. The download
// also needs the headers "Accept: application/json" and a User-Agent that is not empty.
type FileSign struct {
	Sign   string
	CosURL string // only when asked for; lives 30 minutes and needs no header
	Raw    json.RawMessage
}

// GetUploadFileSign signs the download of a picture of a complaint. wxpayURL is one of ComplaintMedia. convertCOS also
// asks for an address that opens without a header. Spec 4.14.
func (c *Client) GetUploadFileSign(ctx context.Context, complaintID, wxpayURL string, convertCOS bool) (FileSign, error) {
	return ask(ctx, c, getUploadFileSign, request{
		wrong: cmp.Or(checkComplaintID(complaintID), checkWxpayURL(wxpayURL)),
		body: struct {
			Env         Env    `json:"env"`
			WxpayURL    string `json:"wxpay_url"`
			ConvertCOS  bool   `json:"convert_cos"`
			ComplaintID string `json:"complaint_id"`
		}{c.Merchant.env, wxpayURL, convertCOS, complaintID},
	}, func(f *fields, a answer) FileSign {
		return FileSign{Sign: f.promised("sign"), CosURL: f.text("cos_url"), Raw: a.raw}
	})
}

func checkWxpayURL(address string) error {
	if name, ok := strings.CutPrefix(address, wxpayImages); !ok || name == "" {
		return errors.New("wxpay_url is no picture of a complaint: use a media_url that starts with " + wxpayImages)
	}
	return nil
}
