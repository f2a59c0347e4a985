package main

import (
	"context"
	"errors"
	"fmt"
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
	Settle  ordersSettleCmd  `cmd:"" help:"End a refund of which WeChat cannot tell. 了结微信无法答复的退款。"`
}

// Help is printed by --help.
func (ordersCmd) Help() string {
	return strings.TrimSpace(exitsLater("as asked. 按要求完成。", "it was refused. 被拒绝。"))
}

// oneOrder is a command about one order.
type oneOrder struct {
	backendFlags
	ID string `arg:"" type:"filled" help:"Number of the order. 订单号。"`
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

type ordersAcceptCmd struct {
	oneOrder
	Yes bool `help:"Do not ask for confirmation. 不再询问确认。"`
}

type (
	ordersShowCmd    struct{ oneOrder }
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
as seen; a payment beyond the price is then kept. To give money back instead: orders refund. Where money is in question it asks for confirmation
on a terminal; elsewhere --yes must be given. Repeating it is harmless.

  xpay orders held --stack xpay-prod
  xpay orders accept o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod

放行待人工处理的款项并继续发货；对其他订单则标记问题已看过（重复付款将不再退还）。要退款请用 orders refund。涉及款项时须确认，可重复执行。` + orderExits
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
func (c ordersAcceptCmd) Run(ctx context.Context, o output) error {
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	before, err := client.Order(ctx, c.ID)
	if err != nil {
		return outcome(err)
	}
	if question := acceptQuestion(before); question != "" {
		if err := o.agreed(ctx, c.Yes, question, "nothing was accepted. 未放行"); err != nil {
			return err
		}
	}
	got, err := client.Do(ctx, c.ID, "accept")
	if err != nil {
		return outcome(err)
	}
	return o.printOrder(got)
}

// acceptQuestion says what a yes does to money and goods; "" when it touches neither.
func acceptQuestion(got operator.Order) string {
	var why []string
	for _, a := range got.Attempts {
		for _, p := range a.Payments {
			if !p.Pays() {
				why = append(why, fmt.Sprintf("%s of attempt %d%s; at WeChat: %s", money(p.Fee), a.Attempt, doubt(p), seenAt(a)))
			}
		}
	}
	facts := strings.Join(why, "\n")
	switch {
	case got.State == "held":
		return fmt.Sprintf("%s\nBelieve this money, and deliver %s x %d? 确认放行并发货？", facts, got.ProductID, got.Quantity)
	case got.Asks("surplus") || got.Asks("mismatch"):
		return facts + "\nKeep this money, and refund nothing? 确认不退还重复的付款？"
	}
	return ""
}

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
	Limit  *int   `placeholder:"N" help:"At most so many, 1 to 100. 最多几条，1 到 100。"`
	Cursor string `placeholder:"C" help:"Go on where the list before ended. 从上次列表结束处继续。"`
}

const limitMax = 100

// page refuses a limit that the API does not know.
func (f listFlags) page() (operator.Page, error) {
	page := operator.Page{Cursor: f.Cursor}
	if f.Limit == nil {
		return page, nil
	}
	if page.Limit = *f.Limit; page.Limit < 1 || page.Limit > limitMax {
		return page, usageError{fmt.Errorf("--limit is %d: give 1 to %d. --limit 应为 1 到 %[2]d", page.Limit, limitMax)}
	}
	return page, nil
}

// window is a span of time on the command line.
type window struct {
	From moment `placeholder:"TIME" help:"Paid at this time or later: 2026-11-21, 2026-11-21T08:00 (local time) or RFC 3339. 支付时间不早于此，默认本地时区。"`
	To   moment `placeholder:"TIME" help:"Paid before this time; default: now, by the clock of the backend. 支付时间早于此，默认现在（以后端时钟为准）。"`
}

// span ends at a zero time unless --to says otherwise: that is the backend's now, which this machine's clock does not know.
func (w window) span() (from, to time.Time, err error) {
	from, to = time.Time(w.From), time.Time(w.To)
	if !to.IsZero() && !from.Before(to) {
		return from, to, usageError{errors.New("--from is not before --to. --from 必须早于 --to")}
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
paid in a window, of at most 31 days, come hour by hour with number and time alone.

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
	got, err := client.PaidBetween(ctx, from, to, page)
	if err != nil {
		return outcome(err)
	}
	if to.IsZero() && got.To.Before(got.Now) {
		return fmt.Errorf("--from lies more than 31 days before now, which one list cannot span: give --to, at most %s. --from 距今超过 31 天，请给出 --to", got.To.In(from.Location()).Format(time.RFC3339))
	}
	return o.printPaid(got.Orders, got.Cursor)
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
	Name string `arg:"" type:"filled" help:"Business number, for all evidence about it, or the name of one piece of evidence, as orders held shows them. 业务单号，或 orders held 列出的证据名。"`
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
