package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/doctor"
	"github.com/xpay-serverless/xpay-serverless/internal/operator"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// configuration is what the doctor examines: the account's file and flags, or a deployed stack's own, with what was found about its
// secrets.
func (c *doctorCmd) configuration(ctx context.Context) (backend.Config, []doctor.Check, error) {
	if c.Stack == "" {
		cfg, err := c.load()
		return cfg, nil, err
	}
	if c.Config != "" || c.PushURL != "" {
		return backend.Config{}, nil, usageError{errors.New("--stack stands for --config and --push-url: give one or the other. --stack 不能与 --config、--push-url 同时使用")}
	}
	s, err := c.open(ctx)
	if err != nil {
		return backend.Config{}, nil, outcome(err)
	}
	if c.PushURL, err = outputOf(s, "PushUrl"); err != nil {
		return backend.Config{}, nil, err
	}
	cfg := backend.Config{
		AppID: s.Parameters["AppId"], OfferID: s.Parameters["OfferId"], Env: stackEnv(s), WeChatURL: s.Parameters["WeChatUrl"],
		Groups: backend.GroupPush | backend.GroupMerchant,
	}
	if c.WechatURL != "" {
		cfg.WeChatURL = c.WechatURL
	}
	found, err := secretChecks(ctx, s, &cfg)
	if cfg.Env == xpay.Production {
		found = append(found, plainPushes(ctx, s))
	}
	return cfg, found, outcome(err)
}

// secretChecks reads the secrets of the stack into a configuration, as its functions do. An error means that AWS did not answer.
func secretChecks(ctx context.Context, s *operator.Stack, cfg *backend.Config) (found []doctor.Check, err error) {
	for _, name := range []string{"push", "merchant", "delivery", "seal"} {
		g := secretGroups[name]
		if name == "delivery" && s.Outputs[g.output] == "" {
			continue // the stack has no webhook
		}
		err := readSecret(ctx, s, g, cfg)
		if operator.Later(err) {
			return nil, err
		}
		check := doctor.Check{Name: "secret-" + name, Status: doctor.OK, What: "the functions can use the secret", WhatZH: "函数可以使用该密钥"}
		switch {
		case err != nil:
			check.Status, check.What, check.WhatZH = doctor.Fix, strings.ReplaceAll(err.Error(), "\n", "; "), "密钥缺失或不可用，函数无法启动"
			command := mends(name, err) + " --stack " + s.Name
			check.Fix, check.FixZH = command, "执行 "+command
		case name == "push" && cfg.Env == xpay.Production && len(cfg.Push.AESKeys) == 0:
			check.Status, check.What, check.WhatZH = doctor.Fix, "there is no EncodingAESKey: production takes pushes in plain mode only", "没有 EncodingAESKey：生产环境只能接收明文推送"
			check.Fix, check.FixZH = "move to 安全模式 as docs/operating/runbook.md says under plain-pushes", "按 docs/operating/runbook.md 的 plain-pushes 切换到安全模式"
		}
		found = append(found, check)
	}
	return found, nil
}

// mends is the command that makes a secret usable. A sealing key nobody has to know: the first one is made, and not typed.
func mends(secret string, err error) string {
	if secret == "seal" && errors.Is(err, operator.ErrNoValue) {
		return "xpay secrets rotate seal"
	}
	return "xpay secrets put " + secret
}

// plainPushes says whether production was pushed to in plain mode within a day: nothing signs the body of such a push.
func plainPushes(ctx context.Context, s *operator.Stack) doctor.Check {
	check := doctor.Check{Name: "plain-pushes", Status: doctor.OK, What: "no push came in plain mode within a day", WhatZH: "一天内没有收到明文推送"}
	n, err := s.Counted(ctx, "PlainPushes", time.Now())
	switch {
	case err != nil:
		check.Status, check.What = doctor.Unknown, "whether pushes came in plain mode: the metric PlainPushes cannot be read with these AWS credentials (cloudwatch:GetMetricStatistics)"
		check.WhatZH = "无法读取指标 PlainPushes（需要 cloudwatch:GetMetricStatistics 权限）"
	case n > 0:
		check.Status, check.What = doctor.Fix, fmt.Sprintf("%d pushes came in plain mode within a day: nothing signs their bodies", n)
		check.WhatZH = fmt.Sprintf("一天内收到 %d 次明文推送：包体没有签名保护", n)
		check.Fix, check.FixZH = "move to 安全模式 as docs/operating/runbook.md says under plain-pushes", "按 docs/operating/runbook.md 的 plain-pushes 切换到安全模式"
	}
	return check
}
