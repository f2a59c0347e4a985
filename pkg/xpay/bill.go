package xpay

import (
	"context"
	"encoding/json"
)

// BillFile is where a file lies. What columns it has is not published (spec 5.4).
type BillFile struct {
	URL string // lives 30 minutes for DownloadBill; keep the file, not the address
	Raw json.RawMessage
}

// DownloadBill gives the daily bills of some days of the merchant's environment: there is no env in the request, the
// AppKey decides. The first call starts making the file; until it is there the error is ErrNotReady. No longest span
// is published. Spec 4.9, vector C5d.
func (c *Client) DownloadBill(ctx context.Context, days Days) (BillFile, error) {
	return ask(ctx, c, downloadBill, request{wrong: days.validate("begin_ds", "end_ds"), body: struct {
		BeginDS int `json:"begin_ds"`
		EndDS   int `json:"end_ds"`
	}{days.Begin.number(), days.End.number()}}, readBillFile)
}

func readBillFile(f *fields, a answer) BillFile {
	f.present("url", ErrNotReady)
	return BillFile{URL: f.text("url"), Raw: a.raw}
}

// IOSBills are Apple's settlement bills, one per month that has one.
type IOSBills struct {
	Bills []IOSBill
	Raw   json.RawMessage
}

// IOSBill is the settlement bill of one month.
type IOSBill struct {
	Month string // as WeChat writes it, YYYYMM
	URL   string // expires, when is not published; "" while there is none
}

// DownloadIOSSettlementBill gives Apple's settlement bills of some months, an empty list when there are none. There is
// no env in the request: the AppKey decides. Spec 4.15.
func (c *Client) DownloadIOSSettlementBill(ctx context.Context, months Months) (IOSBills, error) {
	return ask(ctx, c, downloadIOSSettlementBill, request{wrong: months.validate(), body: struct {
		StartMonth string `json:"start_month"`
		EndMonth   string `json:"end_month"`
	}{months.Begin.String(), months.End.String()}}, func(f *fields, a answer) IOSBills {
		return IOSBills{Raw: a.raw, Bills: list(f, "bill_list", func(f *fields) IOSBill {
			return IOSBill{Month: f.text("month"), URL: f.text("bill_url")}
		})}
	})
}
