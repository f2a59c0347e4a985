package awsenv

import (
	"errors"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// ReadSecret puts the value of one group's secret into a configuration, or says everything for which a function would refuse
// it. The errors quote no value.
func ReadSecret(cfg *backend.Config, group backend.Groups, env xpay.Env, value string) error {
	v := secretValue{version: "given", text: value}
	if err := (&secrets{env: env}).usable(group, v); err != nil {
		return err
	}
	if err := v.into(cfg, group); err != nil {
		return err
	}
	if group != backend.GroupPush {
		return nil
	}
	if _, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: "any", Tokens: cfg.Push.Tokens, AESKeys: cfg.Push.AESKeys}); err != nil {
		return errors.New("aesKeys must be EncodingAESKeys of 43 letters and digits, as WeChat's console has them")
	}
	return nil
}
