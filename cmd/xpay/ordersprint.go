package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

// statesZH says the states in Chinese.
var statesZH = map[string]string{
	"created": "待支付", "paid": "已支付", "delivering": "发货中", "delivered": "已发货", "closed": "已关闭", "held": "待人工处理",
	"reserved": "待退款", "ready": "退款中", "running": "退款中", "done": "已退款", "failed": "退款失败",
}

// questionsZH says the codes of questions in Chinese.
var questionsZH = map[string]string{
	"mismatch": "付款与订单不符", "surplus": "重复付款", "impossible": "来源互相矛盾", "refund": "退款未能了结", "untold": "微信未记录发货",
	"returned": "发货前款已退回", "undelivered": "商户后台未接受事件", "unproven": "查询未能证实", "unknown": "没有对应的订单", "unreadable": "存档无法读取",
	"notice": "微信通知，需人工处理",
}

// withChinese names a state in both languages.
func withChinese(state string) string { return strings.TrimSpace(state + " " + statesZH[state]) }

// money prints fen both ways, so that a slip is seen.
func money(fen int64) string {
	sign, abs := "", fen
	if fen < 0 {
		sign, abs = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d yuan (%d fen)", sign, abs/100, abs%100, fen)
}

// local prints a time as the person's clock shows it, with its zone.
func local(at *time.Time) string {
	if at == nil || at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04:05 MST")
}

// row prints a name and what it is.
func row(w io.Writer, name, format string, args ...any) {
	fmt.Fprintf(w, "%-11s %s\n", name, fmt.Sprintf(format, args...))
}

func (o output) printOrder(got operator.Order) error {
	if o.json {
		return o.printJSON(got.Raw)
	}
	w := o.out
	row(w, "order", "%s", got.ID)
	row(w, "state", "%s", withChinese(got.State))
	row(w, "goods", "%s x %d, %s", got.ProductID, got.Quantity, money(got.Amount))
	row(w, "user", "%s, env %d", got.OpenID, got.Env)
	row(w, "created", "%s", local(&got.CreatedAt))
	row(w, "paid", "%s", local(got.PaidAt))
	row(w, "delivered", "%s", local(got.DeliveredAt))
	row(w, "due", "%s%s", local(got.DueAt), tried(got.Tries))
	l := got.Ledger
	row(w, "money", "paid %s, refunded %s", money(l.Paid), money(l.Refunded))
	if l.Surplus+l.Held+l.Reserved != 0 {
		row(w, "", "surplus %s, held %s, being refunded %s", money(l.Surplus), money(l.Held), money(l.Reserved))
	}
	printAttempts(w, got)
	for _, r := range got.Refunds {
		row(w, "refund", "%s  %s  %s, asked %s", r.ID, money(r.Amount), withChinese(r.State), local(&r.AskedAt))
	}
	for _, q := range got.Attention {
		row(w, "QUESTION", "%s: %s%s, since %s", strings.TrimSpace(q.Code+" "+questionsZH[q.Code]), q.Reason, ofAttempt(q.Attempt), local(&q.At))
	}
	_, err := fmt.Fprintln(w)
	for _, e := range got.History {
		text := e.Event
		if e.To != "" {
			text += fmt.Sprintf("  %s -> %s", e.From, e.To)
		}
		if e.Fee != 0 {
			text += "  " + money(e.Fee)
		}
		if e.Detail != "" {
			text += "  " + e.Detail
		}
		if e.Repeats > 0 {
			text += fmt.Sprintf("  (%d times more)", e.Repeats)
		}
		_, err = fmt.Fprintf(w, "%s  %-10s %s\n", local(&e.At), e.Source, text)
	}
	return err
}

// tried says why an order that is due did not get on.
func tried(tries int) string {
	if tries == 0 {
		return ""
	}
	return fmt.Sprintf(", after %d tries without an answer: orders recheck says why. 多次无应答，用 orders recheck 查原因", tries)
}

func ofAttempt(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (attempt %d)", n)
}

func printAttempts(w io.Writer, got operator.Order) {
	for _, a := range got.Attempts {
		row(w, "number", "%s  attempt %d, at WeChat: %s, refundable %s", a.OutTradeNo, a.Attempt, seenAt(a), money(a.Refundable))
		for _, p := range a.Payments {
			row(w, "  payment", "%s  %s %s, %s%s", p.TransactionID, money(p.Fee), p.Channel, local(&p.At), doubt(p))
		}
	}
}

// seenAt is what WeChat said when it was asked last. A push is no answer.
func seenAt(a operator.Attempt) string {
	switch {
	case a.LookedAt == nil:
		return "not asked yet 尚未查询"
	case a.Seen == "":
		return "NOT PAID 查询显示未支付, looked at " + local(a.LookedAt)
	}
	return a.Seen + ", looked at " + local(a.LookedAt)
}

// doubt says why a payment does not pay for the order.
func doubt(p operator.Payment) string {
	switch {
	case p.Surplus:
		return "  SURPLUS: the order was paid already 重复付款"
	case p.Mismatch != "" && p.Accepted:
		return "  accepted although " + p.Mismatch + " 已人工放行"
	case p.Mismatch != "":
		return "  NOT BELIEVED: " + p.Mismatch + " 存疑"
	}
	return ""
}

// list is what --json prints of a list.
type list struct {
	Orders any    `json:"orders"`
	Cursor string `json:"cursor"`
}

func (o output) printOrders(orders []operator.Order, next string) error {
	if o.json {
		raw := []json.RawMessage{}
		for _, each := range orders {
			raw = append(raw, each.Raw)
		}
		return o.printJSON(list{raw, next})
	}
	for _, each := range orders {
		_, err := fmt.Fprintf(o.out, "%-26s  %s %26s  %s  %s\n", each.ID, padded(withChinese(each.State), stateColumns), money(each.Amount), local(&each.CreatedAt), each.ProductID)
		if err != nil {
			return err
		}
	}
	return o.more(len(orders), next)
}

// stateColumns is what the widest state takes on a terminal: held 待人工处理.
const stateColumns = 17

// padded fills a text up with blanks. A Chinese character takes two columns.
func padded(text string, columns int) string {
	for _, r := range text {
		columns--
		if unicode.Is(unicode.Han, r) {
			columns--
		}
	}
	return text + strings.Repeat(" ", max(columns, 0))
}

func (o output) printPaid(orders []operator.Paid, next string) error {
	if o.json {
		return o.printJSON(list{orders, next})
	}
	for _, each := range orders {
		if _, err := fmt.Fprintf(o.out, "%-26s  %s\n", each.ID, local(&each.PaidAt)); err != nil {
			return err
		}
	}
	return o.more(len(orders), next)
}

func (o output) printHeld(raw []json.RawMessage, questions []operator.Question, next string) error {
	if o.json {
		return o.printJSON(struct {
			Held   []json.RawMessage `json:"held"`
			Cursor string            `json:"cursor"`
		}{append([]json.RawMessage{}, raw...), next})
	}
	for _, q := range questions {
		said := bothTexts(q.Reason, questionsZH[q.Code])
		if _, err := fmt.Fprintf(o.out, "%-28s %-10s %s  %s\n%-28s -> %s\n", q.Number, q.Code, local(&q.At), said, "", whatToDo(q)); err != nil {
			return err
		}
	}
	return o.more(len(questions), next)
}

// whatToDo names the commands that answer a question.
func whatToDo(q operator.Question) string {
	switch {
	case q.Order != nil && q.Code == "surplus":
		return fmt.Sprintf("orders refund %s --attempt N --fen N, with the attempt that orders show marks SURPLUS. 退还重复的付款，序号见 orders show", q.Order.ID)
	case q.Order != nil && q.Code == "refund":
		return fmt.Sprintf("orders show %s, then WeChat's console, then orders settle %[1]s REFUND --happened yes or no. 先在微信后台核实，再了结退款", q.Order.ID)
	case q.Order != nil:
		return fmt.Sprintf("orders show %s, then orders accept or orders refund. 先查看，再放行或退款", q.Order.ID)
	case q.Code == "unknown":
		return fmt.Sprintf("orders adopt %s, or orders dismiss %s. 重建订单，或移出列表", q.Number, q.Evidence)
	}
	return fmt.Sprintf("orders dismiss %s. 看过后移出列表", q.Evidence)
}

// more says what was printed and where the list goes on.
func (o output) more(n int, next string) error {
	if n == 0 {
		fmt.Fprintln(o.err, "xpay: nothing here. 没有记录。")
	}
	if next != "" {
		fmt.Fprintf(o.err, "xpay: there may be more: --cursor %s 可能还有更多。\n", next)
	}
	return nil
}

func (o output) printRefund(r operator.Refund, got operator.Order) error {
	if o.json {
		return o.printJSON(struct {
			Refund json.RawMessage `json:"refund"`
			Order  json.RawMessage `json:"order"`
		}{r.Raw, got.Raw})
	}
	row(o.out, "refund", "%s", r.ID)
	row(o.out, "state", "%s", withChinese(r.State))
	row(o.out, "amount", "%s", money(r.Amount))
	if r.Failure != "" {
		row(o.out, "failure", "%s", r.Failure)
	}
	_, err := fmt.Fprintf(o.out, "%-11s paid %s, refunded %s, being refunded %s\n", "order", money(got.Ledger.Paid), money(got.Ledger.Refunded), money(got.Ledger.Reserved))
	return err
}
