package order

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

func TestARefusedAccessTokenIsLoggedWithWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err         error
		level, says string
	}{
		{fmt.Errorf("xpay query_order: get access token: %w", &miniprogram.Error{Code: 40164, API: "stable_token"}), `"ERROR"`, "IP 白名单"},
		{fmt.Errorf("xpay query_order: get access token: %w", &miniprogram.Error{Code: 40125, API: "stable_token"}), `"ERROR"`, "AppSecret is wrong"},
		{errors.New("connection reset"), `"WARN"`, "no answer"},
	} {
		var b strings.Builder
		s := &Service{Log: slog.New(slog.NewJSONHandler(&b, nil))}
		s.logUnanswered(t.Context(), fresh(), c.err)
		if line := b.String(); !strings.Contains(line, c.level) || !strings.Contains(line, c.says) {
			t.Errorf("%v: %s", c.err, line)
		}
	}
}

func TestARefusedAccessTokenIsSaidInBothLanguages(t *testing.T) {
	t.Parallel()
	err := notSaid(fmt.Errorf("xpay query_order: get access token: %w", &miniprogram.Error{Code: 40125, API: "stable_token"}))
	for _, want := range []string{"refuses the access token: ", "AppSecret is wrong", "微信拒绝接口凭证"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
}
