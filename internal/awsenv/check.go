package awsenv

import (
	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// ReadSecret puts the value of one group's secret into a configuration, or says everything for which a function would refuse
// it. The errors quote no value.
func ReadSecret(cfg *backend.Config, group backend.Groups, env xpay.Env, value string) error {
	v := secretValue{version: "given", text: value}
	if err := (&secrets{env: env}).usable(group, v); err != nil {
		return err
	}
	return v.into(cfg, group)
}
