package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

// ordersCmd is what an operator does with orders.
type ordersCmd struct {
	Show    ordersShowCmd    `cmd:"" help:"Show one order with its payments, refunds and history. 查看订单。"`
	List    ordersListCmd    `cmd:"" help:"List a user's orders, or those paid in a window. 列出订单。"`
	Held    ordersHeldCmd    `cmd:"" help:"List what waits for a person. 列出待人工处理的事项。"`
	Accept  ordersAcceptCmd  `cmd:"" help:"Let held money go, or mark an order's questions as seen. 放行款项，或标记问题已看过。"`
	Dismiss ordersDismissCmd `cmd:"" help:"Take evidence that was looked at off the list of what waits. 将看过的证据移出待处理列表。"`
	Advance ordersAdvanceCmd `cmd:"" help:"Do now what is due for an order. 立即推进订单。"`
	Recheck ordersRecheckCmd `cmd:"" help:"Ask WeChat about an order, or about all that were paid in a window. 重新核对。"`
	Adopt   ordersAdoptCmd   `cmd:"" help:"Rebuild a lost order from the kept push about its payment. 由保留的推送重建订单。"`
	Deliver ordersDeliverCmd `cmd:"" help:"Confirm that an order's events reached the merchant's backend. 确认发货。"`
	Refund  ordersRefundCmd  `cmd:"" help:"Give money back. 退款。"`
}

// Help is printed by --help.
func (ordersCmd) Help() string {
	return strings.TrimSpace(exitsLater("as asked. 按要求完成。", "it was refused. 被拒绝。"))
}

// oneOrder is a command about one order.
type oneOrder struct {
	backendFlags
	ID string `arg:"" help:"Number of the order. 订单号。"`
}

// do does something to the order that needs no further words, and prints it.
func (c oneOrder) do(ctx context.Context, o output, verb string) error {
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	got, err := client.Do(ctx, c.ID, verb)
	if err != nil {
		return outcome(err)
	}
	return o.printOrder(got)
}

type (
	ordersShowCmd    struct{ oneOrder }
	ordersAcceptCmd  struct{ oneOrder }
	ordersAdvanceCmd struct{ oneOrder }
	ordersDeliverCmd struct{ oneOrder }
)

// Help is printed by --help.
func (ordersShowCmd) Help() string {
	return `Prints what the backend knows of an order; WeChat is not asked (orders recheck asks it). QUESTION marks what waits for a person.

  xpay orders show o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod
  xpay orders show o4ddktbswr7gdpiaohrdjhvlqe --local --json      # as the API gives it

查看后端记录的订单、付款、退款和历史，不询问微信；QUESTION 表示有问题等待人工处理。` + orderExits
}

// Help is printed by --help.
func (ordersAcceptCmd) Help() string {
	return `An order is held when its money needs a person: accept delivers what was paid for. Of an order that is not held it marks the questions
as seen. To give the money back instead: orders refund. Repeating it is harmless.

  xpay orders held --stack xpay-prod
  xpay orders accept o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod

放行待人工处理的款项并继续发货；对其他订单则标记问题已看过。要退款请用 orders refund。可重复执行。` + orderExits
}

// Help is printed by --help.
func (ordersAdvanceCmd) Help() string {
	return `Takes the next step of an order now instead of when it is due: asks WeChat, delivers, or goes on with a refund. An order for which nothing is
due stays as it is. Repeating it is harmless.

  xpay orders advance o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod
  xpay orders advance o4ddktbswr7gdpiaohrdjhvlqe --local

立即执行订单到期的下一步（查询、发货或退款），不等定时任务；没有到期的事则不变。可重复执行。` + orderExits
}

var orderExits = exitsLater("the order is printed. 已输出订单。", "there is no such order, or it was refused. 没有这个订单，或被拒绝。")

type ordersAdoptCmd struct {
	oneOrder
	Product  string `placeholder:"ID" help:"What was bought, where only pushes in plain mode say so. 仅有明文推送时，说明所购道具。"`
	Quantity int    `placeholder:"N" help:"How many of --product. 购买数量。"`
}

// Help is printed by --help.
func (ordersAdoptCmd) Help() string {
	return `After a restore from a point in time an order may be missing whose payment WeChat goes on to push: orders held shows the push. Adopt
makes the order again from that push; WeChat is asked, and only money that it shows makes the order paid. Repeating it is harmless.

  xpay orders held --stack xpay-prod
  xpay orders adopt o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod

按保留的推送重建丢失的订单；以微信查询结果为准，可重复执行。` + orderExits
}

// Help is printed by --help.
func (ordersDeliverCmd) Help() string {
	return `For a backend that got an event although its answer was lost, or that was given the goods by hand: the order becomes delivered, and
WeChat is told.

  xpay orders deliver o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod

商户后台确已发货但应答丢失时使用：订单记为已发货，并通知微信。` + orderExits
}

