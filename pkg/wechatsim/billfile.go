package wechatsim

import (
	"bytes"
	"encoding/csv"
	"maps"
	"net/http"
	"strconv"
)

// downloadPath is where the simulator serves the files whose URLs it gives out.
const downloadPath = "/download/"

// Kinds of files; that of an export is its task_id.
const (
	fileDaily = "daily"
	fileApple = "apple"
)

// billFile is one URL that was given out. Its rows are made when it is fetched, from what the orders are then.
type billFile struct {
	Key     string  `json:"key"`
	Kind    string  `json:"kind"` // see fileDaily
	Env     int     `json:"env,omitempty"`
	From    instant `json:"from"`
	To      instant `json:"to"` // exclusive
	Expires instant `json:"exp"`
}

// link makes a URL under which f can be fetched for the next half hour.
func (s *Sim) link(in request, f billFile) string {
	_, now := s.clock()
	maps.DeleteFunc(s.files.links, func(_ string, old *billFile) bool { return now > old.Expires.add(fileMemory) })
	f.Key, f.Expires = s.chance.hex(32), now.add(fileLife)
	s.files.links[f.Key] = &f
	s.record(kindFile, &f)
	return in.origin + downloadPath + f.Key
}

// xpayLinks is xpay for an API that gives out URLs of the simulator itself.
func (s *Sim) xpayLinks(sigRequired bool, play func(request, fields, int) (any, *refusal)) player {
	return func(in request) (any, *refusal) {
		return s.xpay(sigRequired, func(f fields, env int) (any, *refusal) { return play(in, f, env) })(in)
	}
}

// download serves a bill or an export: CSV in UTF-8 with a header row, 403 after half an hour, 404 for what was never
// given out.
func (s *Sim) download(w http.ResponseWriter, r *http.Request) {
	body, status := s.fileBody(r.PathValue("key"))
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	_, _ = w.Write(body) // the caller may be gone; nothing to do about it
}

func (s *Sim) fileBody(key string) ([]byte, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files.links[key]
	_, now := s.clock()
	switch {
	case f == nil || now > f.Expires.add(fileMemory):
		return nil, http.StatusNotFound
	case now >= f.Expires:
		return nil, http.StatusForbidden
	}
	rows := append([][]string{fileColumns()}, s.rows(f)...)
	if s.journalErr != nil {
		return nil, http.StatusInternalServerError
	}
	return csvBytes(rows), http.StatusOK
}

func csvBytes(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		panic("wechatsim: a file cannot be written to memory: " + err.Error())
	}
	return b.Bytes()
}

// fileColumns is the header of every file. The names are those of query_order, since the real ones are published
// nowhere (spec 5.4). Amounts are fen, times seconds.
func fileColumns() []string {
	return []string{
		"order_type", "order_id", "wx_order_id", "channel_order_id", "wxpay_order_id", "openid", "product_id", "quantity",
		"status", "order_fee", "paid_fee", "refund_fee", "left_fee", "platform_fee_fen", "cps_fee_fen", "sett_state",
		"create_time", "paid_time", "provide_time",
	}
}

// rows makes the rows of f in order of creation, payments of an order before its refunds.
func (s *Sim) rows(f *billFile) (rows [][]string) {
	for _, o := range s.created {
		if o.Env != f.Env {
			continue
		}
		s.settle(o)
		for i := range o.Payments {
			if s.holdsPayment(f, o, i) {
				rows = append(rows, s.paymentBody(o, i).row(o))
			}
		}
		for i := range o.Refunds {
			if s.holdsRefund(f, o, &o.Refunds[i]) {
				rows = append(rows, s.refundBody(o, &o.Refunds[i]).row(o))
			}
		}
	}
	return rows
}

func (f *billFile) covers(i instant) bool { return f.From <= i && i < f.To }

func (s *Sim) holdsPayment(f *billFile, o *order, i int) bool {
	p := o.Payments[i]
	t := s.files.exports.get(f.Kind)
	switch {
	case !f.covers(p.At):
		return false
	case f.Kind == fileDaily, f.Kind == fileAdvert:
		return true
	case f.Kind == fileApple:
		return o.Channel == channelApple
	}
	return t != nil && t.Channel == o.Channel && t.Type == o.exportType() && t.finds(o, p.Txn, p.MchNo) &&
		(t.Type == exportCoins || t.Unprovided == (p.Provided == 0))
}

func (s *Sim) holdsRefund(f *billFile, o *order, r *refund) bool {
	arrived := r.Status == statusRefundArrived && f.covers(r.Done)
	t := s.files.exports.get(f.Kind)
	switch {
	case f.Kind == fileDaily:
		return arrived
	case f.Kind == fileApple:
		return arrived && o.Channel == channelApple
	}
	return t != nil && t.Type == exportRefunds && t.Channel == o.Channel && f.covers(r.Start) &&
		t.wantsRefund(r.Status) && t.finds(o, r.Txn, r.ID)
}

func (b orderBody) row(o *order) []string {
	fen := func(v *int64) string {
		if v == nil {
			return ""
		}
		return strconv.FormatInt(*v, 10)
	}
	whole := func(v int64) string { return strconv.FormatInt(v, 10) }
	return []string{
		strconv.Itoa(b.OrderType), b.OrderID, b.WxOrderID, b.ChannelOrderID, b.WxpayOrderID, o.OpenID, o.Product, whole(o.Quantity),
		strconv.Itoa(b.Status), whole(b.OrderFee), whole(b.PaidFee), fen(b.RefundFee), fen(b.LeftFee), fen(b.PlatformFeeFen),
		fen(b.CpsFeeFen), strconv.Itoa(b.SettState), whole(b.CreateTime), whole(b.PaidTime), whole(b.ProvideTime),
	}
}
