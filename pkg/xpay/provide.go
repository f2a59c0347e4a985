package xpay

import (
	"context"
	"fmt"
)

// NotifyProvideGoods tells WeChat that an order was delivered, for when its push could not be answered. Cash
// orders only. Whether it may be repeated is undocumented, so query the order afterwards. Spec 4.7.
func (c *Client) NotifyProvideGoods(ctx context.Context, ref OrderRef) error {
	if err := ref.validate(); err != nil {
		return fmt.Errorf("xpay notify_provide_goods: %w", err)
	}
	_, err := c.call(ctx, notifyProvideGoods, request{body: struct {
		OrderID   string `json:"order_id,omitempty"`
		WxOrderID string `json:"wx_order_id,omitempty"`
		Env       Env    `json:"env"`
	}{ref.orderID, ref.wxOrderID, c.Merchant.env}})
	return err
}