// Run shows the order. WeChat is not asked.
func (c ordersShowCmd) Run(ctx context.Context, o output) error {
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	got, err := client.Order(ctx, c.ID)
	if err != nil {
		return outcome(err)
	}
	return o.printOrder(got)
}

// Run accepts.
func (c ordersAcceptCmd) Run(ctx context.Context, o output) error { return c.do(ctx, o, "accept") }

// Run advances.
func (c ordersAdvanceCmd) Run(ctx context.Context, o output) error { return c.do(ctx, o, "advance") }

// Run adopts.
func (c ordersAdoptCmd) Run(ctx context.Context, o output) error {
	if (c.Product == "") != (c.Quantity == 0) || c.Quantity < 0 {
		return usageError{errors.New("--product and --quantity go together: what was bought, and how many. 请同时给出道具与数量")}
	}
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	got, left, err := client.Adopt(ctx, c.ID, c.Product, c.Quantity)
	if err != nil {
		return outcome(err)
	}
	for _, name := range left {
		fmt.Fprintf(o.err, "xpay: WeChat does not bear out the push %s: it stays on the list of orders held. 该推送未获微信证实，仍在待处理列表中。\n", name)
	}
	return o.printOrder(got)
}

// Run confirms the delivery.
func (c ordersDeliverCmd) Run(ctx context.Context, o output) error { return c.do(ctx, o, "delivery") }

// listFlags ask for a part of a list.
type listFlags struct {
	Limit  int    `placeholder:"N" help:"At most so many, 1 to 100. 最多几条，1 到 100。"`
	Cursor string `placeholder:"C" help:"Go on where the list before ended. 从上次列表结束处继续。"`
}

const limitMax = 100

// page refuses a limit that the API does not know. 0 is one that was not given.
func (f listFlags) page() (operator.Page, error) {
	if f.Limit < 0 || f.Limit > limitMax {
		return operator.Page{}, usageError{fmt.Errorf("--limit is %d: give 1 to %d. --limit 应为 1 到 %[2]d", f.Limit, limitMax)}
	}
	return operator.Page{Limit: f.Limit, Cursor: f.Cursor}, nil
}

// window is a span of time on the command line.
type window struct {
	From moment `placeholder:"TIME" help:"Paid at this time or later: 2026-11-21, 2026-11-21T08:00 (local time) or RFC 3339. 支付时间不早于此，默认本地时区。"`
	To   moment `placeholder:"TIME" help:"Paid before this time; default: now. At most 31 days after --from. 支付时间早于此，默认现在，跨度最多 31 天。"`
}

// span ends now unless --to says otherwise.
func (w window) span() (from, to time.Time, err error) {
	from, to = time.Time(w.From), time.Time(w.To)
	if to.IsZero() {
		to = time.Now().Truncate(time.Second)
	}
	if !from.Before(to) {
		return from, to, usageError{errors.New("--from is not before --to, which is now by default. --from 必须早于 --to（默认为现在）")}
	}
	return from, to, nil
}

type ordersListCmd struct {
	backendFlags
	listFlags
	window
	User  string `placeholder:"OPENID" help:"The orders of this user, newest first. 该用户的订单，从新到旧。"`
	State string `enum:",created,paid,delivering,delivered,closed,held" default:"" placeholder:"S" help:"With --user: only orders that are created, paid, delivering, delivered, closed or held. 与 --user 合用，只列该状态的订单。"`
}

// Help is printed by --help.
func (ordersListCmd) Help() string {
	return `Prints a part of the list; a cursor on stderr says that there may be more. A user's orders come newest first with amount and goods, those
paid in a window come in the order of payment with number and time alone.

  xpay orders list --user oABC --state delivered --stack xpay-prod
  xpay orders list --from 2026-11-21 --to 2026-11-22 --local

列出某用户的订单（--user），或某时间段内支付的订单（--from）；标准错误给出 --cursor 时可能还有更多。` + listExits
}

var listExits = exitsLater("the list is printed, empty or not. 已输出列表（可能为空）。", "it was refused. 被拒绝。")

// Run lists.
func (c ordersListCmd) Run(ctx context.Context, o output) error {
	from, to, user := time.Time(c.From), time.Time(c.To), c.User != ""
	switch {
	case user != from.IsZero():
		return usageError{errors.New("which orders? Either --user OPENID or --from TIME. 请给出 --user 或 --from 之一")}
	case user && !to.IsZero():
		return usageError{errors.New("--to goes with --from, not with --user. --to 只能与 --from 合用")}
	case !user && c.State != "":
		return usageError{errors.New("--state goes with --user, not with --from. --state 只能与 --user 合用")}
	}
	page, err := c.page()
	if err != nil {
		return err
	}
	if user {
		return c.ofUser(ctx, o, page)
	}
	return c.paid(ctx, o, page)
}

