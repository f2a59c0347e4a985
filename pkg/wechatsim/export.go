package wechatsim

import (
	"slices"
	"strings"
)

// What an export lists: order_type of spec 4.15, which is another one than query_order's.
const (
	exportCoins         = 1
	exportGoods         = 2
	exportSubscriptions = 3
	exportRefunds       = 4
)

// States of an export task, spec 4.15.
const (
	exportNone    = 0
	exportRunning = 1
	exportDone    = 2
	exportFailed  = 3
)

// exportTask is one start_download_order.
type exportTask struct {
	ID         string  `json:"id"`
	Env        int     `json:"env,omitempty"`
	From       instant `json:"from"`
	To         instant `json:"to"` // exclusive
	Type       int64   `json:"type"`
	Info       string  `json:"info,omitempty"`
	Unprovided bool    `json:"unprovided,omitempty"`
	Refunds    int64   `json:"refunds,omitempty"` // refund_status
	Channel    string  `json:"channel"`
	Ready      instant `json:"ready"`
	Fails      bool    `json:"fails,omitempty"`
}

type startExportAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	TaskID  string `json:"task_id"`
}

// startDownloadOrder answers POST /xpay/start_download_order, spec 4.15.
func (s *Sim) startDownloadOrder(f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	t := r.exportTask(env)
	if r.no != nil {
		return nil, r.no
	}
	_, now := s.clock()
	t.ID, t.Ready, t.Fails = s.chance.digits(18), now.add(s.cfg.BillDelay), s.takeFault(&s.faults.Bills.ExportFails)
	s.files.exports.put(t.ID, &t)
	s.record(kindExport, &t)
	return startExportAnswer{ErrMsg: "OK", TaskID: t.ID}, nil
}

// exportTask reads a task. What is_provided, refund_status and pay_channel say when absent is true, 0 and 1.
func (r *reader) exportTask(env int) exportTask {
	days := r.days(env)
	t := exportTask{Env: env, Type: r.number("order_type", exportCoins, exportRefunds), Info: r.perhaps("order_info")}
	t.From, t.To = days.span()
	r.need("end_ds", day(days.End).Sub(day(days.Begin)) <= exportSpanMax)
	t.Unprovided = r.has("is_provided") && !r.flag("is_provided")
	t.Refunds = r.oneOf("refund_status", 0, 2, 4, 5)
	t.Channel = channelWeChat
	if r.oneOf("pay_channel", 1, 2) == 2 {
		t.Channel = channelApple
	}
	return t
}

// oneOf is an optional number among choices; the first stands for an absent one.
func (r *reader) oneOf(name string, choices ...int64) int64 {
	if !r.has(name) {
		return choices[0]
	}
	v, ok := r.whole(name)
	r.need(name, ok && slices.Contains(choices, v))
	return v
}

type exportAnswer struct {
	ErrCode     int    `json:"errcode"`
	ErrMsg      string `json:"errmsg"`
	Status      int    `json:"status"`
	DownloadURL string `json:"download_url,omitempty"`
	ExpireAt    int64  `json:"expire_at,omitempty"` // seconds since 1970
}

// queryDownloadOrder answers POST /xpay/query_download_order. Each answer about a finished task has a URL of its own.
func (s *Sim) queryDownloadOrder(in request, f fields, env int) (any, *refusal) {
	r := &reader{fields: f}
	id := r.filled("task_id", bodyBytesMax)
	if r.no != nil {
		return nil, r.no
	}
	t := s.files.exports.get(id)
	_, now := s.clock()
	switch {
	case t == nil || t.Env != env:
		return exportAnswer{ErrMsg: "OK", Status: exportNone}, nil
	case now < t.Ready || s.faults.Bills.NeverReady:
		return exportAnswer{ErrMsg: "OK", Status: exportRunning}, nil
	case t.Fails:
		return exportAnswer{ErrMsg: "OK", Status: exportFailed}, nil
	}
	where := s.link(in, billFile{Kind: t.ID, Env: env, From: t.From, To: t.To})
	return exportAnswer{ErrMsg: "OK", Status: exportDone, DownloadURL: where, ExpireAt: now.add(fileLife).unix()}, nil
}

func (o *order) exportType() int64 {
	switch {
	case o.Mode == modeCoin:
		return exportCoins
	case o.Contract != "":
		return exportSubscriptions
	}
	return exportGoods
}

// wantsRefund compares with refund_status: 0 all, 2 refunded, 4 refunding, 5 failed.
func (t *exportTask) wantsRefund(status int) bool {
	want := map[int64]int{2: statusRefundArrived, 4: statusRefunded, 5: statusRefundFailed}
	return t.Refunds == 0 || want[t.Refunds] == status
}

// finds is the fuzzy search of order_info.
func (t *exportTask) finds(o *order, numbers ...string) bool {
	return strings.Contains(strings.Join(append(numbers, o.OpenID, o.No), "\n"), t.Info)
}
