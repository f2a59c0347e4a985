package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/xpay-serverless/xpay-serverless/internal/operator"
)

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