func (c ordersListCmd) ofUser(ctx context.Context, o output, page operator.Page) error {
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	orders, next, err := client.OfUser(ctx, c.User, c.State, page)
	if err != nil {
		return outcome(err)
	}
	return o.printOrders(orders, next)
}

func (c ordersListCmd) paid(ctx context.Context, o output, page operator.Page) error {
	from, to, err := c.span()
	if err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	orders, next, err := client.PaidBetween(ctx, from, to, page)
	if err != nil {
		return outcome(err)
	}
	return o.printPaid(orders, next)
}

type ordersHeldCmd struct {
	backendFlags
	listFlags
}

// Help is printed by --help.
func (ordersHeldCmd) Help() string {
	return `Prints each question with the command that answers it: orders whose money is held, and pushes that fit no order of this backend.

  xpay orders held --stack xpay-prod
  xpay orders held --local --json

列出等待人工处理的订单和推送，并给出相应的处理命令。` + listExits
}

// Run lists what waits.
func (c ordersHeldCmd) Run(ctx context.Context, o output) error {
	page, err := c.page()
	if err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	raw, questions, next, err := client.Held(ctx, page)
	if err != nil {
		return outcome(err)
	}
	return o.printHeld(raw, questions, next)
}

type ordersDismissCmd struct {
	backendFlags
	Name string `arg:"" help:"Business number, for all evidence about it, or the name of one piece of evidence, as orders held shows them. 业务单号，或 orders held 列出的证据名。"`
}

// Help is printed by --help.
func (ordersDismissCmd) Help() string {
	return `For what orders held lists without an order: look at it first, in WeChat's console if need be. The evidence is kept, it only waits no longer.
Repeating it is harmless.

  xpay orders held --stack xpay-prod
  xpay orders dismiss o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod

将看过的证据移出待处理列表；证据保留，可重复执行。` +
		exitsLater("it waits no longer. 已移出列表。", "no evidence about it waits, or it was refused. 没有这样的证据，或被拒绝。")
}

// Run dismisses.
func (c ordersDismissCmd) Run(ctx context.Context, o output) error {
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	n, err := client.Dismiss(ctx, c.Name)
	if err != nil {
		return outcome(err)
	}
	if o.json {
		return o.printJSON(map[string]int{"dismissed": n})
	}
	_, err = fmt.Fprintf(o.out, "%d off the list, kept as evidence. 已移出列表，证据保留。\n", n)
	return err
}

type ordersRefundCmd struct {
	oneOrder
	Fen     int64  `xor:"amount" placeholder:"N" help:"Amount in fen. 金额（分）。"`
	Yuan    string `xor:"amount" placeholder:"Y.YY" help:"Amount in yuan. 金额（元）。"`
	Reason  string `placeholder:"TEXT" help:"For the books; WeChat gets it, too. 退款原因，也会告知微信。"`
	Attempt int    `placeholder:"N" help:"The attempt whose payment goes back; default: the one that pays for the order. 退哪一次付款，默认为订单的付款。"`
	Key     string `placeholder:"K" help:"Idempotency-Key: the same key always means the same refund. Default: made of order, attempt, amount and reason. 幂等键，相同的键总是同一笔退款；默认由订单、付款序号、金额和原因生成。"`
	Yes     bool   `help:"Do not ask for confirmation. 不再询问确认。"`
}

// Help is printed by --help.
func (ordersRefundCmd) Help() string {
	return `Asks for confirmation on a terminal; elsewhere --yes must be given. Repeated, today or later, it means the same refund, so that no slip
refunds twice. Another refund of the same order, attempt, amount and reason needs a --key of its own, and so does another try of one that
failed. Prints the refund and how far it is; orders show tells later.

  xpay orders refund o4ddktbswr7gdpiaohrdjhvlqe --yuan 6.00 --reason 重复购买 --stack xpay-prod
  xpay orders refund o4ddktbswr7gdpiaohrdjhvlqe --fen 600 --yes --local --json
  xpay orders refund o4ddktbswr7gdpiaohrdjhvlqe --fen 600 --key second-refund --stack xpay-prod

在终端会要求确认，否则须给出 --yes；重复执行（无论何时）视为同一笔退款；要再退一笔相同的款，或重试失败的退款，须给出新的 --key。` +
		exitsLater("the refund was taken in. 退款已受理。", "it was refused, or failed at WeChat. 被拒绝，或微信退款失败。")
}

