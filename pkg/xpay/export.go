package xpay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

const exportDaysMax = 31 // begin_ds and end_ds may be so many days apart, spec 4.15

// ExportOf selects what an export holds. Make it with ExportCoins, ExportGoods, ExportSubscriptions or ExportRefunds;
// the zero value is refused. The numbers behind it are a filter, not the OrderType of Order.
type ExportOf struct {
	orderType int
	provided  *bool
	refunds   *RefundFilter
}

// RefundFilter selects refunds by how far they are.
type RefundFilter int

const (
	RefundsAll     RefundFilter = 0
	RefundsDone    RefundFilter = 2
	RefundsRunning RefundFilter = 4
	RefundsFailed  RefundFilter = 5
)

// ExportCoins selects coin recharges.
func ExportCoins() ExportOf { return ExportOf{orderType: 1} }

// ExportGoods selects goods orders that were delivered, or those that were not.
func ExportGoods(provided bool) ExportOf { return ExportOf{orderType: 2, provided: &provided} }

// ExportSubscriptions selects subscription orders that were delivered, or those that were not.
func ExportSubscriptions(provided bool) ExportOf { return ExportOf{orderType: 3, provided: &provided} }

// ExportRefunds selects refunds.
func ExportRefunds(f RefundFilter) ExportOf { return ExportOf{orderType: 4, refunds: &f} }

func (e ExportOf) validate() error {
	if e.orderType == 0 {
		return errors.New("order_type is missing: use ExportCoins, ExportGoods, ExportSubscriptions or ExportRefunds")
	}
	if e.refunds != nil {
		switch *e.refunds {
		case RefundsAll, RefundsDone, RefundsRunning, RefundsFailed:
		default:
			return fmt.Errorf("refund_status is %d: use RefundsAll, RefundsDone, RefundsRunning or RefundsFailed", *e.refunds)
		}
	}
	return nil
}

// PayChannel is how users paid.
type PayChannel int

const (
	ChannelWeChat PayChannel = 1 // ordinary
	ChannelApple  PayChannel = 2 // Apple IAP
)

func (c PayChannel) validate() error {
	if c != ChannelWeChat && c != ChannelApple {
		return fmt.Errorf("pay_channel is %d: use ChannelWeChat or ChannelApple", c)
	}
	return nil
}

// ExportRequest asks for a file of orders.
type ExportRequest struct {
	Days      Days // at most 31 days apart
	Of        ExportOf
	OrderInfo string // optional: 交易单号, 商户单号 or a user, matched loosely
	Channel   PayChannel
}

// ExportTask names an export that was started.
type ExportTask struct {
	TaskID string
	Raw    json.RawMessage
}

// StartDownloadOrder starts an export; QueryDownloadOrder tells when its file is there. A repetition starts another
// one. Spec 4.15.
func (c *Client) StartDownloadOrder(ctx context.Context, r ExportRequest) (ExportTask, error) {
	return ask(ctx, c, startDownloadOrder, request{wrong: r.validate(), body: struct {
		BeginDS      int           `json:"begin_ds"`
		EndDS        int           `json:"end_ds"`
		OrderType    int           `json:"order_type"`
		OrderInfo    string        `json:"order_info,omitempty"`
		IsProvided   *bool         `json:"is_provided,omitempty"`
		RefundStatus *RefundFilter `json:"refund_status,omitempty"`
		Env          Env           `json:"env"`
		PayChannel   PayChannel    `json:"pay_channel"`
	}{r.Days.Begin.number(), r.Days.End.number(), r.Of.orderType, r.OrderInfo, r.Of.provided, r.Of.refunds,
		c.Merchant.env, r.Channel}}, func(f *fields, a answer) ExportTask {
		return ExportTask{TaskID: f.promised("task_id"), Raw: a.raw}
	})
}

func (r ExportRequest) validate() error {
	if err := r.Days.validate("begin_ds", "end_ds"); err != nil {
		return err
	}
	if n := r.Days.apart(); n > exportDaysMax {
		return fmt.Errorf("begin_ds and end_ds are %d days apart: ask for at most %d at a time", n, exportDaysMax)
	}
	return cmp.Or(r.Of.validate(), r.Channel.validate())
}

// ExportStatus is how far an export is.
type ExportStatus int

const (
	ExportNone    ExportStatus = 0 // no such task
	ExportRunning ExportStatus = 1
	ExportDone    ExportStatus = 2
	ExportFailed  ExportStatus = 3
)

// Export is an export and, once ExportDone, its file.
type Export struct {
	Status      ExportStatus
	DownloadURL string
	ExpireAt    string // as WeChat writes it; its form is not published
	Raw         json.RawMessage
}

// QueryDownloadOrder tells how far an export is. An unknown task has ExportNone. ExportDone always comes with its file:
// errcode 0 and status 2 without a download_url is ErrNotReady. Spec 4.15.
func (c *Client) QueryDownloadOrder(ctx context.Context, taskID string) (Export, error) {
	return ask(ctx, c, queryDownloadOrder, request{
		wrong: checkText("task_id", taskID, "use the one StartDownloadOrder gave"),
		body: struct {
			TaskID string `json:"task_id"`
			Env    Env    `json:"env"`
		}{taskID, c.Merchant.env},
	}, func(f *fields, a answer) Export {
		status := ExportStatus(f.needed("status"))
		if status == ExportDone {
			f.present("download_url", ErrNotReady)
		}
		return Export{
			Status: status, DownloadURL: f.text("download_url"), ExpireAt: f.text("expire_at"), Raw: a.raw,
		}
	})
}
