package xpay

import "context"

// NotifyProvideGoods tells WeChat that an order was delivered, for when its push could not be answered. Cash
// orders only. Whether it may be repeated is undocumented, so query the order afterwards; should WeChat answer 268490004, which
// says of other calls that the earlier one succeeded, that is success: it was told before. CONFLICT in spec 4.1: newer pages ask
// for the access token alone, the older one shows pay_sig, which is sent. Spec 4.7.
func (c *Client) NotifyProvideGoods(ctx context.Context, ref OrderRef) error {
	_, err := c.call(ctx, notifyProvideGoods, request{wrong: ref.validate(), body: struct {
		OrderID   string `json:"order_id,omitempty"`
		WxOrderID string `json:"wx_order_id,omitempty"`
		Env       Env    `json:"env"`
	}{ref.orderID, ref.wxOrderID, c.Merchant.env}})
	return err
}
