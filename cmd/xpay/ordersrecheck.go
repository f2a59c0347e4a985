package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

type ordersRecheckCmd struct {
	backendFlags
	window
	ID     string  `arg:"" optional:"" help:"Number of the order; without it, all orders that were paid in the window. 订单号；不给则核对该时间段内支付的全部订单。"`
	Cursor string  `placeholder:"C" help:"Go on where an interrupted walk ended. 从中断处继续。"`
	Rate   float64 `default:"5" placeholder:"N" help:"Orders a second, at most 50: each asks WeChat at least once, and WeChat limits calls. 每秒核对几单，最多 50。"`
}

// Help is printed by --help.
func (ordersRecheckCmd) Help() string {
	return `Asks WeChat about every number of an order, whether it is due or not, delivered ones too: it finds refunds that others made, and further
payments, whose pushes came to nobody. For use after a long outage or a restore. Nothing is paid or refunded by it, and repeating it is harmless.
A window holds the orders that are known to be paid, by the time of payment: a refund is found in the window in which its order was paid. Orders not
known to be paid are in none; they are looked at by themselves, up to seven days after they were signed, or here by their number.
Interrupted, it prints how to go on. With --json it prints a line for each order, and one with the sums at the end.

  xpay orders recheck o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod
  xpay orders recheck --from 2026-11-20 --to 2026-11-21T18:00 --stack xpay-prod

逐笔向微信核对（含已发货订单），找回未收到推送的后台退款与重复付款；时间段按支付时间计，只含已知支付的订单，其余订单由定时任务自动查询；中断后可用 --cursor 继续。` +
		exitsLater("every order was checked. 已全部核对。", "it was refused. 被拒绝。") + " Or some orders could not be checked. 或有订单未能核对。"
}

// rateMax is how many orders a second a walk may recheck.
const rateMax = 50

// Run rechecks one order, or walks.
func (c ordersRecheckCmd) Run(ctx context.Context, o output) error {
	switch {
	case (c.ID == "") == time.Time(c.From).IsZero():
		return usageError{errors.New("which orders? Either a number or --from TIME. 请给出订单号或 --from 之一")}
	case c.ID != "" && (!time.Time(c.To).IsZero() || c.Cursor != ""):
		return usageError{errors.New("--to and --cursor go with --from, not with a number. --to 和 --cursor 只能与 --from 合用")}
	case !(c.Rate > 0 && c.Rate <= rateMax): // NaN neither
		return usageError{fmt.Errorf("--rate is %v: give a number above 0 and at most %d. --rate 应大于 0 且不超过 %[2]d", c.Rate, rateMax)}
	case c.ID != "":
		return oneOrder{c.backendFlags, c.ID}.do(ctx, o, "recheck")
	}
	from, to, err := c.span()
	if err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	walk := &operator.Walk{
		Client: client, From: from, To: to, Cursor: c.Cursor, Every: time.Duration(float64(time.Second) / c.Rate),
	}
	walk.Tell = func(s operator.Step) { o.step(walk, s) }
	return o.report(walk, walk.Run(ctx), from.Location())
}

// walked is what --json prints at the end of a walk.
type walked struct {
	Checked int        `json:"checked"`
	Changed int        `json:"changed"`
	Failed  int        `json:"failed"`
	Done    bool       `json:"done"`
	From    *time.Time `json:"from,omitempty"` // where to go on, and up to where, if it is not done
	To      *time.Time `json:"to,omitempty"`
	Cursor  string     `json:"cursor,omitempty"`
	Error   string     `json:"error,omitempty"`
	Code    string     `json:"code,omitempty"`
}

// report says how a walk ended, and where to go on.
func (o output) report(w *operator.Walk, err error, zone *time.Location) error {
	o.endProgress()
	end := walked{Checked: w.Checked, Changed: w.Changed, Failed: w.Failed, Done: err == nil}
	why := walkError(w, err)
	if err != nil {
		from := w.From.In(zone)
		end.From, end.Cursor = &from, w.Cursor
		if to := w.To.In(zone); !w.To.IsZero() {
			end.To = &to
		}
	}
	if o.json {
		if why != nil {
			short := shortOf(why)
			end.Error, end.Code, why = short.Error, short.Code, inJSON{why}
		}
		if e := o.printJSON(end); e != nil {
			return e
		}
	} else if _, e := fmt.Fprintf(o.out, "%d checked, %d changed, %d failed. 已核对 %[1]d，有变化 %[2]d，失败 %[3]d。\n", w.Checked, w.Changed, w.Failed); e != nil {
		return e
	}
	if errors.As(why, new(laterError)) && err != nil { // what was refused is refused again
		rest := "--from " + end.From.Format(time.RFC3339Nano)
		if !w.To.IsZero() {
			rest += " --to " + w.To.In(zone).Format(time.RFC3339Nano)
		}
		if w.Cursor != "" {
			rest += " --cursor " + w.Cursor
		}
		fmt.Fprintf(o.err, "xpay: it stopped before the end; go on with %s 未完成，请继续。\n", rest)
	}
	return why
}

// walkError is why a walk was not all that was asked for.
func walkError(w *operator.Walk, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return laterError{errors.New("interrupted. 已中断")}
	case err != nil:
		return outcome(err)
	case w.Failed > 0:
		return laterError{fmt.Errorf("%d orders could not be checked, they are named above: recheck them later. 有订单未能核对，请稍后重试", w.Failed)}
	}
	return nil
}

// step tells of one order of a walk: what failed or changed always, the count on a terminal only.
func (o output) step(w *operator.Walk, s operator.Step) {
	switch {
	case o.json:
		line := map[string]any{"id": s.ID, "changed": s.Changed()}
		if s.Err != nil {
			line["error"] = s.Err.Error()
		} else {
			line["state"], line["refunded"] = s.After.State, s.After.Ledger.Refunded
		}
		_ = o.printJSON(line) // a reader that has gone shows at the end
	case s.Err != nil:
		o.endProgress()
		fmt.Fprintf(o.err, "xpay: %s: %v\n", s.ID, s.Err)
	case s.Changed():
		o.endProgress()
		fmt.Fprintf(o.out, "%s  %s -> %s, refunded %s -> %s\n", s.ID, s.Before.State, s.After.State, money(s.Before.Ledger.Refunded), money(s.After.Ledger.Refunded))
	}
	if isTerminal(o.err) {
		fmt.Fprintf(o.err, "\r%d checked, %d changed, %d failed ", w.Checked, w.Changed, w.Failed)
	}
}

// endProgress clears the line of progress on a terminal.
func (o output) endProgress() {
	if isTerminal(o.err) {
		fmt.Fprint(o.err, "\r\x1b[K")
	}
}
