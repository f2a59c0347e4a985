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

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

type ordersRefundCmd struct {
	oneOrder
	Fen     int64  `xor:"amount" placeholder:"N" help:"Amount in fen. 金额（分）。"`
	Yuan    string `xor:"amount" placeholder:"Y.YY" help:"Amount in yuan. 金额（元）。"`
	Reason  string `placeholder:"TEXT" help:"For the books; WeChat gets it, too. 退款原因，也会告知微信。"`
	Attempt int    `placeholder:"N" help:"The attempt whose payment goes back; default: the one that pays for the order. 退哪一次付款，默认为订单的付款。"`
	Key     string `placeholder:"K" help:"Idempotency-Key: the same key always means the same refund. Default: made of order, attempt, amount and reason, however they are written. 幂等键，相同的键总是同一笔退款；默认由订单、付款序号、金额和原因生成。"`
	Yes     bool   `help:"Do not ask for confirmation. 不再询问确认。"`
}

// Help is printed by --help.
func (ordersRefundCmd) Help() string {
	return `Asks for confirmation on a terminal; elsewhere --yes must be given. Repeated, today or later, it means the same refund, so that no slip
refunds twice. Of an order that was paid twice it must be told which payment goes back: orders show marks the one that is SURPLUS. Another refund of the same order, attempt, amount and reason needs a --key of its own, and so does another try of one that
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
	before, attempt, err := c.which(ctx, client)
	if err != nil {
		return err
	}
	if err := o.agreed(ctx, c.Yes, refundQuestion(before, attempt, fen), "nothing was refunded. 未退款"); err != nil {
		return err
	}
	key, reason := c.Key, strings.TrimSpace(c.Reason)
	if key == "" {
		key = refundKey(before.ID, attempt, fen, reason)
	}
	o.progress("Idempotency-Key %s", key)
	refund, got, err := client.Refund(ctx, before.ID, key, fen, reason, attempt)
	if operator.Later(err) {
		fmt.Fprintf(o.err, "xpay: the same command, or --key %s, means the same refund. 原样重试或给出此 --key，即为同一笔退款。\n", key)
	}
	if err != nil {
		return outcome(err)
	}
	if err := o.printRefund(refund, got); err != nil {
		return laterError{fmt.Errorf("the refund was taken in, and cannot be printed: %w. 退款已受理，但无法输出", err)}
	}
	if refund.State == "done" || refund.State == "failed" {
		fmt.Fprintf(o.err, "xpay: this refund was asked for at %s and has ended; another one needs another --key. 该退款已结束，再次退款须给出新的 --key。\n", local(&refund.AskedAt))
	}
	if refund.State == "failed" {
		return errTold
	}
	return nil
}

// which reads the order, and says which attempt's money goes back: the same refund has the same key however it is written.
// An order of which no payment is known is rechecked, as the refund itself would.
func (c ordersRefundCmd) which(ctx context.Context, client *operator.Client) (operator.Order, int, error) {
	got, err := client.Order(ctx, c.ID)
	if err == nil && got.RefundAttempt == 0 {
		got, err = client.Do(ctx, c.ID, "recheck")
	}
	if err != nil {
		return got, 0, outcome(err)
	}
	switch named := got.AttemptOf(c.ID); {
	case c.Attempt < 0:
		return got, 0, usageError{errors.New("--attempt counts from 1. --attempt 从 1 开始")}
	case c.Attempt > 0:
		return got, c.Attempt, nil
	case named > 1: // its money, as the API reads such a number
		return got, named, nil
	case got.State != "held" && (got.Asks("surplus") || got.Asks("mismatch")):
		return got, 0, usageError{errors.New("the order was paid more than once: say which payment goes back with --attempt; orders show marks the one that is SURPLUS or NOT BELIEVED. 订单有多笔付款，请用 --attempt 指明退哪一次")}
	case got.RefundAttempt == 0:
		return got, 0, errors.New("WeChat shows no payment of this order: there is nothing to refund. 微信查询无付款，无款可退")
	}
	return got, got.RefundAttempt, nil
}

// refundQuestion shows a person what is about to go back.
func refundQuestion(got operator.Order, attempt int, fen int64) string {
	gone := got.Ledger.Refunded + got.Ledger.Reserved
	return fmt.Sprintf("Order %s, %s x %d, paid %s, refunded or being refunded %s.\nRefund %s of attempt %d? 确认退款？",
		got.ID, got.ProductID, got.Quantity, money(got.Ledger.Paid+got.Ledger.Surplus), money(gone), money(fen), attempt)
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

// agreed asks a person before money moves, unless --yes was given. denied is the error after a no.
func (o output) agreed(ctx context.Context, yes bool, question, denied string) error {
	if yes {
		return nil
	}
	if !isTerminal(o.in) || !isTerminal(o.err) {
		return usageError{errors.New("nobody is there to confirm it: give --yes. 无人确认，请给出 --yes")}
	}
	yes, err := o.confirms(ctx, question)
	if err == nil && !yes {
		err = errors.New(denied)
	}
	return err
}

type ordersSettleCmd struct {
	oneOrder
	Refund   string `arg:"" type:"filled" help:"Number of the refund, as orders show prints it. 退款单号，见 orders show。"`
	Happened string `enum:"yes,no" required:"" placeholder:"yes|no" help:"Whether the money went back, as WeChat's console shows it. 微信后台是否显示已退款。"`
	Yes      bool   `help:"Do not ask for confirmation. 不再询问确认。"`
}

// Help is printed by --help.
func (ordersSettleCmd) Help() string {
	return `For the question refund: "it cannot be told whether the refund happened". Look at the order in WeChat's console first: after no, the money can be
refunded once more; after yes it is booked as gone. WeChat is asked once more: an answer is refused that what it shows as left of the payment
contradicts, and none is taken while it does not answer. A refund about which nobody was asked is refused, one that has ended stays as it is. Asks for
confirmation on a terminal; elsewhere --yes must be given. Repeating it is harmless.

  xpay orders show o4ddktbswr7gdpiaohrdjhvlqe --stack xpay-prod
  xpay orders settle o4ddktbswr7gdpiaohrdjhvlqe rd7hagtn3ovcyoalvp5yqbk3eu --happened yes --stack xpay-prod

微信无法答复的退款（问题代码 refund）：先在微信后台核实，再记为已退款（yes）或未退款（no，此后可再次退款）；与微信剩余可退金额矛盾的答复会被拒绝。须确认；可重复执行。` +
		exitsLater("the refund has ended. 退款已了结。", "it was refused, or had ended the other way. 被拒绝，或此前已按另一结果了结。")
}

// Run settles.
func (c ordersSettleCmd) Run(ctx context.Context, o output) error {
	client, err := c.client(ctx)
	if err != nil {
		return outcome(err)
	}
	if err := c.confirm(ctx, o); err != nil {
		return err
	}
	refund, got, err := client.Settle(ctx, c.ID, c.Refund, c.Happened == "yes")
	if err != nil {
		return outcome(err)
	}
	if err := o.printRefund(refund, got); err != nil {
		return err
	}
	if (refund.State == "done") != (c.Happened == "yes") {
		fmt.Fprintf(o.err, "xpay: this refund had ended before, as %s; nothing was changed. 该退款此前已结束，未作改动。\n", withChinese(refund.State))
		return errTold
	}
	return nil
}

// confirm asks a person.
func (c ordersSettleCmd) confirm(ctx context.Context, o output) error {
	question := fmt.Sprintf("Book refund %s of order %s as NOT happened, so that the money can be refunded once more? 确认该退款未发生？", c.Refund, c.ID)
	if c.Happened == "yes" {
		question = fmt.Sprintf("Book refund %s of order %s as happened? 确认该退款已发生？", c.Refund, c.ID)
	}
	return o.agreed(ctx, c.Yes, question, "nothing was booked. 未作改动")
}

// refundKey is the same for the same refund, whenever it is asked for: repeating a command cannot refund twice. No reason is
// WeChat's reason 0.
func refundKey(id string, attempt int, fen int64, reason string) string {
	if reason == "" {
		reason = "0"
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%s", id, attempt, fen, reason))
	return "xpay-cli-" + hex.EncodeToString(sum[:16])
}