// Run refunds.
func (c ordersRefundCmd) Run(ctx context.Context, o output) error {
	fen, err := c.amount()
	if err != nil {
		return usageError{err}
	}
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	if err := c.confirm(ctx, o, fen); err != nil {
		return err
	}
	key := c.Key
	if key == "" {
		key = refundKey(c.ID, c.Attempt, fen, c.Reason)
	}
	o.progress("Idempotency-Key %s", key)
	refund, got, err := client.Refund(ctx, c.ID, key, fen, c.Reason, c.Attempt)
	if operator.Later(err) {
		fmt.Fprintf(o.err, "xpay: the same command, or --key %s, means the same refund. 原样重试或给出此 --key，即为同一笔退款。\n", key)
	}
	if err != nil {
		return outcome(err)
	}
	if err := o.printRefund(refund, got); err != nil {
		return err
	}
	if refund.State == "done" || refund.State == "failed" {
		fmt.Fprintf(o.err, "xpay: this refund was asked for at %s and has ended; another one needs another --key. 该退款已结束，再次退款须给出新的 --key。\n", local(&refund.AskedAt))
	}
	if refund.State == "failed" {
		return errTold
	}
	return nil
}

func (c ordersRefundCmd) amount() (int64, error) {
	if c.Yuan == "" {
		if c.Fen <= 0 {
			return 0, errors.New("how much? --fen N or --yuan Y.YY, above 0. 请用 --fen 或 --yuan 给出大于 0 的金额")
		}
		return c.Fen, nil
	}
	return fenOf(c.Yuan)
}

var yuanText = regexp.MustCompile(`^([0-9]{1,9})(?:\.([0-9]{1,2}))?$`)

// fenOf reads yuan without rounding: more than two decimals are refused.
func fenOf(text string) (int64, error) {
	m := yuanText.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("--yuan is %s, which is no amount in yuan, as 6 or 6.00. --yuan 应为金额，如 6 或 6.00", hidden(text))
	}
	fen, err := strconv.ParseInt(m[1]+(m[2] + "00")[:2], 10, 64)
	if err == nil && fen == 0 {
		err = errors.New("the amount must be above 0. 金额必须大于 0")
	}
	return fen, err
}

// confirm asks a person.
func (c ordersRefundCmd) confirm(ctx context.Context, o output, fen int64) error {
	if c.Yes {
		return nil
	}
	if !isTerminal(o.in) || !isTerminal(o.err) {
		return usageError{errors.New("nobody is there to confirm the refund: give --yes. 无人确认退款，请给出 --yes")}
	}
	yes, err := o.confirms(ctx, fmt.Sprintf("Refund %s of order %s? 确认退款？", money(fen), c.ID))
	if err == nil && !yes {
		err = errors.New("nothing was refunded. 未退款")
	}
	return err
}

// refundKey is the same for the same refund, whenever it is asked for: repeating a command cannot refund twice.
func refundKey(id string, attempt int, fen int64, reason string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%s", id, attempt, fen, reason))
	return "xpay-cli-" + hex.EncodeToString(sum[:16])
}

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
Interrupted, it prints the cursor to go on with. With --json it prints a line for each order, and one with the sums at the end.

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
	return c.report(o, walk, walk.Run(ctx), to)
}

// walked is what --json prints at the end of a walk.
type walked struct {
	Checked int    `json:"checked"`
	Changed int    `json:"changed"`
	Failed  int    `json:"failed"`
	Done    bool   `json:"done"`
	Cursor  string `json:"cursor,omitempty"` // where to go on
}

// report says how a walk ended, and where to go on.
func (c ordersRecheckCmd) report(o output, w *operator.Walk, err error, to time.Time) error {
	o.endProgress()
	end := walked{Checked: w.Checked, Changed: w.Changed, Failed: w.Failed, Done: err == nil, Cursor: w.Cursor}
	if o.json {
		if e := o.printJSON(end); e != nil {
			return e
		}
	} else {
		fmt.Fprintf(o.out, "%d checked, %d changed, %d failed. 已核对 %d，有变化 %d，失败 %d。\n", w.Checked, w.Changed, w.Failed, w.Checked, w.Changed, w.Failed)
	}
	if err != nil {
		rest := "--from " + time.Time(c.From).Format(time.RFC3339) + " --to " + to.Format(time.RFC3339)
		if w.Cursor != "" {
			rest += " --cursor " + w.Cursor
		}
		fmt.Fprintf(o.err, "xpay: it stopped before the end; go on with %s 未完成，请继续。\n", rest)
		if errors.Is(err, context.Canceled) {
			return laterError{errors.New("interrupted. 已中断")}
		}
		return outcome(err)
	}
	if w.Failed > 0 {
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

// moment is a time on the command line.
type moment time.Time

// UnmarshalText is kong's.
func (m *moment) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, string(text), time.Local); err == nil {
			*m = moment(t)
			return nil
		}
	}
	return fmt.Errorf("%s is no time, as 2026-11-21, 2026-11-21T08:00 or 2026-11-21T08:00:00+08:00. 时间格式有误", hidden(string(text)))
}
