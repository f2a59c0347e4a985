package xpay

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/errors.md")

const errorsPage = "../../docs/reference/errors.md"

// TestErrorsPage holds docs/reference/errors.md to the catalogue; -update prints it anew.
func TestErrorsPage(t *testing.T) {
	page := printErrorsPage()
	if *update {
		if err := os.WriteFile(errorsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(errorsPage)
	if err != nil || string(got) != page {
		t.Errorf("docs/reference/errors.md is not what the catalogue says: run go test ./pkg/xpay -run ErrorsPage -update (%v)", err)
	}
}

func TestErrorsPageHasAnAnchorForEveryCode(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(errorsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	for _, anchor := range []string{"server268490003", "server-1", "server0", "server-15027", "server40001", "client-15005", "client-1", "client1001"} {
		if strings.Count(page, `<a id="`+anchor+`"></a>`) != 1 || strings.Count(page, "](#"+anchor+")") != 1 {
			t.Errorf("anchor %s is not there once, with one link to it", anchor)
		}
	}
	if n := strings.Count(page, `<a id="`); n != 59+26+7 {
		t.Errorf("%d anchors, the catalogue has 59 server codes, 26 client codes and 7 errors in words", n)
	}
}

// codeSection is a part of the page; its codes are printed in ascending order of their size.
type codeSection struct {
	anchor, title, about string
	rows                 []CodeInfo
}

func printErrorsPage() string {
	sections := []codeSection{
		{"client", "On the phone · 前端", "`errCode` of `wx.requestVirtualPayment` and `wx.requestAppleSubscribeSign`. Mini-games use the same numbers for other things.\n" +
			"`wx.requestVirtualPayment` 和 `wx.requestAppleSubscribeSign` 的 `errCode`；小游戏的同名数字含义不同。", ClientCodes()},
		{"server", "Virtual payment on the server · 服务端", "`errcode` of the `/xpay` APIs. 268490010 and 268490017 are not assigned.\n" +
			"`/xpay` 接口的 `errcode`；268490010 与 268490017 未分配。", xpayCodes[:]},
		{"server", "Subscriptions · 会员订阅", "`errcode` of the subscription APIs, beside those above.\n订阅接口特有的 `errcode`。", subscribeCodes[:]},
		{"server", "The platform · 平台通用", "`errcode` of all APIs of WeChat; -1 as above.\n微信各接口通用的 `errcode`；-1 同上。", platformCodes[:]},
		{"text", "In words only · 只有文字", "Errors without a code of their own, known from users.\n没有专属错误码、由用户反馈得知的错误。", TextErrors()},
	}
	var out strings.Builder
	out.WriteString("# Error codes of virtual payment · 虚拟支付错误码\n\n" +
		"<!-- Printed from pkg/xpay by `go test ./pkg/xpay -run ErrorsPage -update`. Do not edit. -->\n\n" +
		"What a code means, what most often leads to it, and who has to do what. In Go: `xpay.Lookup`, `xpay.LookupClient`, `xpay.LookupText`.\n\n" +
		"每个错误码的含义、常见原因，以及由谁处理。\n")
	for _, s := range sections {
		s.print(&out)
	}
	return out.String()
}

func (s codeSection) print(out *strings.Builder) {
	s.rows = slices.Clone(s.rows)
	slices.SortStableFunc(s.rows, func(a, b CodeInfo) int { return size(a.Code) - size(b.Code) })
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n| code | meaning | 含义 | again? | who |\n|---|---|---|---|---|\n", s.title, s.about)
	for i, row := range s.rows {
		fmt.Fprintf(out, "| [%s](#%s) | %s | %s | %s | %s |\n", row.name(), s.id(i), row.Meaning, row.MeaningZH, row.Class, row.Who)
	}
	for i, row := range s.rows {
		fmt.Fprintf(out, "\n### <a id=\"%s\"></a>%s %s · %s\n\n", s.id(i), row.name(), row.Meaning, row.MeaningZH)
		if row.Says != "" && row.Code != 0 {
			fmt.Fprintf(out, "WeChat says: `%s`\n\n", strings.ReplaceAll(row.Says, "; ", "`, `"))
		}
		fmt.Fprintf(out, "- Cause: %s.\n- What to do: %s.\n- Again: %s. Who: %s.\n", row.Cause, row.Advice, row.Class, row.Who)
		fmt.Fprintf(out, "- 原因：%s。\n- 处理：%s。\n- 重试：%s。处理人：%s。\n", row.CauseZH, row.AdviceZH, classZH[row.Class], whoZH[row.Who])
	}
}

var (
	classZH = map[Class]string{ClassGiveUp: "不要重试", ClassRetry: "可稍后重试", ClassRefresh: "刷新 access_token 后重试一次", ClassDone: "视为成功"}
	whoZH   = map[Who]string{WhoNobody: "无需人工", WhoDeveloper: "开发者", WhoOperator: "运营（后台或配置）", WhoUser: "用户", WhoWeChat: "微信"}
)

func (s codeSection) id(i int) string {
	if s.anchor == "text" {
		return fmt.Sprintf("text%d", i+1)
	}
	return fmt.Sprintf("%s%d", s.anchor, s.rows[i].Code)
}

// name of an error without a code is what WeChat says.
func (c CodeInfo) name() string {
	if c.Code == 0 && c.Says != "" {
		return "`" + strings.ReplaceAll(c.Says, "; ", "`, `") + "`"
	}
	return fmt.Sprint(c.Code)
}

func size(n int) int { return max(n, -n) }
